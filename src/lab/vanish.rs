//! Clients that die without closing: real servers, real clients, and a link that swallows everything from
//! one instant on. Each server has to find out by itself.
//!
//! ```text
//!  start          vanished                        noticed, or patience is over
//!  ├── mail ──────┼── mail, to nobody ─────────────┤
//!  │ clients live │ the server holds on            │ it has let go of every connection
//! ```

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::clients::{ClientSettings, Clients};
use super::gate::Gate;
use super::local_server::LocalServer;
use super::server::Limits;
use super::{Lab, Simulated, descriptors, predict, threads};
use crate::clock;
use crate::lang::t;
use crate::link::{Fate, Vanish};
use crate::mail::{LogAt, Plan};
use crate::outcome::vanish::{Kept, MailCounts, Modelled, PredictedNotice, Row};
use crate::outcome::{HttpVersion, Scenario};
use crate::technique::{Origin, Technique};
use crate::theory::{self, Cause, Death, Idle, Liveness};

/// How often the observation reports its progress.
const TELL: Duration = Duration::from_millis(80);

/// How long clients may take to get ready.
const READY: Duration = Duration::from_secs(30);

/// The shortest time between the schedule's start and the instant when clients vanish.
const ALIVE: Duration = Duration::from_millis(500);

/// The interval of heartbeats that never come, in milliseconds.
const NEVER_MS: f64 = 365.0 * 86_400e3;

/// How many mails a prediction simulates to find the bytes of one on the wire.
const SAMPLE: usize = 20;

/// How far the observation has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Rows in all.
    pub rows: usize,
    /// Rows whose servers have let go of their clients.
    pub noticed: usize,
    /// The time since the clients vanished; of several rows, the longest.
    pub since: Duration,
}

/// Which servers are watched, and for how long.
#[derive(Debug)]
pub struct Watch<'a> {
    lab: &'a Lab,
    patience: Duration,
    rows: Vec<Watched>,
}

/// A technique with heartbeats, or without.
#[derive(Clone, Copy, Debug)]
struct Watched {
    technique: &'static Technique,
    heartbeat: bool,
}

/// A scenario with enough mail for the time that servers are watched.
///
/// # Errors
/// If that is too much mail.
pub fn supplied(scenario: Scenario, patience: Duration) -> anyhow::Result<Scenario> {
    const MOST: f64 = (1_u64 << 30) as f64;
    let expected = scenario.rate_per_s * (vanishes_after(&scenario) + patience).as_secs_f64();
    // The number of Poisson arrivals varies by the square root of its mean.
    let mails = (expected + 6.0 * expected.sqrt()).ceil() + 10.0;
    let held = mails * (scenario.size + scenario.attach) as f64;
    if held > MOST {
        bail!(t!(
            "%{rate} mails a second for that long are %{held} MiB; allowed are %{most} MiB: use a lower --rate, a smaller --size or less --patience",
            rate = scenario.rate_per_s,
            held = format!("{:.0}", held / 1_048_576.0),
            most = format!("{:.0}", MOST / 1_048_576.0)
        ));
    }
    Ok(Scenario {
        mails: mails as u64,
        ..scenario
    })
}

/// When clients vanish, after the schedule's start: each has connected by then, and sent a request.
fn vanishes_after(scenario: &Scenario) -> Duration {
    ALIVE + scenario.poll_interval() + scenario.link.patience()
}

/// The kernel's limits that the link imitates.
pub fn modelled(scenario: &Scenario) -> Modelled {
    let timeout = scenario.link.path().retransmission_timeout();
    Modelled {
        send_buffer_bytes: theory::SEND_BUFFER,
        retransmission_timeout_ms: timeout * 1e3,
        gives_up_after_ms: theory::gives_up_after(timeout) * 1e3,
    }
}

impl<'a> Watch<'a> {
    /// Watches each technique's server: with heartbeats, if it has any, and without.
    pub fn new(lab: &'a Lab, techniques: &[&'static Technique], patience: Duration) -> Watch<'a> {
        let rows = techniques.iter().flat_map(|technique| {
            let both = beats(technique).then_some(true);
            both.into_iter()
                .chain([false])
                .map(|heartbeat| Watched { technique, heartbeat })
        });
        Watch {
            lab,
            patience,
            rows: rows.collect(),
        }
    }

    /// Watches all of them at once.
    ///
    /// # Errors
    /// If a server or client cannot start.
    pub fn go(&self, progress: &(dyn Fn(Progress) + Sync)) -> anyhow::Result<Vec<Row>> {
        descriptors::ensure(
            self.lab.scenario.clients,
            self.rows.len(),
            false,
            descriptors::Ends::Both,
        )?;
        let gate = Gate::new(self.rows.len());
        let noticed = parking_lot::Mutex::new(BTreeSet::new());
        let tell = |row: usize, done: bool, since: Duration| {
            let mut noticed = noticed.lock();
            if done {
                noticed.insert(row);
            }
            progress(Progress {
                rows: self.rows.len(),
                noticed: noticed.len(),
                since,
            });
        };
        let rows = self.rows.iter().enumerate().map(|(i, row)| {
            let (gate, tell) = (&gate, &tell);
            let tell = move |done, since| tell(i, done, since);
            (row.technique.name, move || {
                threads::block_on(row.go(self.lab, self.patience, gate, &tell))?
            })
        });
        threads::at_once(&gate, rows)
    }
}

/// Whether a technique has heartbeats at all.
fn beats(technique: &Technique) -> bool {
    matches!(
        technique.liveness,
        Liveness::Written(Some(_))
            | Liveness::Pinged { .. }
            | Liveness::Clocked { .. }
            | Liveness::HeartBeats { .. }
    )
}

impl Watched {
    async fn go(
        &self,
        lab: &Lab,
        patience: Duration,
        gate: &Gate,
        tell: &(dyn Fn(bool, Duration) + Sync),
    ) -> anyhow::Result<Row> {
        let place = gate.place();
        let vanish = Vanish::default();
        let lab = self.lab(lab, patience, &vanish);
        let mut server = LocalServer::start(&lab, self.technique, &LogAt::Memory)?;
        let origin = Origin {
            encrypted: lab.identity.is_some(),
            authority: server.address().to_string(),
        };
        let predicted = self.predict(&lab, server.address(), patience);
        let mut clients = Clients::start(&ClientSettings {
            technique: self.technique,
            scenario: &lab.scenario,
            plan: &lab.plan,
            headers: &lab.headers,
            origin: origin.clone(),
            authority: lab.identity.as_ref().map(|i| i.authority.clone()),
            cursor: lab.cursor,
            network: server.network(),
        })?;
        let expected = lab.scenario.clients;
        if self.technique.holds {
            let there = server.until(|status| status.watchers >= expected);
            wait(&lab, &clients, there).await?;
        }
        let start = place.pass();
        clients.begin(start);
        server.publish(start)?;
        let begun = clock::sleep_until(start + vanishes_after(&lab.scenario));
        wait(&lab, &clients, begun).await?;
        let asked = server.until(|status| status.requests >= self.asked(expected));
        wait(&lab, &clients, asked).await?;
        let delivered = clients.delivered();
        let since = vanish.now();
        let fates = observe(&lab, &vanish, since + patience, tell).await;
        vanish.end();
        drop(clients);
        let before = lab
            .plan
            .mails
            .iter()
            .take_while(|m| start + m.due <= since)
            .count() as u64;
        let mails = MailCounts {
            delivered,
            arrived_since: server.close().await.sent.saturating_sub(before),
        };
        Ok(self.row(&lab, since, &fates, mails, predicted))
    }

    /// The number of requests that shows that all clients have connected; bare TCP makes none.
    fn asked(&self, clients: usize) -> u64 {
        if self.technique.holds { 0 } else { clients as u64 }
    }

    /// The lab of this row: with its own heartbeats and link, and with mail until the end.
    fn lab(&self, lab: &Lab, patience: Duration, vanish: &Vanish) -> Lab {
        let mut scenario = (*lab.scenario).clone();
        // Publishers would vanish with all other clients.
        scenario.publishers = 0;
        if !self.heartbeat {
            scenario.heartbeat_ms = NEVER_MS;
        }
        let end = vanishes_after(&scenario) + patience;
        // One more than can arrive: a client that has all its mail leaves.
        let due = lab.plan.mails.iter().take_while(|m| m.due <= end).count();
        let mails = lab.plan.mails.iter().take(due + 1).cloned().collect();
        Lab {
            scenario: Arc::new(scenario),
            plan: Arc::new(Plan {
                mails,
                ..Plan::default()
            }),
            vanish: Some(vanish.clone()),
            ..lab.clone()
        }
    }

    fn row(
        &self,
        lab: &Lab,
        since: Instant,
        fates: &[Fate],
        mails: MailCounts,
        predicted: Option<PredictedNotice>,
    ) -> Row {
        let after = |at: Instant| at.saturating_duration_since(since).as_secs_f64() * 1e3;
        let let_go = fates.iter().filter_map(|f| Some((f.let_go?, f)));
        let last = let_go.clone().max_by_key(|(at, _)| *at);
        let all = let_go.clone().count() == fates.len();
        let last = last.filter(|_| all);
        Row {
            technique: self.technique.name.into(),
            heartbeat_ms: self.heartbeat.then_some(lab.scenario.heartbeat_ms),
            noticed_ms: last.map(|(at, _)| after(at)),
            first_noticed_ms: let_go.clone().map(|(at, _)| at).min().map(after),
            by: last.and_then(|(at, fate)| self.cause(&lab.scenario, at, fate)),
            connections: Kept {
                held: fates.len() as u64,
                let_go: let_go.count() as u64,
            },
            mails,
            buffered_bytes: fates.iter().map(|f| f.buffered as u64).sum(),
            lost_up_bytes: fates.iter().map(|f| f.lost_up as u64).sum(),
            predicted,
        }
    }

    /// Why a connection was let go of, judged by what its server did last: one of the time limits has just
    /// run out since then.
    fn cause(&self, scenario: &Scenario, at: Instant, fate: &Fate) -> Option<Cause> {
        let limits = Limits::of(scenario);
        // Timers round down to the millisecond.
        let lasted = |from: Instant, limit: Duration| at + Duration::from_millis(2) >= from + limit;
        if fate.broke {
            return Some(Cause::RetransmissionTimeout);
        }
        if let Some(stalled) = fate.stalled {
            let heard = self.heartbeat && matches!(self.technique.liveness, Liveness::HeartBeats { .. });
            return match lasted(stalled, limits.stall) {
                true => Some(Cause::Stalled),
                // The server listens while a write waits.
                false => heard.then_some(Cause::HeartBeatMissed),
            };
        }
        let wrote = fate.wrote?;
        match self.technique.liveness {
            Liveness::Pinged { .. } if self.heartbeat => {
                lasted(wrote, scenario.heartbeat()).then_some(Cause::PingUnanswered)
            }
            Liveness::Clocked { .. } if self.heartbeat => Some(Cause::PingUnanswered),
            Liveness::HeartBeats { .. } if self.heartbeat => Some(Cause::HeartBeatMissed),
            Liveness::Asked | Liveness::Held if lasted(wrote, limits.head_timeout) => Some(Cause::Idle),
            Liveness::Asked | Liveness::Held if scenario.http == HttpVersion::Http10 => Some(Cause::Answered),
            _ => None,
        }
    }

    fn predict(&self, lab: &Lab, address: SocketAddr, patience: Duration) -> Option<PredictedNotice> {
        let scenario = &lab.scenario;
        let vanished = vanishes_after(scenario).as_secs_f64();
        let due: Vec<f64> = lab
            .plan
            .mails
            .iter()
            .map(|m| m.due.as_secs_f64() - vanished)
            .collect();
        let (before, after) = due.split_at(due.partition_point(|d| *d <= 0.0));
        let limits = Limits::of(scenario);
        let death = Death {
            due: after,
            mail: self.mail_bytes(lab, Simulated::now(address)),
            heartbeat: self.heartbeat.then(|| scenario.heartbeat().as_secs_f64()),
            wrote: self.wrote(scenario, before.last().copied(), vanished),
            hold: scenario.hold().as_secs_f64(),
            idle: match scenario.http {
                HttpVersion::Http10 => Idle::Closed,
                HttpVersion::Http11 => Idle::WaitsFor(limits.head_timeout.as_secs_f64()),
                HttpVersion::Http2 => Idle::GoAway((limits.head_timeout + limits.stall).as_secs_f64()),
            },
            stall: limits.stall.as_secs_f64(),
            patience: scenario.link.patience().as_secs_f64(),
            rtt: scenario.link.path().rtt,
            timeout: scenario.link.path().retransmission_timeout(),
        };
        let notice = death.noticed(self.technique.liveness, patience.as_secs_f64());
        notice.map(|n| PredictedNotice {
            earliest_ms: n.earliest * 1e3,
            latest_ms: n.latest * 1e3,
            by: n.cause,
        })
    }

    /// When the server last wrote before the clients vanished, at the earliest and at the latest, given the
    /// last mail before that; in seconds, from the vanishing.
    fn wrote(&self, scenario: &Scenario, mail: Option<f64>, vanished: f64) -> (f64, f64) {
        let rtt = scenario.link.path().rtt;
        let heartbeat = scenario.heartbeat().as_secs_f64();
        match (self.technique.liveness, mail) {
            (Liveness::Asked, _) => (-scenario.poll_interval().as_secs_f64() - rtt, 0.0),
            (Liveness::Held, Some(mail)) => (mail, (mail + rtt).min(0.0)),
            (Liveness::Held, None) => (-scenario.hold().as_secs_f64(), 0.0),
            // Heartbeats count from the last mail.
            (_, Some(mail)) if self.heartbeat => (-(-mail % heartbeat), -(-mail % heartbeat)),
            (_, Some(mail)) => (mail, mail),
            (_, None) if self.heartbeat => (-heartbeat, 0.0),
            (_, None) => (-vanished, 0.0),
        }
    }

    /// The bytes of one mail on the wire, down: framing and payload.
    fn mail_bytes(&self, lab: &Lab, outside: Simulated) -> f64 {
        let few = Plan {
            mails: lab.plan.mails.iter().take(SAMPLE).cloned().collect(),
            ..Plan::default()
        };
        let one = Lab {
            scenario: Arc::new(Scenario {
                clients: 1,
                mails: few.mails.len() as u64,
                ..(*lab.scenario).clone()
            }),
            plan: Arc::new(few),
            ..lab.clone()
        };
        let down = predict::predict(&one, self.technique, outside).bytes.down;
        (down.framing + down.payload) / one.plan.mails.len().max(1) as f64
    }
}

/// Waits for something, or until the run is interrupted.
async fn wait<T>(lab: &Lab, clients: &Clients, awaited: impl Future<Output = T>) -> anyhow::Result<()> {
    tokio::select! {
        biased;
        _ = awaited => return Ok(()),
        () = lab.interrupt.cancelled() => return Ok(()),
        () = clock::sleep(READY + vanishes_after(&lab.scenario)) => {}
    }
    let why = clients.trouble().unwrap_or_else(|| "no client said why".into());
    bail!(t!("not all clients got ready: %{why}", why = why))
}

/// Watches until all connections are let go of, the time is over, or the run is interrupted.
async fn observe(
    lab: &Lab,
    vanish: &Vanish,
    until: Instant,
    tell: &(dyn Fn(bool, Duration) + Sync),
) -> Vec<Fate> {
    let since = vanish.now();
    let mut ticks = tokio::time::interval(TELL);
    loop {
        // The link has recorded when each was let go of, so it does not matter when this looks.
        let over = tokio::select! {
            biased;
            () = lab.interrupt.cancelled() => true,
            () = clock::sleep_until(until) => true,
            _ = ticks.tick() => false,
        };
        let fates = vanish.fates();
        let noticed = fates.iter().all(|f| f.let_go.is_some());
        tell(noticed, clock::since(since));
        if noticed || over {
            return fates;
        }
    }
}
