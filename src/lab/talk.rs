//! The thread that makes clients' applications talk: on time whatever clients and server are doing, as the
//! publisher is with mail. It also collects what the server got of that.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::publisher::wait_until;
use super::role::Role;
use crate::clock;
use crate::technique::talk::{ClientMessage, MessageQueue, ReceivedMessages};

/// What became of clients' messages at the server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Known {
    /// Messages that arrived, each counted once.
    pub heard: u64,
    /// Messages that arrived again.
    pub duplicated: u64,
    /// The time from due to arrival, in microseconds.
    pub latencies_us: Vec<f64>,
}

impl Known {
    /// Reads it from what the server's application recorded, by the schedules of the messages.
    pub fn of(received: &ReceivedMessages, schedules: &[Vec<Duration>], start: Option<Instant>) -> Known {
        let (count, duplicated) = received.counts();
        let instants = received.instants();
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

    /// What became of the messages at two servers, each of which got others.
    pub fn plus(mut self, other: Known) -> Known {
        self.latencies_us.extend(other.latencies_us);
        Known {
            heard: self.heard + other.heard,
            duplicated: self.duplicated + other.duplicated,
            latencies_us: self.latencies_us,
        }
    }
}

/// Hands out the messages of one technique's clients.
#[derive(Debug)]
pub struct Talkers {
    messages: u64,
    begin: Option<oneshot::Sender<Instant>>,
    role: Role<Vec<f64>>,
}

impl Talkers {
    /// Gets ready to give each client its messages, by a schedule for each.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(
        name: &str,
        schedules: &[Vec<Duration>],
        stop: CancellationToken,
    ) -> anyhow::Result<(Talkers, Vec<MessageQueue>)> {
        let (mut senders, mut queues) = (Vec::new(), Vec::new());
        let mut script = Vec::new();
        for (client, schedule) in schedules.iter().enumerate() {
            let (sender, receiver) = mpsc::unbounded_channel();
            senders.push(sender);
            queues.push(MessageQueue::new(receiver));
            let messages = schedule.iter().zip(1..).map(|(due, say)| {
                let client = client as u64;
                (*due, ClientMessage { client, say })
            });
            script.extend(messages);
        }
        script.sort_by_key(|(due, message)| (*due, message.client, message.say));
        let (begin, known) = oneshot::channel();
        let messages = script.len() as u64;
        let role = Role::start(format!("{name} talkers"), || {
            Ok(async move {
                match known.await {
                    Ok(start) => talk(&script, &senders, start, &stop).await,
                    // The run ended before it started.
                    Err(_) => Vec::new(),
                }
            })
        })?;
        let talkers = Talkers {
            messages,
            begin: Some(begin),
            role,
        };
        Ok((talkers, queues))
    }

    /// Tells when the schedule starts.
    pub fn begin(&mut self, start: Instant) {
        // Nobody listens only if the thread has panicked, which its end will show.
        let _ = self.begin.take().map(|begin| begin.send(start));
    }

    /// How many messages there are in all.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Waits for the end and returns how late each message was, in microseconds.
    pub async fn finish(self) -> Vec<f64> {
        drop(self.begin);
        self.role.join().await.unwrap_or_default()
    }
}

/// Hands out each message when it is due; returns how late each was, in microseconds.
async fn talk(
    script: &[(Duration, ClientMessage)],
    senders: &[mpsc::UnboundedSender<ClientMessage>],
    start: Instant,
    stop: &CancellationToken,
) -> Vec<f64> {
    let mut late_us = Vec::with_capacity(script.len());
    for (due, message) in script {
        let due = start + *due;
        if !wait_until(due, stop).await {
            break;
        }
        // A client that is gone sends nothing more.
        let _ = senders[message.client as usize].send(*message);
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
        let (mut talkers, mut queues) = Talkers::start("test", &schedules, CancellationToken::new()).unwrap();
        assert_eq!(talkers.messages(), 5);
        let start = clock::now() + ms(10);
        talkers.begin(start);
        for (client, queue) in queues.iter_mut().enumerate() {
            for say in 1..=schedules[client].len() as u64 {
                let client = client as u64;
                assert_eq!(queue.next().await, Some(ClientMessage { client, say }));
                assert!(clock::now() >= start + schedules[client as usize][say as usize - 1]);
            }
            assert_eq!(queue.next().await, None);
        }
        assert_eq!(talkers.finish().await.len(), 5);
    }

    #[tokio::test]
    async fn a_run_that_never_starts_ends() {
        let schedules = [vec![Duration::from_secs(1_000)]];
        let (talkers, queues) = Talkers::start("test", &schedules, CancellationToken::new()).unwrap();
        assert_eq!((talkers.finish().await, queues.len()), (Vec::new(), 1));
        let stop = CancellationToken::new();
        let (mut talkers, _queues) = Talkers::start("test", &schedules, stop.clone()).unwrap();
        talkers.begin(clock::now());
        stop.cancel();
        assert_eq!(talkers.finish().await, Vec::<f64>::new());
    }
}
