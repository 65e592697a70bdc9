//! The warnings in sentences: mail that was not delivered once and in order, figures not to be trusted, an
//! interruption.

use super::amounts::{count, mails};
use crate::lang::{t, text};
use crate::outcome::{
    Absent, EventSources, FileName, Oddity, OddityKind, Outcome, Report, Scenario, apart, cause,
};
use crate::terminal::printable;

/// The techniques that cannot run in the scenario, and why.
pub fn absent(report: &Report) -> Vec<String> {
    cannot_be(&report.absent)
}

/// Sentences about what cannot run, and why.
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

/// All warnings, one per line: mail that was not delivered once and in order, figures not to be trusted, an
/// interruption.
pub fn alarms(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = report.results.iter().filter_map(delivery).collect();
    lines.extend(oddities(&report.scenario));
    lines.extend(report.results.iter().filter_map(disturbance));
    lines.extend(report.results.iter().flat_map(event_sources));
    lines.extend(warnings(report));
    lines.extend(report.envelope.partial.then(|| partial(report)));
    lines
}

/// Oddities in the replayed file.
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

/// Warnings about an outcome's failed `EventSource`s.
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

/// The faults in an outcome's delivery sheet, if there are any.
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

/// What failed or was reopened during a run, if anything.
fn disturbance(o: &Outcome) -> Option<String> {
    let name = printable(&o.technique);
    (!o.undisturbed()).then(|| t!("%{name}: %{what}", name = name, what = disturbances(o).join(", ")))
}

/// A list of what failed or was reopened.
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

/// The entries of a delivery sheet that are not 0 but should be.
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

/// A warning about one cause, for all techniques and seeds together.
struct Advice {
    cause: String,
    worst: f64,
    text: String,
    names: Vec<String>,
}

/// One line for each cause of unreliable figures: the techniques, and the worst case.
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

/// The number of seeds in which a cause occurred, of several.
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

/// A warning in the reader's language: it is looked up without its figures, which keep their order.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

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
}
