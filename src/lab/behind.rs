//! How mail came out of the proxies on the way.

use std::time::{Duration, Instant};

use crate::outcome::{BehindProxies, EventKind, Proxied};
use crate::technique::Record;

/// Mails that are read within this time, one after the other, came together.
const TOGETHER: Duration = Duration::from_millis(5);

/// What the watched clients saw, and what the proxies did; `None` where there is no proxy. `first_due` is when the first
/// mail was due.
pub fn behind(records: &[Record], first_due: Instant, proxies: Vec<Proxied>) -> Option<BehindProxies> {
    if proxies.is_empty() {
        return None;
    }
    let clients: Vec<Vec<Instant>> = records.iter().map(deliveries).collect();
    let clumps: Vec<usize> = clients.iter().flat_map(|client| clumps(client)).collect();
    let firsts = clients.iter().filter_map(|client| client.first());
    let waited = firsts.map(|first| first.saturating_duration_since(first_due));
    Some(BehindProxies {
        first_us: waited.max().map(|waited| waited.as_secs_f64() * 1e6),
        clumps: clumps.len() as u64,
        mails_in_clumps: clumps.iter().sum::<usize>() as u64,
        largest_clump: clumps.iter().max().copied().unwrap_or_default() as u64,
        proxies,
    })
}

/// When each mail was delivered.
fn deliveries(record: &Record) -> Vec<Instant> {
    let delivered = record
        .events
        .iter()
        .filter(|(_, kind, _)| *kind == EventKind::Delivered);
    delivered.map(|(at, ..)| *at).collect()
}

/// The sizes of the groups in which mail was delivered.
fn clumps(delivered: &[Instant]) -> impl Iterator<Item = usize> {
    delivered
        .chunk_by(|a, b| b.saturating_duration_since(*a) <= TOGETHER)
        .map(<[Instant]>::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_that_are_read_together_are_a_clump() {
        let zero = Instant::now();
        let at = |ms: u64| zero + Duration::from_millis(ms);
        let delivered = [0, 1, 2, 100, 200, 201, 202, 203].map(at);
        assert_eq!(clumps(&delivered).collect::<Vec<_>>(), [3, 1, 4]);
        let mut record = Record::default();
        for (number, at) in delivered.iter().enumerate().skip(3) {
            record
                .events
                .push((*at, EventKind::Delivered, Some(number as u64)));
        }
        let seen = behind(&[record.clone()], at(40), vec![Proxied::default()]).unwrap();
        assert_eq!(
            (seen.first_us, seen.clumps, seen.largest_clump),
            (Some(60e3), 2, 4)
        );
        assert_eq!(seen.mails_per_clump(), Some(2.5));
        assert_eq!(behind(&[record], zero, Vec::new()), None);
    }
}
