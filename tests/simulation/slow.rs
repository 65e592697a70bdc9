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
