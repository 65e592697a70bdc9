//! What somebody's case would cost with each technique, and which one to take. Everything is predicted,
//! from the same models that stand beside a run's figures; `verify` runs the nearest case that fits the
//! machine.
//!
//! What is wanted is a cost per second, for a client that stays. So the model is asked about a long
//! stretch of mail such as the case has, and about a mail or two in an instant, from which it is known
//! what opening and ending a connection take: the rest is what goes on. A mail a day or ten million
//! clients are as quickly told as any: the models count by mail, not by request, and clients are alike.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Lab, OnProgress};
use crate::mail::Plan;
use crate::outcome::advice::{Candidate, Check, Compared, Cost, Delay, Failing, Scaled, Verification};
use crate::outcome::{Block, Link, Outcome, Over, Prediction, Scenario};
use crate::technique::{Technique, talk};
use crate::theory::Handshake;

/// Clients that stand for all: their phases and their luck are averaged over.
const CROWD: usize = 16;

/// A long stretch of mail: enough for chance to even out, and for the longest time in it to pass
/// several times, but no more than can be looked through at once.
const MAILS: (f64, f64) = (2_000.0, 20_000.0);
const TIMES: f64 = 20.0;
const BYTES: usize = 16 << 20;

const DAY_S: f64 = 86_400.0;

/// The least interval of polling, milliseconds.
const LEAST_INTERVAL_MS: f64 = 1.0;

/// Somebody's case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The mail, the clients and what lies between; `mails`, `seed` and `poll_interval_ms` are ours.
    pub scenario: Scenario,
    /// The most that a mail may wait.
    pub delay: Duration,
}

/// What is thought of it.
#[derive(Clone, Debug)]
pub struct Opinion {
    /// The case, with an interval of polling that meets the delay as well as one can.
    pub scenario: Scenario,
    /// One per technique.
    pub candidates: Vec<Candidate>,
    /// Which one to take.
    pub recommendation: Option<String>,
    /// The next best.
    pub runner_up: Option<String>,
}

/// Weighs the techniques.
///
/// # Errors
/// If a header file cannot be used, or TLS handshakes cannot be rehearsed.
pub fn weigh(case: &Case, techniques: &[&'static Technique]) -> anyhow::Result<Opinion> {
    let scenario = Scenario {
        poll_interval_ms: interval(case, techniques)?,
        ..case.scenario.clone()
    };
    let stretches = Stretches::of(&scenario)?;
    let clients = scenario.clients as f64;
    let candidate = |t: &&'static Technique| {
        let (cost, latency_ms, method) = stretches.cost(t);
        Candidate {
            technique: t.name.into(),
            method,
            per_client: cost,
            total: cost.times(clients),
            latency_ms,
            fails: failings(t, &scenario, latency_ms, case.delay),
        }
    };
    let candidates: Vec<Candidate> = techniques.iter().map(candidate).collect();
    let mut order = rank(&candidates, messages_per_s(&scenario)).into_iter();
    let mut next = || order.next().map(|c| c.technique.clone());
    Ok(Opinion {
        recommendation: next(),
        runner_up: next(),
        candidates,
        scenario,
    })
}

/// The longest interval with which polling's worst is within the delay. The worst is the interval and
/// what comes on top, whatever the interval; so one try tells what that is.
fn interval(case: &Case, techniques: &[&'static Technique]) -> anyhow::Result<f64> {
    let delay_ms = case.delay.as_secs_f64() * 1e3;
    let Some(asks) = techniques.iter().find(|t| !t.holds) else {
        return Ok(delay_ms.max(LEAST_INTERVAL_MS));
    };
    let tried = Scenario {
        poll_interval_ms: delay_ms.max(LEAST_INTERVAL_MS),
        ..case.scenario.clone()
    };
    let worst = Stretches::of(&tried)?.latency(asks).worst;
    let on_top = worst - tried.poll_interval_ms;
    Ok(round_down(delay_ms - on_top).max(LEAST_INTERVAL_MS))
}

/// To three digits, which are enough for an interval.
fn round_down(ms: f64) -> f64 {
    if ms <= 0.0 {
        return 0.0;
    }
    let digit = 10_f64.powf(ms.log10().floor() - 2.0);
    // What is a round number already stays one.
    (ms / digit + 1e-9).floor() * digit
}

/// Mail such as a scenario has.
struct Stretches {
    /// A long stretch, that lasts exactly as long as so many mails do on average.
    long: Lab,
    /// The same, with time before the first mail: nobody is still opening a connection then.
    settled: Lab,
    /// A mail at once, and another a little later: what one costs, and what comes before any.
    instants: [Lab; 2],
    /// Where clients talk: a short and a long stretch in which they do, and the same in silence.
    talking: Option<[[Lab; 2]; 2]>,
    handshakes: Option<[Handshake; 2]>,
}

impl Stretches {
    fn of(scenario: &Scenario) -> anyhow::Result<Stretches> {
        let crowd = Scenario {
            clients: CROWD,
            talk_per_s: None,
            ..scenario.clone()
        };
        let long = stretch(&crowd, enough(&crowd))?;
        let lead = Duration::from_secs_f64((2.0 * crowd.poll_interval_ms + 8.0 * crowd.link.rtt_ms) / 1e3);
        // Longer than what long polling is blind for.
        let apart = Duration::from_secs_f64((2.0 * crowd.link.rtt_ms + 1.0) / 1e3);
        let at = |dues: &[Duration]| {
            let lab = stretch(&crowd, dues.len() as u64)?;
            anyhow::Ok(due(&lab, |i, _| dues[i]))
        };
        Ok(Stretches {
            handshakes: long.handshakes()?,
            settled: due(&long, |_, due| due + lead),
            instants: [at(&[Duration::ZERO])?, at(&[Duration::ZERO, apart])?],
            long,
            talking: talking(scenario)?,
        })
    }
}

/// As much mail as messages, both at the rate of the messages: what these cost does not hang on the mail,
/// and so neither is much to look through.
fn talking(scenario: &Scenario) -> anyhow::Result<Option<[[Lab; 2]; 2]>> {
    let Some(rate) = scenario.talk_per_s else {
        return Ok(None);
    };
    let said = |mails: u64| {
        let talks = Scenario {
            clients: CROWD,
            rate_per_s: rate,
            ..scenario.clone()
        };
        let silent = Scenario {
            talk_per_s: None,
            ..talks.clone()
        };
        anyhow::Ok([stretch(&talks, mails)?, stretch(&silent, mails)?])
    };
    Ok(Some([said(MESSAGES / 4)?, said(MESSAGES)?]))
}

/// A long stretch of messages.
const MESSAGES: u64 = 800;

/// How many mails the long stretch has.
fn enough(scenario: &Scenario) -> u64 {
    let in_interval = scenario.rate_per_s * scenario.poll_interval_ms / 1e3;
    let most = (BYTES / scenario.size.max(1)) as f64;
    (TIMES * in_interval).clamp(MAILS.0, MAILS.1).min(most).max(32.0) as u64
}

/// A lab with so many mails, that last as long as so many do on average.
fn stretch(scenario: &Scenario, mails: u64) -> anyhow::Result<Lab> {
    let lab = Lab::new(Scenario {
        mails,
        repeat: 1,
        ..scenario.clone()
    })?;
    let wanted = mails as f64 / scenario.rate_per_s;
    let factor = wanted / lab.plan.span().as_secs_f64().max(1e-9);
    Ok(due(&lab, |_, due| due.mul_f64(factor)))
}

/// The same mail at other instants.
fn due(lab: &Lab, at: impl Fn(usize, Duration) -> Duration) -> Lab {
    let mut plan = Plan::clone(&lab.plan);
    for (i, planned) in plan.mails.iter_mut().enumerate() {
        planned.due = at(i, planned.due);
    }
    Lab {
        plan: Arc::new(plan),
        ..lab.clone()
    }
}

/// What one client takes.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    requests: f64,
    bytes: f64,
    overhead: f64,
}

impl Sums {
    fn of(p: &Prediction) -> Sums {
        let each = 1.0 / CROWD as f64;
        Sums {
            requests: p.requests.total * each,
            bytes: (p.bytes.up.total + p.bytes.down.total) * each,
            overhead: p.overhead_bytes * each,
        }
    }

    fn times(self, factor: f64) -> Sums {
        Sums::default().plus(factor, self)
    }

    /// `self + factor · other`
    fn plus(self, factor: f64, other: Sums) -> Sums {
        Sums {
            requests: self.requests + factor * other.requests,
            bytes: self.bytes + factor * other.bytes,
            overhead: self.overhead + factor * other.overhead,
        }
    }
}

impl Stretches {
    fn ask(&self, lab: &Lab, technique: &Technique) -> Prediction {
        lab.foresee_with(technique, self.handshakes).predicted
    }

    fn latency(&self, technique: &Technique) -> Delay {
        let p = self.ask(&self.settled, technique);
        Delay {
            mean: p.latency_us.mean / 1e3,
            worst: p.latency_us.max / 1e3,
        }
    }

    fn cost(&self, technique: &Technique) -> (Cost, Delay, String) {
        let predicted = self.ask(&self.long, technique);
        let mut opening = self.opening(technique);
        let span = self.long.plan.span().as_secs_f64();
        let mut per_s = Sums::of(&predicted).plus(-1.0, opening).times(1.0 / span);
        if let Some((rate, per_message, more)) = self.messages(technique) {
            per_s = per_s.plus(rate, per_message);
            opening = opening.plus(1.0, more);
        }
        let cost = Cost {
            requests_per_s: per_s.requests.max(0.0),
            bytes_per_day: per_s.bytes * DAY_S,
            overhead_bytes_per_day: per_s.overhead * DAY_S,
            connections: f64::from(u8::from(technique.holds)),
            opening_bytes: opening.bytes.max(0.0),
            opening_requests: opening.requests.max(0.0),
        };
        (cost, self.latency(technique), predicted.method)
    }

    /// What is left of a run with a single mail when that is taken away.
    fn opening(&self, technique: &Technique) -> Sums {
        let [one, two] = self
            .instants
            .each_ref()
            .map(|lab| Sums::of(&self.ask(lab, technique)));
        one.times(2.0).plus(-1.0, two)
    }

    /// How often a client talks, what each message adds, and what all of them together.
    fn messages(&self, technique: &Technique) -> Option<(f64, Sums, Sums)> {
        let stretches = self.talking.as_ref()?;
        let rate = stretches[0][0].scenario.talk_per_s?;
        let added = |[talks, silent]: &[Lab; 2]| {
            let said = talk::schedules(&talks.scenario, talks.plan.span());
            let each = said.iter().map(Vec::len).sum::<usize>() as f64 / CROWD as f64;
            let sums =
                Sums::of(&self.ask(talks, technique)).plus(-1.0, Sums::of(&self.ask(silent, technique)));
            (each, sums)
        };
        let [(few, fewer), (many, more)] = [added(&stretches[0]), added(&stretches[1])];
        let per_message = more.plus(-1.0, fewer).times(1.0 / (many - few));
        Some((rate, per_message, fewer.plus(-few, per_message)))
    }
}

/// What is not met.
fn failings(technique: &Technique, scenario: &Scenario, latency: Delay, delay: Duration) -> Vec<Failing> {
    let delay_ms = delay.as_secs_f64() * 1e3;
    let late = latency.worst > delay_ms * (1.0 + 1e-9);
    [
        (late, Failing::TooLate),
        (is_blocked(technique, scenario), Failing::Blocked),
    ]
    .into_iter()
    .filter_map(|(so, failing)| so.then_some(failing))
    .collect()
}

/// Whether something on the way stops it. What falls back to something else is not stopped.
fn is_blocked(technique: &Technique, scenario: &Scenario) -> bool {
    match technique.name {
        "ws" => scenario.blocks(Block::Websocket),
        "stomp" => scenario.blocks(Block::Websocket) && scenario.over == Over::Ws,
        "sse" => scenario.blocks(Block::Streaming),
        _ => false,
    }
}

/// How often anything happens to a client.
fn messages_per_s(scenario: &Scenario) -> f64 {
    let replies = if scenario.reply { scenario.rate_per_s } else { 0.0 };
    scenario.rate_per_s + replies + scenario.talk_per_s.unwrap_or_default()
}

/// So much more than the least is not worth a more demanding technique.
const NO_MATTER: f64 = 1.2;

/// Nor are so many requests for each thing that happens.
const REQUESTS: f64 = 2.0;

/// From the least demanding on: a request now and then; one response that does not end, still plain
/// HTTP; another protocol on the connection; requests without end; whole protocols on top.
const DEMANDS: &[&str] = &["poll", "sse", "ws", "long-poll", "sockjs", "socketio", "stomp"];

/// Those that meet everything, the best first: whoever sends the fewest bytes, but before them whoever
/// demands less at hardly more bytes, and without asking much more often than anything happens.
fn rank(candidates: &[Candidate], happens_per_s: f64) -> Vec<&Candidate> {
    let mut fit: Vec<&Candidate> = candidates.iter().filter(|c| c.fails.is_empty()).collect();
    fit.sort_by(|a, b| a.per_client.bytes_per_day.total_cmp(&b.per_client.bytes_per_day));
    let mut order = Vec::new();
    while let Some(cheapest) = fit.first().map(|c| c.per_client) {
        let asks = cheapest.requests_per_s.max(REQUESTS * happens_per_s) * (1.0 + 1e-6);
        let as_good = |c: &&Candidate| {
            c.per_client.bytes_per_day <= NO_MATTER * cheapest.bytes_per_day
                && c.per_client.requests_per_s <= asks
        };
        let demands = |c: &Candidate| {
            DEMANDS
                .iter()
                .position(|d| *d == c.technique)
                .unwrap_or(DEMANDS.len())
        };
        let best = (0..fit.len())
            .filter(|i| as_good(&fit[*i]))
            .min_by_key(|i| demands(fit[*i]));
        order.push(fit.remove(best.unwrap_or(0)));
    }
    order
}

/// How long a verification lets mail arrive, seconds.
const RUN_S: f64 = 10.0;

/// Mails per second that it needs to see enough of them, and that do not pile up on a machine that needs
/// part of a millisecond for each step, which the model does not know.
const RATES: (f64, f64) = (10.0, 100.0);

/// Mails per second for which time is made to run faster: with a hundred mails, by how much their gaps differ
/// from the average is more than what is to be shown.
const WANTED_RATE: f64 = 40.0;

/// Timers go off up to a millisecond late: the least that is waited for has to be long against that.
const LEAST_WAIT_MS: f64 = 50.0;

/// The longest interval of which several fit into a run.
const LONGEST_INTERVAL_MS: f64 = 1_000.0;

/// How many clients are run, and how many deliveries to all of them.
const CLIENTS: (usize, usize) = (4, 20);
const DELIVERIES: f64 = 10_000.0;

/// The nearest case that fits the machine, and how it was scaled. Time runs faster as a whole, so that
/// all proportions stay, as far as the shortest wait allows.
pub fn nearest(scenario: &Scenario) -> (Scenario, Scaled) {
    let interval = scenario.poll_interval_ms;
    let wanted = (WANTED_RATE / scenario.rate_per_s).max(interval / LONGEST_INTERVAL_MS);
    let faster = wanted.min(interval / LEAST_WAIT_MS).max(1.0);
    let waits = |ms: f64| (ms / faster).max(LEAST_WAIT_MS.min(ms));
    let rate = (scenario.rate_per_s * faster).clamp(RATES.0, RATES.1);
    let mails = (rate * RUN_S).round();
    let clients = ((DELIVERIES / mails) as usize).clamp(CLIENTS.0, CLIENTS.1);
    let talk = |per_s: f64| (per_s * faster).min(RATES.1);
    let near = Scenario {
        mails: mails as u64,
        rate_per_s: rate,
        clients,
        poll_interval_ms: waits(interval),
        hold_ms: waits(scenario.hold_ms),
        heartbeat_ms: waits(scenario.heartbeat_ms),
        talk_per_s: scenario.talk_per_s.map(talk),
        // Other mail than the prediction was made from.
        seed: scenario.seed.wrapping_add(1),
        link: Link {
            rtt_ms: scenario.link.rtt_ms / faster,
            ..scenario.link
        },
        ..scenario.clone()
    };
    let scaled = Scaled {
        clients: scenario.clients as u64,
        faster,
        mail: rate / (scenario.rate_per_s * faster),
        talk: scenario.talk_per_s.map(|per_s| talk(per_s) / (per_s * faster)),
        hold: near.hold_ms * faster / scenario.hold_ms,
        heartbeat: near.heartbeat_ms * faster / scenario.heartbeat_ms,
    };
    (near, scaled)
}

/// Runs the nearest case, and puts what was predicted for it beside what it took.
///
/// # Errors
/// As [`Lab::compare`].
pub fn verify(
    scenario: &Scenario,
    techniques: &[&'static Technique],
    interrupt: &CancellationToken,
    progress: OnProgress,
) -> anyhow::Result<Verification> {
    let (near, scaled) = nearest(scenario);
    let passing: Vec<&'static Technique> = techniques
        .iter()
        .copied()
        .filter(|t| !is_blocked(t, scenario))
        .collect();
    let expected = Scenario {
        seed: scenario.seed,
        ..near.clone()
    };
    let stretches = Stretches::of(&expected)?;
    let lab = Lab {
        steady: true,
        interrupt: interrupt.clone(),
        ..stretch(&near, near.mails)?
    };
    let outcomes = lab.compare(&passing, progress)?;
    let span = lab.plan.span().as_secs_f64();
    let checks = passing.iter().zip(&outcomes).map(|(t, o)| {
        let (cost, latency, _) = stretches.cost(t);
        check(o, &cost.times(near.clients as f64), latency, span)
    });
    Ok(Verification {
        checks: checks.collect(),
        scenario: near,
        scaled,
        results: outcomes.into_iter().map(without_story).collect(),
    })
}

fn check(o: &Outcome, cost: &Cost, latency: Delay, span: f64) -> Check {
    let measured = (o.bytes.up.total + o.bytes.down.total) as f64;
    let bytes = cost.opening_bytes + cost.bytes_per_day / DAY_S * span;
    let requests = cost.opening_requests + cost.requests_per_s * span;
    let mean = o.latency_us.as_ref().map_or(0.0, |l| l.mean / 1e3);
    Check {
        technique: o.technique.clone(),
        requests: Compared::new(requests, o.requests.total as f64),
        bytes: Compared::new(bytes, measured),
        latency_ms: Compared::new(latency.mean, mean),
    }
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
    use crate::technique::named;

    fn candidate(name: &str, bytes_per_day: f64, requests_per_s: f64) -> Candidate {
        Candidate {
            technique: name.into(),
            method: "made up".into(),
            per_client: Cost {
                bytes_per_day,
                requests_per_s,
                ..Cost::default()
            },
            total: Cost::default(),
            latency_ms: Delay::default(),
            fails: Vec::new(),
        }
    }

    fn ranked(candidates: &[Candidate]) -> Vec<&str> {
        let order = rank(candidates, 1.0);
        order.into_iter().map(|c| c.technique.as_str()).collect()
    }

    #[test]
    fn the_fewest_bytes_win_unless_less_is_demanded_for_hardly_more() {
        let [poll, sse, ws] = [("poll", 200.0), ("sse", 110.0), ("ws", 100.0)];
        let of = |(name, bytes)| candidate(name, bytes, 1.0);
        assert_eq!(ranked(&[of(poll), of(sse), of(ws)]), ["sse", "ws", "poll"]);
        let dear = of(("sse", 130.0));
        assert_eq!(ranked(&[of(poll), dear, of(ws)]), ["ws", "sse", "poll"]);
        // Bytes that are all payload hide that polling asks a hundred times for each mail.
        let busy = candidate("poll", 101.0, 100.0);
        assert_eq!(ranked(&[busy, of(ws)]), ["ws", "poll"]);
        let rare = candidate("poll", 101.0, 2.0);
        assert_eq!(ranked(&[rare, of(ws)]), ["poll", "ws"]);
    }

    #[test]
    fn who_fails_is_not_ranked() {
        let mut blocked = candidate("ws", 1.0, 0.0);
        blocked.fails.push(Failing::Blocked);
        assert_eq!(ranked(&[blocked, candidate("sse", 9.0, 0.0)]), ["sse"]);
        assert!(ranked(&[]).is_empty());
    }

    #[test]
    fn intervals_are_rounded_down_to_three_digits() {
        for (ms, rounded) in [
            (1_000.0, 1_000.0),
            (959.99, 959.0),
            (0.012_39, 0.012_3),
            (3_599_999.0, 3_590_000.0),
        ] {
            assert!(
                (round_down(ms) / rounded - 1.0).abs() < 1e-9,
                "{ms}: {}",
                round_down(ms)
            );
        }
        assert_eq!(round_down(-3.0), 0.0);
    }

    #[test]
    fn polling_asks_as_seldom_as_the_delay_allows() {
        let techniques = [named("poll").unwrap(), named("ws").unwrap()];
        for (rtt_ms, tls, delay_ms) in [(0.0, false, 250.0), (40.0, false, 500.0), (40.0, true, 500.0)] {
            let case = Case {
                scenario: Scenario {
                    rate_per_s: 0.5,
                    tls,
                    link: Link {
                        rtt_ms,
                        ..Link::default()
                    },
                    ..Scenario::default()
                },
                delay: Duration::from_secs_f64(delay_ms / 1e3),
            };
            let opinion = weigh(&case, &techniques).unwrap();
            let poll = &opinion.candidates[0];
            assert!(poll.fails.is_empty(), "{poll:?}");
            assert!(
                poll.latency_ms.worst > 0.97 * delay_ms,
                "{rtt_ms} ms: {:?}",
                poll.latency_ms
            );
            let per_s = 1e3 / opinion.scenario.poll_interval_ms;
            assert!(
                (poll.per_client.requests_per_s / per_s - 1.0).abs() < 0.02,
                "{poll:?}"
            );
        }
    }

    #[test]
    fn what_is_spent_hangs_on_the_time_and_the_mail_alone() {
        let case = |rate_per_s: f64, clients: usize| Case {
            scenario: Scenario {
                rate_per_s,
                clients,
                ..Scenario::default()
            },
            delay: Duration::from_secs(1),
        };
        let techniques = [named("poll").unwrap(), named("sse").unwrap()];
        let cost = |rate, clients| weigh(&case(rate, clients), &techniques).unwrap().candidates;
        let (one, many) = (cost(0.1, 1), cost(0.1, 10_000_000));
        for (one, many) in one.iter().zip(&many) {
            assert_eq!(one.per_client, many.per_client);
            assert_eq!(many.total, many.per_client.times(1e7));
        }
        // A mail a day, asked for every second: 86,400 times.
        let rare = cost(1.0 / DAY_S, 1);
        let asked = rare[0].per_client.requests_per_s * DAY_S;
        assert!((asked / DAY_S - 1.0).abs() < 1e-3, "{asked}");
        // An event stream is paid for by heartbeats and mail: 5,760 silences of 15 s.
        let beats = rare[1].per_client.bytes_per_day / 5_760.0;
        assert!((17.0..20.0).contains(&beats), "{beats} bytes each");
    }

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
}
