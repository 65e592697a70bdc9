//! Polling: ask every T, whether there is mail or not.
//!
//! The client asks at (u + k) T for k = 0, 1, 2, …: a grid of period T whose phase u, uniform in
//! [0, 1), knows nothing of the mail. All that follows is what a grid dropped at random does to
//! fixed points. The server sees the same grid R/2 later; put the other way round, the grid sees a
//! mail that is due at a as if it came at b = max(a - R/2, 0), because a request sent at b is the
//! first that finds it. (At 0 the client begins to ask, so nothing is seen earlier.)
//!
//! In each function the interval must be above 0, and an answer carries all mail that is there.

use super::{Exchange, Latency, Requests};

/// Latency of polling every `interval` over a round trip of `rtt`: T/2 + R/2 on average, T + R/2 at
/// worst, for *every* schedule.
///
/// From any mail to the next point of a random grid is a time uniform in [0, T): half an interval on
/// average, however bursty the mail, and nobody can wait longer than T. The answer then travels R/2.
/// A mail due before the first request can be there, R/2 after the start, waits for that on top.
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
/// The client asks until a grid point at or after bₙ. The grid has bₙ/T points before it on average
/// (slide the grid: each stretch of length T holds exactly one), and then the one that ends the run.
/// Two neighbours come in different answers if a grid point falls between them: certain if their gap
/// is at least T, else with chance gap/T. The last answer is the 1.
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

/// What is asked and answered when polling every `interval`, each kind of exchange with its expected
/// count: exact for a random phase, and at most three kinds per mail.
///
/// From one mail to the next the grid has gap/T points on average, each a request sent with the
/// earlier mail's number; the last of them finds the next mail, so gap/T - 1 of them are empty if
/// gap > T. Before the first mail, b₁/T are.
///
/// Which mails come together? The request that finds mail i is uniform over the T from bᵢ on. If the
/// grid point before it came no earlier than the mail before, which is to say the request itself
/// comes at least T after that mail, then mail i is the first in its answer; and the answer ends
/// with whichever mail was the last due by then. So the due instants cut the request's possible
/// times into pieces, one per possible answer, and a piece's share of T is that answer's chance.
pub fn poll_exchanges(due: &[f64], interval: f64, rtt: f64) -> Vec<Exchange> {
    let t = cadence(interval, rtt);
    let seen = seen(due, rtt);
    let mut out = Vec::new();
    let mut last = 0; // where the answer ends, if the request comes at the time under consideration
    for (first, &b) in seen.iter().enumerate() {
        let before = first.checked_sub(1).map(|i| seen[i]);
        let after = first as u64;
        let empty = before.map_or(b / t, |a| ((b - a) / t - 1.0).max(0.0));
        if empty > 0.0 {
            out.push(Exchange {
                after,
                upto: after,
                weight: empty,
            });
        }
        let latest = b + t;
        let mut from = before.map_or(b, |a| b.max(a + t));
        while from < latest {
            while seen.get(last + 1).is_some_and(|&next| next <= from) {
                last += 1;
            }
            let to = seen.get(last + 1).map_or(latest, |&next| next.min(latest));
            out.push(Exchange {
                after,
                upto: last as u64 + 1,
                weight: (to - from) / t,
            });
            from = to;
        }
    }
    out
}

/// What polling costs besides because its first request opens the connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opening {
    /// To be added to [`poll_latency`].
    pub latency: Latency,
    /// To be added to [`poll_exchanges`]: some weights are negative.
    pub exchanges: Vec<Exchange>,
}

/// What changes because the first request opens the connection, which makes it a round trip late:
/// c = R. `None` if its answer would then be later than the second request (2 R > T).
///
/// Only the grid's first point moves, from x = uT to x + c. A mail that this point would have found
/// (b ≤ x, chance 1 - b/T) waits c longer. One that would have come between the two, x < b ≤ x + c,
/// does not have to wait for the second: T - c less. As for who asks what: for each x, take away the
/// first two exchanges and put in what they become. They are the same for all x between two instants
/// at which a mail is due, c or T after x, so the integral over x is a sum over such pieces.
pub fn poll_opening(due: &[f64], interval: f64, rtt: f64) -> Option<Opening> {
    let (t, c) = (interval, rtt);
    if c == 0.0 {
        return Some(Opening::default());
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
    // Who is due before the first request can be there waits longest, and c longer.
    let first = due.first().map_or(0.0, |a| a - rtt / 2.0);
    Some(Opening {
        latency: Latency {
            mean: seen.iter().map(change).sum::<f64>() / due.len().max(1) as f64,
            max: (c - first).max(0.0) - (-first).max(0.0),
        },
        exchanges: opening_exchanges(&seen, t, c),
    })
}

fn opening_exchanges(seen: &[f64], t: f64, c: f64) -> Vec<Exchange> {
    let all = seen.len() as u64;
    let upto = |x: f64| seen.partition_point(|b| *b <= x) as u64;
    let mut cuts: Vec<f64> = seen
        .iter()
        .take_while(|b| **b < 2.0 * t)
        .flat_map(|b| [*b, b - c, b - t])
        .filter(|x| (0.0..t).contains(x))
        .chain([0.0, t])
        .collect();
    cuts.sort_by(f64::total_cmp);
    let mut out = Vec::new();
    for piece in cuts.windows(2).filter(|p| p[1] > p[0]) {
        let (x, share) = ((piece[0] + piece[1]) / 2.0, (piece[1] - piece[0]) / t);
        let second = upto(x + t);
        for (first, weight) in [(upto(x + c), share), (upto(x), -share)] {
            out.push(Exchange {
                after: 0,
                upto: first,
                weight,
            });
            if first < all {
                out.push(Exchange {
                    after: first,
                    upto: second,
                    weight,
                });
            }
        }
    }
    out
}

/// One client with one request in flight can't ask faster than answers come back.
fn cadence(interval: f64, rtt: f64) -> f64 {
    interval.max(rtt)
}

/// When the mails come, as the client's grid sees them.
fn seen(due: &[f64], rtt: f64) -> Vec<f64> {
    due.iter().map(|a| (a - rtt / 2.0).max(0.0)).collect()
}
