//! The thread that lets clients' applications talk: on time whatever clients and server are doing, as the
//! publisher is with mail. And what was heard of it.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::publisher::wait_until;
use super::role::Role;
use crate::clock;
use crate::technique::talk::{Heard, Said, Says};

/// What a server heard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Known {
    /// Messages, each counted once.
    pub heard: u64,
    /// Those that were heard again.
    pub duplicated: u64,
    /// From due to heard, microseconds.
    pub latencies_us: Vec<f64>,
}

impl Known {
    /// Reads it off what the server's application keeps, by the schedules it expected.
    pub fn of(heard: &Heard, schedules: &[Vec<Duration>], start: Option<Instant>) -> Known {
        let (count, duplicated) = heard.counts();
        let instants = heard.instants();
        let latency = |(due, at): (&Duration, &Option<Instant>)| {
            let late = (*at)?.saturating_duration_since(start? + *due);
            Some(late.as_secs_f64() * 1e6)
        };
        let each = schedules.iter().zip(&instants);
        Known {
            heard: count,
            duplicated,
            latencies_us: each
                .flat_map(|(due, at)| due.iter().zip(at).filter_map(latency))
                .collect(),
        }
    }
}

/// All that the clients of one technique have to say.
#[derive(Debug)]
pub struct Talkers {
    messages: u64,
    begin: Option<oneshot::Sender<Instant>>,
    role: Role<Vec<f64>>,
}

impl Talkers {
    /// Gets ready to tell each client what it has to say, by a schedule for each.
    ///
    /// # Errors
    /// If the thread cannot be had.
    pub fn start(
        name: &str,
        schedules: &[Vec<Duration>],
        stop: CancellationToken,
    ) -> anyhow::Result<(Talkers, Vec<Says>)> {
        let (mut queues, mut says) = (Vec::new(), Vec::new());
        let mut script = Vec::new();
        for (client, schedule) in schedules.iter().enumerate() {
            let (queue, heard) = mpsc::unbounded_channel();
            queues.push(queue);
            says.push(Says::new(heard));
            let messages = schedule.iter().zip(1..).map(|(due, say)| {
                let client = client as u64;
                (*due, Said { client, say })
            });
            script.extend(messages);
        }
        script.sort_by_key(|(due, said)| (*due, said.client, said.say));
        let (begin, known) = oneshot::channel();
        let messages = script.len() as u64;
        let role = Role::start(format!("{name} talkers"), || {
            Ok(async move {
                match known.await {
                    Ok(start) => talk(&script, &queues, start, &stop).await,
                    // Whoever would have said when to start is gone.
                    Err(_) => Vec::new(),
                }
            })
        })?;
        let talkers = Talkers {
            messages,
            begin: Some(begin),
            role,
        };
        Ok((talkers, says))
    }

    /// The schedule starts then.
    pub fn begin(&mut self, start: Instant) {
        // Nobody listens only if the talkers have panicked, which their end tells.
        let _ = self.begin.take().map(|begin| begin.send(start));
    }

    /// How many messages there are to say.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Waits for the end and says how late each message was, microseconds.
    pub async fn finish(self) -> Vec<f64> {
        drop(self.begin);
        self.role.join().await.unwrap_or_default()
    }
}

/// Hands each message over when it is due; returns how late that was.
async fn talk(
    script: &[(Duration, Said)],
    queues: &[mpsc::UnboundedSender<Said>],
    start: Instant,
    stop: &CancellationToken,
) -> Vec<f64> {
    let mut late_us = Vec::with_capacity(script.len());
    for (due, said) in script {
        let due = start + *due;
        if !wait_until(due, stop).await {
            break;
        }
        // A client that is gone says nothing more.
        let _ = queues[said.client as usize].send(*said);
        late_us.push(clock::now().saturating_duration_since(due).as_secs_f64() * 1e6);
    }
    late_us
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_client_is_told_its_own_in_order_and_on_time() {
        let ms = Duration::from_millis;
        let schedules = [vec![ms(1), ms(5)], vec![ms(1), ms(3), ms(3)]];
        let (mut talkers, mut says) = Talkers::start("test", &schedules, CancellationToken::new()).unwrap();
        assert_eq!(talkers.messages(), 5);
        let start = clock::now() + ms(10);
        talkers.begin(start);
        for (client, says) in says.iter_mut().enumerate() {
            for say in 1..=schedules[client].len() as u64 {
                let client = client as u64;
                assert_eq!(says.next().await, Some(Said { client, say }));
                assert!(clock::now() >= start + schedules[client as usize][say as usize - 1]);
            }
            assert_eq!(says.next().await, None);
        }
        assert_eq!(talkers.finish().await.len(), 5);
    }

    #[tokio::test]
    async fn a_run_that_never_starts_ends() {
        let schedules = [vec![Duration::from_secs(1_000)]];
        let (talkers, says) = Talkers::start("test", &schedules, CancellationToken::new()).unwrap();
        assert_eq!((talkers.finish().await, says.len()), (Vec::new(), 1));
        let stop = CancellationToken::new();
        let (mut talkers, _says) = Talkers::start("test", &schedules, stop.clone()).unwrap();
        talkers.begin(clock::now());
        stop.cancel();
        assert_eq!(talkers.finish().await, Vec::<f64>::new());
    }
}
