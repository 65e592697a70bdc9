//! Runs one technique in one scenario, from its first socket to its outcome.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::clients::{self, ClientSettings, Clients, Finished};
use super::collect::{self, Measured};
use super::gate::Gate;
use super::publishers::Publishers;
use super::server_handle::ServerHandle;
use super::server_record::{ServerRecord, Status};
use super::{Lab, OnProgress, Progress, Recent, threads};
use crate::clock;
use crate::outcome::{Balance, Closer, Event, EventKind, Latency, Outcome, Prediction};
use crate::stats;
use crate::technique::{Origin, Record, Technique};
use crate::theory::Delivery;

/// How often a run reports its progress.
const TELL: Duration = Duration::from_millis(80);

/// When nothing has crossed the loopback for this long, nothing more is on its way.
const QUIET: Duration = Duration::from_millis(30);

/// How long connections on the loopback may take to close.
const GOODBYE: Duration = Duration::from_millis(200);

/// The longest wait for another reply or message.
const REPLIES: Duration = Duration::from_millis(500);

/// How late mail may be in a simulated run, in addition to the polling interval.
const SIMULATED: Duration = Duration::from_secs(3_600);

/// The longest wait until another client is ready.
const READY: Duration = Duration::from_secs(20);

/// A technique about to run.
#[derive(Debug)]
pub struct Run<'a> {
    pub(super) lab: &'a Lab,
    pub(super) technique: &'static Technique,
    shift: Duration,
}

/// All clients of a run.
struct Team {
    clients: Clients,
    publishers: Option<Publishers>,
}

impl Team {
    async fn publishers_are_ready(&self) {
        if let Some(publishers) = &self.publishers {
            publishers.ready().await;
        }
    }

    fn trouble(&self) -> Option<String> {
        let publishers = || self.publishers.as_ref().and_then(Publishers::trouble);
        self.clients.trouble().or_else(publishers)
    }
}

impl<'a> Run<'a> {
    /// Prepares a run whose schedule starts `shift` after the others'.
    pub fn new(lab: &'a Lab, technique: &'static Technique, shift: Duration) -> Run<'a> {
        Run {
            lab,
            technique,
            shift,
        }
    }

    /// Runs it with simulated time and network, and without a prediction, because it is one.
    ///
    /// # Errors
    /// If server or clients cannot start, clients don't get ready, or the labels don't balance.
    pub fn simulate(&self) -> anyhow::Result<Outcome> {
        threads::simulate(self.technique.name, || async {
            let unpredicted = |_| Prediction::default();
            self.drive(&Gate::new(1), &|_| {}, unpredicted).await
        })
    }

    /// Runs it, in real or simulated time. `predict` returns its prediction, given the address of its server.
    pub(super) async fn drive(
        &self,
        gate: &Gate,
        progress: OnProgress<'_>,
        predict: impl FnOnce(SocketAddr) -> Prediction,
    ) -> anyhow::Result<Outcome> {
        let place = gate.place();
        let lab = self.lab;
        // Removed at the end of this function, when the server is closed.
        let log = lab.open_log(self.technique)?;
        let mut server = ServerHandle::open(lab, self.technique, log.place())?;
        let origin = Origin {
            encrypted: lab.identity.is_some(),
            authority: server.address().to_string(),
        };
        let predicted = predict(server.address());
        let settings = ClientSettings {
            technique: self.technique,
            scenario: &lab.scenario,
            plan: &lab.plan,
            headers: &lab.headers,
            origin: origin.clone(),
            authority: lab.identity.as_ref().map(|i| i.authority.clone()),
            cursor: lab.cursor,
            network: server.network(),
        };
        let publishers = match self.technique.publishers(&lab.scenario) {
            0 => None,
            expected => Some(Publishers::start(&settings, expected)?),
        };
        let mut team = Team {
            clients: Clients::start(&settings)?,
            publishers,
        };
        self.wait_until_ready(&mut server, &team).await?;
        let start = place.pass() + self.shift;
        // The clients know it first: on a busy machine mail may come before this goes on, and its latency would be unknown.
        team.clients.begin(start);
        server.publish(start)?;
        if let Some(publishers) = &mut team.publishers {
            publishers.begin(&lab.plan, start, lab.interrupt.child_token())?;
        }
        let deadline = self.deadline(start, &predicted, self.lost(&team));
        self.wait_for_delivery(&mut server, &team.clients, (start, deadline), progress)
            .await?;
        let held_back = self.end_what_is_held_back(&mut server, &team.clients).await?;
        let ended = clock::now();
        let recent = self.recent(start, &team.clients);
        let (record, clients) = self.close(server, team).await?;
        progress(self.over(&record, &clients.records, recent));
        collect::outcome(Measured {
            technique: self.technique,
            scenario: &lab.scenario,
            plan: &lab.plan,
            headers: &lab.headers,
            predicted,
            start,
            ended,
            clients,
            server: record,
            held_back,
            joined: false,
        })
    }

    /// Waits for the clients. A technique that holds its clients knows when they are all there; with
    /// others, they come and go. A browser's tab that waits for a connection is as ready as it gets, and so is a client
    /// whose session a balancer has torn apart.
    async fn wait_until_ready(&self, server: &mut ServerHandle, team: &Team) -> anyhow::Result<()> {
        let expected = self.lab.scenario.clients;
        let limit = READY + self.patience();
        let ready = async {
            let (mut there, mut lost) = (0, 0);
            let mut queue = team.clients.queue();
            while self.technique.holds && there + lost + queue.borrow_and_update().len() < expected {
                let news = |status: &Status| status.watchers > there || self.lost(team) > lost;
                tokio::select! {
                    biased;
                    status = server.until(news) => {
                        there = there.max(status?.watchers);
                        lost = self.lost(team);
                    }
                    () = clients::changes(&mut queue) => {}
                    () = clock::sleep(limit) => return Ok(false),
                }
            }
            let publishers = clock::timeout(limit, team.publishers_are_ready());
            anyhow::Ok(publishers.await.is_some())
        };
        tokio::select! {
            biased;
            ready = ready => if ready? { return Ok(()) },
            // The run then ends at once, with the results so far.
            () = self.lab.interrupt.cancelled() => return Ok(()),
            () = team.clients.trouble_for_good() => {}
        }
        let there = server.status()?.watchers;
        let why = team.trouble().unwrap_or_else(|| "no client said why".into());
        bail!("only {there} of {expected} clients got ready: {why}")
    }

    /// How many clients had a session that a balancer has torn apart: they will never all be there, and what becomes of
    /// them is the result.
    fn lost(&self, team: &Team) -> usize {
        let scatters = self
            .lab
            .scenario
            .balance()
            .is_some_and(|how| how != Balance::Sticky);
        if scatters { team.clients.lost_sessions() } else { 0 }
    }

    /// How much longer time limits are on this link.
    fn patience(&self) -> Duration {
        self.lab.scenario.link.patience()
    }

    /// When to stop waiting: the grace period begins when the slowest mail should have come.
    fn deadline(&self, start: Instant, predicted: &Prediction, lost: usize) -> Instant {
        let slowest = match self.lab.simulated {
            // Clients whose sessions are torn apart try again for as long as they are let.
            Some(_) if lost > 0 => self.lab.scenario.poll_interval() * 2,
            // Mail that is held back comes after the deadline.
            _ if (self.technique.held_back)(&self.lab.scenario) => Duration::ZERO,
            // Waiting costs no real time, and slow mail has to be measured, too.
            Some(_) => SIMULATED + self.lab.scenario.poll_interval() * 2,
            None => Duration::from_secs_f64((predicted.latency_us.max / 1e6).clamp(0.0, 1e6)),
        };
        start + self.lab.plan.span() + slowest + self.lab.scenario.grace()
    }

    async fn wait_for_delivery(
        &self,
        server: &mut ServerHandle,
        clients: &Clients,
        (start, deadline): (Instant, Instant),
        progress: OnProgress<'_>,
    ) -> anyhow::Result<()> {
        let grace = self.lab.scenario.grace();
        let over = async {
            tokio::select! {
                biased;
                () = clients.completion() => {}
                () = self.lab.interrupt.cancelled() => {}
                () = clients.starvation(start + self.lab.plan.span() + grace, grace) => {}
                () = clock::sleep_until(deadline) => {}
            }
        };
        let telling = async {
            if self.lab.simulated.is_some() {
                return std::future::pending().await;
            }
            let mut ticks = tokio::time::interval(TELL);
            loop {
                ticks.tick().await;
                let status = server.status()?;
                let recent = self.recent(start, clients);
                progress(self.progress(clients.delivered(), status.requests, status.bytes, recent));
            }
        };
        tokio::select! {
            biased;
            () = over => {}
            ended = telling => return ended,
        }
        server.settle().await?;
        self.wait_for_what_is_said(server, clients).await
    }

    /// Where something on the way holds a stream back until it is over, the server ends it after the run
    /// has waited long enough: then all that was held back arrives. Returns how many mails that were.
    async fn end_what_is_held_back(
        &self,
        server: &mut ServerHandle,
        clients: &Clients,
    ) -> anyhow::Result<Option<u64>> {
        if !(self.technique.held_back)(&self.lab.scenario) {
            return Ok(None);
        }
        let before = clients.delivered();
        server.end_streams()?;
        let quiet = REPLIES + self.patience();
        let silence = async { while clock::timeout(quiet, clients.deliveries()).await.is_some() {} };
        tokio::select! {
            biased;
            () = clients.completion() => {}
            () = self.lab.interrupt.cancelled() => {}
            () = silence => {}
        }
        let late = clients.delivered() - before;
        self.wait_for_what_is_said(server, clients).await?;
        Ok(Some(late))
    }

    /// Waits for clients' messages for as long as they keep coming: they come after the mail, and on a slow
    /// link one after the other.
    async fn wait_for_what_is_said(
        &self,
        server: &mut ServerHandle,
        clients: &Clients,
    ) -> anyhow::Result<()> {
        let replies = || {
            if self.lab.scenario.reply {
                clients.delivered()
            } else {
                0
            }
        };
        let quiet = REPLIES + self.patience();
        let said = |status: &Status| status.replies + status.heard;
        let silence = async {
            let mut heard = 0;
            while heard < replies() + clients.messages() {
                match clock::timeout(quiet, server.until(|status| said(status) > heard)).await {
                    Some(status) => heard = said(&status?),
                    None => break,
                }
            }
            Ok(())
        };
        tokio::select! {
            biased;
            () = self.lab.interrupt.cancelled() => Ok(()),
            over = silence => over,
        }
    }

    /// Waits until no client sends a request. A client that got its last mail in an answer asks again,
    /// maybe over a connection that it opens first. Only then does its session end as predicted: if the
    /// close overtook the request, the server would refuse that.
    async fn wait_until_nobody_asks(&self, server: &mut ServerHandle) -> anyhow::Result<()> {
        let quiet = QUIET + self.patience();
        let silence = async {
            let mut bytes = 0;
            while let Some(status) = clock::timeout(quiet, server.until(|status| status.bytes > bytes)).await
            {
                bytes = status?.bytes;
            }
            Ok(())
        };
        tokio::select! {
            biased;
            () = self.lab.interrupt.cancelled() => Ok(()),
            over = clock::timeout(quiet + GOODBYE, silence) => over.unwrap_or(Ok(())),
        }
    }

    /// Whether clients get mail in answers, and send another request after each.
    fn asks(&self) -> bool {
        matches!(
            (self.technique.delivers)(&self.lab.scenario),
            Delivery::Polled | Delivery::LongPolled
        )
    }

    /// Ends every connection from the side that is to end it, then the server.
    async fn close(&self, mut server: ServerHandle, team: Team) -> anyhow::Result<(ServerRecord, Finished)> {
        let Team { clients, publishers } = team;
        if self.technique.streams && self.asks() {
            self.wait_until_nobody_asks(&mut server).await?;
        }
        clients.tell_to_close();
        publishers.iter().for_each(Publishers::tell_to_close);
        if self.technique.streams && self.lab.scenario.closer == Closer::Server {
            server.shut_down()?;
        }
        let finished = clients
            .finish()
            .await
            .with_context(|| format!("a client of {} failed", self.technique.name));
        let published = match publishers {
            None => None,
            Some(publishers) => Some(
                publishers
                    .finish()
                    .await
                    .with_context(|| format!("a publisher of {} failed", self.technique.name))?,
            ),
        };
        // Connections are still closing. If the server ended now, it would not read that, and would end
        // streams that nobody reads any more.
        let closed = server.until(|status| status.connections == 0);
        if let Some(closed) = clock::timeout(GOODBYE + self.patience(), closed).await {
            closed?;
        }
        let mut record = server.close().await?;
        if let Some(mut published) = published {
            record.sent = published.late_us.len() as u64;
            record.late_us = stats::summarize(&mut published.late_us).map(Latency::from);
        }
        Ok((record, finished?))
    }

    fn progress(&self, delivered: u64, requests: u64, bytes: u64, recent: Option<Recent>) -> Progress {
        Progress {
            technique: self.technique.name,
            delivered,
            expected: (self.lab.plan.mails.len() * self.lab.scenario.clients) as u64,
            requests,
            bytes,
            done: false,
            recent,
        }
    }

    /// What happened lately, where it is asked for.
    fn recent(&self, start: Instant, clients: &Clients) -> Option<Recent> {
        let now = clock::now();
        let since = now.checked_sub(self.lab.recent?)?;
        let [from, to] = [since, now].map(|at| collect::micros_between(start, at));
        let mails = self.lab.plan.mails.iter().map(|m| m.due.as_secs_f64() * 1e6);
        let arrived = mails.zip(1..).skip_while(|(due, _)| *due < from);
        let arrived = arrived
            .take_while(|(due, _)| *due <= to)
            .map(|(due, number)| Event {
                t_us: due,
                client: None,
                kind: EventKind::Arrived,
                mail: Some(number),
            });
        let seen = clients.recent(since)?.into_iter().map(|(at, kind, mail)| Event {
            t_us: collect::micros_between(start, at),
            client: Some(0),
            kind,
            mail,
        });
        let mut events: Vec<Event> = arrived.chain(seen).collect();
        events.sort_by(|a, b| a.t_us.total_cmp(&b.t_us));
        Some(Recent { now_us: to, events })
    }

    fn over(&self, record: &ServerRecord, records: &[Record], recent: Option<Recent>) -> Progress {
        let delivered = records.iter().map(|r| r.delivered).sum();
        let totals = &record.totals;
        Progress {
            done: true,
            ..self.progress(delivered, totals.tally.requests, totals.raw.iter().sum(), recent)
        }
    }
}
