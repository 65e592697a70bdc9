//! Nothing is lost: each technique's connection is broken at 200 seeded byte offsets, in both
//! directions, by reset and by end of stream, and every mail still comes once and in order. And where
//! the log has forgotten, the client is told.

use std::sync::atomic::{AtomicUsize, Ordering};

use mailcall::lab::Lab;
use mailcall::link::Cut;
use mailcall::outcome::{Arrivals, Block, Outcome, Scenario};
use mailcall::technique::{self, Technique, tcp};
use mailcall::wire::Direction;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const OFFSETS: usize = 200;

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

fn run(technique: &'static Technique, scenario: Scenario, cuts: Vec<Cut>) -> Outcome {
    let mut lab = Lab::new(scenario).unwrap();
    lab.cuts = cuts;
    lab.compare(&[technique], &|_| {}).unwrap().remove(0)
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

/// Cuts in two connections, anywhere in what they carried when nothing was cut, just behind its end
/// included.
fn cuts(whole: &Outcome, rng: &mut ChaCha8Rng) -> Vec<Cut> {
    let connection = |number| {
        let up = rng.random_bool(0.4);
        let (direction, total) = if up {
            (Direction::Up, whole.bytes.up.total)
        } else {
            (Direction::Down, whole.bytes.down.total)
        };
        Cut {
            connection: number,
            direction,
            after: rng.random_range(0..=total),
            reset: rng.random(),
        }
    };
    [0, 1].map(connection).to_vec()
}

fn survives_cuts(technique: &'static Technique) {
    // Several at a time: most of a run is waiting to reconnect.
    let next = AtomicUsize::new(0);
    let broken = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= OFFSETS {
                        break;
                    }
                    let scenario = scenario(n as u64 % 20);
                    let whole = run(technique, scenario.clone(), Vec::new());
                    let mut rng = ChaCha8Rng::seed_from_u64(n as u64);
                    let cuts = cuts(&whole, &mut rng);
                    let o = run(technique, scenario, cuts.clone());
                    once_and_in_order(&o, &cuts);
                    broken.fetch_add(
                        usize::from(o.connections.opened > whole.connections.opened),
                        Ordering::Relaxed,
                    );
                }
            });
        }
    });
    let broken = broken.into_inner();
    assert!(
        broken > OFFSETS / 2,
        "{}: only {broken} of {OFFSETS} cuts made a client reconnect",
        technique.name
    );
}

#[test]
fn every_technique_survives_200_cuts() {
    for technique in all() {
        survives_cuts(technique);
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
        let o = run(technique, scenario.clone(), Vec::new());
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
    let o = run(technique, scenario, (0..500).map(cut).collect());
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
