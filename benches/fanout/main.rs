//! One mail to a thousand clients, the server on one core, the clients on the other: deliveries per second,
//! compared with a writer of prepared frames, which is the most that the sockets allow, and with Node's `ws`.

#[path = "../harness/mod.rs"]
mod harness;

#[cfg(target_os = "linux")]
mod contenders;
#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod unmetered;

#[cfg(target_os = "linux")]
#[path = "../../tests/support/mod.rs"]
mod support;

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("skipped: threads are pinned to cores on Linux only");
}

#[cfg(target_os = "linux")]
fn main() {
    use contenders::Contender;
    use harness::{Bar, Ratios, setting};
    use std::time::Duration;

    const CLIENTS: usize = 1_000;

    crowd::raise_the_descriptor_limit();
    let clients = setting("CLIENTS", CLIENTS);
    let time = Duration::from_millis(setting("MILLIS", 100) as u64);
    let mut writer = Contender::writer(clients);
    let mut ws = Contender::ours("ws", true, clients);
    let mut bare = Contender::ours("ws", false, clients);
    let mut sse = Contender::ours("sse", true, clients);
    let mut node = Contender::node(clients);
    crowd::pin(1);

    let mut ratios = Ratios::default();
    for round in 0..=setting("ROUNDS", 25) {
        for (depth, rows) in [(1, &ONE), (4, &FOUR)] {
            let mut run = |c: &mut Contender| c.deliveries_per_s(depth, time);
            let limit = run(&mut writer);
            let (ws, bare, sse) = (run(&mut ws), run(&mut bare), run(&mut sse));
            let node = node.as_mut().map(&mut run);
            let limit = (limit + run(&mut writer)) / 2.0;
            eprintln!(
                "{depth} in flight: writer {limit:.0}/s, ws {ws:.0}, unmetered {bare:.0}, sse {sse:.0}, node {node:.0?}"
            );
            if round == 0 {
                // Not counted because of page faults and growing buffers.
                continue;
            }
            let [over_limit, sse_over_limit, over_node, metered] = *rows;
            ratios.add(over_limit, Bar::AtLeast(0.6), ws / limit);
            ratios.add(
                sse_over_limit,
                Bar::AtLeast(if depth == 1 { 0.6 } else { 0.5 }),
                sse / limit,
            );
            ratios.add(metered, Bar::AtLeast(0.95), ws / bare);
            if let Some(node) = node {
                ratios.add(over_node, Bar::AtLeast(1.0), ws / node);
            }
        }
    }
    ratios.print();
}

#[cfg(target_os = "linux")]
const ONE: [&str; 4] = [
    "fan-out, one in flight: ws over ready-made frames",
    "fan-out, one in flight: SSE over ready-made frames",
    "fan-out, one in flight: ws over Node's ws",
    "fan-out, one in flight: ws metered over unmetered",
];
#[cfg(target_os = "linux")]
const FOUR: [&str; 4] = [
    "fan-out, four in flight: ws over ready-made frames",
    "fan-out, four in flight: SSE over ready-made frames",
    "fan-out, four in flight: ws over Node's ws",
    "fan-out, four in flight: ws metered over unmetered",
];
