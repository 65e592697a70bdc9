//! The thread that lets mail arrive: on time whatever server and clients are doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::mail::{Mailbox, Plan};

/// How long before a due instant sleeping stops and spinning begins: sleep wakes up late by less.
const SPIN: Duration = Duration::from_micros(100);

/// The longest sleep between two looks at whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// Appends each mail at `start` plus its due offset; mails due at one instant go in together.
/// Returns how late each was, in microseconds. `sent` counts along.
pub fn publish(
    mailbox: &Mailbox,
    plan: &Arc<Plan>,
    start: Instant,
    stop: &CancellationToken,
    sent: &AtomicU64,
) -> Vec<f64> {
    let mut late = Vec::with_capacity(plan.mails.len());
    for group in plan.mails.chunk_by(|a, b| a.due == b.due) {
        let due = start + group[0].due;
        if !wait_until(due, stop) {
            break;
        }
        sent.fetch_add(group.len() as u64, Ordering::Relaxed);
        mailbox.append(group.iter().map(|planned| planned.mail.clone()));
        let lateness = Instant::now().saturating_duration_since(due).as_secs_f64() * 1e6;
        late.extend(std::iter::repeat_n(lateness, group.len()));
    }
    late
}

fn wait_until(due: Instant, stop: &CancellationToken) -> bool {
    while let Some(left) = due
        .checked_duration_since(Instant::now())
        .filter(|d| !d.is_zero())
    {
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
