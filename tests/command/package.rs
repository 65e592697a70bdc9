//! What is said of packages in several places agrees: `Cargo.toml`, `scripts/package`, `packaging/`, the workflow that
//! makes a release, and the page that tells how to install one. Nothing is built.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

const PAGES: [&str; 2] = ["docs/install.md", "docs/install.ko.md"];

/// What a workflow's matrix has behind this key, in order.
fn in_matrix<'a>(workflow: &'a str, key: &str) -> Vec<&'a str> {
    let rows = workflow
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- { "));
    rows.map(|row| {
        let value = row.split_once(&format!("{key}: ")).unwrap().1;
        value.split([',', ' ']).next().unwrap()
    })
    .collect()
}

#[test]
fn each_target_of_a_release_is_on_the_page_and_no_other() {
    let workflow = read(".github/workflows/release.yml");
    let targets = in_matrix(&workflow, "target");
    assert_eq!(targets.len(), 4, "{targets:?}");
    for page in PAGES {
        let page = read(page);
        for target in &targets {
            let suffix = if target.contains("windows") {
                "zip"
            } else {
                "tar.gz"
            };
            let file = format!("`mailcall-VERSION-{target}.{suffix}`");
            assert!(page.contains(&file), "{file}");
        }
        assert_eq!(page.matches("`mailcall-VERSION-").count(), targets.len());
        assert!(page.contains("`mailcall_VERSION_amd64.deb`"));
    }
}

#[test]
fn the_page_names_the_rust_that_is_needed() {
    for page in PAGES.iter().chain(&["README.md", "README.ko.md"]) {
        let rust = format!("Rust {}", env!("CARGO_PKG_RUST_VERSION"));
        assert!(read(page).contains(&rust), "{page}: {rust}");
    }
}

#[test]
fn the_changelog_begins_with_this_version() {
    let changelog = read("packaging/debian/changelog");
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        changelog.starts_with(&format!("mailcall ({version}) ")),
        "{changelog}"
    );
}

/// A wrong tag is refused before anything is built.
#[cfg(unix)]
#[test]
fn a_tag_that_is_not_the_version_is_refused() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/package");
    let output = std::process::Command::new(script)
        .args(["--tag", "v0.0.0"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    assert!(said.contains("v0.0.0") && said.contains(version), "{said}");
}
