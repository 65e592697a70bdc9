//! Whether the cost per client is the same with many clients: processor time per delivery and memory per
//! connection of a server in a separate process, with a hundred clients and with twenty thousand.

mod harness;

use harness::{Bar, Ratios, setting};
use mailcall::lab::Lab;
use mailcall::outcome::{Arrivals, Scenario, ServerUse};
use mailcall::technique;

const FEW: usize = 100;
const MANY: usize = 20_000;

/// Open files besides connections, of the process of the clients and of that of the server.
const OTHER_FILES: usize = 100;

fn measure(name: &str, clients: usize) -> ServerUse {
    let scenario = Scenario {
        mails: 10,
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
    let most = harness::raise_the_descriptor_limit().saturating_sub(OTHER_FILES);
    let wanted = setting("CLIENTS", MANY);
    let many = wanted.min(most);
    if many < wanted {
        eprintln!("{many} clients instead of {wanted}: no more files may be open (`ulimit -n`)");
    }
    let over = format!("{} clients over {FEW}", mailcall::report::figure(many as f64));
    let mut ratios = Ratios::default();
    for _ in 0..setting("ROUNDS", 20) {
        for (name, title) in [("ws", "ws"), ("sse", "SSE")] {
            let (few, many) = (measure(name, FEW), measure(name, many));
            let mut add = |what: &str, of: fn(&ServerUse) -> Option<f64>| {
                let ratio = of(&many).zip(of(&few)).map_or(f64::NAN, |(m, f)| m / f);
                ratios.add(&format!("{title}: {what}, {over}"), Bar::AtMost(1.2), ratio);
            };
            add("processor time per delivery", |u| u.cpu_us_per_delivery);
            add("memory per connection", |u| u.memory_bytes_per_connection);
        }
    }
    ratios.print();
}
