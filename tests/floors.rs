//! The floors are checked, not remembered: a file imports downward only, and `lab` and `report`, on
//! the same floor, don't know each other. And what is known of a technique stands in its own file.

use std::fs;
use std::path::{Path, PathBuf};

use mailcall::technique;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

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

/// Where the word for a technique is a word for something else: file, word, what it is there.
const OTHER_MEANINGS: &[(&str, &str, &str)] = &[(
    "report/transcript/scheme.rs",
    "ws",
    "a URL's scheme (RFC 6455, section 3)",
)];

/// What is known of a technique stands in its file, so that a new one is one file: whoever compares its name
/// elsewhere knows something that belongs there.
#[test]
fn a_techniques_name_stands_in_its_own_file_alone() {
    let elsewhere = product_sources()
        .into_iter()
        .filter(|path| !path.starts_with(root().join("technique")));
    let (mut faulty, mut scanned) = (Vec::new(), 0);
    for path in elsewhere {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        scanned += 1;
        for text in literals(product(&fs::read_to_string(&path).unwrap())) {
            let named = technique::ALL.iter().any(|t| t.name == text);
            let meant = |(file, word, _): &(&str, &str, &str)| *file == name && *word == text;
            if named && !OTHER_MEANINGS.iter().any(meant) {
                faulty.push(format!("{name}: {text:?}"));
            }
        }
    }
    assert!(scanned > 100, "only {scanned} files were scanned");
    assert!(faulty.is_empty(), "{faulty:#?}");
}

#[test]
fn the_scan_of_names_sees_what_it_should() {
    let seen = |text: &str| literals(product(text));
    assert_eq!(
        seen("/// \"sse\"\nfn a() { b(\"ws\", c!(\"poll\")) }"),
        ["ws", "poll"]
    );
    assert!(seen("#[cfg(test)]\nmod tests { const A: &str = \"ws\"; }").is_empty());
    assert!(seen("#[cfg(test)]\nmod tests;").is_empty());
    assert_eq!(seen("#[cfg(test)]\nuse a::b;\nconst A: &str = \"ws\";"), ["ws"]);
}

/// The files that are no tests: those that no `#[cfg(test)] mod NAME;` declares.
fn product_sources() -> Vec<PathBuf> {
    let all = sources(&root());
    let tests: Vec<PathBuf> = all.iter().flat_map(|path| test_modules(path)).collect();
    all.into_iter()
        .filter(|path| {
            !tests
                .iter()
                .any(|test| path.starts_with(test) || *path == test.with_extension("rs"))
        })
        .collect()
}

/// The modules of a file that are compiled for tests alone, each as the path of its folder.
fn test_modules(path: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(path).unwrap();
    let names = text.split("#[cfg(test)]").skip(1).filter_map(|rest| {
        let line = rest.trim_start().lines().next()?;
        let name = line.strip_suffix(';')?.split("mod ").nth(1)?;
        Some(name.to_owned())
    });
    let inside = match path
        .file_stem()
        .is_some_and(|stem| stem == "mod" || stem == "lib")
    {
        true => path.parent().unwrap().to_owned(),
        false => path.with_extension(""),
    };
    names.map(|name| inside.join(name)).collect()
}

/// A file's tokens without what is compiled for tests alone.
fn product(text: &str) -> Vec<TokenTree> {
    let tokens: Vec<TokenTree> = text.parse::<TokenStream>().unwrap().into_iter().collect();
    let is_test = |tree: &TokenTree| matches!(tree, TokenTree::Group(group) if group.stream().to_string().replace(' ', "") == "cfg(test)");
    let (mut kept, mut skipping) = (Vec::new(), false);
    for token in tokens {
        // An item ends with its braces, or with a semicolon.
        let ends = match &token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            _ => false,
        };
        if is_test(&token) {
            skipping = true;
        } else if skipping {
            skipping = !ends;
        } else {
            kept.push(token);
        }
    }
    kept
}

/// The string literals among tokens, but for those of attributes, as documentation is one.
fn literals(tokens: Vec<TokenTree>) -> Vec<String> {
    let mut found = Vec::new();
    let mut before = ' ';
    for token in tokens {
        match &token {
            TokenTree::Group(group) if before == '#' && group.delimiter() == Delimiter::Bracket => {}
            TokenTree::Group(group) => found.extend(literals(group.stream().into_iter().collect())),
            TokenTree::Literal(literal) => {
                found.extend(syn::parse_str::<syn::LitStr>(&literal.to_string()).map(|text| text.value()));
            }
            _ => {}
        }
        before = match token {
            TokenTree::Punct(punct) => punct.as_char(),
            _ => ' ',
        };
    }
    found
}
