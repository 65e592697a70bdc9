//! `--servers`, `--threads` and `report --sum` from the command line.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::support::served::{Serving, mailcall, run};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printed(args: &[&str], code: i32) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Its words, with single spaces.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const SHORT: [&str; 9] = [
    "--servers",
    "3",
    "--clients",
    "4",
    "--mails",
    "20",
    "--rate",
    "20/s",
    "--simulate",
];

fn with<'a>(command: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [command, &SHORT, more].concat()
}

#[test]
fn what_makes_no_sense_is_refused_with_what_is_allowed() {
    for (args, wanted) in [
        ("sse --servers 0", "1 to 16"),
        ("sse --servers 17", "1 to 16"),
        ("sse --servers x", "1 to 16"),
        ("sse --servers 3 --balance random", "round-robin"),
        ("sse --balance sticky", "--servers"),
        ("sse --servers 1 --balance sticky", "--servers 2 to --servers 16"),
        ("sse --servers 1 --kill 1s", "--servers 2 to --servers 16"),
        ("sse --servers 3 --kill soon", "--kill"),
        ("sse --servers 3 --kill 1h", "all mail has arrived"),
        ("sse --servers 3 --kill 1s --reply", "--reply or --talk"),
        ("sse --servers 3 --kill 1s --talk 2/s", "--reply or --talk"),
        ("stomp --servers 3 --publishers 2", "would not reach the logs"),
        ("ws --servers 3 --http 2", "not possible here"),
        ("vanish sse --servers 3", "--servers"),
        ("serve --servers 3", "--servers"),
        ("advise --rate 1/s --servers 3", "--servers"),
        ("ws ws://127.0.0.1:1 --servers 3", "cannot be used with a URL"),
        ("report --sum", "FILE"),
        ("ws --threads 0", "1 to 64"),
        ("ws --threads 65", "1 to 64"),
        ("serve --threads 65", "1 to 64"),
        ("class --threads 0", "1 to 64"),
        ("ws --threads 2 --simulate", "simulated time"),
        ("sweep ws --threads 1,2 --simulate", "simulated time"),
        ("storm ws --threads 2 --simulate", "simulated time"),
        ("vanish ws --threads 2 --nat 1m", "simulated time"),
        ("serve --threads 2 --slow-policy latest", "--slow-policy"),
        ("ws ws://127.0.0.1:1 --threads 2", "cannot be used with a URL"),
    ] {
        let output = run(&args.split(' ').collect::<Vec<_>>());
        let why = said(&output);
        assert_eq!(output.status.code(), Some(2), "{args}: {why}");
        assert!(why.contains(wanted), "{args}: {why}");
    }
}

#[test]
fn a_session_that_is_torn_apart_is_said_counted_and_failed() {
    let text = printed(&with(&["socketio"], &["--grace", "500ms"]), 1);
    let text = words(&text);
    for part in [
        "3 servers behind a balancer (each request to the next one)",
        "its next request went to another one, which does not know it. With --balance sticky a client stays",
        "The servers behind the balancer",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let output = run(&with(&["socketio"], &["--grace", "500ms", "--format", "json"]));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let balanced = &report["results"][0]["balanced"];
    assert!(balanced["unknown_sessions"].as_u64().unwrap() > 0, "{balanced}");
    assert_eq!(
        (&report["scenario"]["servers"], &balanced["killed_us"]),
        (&json!(3), &Value::Null)
    );
    assert_eq!(balanced["servers"].as_array().unwrap().len(), 3);
    let warning = &report["results"][0]["trust"]["warning_kinds"][0];
    assert_eq!(warning["kind"], "session_elsewhere");
    let csv = printed(&with(&["socketio"], &["--grace", "500ms", "--format", "csv"]), 1);
    assert!(csv.contains("balanced_unknown_sessions"), "{csv}");
}

#[test]
fn a_kill_that_loses_nothing_is_said_in_each_format_and_language() {
    let kill = ["--balance", "sticky", "--kill", "300ms"];
    for format in ["table", "markdown", "html"] {
        let text = printed(
            &with(
                &["compare", "ws", "socketio"],
                &[&kill[..], &["--format", format]].concat(),
            ),
            0,
        );
        let text = words(&text);
        assert!(
            text.contains("The first of 3 servers was killed after 300 ms"),
            "{format}: {text}"
        );
        assert!(
            text.contains("every mail came once and in order"),
            "{format}: {text}"
        );
    }
    let korean = printed(&with(&["ws"], &[&kill[..], &["--lang", "ko"]].concat()), 0);
    assert!(
        words(&korean).contains("첫 서버가 300 ms 뒤에 강제로 끝나면서"),
        "{korean}"
    );
}

#[test]
fn servers_can_be_swept_and_the_baseline_has_one() {
    let sweep =
        "sweep poll --servers 2,3 --balance round-robin --mails 5 --rate 20/s --simulate --format json";
    let sweep: Value = serde_json::from_str(&printed(&sweep.split(' ').collect::<Vec<_>>(), 0)).unwrap();
    assert_eq!(sweep["knob"]["name"], "servers");
    let report = printed(&with(&["compare", "ws"], &["--baseline", "--format", "json"]), 0);
    let report: Value = serde_json::from_str(&report).unwrap();
    let of = |i: usize| &report["results"][i];
    assert_eq!(
        (&of(1)["technique"], &of(1)["balanced"]),
        (&json!("tcp"), &Value::Null)
    );
    assert!(of(0)["balanced"].is_object());
}

/// A real run: each server is a process.
#[cfg(unix)]
#[test]
fn servers_are_processes_and_one_is_killed() {
    let args = "ws --servers 3 --clients 6 --mails 30 --rate 30/s --kill 400ms --grace 30s --format json";
    let report: Value = serde_json::from_str(&printed(&args.split(' ').collect::<Vec<_>>(), 0)).unwrap();
    let o = &report["results"][0];
    assert_eq!(
        (&o["mails"]["delivered"], &o["server"]),
        (&json!(180), &Value::Null)
    );
    let servers = o["balanced"]["servers"].as_array().unwrap();
    assert_eq!(
        (&servers[0]["killed"], &servers[0]["mails"]),
        (&json!(true), &Value::Null)
    );
    assert!(servers[0]["cut"].as_u64().unwrap() > 0, "{servers:?}");
    assert!(
        servers[1..].iter().all(|s| s["mails"].as_u64().unwrap() > 0),
        "{servers:?}"
    );
}

fn read(file: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[cfg(unix)]
#[test]
fn visits_of_several_machines_add_up() {
    let serving = Serving::start(&["--mails", "60", "--rate", "20/s"]);
    let [a, b, c, sum] =
        ["a.json", "b.json", "c.json", "sum.json"].map(|name| serving.folder.path().join(name));
    let visits = [(&a, "ws", "2"), (&b, "ws", "3"), (&c, "sse", "2")].map(|(file, technique, clients)| {
        let url = if technique == "ws" {
            serving.at("ws")
        } else {
            serving.at("http")
        };
        let mut command = mailcall(&[technique, &url, "--mails", "15", "--clients", clients, "--save"]);
        command.arg(file).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::piped()).spawn().unwrap()
    });
    for visit in visits {
        let output = visit.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    let path = |file: &Path| file.to_str().unwrap().to_owned();
    let [a, b, c, sum] = [&a, &b, &c, &sum].map(|file| path(file));
    let added = printed(&["report", "--sum", &a, &b, "--format", "json"], 0);
    std::fs::write(&sum, &added).unwrap();
    let added: Value = serde_json::from_str(&added).unwrap();
    let [one, other] = [&a, &b].map(|file| read(Path::new(file)));
    let of = |at: &str| {
        let each = [&one, &other].map(|r| r["results"][0].pointer(at).unwrap().as_f64().unwrap());
        each[0] + each[1]
    };
    assert_eq!(added["mails"]["delivered"], json!(75));
    for (key, at) in [
        ("/requests", "/requests/total"),
        ("/bytes/down/total", "/bytes/down/total"),
        ("/overhead_bytes", "/overhead_bytes"),
        ("/peak_at_most", "/connections/peak"),
        ("/latency_us/count", "/latency_us/count"),
    ] {
        assert_eq!(added.pointer(key).unwrap().as_f64(), Some(of(at)), "{key}");
    }
    let latency = |report: &Value, key: &str| report["results"][0]["latency_us"][key].as_f64().unwrap();
    let mean = (latency(&one, "mean") * 30.0 + latency(&other, "mean") * 45.0) / 75.0;
    assert!(
        (added["latency_us"]["mean"].as_f64().unwrap() - mean).abs() < 1e-6 * mean,
        "{added}"
    );
    let p50 = added["latency_us"]["p50"].as_f64().unwrap();
    let [low, high] = [f64::min, f64::max].map(|of| of(latency(&one, "p50"), latency(&other, "p50")));
    assert!((low..=high * 1.011).contains(&p50), "{low} {p50} {high}");
    assert_eq!(added["machines"][1]["server_clock"]["same"], true);
    assert_eq!(
        (&added["uncertainty_us"], &added["scenario"]["clients"]),
        (&json!(0.0), &json!(5))
    );
    assert!(added["together_us"].as_f64().unwrap() > 0.0, "{added}");
    let text = words(&printed(&["report", "--sum", &a, &b], 0));
    assert!(
        text.contains("75 of 75 deliveries came") && text.contains("The machines"),
        "{text}"
    );
    assert_eq!(
        words(&printed(&["report", &sum], 0)).split("clock ahead:").next(),
        text.split("clock ahead:").next()
    );
    let korean = words(&printed(&["report", "--sum", &a, &b, "--lang", "ko"], 0));
    assert!(korean.contains("배달 75건 가운데 75건이 왔습니다"), "{korean}");

    refusals(&serving, [&a, &b, &c]);
    not_measured_by_an_older_version(&serving, [&a, &b]);
}

#[cfg(unix)]
fn refusals(serving: &Serving, [a, b, c]: [&str; 3]) {
    let file = |name: &str| serving.folder.path().join(name).to_str().unwrap().to_owned();
    let simulated = file("simulated.json");
    printed(&["ws", "--simulate", "--mails", "2", "--save", &simulated], 0);
    let (copy, elsewhere) = (file("copy.json"), file("elsewhere.json"));
    std::fs::copy(a, &copy).unwrap();
    let mut other = read(Path::new(b));
    other["remote"] = json!("ws://mail.example:80");
    std::fs::write(&elsewhere, other.to_string()).unwrap();
    let wrong: [(&[&str], &str); 6] = [
        (&[a], "at least two"),
        (&[a, a], "would be counted twice"),
        (&[a, &copy], "would be counted twice"),
        (&[a, c], "differ in technique"),
        (&[a, &elsewhere], "differ in remote"),
        (
            &[a, &simulated],
            "is not of clients that measured at a server elsewhere",
        ),
    ];
    for (files, why) in wrong {
        let output = run(&[&["report", "--sum"], files].concat());
        assert_eq!(output.status.code(), Some(2), "{files:?}");
        assert!(said(&output).contains(why), "{files:?}: {}", said(&output));
    }
}

/// Percentiles cannot be computed from percentiles.
#[cfg(unix)]
fn not_measured_by_an_older_version(serving: &Serving, [a, b]: [&str; 2]) {
    let old = serving.folder.path().join("old.json");
    let mut report = read(Path::new(b));
    report["results"][0]
        .as_object_mut()
        .unwrap()
        .remove("latency_histogram");
    report.as_object_mut().unwrap().remove("server_clock");
    std::fs::write(&old, report.to_string()).unwrap();
    let old = old.to_str().unwrap();
    let output = run(&["report", "--sum", a, old, "--format", "json"]);
    let sum: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&sum["latency_us"]["p50"], &sum["uncertainty_us"]),
        (&Value::Null, &Value::Null)
    );
    assert!(sum["latency_us"]["mean"].is_number());
    let text = words(&printed(&["report", "--sum", a, old], 0));
    assert!(
        text.contains("no percentiles: a file has no latency_histogram"),
        "{text}"
    );
}
