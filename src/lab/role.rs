//! The parties of a run: server, clients, publisher. In a real run each has a thread of its own, so that none
//! waits for another's work; in a simulated run they are tasks of its one thread, where work takes no time.

use std::ops::Deref;
use std::thread::JoinHandle;

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::threads;
use crate::clock;

/// A running party, and its result when it has ended.
#[derive(Debug)]
pub struct Role<T> {
    /// `None` until it has ended; then its result, or nothing if it panicked.
    ended: Option<Option<T>>,
    ending: oneshot::Receiver<T>,
    over: CancellationToken,
    /// `None` in a simulated run.
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Role<T> {
    /// Starts a party. `work` makes its future, and is called on the runtime that runs the future.
    ///
    /// # Errors
    /// If thread or runtime are not available, or `work` fails.
    pub fn start<F>(
        name: impl Into<String>,
        work: impl FnOnce() -> anyhow::Result<F>,
    ) -> anyhow::Result<Role<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let name = name.into();
        let (end, ending) = oneshot::channel();
        let over = CancellationToken::new();
        let done = over.clone().drop_guard();
        let thread = if clock::is_simulated() {
            let work = work()?;
            tokio::spawn(async move {
                let _ = end.send(work.await);
                drop(done);
            });
            None
        } else {
            let runtime = Own::build().with_context(|| format!("cannot start the runtime of \"{name}\""))?;
            let work = {
                let _entered = runtime.enter();
                work()?
            };
            Some(threads::start(name, move || {
                let left = runtime.block_on(work);
                // Tasks that it spawned end with it.
                drop(runtime);
                let _ = end.send(left);
                drop(done);
            })?)
        };
        Ok(Role {
            ended: None,
            ending,
            over,
            thread,
        })
    }

    /// Whether it has ended.
    fn has_ended(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = match self.ending.try_recv() {
                Ok(left) => Some(Some(left)),
                Err(oneshot::error::TryRecvError::Empty) => None,
                Err(oneshot::error::TryRecvError::Closed) => Some(None),
            };
        }
        self.ended.is_some()
    }

    /// Cancelled when it has ended.
    pub fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// Waits for its end and takes its result; `None` if it panicked, and its message was printed then.
    pub async fn join(mut self) -> Option<T> {
        self.over.cancelled().await;
        self.has_ended();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.ended.flatten()
    }

    /// The same for a caller without a runtime, in a real run.
    pub fn join_here(mut self) -> Option<T> {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.has_ended();
        self.ended.flatten()
    }
}

/// A runtime that may also be dropped on another one, after a failed start.
struct Own(Option<Runtime>);

impl Own {
    fn build() -> std::io::Result<Own> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Own(Some(runtime)))
    }
}

impl Deref for Own {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
