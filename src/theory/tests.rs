//! Every formula is a [`Claim`]: the value it gives, what was observed (in the model that `simulate` runs,
//! or by counting real bytes), and wrong values that the check must distinguish from the right one.

use std::sync::LazyLock;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};

use super::simulate::{Run, Technique, run};
use super::*;

/// What was observed, and how far off a right formula may be.
#[derive(Clone, Copy, Debug)]
struct Observed {
    value: f64,
    tolerance: f64,
}

impl Observed {
    /// Counted, or averaged over all cases: only rounding may differ.
    fn exact(value: f64) -> Observed {
        Observed {
            value,
            tolerance: 1e-9 * value.abs(),
        }
    }

    /// The mean of independent samples, with a tolerance of four standard errors.
    fn sampled(samples: &[f64]) -> Observed {
        let n = samples.len() as f64;
        let value = samples.iter().sum::<f64>() / n;
        let variance = samples.iter().map(|s| (s - value).powi(2)).sum::<f64>() / (n - 1.0);
        Observed {
            value,
            tolerance: 4.0 * (variance / n).sqrt(),
        }
    }

    fn agrees_with(&self, formula: f64) -> bool {
        (formula - self.value).abs() <= self.tolerance
    }
}

struct Claim {
    what: String,
    formula: f64,
    observed: Observed,
    /// What the formula would give with a mistake in its structure.
    mistakes: Vec<(&'static str, f64)>,
}

fn claim(what: impl Into<String>, formula: f64, observed: Observed) -> Claim {
    Claim {
        what: what.into(),
        formula,
        observed,
        mistakes: Vec::new(),
    }
}

impl Claim {
    fn not(mut self, mistake: &'static str, value: f64) -> Claim {
        self.mistakes.push((mistake, value));
        self
    }
}

static CLAIMS: LazyLock<Vec<Claim>> = LazyLock::new(|| {
    [poll(), long_poll(), long_poll_at_random(), push()]
        .into_iter()
        .flatten()
        .collect()
});

#[test]
fn each_formula_agrees_with_what_is_observed() {
    for Claim {
        what,
        formula,
        observed,
        ..
    } in CLAIMS.iter()
    {
        assert!(
            observed.agrees_with(*formula),
            "{what}: {formula} predicted, {observed:?}"
        );
    }
}

#[test]
fn a_perturbed_formula_is_found_out() {
    for Claim {
        what,
        formula,
        observed,
        mistakes,
    } in CLAIMS.iter()
    {
        for factor in [0.95, 1.05] {
            let wrong = formula * factor;
            assert!(
                !observed.agrees_with(wrong),
                "{what}: {wrong} passes for {formula}, {observed:?}"
            );
        }
        for (mistake, wrong) in mistakes {
            assert!(
                !observed.agrees_with(*wrong),
                "{what}: {mistake} ({wrong}) passes for {formula}, {observed:?}"
            );
        }
    }
}

/// Poisson mail in whole ticks, an even number of them so that half-way phases never tie; every
/// `burst` mails share an instant.
fn schedule(seed: u64, mails: usize, burst: usize, mean_gap: f64) -> Vec<i64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let gap = Exp::new(1.0 / mean_gap).unwrap();
    let mut due = 0;
    let instants = std::iter::repeat_with(|| {
        due += 2 * (gap.sample(&mut rng) / 2.0).round() as i64;
        due
    });
    let groups: Vec<i64> = instants.take(mails.div_ceil(burst)).collect();
    groups
        .into_iter()
        .flat_map(|a| std::iter::repeat_n(a, burst))
        .take(mails)
        .collect()
}

fn ticks(due: &[i64]) -> Vec<f64> {
    due.iter().map(|a| *a as f64).collect()
}

fn mean(latencies: impl IntoIterator<Item = i64>) -> f64 {
    let (n, sum) = latencies
        .into_iter()
        .fold((0.0, 0.0), |(n, sum), l| (n + 1.0, sum + l as f64));
    sum / n
}

fn empties(run: &Run) -> usize {
    run.exchanges.iter().filter(|(after, upto)| after == upto).count()
}

const T: i64 = 400;

/// Interval and round trip; in the last pair, answers come back more slowly than the client wants to ask.
const POLLS: [(i64, i64); 4] = [(T, 0), (T, 40), (T, T), (T / 4, T)];

/// Polls with every phase. Mail is due on even ticks, so nothing changes between two of them, and odd
/// phases stand for all: their average is the integral over the phase, not a sample.
fn every_phase(due: &[i64], (interval, rtt): (i64, i64)) -> Vec<Run> {
    let cadence = interval.max(rtt);
    (1..cadence)
        .step_by(2)
        .map(|phase| run(due, Technique::Poll { interval, phase }, rtt))
        .collect()
}

/// A schedule with gaps shorter and longer than the interval, with a mail before the first request can be
/// there and one after a long silence.
fn mixed_schedule(burst: usize) -> Vec<i64> {
    let mut due = schedule(1, 120, burst, 0.75 * T as f64 * burst as f64);
    due.insert(0, 2);
    due.push(due[due.len() - 1] + 20 * T + 6);
    due
}

fn poll() -> Vec<Claim> {
    let mut claims = Vec::new();
    for (burst, link) in [1, 3].into_iter().flat_map(|b| POLLS.map(|link| (b, link))) {
        let due = mixed_schedule(burst);
        let runs = every_phase(&due, link);
        let n = runs.len() as f64;
        let sum = |count: fn(&Run) -> usize| runs.iter().map(|r| count(r) as f64).sum::<f64>() / n;
        let latencies = || runs.iter().flat_map(|r| r.latencies.iter().copied());

        let due = ticks(&due);
        let (interval, rtt) = (link.0 as f64, link.1 as f64);
        let latency = poll_latency(&due, interval, rtt);
        let requests = poll_requests(&due, interval, rtt);
        let what = |of| format!("poll {of}, T = {interval}, R = {rtt}, bursts of {burst}");
        claims.push(
            claim(
                what("mean latency"),
                latency.mean,
                Observed::exact(mean(latencies())),
            )
            .not("T instead of T/2", interval + rtt / 2.0)
            .not("no wait", rtt / 2.0),
        );
        // The worst phase is approached, but never reached: half a tick is missing on either side.
        let worst = latencies().max().unwrap() as f64;
        claims.push(
            claim(
                what("worst latency"),
                latency.max,
                Observed {
                    value: worst,
                    tolerance: 1.0,
                },
            )
            .not("T/2 instead of T", latency.max - interval / 2.0)
            .not("two intervals", latency.max + interval),
        );
        claims.push(
            claim(
                what("requests"),
                requests.total,
                Observed::exact(sum(|r| r.exchanges.len())),
            )
            .not("forgets the request that ends the run", requests.total - 1.0),
        );
        claims.push(
            claim(what("empties"), requests.empty, Observed::exact(sum(empties)))
                .not("a request for each mail", requests.total - due.len() as f64)
                .not("every request is empty", requests.total),
        );
    }
    claims
}

/// Hold and round trip, in ticks.
const HOLDS: [(i64, i64); 4] = [(1_000, 0), (1_000, 80), (100, 400), (1_000_000, 400)];

fn long_poll() -> Vec<Claim> {
    let mut claims = Vec::new();
    for (hold, rtt) in HOLDS {
        let due = mixed_schedule(2);
        let observed = run(&due, Technique::LongPoll { hold }, rtt);
        let due = ticks(&due);
        let (hold, rtt) = (hold as f64, rtt as f64);
        let requests = long_poll_requests(&due, hold, rtt);
        let what = |of| format!("long poll {of}, H = {hold}, R = {rtt}");
        let total = Observed::exact(observed.exchanges.len() as f64);
        claims.push(
            claim(what("requests"), requests.total, total).not("an answer for each mail", due.len() as f64),
        );
        if requests.empty > 0.0 {
            claims.push(claim(
                what("empties"),
                requests.empty,
                Observed::exact(empties(&observed) as f64),
            ));
        }
        if rtt > 0.0 {
            let latency = long_poll_latency(&due, hold, rtt);
            let mean = Observed::exact(mean(observed.latencies.iter().copied()));
            let worst = Observed::exact(*observed.latencies.iter().max().unwrap() as f64);
            claims
                .push(claim(what("mean latency"), latency.mean, mean).not("no blind round trip", rtt / 2.0));
            claims.push(claim(what("worst latency"), latency.max, worst));
        }
    }
    claims
}

#[test]
fn a_long_poll_without_a_round_trip_waits_for_nothing() {
    let due = ticks(&mixed_schedule(3));
    assert_eq!(long_poll_latency(&due, 1e3, 0.0), Latency { mean: 0.0, max: 0.0 });
    // Gaps of 2.5, 1 and 0.5 holds: two empties, one (the hold ends first), none.
    let Requests { total, empty } = long_poll_requests(&[2.5, 3.5, 4.0], 1.0, 0.0);
    assert_eq!((total, empty), (6.0, 3.0));
}

#[test]
fn mail_that_comes_just_when_the_hold_ends_waits_out_the_blind_round_trip() {
    let due = [100, 400];
    let observed = run(&due, Technique::LongPoll { hold: 100 }, 40);
    assert_eq!(observed.latencies, [40 + 20, 20]);
    assert_eq!(
        long_poll_latency(&ticks(&due), 100.0, 40.0),
        Latency {
            mean: 40.0,
            max: 60.0
        }
    );
    let requests = Requests {
        total: 4.0,
        empty: 2.0,
    };
    assert_eq!(observed.exchanges.len(), 4);
    assert_eq!(long_poll_requests(&ticks(&due), 100.0, 40.0), requests);
}

/// The long run: forty seeded runs of 2,000 mails for each load and hold. Ticks are so fine that rounding
/// to them is far below the standard error.
fn long_poll_at_random() -> Vec<Claim> {
    const GAP: i64 = 1_000_000;
    let holds = [
        (GAP / 10, 200 * GAP),
        (GAP, 200 * GAP),
        (2 * GAP, 200 * GAP),
        (GAP / 2, GAP / 2),
    ];
    let mut claims = Vec::new();
    for (rtt, hold) in holds {
        let mails = 2_000;
        let runs: Vec<Run> = (0..40)
            .map(|seed| {
                run(
                    &schedule(seed, mails, 1, GAP as f64),
                    Technique::LongPoll { hold },
                    rtt,
                )
            })
            .collect();
        let observe = |of: &dyn Fn(&Run) -> f64| Observed::sampled(&runs.iter().map(of).collect::<Vec<_>>());
        let per_mail = |count: usize| count as f64 / mails as f64;

        let (l, h, r) = (1.0 / GAP as f64, hold as f64, rtt as f64);
        let LongPollRate {
            latency,
            answered,
            empty,
        } = long_poll_poisson(l, h, r);
        let what = |of| format!("long poll {of}, L R = {}, L H = {}", l * r, l * h);
        let none = (-l * r).exp();
        claims.push(
            claim(
                what("mean latency"),
                latency.mean,
                observe(&|run| mean(run.latencies.iter().copied())),
            )
            .not("without e^(-L R)", r / 2.0 + l * r * r / (2.0 * l * r))
            .not("L R² instead of L R²/2", 2.0 * latency.mean - r / 2.0)
            .not("no blind round trip", r / 2.0)
            .not("two transits whatever the load", r),
        );
        claims.push(
            claim(
                what("answers"),
                answered,
                observe(&|run| per_mail(run.exchanges.len() - empties(run))),
            )
            .not("without e^(-L R)", answered * (l * r + none) / (l * r))
            .not("an answer for each mail", 1.0),
        );
        if h < GAP as f64 {
            claims.push(
                claim(what("empties"), empty, observe(&|run| per_mail(empties(run))))
                    .not("an empty whenever none came while blind", empty / (-l * h).exp())
                    .not("an empty whenever none came while held", empty / none),
            );
        }
        // The upper limit is approached, but not reached, by the worst of 80,000 mails.
        let worst = runs
            .iter()
            .flat_map(|r| &r.latencies)
            .max()
            .copied()
            .unwrap_or_default() as f64;
        claims.push(
            claim(
                what("worst latency"),
                latency.max,
                Observed {
                    value: worst,
                    tolerance: 0.01 * worst,
                },
            )
            .not("two transits", r),
        );
    }
    claims
}

#[test]
fn long_polling_goes_from_one_transit_to_two() {
    let rare = long_poll_poisson(1e-9, f64::INFINITY, 1.0);
    let dense = long_poll_poisson(1e4, f64::INFINITY, 1.0);
    assert!((rare.latency.mean - 0.5).abs() < 1e-6 && (rare.answered - 1.0).abs() < 1e-6);
    assert!((dense.latency.mean - 1.0).abs() < 1e-6 && dense.answered < 1.1e-4);
    // No round trip: nothing waits, and empties come from a hold that starts again after each answer.
    let local = long_poll_poisson(2.0, 0.5, 0.0);
    assert_eq!(local.latency, Latency::default());
    assert!((local.answered - 1.0).abs() < 1e-12);
}

fn push() -> Vec<Claim> {
    let due = mixed_schedule(2);
    let (heartbeat, lead, rtt) = (250, 1_100, 80);
    let observed = run(&due, Technique::Push { heartbeat, lead }, rtt);
    let due = ticks(&due);
    let span = due[due.len() - 1] + lead as f64;
    let beats = heartbeats(&due, heartbeat as f64, lead as f64) as f64;
    let latency = push_latency(rtt as f64);
    vec![
        claim(
            "push mean latency",
            latency.mean,
            Observed::exact(mean(observed.latencies.iter().copied())),
        )
        .not("a round trip", rtt as f64),
        claim(
            "push worst latency",
            latency.max,
            Observed::exact(*observed.latencies.iter().max().unwrap() as f64),
        )
        .not("a round trip", rtt as f64),
        claim("heartbeats", beats, Observed::exact(observed.heartbeats as f64))
            .not(
                "a timer that mail does not restart",
                (span / heartbeat as f64).floor(),
            )
            .not(
                "a timer that starts with the schedule",
                heartbeats(&due, heartbeat as f64, 0.0) as f64,
            ),
    ]
}

#[test]
fn nothing_costs_nothing() {
    assert_eq!(poll_requests(&[], 0.2, 0.0), Requests::default());
    assert_eq!(long_poll_requests(&[], 25.0, 0.0), Requests::default());
    assert_eq!(long_poll_latency(&[], 25.0, 1.0), Latency::default());
    assert_eq!(heartbeats(&[], 15.0, 1.0), 0);
}
