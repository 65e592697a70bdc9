//! The threads of a run. A machine without threads left is an error with the thread's name, not a panic.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle, available_parallelism};

use anyhow::{Context, anyhow};
use parking_lot::Mutex;

use super::gate::Gate;
use crate::clock;

/// Starts a thread.
///
/// # Errors
/// If there are too many, or too little memory for one more.
pub fn start<T: Send + 'static>(
    name: impl Into<String>,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<JoinHandle<T>> {
    let name = name.into();
    let thread = Builder::new().name(name.clone());
    thread.spawn(work).with_context(|| cannot(&name))
}

/// Runs a future to its end on this thread, in real time.
///
/// # Errors
/// If no runtime is available.
pub fn block_on<F: Future>(future: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(future))
}

/// Runs a future to its end in simulated time, on a thread of its own: a thread may be on only one runtime at a time.
///
/// # Errors
/// If the thread or its runtime cannot be started, or as the future says.
pub fn simulate<T: Send, F>(name: &str, work: impl FnOnce() -> F + Send) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    std::thread::scope(|scope| {
        let simulated = Builder::new()
            .name(format!("{name} simulated"))
            .spawn_scoped(scope, || clock::simulate(work()))
            .context("cannot start the thread of a simulated run")?;
        let ended = simulated
            .join()
            .map_err(|_| anyhow!("the simulated run of {name} broke off"))?;
        ended?
    })
}

fn cannot(name: &str) -> String {
    format!(
        "cannot start the thread \"{name}\": too many threads, or too little memory (ulimit -u, ulimit -v)"
    )
}

/// Does several pieces of work at once, each on a thread of its own, and waits for all. A thread that cannot
/// be started leaves its place at the gate, so that the others don't wait for it.
///
/// # Errors
/// The first error in order, with the name of its work.
pub fn at_once<'w, T: Send, W: FnOnce() -> anyhow::Result<T> + Send>(
    gate: &Gate,
    works: impl Iterator<Item = (&'w str, W)>,
) -> anyhow::Result<Vec<T>> {
    std::thread::scope(|scope| {
        let running: Vec<_> = works
            .map(|(name, work)| {
                let started = Builder::new().name(name.into()).spawn_scoped(scope, work);
                if started.is_err() {
                    drop(gate.place());
                }
                (name, started)
            })
            .collect();
        let finished = running.into_iter().map(|(name, started)| {
            started
                .with_context(|| cannot(name))
                .and_then(|run| {
                    run.join()
                        .map_err(|_| anyhow!("a thread ended before its work was done"))
                        .flatten()
                })
                .with_context(|| format!("{name} failed"))
        });
        // Waits for each, whether one before it failed or not.
        finished.collect::<Vec<_>>().into_iter().collect()
    })
}

/// Does the same with each of the items, on as many threads as there are cores; the results are in the
/// order of the items. If no thread can be started, this one does it all.
pub fn on_all_cores<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let take = || {
        while let Some((place, item)) = {
            let place = next.fetch_add(1, Ordering::Relaxed);
            items.get(place).map(|item| (place, item))
        } {
            let came = work(item);
            done.lock().push((place, came));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..available_parallelism().map_or(1, usize::from) {
            let _ = Builder::new().spawn_scoped(scope, take);
        }
        take();
    });
    let mut done = done.into_inner();
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, came)| came).collect()
}

#[cfg(test)]
mod tests {
    use super::on_all_cores;

    #[test]
    fn what_is_done_on_all_cores_comes_in_order() {
        let items: Vec<u64> = (0..100).collect();
        let squares: Vec<u64> = items.iter().map(|n| n * n).collect();
        assert_eq!(on_all_cores(&items, |n| n * n), squares);
    }
}
