//! The server's end: follows the lab's orders until there are no more.

use std::io::{BufRead, Stdin, Write};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::super::local_server::LocalServer;
use super::super::server_record::{ServerRecord, Status, Used};
use super::super::{Lab, descriptors, threads, usage};
use super::{Answer, Instructions, Order, from_nanos};
use crate::outcome::FileName;
use crate::technique;

/// The shortest time between two reports.
const PAUSE: Duration = Duration::from_millis(1);

/// Serves one run on orders from the pipe `orders`, and writes answers to `answers`; returns after the
/// order to close, or when the pipe is closed.
///
/// # Errors
/// If an answer cannot be written, or the orders do not come over a pipe; other failures are sent as answers.
pub fn serve(orders: Stdin, mut answers: impl Write) -> anyhow::Result<()> {
    let mut first = String::new();
    // The lab sends nothing more before this is answered.
    if orders.lock().read_line(&mut first)? == 0 {
        return Ok(());
    }
    let site = match Site::open(&first) {
        Ok(site) => {
            let (address, mails) = (site.server.address(), site.mails);
            send(&mut answers, &Answer::Ready { address, mails })?;
            site
        }
        Err(e) => return send(&mut answers, &Answer::Failed(crate::terminal::causes(&e))),
    };
    // This thread's processor time is not counted.
    threads::block_on(async { follow(site, rest(orders)?, answers).await })?
}

/// Follows the orders of the parent process, and reports what changes while no mail arrives.
async fn follow(
    mut site: Site,
    orders: impl AsyncBufRead + Unpin,
    mut answers: impl Write,
) -> anyhow::Result<()> {
    let mut orders = orders.lines();
    let mut reported = Some(Status::default());
    loop {
        let news = async {
            let Some(last) = reported else {
                return std::future::pending().await;
            };
            tokio::time::sleep(PAUSE).await;
            site.server.until(|status| *status != last).await
        };
        let order = tokio::select! {
            biased;
            order = orders.next_line() => order.ok().flatten(),
            status = news => {
                send(&mut answers, &Answer::Status(status))?;
                reported = Some(status);
                continue;
            }
        };
        let Some(order) = order else { return Ok(()) };
        let answer = match serde_json::from_str(&order) {
            Ok(Order::Close) => {
                let record = site.close().await;
                return send(&mut answers, &Answer::Left(Box::new(record)));
            }
            Ok(order) => site.obey(order).await.map(|()| order),
            Err(e) => Err(anyhow!(e).context(order)),
        };
        match answer {
            // While the server's time is counted, it must not have to wake the reporter.
            Ok(Order::Publish(_) | Order::Attend(_)) => reported = None,
            Ok(Order::Settle) => reported = Some(site.server.status()),
            _ => {}
        }
        if let Ok(Order::Status | Order::Settle) = answer {
            send(&mut answers, &Answer::Status(site.server.status()))?;
        }
        let done = answer.map(|_| Answer::Done);
        send(
            &mut answers,
            &done.unwrap_or_else(|e| Answer::Failed(crate::terminal::causes(&e))),
        )?;
    }
}

/// The orders after the first line.
#[cfg(unix)]
fn rest(orders: Stdin) -> anyhow::Result<impl AsyncBufRead + Unpin> {
    use std::os::fd::AsFd;
    use tokio::net::unix::pipe;
    let pipe = orders.as_fd().try_clone_to_owned()?;
    let pipe = pipe::Receiver::from_owned_fd(pipe).context("orders come over a pipe")?;
    Ok(tokio::io::BufReader::new(pipe))
}

/// There are none: [`super::ServerProcess::start`] fails.
#[cfg(not(unix))]
fn rest(_orders: Stdin) -> anyhow::Result<impl AsyncBufRead + Unpin> {
    Ok(tokio::io::empty())
}

fn send(answers: &mut impl Write, answer: &Answer) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    answers.write_all(&line)?;
    answers.flush().context("nobody hears the server's answers")
}

/// The server and what it has used so far.
struct Site {
    server: LocalServer,
    mails: usize,
    empty: Option<u64>,
    memory: Option<f64>,
    begun: Duration,
    cpu: Duration,
}

impl Site {
    fn open(instructions: &str) -> anyhow::Result<Site> {
        let Instructions {
            technique,
            mut scenario,
            replay,
            headers,
            cuts,
            identity,
            log,
        } = serde_json::from_str(instructions)?;
        (scenario.replay, scenario.headers) = (replay.map(FileName::from), headers.into());
        let Some(technique) = technique::named(&technique) else {
            bail!("there is no technique {technique}");
        };
        descriptors::ensure(scenario.clients, 1, scenario.speaks(), descriptors::Ends::One)?;
        let lab = Lab {
            cuts,
            identity,
            ..Lab::new(scenario)?
        };
        // Memory that is allocated once must not count as a connection's.
        lab.warm_up(&[technique])?;
        Ok(Site {
            server: LocalServer::start(&lab, technique, &log)?,
            mails: lab.plan.mails.len(),
            empty: usage::resident(),
            memory: None,
            begun: Duration::ZERO,
            cpu: Duration::ZERO,
        })
    }

    async fn obey(&mut self, order: Order) -> anyhow::Result<()> {
        match order {
            Order::Status => {}
            Order::Publish(start) => {
                self.memory = self.memory_per_connection();
                // Before mail may come: on a busy machine all of it may have been sent before this goes on.
                self.begun = charged();
                self.server.publish(from_nanos(start))?;
            }
            Order::Attend(start) => {
                self.memory = self.memory_per_connection();
                self.begun = charged();
                self.server.attend(from_nanos(start));
            }
            Order::Settle => {
                self.server.settle().await;
                self.cpu = charged().saturating_sub(self.begun + self.server.waiting());
            }
            Order::EndStreams => self.server.end_streams(),
            Order::ShutDown => self.server.shut_down(),
            Order::Close => bail!("closing is not done in passing"),
        }
        Ok(())
    }

    fn memory_per_connection(&self) -> Option<f64> {
        let (before, now) = (self.empty?, usage::resident()?);
        match self.server.connections() {
            0 => None,
            n => Some(now.saturating_sub(before) as f64 / n as f64),
        }
    }

    async fn close(self) -> ServerRecord {
        let used = Used {
            cpu_us: self.cpu.as_secs_f64() * 1e6,
            memory_bytes_per_connection: self.memory,
        };
        ServerRecord {
            used: Some(used),
            ..self.server.close().await
        }
    }
}

/// Processor time of all threads except this one, which only waits for orders.
fn charged() -> Duration {
    let [all, ours] = [usage::process_time(), usage::thread_time()].map(Option::unwrap_or_default);
    all.saturating_sub(ours)
}
