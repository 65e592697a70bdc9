//! The most important figures of each technique: how long mail waited, requests, overhead.

use super::colour::fill;
use super::tables::{mean_ms, overhead};
use crate::lang::t;
use crate::outcome::{Outcome, Report};
use crate::report::chart::Crossing;
use crate::report::doc::{Card, Fact, Sketch};
use crate::report::numbers::{figure, known};
use crate::technique::{self, Step, Technique};
use crate::terminal::printable;

/// A card for each technique.
pub fn of(report: &Report) -> Vec<Card> {
    report.results.iter().map(|o| card(report, o)).collect()
}

fn card(report: &Report, o: &Outcome) -> Card {
    let is_predicted = o.predicted.was_made() && !report.cut_short();
    let fact = |of: String, unit, value: Option<f64>, predicted: Option<f64>| Fact {
        value: known(value),
        unit: if value.is_some() { unit } else { "" },
        of: match predicted.filter(|_| is_predicted).map(figure) {
            Some(n) => t!("%{what}, %{n} predicted", what = of, n = n),
            None => of,
        },
    };
    let p = &o.predicted;
    let ms = Some(p.latency_us.mean / 1e3).filter(|ms| *ms > 0.0);
    let runs = o.runs() as f64;
    let each = o.requests.total as f64 / runs;
    let requests = match each {
        1.0 => t!("request"),
        _ => t!("requests"),
    };
    let bytes = p.overhead_bytes / o.predicted_mails().max(1) as f64;
    let technique = technique::named(&o.technique);
    Card {
        name: printable(&o.technique),
        title: technique.map_or(String::new(), |t| t!(t.title)),
        sketch: technique.map(sketch),
        fill: fill(report, o),
        facts: vec![
            fact(t!("mean wait"), "ms", mean_ms(o), ms),
            fact(requests, "", Some(each), Some(p.requests.total / runs)),
            fact(t!("overhead a mail"), "B", overhead(o), Some(bytes)),
        ],
    }
}

fn sketch(technique: &Technique) -> Sketch {
    let crossing = |step: &Step| match *step {
        Step::Up(what) => Crossing::Up(t!(what)),
        Step::Down(what) => Crossing::Down(t!(what)),
        Step::Mail => Crossing::AtServer(t!("mail arrives")),
    };
    Sketch {
        about: t!(technique.about),
        sides: [t!("client"), t!("server")],
        crossings: technique.sequence.iter().map(crossing).collect(),
    }
}
