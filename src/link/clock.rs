//! A clock that wakes tasks to within microseconds. tokio's own timer counts milliseconds and is late by
//! one, which would be most of what a short round trip adds. In a simulation, its clock does the work.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::clock;

/// How long before an instant it stops sleeping and starts to spin: a sleep ends late by less than this.
pub const SPIN: Duration = Duration::from_micros(100);

/// A handle to the clock's thread, which ends when the last handle is dropped; `None` in a simulation.
#[derive(Clone, Debug)]
pub struct Clock(Option<Arc<Handle>>);

#[derive(Debug)]
struct Handle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    alarms: Mutex<Alarms>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Alarms {
    waiting: BinaryHeap<Alarm>,
    over: bool,
}

#[derive(Debug)]
struct Alarm {
    at: Instant,
    waker: Waker,
}

impl Clock {
    /// Starts a clock.
    ///
    /// # Errors
    /// If its thread cannot be started.
    pub fn start() -> io::Result<Clock> {
        if clock::is_simulated() {
            return Ok(Clock(None));
        }
        let shared = Arc::new(Shared::default());
        let clock = Clock(Some(Arc::new(Handle(shared.clone()))));
        std::thread::Builder::new()
            .name("clock".into())
            .spawn(move || while shared.wake_next() {})
            .map_err(|e| io::Error::new(e.kind(), format!("cannot start the thread \"clock\": {e}")))?;
        Ok(clock)
    }

    /// Wakes a task at an instant, or at once if that is past.
    pub fn wake_at(&self, at: Instant, waker: &Waker) {
        let Some(handle) = &self.0 else {
            return clock::wake_at(at, waker);
        };
        if at <= Instant::now() {
            return waker.wake_by_ref();
        }
        let shared = &handle.0;
        let mut alarms = shared.alarms.lock();
        let is_next = alarms.waiting.peek().is_none_or(|next| at < next.at);
        alarms.waiting.push(Alarm {
            at,
            waker: waker.clone(),
        });
        drop(alarms);
        if is_next {
            shared.changed.notify_one();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.alarms.lock().over = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    /// Waits for the next alarm, or for a sooner one to be set, and wakes the tasks that are due; false at
    /// the end.
    fn wake_next(&self) -> bool {
        let mut alarms = self.alarms.lock();
        let left = alarms
            .waiting
            .peek()
            .map(|next| next.at.saturating_duration_since(Instant::now()));
        match left.map(|left| left.checked_sub(SPIN)) {
            _ if alarms.over => return false,
            None => self.changed.wait(&mut alarms),
            Some(Some(sleep)) if !sleep.is_zero() => drop(self.changed.wait_for(&mut alarms, sleep)),
            Some(_) => {
                let due = alarms.take_due();
                drop(alarms);
                if due.is_empty() {
                    (0..16).for_each(|_| std::hint::spin_loop());
                }
                due.into_iter().for_each(Waker::wake);
            }
        }
        true
    }
}

impl Alarms {
    fn take_due(&mut self) -> Vec<Waker> {
        let now = Instant::now();
        let mut due = Vec::new();
        while self.waiting.peek().is_some_and(|next| next.at <= now) {
            due.extend(self.waiting.pop().map(|alarm| alarm.waker));
        }
        due
    }
}

/// Reversed, because the heap gives out its greatest: that has to be the earliest.
impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Alarm {}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::task::Wake;

    use super::*;

    /// Records when it was woken, and its number.
    struct Bell(u32, mpsc::Sender<(u32, Instant)>);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            let _ = self.1.send((self.0, Instant::now()));
        }
    }

    #[test]
    fn alarms_ring_in_their_order_and_never_early() {
        let clock = Clock::start().unwrap();
        let (ring, rung) = mpsc::channel();
        let start = Instant::now();
        // Set out of order: some are sooner than what the clock already waits for, some are past.
        let after = |ms: u32| start + Duration::from_millis(ms.into());
        for ms in [300, 0, 600, 100, 450, 200] {
            clock.wake_at(after(ms), &Arc::new(Bell(ms, ring.clone())).into());
        }
        let rung: Vec<(u32, Instant)> = rung.iter().take(6).collect();
        assert_eq!(
            rung.iter().map(|(ms, _)| *ms).collect::<Vec<_>>(),
            [0, 100, 200, 300, 450, 600]
        );
        for (ms, at) in rung {
            assert!(at >= after(ms), "{ms} ms");
        }
    }

    #[test]
    fn the_thread_ends_with_the_last_handle() {
        let clock = Clock::start().unwrap();
        let shared = Arc::downgrade(&clock.0.as_ref().unwrap().0);
        let other = clock.clone();
        drop(clock);
        other.wake_at(Instant::now() + Duration::from_secs(3_600), Waker::noop());
        drop(other);
        // The thread holds the last reference until it ends.
        let deadline = Instant::now() + Duration::from_secs(30);
        while shared.strong_count() > 0 {
            assert!(Instant::now() < deadline, "the thread is still there");
            std::thread::yield_now();
        }
    }
}
