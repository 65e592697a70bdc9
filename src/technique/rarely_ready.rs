//! Polls futures that are rarely ready only when they were woken.
//!
//! A stream waits for mail and, less often, for its client, a timer and the server's shutdown. If all of them
//! were polled together, each mail would poll every one of them. With a thousand clients that memory no
//! longer fits in a cache, and it would be read for nothing.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Waits for a future that is rarely ready.
#[derive(Debug)]
pub struct RarelyReady {
    bell: Arc<Bell>,
    waker: Waker,
}

/// Records whether the rare future was woken, rather than something else in the task.
#[derive(Debug, Default)]
struct Bell {
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::SeqCst);
        self.task.wake();
    }
}

impl Default for RarelyReady {
    fn default() -> RarelyReady {
        let bell = Arc::new(Bell::default());
        // No future holds the waker yet, so the first `wait` must poll.
        bell.rung.store(true, Ordering::SeqCst);
        let waker = bell.clone().into();
        RarelyReady { bell, waker }
    }
}

impl RarelyReady {
    /// Makes the next [`wait`](RarelyReady::wait) poll without being woken. Needed when the future's source was
    /// polled elsewhere, because that poll replaced this waker.
    pub fn force_poll(&self) {
        self.bell.rung.store(true, Ordering::SeqCst);
    }

    /// Waits for `future`, and polls it only when it was woken. It may be dropped and another take its place,
    /// as `select!` does, if the other one waits on exactly the same things.
    pub async fn wait<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|task| self.poll(task, |rare| future.as_mut().poll(rare))).await
    }

    /// The same for a function that polls.
    pub fn poll<T>(
        &mut self,
        task: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.bell.task.register(task.waker());
        if !self.bell.rung.swap(false, Ordering::SeqCst) {
            return Poll::Pending;
        }
        let polled = poll(&mut Context::from_waker(&self.waker));
        if polled.is_ready() {
            // What is ready keeps no waker, so the next `wait` must poll.
            self.bell.rung.store(true, Ordering::SeqCst);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::poll;
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn polls_only_when_woken() {
        let (say, mut heard) = mpsc::unbounded_channel();
        let mut rare = RarelyReady::default();
        let polls = Cell::new(0);
        let mut poll_once = async || {
            let next = async {
                let mut next = pin!(heard.recv());
                poll_fn(|cx| {
                    polls.set(polls.get() + 1);
                    next.as_mut().poll(cx)
                })
                .await
            };
            poll!(pin!(rare.wait(next)))
        };
        assert_eq!((poll_once().await, polls.get()), (Poll::Pending, 1));
        assert_eq!((poll_once().await, polls.get()), (Poll::Pending, 1));
        say.send(1).unwrap();
        say.send(2).unwrap();
        assert_eq!((poll_once().await, polls.get()), (Poll::Ready(Some(1)), 2));
        // Two arrived and woke the task once.
        assert_eq!((poll_once().await, polls.get()), (Poll::Ready(Some(2)), 3));
        assert_eq!((poll_once().await, polls.get()), (Poll::Pending, 4));
        assert_eq!((poll_once().await, polls.get()), (Poll::Pending, 4));
    }

    #[tokio::test]
    async fn wakes_the_task() {
        let (say, mut heard) = mpsc::unbounded_channel();
        let mut rare = RarelyReady::default();
        let waiting = tokio::spawn(async move { rare.wait(heard.recv()).await });
        tokio::task::yield_now().await;
        say.send(1).unwrap();
        assert_eq!(waiting.await.unwrap(), Some(1));
    }
}
