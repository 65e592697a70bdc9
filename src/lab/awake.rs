//! Keeps the processor's cores from sleeping during a run: waking a sleeping core costs more than any
//! protocol measured here, and differs from one moment to the next.
//!
//! One thread per core spins under Linux's `SCHED_IDLE` policy (sched(7)), which yields to anything else
//! that wants the core. Where that policy or pinning is not available, nothing spins.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Keeps the cores awake until it is dropped.
#[derive(Debug)]
pub struct Awake {
    stop: Arc<AtomicBool>,
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Starts the spinning threads.
pub fn keep() -> Awake {
    let stop = Arc::new(AtomicBool::new(false));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for core in 0..cores {
        let stop = stop.clone();
        let spinner = std::thread::Builder::new().name(format!("awake {core}"));
        // Without a spinner, a run is only a little noisier.
        let _ = spinner.spawn(move || {
            if yields_to_all(core) {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
        });
    }
    Awake { stop }
}

/// Pins this thread to one of the cores it may use, by index from 0, and gives it the lowest priority.
#[cfg(target_os = "linux")]
fn yields_to_all(core: usize) -> bool {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};
    use thread_priority::{ThreadPriority, set_thread_priority_and_policy, thread_native_id};

    let Ok(allowed) = sched_getaffinity(None) else {
        return false;
    };
    let Some(number) = (0..CpuSet::MAX_CPU).filter(|n| allowed.is_set(*n)).nth(core) else {
        return false;
    };
    let mut only = CpuSet::new();
    only.set(number);
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    sched_setaffinity(None, &only).is_ok()
        && set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn yields_to_all(_core: usize) -> bool {
    false
}
