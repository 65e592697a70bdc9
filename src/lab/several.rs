//! Several servers behind a balancer (`--servers`). Clients connect to the balancer, and it is where bytes are counted:
//!
//! ```text
//! clients ===== balancer, metered ----- server 1     a process of its own in a real run,
//!                                 \---- server 2     a task in a simulated one
//!                                 \---- server 3
//! ```
//!
//! In a simulated run the servers read one log in memory. In a real run each process has a copy of it: each draws the
//! same mail from the same scenario and seed, appends it on the same schedule, and gives its log the same epoch
//! ([`Epoch::of_seed`]), so a client's cursor is good at each of them. That stands for a log that is replicated. A copy
//! may be a little behind another; it then waits instead of resetting the cursor ([`mail::Mailbox::is_shared`]). A log
//! outside of the processes (`--log nats`) is one, and one server publishes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, select_all};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Lab;
use super::collect::micros_between;
use super::entrance;
use super::isolate::{Killer, ServerProcess};
use super::local_server::LocalServer;
use super::server::{Handler, Limits, Server};
use super::server_record::{ServerRecord, Status, Used};
use super::talk::Known;
use crate::clock;
use crate::link::Ledger;
use crate::mail::{self, Epoch, LogAt};
use crate::outcome::{Balanced, BalancedServer, Link, Scenario};
use crate::proxy::{Balancer, Dial, Mortal, Seen, Upstream, to_address};
use crate::technique::{self, Routes, Technique};

/// The servers of a run and their balancer.
#[derive(Debug)]
pub struct Several {
    backends: Vec<Backend>,
    balancer: Arc<Balancer>,
    ledger: Arc<Ledger>,
    front: Server,
    /// Whether each server has a copy of the log of its own.
    copies: bool,
    kill: Option<Duration>,
    killing: Option<AbortOnDropHandle<()>>,
    start: Option<Instant>,
    death: Arc<Mutex<Option<Death>>>,
}

/// A server behind the balancer.
#[derive(Debug)]
struct Backend {
    server: One,
    killed: CancellationToken,
}

#[derive(Debug)]
enum One {
    Local(Box<LocalServer>),
    Process(Box<ServerProcess>),
}

/// When the first server was killed, and what the balancer had seen of all until then.
#[derive(Debug)]
struct Death {
    at: Instant,
    seen: Vec<Seen>,
}

impl Several {
    /// Starts the servers of a technique over a log, and the balancer in front of them.
    ///
    /// # Errors
    /// If one of them cannot be started.
    pub fn start(lab: &Lab, technique: &'static Technique, log: &LogAt) -> anyhow::Result<Several> {
        let backends = backends(lab, technique, log)?;
        let dials = backends.iter().map(Backend::dial);
        let balancer = Balancer::new(lab.scenario.balance().unwrap_or_default(), dials);
        let ledger = Arc::new(entrance::ledger(lab, technique));
        let network = entrance::network(lab, &ledger)?;
        let routes = Routes::new().between(|_| balancer.router());
        let access = super::access::Access::replaying(&lab.headers, lab.scenario.tls);
        let handler = Handler::over(routes, lab.scenario.clone())
            .allowing(access)
            .dated(lab.simulated);
        let limits = Limits::of(&lab.scenario);
        let (address, name) = (lab.address(), format!("{} balancer", technique.name));
        let front = Server::start_at(address, &name, handler, limits, network, CancellationToken::new())?;
        Ok(Several {
            backends,
            balancer,
            ledger,
            front,
            copies: lab.isolate.is_some() && matches!(log, LogAt::Memory),
            kill: lab.scenario.kill(),
            killing: None,
            start: None,
            death: Arc::default(),
        })
    }

    /// The address that the balancer listens on.
    pub fn address(&self) -> SocketAddr {
        self.front.address
    }

    /// The network that its clients' connections use.
    pub fn network(&self) -> technique::Network {
        self.front.network()
    }

    /// How far they have come: what crossed the wire at the balancer, and what the servers have last reported.
    pub fn status(&self) -> Status {
        let each: Vec<Status> = self.backends.iter().map(Backend::reported).collect();
        let watchers = match &self.backends[..] {
            // They have one log, which counts who waits.
            [
                Backend {
                    server: One::Local(first),
                    ..
                },
                ..,
            ] => first.status().watchers,
            _ => self.live().map(|backend| backend.reported().watchers).sum(),
        };
        Status {
            watchers,
            requests: self.ledger.requests(),
            bytes: self.ledger.bytes(),
            replies: each.iter().map(|status| status.replies).sum(),
            heard: each.iter().map(|status| status.heard).sum(),
            connections: self.ledger.open(),
        }
    }

    /// Waits until the status satisfies `is`, and returns that status.
    ///
    /// # Errors
    /// If a server is gone that was not killed.
    pub async fn until(&mut self, is: impl Fn(&Status) -> bool) -> anyhow::Result<Status> {
        loop {
            // Called before reading the status, or a change in between would be missed.
            let crossed = self.ledger.changes();
            let changes: Vec<_> = self.live().map(Backend::change).collect();
            let status = self.status();
            if is(&status) {
                return Ok(status);
            }
            let change = async {
                match changes.is_empty() {
                    true => std::future::pending().await,
                    false => select_all(changes).await.0,
                }
            };
            let is_there = tokio::select! {
                biased;
                () = crossed => true,
                is_there = change => is_there,
            };
            if !is_there && let Some(why) = self.why_gone() {
                return Err(why);
            }
        }
    }

    /// Lets mail arrive on a schedule that starts at `start`, and has the first server killed if that is wanted.
    ///
    /// # Errors
    /// If a server's publisher cannot be started. This is true of what follows, too.
    pub fn publish(&mut self, start: Instant) -> anyhow::Result<()> {
        self.start = Some(start);
        // One log needs one publisher: the last server's, which is never killed. Each copy has its own.
        let publishers = if self.copies { self.backends.len() } else { 1 };
        for (i, backend) in self.backends.iter_mut().rev().enumerate() {
            match &mut backend.server {
                One::Process(server) if i < publishers => server.publish(start)?,
                One::Process(server) => server.attend(start)?,
                One::Local(server) if i < publishers => server.publish(start)?,
                One::Local(server) => server.attend(start),
            }
        }
        if let (Some(after), Some(first)) = (self.kill, self.backends.first()) {
            let (killer, killed) = (first.killer(), first.killed.clone());
            let (balancer, death) = (self.balancer.clone(), self.death.clone());
            self.killing = Some(AbortOnDropHandle::new(tokio::spawn(async move {
                clock::sleep_until(start + after).await;
                let (at, seen) = (clock::now(), balancer.seen());
                *death.lock() = Some(Death { at, seen });
                killed.cancel();
                killer.iter().for_each(Killer::kill);
            })));
        }
        Ok(())
    }

    /// Stops the publishers: no more mail arrives.
    pub async fn settle(&mut self) -> anyhow::Result<()> {
        for backend in &mut self.backends {
            match &mut backend.server {
                One::Local(server) => server.settle().await,
                One::Process(_) if backend.killed.is_cancelled() => {}
                One::Process(server) => server.settle()?,
            }
        }
        Ok(())
    }

    /// Ends every open stream from the servers' side; they keep running.
    pub fn end_streams(&mut self) -> anyhow::Result<()> {
        for backend in self.backends.iter_mut().filter(|b| !b.killed.is_cancelled()) {
            match &mut backend.server {
                One::Local(server) => server.end_streams(),
                One::Process(server) => server.end_streams()?,
            }
        }
        Ok(())
    }

    /// Ends every open stream from the servers' side; neither they nor the balancer accept more connections.
    pub fn shut_down(&mut self) -> anyhow::Result<()> {
        // First, so that the balancer's answers that end because of the servers say `Connection: close`.
        self.front.shutdown.cancel();
        for backend in self.backends.iter_mut().filter(|b| !b.killed.is_cancelled()) {
            match &mut backend.server {
                One::Local(server) => server.shut_down(),
                One::Process(server) => server.shut_down()?,
            }
        }
        Ok(())
    }

    /// Ends all of them, and returns what they recorded together. What a killed server recorded is lost.
    pub async fn close(mut self) -> anyhow::Result<ServerRecord> {
        self.killing = None;
        self.settle().await?;
        self.shut_down()?;
        let proxies = self.front.stopped().await;
        let (mut records, mut killed) = (Vec::new(), Vec::new());
        for backend in self.backends {
            killed.push(backend.killed.is_cancelled());
            records.push(backend.close().await?);
        }
        let all = records.iter().flatten();
        let (sent, late) = (
            all.clone().map(|r| r.sent).max(),
            all.filter_map(|r| r.late_us.clone()),
        );
        // The latest publisher's: percentiles cannot be added up.
        let late_us = late.reduce(|a, b| if b.p99 > a.p99 { b } else { a });
        // What a process has counted ends with it. A simulated server has to lose it, too.
        let gone = records.iter_mut().zip(&killed).filter(|(_, killed)| **killed);
        gone.for_each(|(record, _)| *record = None);
        let balanced = balanced(&self.balancer, &self.death, self.start, (&records, &killed));
        let live: Vec<&ServerRecord> = records.iter().flatten().collect();
        Ok(ServerRecord {
            sent: sent.unwrap_or(0),
            replies: live.iter().map(|r| r.replies).sum(),
            talk: live.iter().filter_map(|r| r.talk.clone()).reduce(Known::plus),
            late_us,
            totals: self.ledger.totals(),
            proxies,
            opened: self.ledger.opened(),
            peak: self.ledger.peak(),
            open: self.ledger.open(),
            backlogged: live.iter().filter_map(|r| r.backlogged).reduce(|a, b| a.plus(b)),
            used: used(&live).filter(|_| !killed.contains(&true)),
            balanced: Some(balanced),
        })
    }

    fn live(&self) -> impl Iterator<Item = &Backend> {
        let live = |backend: &&Backend| !backend.killed.is_cancelled();
        self.backends.iter().filter(live)
    }

    /// Why a server is gone that was not killed; `None` if there is none.
    fn why_gone(&mut self) -> Option<anyhow::Error> {
        let live = self.backends.iter_mut().filter(|b| !b.killed.is_cancelled());
        live.filter_map(|backend| match &mut backend.server {
            One::Process(server) if server.reported().has_changed().is_err() => Some(server.ended()),
            _ => None,
        })
        .next()
    }
}

impl Backend {
    fn of(server: One) -> Backend {
        Backend {
            server,
            killed: CancellationToken::new(),
        }
    }

    /// How the balancer connects to it.
    fn dial(&self) -> Dial {
        let server = match &self.server {
            One::Process(server) => return to_address(server.address()),
            One::Local(server) => server,
        };
        let killed = self.killed.clone();
        match server.network() {
            technique::Network::Simulated(open) => Arc::new(move || {
                let opened = open().and_then(|stream| Mortal::new(Box::new(stream), killed.clone()));
                Box::pin(std::future::ready(
                    opened.map(|stream| Upstream(Box::new(stream))),
                ))
            }),
            _ => {
                let dial = to_address(server.address());
                Arc::new(move || {
                    let (dialled, killed) = (dial(), killed.clone());
                    Box::pin(async move {
                        let Upstream(stream) = dialled.await?;
                        Ok(Upstream(Box::new(Mortal::new(stream, killed)?)))
                    })
                })
            }
        }
    }

    fn killer(&self) -> Option<Killer> {
        match &self.server {
            One::Local(_) => None,
            One::Process(server) => Some(server.killer()),
        }
    }

    /// What it has last reported.
    fn reported(&self) -> Status {
        match &self.server {
            One::Local(server) => server.status(),
            One::Process(server) => *server.reported().borrow(),
        }
    }

    /// Ends when its status has changed since this was called; false if its process is gone.
    fn change(&self) -> BoxFuture<'_, bool> {
        match &self.server {
            One::Local(server) => {
                let change = server.change();
                Box::pin(async move {
                    change.await;
                    true
                })
            }
            One::Process(server) => {
                let mut reported = server.reported();
                reported.mark_unchanged();
                Box::pin(async move { reported.changed().await.is_ok() })
            }
        }
    }

    /// Ends it, and returns what it recorded; `None` if its process was killed.
    async fn close(self) -> anyhow::Result<Option<ServerRecord>> {
        let killed = self.killed.is_cancelled();
        Ok(match self.server {
            One::Local(server) => Some(server.close().await),
            One::Process(_) if killed => None,
            One::Process(server) => Some(server.close()?),
        })
    }
}

/// Starts the servers: processes in a real run where there is an executable for them, and otherwise in this one.
fn backends(lab: &Lab, technique: &'static Technique, log: &LogAt) -> anyhow::Result<Vec<Backend>> {
    let all = lab.scenario.servers;
    let behind = Lab {
        scenario: Arc::new(behind(&lab.scenario)),
        identity: None,
        cuts: Vec::new(),
        recordings: None,
        ..lab.clone()
    };
    if let Some(executable) = &lab.isolate {
        // Of a log in memory each process has a copy.
        let log = match log {
            LogAt::Memory => &LogAt::Copy,
            shared => shared,
        };
        let begin = |_| ServerProcess::begin(executable, &behind, technique, log);
        let begun: Vec<_> = (0..all).map(begin).collect::<Result<_, _>>()?;
        let ready = begun.into_iter().map(|begun| begun.ready(lab.plan.mails.len()));
        return ready
            .map(|server| Ok(Backend::of(One::Process(Box::new(server?)))))
            .collect();
    }
    let log = mail::open(log, &lab.scenario, Epoch::of_seed(lab.scenario.seed))?;
    let server = |_| LocalServer::over(&behind, technique, log.clone());
    (0..all)
        .map(|place| Ok(Backend::of(One::Local(Box::new(server(place)?)))))
        .collect()
}

/// The scenario of a server behind the balancer: what is between client and server is in front of the balancer.
fn behind(scenario: &Scenario) -> Scenario {
    Scenario {
        servers: 1,
        balance: None,
        kill_ms: None,
        proxy: Vec::new(),
        block: Vec::new(),
        link: Link::default(),
        ..scenario.clone()
    }
}

/// What the balancer saw of each server, with what the servers themselves counted.
fn balanced(
    balancer: &Balancer,
    death: &Mutex<Option<Death>>,
    start: Option<Instant>,
    (records, killed): (&[Option<ServerRecord>], &[bool]),
) -> Balanced {
    let death = death.lock();
    let then = |place: usize| death.as_ref().map(|death| death.seen[place]);
    let servers = balancer.seen().into_iter().zip(records.iter().zip(killed));
    let servers = servers
        .enumerate()
        .map(|(place, (seen, (record, killed)))| BalancedServer {
            requests: seen.requests,
            connections: seen.connections,
            tunnels: seen.tunnels,
            mails: record.as_ref().map(|record| record.totals.tally.mails),
            killed: *killed,
            requests_before: then(place).map(|seen| seen.requests),
            cut: then(place).filter(|_| *killed).map(|seen| seen.open),
        });
    Balanced {
        servers: servers.collect(),
        redispatched: balancer.redispatched(),
        failed: balancer.failed(),
        unknown_sessions: 0,
        killed_us: death
            .as_ref()
            .zip(start)
            .map(|(death, start)| micros_between(start, death.at)),
    }
}

/// What the servers used together: their processor times are added up, and their memory for a connection is a mean.
fn used(live: &[&ServerRecord]) -> Option<Used> {
    let used: Vec<Used> = live.iter().filter_map(|record| record.used).collect();
    let memory: Vec<f64> = used
        .iter()
        .filter_map(|used| used.memory_bytes_per_connection)
        .collect();
    (!used.is_empty()).then(|| Used {
        cpu_us: used.iter().map(|used| used.cpu_us).sum(),
        memory_bytes_per_connection: (!memory.is_empty())
            .then(|| memory.iter().sum::<f64>() / memory.len() as f64),
    })
}
