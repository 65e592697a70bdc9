//! The warnings in sentences: mail that was not delivered once and in order, figures not to be trusted, an
//! interruption.

use super::amounts::{count, mails};
use crate::lang::{t, text};
use crate::outcome::{
    Absent, Concern, EventSources, FileName, Oddity, OddityKind, Outcome, Report, Scenario, Warning,
};
use crate::terminal::printable;

/// The techniques that cannot run in the scenario, and why.
pub fn absent(report: &Report) -> Vec<String> {
    cannot_be(&report.absent)
}

/// Sentences about what cannot run, and why.
pub fn cannot_be(absent: &[Absent]) -> Vec<String> {
    let sentence = |a: &Absent| {
        t!(
            "%{name}: not possible here: %{why}",
            name = a.technique,
            why = t!(a.why.as_str())
        )
    };
    absent.iter().map(sentence).collect()
}

/// All warnings, one per line: mail that was not delivered once and in order, figures not to be trusted, an
/// interruption.
pub fn warnings(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = report.results.iter().filter_map(delivery).collect();
    lines.extend(oddities(&report.scenario));
    lines.extend(report.results.iter().filter_map(disturbance));
    lines.extend(report.results.iter().flat_map(event_sources));
    lines.extend(trust_warnings(report, |_| true));
    lines.extend(report.envelope.partial.then(|| partial(report)));
    lines
}

/// The warnings about figures that concern one part of the result.
pub fn warnings_about(report: &Report, concern: Concern) -> Vec<String> {
    trust_warnings(report, |warning| warning.concern() == concern)
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
    let due = m.expected - o.planned_missing().min(m.expected);
    let missing = m.replies.map_or(0, |r| due.saturating_sub(r));
    let unasked = m.replies.map_or(0, |r| r.saturating_sub(m.expected));
    let talk = o.talk.as_ref();
    let unaccounted = m
        .expected
        .saturating_sub(m.delivered + m.lost + m.undelivered + m.gap);
    [
        (m.lost, text!("%{n} lost")),
        (
            m.undelivered - o.starved(),
            text!("%{n} undelivered when the run ended"),
        ),
        (
            m.gap - o.planned_gap(),
            text!("%{n} no longer in the log (a gap was told)"),
        ),
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

/// One line for each cause that spoils figures: whose, and the worst of it.
fn trust_warnings(report: &Report, is_wanted: impl Fn(&Warning) -> bool) -> Vec<String> {
    let mut groups: Vec<(Warning, Vec<String>)> = Vec::new();
    for o in &report.results {
        for warning in warnings_of(o).into_iter().filter(&is_wanted) {
            let name = printable(&o.technique);
            let known = groups.iter_mut().find(|(known, _)| known.is_like(&warning));
            let Some((known, names)) = known else {
                groups.push((warning, vec![name]));
                continue;
            };
            if warning.is_worse_than(known) {
                *known = warning;
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    groups
        .iter()
        .map(|(warning, names)| {
            t!(
                "warning: %{names}: %{text}%{seeds}",
                names = names.join(", "),
                text = printable(&warning.text().spoken()),
                seeds = seeds_with(report, warning)
            )
        })
        .collect()
}

fn warnings_of(o: &Outcome) -> Vec<Warning> {
    match o.trust.starved && o.trust.warnings.is_empty() {
        true => vec![Warning::BusyMachine],
        false => o.trust.warnings.clone(),
    }
}

/// In how many of several seeds a cause showed.
fn seeds_with(report: &Report, warning: &Warning) -> String {
    let seeds = report.results.iter().map(|o| o.repeats.len()).max().unwrap_or(0);
    let showed = |seed: &usize| {
        let outcomes = report.results.iter().filter_map(|o| o.repeats.get(*seed));
        outcomes.flat_map(warnings_of).any(|other| other.is_like(warning))
    };
    match (0..seeds).filter(showed).count() {
        0 => String::new(),
        n => t!(" (in %{n} of %{seeds} seeds)", n = n, seeds = seeds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn an_unclean_sheet_is_spelled_out() {
        assert_eq!(warnings(&fixture::typical()), Vec::<String>::new());
        assert_eq!(
            warnings(&fixture::lost()),
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
            warnings(&gap),
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
            report.results[i].trust.warnings = vec![Warning::Reset];
        }
        report.results[1].trust.starved = true;
        assert_eq!(
            warnings(&report),
            [
                "warning: poll, ws: the server came back with another log (a reset), whose mails are numbered from 1 again: \
                 of mail that was only in the old one, nothing is known here",
                "warning: long-poll: the machine was too busy to measure",
                "PARTIAL: interrupted; these figures cover only what had happened by then."
            ]
        );
    }

    #[test]
    fn a_cause_is_told_once_with_the_worst_of_it() {
        let mut report = fixture::five_seeds();
        let late = |ms| Warning::LateMessages { ms };
        report.results[1].trust.warnings = vec![late(2.0)];
        report.results[1].repeats[0].trust.warnings = vec![late(2.0)];
        report.results[3].trust.warnings = vec![late(7.0), Warning::Violations { connections: 9 }];
        report.results[3].repeats[0].trust.warnings = vec![late(1.0)];
        report.results[3].repeats[4].trust.warnings = vec![late(7.0)];
        report.results[4].trust.warnings = vec![late(3.0)];
        assert_eq!(
            warnings(&report),
            [
                "warning: poll, sse, ws: clients sent their messages up to 7.0 ms late (99th percentile): the machine was \
                 busy; use a lower --talk rate or fewer clients (in 2 of 5 seeds)",
                "warning: sse: 9 connections carried bytes that break their protocol"
            ]
        );
    }

    #[test]
    fn an_interruption_between_seeds_tells_how_many_there_are() {
        let mut report = fixture::five_seeds();
        report.envelope.partial = true;
        report.scenario.repeat = 8;
        assert_eq!(
            warnings(&report),
            ["PARTIAL: interrupted after 5 of 8 seeds; these figures cover only those."]
        );
    }
}
