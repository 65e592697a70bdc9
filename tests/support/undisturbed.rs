//! Tests that depend on the clock, on a machine that may stall.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// On a running machine no thread wakes up later than this.
const STALL: Duration = Duration::from_millis(20);

/// How often a test is tried.
const TRIES: usize = 6;

/// Runs a test whose result depends on the clock, for example on the order of two timers. If it fails while
/// the machine or this process stalled, its timing was not as written, and it is tried again. A failure
/// without a stall counts at once.
pub fn undisturbed(test: impl Fn()) {
    for tries_left in (0..TRIES).rev() {
        let (outcome, stall) = watching(|| catch_unwind(AssertUnwindSafe(&test)));
        match outcome {
            Ok(()) => return,
            Err(failure) if stall < STALL || tries_left == 0 => resume_unwind(failure),
            Err(_) => eprintln!("the machine stood still for {stall:?}; once more"),
        }
    }
}

/// Runs `work`, and returns how late a sleeping thread woke up meanwhile.
pub fn watching<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    const NAP: Duration = Duration::from_millis(2);
    std::thread::scope(|scope| {
        let (done, over) = mpsc::channel::<()>();
        let watcher = scope.spawn(move || {
            let mut latest = Duration::ZERO;
            loop {
                let slept = Instant::now();
                let ended = over.recv_timeout(NAP) != Err(RecvTimeoutError::Timeout);
                latest = latest.max(slept.elapsed().saturating_sub(NAP));
                if ended {
                    return latest;
                }
            }
        });
        let outcome = work();
        drop(done);
        (outcome, watcher.join().expect("it only sleeps"))
    })
}
