//! What the benches share. Each figure is a ratio within one round, because absolute values change over time;
//! the contenders alternate within a round, and the median of all rounds counts.
#![allow(dead_code)] // Each bench that includes this file uses its own part of it.

use std::collections::BTreeMap;

/// The limit of a ratio.
#[derive(Clone, Copy, Debug)]
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
    /// No limit: the ratio is only printed.
    None,
}

/// Ratios by what they compare, one for each round, in the order of first occurrence.
#[derive(Debug, Default)]
pub struct Ratios {
    order: Vec<String>,
    rounds: BTreeMap<String, (Bar, Vec<f64>)>,
}

impl Ratios {
    pub fn add(&mut self, what: &str, bar: Bar, ratio: f64) {
        let (_, rounds) = self.rounds.entry(what.into()).or_insert_with(|| {
            self.order.push(what.into());
            (bar, Vec::new())
        });
        rounds.push(ratio);
    }

    /// Prints a row of a Markdown table for each; `scripts/bench` combines them.
    pub fn print(&self) {
        for what in &self.order {
            let (bar, rounds) = &self.rounds[what];
            let (least, middle, most) = spread(rounds);
            let (wanted, holds) = match bar {
                Bar::AtLeast(bar) => (format!("≥ {bar}"), verdict(middle >= *bar)),
                Bar::AtMost(bar) => (format!("≤ {bar}"), verdict(middle <= *bar)),
                Bar::None => ("".into(), ""),
            };
            println!("| {what} | {middle:.2} | {least:.2}–{most:.2} | {wanted} | {holds} |");
        }
    }
}

fn verdict(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}

/// Minimum, median and maximum.
pub fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |i: usize| sorted.get(i).copied().unwrap_or(f64::NAN);
    let middle = (at((sorted.len().max(1) - 1) / 2) + at(sorted.len() / 2)) / 2.0;
    (at(0), middle, at(sorted.len().saturating_sub(1)))
}

/// A number from the environment, for longer or shorter measurements.
pub fn setting(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(default)
}

/// Raises the limit of open files as far as this process may, and returns it.
pub fn raise_the_descriptor_limit() -> usize {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let current = limit.maximum;
        setrlimit(Resource::Nofile, Rlimit { current, ..limit }).expect("it may go up to its hard limit");
        limit.maximum.map_or(usize::MAX, |limit| limit as usize)
    }
    #[cfg(not(unix))]
    usize::MAX
}

/// Restricts this thread, and what it starts, to one core, where the system can; `core` is the index, from 0, of an allowed
/// core.
pub fn pin(core: usize) {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let allowed = sched_getaffinity(None).expect("the affinity can be read");
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|n| allowed.is_set(*n)).collect();
        let mut only = CpuSet::new();
        only.set(cores[core % cores.len()]);
        sched_setaffinity(None, &only).expect("the affinity can be set");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = core;
}
