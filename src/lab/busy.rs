//! How busy a thread is: one that never rests delays what it measures.

use std::time::{Duration, Instant};

use super::usage;
use crate::clock;

/// A stretch of a thread's life, from where it was made.
#[derive(Clone, Copy, Debug)]
pub struct Busy {
    since: Instant,
    cpu: Duration,
}

impl Busy {
    /// Begins now, on this thread; `None` where the system does not tell a thread's processor time, and in a simulated run.
    pub fn from_now() -> Option<Busy> {
        if clock::is_simulated() {
            return None;
        }
        Some(Busy {
            since: Instant::now(),
            cpu: usage::thread_time()?,
        })
    }

    /// The share of the time since then that the processor spent on this thread, 0 to 1. To be asked
    /// on the same thread.
    pub fn share(&self) -> Option<f64> {
        let cpu = usage::thread_time()?.saturating_sub(self.cpu);
        Some(cpu.as_secs_f64() / self.since.elapsed().as_secs_f64())
    }
}
