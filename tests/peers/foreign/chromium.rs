//! Chromium, and pages that tell what they receive.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::Sender;

use axum::extract::Query;
use axum::response::Html;
use axum::routing::{get, post};
use mailcall::technique::Routes;
use serde::Deserialize;

use crate::support::{is_here, run, runs};

/// Makes a browser with this home trust an authority. Chromium on Linux looks for the user's own in an NSS database.
pub fn trust(home: &Path, authority: &Path) {
    let database = home.join(".pki/nssdb");
    fs::create_dir_all(&database).unwrap();
    let database = format!("sql:{}", database.display());
    let authority = authority.to_str().unwrap();
    for args in [
        &["-N", "--empty-password"][..],
        &["-A", "-n", "mailcall", "-t", "C,,", "-i", authority],
    ] {
        let mut certutil = Command::new("certutil");
        assert!(run(certutil.args(["-d", &database]).args(args)).0.success());
    }
}

/// A browser that was never used before. `authority` is all that it trusts beyond what it came with.
pub fn chromium(home: &Path, authority: Option<&Path>) -> Command {
    authority.iter().for_each(|authority| trust(home, authority));
    let mut chromium = Command::new("chromium");
    chromium
        .env("HOME", home)
        // It leaves its temporary files behind when it is ended.
        .env("TMPDIR", home)
        .env_remove("XDG_DATA_HOME")
        .stderr(Stdio::null());
    // Chromium's sandbox does not run as root, as whom containers run tests.
    chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server"]);
    chromium.arg(format!("--user-data-dir={}", home.join("profile").display()));
    chromium
}

pub fn chromium_is_here() -> bool {
    let certutil = Command::new("certutil").arg("-H").output().is_ok();
    is_here("chromium", runs("chromium")) && is_here("certutil", certutil)
}

#[derive(Deserialize)]
struct Numbered {
    number: u64,
}

/// A page, and where it tells what happens.
pub fn page(html: &'static str, tell: Sender<String>) -> Routes {
    let next = Mutex::new((0, tell));
    let told = async move |Query(Numbered { number }): Query<Numbered>, line: String| {
        let mut next = next.lock().unwrap();
        if number == next.0 {
            next.0 += 1;
            // Fails only when the test is over.
            let _ = next.1.send(line);
        }
    };
    let told = std::sync::Arc::new(told);
    Routes::new().route("/page", get(Html(html))).route(
        "/told",
        post(move |number, line| {
            let told = told.clone();
            async move { told(number, line).await }
        }),
    )
}
