//! Every kind of page in Chromium: on a phone and on a wide screen, dark and light, on paper, in both languages. None may
//! complain, ask for anything, or be wider than the screen. With `MAILCALL_PICTURES=FOLDER` the pictures stay there
//! (`scripts/screenshots`).

use std::path::{Path, PathBuf};

use base64::Engine;
use serde_json::json;

use crate::support::browser::{Browser, Screen};
use crate::support::served::mailcall;
use crate::support::{is_here, runs};

/// The name of a page, and the command that makes it; `DIR` is the folder of the saved results.
const PAGES: &[(&str, &str)] = &[
    ("run", "poll --simulate --timeline --format html"),
    ("compare", "compare --all --simulate --format html"),
    (
        "proxy",
        "compare poll sse ws --simulate --proxy nginx --format html",
    ),
    (
        "ablate",
        "compare sse --simulate --proxy nginx --ablate --format html",
    ),
    (
        "servers",
        "compare poll ws --simulate --servers 3 --kill 2s --mails 40 --rate 10/s --format html",
    ),
    ("tabs", "sse --simulate --tabs 8 --format html"),
    (
        "slow",
        "ws --simulate --clients 4 --slow 1 --read-rate 1kB/s --mails 60 --rate 20/s --format html",
    ),
    (
        "sweep",
        "sweep poll ws --simulate --interval 100ms,1s --mails 10 --format html",
    ),
    (
        "advise",
        "advise --rate 1/h --clients 100000 --delay 5s --prices docs/prices.toml --format html",
    ),
    ("nat", "vanish sse ws --nat 5m --format html"),
    (
        "vanish",
        "vanish sse --heartbeat 500ms --patience 2s --format html",
    ),
    ("storm", "storm poll ws --clients 50 --simulate --format html"),
    ("inspect", "inspect ws --mails 1 --reply --format html"),
    ("worksheet", "demo four-ways --worksheet=html"),
    ("several", "report DIR/one.json DIR/two.json --format html"),
];

/// The results that the last page lays side by side.
const SAVED: &[(&str, &str)] = &[
    ("one.json", "compare poll ws --simulate --mails 10 --format json"),
    (
        "two.json",
        "compare poll ws --simulate --mails 10 --rtt 80ms --format json",
    ),
];

const SCREENS: [Screen; 2] = [
    Screen {
        width: 360,
        scheme: "dark",
    },
    Screen {
        width: 1_440,
        scheme: "light",
    },
];

/// Runs a command, and writes what it prints to a file.
fn print(command: &str, language: &str, to: &Path) {
    let folder = to.parent().unwrap().to_str().unwrap();
    let command = command.replace("DIR", folder);
    let mut args = vec!["--lang", language];
    args.extend(command.split_whitespace());
    let output = mailcall(&args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
    std::fs::write(to, output.stdout).unwrap();
}

/// Where the pictures stay, if anywhere.
fn kept() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("MAILCALL_PICTURES")?);
    std::fs::create_dir_all(&folder).unwrap();
    Some(folder)
}

/// Keeps what a method of the browser returns in base64.
fn keep(browser: &mut Browser, method: &str, params: serde_json::Value, to: Option<PathBuf>) {
    let data = browser.call(method, params)["data"].take();
    let bytes = base64::prelude::BASE64_STANDARD
        .decode(data.as_str().unwrap())
        .unwrap();
    assert!(bytes.len() > 1_000, "{method}: {} bytes", bytes.len());
    if let Some(to) = to {
        std::fs::write(to, bytes).unwrap();
    }
}

#[test]
fn every_page_is_quiet_and_fits_its_screen_and_paper() {
    if !is_here("chromium", runs("chromium")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let pictures = kept();
    let mut browser = Browser::start();
    for (name, command) in SAVED {
        print(command, "en", &folder.path().join(name));
    }
    for language in ["en", "ko"] {
        for (name, command) in PAGES {
            let page = folder.path().join(format!("{name}-{language}.html"));
            print(command, language, &page);
            for screen in SCREENS {
                let Screen { width, scheme } = screen;
                let what = format!("{name}-{language}-{width}-{scheme}");
                browser.open(&page, screen);
                let wide = browser.evaluate("document.documentElement.scrollWidth");
                assert_eq!(wide, width, "{what} can be scrolled sideways");
                assert_eq!(
                    browser.evaluate("document.documentElement.lang"),
                    *language,
                    "{what}"
                );
                let to = pictures.as_ref().map(|folder| folder.join(format!("{what}.png")));
                let high = browser.evaluate("document.documentElement.scrollHeight");
                let clip = json!({ "x": 0, "y": 0, "width": width, "height": high, "scale": 1 });
                let whole = json!({ "captureBeyondViewport": true, "clip": clip });
                keep(&mut browser, "Page.captureScreenshot", whole, to);
                assert!(
                    browser.complaints().is_empty(),
                    "{what}: {:?}",
                    browser.complaints()
                );
                assert!(browser.requests().is_empty(), "{what}: {:?}", browser.requests());
            }
            let to = pictures
                .as_ref()
                .map(|folder| folder.join(format!("{name}-{language}.pdf")));
            keep(
                &mut browser,
                "Page.printToPDF",
                json!({ "preferCSSPageSize": true }),
                to,
            );
        }
    }
}
