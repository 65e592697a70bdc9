//! Every network condition, alone and in pairs, with every technique: every mail comes once, or what is missing is
//! reported, or the technique is not possible there and says why. Nothing hangs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use mailcall::lab::{Lab, Simulated};
use mailcall::outcome::{Arrivals, Block, Scenario};
use mailcall::proxy::{self, SHIPPED};
use mailcall::technique::{ALL, Technique};

/// A condition, and how it is put on the way.
type Condition = (&'static str, fn(&mut Scenario));

/// What is not a proxy.
const CONDITIONS: &[Condition] = &[
    ("rtt", |s| s.link.rtt_ms = 80.0),
    ("jitter", |s| s.link.jitter_ms = 30.0),
    ("bandwidth", |s| s.link.bandwidth_bit_s = Some(200e3)),
    ("loss", |s| s.link.loss_fraction = 0.02),
    ("block websocket", |s| s.block.push(Block::Websocket)),
    ("block streaming", |s| s.block.push(Block::Streaming)),
    ("tls", |s| s.tls = true),
    ("tabs", |s| (s.tabs, s.clients) = (Some(7), 7)),
    ("slow", |s| (s.slow, s.read_bytes_s) = (1, Some(4_000.0))),
];

/// Puts a condition on the way.
fn put(scenario: &mut Scenario, condition: &str) {
    match CONDITIONS.iter().find(|(name, _)| *name == condition) {
        Some((_, put)) => put(scenario),
        None => scenario.proxy.push(proxy::find(condition).unwrap()),
    }
}

/// Runs a technique there; returns what went wrong.
fn fault(technique: &'static Technique, conditions: &[&str]) -> Option<String> {
    let mut scenario = Scenario {
        mails: 8,
        rate_per_s: 5.0,
        arrivals: Arrivals::Poisson,
        clients: 2,
        ..Scenario::default()
    };
    conditions
        .iter()
        .for_each(|condition| put(&mut scenario, condition));
    if let Some(why) = (technique.cannot)(&scenario) {
        return why.is_empty().then(|| "no reason".into());
    }
    let lab = Lab {
        simulated: Some(Simulated::default()),
        ..Lab::new(scenario).unwrap()
    };
    let outcome = match lab.compare(&[technique], &|_| {}) {
        Ok(outcomes) => outcomes.into_iter().next().unwrap(),
        Err(e) => return Some(format!("{e:#}")),
    };
    (!outcome.clean()).then(|| format!("{:?}", outcome.mails))
}

#[test]
fn alone_and_in_pairs_every_technique_delivers_or_says_why_not() {
    let names: Vec<&str> = CONDITIONS.iter().chain(&[]).map(|(name, _)| *name).collect();
    let names: Vec<&str> = names
        .into_iter()
        .chain(SHIPPED.iter().map(|(name, _)| *name))
        .collect();
    let mut cases: Vec<(&'static Technique, Vec<&str>)> = Vec::new();
    for technique in ALL.iter().copied() {
        for (i, one) in names.iter().enumerate() {
            cases.push((technique, vec![one]));
            cases.extend(names[i + 1..].iter().map(|other| (technique, vec![*one, *other])));
        }
    }
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((technique, conditions)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(fault) = fault(technique, conditions) {
                        let fault =
                            format!("{} behind {}: {fault}", technique.name, conditions.join(" and "));
                        faults.lock().unwrap().push(fault);
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        cases.len(),
        faults.join("\n")
    );
}
