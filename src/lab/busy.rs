//! How busy a thread is: one that never rests delays what it measures.

use std::time::{Duration, Instant};

use super::usage;
use crate::clock;

/// Measures how busy a thread is from the moment this is made.
#[derive(Clone, Copy, Debug)]
pub struct Busy {
    since: Instant,
    cpu: Duration,
}

impl Busy {
    /// Starts now, on this thread; `None` where the system does not report a thread's processor time, and
    /// in a simulated run.
    pub fn from_now() -> Option<Busy> {
        if clock::is_simulated() {
            return None;
        }
        Some(Busy {
            since: Instant::now(),
            cpu: usage::thread_time()?,
        })
    }

    /// The share of the time since then in which this thread used the processor, 0 to 1. Call it on the
    /// same thread.
    pub fn share(&self) -> Option<f64> {
        let cpu = usage::thread_time()?.saturating_sub(self.cpu);
        Some(cpu.as_secs_f64() / self.since.elapsed().as_secs_f64())
    }
}
