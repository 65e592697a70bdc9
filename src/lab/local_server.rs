//! The server's side of a run in this process: mailbox, publisher, server and byte counts. It can go away and come back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use parking_lot::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;

use super::Lab;
use super::entrance;
use super::listener::Place;
use super::publisher::{self, Published};
use super::role::Role;
use super::server::{Handler, Limits, Server};
use super::server_record::{ServerRecord, Status};
use super::talk::Known;
use crate::lang::t;
use crate::link::Ledger;
use crate::link::memory::Dialler;
use crate::mail::{self, Epoch, LogAt, Mailbox};
use crate::outcome::Latency;
use crate::stats;
use crate::technique::talk::{self, ReceivedMessages};
use crate::technique::{self, BODY_TIMEOUT, Service, Technique};

/// The server's side of a run in this process.
#[derive(Debug)]
pub struct LocalServer {
    technique: &'static Technique,
    /// What it was started from, for a server that comes back.
    lab: Lab,
    service: Service,
    /// The log that mail is appended to.
    log: Arc<RwLock<Arc<Mailbox>>>,
    ledger: Arc<Ledger>,
    schedules: Vec<Vec<Duration>>,
    start: Option<Instant>,
    address: SocketAddr,
    /// Opens connections to the server that runs, in a simulated run.
    dialler: Arc<Mutex<Option<Dialler>>>,
    /// `Err` with the place where it listened, while it is away.
    server: Result<Server, Option<Place>>,
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
        let epoch = Epoch::of_seed(lab.scenario.seed);
        LocalServer::over(lab, technique, mail::open(log, &lab.scenario, epoch)?)
    }

    /// The same over a log that is open already, which other servers of this process may share.
    ///
    /// # Errors
    /// As for [`LocalServer::start`].
    pub fn over(
        lab: &Lab,
        technique: &'static Technique,
        mailbox: Arc<Mailbox>,
    ) -> anyhow::Result<LocalServer> {
        LocalServer::counting(lab, technique, mailbox, entrance::ledger(lab, technique))
    }

    /// The same with this ledger.
    ///
    /// # Errors
    /// As for [`LocalServer::start`].
    pub fn counting(
        lab: &Lab,
        technique: &'static Technique,
        mailbox: Arc<Mailbox>,
        ledger: Ledger,
    ) -> anyhow::Result<LocalServer> {
        let schedules = talk::schedules(&lab.scenario, lab.plan.span());
        let service = Service {
            mailbox: mailbox.clone(),
            scenario: lab.scenario.clone(),
            headers: lab.headers.clone(),
            shutdown: CancellationToken::new(),
            replies: Arc::default(),
            received: Arc::new(ReceivedMessages::expecting(schedules.iter().map(Vec::len))),
            body_timeout: BODY_TIMEOUT + lab.scenario.link.patience(),
            tuning: lab.tuning,
            subprotocols: Arc::default(),
        };
        let mut server = LocalServer {
            technique,
            lab: lab.clone(),
            service,
            log: Arc::new(RwLock::new(mailbox)),
            ledger: Arc::new(ledger),
            schedules,
            start: None,
            address: lab.address(),
            dialler: Arc::default(),
            server: Err(Some(lab.address().into())),
            halt: lab.interrupt.child_token(),
            publisher: None,
            published: Published::default(),
        };
        server.listen()?;
        Ok(server)
    }

    /// Starts to listen, with handlers that know no client.
    fn listen(&mut self) -> anyhow::Result<()> {
        let Err(place) = &mut self.server else {
            return Ok(());
        };
        let place = place.take().unwrap_or_else(|| self.address.into());
        let (name, scenario) = (self.technique.name, &self.lab.scenario);
        let handler = Handler::new(self.technique, self.service.clone()).dated(self.lab.simulated);
        let (limits, network) = (Limits::of(scenario), entrance::network(&self.lab, &self.ledger)?);
        let server = Server::start_at(place, name, handler, limits, network, CancellationToken::new())?;
        self.address = server.address;
        self.dialler.lock().clone_from(&server.dialler);
        self.server = Ok(server);
        Ok(())
    }

    /// Ends the server as if its process were killed: every connection ends without a close frame, and nobody listens any
    /// more. The log and the publisher stay, as in a database.
    ///
    /// # Errors
    /// If somebody else takes its port.
    pub async fn go_away(&mut self) -> anyhow::Result<()> {
        if let Ok(server) = std::mem::replace(&mut self.server, Err(None)) {
            *self.dialler.lock() = None;
            let place = server.kill().await;
            let place =
                place.with_context(|| t!("the port of %{address} was taken", address = self.address))?;
            self.server = Err(Some(place));
        }
        Ok(())
    }

    /// From now on, mail arrives in a new log, which is empty. Returns how many mails the old one had, and the name of
    /// the new one.
    pub fn replace_log(&mut self) -> (u64, Epoch) {
        // Another seed, so that it has another name, and the same one whenever the run is repeated.
        let epoch = Epoch::of_seed(!self.lab.scenario.seed);
        let new = Arc::new(Mailbox::of(&self.lab.scenario, epoch));
        let old = std::mem::replace(&mut *self.log.write(), new.clone());
        self.service.mailbox = new;
        (old.newest(), epoch)
    }

    /// Starts the server again, at the same address: it knows no client and no session, and listens from this instant
    /// on.
    ///
    /// # Errors
    /// As for [`LocalServer::start`].
    pub fn come_back(&mut self, from: Instant) -> anyhow::Result<()> {
        if let Err(place) = &mut self.server {
            *place = place.take().map(|place| place.from(from));
        }
        self.service.subprotocols = Arc::default();
        self.listen()
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has counted so far.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The network that its clients' connections use.
    pub fn network(&self) -> technique::Network {
        if self.dialler.lock().is_none() {
            return technique::Network::Sockets;
        }
        let dialler = self.dialler.clone();
        technique::Network::Simulated(Arc::new(move || match &*dialler.lock() {
            Some(dialler) => Ok(Box::new(dialler.dial()?)),
            None => Err(std::io::ErrorKind::ConnectionRefused.into()),
        }))
    }

    /// How far it has come.
    pub fn status(&self) -> Status {
        Status {
            watchers: self.service.mailbox.watchers(),
            requests: self.ledger.requests(),
            bytes: self.ledger.bytes(),
            replies: *self.service.replies.borrow(),
            heard: self.service.received.counts().0,
            connections: self.ledger.open(),
        }
    }

    /// Waits until its status satisfies `is`, and returns that status.
    pub async fn until(&self, is: impl Fn(&Status) -> bool) -> Status {
        loop {
            // Called before reading the status, or a change in between would be missed.
            let change = self.change();
            let status = self.status();
            if is(&status) {
                return status;
            }
            change.await;
        }
    }

    /// Ends when its status has changed since this was called.
    pub fn change(&self) -> impl Future<Output = ()> + '_ {
        let mut replies = self.service.replies.subscribe();
        replies.mark_unchanged();
        let watchers = self.service.mailbox.watchers_change();
        let (crossed, received) = (self.ledger.changes(), self.service.received.changes());
        async move {
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

    /// Takes note of when the schedule starts, which another server publishes.
    pub fn attend(&mut self, start: Instant) {
        self.start = Some(start);
    }

    /// Starts the publisher, unless clients publish.
    ///
    /// # Errors
    /// If its thread cannot be started.
    pub fn publish(&mut self, start: Instant) -> anyhow::Result<()> {
        self.start = Some(start);
        if self.technique.publishers(&self.lab.scenario) > 0 {
            return Ok(());
        }
        let (log, plan, halt) = (self.log.clone(), self.lab.plan.clone(), self.halt.clone());
        let role = Role::start(format!("{} publisher", self.technique.name), || {
            Ok(async move { publisher::publish(|| log.read().clone(), &plan, start, &halt).await })
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
        self.service.shutdown.cancel();
    }

    /// Ends every open stream, and accepts no more connections.
    pub fn shut_down(&self) {
        // The server's token goes first, so that an answer that ends because of the second says
        // `Connection: close`. A child token would be cancelled before its parent.
        if let Ok(server) = &self.server {
            server.shutdown.cancel();
        }
        self.service.shutdown.cancel();
    }

    /// Ends publisher and server, and returns what was recorded.
    pub async fn close(mut self) -> ServerRecord {
        self.settle().await;
        self.shut_down();
        let mut proxies = Vec::new();
        if let Ok(server) = std::mem::replace(&mut self.server, Err(None)) {
            proxies = server.stopped().await;
        }
        let talk = !self.schedules.is_empty();
        let mut late_us = std::mem::take(&mut self.published.late_us);
        ServerRecord {
            sent: late_us.len() as u64,
            replies: *self.service.replies.borrow(),
            talk: talk.then(|| Known::of(&self.service.received, &self.schedules, self.start)),
            late_us: stats::summarize(&mut late_us).map(Latency::from),
            totals: self.ledger.totals(),
            proxies,
            opened: self.ledger.opened(),
            peak: self.ledger.peak(),
            open: self.ledger.open(),
            used: None,
            backlogged: self.service.mailbox.backlog().counted(),
            balanced: None,
        }
    }
}
