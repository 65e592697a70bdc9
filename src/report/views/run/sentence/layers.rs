//! The cost and benefit of layered protocols.

use super::figures::{bytes, overhead};
use crate::lang::t;
use crate::outcome::{Outcome, Report};
use crate::technique;

/// The cost of layered protocols compared with the one below, and their benefit; `None` unless both were run.
pub fn layers(report: &Report) -> Option<String> {
    let buys = |name: &str| technique::named(name)?.layered;
    let whole = || report.results.iter().filter(|o| o.clean() && o.undisturbed());
    let talks = |o: &&Outcome| o.messages.up.is_some() && !o.is_baseline() && buys(&o.technique).is_none();
    let below = whole().find(talks)?;
    let each = whole().filter_map(|o| {
        let bought = t!(buys(&o.technique)?);
        let more = overhead(o) - overhead(below);
        Some(match more >= 0.0 {
            true => t!(
                "%{name} takes %{bytes} more, for %{bought}",
                name = o.technique,
                bytes = bytes(more),
                bought = bought
            ),
            false => t!(
                "%{name} takes %{bytes} less, and has %{bought}",
                name = o.technique,
                bytes = bytes(-more),
                bought = bought
            ),
        })
    });
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| {
        t!(
            "What the layers cost and buy, beside %{name} and its %{bytes} of overhead a mail: %{each}.",
            name = below.technique,
            bytes = bytes(overhead(below)),
            each = each.join("; ")
        )
    })
}
