//! Walks every output with `--lang ko`: three English words in a row are a sentence that nobody looked up.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Names that stand in Korean text as they are.
const NAMES: &[&str] = &[
    "mailcall",
    "compare",
    "sweep",
    "advise",
    "inspect",
    "report",
    "vanish",
    "storm",
    "demo",
    "serve",
    "completions",
    "man",
    "check",
    "help",
    "poll",
    "long-poll",
    "sse",
    "ndjson",
    "ws",
    "stomp",
    "sockjs",
    "socketio",
    "tcp",
];

/// Labels of tables, in their rows.
const LABELS: &[&str] = &[
    "at the socket",
    "requests per day",
    "traffic per day",
    "overhead per day",
    "how often later",
    "on the line",
    "to connect them all",
    "mean delay measured",
    "at the end",
    "says something",
    "missing from mail",
    "all mail after",
    "handshakes per client",
];

/// Why a transport failed, as JSON has it; and the words of a status line.
const QUOTED: &[&str] = &[
    "the server answered 403 Forbidden",
    "the server answered 400 Bad Request",
    "the server answered 426 Upgrade Required",
    "timed out after",
    "reason No Content",
    "reason Switching Protocols",
    "section Protocol Negotiation",
    "section Header receipt",
];

/// What a terminal, Markdown or a page shows, without what is not said in words: code, markup, what crossed the wire.
fn said(text: &str) -> String {
    let mut text = text.to_owned();
    for (open, close) in [
        ("<script", "</script>"),
        ("<style", "</style>"),
        ("<code", "</code>"),
        ("<pre", "</pre>"),
        ("```", "```"),
        ("{\"", "\"}"),
    ] {
        text = without(&text, open, close);
    }
    for exempt in [LABELS, QUOTED].concat() {
        text = text.replace(exempt, " · ");
    }
    let lines = text.lines().map(|line| {
        let line = ["alt", "aria-label", "title"]
            .iter()
            .fold(line.to_owned(), |line, name| {
                line.replace(&format!(" {name}=\""), ">").replace("\">", " <x>")
            });
        let line = without(&without(&line, "<", ">"), "`", "`");
        line.split("  ")
            .filter(|cell| !is_code(cell.trim()))
            .collect::<Vec<_>>()
            .join("  ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a cell is a command line.
fn is_code(cell: &str) -> bool {
    let program = cell
        .split(' ')
        .next()
        .unwrap_or_default()
        .trim_start_matches("$ ");
    ["mailcall", "curl", "man", "$"].contains(&program)
}

fn without(text: &str, open: &str, close: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once(open) {
        out.push_str(before);
        let Some((_, after)) = from.split_once(close) else {
            return out + from;
        };
        out.push_str(" · ");
        rest = after;
    }
    out + rest
}

/// Rows of three or more English words. A figure, a flag, a name or a mark between words ends a row; so do two spaces,
/// which separate columns.
fn rows(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for cell in text.lines().flat_map(|line| line.split("  ")) {
        let mut row: Vec<&str> = Vec::new();
        for word in cell.split_whitespace().chain(["·"]) {
            let bare = word.trim_matches(|c: char| "\"'“”‘’([)]".contains(c));
            let ends = bare.ends_with([',', '.', ';', ':', '?', '!']);
            let bare = bare.trim_end_matches([',', '.', ';', ':', '?', '!']);
            let is_hex = bare.len() == 2 && bare.chars().all(|c| c.is_ascii_hexdigit());
            let is_word = bare == "a"
                || bare.len() > 1
                    && bare.chars().skip(1).all(|c| c.is_ascii_lowercase())
                    && bare.starts_with(|c: char| c.is_ascii_alphabetic())
                    && !is_hex
                    && !NAMES.contains(&bare);
            if is_word {
                row.push(word);
            }
            if !is_word || ends {
                if row.len() > 2 {
                    found.push(row.join(" "));
                }
                row.clear();
            }
        }
    }
    found
}

#[test]
fn a_row_of_english_is_found() {
    let text =
        "poll은 mean latency worst 104 ms\nno mail\nmailcall poll and\ntwo, three, four, five\nIt is a row.";
    assert_eq!(rows(text), ["mean latency worst", "It is a row."]);
    let page = "<p title=\"three more words\">글 <code>not this at all</code> and `nor this one here`</p>";
    assert_eq!(rows(&said(page)), ["three more words"]);
    assert_eq!(rows("fc bb ee and that is that"), ["and that is that"]);
    assert_eq!(rows(&said("  mailcall poll shows what it costs  글")), [""; 0]);
}

fn asked(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command
        .env("LC_ALL", "C")
        .current_dir(folder)
        .stdin(Stdio::null());
    command.args(["--lang", "ko"]).args(args);
    command
}

/// Fails if a command says something in English; returns its output.
fn speaks_korean(folder: &Path, args: &[&str]) -> String {
    let (said, english) = heard(folder, args);
    assert_eq!(english, [""; 0]);
    said
}

/// What a command says, and what of that is English.
fn heard(folder: &Path, args: &[&str]) -> (String, Vec<String>) {
    let Output { stdout, stderr, .. } = asked(folder, args).output().unwrap();
    let both = format!(
        "{}\n{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    );
    let args = args.join(" ");
    let is_korean = both.contains(|c: char| ('가'..='힣').contains(&c));
    let none = (!is_korean).then(|| format!("mailcall {args}: no Korean"));
    let english = rows(&said(&both))
        .into_iter()
        .map(|row| format!("mailcall {args}: {row}"));
    let english = english.chain(none).collect();
    (both, english)
}

fn scratch() -> TempDir {
    tempfile::tempdir().unwrap()
}

const COMMANDS: &[&str] = &[
    "compare",
    "sweep",
    "advise",
    "inspect",
    "report",
    "vanish",
    "storm",
    "demo",
    "serve",
    "completions",
    "man",
    "poll",
    "long-poll",
    "sse",
    "ndjson",
    "ws",
    "stomp",
    "sockjs",
    "socketio",
];

#[test]
fn help_and_manual_are_in_korean() {
    let dir = scratch();
    for args in [
        &[][..],
        &["--help"],
        &["-h"],
        &["help"],
        &["help", "poll"],
        &["demo", "help"],
        &["man"],
    ] {
        speaks_korean(dir.path(), args);
    }
    speaks_korean(dir.path(), &["demo", "check", "--help"]);
    for command in COMMANDS {
        let long = speaks_korean(dir.path(), &[command, "--help"]);
        assert!(long.contains("사용법: mailcall"), "{long}");
        for word in [
            "Usage",
            "Options",
            "Arguments",
            "default:",
            "ossible values",
            "alias",
        ] {
            assert!(!long.contains(word), "{command}: {word}\n{long}");
        }
        speaks_korean(dir.path(), &[command, "-h"]);
        speaks_korean(dir.path(), &["man", command]);
    }
}

#[test]
fn the_locale_makes_help_and_errors_korean() {
    let said = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
        command
            .env_remove("LC_ALL")
            .env_remove("LC_MESSAGES")
            .env("LANG", "ko_KR.UTF-8");
        let output = command.args(args).stdin(Stdio::null()).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    assert!(said(&["compare", "--help"]).contains("사용법: mailcall compare"));
    assert!(said(&["poll", "--rate", "0"]).starts_with("오류: '0'은 '--rate <RATE>'에"));
    assert!(said(&["pol"]).contains("비슷한 명령이 있습니다: 'poll'"));
    assert!(said(&["--lang", "en", "pol"]).starts_with("error: "));
}

/// Runs whose results are drawn; SHORT stands for a short simulated one.
const RUNS: &str = "\
    compare SHORT --timeline --bytes --baseline --all
    compare SHORT --reply --headers browser --repeat 3 --rtt 20ms
    compare SHORT --talk 5/s --tls --attach 1000
    compare SHORT --all --block websocket,streaming
    compare SHORT --http 2
    compare SHORT --proxy gzip --all
    ws SHORT --proxy nginx
    compare sse SHORT --proxy nginx --ablate --bytes
    sweep sse --heartbeat 50s,70s --rate 1/10min --mails 2 --simulate --proxy load-balancer
    stomp SHORT --publishers 2 --subscribers 2
    poll SHORT --interval 1s --timeline
    sockjs SHORT
    socketio SHORT
    sweep poll ws --rate 2/s,20/s --mails 20 --simulate
    sweep --clients 1,4 --mails 10 --simulate
    advise
    advise --rate 1/day --clients 10000000 --delay 1h
    advise --rate 1/s --delay 100ms --talk 1/s --block websocket
    advise --heartbeat 1min --blocked-share 2% --prices PRICES
    advise ws --rate 10/s --delay 1s --verify --isolate
    vanish poll ws --heartbeat 1s --patience 1s
    vanish --nat 5m
    vanish poll --nat 5m
    storm --clients 9 --simulate
    storm poll sse --clients 3 --down 2s --jitter none --backoff 1x --tls --new-log --simulate
    storm ws --clients 2 --down 200ms --retry 50ms --jitter full
    inspect poll --whole
    inspect ws --scene frames
    inspect stomp --mails 1
    inspect sse --http 2 --mails 1
";

const SHORT: &str = "--mails 4 --rate 10/s --simulate";

const PRICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/prices.toml");

#[test]
fn results_are_in_korean_in_every_format() {
    let dir = scratch();
    let mut english = Vec::new();
    for run in RUNS.lines() {
        let run = run.trim().replace("SHORT", SHORT).replace("PRICES", PRICES);
        for format in ["table", "markdown", "html"] {
            let args: Vec<&str> = run.split(' ').chain(["--format", format]).collect();
            english.extend(heard(dir.path(), &args).1);
        }
    }
    assert_eq!(english, [""; 0]);
}

#[test]
fn saved_results_and_lessons_are_in_korean() {
    let dir = scratch();
    for (file, rtt) in [("near.json", "0ms"), ("far.json", "50ms")] {
        let run = [
            "compare",
            "--simulate",
            "--mails",
            "4",
            "--rtt",
            rtt,
            "--save",
            file,
        ];
        speaks_korean(dir.path(), &run);
    }
    for format in ["table", "markdown", "html"] {
        speaks_korean(
            dir.path(),
            &["report", "near.json", "--timeline", "--bytes", "--format", format],
        );
        speaks_korean(
            dir.path(),
            &["report", "near.json", "far.json", "--format", format],
        );
    }
    speaks_korean(dir.path(), &["demo"]);
    speaks_korean(dir.path(), &["demo", "1", "--auto", "--simulate", "--verbose"]);
    speaks_korean(dir.path(), &["demo", "1", "--simulate", "--worksheet"]);
    speaks_korean(dir.path(), &["demo", "1", "--simulate", "--worksheet=html"]);
    speaks_korean(dir.path(), &["demo", "1", "--simulate", "--slides"]);
}

/// Calls that are refused, or fail.
const WRONG: &str = "\
    pol
    poll --rat 1/s
    poll --rate 0
    poll --rate
    poll --format pdf
    poll --tls --tls
    poll --reply --talk 1/s
    poll --replay-speed 2x
    poll --interval 0s
    poll --mails 0
    poll --attach x
    poll --bandwidth 1
    poll --loss 1
    poll --seed x
    poll --arrivals x
    poll --expect x
    poll --expect poll.p98<1ms
    poll --expect poll.p99<1
    poll --expect ws.p99<1ms
    poll --mails 2 --output /
    poll --output no/such/folder
    poll --pcap a --output a
    poll --repeat 2 --pcap a
    poll --simulate --isolate
    poll --rate 1/day
    poll --mails 10000 --attach 16000000
    poll --replay none
    poll --replay broken.csv
    poll --replay empty
    poll --headers none
    poll --headers hello
    poll x
    poll ws://127.0.0.1:1
    poll http://127.0.0.1:1
    poll http://127.0.0.1:1/x
    poll https://127.0.0.1:1
    ws ws://127.0.0.1:1 --tls
    ws --http 1.0
    ws --topics a
    poll --heartbeat 5s
    compare smoke
    compare --closer nobody
    poll --proxy none
    poll --proxy proxy.toml
    compare sse --ablate
    compare poll sse --proxy nginx --ablate
    sweep
    sweep --rate 1/s,x
    sweep --rate 1/s,1/s
    sweep --rate 1/s,2/s --clients 1,2
    sweep --rate 1,2 --timeline
    inspect
    inspect tcp --after 1
    inspect ws --after x
    inspect poll --scene frames
    report
    report none
    report empty
    report hello
    report cut.json
    report other.json
    report - -
    demo wasted
    demo none.toml
    demo own.toml
    demo check
    demo check own.toml
    demo --counter
    demo 1 --pace 0
    demo --worksheet x
    advise --isolate
    advise --blocked-share 2
    advise --radio-tail 0s
    advise --prices none
    advise --prices empty
    advise --prices hello
    advise --prices free.toml
    advise --prices per-request.toml
    advise --prices negative.toml
    advise --prices nameless.toml
    vanish --patience 0s
    vanish --rate 100000/s --size 1000000
    storm --down 1ms
    storm --jitter some
    storm --backoff 11x
    storm --baseline --new-log
    storm --rate 100000/s --size 1000000
    serve --ca a
    serve --listen nowhere
    serve --listen 127.0.0.1:1 --port 2
    serve --allow-host a:1
    serve --allow-origin x
    serve --ping-interval 0
    man none
    help none
    completions none
";

#[test]
fn what_is_wrong_is_said_in_korean() {
    let dir = scratch();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("empty", "");
    write("hello", "hello\n");
    write("cut.json", "{\"mailcall\": \"0.1.0\",");
    write("other.json", "{\"mailcall\": \"9.0.0\", \"schema\": 99}");
    write("broken.csv", "offset_s,bytes\n1,300\nsoon,300\n");
    write("own.toml", "title.en = \"\"\n");
    write("free.toml", "currency = \"EUR\"\n");
    write("per-request.toml", "per_request = 1\n");
    write("negative.toml", "currency = \"EUR\"\nper_gb_up = -1\n");
    write("nameless.toml", "per_gb_up = 1\n");
    write("proxy.toml", "idle_ms = 0\n");
    let mut english = Vec::new();
    for line in WRONG.lines().map(str::trim) {
        let args: Vec<&str> = line.split(' ').collect();
        let (said, more) = heard(dir.path(), &args);
        english.extend(more);
        assert!(said.contains("오류: "), "{line}\n{said}");
    }
    assert_eq!(english, [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_server_speaks_korean() {
    use std::io::{BufRead, BufReader, Read, Write};
    let dir = scratch();
    let mut command = asked(dir.path(), &["serve", "--mails", "0"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.as_mut().unwrap())
        .read_line(&mut url)
        .unwrap();
    let address = url.trim().trim_start_matches("http://").to_owned();
    let mut socket = std::net::TcpStream::connect(&address).unwrap();
    write!(socket, "GET / HTTP/1.0\r\nhost: {address}\r\n\r\n").unwrap();
    let mut page = String::new();
    socket.read_to_string(&mut page).unwrap();
    let (_, page) = page.split_once("\r\n\r\n").unwrap();
    let pid = rustix::process::Pid::from_raw(server.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = server.wait_with_output().unwrap();
    let said_there = String::from_utf8(output.stderr).unwrap();
    assert!(
        page.contains("메일") && said_there.contains("요청 1번"),
        "{page}\n{said_there}"
    );
    assert_eq!(rows(&said(page)), [""; 0], "{page}");
    assert_eq!(rows(&said(&said_there)), [""; 0], "{said_there}");
}
