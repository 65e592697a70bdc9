//! Clients alone, against a server that runs elsewhere ([`super::standalone`]): they join at its newest
//! mail, measure at their own end, and leave.
//!
//! ```text
//! visit                                       mailcall serve
//!   | GET /schedule                             |   which mail arrives, since when, how much is there
//!   |------------------------------------------>|
//!   | the technique's own, through the relay    |
//!   |<=========================================>|
//!   | GET /schedule?after=N                     |   what came from outside meanwhile
//!   |------------------------------------------>|
//! ```
//!
//! Only the server knows when a mail was due. Where both ends read the same clock, this follows from the
//! server's scenario, as the mail itself does. They read the same clock if the server's reading, in its
//! answer, lies between two of ours. Otherwise the two clocks are compared by those answers, and latency is as
//! uncertain as that is. Mail from outside was never due.

mod count;
mod reading;
mod schedule;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use count::Count;
use schedule::check;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

pub use schedule::{Arrived, Asked};

use super::clients::{ClientSettings, Clients, Finished, Joining};
use super::clumps;
use super::collect::{self, Measured};
use super::descriptors::{self, Ends};
use super::relay::{Destination, Relay};
use super::server_record::ServerRecord;
use super::threads;
use super::{OnProgress, Progress, awake};
use crate::clock;
use crate::lang::t;
use crate::link::Ledger;
use crate::mail::Plan;
use crate::outcome::{Histogram, HttpVersion, Outcome, Prediction, Scenario, ServerClock, Warning};
use crate::technique::{self, Headers, Origin, Technique};
use crate::terminal;

/// The length of a sleep whose lateness shows how busy this machine is.
const NAP: Duration = Duration::from_millis(2);

/// How often a visit reports its progress.
const TELL: Duration = Duration::from_millis(80);

/// Ends at an instant; never if there is none.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => clock::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Which clients visit which server.
#[derive(Debug)]
pub struct Visit {
    /// The technique whose client half runs.
    pub technique: &'static Technique,
    /// The server.
    pub origin: Origin,
    /// The certificate authority to trust, PEM, where the connection is encrypted.
    pub authority: Option<String>,
    /// What the clients decide: how many, how they ask, what they carry. The server decides the rest.
    pub scenario: Scenario,
    /// The header profile.
    pub headers: Arc<Headers>,
    /// How many mails to wait for; `None` for all that are still to come.
    pub mails: Option<u64>,
    /// Cancelled to end early with what there is.
    pub interrupt: CancellationToken,
}

/// The results of a visit.
#[derive(Debug)]
pub struct Visited {
    /// What was measured.
    pub outcome: Outcome,
    /// What is known of the server's clock.
    pub server_clock: ServerClock,
    /// Bytes up and down of the requests for the schedule, which are not in the outcome.
    pub asking: [u64; 2],
}

impl Visit {
    /// Asks the server for its schedule.
    ///
    /// # Errors
    /// If there are too few descriptors, or the server cannot be reached, or it is no `mailcall serve`.
    pub fn arrive(&self) -> anyhow::Result<(Arrived, Asked)> {
        descriptors::ensure(self.scenario.clients, 1, self.scenario.reply, Ends::Relay)?;
        let to = Destination::new(
            self.origin.clone(),
            self.authority.as_deref(),
            HttpVersion::Http11,
        )?;
        let mut asked = Asked { to, bytes: [0; 2] };
        let (schedule, reading) = asked.schedule(0)?;
        let at = clock::now();
        check(&schedule.scenario)?;
        let remaining = schedule.scenario.mails.saturating_sub(schedule.planned);
        let awaited = self.mails.or(Some(remaining).filter(|n| *n > 0));
        let arrived = Arrived {
            scenario: Arc::new(self.together(&schedule.scenario)),
            after: schedule.newest,
            awaited,
            at,
            schedule,
            reading,
        };
        Ok((arrived, asked))
    }

    /// The scenario of the visit: the clients' choices, and for the rest the server's.
    fn together(&self, server: &Scenario) -> Scenario {
        let ours = &self.scenario;
        Scenario {
            clients: ours.clients,
            reply: ours.reply,
            grace_ms: ours.grace_ms,
            poll_interval_ms: ours.poll_interval_ms,
            http: ours.http,
            headers: ours.headers.clone(),
            tls: self.origin.encrypted,
            over: ours.over,
            publishers: 0,
            ..server.clone()
        }
    }

    /// Stays until the mail has come.
    ///
    /// # Errors
    /// If clients or relay cannot start, or the labels don't balance.
    pub fn stay(&self, arrived: &Arrived, mut asked: Asked, progress: OnProgress) -> anyhow::Result<Visited> {
        let scenario = &arrived.scenario;
        let _awake = awake::keep();
        let to = Destination::new(self.origin.clone(), self.authority.as_deref(), scenario.http)?;
        let relay = Relay::start(&to, scenario.clients)?;
        let settings = ClientSettings {
            technique: self.technique,
            scenario,
            plan: &Plan::default(),
            headers: &self.headers,
            origin: self.origin.clone(),
            authority: None,
            cursor: arrived.cursor(),
            network: technique::Network::Sockets,
        };
        let joining = Joining {
            after: arrived.cursor(),
            last: arrived.last(),
            relay_sockets: relay.sockets().to_vec(),
        };
        let mut clients = Clients::join(&settings, Some(&joining))?;
        clients.begin(arrived.at);
        let waited = threads::block_on(self.wait(arrived, &clients, &relay, progress))?;
        let ended = clock::now();
        if waited.gave_up && clients.delivered() == 0 {
            bail!(self.no_success(&clients.trouble().unwrap_or_default()));
        }
        let finished = threads::block_on(clients.finish())?.context(t!("a client failed"))?;
        let (ledger, trouble) = relay.stop();
        let later = asked.schedule(arrived.after).ok();
        let count = Count::of(
            arrived,
            later,
            &finished.records,
            self.interrupt.is_cancelled(),
            waited.ready,
        );
        let clumps = (finished.busy.is_none_or(|busy| busy < collect::SATURATED)).then(|| {
            // Both the link and this machine may delay mail.
            let explained = scenario.link.patience() + waited.stalled;
            clumps::warning(&finished.records, explained, |number| {
                count.roughly_due(arrived, number)
            })
        });
        progress(self.progress(arrived, count.delivered, &ledger, true));
        let mut outcome = self.outcome(arrived, &count, (finished, ended), &ledger)?;
        outcome.trust.warnings.extend(count.warnings(arrived));
        outcome.trust.warnings.extend(clumps.flatten());
        outcome
            .trust
            .warnings
            .extend(trouble.map(|e| Warning::ConnectionFailed {
                why: terminal::causes(&e),
            }));
        Ok(Visited {
            outcome,
            server_clock: count.server_clock(arrived, ended),
            asking: asked.bytes,
        })
    }

    fn no_success(&self, why: &str) -> String {
        t!(
            "%{technique} has no success at %{authority}: %{why}",
            technique = self.technique.name,
            authority = self.origin.authority,
            why = why
        )
    }

    /// Waits until the clients have all their mail, or cannot get it any more.
    async fn wait(
        &self,
        arrived: &Arrived,
        clients: &Clients,
        relay: &Relay,
        progress: OnProgress<'_>,
    ) -> Waited {
        let over = async {
            tokio::select! {
                biased;
                () = clients.completion() => {}
                () = self.interrupt.cancelled() => {}
                () = until(arrived.deadline()) => {}
            }
        };
        let (mut ready, mut slept) = ((!self.technique.holds).then_some(arrived.at), clock::now());
        let (mut stalled, mut failing) = (Duration::ZERO, Failing::default());
        let patience = arrived.scenario.grace().max(FAILING) + arrived.scenario.link.patience();
        let pause = FAILING.max(arrived.scenario.poll_interval() * 2);
        let (mut naps, mut telling) = (tokio::time::interval(NAP), tokio::time::interval(TELL));
        naps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(over);
        while failing.lasted() < patience {
            let crossed = relay.ledger().changes();
            if ready.is_none() && relay.ledger().requests() >= arrived.scenario.clients as u64 {
                ready = Some(clock::now());
            }
            tokio::select! {
                biased;
                () = &mut over => break,
                () = crossed, if ready.is_none() => {}
                // A late wake-up means that the processor was busy.
                _ = naps.tick() => {
                    stalled = stalled.max(clock::since(slept));
                    slept = clock::now();
                }
                _ = telling.tick() => {
                    failing.look(clients.troubles(), clients.delivered(), pause);
                    progress(self.progress(arrived, clients.delivered(), relay.ledger(), false));
                }
            }
        }
        let complete = clients.completed() >= arrived.scenario.clients;
        let gave_up = failing.lasted() >= patience || clients.have_ended() && !complete;
        Waited {
            ready: ready.unwrap_or_else(clock::now),
            gave_up,
            stalled,
        }
    }

    fn progress(&self, arrived: &Arrived, delivered: u64, ledger: &Ledger, done: bool) -> Progress {
        let awaited = arrived.awaited.map(|n| n * arrived.scenario.clients as u64);
        Progress {
            technique: self.technique.name,
            delivered,
            expected: awaited.unwrap_or(delivered),
            requests: ledger.requests(),
            bytes: ledger.bytes(),
            done,
            recent: None,
        }
    }

    fn outcome(
        &self,
        arrived: &Arrived,
        count: &Count,
        (mut clients, ended): (Finished, Instant),
        ledger: &Ledger,
    ) -> anyhow::Result<Outcome> {
        for record in &mut clients.records {
            count.date(arrived, record);
        }
        let mut outcome = collect::outcome(Measured {
            technique: self.technique,
            scenario: &arrived.scenario,
            plan: &Plan::default(),
            headers: &self.headers,
            // Nothing is known beforehand about mail from outside.
            predicted: Prediction::default(),
            start: arrived.at,
            ended,
            clients,
            server: ServerRecord {
                proxies: Vec::new(),
                sent: count.sent,
                replies: 0,
                talk: None,
                late_us: None,
                totals: ledger.totals(),
                opened: ledger.opened(),
                peak: ledger.peak(),
                open: ledger.open(),
                used: None,
                backlogged: Default::default(),
                balanced: None,
            },
            held_back: None,
            joined: true,
        })?;
        outcome.mails.replies = None;
        outcome.latency_histogram = Histogram::of(&outcome.samples_us);
        outcome.events.extend(count.arrivals(arrived));
        outcome.events.sort_by(|a, b| a.t_us.total_cmp(&b.t_us));
        Ok(outcome)
    }
}

/// How the wait for the mail went.
struct Waited {
    /// When all clients were ready: if the technique has the server hold requests, when each client had sent one.
    ready: Instant,
    /// Whether there was nothing left to wait for.
    gave_up: bool,
    /// The longest time that this machine left a thread asleep that was due to run.
    stalled: Duration,
}

/// How long after a failure another one still belongs to the same trouble.
const FAILING: Duration = Duration::from_secs(1);

/// How long connections have done nothing but fail. A server that is gone, or never had the technique, is
/// not waited for.
#[derive(Debug, Default)]
struct Failing {
    since: Option<Instant>,
    last: Option<Instant>,
    troubles: u64,
    delivered: u64,
}

impl Failing {
    fn look(&mut self, troubles: u64, delivered: u64, pause: Duration) {
        let now = clock::now();
        let (more, works) = (troubles > self.troubles, delivered > self.delivered);
        (self.troubles, self.delivered) = (troubles, delivered);
        if works || self.last.is_some_and(|last| now - last > pause) && !more {
            (self.since, self.last) = (None, None);
        } else if more {
            self.last = Some(now);
            self.since.get_or_insert(now);
        }
    }

    fn lasted(&self) -> Duration {
        self.since.map_or(Duration::ZERO, clock::since)
    }
}
