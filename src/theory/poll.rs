//! Polling: ask every T, whether there is mail or not.
//!
//! The client asks at (u + k) T for k = 0, 1, 2, …: a grid of period T whose phase u, uniform in [0, 1),
//! does not depend on the mail. Everything below is about fixed points and a grid with a random phase. The
//! server sees the same grid R/2 later; in other words, for the grid a mail that is due at a comes at b =
//! max(a - R/2, 0), because a request sent at b is the first that finds it. (At 0 the client begins to ask,
//! so nothing is found earlier.)
//!
//! In each function the interval must be above 0, and an answer carries all mail that is there.

use super::{Latency, Requests};

/// Latency of polling every `interval` over a round trip of `rtt`: T/2 + R/2 on average, T + R/2 at
/// worst, for *every* schedule.
///
/// The time from any mail to the next point of a random grid is uniform in [0, T): half an interval on
/// average, however bursty the mail, and never longer than T. The answer then travels R/2. A mail that is
/// due before the first request can be there, R/2 after the start, waits for that in addition.
pub fn poll_latency(due: &[f64], interval: f64, rtt: f64) -> Latency {
    let t = cadence(interval, rtt);
    let early = |a: &f64| (rtt / 2.0 - a).max(0.0);
    let mean_early = due.iter().map(early).sum::<f64>() / due.len().max(1) as f64;
    Latency {
        mean: (t + rtt) / 2.0 + mean_early,
        max: t + rtt / 2.0 + due.first().map(early).unwrap_or_default(),
    }
}

/// Requests of polling every `interval`: bₙ/T + 1 in all, of which 1 + Σ min(1, gap/T) bring mail,
/// over the gaps between neighbouring b.
///
/// The client asks until a grid point at or after bₙ. The grid has bₙ/T points before it on average (move
/// the grid: each stretch of length T holds exactly one), and then the one that ends the run. Two
/// neighbours come in different answers if a grid point lies between them: always if their gap is at least
/// T, otherwise with probability gap/T. The last answer is the 1.
pub fn poll_requests(due: &[f64], interval: f64, rtt: f64) -> Requests {
    let t = cadence(interval, rtt);
    let seen = seen(due, rtt);
    let Some(last) = seen.last() else {
        return Requests::default();
    };
    let total = last / t + 1.0;
    let with_mail = 1.0 + seen.windows(2).map(|b| ((b[1] - b[0]) / t).min(1.0)).sum::<f64>();
    Requests {
        total,
        empty: total - with_mail,
    }
}

/// What to add to [`poll_latency`] because the first request opens the connection, which makes it a round
/// trip late: c = R. `None` if its answer would then come after the second request (2 R > T).
///
/// Only the grid's first point moves, from x = uT to x + c. A mail that this point would have found (b ≤ x,
/// probability 1 - b/T) waits c longer. A mail that comes between the two, x < b ≤ x + c, does not have to
/// wait for the second point: it waits T - c less.
pub fn poll_opening(due: &[f64], interval: f64, rtt: f64) -> Option<Latency> {
    let (t, c) = (interval, rtt);
    if c == 0.0 {
        return Some(Latency::default());
    }
    if 2.0 * c > t {
        return None;
    }
    let seen = seen(due, rtt);
    let change = |b: &f64| {
        let later = c * (1.0 - b / t).max(0.0);
        let sooner = (t - c) * (b.min(t) - (b - c).max(0.0)).max(0.0) / t;
        later - sooner
    };
    // A mail that is due before the first request can be there waits longest, and c longer.
    let first = due.first().map_or(0.0, |a| a - rtt / 2.0);
    Some(Latency {
        mean: seen.iter().map(change).sum::<f64>() / due.len().max(1) as f64,
        max: (c - first).max(0.0) - (-first).max(0.0),
    })
}

/// One client with one request in flight can't ask faster than answers come back.
fn cadence(interval: f64, rtt: f64) -> f64 {
    interval.max(rtt)
}

/// When the mails come, as the client's grid sees them: the instants b.
fn seen(due: &[f64], rtt: f64) -> Vec<f64> {
    due.iter().map(|a| (a - rtt / 2.0).max(0.0)).collect()
}
