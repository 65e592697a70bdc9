//! The latency that each technique adds to bare TCP: 200 mails a second, one client, with the lab's own code
//! from the mailbox to the client's application. All on one core: with two, most of a latency is what it takes to wake the
//! other core, and that differs from one moment to the next.

mod harness;

use harness::{Bar, Ratios, setting};
use mailcall::lab::Lab;
use mailcall::outcome::{Outcome, Scenario};
use mailcall::technique;

const BARS: &[(&str, &str, f64)] = &[
    ("ws", "latency (p50) of ws over bare TCP", 1.10),
    ("sse", "latency (p50) of SSE over bare TCP", 1.20),
    ("long-poll", "latency (p50) of long polling over bare TCP", 1.5),
];

fn measure(name: &str, seed: u64) -> Outcome {
    let scenario = Scenario {
        mails: 300,
        rate_per_s: 200.0,
        seed,
        ..Scenario::default()
    };
    let mut lab = Lab::new(scenario).expect("the scenario can be drawn");
    lab.steady = true;
    let technique = technique::named(name).expect("the technique exists");
    let outcome = lab
        .compare(&[technique], &|_| {})
        .expect("the run succeeds")
        .remove(0);
    assert!(outcome.clean(), "{name}: {:?}", outcome.mails);
    outcome
}

fn main() {
    harness::pin(0);
    let mut ratios = Ratios::default();
    for round in 0..setting("ROUNDS", 20) {
        let p50 = |o: &Outcome| o.latency_us.as_ref().map_or(f64::NAN, |l| l.p50);
        let mut late = Vec::new();
        let mut run = |name: &str| {
            let outcome = measure(name, round as u64 + 1);
            let late_p99_us = outcome.trust.late_p99_us.unwrap_or(f64::NAN);
            late.push(late_p99_us);
            eprintln!(
                "{name}: p50 {:.1} us, late p99 {:.1} us",
                p50(&outcome),
                late_p99_us
            );
            p50(&outcome)
        };
        let before = run("tcp");
        let measured: Vec<f64> = BARS.iter().map(|(name, ..)| run(name)).collect();
        // The baseline runs before and after the others, to compensate for drift.
        let floor = (before + run("tcp")) / 2.0;
        for ((_, what, bar), p50) in BARS.iter().zip(measured) {
            ratios.add(what, Bar::AtMost(*bar), p50 / floor);
        }
        for late in late {
            ratios.add("lateness of arrivals (p99 of a run), µs", Bar::AtMost(50.0), late);
        }
    }
    ratios.print();
}
