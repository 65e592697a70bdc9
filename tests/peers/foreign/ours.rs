//! The other way round: our client half under a server that we did not write.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mailcall::mail::Plan;
use mailcall::outcome::Scenario;
use mailcall::technique::talk::MessageQueue;
use mailcall::technique::{self, Client, Headers, Inbox, Origin, Record, Start};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Peer, Talk};

/// Our client half on a thread of its own.
pub struct Ours {
    mails: usize,
    inbox: Inbox,
    complete: watch::Receiver<u64>,
    stop: CancellationToken,
    thread: JoinHandle<anyhow::Result<()>>,
    // Dropping it would tell the client that its start will never be known.
    _start: watch::Sender<Option<Instant>>,
}

/// Starts a server, tells it all mail there is, and sends our client there.
pub fn under(peer: &Peer, argument: &str, technique: &str, scenario: &Scenario) -> (Talk, Ours) {
    let mails = Plan::draw(scenario).unwrap().mails;
    let mut server = peer.start_untold(argument);
    for planned in &mails {
        server.order(std::str::from_utf8(&planned.mail.text()).unwrap());
    }
    server.hang_up();
    let port = server.next().unwrap().replace("port ", "");
    let ours = Ours::start(technique, format!("127.0.0.1:{port}"), mails.len(), scenario);
    (server, ours)
}

impl Ours {
    fn start(technique: &str, authority: String, mails: usize, scenario: &Scenario) -> Ours {
        let (start, known) = watch::channel(Some(Instant::now()));
        let (complete, completed) = watch::channel(0);
        let due: Vec<Duration> = vec![Duration::ZERO; mails];
        let inbox = Inbox::new(due.into(), Start::new(known.clone()), 0, complete);
        let stop = CancellationToken::new();
        let client = Client {
            number: 0,
            origin: Origin::plain(authority),
            network: Default::default(),
            tab: Default::default(),
            cookies: Default::default(),
            tls: None,
            scenario: Arc::new(Scenario {
                reply: true,
                ..scenario.clone()
            }),
            headers: Arc::new(Headers::default()),
            inbox: inbox.clone(),
            messages: MessageQueue::default(),
            outbox: None,
            start: Start::new(known),
            reconnect: Default::default(),
            stop: stop.clone(),
        };
        let run = technique::named(technique).unwrap().client;
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(run(client))
        });
        Ours {
            mails,
            inbox,
            complete: completed,
            stop,
            thread,
            _start: start,
        }
    }

    pub fn is_complete(&self) -> bool {
        *self.complete.borrow() == 1
    }

    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// When it has ended: it has every mail, once and in order.
    pub fn ended(self) -> Record {
        self.thread.join().unwrap().unwrap();
        let record = self.inbox.record();
        let all = self.mails as u64;
        assert_eq!(record.latencies_us.len(), self.mails);
        assert_eq!(
            (
                record.cursor.number,
                record.delivered,
                record.duplicated,
                record.reordered,
                record.gap
            ),
            (all, all, 0, 0, 0)
        );
        record
    }
}
