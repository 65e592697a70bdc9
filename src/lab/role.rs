//! The parties of a run: server, clients, publisher. In a real run each has a thread of its own, so that none
//! waits for another's work, and the server may have several; in a simulated run they are tasks of its one thread,
//! where work takes no time.

use std::ops::Deref;
use std::thread::JoinHandle;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime, RuntimeFlavor};
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
        Role::on_threads(1, name, work)
    }

    /// The same with so many threads in a real run: with more than one, the future and the tasks that it spawns run
    /// on any of them.
    ///
    /// # Errors
    /// As for [`Role::start`].
    pub fn on_threads<F>(
        threads: usize,
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
            let runtime = Own::build(threads, &name)
                .with_context(|| format!("cannot start the runtime of \"{name}\""))?;
            let work = {
                let _entered = runtime.enter();
                work()?
            };
            Some(threads::start(name, move || {
                let left = match threads {
                    1 => Some(runtime.block_on(work)),
                    // This thread is none of them, and only waits.
                    _ => runtime.block_on(runtime.spawn(work)).ok(),
                };
                // Tasks that it spawned end with it.
                runtime.end();
                left.map(|left| end.send(left));
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
    fn build(threads: usize, name: &str) -> std::io::Result<Own> {
        let mut builder = match threads {
            1 => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        let runtime = builder
            .worker_threads(threads)
            .thread_name(name)
            .enable_all()
            .build()?;
        Ok(Own(Some(runtime)))
    }

    /// Ends it on a thread that is on no runtime: all its tasks have ended when this returns.
    fn end(mut self) {
        // Its threads end the tasks, and dropping it waits for them. One thread alone does that in any case.
        self.0
            .take_if(|runtime| runtime.handle().runtime_flavor() == RuntimeFlavor::MultiThread);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_that_panics_has_no_result_on_one_thread_or_several() {
        for threads in [1, 3] {
            let work = || Ok(async { panic!("on purpose") });
            let party = Role::<()>::on_threads(threads, "party", work).unwrap();
            assert_eq!(party.join_here(), None, "{threads}");
        }
    }
}
