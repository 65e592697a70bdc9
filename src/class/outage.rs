//! The class as a load test: the server stops listening for a while, and everyone comes back.

use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use crate::clock;
use crate::lab::outages::Outages;

/// How long the server does not listen.
pub const LENGTH: Duration = Duration::from_secs(5);

/// How long connects are counted after it listens again.
const COUNTED_MS: f64 = 20_000.0;

/// The width of a bar, milliseconds.
const BAR_MS: f64 = 100.0;

/// The outages of a server.
#[derive(Debug)]
pub struct Outage {
    outages: Outages,
    last: Mutex<Option<Record>>,
}

/// An outage, and who came back when.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// Whether clients waited a random time.
    jitter: bool,
    /// When it began and ended, milliseconds on the room's clock.
    began_ms: f64,
    ends_ms: f64,
    /// Whether it has ended.
    over: bool,
    /// Connects in each 100 ms since its end: when those began, and how many.
    connects: Vec<(f64, u64)>,
    /// The most connects in one of these.
    peak: u64,
}

impl Outage {
    /// No outage so far.
    pub fn new(outages: Outages) -> Outage {
        Outage {
            outages,
            last: Mutex::default(),
        }
    }

    /// The switch of the server's listening.
    pub fn outages(&self) -> Outages {
        self.outages.clone()
    }

    /// The server does not listen for a while; false if it does not listen already.
    pub fn begin(&self, now_ms: f64, jitter: bool) -> bool {
        let mut last = self.last.lock();
        if last.as_ref().is_some_and(|last| now_ms < last.ends_ms) {
            return false;
        }
        *last = Some(Record {
            jitter,
            began_ms: now_ms,
            ends_ms: now_ms + LENGTH.as_secs_f64() * 1e3,
            over: false,
            connects: Vec::new(),
            peak: 0,
        });
        self.outages.until(clock::now() + LENGTH);
        true
    }

    /// Someone has connected.
    pub fn connected(&self, at_ms: f64) {
        let mut last = self.last.lock();
        let Some(last) = last.as_mut() else { return };
        let since = at_ms - last.ends_ms;
        if !(0.0..COUNTED_MS).contains(&since) {
            return;
        }
        let bar = last.ends_ms + (since / BAR_MS).floor() * BAR_MS;
        match last.connects.last_mut().filter(|(at, _)| *at == bar) {
            Some((_, n)) => *n += 1,
            None => last.connects.push((bar, 1)),
        }
        last.peak = last.connects.iter().map(|(_, n)| *n).max().unwrap_or(0);
    }

    /// The last outage.
    pub fn last(&self, now_ms: f64) -> Option<Record> {
        let last = self.last.lock().clone()?;
        Some(Record {
            over: now_ms >= last.ends_ms,
            ..last
        })
    }
}
