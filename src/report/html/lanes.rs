//! The timeline: what happened when, drawn from the run's own events. This one is our own SVG, because
//! no chart library draws it: x is milliseconds, stretched to whatever width there is while strokes keep
//! theirs (`vector-effect`, SVG 2, section 8.11), so a script can zoom by changing the `viewBox` alone,
//! and without one the beginning of the run is seen.

use std::fmt::Write;

use anyhow::Result;
use askama::Template;

use crate::lang::t;
use crate::outcome::{EventKind, Report};
use crate::report::chart;
use crate::report::pictures::fill;
use crate::report::timeline::{self, Lane, Window};

/// The timeline of a run.
pub struct Lanes {
    pub id: String,
    /// What is seen first, and what there is, milliseconds from `zero`.
    pub from: String,
    pub to: String,
    pub span: String,
    pub last: String,
    /// The time at x = 0, in seconds of the run.
    pub zero: String,
    pub height: u32,
    /// All arrivals, through all lanes.
    pub arrivals: String,
    pub lanes: Vec<Drawn>,
    pub ticks: Vec<Tick>,
    pub title: String,
    pub look: String,
    pub why: String,
    /// What is drawn how: a mail, something open, an empty answer, a delivery.
    pub key: [String; 4],
    /// What stands for a failed answer, where there is one.
    pub failed: Option<String>,
    pub desc: String,
    pub page: String,
    pub text: String,
    pub soft: String,
}

/// The timeline as a file of its own.
#[derive(Template)]
#[template(path = "timeline.svg", escape = "html")]
struct File<'a> {
    lanes: &'a Lanes,
    height: u32,
    dark: String,
}

/// One lane: paths, and where they are.
pub struct Drawn {
    pub name: String,
    pub colour: String,
    pub top: u32,
    /// From each arrival to its delivery.
    pub waits: String,
    pub open: String,
    /// Where requests and streams begin and streams end.
    pub ends: String,
    pub empty: String,
    pub failed: String,
    pub delivered: String,
}

/// A time on the axis.
pub struct Tick {
    /// Percent from the left.
    pub at: String,
    /// Which edge of the axis it is too near to be centred.
    pub edge: &'static str,
    pub text: String,
}

/// What is free before the first and behind the last instant, as a part of what is seen: marks are no points.
const MARGIN: f64 = 0.008;

/// Pixels.
const HEAD: u32 = 26;
const LANE: u32 = 56;
/// From a lane's top to its line; above it is the name.
const LINE: u32 = 38;

fn with_margin(window: Window) -> Window {
    let margin = (window.end - window.start) * MARGIN;
    Window {
        start: window.start - margin,
        end: window.end + margin,
        ..window
    }
}

impl Lanes {
    /// `None` if no mail arrived while events were recorded.
    pub fn of(report: &Report, n: usize) -> Option<Lanes> {
        let window = with_margin(Window::of(report)?);
        let events = || report.results.iter().flat_map(|o| &o.events).map(|e| e.t_us);
        let zero = events().fold(window.start, f64::min);
        let last = events().fold(window.end, f64::max);
        let all = timeline::lanes(report);
        let drawn: Vec<Drawn> = all
            .iter()
            .skip(1)
            .enumerate()
            .map(|(i, l)| drawn(report, l, i, zero, last))
            .collect();
        let height = HEAD + LANE * drawn.len() as u32 + 8;
        let arrivals = all.first().map(|l| l.marks.as_slice()).unwrap_or_default();
        let each = arrivals.iter().map(|t| format!("M{} 14V{height}", x(*t, zero)));
        Some(Lanes {
            id: format!("r{n}-timeline"),
            from: x(window.start, zero),
            to: x(window.end, zero),
            span: x(window.end, window.start),
            last: x(last, zero),
            zero: format!("{:.6}", zero / 1e6),
            height,
            arrivals: each.collect(),
            failed: drawn
                .iter()
                .any(|lane| !lane.failed.is_empty())
                .then(|| t!("an error is answered, or nothing")),
            desc: desc(report, &drawn, arrivals.len()),
            lanes: drawn,
            ticks: ticks(window.start / 1e6, window.end / 1e6),
            title: t!("What happened when"),
            look: look(report, &window),
            why: t!(
                "Every lane has the same mail at the same instants. What differs is who may speak first: a server \
                 that must be asked can only wait for the question."
            ),
            key: [
                t!("mail arrives"),
                t!("a request or stream is open"),
                t!("an empty answer"),
                t!("mail is delivered, after its wait"),
            ],
            page: chart::page(),
            text: chart::text(),
            soft: chart::soft(),
        })
    }

    /// As a file of its own.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn file(&self) -> Result<String> {
        let file = File {
            lanes: self,
            height: self.height + 34,
            dark: chart::dark(),
        };
        Ok(file.render()? + "\n")
    }
}

fn look(report: &Report, window: &Window) -> String {
    let first = t!(
        "A mail arrives: its line falls through all lanes at once. Follow it down. The shaded band from that line to \
         the disc is how long the mail waited there."
    );
    let rest = timeline::left_out(report, window.mails);
    [first].into_iter().chain(rest).collect::<Vec<_>>().join(" ")
}

fn desc(report: &Report, lanes: &[Drawn], arrivals: usize) -> String {
    let names: Vec<&str> = lanes.iter().map(|l| l.name.as_str()).collect();
    format!(
        "{arrivals} arrivals through {} lanes ({}), each with its open requests or streams and its deliveries. \
         The table below has the waits in figures.{}",
        lanes.len(),
        names.join(", "),
        if report.results.iter().any(|o| o.events_truncated) {
            " Not every event was recorded."
        } else {
            ""
        }
    )
}

/// Milliseconds from the left, to the microsecond.
fn x(t_us: f64, zero: f64) -> String {
    let text = format!("{:.3}", (t_us - zero) / 1e3);
    text.trim_end_matches('0').trim_end_matches('.').into()
}

fn drawn(report: &Report, lane: &Lane, i: usize, zero: f64, last: f64) -> Drawn {
    let top = HEAD + LANE * i as u32;
    let y = top + LINE;
    let outcome = lane.outcome.and_then(|place| report.results.get(place));
    let mut path = Drawn {
        name: lane.name.clone(),
        colour: outcome.map_or(String::new(), |o| chart::colour(fill(report, o))),
        top,
        waits: String::new(),
        open: String::new(),
        ends: String::new(),
        empty: String::new(),
        failed: String::new(),
        delivered: String::new(),
    };
    // Writing into a String cannot fail.
    for span in &lane.spans {
        let (from, to) = (x(span.from, zero), x(span.to.unwrap_or(last), zero));
        let _ = write!(path.open, "M{from} {y}H{to}");
        let _ = write!(path.ends, "M{from} {}v8", y - 4);
        if span.empty {
            let _ = write!(path.empty, "M{to} {y}h0");
        }
        if span.failed {
            let _ = write!(path.failed, "M{to} {}v14", y - 7);
        }
    }
    for (t, mail) in lane.marks.iter().zip(&lane.mails) {
        let _ = write!(path.delivered, "M{} {y}h0", x(*t, zero));
        if let Some(due) = mail.and_then(|mail| due(report, mail)) {
            let _ = write!(path.waits, "M{} {y}H{}", x(due, zero), x(*t, zero));
        }
    }
    path
}

/// When a mail arrived. Its number is its place among the arrivals.
fn due(report: &Report, mail: u64) -> Option<f64> {
    let of = |e: &&crate::outcome::Event| e.kind == EventKind::Arrived && e.mail == Some(mail);
    report
        .results
        .iter()
        .find_map(|o| o.events.iter().find(of))
        .map(|e| e.t_us)
}

/// About six round times between two, in seconds.
fn ticks(from: f64, to: f64) -> Vec<Tick> {
    let least = (to - from) / 6.0;
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|m| m * power)
        .into_iter()
        .find(|s| *s >= least)
        .unwrap_or(least);
    let decimals = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    let (first, last) = ((from / step).ceil() as i64, (to / step).floor() as i64);
    let tick = |n: i64| {
        let t = n as f64 * step;
        let at = (t - from) / (to - from) * 100.0;
        Tick {
            at: format!("{at:.3}"),
            edge: match at {
                at if at < 6.0 => "start",
                at if at > 94.0 => "end",
                _ => "",
            },
            text: format!("{:.decimals$} s", t + 0.0),
        }
    };
    (first..=last).map(tick).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn every_arrival_and_delivery_has_its_place() {
        let report = fixture::with_events();
        let lanes = Lanes::of(&report, 1).unwrap();
        assert_eq!(lanes.arrivals.matches('M').count(), 20);
        assert_eq!(lanes.lanes.len(), 4);
        for lane in &lanes.lanes {
            assert_eq!(lane.delivered.matches('M').count(), 20, "{}", lane.name);
            assert_eq!(lane.waits.matches('M').count(), 20, "{}", lane.name);
        }
        let [poll, long_poll, sse, _] = lanes.lanes.as_slice() else {
            panic!()
        };
        assert!(poll.empty.matches('M').count() > 20 && long_poll.empty.is_empty());
        assert_eq!(sse.open.matches('M').count(), 1);
        // The first mail is due at 300 ms; the first poll, behind the margin, was sent at -40.
        let numbers = |path: &str| -> Vec<f64> {
            let parts = path.split(|c: char| !c.is_ascii_digit() && c != '.');
            parts.filter_map(|n| n.parse().ok()).collect()
        };
        let due = numbers(&lanes.arrivals)[0];
        let margin = lanes.span.parse::<f64>().unwrap() * MARGIN / (1.0 + 2.0 * MARGIN);
        assert!((due - 340.0 - margin).abs() < 0.01, "{due} {margin}");
        let waits = numbers(&poll.waits);
        assert!(
            waits[0] == due && (waits[2] - due - 60.32).abs() < 0.01,
            "{waits:?}"
        );
    }

    #[test]
    fn times_are_round_and_on_the_axis() {
        for (from, to) in [(-0.04, 10.3), (0.0, 0.0013), (3.0, 86_400.0)] {
            let ticks = ticks(from, to);
            assert!((3..=7).contains(&ticks.len()), "{from} {to}");
            assert!(
                ticks
                    .iter()
                    .all(|t| (0.0..=100.0).contains(&t.at.parse::<f64>().unwrap()))
            );
        }
        assert_eq!(ticks(-0.04, 10.3)[1].text, "2 s");
        assert!(Lanes::of(&fixture::typical(), 1).is_none());
    }
}
