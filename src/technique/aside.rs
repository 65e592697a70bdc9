//! Polls futures that are rarely ready only when they were woken.
//!
//! A stream waits for mail and, aside from that, for its client, a timer and the server's end. Polled
//! together, all of it is looked at for every mail; with a thousand clients that is memory which no
//! cache holds any more, read for nothing.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Waits for what is aside.
#[derive(Debug)]
pub struct Aside {
    bell: Arc<Bell>,
    waker: Waker,
}

/// Tells what was woken aside from what woke the task.
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

impl Default for Aside {
    fn default() -> Aside {
        let bell = Arc::new(Bell::default());
        // The first time nobody has promised to ring yet.
        bell.rung.store(true, Ordering::SeqCst);
        let waker = bell.clone().into();
        Aside { bell, waker }
    }
}

impl Aside {
    /// Has the next [`wait`](Aside::wait) look without being woken: what it waits on was polled elsewhere, and
    /// promised that one to ring instead.
    pub fn look(&self) {
        self.bell.rung.store(true, Ordering::SeqCst);
    }

    /// Waits for `future`, and polls it only when it was woken. It may be dropped and another take its
    /// place, as `select!` does, if that one waits on the very same things.
    pub async fn wait<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|task| {
            self.bell.task.register(task.waker());
            if !self.bell.rung.swap(false, Ordering::SeqCst) {
                return Poll::Pending;
            }
            let polled = future.as_mut().poll(&mut Context::from_waker(&self.waker));
            if polled.is_ready() {
                // What is ready has nobody to wake: next time it is looked at without being asked.
                self.bell.rung.store(true, Ordering::SeqCst);
            }
            polled
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::poll;
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn looks_only_when_woken() {
        let (say, mut heard) = mpsc::unbounded_channel();
        let mut aside = Aside::default();
        let looks = Cell::new(0);
        let mut look = async || {
            let next = async {
                let mut next = pin!(heard.recv());
                poll_fn(|cx| {
                    looks.set(looks.get() + 1);
                    next.as_mut().poll(cx)
                })
                .await
            };
            poll!(pin!(aside.wait(next)))
        };
        assert_eq!((look().await, looks.get()), (Poll::Pending, 1));
        assert_eq!((look().await, looks.get()), (Poll::Pending, 1));
        say.send(1).unwrap();
        say.send(2).unwrap();
        assert_eq!((look().await, looks.get()), (Poll::Ready(Some(1)), 2));
        // Two came and rang once.
        assert_eq!((look().await, looks.get()), (Poll::Ready(Some(2)), 3));
        assert_eq!((look().await, looks.get()), (Poll::Pending, 4));
        assert_eq!((look().await, looks.get()), (Poll::Pending, 4));
    }

    #[tokio::test]
    async fn wakes_the_task() {
        let (say, mut heard) = mpsc::unbounded_channel();
        let mut aside = Aside::default();
        let waiting = tokio::spawn(async move { aside.wait(heard.recv()).await });
        tokio::task::yield_now().await;
        say.send(1).unwrap();
        assert_eq!(waiting.await.unwrap(), Some(1));
    }
}
