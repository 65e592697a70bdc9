//! Shared parts of the integration tests: the skip rule for missing peers, and child processes that never
//! outlive their test.
#![allow(dead_code)] // Each test crate that includes this file uses its own part of it.

pub mod browser;
#[cfg(unix)]
pub mod classroom;
pub mod haproxy;
pub mod nats;
pub mod pace;
#[cfg(unix)]
pub mod served;
pub mod serving;
pub mod shown;
pub mod skips;
pub mod undisturbed;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The longest wait in a test; a longer one means that the test hangs.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The skip rule. A test whose peer is missing reports it and passes, unless `MAILCALL_REQUIRE_PEERS` is set:
/// then it fails.
pub fn is_here(what: &str, present: bool) -> bool {
    if !present {
        let required = std::env::var_os("MAILCALL_REQUIRE_PEERS").is_some_and(|v| v == "1");
        assert!(
            !required,
            "{what} is missing, and MAILCALL_REQUIRE_PEERS=1 asks for it (scripts/peers installs it)"
        );
        skips::note(what);
        // Directly to stderr, because the test harness hides the output of passing tests.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: {what} is missing (scripts/peers installs it)"
        );
    }
    present
}

/// Whether a program can be started.
pub fn runs(program: impl AsRef<OsStr>) -> bool {
    let tried = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    tried.is_ok_and(|output| output.status.success())
}

/// The folder that `scripts/peers` installs into.
pub fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers")
}

/// Waits until a condition holds, by polling, because nothing reports it.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A child process that does not outlive its test.
#[derive(Debug)]
pub struct Kept(Child);

impl Kept {
    /// Starts it with stdin and stdout piped; its stderr is the test's.
    pub fn start(command: &mut Command) -> Kept {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Kept(started.unwrap_or_else(|e| panic!("{command:?} does not start: {e}")))
    }

    /// Its stdin; can be taken once.
    pub fn stdin(&mut self) -> ChildStdin {
        self.0
            .stdin
            .take()
            .expect("stdin is piped, and was not taken before")
    }

    /// Its stdout; can be taken once.
    pub fn stdout(&mut self) -> ChildStdout {
        self.0
            .stdout
            .take()
            .expect("stdout is piped, and was not taken before")
    }

    /// Its stderr, if the command pipes it; can be taken once.
    pub fn stderr(&mut self) -> ChildStderr {
        self.0
            .stderr
            .take()
            .expect("stderr is piped, and was not taken before")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Its exit status, if it has ended.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("a child can be waited for")
    }

    /// Waits until it ends.
    pub fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("a child process ended", || {
            status = self.has_ended();
            status.is_some()
        });
        status.expect("the wait above ends with one")
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program to its end; returns its exit status and its stdout.
pub fn run(command: &mut Command) -> (ExitStatus, Vec<u8>) {
    let mut child = Kept::start(command);
    drop(child.stdin());
    let mut stdout = child.stdout();
    let reading = std::thread::spawn(move || {
        let mut all = Vec::new();
        stdout.read_to_end(&mut all).map(|_| all)
    });
    let status = child.ended();
    (
        status,
        reading
            .join()
            .expect("reading does not panic")
            .expect("a pipe can be read"),
    )
}

/// A child process with a dialogue of lines: it reports on stdout and takes orders on stdin.
#[derive(Debug)]
pub struct Talk {
    deadline: Instant,
    orders: Option<ChildStdin>,
    lines: Receiver<String>,
    child: Kept,
}

impl Talk {
    /// Starts it.
    pub fn start(command: &mut Command) -> Talk {
        let mut child = Kept::start(command);
        let stdout = BufReader::new(child.stdout());
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        Talk {
            deadline: Instant::now() + PATIENCE,
            orders: Some(child.stdin()),
            lines,
            child,
        }
    }

    /// The next line; `None` after the last one. The whole dialogue has a time limit.
    pub fn next(&self) -> Option<String> {
        match self
            .lines
            .recv_timeout(self.deadline.saturating_duration_since(Instant::now()))
        {
            Ok(line) => {
                eprintln!("{:?} {line:.60}", Instant::now());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the peer did not come to an end in {PATIENCE:?}"),
        }
    }

    /// Writes a line to its stdin.
    pub fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().expect("its stdin is open");
        writeln!(orders, "{order}").expect("it reads its stdin");
    }

    /// Closes its stdin.
    pub fn hang_up(&mut self) {
        self.orders = None;
    }

    /// Waits until it ends.
    pub fn ended(&mut self) -> ExitStatus {
        self.child.ended()
    }
}
