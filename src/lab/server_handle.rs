//! The server's side of a run: mailbox, publisher, server and byte counts, in this process or in one of
//! their own. The code that runs a technique need not know which.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Lab;
use super::isolate::ServerProcess;
use super::publisher::{self, Published};
use super::role::Role;
use super::server::{Handler, Limits, Server};
use super::server_record::{ServerRecord, Status};
use super::talk::Known;
use crate::link::{Ledger, Network, tls};
use crate::mail::{self, Epoch, LogAt, Mailbox, Plan};
use crate::outcome::Latency;
use crate::stats;
use crate::technique::talk::{self, ReceivedMessages};
use crate::technique::{self, BODY_TIMEOUT, Service, Technique};

/// The server of a run, wherever it is.
#[derive(Debug)]
pub enum ServerHandle {
    /// In this process, on threads of its own.
    Local(Box<LocalServer>),
    /// In a process of its own.
    Process(Box<ServerProcess>),
}

impl ServerHandle {
    /// Starts the server of a technique, over the log that [`Lab::open_log`] chose for the run.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn open(lab: &Lab, technique: &'static Technique, log: &LogAt) -> anyhow::Result<ServerHandle> {
        Ok(match &lab.isolate {
            Some(executable) => {
                ServerHandle::Process(Box::new(ServerProcess::start(executable, lab, technique, log)?))
            }
            None => ServerHandle::Local(Box::new(LocalServer::start(lab, technique, log)?)),
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        match self {
            ServerHandle::Local(server) => server.address(),
            ServerHandle::Process(server) => server.address(),
        }
    }

    /// The network that its clients' connections use.
    pub fn network(&self) -> technique::Network {
        match self {
            ServerHandle::Local(server) => server.network(),
            ServerHandle::Process(_) => technique::Network::Sockets,
        }
    }

    /// How far it has come.
    ///
    /// # Errors
    /// If its process is gone. This is true of everything below.
    pub fn status(&mut self) -> anyhow::Result<Status> {
        match self {
            ServerHandle::Local(server) => Ok(server.status()),
            ServerHandle::Process(server) => server.status(),
        }
    }

    /// Waits until its status satisfies `is`, and returns that status. While mail arrives, a server in a
    /// process of its own does not report its status.
    pub async fn until(&mut self, is: impl Fn(&Status) -> bool) -> anyhow::Result<Status> {
        match self {
            ServerHandle::Local(server) => Ok(server.until(is).await),
            ServerHandle::Process(server) => server.until(is).await,
        }
    }

    /// Lets mail arrive on a schedule that starts at `start`.
    pub fn publish(&mut self, start: Instant) -> anyhow::Result<()> {
        match self {
            ServerHandle::Local(server) => server.publish(start),
            ServerHandle::Process(server) => server.publish(start),
        }
    }

    /// Stops the publisher: no more mail arrives.
    pub async fn settle(&mut self) -> anyhow::Result<()> {
        match self {
            ServerHandle::Local(server) => {
                server.settle().await;
                Ok(())
            }
            ServerHandle::Process(server) => server.settle(),
        }
    }

    /// Ends every open stream from the server's side; the server keeps running.
    pub fn end_streams(&mut self) -> anyhow::Result<()> {
        match self {
            ServerHandle::Local(server) => {
                server.end_streams();
                Ok(())
            }
            ServerHandle::Process(server) => server.end_streams(),
        }
    }

    /// Ends every open stream from the server's side, and accepts no more connections.
    pub fn shut_down(&mut self) -> anyhow::Result<()> {
        match self {
            ServerHandle::Local(server) => {
                server.shut_down();
                Ok(())
            }
            ServerHandle::Process(server) => server.shut_down(),
        }
    }

    /// Ends the server, and returns what it recorded.
    pub async fn close(self) -> anyhow::Result<ServerRecord> {
        match self {
            ServerHandle::Local(server) => Ok(server.close().await),
            ServerHandle::Process(server) => server.close(),
        }
    }
}

/// The server's side of a run in this process.
#[derive(Debug)]
pub struct LocalServer {
    name: &'static str,
    plan: Arc<Plan>,
    mailbox: Arc<Mailbox>,
    ledger: Arc<Ledger>,
    replies: Arc<watch::Sender<u64>>,
    received: Arc<ReceivedMessages>,
    schedules: Vec<Vec<Duration>>,
    clients_publish: bool,
    start: Option<Instant>,
    server: Server,
    streams: CancellationToken,
    halt: CancellationToken,
    publisher: Option<Role<Published>>,
    published: Published,
}

impl LocalServer {
    /// Starts the server of a technique, over this log.
    ///
    /// # Errors
    /// If its port, thread or runtime is not available, or the log cannot be opened.
    pub fn start(lab: &Lab, technique: &'static Technique, log: &LogAt) -> anyhow::Result<LocalServer> {
        let (shutdown, streams) = (CancellationToken::new(), CancellationToken::new());
        let link = &lab.scenario.link;
        let patience = link.patience();
        let schedules = talk::schedules(&lab.scenario, lab.plan.span());
        let service = Service {
            mailbox: mail::open(log, &lab.scenario, Epoch::of_seed(lab.scenario.seed))?,
            scenario: lab.scenario.clone(),
            headers: lab.headers.clone(),
            shutdown: streams.clone(),
            replies: Arc::default(),
            received: Arc::new(ReceivedMessages::expecting(schedules.iter().map(Vec::len))),
            body_timeout: BODY_TIMEOUT + patience,
            tuning: lab.tuning,
            subprotocols: Arc::default(),
        };
        let (mailbox, replies) = (service.mailbox.clone(), service.replies.clone());
        let received = service.received.clone();
        let ledger = Ledger::new(lab.cuts.clone());
        let ledger = Arc::new(match &lab.recordings {
            Some(recordings) => ledger.recorded(recordings.of(technique.name)),
            None => ledger,
        });
        let (books, seed) = (ledger.clone(), lab.scenario.seed);
        let network = match &lab.vanish {
            Some(vanish) => Network::vanishing(books, link, seed, vanish.clone()),
            None => Network::new(books, link, seed),
        }
        .context("cannot start the clock of the simulated link")?
        .with_send_buffer(lab.scenario.socket_buffer());
        let network = match &lab.identity {
            Some(identity) => {
                let alpn = vec![tls::alpn(lab.scenario.http)];
                network.encrypted(identity.server(alpn, &ledger)?)
            }
            None => network,
        };
        let limits = Limits::of(&lab.scenario);
        let handler = Handler::new(technique, service).dated(lab.simulated);
        let address = lab.address();
        Ok(LocalServer {
            name: technique.name,
            plan: lab.plan.clone(),
            mailbox,
            replies,
            received,
            schedules,
            clients_publish: technique.publishers(&lab.scenario) > 0,
            start: None,
            server: Server::start_at(address, technique.name, handler, limits, network, shutdown)?,
            ledger,
            streams,
            halt: lab.interrupt.child_token(),
            publisher: None,
            published: Published::default(),
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// The network that its clients' connections use.
    pub fn network(&self) -> technique::Network {
        match self.server.dialler.clone() {
            None => technique::Network::Sockets,
            Some(dialler) => technique::Network::Simulated(Arc::new(move || Ok(Box::new(dialler.dial()?)))),
        }
    }

    /// How far it has come.
    pub fn status(&self) -> Status {
        Status {
            watchers: self.mailbox.watchers(),
            requests: self.ledger.requests(),
            bytes: self.ledger.bytes(),
            replies: *self.replies.borrow(),
            heard: self.received.counts().0,
            connections: self.ledger.open(),
        }
    }

    /// Waits until its status satisfies `is`, and returns that status.
    pub async fn until(&self, is: impl Fn(&Status) -> bool) -> Status {
        let mut replies = self.replies.subscribe();
        loop {
            // Mark it before reading the status, or a change in between would be missed.
            replies.mark_unchanged();
            let watchers = self.mailbox.watchers_change();
            let (crossed, received) = (self.ledger.changes(), self.received.changes());
            let status = self.status();
            if is(&status) {
                return status;
            }
            tokio::select! {
                biased;
                () = watchers => {}
                () = crossed => {}
                () = received => {}
                _ = replies.changed() => {}
            }
        }
    }

    /// Connections open now.
    pub fn connections(&self) -> u64 {
        self.ledger.open()
    }

    /// Starts the publisher, unless clients publish.
    ///
    /// # Errors
    /// If its thread cannot be started.
    pub fn publish(&mut self, start: Instant) -> anyhow::Result<()> {
        self.start = Some(start);
        if self.clients_publish {
            return Ok(());
        }
        let (mailbox, plan, halt) = (self.mailbox.clone(), self.plan.clone(), self.halt.clone());
        let role = Role::start(format!("{} publisher", self.name), || {
            Ok(async move { publisher::publish(&mailbox, &plan, start, &halt).await })
        })?;
        self.publisher = Some(role);
        Ok(())
    }

    /// Stops the publisher.
    pub async fn settle(&mut self) {
        self.halt.cancel();
        if let Some(publisher) = self.publisher.take() {
            // It panics only if this program has a bug. Then nothing was sent, and the delivery counts show it.
            self.published = publisher.join().await.unwrap_or_default();
        }
    }

    /// Processor time that the publisher spent waiting for the next mail: no server has to do that.
    pub fn waiting(&self) -> std::time::Duration {
        self.published.waiting
    }

    /// Ends every open stream; the server keeps running.
    pub fn end_streams(&self) {
        self.streams.cancel();
    }

    /// Ends every open stream, and accepts no more connections.
    pub fn shut_down(&self) {
        // The server's token goes first, so that an answer that ends because of the second says
        // `Connection: close`. A child token would be cancelled before its parent.
        self.server.shutdown.cancel();
        self.streams.cancel();
    }

    /// Ends publisher and server, and returns what was recorded.
    pub async fn close(mut self) -> ServerRecord {
        self.settle().await;
        self.shut_down();
        let proxies = std::mem::take(&mut self.server.proxies);
        self.server.stopped().await;
        let talk = !self.schedules.is_empty();
        let mut late_us = self.published.late_us;
        ServerRecord {
            sent: late_us.len() as u64,
            replies: *self.replies.borrow(),
            talk: talk.then(|| Known::of(&self.received, &self.schedules, self.start)),
            late_us: stats::summarize(&mut late_us).map(Latency::from),
            totals: self.ledger.totals(),
            proxies: proxies
                .iter()
                .map(|(proxy, counts)| counts.so_far(&proxy.name))
                .collect(),
            opened: self.ledger.opened(),
            peak: self.ledger.peak(),
            open: self.ledger.open(),
            used: None,
            backlogged: self.mailbox.backlog().counted(),
        }
    }
}
