//! Simulated time: a runtime of one thread, whose clock stands still while there is something to do, and
//! jumps to the next event when there is not.
//!
//! tokio can pause its clock and jump to its next timer, but its timers count whole milliseconds. Events
//! between two of them wait in a heap of our own, in the order of their instants and, at the same instant,
//! in the order in which they were set. Whenever no task can run, [`idle`] moves the clock to the heap's
//! next event, or to the next whole millisecond, when tokio's own timers fire.
//!
//! ```text
//!  tokio's timers   |        |        |   whole milliseconds since the simulation began
//!  the heap            x  x     x         exact instants
//! ```

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::instant::{now, since};

/// The unit of tokio's timers, in nanoseconds.
const TICK: u128 = 1_000_000;

thread_local! {
    static SIMULATION: RefCell<Option<Simulation>> = const { RefCell::new(None) };
}

/// The simulation that a thread is in.
struct Simulation {
    began: Instant,
    alarms: BinaryHeap<Alarm>,
    /// How many alarms were set so far.
    set: u64,
    /// The millisecond at which tokio last checked its timers.
    ticked: Option<u128>,
    /// Keeps tokio from jumping over the next alarm.
    bound: Pin<Box<Sleep>>,
    /// Wakes a task that does nothing: an alarm may have been set by a task that is gone, and then tokio would wait for
    /// ever.
    again: Option<Waker>,
}

struct Alarm {
    at: Instant,
    /// Alarms of the same instant ring in the order in which they were set.
    set: u64,
    waker: Waker,
}

/// Runs a future to its end in simulated time, on this thread; whatever it spawns runs there, too.
///
/// Nothing in it may wait for another thread or for a socket: simulated time does not wait for them.
///
/// # Errors
/// If no runtime is available.
///
/// # Panics
/// If this thread is on a runtime already.
pub fn simulate<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .on_thread_park(idle)
        .build()?;
    let output = runtime.block_on(async {
        SIMULATION.replace(Some(Simulation {
            began: now(),
            alarms: BinaryHeap::new(),
            set: 0,
            ticked: None,
            bound: Box::pin(tokio::time::sleep(Duration::ZERO)),
            again: None,
        }));
        tokio::spawn(poll_fn(|cx| {
            SIMULATION.with_borrow_mut(|simulation| {
                if let Some(simulation) = simulation {
                    simulation.again.get_or_insert_with(|| cx.waker().clone());
                }
            });
            Poll::<()>::Pending
        }));
        future.await
    });
    // Tasks that are left may set alarms while they are dropped, so the simulation is still there.
    drop(runtime);
    drop(SIMULATION.take());
    Ok(output)
}

/// Whether this thread is in a simulation.
pub fn is_simulated() -> bool {
    SIMULATION.with_borrow(Option::is_some)
}

/// Wakes a task at an instant, or at once if that is past. Must be called inside a simulation.
///
/// # Panics
/// If this thread is in no simulation: the task would never be woken.
pub fn wake_at(at: Instant, waker: &Waker) {
    if at <= now() {
        return waker.wake_by_ref();
    }
    SIMULATION.with_borrow_mut(|simulation| {
        let simulation = simulation.as_mut().expect("the thread is in a simulation");
        simulation.set += 1;
        simulation.alarms.push(Alarm {
            at,
            set: simulation.set,
            waker: waker.clone(),
        });
    });
}

/// Waits until an instant, exactly.
pub async fn sleep_until(at: Instant) {
    poll_fn(|cx| {
        if at <= now() {
            return Poll::Ready(());
        }
        wake_at(at, cx.waker());
        Poll::Pending
    })
    .await;
}

/// Called by tokio when no task can run, before it waits for its next timer.
fn idle() {
    let due = SIMULATION.with_borrow_mut(|simulation| simulation.as_mut().map(Simulation::next));
    // Outside of the borrow: a waker may set an alarm.
    due.into_iter().flatten().for_each(Waker::wake);
}

impl Simulation {
    /// Moves the clock as far as is safe, and returns the wakers that are due then. If none is due, tokio
    /// moves the clock: to its next timer, but not past the next alarm.
    fn next(&mut self) -> Vec<Waker> {
        loop {
            let mut due = self.take_due();
            if !due.is_empty() {
                due.extend(self.again.clone());
                return due;
            }
            let elapsed = since(self.began).as_nanos();
            let tick = elapsed / TICK;
            if !elapsed.is_multiple_of(TICK) {
                let end = (tick + 1) * TICK;
                advance(self.next_alarm().unwrap_or(end).min(end) - elapsed);
            } else if self.ticked != Some(tick) {
                // tokio's timers of this millisecond come before what is due later in it.
                self.ticked = Some(tick);
                if self.bound_at(tick) {
                    return Vec::new();
                }
            } else {
                let Some(next) = self.next_alarm() else {
                    return Vec::new();
                };
                if self.bound_at(next / TICK) {
                    return Vec::new();
                }
                advance(next - elapsed);
            }
        }
    }

    /// When the next alarm rings, nanoseconds since the beginning.
    fn next_alarm(&self) -> Option<u128> {
        let next = self.alarms.peek()?;
        Some(next.at.duration_since(self.began).as_nanos())
    }

    /// Sets a timer of tokio's that wakes nobody, at a whole millisecond; false if tokio has already
    /// checked its timers of that millisecond.
    fn bound_at(&mut self, tick: u128) -> bool {
        let at = self.began + nanoseconds(tick * TICK);
        self.bound.as_mut().reset(at.into());
        // A timer is set only when it is polled.
        let polled = self.bound.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        polled.is_pending()
    }

    fn take_due(&mut self) -> Vec<Waker> {
        let now = now();
        let mut due = Vec::new();
        while self.alarms.peek().is_some_and(|next| next.at <= now) {
            due.extend(self.alarms.pop().map(|alarm| alarm.waker));
        }
        due
    }
}

/// Moves the clock by this many nanoseconds.
fn advance(by: u128) {
    let advance = std::pin::pin!(tokio::time::advance(nanoseconds(by)));
    // Its first poll moves the clock; after that, it would let other tasks run.
    let _ = advance.poll(&mut Context::from_waker(Waker::noop()));
}

fn nanoseconds(n: u128) -> Duration {
    Duration::from_nanos_u128(n)
}

/// Reversed, because the heap gives out its greatest: that has to be the earliest.
impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.set).cmp(&(self.at, self.set))
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
    use parking_lot::Mutex;
    use std::sync::Arc;

    use super::super::sleep;
    use super::*;

    /// Records which sleep ended, in the order of waking, and when, in microseconds.
    async fn slept(exact: &[u64], ticks: &[u64]) -> Vec<(u64, u64)> {
        let (began, woken) = (now(), Arc::new(Mutex::new(Vec::new())));
        let mut tasks = tokio::task::JoinSet::new();
        for us in exact.iter().copied() {
            let woken = woken.clone();
            tasks.spawn(async move {
                sleep(Duration::from_micros(us)).await;
                woken.lock().push((us, since(began).as_micros() as u64));
            });
        }
        for us in ticks.iter().copied() {
            let woken = woken.clone();
            tasks.spawn(async move {
                tokio::time::sleep(Duration::from_micros(us)).await;
                woken.lock().push((us, since(began).as_micros() as u64));
            });
        }
        tasks.join_all().await;
        Arc::into_inner(woken).unwrap().into_inner()
    }

    #[test]
    fn an_alarm_of_a_task_that_is_gone_does_not_end_time() {
        let took = simulate(async {
            let began = now();
            let gone = tokio::spawn(sleep(Duration::from_secs(1)));
            tokio::task::yield_now().await;
            gone.abort();
            sleep(Duration::from_secs(2)).await;
            since(began)
        });
        assert_eq!(took.unwrap(), Duration::from_secs(2));
    }

    #[test]
    fn alarms_are_exact_and_tokios_timers_come_at_whole_milliseconds() {
        let exact = [1, 999, 1_000, 1_001, 2_500, 2_500_001, 3_600_000_000];
        let woken = simulate(slept(&exact, &[1_000, 2_000, 2_400, 2_501_000])).unwrap();
        let expected = [
            (1, 1),
            (999, 999),
            (1_000, 1_000),
            (1_000, 1_000),
            (1_001, 1_001),
            (2_000, 2_000),
            (2_500, 2_500),
            (2_400, 3_000),
            (2_500_001, 2_500_001),
            (2_501_000, 2_501_000),
            (3_600_000_000, 3_600_000_000),
        ];
        assert_eq!(woken, expected);
    }

    #[test]
    fn alarms_of_one_instant_ring_in_the_order_in_which_they_were_set() {
        let order = simulate(async {
            let at = now() + Duration::from_micros(1_234);
            let order = Arc::new(Mutex::new(Vec::new()));
            let mut tasks = tokio::task::JoinSet::new();
            for i in 0..100 {
                let order = order.clone();
                tasks.spawn(async move {
                    sleep_until(at).await;
                    order.lock().push(i);
                });
            }
            tasks.join_all().await;
            Arc::into_inner(order).unwrap().into_inner()
        });
        assert_eq!(order.unwrap(), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_year_takes_no_time_and_outside_of_it_time_is_real() {
        let began = std::time::Instant::now();
        assert!(!is_simulated());
        let took = simulate(async {
            let began = now();
            sleep(Duration::from_secs(365 * 86_400)).await;
            since(began)
        });
        assert_eq!(took.unwrap(), Duration::from_secs(365 * 86_400));
        assert!(!is_simulated() && began.elapsed() < Duration::from_secs(60));
        assert!(since(began) < Duration::from_secs(60));
    }

    /// A chain of sleeps that each begin where another kind ended: no millisecond is lost on the way.
    #[test]
    fn exact_sleeps_and_timers_take_turns() {
        let took = simulate(async {
            let began = now();
            for _ in 0..1_000 {
                sleep(Duration::from_micros(333)).await;
                tokio::time::sleep_until(
                    (began + Duration::from_millis(since(began).as_millis() as u64 + 1)).into(),
                )
                .await;
            }
            since(began)
        });
        assert_eq!(took.unwrap(), Duration::from_secs(1));
    }
}
