//! SockJS as a technique: what it costs over each transport, behind each middlebox, is predicted to the
//! byte; the cascade is told; nothing is lost meanwhile.

use mailcall::lab::Lab;
use mailcall::outcome::{Arrivals, Block, Closer, HttpVersion, Labelled, Outcome, Scenario};
use mailcall::technique::{self, Technique};

use crate::support::pace;

fn sockjs() -> &'static Technique {
    technique::named("sockjs").unwrap()
}

fn quick() -> Scenario {
    Scenario {
        mails: 12,
        rate_per_s: 40.0,
        arrivals: Arrivals::Steady,
        grace_ms: 10_000.0,
        ..Scenario::default()
    }
}

/// What may be in the way, and what gets through.
const BLOCKS: [(&[Block], &str); 4] = [
    (&[], "websocket"),
    (&[Block::Streaming], "websocket"),
    (&[Block::Websocket], "xhr-streaming"),
    (&[Block::Websocket, Block::Streaming], "xhr-polling"),
];

fn run(scenario: &Scenario) -> Outcome {
    let lab = Lab::new(scenario.clone()).unwrap();
    let o = lab.compare(&[sockjs()], &|_| {}).unwrap().remove(0);
    assert!(o.clean(), "{scenario:?}: {:?}", o.mails);
    o
}

fn tried(o: &Outcome) -> Vec<(&str, bool)> {
    o.attempts
        .iter()
        .map(|a| (a.transport.as_str(), a.failed.is_none()))
        .collect()
}

/// A transport may also be given up on a busy machine that would have worked: then, too, the run is done again.
fn unhindered(scenario: &Scenario, fits: impl Fn(&Outcome) -> bool) -> Outcome {
    pace::at_a_pace_that_is_kept(scenario, run, fits)
}

/// Whether measured bytes are what was predicted. HTTP/2 depends on the clock here and there: a server that
/// hears a client's GOAWAY may still say one; TLS on how long a signature is.
fn as_predicted(o: &Outcome, scenario: &Scenario) -> bool {
    let http2 = f64::from(u8::from(scenario.http == HttpVersion::Http2));
    let tls = if scenario.tls { 12.0 + http2 * 115.0 } else { 0.0 };
    let near =
        |measured: u64, predicted: f64, slack: f64| (measured as f64 - predicted).abs() <= slack + 1e-6;
    let same = |m: &Labelled<u64>, p: &Labelled<f64>| {
        near(m.head, p.head, http2 * 60.0)
            && near(m.framing, p.framing, 0.0)
            && near(m.control, p.control, http2 * 17.0 * scenario.clients as f64)
            && near(m.payload, p.payload, 0.0)
            && near(m.tls, p.tls, tls)
    };
    let (b, p) = (&o.bytes, &o.predicted.bytes);
    same(&b.up, &p.up)
        && same(&b.down, &p.down)
        && o.requests.total as f64 == o.predicted.requests.total
        && o.requests.empty.map(|n| n as f64) == o.predicted.requests.empty
}

fn check(scenario: &Scenario) {
    let o = unhindered(scenario, |o| as_predicted(o, scenario));
    let (b, p) = (&o.bytes, &o.predicted.bytes);
    assert!(
        as_predicted(&o, scenario),
        "{scenario:?}\n{:?}\n{:?} {:?}\nup   {:?}\n     {:?}\ndown {:?}\n     {:?}",
        tried(&o),
        o.requests,
        o.predicted.requests,
        b.up,
        p.up,
        b.down,
        p.down
    );
}

fn everywhere(scenario: &Scenario) {
    for (block, _) in BLOCKS {
        for http in [HttpVersion::Http11, HttpVersion::Http10, HttpVersion::Http2] {
            check(&Scenario {
                block: block.to_vec(),
                http,
                ..scenario.clone()
            });
        }
    }
}

#[test]
fn the_bill_is_predicted_behind_every_middlebox() {
    everywhere(&quick());
}

#[test]
fn the_bill_is_predicted_when_encrypted() {
    everywhere(&Scenario {
        tls: true,
        rate_per_s: 15.0,
        ..quick()
    });
}

#[test]
fn replies_are_in_the_bill() {
    everywhere(&Scenario {
        reply: true,
        headers: "browser".into(),
        ..quick()
    });
}

#[test]
fn who_closes_is_in_the_bill() {
    for tls in [false, true] {
        everywhere(&Scenario {
            closer: Closer::Server,
            mails: 3,
            tls,
            ..quick()
        });
    }
}

#[test]
fn what_clients_say_and_attach_is_in_the_bill() {
    everywhere(&Scenario {
        talk_per_s: Some(10.0),
        rate_per_s: 20.0,
        clients: 2,
        attach: 1_000,
        ..quick()
    });
}

/// Mails of a burst share answers, and what is said of them shares requests.
#[test]
fn bursts_are_in_the_bill() {
    everywhere(&Scenario {
        arrivals: Arrivals::Burst(3),
        // Rarely enough that what is said of one is heard before the next.
        rate_per_s: 10.0,
        reply: true,
        ..quick()
    });
}

/// A stream is ended when it has brought enough, and another asked for.
#[test]
fn long_streams_are_in_the_bill() {
    everywhere(&Scenario {
        rate_per_s: 8.0,
        size: 20_000,
        ..quick()
    });
}

#[test]
fn the_cascade_is_told() {
    for (block, works) in BLOCKS {
        let scenario = Scenario {
            block: block.to_vec(),
            clients: 3,
            ..quick()
        };
        let o = unhindered(&scenario, |o| as_predicted(o, &scenario));
        let all = ["info", "websocket", "xhr-streaming", "xhr-polling"];
        let last = all.iter().position(|t| *t == works).unwrap();
        for client in 0..3 {
            let tried: Vec<_> = o.attempts.iter().filter(|a| a.client == client).collect();
            let names: Vec<&str> = tried.iter().map(|a| a.transport.as_str()).collect();
            assert_eq!(names, all[..=last], "{block:?}");
            for (attempt, next) in tried.iter().zip(&tried[1..]) {
                assert!(attempt.t_us + attempt.took_us <= next.t_us + 1.0, "{tried:?}");
            }
            for attempt in tried {
                let works = attempt.transport == works || attempt.transport == "info";
                assert_eq!(attempt.failed.is_none(), works, "{attempt:?}");
                if let (Some(why), "xhr-streaming") = (&attempt.failed, attempt.transport.as_str()) {
                    assert!(
                        why.starts_with("timed out after") && attempt.took_us >= 600e3,
                        "{attempt:?}"
                    );
                }
            }
        }
    }
}
