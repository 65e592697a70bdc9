//! Messages that a client's application sends while mail arrives (`--talk`).
//!
//! ```text
//! client                              server
//!   :                                   :  <- mail, on a schedule
//!   {"client":0,"say":1}                    <- messages, on a schedule of their own
//! ```
//!
//! Like mail, messages are open loop: their instants are fixed before the run, and a message that cannot be
//! sent yet waits, which counts as latency. The technique decides how it is sent: as a message on the open
//! connection, or as a request (`POST /say`).

use std::time::{Duration, Instant};

use anyhow::bail;
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};
use serde::{Deserialize, Serialize};
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, mpsc};

use super::quantities::rate_text;
use crate::clock;
use crate::lang::t;
use crate::outcome::{Arrivals, Scenario};

/// A message of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientMessage {
    /// The index of the client, from 0.
    pub client: u64,
    /// The number of the message among this client's messages, from 1.
    pub say: u64,
}

impl ClientMessage {
    /// The JSON: `{"client":0,"say":7}`.
    pub fn json(self) -> String {
        let ClientMessage { client, say } = self;
        format!(r#"{{"client":{client},"say":{say}}}"#)
    }
}

/// The first random stream of the seed for messages: mail uses stream 0, phases the streams from 1, and links
/// the upper half.
const STREAMS: u64 = 1 << 62;

/// The most messages of all clients together, since each is kept until the run is over.
const MAX_MESSAGES: f64 = 1e6;

/// Checks how many messages the clients of a scenario send until the last mail is due.
///
/// # Errors
/// If there are too many.
pub fn check(scenario: &Scenario, until: Duration) -> anyhow::Result<()> {
    let rate = scenario.talk_per_s.unwrap_or(0.0);
    let messages = rate * until.as_secs_f64() * scenario.clients as f64;
    if messages > MAX_MESSAGES {
        bail!(t!(
            "%{clients} clients that talk %{rate} for %{s} s say %{messages} messages; allowed are %{most}: use a lower --talk, fewer --clients or fewer --mails",
            clients = scenario.clients,
            rate = rate_text(rate),
            s = format!("{:.0}", until.as_secs_f64()),
            messages = format!("{messages:.0}"),
            most = format!("{MAX_MESSAGES:.0}")
        ));
    }
    Ok(())
}

/// When each message of each client is due, counted from the schedule's start: at the rate of `--talk`,
/// distributed like mail, until the last mail is due. Empty without `--talk`.
pub fn schedules(scenario: &Scenario, until: Duration) -> Vec<Vec<Duration>> {
    let Some(rate) = scenario.talk_per_s else {
        return Vec::new();
    };
    (0..scenario.clients)
        .map(|client| schedule(scenario, rate, until, client))
        .collect()
}

fn schedule(scenario: &Scenario, rate: f64, until: Duration, client: usize) -> Vec<Duration> {
    let mut rng = ChaCha8Rng::seed_from_u64(scenario.seed);
    rng.set_stream(STREAMS | client as u64);
    let group = match scenario.arrivals {
        Arrivals::Burst(k) => k as usize,
        Arrivals::Poisson | Arrivals::Steady => 1,
    };
    let random = Exp::new(rate / group as f64).ok();
    let random = random.filter(|_| scenario.arrivals != Arrivals::Steady);
    // At a steady rate each client has its own phase; otherwise all messages would coincide with mail.
    let mut due = if random.is_none() {
        (rng.random::<f64>() - 1.0) / rate
    } else {
        0.0
    };
    let instants = std::iter::from_fn(|| {
        due += match &random {
            Some(exponential) => exponential.sample(&mut rng),
            None => 1.0 / rate,
        };
        Some(Duration::from_secs_f64(due)).filter(|due| *due <= until)
    });
    instants.flat_map(|due| std::iter::repeat_n(due, group)).collect()
}

/// The queue of messages that a client sends, each at the instant it is due.
#[derive(Debug, Default)]
pub struct MessageQueue(Option<mpsc::UnboundedReceiver<ClientMessage>>);

impl MessageQueue {
    /// Reads from a queue. The default has no messages.
    pub fn new(queue: mpsc::UnboundedReceiver<ClientMessage>) -> MessageQueue {
        MessageQueue(Some(queue))
    }

    /// Waits for the next message; `None` after the last one. Cancellation loses nothing.
    pub async fn next(&mut self) -> Option<ClientMessage> {
        self.0.as_mut()?.recv().await
    }

    /// Waits for the next message, or for ever after the last one.
    pub async fn next_if_any(&mut self) -> ClientMessage {
        match self.next().await {
            Some(message) => message,
            None => std::future::pending().await,
        }
    }
}

/// The messages that the server's application has received, and when.
#[derive(Debug, Default)]
pub struct ReceivedMessages {
    messages: Mutex<Messages>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Messages {
    /// The instant at which each message first arrived, by client and number.
    first: Vec<Vec<Option<Instant>>>,
    heard: u64,
    duplicated: u64,
}

impl ReceivedMessages {
    /// Expects this number of messages from each client; other messages are not kept.
    pub fn expecting(messages: impl Iterator<Item = usize>) -> ReceivedMessages {
        let messages = Messages {
            first: messages.map(|n| vec![None; n]).collect(),
            ..Messages::default()
        };
        ReceivedMessages {
            messages: Mutex::new(messages),
            changed: Notify::new(),
        }
    }

    /// Records a decoded message that the application holds.
    pub fn record(&self, message: ClientMessage) {
        let now = clock::now();
        let mut messages = self.messages.lock();
        let index = |n: u64| usize::try_from(n).ok();
        let place = index(message.client).zip(index(message.say).and_then(|n| n.checked_sub(1)));
        let slot = place.and_then(|(client, n)| messages.first.get_mut(client)?.get_mut(n));
        match slot {
            None => {}
            Some(Some(_)) => messages.duplicated += 1,
            Some(first) => {
                *first = Some(now);
                messages.heard += 1;
            }
        }
        drop(messages);
        self.changed.notify_waiters();
    }

    /// Waits for a message received after this call.
    pub fn changes(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// The number of messages received, and how many of them were duplicates.
    pub fn counts(&self) -> (u64, u64) {
        let messages = self.messages.lock();
        (messages.heard, messages.duplicated)
    }

    /// When each message first arrived, by client and number.
    pub fn instants(&self) -> Vec<Vec<Option<Instant>>> {
        self.messages.lock().first.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(arrivals: Arrivals, seed: u64) -> Scenario {
        Scenario {
            arrivals,
            seed,
            clients: 3,
            talk_per_s: Some(50.0),
            ..Scenario::default()
        }
    }

    const LONG: Duration = Duration::from_secs(400);

    #[test]
    fn every_client_keeps_the_rate_on_a_schedule_of_its_own() {
        for arrivals in [Arrivals::Poisson, Arrivals::Steady, Arrivals::Burst(5)] {
            let schedules = schedules(&scenario(arrivals, 3), LONG);
            assert_eq!(schedules.len(), 3);
            assert!(schedules[0] != schedules[1] && schedules[1] != schedules[2]);
            for due in schedules {
                assert!(due.is_sorted() && due.iter().all(|d| *d <= LONG));
                assert!(
                    (due.len() as f64 / 20_000.0 - 1.0).abs() < 0.05,
                    "{arrivals}: {}",
                    due.len()
                );
            }
        }
    }

    #[test]
    fn the_seed_decides() {
        let drawn = |seed| schedules(&scenario(Arrivals::Poisson, seed), LONG);
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        let silent = Scenario {
            talk_per_s: None,
            ..scenario(Arrivals::Poisson, 1)
        };
        assert!(schedules(&silent, LONG).is_empty());
    }

    #[test]
    fn a_steady_pace_is_even_and_a_burst_is_one_instant() {
        let due = &schedules(&scenario(Arrivals::Steady, 1), LONG)[1];
        let gaps: Vec<f64> = due.windows(2).map(|d| (d[1] - d[0]).as_secs_f64()).collect();
        assert!(gaps.iter().all(|gap| (gap - 0.02).abs() < 1e-6));
        assert!(due[0] <= Duration::from_millis(20));
        let due = &schedules(&scenario(Arrivals::Burst(4), 1), LONG)[0];
        assert!(
            due.chunks(4)
                .all(|burst| burst.len() == 4 && burst.iter().all(|d| *d == burst[0]))
        );
    }

    #[test]
    fn what_is_heard_is_counted_once_and_again() {
        let received = ReceivedMessages::expecting([2, 1].into_iter());
        let message = |client, say| ClientMessage { client, say };
        for (client, say) in [
            (0, 2),
            (1, 1),
            (0, 2),
            (1, 2),
            (2, 1),
            (0, 0),
            (u64::MAX, u64::MAX),
        ] {
            received.record(message(client, say));
        }
        assert_eq!(received.counts(), (2, 1));
        let there: Vec<Vec<bool>> = received
            .instants()
            .iter()
            .map(|c| c.iter().map(Option::is_some).collect())
            .collect();
        assert_eq!(there, [vec![false, true], vec![true]]);
        ReceivedMessages::default().record(message(0, 1));
    }

    #[test]
    fn a_message_is_read_as_what_it_is_only() {
        let message = ClientMessage { client: 12, say: 7 };
        assert_eq!(message.json(), r#"{"client":12,"say":7}"#);
        assert_eq!(
            serde_json::from_str::<ClientMessage>(&message.json()).unwrap(),
            message
        );
        for other in [r#"{"read":1}"#, r#"{"say":1}"#, r#"{"client":-1,"say":1}"#] {
            assert!(serde_json::from_str::<ClientMessage>(other).is_err(), "{other}");
        }
    }

    #[tokio::test]
    async fn who_has_nothing_to_say_is_done() {
        assert_eq!(MessageQueue::default().next().await, None);
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut queue = MessageQueue::new(receiver);
        sender.send(ClientMessage { client: 0, say: 1 }).unwrap();
        drop(sender);
        assert_eq!(queue.next_if_any().await.say, 1);
        assert_eq!(queue.next().await, None);
    }
}
