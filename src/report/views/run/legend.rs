//! The legend of a run's tables.

use super::noise::Noise;
use super::servers;
use crate::lang::{t, text};
use crate::outcome::{BehindProxies, Outcome, Proxy, Report};
use crate::report::doc::{Note, Table};
use crate::report::notes::count;
use crate::terminal::printable;

/// How mail came out of a proxy.
pub const CLUMPS: &str = text!(
    "first mail: from its arrival until the client has it. at once: mails that the client reads within 5 ms of each \
     other."
);

/// What a proxy kept until the end.
pub const AT_THE_END: &str = text!("at the end: mails that came only when the server ended the stream.");

/// The notes on the tables; `cost` is the first of them.
pub fn of(report: &Report, cost: &Table) -> Vec<Note> {
    let samples = report.results.iter().filter_map(|o| o.latency_us.as_ref());
    let few = samples.map(|l| l.count).min().filter(|n| *n < 100);
    let compared = report.results.len() > 1 && !report.cut_short();
    let predicted = cost.is_predicted();
    let about = |column, text: Option<String>| text.map(|text| Note { column, text });
    let notes = [
        (None, scatter(report, cost)),
        (None, differences(report, cost)),
        (None, times(report, cost)),
        (None, compared.then(|| t!(Noise::of(report).rule()))),
        (
            None,
            predicted.then(|| t!("predicted: what the protocol costs by itself, in a simulated run.")),
        ),
        (None, predicted.then(|| formulas(report)).flatten()),
        (None, report.simulated.then(|| t!(SIMULATED))),
        (None, Some(overhead_is(report))),
        (None, compressed(report)),
        (None, behind(report)),
        (None, servers::notes(report)),
        (None, inside_tls(report)),
        (
            Some("state"),
            Some(t!(
                "state: the bytes that tell the server who asks and how far it has read."
            )),
        ),
        (None, report.remote.is_some().then(|| t!(REMOTE))),
        (None, shared_out(report)),
        (None, missing(report)),
        (None, queue(report)),
        (None, slow(report)),
        (Some("p99"), few.map(|n| t!("p99 of %{n} is the largest.", n = n))),
    ];
    notes
        .into_iter()
        .filter_map(|(column, text)| about(column, text))
        .collect()
}

/// The mean latencies by formulas, if there are any large enough to see.
fn formulas(report: &Report) -> Option<String> {
    let each = report.results.iter().filter_map(|o| {
        let ms = o.predicted.formula_us?.mean / 1e3;
        (ms >= 0.05).then(|| format!("{} {ms:.1} ms", printable(&o.technique)))
    });
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| t!("Mean latency by formula: %{each}.", each = each.join(", ")))
}

/// What the directions of an encrypted run are compared by.
fn inside_tls(report: &Report) -> Option<String> {
    let talks = report.results.iter().any(|o| o.talk.is_some());
    (talks && report.scenario.tls).then(|| {
        t!(
            "inside TLS: what a message (up) or a mail (down) took besides payload before encryption; what TLS adds \
             belongs to no message in particular, and is in overhead alone."
        )
    })
}

/// What becomes of labels where a proxy compresses.
fn compressed(report: &Report) -> Option<String> {
    let compresses = |proxy: &Proxy| proxy.settings.compress.is_some();
    report.scenario.proxy.iter().any(compresses).then(|| {
        t!(
            "compressed: in a compressed body, mail and what is around it cannot be told apart; all of it counts as \
             payload."
        )
    })
}

/// What the figures behind a proxy mean, of those that are shown.
fn behind(report: &Report) -> Option<String> {
    let of_some = |says: fn(&Outcome, &BehindProxies) -> bool| {
        let says = |o: &Outcome| o.behind_proxies.as_ref().is_some_and(|behind| says(o, behind));
        report.results.iter().any(says)
    };
    let notes = [
        of_some(|_, _| true).then(|| t!(CLUMPS)),
        of_some(|o, _| o.mails.held_back.is_some()).then(|| t!(AT_THE_END)),
        of_some(|_, behind| behind.cuts() > 0).then(|| t!("cut: answers and tunnels that the proxy cut.")),
    ];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    (!notes.is_empty()).then(|| notes.join(" "))
}

/// The note that the bytes carried more mails than were awaited, if so.
fn shared_out(report: &Report) -> Option<String> {
    let more = report.results.iter().find(|o| o.carried() > o.mails.delivered)?;
    Some(t!(
        "per mail: of all that the bytes carried, awaited or not (%{name}: %{n}).",
        name = printable(&more.technique),
        n = count(more.carried())
    ))
}

/// The definition of missing mail, if some is missing.
fn missing(report: &Report) -> Option<String> {
    let any = report
        .results
        .iter()
        .any(|o| o.mails.lost + o.mails.undelivered > 0);
    any.then(|| {
        t!(
            "lost: the client's cursor has passed the mail without it; undelivered: the run ended before the cursor \
             had reached it."
        )
    })
}

/// The meaning of the queue's columns, if there is one.
fn queue(report: &Report) -> Option<String> {
    let limit = report.results.iter().find_map(|o| o.tabs.as_ref()?.limit)?;
    Some(t!(
        "queued: requests that found all %{limit} connections of the browser in use; unserved: those that got none \
         until the run ended. Its WebSockets are not among these connections.",
        limit = limit
    ))
}

/// The meaning of the slow clients' columns, if there are some.
fn slow(report: &Report) -> Option<String> {
    let any = report.results.iter().any(|o| o.slow.is_some());
    any.then(|| {
        t!(
            "behind: the most mails that had arrived and a slow client did not have yet; waiting: the most that the \
             server had taken out of its log at once and not written yet, for all clients, without the sockets' buffers. \
             What sessions of a protocol on top keep is not counted."
        )
    })
}

/// The meaning of ±.
fn scatter(report: &Report, cost: &Table) -> Option<String> {
    if !cost.is_repeated() {
        return None;
    }
    match report.results.iter().any(|o| o.per_run.is_some()) {
        true => Some(means(report)),
        false => Some(t!(
            "±: the standard error of the mean: how far chance alone moves it."
        )),
    }
}

/// The meaning of +.
fn differences(report: &Report, cost: &Table) -> Option<String> {
    let whole = |o: &&Outcome| o.clean() && !report.cut_short();
    let plus = cost
        .rows
        .iter()
        .flat_map(|row| &row.cells)
        .find(|cell| cell.times.starts_with('+'))?;
    let ms = plus.times.trim_start_matches('+');
    Some(match report.baseline().filter(whole) {
        Some(_) => t!("%{plus}: %{ms} ms more than tcp.", plus = plus.times, ms = ms),
        None => t!(
            "%{plus}: %{ms} ms more than the best.",
            plus = plus.times,
            ms = ms
        ),
    })
}

fn means(report: &Report) -> String {
    let seeds = report.results.iter().map(Outcome::runs).max().unwrap_or(0);
    t!(
        "±: the 95 % interval of the mean over %{seeds} seeds (Student's t); counts are for one.",
        seeds = seeds
    )
}

/// What a client cannot know without the server, and why.
const REMOTE: &str = text!(
    "remote: measured at the client's end, behind a relay in its process: only the server's end can know how late \
     mail arrived there, which replies reached it, and what processor time and memory it took; nothing is predicted, \
     because only a whole run can be simulated, from its first mail on."
);

/// The meaning of a simulated run's figures.
const SIMULATED: &str = text!(
    "simulated: what the protocols cost by themselves, over a simulated network and with a processor that takes no \
     time. A real run shows these figures as predicted; what it measures beyond them, the machine adds."
);

/// The reference of multiples; `None` if there are no multiples.
fn times(report: &Report, cost: &Table) -> Option<String> {
    let compete = report.results.iter().filter(|o| !o.is_baseline()).count() > 1;
    let whole = |o: &Outcome| o.clean() && !report.cut_short();
    let said = match report.baseline().filter(|o| whole(o)) {
        Some(_) if compete => {
            text!("×3: three times tcp, the least any technique can cost; of requests, three times the best.")
        }
        Some(_) => text!("×3: three times tcp, the least any technique can cost."),
        None => text!("×3: three times the best."),
    };
    let mut cells = cost.rows.iter().flat_map(|row| &row.cells);
    cells.any(|cell| cell.times.starts_with('×')).then(|| t!(said))
}

fn overhead_is(report: &Report) -> String {
    if report.scenario.tls {
        t!("overhead: every byte but payload, that is head + framing + control + tls.")
    } else {
        t!("overhead: every byte but payload, that is head + framing + control.")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables;
    use super::*;
    use crate::report::fixture;

    /// The notes that do not depend on the columns shown.
    fn said(report: &Report) -> String {
        let notes = of(report, &tables::cost(report)).into_iter();
        let texts = notes.filter(|note| note.column.is_none()).map(|note| note.text);
        texts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_formula_stands_beside_what_was_simulated() {
        let mut report = fixture::typical();
        assert!(!said(&report).contains("by formula"));
        report.results[0].predicted.formula_us = Some(crate::outcome::PredictedLatency {
            mean: 104_960.0,
            max: 210_000.0,
        });
        let said = said(&report);
        assert!(said.contains("Mean latency by formula: poll 105.0 ms."), "{said}");
    }

    #[test]
    fn the_legend_says_what_a_multiple_is_of_and_what_counts_as_equal() {
        let typical = said(&fixture::typical());
        assert!(
            typical
                .contains("+104: 104 ms more than the best. ×3: three times the best. Latencies within 1 ms"),
            "{typical}"
        );
        let floor = said(&fixture::of(&[fixture::POLL, fixture::WS, fixture::TCP]));
        assert!(
            floor.contains("more than tcp. ×3: three times tcp, the least any technique can cost; of requests, three times the best. Latencies within twice tcp's spread"),
            "{floor}"
        );
        let alone = said(&fixture::of(&[fixture::WS, fixture::TCP]));
        assert!(
            alone.contains("×3: three times tcp, the least any technique can cost. "),
            "{alone}"
        );
        let five = said(&fixture::five_seeds());
        assert!(
            five.starts_with("±: the 95 % interval of the mean over 5 seeds")
                && five.contains("seed by seed"),
            "{five}"
        );
        let single = said(&fixture::only(&fixture::typical(), "ws"));
        assert!(!single.contains("equal") && !single.contains('×'), "{single}");
    }

    #[test]
    fn the_legend_says_what_a_small_sample_means() {
        let about = |report: &Report| {
            let notes = of(report, &tables::cost(report)).into_iter();
            notes
                .filter(|note| note.column == Some("p99"))
                .map(|note| note.text)
                .collect::<String>()
        };
        let report = fixture::typical();
        assert!(about(&report).contains("p99 of 20 is the largest"));
        assert!(!said(&report).contains("p99"));
        assert_eq!(about(&fixture::ws_loses()), "");
    }

    #[test]
    fn half_a_run_and_a_client_alone_have_no_prediction() {
        let mut report = fixture::typical();
        report.envelope.partial = true;
        assert!(!said(&report).contains("predicted"));
        report.envelope.partial = false;
        report.remote = Some("https://127.0.0.1:8443".into());
        for o in &mut report.results {
            o.predicted = Default::default();
        }
        let said = said(&report);
        assert!(said.contains("only the server's end can know"), "{said}");
        assert!(!tables::cost(&report).is_predicted());
    }
}
