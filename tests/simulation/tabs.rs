//! The tabs of one browser, simulated: with every technique every mail comes once, or its tab waited in vain for one of
//! the browser's connections, and the run says so.

use std::time::Duration;

use mailcall::lab::{Lab, Run, Simulated};
use mailcall::outcome::{Block, Closer, EventKind, HttpVersion, Link, Outcome, Scenario};
use mailcall::technique::{self, Technique};

/// Simulates eight tabs; `None` where the technique cannot exist.
fn tabs(technique: &'static Technique, scenario: &Scenario) -> Option<Outcome> {
    if (technique.cannot)(scenario).is_some() {
        return None;
    }
    let lab = Lab {
        simulated: Some(Simulated::default()),
        ..Lab::new(scenario.clone()).unwrap()
    };
    let outcome = Run::new(&lab, technique, Duration::ZERO).simulate();
    Some(outcome.unwrap_or_else(|e| panic!("{} {scenario:?}: {e:#}", technique.name)))
}

fn eight() -> Scenario {
    Scenario {
        mails: 6,
        clients: 8,
        tabs: Some(8),
        ..Scenario::default()
    }
}

/// What else may be different, each by itself.
fn conditions() -> Vec<Scenario> {
    let link = |link: Link| Scenario { link, ..eight() };
    vec![
        eight(),
        Scenario { tls: true, ..eight() },
        Scenario {
            reply: true,
            ..eight()
        },
        Scenario {
            talk_per_s: Some(2.0),
            ..eight()
        },
        Scenario {
            closer: Closer::Server,
            ..eight()
        },
        Scenario {
            block: vec![Block::Websocket],
            ..eight()
        },
        Scenario {
            block: vec![Block::Streaming],
            ..eight()
        },
        Scenario {
            block: vec![Block::Websocket, Block::Streaming],
            ..eight()
        },
        link(Link {
            rtt_ms: 100.0,
            jitter_ms: 20.0,
            ..Link::default()
        }),
        link(Link {
            bandwidth_bit_s: Some(56_000.0),
            loss_fraction: 0.02,
            ..Link::default()
        }),
    ]
}

#[test]
fn every_mail_comes_or_its_tab_waited_in_vain() {
    let mut ran = 0;
    for technique in technique::ALL.iter().filter(|t| t.name != "tcp") {
        for http in [HttpVersion::Http10, HttpVersion::Http11, HttpVersion::Http2] {
            for condition in conditions() {
                let scenario = Scenario { http, ..condition };
                let Some(o) = tabs(technique, &scenario) else {
                    continue;
                };
                let about = format!(
                    "{} {http} {scenario:?}: {:?} {:?}",
                    technique.name, o.mails, o.tabs
                );
                let queue = o.tabs.clone().unwrap();
                assert!(o.clean(), "{about}");
                assert_eq!(o.mails.delivered + queue.undelivered, 48, "{about}");
                assert_eq!(o.mails.lost + o.mails.duplicated + o.mails.gap, 0, "{about}");
                assert!(queue.wait_max_us.unwrap_or(0.0) < 600e6, "bounded: {about}");
                match http {
                    HttpVersion::Http2 => {
                        assert_eq!((queue.queued, queue.limit), (0, None), "{about}");
                        assert_eq!(o.connections.peak, 1, "{about}");
                    }
                    _ => assert_eq!(queue.limit, Some(6), "{about}"),
                }
                ran += 1;
            }
        }
    }
    assert!(ran > 150, "{ran}");
}

#[test]
fn six_streams_hold_the_connections_and_the_others_wait_to_the_end() {
    for name in ["sse", "ndjson"] {
        let technique = technique::named(name).unwrap();
        for clients in [5, 6, 7, 20] {
            let scenario = Scenario {
                clients,
                tabs: Some(clients),
                ..eight()
            };
            let o = tabs(technique, &scenario).unwrap();
            let queue = o.tabs.clone().unwrap();
            let open = clients.min(6) as u64;
            let starved = clients as u64 - open;
            assert_eq!(
                (o.requests.total, o.connections.peak),
                (open, open),
                "{name} {clients}"
            );
            assert_eq!(
                (queue.queued, queue.unserved, queue.starved, queue.undelivered),
                (starved, starved, starved, 6 * starved),
                "{name} {clients}"
            );
            // From the beginning to the end of the grace period.
            let waited = queue.wait_mean_us.map(|us| us / 1e6);
            assert!(
                waited.is_none_or(|s| (5.0..12.0).contains(&s)),
                "{name} {queue:?}"
            );
            // And the seventh has nothing but its wait in the timeline.
            let seventh = o.events.iter().filter(|e| e.client == Some(6));
            let kinds: Vec<EventKind> = seventh.map(|e| e.kind).collect();
            match starved {
                0 => assert!(kinds.is_empty()),
                _ => assert_eq!(kinds, [EventKind::Queued, EventKind::Closed], "{name}"),
            }
        }
    }
}

#[test]
fn polls_share_the_connections_in_turn() {
    let poll = technique::named("poll").unwrap();
    let far = Scenario {
        clients: 20,
        tabs: Some(20),
        poll_interval_ms: 100.0,
        link: Link {
            rtt_ms: 100.0,
            ..Link::default()
        },
        ..eight()
    };
    let o = tabs(poll, &far).unwrap();
    let queue = o.tabs.clone().unwrap();
    assert!(o.clean() && queue.unserved == 0, "{queue:?}");
    assert_eq!((o.connections.peak, o.connections.opened), (6, 6), "{queue:?}");
    assert!(
        queue.queued > 100 && queue.wait_mean_us > Some(100e3),
        "{queue:?}"
    );
    // Clients of their own have no queue.
    let o = tabs(poll, &Scenario { tabs: None, ..far }).unwrap();
    assert_eq!((o.connections.peak, o.tabs), (20, None));
}

#[test]
fn a_second_connection_for_replies_is_one_of_the_six() {
    let sse = technique::named("sse").unwrap();
    let with = |clients| {
        let scenario = Scenario {
            clients,
            tabs: Some(clients),
            reply: true,
            ..eight()
        };
        tabs(sse, &scenario).unwrap()
    };
    // Five streams leave one connection for the replies of all.
    let five = with(5);
    assert_eq!((five.mails.replies, five.connections.peak), (Some(30), 6));
    assert_eq!(five.tabs.unwrap().unserved, 0);
    // Six leave none.
    let six = with(6);
    assert_eq!((six.mails.delivered, six.mails.replies), (36, Some(0)));
    assert_eq!(six.tabs.clone().unwrap().unserved, 6);
    assert!(six.clean(), "the scenario planned it: {:?}", six.tabs);
}
