//! Puts the commit into release builds, for the `environment` of results (`MAILCALL_COMMIT`). Other builds have none,
//! so that a commit does not make them compile everything again.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=MAILCALL_COMMIT");
    if std::env::var("PROFILE").as_deref() != Ok("release") || std::env::var_os("MAILCALL_COMMIT").is_some() {
        return;
    }
    // A checkout of this repository, not one that the sources lie in by chance.
    if !Path::new(".git").exists() {
        return;
    }
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo:rustc-env=MAILCALL_COMMIT={commit}");
    }
}

/// What git prints; `None` without git, or if it fails.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
