//! The thread that appends mail on time, whatever server and clients are doing. If clients publish the
//! mail, it hands each mail to one of them instead.
//!
//! It sleeps until shortly before a mail is due, and then spins. Linux lets a sleeper oversleep by its
//! timer slack, 50 µs by default (PR_SET_TIMERSLACK(2const)), and makes it wait while another thread has
//! the core. So the thread asks for the least slack and for the highest priority that is not real-time; a
//! real-time thread would starve the server on a small machine. If it gets neither, mail is a little later,
//! as [`Published::late_us`] then shows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::usage;
use crate::clock;
use crate::link::SPIN;
use crate::mail::{Mailbox, Plan, Planned};

/// The longest sleep between two checks whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// What the publisher did.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// How late each mail was appended, in microseconds.
    pub late_us: Vec<f64>,
    /// Processor time spent waiting for the next mail.
    pub waiting: Duration,
}

/// Appends each mail at `start` plus its due offset to the log of that instant; mails due at one instant are appended
/// together.
pub async fn publish(
    log: impl Fn() -> Arc<Mailbox>,
    plan: &Plan,
    start: Instant,
    stop: &CancellationToken,
) -> Published {
    let arrive = |group: &[Planned], first| log().arrive(group.iter().map(|planned| &planned.mail), first);
    keep_to(plan, start, stop, arrive).await
}

/// Lets each mail arrive at `start` plus its due offset: `arrive` takes the mails that are due at one
/// instant, and the number of the first.
pub async fn keep_to(
    plan: &Plan,
    start: Instant,
    stop: &CancellationToken,
    mut arrive: impl FnMut(&[Planned], u64),
) -> Published {
    let mut late_us = Vec::with_capacity(plan.mails.len());
    let mut arriving = Duration::ZERO;
    let used = || usage::thread_time().unwrap_or_default();
    if !clock::is_simulated() {
        be_punctual();
    }
    for group in plan.mails.chunk_by(|a, b| a.due == b.due) {
        let due = start + group[0].due;
        if !wait_until(due, stop).await {
            break;
        }
        let before = used();
        arrive(group, late_us.len() as u64 + 1);
        let lateness = clock::now().saturating_duration_since(due).as_secs_f64() * 1e6;
        arriving += used().saturating_sub(before);
        late_us.extend(std::iter::repeat_n(lateness, group.len()));
    }
    Published {
        late_us,
        waiting: used().saturating_sub(arriving),
    }
}

/// Makes this thread wake up on time.
#[cfg(target_os = "linux")]
fn be_punctual() {
    use std::num::NonZeroU64;
    let _ = rustix::thread::set_current_timer_slack(Some(NonZeroU64::MIN));
    // On Linux, each thread has a niceness of its own (setpriority(2)).
    let _ = rustix::process::setpriority_process(None, -20);
}

#[cfg(not(target_os = "linux"))]
fn be_punctual() {}

/// Waits until an instant; false if it has to stop first. In a real run it sleeps and then spins, so its
/// thread cannot do anything else.
pub(super) async fn wait_until(due: Instant, stop: &CancellationToken) -> bool {
    if clock::is_simulated() {
        return tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = clock::sleep_until(due) => true,
        };
    }
    while let Some(left) = due.checked_duration_since(clock::now()).filter(|d| !d.is_zero()) {
        if stop.is_cancelled() {
            return false;
        }
        match left.checked_sub(SPIN) {
            Some(sleep) => std::thread::sleep(sleep.min(NAP)),
            None => std::hint::spin_loop(),
        }
    }
    true
}
