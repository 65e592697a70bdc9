//! Simulated runs: what they cost agrees with what a real run measures, and each can be repeated.

use mailcall::lab::{Lab, Run, Simulated};
use mailcall::outcome::*;
use mailcall::technique::{self, Technique};
use std::time::Duration;

fn simulate(technique: &'static Technique, scenario: Scenario) -> anyhow::Result<Outcome> {
    let lab = Lab {
        simulated: Some(Simulated::default()),
        ..Lab::new(scenario)?
    };
    Run::new(&lab, technique, Duration::ZERO).simulate()
}

#[test]
fn look() {
    let d = Scenario::default;
    let rtt = |ms: f64| Link {
        rtt_ms: ms,
        ..Link::default()
    };
    let cases: Vec<(&str, Scenario)> = vec![
        ("plain", d()),
        (
            "rtt",
            Scenario {
                link: rtt(40.0),
                ..d()
            },
        ),
        (
            "http10",
            Scenario {
                http: HttpVersion::Http10,
                ..d()
            },
        ),
        (
            "http10 rtt",
            Scenario {
                http: HttpVersion::Http10,
                link: rtt(40.0),
                ..d()
            },
        ),
        (
            "http2",
            Scenario {
                http: HttpVersion::Http2,
                ..d()
            },
        ),
        (
            "http2 rtt",
            Scenario {
                http: HttpVersion::Http2,
                link: rtt(40.0),
                ..d()
            },
        ),
        ("tls", Scenario { tls: true, ..d() }),
        (
            "tls rtt",
            Scenario {
                tls: true,
                link: rtt(40.0),
                ..d()
            },
        ),
        (
            "tls http10 rtt",
            Scenario {
                tls: true,
                http: HttpVersion::Http10,
                link: rtt(40.0),
                ..d()
            },
        ),
        (
            "tls http2",
            Scenario {
                tls: true,
                http: HttpVersion::Http2,
                ..d()
            },
        ),
        ("reply", Scenario { reply: true, ..d() }),
        (
            "reply http2",
            Scenario {
                reply: true,
                http: HttpVersion::Http2,
                ..d()
            },
        ),
        (
            "reply rtt tls",
            Scenario {
                reply: true,
                tls: true,
                link: rtt(40.0),
                ..d()
            },
        ),
        (
            "talk",
            Scenario {
                talk_per_s: Some(4.0),
                ..d()
            },
        ),
        (
            "talk rtt",
            Scenario {
                talk_per_s: Some(4.0),
                link: rtt(80.0),
                ..d()
            },
        ),
        (
            "talk http2 rtt",
            Scenario {
                talk_per_s: Some(4.0),
                http: HttpVersion::Http2,
                link: rtt(80.0),
                ..d()
            },
        ),
        (
            "browser",
            Scenario {
                headers: "browser".into(),
                ..d()
            },
        ),
        (
            "browser http2",
            Scenario {
                headers: "browser".into(),
                http: HttpVersion::Http2,
                ..d()
            },
        ),
        (
            "closer",
            Scenario {
                closer: Closer::Server,
                ..d()
            },
        ),
        (
            "closer http2",
            Scenario {
                closer: Closer::Server,
                http: HttpVersion::Http2,
                ..d()
            },
        ),
        (
            "closer tls",
            Scenario {
                closer: Closer::Server,
                tls: true,
                ..d()
            },
        ),
        (
            "block ws",
            Scenario {
                block: vec![Block::Websocket],
                ..d()
            },
        ),
        (
            "block ws http2",
            Scenario {
                block: vec![Block::Websocket],
                http: HttpVersion::Http2,
                ..d()
            },
        ),
        (
            "block both",
            Scenario {
                block: vec![Block::Websocket, Block::Streaming],
                ..d()
            },
        ),
        ("clients", Scenario { clients: 20, ..d() }),
        (
            "heartbeat",
            Scenario {
                heartbeat_ms: 100.0,
                ..d()
            },
        ),
        (
            "loss",
            Scenario {
                link: Link {
                    loss_fraction: 0.05,
                    ..rtt(40.0)
                },
                ..d()
            },
        ),
        (
            "bandwidth",
            Scenario {
                link: Link {
                    bandwidth_bit_s: Some(64_000.0),
                    ..rtt(40.0)
                },
                rate_per_s: 5.0,
                ..d()
            },
        ),
        (
            "burst",
            Scenario {
                arrivals: Arrivals::Burst(5),
                rate_per_s: 10.0,
                ..d()
            },
        ),
        (
            "attach",
            Scenario {
                attach: 1000,
                frames: Frames::Binary,
                ..d()
            },
        ),
        ("publishers", Scenario { publishers: 2, ..d() }),
    ];
    let only = std::env::var("ONLY").ok();
    for (name, scenario) in cases {
        if only.as_ref().is_some_and(|o| !o.split(',').any(|o| o == name)) {
            continue;
        }
        for technique in technique::ALL {
            let began = std::time::Instant::now();
            let o = match simulate(technique, scenario.clone()) {
                Ok(o) => o,
                Err(e) => {
                    println!("{name:15} {:10} FAILED {e:#}", technique.name);
                    continue;
                }
            };
            let took = began.elapsed();
            let mut real = None;
            if std::env::var("REAL").is_ok() {
                let lab = Lab::new(scenario.clone()).unwrap();
                real = Some(
                    Run::new(&lab, technique, Duration::ZERO)
                        .go(&mailcall::lab::Gate::new(1), &|_| {})
                        .unwrap(),
                );
            }
            let p = &o.predicted;
            let l = o.latency_us.as_ref().map_or((0.0, 0.0), |l| (l.mean, l.max));
            let mut off = String::new();
            let mut cmp = |what: &str, a: f64, b: f64| {
                if (a - b).abs() > 0.6 {
                    off += &format!(" {what} {a:.1}/{b:.1}")
                }
            };
            cmp("req", o.requests.total as f64, p.requests.total);
            if let (Some(a), Some(b)) = (o.requests.empty, p.requests.empty) {
                cmp("empty", a as f64, b);
            }
            let each = |o: &Labelled<u64>, p: &Labelled<f64>| {
                [
                    ("head", o.head as f64, p.head),
                    ("framing", o.framing as f64, p.framing),
                    ("control", o.control as f64, p.control),
                    ("payload", o.payload as f64, p.payload),
                    ("tls", o.tls as f64, p.tls),
                ]
            };
            for (w, a, b) in each(&o.bytes.up, &p.bytes.up) {
                cmp(&format!("up.{w}"), a, b)
            }
            for (w, a, b) in each(&o.bytes.down, &p.bytes.down) {
                cmp(&format!("down.{w}"), a, b)
            }
            cmp("mean", l.0, p.latency_us.mean);
            cmp("max", l.1, p.latency_us.max);
            if let (Some(t), Some(pt)) = (&o.talk, &p.talk) {
                cmp(
                    "talk.mean",
                    t.latency_us.as_ref().map_or(0.0, |l| l.mean),
                    pt.latency_us.mean,
                );
                cmp("talk.over", t.overhead_bytes as f64, pt.overhead_bytes);
                cmp("talk.conn", t.connections_per_client, pt.connections_per_client);
            }
            if o.mails.delivered != o.mails.expected {
                off += &format!(" MAILS {:?}", o.mails);
            }
            if let Some(r) = real {
                println!(
                    "   sim  {:?}\n        {:?} {:?}\n   real {:?}\n        {:?} {:?} conn {} {}",
                    o.bytes.up,
                    o.bytes.down,
                    o.requests,
                    r.bytes.up,
                    r.bytes.down,
                    r.requests,
                    o.connections.opened,
                    r.connections.opened
                );
            }
            println!(
                "{name:15} {:10} {:6.1}ms {off}",
                technique.name,
                took.as_secs_f64() * 1e3
            );
        }
    }
}
