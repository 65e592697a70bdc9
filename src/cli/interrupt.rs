//! The signals that end a command: Ctrl-C (SIGINT), SIGTERM, and SIGHUP unless it is ignored, as under
//! `nohup`. At the first one a run ends with the results so far, and at the second one the process ends; a
//! command without a run ends at the first. The exit code is 128 plus the signal's number, as in shells.
//!
//! A write beyond the largest size of a file (`ulimit -f`) fails like one to a full disk instead of ending
//! the process in the middle (SIGXFSZ).

use std::process::ExitCode;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::Context;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::lang::t;
use crate::scratch;

/// The run that a signal ends.
static RUN: Mutex<Option<CancellationToken>> = Mutex::new(None);

/// The exit code of the first signal.
static CODE: AtomicU8 = AtomicU8::new(INTERRUPTED);

/// 128 plus SIGINT's number.
const INTERRUPTED: u8 = 130;

/// The exit codes of processes that were ended by a signal.
pub const CODES: [i32; 3] = [129, INTERRUPTED as i32, 143];

/// From now on, the first signal cancels this run.
pub fn ends(run: CancellationToken) {
    *RUN.lock() = Some(run);
}

/// The exit code of a command that a signal interrupted.
pub fn exit_code() -> ExitCode {
    ExitCode::from(CODE.load(Ordering::Relaxed))
}

/// Sends a child process the signal that interrupted this one.
#[cfg(unix)]
pub fn forward(child: &std::process::Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let signal = match CODE.load(Ordering::Relaxed) {
        129 => Signal::HUP,
        143 => Signal::TERM,
        _ => Signal::INT,
    };
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It fails only if the child is gone.
        let _ = kill_process(pid, signal);
    }
}

/// Here only Ctrl-C interrupts, and it reaches children, too.
#[cfg(not(unix))]
pub fn forward(_child: &std::process::Child) {}

/// Listens for signals until the process ends.
///
/// # Errors
/// If a thread or descriptors are not available.
pub fn listen() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(t!("cannot listen for signals"))?;
    // Before anything is printed or done, or a signal would end the process at once.
    let mut signals = {
        let _entered = runtime.enter();
        Signals::listen().context(t!("cannot listen for signals"))?
    };
    std::thread::Builder::new()
        .name("interrupt".into())
        .spawn(move || {
            runtime.block_on(async {
                let first = signals.next().await;
                CODE.store(first, Ordering::Relaxed);
                let run = RUN.lock().clone();
                let Some(run) = run else { end(first) };
                run.cancel();
                end(signals.next().await)
            })
        })
        .context(t!("cannot listen for signals"))?;
    Ok(())
}

fn end(code: u8) -> ! {
    scratch::remove_all();
    std::process::exit(code.into())
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Signals> {
        use rustix::process::Signal;
        use tokio::signal::unix::{SignalKind, signal};
        // If something listens for it, the write fails instead.
        let _ = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?;
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: (!ignores_hang_up())
                .then(|| signal(SignalKind::hangup()))
                .transpose()?,
        })
    }

    /// Waits for the next signal; returns its exit code.
    async fn next(&mut self) -> u8 {
        let hung_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => 143,
            _ = hung_up => 129,
        }
    }
}

/// Whether this process was started with SIGHUP ignored, as `nohup` does: bit 0 of `SigIgn` (proc(5)). `false`
/// where there is no `/proc`.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 != 0)
}

/// Ctrl-C.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Signals> {
        Ok(Signals)
    }

    async fn next(&mut self) -> u8 {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
        INTERRUPTED
    }
}
