//! What is said in words above and below the tables: the scenario, the delivery sheet, the warnings.

use super::figures::{Sheet, figure, speed};
use super::noise::Noise;
use super::printable;
use crate::lang::{t, text};
use crate::outcome::{
    Absent, Arrivals, EventSources, FileName, Frames, HttpVersion, Link, Oddity, OddityKind, Outcome, Report,
    Scenario, apart, cause,
};
use crate::technique;

/// The scenario on one line: what every report opens with. What is at its default and would teach
/// nothing is left out.
pub fn scenario(report: &Report) -> String {
    let s = &report.scenario;
    let mut parts = vec![mail(report), counted(s.clients as f64, Things::Clients)];
    if report.results.iter().any(|o| polled(report, o)) {
        let interval = duration(s.poll_interval_ms);
        parts.push(t!("polling every %{interval}", interval = interval));
    }
    parts.extend(knobs(s));
    parts.extend(transport(s));
    if let Some(url) = &report.remote {
        parts.insert(0, t!("the server at %{url}", url = printable(url)));
    }
    if report.simulated {
        parts.insert(0, t!("simulated, nothing was measured"));
    }
    parts.join("; ")
}

/// Whether a technique's mail waited until clients asked.
pub fn polled(report: &Report, outcome: &Outcome) -> bool {
    technique::named(&outcome.technique).is_some_and(|t| t.is_polled(&report.scenario))
}

fn mail(report: &Report) -> String {
    let s = &report.scenario;
    if s.mails == 0 {
        return t!("mail from outside alone");
    }
    let mut text = match &s.replay {
        Some(file) => replayed(report, &file.lossy()),
        None => t!(
            "%{mails} of %{size} bytes, %{arrivals} at %{rate}, %{seeds}",
            mails = mails(s.mails),
            size = count(s.size as u64),
            arrivals = arrivals(s),
            rate = rate(s.rate_per_s),
            seeds = seeds(s)
        ),
    };
    if s.attach > 0 {
        text += &t!(
            ", each with an attachment of %{size} bytes",
            size = count(s.attach as u64)
        );
    }
    text
}

/// How mail comes.
pub fn arrivals(s: &Scenario) -> String {
    match s.arrivals {
        Arrivals::Poisson => t!("at random (Poisson)"),
        Arrivals::Steady => t!("at a steady pace"),
        Arrivals::Burst(k) => t!("in bursts of %{k}", k = k),
    }
}

fn replayed(report: &Report, file: &str) -> String {
    let sent = report
        .results
        .iter()
        .map(|o| o.repeats.first().unwrap_or(o).mails.sent);
    let sent = sent.max().unwrap_or(0);
    let speed = match report.scenario.replay_speed {
        1.0 => t!("as fast as they came"),
        faster => t!("%{n} times as fast as they came", n = figure(faster)),
    };
    t!(
        "%{mails} replayed from %{file}, %{speed}, %{seeds}",
        mails = mails(sent),
        file = printable(file),
        speed = speed,
        seeds = seeds(&report.scenario)
    )
}

fn seeds(s: &Scenario) -> String {
    match s.repeat {
        0 | 1 => t!("seed %{seed}", seed = s.seed),
        n => t!(
            "seeds %{first} to %{last}",
            first = s.seed,
            last = s.seed.wrapping_add(u64::from(n) - 1)
        ),
    }
}

/// Settings that are named only where they differ from the default.
fn knobs(s: &Scenario) -> Vec<String> {
    let usual = Scenario::default();
    [
        s.reply.then(|| t!("every mail answered")),
        s.talk_per_s
            .map(|per_s| t!("every client talks, %{rate}", rate = rate(per_s))),
        (s.hold_ms != usual.hold_ms).then(|| held(s)),
        (s.heartbeat_ms != usual.heartbeat_ms)
            .then(|| t!("a heartbeat after %{pause}", pause = duration(s.heartbeat_ms))),
        (s.frames == Frames::Binary).then(|| t!("binary WebSocket frames")),
        (s.keep != usual.keep).then(|| t!("a log of %{mails}", mails = mails(s.keep as u64))),
        (s.keep_bytes != usual.keep_bytes)
            .then(|| t!("a log of at most %{bytes} B", bytes = count(s.keep_bytes))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How long a poll is held.
pub fn held(s: &Scenario) -> String {
    t!("long polls held %{hold}", hold = duration(s.hold_ms))
}

/// What carries it, where it is not the usual.
pub fn transport(s: &Scenario) -> Vec<String> {
    let mut parts = Vec::new();
    if s.http != HttpVersion::default() {
        parts.push(format!("HTTP/{}", s.http));
    }
    if s.tls {
        parts.push("TLS".into());
    }
    match s.headers.lossy().as_str() {
        "lean" => {}
        "browser" => parts.push(t!("a browser's headers")),
        file => parts.push(t!("headers from %{file}", file = printable(file))),
    }
    if s.link != Link::default() {
        parts.push(link(&s.link));
    }
    parts
}

fn link(link: &Link) -> String {
    let mut parts = vec![t!("%{rtt} round trip", rtt = duration(link.rtt_ms))];
    if link.jitter_ms > 0.0 {
        parts.push(t!("%{jitter} jitter", jitter = duration(link.jitter_ms)));
    }
    if let Some(bits) = link.bandwidth_bit_s {
        parts.push(speed(bits));
    }
    if link.loss_fraction > 0.0 {
        parts.push(t!("%{n} % loss", n = figure(link.loss_fraction * 100.0)));
    }
    t!("simulated link: %{parts}", parts = parts.join(", "))
}

/// How the columns are to be read.
pub fn legend(report: &Report, cost: &Sheet, shown: &[&str]) -> String {
    let samples = report
        .results
        .iter()
        .filter_map(|o| o.latency_us.as_ref())
        .map(|l| l.count)
        .min();
    let few = samples.filter(|n| shown.contains(&"p99") && *n < 100);
    let compared = report.results.len() > 1 && !report.cut_short();
    let parts = [
        cost.repeated().then(|| means(report)),
        times(report, cost),
        compared.then(|| t!(Noise::of(report).rule())),
        cost.predicted
            .then(|| t!("predicted: what the protocol costs by itself, in a simulated run.")),
        cost.predicted.then(|| formulas(report)).flatten(),
        report.simulated.then(|| t!(SIMULATED)),
        Some(overhead_is(report)),
        inside_tls(report),
        shown
            .contains(&"state")
            .then(|| t!("state: what of it told the server who asks and how far it has read.")),
        report.remote.is_some().then(|| t!(REMOTE)),
        shared_out(report),
        missing(report),
        few.map(|n| t!("p99 of %{n} is the largest.", n = n)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The mean latencies that formulas have, where they have any that can be seen.
fn formulas(report: &Report) -> Option<String> {
    let each = report.results.iter().filter_map(|o| {
        let ms = o.predicted.formula_us?.mean / 1e3;
        (ms >= 0.05).then(|| format!("{} {ms:.1} ms", printable(&o.technique)))
    });
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| t!("Mean latency by formula: %{each}.", each = each.join(", ")))
}

/// What the two ways of an encrypted run are compared by.
fn inside_tls(report: &Report) -> Option<String> {
    let talks = report.results.iter().any(|o| o.talk.is_some());
    (talks && report.scenario.tls).then(|| {
        t!(
            "inside TLS: what a message (up) or a mail (down) took besides payload before encryption; what TLS adds \
             belongs to no message in particular, and is in overhead alone."
        )
    })
}

/// That the bytes are of more mails than were awaited, if they are.
fn shared_out(report: &Report) -> Option<String> {
    let more = report.results.iter().find(|o| o.carried() > o.mails.delivered)?;
    Some(t!(
        "per mail: of all that the bytes carried, awaited or not (%{name}: %{n}).",
        name = printable(&more.technique),
        n = count(more.carried())
    ))
}

/// What is meant by mail that did not come, if some did not.
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

fn means(report: &Report) -> String {
    let seeds = report.results.iter().map(Outcome::runs).max().unwrap_or(0);
    t!(
        "±: the 95 % interval of the mean over %{seeds} seeds (Student's t); counts are for one.",
        seeds = seeds
    )
}

/// What a client alone cannot know, and why.
const REMOTE: &str = text!(
    "remote: measured at the client's end, behind a relay in its process: only the server's end can know how late \
     mail arrived there, which replies reached it, and what processor time and memory it took; nothing is predicted, \
     because only a whole run can be simulated, from its first mail on."
);

/// What a simulated run's figures are.
const SIMULATED: &str = text!(
    "simulated: what the protocols cost by themselves, over a simulated network and with a processor that takes no \
     time. A real run shows these figures as predicted; what it measures beyond them, the machine adds."
);

/// What a multiple is one of; `None` if there is none.
fn times(report: &Report, cost: &Sheet) -> Option<String> {
    let compete = report.results.iter().filter(|o| !o.is_baseline()).count() > 1;
    let whole = |o: &Outcome| o.clean() && !report.cut_short();
    let said = match report.baseline().filter(|o| whole(o)) {
        Some(_) if compete => {
            text!("×3: three times tcp, the least any technique can cost; of requests, three times the best.")
        }
        Some(_) => text!("×3: three times tcp, the least any technique can cost."),
        None => text!("×3: three times the best."),
    };
    cost.marked().then(|| t!(said))
}

fn overhead_is(report: &Report) -> String {
    if report.scenario.tls {
        t!("overhead: every byte but payload, that is head + framing + control + tls.")
    } else {
        t!("overhead: every byte but payload, that is head + framing + control.")
    }
}

/// The rows that cannot be, and why.
pub fn absent(report: &Report) -> Vec<String> {
    cannot_be(&report.absent)
}

/// What cannot exist, and why.
pub fn cannot_be(absent: &[Absent]) -> Vec<String> {
    let said = |a: &Absent| {
        t!(
            "%{name}: cannot exist here: %{why}",
            name = a.technique,
            why = t!(a.why.as_str())
        )
    };
    absent.iter().map(said).collect()
}

/// Everything that must not be overlooked, each on a line of its own: mail that did not come once and
/// in order, figures not to believe, an interruption.
pub fn alarms(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = report.results.iter().filter_map(delivery).collect();
    lines.extend(oddities(&report.scenario));
    lines.extend(report.results.iter().filter_map(disturbance));
    lines.extend(report.results.iter().flat_map(event_sources));
    lines.extend(warnings(report));
    lines.extend(report.envelope.partial.then(|| partial(report)));
    lines
}

/// What was odd about the file that was replayed.
pub fn oddities(scenario: &Scenario) -> Vec<String> {
    let file = scenario.replay.as_ref().map(FileName::lossy).unwrap_or_default();
    let line = |odd: &Oddity| {
        let what = match (odd.kind, odd.count) {
            (OddityKind::NotASeparator, 1) => {
                t!("1 line may separate mails, but not surely: it was left in the text")
            }
            (OddityKind::NotASeparator, n) => {
                t!(
                    "%{n} lines may separate mails, but not surely: they were left in the text",
                    n = count(n)
                )
            }
            (OddityKind::UnreadableDate, n) => {
                t!(
                    "%{mails} with a Date that cannot be read: the separator's date was taken",
                    mails = mails(n)
                )
            }
            (OddityKind::OverruledDate, n) => {
                t!(
                    "%{mails} with a Date more than a day off the separator's: the separator's was taken",
                    mails = mails(n)
                )
            }
            (OddityKind::NoDate, n) => {
                t!(
                    "%{mails} without a date that can be read: taken to arrive with the mail before",
                    mails = mails(n)
                )
            }
        };
        t!(
            "warning: %{file}: %{what}; the first on line %{line}: %{text}",
            file = printable(&file),
            what = what,
            line = count(odd.line),
            text = printable(&odd.text)
        )
    };
    scenario.replay_oddities.iter().map(line).collect()
}

fn partial(report: &Report) -> String {
    if report.cut_short() {
        return t!("PARTIAL: interrupted; these figures cover only what had happened by then.");
    }
    t!(
        "PARTIAL: interrupted after %{done} of %{seeds} seeds; these figures cover only those.",
        done = report.results.iter().map(Outcome::runs).max().unwrap_or(0),
        seeds = report.scenario.repeat
    )
}

/// What an outcome says of `EventSource`s that failed.
fn event_sources(o: &Outcome) -> Vec<String> {
    let Some(EventSources {
        restarted,
        ended,
        why,
    }) = &o.event_sources
    else {
        return Vec::new();
    };
    let name = printable(&o.technique);
    let why = printable(why.as_deref().unwrap_or_default());
    let again = (*restarted > 0).then(|| {
        t!(
            "%{name}: EventSources that failed and were started again by the application: %{n}. A new one sends \
             after= in its URL and no Last-Event-ID. The last reason: %{why}",
            name = name,
            n = count(*restarted),
            why = why
        )
    });
    let ended = (*ended > 0).then(|| {
        t!(
            "%{name}: EventSources that ended for good, with their client: %{n}. The last reason: %{why}",
            name = name,
            n = count(*ended),
            why = why
        )
    });
    again.into_iter().chain(ended).collect()
}

/// What is wrong with an outcome's delivery sheet, if anything is.
fn delivery(o: &Outcome) -> Option<String> {
    let m = &o.mails;
    let name = printable(&o.technique);
    (!o.clean()).then(|| {
        t!(
            "%{name}: delivered %{delivered} of %{expected}: %{faults}",
            name = name,
            delivered = count(m.delivered),
            expected = count(m.expected),
            faults = faults(o).join(", ")
        )
    })
}

/// What failed or was opened again on the way, if anything was.
fn disturbance(o: &Outcome) -> Option<String> {
    let name = printable(&o.technique);
    (!o.undisturbed()).then(|| t!("%{name}: %{what}", name = name, what = disturbances(o).join(", ")))
}

/// Each of what failed or was opened again.
pub fn disturbances(o: &Outcome) -> Vec<String> {
    [
        (o.failed(), text!("1 failed answer"), text!("%{n} failed answers")),
        (
            o.reconnects(),
            text!("reconnected once"),
            text!("reconnected %{n} times"),
        ),
    ]
    .into_iter()
    .filter(|(n, ..)| *n > 0)
    .map(|(n, one, many)| match n {
        1 => t!(one),
        n => t!(many, n = count(n)),
    })
    .collect()
}

/// The entries of a delivery sheet that should be 0.
pub fn faults(o: &Outcome) -> Vec<String> {
    let m = &o.mails;
    let missing = m.replies.map_or(0, |r| m.expected.saturating_sub(r));
    let unasked = m.replies.map_or(0, |r| r.saturating_sub(m.expected));
    let talk = o.talk.as_ref();
    let unaccounted = m
        .expected
        .saturating_sub(m.delivered + m.lost + m.undelivered + m.gap);
    [
        (m.lost, text!("%{n} lost")),
        (m.undelivered, text!("%{n} undelivered when the run ended")),
        (m.gap, text!("%{n} no longer in the log (a gap was told)")),
        (
            m.reset,
            text!("cursors reset, because the server has another log: %{n}"),
        ),
        (m.duplicated, text!("%{n} delivered twice")),
        (m.reordered, text!("%{n} out of order")),
        (missing, text!("%{n} never answered")),
        (unasked, text!("%{n} answered twice")),
        (unaccounted, text!("%{n} not accounted for")),
        (
            talk.map_or(0, |t| t.lost),
            text!("%{n} of the client's messages never heard"),
        ),
        (
            talk.map_or(0, |t| t.duplicated),
            text!("%{n} of the client's messages heard twice"),
        ),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| t!(what, n = count(n)))
    .collect()
}

/// What is said once about a cause, however many techniques and seeds it befell.
struct Advice {
    cause: String,
    worst: f64,
    text: String,
    names: Vec<String>,
}

/// One line for each cause that spoils figures: whose, and the worst of it.
fn warnings(report: &Report) -> Vec<String> {
    let mut said: Vec<Advice> = Vec::new();
    for o in &report.results {
        for warning in told(o) {
            let (words, worst) = cause(warning);
            let name = printable(&o.technique);
            match said.iter_mut().find(|a| a.cause == words) {
                Some(known) => known.add(name, worst, warning),
                None => said.push(Advice {
                    cause: words,
                    worst,
                    text: warning.into(),
                    names: vec![name],
                }),
            }
        }
    }
    said.iter()
        .map(|a| {
            t!(
                "warning: %{names}: %{text}%{seeds}",
                names = a.names.join(", "),
                text = printable(&translated(&a.text)),
                seeds = seeds_with(report, &a.cause)
            )
        })
        .collect()
}

impl Advice {
    fn add(&mut self, name: String, figure: f64, text: &str) {
        if figure > self.worst {
            (self.worst, self.text) = (figure, text.into());
        }
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }
}

fn told(o: &Outcome) -> impl Iterator<Item = &str> {
    let busy = (o.trust.starved && o.trust.warnings.is_empty()).then_some(BUSY);
    o.trust.warnings.iter().map(String::as_str).chain(busy)
}

/// In how many of several seeds a cause showed.
fn seeds_with(report: &Report, words: &str) -> String {
    let seeds = report.results.iter().map(|o| o.repeats.len()).max().unwrap_or(0);
    let showed = |seed: &usize| {
        let outcomes = report.results.iter().filter_map(|o| o.repeats.get(*seed));
        outcomes.flat_map(told).any(|w| cause(w).0 == words)
    };
    match (0..seeds).filter(showed).count() {
        0 => String::new(),
        n => t!(" (in %{n} of %{seeds} seeds)", n = n, seeds = seeds),
    }
}

/// A warning in the reader's language: it is looked up without its figures, which come in the same order.
fn translated(warning: &str) -> String {
    let (words, figures) = apart(warning);
    let mut figures = figures.iter();
    t!(words.as_str())
        .split_inclusive('#')
        .map(|piece| match piece.strip_suffix('#') {
            Some(before) => format!("{before}{}", figures.next().map_or("#", String::as_str)),
            None => piece.into(),
        })
        .collect()
}

const BUSY: &str = text!("the machine was too busy to measure");

/// What sentences count.
#[derive(Clone, Copy)]
pub enum Things {
    Mails,
    Requests,
    Answers,
    Replies,
    Messages,
    Clients,
}

/// `1 mail`, `20 mails`.
pub fn counted(n: f64, things: Things) -> String {
    let (one, many) = match things {
        Things::Mails => (text!("1 mail"), text!("%{n} mails")),
        Things::Requests => (text!("1 request"), text!("%{n} requests")),
        Things::Answers => (text!("1 answer"), text!("%{n} answers")),
        Things::Replies => (text!("1 reply"), text!("%{n} replies")),
        Things::Messages => (text!("1 message"), text!("%{n} messages")),
        Things::Clients => (text!("1 client"), text!("%{n} clients")),
    };
    match n {
        1.0 => t!(one),
        n => t!(many, n = figure(n)),
    }
}

fn mails(n: u64) -> String {
    counted(n as f64, Things::Mails)
}

/// `poll (3 lost)`.
pub fn named(name: &str, what: &str) -> String {
    t!("%{name} (%{what})", name = name, what = what)
}

/// A whole number.
pub fn count(n: u64) -> String {
    figure(n as f64)
}

/// `2/s`, `30/min`, `1.5/h`, `1/day`: in the unit where it is at least 1, as on the command line.
pub fn rate(per_s: f64) -> String {
    let (value, unit) = match per_s {
        r if r >= 1.0 => (r, "s"),
        r if r * 60.0 >= 1.0 => (r * 60.0, "min"),
        r if r * 3600.0 >= 0.9995 => (r * 3600.0, "h"),
        r => (r * 86_400.0, "day"),
    };
    let value = (value * 1e6).round() / 1e6;
    let text = figure(value);
    let digits = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{digits}/{unit}")
}

/// `200 ms`, `25 s`.
pub fn duration(ms: f64) -> String {
    if ms < 1_000.0 {
        format!("{} ms", figure(ms))
    } else {
        format!("{} s", figure(ms / 1e3))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{figures, fixture};
    use super::*;

    #[test]
    fn a_rate_is_as_it_was_given() {
        for given in ["2/s", "30/min", "1.5/h", "1/h", "1/day", "12/day", "5,000/s"] {
            let per_s = crate::technique::quantities::rate(given).unwrap();
            assert_eq!(rate(per_s), given);
        }
    }

    #[test]
    fn the_scenario_in_words() {
        let mut report = fixture::typical();
        let usual =
            "20 mails of 300 bytes, at random (Poisson) at 2/s, seed 1; 1 client; polling every 200 ms";
        assert_eq!(scenario(&report), usual);
        report.results.remove(0);
        report.scenario = Scenario {
            mails: 1,
            attach: 60_000,
            arrivals: Arrivals::Burst(5),
            rate_per_s: 1.0 / 40.0,
            clients: 1_000,
            reply: true,
            hold_ms: 5_000.0,
            frames: Frames::Binary,
            headers: "browser".into(),
            link: Link {
                rtt_ms: 100.0,
                loss_fraction: 0.01,
                ..Link::default()
            },
            ..Scenario::default()
        };
        assert_eq!(
            scenario(&report),
            "1 mail of 300 bytes, in bursts of 5 at 1.5/min, seed 1, each with an attachment of 60,000 bytes; \
             1,000 clients; every mail answered; long polls held 5 s; binary WebSocket frames; \
             a browser's headers; simulated link: 100 ms round trip, 1 % loss"
        );
        report.scenario = Scenario {
            replay: Some("메일\u{1b}.mbox".into()),
            replay_speed: 8640.0,
            headers: "my.txt".into(),
            ..Scenario::default()
        };
        assert_eq!(
            scenario(&report),
            "20 mails replayed from 메일\u{fffd}.mbox, 8,640 times as fast as they came, seed 1; 1 client; \
             headers from my.txt"
        );
    }

    #[test]
    fn an_unclean_sheet_is_spelled_out() {
        assert_eq!(alarms(&fixture::typical()), Vec::<String>::new());
        assert_eq!(
            alarms(&fixture::lost()),
            [
                "sse: delivered 18 of 20: 2 lost",
                "ws: delivered 20 of 20: 1 out of order, 1 never answered"
            ]
        );
        let mut gap = fixture::typical();
        gap.results[0].mails = crate::outcome::Delivery {
            expected: 20,
            delivered: 16,
            gap: 3,
            duplicated: 2,
            ..Default::default()
        };
        assert_eq!(
            alarms(&gap),
            [
                "poll: delivered 16 of 20: 3 no longer in the log (a gap was told), 2 delivered twice, \
              1 not accounted for"
            ]
        );
    }

    #[test]
    fn a_formula_stands_beside_what_was_simulated() {
        let mut report = fixture::typical();
        let said = |report: &Report| legend(report, &figures::cost(report), &[]);
        assert!(!said(&report).contains("by formula"));
        report.results[0].predicted.formula_us = Some(crate::outcome::PredictedLatency {
            mean: 104_960.0,
            max: 210_000.0,
        });
        let said = said(&report);
        assert!(said.contains("Mean latency by formula: poll 105.0 ms."), "{said}");
    }

    #[test]
    fn warnings_are_given_once_and_an_interruption_last() {
        let mut report = fixture::typical();
        report.envelope.partial = true;
        for i in [0, 3] {
            report.results[i].trust.warnings = vec!["arrivals were late".into()];
        }
        report.results[1].trust.starved = true;
        assert_eq!(
            alarms(&report),
            [
                "warning: poll, ws: arrivals were late",
                "warning: long-poll: the machine was too busy to measure",
                "PARTIAL: interrupted; these figures cover only what had happened by then."
            ]
        );
        assert!(!legend(&report, &figures::cost(&report), &[]).contains("predicted"));
    }

    #[test]
    fn a_cause_is_told_once_with_the_worst_of_it() {
        let mut report = fixture::five_seeds();
        let late = |ms: u32| format!("arrivals were up to {ms} ms late (99th percentile): close programs");
        report.results[1].trust.warnings = vec![late(2)];
        report.results[1].repeats[0].trust.warnings = vec![late(2)];
        report.results[3].trust.warnings = vec![late(7), "9 connections broke".into()];
        report.results[3].repeats[0].trust.warnings = vec![late(1)];
        report.results[3].repeats[4].trust.warnings = vec![late(7)];
        report.results[4].trust.warnings = vec![late(3)];
        assert_eq!(
            alarms(&report),
            [
                "warning: poll, sse, ws: arrivals were up to 7 ms late (99th percentile): close programs \
                 (in 2 of 5 seeds)",
                "warning: sse: 9 connections broke"
            ]
        );
    }

    #[test]
    fn an_interruption_between_seeds_tells_how_many_there_are() {
        let mut report = fixture::five_seeds();
        report.envelope.partial = true;
        report.scenario.repeat = 8;
        assert_eq!(
            alarms(&report),
            ["PARTIAL: interrupted after 5 of 8 seeds; these figures cover only those."]
        );
    }

    #[test]
    fn seeds_are_named_and_replayed_mail_is_counted_once() {
        let mut report = fixture::five_seeds();
        assert!(scenario(&report).contains("at 2/s, seeds 1 to 5; 1 client"));
        report.scenario.replay = Some("a.mbox".into());
        assert!(scenario(&report).starts_with("20 mails replayed from a.mbox"));
    }

    #[test]
    fn the_legend_says_what_a_multiple_is_of_and_what_counts_as_equal() {
        let said = |report: &Report| legend(report, &figures::cost(report), &[]);
        let typical = said(&fixture::typical());
        assert!(
            typical.starts_with("×3: three times the best. Latencies within 1 ms"),
            "{typical}"
        );
        let floor = said(&fixture::of(&[fixture::POLL, fixture::WS, fixture::TCP]));
        assert!(
            floor.starts_with("×3: three times tcp, the least any technique can cost; of requests, three times the best. Latencies within twice tcp's spread"),
            "{floor}"
        );
        let alone = said(&fixture::of(&[fixture::WS, fixture::TCP]));
        assert!(
            alone.starts_with("×3: three times tcp, the least any technique can cost. "),
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
        let said = |report: &Report, percentiles: bool| {
            let shown: &[&str] = if percentiles { &["p99"] } else { &[] };
            legend(report, &figures::cost(report), shown)
        };
        let report = fixture::typical();
        assert!(said(&report, true).contains("p99 of 20 is the largest"));
        assert!(!said(&report, false).contains("p99"));
        assert!(!said(&fixture::ws_loses(), true).contains("p99"));
    }

    #[test]
    fn a_client_alone_says_where_it_was_and_what_it_lacks() {
        let mut report = fixture::typical();
        report.remote = Some("https://127.0.0.1:8443\u{1b}".into());
        for o in &mut report.results {
            o.predicted = Default::default();
        }
        let opening = scenario(&report);
        assert!(
            opening.starts_with("the server at https://127.0.0.1:8443\u{fffd}; 20 mails"),
            "{opening}"
        );
        let cost = figures::cost(&report);
        let said = legend(&report, &cost, &[]);
        assert!(
            said.contains("only the server's end can know") && !cost.predicted,
            "{said}"
        );
        report.scenario.mails = 0;
        assert!(scenario(&report).contains("; mail from outside alone; 1 client"));
    }
}
