//! Predicts what a run costs: what the same run costs with simulated time and network, where only the
//! protocol counts. Measured minus predicted is what this machine adds.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::run::Run;
use super::{Lab, Simulated, threads};
use crate::outcome::sweep::PredictedRow;
use crate::outcome::{Outcome, PredictedLatency, PredictedRequests, PredictedTalk, Prediction, Scenario};
use crate::technique::Technique;
use crate::theory::Latency;

/// How long the simulated run that accompanies a real one may take, in real time.
const PATIENCE: Duration = Duration::from_secs(20);

/// The most clients that are simulated: more are alike, and are multiplied.
const CLIENTS: usize = 64;

impl Lab {
    /// What a technique's run should cost, without the real run, and without a time limit.
    pub fn predicted_row(&self, technique: &'static Technique) -> PredictedRow {
        PredictedRow {
            technique: technique.name.into(),
            expected: (self.plan.mails.len() * self.scenario.clients) as u64,
            predicted: prediction_of(
                &simulated_lab(self, technique, Simulated::default()),
                self,
                technique,
            ),
        }
    }
}

/// Predicts a technique's run with these surroundings; empty if that takes longer than [`PATIENCE`].
pub fn predict(lab: &Lab, technique: &'static Technique, outside: Simulated) -> Prediction {
    let simulated = simulated_lab(lab, technique, outside);
    let _in_time = Limit::start(simulated.interrupt.clone(), PATIENCE);
    prediction_of(&simulated, lab, technique)
}

/// The prediction from a lab's simulated run; empty if the run fails, is ended early, or does not deliver
/// all mail.
fn prediction_of(simulated: &Lab, lab: &Lab, technique: &'static Technique) -> Prediction {
    match Run::new(simulated, technique, Duration::ZERO).simulate() {
        // An interrupted run expects only what had been sent.
        Ok(_) if simulated.interrupt.is_cancelled() => Prediction::default(),
        Ok(outcome) if outcome.mails.delivered + outcome.planned_missing() == outcome.mails.expected => {
            Prediction {
                formula_us: formula(lab, technique).map(microseconds),
                ..for_all_clients(&outcome, simulated.scenario.clients, lab.scenario.clients)
            }
        }
        _ => Prediction::default(),
    }
}

/// Ends a simulated run that takes too long.
pub(super) struct Limit {
    /// Dropped at the end, after which there is nothing to end.
    _over: mpsc::Sender<()>,
}

impl Limit {
    /// Starts to count; `interrupt` is cancelled when the time is over.
    pub fn start(interrupt: CancellationToken, patience: Duration) -> Option<Limit> {
        let (over, end) = mpsc::channel();
        let wait = move || {
            if end.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                interrupt.cancel();
            }
        };
        // Without a thread for it, there is no limit.
        threads::start("limit of the prediction", wait).ok()?;
        Some(Limit { _over: over })
    }
}

/// The same lab with simulated time and network, and with no more clients than needed.
fn simulated_lab(lab: &Lab, technique: &Technique, outside: Simulated) -> Lab {
    let all = lab.scenario.clients;
    // Publishers are not multiplied with the clients.
    let clients = match technique.publishers(&lab.scenario) {
        0 if are_alike(&lab.scenario) => all.min(CLIENTS),
        _ => all,
    };
    Lab {
        scenario: Arc::new(Scenario {
            clients,
            ..(*lab.scenario).clone()
        }),
        simulated: Some(outside),
        one_at_a_time: true,
        isolate: None,
        steady: false,
        cuts: Vec::new(),
        recordings: None,
        vanish: None,
        interrupt: lab.interrupt.child_token(),
        ..lab.clone()
    }
}

/// Whether all clients do the same, each by itself.
fn are_alike(scenario: &Scenario) -> bool {
    scenario.tabs.is_none() && scenario.slow == 0
}

/// The latency by the technique's formula, which knows of nothing that sets clients apart.
fn formula(lab: &Lab, technique: &Technique) -> Option<Latency> {
    let formula = || (technique.formula)(&lab.scenario, &lab.plan);
    are_alike(&lab.scenario).then(formula).flatten()
}

fn microseconds(latency: Latency) -> PredictedLatency {
    PredictedLatency {
        mean: latency.mean * 1e6,
        max: latency.max * 1e6,
    }
}

/// The prediction for `all` clients from a simulated run with `of` clients.
fn for_all_clients(outcome: &Outcome, of: usize, all: usize) -> Prediction {
    let each = all as f64 / of.max(1) as f64;
    let latency = |summary: Option<&crate::outcome::Latency>| {
        summary.map_or(PredictedLatency::default(), |l| PredictedLatency {
            mean: l.mean,
            max: l.max,
        })
    };
    Prediction {
        method: match all == of {
            true => "simulated".into(),
            false => format!("simulated with {of} of {all} clients"),
        },
        latency_us: latency(outcome.latency_us.as_ref()),
        formula_us: None,
        talk: outcome.talk.as_ref().map(|talk| PredictedTalk {
            latency_us: latency(talk.latency_us.as_ref()),
            overhead_bytes: talk.overhead_bytes as f64 * each,
            connections_per_client: talk.connections_per_client,
        }),
        behind_proxies: outcome.behind_proxies.clone(),
        requests: PredictedRequests {
            total: outcome.requests.total as f64 * each,
            empty: outcome.requests.empty.map(|empty| empty as f64 * each),
        },
        tabs: outcome.tabs.clone(),
        slow: outcome.slow.clone(),
        bytes: outcome.bytes.map(|counted| counted as f64 * each),
        overhead_bytes: outcome.overhead_bytes as f64 * each,
    }
}
