//! Mail that one task sends to all clients (`technique/fanout.rs`): a client that does not read gets the same bytes as one
//! that does, and the meter has read each of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mailcall::outcome::Scenario;

use crate::support::serving::{Raw, Served, patient, request, until};

const MAILS: u64 = 500;

/// More in all than the buffers of a connection hold.
const SIZE: usize = 20_000;

/// A client that waits for its second mail.
fn waiting(served: &Served, technique: &str) -> (Raw, usize) {
    let mut raw = served.say(request(technique));
    let mut heard = raw.head().head.len();
    let mut begun = Vec::new();
    while !begun.ends_with(b"mmmmmmmmmm\"}") {
        begun.extend(raw.read(1));
    }
    heard += begun.len();
    (raw, heard)
}

/// Reads to the end of the connection, and counts in `come` the mails that end.
fn rest(mut raw: Raw, come: &AtomicUsize) -> Vec<u8> {
    let mut heard = Vec::new();
    loop {
        let more = raw.some();
        if more.is_empty() {
            return heard;
        }
        let from = heard.len().saturating_sub(2);
        heard.extend(more);
        let ends = heard[from..].windows(3).filter(|end| end == b"mm\"").count();
        come.fetch_add(ends, Ordering::Relaxed);
    }
}

#[test]
fn a_client_that_reads_late_gets_what_the_others_get() {
    for (technique, threads) in [("ws", 1), ("ws", 3), ("sse", 1), ("sse", 3), ("ndjson", 1)] {
        let scenario = Scenario {
            heartbeat_ms: 3_600_000.0,
            threads,
            ..Scenario::default()
        };
        let served = Served::start(technique, patient(), scenario);
        served.post(10);
        let clients: Vec<_> = (0..4).map(|_| waiting(&served, technique)).collect();
        until("all wait", || served.mailbox.watchers() == clients.len());
        let come = AtomicUsize::new(0);
        thread::scope(|scope| {
            let mut late = Vec::new();
            let mut reading = Vec::new();
            for (i, (raw, heard)) in clients.into_iter().enumerate() {
                match i % 2 {
                    0 => reading.push((heard, scope.spawn(|| rest(raw, &come)))),
                    _ => late.push((heard, raw)),
                }
            }
            for _ in 1..MAILS {
                served.post(SIZE);
                thread::yield_now();
            }
            let late = late
                .into_iter()
                .map(|(heard, raw)| (heard, scope.spawn(|| rest(raw, &come))));
            reading.extend(late);
            let all = (MAILS - 1) as usize * 4;
            until("all mail has come", || come.load(Ordering::Relaxed) == all);
            served.shut_down();
            let heard: Vec<_> = reading
                .into_iter()
                .map(|(heard, reader)| (heard, reader.join().unwrap()))
                .collect();
            let all: usize = heard.iter().map(|(before, rest)| before + rest.len()).sum();
            for (_, rest) in &heard {
                assert!(*rest == heard[0].1, "{technique} with {threads} threads");
                let mails = rest.windows(3).filter(|end| end == b"mm\"").count();
                assert_eq!(mails as u64, MAILS - 1, "{technique} with {threads} threads");
            }
            let totals = served.stop();
            assert_eq!(
                totals.tally.mails,
                4 * MAILS,
                "{technique} with {threads} threads"
            );
            assert_eq!(totals.raw[1], all as u64, "{technique} with {threads} threads");
        });
    }
}
