//! The floors are checked, not remembered: a file imports downward only, and `lab` and `report`, on
//! the same floor, don't know each other. What is known of a technique stands in its
//! own file, and files do not import each other in cycles.

use std::collections::{BTreeMap, BTreeSet};
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
        "clock" | "input" | "proxy" | "tap" | "terminal" | "mail" | "link" | "outcome" | "scratch" => {
            (1, &[])
        }
        "technique" => (2, &["link"]),
        "lab" => (3, &["lesson", "report"]),
        "report" => (3, &["lab", "lesson"]),
        "lesson" => (3, &["lab", "report"]),
        "class" => (4, &[]),
        "cli" => (5, &[]),
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

/// The most lines of a file, its tests left out.
const MOST_LINES: usize = 500;

#[test]
fn no_file_is_longer_than_one_can_read() {
    let length = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let product = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
        product.lines().count()
    };
    let sources = product_sources();
    let long: Vec<_> = sources
        .iter()
        .map(|path| (path.strip_prefix(root()).unwrap(), length(path)))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .collect();
    assert!(sources.len() > 200 && long.is_empty(), "{long:?}");
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

#[test]
fn files_do_not_import_each_other_in_cycles() {
    let sources: Sources = product_sources()
        .iter()
        .filter_map(|path| Some((module_path(path)?, Source::read(path))))
        .collect();
    assert!(sources.len() > 200, "only {} files were read", sources.len());
    let shown: Vec<String> = cycles(&imported(&sources))
        .iter()
        .map(|cycle| {
            cycle
                .iter()
                .map(|file| file.join("/"))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    assert!(shown.is_empty(), "{shown:#?}");
}

#[test]
fn the_scan_of_cycles_sees_what_it_should() {
    let knots = |files: &[(&str, &str)]| {
        let module = |name: &str| {
            name.split('/')
                .filter(|n| !n.is_empty())
                .map(String::from)
                .collect()
        };
        let sources = files
            .iter()
            .map(|(name, text)| (module(name), Source::of(text)))
            .collect();
        let cycles = cycles(&imported(&sources));
        let names: Vec<String> = cycles.iter().flatten().map(|file| file.join("/")).collect();
        names
    };
    // By `use` and by path, in groups, and through what another file re-exports.
    assert_eq!(
        knots(&[
            ("a", "use crate::{b::{B, C}, c};"),
            ("b", "fn f() { crate::a::g() }"),
            ("c", "")
        ]),
        ["a", "b"]
    );
    let through = |exported: &str| {
        knots(&[
            ("a", &format!("mod b; mod c; {exported}")),
            ("a/b", "pub struct B; use super::C;"),
            ("a/c", "pub struct C; use super::B;"),
        ])
    };
    assert_eq!(through("pub use b::B; pub use c::C;"), ["a/b", "a/c"]);
    // A table of contents imports nothing; a file that uses its own modules, and has what they use, does.
    assert!(knots(&[("a", "mod b; pub use b::B;"), ("a/b", "pub struct B;")]).is_empty());
    for uses in ["fn f() { b::g() }", "pub use b::B; fn f(_: B) {}"] {
        let text = format!("mod b; {uses}");
        assert_eq!(knots(&[("a", &text), ("a/b", "use super::f;")]), ["a", "a/b"]);
    }
    assert!(
        knots(&[
            ("a", "mod b;"),
            ("a/b", "#[cfg(test)]\nmod tests { use crate::a::b; }")
        ])
        .is_empty()
    );
}

/// A file, as the names of the modules that lead to it.
type File = Vec<String>;
type Sources = BTreeMap<File, Source>;
type Imports = BTreeMap<File, BTreeSet<File>>;

/// What a file says of others.
struct Source {
    uses: Vec<Use>,
    /// Paths outside of `use`, as far as they are names.
    paths: Vec<Vec<String>>,
    /// Single names outside of `use`; a name after `mod` is none of them, as the file only declares it.
    names: BTreeSet<String>,
}

/// A name that a `use` brings.
struct Use {
    path: Vec<String>,
    name: String,
    exported: bool,
}

/// `None` for the program, which imports the library.
fn module_path(path: &Path) -> Option<File> {
    let inside = path.strip_prefix(root()).unwrap().with_extension("");
    let mut names: File = inside
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.pop_if(|last| ["mod", "lib"].contains(&last.as_str()));
    (names != ["main"]).then_some(names)
}

impl Source {
    fn read(path: &Path) -> Source {
        Source::of(&fs::read_to_string(path).unwrap())
    }

    fn of(text: &str) -> Source {
        let mut words = Vec::new();
        flatten(product(text), &mut words);
        let (mut uses, mut paths, mut names, mut at) = (Vec::new(), Vec::new(), BTreeSet::new(), 0);
        while at < words.len() {
            let joined = at > 0 && ["::", "."].contains(&words[at - 1].as_str());
            if words[at] == "use" {
                let exported = at > 0 && ["pub", ")"].contains(&words[at - 1].as_str());
                let mut found = Vec::new();
                at = used(&words, at + 1, &[], &mut found);
                uses.extend(found.into_iter().map(|(path, name)| Use { path, name, exported }));
            } else if !joined && words.get(at + 1).is_some_and(|next| next == "::") {
                let mut path = vec![words[at].clone()];
                while words.get(at + 1).is_some_and(|next| next == "::") && is_name(words.get(at + 2)) {
                    path.push(words[at + 2].clone());
                    at += 2;
                }
                names.insert(path[0].clone());
                paths.push(path);
                at += 1;
            } else {
                if !joined && (at == 0 || words[at - 1] != "mod") {
                    names.insert(words[at].clone());
                }
                at += 1;
            }
        }
        Source { uses, paths, names }
    }
}

fn is_name(word: Option<&String>) -> bool {
    word.is_some_and(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

/// Names and punctuation in the order of the text, without literals.
fn flatten(tokens: Vec<TokenTree>, words: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let [open, close] = match group.delimiter() {
                    Delimiter::Brace => ["{", "}"],
                    Delimiter::Parenthesis => ["(", ")"],
                    Delimiter::Bracket => ["[", "]"],
                    Delimiter::None => ["", ""],
                };
                words.push(open.into());
                flatten(group.stream().into_iter().collect(), words);
                words.push(close.into());
            }
            TokenTree::Punct(punct) => match words.last_mut() {
                Some(last) if last == ":" && punct.as_char() == ':' => last.push(':'),
                _ => words.push(punct.as_char().to_string()),
            },
            TokenTree::Ident(name) => words.push(name.to_string()),
            TokenTree::Literal(_) => {}
        }
    }
}

/// Reads a tree of `use` from a place on, each path with the name that it brings; returns where it ends.
fn used(words: &[String], mut at: usize, before: &[String], found: &mut Vec<(Vec<String>, String)>) -> usize {
    let mut path = before.to_vec();
    loop {
        if words[at] == "{" {
            at += 1;
            while words[at] != "}" {
                at = used(words, at, &path, found);
                at += usize::from(words[at] == ",");
            }
            return at + 1;
        }
        path.push(words[at].clone());
        at += 1;
        if words[at] != "::" {
            break;
        }
        at += 1;
    }
    // `a::{self}` brings `a`.
    path.pop_if(|last| last == "self");
    let mut name = path.last().cloned().unwrap_or_default();
    if words[at] == "as" {
        name.clone_from(&words[at + 1]);
        at += 2;
    }
    found.push((path, name));
    at
}

/// From the root on; `None` for what is of another crate, or a name that is in scope anyhow.
fn absolute(sources: &Sources, file: &File, path: &[String]) -> Option<Vec<String>> {
    let supers = path.iter().take_while(|name| *name == "super").count();
    let (from, rest) = match path.first()?.as_str() {
        "crate" => (0, 1),
        "self" => (file.len(), 1),
        "super" => (file.len().checked_sub(supers)?, supers),
        first => {
            let child = [file.as_slice(), &[first.to_owned()]].concat();
            (sources.contains_key(&child).then_some(file.len())?, 0)
        }
    };
    Some([&file[..from], &path[rest..]].concat())
}

/// The file that a path leads to: where it names what another file re-exports, that one.
fn target(sources: &Sources, path: &[String], depth: usize) -> File {
    let mut file = File::new();
    for (at, name) in path.iter().enumerate() {
        let child = [file.as_slice(), std::slice::from_ref(name)].concat();
        if sources.contains_key(&child) {
            file = child;
            continue;
        }
        let brought = sources[&file].uses.iter().filter(|used| used.name == *name);
        let mut further = brought.filter_map(|used| absolute(sources, &file, &used.path));
        return match further.find(|further| *further != path[..=at]) {
            Some(further) if depth < 8 => target(sources, &[&further, &path[at + 1..]].concat(), depth + 1),
            _ => file,
        };
    }
    file
}

/// Which files each one imports. What it re-exports of its own modules is no import, unless it uses that itself.
fn imported(sources: &Sources) -> Imports {
    let of = |(file, source): (&File, &Source)| {
        let leads = |path: &[String]| Some(target(sources, &absolute(sources, file, path)?, 0));
        let only_exports = |used: &Use| used.exported && !source.names.contains(&used.name);
        let used = source
            .uses
            .iter()
            .filter_map(|used| leads(&used.path).filter(|to| !(only_exports(used) && to.starts_with(file))));
        let named = source.paths.iter().filter_map(|path| leads(path));
        let others = used.chain(named).filter(|to| to != file);
        (file.clone(), others.collect())
    };
    sources.iter().map(of).collect()
}

/// The files that can be reached from themselves, those that reach each other together.
fn cycles(imports: &Imports) -> Vec<BTreeSet<File>> {
    let reached = |from: &File| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
        while let Some(file) = left.pop() {
            left.extend(imports[file].iter().filter(|to| seen.insert((*to).clone())));
        }
        seen
    };
    let all: BTreeMap<&File, BTreeSet<File>> = imports.keys().map(|file| (file, reached(file))).collect();
    let cycle = |file: &File| -> BTreeSet<File> {
        let others = all[file].iter().filter(|other| all[other].contains(file));
        others.cloned().collect()
    };
    let cycles: BTreeSet<BTreeSet<File>> = imports.keys().map(cycle).collect();
    cycles.into_iter().filter(|cycle| !cycle.is_empty()).collect()
}
