//! `--simulate` as its user meets it: nothing is measured, nobody waits, and the same call prints the same.

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command
        .env("LC_ALL", "C")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    command.args(args).output().unwrap()
}

/// What a call that succeeds prints.
fn said(args: &[&str]) -> String {
    let output = run(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&said(&[args, &["--format", "json"]].concat())).unwrap()
}

/// Five minutes of mail.
const LONG: [&str; 4] = ["--mails", "10", "--rate", "2/min"];

#[test]
fn the_same_call_prints_the_same_to_the_byte() {
    let compare = ["compare", "--all", "--baseline", "--simulate", "--talk", "1/s"];
    for format in ["table", "json", "csv", "markdown", "html"] {
        for language in ["en", "ko"] {
            let call = [&compare[..], &["--format", format, "--lang", language]].concat();
            let (once, again) = (said(&call), said(&call));
            assert!(once == again, "{format}, {language}:\n{once}\n{again}");
        }
    }
}

#[test]
fn what_a_flag_changes_is_simulated_and_stays_the_same() {
    for more in [
        &["--timeline", "--clients", "3", "--reply"][..],
        &["--repeat", "3", "--one-at-a-time"],
        &[
            "--rtt",
            "40ms",
            "--jitter",
            "3ms",
            "--loss",
            "2%",
            "--bandwidth",
            "1mbit",
        ],
        &["--http", "2", "--headers", "browser"],
        &["--http", "1.0", "--attach", "5000", "--frames", "binary"],
        &["--arrivals", "burst:5", "--closer", "server"],
    ] {
        let call = [&["compare", "--simulate"][..], &LONG, more].concat();
        assert_eq!(said(&call), said(&call), "{more:?}");
    }
    assert_ne!(
        said(&["compare", "--simulate"]),
        said(&["compare", "--simulate", "--seed", "2"])
    );
}

/// All but what is tls's own, whose signatures vary in length.
#[test]
fn encrypted_runs_differ_in_the_length_of_signatures_alone() {
    let call = ["compare", "--simulate", "--tls", "--talk", "1/s"];
    let plain = |way: &Value| {
        [
            way["head"].clone(),
            way["framing"].clone(),
            way["control"].clone(),
        ]
    };
    let (once, again) = (json(&call), json(&call));
    for (a, b) in [0, 1, 2, 3].map(|i| (&once["results"][i], &again["results"][i])) {
        assert_eq!(a["latency_us"], b["latency_us"]);
        for way in ["up", "down"] {
            assert_eq!(plain(&a["bytes"][way]), plain(&b["bytes"][way]));
            let handshakes = a["connections"]["opened"].as_f64().unwrap();
            let apart = a["bytes"][way]["tls"].as_f64().unwrap() - b["bytes"][way]["tls"].as_f64().unwrap();
            assert!(apart.abs() <= 16.0 * handshakes, "{a:#}\n{b:#}");
        }
    }
}

#[test]
fn what_is_not_measured_is_null() {
    let call = ["compare", "--all", "--simulate", "--baseline"];
    let report = json(&call);
    assert_eq!(report["simulated"], true);
    assert_eq!(report["environment"], Value::Null);
    for result in report["results"].as_array().unwrap() {
        assert_eq!(result["predicted"], Value::Null, "it is the prediction");
        assert_eq!(result["segments"]["up"], Value::Null);
        assert_eq!(result["segments"]["down"], Value::Null);
        assert_eq!(result["server"], Value::Null);
        assert_eq!(result["mails"]["delivered"], 20);
        assert_eq!(result["trust"]["warnings"], Value::Array(Vec::new()));
    }
    let csv = said(&[&call[..], &["--format", "csv"]].concat());
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let at = rows
        .headers()
        .unwrap()
        .iter()
        .position(|h| h == "simulated")
        .unwrap();
    assert!(rows.records().all(|row| &row.unwrap()[at] == "true"));

    let measured = json(&["sse", "--mails", "2", "--rate", "1000/s"]);
    assert_eq!(measured["simulated"], false);
    assert!(measured["environment"].is_object() && measured["results"][0]["predicted"].is_object());
}

#[test]
fn the_first_line_says_that_nothing_was_measured() {
    for format in ["table", "markdown"] {
        let said = said(&["poll", "--simulate", "--format", format]);
        let first = said.lines().next().unwrap();
        assert!(
            first.starts_with("simulated, nothing was measured; 20 mails"),
            "{said}"
        );
        let rows = said
            .lines()
            .filter(|l| l.contains("predicted") && l.contains('–'));
        assert_eq!(rows.count(), 0, "{said}");
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("simulated: what the protocols cost"), "{said}");
    }
    let html = said(&["poll", "--simulate", "--format", "html"]);
    assert!(html.contains("simulated, nothing was measured"));
    let korean = said(&["poll", "--simulate", "--lang", "ko"]);
    assert!(korean.starts_with("시뮬레이션이며, 측정한 것이 없음"), "{korean}");
    let measured = said(&["sse", "--mails", "2", "--rate", "1000/s"]);
    assert!(!measured.contains("simulated:"), "{measured}");
}

#[test]
fn a_saved_simulated_run_is_drawn_as_one_and_beside_a_measured_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (simulated, measured) = (file("a.json"), file("b.json"));
    let drawn = said(&[
        "sse",
        "--simulate",
        "--mails",
        "5",
        "--rate",
        "100/s",
        "--save",
        &simulated,
    ]);
    assert_eq!(said(&["report", &simulated]), drawn);
    said(&["sse", "--mails", "5", "--rate", "100/s", "--save", &measured]);
    let both = said(&["report", &simulated, &measured]);
    assert!(both.contains("== --simulate =="), "{both}");
    assert!(both.contains("== without --simulate =="), "{both}");
}

#[test]
fn a_capture_has_the_simulations_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.pcapng");
    said(&[
        "sse",
        "--simulate",
        "--mails",
        "3",
        "--pcap",
        path.to_str().unwrap(),
    ]);
    let file = fs::read(path).unwrap();
    let mut reader = pcap_file::pcapng::PcapNgReader::new(&file[..]).unwrap();
    let mut times = Vec::new();
    while let Some(block) = reader.next_block() {
        times.extend(
            block
                .unwrap()
                .into_enhanced_packet()
                .map(|packet| packet.timestamp.as_secs()),
        );
    }
    assert!(times.len() > 6, "{times:?}");
    assert_eq!(times[0], 1_000_000_000);
    assert!(
        times.iter().all(|at| (1_000_000_000..1_000_003_600).contains(at)),
        "{times:?}"
    );
}

#[test]
fn what_has_no_sense_together_is_refused() {
    for (args, why) in [
        (
            &["compare", "--simulate", "--isolate"][..],
            "--isolate measures the processor time",
        ),
        (
            &["ws", "ws://127.0.0.1:1", "--simulate"],
            "--simulate cannot be used with a URL",
        ),
    ] {
        let refused = run(args);
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {error}");
        assert!(
            error.contains(why) && refused.stdout.is_empty(),
            "{args:?}: {error}"
        );
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it() {
    // A week of polling takes long even so.
    let child = Command::new(env!("CARGO_BIN_EXE_mailcall"))
        .args([
            "poll",
            "--simulate",
            "--mails",
            "20000",
            "--rate",
            "2/min",
            "--interval",
            "1ms",
        ])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
}
