//! Runs the nearest case that fits the machine, to check the prediction.

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::super::{Lab, OnProgress};
use super::connections::polls_open;
use super::costs::{Costs, DAY_S};
use super::opened::opened;
use super::stretches::stretch;
use crate::outcome::advice::{Check, Compared, Scaled, Verification};
use crate::outcome::{Latency, Link, Outcome, Scenario};
use crate::technique::Technique;

/// How long mail arrives in a verification, in seconds.
const RUN_S: f64 = 10.0;

/// Mails per second: at least enough to count, and at most what does not pile up on a machine that needs
/// part of a millisecond for each step. No prediction knows that time.
const RATES: (f64, f64) = (10.0, 100.0);

/// Time runs faster until mail comes this often per second: with a hundred mails or fewer, random gaps
/// would differ from the average by more than the verification is to show.
const WANTED_RATE: f64 = 40.0;

/// The shortest wait, in milliseconds: timers fire up to a millisecond late, so it has to be much longer
/// than that.
const LEAST_WAIT_MS: f64 = 50.0;

/// The shortest interval of polls that each open a connection: a handshake takes both ends more work.
const LEAST_OPENING_MS: f64 = 250.0;

/// The longest interval, in milliseconds: several of them must fit into a run.
const LONGEST_INTERVAL_MS: f64 = 1_000.0;

/// A connection that is kept in the case is kept this many times as long as it has to be, at least, and the
/// other way round. Otherwise a late timer would decide.
const KEEP_ALIVE_MARGIN: f64 = 2.0;

/// The largest share of its time that the link may be busy.
const LINE: f64 = 0.5;

/// The fewest and the most clients, and the most deliveries to all of them.
const CLIENTS: (usize, usize) = (4, 20);
const DELIVERIES: f64 = 10_000.0;

/// The nearest case that fits the machine, and how it was scaled. All times are divided by one factor, so
/// that their proportions stay the same, as far as the shortest wait allows.
pub fn nearest(scenario: &Scenario) -> (Scenario, Scaled) {
    let interval = scenario.poll_interval_ms;
    let wanted = (WANTED_RATE / scenario.rate_per_s).max(interval / LONGEST_INTERVAL_MS);
    let least = match polls_open(scenario, interval / 1e3) {
        true => LEAST_OPENING_MS,
        false => LEAST_WAIT_MS,
    };
    let faster = wanted.min(interval / least).max(1.0);
    let waits = |ms: f64| (ms / faster).max(LEAST_WAIT_MS.min(ms));
    let link = Link {
        rtt_ms: scenario.link.rtt_ms / faster,
        jitter_ms: scenario.link.jitter_ms / faster,
        bandwidth_bit_s: scenario.link.bandwidth_bit_s.map(|bits| bits * faster),
        ..scenario.link
    };
    // The link must carry the mail, and still be idle now and then.
    let carried = link
        .bandwidth_bit_s
        .map_or(f64::INFINITY, |bits| LINE * bits / (8.0 * text_bytes(scenario)));
    let rate = (scenario.rate_per_s * faster)
        .clamp(RATES.0.min(carried), RATES.1)
        .min(carried);
    let mails = (rate * RUN_S).round().max(1.0);
    let clients = ((DELIVERIES / mails) as usize).clamp(CLIENTS.0, CLIENTS.1);
    let talk = |per_s: f64| (per_s * faster).min(RATES.1);
    let poll_interval_ms = waits(interval);
    let keep_alive = |ms: f64| match interval < ms {
        true => (ms / faster).max(KEEP_ALIVE_MARGIN * poll_interval_ms),
        // A connection is also idle between two long polls, while a machine handles the answer.
        false => waits(ms)
            .max(LEAST_WAIT_MS)
            .min(poll_interval_ms / KEEP_ALIVE_MARGIN),
    };
    let near = Scenario {
        mails: mails as u64,
        rate_per_s: rate,
        clients,
        poll_interval_ms,
        keep_alive_ms: scenario.keep_alive_ms.map(keep_alive),
        hold_ms: waits(scenario.hold_ms),
        heartbeat_ms: waits(scenario.heartbeat_ms),
        talk_per_s: scenario.talk_per_s.map(talk),
        // Not the mail that the prediction was made from.
        seed: scenario.seed.wrapping_add(1),
        link,
        ..scenario.clone()
    };
    let scaled = Scaled {
        clients: scenario.clients as u64,
        faster,
        mail: rate / (scenario.rate_per_s * faster),
        talk: scenario.talk_per_s.map(|per_s| talk(per_s) / (per_s * faster)),
        hold: near.hold_ms * faster / scenario.hold_ms,
        heartbeat: near.heartbeat_ms * faster / scenario.heartbeat_ms,
        keep_alive: match (near.keep_alive_ms, scenario.keep_alive_ms) {
            (Some(near), Some(asked)) if asked > 0.0 => near * faster / asked,
            _ => 1.0,
        },
    };
    (near, scaled)
}

/// Runs the nearest case and compares what it took with what was predicted. With `isolate`, each server is a process
/// of its own, started from this executable.
///
/// # Errors
/// As [`Lab::compare`].
pub fn verify(
    scenario: &Scenario,
    techniques: &[&'static Technique],
    isolate: Option<PathBuf>,
    interrupt: &CancellationToken,
    progress: OnProgress,
) -> anyhow::Result<Verification> {
    let (near, scaled) = nearest(scenario);
    let costs = Costs::new(&near)?;
    let passing: Vec<&'static Technique> = techniques
        .iter()
        .copied()
        .filter(|t| t.useless(scenario).is_none())
        .collect();
    let lab = Lab {
        steady: true,
        isolate,
        interrupt: interrupt.clone(),
        ..stretch(&near, near.mails)?
    };
    let outcomes = lab.compare(&passing, progress)?;
    let checks = passing
        .iter()
        .zip(&outcomes)
        .map(|(t, o)| check(&costs, &lab, t, o));
    Ok(Verification {
        checks: checks.collect::<anyhow::Result<_>>()?,
        scenario: near.clone(),
        scaled,
        seconds: lab.plan.span().as_secs_f64(),
        results: outcomes.into_iter().map(without_story).collect(),
    })
}

/// Compares a technique's run with its prediction.
fn check(costs: &Costs, lab: &Lab, technique: &'static Technique, o: &Outcome) -> anyhow::Result<Check> {
    let span = lab.plan.span().as_secs_f64();
    let clients = lab.scenario.clients as f64;
    let expected = costs.of(technique, 0.0)?;
    let cost = expected.cost.times(clients);
    let measured = (o.bytes.up.total + o.bytes.down.total) as f64;
    let bytes = cost.opening_bytes + cost.bytes_per_day / DAY_S * span;
    let requests = cost.opening_requests + cost.requests_per_s * span;
    let opened = opened(technique, lab, costs.opened(), requests);
    let ms = |latency: &Option<Latency>| latency.as_ref().map_or(0.0, |l| l.mean / 1e3);
    let heard = o.talk.as_ref().map(|talk| ms(&talk.latency_us));
    Ok(Check {
        technique: o.technique.clone(),
        requests: Compared::new(requests, o.requests.total as f64),
        bytes: Compared::new(bytes, measured),
        latency_ms: Compared::new(expected.mail.mean.unwrap_or_default(), ms(&o.latency_us)),
        talk_latency_ms: expected
            .message
            .and_then(|t| Some(Compared::new(t.mean?, heard?))),
        connections: opened.map(|opened| Compared::new(opened, o.connections.opened as f64)),
    })
}

/// The approximate bytes of a mail on the wire: an attachment travels as base64.
fn text_bytes(scenario: &Scenario) -> f64 {
    scenario.size as f64 + (scenario.attach.div_ceil(3) * 4) as f64
}

fn without_story(mut outcome: Outcome) -> Outcome {
    outcome.events_truncated |= !outcome.events.is_empty();
    outcome.events = Vec::new();
    outcome.connections.each = Vec::new();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_case_keeps_its_proportions_where_it_can() {
        let scenario = Scenario {
            rate_per_s: 1.0,
            clients: 1_000_000,
            poll_interval_ms: 2_000.0,
            hold_ms: 25_000.0,
            link: Link {
                rtt_ms: 50.0,
                ..Link::default()
            },
            ..Scenario::default()
        };
        let (near, scaled) = nearest(&scenario);
        assert_eq!((scaled.faster, scaled.mail), (40.0, 1.0));
        assert_eq!(
            (
                near.poll_interval_ms,
                near.hold_ms,
                near.link.rtt_ms,
                near.rate_per_s
            ),
            (50.0, 625.0, 1.25, 40.0)
        );
        assert_eq!(
            (near.mails, near.clients, near.seed),
            (400, 20, scenario.seed + 1)
        );
        let (fast, scaled) = nearest(&Scenario {
            rate_per_s: 1e5,
            ..scenario.clone()
        });
        assert_eq!((fast.rate_per_s, fast.clients), (100.0, 10));
        assert!(scaled.mail < 0.01, "{scaled:?}");
        let (rare, scaled) = nearest(&Scenario {
            rate_per_s: 1.0 / DAY_S,
            poll_interval_ms: 1_000.0,
            ..scenario
        });
        assert_eq!((rare.poll_interval_ms, rare.rate_per_s), (50.0, 10.0));
        assert!((scaled.mail / 43_200.0 - 1.0).abs() < 1e-9, "{scaled:?}");
    }

    #[test]
    fn whoever_holds_a_connection_holds_it_in_the_nearest_case_too() {
        let kept = |poll_interval_ms: f64, keep_alive_ms: f64| {
            let (near, scaled) = nearest(&Scenario {
                rate_per_s: 1.0 / 60.0,
                poll_interval_ms,
                keep_alive_ms: Some(keep_alive_ms),
                ..Scenario::default()
            });
            let as_said = near.keep_alive_ms.unwrap() * scaled.faster / keep_alive_ms;
            assert!(keep_alive_ms == 0.0 || (as_said - scaled.keep_alive).abs() < 1e-9);
            (near.poll_interval_ms, near.keep_alive_ms.unwrap())
        };
        assert_eq!(kept(1_000.0, 75_000.0), (50.0, 3_750.0));
        assert_eq!(kept(60_000.0, 75_000.0), (50.0, 100.0));
        // An hour to 75 s would be 1 s to 21 ms, which is less than a busy machine may need.
        assert_eq!(kept(3_600_000.0, 75_000.0), (1_000.0, 50.0));
        assert_eq!(kept(76_000.0, 75_000.0), (250.0, 125.0));
        assert_eq!(kept(76_000.0, 0.0), (250.0, 50.0));
    }
}
