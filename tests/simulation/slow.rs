//! Clients that read slowly, simulated: with every technique every mail comes once, or its client is told of a gap that
//! a full queue made; the others notice nothing.

use std::time::Duration;

use mailcall::lab::{Lab, Run, Simulated};
use mailcall::outcome::{Arrivals, Block, Closer, HttpVersion, Link, Outcome, Scenario, SlowPolicy};
use mailcall::technique::{self, Technique};

const POLICIES: [Option<SlowPolicy>; 5] = [
    None,
    Some(SlowPolicy::Buffer),
    Some(SlowPolicy::DropOldest),
    Some(SlowPolicy::Latest),
    Some(SlowPolicy::Disconnect),
];

/// Simulates it; `None` where the technique cannot exist.
fn slow(technique: &'static Technique, scenario: &Scenario) -> Option<Outcome> {
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

/// One of three clients reads 100 kB/s, of the 400 kB/s that come for two seconds.
fn one_of_three() -> Scenario {
    Scenario {
        mails: 40,
        size: 20_000,
        rate_per_s: 20.0,
        arrivals: Arrivals::Steady,
        clients: 3,
        slow: 1,
        read_bytes_s: Some(100_000.0),
        ..Scenario::default()
    }
}

/// What else may be different, each by itself.
fn conditions() -> Vec<Scenario> {
    let link = |link: Link| Scenario {
        link,
        ..one_of_three()
    };
    let block = |block: &[Block]| Scenario {
        block: block.to_vec(),
        ..one_of_three()
    };
    vec![
        one_of_three(),
        Scenario {
            tls: true,
            ..one_of_three()
        },
        Scenario {
            reply: true,
            ..one_of_three()
        },
        Scenario {
            talk_per_s: Some(2.0),
            ..one_of_three()
        },
        Scenario {
            closer: Closer::Server,
            ..one_of_three()
        },
        block(&[Block::Websocket]),
        block(&[Block::Streaming]),
        block(&[Block::Websocket, Block::Streaming]),
        link(Link {
            rtt_ms: 100.0,
            jitter_ms: 20.0,
            ..Link::default()
        }),
        link(Link {
            bandwidth_bit_s: Some(1e6),
            loss_fraction: 0.01,
            ..Link::default()
        }),
        Scenario {
            clients: 8,
            slow: 8,
            tabs: Some(8),
            ..one_of_three()
        },
    ]
}

#[test]
fn every_mail_comes_or_a_gap_is_told() {
    let mut ran = 0;
    for technique in technique::ALL {
        // Other techniques have no queue, and ignore the policy.
        let queues = technique
            .flags
            .iter()
            .any(|flag| (flag.arg)().get_id() == "slow-policy");
        let policies = if queues { &POLICIES[..] } else { &POLICIES[..1] };
        for http in [HttpVersion::Http10, HttpVersion::Http11, HttpVersion::Http2] {
            for (condition, slow_policy) in conditions()
                .into_iter()
                .flat_map(|c| policies.iter().map(move |p| (c.clone(), *p)))
            {
                let scenario = Scenario {
                    http,
                    slow_policy,
                    ..condition
                };
                let Some(o) = slow(technique, &scenario) else {
                    continue;
                };
                let about = format!(
                    "{} {http} {slow_policy:?} {:?} tls {} reply {} talk {:?} {:?} {:?}: {:?} {:?} {:?} {:?}",
                    technique.name,
                    scenario.block,
                    scenario.tls,
                    scenario.reply,
                    scenario.talk_per_s,
                    scenario.link,
                    scenario.tabs,
                    o.mails,
                    o.slow.as_ref().map(|s| (s.dropped, s.cut_off, s.behind_mails)),
                    o.tabs,
                    o.talk,
                );
                let starved = o.starved();
                assert!(o.clean(), "{about}");
                let all = 40 * scenario.clients as u64;
                assert_eq!(o.mails.delivered + o.mails.gap + starved, all, "{about}");
                assert_eq!(
                    o.mails.lost + o.mails.duplicated + o.mails.reordered,
                    0,
                    "{about}"
                );
                let last = o.latency_us.as_ref().map_or(0.0, |l| l.max);
                assert!(last < 300e6, "bounded: {about}");
                ran += 1;
            }
        }
    }
    assert!(ran > 250, "{ran}");
}

/// What each policy does with the same: the mails that were delivered, and what it cost.
fn with(name: &str, slow_policy: Option<SlowPolicy>) -> Outcome {
    let scenario = Scenario {
        mails: 100,
        slow_policy,
        ..one_of_three()
    };
    slow(technique::named(name).unwrap(), &scenario).unwrap()
}

#[test]
fn a_cursor_in_the_log_takes_no_memory_that_grows() {
    for name in ["sse", "ws"] {
        let log = with(name, None);
        let of_log = log.slow.clone().unwrap();
        assert_eq!(log.mails.delivered, 300, "{name}");
        // A batch of three mails, of at most 64 KiB, whatever is behind; and a mail for each of the others.
        assert!(
            of_log.waiting_bytes.unwrap() <= 65_536 + 2 * 20_000 && of_log.behind_mails > 60,
            "{name}: {} {}",
            of_log.waiting_bytes.unwrap(),
            of_log.behind_mails
        );
        let buffer = with(name, Some(SlowPolicy::Buffer));
        let of_buffer = buffer.slow.clone().unwrap();
        assert_eq!(buffer.mails.delivered, 300, "{name}");
        assert!(of_buffer.waiting_bytes > Some(1_000_000), "{name}: {of_buffer:?}");
        // It is no faster for it: the client reads as slowly.
        let mean = |o: &Outcome| o.slow.as_ref().unwrap().latency_us.unwrap().mean;
        assert!((mean(&buffer) / mean(&log) - 1.0).abs() < 0.02, "{name}");
        assert_eq!(buffer.bytes, log.bytes, "{name}");
    }
}

#[test]
fn a_bounded_queue_loses_mail_and_says_so() {
    for name in ["sse", "ws"] {
        let slow = |policy| with(name, Some(policy)).slow.unwrap();
        let (oldest, latest) = (slow(SlowPolicy::DropOldest), slow(SlowPolicy::Latest));
        assert!(
            oldest.dropped > 20 && latest.dropped > oldest.dropped,
            "{name}: {oldest:?} {latest:?}"
        );
        // Of each client 16 mails and the batch that is being written, or one and one.
        assert!(oldest.waiting_mails <= Some(16 + 3 + 4), "{name}: {oldest:?}");
        assert!(latest.waiting_mails <= Some(6), "{name}: {latest:?}");
        assert!(
            latest.latency_us.unwrap().max < oldest.latency_us.unwrap().max,
            "{name}"
        );
        for policy in [SlowPolicy::DropOldest, SlowPolicy::Latest] {
            let o = with(name, Some(policy));
            let dropped = o.slow.as_ref().unwrap().dropped;
            assert_eq!(
                (o.mails.gap, o.mails.delivered),
                (dropped, 300 - dropped),
                "{name}"
            );
            assert!(
                o.clean() && o.undisturbed(),
                "the scenario planned it: {name} {:?}",
                o.mails
            );
        }
    }
}

#[test]
fn who_is_cut_off_comes_back_with_a_cursor() {
    for name in ["sse", "ws"] {
        let o = with(name, Some(SlowPolicy::Disconnect));
        let slow = o.slow.clone().unwrap();
        assert!(slow.cut_off >= 1, "{name}: {slow:?}");
        assert_eq!((o.mails.delivered, o.mails.gap), (300, 0), "{name}");
        assert_eq!(o.connections.reconnects, Some(slow.cut_off), "{name}");
        assert!(o.clean() && o.undisturbed(), "{name}");
        assert!(slow.waiting_mails <= Some(16 + 3 + 4), "{name}: {slow:?}");
    }
}

#[test]
fn the_others_notice_nothing() {
    for name in [
        "poll",
        "long-poll",
        "sse",
        "ndjson",
        "ws",
        "stomp",
        "sockjs",
        "socketio",
        "tcp",
    ] {
        let technique = technique::named(name).unwrap();
        let with = slow(technique, &one_of_three()).unwrap().slow.unwrap();
        let without = Scenario {
            slow: 0,
            read_bytes_s: None,
            ..one_of_three()
        };
        let without = slow(technique, &without).unwrap();
        assert_eq!(without.slow, None);
        let (others, usual) = (with.others_latency_us.unwrap(), without.latency_us.unwrap());
        assert!(
            (others.p99 - usual.p99).abs() < 50_000.0,
            "{name}: {others:?} {usual:?}"
        );
        assert!(with.latency_us.unwrap().p99 > others.p99 + 1e6, "{name}");
        let layered = technique.layered.is_some();
        assert_eq!(
            with.waiting_bytes.is_none(),
            layered,
            "{name}: what is not counted is no 0"
        );
        // The first client is the slow one.
        assert_eq!(with.clients, 1);
    }
}
