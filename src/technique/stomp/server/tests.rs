//! Tests of the heart-beat timeout, in simulated time: a client over a pipe in memory.

use futures_util::{SinkExt, StreamExt};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::mail::{Cursor, Epoch, Mail, Mailbox};
use crate::outcome::Scenario;
use crate::technique::BODY_TIMEOUT;
use crate::technique::stomp::frames;
use crate::wire::stomp::{Command, Frame as SentFrame};

/// The heart-beat interval of both sides, and after how long the broker considers a client gone.
const EVERY: Duration = Duration::from_millis(600);
const OVERDUE: Duration = Duration::from_millis(1_200);

/// How late tokio's timers may be.
const TICK: Duration = Duration::from_millis(2);

/// The client's end of a session, and the broker's task.
struct Ends {
    client: ws::Socket,
    server: JoinHandle<()>,
    mailbox: Arc<Mailbox>,
}

/// A client that is connected and subscribed, over a pipe with this capacity in each direction.
async fn subscribed(pipe: usize) -> Ends {
    let scenario = Scenario {
        heartbeat_ms: EVERY.as_secs_f64() * 1e3,
        topics: vec!["inbox".into()],
        ..Scenario::default()
    };
    let mailbox = Arc::new(Mailbox::of(&scenario, Epoch::of_seed(1)));
    let broker = Broker::new(mailbox.clone(), scenario.topics.clone(), BrokerLimits::default());
    let service = Service {
        mailbox: mailbox.clone(),
        scenario: Arc::new(scenario),
        headers: Arc::default(),
        shutdown: Default::default(),
        replies: Arc::default(),
        received: Arc::default(),
        body_timeout: BODY_TIMEOUT,
        tuning: Default::default(),
        subprotocols: Arc::default(),
    };
    let server = Server {
        broker: Arc::new(broker),
        service,
    };
    let (ours, theirs) = tokio::io::duplex(pipe);
    let server = tokio::spawn(speak(server, Box::new(ours)));
    let client = ws::ask_over(Box::new(theirs), &[]).await;
    let mut ends = Ends {
        client,
        server,
        mailbox,
    };
    ends.say(&frames::connect("localhost", EVERY)).await;
    assert!(ends.hear().await.starts_with("CONNECTED\n"));
    ends.say(&frames::subscribe(0, "inbox", Cursor::FIRST)).await;
    ends
}

impl Ends {
    async fn say(&mut self, frame: &SentFrame) {
        let bytes = frame.to_bytes(Version::V1_2);
        self.client.send(Message::Binary(bytes)).await.unwrap();
    }

    async fn beat(&mut self) {
        self.client.send(Message::text("\n")).await.unwrap();
    }

    async fn hear(&mut self) -> String {
        self.client
            .next()
            .await
            .unwrap()
            .unwrap()
            .into_text()
            .unwrap()
            .to_string()
    }

    /// Sends and reads nothing more; returns how long the broker keeps the session.
    async fn vanish(self) -> Duration {
        let since = Instant::now();
        let server = tokio::time::timeout(100 * OVERDUE, self.server).await;
        server.expect("a client that is gone is kept").unwrap();
        since.elapsed()
    }
}

fn append(mailbox: &Mailbox, size: usize, rng: &mut ChaCha8Rng) {
    mailbox.append_next(|id| (Mail::made_up(id, size, Bytes::new(), rng), None));
}

/// A client that receives mail at some rate for a while, sends something now and then, and vanishes. Returns
/// how long after its last message the broker dropped it.
async fn lived_and_vanished(seed: u64) -> Duration {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut ends = subscribed(1 << rng.random_range(9..17)).await;
    let mut last = Instant::now();
    let dies = last + Duration::from_millis(rng.random_range(0..2_000));
    let (between, size) = (rng.random_range(3..1_000), rng.random_range(100..2_000));
    let (mailbox, mut rolls) = (ends.mailbox.clone(), ChaCha8Rng::seed_from_u64(!seed));
    let publisher = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(rolls.random_range(0..2 * between))).await;
            append(&mailbox, size, &mut rolls);
        }
    });
    let pause = |rng: &mut ChaCha8Rng| Duration::from_millis(rng.random_range(0..EVERY.as_millis() as u64));
    let mut next = last + pause(&mut rng);
    loop {
        tokio::select! {
            biased;
            heard = ends.client.next() => assert!(heard.unwrap().is_ok()),
            () = tokio::time::sleep_until(next) => {
                ends.beat().await;
                last = Instant::now();
                next = last + pause(&mut rng);
            }
            () = tokio::time::sleep_until(dies) => break,
        }
    }
    ends.vanish().await;
    publisher.abort();
    last.elapsed()
}

#[tokio::test(start_paused = true)]
async fn who_vanishes_is_missed_in_time_whatever_there_is_to_say() {
    for seed in 0..150 {
        let held = lived_and_vanished(seed).await;
        assert!((OVERDUE..=OVERDUE + TICK).contains(&held), "{seed}: {held:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_reads_nothing_is_kept_as_long_as_it_is_heard() {
    let mut ends = subscribed(4_096).await;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    (0..50).for_each(|_| append(&ends.mailbox, 1_000, &mut rng));
    for _ in 0..20 {
        tokio::time::sleep(EVERY).await;
        ends.beat().await;
    }
    assert!(!ends.server.is_finished());
    // What it sends meanwhile is handled later, and not lost.
    ends.say(
        &SentFrame::new(Command::Begin)
            .with("transaction", "1")
            .with("receipt", "begun"),
    )
    .await;
    tokio::time::sleep(3 * OVERDUE).await;
    let (mut mails, mut receipts) = (0, 0);
    while receipts == 0 {
        let heard = ends.hear().await;
        mails += usize::from(heard.starts_with("MESSAGE\n"));
        receipts += usize::from(heard.starts_with("RECEIPT\n"));
    }
    while mails < 50 {
        mails += usize::from(ends.hear().await.starts_with("MESSAGE\n"));
    }
    ends.beat().await;
    let held = ends.vanish().await;
    assert!((OVERDUE..=OVERDUE + TICK).contains(&held), "{held:?}");
}

/// The broker checks after the deadline, but the heart-beat has arrived before the check.
#[tokio::test(start_paused = true)]
async fn who_was_heard_too_late_was_heard() {
    let mut ends = subscribed(64 * 1_024).await;
    for _ in 0..40 {
        ends.beat().await;
        tokio::time::advance(OVERDUE + TICK).await;
        tokio::time::sleep(TICK).await;
        assert!(!ends.server.is_finished(), "it was the broker that was late");
    }
}
