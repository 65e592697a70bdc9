//! `mailcall sweep`: what it refuses, what it finds, and what it leaves alone.

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

use mailcall::outcome::sweep::{Crossover, Measure, Row, Sweep};
use serde_json::Value;

use crate::support;

fn mailcall(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command
        .env("LC_ALL", "C")
        .arg("sweep")
        .args(args)
        .stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    mailcall(args).output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sweep(args: &[&str]) -> Sweep {
    let output = run(&[args, &["--format", "json"]].concat());
    assert!(output.status.success(), "{args:?}: {}", said(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Who overtakes whom in overhead, and where that is predicted.
fn overhead(sweep: &Sweep) -> Vec<(&str, &str, Option<f64>)> {
    let of = |c: &&Crossover| c.figure == Measure::OverheadBytesPerDelivery;
    let crossovers = sweep.crossovers.iter().filter(of);
    crossovers
        .map(|c| (c.below.as_str(), c.above.as_str(), c.predicted))
        .collect()
}

#[test]
fn what_is_not_a_sweep_is_refused() {
    let many = vec!["7"; 101].join(",");
    let cases: &[(&[&str], &str)] = &[
        (&[], "give one flag a list"),
        (&["--clients", "10"], "give one flag a list"),
        (
            &["--clients", "1,10", "--rate", "1/s,2/s"],
            "--rate and --clients both have a list: a sweep turns one knob",
        ),
        (&["--rate=1/s,2/s", "--rtt=0ms,9ms"], "both have a list"),
        (&["--clients", "1,many"], "'many'"),
        (&["--clients", "1,0"], "'0'"),
        (&["--rate", "1/s,"], "''"),
        (&["--interval", "5s,200"], "200ms"),
        (&["--size", "300,63"], "63"),
        (&["--clients", "1,10,1"], "has 1 twice"),
        (&["--rate", "1/s,60/min"], "has 60/min twice"),
        (&["--mails", &many], "--mails has 101 values; allowed are 100"),
        (&["--http", "1.1,2"], "--http"),
        (&["smoke-signals", "--clients", "1,2"], "smoke-signals"),
        (&["--clients", "1,2", "--timeline"], "of one run"),
        (&["--clients", "1,2", "--pcap", "x.pcapng"], "of one run"),
    ];
    for (args, expected) in cases {
        let output = run(args);
        let error = said(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(expected), "{args:?}: {error}");
        assert!(
            error.starts_with("error: ") && !error.contains("error: error"),
            "{error}"
        );
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn the_prediction_alone_finds_where_polling_overtakes_what_pushes() {
    let sweep = sweep(&["--rate", "2/s,20/s,100/s,500/s", "--simulate"]);
    let found = overhead(&sweep);
    let at = |below: &str| {
        let mut crossovers = found.iter().filter(|(b, a, _)| (*b, *a) == (below, "poll"));
        let (_, _, at) = crossovers.next().unwrap_or_else(|| panic!("{below}: {found:?}"));
        assert_eq!(crossovers.next(), None);
        at.unwrap()
    };
    // A poll's heads, some 190 bytes, are shared by 0.2 s of mail, and each costs a comma: an event's
    // 22 bytes from 190 / (0.2 · 21) on, a frame's 4 from 190 / (0.2 · 3) on.
    assert!((35.0..55.0).contains(&at("sse")), "{found:?}");
    assert!((230.0..350.0).contains(&at("ws")), "{found:?}");
    assert!(sweep.crossovers.iter().all(|c| c.measured.is_none()));
    assert!(sweep.results.iter().all(|r| r.outcome().is_none()));
    assert!(sweep.environment.is_none(), "it is no machine's");
    assert_eq!(sweep.results.len(), 4 * 4);
}

#[test]
fn where_nobody_overtakes_anybody_none_is_found() {
    let args = ["sse", "ws", "--rate", "1/s,10/s,100/s", "--simulate"];
    assert_eq!(sweep(&args).crossovers, []);
    let text = said(&run(&args).stdout);
    assert!(
        text.contains("No technique overtakes another between --rate 1/s and 100/s."),
        "{text}"
    );
    assert!(text.contains("Nothing was measured"), "{text}");
}

#[test]
fn one_technique_alone_is_the_least_of_nothing() {
    let args = ["sse", "--rate", "1/s,10/s", "--simulate"];
    let table = said(&run(&args).stdout);
    assert!(
        !table.contains('*') && table.contains("No technique overtakes another"),
        "{table}"
    );
    let page = said(&run(&[&args[..], &["--format", "html"]].concat()).stdout);
    let headline = page.split("<h1").nth(1).unwrap().split("</h1>").next().unwrap();
    assert!(headline.contains("No technique overtakes another"), "{headline}");
}

#[test]
fn a_crossover_is_measured_and_stands_beside_the_predicted() {
    let args = [
        "poll",
        "sse",
        "--interval",
        "20ms",
        "--mails",
        "120",
        "--rate",
        "60/s,3000/s",
    ];
    let sweep = sweep(&args);
    assert!(!sweep.envelope.partial && !sweep.isolated);
    let crossover = sweep
        .crossovers
        .iter()
        .find(|c| c.figure == Measure::OverheadBytesPerDelivery)
        .unwrap_or_else(|| panic!("{:?}", sweep.crossovers));
    assert_eq!(
        (crossover.below.as_str(), crossover.above.as_str()),
        ("sse", "poll")
    );
    let measured = crossover.measured.unwrap();
    assert_eq!((measured.from, measured.to), (60.0, 3_000.0));
    assert!((60.0..3_000.0).contains(&measured.at), "{measured:?}");
    let predicted = crossover.predicted.unwrap();
    assert!((60.0..3_000.0).contains(&predicted), "{predicted}");
    for row in &sweep.results {
        assert!(
            row.outcome().is_some_and(|o| o.clean() && o.events.is_empty()),
            "{}",
            row.technique()
        );
    }
}

#[test]
fn json_is_of_the_family_and_csv_has_a_row_for_each() {
    let args = [
        "poll", "ws", "--size", "1000,100", "--mails", "4", "--rate", "400/s",
    ];
    let output = run(&[&args[..], &["--format", "json"]].concat());
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["command"], "sweep");
    assert_eq!(json["argv"][0], "sweep");
    assert_eq!((&json["schema"], &json["partial"]), (&1.into(), &false.into()));
    assert_eq!(json["knob"]["name"], "size");
    assert_eq!(json["knob"]["unit"], "bytes");
    assert_eq!(json["knob"]["scale"], "logarithmic");
    let sizes: Vec<&Value> = json["knob"]["stops"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["at"])
        .collect();
    assert_eq!(sizes, [100.0, 1000.0], "ascending");
    assert_eq!(json["knob"]["stops"][0]["scenario"]["size"], 100);
    let rows = json["results"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        assert_eq!(row["mails"]["delivered"], 4);
        assert_eq!(
            row["bytes"]["down"]["payload"].as_f64(),
            row["at"].as_f64().map(|size| 4.0 * size)
        );
        assert!(row["latency_us"]["mean"].is_number() && row["predicted"]["requests"]["total"].is_number());
    }
    let csv = run(&[&args[..], &["--format", "csv"]].concat());
    let mut reader = csv::Reader::from_reader(csv.stdout.as_slice());
    let heads = reader.headers().unwrap().clone();
    assert_eq!((&heads[0], &heads[1], &heads[2]), ("knob", "at", "technique"));
    let found: Vec<String> = reader
        .records()
        .map(|r| r.unwrap().iter().take(3).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        found,
        ["size 100 poll", "size 100 ws", "size 1000 poll", "size 1000 ws"]
    );
}

#[test]
fn the_tables_have_a_row_for_each_setting_in_any_width() {
    let args = ["--rtt", "0ms,10ms", "--simulate"];
    for format in ["table", "markdown"] {
        let output = run(&[&args[..], &["--format", format]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        for part in ["overhead", "requests", "mean latency", "0ms", "10ms", "long-poll"] {
            assert!(text.contains(part), "{format}: {part}\n{text}");
        }
        assert!(
            format == "markdown" || text.lines().all(|l| l.chars().count() <= 80),
            "{text}"
        );
    }
}

/// The server's cost is only its own in a process of its own.
#[cfg(target_os = "linux")]
#[test]
fn clients_are_swept_with_each_server_by_itself() {
    let sweep = sweep(&[
        "long-poll",
        "ws",
        "--clients",
        "1,30",
        "--mails",
        "6",
        "--rate",
        "200/s",
    ]);
    assert!(sweep.isolated);
    for row in &sweep.results {
        let outcome = row.outcome().unwrap();
        let server = outcome.server.unwrap();
        assert!(
            server.cpu_us > 0.0 && server.cpu_us_per_delivery.is_some(),
            "{server:?}"
        );
        assert_eq!(outcome.connections.peak as f64, row.at, "{}", row.technique());
        assert_eq!(outcome.mails.expected as f64, 6.0 * row.at);
    }
    let output = run(&["ws", "--clients", "1,2", "--mails", "2", "--rate", "200/s"]);
    let text = said(&output.stdout);
    for part in [
        "processor time, µs per mail",
        "connections, open at a time",
        "a process of its own",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(
        said(&output.stderr).contains("--clients 1: ws "),
        "results are told as they come"
    );
}

#[cfg(unix)]
#[test]
fn interrupted_it_ends_with_what_there_is() {
    use std::io::{BufRead, BufReader, Read};

    use rustix::process::{Pid, Signal, kill_process};

    // The first setting is over at once, the second takes longer than any test.
    let args = ["ws", "--rate", "500/s", "--mails", "2,100000", "--format", "json"];
    let mut child = support::Kept::start(mailcall(&args).stderr(Stdio::piped()).stdin(Stdio::null()));
    let stderr = BufReader::new(child.stderr());
    let came = stderr
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("--mails"));
    assert!(came.is_some());
    kill_process(Pid::from_raw(child.id() as i32).unwrap(), Signal::INT).unwrap();
    let mut text = String::new();
    child.stdout().read_to_string(&mut text).unwrap();
    assert_eq!(child.ended().code(), Some(130));
    let sweep: Sweep = serde_json::from_str(&text).unwrap();
    assert!(sweep.envelope.partial);
    let reached: BTreeSet<u64> = sweep.results.iter().map(|r: &Row| r.at.to_bits()).collect();
    assert_eq!((reached.len(), sweep.knob.stops.len()), (1, 2));
}

#[test]
fn a_load_balancer_cuts_what_its_idle_timeout_does_not_see_a_heartbeat_of() {
    let sweep = sweep(&[
        "sse",
        "ws",
        "poll",
        "--heartbeat",
        "10s,30s,55s,65s,120s",
        "--proxy",
        "load-balancer",
        "--simulate",
        "--rate",
        "1/10min",
        "--interval",
        "30s",
        "--mails",
        "6",
    ]);
    let names: Vec<&str> = sweep.cuts.iter().map(|cut| cut.technique.as_str()).collect();
    assert_eq!(names, ["sse", "ws"], "polling keeps nothing open");
    for cut in &sweep.cuts {
        // It cuts after 60 s of silence.
        assert!(cut.below <= 60_000.0 && cut.from >= 60_000.0, "{cut:?}");
        assert!(cut.from - cut.below < 1_200.0, "{cut:?}");
    }
}
