//! `mailcall report` and what it draws: the page opens from disk in a browser that we did not write, says
//! nothing to its console and asks nothing of the network, on narrow and wide screens, light and dark; a
//! saved run is drawn as the live one was; what is no report is said to be none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::browser::{Browser, Screen};
use crate::support::{is_here, runs};

const MAILCALL: &str = env!("CARGO_BIN_EXE_mailcall");

/// Mails of the runs below.
const MAILS: usize = 8;

fn mailcall(args: &[&str]) -> Output {
    let mut command = Command::new(MAILCALL);
    command.args(args).stdin(Stdio::null()).env("LC_ALL", "C");
    command.output().unwrap()
}

fn done(args: &[&str]) -> Output {
    let output = mailcall(args);
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// What was measured once for all tests: two runs, each drawn when it was live, and saved.
fn measured() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        for (name, more) in [
            ("near", &[][..]),
            ("far", &["--rtt=20ms", "--baseline", "--repeat=2"]),
        ] {
            let html = format!(
                "--output={}",
                folder.path().join(format!("{name}-live.html")).display()
            );
            let save = format!("--save={}", folder.path().join(format!("{name}.json")).display());
            let mails = format!("--mails={MAILS}");
            let args = [
                "compare",
                "--rate=20/s",
                "--interval=40ms",
                "--format=html",
                &mails,
                &html,
                &save,
            ];
            done(&[&args[..], more].concat());
        }
        folder
    });
    folder.path()
}

fn saved(name: &str) -> String {
    measured().join(name).display().to_string()
}

/// Draws saved runs into a file of its own.
fn drawn(folder: &Path, name: &str, files: &[&str], more: &[&str]) -> PathBuf {
    let file = folder.join(name);
    let output = format!("--output={}", file.display());
    let saved: Vec<String> = files.iter().map(|f| saved(f)).collect();
    let saved: Vec<&str> = saved.iter().map(String::as_str).collect();
    done(&[&["report", &output][..], &saved, more].concat());
    file
}

#[test]
fn a_saved_run_is_drawn_as_the_live_one_was() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["near", "far"] {
        let again = drawn(
            folder.path(),
            "again.html",
            &[&format!("{name}.json")],
            &["--format=html"],
        );
        let live = fs::read_to_string(saved(&format!("{name}-live.html"))).unwrap();
        assert!(live == fs::read_to_string(again).unwrap(), "{name}");
    }
}

#[test]
fn a_run_of_nothing_is_not_drawn() {
    let mut report: Value = serde_json::from_slice(&fs::read(saved("near.json")).unwrap()).unwrap();
    report["results"] = json!([]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nothing.json");
    fs::write(&file, report.to_string()).unwrap();
    let refused = mailcall(&["report", file.to_str().unwrap()]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{error}");
    assert!(error.contains("there is no result in it"), "{error}");
}

#[test]
fn so_many_runs_that_they_do_not_fit_are_rows() {
    let near = saved("near.json");
    let heads = |runs: usize| {
        let files = vec![near.as_str(); runs];
        let text = done(&[&["report"][..], &files].concat()).stdout;
        let text = String::from_utf8(text).unwrap();
        let head = text.lines().find(|l| l.starts_with("mean latency, ms"));
        head.unwrap_or_else(|| panic!("{text}")).to_string()
    };
    assert!(heads(2).ends_with("2: near"));
    let many = heads(12);
    assert!(many.contains("long-poll") && !many.contains("near"), "{many}");
}

#[test]
fn a_run_can_come_through_a_pipe() {
    let mut command = Command::new(MAILCALL);
    let from = fs::File::open(saved("near.json")).unwrap();
    let piped = command
        .args(["report", "-", "--format=csv"])
        .stdin(from)
        .output()
        .unwrap();
    let direct = done(&["report", &saved("near.json"), "--format=csv"]);
    assert!(piped.status.success() && piped.stdout == direct.stdout);
}

#[test]
fn several_runs_lie_side_by_side() {
    let files = [saved("near.json"), saved("far.json")];
    let table = done(&["report", &files[0], &files[1]]).stdout;
    let table = String::from_utf8(table).unwrap();
    for part in [
        "2 runs",
        "--rtt 0ms",
        "--rtt 20ms",
        "mean latency, ms",
        "overhead, B per mail",
    ] {
        assert!(table.contains(part), "{part}\n{table}");
    }
    let csv = done(&["report", &files[0], &files[1], "--format=csv"]).stdout;
    let mut rows = csv::Reader::from_reader(csv.as_slice());
    assert_eq!(&rows.headers().unwrap()[0], "run");
    assert_eq!(rows.records().count(), 4 + 5);
    let json = mailcall(&["report", &files[0], &files[1], "--format=json"]);
    assert_eq!(json.status.code(), Some(2));
}

/// Commands whose results are no runs, short.
const OTHERS: [(&str, &[&str]); 5] = [
    (
        "sweep",
        &["sweep", "--simulate", "--rate=2/s,50/s", "poll", "sse"],
    ),
    ("advise", &["advise", "--rate=1/s", "--delay=1s"]),
    ("vanish", &["vanish", "ws", "--patience=2s"]),
    (
        "storm",
        &["storm", "ws", "--clients=9", "--down=2s", "--simulate"],
    ),
    ("inspect", &["inspect", "sse", "--mails=1"]),
];

#[test]
fn any_saved_result_is_drawn_as_its_command_drew_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (name, args) in OTHERS {
        let file = folder.path().join(format!("{name}.json")).display().to_string();
        let live = done(&[args, &["--save", &file]].concat());
        let again = done(&["report", &file]);
        assert_eq!(
            String::from_utf8_lossy(&again.stdout),
            String::from_utf8_lossy(&live.stdout)
        );
        for format in ["csv", "markdown", "html"] {
            done(&["report", &file, "--format", format]);
        }
        files.push(file);
    }
    let [sweep, advice, vanish, storm, inspect] = files.try_into().unwrap();
    let near = saved("near.json");
    for format in ["table", "markdown", "html"] {
        let all = ["report", &near, &sweep, &advice, &vanish, &vanish, &storm];
        let text = done(&[&all[..], &["--format", format]].concat()).stdout;
        let text = String::from_utf8(text).unwrap();
        for part in [
            "6 results, one after the other",
            "4: vanish",
            "5: vanish",
            "6: storm",
            "mean latency",
        ] {
            assert!(text.contains(part), "{format}: {part}\n{text}");
        }
    }
    let both = done(&["report", &vanish, &vanish, "--format=csv"]).stdout;
    assert!(
        both.starts_with(b"run,technique,"),
        "{}",
        String::from_utf8_lossy(&both)
    );
    for (args, why) in [
        (["report", &sweep, &advice, "--format=csv"], &advice),
        (["report", &sweep, &inspect, "--format=table"], &inspect),
        (["report", &inspect, &near, "--format=html"], &inspect),
    ] {
        let refused = mailcall(&args);
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.contains(why.as_str()), "{error}");
    }
}

#[test]
fn markdown_has_its_charts_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = drawn(
        folder.path(),
        "my report.md",
        &["near.json"],
        &["--format=markdown"],
    );
    let text = fs::read_to_string(file).unwrap();
    let shown: Vec<&str> = text
        .split("](<")
        .skip(1)
        .filter_map(|rest| rest.split(">)").next())
        .collect();
    assert_eq!(shown.len(), 6);
    for name in shown {
        let svg = fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{name}");
    }
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        7,
        "and nothing else"
    );
    let told = done(&["report", &saved("near.json"), "--format=markdown"]);
    assert!(String::from_utf8_lossy(&told.stderr).contains("with --output FILE there are charts"));
    assert!(!String::from_utf8_lossy(&told.stdout).contains("!["));
}

#[test]
fn what_is_no_report_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read_to_string(saved("near.json")).unwrap();
    let newer = whole.replacen("\"schema\": 1", "\"schema\": 2", 1);
    let half = &whole[..whole.len() / 2];
    for (content, why) in [
        (half, "ends in the middle"),
        (newer.as_str(), "schema 2"),
        ("", "it is empty"),
        ("# notes\n", "not JSON"),
        ("{\"results\": []}", "nothing that mailcall wrote"),
    ] {
        let file = folder.path().join("file.json");
        fs::write(&file, content).unwrap();
        let output = mailcall(&["report", file.to_str().unwrap(), "--output=never.html"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.contains("file.json") && error.contains(why),
            "{why}: {error}"
        );
        assert!(output.stdout.is_empty() && !Path::new("never.html").exists());
    }
    for (args, why) in [
        (&["report", "none.json"][..], "cannot read none.json"),
        (&["report", "."], "cannot read ."),
        (&["report", "-", "-"], "only once"),
        (&["report"], "FILE"),
    ] {
        let output = mailcall(args);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(why), "{error}");
    }
}

/// A saved run with one value changed, at a path like `/results/0/bytes/up/head`.
fn changed(path: &str, value: &str) -> String {
    let whole = fs::read_to_string(saved("far.json")).unwrap();
    let mut report: Value = serde_json::from_str(&whole).unwrap();
    *report.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = serde_json::from_str(value).unwrap();
    report.to_string()
}

#[test]
fn a_report_that_cannot_be_one_is_refused_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.json");
    for (path, value, why) in [
        (
            "/results/0/latency_us/max",
            "1e308",
            "results.0.latency_us.max is 1e+308",
        ),
        (
            "/results/0/latency_us/min",
            "-5.0",
            "results.0.latency_us.min is -5.0",
        ),
        (
            "/results/1/requests/total",
            "1000000000000000000",
            "which mailcall never measures",
        ),
        (
            "/results/2/events/3/t_us",
            "-1e300",
            "which mailcall never measures",
        ),
        (
            "/scenario/clients",
            "1000000000",
            "scenario.clients is 1000000000; at most 100000",
        ),
        ("/scenario/publishers", "1000000000", "scenario.publishers"),
        (
            "/results/0/bytes/up/head",
            "1",
            "poll: bytes: up: the labels sum to",
        ),
        (
            "/results/0/repeats/0/bytes/up/head",
            "1",
            "repeats: poll: bytes: up",
        ),
        (
            "/results/0/connections/each/0/bytes/down/total",
            "1",
            "connections.each: down",
        ),
        (
            "/results/0/predicted/bytes/down/payload",
            "1",
            "predicted.bytes.down",
        ),
        ("/results/1/overhead_bytes", "1", "long-poll: overhead_bytes is 1"),
        (
            "/results/1/overhead_bytes_per_delivery",
            "1",
            "overhead_bytes_per_delivery is 1",
        ),
        (
            "/results/3/mails/lost",
            "3",
            "ws: mails: 16 expected, but delivered, lost and undelivered are 19",
        ),
        ("/results/3/latency_us/p50", "0.0", "not in this order"),
        ("/results/3/latency_us/mean", "0.0", "the mean is outside"),
        ("/results/3/latency_us/count", "17", "latency_us.count is 17"),
        ("/results/3/latency_quantiles_us", "[2, 1]", "ascending"),
        ("/results/3/requests/total", "77", "the repeats is"),
        (
            "/results/3/events",
            "[{\"t_us\":2,\"kind\":\"closed\"},{\"t_us\":1,\"kind\":\"closed\"}]",
            "order of time",
        ),
    ] {
        fs::write(&file, changed(path, value)).unwrap();
        for format in ["table", "html"] {
            let output = mailcall(&["report", "--timeline", "--format", format, file.to_str().unwrap()]);
            let error = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{path}: {error}");
            assert!(error.contains(why) && output.stdout.is_empty(), "{path}: {error}");
        }
    }
    let outside = fs::read_to_string(saved("far.json")).unwrap();
    fs::write(
        &file,
        outside.replacen("\"max\": ", "\"max\": 1e999, \"was\": ", 1),
    )
    .unwrap();
    let output = mailcall(&["report", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("number out of range"));
}

#[test]
fn any_text_may_begin_with_a_mark() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).display().to_string();
    let marked = |file: &str, text: &str| {
        fs::write(name(file), format!("\u{feff}{text}")).unwrap();
        name(file)
    };
    let wide = |file: &str, text: &str| {
        let units = [0xFEFF].into_iter().chain(text.encode_utf16());
        fs::write(name(file), units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
        name(file)
    };
    let report = fs::read_to_string(saved("near.json")).unwrap();
    let lesson = include_str!("../../demos/closing-handshake.toml");
    let head = "GET /poll HTTP/1.1\nHost: a\n\nHTTP/1.1 200 OK\nContent-Type: application/json\n";
    let csv = "offset_s,bytes\n0,300\n";
    let mbox = "From a Thu Jun 14 10:00:00 2007\nDate: Thu, 14 Jun 2007 10:00:00 +0000\nSubject: s\n\nbody\n";
    let run = ["poll", "--mails=1", "--interval=20ms"];
    for (args, file, text) in [
        (&["report"][..], "report.json", report.as_str()),
        (&["demo", "check"], "lesson.toml", lesson),
        (&[&run[..], &["--headers"]].concat(), "head.http", head),
        (&[&run[..], &["--replay"]].concat(), "mails.csv", csv),
        (&[&run[..], &["--replay"]].concat(), "mails.mbox", mbox),
    ] {
        done(&[args, &[&marked(file, text)]].concat());
        let refused = mailcall(&[args, &[&wide(file, text)]].concat());
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{file}: {error}");
        assert!(
            error.contains(file) && error.contains("it is UTF-16; allowed is UTF-8"),
            "{error}"
        );
    }
    for (text, what) in [
        ("{\"log\":{\"version\":\"1.2\",\"entries\":[]}}", "HAR"),
        ("> GET / HTTP/1.1\n> Host: a\n>\n< HTTP/1.1 200 OK\n", "curl -v"),
        (":method: GET\n:path: /\n\n:status: 200\n", "HTTP/2"),
    ] {
        let refused = mailcall(&[&run[..], &["--headers", &marked("head.http", text)]].concat());
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(
            error.contains("head.http") && error.contains(what),
            "{what}: {error}"
        );
    }
}

/// What follows each text of a report below: it colours, renames the window, deletes and goes back.
const HOSTILE: &str = "\u{1b}[31mX\u{1b}]0;t\u{7}\u{7f}\u{9b}5m\u{8}";

/// Puts it behind every text that may be any.
fn spoil(value: &mut Value, key: &str) {
    match value {
        Value::String(text) if !FIXED.contains(&key) => text.push_str(HOSTILE),
        Value::Array(all) => all.iter_mut().for_each(|v| spoil(v, key)),
        Value::Object(all) => all.iter_mut().for_each(|(key, v)| spoil(v, key)),
        _ => {}
    }
}

/// Keys whose texts are words of the format.
const FIXED: [&str; 9] = [
    "kind", "arrivals", "frames", "closer", "http", "over", "block", "command", "unit",
];

#[test]
fn foreign_texts_reach_no_terminal_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut report: Value = serde_json::from_slice(&fs::read(saved("far.json")).unwrap()).unwrap();
    let first = &mut report["results"][0];
    first["attempts"] = json!([{"client": 0, "transport": "a", "t_us": 0.0, "took_us": 1e3, "failed": "b"}]);
    first["event_sources"] = json!({"restarted": 1, "ended": 0, "why": "c"});
    first["trust"]["warnings"] = json!(["d"]);
    report["absent"] = json!([{"technique": "e", "why": "f"}]);
    report["remote"] = json!("http://g");
    let scenario = &mut report["scenario"];
    scenario["replay"] = json!("h.mbox");
    scenario["headers"] = json!("i.http");
    scenario["replay_oddities"] = json!([{"kind": "no_date", "count": 1, "line": 1, "text": "j"}]);
    spoil(&mut report, "");
    let files = ["one.json", "two.json"].map(|name| folder.path().join(name).display().to_string());
    for file in &files {
        fs::write(file, report.to_string()).unwrap();
    }
    for format in ["table", "json", "csv", "markdown", "html"] {
        for (colour, runs) in [("1", 1), ("0", 1), ("1", 2)] {
            if (format, runs) == ("json", 2) {
                continue;
            }
            let mut command = Command::new(MAILCALL);
            command
                .args(["report", "--timeline", "--format", format])
                .args(&files[..runs]);
            let output = command
                .env("LC_ALL", "C")
                .env("CLICOLOR_FORCE", colour)
                .output()
                .unwrap();
            let shown = String::from_utf8(output.stdout).unwrap();
            assert_eq!(
                output.status.code(),
                Some(0),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(shown.contains("[31mX"), "{format} shows none of it");
            let foreign = ["\u{1b}[31mX", "\u{1b}]", "\u{7}", "\u{7f}", "\u{9b}", "\u{8}"];
            for bad in foreign {
                assert!(
                    !shown.contains(bad),
                    "{format} {colour} {runs}: {bad:?} in {shown:?}"
                );
            }
        }
    }
}

// ---- Chromium --------------------------------------------------------------------------------------

const SCREENS: [Screen; 5] = [
    Screen {
        width: 360,
        scheme: "light",
    },
    Screen {
        width: 360,
        scheme: "dark",
    },
    Screen {
        width: 1_440,
        scheme: "light",
    },
    Screen {
        width: 1_440,
        scheme: "dark",
    },
    Screen {
        width: 1_000,
        scheme: "light",
    },
];

/// What a reader's eyes would find, as the page lays it out.
const LAYOUT: &str = r#"(() => {
  const seen = (e) => e.checkVisibility() && e.getBoundingClientRect().width > 0;
  const luminance = (color) => {
    const [r, g, b] = color.match(/[\d.]+/g).map((c) => {
      c /= 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = luminance(getComputedStyle(document.body).backgroundColor);
  const contrast = (ink) => {
    const [a, b] = [luminance(ink), paper];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const texts = [...document.querySelectorAll("p, h1, h2, h3, th, td, dt, dd, figure text")].filter(seen);
  const ink = (e) => getComputedStyle(e)[e.tagName === "text" ? "fill" : "color"];
  const charts = [...document.querySelectorAll(".plate")];
  const small = [...document.querySelectorAll(".plate text")].filter(seen)
    .map((t) => t.getBoundingClientRect().height);
  return {
    wide: document.documentElement.scrollWidth,
    charts: charts.length,
    each: charts.map((c) => [...c.querySelectorAll("svg")].filter(seen).length),
    outside: [...document.querySelectorAll("figure svg text")].filter(seen).filter((t) => {
      const [text, svg] = [t.getBoundingClientRect(), t.closest("svg").getBoundingClientRect()];
      return text.left < svg.left - 2 || text.right > svg.right + 2;
    }).map((t) => t.textContent.trim()),
    spilled: [...document.querySelectorAll(".card, .card dd")].filter((e) => e.scrollWidth > e.clientWidth)
      .map((e) => e.textContent.trim()),
    paper,
    faint: texts.filter((t) => t.textContent.trim() && contrast(ink(t)) < 4.5).map((t) => t.textContent),
    smallest: Math.min(...small),
    named: [...document.querySelectorAll("svg[role=img]")].filter(seen)
      .every((s) => document.getElementById(s.getAttribute("aria-labelledby")).textContent),
    levels: [...document.querySelectorAll("h1, h2, h3")].map((h) => +h.tagName[1]),
  };
})()"#;

fn check_layout(layout: &Value, screen: Screen, charts: usize, what: &str) {
    let Screen { width, scheme } = screen;
    let context = format!("{what}, {screen:?}: {layout}");
    assert_eq!(layout["wide"], width, "it can be scrolled sideways. {context}");
    assert_eq!(layout["charts"], charts, "{context}");
    let each = layout["each"].as_array().unwrap();
    assert!(
        each.iter().all(|n| *n == 1),
        "one of two sizes is seen. {context}"
    );
    assert_eq!(layout["outside"], json!([]), "words are cut off. {context}");
    assert_eq!(layout["spilled"], json!([]), "a card is too narrow. {context}");
    assert_eq!(layout["faint"], json!([]), "words are hard to see. {context}");
    assert!(
        layout["smallest"].as_f64().unwrap() > 11.0,
        "words are too small. {context}"
    );
    let paper = layout["paper"].as_f64().unwrap();
    assert_eq!(paper > 0.5, scheme == "light", "{context}");
    assert_eq!(layout["named"], true, "{context}");
    let levels: Vec<i64> = layout["levels"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_i64)
        .collect();
    assert_eq!(levels.iter().filter(|l| **l == 1).count(), 1, "{context}");
    assert!(
        levels.windows(2).all(|w| w[1] <= w[0] + 1),
        "a level of headings is left out. {context}"
    );
}

fn is_quiet(browser: &Browser, what: &str) {
    assert!(
        browser.complaints().is_empty(),
        "{what}: {:?}",
        browser.complaints()
    );
    assert!(browser.requests().is_empty(), "{what}: {:?}", browser.requests());
}

#[test]
fn the_page_is_quiet_and_fits_every_screen() {
    if !is_here("chromium", runs("chromium")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Browser::start();
    for (files, charts) in [
        (&["near.json"][..], 5),
        (&["far.json"], 5),
        (&["near.json", "far.json"], 13),
    ] {
        let page = drawn(folder.path(), "page.html", files, &["--format=html"]);
        for screen in SCREENS {
            browser.open(&page, screen);
            let layout = browser.evaluate(LAYOUT);
            check_layout(&layout, screen, charts, &format!("{files:?}"));
            is_quiet(&browser, &format!("{files:?} {screen:?}"));
        }
    }
}

const VIEW: &str = "document.querySelector('.lanes svg').getAttribute('viewBox').split(' ').map(Number)";

fn view(browser: &mut Browser) -> [f64; 2] {
    let view = browser.evaluate(VIEW);
    [0, 2].map(|i| view[i].as_f64().unwrap())
}

#[test]
fn the_timeline_can_be_zoomed_with_mouse_and_keyboard() {
    if !is_here("chromium", runs("chromium")) {
        return;
    }
    let mut browser = Browser::start();
    browser.open(Path::new(&saved("near-live.html")), SCREENS[2]);
    let [start, all] = view(&mut browser);
    browser.evaluate("document.querySelector('[data-do=in]').click()");
    let [from, half] = view(&mut browser);
    assert!(
        (half / all - 0.5).abs() < 1e-6 && ((from - start) / all - 0.25).abs() < 1e-6,
        "{from} {half}"
    );
    browser.evaluate("document.querySelector('.lanes').focus()");
    browser.press("ArrowRight");
    let [later, _] = view(&mut browser);
    assert!(later > from, "{later} {from}");
    browser.press("+");
    assert!(view(&mut browser)[1] < half);
    let said = browser.evaluate("document.querySelector('.tools output').value");
    assert!(said.as_str().unwrap().contains(" s to "), "{said}");
    browser.press("0");
    let [first, whole] = view(&mut browser);
    assert!(first == 0.0 && whole >= all * 0.99);
    let ticks = browser.evaluate("document.querySelectorAll('.axis span').length");
    assert!(ticks.as_u64().unwrap() >= 3, "{ticks}");
    is_quiet(&browser, "zoomed");
}

#[test]
fn the_page_needs_no_script_and_prints() {
    if !is_here("chromium", runs("chromium")) {
        return;
    }
    let mut browser = Browser::start();
    browser.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    browser.open(Path::new(&saved("near-live.html")), SCREENS[0]);
    for (expression, expected) in [
        ("document.querySelector('.tools').checkVisibility()", json!(false)),
        ("document.querySelector('.copy').checkVisibility()", json!(false)),
        (
            "document.querySelector('.lanes svg').checkVisibility()",
            json!(true),
        ),
        ("document.querySelectorAll('.axis span').length >= 3", json!(true)),
        (
            // Every arrival falls through all lanes.
            "document.querySelector('.lanes svg path').getAttribute('d').split('M').length - 1",
            json!(MAILS),
        ),
    ] {
        assert_eq!(browser.evaluate(expression), expected, "{expression}");
    }
    browser.call("Emulation.setScriptExecutionDisabled", json!({ "value": false }));
    browser.open(Path::new(&saved("near-live.html")), SCREENS[3]);
    let paper = browser.call("Page.printToPDF", json!({ "preferCSSPageSize": true }));
    // In base64, "%PDF-1".
    assert!(paper["data"].as_str().unwrap().starts_with("JVBERi0x"));
    browser.call("Emulation.setEmulatedMedia", json!({ "media": "print" }));
    let ink = browser.evaluate("getComputedStyle(document.body).color");
    assert_eq!(ink, "rgb(31, 35, 40)", "paper is light, whatever the screen is");
    is_quiet(&browser, "printed");
}
