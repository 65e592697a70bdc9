//! Detects whether something on the way collects a stream before it passes it on: then mails that were due
//! at different times are read at once, again and again.
//!
//! ```text
//! due    |   |   |   |   |   |   |   |   |   |
//! read                   |||||               |||||
//! ```
//!
//! With such a proxy, hardly any mail comes in another way. Other causes bring several mails at once only
//! now and then: a lost segment, a busy machine, a stream that was opened again. Mails that were due
//! together (`--arrivals burst:K`) are no sign of a proxy.

use std::time::{Duration, Instant};

use crate::outcome::{EventKind, Warning};
use crate::technique::Record;

/// The longest time between two mails of a clump when they are read, in seconds.
const TOGETHER_S: f64 = 0.02;

/// The shortest time between the due instants of a clump's first and last mail, in seconds: longer than TCP
/// waits before a retransmission.
const APART_S: f64 = 0.5;

/// A clump's mails are read at least this many times faster than they were due. A client that cannot keep
/// up also reads without a pause, but not that fast.
const FASTER: f64 = 10.0;

/// How many clumps there are, at least: a single one may be a pause.
const TIMES: usize = 2;

/// A mail that was due after its stream was requested.
#[derive(Clone, Copy, Debug)]
struct Came {
    /// The index of the stream that brought it.
    stream: usize,
    /// When it was due, seconds.
    due: f64,
    /// When it was read, seconds since the same instant.
    read: f64,
}

/// The clumps in which mail came.
#[derive(Debug, PartialEq)]
struct Clumps {
    times: usize,
    /// The longest time between the due instants of one clump's mails, in seconds.
    apart: f64,
}

/// A warning if a client's mail came in clumps. `explained` is how long the link and this machine may have
/// delayed mail.
pub fn warning(
    records: &[Record],
    explained: Duration,
    due: impl Fn(u64) -> Option<Instant>,
) -> Option<Warning> {
    let clumps = records
        .iter()
        .filter_map(|record| clumps(&streamed(record, &due), explained.as_secs_f64()));
    let worst = clumps.max_by(|a, b| a.apart.total_cmp(&b.apart))?;
    Some(Warning::Clumps {
        times: worst.times,
        apart_s: worst.apart,
    })
}

/// The mail that HTTP streams brought, in order, without mail due before its stream was requested: that had
/// to wait for the request.
fn streamed(record: &Record, due: impl Fn(u64) -> Option<Instant>) -> Vec<Came> {
    let Some((zero, _)) = record.asked.first().copied() else {
        return Vec::new();
    };
    let delivered = record.events.iter().filter_map(|(at, kind, mail)| {
        let number = (*mail).filter(|_| *kind == EventKind::Delivered)?;
        let stream = record
            .asked
            .partition_point(|(asked, _)| asked <= at)
            .checked_sub(1)?;
        let (asked, streams) = record.asked[stream];
        let due = due(number).filter(|due| streams && *due >= asked)?;
        let since = |at: Instant| at.saturating_duration_since(zero).as_secs_f64();
        Some(Came {
            stream,
            due: since(due),
            read: since(*at),
        })
    });
    delivered.collect()
}

/// The clumps in which mails came, if most mails did and there are several clumps.
fn clumps(came: &[Came], explained: f64) -> Option<Clumps> {
    let together = came.chunk_by(|a, b| a.stream == b.stream && b.read - a.read <= TOGETHER_S);
    let clumps: Vec<_> = together
        .filter_map(|clump| {
            let (first, last) = (clump.first()?, clump.last()?);
            let earliest = clump.iter().map(|c| c.due).fold(f64::INFINITY, f64::min);
            let latest = clump.iter().map(|c| c.due).fold(f64::NEG_INFINITY, f64::max);
            let (apart, within) = (latest - earliest, last.read - first.read);
            (apart >= APART_S + explained && within * FASTER <= apart).then_some((clump.len(), apart))
        })
        .collect();
    let mails: usize = clumps.iter().map(|(mails, _)| mails).sum();
    (clumps.len() >= TIMES && mails * 2 > came.len()).then(|| Clumps {
        times: clumps.len(),
        apart: clumps.iter().map(|(_, apart)| *apart).fold(0.0, f64::max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mails that are due every `gap` seconds, read when `read` says.
    fn every(gap: f64, mails: usize, read: impl Fn(f64) -> f64) -> Vec<Came> {
        let due = (0..mails).map(|n| n as f64 * gap);
        due.map(|due| Came {
            stream: 0,
            due,
            read: read(due),
        })
        .collect()
    }

    /// When mail that is due then leaves a buffer that is flushed every `period` seconds.
    fn collected(period: f64) -> impl Fn(f64) -> f64 {
        // Mails after the first of a clump leave it a little later.
        move |due| {
            let left = (due / period).floor() * period + period;
            left + (due - (left - period)) / 1e3
        }
    }

    fn found(came: &[Came]) -> Option<Clumps> {
        clumps(came, 0.0)
    }

    #[test]
    fn a_buffer_on_the_way_is_seen() {
        let Clumps { times, apart } = found(&every(0.05, 60, collected(0.7))).unwrap();
        assert_eq!(times, 4);
        assert!((0.6..0.7).contains(&apart), "{apart}");
        assert!(found(&every(1.0, 20, collected(5.0))).is_some());
        // In bursts, too, if several share a clump.
        let bursts: Vec<_> = every(2.0, 12, collected(6.0))
            .into_iter()
            .flat_map(|came| [came; 5])
            .collect();
        assert!(found(&bursts).is_some());
    }

    #[test]
    fn what_comes_as_it_is_due_is_no_clump() {
        for gap in [0.001, 0.05, 1.0] {
            assert_eq!(found(&every(gap, 100, |due| due + 0.001)), None, "{gap}");
        }
        let burst = |due: f64| due + 0.001;
        let bursts: Vec<_> = every(2.0, 12, burst).into_iter().flat_map(|c| [c; 5]).collect();
        assert_eq!(found(&bursts), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn a_pause_is_no_buffer() {
        let pause = |due: f64| if (3.0..9.0).contains(&due) { 9.0 } else { due };
        assert_eq!(found(&every(0.5, 20, pause)), None);
        // A machine that stood still twice, and read all else at once.
        let pauses = |due: f64| match due {
            3.0..4.0 => 4.0,
            8.0..9.0 => 9.0,
            due => due,
        };
        assert_eq!(found(&every(0.1, 200, pauses)), None);
    }

    #[test]
    fn losses_that_hold_back_what_is_behind_them_are_no_buffer() {
        // Every tenth segment is sent again after 0.3 s, each fiftieth twice.
        let lost = |due: f64| {
            let n = (due / 0.05).round() as u64;
            let until = |every: u64, held: f64| (n - n % every) as f64 * 0.05 + held;
            due.max(until(10, 0.3)).max(until(50, 0.9))
        };
        assert_eq!(found(&every(0.05, 400, lost)), None);
        // A link that is known to hold back longer explains more.
        let came = every(0.05, 400, collected(1.0));
        assert!(found(&came).is_some() && clumps(&came, 3.0).is_none());
    }

    #[test]
    fn who_cannot_keep_up_reads_without_a_pause() {
        assert_eq!(found(&every(0.001, 5_000, |due| due * 3.0)), None);
    }

    #[test]
    fn what_waited_for_its_stream_is_no_sign() {
        let zero = Instant::now();
        let at = |s: f64| zero + Duration::from_secs_f64(s);
        // Two reconnects, each of which brings what was missed.
        let mut record = Record::default();
        let asked = [0.0, 10.0, 20.0].map(|s| (at(s), true));
        record.asked.extend(asked);
        let read = |due: f64| if due < 10.0 { 10.1 } else { 20.1 };
        for number in 0..20 {
            let event = (at(read(number as f64)), EventKind::Delivered, Some(number));
            record.events.push(event);
        }
        let due = |number: u64| Some(at(number as f64));
        assert!(streamed(&record, due).is_empty());
        assert_eq!(warning(&[record.clone()], Duration::ZERO, due), None);
        // The same on one stream.
        record.asked.truncate(1);
        let Some(Warning::Clumps { times: 2, apart_s }) = warning(&[record.clone()], Duration::ZERO, due)
        else {
            panic!("two clumps");
        };
        assert!((apart_s - 9.0).abs() < 1e-6, "{apart_s}");
        assert_eq!(warning(&[record.clone()], Duration::ZERO, |_| None), None);
        // A poll's answer brings all there is.
        record.asked[0].1 = false;
        assert_eq!(warning(&[record], Duration::ZERO, due), None);
    }
}
