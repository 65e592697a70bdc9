//! Several servers behind a balancer, simulated: what moves freely, what has a session that a balancer tears apart, and
//! what a server that is killed takes along.

use std::time::Duration;

use mailcall::lab::{Lab, Run, Simulated};
use mailcall::outcome::{Balance, Block, Closer, HttpVersion, Outcome, Scenario, Warning};
use mailcall::technique::{self, Technique};

const ALL: [Balance; 3] = [Balance::RoundRobin, Balance::Sticky, Balance::Least];

fn simulated(technique: &'static Technique, scenario: &Scenario) -> Outcome {
    let lab = Lab {
        simulated: Some(Simulated::default()),
        ..Lab::new(scenario.clone()).unwrap()
    };
    let outcome = Run::new(&lab, technique, Duration::ZERO).simulate();
    outcome.unwrap_or_else(|e| panic!("{} {scenario:?}: {e:#}", technique.name))
}

fn named(name: &str, scenario: &Scenario) -> Outcome {
    simulated(technique::named(name).unwrap(), scenario)
}

/// Five clients: with three servers, their requests go round in no order that a multiple of three might hide.
fn three(balance: Balance) -> Scenario {
    Scenario {
        mails: 30,
        rate_per_s: 10.0,
        clients: 5,
        servers: 3,
        balance: Some(balance),
        ..Scenario::default()
    }
}

fn killed(balance: Balance) -> Scenario {
    Scenario {
        kill_ms: Some(1_500.0),
        ..three(balance)
    }
}

fn unknown(o: &Outcome) -> u64 {
    o.balanced.as_ref().unwrap().unknown_sessions
}

/// Whether its session is at one server in a scenario, while its requests go to several.
fn is_torn(technique: &Technique, scenario: &Scenario) -> bool {
    let polls = scenario.blocks(Block::Websocket);
    match technique.name {
        // It polls first, whatever comes later.
        "socketio" => true,
        "sockjs" => polls,
        _ => false,
    }
}

#[test]
fn with_a_cookie_every_technique_delivers_and_without_it_all_but_sessions_that_poll() {
    for block in [Vec::new(), vec![Block::Websocket]] {
        for balance in ALL {
            let scenario = Scenario {
                block: block.clone(),
                ..three(balance)
            };
            for technique in technique::ALL.iter().filter(|t| (t.cannot)(&scenario).is_none()) {
                let o = simulated(technique, &scenario);
                let torn = balance != Balance::Sticky && is_torn(technique, &scenario);
                assert_eq!(
                    unknown(&o) > 0,
                    torn,
                    "{} {balance:?} {block:?}: {o:?}",
                    o.technique
                );
                let warned = |w: &Warning| matches!(w, Warning::SessionElsewhere { requests } if *requests == unknown(&o));
                assert_eq!(o.trust.warnings.iter().any(warned), torn, "{}", o.technique);
                if !torn {
                    assert!(o.clean(), "{} {balance:?} {block:?}: {:?}", o.technique, o.mails);
                }
            }
        }
    }
}

#[test]
fn a_session_that_is_torn_apart_delivers_less() {
    let torn = named("socketio", &three(Balance::RoundRobin));
    assert!(torn.mails.undelivered > 0 && !torn.clean(), "{:?}", torn.mails);
    assert_eq!(
        (torn.mails.lost, torn.mails.duplicated, torn.mails.reordered),
        (0, 0, 0)
    );
}

#[test]
fn a_killed_server_takes_no_mail_along() {
    for (balance, names) in [
        (
            Balance::Sticky,
            technique::ALL.iter().map(|t| t.name).collect::<Vec<_>>(),
        ),
        (
            Balance::RoundRobin,
            vec!["poll", "long-poll", "sse", "ndjson", "ws", "stomp", "sockjs"],
        ),
        (
            Balance::Least,
            vec!["poll", "long-poll", "sse", "ndjson", "ws", "stomp", "sockjs"],
        ),
    ] {
        for name in names {
            let o = named(name, &killed(balance));
            assert!(o.clean(), "{name} {balance:?}: {:?}", o.mails);
            let balanced = o.balanced.as_ref().unwrap();
            let [first, others @ ..] = &balanced.servers[..] else {
                panic!()
            };
            assert_eq!(balanced.killed_us, Some(1_500_000.0));
            assert!(
                first.killed && first.mails.is_none() && first.cut.is_some(),
                "{balanced:?}"
            );
            assert_eq!(first.requests_before, Some(first.requests), "{name}: it is dead");
            for server in others {
                assert!(!server.killed && server.cut.is_none(), "{balanced:?}");
                assert!(
                    server.requests > server.requests_before.unwrap(),
                    "{name}: {balanced:?}"
                );
                assert!(server.mails.unwrap() > 0, "{name}: {balanced:?}");
            }
            let holds = technique::named(name).unwrap().streams && name != "long-poll";
            if holds {
                assert!(
                    first.cut.unwrap() > 0 && o.reconnects() > 0,
                    "{name}: {balanced:?}"
                );
            }
        }
    }
}

#[test]
fn a_session_whose_server_was_killed_begins_again_elsewhere() {
    let scenario = Scenario {
        block: vec![Block::Websocket],
        ..killed(Balance::Sticky)
    };
    for name in ["sockjs", "socketio"] {
        let o = named(name, &scenario);
        assert!(o.clean(), "{name}: {:?}", o.mails);
        assert!(
            o.balanced.as_ref().unwrap().redispatched > 0,
            "{name}: {:?}",
            o.balanced
        );
    }
}

#[test]
fn round_robin_gives_each_server_as_many_requests() {
    let o = named("poll", &three(Balance::RoundRobin));
    let requests: Vec<u64> = o.balanced.unwrap().servers.iter().map(|s| s.requests).collect();
    let (least, most) = (requests.iter().min().unwrap(), requests.iter().max().unwrap());
    assert!(most - least <= 1, "{requests:?}");
    assert_eq!(requests.iter().sum::<u64>(), o.requests.total);
}

/// The fewest open: with streams, which stay open, each server gets as many, and one that has a stream less gets the next.
#[test]
fn least_gives_each_server_as_many_streams() {
    let o = named("sse", &three(Balance::Least));
    let mut streams: Vec<u64> = o.balanced.unwrap().servers.iter().map(|s| s.requests).collect();
    streams.sort_unstable();
    assert_eq!(streams, [1, 2, 2]);
}

#[test]
fn with_a_cookie_a_client_stays_and_sends_it() {
    let (sticky, free) = (three(Balance::Sticky), three(Balance::RoundRobin));
    let [sticky, free] = [sticky, free].map(|scenario| named("poll", &scenario));
    // Each request but a client's first has `cookie: SRV=sN` and a line end.
    let with_cookie = sticky.requests.total - 5;
    let cookies = with_cookie * "cookie: SRV=s1\r\n".len() as u64;
    assert_eq!(sticky.requests.total, free.requests.total);
    assert_eq!(sticky.bytes.up.total - free.bytes.up.total, cookies);
    // And each client's first answer sets it.
    let set = "set-cookie: SRV=s1; path=/\r\n".len() as u64;
    let down = sticky.bytes.down.total - free.bytes.down.total;
    assert_eq!(down, 5 * set);
}

#[test]
fn one_server_sends_the_bytes_that_it_always_sent_and_says_nothing_of_others() {
    let scenario = Scenario {
        servers: 1,
        balance: None,
        ..three(Balance::RoundRobin)
    };
    let (one, three) = (named("sse", &scenario), named("sse", &three(Balance::RoundRobin)));
    assert!(one.balanced.is_none());
    let json = serde_json::to_string(&scenario).unwrap();
    assert!(!json.contains("servers") && !json.contains("kill"), "{json}");
    assert_eq!(
        one.bytes, three.bytes,
        "a balancer changes nothing between it and its clients"
    );
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for balance in ALL {
        let run = || serde_json::to_string(&named("sockjs", &killed(balance))).unwrap();
        // A session's path is drawn anew, and is always as long.
        assert_eq!(run(), run(), "{balance:?}");
    }
}

#[test]
fn tls_http2_server_closing_and_proxies_go_with_it() {
    let base = killed(Balance::Sticky);
    let scenarios = [
        Scenario {
            tls: true,
            ..base.clone()
        },
        Scenario {
            http: HttpVersion::Http10,
            ..base.clone()
        },
        Scenario {
            http: HttpVersion::Http2,
            ..base.clone()
        },
        Scenario {
            closer: Closer::Server,
            ..base.clone()
        },
        Scenario {
            proxy: vec![mailcall::proxy::find("load-balancer").unwrap()],
            ..base
        },
    ];
    for scenario in &scenarios {
        for technique in technique::ALL.iter().filter(|t| t.useless(scenario).is_none()) {
            let o = simulated(technique, scenario);
            assert!(o.clean(), "{} {scenario:?}: {:?}", o.technique, o.mails);
        }
    }
}

#[test]
fn what_is_not_http_is_not_possible() {
    let tcp = technique::named("tcp").unwrap();
    assert!(
        (tcp.cannot)(&three(Balance::Sticky))
            .unwrap()
            .contains("--servers")
    );
    let over_http2 = Scenario {
        http: HttpVersion::Http2,
        ..three(Balance::Sticky)
    };
    let ws = technique::named("ws").unwrap();
    assert!((ws.cannot)(&over_http2).unwrap().contains("HTTP/2"));
}
