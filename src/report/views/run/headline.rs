//! The headline of a page: what differs most, for a visitor who does not know the techniques by their short names. The
//! sentence above the table stays with the table's names.

use super::noise::Noise;
use super::sentence::figures::{SAME, extremes, latency, millis, overhead, slower, timed};
use super::sentence::{notice, own};
use crate::lang::t;
use crate::outcome::{BASELINE, Outcome, Report};
use crate::report::numbers::figure;
use crate::technique;
use crate::terminal::printable;

/// What differs most between the techniques of a report; the main observation if that cannot be said so briefly.
pub fn of(report: &Report) -> String {
    let results: Vec<&Outcome> = report
        .results
        .iter()
        .filter(|o| o.technique != BASELINE)
        .collect();
    let brief = (report.results.iter().all(Outcome::clean) && !report.envelope.partial)
        .then(|| difference(report, &results))
        .flatten();
    printable(&brief.unwrap_or_else(|| notice(report, own)))
}

fn difference(report: &Report, results: &[&Outcome]) -> Option<String> {
    let noise = Noise::of(report);
    let (cheap, dear) = extremes(results, overhead)?;
    let (quick, slow) = extremes(results, latency)?;
    let costs = overhead(dear) > overhead(cheap) * SAME;
    let waits = timed(results) && slower(slow, quick, &noise);
    let cost = |o: &Outcome| t!("%{n} bytes", n = figure(overhead(o).round()));
    let wait = |o: &Outcome| millis(latency(o).round());
    Some(match (costs, waits) {
        (true, true) => t!(
            "With %{dear} each mail costs %{most} of overhead, with %{cheap} %{least}; it waits %{longest} with %{slow}, \
             %{shortest} with %{quick}.",
            dear = name(&dear.technique),
            most = cost(dear),
            cheap = name(&cheap.technique),
            least = cost(cheap),
            longest = wait(slow),
            slow = name(&slow.technique),
            shortest = wait(quick),
            quick = name(&quick.technique)
        ),
        (true, false) => t!(
            "With %{dear} each mail costs %{most} of overhead, with %{cheap} %{least}; it arrives equally soon.",
            dear = name(&dear.technique),
            most = cost(dear),
            cheap = name(&cheap.technique),
            least = cost(cheap)
        ),
        (false, true) => t!(
            "Mail waits %{longest} with %{slow}, %{shortest} with %{quick}.",
            longest = wait(slow),
            slow = name(&slow.technique),
            shortest = wait(quick),
            quick = name(&quick.technique)
        ),
        (false, false) => return None,
    })
}

/// A technique's full name within a sentence.
pub fn name(technique: &str) -> String {
    let Some(known) = technique::named(technique) else {
        return technique.into();
    };
    let title = t!(known.title);
    let mut letters = title.chars();
    match letters.next() {
        // `WebSocket` and `STOMP` are names.
        Some(first) if !letters.as_str().contains(|c: char| c.is_uppercase()) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => title,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_visitor_reads_full_names() {
        assert_eq!(name("poll"), "polling");
        assert_eq!(name("sse"), "server-sent events");
        assert_eq!(
            [name("ws"), name("stomp"), name("nobody")],
            ["WebSocket", "STOMP", "nobody"]
        );
    }

    #[test]
    fn the_headline_says_what_differs_most() {
        let report = fixture::typical();
        let headline = of(&report);
        assert!(
            headline.starts_with("With polling each mail costs "),
            "{headline}"
        );
        assert!(headline.contains("of overhead, with WebSocket"), "{headline}");
    }
}
