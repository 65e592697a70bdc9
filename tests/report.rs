//! `mailcall report` and what it draws: the page opens from disk in a browser that we did not write, says
//! nothing to its console and asks nothing of the network, on narrow and wide screens, light and dark; a
//! saved run is drawn as the live one was; what is no report is said to be none.

#[path = "support/browser.rs"]
mod browser;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use browser::{Browser, Screen};
use serde_json::{Value, json};
use support::{is_here, runs};

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
    assert_eq!(shown.len(), 5);
    for name in shown {
        let svg = fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{name}");
    }
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        6,
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

// ---- Chromium --------------------------------------------------------------------------------------

const SCREENS: [Screen; 4] = [
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
        (&["near.json"][..], 4),
        (&["far.json"], 4),
        (&["near.json", "far.json"], 11),
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
