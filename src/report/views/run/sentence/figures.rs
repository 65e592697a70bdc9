//! The figures in sentences, and their formats.

use super::super::noise::Noise;
use super::super::tables::mean_ms;
use crate::lang::list;
use crate::outcome::Outcome;
use crate::report::numbers::{figure, percent as written_percent};
use crate::wire::Label;

/// Two figures within this ratio are called the same.
pub const SAME: f64 = 1.1;
/// Latencies closer than this, in ms, are called the same, whatever their ratio: on one machine such a
/// difference comes from the scheduler, not the protocol.
pub const SAME_MS: f64 = 1.0;

/// Whether all latencies exist and can be trusted.
pub fn timed(results: &[&Outcome]) -> bool {
    results.iter().all(|o| o.latency_us.is_some() && !o.trust.starved)
}

pub fn slower(o: &Outcome, than: &Outcome, noise: &Noise) -> bool {
    let (ms, less) = (latency(o), latency(than));
    ms > less * SAME && ms - less > SAME_MS && noise.late(o, than)
}

/// Whether at least a tenth of all requests were empty, which is worth mentioning.
pub fn wasteful(o: &Outcome) -> bool {
    o.requests
        .empty
        .is_some_and(|empty| empty > 0 && empty * 10 >= o.requests.total)
}

/// Whether there were few requests compared with the mail.
pub fn spread_thin(o: &Outcome) -> bool {
    o.requests.total * 5 <= o.mails.delivered
}

/// Mean latency in ms; [`timed`] has checked that there is one.
pub fn latency(o: &Outcome) -> f64 {
    mean_ms(o).unwrap_or(0.0)
}

pub fn requests(o: &Outcome) -> f64 {
    o.requests.total as f64
}

pub fn overhead(o: &Outcome) -> f64 {
    o.overhead_bytes_per_delivery.unwrap_or(0.0)
}

/// Bytes of one label a mail, both directions.
pub fn label(o: &Outcome, label: Label) -> f64 {
    o.bytes.both(label) as f64 / o.carried().max(1) as f64
}

pub fn range(results: &[&Outcome], of: fn(&Outcome) -> f64) -> (f64, f64) {
    let values = || results.iter().map(|o| of(o));
    (
        values().fold(f64::INFINITY, f64::min),
        values().fold(0.0, f64::max),
    )
}

/// The outcomes with the least and the most of a figure.
pub fn extremes<'a>(results: &[&'a Outcome], of: fn(&Outcome) -> f64) -> Option<(&'a Outcome, &'a Outcome)> {
    let most = results.iter().copied().max_by(|a, b| of(a).total_cmp(&of(b)))?;
    Some((least(results, of)?, most))
}

pub fn least<'a>(results: &[&'a Outcome], of: fn(&Outcome) -> f64) -> Option<&'a Outcome> {
    results.iter().copied().min_by(|a, b| of(a).total_cmp(&of(b)))
}

pub fn millis(ms: f64) -> String {
    format!("{} ms", figure(ms))
}

pub fn bytes(n: f64) -> String {
    format!("{} B", figure(n))
}

pub fn percent(part: f64, of: f64) -> String {
    let exact = if of > 0.0 { part / of * 100.0 } else { 0.0 };
    // 0 % and 100 % are shown only if they are exact.
    let rounded = if exact > 0.0 && exact < 100.0 {
        exact.round().clamp(1.0, 99.0)
    } else {
        exact.round()
    };
    written_percent(rounded)
}

pub fn names(of: &[&Outcome]) -> String {
    list(&of.iter().map(|o| o.technique.clone()).collect::<Vec<_>>())
}
