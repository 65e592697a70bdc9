//! Lanes as handmade SVG, because no chart library draws them: x is milliseconds, stretched to the available
//! width while strokes keep theirs (`vector-effect`, SVG 2, section 8.11). So a script can zoom by changing
//! only the `viewBox`, and without one the beginning of the run is shown.

use std::fmt::Write;

use anyhow::Result;
use askama::Template;

use crate::lang::t;
use crate::report::chart;
use crate::report::lanes::{Lane, Lanes, Window};
use crate::report::numbers::waited;

/// Lanes, prepared for the template.
pub struct Drawn {
    pub id: String,
    /// The window shown first and the whole range, milliseconds from `zero`.
    pub from: String,
    pub to: String,
    pub span: String,
    pub last: String,
    /// The time at x = 0, in seconds of the run.
    pub zero: String,
    pub height: u32,
    /// All arrivals, as lines through all lanes.
    pub arrivals: String,
    pub lanes: Vec<Paths>,
    pub ticks: Vec<Tick>,
    pub title: String,
    pub look: String,
    pub why: String,
    /// The key's texts: a mail, an open request, an empty answer, a delivery.
    pub key: [String; 4],
    /// The key's text for a request that waits, if there is one.
    pub queued: Option<String>,
    /// The key's text for a failed answer, if there is one.
    pub failed: Option<String>,
    pub desc: String,
}

/// Lanes as a separate file.
#[derive(Template)]
#[template(path = "timeline.svg", escape = "html")]
struct File<'a> {
    lanes: &'a Drawn,
    height: u32,
    dark: String,
}

/// One lane: its paths and their position.
#[derive(Default)]
pub struct Paths {
    pub name: String,
    pub colour: String,
    pub top: u32,
    /// Lines from each arrival to its delivery.
    pub waits: String,
    pub open: String,
    /// Lines while requests waited for a connection.
    pub queued: String,
    /// The starts of requests and streams, and the ends of streams.
    pub ends: String,
    pub empty: String,
    pub failed: String,
    pub delivered: String,
    /// Each delivery again, with the text that is shown while the pointer is on it.
    pub marks: Vec<(String, String)>,
}

/// How many deliveries of a lane have a text of their own.
const NAMED: usize = 500;

/// A time on the axis.
pub struct Tick {
    /// Its position, percent from the left.
    pub at: String,
    /// The edge of the axis that is too near for centring, if any.
    pub edge: &'static str,
    pub text: String,
}

/// The margin before the first and after the last instant, as a share of the window: marks have a width.
const MARGIN: f64 = 0.008;

/// Sizes in pixels.
const HEAD: u32 = 26;
const LANE: u32 = 56;
/// From a lane's top to its line; the name is above the line.
const LINE: u32 = 38;

fn with_margin(window: Window) -> Window {
    let margin = (window.end - window.start) * MARGIN;
    Window {
        start: window.start - margin,
        end: window.end + margin,
    }
}

impl Drawn {
    /// `None` if no mail arrived while events were recorded. `n` is the index of its document, for ids.
    pub fn of(lanes: &Lanes, n: usize) -> Option<Drawn> {
        let window = with_margin(lanes.window?);
        let [first, last] = lanes.ends;
        let (zero, last) = (first.min(window.start), last.max(window.end));
        let path = |(i, lane)| paths(lane, i, zero, last);
        let height = HEAD + LANE * lanes.lanes.len() as u32 + 8;
        let each = lanes
            .arrivals
            .iter()
            .map(|t| format!("M{} 14V{height}", x(*t, zero)));
        Some(Drawn {
            id: format!("r{n}-timeline"),
            from: x(window.start, zero),
            to: x(window.end, zero),
            span: x(window.end, window.start),
            last: x(last, zero),
            zero: format!("{:.6}", zero / 1e6),
            height,
            arrivals: each.collect(),
            queued: lanes
                .has_queued()
                .then(|| t!("a request waits for a free connection")),
            failed: lanes.has_failed().then(|| t!("an error is answered, or nothing")),
            desc: desc(lanes),
            lanes: (0..).zip(&lanes.lanes).map(path).collect(),
            ticks: ticks(window.start / 1e6, window.end / 1e6),
            title: t!("What happened when"),
            look: look(lanes),
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
        })
    }

    /// The lanes as a separate file.
    ///
    /// # Errors
    /// If the template cannot be filled in.
    pub fn file(&self) -> Result<String> {
        let file = File {
            lanes: self,
            height: self.height + 34,
            dark: chart::dark(),
        };
        Ok(file.render()? + "\n")
    }
}

fn look(lanes: &Lanes) -> String {
    let first = t!(
        "A mail arrives: its line falls through all lanes at once. Follow it down. The shaded band from that line to \
         the disc is how long the mail waited there."
    );
    [first]
        .into_iter()
        .chain(lanes.left_out.iter().cloned())
        .collect::<Vec<_>>()
        .join(" ")
}

fn desc(lanes: &Lanes) -> String {
    let names: Vec<&str> = lanes.lanes.iter().map(|l| l.name.as_str()).collect();
    let truncated = match lanes.is_truncated {
        true => t!(" Not every event was recorded."),
        false => String::new(),
    };
    t!(
        "%{n} arrivals through %{lanes} lanes (%{names}), each with its open requests or streams and its deliveries. The table \
         below has the waits in figures.%{truncated}",
        n = lanes.arrivals.len(),
        lanes = names.len(),
        names = names.join(", "),
        truncated = truncated
    )
}

/// Milliseconds from the left, to the microsecond.
fn x(t_us: f64, zero: f64) -> String {
    let text = format!("{:.3}", (t_us - zero) / 1e3);
    text.trim_end_matches('0').trim_end_matches('.').into()
}

fn paths(lane: &Lane, i: u32, zero: f64, last: f64) -> Paths {
    let top = HEAD + LANE * i;
    let y = top + LINE;
    let mut path = Paths {
        name: lane.name.clone(),
        colour: lane.fill.ink().light(),
        top,
        ..Paths::default()
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
    for wait in &lane.queued {
        let (from, to) = (x(wait.from, zero), x(wait.to.unwrap_or(last), zero));
        let _ = write!(path.queued, "M{from} {y}H{to}");
    }
    for delivery in &lane.deliveries {
        let at = x(delivery.at, zero);
        let _ = write!(path.delivered, "M{at} {y}h0");
        if let Some(due) = delivery.due {
            let _ = write!(path.waits, "M{} {y}H{at}", x(due, zero));
            if path.marks.len() < NAMED {
                let (at_s, wait) = (delivery.at / 1e6, waited((delivery.at - due) / 1e3));
                let name = t!(
                    "%{name}: delivered at %{at} s, after %{wait}",
                    name = lane.name,
                    at = format!("{at_s:.3}"),
                    wait = wait
                );
                path.marks.push((format!("M{at} {y}h0"), name));
            }
        }
    }
    path
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
    use super::*;
    use crate::report::fixture;
    use crate::report::views::run::lanes;

    #[test]
    fn every_arrival_and_delivery_has_its_place() {
        let report = fixture::with_events();
        let lanes = Drawn::of(&lanes::of(&report), 1).unwrap();
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
        // The first mail is due at 300 ms; the first poll, after the margin, was sent at -40.
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
        assert!(Drawn::of(&lanes::of(&fixture::typical()), 1).is_none());
    }
}
