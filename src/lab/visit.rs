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
//! When a mail was due only the server's end knows. It follows from the server's scenario, as the mail
//! itself does, where both ends read one clock: where the server's reading, on the way back, lies between
//! two of ours. Mail from outside was never due.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::clients::{Brief, Clients, Finished, Joining};
use super::clumps;
use super::collect::{self, Measured};
use super::descriptors::{self, Ends};
use super::home::Left;
use super::isolate::{from_nanos, to_nanos};
use super::relay::{Destination, Relay};
use super::standalone::Schedule;
use super::threads;
use super::{OnProgress, Progress, awake};
use crate::clock;
use crate::lang::{figured, text};
use crate::link::Ledger;
use crate::mail::{Cursor, Log, Plan};
use crate::outcome::{Event, EventKind, HttpVersion, Link, Outcome, Prediction, SCHEMA, Scenario};
use crate::technique::{self, Headers, Origin, Record, Technique, limit, origin};

/// The length of a sleep whose lateness shows how busy this machine is.
const NAP: Duration = Duration::from_millis(2);

/// How often a visit reports its progress.
const TELL: Duration = Duration::from_millis(80);

/// How long the server may take to say what it does.
const ANSWERING: Duration = Duration::from_secs(10);

/// The most mails, and the longest duration in milliseconds, that a server may have been asked for.
const MAX_MAILS: u64 = 10_000_000;
const MAX_MS: f64 = 1e9;

/// Ends at an instant; never if there is none.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => clock::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Who visits whom.
#[derive(Debug)]
pub struct Visit {
    /// The technique whose client half runs.
    pub technique: &'static Technique,
    /// The server.
    pub origin: Origin,
    /// The certificate authority to trust, PEM, where the connection is encrypted.
    pub authority: Option<String>,
    /// What the clients decide: how many, how they ask, what they carry. The rest is the server's.
    pub scenario: Scenario,
    /// The header profile.
    pub headers: Arc<Headers>,
    /// How many mails to wait for; `None` for those that are still to come.
    pub mails: Option<u64>,
    /// Cancelled to end early with what there is.
    pub interrupt: CancellationToken,
}

/// What a visit is like before its first mail.
#[derive(Debug)]
pub struct Arrived {
    /// The scenario of server and clients together.
    pub scenario: Arc<Scenario>,
    /// The number of the newest mail: only what comes after it is expected.
    pub after: u64,
    /// How many mails to wait for; `None` if that is for whoever interrupts to say.
    pub awaited: Option<u64>,
    at: Instant,
    schedule: Schedule,
    same_clock: bool,
}

/// What a visit brought.
#[derive(Debug)]
pub struct Visited {
    /// What was measured.
    pub outcome: Outcome,
    /// Bytes up and down of asking what the server does, which are not in the outcome.
    pub asking: [u64; 2],
}

impl Visit {
    /// Asks the server what it does.
    ///
    /// # Errors
    /// If descriptors don't suffice, it cannot be reached, or is no server of this kind.
    pub fn arrive(&self) -> anyhow::Result<(Arrived, Asked)> {
        descriptors::ensure(self.scenario.clients, 1, self.scenario.reply, Ends::Relay)?;
        let to = Destination::new(
            self.origin.clone(),
            self.authority.as_deref(),
            HttpVersion::Http11,
        )?;
        let mut asked = Asked { to, bytes: [0; 2] };
        let (schedule, same_clock) = asked.schedule(0)?;
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
            same_clock,
        };
        Ok((arrived, asked))
    }

    /// What is asked of the clients, at what is asked of the server.
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

    /// Stays until the mail is there.
    ///
    /// # Errors
    /// If clients or relay cannot start, or the labels don't balance.
    pub fn stay(&self, arrived: &Arrived, mut asked: Asked, progress: OnProgress) -> anyhow::Result<Visited> {
        let scenario = &arrived.scenario;
        let _awake = awake::keep();
        let to = Destination::new(self.origin.clone(), self.authority.as_deref(), scenario.http)?;
        let relay = Relay::start(&to, scenario.clients)?;
        let brief = Brief {
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
            doors: relay.doors().to_vec(),
        };
        let mut clients = Clients::join(&brief, Some(&joining))?;
        clients.begin(arrived.at);
        let waited = threads::block_on(self.wait(arrived, &clients, &relay, progress))?;
        let ended = clock::now();
        if waited.gave_up && clients.delivered() == 0 {
            let why = clients.trouble().unwrap_or_default();
            bail!(
                "{} has no success at {}: {why}",
                self.technique.name,
                self.origin.authority
            );
        }
        let finished = threads::block_on(clients.finish())?.context("a client failed")?;
        let (ledger, trouble) = relay.stop();
        let later = asked.schedule(arrived.after).map(|(later, _)| later);
        let count = Count::of(
            arrived,
            later.ok(),
            &finished.records,
            self.interrupt.is_cancelled(),
            waited.ready,
        );
        let clumps = (finished.busy.is_none_or(|busy| busy < collect::SATURATED)).then(|| {
            // What the link keeps waiting, and what this machine does.
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
            .extend(trouble.map(|why| format!("a connection failed: {why}")));
        Ok(Visited {
            outcome,
            asking: asked.bytes,
        })
    }

    /// Waits until the clients have what they came for, or cannot have it any more.
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
            // Of mail that comes from outside nothing is known before.
            predicted: Prediction::default(),
            start: arrived.at,
            ended,
            clients,
            left: Left {
                sent: count.sent,
                replies: 0,
                talk: None,
                late_us: None,
                totals: ledger.totals(),
                opened: ledger.opened(),
                peak: ledger.peak(),
                open: ledger.open(),
                used: None,
            },
            held_back: None,
            joined: true,
        })?;
        outcome.mails.replies = None;
        outcome.events.extend(count.arrivals(arrived));
        outcome.events.sort_by(|a, b| a.t_us.total_cmp(&b.t_us));
        Ok(outcome)
    }
}

/// How it went to wait for the mail.
struct Waited {
    /// When all clients were there: had asked, as far as the technique has the server hold that.
    ready: Instant,
    /// Whether there was nothing to wait for.
    gave_up: bool,
    /// The longest that this machine left a thread asleep that wanted to go on.
    stalled: Duration,
}

/// How long after a failure another is the same trouble.
const FAILING: Duration = Duration::from_secs(1);

/// How long connections have done nothing but fail: a server that is gone, or never had the technique, is
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

impl Arrived {
    /// Where clients join. A server that names no log is not asked for the name either.
    fn cursor(&self) -> Cursor {
        match self.schedule.epoch {
            Some(epoch) => Cursor::of(self.after, epoch),
            None => Cursor {
                number: self.after,
                log: Log::Any,
            },
        }
    }

    fn last(&self) -> u64 {
        self.awaited.map_or(u64::MAX, |n| self.after.saturating_add(n))
    }

    /// When to stop waiting; `None` where mail is awaited that nobody has planned.
    fn deadline(&self) -> Option<Instant> {
        let Schedule {
            scenario, planned, ..
        } = &self.schedule;
        self.awaited
            .filter(|n| *n <= scenario.mails.saturating_sub(*planned))?;
        let Schedule {
            start_ns,
            span_ns,
            now_ns,
            ..
        } = &self.schedule;
        let still = start_ns.saturating_add(*span_ns).saturating_sub(*now_ns);
        let slowest = scenario.link.patience() + self.scenario.poll_interval();
        self.at
            .checked_add(Duration::from_nanos(still) + slowest + self.scenario.grace())
    }

    /// Why it is not known when mail is due, if it is not.
    fn undated(&self) -> Option<&'static str> {
        if self.schedule.scenario.replay.is_some() {
            return Some(text!(
                "no latency: when the server's mail was due is not known here, because it replays a file that only \
                 its own end has read"
            ));
        }
        (!self.same_clock).then_some(text!(
            "no latency: when the server's mail was due is not known here, because its clock is not this machine's"
        ))
    }
}

/// What came, and from where.
struct Count {
    sent: u64,
    delivered: u64,
    /// From outside, in order; `None` where the server did not say, or not all.
    outside: Option<Vec<u64>>,
    /// When the server's mail is due, from its start.
    planned: Vec<Duration>,
    /// When all clients were there: what was due before had to wait for that.
    ready: Instant,
}

impl Count {
    fn of(
        arrived: &Arrived,
        later: Option<Schedule>,
        records: &[Record],
        interrupted: bool,
        ready: Instant,
    ) -> Count {
        let passed = records.iter().map(|r| r.passed).max().unwrap_or(0);
        // Of a log that it has no more, a server can say nothing.
        let later = later.filter(|later| later.epoch == arrived.schedule.epoch);
        let sent = match &later {
            // What was under way then is nobody's loss.
            _ if interrupted => passed,
            Some(later) => later.newest.min(arrived.last()).saturating_sub(arrived.after),
            // It is gone, and with it what was awaited.
            None => arrived.awaited.unwrap_or(passed),
        };
        Count {
            sent,
            delivered: records.iter().map(|r| r.delivered).sum(),
            outside: later.and_then(|later| {
                let came = later.newest.checked_sub(arrived.after)?;
                let planned = later.planned.checked_sub(arrived.schedule.planned)?;
                (planned + later.outside.len() as u64 == came).then_some(later.outside)
            }),
            planned: Plan::instants(&arrived.schedule.scenario),
            ready,
        }
    }

    /// When a mail was due, from the schedule's start; `None` if it is not known, or never was.
    fn due(&self, arrived: &Arrived, number: u64) -> Option<Instant> {
        let due = self.planned(arrived, number)?;
        let dated = arrived.undated().is_none();
        dated.then(|| from_nanos(arrived.schedule.start_ns) + due)
    }

    /// The same where only the server's clock knows: wrong by as long as its answer was on the way, and the
    /// same for all mails.
    fn roughly_due(&self, arrived: &Arrived, number: u64) -> Option<Instant> {
        let Schedule { start_ns, now_ns, .. } = arrived.schedule;
        let due = self.planned(arrived, number)?;
        let still = Duration::from_nanos(start_ns.saturating_sub(now_ns));
        let since = Duration::from_nanos(now_ns.saturating_sub(start_ns));
        arrived.at.checked_add(still + due)?.checked_sub(since)
    }

    /// When a mail was due by the schedule, from its start.
    fn planned(&self, arrived: &Arrived, number: u64) -> Option<Duration> {
        let before = self.outside.as_ref()?.binary_search(&number).err()? as u64;
        let index = arrived.schedule.planned + (number - arrived.after - 1) - before;
        self.planned.get(usize::try_from(index).ok()?).copied()
    }

    /// Enters the latencies, now that it is known when what was due.
    fn date(&self, arrived: &Arrived, record: &mut Record) {
        let dated = std::mem::take(&mut record.undated);
        record.latencies_us = dated
            .into_iter()
            .filter_map(|(number, at)| {
                let waited = at.saturating_duration_since(self.due(arrived, number)?);
                Some(waited.as_secs_f64() * 1e6)
            })
            .collect();
    }

    fn arrivals(&self, arrived: &Arrived) -> Vec<Event> {
        let numbers = (1..=self.sent.min(collect::SHOWN_MAILS as u64)).map(|n| arrived.after + n);
        numbers
            .filter_map(|number| {
                let due = self.due(arrived, number)?;
                let since = |a: Instant, b: Instant| a.saturating_duration_since(b).as_secs_f64();
                Some(Event {
                    t_us: (since(due, arrived.at) - since(arrived.at, due)) * 1e6,
                    client: None,
                    kind: EventKind::Arrived,
                    mail: Some(number),
                })
            })
            .collect()
    }

    fn warnings(&self, arrived: &Arrived) -> Vec<String> {
        let why = match (arrived.undated(), &self.outside) {
            (Some(why), _) => Some(why),
            (None, None) => Some(text!(
                "no latency: when the server's mail was due is not known here, because in the end it did not say \
                 what had come from outside"
            )),
            (None, Some(_)) => None,
        };
        let last = arrived.after + self.sent;
        let outside = self.outside.iter().flatten().filter(|n| **n <= last).count();
        let unplanned = (outside > 0 && why.is_none()).then(|| {
            figured!("of {outside} of the mails, from outside (POST /mail), nobody knew when they were due: they have no latency")
        });
        let numbers = (1..=self.sent.min(MAX_MAILS)).map(|n| arrived.after + n);
        let early = numbers.map_while(|number| {
            self.due(arrived, number)
                .map_or(Some(0), |due| (due < self.ready).then_some(1))
        });
        let early = early.sum::<u64>();
        let early = (early > 0).then(|| {
            figured!("{early} of the mails were due before all clients were there: that they waited for it is in the latency")
        });
        why.map(String::from)
            .into_iter()
            .chain(unplanned)
            .chain(early)
            .collect()
    }
}

/// Refuses a scenario that nobody can have asked for: drawing its mail would never end.
fn check(server: &Scenario) -> anyhow::Result<()> {
    let Link {
        rtt_ms,
        jitter_ms,
        bandwidth_bit_s,
        loss_fraction,
    } = server.link;
    let durations = [server.hold_ms, server.heartbeat_ms, rtt_ms, jitter_ms];
    let plausible = server.mails <= MAX_MAILS
        && (1e-6..=1e6).contains(&server.rate_per_s)
        && durations.iter().all(|ms| (0.0..=MAX_MS).contains(ms))
        && bandwidth_bit_s.is_none_or(|b| b >= 1.0)
        && (0.0..=1.0).contains(&loss_fraction);
    ensure!(plausible, "the server says of its schedule what cannot be");
    Ok(())
}

/// The way to ask the server what it does, and what asking has cost.
#[derive(Debug)]
pub struct Asked {
    to: Destination,
    bytes: [u64; 2],
}

impl Asked {
    /// Asks what it does, and what came from outside after a number. Also says whether its clock is ours.
    fn schedule(&mut self, after: u64) -> anyhow::Result<(Schedule, bool)> {
        let relay = Relay::start(&self.to, 1)?;
        let before = to_nanos(clock::now());
        let target = format!("/schedule?after={after}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let answer = runtime.block_on(async {
            let asking = ask(&relay.doors()[0], &self.to.origin, &target);
            tokio::time::timeout(ANSWERING, asking)
                .await
                .context("it does not answer")?
        });
        let now = to_nanos(clock::now());
        let (ledger, trouble) = relay.stop();
        let [up, down] = ledger.totals().raw;
        self.bytes[0] += up;
        self.bytes[1] += down;
        if let Some(why) = trouble {
            bail!(why);
        }
        let origin = &self.to.origin;
        let without = if origin.encrypted { "" } else { " without TLS" };
        let not_ours = || format!("{} is not a `mailcall serve`{without}", origin.authority);
        let schedule = answer
            .and_then(|(status, body)| understood(status, &body))
            .with_context(not_ours)?;
        let same_clock = (before..=now).contains(&schedule.now_ns) && now > before;
        Ok((schedule, same_clock))
    }
}

/// One request on a connection of its own.
async fn ask(door: &Path, origin: &Origin, target: &str) -> anyhow::Result<(StatusCode, Bytes)> {
    let io = TokioIo::new(origin::dial_relay(door).await?);
    let (mut http, connection) = http1::handshake(io).await?;
    let request = Request::get(target)
        .header(header::HOST, HeaderValue::from_str(&origin.authority)?)
        .header(header::CONNECTION, HeaderValue::from_static("close"))
        .body(Empty::<Bytes>::new())?;
    let answered = async {
        let response = http.send_request(request).await?;
        let status = response.status();
        let body = limit::whole(response.into_body()).await?;
        // Lets the connection end.
        drop(http);
        anyhow::Ok((status, body))
    };
    let (answer, _) = tokio::join!(answered, connection);
    answer
}

fn understood(status: StatusCode, body: &[u8]) -> anyhow::Result<Schedule> {
    ensure!(status == StatusCode::OK, "/schedule answered {status}");
    let said: serde_json::Value = serde_json::from_slice(body).context("/schedule is not JSON")?;
    let (Some(version), Some(schema)) = (said["mailcall"].as_str(), said["schema"].as_u64()) else {
        bail!("/schedule does not say what it is");
    };
    let version: String = version.chars().filter(|c| !c.is_control()).take(32).collect();
    ensure!(
        schema == u64::from(SCHEMA),
        "it is of mailcall {version}, whose schema {schema} this one, with {SCHEMA}, does not know"
    );
    serde_json::from_value(said)
        .with_context(|| format!("it is of mailcall {version}, which says other things"))
}
