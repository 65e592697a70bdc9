//! The thread that lets mail arrive: on time whatever server and clients are doing. Where clients publish it,
//! it hands each mail to one of them instead.
//!
//! It sleeps until shortly before a mail is due and spins the rest. Linux lets a sleeper oversleep by
//! its timer slack, 50 µs unless told otherwise (PR_SET_TIMERSLACK(2const)), and has it wait for whoever
//! holds the core; so it asks for the least slack and for the highest priority that is not real-time,
//! which would starve the server on a small machine. Where it gets neither, mail is a little later, as
//! [`Published::late_us`] then says.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::usage;
use crate::clock;
use crate::mail::{Mailbox, Plan, Planned};

/// How long before a due instant sleeping stops and spinning begins: sleep wakes up late by less.
const SPIN: Duration = Duration::from_micros(100);

/// The longest sleep between two looks at whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// What the publisher did.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// How late each mail was appended, microseconds.
    pub late_us: Vec<f64>,
    /// Processor time spent waiting for the next one.
    pub waiting: Duration,
}

/// Appends each mail at `start` plus its due offset; mails due at one instant go in together.
pub async fn publish(mailbox: &Mailbox, plan: &Plan, start: Instant, stop: &CancellationToken) -> Published {
    let append = |group: &[Planned], first| append(mailbox, group, first);
    keep_to(plan, start, stop, append).await
}

/// Has each mail arrive at `start` plus its due offset: `arrive` takes those that are due at one instant, and
/// the number of the first.
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

/// For this thread alone.
#[cfg(target_os = "linux")]
fn be_punctual() {
    use std::num::NonZeroU64;
    let _ = rustix::thread::set_current_timer_slack(Some(NonZeroU64::MIN));
    // Linux's threads each have a niceness of their own (setpriority(2)).
    let _ = rustix::process::setpriority_process(None, -20);
}

#[cfg(not(target_os = "linux"))]
fn be_punctual() {}

/// Appends mails of which the plan's first has number `planned`. Mail from outside may have taken it.
fn append(mailbox: &Mailbox, mails: &[Planned], planned: u64) {
    let mut first = None;
    mailbox.append(mails.iter().zip(0..).map(|(mail, i)| {
        // Asked for where nobody else can append.
        let number = *first.get_or_insert_with(|| mailbox.newest() + 1) + i;
        match number == planned + i {
            true => mail.mail.clone(),
            false => mail.mail.numbered(number),
        }
    }));
}

/// Waits until an instant; false if it is to stop first. In a real run it sleeps and then spins, and nothing
/// else may want its thread.
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
