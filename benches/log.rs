//! What a log in NATS JetStream costs: deliveries per second to a thousand WebSocket clients, with the log there over the
//! same run with the log in memory. More mail is due than can be delivered at once, so the time until the last delivery
//! is how long all of them take. nats-server has to be installed; it shares the cores with server and clients.

mod harness;

use harness::{Bar, Ratios, setting};
use mailcall::lab::Lab;
use mailcall::outcome::{Arrivals, LogPlace, Scenario};
use mailcall::technique;

const CLIENTS: usize = 1_000;

const ROWS: &[(&str, u64, Arrivals)] = &[
    (
        "ws, 1,000 clients: deliveries per second with the log in NATS over memory, 200 mails at once",
        200,
        Arrivals::Burst(200),
    ),
    (
        "ws, 1,000 clients: deliveries per second with the log in NATS over memory, 1,000 mails/s",
        400,
        Arrivals::Steady,
    ),
];

/// Deliveries per second.
fn measure(log: LogPlace, mails: u64, arrivals: Arrivals) -> f64 {
    let scenario = Scenario {
        mails,
        rate_per_s: 1_000.0,
        arrivals,
        clients: CLIENTS,
        grace_ms: 60_000.0,
        heartbeat_ms: 600_000.0,
        log,
        ..Scenario::default()
    };
    let lab = Lab::new(scenario).expect("the scenario can be drawn");
    let technique = technique::named("ws").expect("the technique exists");
    let outcome = lab
        .compare(&[technique], &|_| {})
        .expect("the run succeeds")
        .remove(0);
    assert!(outcome.clean(), "{:?}", outcome.mails);
    // The last mail is the one that waits longest.
    let first = lab.plan.mails[0].due;
    let longest = outcome
        .latency_us
        .as_ref()
        .map_or(f64::NAN, |latency| latency.max);
    let seconds = (lab.plan.span() - first).as_secs_f64() + longest / 1e6;
    let per_second = outcome.mails.delivered as f64 / seconds;
    eprintln!("{}: {per_second:.0} deliveries per second", lab.scenario.log);
    per_second
}

fn main() {
    let mut ratios = Ratios::default();
    for round in 0..setting("ROUNDS", 5) {
        for (what, mails, arrivals) in ROWS {
            // Each is first in every other round.
            let places = [LogPlace::Memory, LogPlace::OwnNats];
            let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            let mut found = [0.0; 2];
            for place in order {
                found[place] = measure(places[place].clone(), *mails, *arrivals);
            }
            ratios.add(what, Bar::AtLeast(0.7), found[1] / found[0]);
        }
    }
    ratios.print();
}
