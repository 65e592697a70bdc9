//! Simulated runs: what a real run measures agrees with them to the byte, each can be repeated, and the
//! formulas of `theory` agree with them.

use std::time::Duration;

use mailcall::lab::{Gate, Lab, Run, Simulated};
use mailcall::outcome::{
    Arrivals, Block, Closer, Frames, HttpVersion, Labelled, Link, Outcome, Prediction, Scenario,
};
use mailcall::technique::{self, Technique};
use mailcall::theory;

fn lab(scenario: Scenario) -> Lab {
    Lab::new(scenario).unwrap()
}

fn simulate(technique: &'static Technique, scenario: &Scenario) -> Outcome {
    let simulated = Lab {
        simulated: Some(Simulated::default()),
        ..lab(scenario.clone())
    };
    Run::new(&simulated, technique, Duration::ZERO)
        .simulate()
        .unwrap()
}

fn measure(technique: &'static Technique, scenario: &Scenario) -> Outcome {
    Run::new(&lab(scenario.clone()), technique, Duration::ZERO)
        .go(&Gate::new(1), &|_| {})
        .unwrap()
}

fn rtt(ms: f64) -> Link {
    Link {
        rtt_ms: ms,
        ..Link::default()
    }
}

/// What can be different from run to run, each by itself.
fn cases() -> Vec<(&'static str, Scenario)> {
    let usual = || Scenario {
        mails: 12,
        rate_per_s: 20.0,
        poll_interval_ms: 40.0,
        ..Scenario::default()
    };
    let (http10, http2) = (HttpVersion::Http10, HttpVersion::Http2);
    let browser = || "browser".into();
    vec![
        ("as it comes", usual()),
        (
            "a link",
            Scenario {
                link: rtt(30.0),
                ..usual()
            },
        ),
        (
            "HTTP/1.0",
            Scenario {
                http: http10,
                link: rtt(10.0),
                ..usual()
            },
        ),
        (
            "HTTP/2",
            Scenario {
                http: http2,
                ..usual()
            },
        ),
        ("TLS", Scenario { tls: true, ..usual() }),
        (
            "TLS, HTTP/1.0",
            Scenario {
                tls: true,
                http: http10,
                rate_per_s: 4.0,
                ..usual()
            },
        ),
        (
            "replies",
            Scenario {
                reply: true,
                ..usual()
            },
        ),
        (
            "messages",
            Scenario {
                talk_per_s: Some(4.0),
                rate_per_s: 5.0,
                ..usual()
            },
        ),
        (
            "a browser's fields",
            Scenario {
                headers: browser(),
                ..usual()
            },
        ),
        (
            "a browser's fields, HTTP/2",
            Scenario {
                headers: browser(),
                http: http2,
                ..usual()
            },
        ),
        (
            "the server closes",
            Scenario {
                closer: Closer::Server,
                ..usual()
            },
        ),
        (
            "no WebSocket",
            Scenario {
                block: vec![Block::Websocket],
                ..usual()
            },
        ),
        (
            "no streams",
            Scenario {
                block: vec![Block::Websocket, Block::Streaming],
                ..usual()
            },
        ),
        (
            "clients",
            Scenario {
                clients: 5,
                ..usual()
            },
        ),
        (
            "heartbeats",
            Scenario {
                heartbeat_ms: 50.0,
                rate_per_s: 4.0,
                ..usual()
            },
        ),
        (
            "loss",
            Scenario {
                link: Link {
                    loss_fraction: 0.05,
                    jitter_ms: 3.0,
                    ..rtt(20.0)
                },
                ..usual()
            },
        ),
        (
            "bandwidth",
            Scenario {
                link: Link {
                    bandwidth_bit_s: Some(64_000.0),
                    ..rtt(20.0)
                },
                rate_per_s: 5.0,
                ..usual()
            },
        ),
        (
            "bursts",
            Scenario {
                arrivals: Arrivals::Burst(4),
                ..usual()
            },
        ),
        (
            "attachments",
            Scenario {
                attach: 1_000,
                frames: Frames::Binary,
                ..usual()
            },
        ),
        (
            "publishers",
            Scenario {
                publishers: 2,
                ..usual()
            },
        ),
    ]
}

/// The techniques that can exist there.
fn able(scenario: &Scenario) -> impl Iterator<Item = &'static Technique> {
    let able = |t: &&&'static Technique| (t.cannot)(scenario).is_none();
    let all: Vec<_> = technique::ALL.iter().filter(able).copied().collect();
    all.into_iter()
}

/// Everything that an outcome holds, as text. A signature of TLS has not always the same length.
fn whole(mut outcome: Outcome, encrypted: bool) -> String {
    if encrypted {
        for bytes in [&mut outcome.bytes.up, &mut outcome.bytes.down] {
            (bytes.tls, bytes.total) = (0, 0);
        }
        (outcome.overhead_bytes, outcome.overhead_bytes_per_delivery) = (0, None);
        outcome.connections.each.clear();
    }
    serde_json::to_string_pretty(&outcome).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for (case, scenario) in cases() {
        for technique in able(&scenario) {
            let once = whole(simulate(technique, &scenario), scenario.tls);
            let again = whole(simulate(technique, &scenario), scenario.tls);
            assert!(once == again, "{case}, {}:\n{once}\n{again}", technique.name);
        }
    }
}

#[test]
fn nothing_is_lost_and_no_time_passes_but_the_links() {
    for (case, scenario) in cases() {
        for technique in able(&scenario) {
            let outcome = simulate(technique, &scenario);
            let mails = &outcome.mails;
            assert_eq!(
                (mails.delivered, mails.lost, mails.duplicated, mails.reordered),
                (mails.expected, 0, 0, 0),
                "{case}, {}",
                technique.name
            );
            if case == "a link" && ["sse", "ws", "stomp"].contains(&technique.name) {
                let latency = outcome.latency_us.unwrap();
                assert_eq!(
                    (latency.min, latency.max),
                    (15_000.0, 15_000.0),
                    "{}",
                    technique.name
                );
            }
        }
    }
}

/// Whether two figures agree within 1 %.
fn agree(simulated: f64, formula: f64) -> bool {
    (simulated / formula - 1.0).abs() < 0.01
}

/// 2,000 mails over a round trip, milliseconds: what `theory` derives, and what simulated runs bring.
fn formulas_agree(ms: f64) {
    const INTERVAL: f64 = 1_000.0;
    const HOLD: f64 = 250.0;
    let mails = |clients| Scenario {
        mails: 2_000,
        rate_per_s: 10.0,
        clients,
        poll_interval_ms: INTERVAL,
        hold_ms: HOLD,
        link: rtt(ms),
        ..Scenario::default()
    };
    let plan = lab(mails(1)).plan;
    let due: Vec<f64> = plan.mails.iter().map(|m| m.due.as_secs_f64() * 1e3).collect();
    let polled = theory::poll_latency(&due, INTERVAL, ms);
    let asked = theory::poll_requests(&due, INTERVAL, ms).total;
    let held = theory::long_poll_latency(&due, HOLD, ms);
    let answers = theory::Requests::of(&theory::long_poll_exchanges(&due, HOLD, ms)).total;
    let pushed = theory::push_latency(ms);
    for (name, clients, latency, requests) in [
        // A client's phase in its interval is drawn; the formula is the mean over all.
        ("poll", 8, polled, asked),
        ("long-poll", 1, held, answers),
        ("sse", 1, pushed, 1.0),
        ("ws", 1, pushed, 1.0),
    ] {
        let outcome = simulate(technique::named(name).unwrap(), &mails(clients));
        let mean_ms = outcome.latency_us.as_ref().unwrap().mean / 1e3;
        let each = outcome.requests.total as f64 / clients as f64;
        assert!(
            agree(mean_ms, latency.mean) && agree(each, requests),
            "{name} at {ms} ms: {mean_ms} ms and {each} requests, by formula {} ms and {requests}",
            latency.mean
        );
    }
}

#[test]
fn formulas_and_simulated_runs_agree_within_one_per_cent() {
    std::thread::scope(|scope| {
        for ms in [1.0, 20.0, 200.0] {
            scope.spawn(move || formulas_agree(ms));
        }
    });
}
