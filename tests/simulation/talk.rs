//! Both ways at once (`--talk`): what clients say while mail keeps arriving is heard once, at the price
//! that is predicted, and a POST is said until it is heard.

use std::process::Command;
use std::time::Duration;

use mailcall::lab::{Lab, Run, Simulated};
use mailcall::link::Cut;
use mailcall::outcome::{Arrivals, HttpVersion, Link, Outcome, Scenario, Talk};
use mailcall::technique::{self, Technique, tcp};
use mailcall::wire::Direction;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::pace;

/// Mail and messages at a steady pace, far enough apart that no two share an answer.
fn quick() -> Scenario {
    Scenario {
        mails: 12,
        rate_per_s: 40.0,
        arrivals: Arrivals::Steady,
        poll_interval_ms: 20.0,
        grace_ms: 10_000.0,
        talk_per_s: Some(60.0),
        ..Scenario::default()
    }
}

fn run(technique: &'static Technique, scenario: &Scenario) -> Outcome {
    let lab = Lab::new(scenario.clone()).unwrap();
    lab.compare(&[technique], &|_| {}).unwrap().remove(0)
}

fn simulate_with(technique: &'static Technique, scenario: &Scenario, cuts: Vec<Cut>) -> Outcome {
    let mut lab = Lab::new(scenario.clone()).unwrap();
    lab.cuts = cuts;
    lab.simulated = Some(Simulated::default());
    Run::new(&lab, technique, Duration::ZERO).simulate().unwrap()
}

fn simulate(technique: &'static Technique, scenario: &Scenario) -> Outcome {
    simulate_with(technique, scenario, Vec::new())
}

fn is_as_predicted(o: &Outcome) -> bool {
    let (b, p) = (&o.bytes, &o.predicted.bytes);
    let same = [(&b.up, &p.up), (&b.down, &p.down)]
        .iter()
        .all(|(measured, predicted)| {
            let near = |m: u64, p: f64| (m as f64 - p).abs() < 1e-6;
            near(measured.head, predicted.head)
                && near(measured.framing, predicted.framing)
                && near(measured.control, predicted.control)
                && near(measured.payload, predicted.payload)
                && near(measured.total, predicted.total)
        });
    same && o.requests.total as f64 == o.predicted.requests.total
}

fn talk(o: &Outcome) -> &Talk {
    o.talk.as_ref().unwrap()
}

#[test]
fn everything_said_is_heard_once() {
    let many = Scenario {
        clients: 3,
        ..quick()
    };
    for technique in all() {
        let o = simulate(technique, &many);
        let t = talk(&o);
        assert!(o.clean(), "{}: {:?} {t:?}", o.technique, o.mails);
        // 300 ms at 60/s: 18 of each client, one less or more by its phase.
        assert!((51..=57).contains(&t.sent), "{t:?}");
        assert_eq!((t.heard, t.lost, t.duplicated), (t.sent, 0, 0), "{}", o.technique);
        assert_eq!(t.latency_us.as_ref().unwrap().count, t.sent);
        assert_eq!(t.samples_us.len() as u64, t.sent);
    }
    let silent = Scenario {
        talk_per_s: None,
        ..quick()
    };
    assert!(simulate(&tcp::TECHNIQUE, &silent).talk.is_none());
}

#[test]
fn each_way_costs_what_is_predicted_to_the_byte() {
    // Eleven of them, so that a client's number may have two digits; at a pace that a busy machine keeps.
    let browser = Scenario {
        headers: "browser".into(),
        clients: 11,
        rate_per_s: 10.0,
        talk_per_s: Some(15.0),
        ..quick()
    };
    let bursts = Scenario {
        arrivals: Arrivals::Burst(3),
        seed: 4,
        ..quick()
    };
    for scenario in [quick(), browser, bursts] {
        for technique in all().iter().filter(|t| t.holds) {
            let run = |scenario: &Scenario| run(technique, scenario);
            // A message that is sent late meets another on the same connection, and takes a third one.
            let fits = |o: &Outcome| {
                let predicted = o.predicted.talk.as_ref();
                is_as_predicted(o)
                    && predicted.is_some_and(|p| p.connections_per_client == talk(o).connections_per_client)
            };
            let o = pace::at_a_pace_that_is_kept(&scenario, run, fits);
            let (b, p) = (&o.bytes, &o.predicted.bytes);
            assert!(is_as_predicted(&o), "{}\n{b:?}\n{p:?}", o.technique);
            let (t, foreseen) = (talk(&o), o.predicted.talk.unwrap());
            assert!(
                (t.overhead_bytes as f64 - foreseen.overhead_bytes).abs() < 1e-6,
                "{t:?} {foreseen:?}"
            );
            assert_eq!(
                t.connections_per_client, foreseen.connections_per_client,
                "{}",
                o.technique
            );
            let rest = o.overhead_bytes - t.overhead_bytes;
            assert_eq!(
                t.overhead_bytes_per_message.up,
                Some(t.overhead_bytes as f64 / t.heard as f64)
            );
            assert_eq!(
                t.overhead_bytes_per_message.down,
                Some(rest as f64 / o.mails.delivered as f64)
            );
        }
    }
}

#[test]
fn only_a_websocket_does_both_on_one_connection() {
    let each = |o: &Outcome| talk(o).overhead_bytes_per_message.up.unwrap();
    let ws = simulate(technique::named("ws").unwrap(), &quick());
    assert_eq!(
        (each(&ws), talk(&ws).connections_per_client, ws.requests.total),
        (6.0, 1.0, 1)
    );
    assert_eq!(ws.messages.up, Some(talk(&ws).heard));
    for name in ["poll", "long-poll", "sse"] {
        let o = simulate(technique::named(name).unwrap(), &quick());
        assert!(each(&o) > 20.0 * each(&ws), "{name}: {}", each(&o));
        assert!(o.requests.total > talk(&o).heard, "{name}");
        if name != "poll" {
            assert_eq!(talk(&o).connections_per_client, 2.0, "{name}");
        }
    }
}

#[test]
fn under_http2_requests_share_the_connection_and_under_1_0_none_does() {
    for name in ["long-poll", "sse"] {
        let technique = technique::named(name).unwrap();
        let streams = simulate(
            technique,
            &Scenario {
                http: HttpVersion::Http2,
                ..quick()
            },
        );
        assert!(streams.clean(), "{:?}", streams.talk);
        assert_eq!(talk(&streams).connections_per_client, 1.0, "{name}");
        let each = |o: &Outcome| talk(o).overhead_bytes_per_message.up.unwrap();
        assert!(each(&streams) < 120.0, "{name}: {}", each(&streams));
        let closed = simulate(
            technique,
            &Scenario {
                http: HttpVersion::Http10,
                ..quick()
            },
        );
        assert!(closed.clean(), "{:?}", closed.talk);
        assert_eq!(closed.connections.opened, closed.requests.total, "{name}");
    }
}

#[test]
fn over_a_long_way_messages_queue_as_foreseen() {
    // A POST takes 40 ms and one is due every 50: they don't wait for each other, but for the connection.
    let scenario = Scenario {
        link: Link {
            rtt_ms: 40.0,
            ..Link::default()
        },
        talk_per_s: Some(20.0),
        mails: 30,
        rate_per_s: 20.0,
        ..quick()
    };
    // At 50/s they do, and ever longer.
    let crowded = Scenario {
        talk_per_s: Some(50.0),
        ..scenario.clone()
    };
    let mean = |name: &str, scenario| {
        let o = simulate(technique::named(name).unwrap(), scenario);
        assert!(o.clean(), "{}: {:?}", o.technique, o.talk);
        talk(&o).latency_us.as_ref().unwrap().mean / 1e3
    };
    for scenario in [&scenario, &crowded] {
        assert!((mean("ws", scenario) - 20.0).abs() < 1e-3);
    }
    for name in ["long-poll", "sse"] {
        let (calm, late) = (mean(name, &scenario), mean(name, &crowded));
        assert!(
            (20.0..30.0).contains(&calm) && late > 100.0,
            "{name}: {calm} {late}"
        );
    }
}

#[test]
fn a_server_in_a_process_of_its_own_hears_by_the_same_clock() {
    let mut lab = Lab::new(quick()).unwrap();
    lab.isolate = Some(env!("CARGO_BIN_EXE_mailcall").into());
    for technique in all() {
        let o = lab.compare(&[technique], &|_| {}).unwrap().remove(0);
        let latency = talk(&o).latency_us.as_ref().unwrap();
        assert!(o.clean(), "{:?}", o.talk);
        assert!(
            latency.min > 0.0 && latency.p50 < 1e6,
            "{}: {latency:?}",
            o.technique
        );
    }
}

#[test]
fn seeds_are_pooled() {
    let lab = Lab::new(Scenario {
        repeat: 2,
        clients: 2,
        ..quick()
    })
    .unwrap();
    let o = lab
        .repeat(&[technique::named("sse").unwrap()], &|_| {})
        .unwrap()
        .remove(0);
    let sum = |of: fn(&Talk) -> u64| o.repeats.iter().map(|o| of(talk(o))).sum::<u64>();
    let t = talk(&o);
    assert_eq!((t.sent, t.heard), (sum(|t| t.sent), sum(|t| t.heard)));
    assert_eq!(t.overhead_bytes, sum(|t| t.overhead_bytes));
    assert_eq!(t.latency_us.as_ref().unwrap().count, t.heard);
    assert_eq!(t.connections_per_client, 2.0);
    let rest = o.overhead_bytes - t.overhead_bytes;
    let down = t.overhead_bytes_per_message.down.unwrap();
    assert!((down - rest as f64 / o.mails.delivered as f64).abs() < 1e-9);
    assert!((o.predicted.talk.unwrap().overhead_bytes - t.overhead_bytes as f64).abs() < 1e-6);
}

/// A POST that no answer came to is sent again, so that nothing is lost; a frame on a connection that
/// breaks has no receipt.
#[test]
fn what_is_posted_survives_cuts() {
    const RUNS: u64 = 200;
    for technique in all() {
        let answered = !["ws", "stomp", "sockjs", "socketio", "tcp"].contains(&technique.name);
        let mut broken = 0;
        for n in 0..RUNS {
            let scenario = Scenario {
                mails: 8,
                size: 120,
                rate_per_s: 100.0,
                talk_per_s: Some(200.0),
                poll_interval_ms: 5.0,
                seed: n,
                ..quick()
            };
            let mut rng = ChaCha8Rng::seed_from_u64(n);
            let cuts = [0, 1].map(|connection| Cut {
                connection,
                direction: if rng.random() {
                    Direction::Up
                } else {
                    Direction::Down
                },
                after: rng.random_range(0..1_000),
                reset: rng.random(),
            });
            let o = simulate_with(technique, &scenario, cuts.to_vec());
            let t = talk(&o);
            assert_eq!(
                (o.mails.lost, o.mails.duplicated),
                (0, 0),
                "{} after {cuts:?}",
                o.technique
            );
            assert!(t.lost == 0 || !answered, "{} after {cuts:?}: {t:?}", o.technique);
            assert!(
                t.duplicated == 0 || answered,
                "{} after {cuts:?}: {t:?}",
                o.technique
            );
            assert_eq!(t.heard + t.lost, t.sent);
            broken += u64::from(o.connections.opened > 2 || !answered && o.connections.opened > 1);
        }
        assert!(
            broken > RUNS / 4,
            "{}: only {broken} runs had to reconnect",
            technique.name
        );
    }
}

fn mailcall(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mailcall"))
        .env("LC_ALL", "C")
        .args(args)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_cannot_be_asked_for_is_named() {
    for (args, said) in [
        (&["ws", "--talk", "10/s", "--reply"][..], "--reply"),
        (&["ws", "--talk", "0"], "allowed is"),
        (&["ws", "--talk", "never"], "written like"),
        (
            &[
                "compare", "--talk", "100000/s", "--mails", "1000", "--rate", "1/s",
            ],
            "messages",
        ),
    ] {
        let (code, out, err) = mailcall(args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {err}");
        assert!(err.contains(said), "{args:?}: {err}");
    }
}

#[test]
fn the_table_shows_both_ways() {
    let short = [
        "compare",
        "--talk",
        "80/s",
        "--rate",
        "80/s",
        "--mails",
        "12",
        "--interval",
        "10ms",
    ];
    for format in ["table", "markdown"] {
        let (code, out, err) = mailcall(&[&short[..], &["--format", format]].concat());
        assert_eq!(code, Some(0), "{err}");
        for part in [
            "Both ways at once",
            "latency up",
            "overhead down",
            "every client talks, 80/s",
            "ws said its",
        ] {
            assert!(out.contains(part), "{format}: {part}\n{out}");
        }
    }
    let (_, out, _) = mailcall(&[&short[..], &["--format", "json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["scenario"]["talk_per_s"], 80.0);
    for result in json["results"].as_array().unwrap() {
        assert_eq!(result["talk"]["heard"], result["talk"]["sent"], "{result}");
        assert!(result["talk"]["samples_us"].is_null() && result["predicted"]["talk"].is_object());
    }
}

/// The registry, and the baseline, which must keep the same promises.
fn all() -> Vec<&'static Technique> {
    technique::ALL.iter().copied().chain([&tcp::TECHNIQUE]).collect()
}
