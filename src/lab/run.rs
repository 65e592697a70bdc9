//! One technique through one scenario, from its first socket to its outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;

use super::clients::{Brief, Clients};
use super::collect::{self, Measured};
use super::server::{Handler, Limits, Server};
use super::{Gate, Lab, OnProgress, Progress, publisher};
use crate::link::Ledger;
use crate::mail::Mailbox;
use crate::outcome::{Closer, Outcome};
use crate::technique::{BODY_TIMEOUT, Record, Service, Setting, Technique};

/// How often a run looks at its clients, and tells its progress.
const LOOK: Duration = Duration::from_millis(2);
const TELL: Duration = Duration::from_millis(80);

/// How long clients may take to get ready.
const READY: Duration = Duration::from_secs(20);

/// A technique about to run.
#[derive(Debug)]
pub struct Run<'a> {
    lab: &'a Lab,
    technique: &'static Technique,
    shift: Duration,
    mailbox: Arc<Mailbox>,
    ledger: Arc<Ledger>,
    replies: Arc<AtomicU64>,
    sent: AtomicU64,
}

impl<'a> Run<'a> {
    /// Prepares a run whose schedule starts `shift` after the others'.
    pub fn new(lab: &'a Lab, technique: &'static Technique, shift: Duration) -> Run<'a> {
        Run {
            lab,
            technique,
            shift,
            mailbox: Arc::new(Mailbox::new(lab.scenario.keep)),
            ledger: Arc::new(Ledger::new(lab.cuts.clone())),
            replies: Arc::default(),
            sent: AtomicU64::new(0),
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// If server or clients cannot start, clients don't get ready, or the labels don't balance.
    pub fn go(&self, gate: &Gate, progress: OnProgress) -> anyhow::Result<Outcome> {
        let place = gate.place();
        let server = self.start_server()?;
        let authority = server.address.to_string();
        let clients = Clients::start(&Brief {
            technique: self.technique,
            scenario: &self.lab.scenario,
            plan: &self.lab.plan,
            headers: &self.lab.headers,
            authority: authority.clone(),
        })?;
        self.wait_until_ready(&clients)?;
        let start = place.pass() + self.shift;
        clients.begin(start);
        let late_us = self.let_mail_arrive(&clients, start, progress);
        let (records, clients_busy) = self.close(server, clients)?;
        self.tell(
            progress,
            records.iter().map(|r| r.latencies_us.len() as u64).sum(),
            true,
        );
        let lab = self.lab;
        let setting = Setting {
            scenario: &lab.scenario,
            plan: &lab.plan,
            headers: &lab.headers,
            authority: &authority,
        };
        collect::outcome(Measured {
            technique: self.technique,
            setting: &setting,
            start,
            sent: self.sent.load(Ordering::Relaxed),
            replies: self.replies.load(Ordering::Relaxed),
            late_us,
            records,
            clients_busy,
            ledger: &self.ledger,
        })
    }

    fn start_server(&self) -> anyhow::Result<Server> {
        let scenario = &self.lab.scenario;
        let shutdown = CancellationToken::new();
        let service = Service {
            mailbox: self.mailbox.clone(),
            scenario: scenario.clone(),
            headers: self.lab.headers.clone(),
            shutdown: shutdown.clone(),
            replies: self.replies.clone(),
            body_timeout: BODY_TIMEOUT,
        };
        let limits = Limits::for_clients(scenario.clients, scenario.poll_interval());
        Server::start(
            self.technique.name,
            Handler::new(self.technique, service),
            limits,
            self.ledger.clone(),
            shutdown,
        )
    }

    /// A technique that holds its clients knows when they are all there; the others' come and go.
    fn wait_until_ready(&self, clients: &Clients) -> anyhow::Result<()> {
        let expected = self.lab.scenario.clients;
        let deadline = Instant::now() + READY;
        while self.technique.holds && self.mailbox.watchers() < expected {
            // The run goes on to its end, which comes at once: what there is, is told.
            if self.lab.interrupt.is_cancelled() {
                break;
            }
            if Instant::now() > deadline {
                let why = clients.trouble().unwrap_or_else(|| "no client said why".into());
                bail!(
                    "only {} of {expected} clients got ready: {why}",
                    self.mailbox.watchers()
                );
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Publishes the plan and waits for its delivery; returns how late each arrival was.
    fn let_mail_arrive(&self, clients: &Clients, start: Instant, progress: OnProgress) -> Vec<f64> {
        let lab = self.lab;
        std::thread::scope(|scope| {
            let publishing = std::thread::Builder::new()
                .name(format!("{} publisher", self.technique.name))
                .spawn_scoped(scope, || {
                    publisher::publish(&self.mailbox, &lab.plan, start, &lab.interrupt, &self.sent)
                });
            self.wait_for_delivery(clients, start, progress);
            // Without a thread nothing was sent, and the delivery sheet shows it.
            publishing.ok().and_then(|p| p.join().ok()).unwrap_or_default()
        })
    }

    fn wait_for_delivery(&self, clients: &Clients, start: Instant, progress: OnProgress) {
        let deadline = start + self.lab.plan.span() + self.lab.scenario.grace();
        let mut told = Instant::now();
        while clients.completed() < self.lab.scenario.clients
            && Instant::now() < deadline
            && !self.lab.interrupt.is_cancelled()
        {
            std::thread::sleep(LOOK);
            if told.elapsed() >= TELL {
                told = Instant::now();
                self.tell(progress, clients.delivered(), false);
            }
        }
    }

    /// Ends every connection from the side that is to end it, then the server.
    fn close(&self, server: Server, clients: Clients) -> anyhow::Result<(Vec<Record>, Option<f64>)> {
        clients.tell_to_close();
        if self.lab.scenario.closer == Closer::Server {
            server.shutdown.cancel();
        }
        let records = clients
            .finish()
            .with_context(|| format!("a client of {} failed", self.technique.name));
        server.stop();
        records
    }

    fn tell(&self, progress: OnProgress, delivered: u64, done: bool) {
        let expected = (self.lab.plan.mails.len() * self.lab.scenario.clients) as u64;
        progress(Progress {
            technique: self.technique.name,
            delivered,
            expected,
            requests: self.ledger.requests(),
            bytes: self.ledger.bytes(),
            done,
        });
    }
}
