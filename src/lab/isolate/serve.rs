//! The server's end: does what it is told until it is told no more.

use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use super::super::home::{Here, Left, Used};
use super::super::{Lab, descriptors, threads, usage};
use super::{Answer, Instructions, Order, from_nanos};
use crate::outcome::FileName;
use crate::technique;

/// Serves one run on orders from `orders`, answering on `answers`; returns when it is closed or nobody
/// is left to give orders.
///
/// # Errors
/// If an answer cannot be written; what else goes wrong is answered.
pub fn serve(orders: impl BufRead, mut answers: impl Write) -> anyhow::Result<()> {
    let mut orders = orders.lines().map_while(Result::ok);
    let Some(first) = orders.next() else { return Ok(()) };
    let mut site = match Site::open(&first) {
        Ok(site) => {
            let (address, mails) = (site.here.address(), site.mails);
            say(&mut answers, &Answer::Ready { address, mails })?;
            site
        }
        Err(e) => return say(&mut answers, &Answer::Failed(crate::terminal::causes(&e))),
    };
    for order in orders {
        let answer = match serde_json::from_str(&order) {
            Ok(Order::Close) => {
                let left = site.close().map(|left| Answer::Left(Box::new(left)));
                return say(
                    &mut answers,
                    &left.unwrap_or_else(|e| Answer::Failed(crate::terminal::causes(&e))),
                );
            }
            Ok(order) => site.obey(order),
            Err(e) => Err(anyhow!(e).context(order)),
        };
        say(
            &mut answers,
            &answer.unwrap_or_else(|e| Answer::Failed(crate::terminal::causes(&e))),
        )?;
    }
    Ok(())
}

fn say(answers: &mut impl Write, answer: &Answer) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    answers.write_all(&line)?;
    answers.flush().context("nobody hears the server's answers")
}

/// The server and what it used until now.
struct Site {
    here: Here,
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
        // What is filled only once is not the price of a connection.
        lab.warm_up(&[technique])?;
        Ok(Site {
            here: Here::start(&lab, technique)?,
            mails: lab.plan.mails.len(),
            empty: usage::resident(),
            memory: None,
            begun: Duration::ZERO,
            cpu: Duration::ZERO,
        })
    }

    fn obey(&mut self, order: Order) -> anyhow::Result<Answer> {
        match order {
            Order::Status => return Ok(Answer::Status(self.here.status())),
            Order::Publish(start) => {
                self.memory = self.memory_per_connection();
                self.here.publish(from_nanos(start))?;
                self.begun = charged();
            }
            Order::Settle => {
                threads::block_on(self.here.settle())?;
                self.cpu = charged().saturating_sub(self.begun + self.here.waiting());
            }
            Order::EndStreams => self.here.end_streams(),
            Order::ShutDown => self.here.shut_down(),
            Order::Close => bail!("closing is not done in passing"),
        }
        Ok(Answer::Done)
    }

    fn memory_per_connection(&self) -> Option<f64> {
        let (before, now) = (self.empty?, usage::resident()?);
        match self.here.connections() {
            0 => None,
            n => Some(now.saturating_sub(before) as f64 / n as f64),
        }
    }

    fn close(self) -> anyhow::Result<Left> {
        let used = Used {
            cpu_us: self.cpu.as_secs_f64() * 1e6,
            memory_bytes_per_connection: self.memory,
        };
        Ok(Left {
            used: Some(used),
            ..threads::block_on(self.here.close())?
        })
    }
}

/// Processor time of all threads but this one, which only listens for orders.
fn charged() -> Duration {
    let [all, ours] = [usage::process_time(), usage::thread_time()].map(Option::unwrap_or_default);
    all.saturating_sub(ours)
}
