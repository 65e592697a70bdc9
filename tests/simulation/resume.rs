//! Nothing is lost: each technique's connections are broken at 1,250 seeded byte offsets, in both
//! directions, by reset and by end of stream, and every mail still comes once and in order. And where
//! the log has forgotten, the client is told. The runs are simulated, where a test does not say otherwise.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mailcall::lab::{Lab, Run, Simulated};
use mailcall::link::Cut;
use mailcall::outcome::{Arrivals, Block, Outcome, Scenario};
use mailcall::technique::{self, Technique, tcp};
use mailcall::wire::Direction;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Connections of a simulated run that are cut.
const CUTS: u64 = 16;

/// Seeds of scenarios that are cut.
const SCENARIOS: u64 = 20;

/// Cuts that each technique survives: with the eight of [`all`], 10,000.
const SURVIVED: u64 = 1_250;

/// The environment's variable that names the one seed to try.
const SEED: &str = "MAILCALL_SEED";

/// Enough mail that each connection carries several, in bursts so that some share an answer.
fn scenario(seed: u64) -> Scenario {
    Scenario {
        mails: 8,
        size: 120,
        arrivals: Arrivals::Burst(2),
        rate_per_s: 200.0,
        poll_interval_ms: 5.0,
        grace_ms: 15_000.0,
        reply: seed.is_multiple_of(4),
        attach: if seed.is_multiple_of(5) { 400 } else { 0 },
        seed,
        ..Scenario::default()
    }
}

fn lab(scenario: Scenario, cuts: Vec<Cut>) -> Lab {
    Lab {
        cuts,
        ..Lab::new(scenario).unwrap()
    }
}

fn run(technique: &'static Technique, scenario: Scenario, cuts: Vec<Cut>) -> Outcome {
    let lab = lab(scenario, cuts);
    lab.compare(&[technique], &|_| {}).unwrap().remove(0)
}

fn simulate(technique: &'static Technique, scenario: Scenario, cuts: Vec<Cut>) -> Outcome {
    let lab = Lab {
        simulated: Some(Simulated::default()),
        ..lab(scenario, cuts)
    };
    Run::new(&lab, technique, Duration::ZERO).simulate().unwrap()
}

fn once_and_in_order(o: &Outcome, what: &dyn std::fmt::Debug) {
    let m = &o.mails;
    let clean = m.delivered == m.expected && m.lost + m.duplicated + m.reordered + m.gap == 0;
    assert!(clean, "{} after {what:?}: {m:?}", o.technique);
    // A POST whose answer was cut off is sent again, so the server may hear a reply twice, never not at
    // all. A frame has no answer: what was under way on a
    // connection that breaks is gone.
    let answered = !["ws", "stomp", "sockjs", "socketio", "tcp"].contains(&o.technique.as_str());
    assert!(
        m.replies.is_none_or(|r| r >= m.expected || !answered),
        "{} after {what:?}: {m:?}",
        o.technique
    );
}

/// Cuts in the first `n` connections, anywhere in what they may carry, just behind its end included.
fn cuts(whole: &Outcome, n: u64, rng: &mut ChaCha8Rng) -> Vec<Cut> {
    let share = whole.connections.opened.max(1);
    let cut = |connection| {
        let (direction, total) = match rng.random_bool(0.4) {
            true => (Direction::Up, whole.bytes.up.total),
            false => (Direction::Down, whole.bytes.down.total),
        };
        Cut {
            connection,
            direction,
            after: rng.random_range(0..=total / share),
            reset: rng.random(),
        }
    };
    (0..n).map(cut).collect()
}

/// Breaks connections of a simulated run by a seed, and checks what came of it. Says how many more were opened
/// than in the whole run.
fn survives(technique: &'static Technique, seed: u64, whole: &Outcome) -> u64 {
    let scenario = scenario(seed % SCENARIOS);
    let cuts = cuts(whole, CUTS, &mut ChaCha8Rng::seed_from_u64(seed));
    let o = simulate(technique, scenario, cuts.clone());
    once_and_in_order(
        &o,
        &format_args!("the seed {seed} ({SEED}={seed} repeats it alone): {cuts:?}"),
    );
    o.connections.opened.saturating_sub(whole.connections.opened)
}

#[test]
fn every_technique_survives_thousands_of_simulated_cuts() {
    let alone: Option<u64> = std::env::var(SEED).ok().map(|seed| seed.parse().unwrap());
    for technique in all() {
        let whole = |seed| simulate(technique, scenario(seed), Vec::new());
        if let Some(seed) = alone {
            survives(technique, seed, &whole(seed % SCENARIOS));
            continue;
        }
        let whole: Vec<Outcome> = (0..SCENARIOS).map(whole).collect();
        let (next, survived) = (AtomicU64::new(0), AtomicU64::new(0));
        let work = || {
            while survived.load(Ordering::Relaxed) < SURVIVED {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                assert!(
                    seed < SURVIVED,
                    "{}: hardly a cut makes a client reconnect",
                    technique.name
                );
                let whole = &whole[(seed % SCENARIOS) as usize];
                survived.fetch_add(survives(technique, seed, whole), Ordering::Relaxed);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(work);
            work();
        });
    }
}

/// A kernel's connections break as simulated ones do.
#[test]
fn every_technique_survives_real_cuts() {
    for technique in all() {
        for seed in 0..4 {
            let scenario = scenario(seed);
            let whole = simulate(technique, scenario.clone(), Vec::new());
            let cuts = cuts(&whole, 2, &mut ChaCha8Rng::seed_from_u64(seed));
            let o = run(technique, scenario, cuts.clone());
            once_and_in_order(&o, &cuts);
        }
    }
}

#[test]
fn a_cursor_older_than_the_log_is_told_its_gap() {
    // 30 mails at one instant into a log that keeps 10.
    let scenario = Scenario {
        mails: 30,
        keep: 10,
        arrivals: Arrivals::Burst(30),
        ..scenario(1)
    };
    for technique in all() {
        let o = simulate(technique, scenario.clone(), Vec::new());
        let m = &o.mails;
        assert_eq!(
            (m.delivered, m.gap, m.lost, m.duplicated),
            (10, 20, 0, 0),
            "{}",
            o.technique
        );
        assert!(!o.clean());
    }
}

/// A backlog of five times what the link lets through at once, for each technique, and over what each uses
/// where something on the way blocks its WebSocket and its streams.
fn gets_on(technique: &'static Technique, block: &[Block], every: u64) {
    let scenario = Scenario {
        mails: 5 * every / 300,
        size: 300,
        attach: 0,
        arrivals: Arrivals::Burst(5 * every as u32 / 300),
        grace_ms: 60_000.0,
        block: block.to_vec(),
        ..scenario(1)
    };
    let cut = |connection| Cut {
        connection,
        direction: Direction::Down,
        after: every,
        reset: connection % 2 == 0,
    };
    let o = simulate(technique, scenario, (0..500).map(cut).collect());
    once_and_in_order(&o, &(every, block));
    assert!(o.connections.opened > 5, "{}: {:?}", o.technique, o.connections);
}

#[test]
fn over_a_link_that_is_cut_every_few_kilobytes_every_technique_gets_on() {
    const BLOCKED: [&[Block]; 3] = [&[], &[Block::Websocket], &[Block::Websocket, Block::Streaming]];
    std::thread::scope(|scope| {
        for technique in all() {
            let carried = ["sockjs", "socketio"].contains(&technique.name);
            let blocks = if carried { &BLOCKED[..] } else { &BLOCKED[..1] };
            for block in blocks {
                scope.spawn(move || {
                    for every in [4_096, 20_480] {
                        gets_on(technique, block, every);
                    }
                });
            }
        }
    });
}

/// The registry, and the baseline, which must keep the same promises.
fn all() -> Vec<&'static Technique> {
    technique::ALL.iter().copied().chain([&tcp::TECHNIQUE]).collect()
}
