//! How commands end that are not left to end by themselves: by a signal, on a full disk, or for want of
//! what a process needs.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::support;
use crate::support::Kept;
use crate::support::served::{Serving, mailcall};

const BINARY: &str = env!("CARGO_BIN_EXE_mailcall");

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn send(child: &Kept, signal: Signal) {
    kill_process(Pid::from_raw(child.id() as i32).unwrap(), signal).unwrap();
}

/// Whether a process listens for a signal: a bit of `SigCgt` (proc(5)).
fn listens(child: &Kept, signal: Signal) -> bool {
    is_in("SigCgt:", child.id(), signal)
}

/// Whether a signal is in one of a process's sets (proc(5)).
fn is_in(set: &str, process: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|l| l.strip_prefix(set)).unwrap_or("0");
    let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
    mask >> (signal.as_raw() - 1) & 1 == 1
}

/// Whether a process has a thread whose name contains this.
fn has_thread(child: &Kept, name: &str) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", child.id())) else {
        return false;
    };
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .any(|comm| comm.contains(name))
}

/// The signals that end a command, and its exit codes. Where the tests run with SIGHUP ignored, as under `nohup`, their
/// children ignore it, too.
fn signals() -> Vec<(Signal, i32)> {
    let all = [(Signal::HUP, 129), (Signal::INT, 130), (Signal::TERM, 143)];
    let ignored = |signal| is_in("SigIgn:", std::process::id(), signal);
    all.into_iter().filter(|(signal, _)| !ignored(*signal)).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn every_signal_that_ends_leaves_partial_results_and_nothing_else() {
    let server = Serving::start(&["--mails", "0"]);
    let url = server.at("ws");
    let long = ["--mails", "10000", "--rate", "20/s"];
    for (words, thread) in [
        (vec!["compare", "poll", "sse"], "publisher"),
        (vec!["sweep", "ws", "--interval", "100ms,200ms"], "publisher"),
        (vec!["inspect", "sse", "--mails", "100"], "publisher"),
        (vec!["vanish", "ws", "--patience", "9m"], "clients"),
        (
            vec!["advise", "--rate", "1/s", "--delay", "1s", "--verify"],
            "publisher",
        ),
        (vec!["ws", &url, "--mails", "7"], "relay"),
    ] {
        for (signal, code) in signals() {
            let folder = tempfile::tempdir().unwrap();
            let mut args = words.clone();
            if ["compare", "sweep"].contains(&words[0]) {
                args.extend(long);
            }
            args.extend(["--format", "json", "--output", "result.json"]);
            let mut command = mailcall(&args);
            command.current_dir(folder.path()).env("TMPDIR", folder.path());
            let mut child = Kept::start(command.stderr(Stdio::null()));
            support::until("it runs", || {
                has_thread(&child, thread) || child.has_ended().is_some()
            });
            // Past the mails before the run that warm up, as far as one can see from outside.
            std::thread::sleep(std::time::Duration::from_millis(300));
            send(&child, signal);
            assert_eq!(child.ended().code(), Some(code), "{args:?}");
            let json: serde_json::Value =
                serde_json::from_slice(&fs::read(folder.path().join("result.json")).unwrap()).unwrap();
            assert_eq!(json["partial"], true, "{args:?}");
            assert_eq!(left(folder.path()), ["result.json"], "{args:?}");
        }
    }
    server.stop(Signal::TERM);
}

/// Nothing but dashes would stand in the table.
#[cfg(target_os = "linux")]
#[test]
fn a_run_that_ends_before_its_first_mail_says_so_in_one_line() {
    let server = Serving::start(&["--mails", "0"]);
    let url = server.at("http");
    let rare = ["--mails", "1", "--rate", "1/h"];
    let one = "interrupted before the first mail: there is nothing to show";
    for (words, thread, lines) in [
        ([&["compare"], &rare[..]].concat(), "publisher", 1),
        (
            [&["poll", "--format", "html"], &rare[..]].concat(),
            "publisher",
            1,
        ),
        (
            [&["sweep", "ws", "--size", "100,200"], &rare[..]].concat(),
            "publisher",
            2,
        ),
        (vec!["sse", &url, "--mails", "7"], "relay", 1),
    ] {
        for (signal, code) in signals() {
            let folder = tempfile::tempdir().unwrap();
            let mut command = mailcall(&words);
            command.current_dir(folder.path()).args(["--save", "kept.json"]);
            let mut child = Kept::start(command.stderr(Stdio::piped()));
            support::until("it runs", || {
                has_thread(&child, thread) || child.has_ended().is_some()
            });
            std::thread::sleep(std::time::Duration::from_millis(300));
            send(&child, signal);
            assert_eq!(child.ended().code(), Some(code), "{words:?}");
            let (mut shown, mut said) = (String::new(), String::new());
            child.stdout().read_to_string(&mut shown).unwrap();
            child.stderr().read_to_string(&mut said).unwrap();
            assert_eq!((&*shown, said.lines().last()), ("", Some(one)), "{words:?}");
            assert_eq!(said.lines().count(), lines, "{words:?}: {said}");
            assert!(left(folder.path()).is_empty(), "{words:?}");
        }
    }
    server.stop(Signal::TERM);
}

#[cfg(target_os = "linux")]
#[test]
fn a_storm_that_ends_before_its_server_is_back_says_so_in_one_line() {
    for (signal, code) in signals() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = mailcall(&[
            "storm",
            "ws",
            "--clients",
            "3",
            "--down",
            "9m",
            "--save",
            "kept.json",
        ]);
        command.current_dir(folder.path());
        let mut child = Kept::start(command.stderr(Stdio::piped()));
        support::until("it runs", || {
            has_thread(&child, "publisher") || child.has_ended().is_some()
        });
        send(&child, signal);
        assert_eq!(child.ended().code(), Some(code));
        let (mut shown, mut said) = (String::new(), String::new());
        child.stdout().read_to_string(&mut shown).unwrap();
        child.stderr().read_to_string(&mut said).unwrap();
        let one = "interrupted before a server was back: there is nothing to show\n";
        assert_eq!((&*shown, &*said), ("", one));
        assert!(left(folder.path()).is_empty());
    }
}

fn left(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<String> = names.map(|n| n.into_string().unwrap()).collect();
    names.sort();
    names
}

#[cfg(target_os = "linux")]
#[test]
fn the_second_signal_ends_at_once_and_leaves_nothing_either() {
    let server = Serving::start(&["--mails", "0"]);
    let folder = tempfile::tempdir().unwrap();
    let mut command = mailcall(&["ws", &server.at("ws"), "--mails", "7", "--clients", "50"]);
    let mut child = Kept::start(command.env("TMPDIR", folder.path()).stderr(Stdio::null()));
    support::until("the relay is there", || has_thread(&child, "ws clients"));
    send(&child, Signal::INT);
    send(&child, Signal::TERM);
    let code = child.ended().code();
    assert!([Some(130), Some(143)].contains(&code), "{code:?}");
    assert!(left(folder.path()).is_empty(), "{:?}", left(folder.path()));
    server.stop(Signal::INT);
}

#[cfg(target_os = "linux")]
#[test]
fn a_lesson_ends_with_the_command_that_it_runs() {
    for (signal, code) in signals() {
        let folder = tempfile::tempdir().unwrap();
        let lesson = folder.path().join("long.toml");
        let step = r#"
title.en = "Long"
title.ko = "Long"
goal.en = "To last"
goal.ko = "To last"
seconds = 9

[[step]]
say.en = "It lasts."
say.ko = "It lasts."
run = "mailcall ws --mails 5000 --rate 10/s"
expect = [
    { that = 'of("ws").mails.lost == 0', because.en = "it is there", because.ko = "it is there" },
]
counter = ["mailcall ws --mails 1"]
"#;
        fs::write(&lesson, step).unwrap();
        let mut command = mailcall(&["demo", lesson.to_str().unwrap(), "--auto"]);
        command.env("TMPDIR", folder.path());
        let mut child = Kept::start(command.stderr(Stdio::null()));
        let mut stdout = child.stdout();
        let reader = std::thread::spawn(move || {
            let mut all = String::new();
            let _ = stdout.read_to_string(&mut all);
            all
        });
        let task = format!("/proc/{0}/task/{0}/children", child.id());
        support::until("the command runs", || {
            fs::read_to_string(&task).is_ok_and(|c| !c.is_empty())
        });
        send(&child, signal);
        assert_eq!(child.ended().code(), Some(code), "{}", reader.join().unwrap());
        assert_eq!(left(folder.path()), ["long.toml"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_hang_up_that_is_ignored_stays_ignored() {
    let script = format!("trap '' HUP; exec {BINARY} serve --mails 0");
    let mut child = Kept::start(Command::new("sh").args(["-c", &script]).stderr(Stdio::null()));
    let mut address = String::new();
    BufReader::new(child.stdout()).read_line(&mut address).unwrap();
    assert!(listens(&child, Signal::TERM));
    assert!(!listens(&child, Signal::HUP));
    send(&child, Signal::HUP);
    send(&child, Signal::TERM);
    assert_eq!(child.ended().code(), Some(0));
}

/// A shell's limits, and then a command.
fn limited(limits: &str, args: &str, folder: &Path) -> Output {
    let script = format!("{limits}; exec {BINARY} {args}");
    let mut command = Command::new("bash");
    command
        .args(["-c", &script])
        .current_dir(folder)
        .stdin(Stdio::null());
    command.env("LC_ALL", "C").env("TMPDIR", folder).output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_may_grow_no_further_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for (args, code) in [
        ("poll --mails 5 --rate 50/s --output big.html", 1),
        ("poll --mails 5 --rate 50/s --save big.json", 1),
        ("poll --mails 5 --rate 50/s --pcap big.pcapng", 1),
        ("completions bash > out", 1),
        ("--help > out", 1),
    ] {
        let output = limited("ulimit -f 1", args, folder.path());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args}: {said}");
        assert!(
            said.contains("cannot write to") && said.contains("File too large"),
            "{args}: {said}"
        );
        let _ = fs::remove_file(folder.path().join("out"));
        assert!(
            left(folder.path()).is_empty(),
            "{args}: {:?}",
            left(folder.path())
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_for_all_that_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        "",
        "--help",
        "--version",
        "help",
        "poll --help",
        "man",
        "completions zsh",
        "demo",
        "demo --format json",
        "poll --mails 1 --rate 9/s",
        "inspect poll",
        "advise --rate 1/s --delay 1s",
        "serve",
        "demo 1 --auto",
    ] {
        let output = limited("true", &format!("{args} > /dev/full"), folder.path());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args}: {said}");
        assert!(said.contains("No space left on device"), "{args}: {said}");
        // Whoever reads no further has what they wanted; a server stays.
        if args != "serve" {
            let pipe = format!("{args} | true; exit ${{PIPESTATUS[0]}}");
            let script = format!("{BINARY} {pipe}");
            let mut command = Command::new("bash");
            command
                .args(["-c", &script])
                .env("LC_ALL", "C")
                .stdin(Stdio::null());
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{args}: {}", text(&output.stderr));
        }
    }
}

/// Whatever is missing, one line says so.
#[cfg(target_os = "linux")]
#[test]
fn what_a_process_needs_and_has_not_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = "--mails 1 --rate 50/s";
    let begun = Instant::now();
    let descriptors = [3, 4, 6, 9, 14, 20, 30, 36, 50].map(|n| format!("ulimit -n {n}"));
    let memory = [50, 54, 60, 70, 90, 120].map(|mib| format!("ulimit -v {}", mib * 1024));
    for limits in descriptors.iter().chain(&memory) {
        for args in [
            format!("compare {run}"),
            "inspect sse".into(),
            "vanish ws --patience 1s".into(),
        ] {
            let output = limited(limits, &args, folder.path());
            let said = text(&output.stderr);
            assert!(!said.contains("panicked"), "{limits}: {args}: {said}");
            // The loader may not even start it.
            let few = ["ulimit -n 9", "ulimit -n 14", "ulimit -n 20", "ulimit -n 30"].contains(&&**limits);
            assert!(
                !few || output.status.code() == Some(1),
                "{limits}: {args}: {said}"
            );
            let started = !said.contains("error while loading") && output.status.code() != Some(127);
            if started && output.status.code() == Some(1) {
                assert!(
                    said.starts_with("error: ") && said.lines().count() == 1,
                    "{limits}: {args}: {said}"
                );
            }
        }
    }
    assert!(begun.elapsed() < 3 * support::PATIENCE, "nothing hangs");
}
