//! The floors are checked, not remembered: a file imports downward only, and `lab` and `report`, on
//! the same floor, don't know each other.

use std::fs;
use std::path::{Path, PathBuf};

/// The floor of a top-level module, and what it must not import besides higher floors.
fn floor(module: &str) -> Option<(u8, &'static [&'static str])> {
    Some(match module {
        "shipped" => (0, &["wire", "stats", "theory"]),
        "lang" => (0, &["wire", "stats", "theory"]),
        "wire" | "stats" | "theory" => (0, &["wire", "stats", "theory", "lang"]),
        "explain" => (
            1,
            &["outcome", "link", "mail", "clock", "input", "terminal", "scratch"],
        ),
        "clock" | "input" | "terminal" | "mail" | "link" | "outcome" | "scratch" => (1, &[]),
        "technique" => (2, &["link"]),
        "lab" => (3, &["lesson", "report"]),
        "report" => (3, &["lab", "lesson"]),
        "lesson" => (3, &["lab", "report"]),
        "cli" => (4, &[]),
        _ => return None,
    })
}

/// Words that the pure floor must not contain.
const IMPURE: &[&str] = &["tokio::", "std::time::", "std::net", "std::io::", "std::fs"];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(root()).unwrap();
    let first = inside
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_string()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The top-level modules that a text names through `crate::`, in single paths and in groups.
fn imports(text: &str) -> Vec<String> {
    let word = |s: &str| {
        s.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.push(word(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (i, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && !c.is_whitespace() => {
                            found.push(word(&group[i..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

/// Everything wrong with one file.
fn faults(module: &str, text: &str) -> Vec<String> {
    let Some((height, forbidden)) = floor(module) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    for import in imports(text).into_iter().filter(|i| i != module) {
        if let Some((other, _)) = floor(&import)
            && (other > height || forbidden.contains(&import.as_str()))
        {
            faults.push(format!("{module} imports {import}"));
        }
    }
    if height == 0 {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        faults.extend(
            IMPURE
                .iter()
                .filter(|w| code.contains(**w))
                .map(|w| format!("{module} mentions {w}")),
        );
    }
    faults
}

#[test]
fn no_file_imports_upward() {
    let mut faulty = Vec::new();
    let files = sources(&root());
    assert!(files.len() > 20, "only {} files were scanned", files.len());
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let is_test = path
            .file_stem()
            .is_some_and(|s| s == "tests" || s == "simulate" || s == "testing");
        if !is_test {
            faulty.extend(
                faults(&module_of(&path), &text)
                    .into_iter()
                    .map(|f| format!("{}: {f}", path.display())),
            );
        }
    }
    assert!(faulty.is_empty(), "{faulty:#?}");
}

#[test]
fn every_module_has_a_floor() {
    for path in sources(&root()) {
        let module = module_of(&path);
        assert!(
            ["main", "lib"].contains(&module.as_str()) || floor(&module).is_some(),
            "{module} has no floor"
        );
    }
}

#[test]
fn the_scan_sees_what_it_should() {
    assert_eq!(
        imports("use crate::{wire::{Part, lab}, stats};"),
        ["wire", "stats"]
    );
    assert_eq!(faults("wire", "use crate::lab::Lab;"), ["wire imports lab"]);
    assert_eq!(
        faults("technique", "crate::link::Metered"),
        ["technique imports link"]
    );
    assert_eq!(
        faults("lab", "use crate::{mail, report};"),
        ["lab imports report"]
    );
    assert_eq!(
        faults("theory", "use std::time::Instant;"),
        ["theory mentions std::time::"]
    );
    assert!(faults("report", "use crate::{outcome, technique};").is_empty());
    assert_eq!(faults("wire", "use crate::lang::Text;"), ["wire imports lang"]);
    assert_eq!(faults("wire", "use crate::explain;"), ["wire imports explain"]);
    assert!(faults("explain", "use crate::{lang, wire};").is_empty());
}

/// A simulated run repeats to the byte because a technique reads the runtime's clock and no other.
#[test]
fn techniques_read_the_clock_of_the_run() {
    for path in sources(&root().join("technique")) {
        let text = fs::read_to_string(&path).unwrap();
        let imports_std = text
            .lines()
            .any(|l| l.starts_with("use std::time::") && l.contains("Instant"));
        let reads = text
            .replace("tokio::time::Instant::now", "")
            .contains("Instant::now()");
        assert!(!(imports_std && reads), "{}: std's Instant::now", path.display());
        // How long the page of SockJS's iframe may be cached: no run asks for it.
        let exempt = path.ends_with("technique/sockjs/server.rs");
        assert!(
            exempt || !text.contains("SystemTime::now"),
            "{}: SystemTime::now",
            path.display()
        );
    }
}
