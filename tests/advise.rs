//! `mailcall advise`: the requirement decides, at any scale, and what is predicted holds.

use std::process::{Command, Output, Stdio};

use mailcall::outcome::advice::{Advice, Check};
use serde_json::Value;

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command
        .env("LC_ALL", "C")
        .arg("advise")
        .args(args)
        .stdin(Stdio::null());
    command.output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn advice(args: &str) -> Advice {
    let args: Vec<&str> = args.split_whitespace().chain(["--format", "json"]).collect();
    let output = run(&args);
    assert!(output.status.success(), "{args:?}: {}", said(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn recommended(args: &str) -> Option<String> {
    advice(args).recommendation
}

#[test]
fn bad_values_are_named_with_what_is_allowed() {
    let cases: &[(&[&str], &str)] = &[
        (&["--rate", "0"], "1/day to 100000/s"),
        (&["--clients", "0"], "1..=10000000000"),
        (&["--delay", "0s"], "1ms to 7days"),
        (&["--size", "63"], "64..=1048576"),
        (&["--blocked", "pigeons"], "websocket, streaming"),
        (&["--talk", "1/s", "--talks-back"], "cannot be used with"),
        (&["--headers", "no-such-file"], "no-such-file"),
        (&["ws", "--http", "1.0"], "HTTP/1.1 or later"),
        (&["--format", "csv"], "markdown"),
        (&["smoke-signals"], "long-poll"),
    ];
    for (args, expected) in cases {
        let output = run(args);
        let error = said(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(expected), "{args:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_recommendation_follows_the_requirement() {
    let is = |args: &str, name: &str| assert_eq!(recommended(args).as_deref(), Some(name), "{args}");
    // Who can wait an hour for a mail a day need not hold a connection for it.
    is("--rate 1/day --delay 1h", "poll");
    is("--rate 1/day --delay 1s", "ws");
    is("--rate 1/s --delay 100ms", "sse");
    // Much mail, and time: many mails share an answer.
    is("--rate 100/s --delay 1s", "poll");
    is("--rate 100/s --delay 10ms", "sse");
    // Who has much to say needs both ways.
    is("--rate 1/s --delay 100ms --talk 4/s", "ws");
    is("--rate 1/s --delay 100ms --talk 4/s --blocked websocket", "sse");
    is("--rate 1/s --delay 100ms --blocked streaming", "ws");
    is(
        "--rate 1/s --delay 100ms --blocked websocket,streaming",
        "long-poll",
    );
    is(
        "--rate 1/s --delay 100ms --size 100000 --blocked websocket",
        "sse",
    );
    assert_eq!(recommended("--delay 10ms --rtt 30ms"), None);
}

#[test]
fn the_reasons_say_who_fails_what_and_what_the_next_best_costs() {
    let text = |args: &[&str]| said(&run(args).stdout);
    let blocked = text(&[
        "--rate",
        "1/s",
        "--delay",
        "100ms",
        "--blocked",
        "websocket",
        "--rtt",
        "80ms",
    ]);
    for part in [
        "Recommended: sse.",
        "refuses to upgrade a connection (--block websocket).",
        "Not long-poll: mail can be 119 ms late, and 100 ms is the most it may.",
        "Not poll: mail can be 120 ms late",
    ] {
        assert!(blocked.contains(part), "{part}\n{blocked}");
    }
    // By the name that the reasons call it by, too; and each sentence ends once.
    let korean = text(&["--lang", "ko", "--block", "websocket,streaming", "--http", "1.0"]);
    assert!(
        korean.contains("(--block streaming).") && !korean.contains(".."),
        "{korean}"
    );
    let patient = text(&["--rate", "1/s", "--delay", "200ms", "--rtt", "80ms"]);
    for part in [
        "Recommended: sse. It sends 8 % more bytes than ws",
        "Next best: ws, with 7 % fewer bytes.",
        "Polling is taken to ask every 160 ms, the longest with which no mail is later than 200 ms.",
    ] {
        assert!(patient.contains(part), "{part}\n{patient}");
    }
    let impossible = text(&["--delay", "10ms", "--rtt", "30ms"]);
    let because = "Nothing is recommended: half a round trip is 15 ms, and no technique brings mail sooner.";
    assert!(impossible.contains(because), "{impossible}");
    let http10 = text(&["--http", "1.0"]);
    assert!(
        http10.contains("ws cannot exist here: its opening handshake"),
        "{http10}"
    );
}

#[test]
fn any_scale_is_predicted() {
    for args in [
        "--rate 1/day --clients 10000000 --delay 1h",
        "--rate 1/day --clients 10000000000 --delay 1ms",
        "--rate 100000/s --clients 1000 --delay 1s",
        "--rate 1/day --delay 1s --talk 10/s --rtt 200ms --tls",
        "--rate 1/day --delay 7days --hold 10ms --heartbeat 10ms",
        "--rate 1000/s --delay 1ms --size 1048576 --http 2 --tls --rtt 10s",
        "--rate 10/s --delay 300ms --http 1.0 --rtt 100ms",
    ] {
        let advice = advice(args);
        let clients = advice.scenario.clients as f64;
        for c in &advice.results {
            let (one, all) = (&c.per_client, &c.total);
            assert!(
                one.bytes_per_day.is_finite() && one.bytes_per_day > 0.0,
                "{args}: {c:?}"
            );
            assert!(one.overhead_bytes_per_day < one.bytes_per_day, "{args}: {c:?}");
            assert!(
                c.latency_ms.mean <= c.latency_ms.worst * (1.0 + 1e-9),
                "{args}: {c:?}"
            );
            let all_bytes = all.bytes_per_day / (one.bytes_per_day * clients);
            assert!((all_bytes - 1.0).abs() < 1e-9, "{args}: {c:?}");
            assert_eq!(
                all.connections,
                if c.technique == "poll" { 0.0 } else { clients },
                "{args}"
            );
        }
    }
}

#[test]
fn json_is_of_the_family() {
    let output = run(&["poll", "ws", "--format", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["command"], &json["schema"]), (&"advise".into(), &1.into()));
    assert_eq!(json["argv"][0], "advise");
    assert_eq!(json["delay_ms"], 1000.0);
    assert_eq!(json["scenario"]["poll_interval_ms"], 1000.0);
    let names: Vec<&Value> = json["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["technique"])
        .collect();
    assert_eq!(names, ["poll", "ws"]);
    for key in ["requests_per_s", "bytes_per_day", "connections", "opening_bytes"] {
        assert!(json["results"][0]["per_client"][key].is_number(), "{key}");
    }
    assert_eq!(
        (&json["recommendation"], &json["runner_up"]),
        (&"ws".into(), &"poll".into())
    );
    assert_eq!(json["verification"], Value::Null);
}

#[test]
fn tables_fit_a_terminal_and_markdown_has_their_cells() {
    let table = String::from_utf8(run(&["--clients", "10000000", "--headers", "browser"]).stdout).unwrap();
    assert!(table.lines().all(|l| l.chars().count() <= 80), "{table}");
    let markdown = String::from_utf8(run(&["--format", "markdown"]).stdout).unwrap();
    let rows: Vec<&str> = markdown.lines().filter(|l| l.starts_with('|')).collect();
    assert_eq!(rows.len(), 2 * (2 + 4));
    for table in rows.chunks(6) {
        let bars = |row: &str| row.matches('|').count();
        assert!(table.iter().all(|row| bars(row) == bars(table[0])), "{markdown}");
    }
    assert!(
        markdown.contains("```sh\nmailcall advise --format markdown\n```"),
        "{markdown}"
    );
}

/// Counts hold on any machine; latency, and what hangs on it, only on one that is not busy.
#[test]
fn a_verification_finds_what_was_predicted() {
    let advice = advice("--rate 1/min --clients 1000000 --delay 6s --verify");
    let v = advice.verification.as_ref().unwrap();
    assert_eq!((v.scaled.clients, v.scenario.clients), (1_000_000, 20));
    assert!(v.scaled.faster > 1.0 && v.results.iter().all(|o| o.clean()));
    assert_eq!(v.checks.len(), 4);
    let busy = |name: &str| {
        let run = v.results.iter().find(|o| o.technique == name).unwrap();
        run.trust.starved || !run.trust.warnings.is_empty()
    };
    for check in &v.checks {
        let Check {
            technique,
            requests,
            bytes,
            ..
        } = check;
        if busy(technique) {
            continue;
        }
        assert!(requests.error.abs() < 0.1 && bytes.error.abs() < 0.1, "{check:?}");
    }
    let ws = v.checks.iter().find(|c| c.technique == "ws").unwrap();
    assert_eq!(ws.requests.measured, 20.0);
    assert!(
        ws.requests.error.abs() < 1e-6 && ws.bytes.error.abs() < 0.05,
        "{ws:?}"
    );
    let text = said(&run(&["ws", "--rate", "200/s", "--delay", "1s", "--verify"]).stdout);
    assert!(
        text.contains(
            "Run was the nearest case that fits this machine (10 clients instead of 1,000; mail comes 1/2 times as often as that makes it): 1,000 mails"
        ),
        "{text}"
    );
}
