//! A technique's colour in the charts of a run.

use crate::outcome::{Outcome, Report};
use crate::report::chart::Fill;

/// A technique's colour, by its index among the competing ones.
pub fn fill(report: &Report, outcome: &Outcome) -> Fill {
    if outcome.is_baseline() {
        return Fill::Baseline;
    }
    let competing = report.results.iter().filter(|o| !o.is_baseline());
    let place = competing.take_while(|o| !std::ptr::eq(*o, outcome)).count();
    Fill::Technique(place)
}
