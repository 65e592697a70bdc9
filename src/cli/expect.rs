//! `--expect 'ws.p99 < 50ms'`: a threshold for scripts. A run that misses it exits with 1.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::bail;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::lang::t;
use crate::outcome::Outcome;

/// A threshold for a technique's figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    technique: String,
    figure: Figure,
    comparison: Comparison,
    limit: f64,
    /// As it was written.
    text: String,
}

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    Mean,
    P50,
    P95,
    P99,
    Worst,
    Requests,
    Empty,
    Overhead,
    Lost,
    Undelivered,
    Duplicated,
    Reordered,
}

use Figure::{
    Duplicated, Empty, Lost, Mean, Overhead, P50, P95, P99, Reordered, Requests, Undelivered, Worst,
};

const FIGURES: [(&str, Figure); 12] = [
    ("mean", Mean),
    ("p50", P50),
    ("p95", P95),
    ("p99", P99),
    ("worst", Worst),
    ("requests", Requests),
    ("empty", Empty),
    ("overhead", Overhead),
    ("lost", Lost),
    ("undelivered", Undelivered),
    ("duplicated", Duplicated),
    ("reordered", Reordered),
];

impl Figure {
    fn is_latency(self) -> bool {
        matches!(self, Mean | P50 | P95 | P99 | Worst)
    }

    /// Its value as the table shows it: latencies in microseconds, counts of one run, overhead in bytes per mail.
    fn of(self, outcome: &Outcome) -> Option<f64> {
        let latency = outcome.latency_us.as_ref();
        let each = |sum: u64| Some(sum as f64 / outcome.runs() as f64);
        match self {
            Mean => latency.map(|l| l.mean),
            P50 => latency.map(|l| l.p50),
            P95 => latency.and_then(|l| l.p95),
            P99 => latency.map(|l| l.p99),
            Worst => latency.map(|l| l.max),
            Requests => each(outcome.requests.total),
            Empty => outcome.requests.empty.and_then(each),
            Overhead => outcome.overhead_bytes_per_delivery,
            Lost => each(outcome.mails.lost),
            Undelivered => each(outcome.mails.undelivered),
            Duplicated => each(outcome.mails.duplicated),
            Reordered => each(outcome.mails.reordered),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
}

use Comparison::{AtLeast, AtMost, Equal, Less, More};

/// The longer ones come first, because `<=` begins like `<`.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", AtMost),
    (">=", AtLeast),
    ("==", Equal),
    ("<", Less),
    (">", More),
];

impl Comparison {
    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Less => value < limit,
            AtMost => value <= limit,
            More => value > limit,
            AtLeast => value >= limit,
            Equal => value == limit,
        }
    }
}

impl FromStr for Expectation {
    type Err = String;

    fn from_str(text: &str) -> Result<Expectation, String> {
        let found = text.char_indices().find_map(|(at, _)| {
            COMPARISONS
                .iter()
                .find(|(sign, _)| text[at..].starts_with(sign))
                .map(|c| (at, c))
        });
        let Some((at, (sign, comparison))) = found else {
            return Err(t!(
                "allowed is TECHNIQUE.FIGURE, one of < <= > >= ==, and a value, like 'ws.p99 < 50ms'"
            ));
        };
        let (named, value) = (text[..at].trim(), text[at + sign.len()..].trim());
        let Some((technique, name)) = named.rsplit_once('.') else {
            return Err(t!(
                "%{named} is not written like TECHNIQUE.FIGURE, as ws.p99 is",
                named = format!("{named:?}")
            ));
        };
        let Some((_, figure)) = FIGURES.iter().find(|(known, _)| *known == name) else {
            let known = FIGURES.map(|(known, _)| known).join(", ");
            return Err(t!(
                "no figure is called %{name}; there are %{known}",
                name = format!("{name:?}"),
                known = known
            ));
        };
        Ok(Expectation {
            technique: technique.into(),
            figure: *figure,
            comparison: *comparison,
            limit: limit(*figure, value)?,
            text: text.into(),
        })
    }
}

/// The limit: a duration for a latency, a number for anything else.
fn limit(figure: Figure, value: &str) -> Result<f64, String> {
    if figure.is_latency() {
        let duration: Result<Duration, _> = humantime::parse_duration(value);
        return duration
            .map(|duration| duration.as_secs_f64() * 1e6)
            .map_err(|_| {
                t!(
                    "a latency is compared with a duration like 50ms or 1s, not with %{value}",
                    value = format!("{value:?}")
                )
            });
    }
    let number: Option<f64> = value.replace(',', "").parse().ok();
    number.filter(|number| number.is_finite()).ok_or_else(|| {
        t!(
            "it is compared with a number, not with %{value}",
            value = format!("{value:?}")
        )
    })
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Adds the flag `--expect`.
pub fn with_expectations(command: Command) -> Command {
    command.arg(
        Arg::new("expect")
            .long("expect")
            .value_name("THRESHOLD")
            .help("Exits with 1 unless this holds, like 'ws.p99 < 50ms' or 'poll.empty >= 10'; may be repeated")
            .long_help(
                "Exits with 1 unless this holds; may be repeated. TECHNIQUE.FIGURE OP VALUE: FIGURE is mean, p50, p95, \
                 p99, worst (with a duration, 800us or 50ms), requests, empty, overhead (bytes per mail), lost, \
                 undelivered, duplicated or reordered; OP is one of < <= > >= ==",
            )
            .value_parser(value_parser!(Expectation))
            .action(ArgAction::Append)
            .help_heading("Result"),
    )
}

/// The expectations of a run of these techniques.
///
/// # Errors
/// If one is about a technique that does not run.
pub fn expected(matches: &ArgMatches, techniques: &[&str]) -> anyhow::Result<Vec<Expectation>> {
    let all: Vec<Expectation> = matches.get_many("expect").unwrap_or_default().cloned().collect();
    if let Some(stray) = all.iter().find(|e| !techniques.contains(&e.technique.as_str())) {
        bail!(t!(
            "--expect '%{stray}': %{technique} does not run here; those that do are %{techniques}",
            stray = stray,
            technique = format!("{:?}", stray.technique),
            techniques = techniques.join(", ")
        ));
    }
    Ok(all)
}

/// Prints which expectations the results miss, each with the value; returns whether none was missed.
pub fn are_met(expectations: &[Expectation], results: &[Outcome]) -> bool {
    let missed = expectations.iter().filter_map(|e| Some((e, miss(e, results)?)));
    let missed: Vec<_> = missed.collect();
    for (expectation, was) in &missed {
        tell!(
            "{}",
            t!(
                "missed: expected %{expectation}, but %{was}",
                expectation = expectation,
                was = was
            )
        );
    }
    missed.is_empty()
}

/// What the figure was, if it misses the expectation.
fn miss(expectation: &Expectation, results: &[Outcome]) -> Option<String> {
    let outcome = results.iter().find(|o| o.technique == expectation.technique);
    let Some(value) = outcome.and_then(|o| expectation.figure.of(o)) else {
        return Some(t!("it has no value in this run"));
    };
    let holds = expectation.comparison.holds(value, expectation.limit);
    (!holds).then(|| match expectation.figure.is_latency() {
        true => t!("it was %{value} ms", value = value / 1e3),
        false => t!("it was %{value}", value = value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Latency;

    fn parsed(text: &str) -> Expectation {
        text.parse().unwrap()
    }

    #[test]
    fn thresholds_are_read() {
        let all = [
            ("ws.p99 < 50ms", P99, Less, 50_000.0),
            ("ws.mean<=1s", Mean, AtMost, 1e6),
            ("ws.worst >= 800us", Worst, AtLeast, 800.0),
            ("ws.p50 > 90ns", P50, More, 0.09),
            ("ws.p95 < 1h", P95, Less, 3.6e9),
            ("ws.requests == 1", Requests, Equal, 1.0),
            ("ws.overhead < 1,000.5", Overhead, Less, 1_000.5),
            ("ws.lost == 0", Lost, Equal, 0.0),
        ];
        for (text, figure, comparison, limit) in all {
            let read = parsed(text);
            assert_eq!(
                (read.figure, read.comparison, read.limit),
                (figure, comparison, limit),
                "{text}"
            );
            assert_eq!((read.technique.as_str(), read.to_string()), ("ws", text.into()));
        }
        assert_eq!(parsed("long-poll.empty == 0").technique, "long-poll");
        for (wrong, why) in [
            ("", "allowed is"),
            ("ws.p99", "allowed is"),
            ("p99 < 5ms", "TECHNIQUE.FIGURE"),
            ("ws.p98 < 5ms", "there are mean, p50"),
            ("ws.p99 < 5", "duration"),
            ("ws.p99 < ", "duration"),
            ("ws.lost < 5ms", "number"),
            ("ws.lost < nan", "number"),
        ] {
            let said = wrong.parse::<Expectation>().unwrap_err();
            assert!(said.contains(why), "{wrong}: {said}");
        }
    }

    #[test]
    fn figures_are_compared_as_the_table_shows_them() {
        let mut outcome = crate::report::fixture::typical().results.remove(0);
        outcome.technique = "ws".into();
        outcome.latency_us = Some(Latency {
            p99: 4_000.0,
            ..outcome.latency_us.unwrap()
        });
        outcome.requests.total = 3;
        outcome.requests.empty = None;
        let results = [outcome];
        let missed = |text: &str| miss(&parsed(text), &results);
        assert_eq!(missed("ws.p99 < 5ms"), None);
        assert_eq!(missed("ws.p99 < 4ms").as_deref(), Some("it was 4 ms"));
        assert_eq!(missed("ws.p99 <= 4ms"), None);
        assert_eq!(missed("ws.requests == 3"), None);
        assert_eq!(missed("ws.requests > 3").as_deref(), Some("it was 3"));
        assert_eq!(
            missed("ws.empty == 0").as_deref(),
            Some("it has no value in this run")
        );
    }
}
