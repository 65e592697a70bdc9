//! What a client costs that says nothing: resident memory of `mailcall serve` per connected client, once all are
//! connected, and once mail has come, because buffers may stay.

mod harness;

#[cfg(target_os = "linux")]
#[path = "fanout/crowd.rs"]
mod crowd;

#[cfg(target_os = "linux")]
#[path = "../tests/support/mod.rs"]
mod support;

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("skipped: resident memory is read from /proc");
}

#[cfg(target_os = "linux")]
fn main() {
    use crowd::{Crowd, SSE, WS};
    use harness::{Bar, Ratios, setting};
    use support::served::Serving;

    const LONG_POLL: [&str; 2] = ["GET /long-poll?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n", ""];
    /// The most that a client may cost, kB.
    const ROWS: [(&str, [&str; 2], f64); 3] = [
        ("ws", WS, 4.0),
        ("SSE", SSE, 8.0),
        ("long polling", LONG_POLL, 8.0),
    ];

    harness::raise_the_descriptor_limit();
    let clients = setting("CLIENTS", 2_000);
    let mut ratios = Ratios::default();
    for _ in 0..setting("ROUNDS", 20) {
        for (name, request, bar) in ROWS {
            let server = Serving::start(&["--mails", "0"]);
            let address = server.authority().parse().expect("it prints its address");
            // The first client and the first mail bring in 2 MB of the program itself, which the others find there.
            let mut first = Crowd::connect(address, 1, request);
            server.post("text/plain", b"Lunch?");
            first.drain();
            drop(first);
            let before = resident_kb(server.id());
            let request = [&request[0].replace("=0", "=1"), request[1]];
            let mut crowd = Crowd::connect(address, clients, request);
            let mut add = |when| {
                let each = (resident_kb(server.id()) - before) / clients as f64;
                let what = format!("{name}: memory of an idle client{when}, kB");
                ratios.add(&what, Bar::AtMost(bar), each);
            };
            add("");
            for number in 2..=21 {
                server.post("text/plain", b"Lunch?");
                crowd.drain();
                if name == "long polling" {
                    crowd.ask(&request[0].replace("=1", &format!("={number}")));
                }
            }
            add(" after 20 mails");
        }
    }
    ratios.print();
}

/// The resident memory of a process that has had time to become idle, kB.
#[cfg(target_os = "linux")]
fn resident_kb(process: u32) -> f64 {
    std::thread::sleep(std::time::Duration::from_millis(300));
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
    let after = status.split_once("VmRSS:").expect("Linux says it").1;
    let number = after.split_whitespace().next().expect("it is there");
    number.parse().expect("it is a number")
}
