//! How busy a thread is: one that never rests delays what it measures.

use std::time::Instant;

/// A stretch of a thread's life, from where it was made.
#[derive(Clone, Copy, Debug)]
pub struct Busy {
    since: Instant,
    cpu_s: f64,
}

impl Busy {
    /// Begins now, on this thread; `None` where the system does not tell a thread's processor time.
    pub fn from_now() -> Option<Busy> {
        Some(Busy {
            since: Instant::now(),
            cpu_s: thread_cpu_s()?,
        })
    }

    /// The share of the time since then that the processor spent on this thread, 0 to 1. To be asked
    /// on the same thread.
    pub fn share(&self) -> Option<f64> {
        let wall = self.since.elapsed().as_secs_f64();
        Some((thread_cpu_s()? - self.cpu_s) / wall)
    }
}

#[cfg(target_os = "linux")]
fn thread_cpu_s() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

#[cfg(not(target_os = "linux"))]
fn thread_cpu_s() -> Option<f64> {
    None
}
