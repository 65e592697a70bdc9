//! One mail to thousands of clients, the server on one core, the clients on the other: deliveries per second,
//! compared with writers of prepared frames and events, which is the most that the sockets allow, with Node's `ws`, and
//! with uWebSockets.

#[path = "../harness/mod.rs"]
mod harness;

#[cfg(target_os = "linux")]
mod contenders;
#[cfg(target_os = "linux")]
mod crowd;

#[cfg(target_os = "linux")]
#[path = "../../tests/support/mod.rs"]
mod support;

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("skipped: threads are pinned to cores on Linux only");
}

#[cfg(target_os = "linux")]
fn main() {
    use contenders::{Contender, event, frame};
    use harness::{Bar, Ratios, setting};
    use std::process::Command;
    use std::time::Duration;

    /// Which contender is compared with which, and the least ratio with one and with four mails in flight.
    const ROWS: [(&str, &str, [f64; 2]); 4] = [
        ("ws", "ready-made frames", [0.85, 0.75]),
        ("SSE", "ready-made events", [0.75, 0.65]),
        ("ws", "uWebSockets", [1.0, 1.0]),
        ("ws", "Node's ws", [1.0, 1.0]),
    ];
    const FLIGHTS: [(&str, u64); 2] = [("one", 1), ("four", 4)];
    /// With more clients only uWebSockets is compared: all contenders would need too many open files.
    const ALL_COMPARED: usize = 1_000;

    let clients = setting("CLIENTS", 0);
    if clients == 0 {
        for clients in ["1000", "5000"] {
            let mut part = Command::new(std::env::current_exe().expect("it has a path"));
            assert!(part.env("CLIENTS", clients).status().is_ok_and(|s| s.success()));
        }
        return;
    }
    harness::raise_the_descriptor_limit();
    let time = Duration::from_millis(setting("MILLIS", 100) as u64);
    let mut contenders = vec![("ws", Contender::ours("ws", clients))];
    contenders.extend(Contender::uwebsockets(clients).map(|c| ("uWebSockets", c)));
    if clients <= ALL_COMPARED {
        contenders.extend([
            ("ready-made frames", Contender::writer(frame, clients)),
            ("SSE", Contender::ours("sse", clients)),
            ("ready-made events", Contender::writer(event, clients)),
        ]);
        contenders.extend(Contender::node(clients).map(|c| ("Node's ws", c)));
    }
    harness::pin(1);

    let mut ratios = Ratios::default();
    for round in 0..=setting("ROUNDS", 25) {
        for (column, (flight, depth)) in FLIGHTS.into_iter().enumerate() {
            // Forwards and then backwards, to compensate for drift.
            let mut rates: Vec<_> = contenders.iter().map(|(name, _)| (*name, 0.0)).collect();
            for i in (0..rates.len()).chain((0..rates.len()).rev()) {
                rates[i].1 += contenders[i].1.deliveries_per_s(depth, time) / 2.0;
            }
            eprintln!("{clients} clients, {flight} in flight, deliveries per second: {rates:.0?}");
            if round == 0 {
                // Not counted because of page faults and growing buffers.
                continue;
            }
            let rate = |of| {
                rates
                    .iter()
                    .find_map(|(name, rate)| (*name == of).then_some(rate))
            };
            for (ours, other, bars) in ROWS {
                if let Some((ours_rate, other_rate)) = rate(ours).zip(rate(other)) {
                    let clients = mailcall::report::figure(clients as f64);
                    let what = format!("fan-out to {clients}, {flight} in flight: {ours} over {other}");
                    ratios.add(&what, Bar::AtLeast(bars[column]), ours_rate / other_rate);
                }
            }
        }
    }
    ratios.print();
}
