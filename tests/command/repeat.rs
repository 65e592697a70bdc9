//! `--repeat` from the command line: several seeds, one report.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn mailcall(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command.env("LC_ALL", "C");
    command.args(args).stdin(Stdio::null());
    command
}

/// Three mails a seed, and polls that don't keep anybody waiting.
const SHORT: [&str; 7] = ["compare", "--mails", "3", "--rate", "500/s", "--interval", "5ms"];

fn run(more: &[&str]) -> Output {
    let output = mailcall(&[&SHORT[..], more].concat()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{more:?}: {said}");
    output
}

fn json(more: &[&str]) -> Value {
    serde_json::from_slice(&run(&[more, &["--format", "json"]].concat()).stdout).unwrap()
}

fn shown(more: &[&str]) -> String {
    String::from_utf8(run(more).stdout).unwrap()
}

#[test]
fn the_json_has_every_seed_and_their_sums() {
    let report = json(&["--repeat", "3", "--seed", "40"]);
    assert_eq!(
        (&report["scenario"]["repeat"], &report["scenario"]["seed"]),
        (&3.into(), &40.into())
    );
    for result in report["results"].as_array().unwrap() {
        let seeds = result["repeats"].as_array().unwrap();
        assert_eq!((seeds.len(), &result["per_run"]["seeds"]), (3, &3.into()));
        assert_eq!(result["mails"]["delivered"], 9);
        for at in [
            "/requests/total",
            "/bytes/up/total",
            "/bytes/down/head",
            "/overhead_bytes",
        ] {
            let of = |o: &Value| o.pointer(at).unwrap().as_u64().unwrap();
            assert_eq!(of(result), seeds.iter().map(of).sum::<u64>(), "{at}");
        }
        let requests = result["requests"]["total"].as_f64().unwrap();
        let mean = result["per_run"]["requests"]["mean"].as_f64().unwrap();
        assert!((mean * 3.0 - requests).abs() < 1e-6);
        assert!(
            !result["events"].as_array().unwrap().is_empty(),
            "the first seed's, for the timeline"
        );
        assert!(seeds.iter().all(|s| s["events"] == Value::Array(Vec::new())));
    }
}

/// A seed decides the arrivals, and with them how long mail waits for a poll.
#[test]
fn each_seed_is_the_run_it_would_be_alone() {
    let wait = |result: &Value| result["predicted"]["latency_us"]["mean"].as_f64().unwrap();
    let pooled = json(&["poll", "--repeat", "2", "--seed", "8"]);
    let seeds = &pooled["results"][0]["repeats"];
    let second = json(&["poll", "--seed", "9"]);
    assert_eq!(wait(&seeds[1]), wait(&second["results"][0]));
    assert_ne!(wait(&seeds[0]), wait(&seeds[1]));
    assert_eq!(second["results"][0]["repeats"], Value::Array(Vec::new()));
    assert_eq!(second["results"][0]["per_run"], Value::Null);
}

#[test]
fn reports_show_means_with_their_intervals() {
    let table = shown(&["--repeat", "5"]);
    for part in [
        "seeds 1 to 5",
        "±",
        "over 5 seeds (Student's t)",
        "seed by seed",
        "Over 5 seeds: ",
    ] {
        let flat = table.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(part.trim()), "{part}\n{table}");
    }
    assert!(table.lines().all(|l| l.chars().count() <= 80), "{table}");
    assert!(shown(&["--repeat", "2", "--format", "markdown"]).contains(" ±"));
    let csv = shown(&["--repeat", "2", "--format", "csv"]);
    assert!(
        csv.lines()
            .next()
            .unwrap()
            .contains("per_run_latency_us_half_width")
    );
    let single = shown(&["--repeat", "1"]);
    let flat = single.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("±: the standard error") && !flat.contains("seeds"),
        "{single}"
    );
}

#[test]
fn absurd_repeats_are_refused() {
    for (value, said) in [("0", "1 to 1,000"), ("1001", "1 to 1,000"), ("often", "often")] {
        let output = mailcall(&["ws", "--repeat", value]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{value}: {error}");
        assert!(error.contains(said), "{value}: {error}");
    }
    let long = ["ws", "--mails", "10000", "--rate", "1/min", "--repeat", "9"];
    let output = mailcall(&long).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains("9 times") && error.contains("allowed are 7"),
        "{error}"
    );
}

/// Ctrl-C in a later seed: those before it count, and the report says how many they are.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_leaves_the_seeds_that_were_complete() {
    let args = [
        "ws", "--mails", "20", "--rate", "100/s", "--repeat", "1000", "--format", "json",
    ];
    let child = mailcall(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_publishers(child.id(), 7);
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ws = &report["results"][0];
    let seeds = ws["repeats"].as_array().unwrap().len();
    assert!(report["partial"] == true && (1..1000).contains(&seeds), "{seeds}");
    assert_eq!(ws["mails"]["delivered"], 20 * seeds);
    assert_eq!(ws["mails"]["lost"], 0);
}

/// Each run has a publisher's thread of its own (one that warms up as well): waits until so many came.
#[cfg(target_os = "linux")]
fn wait_for_publishers(pid: u32, many: usize) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let (mut came, mut there) = (0, false);
    while came < many {
        assert!(std::time::Instant::now() < deadline, "only {came} runs began");
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let names = tasks.filter_map(|t| std::fs::read_to_string(t.ok()?.path().join("comm")).ok());
        let now = names.into_iter().any(|n| n.contains("publi"));
        came += usize::from(now && !there);
        there = now;
        std::thread::yield_now();
    }
}
