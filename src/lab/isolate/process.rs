//! The lab's end: starts the server's process and gives it orders.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use tokio::sync::watch;

use super::super::Lab;
use super::super::server_record::{ServerRecord, Status};
use super::super::threads;
use super::{Answer, COMMAND, Instructions, Order, to_nanos};
use crate::mail::LogAt;
use crate::technique::Technique;

/// How long the server's process may take to answer: it closes thousands of connections in less.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server in a process of its own. Dropping it ends that process.
#[derive(Debug)]
pub struct ServerProcess {
    address: SocketAddr,
    line: Line,
}

impl ServerProcess {
    /// Starts the executable as the server of a technique, over this log.
    ///
    /// # Errors
    /// If it does not start, or cannot serve.
    pub fn start(
        executable: &Path,
        lab: &Lab,
        technique: &Technique,
        log: &LogAt,
    ) -> anyhow::Result<ServerProcess> {
        if cfg!(not(unix)) {
            bail!("--isolate needs a clock that processes share, as Unix systems have");
        }
        let patience = PATIENCE + lab.scenario.link.patience();
        let mut line = Line::open(executable, patience)?;
        let answer = line.exchange(&Instructions {
            technique: technique.name.into(),
            scenario: (*lab.scenario).clone(),
            replay: lab.scenario.replay.clone().map(Into::into),
            headers: lab.scenario.headers.clone().into(),
            cuts: lab.cuts.clone(),
            identity: lab.identity.clone(),
            log: log.clone(),
        });
        match answer? {
            Answer::Ready { address, mails } if mails == lab.plan.mails.len() => {
                Ok(ServerProcess { address, line })
            }
            Answer::Ready { .. } => {
                bail!(
                    "the server's process draws other mail: --isolate needs a --replay file that can be read twice"
                )
            }
            other => Err(unexpected(other)),
        }
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How far it has come.
    ///
    /// # Errors
    /// If its process is gone or does not answer. This is true of everything below.
    pub fn status(&mut self) -> anyhow::Result<Status> {
        self.send(Order::Status)?;
        Ok(*self.line.reported.borrow())
    }

    /// Waits until its status satisfies `is`, and returns that status.
    pub async fn until(&mut self, is: impl Fn(&Status) -> bool) -> anyhow::Result<Status> {
        let reached = self.line.reported.wait_for(is).await.map(|status| *status);
        reached.map_err(|_| self.line.ended())
    }

    /// Starts its publisher.
    pub fn publish(&mut self, start: Instant) -> anyhow::Result<()> {
        self.send(Order::Publish(to_nanos(start)))
    }

    /// Stops its publisher.
    pub fn settle(&mut self) -> anyhow::Result<()> {
        self.send(Order::Settle)
    }

    /// Ends its open streams; the server keeps running.
    pub fn end_streams(&mut self) -> anyhow::Result<()> {
        self.send(Order::EndStreams)
    }

    /// Ends its open streams, and makes it accept no more connections.
    pub fn shut_down(&mut self) -> anyhow::Result<()> {
        self.send(Order::ShutDown)
    }

    /// Ends the server, and returns what it recorded.
    pub fn close(mut self) -> anyhow::Result<ServerRecord> {
        match self.line.exchange(&Order::Close)? {
            Answer::Left(record) => Ok(*record),
            other => Err(unexpected(other)),
        }
    }

    fn send(&mut self, order: Order) -> anyhow::Result<()> {
        match self.line.exchange(&order)? {
            Answer::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }
}

fn unexpected(answer: Answer) -> anyhow::Error {
    match answer {
        Answer::Failed(why) => anyhow!("the server's process: {why}"),
        other => anyhow!("the server's process answered out of turn: {other:?}"),
    }
}

/// The process, and the pipes to and from it.
#[derive(Debug)]
struct Line {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
    reported: watch::Receiver<Status>,
    patience: Duration,
}

impl Line {
    fn open(executable: &Path, patience: Duration) -> anyhow::Result<Line> {
        let mut command = Command::new(executable);
        command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped());
        #[cfg(unix)]
        // Ctrl-C is for the lab, which ends the server in order.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {} as server", executable.display()))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the server's process has no standard streams");
        };
        let (forward, answers) = mpsc::channel();
        let (report, reported) = watch::channel(Status::default());
        threads::start("server's answers", move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Ok(Answer::Status(status)) = serde_json::from_str(&line) {
                    report.send_replace(status);
                } else if forward.send(line).is_err() {
                    break;
                }
            }
        })?;
        Ok(Line {
            child,
            stdin,
            answers,
            reported,
            patience,
        })
    }

    fn exchange(&mut self, message: &impl serde::Serialize) -> anyhow::Result<Answer> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        // If the process is gone, the missing answer shows it, and is explained.
        let _ = self.stdin.write_all(&line);
        match self.answers.recv_timeout(self.patience) {
            Ok(line) => serde_json::from_str(&line)
                .with_context(|| format!("the server's process says what nobody understands: {line}")),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("the server's process has not answered for {:?}", self.patience)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(self.ended()),
        }
    }

    /// Why no more answers come.
    fn ended(&mut self) -> anyhow::Error {
        match self.child.wait() {
            Ok(status) => anyhow!("the server's process ended before the run did ({status})"),
            Err(e) => anyhow!(e).context("the server's process is gone"),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The process has nothing to save. Both calls fail only if it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
