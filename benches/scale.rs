//! Whether the cost per client is the same with many clients: processor time per delivery and memory per
//! connection of a server in a separate process, with a hundred clients and with thousands.

mod harness;

use harness::{Bar, Ratios, setting};
use mailcall::lab::Lab;
use mailcall::outcome::{Arrivals, Scenario, ServerUse};
use mailcall::technique;

const FEW: usize = 100;
const MANY: usize = 5_000;

const ROWS: &[(&str, &str, &str)] = &[
    (
        "ws",
        "ws: processor time per delivery, 5,000 clients over 100",
        "ws: memory per connection, 5,000 over 100",
    ),
    (
        "sse",
        "SSE: processor time per delivery, 5,000 clients over 100",
        "SSE: memory per connection, 5,000 over 100",
    ),
];

fn measure(name: &str, clients: usize) -> ServerUse {
    let scenario = Scenario {
        mails: 20,
        rate_per_s: 4.0,
        arrivals: Arrivals::Steady,
        clients,
        grace_ms: 60_000.0,
        heartbeat_ms: 600_000.0,
        ..Scenario::default()
    };
    let mut lab = Lab::new(scenario).expect("the scenario can be drawn");
    lab.isolate = Some(env!("CARGO_BIN_EXE_mailcall").into());
    let technique = technique::named(name).expect("the technique exists");
    let outcome = lab
        .compare(&[technique], &|_| {})
        .expect("the run succeeds")
        .remove(0);
    assert!(outcome.clean(), "{name}: {:?}", outcome.mails);
    let used = outcome.server.expect("the server ran apart");
    eprintln!("{name}, {clients} clients: {used:?}");
    used
}

fn main() {
    let mut ratios = Ratios::default();
    for _ in 0..setting("ROUNDS", 3) {
        for (name, cpu, memory) in ROWS {
            let (few, many) = (measure(name, FEW), measure(name, MANY));
            let over =
                |of: fn(&ServerUse) -> Option<f64>| of(&many).zip(of(&few)).map_or(f64::NAN, |(m, f)| m / f);
            ratios.add(cpu, Bar::AtMost(1.2), over(|u| u.cpu_us_per_delivery));
            ratios.add(memory, Bar::AtMost(1.2), over(|u| u.memory_bytes_per_connection));
        }
    }
    ratios.print();
}
