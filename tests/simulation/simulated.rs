//! Simulated runs: each can be repeated, and loses nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use mailcall::lab::{Lab, Recordings, Run, Simulated};
use mailcall::link::{Layer, Recording, What};
use mailcall::outcome::{Arrivals, Block, Closer, Frames, HttpVersion, Link, Outcome, Scenario};
use mailcall::technique::{self, Technique};
use mailcall::theory;
use mailcall::wire::http2::{self, FrameType, Hpack, Representation};
use mailcall::wire::{Direction, FrameHeader};

use crate::support::pace;

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
    let answers = theory::long_poll_requests(&due, HOLD, ms).total;
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

/// Where nothing takes time but what is lost, bytes are sent and arrive many times in one instant.
#[test]
fn a_link_that_only_loses_brings_everything() {
    for tls in [false, true] {
        let scenario = Scenario {
            mails: 20,
            clients: 2,
            tls,
            link: Link {
                loss_fraction: 0.02,
                ..Link::default()
            },
            ..Scenario::default()
        };
        for technique in able(&scenario) {
            let simulated = Lab {
                simulated: Some(Simulated::default()),
                ..lab(scenario.clone())
            };
            let o = Run::new(&simulated, technique, Duration::ZERO)
                .simulate()
                .unwrap();
            assert!(o.clean(), "{} TLS {tls}: {:?}", technique.name, o.mails);
            // A segment that is lost twice waits 600 ms, and long polling for three of its transits.
            let latest = o.latency_us.as_ref().unwrap().max / 1e6;
            assert!(latest < 3.0, "{} TLS {tls}: {latest} s", technique.name);
        }
    }
}

/// Versions of HTTP, in the clear and encrypted, and what stands in the way.
fn ways() -> Vec<Scenario> {
    let blocked = vec![Block::Websocket, Block::Streaming];
    let mut ways = Vec::new();
    for http in [HttpVersion::Http10, HttpVersion::Http11, HttpVersion::Http2] {
        for tls in [false, true] {
            for block in [Vec::new(), blocked.clone()] {
                ways.push(Scenario {
                    mails: 3,
                    rate_per_s: 4.0,
                    arrivals: Arrivals::Steady,
                    poll_interval_ms: 200.0,
                    reply: true,
                    http,
                    tls,
                    block,
                    ..Scenario::default()
                });
            }
        }
    }
    ways
}

/// What the clients sent over each connection, above TLS if there is any.
fn sent(recording: &Recording, tls: bool) -> Vec<Vec<u8>> {
    let layer = if tls { Layer::Plain } else { Layer::Socket };
    let each = recording.connections().into_iter().map(|connection| {
        let up = connection.crossings.iter();
        let up = up.filter(|c| c.layer == layer && c.direction == Direction::Up);
        let bytes = up.filter_map(|c| match &c.what {
            What::Bytes(bytes) => Some(bytes.clone()),
            What::End | What::Reset => None,
        });
        bytes.collect::<Vec<_>>().concat()
    });
    each.collect()
}

/// What is random in what a client sends: behind what it stands, and how many characters it has.
const RANDOM: [(&str, usize); 3] = [
    // RFC 6455, section 4.1
    ("sec-websocket-key: ", "dGhlIHNhbXBsZSBub25jZQ==".len()),
    // Engine.IO's session
    ("&sid=", "kE4eIoGa_uA0h9Rh".len()),
    // SockJS's server and session
    ("/sockjs/", "979/d5A4lb=7".len()),
];

/// What differs by nature between two runs, besides [`RANDOM`] keys, is left out of this: the masks of WebSocket
/// frames (RFC 6455, section 5.3); which of two requests of one instant comes first, and so which connection it
/// takes and which places HPACK's table has; a connection that was opened for a request and not used, because another
/// was free first; and when SETTINGS are acknowledged. So each connection's bytes are
/// taken apart into requests, WebSocket frames and HTTP/2 frames, and the order is lost.
fn units(connections: Vec<Vec<u8>>) -> Vec<String> {
    let mut units = Vec::new();
    for bytes in connections.into_iter().filter(|bytes| !bytes.is_empty()) {
        if let Some(frames) = bytes.strip_prefix(http2::PREFACE) {
            http2_frames(frames, &mut units);
        } else if bytes.starts_with(b"GET ") || bytes.starts_with(b"POST ") {
            requests(&bytes, &mut units);
        } else {
            units.push(bytes.escape_ascii().to_string());
        }
    }
    let units = units.into_iter().map(|unit| RANDOM.iter().fold(unit, without));
    let mut units: Vec<_> = units.collect();
    units.sort();
    units
}

fn without(unit: String, (before, length): &(&str, usize)) -> String {
    match unit.split_once(before) {
        // Which is no session.
        Some((_, rest)) if rest.starts_with("info") => unit,
        Some((head, rest)) => format!("{head}{before}{}", &rest[*length..]),
        None => unit,
    }
}

/// Requests of HTTP/1, and what follows an upgrade.
fn requests(mut bytes: &[u8], units: &mut Vec<String>) {
    while !bytes.is_empty() {
        let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        let text = str::from_utf8(&bytes[..head]).unwrap();
        let length = text
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        let end = head + length.map_or(0, |length| length.parse::<usize>().unwrap());
        units.push(text.to_owned() + str::from_utf8(&bytes[head..end]).unwrap());
        bytes = &bytes[end..];
        if text.contains("upgrade: websocket") {
            return messages(bytes, units);
        }
    }
}

/// WebSocket frames without their masks.
fn messages(mut bytes: &[u8], units: &mut Vec<String>) {
    while let Some(frame) = FrameHeader::parse(bytes).unwrap() {
        let (header, rest) = bytes.split_at(frame.size);
        let (content, rest) = rest.split_at(frame.len as usize);
        let (header, mask) = header.split_last_chunk::<4>().unwrap();
        let content: Vec<u8> = content
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        units.push(format!("{} {}", header.escape_ascii(), content.escape_ascii()));
        bytes = rest;
    }
}

/// Frames of HTTP/2, with the fields that header blocks say and how each is said.
fn http2_frames(mut bytes: &[u8], units: &mut Vec<String>) {
    let (mut hpack, mut tunnels) = (Hpack::new(), BTreeMap::<u32, Vec<u8>>::new());
    while let Some(header) = http2::FrameHeader::parse(bytes) {
        let (payload, rest) = bytes[http2::FrameHeader::SIZE..].split_at(header.len as usize);
        bytes = rest;
        match (header.kind, tunnels.get_mut(&header.stream)) {
            (FrameType::Data, Some(tunnel)) => tunnel.extend(payload),
            (FrameType::Headers, _) => {
                let fields = hpack.fields(payload).unwrap();
                if fields.iter().any(|field| field.value == b"CONNECT") {
                    tunnels.insert(header.stream, Vec::new());
                }
                let fields = fields.iter().map(|field| {
                    let said = match field.representation {
                        Representation::Indexed(_) => "in the table",
                        Representation::Incremental(_) => "to the table",
                        _ => "literal",
                    };
                    let [name, value] = [&field.name, &field.value].map(|text| str::from_utf8(text).unwrap());
                    format!("{name}: {value} ({said})")
                });
                units.push(format!(
                    "{} {}",
                    header.flags,
                    fields.collect::<Vec<_>>().join("\r\n")
                ));
            }
            (kind, _) => units.push(format!("{kind:?} {} {}", header.flags, payload.escape_ascii())),
        }
    }
    tunnels.values().for_each(|bytes| messages(bytes, units));
}

/// The real run's client is reqwest, the simulated one's hyper.
#[test]
fn both_http_clients_send_the_same_bytes() {
    for scenario in ways() {
        let difference = pace::at_a_pace_that_is_kept(&scenario, difference, Option::is_none);
        assert!(difference.is_none(), "{}", difference.unwrap());
    }
}

/// What a client sends otherwise in a real run than in a simulated one, if anything.
fn difference(scenario: &Scenario) -> Option<String> {
    let recording = |lab| Lab {
        recordings: Some(Recordings::default()),
        ..lab
    };
    let of = |lab: &Lab, technique: &Technique| lab.recordings.as_ref().unwrap().of(technique.name);
    let techniques: Vec<_> = able(scenario).collect();
    let real = recording(lab(scenario.clone()));
    real.compare(&techniques, &|_| {}).unwrap();
    techniques.into_iter().find_map(|technique| {
        let measured = of(&real, technique);
        let simulated = Lab {
            simulated: Some(Simulated {
                address: measured.connections()[0].server,
                ..Simulated::default()
            }),
            ..recording(lab(scenario.clone()))
        };
        Run::new(&simulated, technique, Duration::ZERO)
            .simulate()
            .unwrap();
        let [measured, simulated] =
            [measured, of(&simulated, technique)].map(|r| units(sent(&r, scenario.tls)));
        let Scenario { http, tls, block, .. } = scenario;
        (measured != simulated).then(|| {
            format!(
                "{}, HTTP {http:?}, TLS {tls}, without {block:?}:\n{measured:#?}\n{simulated:#?}",
                technique.name
            )
        })
    })
}
