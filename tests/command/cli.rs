//! The command line as its user meets it: what goes in wrong, and how it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support;

fn mailcall() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command.env("LC_ALL", "C");
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    mailcall().args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Two mails at once: the shortest run there is.
const SHORT: [&str; 4] = ["--mails", "2", "--rate", "1000/s"];

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn file(dir: &Path, name: &str, content: &[u8]) -> String {
    let path = dir.join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_string()
}

#[test]
fn bad_values_are_named_with_what_is_allowed() {
    let cases: &[(&[&str], &str, &str)] = &[
        (&["poll", "--mails", "0"], "'0'", "1 to 10,000,000"),
        (&["poll", "--mails", "-3"], "-3", ""),
        (&["poll", "--mails", "many"], "many", ""),
        (
            &["poll", "--mails", "99999999999999999999"],
            "99999999999999999999",
            "",
        ),
        (&["poll", "--clients", "0"], "'0'", "1 to 100,000"),
        (&["poll", "--size", "63"], "63", "64 to 1,048,576"),
        (&["poll", "--attach", "99999999999"], "99999999999", "16,777,216"),
        (&["poll", "--rate", "0"], "'0'", "allowed is"),
        (&["poll", "--rate", "-2/s"], "'-2/s'", "1/day to 100000/s"),
        (&["advise", "--rate", "-.5/s"], "'-.5/s'", "1/day to 100000/s"),
        (&["compare", "--size", "-5"], "'-5'", "--size"),
        (&["serve", "--keep", "-1"], "'-1'", "--keep"),
        (&["compare", "--reply", "-1"], "'-1'", "--reply"),
        (&["poll", "--rate", "1/fortnight"], "1/fortnight", "written like"),
        (&["poll", "--rate", "nan"], "nan", "allowed is"),
        (&["poll", "--interval", "0s"], "0s", "1ms to 1day"),
        (&["poll", "--interval", "200"], "200", "200ms"),
        (&["long-poll", "--hold", "1ms"], "1ms", "10ms to 1h"),
        (&["sse", "--heartbeat", "soon"], "soon", "allowed is"),
        (
            &["ws", "--frames", "carrier-pigeon"],
            "carrier-pigeon",
            "text, binary",
        ),
        (&["ws", "--closer", "nobody"], "nobody", "client, server"),
        (&["compare", "--arrivals", "burst:0"], "burst:0", "burst:K"),
        (
            &["vanish", "--nat", "5m", "--heartbeat", "1m"],
            "--heartbeat",
            "--nat tries several silences",
        ),
        (&["compare", "smoke-signals"], "smoke-signals", "long-poll"),
        (&["compare", "--grace", "-1s"], "'-1s'", "--grace"),
        (&["compare", "--format", "pdf"], "pdf", "markdown"),
        (
            &["sse", "--interval", "1s"],
            "`--interval` belongs to poll;",
            "sse has no interval from request to request",
        ),
        (
            &["--lang", "en", "poll", "--heartbeat=5s"],
            "`--heartbeat` belongs to sse, ndjson, ws, stomp, sockjs and socketio;",
            "poll has no connection to keep alive",
        ),
        (
            &["ws", "--topics", "a"],
            "`--topics` belongs to stomp;",
            "ws has no topics",
        ),
        (
            &["poll", "--heartbeet", "5s"],
            "unexpected argument",
            "--heartbeet",
        ),
        (
            &["poll", "--rate", "1/day"],
            "20 mails at 1/day take 20 days",
            "allowed are 7",
        ),
        (
            &[
                "ws",
                "--talk",
                "30/min",
                "--mails",
                "60",
                "--rate",
                "1/s",
                "--clients",
                "50000",
            ],
            "50000 clients that talk 30/min",
            "1000000",
        ),
        (&["poll", "--replay-speed", "2x"], "--replay", ""),
        (
            &["poll", "--mails", "10000000", "--rate", "1/min"],
            "10000000 mails",
            "allowed are 7",
        ),
        (
            &["poll", "--mails", "10000", "--attach", "16000000"],
            "10000 mails",
            "allowed are 2048 MiB",
        ),
        (&["ws", "--keep-bytes", "0"], "0", "allowed are 1 to"),
        (&["serve", "--keep-bytes", "64 furlongs"], "64 furlongs", "64KiB"),
        (&["pol"], "pol", "poll"),
    ];
    for (args, value, allowed) in cases {
        let output = run(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(value) && said.contains(allowed), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_replay_or_header_file_that_cannot_be_used_is_named() {
    let dir = scratch();
    let empty = file(dir.path(), "empty.csv", b"");
    let broken = file(dir.path(), "broken.csv", b"offset_s,bytes\n1,300\nsoon,300\n");
    let binary = file(dir.path(), "binary", &[0, 159, 146, 150, 255, 0]);
    let not_http = file(dir.path(), "not.http", b"hello\n");
    let missing = dir.path().join("missing").to_str().unwrap().to_string();
    let directory = dir.path().to_str().unwrap().to_string();
    for flag in ["--replay", "--headers"] {
        for path in [&empty, &broken, &binary, &not_http, &missing, &directory] {
            let output = run(&["poll", flag, path]);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{flag} {path}: {said}");
            assert!(said.contains(path.as_str()), "{flag} {path}: {said}");
        }
    }
    assert!(text(&run(&["poll", "--replay", &broken]).stderr).contains("line 3"));
}

#[test]
fn an_output_is_written_whole_or_not_at_all() {
    let dir = scratch();
    let kept = file(dir.path(), "kept.json", b"before");
    let output = run(&[&["poll", "--format", "json", "--output", &kept], &SHORT[..]].concat());
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "{}",
        text(&output.stderr)
    );
    let written: serde_json::Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
    assert_eq!(written["results"][0]["technique"], "poll");

    for bad in [dir.path().join("no/such/dir/x.json"), dir.path().to_path_buf()] {
        let output = run(&[&["poll", "--output", bad.to_str().unwrap()], &SHORT[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(bad.to_str().unwrap()));
    }
    let names: Vec<PathBuf> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert_eq!(
        names,
        [PathBuf::from(&kept)],
        "nothing half-written is left behind"
    );
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    for args in [
        &["--help"][..],
        &[],
        &["completions", "bash"],
        &[&["compare"], &SHORT[..]].concat(),
    ] {
        let mut child = mailcall()
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
    }
}

#[test]
fn every_format_tells_of_the_same_run() {
    for (format, sign) in [
        ("table", "overhead"),
        ("json", "\"schema\": 1"),
        ("csv", "latency_us_mean"),
        ("markdown", "|"),
    ] {
        let output = run(&[&["compare", "--format", format], &SHORT[..]].concat());
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(shown.contains(sign), "{format}: {shown}");
        for technique in mailcall::technique::ALL.iter().filter(|t| t.usual) {
            assert!(shown.contains(technique.name), "{format}: {shown}");
        }
        assert!(!shown.contains('\x1b'), "no colour where nobody looks");
    }
}

#[test]
fn progress_and_colour_stay_out_of_pipes() {
    let output = run(&[&["compare"], &SHORT[..]].concat());
    assert!(!text(&output.stderr).contains('\x1b') && !text(&output.stderr).contains("mails "));
}

#[test]
fn mailcall_alone_gives_examples_that_run() {
    let output = run(&[]);
    assert!(output.status.success());
    let shown = text(&output.stdout);
    let examples: Vec<&str> = shown
        .lines()
        .filter_map(|l| l.strip_prefix("  mailcall "))
        .collect();
    assert!(examples.len() >= 3, "{shown}");
    for example in examples {
        let quick: &[&str] = if example == "demo" { &[] } else { &["--mails", "1"] };
        let args: Vec<&str> = example.split_whitespace().chain(quick.iter().copied()).collect();
        assert!(run(&args).status.success(), "{example}");
    }
}

#[test]
fn the_examples_of_every_help_are_understood() {
    let dir = scratch();
    for command in mailcall::technique::ALL
        .iter()
        .map(|t| t.name)
        .chain(["compare", "sweep", "advise"])
    {
        let help = text(&run(&[command, "--help"]).stdout);
        let examples: Vec<&str> = help
            .lines()
            .filter_map(|l| l.trim().strip_prefix("mailcall "))
            .collect();
        assert!(!examples.is_empty(), "{help}");
        for example in examples {
            // An output that cannot be written ends the command after everything else was understood.
            let nowhere = dir.path().join("no/x");
            let args: Vec<&str> = example
                .split_whitespace()
                .take_while(|word| *word != "--output")
                .chain(["--output", nowhere.to_str().unwrap()])
                .collect();
            let said = text(&run(&args).stderr);
            assert!(said.contains("cannot write"), "{example}: {said}");
        }
    }
}

#[test]
fn replays_real_arrivals() {
    let args = [
        "sse",
        "--replay",
        "demos/data/r-help-2007-06-14.arrivals.csv",
        "--replay-speed",
        "86400x",
    ];
    let output = run(&[&args[..], &["--format", "json"]].concat());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        report["results"][0]["mails"]["delivered"],
        131,
        "{}",
        text(&output.stderr)
    );
    assert_eq!(report["scenario"]["mails"], 131);
    let output = run(&[
        "ws",
        "--replay",
        "demos/data/inbox.mbox",
        "--replay-speed",
        "100x",
        "--format",
        "json",
    ]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        report["results"][0]["mails"]["delivered"],
        8,
        "{}",
        text(&output.stderr)
    );
}

/// What is odd about a mailbox file stands under the table and is in the JSON.
#[test]
fn oddities_of_a_mailbox_file_are_reported() {
    let dir = scratch();
    let mail = |from: &str, date: &str| format!("From {from}\nSubject: s\n{date}\nx\n\n");
    let mails = [
        mail("-", "Date: Thu, 14 Jun 2007 00:00:00 +0000\n"),
        mail("", "Date: Thu, 14 Jun 2007 00:00:60 +0000\n"),
        mail("-", "Date: some \u{1b}[2J day\n"),
        "From Bob to all\nSubject: lost?\n\n".into(),
    ];
    let path = file(dir.path(), "odd.mbox", mails.concat().as_bytes());
    let args = ["ws", "--replay", &path, "--replay-speed", "600x"];
    let json = run(&[&args[..], &["--format", "json"]].concat()).stdout;
    let report: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(report["scenario"]["mails"], 3);
    let odd = &report["scenario"]["replay_oddities"];
    assert_eq!(
        (
            &odd[0]["kind"],
            &odd[0]["count"],
            &odd[0]["line"],
            &odd[0]["text"]
        ),
        (
            &"not_a_separator".into(),
            &1.into(),
            &19.into(),
            &"From Bob to all".into()
        )
    );
    assert_eq!(
        (&odd[1]["kind"], &odd[1]["line"]),
        (&"no_date".into(), &13.into())
    );
    let shown = text(&run(&args).stdout);
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in [
        "odd.mbox: 1 line may separate mails, but not surely: it was left in the text; the first on line 19: \
         From Bob to all",
        "odd.mbox: 1 mail without a date that can be read: taken to arrive with the mail before; the first on \
         line 13: some \u{fffd}[2J day",
    ] {
        assert!(words.contains(sentence), "{shown}");
    }
}

/// Ctrl-C once: partial results, printed as partial, and an exit code that says so.
#[cfg(unix)]
#[test]
fn an_interrupted_run_prints_what_there_is() {
    let child = mailcall()
        .args([
            "compare", "--mails", "10000", "--rate", "20/s", "--format", "json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_mail(child.id());
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["partial"], true);
    assert_eq!(report["results"].as_array().unwrap().len(), 4);
}

/// Every technique runs threads of its own; once a publisher is there, mail is on its way and
/// interrupts are listened to.
#[cfg(target_os = "linux")]
fn wait_for_mail(pid: u32) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while std::time::Instant::now() < deadline {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let names = tasks.filter_map(|t| fs::read_to_string(t.ok()?.path().join("comm")).ok());
        if names.filter(|n| n.contains("publi")).count() == 4 {
            return;
        }
        std::thread::yield_now();
    }
    panic!("no mail was published");
}

#[cfg(all(unix, not(target_os = "linux")))]
fn wait_for_mail(_pid: u32) {
    std::thread::sleep(std::time::Duration::from_secs(2));
}

#[test]
fn lost_mail_is_said_and_exits_with_1() {
    // Thirty mails at once into a log that keeps ten: twenty become a gap.
    let output = run(&[
        "ws",
        "--mails",
        "30",
        "--arrivals",
        "burst:30",
        "--rate",
        "1000/s",
        "--keep",
        "10",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("gap") || text(&output.stdout).contains("missed"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn a_threshold_that_is_missed_exits_with_1_and_says_by_how_much() {
    let run = |rest: &[&str]| {
        let base = [
            "compare",
            "poll",
            "ws",
            "--simulate",
            "--mails",
            "20",
            "--interval",
            "200ms",
        ];
        run(&[&base[..], rest].concat())
    };
    let kept = run(&[
        "--expect",
        "ws.p99 < 50ms",
        "--expect",
        "poll.empty>=10",
        "--expect",
        "ws.lost == 0",
    ]);
    assert_eq!(kept.status.code(), Some(0), "{}", text(&kept.stderr));
    let missed = run(&["--expect", "ws.requests == 1", "--expect", "poll.mean < 1ms"]);
    assert_eq!(missed.status.code(), Some(1));
    let said = text(&missed.stderr);
    assert!(
        said.contains("missed: expected poll.mean < 1ms, but it was 1") && said.contains(" ms"),
        "{said}"
    );
    assert!(!said.contains("ws.requests"), "{said}");
    for (wrong, why) in [
        (
            "sse.p99 < 1s",
            "\"sse\" does not run here; those that do are poll, ws",
        ),
        ("ws.p98 < 1s", "no figure is called \"p98\""),
        ("ws.p99 ~ 1s", "one of < <= > >= =="),
    ] {
        let refused = run(&["--expect", wrong]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains(why), "{}", text(&refused.stderr));
        assert!(refused.stdout.is_empty());
    }
}

#[test]
fn a_log_that_is_full_of_bytes_forgets_the_oldest() {
    // Thirty mails of 1,000 bytes at once into a log of 10 kB: the newest are delivered, the others a gap.
    let output = run(&[
        "ws",
        "--mails=30",
        "--arrivals=burst:30",
        "--rate=1000/s",
        "--size=1000",
        "--keep-bytes=10kB",
        "--format=json",
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["scenario"]["keep_bytes"], 10_000);
    let mails = &json["results"][0]["mails"];
    let (delivered, gap) = (
        mails["delivered"].as_u64().unwrap(),
        mails["gap"].as_u64().unwrap(),
    );
    assert_eq!(delivered + gap, 30, "{mails}");
    assert!((1..=9).contains(&delivered), "{mails}");
}

#[test]
fn too_few_descriptors_are_named() {
    let script = format!(
        "ulimit -n 200; {} ws --clients 1000",
        env!("CARGO_BIN_EXE_mailcall")
    );
    let Ok(output) = Command::new("sh").args(["-c", &script]).output() else {
        return;
    };
    let first = BufReader::new(&output.stderr[..])
        .lines()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{first}");
    assert!(
        first.contains("1000 clients need") && first.contains("limit is 200"),
        "{first}"
    );
}

#[test]
fn every_command_has_a_manual_page() {
    let page = |args: &[&str]| {
        let output = run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let whole = page(&["man"]);
    assert!(whole.contains(".TH mailcall 1"), "{whole}");
    let commands: Vec<&str> = whole
        .lines()
        .filter_map(|l| l.strip_prefix(r"mailcall\-")?.strip_suffix("(1)"))
        .collect();
    assert!(
        commands.contains(&"compare") && commands.contains(&r"long\-poll"),
        "{commands:?}"
    );
    for name in commands.iter().map(|name| name.replace(r"\-", "-")) {
        let page = page(&["man", &name]);
        assert!(page.contains(&format!(".TH mailcall-{name} 1")), "{page}");
        assert!(page.contains(r"\-\-lang") && page.contains("Example"), "{page}");
    }
    // A page refers to those of its own subcommands.
    assert!(page(&["man", "demo"]).contains(r"mailcall\-demo\-check(1)"));
    assert!(page(&["man", "demo-check"]).contains(".TH mailcall-demo-check 1"));
    let unknown = run(&["man", "nothing"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("nothing"));
}

/// What bash offers behind these words: its own completion function says.
#[cfg(unix)]
fn offered(words: &[&str]) -> Vec<String> {
    let dir = scratch();
    let script = file(dir.path(), "completions", &run(&["completions", "bash"]).stdout);
    let ask = r#"source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        $(complete -p mailcall | sed 's/.*-F \([^ ]*\).*/\1/') mailcall "${@: -1}" "${@: -2:1}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let output = Command::new("bash")
        .args(["--norc", "-c", ask, &script, "mailcall"])
        .args(words)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(String::from).collect()
}

#[cfg(unix)]
#[test]
fn a_shell_offers_lessons_and_nothing_that_help_hides() {
    let has = |offered: &[String], word: &str| offered.iter().any(|o| o == word);
    let lessons = offered(&["demo", ""]);
    for (name, _) in mailcall::lesson::SHELF {
        assert!(has(&lessons, name), "{name}: {lessons:?}");
    }
    assert!(
        ["all", "check", "--auto"].iter().all(|w| has(&lessons, w)),
        "{lessons:?}"
    );
    assert_eq!(offered(&["demo", "wasted"]), ["wasted-polls"]);
    assert_eq!(offered(&["compare", "--format", "h"]), ["html"]);

    let flags = offered(&["sweep", "--"]);
    assert!(has(&flags, "--rate") && has(&flags, "--help"), "{flags:?}");
    for flag in ["--pcap", "--timeline"] {
        assert!(!has(&flags, flag), "{flags:?}");
        assert!(!text(&run(&["man", "sweep"]).stdout).contains(&flag.replace('-', r"\-")));
    }
    let (commands, hidden) = (offered(&[""]), mailcall::lab::isolate::COMMAND);
    assert!(
        has(&commands, "compare") && !has(&commands, hidden),
        "{commands:?}"
    );
    assert!(!text(&run(&["man"]).stdout).contains(&hidden.replace('-', r"\-")));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&run(&["completions", shell]).stdout);
        assert!(
            !script.contains(hidden) && !script.contains("talks-back"),
            "{shell}"
        );
        let has_values = ["bash", "zsh", "fish"].contains(&shell);
        assert!(!has_values || script.contains("which-one"), "{shell}");
    }
}

#[test]
fn a_file_that_was_written_is_named_with_what_opens_it() {
    let dir = scratch();
    let there = |args: &[&str]| {
        let output = mailcall().current_dir(dir.path()).args(args).output().unwrap();
        text(&output.stderr)
    };
    let advice = ["advise", "--rate", "1/s", "--delay", "1s"];
    let poll = [&["poll"], &SHORT[..]].concat();
    for (args, format, name, says) in [
        (&poll[..], "table", "a.txt", "wrote a.txt"),
        (&poll, "html", "a.html", "wrote a.html: a browser opens it"),
        (&poll, "csv", "a.csv", "wrote a.csv: a spreadsheet opens it"),
        (
            &poll,
            "json",
            "a b.json",
            "wrote a b.json: `mailcall report 'a b.json'` draws it",
        ),
        (
            &advice,
            "json",
            "b.json",
            "wrote b.json: `mailcall report b.json` draws it",
        ),
        (
            &["inspect", "sse"],
            "html",
            "b.html",
            "wrote b.html: a browser opens it",
        ),
        (
            &["inspect", "sse"],
            "json",
            "c.json",
            "wrote c.json: `mailcall report c.json` draws it",
        ),
        (&["report", "a b.json"], "markdown", "d.md", "wrote d.md"),
    ] {
        let said = there(&[args, &["--format", format, "--output", name]].concat());
        assert!(said.lines().any(|l| l == says), "{args:?}: {said}");
        assert!(dir.path().join(name).exists());
    }
    let files = [
        "--save",
        "e.json",
        "--pcap",
        "e.pcapng",
        "--output",
        "/dev/stdout",
    ];
    let said = there(&[&poll[..], &files].concat());
    let wrote: Vec<&str> = said.lines().filter(|l| l.starts_with("wrote")).collect();
    let expected = [
        "wrote e.json: `mailcall report e.json` draws it",
        "wrote e.pcapng: `wireshark e.pcapng` opens it",
    ];
    assert_eq!(wrote, expected, "a pipe is no file: {said}");
}

#[test]
fn the_name_of_a_file_says_which_format_it_gets() {
    let dir = scratch();
    let there = |args: &[&str]| mailcall().current_dir(dir.path()).args(args).output().unwrap();
    let poll = [&["poll"], &SHORT[..]].concat();
    let advice = ["advise", "--rate", "1/s", "--delay", "1s"];
    let sweep = ["sweep", "poll", "--interval", "1s,2s", "--predict-only"];
    for (args, name, begins) in [
        (&poll[..], "a.json", "{"),
        (&advice[..], "d.json", "{"),
        (&poll, "a.HTML", "<!DOCTYPE html>"),
        (&poll, "a.csv", "technique,"),
        (&["report", "a.json"], "b.md", "2 mails of 300 bytes"),
        (&["report", "a.json"], "b.htm", "<!DOCTYPE html>"),
        (&sweep, "c.csv", "knob,"),
        (&advice, "d.md", ""),
        (&advice, "d.html", "<!DOCTYPE html>"),
        (&["report", "d.json"], "e.csv", "technique,"),
        (&["inspect", "sse"], "e.html", "<!DOCTYPE html>"),
        (&["inspect", "sse"], "f.csv", "connection,direction,"),
        (&["inspect", "sse"], "f.md", "http://127.0.0.1"),
    ] {
        let output = there(&[args, &["--output", name]].concat());
        assert_eq!(
            output.status.code(),
            Some(0),
            "{args:?}: {}",
            text(&output.stderr)
        );
        let written = fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(written.starts_with(begins), "{args:?} {name}: {written}");
        assert_eq!(
            name.ends_with(".md"),
            written.contains("\n| ---"),
            "{args:?} {name}: {written}"
        );
    }
    // What is asked for counts more, and an ending that is no format's says nothing.
    let report = |more: &[&str]| {
        let output = there(&[&["report", "a.json"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let written = fs::read_to_string(dir.path().join(more[more.len() - 1])).unwrap();
        assert!(written.contains('─'), "{more:?}: {written}");
    };
    report(&["--format", "table", "--output", "f.html"]);
    report(&["--output", "f.txt"]);
    report(&["--output", "f"]);
}

#[cfg(unix)]
#[test]
fn a_sweep_whose_clients_do_not_fit_is_refused_before_it_starts() {
    let binary = env!("CARGO_BIN_EXE_mailcall");
    let script = format!("ulimit -n 200; {binary} sweep poll --clients 1,1000 --rate 1000/s");
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let first = said.starts_with("error: 1000 clients need");
    assert!(first && said.lines().count() == 1, "{said}");
    assert!(output.stdout.is_empty());
}

/// Nothing that a terminal obeys; line ends and tabs lay out.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t'))
}

/// A text that colours, renames the window, deletes and goes back.
const HOSTILE: &str = "\u{1b}[31mX\u{1b}]0;t\u{7}\u{7f}\u{9b}5m\u{8}";

#[test]
#[cfg(target_os = "linux")] // other systems refuse such names
fn file_names_need_not_be_utf_8() {
    use std::os::unix::ffi::OsStringExt;
    let dir = scratch();
    let named = |name: &str| {
        let mut bytes = dir.path().join(name).into_os_string().into_vec();
        bytes.extend(b"\xff\x1b[31mX");
        std::ffi::OsString::from_vec(bytes)
    };
    let [csv, head, json, text_file, pcap, lesson] =
        ["csv", "head", "json", "txt", "pcap", "lesson"].map(named);
    fs::write(&csv, "offset_s,bytes\n0,300\n0.01,300\n").unwrap();
    fs::copy("demos/headers/kaazing-2010.http", &head).unwrap();
    fs::copy("demos/closing-handshake.toml", &lesson).unwrap();
    for isolate in [&[][..], &["--isolate"]] {
        let mut command = mailcall();
        command
            .args(["ws", "--replay"])
            .arg(&csv)
            .arg("--headers")
            .arg(&head);
        command.arg("--save").arg(&json).arg("--output").arg(&text_file);
        if isolate.is_empty() {
            command.arg("--pcap").arg(&pcap);
        }
        let output = command.args(isolate).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{isolate:?} {}",
            text(&output.stderr)
        );
    }
    assert!(Path::new(&pcap).exists() && Path::new(&text_file).exists());
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let replay = report["scenario"]["replay"].as_str().unwrap();
    assert!(replay.ends_with("csv\u{fffd}\u{1b}[31mX"), "{replay:?}");

    let drawn = mailcall().arg("report").arg(&json).output().unwrap();
    assert_eq!(drawn.status.code(), Some(0), "{}", text(&drawn.stderr));
    assert!(is_plain(&text(&drawn.stdout)) && text(&drawn.stdout).contains("csv\u{fffd}\u{fffd}[31mX"));
    let mut command = mailcall();
    command
        .args(["report", "--format=markdown", "--output"])
        .arg(named("md"))
        .arg(&json);
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    let charts = fs::read_dir(dir.path())
        .unwrap()
        .filter_map(|f| f.unwrap().file_name().into_string().ok());
    assert!(
        charts
            .into_iter()
            .any(|name| name.starts_with("md") && name.ends_with("-latency.svg"))
    );
    let checked = mailcall().args(["demo", "check"]).arg(&lesson).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));

    for args in [
        &["report"][..],
        &["demo"],
        &["demo", "check"],
        &["poll", "--replay"],
        &["ws", "--headers"],
    ] {
        let output = mailcall().args(args).arg(named("none.json")).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(
            is_plain(&said) && said.contains("none.json\u{fffd}"),
            "{args:?}: {said}"
        );
    }
}

/// Answers every connection with `answer`, until the test is over.
fn peer(answer: String) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            use std::io::Write;
            let mut reader = BufReader::new(socket);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let _ = reader.get_mut().write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
#[cfg(unix)]
fn what_a_peer_says_reaches_no_terminal_as_it_is() {
    let json = serde_json::json!({"mailcall": HOSTILE, "schema": 1, "scenario": HOSTILE}).to_string();
    let with = |status: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    for answer in [
        with("500 Internal Server Error", HOSTILE),
        with("200 OK", HOSTILE),
        with("200 OK", &json),
        with(&format!("503 {HOSTILE}"), HOSTILE),
        format!("{HOSTILE}\r\n\r\n"),
        format!("HTTP/1.1 302 Found\r\nLocation: http://{HOSTILE}/\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let address = peer(answer.clone());
        for (technique, scheme) in [("sse", "http"), ("ws", "ws"), ("stomp", "ws"), ("sockjs", "http")] {
            let url = format!("{scheme}://{address}");
            let mut command = mailcall();
            command
                .env("CLICOLOR_FORCE", "1")
                .args([technique, &url, "--grace", "10ms"]);
            let output = command.output().unwrap();
            let said = text(&output.stderr);
            assert_ne!(output.status.code(), Some(0), "{answer:?}");
            assert!(
                said.starts_with("error: ") && is_plain(&said),
                "{answer:?}: {said:?}"
            );
        }
    }
}

#[test]
fn what_a_lesson_or_a_mailbox_says_reaches_no_terminal_as_it_is() {
    let dir = scratch();
    let quoted = serde_json::to_string(&format!("foreign {HOSTILE}")).unwrap();
    let quoted = quoted.replace('\u{7f}', "\\u007F").replace('\u{9b}', "\\u009B");
    let lesson = format!(
        "title.en = {quoted}\ngoal.en = {quoted}\ntitle.ko = {quoted}\ngoal.ko = {quoted}\nseconds = 1\n\n\
         [[step]]\nsay.en = {quoted}\nsay.ko = {quoted}\n\
         run = 'mailcall ws --mails 1 --rate 1000/s'\nexpect = [{{ that = 'of(\"ws\").requests.total == 1', \
         because.en = {quoted}, because.ko = {quoted} }}]\ncounter = ['mailcall poll --mails 1']\n"
    );
    let lesson = file(dir.path(), "lesson.toml", lesson.as_bytes());
    let mbox = format!(
        "From a Thu Jun 14 10:00:00 2007\nDate: {HOSTILE}\nSubject: {HOSTILE}\nFrom: {HOSTILE}\n\nFrom {HOSTILE}\n"
    );
    let mbox = file(dir.path(), "mail.mbox", mbox.as_bytes());
    for args in [
        &["demo", "--auto", &lesson][..],
        &["sse", "--replay", &mbox],
        &["sse", "--format=json", "--replay", &mbox],
    ] {
        let mut command = mailcall();
        let output = command.env("CLICOLOR_FORCE", "1").args(args).output().unwrap();
        let [shown, said] = [&output.stdout, &output.stderr].map(|bytes| text(bytes));
        assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
        // Colours of our own begin and end what is shown; a foreign one would be followed by its X.
        let foreign = ["\u{1b}[31mX", "\u{1b}]", "\u{7f}", "\u{9b}", "\u{8}", "\u{7}"];
        assert!(foreign.iter().all(|f| !shown.contains(f)), "{args:?}: {shown:?}");
        assert!(is_plain(&said), "{args:?}: {said:?}");
    }
}

/// What reaches a terminal from a call, behind what the shell does before it (the variable `BEFORE`); `script`
/// (util-linux) makes the terminal.
#[cfg(target_os = "linux")]
fn on_a_terminal(variables: &[(&str, &str)], words: &str) -> String {
    let mut command = Command::new("script");
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
        .env("LC_ALL", "C")
        .env("TERM", "xterm")
        .envs(variables.iter().copied());
    let call = format!("eval \"$BEFORE\"; {} {words}", env!("CARGO_BIN_EXE_mailcall"));
    command.args(["-qec", &call, "/dev/null"]).stdin(Stdio::null());
    text(&command.output().unwrap().stdout)
}

/// Whether a text sets a colour or a weight (SGR: ECMA-48, section 8.3.117).
#[cfg(target_os = "linux")]
fn coloured(text: &str) -> bool {
    text.split("\u{1b}[").skip(1).any(|part| {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ';');
        end.is_some_and(|at| part[at..].starts_with('m'))
    })
}

#[test]
#[cfg(target_os = "linux")]
fn one_rule_of_colour_holds_for_all_that_is_shown() {
    if !support::is_here("script (util-linux)", support::runs("script")) {
        return;
    }
    let dir = scratch();
    let lesson = "title.en = 'a'\ntitle.ko = 'a'\ngoal.en = 'b'\ngoal.ko = 'b'\nseconds = 1\n\n[[step]]\nsay.en = 'c'\nsay.ko = 'c'\n\
                  run = 'mailcall ws --mails 1 --rate 1000/s'\n\
                  expect = [{ that = 'of(\"ws\").requests.total == 1', because.en = 'd', because.ko = 'd' }]\n\
                  counter = ['mailcall poll --mails 1']\n";
    let lesson = file(dir.path(), "lesson.toml", lesson.as_bytes());
    let compare = "compare poll ws --mails 3 --rate 50/s --interval 20ms".to_string();
    let calls = [
        &compare,
        &format!("demo --auto {lesson}"),
        &"inspect ws --mails 1".to_string(),
        &"--help".to_string(),
    ];
    for call in calls {
        let plain = [("NO_COLOR", "1"), ("CLICOLOR", "0"), ("TERM", "dumb")];
        for variable in plain {
            let shown = on_a_terminal(&[variable], call);
            assert!(
                shown.len() > 40 && !coloured(&shown),
                "{variable:?} {call}: {shown:?}"
            );
        }
    }
    // A transcript says everything without colour; tables, lessons and help have some.
    for call in [calls[0], calls[1], calls[3]] {
        assert!(coloured(&on_a_terminal(&[], call)), "{call}");
        let dumb = [("TERM", "dumb"), ("CLICOLOR_FORCE", "1")];
        assert!(coloured(&on_a_terminal(&dumb, call)), "{call}");
        let forced = format!("{call} | cat");
        assert!(
            coloured(&on_a_terminal(&[("CLICOLOR_FORCE", "1")], &forced)),
            "{call}"
        );
        assert!(!coloured(&on_a_terminal(&[], &forced)), "{call}");
    }
    // Bars are drawn over again, which takes a terminal that can: colour has no say in it.
    let bars = format!("{compare} --output /dev/null");
    let drawn = |variables: &[(&str, &str)]| on_a_terminal(variables, &bars).contains("/3 mails");
    assert!(drawn(&[]) && drawn(&[("NO_COLOR", "1")]) && drawn(&[("CLICOLOR", "0")]));
    assert!(!drawn(&[("TERM", "dumb")]) && !drawn(&[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")]));
    let piped = on_a_terminal(&[("CLICOLOR_FORCE", "1")], &format!("{bars} 2>&1 | cat"));
    assert!(!piped.contains('\u{1b}') && !piped.contains("mails"), "{piped:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn lanes_grow_while_mail_arrives_and_leave_the_result_alone() {
    if !support::is_here("script (util-linux)", support::runs("script")) {
        return;
    }
    let compare = "compare poll ws --mails 4 --rate 2/s --arrivals steady --interval 100ms";
    let on = |columns: usize| {
        let before = format!("stty cols {columns} rows 24;");
        on_a_terminal(&[("NO_COLOR", "1"), ("BEFORE", &before)], compare)
    };
    let shown = on(100);
    // How many mails a lane shows, from frame to frame. A redrawn line is filled up to the width of the terminal, so
    // it has no line end.
    let deliveries = |name: &str| -> Vec<u32> {
        let frames = shown.split('\u{1b}').filter_map(|frame| frame.split_once(name));
        let lanes = frames.filter_map(|(_, rest)| rest.split_once("/4 mails"));
        let mails = |lane: &str| {
            let lane = lane.trim_end_matches(|c: char| c.is_ascii_digit());
            lane.chars()
                .filter_map(|c| if c == '●' { Some(1) } else { c.to_digit(10) })
                .sum()
        };
        lanes.map(|(lane, _)| mails(lane)).collect()
    };
    for name in ["poll ", "ws   "] {
        let counts = deliveries(name);
        assert_eq!(
            (counts[0], counts.last()),
            (0, Some(&4)),
            "{name}: {counts:?}\n{shown}"
        );
    }
    assert!(
        shown.contains("▼ mail arrives") && shown.contains("4/4 mails"),
        "{shown}"
    );
    let result = shown.split("mean latency").nth(1).unwrap();
    assert!(!result.contains('●') && !result.contains("4/4"), "{result}");
    // Less room has fewer counts, and less still no lanes.
    let (narrow, narrowest) = (on(60), on(36));
    assert!(narrow.contains('●') && !narrow.contains("4/4 mails"), "{narrow}");
    assert!(
        !narrowest.contains('●') && narrowest.contains("4/4"),
        "{narrowest}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_wider_than_the_terminal() {
    use unicode_width::UnicodeWidthStr;
    if !support::is_here("script (util-linux)", support::runs("script")) {
        return;
    }
    let dir = scratch();
    let [one, two] = ["one.json", "two.json"].map(|name| dir.path().join(name).display().to_string());
    let save = |file: &str, more: &[&str]| {
        let call = [
            &[
                "compare",
                "--tls",
                "--all",
                "--rate=50/s",
                "--mails=3",
                "--save",
                file,
            ],
            more,
        ]
        .concat();
        assert_eq!(run(&call).status.code(), Some(0));
    };
    save(&one, &["--talk=20/s", "--bandwidth=2.41Gbit/s"]);
    save(&two, &["--baseline"]);
    let advice = dir.path().join("advice.json").display().to_string();
    let asked = [
        "advise",
        "--talk=1/min",
        "--rate=9/s",
        "--clients=10000000",
        "--format=json",
        "--output",
        &advice,
    ];
    assert_eq!(run(&asked).status.code(), Some(0));
    let drawn = format!("report --timeline {one}");
    let both = format!("report {one} {two}");
    let advised = format!("report {advice}");
    let calls = [&drawn, &both, &advised, "-h"];
    for columns in [40, 60, 80, 120] {
        for (call, language) in calls
            .iter()
            .flat_map(|call| ["en", "ko"].map(|language| (call, language)))
        {
            let words = format!("{call} --lang {language}");
            let shown = on_a_terminal(
                &[
                    ("NO_COLOR", "1"),
                    ("BEFORE", &format!("stty cols {columns} rows 24;")),
                ],
                &words,
            );
            assert!(shown.lines().count() > 5, "{words}: {shown}");
            for line in shown.lines() {
                assert!(line.width() <= columns, "{columns} {words}: {line}");
            }
            // Under a ruled line there is always something.
            let lines: Vec<&str> = shown.lines().collect();
            let ruled = lines.windows(2).filter(|pair| pair[0].starts_with('─'));
            assert!(
                ruled.clone().all(|pair| !pair[1].trim().is_empty()),
                "{columns} {words}: {shown}"
            );
        }
    }
    let hint = on_a_terminal(
        &[("BEFORE", "stty cols 40 rows 24;")],
        &format!("report --format markdown {one} > /dev/null"),
    );
    let lines: Vec<&str> = hint.lines().map(str::trim).collect();
    assert!(
        lines.len() > 1 && lines.iter().all(|l| l.width() <= 40),
        "{hint:?}"
    );
    assert!(
        lines
            .join(" ")
            .contains("there are charts, too, as SVG files beside it"),
        "{hint:?}"
    );
    let wide = on_a_terminal(&[("BEFORE", "stty cols 120 rows 24;")], &drawn);
    assert!(
        wide.contains("2.4 Gbit/s") && wide.contains("inside TLS up"),
        "{wide}"
    );
}
