//! `inspect`: every byte is shown, under one label; the same seed gives the same parts; and what is shown
//! is what crossed.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use mailcall::lab::{Gate, Lab, Recordings, Run, inspect};
use mailcall::link::{Recorded, What};
use mailcall::outcome::{Closer, Frames, HttpVersion, Scenario};
use mailcall::report::transcript::{Account, Extent};
use mailcall::report::{Format, Style, draw};
use mailcall::technique::{self, Technique};
use serde_json::Value;

use crate::support::undisturbed::undisturbed;

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command.env("LC_ALL", "C");
    command.arg("inspect").args(args);
    command
}

fn json(args: &[&str]) -> Value {
    let output = command(args).arg("--format=json").output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "inspect {args:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A part's bytes, from its text or its pairs of digits.
fn bytes(part: &Value) -> Vec<u8> {
    match part["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => {
            let pairs = part["hex"].as_str().expect("a part has text or hex");
            let bytes = pairs.split(' ').map(|pair| u8::from_str_radix(pair, 16).unwrap());
            bytes.collect()
        }
    }
}

/// Adds everything up anew, from the parts.
fn adds_up(document: &Value, args: &[&str]) {
    let mut sum: BTreeMap<(String, String), u64> = BTreeMap::new();
    for unit in array(&document["connections"])
        .iter()
        .flat_map(|c| array(&c["units"]))
    {
        let mut size = 0;
        for part in array(&unit["parts"]) {
            let labels: u64 = part["labels"]
                .as_object()
                .unwrap()
                .values()
                .filter_map(Value::as_u64)
                .sum();
            assert_eq!(bytes(part).len() as u64, labels, "{args:?}: {part}");
            assert_eq!(part["size"], labels, "{args:?}: {part}");
            let source = part["source"].as_str().unwrap();
            assert!(
                source.contains("section") || source.starts_with("mailcall"),
                "{args:?}: {part}"
            );
            for (label, n) in part["labels"].as_object().unwrap() {
                let key = (unit["direction"].as_str().unwrap().into(), label.clone());
                *sum.entry(key).or_default() += n.as_u64().unwrap();
            }
            size += labels;
        }
        assert_eq!(unit["size"], size, "{args:?}: {unit}");
    }
    for direction in ["up", "down"] {
        let mut total = 0;
        for label in ["head", "framing", "control", "payload", "tls"] {
            let n = sum.get(&(direction.into(), label.into())).copied().unwrap_or(0);
            assert_eq!(
                document["bytes"][direction][label], n,
                "{args:?}: {direction} {label}"
            );
            total += n;
        }
        assert_eq!(document["raw"][direction], total, "{args:?}: {direction}");
        assert!(total > 0, "{args:?}");
    }
}

/// Runs wait for mail most of the time: they can wait together.
fn all(cases: &[Vec<&str>]) {
    for some in cases.chunks(8) {
        std::thread::scope(|scope| {
            for args in some {
                scope.spawn(|| adds_up(&json(args), args));
            }
        });
    }
}

/// Every technique's name, and the baseline's.
fn every() -> impl Iterator<Item = &'static str> {
    technique::ALL
        .iter()
        .map(|technique| technique.name)
        .chain(["tcp"])
}

#[test]
fn every_byte_is_accounted_for_by_every_technique() {
    let mut cases = Vec::new();
    for technique in every() {
        for closer in ["--closer=client", "--closer=server"] {
            for more in [
                &[][..],
                &["--reply"],
                &["--attach=1000"],
                &["--reply", "--headers=browser"],
            ] {
                cases.push([&[technique, closer][..], more].concat());
            }
        }
    }
    all(&cases);
}

#[test]
fn every_byte_is_accounted_for_by_every_frame() {
    let mut cases = Vec::new();
    for closer in ["--closer=client", "--closer=server"] {
        for frames in ["--frames=text", "--frames=binary"] {
            for size in ["--size=100", "--size=300", "--size=70000"] {
                cases.push(vec!["ws", closer, frames, size, "--attach=10"]);
            }
            cases.push(vec!["ws", closer, frames, "--scene=frames", "--reply"]);
            cases.push(vec![
                "stomp",
                closer,
                frames,
                "--size=70000",
                "--attach=10",
                "--reply",
            ]);
        }
    }
    all(&cases);
}

#[test]
fn every_byte_is_accounted_for_by_every_version_and_under_tls() {
    let mut cases = Vec::new();
    for technique in technique::ALL {
        for (version, http) in [
            ("--http=1.0", HttpVersion::Http10),
            ("--http=1.1", HttpVersion::Http11),
            ("--http=2", HttpVersion::Http2),
        ] {
            let scenario = Scenario {
                http,
                ..inspect::scenario()
            };
            for tls in [
                &["--reply"][..],
                &["--tls", "--reply"],
                &["--tls", "--closer=server"],
            ] {
                if (technique.cannot)(&scenario).is_none() {
                    cases.push([&[technique.name, version, "--attach=100"][..], tls].concat());
                }
            }
        }
    }
    cases.push(vec!["ws", "--http=2", "--scene=frames", "--size=20000"]);
    cases.push(vec![
        "ws",
        "--tls",
        "--scene=frames",
        "--frames=binary",
        "--attach=70000",
    ]);
    cases.push(vec!["tcp", "--tls"]);
    all(&cases);
}

/// What a rerun must show again, and what stands for it where it may not.
fn sketch(document: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for unit in array(&document["connections"])
        .iter()
        .flat_map(|c| array(&c["units"]))
    {
        lines.push(format!("{} {}", unit["direction"], unit["title"]));
        for part in array(&unit["parts"]) {
            let mut bytes = bytes(part);
            if let [from, to] = array(&part["random"]) {
                bytes[from.as_u64().unwrap() as usize..to.as_u64().unwrap() as usize].fill(b'?');
            }
            lines.push(format!(
                "{} {} {}",
                String::from_utf8_lossy(&bytes),
                part["labels"],
                part["what"]
            ));
            for detail in array(&part["details"]).iter().filter(|d| d["random"] == false) {
                lines.push(detail.to_string());
            }
        }
    }
    lines
}

#[test]
fn the_same_seed_gives_the_same_parts_labels_and_sizes() {
    let cases: [&[&str]; 6] = [
        &["stomp", "--reply", "--heartbeat=60s"],
        &["poll", "--reply"],
        &["long-poll"],
        &["sse", "--attach=100"],
        &["ws", "--reply", "--frames=binary", "--attach=100"],
        &["ws", "--scene=frames", "--closer=server"],
    ];
    std::thread::scope(|scope| {
        for args in cases {
            let compare = move || {
                let (one, two) = (json(args), json(args));
                assert_eq!(sketch(&one), sketch(&two), "{args:?}");
                let other = json(&[args, &["--seed=2"]].concat());
                assert_ne!(sketch(&one), sketch(&other), "{args:?}");
            };
            scope.spawn(move || undisturbed(compare));
        }
    });
}

fn recorded(technique: &'static Technique, scenario: &Scenario) -> Vec<Recorded> {
    let recordings = Recordings::default();
    let mut lab = Lab::new(scenario.clone()).unwrap();
    lab.recordings = Some(recordings.clone());
    Run::new(&lab, technique, Duration::ZERO)
        .go(&Gate::new(1), &|_| {})
        .unwrap();
    recordings.of(technique.name).connections()
}

/// Every byte of the recording, flipped by itself, shows; and none is ever lost.
#[test]
fn a_byte_that_is_flipped_in_the_tap_changes_the_transcript() {
    let scenario = Scenario {
        rate_per_s: 20.0,
        heartbeat_ms: 30.0,
        poll_interval_ms: 30.0,
        size: 64,
        closer: Closer::Server,
        frames: Frames::Binary,
        ..inspect::scenario()
    };
    for technique in technique::ALL {
        let connections = recorded(technique, &scenario);
        let shown = |connections: &[Recorded]| {
            let inspection = inspect::taken_apart(&scenario, technique, connections).unwrap();
            draw(
                Format::Json,
                &Account::of(inspection, Extent::default()).unwrap(),
                &Style::default(),
            )
            .unwrap()
        };
        let original = shown(&connections);
        for place in 0..connections[0].crossings.len() {
            let What::Bytes(bytes) = &connections[0].crossings[place].what else {
                continue;
            };
            for at in 0..bytes.len() {
                let mut flipped = connections.clone();
                if let What::Bytes(bytes) = &mut flipped[0].crossings[place].what {
                    bytes[at] ^= 0x01;
                }
                assert_ne!(
                    shown(&flipped),
                    original,
                    "{}: byte {at} of crossing {place}",
                    technique.name
                );
            }
        }
    }
}

fn text(args: &[&str]) -> String {
    let output = command(args).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Says each of these; returns all it says, on one line.
fn shows(args: &[&str], wanted: &[&str]) -> String {
    let text = text(args);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for wanted in wanted {
        assert!(text.contains(wanted), "{args:?}: no {wanted:?} in\n{text}");
    }
    text
}

#[test]
fn a_websocket_shows_what_the_class_wants_to_see() {
    let text = shows(
        &["ws", "--scene=frames"],
        &[
            "ws://127.0.0.1:",
            "Its port is 80",
            "101 Switching Protocols",
            "258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
            "as the field says",
            "FIN 0",
            "RSV1-3 000",
            "opcode 0001 = 0x1",
            "continuation frame, fragment 2, the last",
            "length 7+16 bits 126, 01 2c = 300",
            "length 7+64 bits 127, 00 00 00 00 00 01 00 00 = 65536",
            "XOR key",
            "ping frame",
            "pong frame",
            "03 e8 = 1000",
            "RFC 6455, section 5.2",
            "at the socket",
            "stateful",
        ],
    );
    assert!(!text.contains('\x1b'), "no colour where there is no terminal");
}

#[test]
fn http_2_shows_what_hpack_remembers() {
    undisturbed(|| {
        let text = shows(
            &["poll", "--http=2", "--headers=browser"],
            &[
                "the preface; 24 bytes",
                "SETTINGS frame for the connection",
                "HEADERS frame on stream 3: request: GET /poll",
                "HEADERS frame on stream 1: response: 204",
                ":path: /poll?after=0",
                "it was said before on this connection",
                "DATA frame on stream",
                "RFC 7541, section 6.1",
                "RFC 9113, section 8.3.1",
            ],
        );
        assert!(!text.contains("cannot be read"));
        let document = json(&["poll", "--http=2", "--headers=browser"]);
        let units = array(&document["connections"])
            .iter()
            .flat_map(|c| array(&c["units"]));
        let asked = units.filter(|u| u["title"].as_str().is_some_and(|t| t.contains("request: GET")));
        let sizes: Vec<u64> = asked.map(|u| u["size"].as_u64().unwrap()).collect();
        assert!(
            sizes.len() > 2 && sizes[1..].iter().all(|n| *n < sizes[0] / 3),
            "{sizes:?}"
        );
    });
}

#[test]
fn a_websocket_over_http_2_is_taken_apart() {
    undisturbed(|| {
        shows(
            &["ws", "--http=2", "--reply"],
            &[
                "request: CONNECT /ws, which asks for a websocket",
                ":protocol says",
                "DATA frame on stream 1 that holds 304 bytes: text frame, 300 bytes",
                "content {\"read\":1}",
                "close frame, 2 bytes",
                "RFC 8441, section 4",
            ],
        );
    });
}

#[test]
fn stomp_shows_what_a_message_means() {
    undisturbed(|| {
        for args in [&["stomp", "--reply"][..], &["stomp", "--reply", "--http=2"]] {
            shows(
                args,
                &[
                    "STOMP 1.2: every message is a frame",
                    "STOMP CONNECT",
                    "Header accept-version says which versions",
                    "content SUBSCRIBE\\n",
                    "The number of the last mail that the client has seen",
                    "content after:0",
                    "Command MESSAGE: a message of a subscription",
                    "Header destination says where",
                    "NUL: the frame ends",
                    "Command SEND: a message for a destination",
                    "content {\"read\":1}",
                    "STOMP 1.2, section Heart-beating",
                    "stateful",
                ],
            );
        }
    });
}

#[test]
fn polling_shows_what_it_has_to_say_again() {
    undisturbed(|| {
        shows(
            &["poll", "--headers=browser"],
            &[
                "204 No Content",
                "times who the client is (cookie)",
                "stateless",
                "cookie says what the server",
            ],
        );
        let document = json(&["poll", "--headers=browser"]);
        let requests = document["state"]
            .as_array()
            .unwrap()
            .iter()
            .find(|t| t["what"] == "cursor")
            .unwrap();
        assert!(requests["times"].as_u64().unwrap() > 2, "{requests}");
    });
}

#[test]
fn streams_ask_proxies_to_pass_them_on() {
    let head = &[
        "x-accel-buffering says whether a proxy may collect an answer before it passes it on",
        "each piece of a stream is to pass at once",
        "a stream is not to be kept; no proxy may change the body",
    ];
    shows(&["sse"], head);
    shows(&["sse", "--http=2"], &head[..1]);
    shows(&["sockjs", "--block=websocket"], head);
    shows(
        &["sse", "--lang=ko"],
        &["프록시가 응답을 모아 두었다가 넘겨도 되는지"],
    );
}

/// A field of a captured exchange may hold anything.
#[test]
fn the_page_stands_alone_and_escapes_what_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let (headers, page) = (
        folder.path().join("captured.http"),
        folder.path().join("page.html"),
    );
    let exchange =
        "GET / HTTP/1.1\r\nHost: a\r\nx-evil: <script>alert('&')</script>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    std::fs::write(&headers, exchange).unwrap();
    let (headers, output) = (
        format!("--headers={}", headers.display()),
        format!("--output={}", page.display()),
    );
    assert!(text(&["poll", "--mails=1", &headers, "--format=html", &output]).is_empty());
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(
        page.contains("x-evil: ")
            && page.contains("alert(")
            && page.contains("an application&#39;s own field")
    );
    for foreign in ["<script", "src=", "<link", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("lang=\"en\""));
}

#[test]
fn what_cannot_be_inspected_is_refused_before_it_is_played() {
    for (args, why) in [
        (&["poll", "--scene=frames"][..], "poll has no frames"),
        (&["ws", "--http=1.0"], "ws over HTTP/1.0"),
        (&["pigeon"], "invalid value 'pigeon'"),
        (&["ws", "--mails=101"], "allowed is a whole number from 1 to 100"),
        (&["ws", "--headers=/nonexistent"], "/nonexistent"),
        (&["ws", "--output=/nonexistent/page.html"], "cannot write to"),
        (&[], "TECHNIQUE"),
    ] {
        let output = command(args).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(why), "{args:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}
