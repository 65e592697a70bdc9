//! A server that goes away and comes back while its clients have work to do: what a deploy looks like from outside.
//!
//! ```text
//!  start        gone                      back                       all have every mail
//!  ├── mail ────┼── mail, for later ───────┼── clients come back ─────┤
//!  │            │ nobody listens,          │ a new process at the     │
//!  │            │ every connection ended   │ same address             │
//! ```
//!
//! The server ends as if its process were killed: after a crash, or in a deploy that does not wait. The kernel closes its
//! connections, without a close frame or the end of a response. The new process knows no session. The log is kept,
//! as in a database, and mail goes on arriving in it; or it is a new one, and clients get a reset.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::clients::{ClientSettings, Clients};
use super::collect::{self, Measured};
use super::local_server::LocalServer;
use super::predict::Limit;
use super::{Lab, Simulated, descriptors, threads};
use crate::clock;
use crate::lang::t;
use crate::link::tls::Identity;
use crate::link::{Ledger, Totals};
use crate::mail::{Epoch, Mailbox, Plan, Planned};
use crate::outcome::storm::{Recovery, Row, STEP_MS, WINDOW_MS};
use crate::outcome::{Closer, Labelled, Prediction, Scenario, Traffic};
use crate::technique::{LEAD, Origin, Technique};
use crate::wire::Labels;

/// How often the progress is reported.
const TELL: Duration = Duration::from_millis(80);

/// How long clients may take to get ready.
const READY: Duration = Duration::from_secs(60);

/// How long the server lives before it goes away, in addition to a polling interval: each client has had mail by then.
const ALIVE: Duration = Duration::from_millis(1_500);

/// How long clients may take to have every mail, in addition to their longest wait.
const GRACE: Duration = Duration::from_secs(30);

/// How long before its return all connections of the server that went away have been counted.
const SETTLED: Duration = Duration::from_millis(20);

/// How long connections may take to close.
const GOODBYE: Duration = Duration::from_millis(200);

/// How long the prediction may take, in real time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most entries of a chart: ten minutes.
const MOST_STEPS: usize = 6_000;

/// What happens to a server.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// How long it is away.
    pub down: Duration,
    /// Whether it comes back with a new, empty log.
    pub new_log: bool,
}

/// How far a technique has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Its name.
    pub technique: &'static str,
    /// Since its mail started to arrive.
    pub since: Duration,
    /// How long its server lives, and is away.
    pub until_back: Duration,
    /// Mails delivered, and expected, over all clients.
    pub delivered: [u64; 2],
}

/// The function that receives progress.
pub type Tell<'a> = &'a (dyn Fn(Progress) + Sync);

/// Servers that go away, one technique after the other, so that none disturbs another.
#[derive(Debug)]
pub struct Storming<'a> {
    lab: &'a Lab,
    outage: Outage,
}

/// When the server goes away, after the schedule's start.
fn goes_after(scenario: &Scenario) -> Duration {
    ALIVE + scenario.poll_interval() + scenario.link.patience()
}

/// A lab whose mail arrives until the server is back: the first when the schedule starts, so that each client knows the
/// log, and the last at that instant, so that each has something to come back for.
///
/// # Errors
/// If that is too much mail, or a file that the scenario names cannot be used.
pub fn lab(scenario: Scenario, outage: &Outage) -> anyhow::Result<Lab> {
    const MOST: f64 = (1_u64 << 30) as f64;
    let span = goes_after(&scenario) + outage.down;
    let expected = scenario.rate_per_s * span.as_secs_f64();
    // The number of Poisson arrivals varies by the square root of its mean.
    let mails = (expected + 6.0 * expected.sqrt()).ceil() + 10.0;
    let held = mails * (scenario.size + scenario.attach) as f64;
    if held > MOST {
        bail!(t!(
            "%{rate} mails a second for that long are %{held} MiB; allowed are %{most} MiB: use a lower --rate, a smaller --size or a shorter --down",
            rate = scenario.rate_per_s,
            held = format!("{:.0}", held / 1_048_576.0),
            most = format!("{:.0}", MOST / 1_048_576.0)
        ));
    }
    let drawn = Lab::new(Scenario {
        mails: mails as u64,
        // Publishers would go away with all other clients.
        publishers: 0,
        ..scenario
    })?;
    let mails = until(&drawn.plan, span);
    Ok(Lab {
        scenario: Arc::new(Scenario {
            mails: mails.len() as u64,
            ..(*drawn.scenario).clone()
        }),
        plan: Arc::new(Plan {
            mails,
            ..Plan::default()
        }),
        ..drawn
    })
}

/// The mails of a plan that fit into a span, the first at its beginning and one more at its end.
fn until(plan: &Plan, span: Duration) -> Vec<Planned> {
    let first = plan.mails.first().map_or(Duration::ZERO, |mail| mail.due);
    let mails = plan.mails.iter().map(|mail| Planned {
        due: mail.due - first,
        ..mail.clone()
    });
    let (early, late): (Vec<_>, Vec<_>) = mails.partition(|mail| mail.due < span);
    let last = late.into_iter().next().map(|mail| Planned { due: span, ..mail });
    early.into_iter().chain(last).collect()
}

impl<'a> Storming<'a> {
    /// Prepares the outage of each technique's server.
    pub fn new(lab: &'a Lab, outage: Outage) -> Storming<'a> {
        Storming { lab, outage }
    }

    /// Runs one technique, and before that its prediction; `None` if it was interrupted before the server was back.
    ///
    /// # Errors
    /// If server or clients cannot start, clients don't get ready, or the labels don't balance.
    pub fn measure(&self, technique: &'static Technique, tell: Tell) -> anyhow::Result<Option<Row>> {
        let clients = self.lab.scenario.clients;
        descriptors::ensure(clients, 1, false, descriptors::Ends::Both)?;
        let row = |(figures, predicted)| Row {
            technique: technique.name.into(),
            figures,
            predicted,
        };
        let came_back = threads::block_on(self.go(self.lab, technique, tell, |address| {
            let simulated = self.simulated(Simulated::now(address));
            let _in_time = Limit::start(simulated.interrupt.clone(), PATIENCE);
            let predicted = self.simulated_run(&simulated, technique).ok()?;
            predicted.filter(|_| !simulated.interrupt.is_cancelled())
        }))??;
        Ok(came_back.map(row))
    }

    /// Simulates one technique; `None` if it was interrupted before the server was back.
    ///
    /// # Errors
    /// As for [`Storming::measure`].
    pub fn simulate(&self, technique: &'static Technique) -> anyhow::Result<Option<Row>> {
        let mut lab = self.simulated(Simulated::default());
        if lab.identity.is_some() {
            // A certificate's length varies, and the same seed is to give the same bytes.
            lab.identity = Some(Identity::typical()?);
        }
        let came_back = self.simulated_run(&lab, technique)?;
        Ok(came_back.map(|figures| Row {
            technique: technique.name.into(),
            figures,
            predicted: None,
        }))
    }

    fn simulated(&self, outside: Simulated) -> Lab {
        Lab {
            simulated: Some(outside),
            interrupt: self.lab.interrupt.child_token(),
            ..self.lab.clone()
        }
    }

    fn simulated_run(&self, lab: &Lab, technique: &'static Technique) -> anyhow::Result<Option<Recovery>> {
        let came_back = threads::simulate(technique.name, || async {
            self.go(lab, technique, &|_| {}, |_| None).await
        });
        Ok(came_back?.map(|(figures, _)| figures))
    }

    /// Runs one technique, in real or simulated time. `predict` returns its prediction, given the server's address.
    async fn go(
        &self,
        lab: &Lab,
        technique: &'static Technique,
        tell: Tell<'_>,
        predict: impl FnOnce(std::net::SocketAddr) -> Option<Recovery>,
    ) -> anyhow::Result<Option<(Recovery, Option<Recovery>)>> {
        let scenario = &lab.scenario;
        let log = Arc::new(Mailbox::of(scenario, Epoch::of_seed(scenario.seed)));
        let mut server = LocalServer::counting(lab, technique, log, Ledger::new(Vec::new()).timed())?;
        let predicted = predict(server.address());
        let mut clients = started(lab, technique, &server)?;
        if technique.holds && !ready(lab, &server, &clients).await? {
            return Ok(None);
        }
        let start = clock::now() + LEAD;
        clients.begin(start);
        server.publish(start)?;
        let gone = start + goes_after(scenario);
        let back = gone + self.outage.down;
        let expected = lab.plan.mails.len() as u64 * scenario.clients as u64;
        let tick = || {
            tell(Progress {
                technique: technique.name,
                since: clock::since(start),
                until_back: back - start,
                delivered: [clients.delivered(), expected],
            });
        };
        if wait(lab, clock::sleep_until(gone), tick).await.is_none() {
            return Ok(None);
        }
        server.go_away().await?;
        if self.outage.new_log {
            let (mails, epoch) = server.replace_log();
            clients.log_replaced(mails, epoch);
        }
        server.come_back(back)?;
        if wait(lab, clock::sleep_until(back - SETTLED), tick)
            .await
            .is_none()
        {
            return Ok(None);
        }
        let before = server.ledger().totals();
        let complete = wait(lab, all_complete(lab, &clients, back), tick).await;
        let ended = clock::now();
        let connects = server.ledger().accepted_since(back);
        let measured = close(lab, technique, server, clients, (start, ended)).await?;
        let recovery = recovery(&measured, &before, back, &connects)?;
        let recovered_ms = (complete == Some(true)).then(|| millis_between(back, ended));
        let recovery = Recovery {
            recovered_ms,
            ..recovery
        };
        Ok(Some((recovery, predicted)))
    }
}

/// Starts the clients of a server.
fn started(lab: &Lab, technique: &'static Technique, server: &LocalServer) -> anyhow::Result<Clients> {
    Clients::start(&ClientSettings {
        technique,
        scenario: &lab.scenario,
        plan: &lab.plan,
        headers: &lab.headers,
        origin: Origin {
            encrypted: lab.identity.is_some(),
            authority: server.address().to_string(),
        },
        authority: lab.identity.as_ref().map(|i| i.authority.clone()),
        cursor: lab.cursor,
        network: server.network(),
    })
}

/// Waits until every client has every mail; false if that takes too long after the server's return.
async fn all_complete(lab: &Lab, clients: &Clients, back: Instant) -> bool {
    let longest = Duration::from_secs_f64(longest_wait(&lab.scenario));
    let limit = back + longest * 2 + lab.scenario.poll_interval() + GRACE;
    tokio::select! {
        biased;
        () = clients.completion() => true,
        () = clock::sleep_until(limit) => false,
    }
}

/// The longest wait between two attempts, in seconds.
pub fn longest_wait(scenario: &Scenario) -> f64 {
    let retry = scenario.retry;
    retry.waits(retry.first(Duration::ZERO)).most
}

/// Waits until all clients are there; false if the run is interrupted first.
async fn ready(lab: &Lab, server: &LocalServer, clients: &Clients) -> anyhow::Result<bool> {
    let expected = lab.scenario.clients;
    tokio::select! {
        biased;
        _ = server.until(|status| status.watchers >= expected) => return Ok(true),
        () = lab.interrupt.cancelled() => return Ok(false),
        () = clients.trouble_for_good() => {}
        () = clock::sleep(READY + lab.scenario.link.patience()) => {}
    }
    let why = clients.trouble().unwrap_or_else(|| "no client said why".into());
    bail!(t!("not all clients got ready: %{why}", why = why))
}

/// Waits for something, and reports the progress of a real run; `None` if it is interrupted first.
async fn wait<T>(lab: &Lab, awaited: impl Future<Output = T>, tick: impl Fn()) -> Option<T> {
    let mut awaited = std::pin::pin!(awaited);
    let mut ticks = tokio::time::interval(TELL);
    loop {
        tokio::select! {
            biased;
            come = &mut awaited => return Some(come),
            () = lab.interrupt.cancelled() => return None,
            _ = ticks.tick(), if lab.simulated.is_none() => tick(),
        }
    }
}

/// Ends every connection in order, then the server.
async fn close<'a>(
    lab: &'a Lab,
    technique: &'static Technique,
    server: LocalServer,
    clients: Clients,
    (start, ended): (Instant, Instant),
) -> anyhow::Result<Measured<'a>> {
    clients.tell_to_close();
    if technique.streams && lab.scenario.closer == Closer::Server {
        server.shut_down();
    }
    let finished = clients.finish().await;
    let closed = server.until(|status| status.connections == 0);
    let _ = clock::timeout(GOODBYE + lab.scenario.link.patience(), closed).await;
    let record = server.close().await;
    Ok(Measured {
        technique,
        scenario: &lab.scenario,
        plan: &lab.plan,
        headers: &lab.headers,
        predicted: Prediction::default(),
        start,
        ended,
        clients: finished.with_context(|| format!("a client of {} failed", technique.name))?,
        server: record,
        held_back: None,
        joined: false,
    })
}

/// What was counted since the server was back, where `before` is what had been counted by then.
fn recovery(
    measured: &Measured,
    before: &Totals,
    back: Instant,
    connects: &[Instant],
) -> anyhow::Result<Recovery> {
    let mails = collect::checked_delivery(measured)?;
    let (then, now) = (&before.tally, &measured.server.totals.tally);
    let since = |then: &Labels, now: &Labels| Labelled::from(Labels::of(|l| now[l].saturating_sub(then[l])));
    let bytes = Traffic {
        up: since(&then.up, &now.up),
        down: since(&then.down, &now.down),
    };
    let came: Vec<f64> = connects.iter().map(|at| millis_between(back, *at)).collect();
    Ok(Recovery {
        connects: came.len() as u64,
        connects_per_100ms: per_step(&came),
        most_connects_in_500ms: most_in(&came, WINDOW_MS),
        first_connect_ms: came.iter().copied().reduce(f64::min),
        last_connect_ms: came.iter().copied().reduce(f64::max),
        recovered_ms: None,
        requests: now.requests.saturating_sub(then.requests),
        overhead_bytes: bytes.total() - bytes.both(crate::wire::Label::Payload),
        bytes,
        mails,
    })
}

/// How many of these instants, in milliseconds, are in each step.
fn per_step(came: &[f64]) -> Vec<u64> {
    let mut steps = Vec::new();
    for at in came {
        let step = ((at / STEP_MS) as usize).min(MOST_STEPS - 1);
        if steps.len() <= step {
            steps.resize(step + 1, 0);
        }
        steps[step] += 1;
    }
    steps
}

/// The most of these instants, which are in order, in any window of this length.
fn most_in(came: &[f64], window: f64) -> u64 {
    let within = |(i, from): (usize, &f64)| came[i..].partition_point(|at| *at < from + window);
    came.iter().enumerate().map(within).max().unwrap_or(0) as u64
}

fn millis_between(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connects_are_counted_by_step_and_window() {
        let came = [0.0, 99.9, 100.0, 499.9, 500.0, 700.0, 2_000.0];
        assert_eq!(per_step(&came)[..8], [2, 1, 0, 0, 1, 1, 0, 1]);
        assert_eq!(per_step(&came).len(), 21);
        assert_eq!(most_in(&came, 500.0), 4);
        assert_eq!((per_step(&[]), most_in(&[], 500.0)), (Vec::new(), 0));
        assert_eq!(per_step(&[1e12]).len(), MOST_STEPS);
    }

    #[test]
    fn mail_arrives_from_the_start_until_the_server_is_back() {
        let outage = Outage {
            down: Duration::from_secs(5),
            new_log: false,
        };
        for rate_per_s in [2.0, 0.01] {
            let scenario = Scenario {
                rate_per_s,
                ..Scenario::default()
            };
            let span = goes_after(&scenario) + outage.down;
            let lab = lab(scenario, &outage).unwrap();
            let due: Vec<Duration> = lab.plan.mails.iter().map(|mail| mail.due).collect();
            assert_eq!((due.first(), due.last()), (Some(&Duration::ZERO), Some(&span)));
            assert!(due.is_sorted());
            assert_eq!(lab.scenario.mails, due.len() as u64);
        }
        let much = Scenario {
            rate_per_s: 100_000.0,
            size: 1_000_000,
            ..Scenario::default()
        };
        assert!(lab(much, &outage).unwrap_err().to_string().contains("--down"));
    }
}
