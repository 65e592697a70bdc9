//! Nothing that a user could call before the code was restructured has gone: commands, flags, formats and JSON keys
//! are compared with `tests/kept.txt`, which was taken from the commit before. `MAILCALL_KEPT_FROM=BINARY cargo test
//! --test kept -- --ignored` takes it anew from another build.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Commands whose JSON has the keys of its kind. A run is long enough for its keys to be there, and no longer.
const RUNS: [(&str, &str); 11] = [
    ("poll", "poll --mails 4 --rate 100/s --interval 20ms --reply"),
    ("long-poll", "long-poll --mails 4 --rate 100/s"),
    ("sse", "sse --mails 4 --rate 100/s --talk 20/s"),
    ("ws", "ws --mails 4 --rate 100/s --repeat 2"),
    ("stomp", "stomp --mails 4 --rate 100/s --publishers 1"),
    ("socketio", "socketio --mails 4 --rate 100/s --block websocket"),
    (
        "compare",
        "compare --all --mails 4 --rate 100/s --baseline --isolate",
    ),
    ("sweep", "sweep poll ws --mails 4 --rate 50/s,100/s"),
    ("advise", "advise --rate 10/s --clients 10 --delay 1s --verify"),
    ("vanish", "vanish poll ws --patience 1s"),
    ("inspect", "inspect poll --mails 1"),
];

fn binary() -> String {
    std::env::var("MAILCALL_KEPT_FROM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_mailcall").into())
}

fn stdout(args: &[&str]) -> String {
    let mut command = Command::new(binary());
    command.env("LC_ALL", "C").env("COLUMNS", "100").args(args);
    let output = command.stdin(Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Words of a text that begin like a flag.
fn flags(help: &str) -> BTreeSet<String> {
    let words = help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let flags = words.filter(|word| word.starts_with("--") && word.len() > 2);
    flags.map(String::from).collect()
}

/// Commands as the help lists them: a name behind two spaces.
fn commands(help: &str) -> Vec<String> {
    let lines = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    let names = names.filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
    names.map(String::from).collect()
}

/// Every path of a JSON value, with `[]` for whatever stands at a place of a list.
fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(keys) => {
            for (key, value) in keys {
                let path = format!("{at}.{key}");
                found.insert(path.clone());
                paths(value, &path, found);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| paths(item, &format!("{at}[]"), found)),
        _ => {}
    }
}

/// What there is, a line each.
fn there() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for command in commands(&stdout(&["--help"])) {
        let help = stdout(&[&command, "--help"]);
        all.insert(format!("command {command}"));
        all.extend(
            flags(&help)
                .into_iter()
                .map(|flag| format!("flag {command} {flag}")),
        );
        let formats = help
            .split("\n      --format")
            .nth(1)
            .and_then(|rest| rest.split("\n      --").next());
        for format in ["table", "json", "csv", "markdown", "html"] {
            if formats.is_some_and(|text| text.contains(format)) {
                all.insert(format!("format {command} {format}"));
            }
        }
    }
    for (name, run) in RUNS {
        let mut args: Vec<&str> = run.split(' ').collect();
        args.extend(["--format", "json"]);
        let json: Value = serde_json::from_str(&stdout(&args)).unwrap();
        let mut found = BTreeSet::new();
        paths(&json, "", &mut found);
        all.extend(found.into_iter().map(|path| format!("key {name} {path}")));
    }
    all
}

#[test]
fn no_command_flag_format_or_key_is_lost() {
    let kept = std::fs::read_to_string("tests/kept.txt").unwrap();
    let there = there();
    let lost: Vec<&str> = kept.lines().filter(|line| !there.contains(*line)).collect();
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(kept.lines().count() > 500);
}

#[test]
#[ignore = "writes what the test compares with"]
fn take_it_anew() {
    let mut list = String::new();
    there().iter().for_each(|line| writeln!(list, "{line}").unwrap());
    std::fs::write(Path::new("tests/kept.txt"), list).unwrap();
}
