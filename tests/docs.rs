//! What the pages show is what the commands print. A block of output follows a comment that
//! names its command; the test runs it and compares all that does not vary: layout, labels, units.
//! `MAILCALL_REFRESH=1 cargo test --test docs` writes the blocks anew. Where a command goes to `HOST:PORT` and
//! trusts `CA`, a `mailcall serve` with endless mail is there for it.

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PAGES: &[&str] = &[
    "README.md",
    "TUTORIAL.md",
    "docs/guide.md",
    "README.ko.md",
    "TUTORIAL.ko.md",
    "docs/guide.ko.md",
];
/// Pages without output of commands.
const TEXTS: &[&str] = &[
    "ARCHITECTURE.md",
    "docs/benchmarks.md",
    "docs/creating-a-technique.md",
    "docs/limits.md",
    "docs/limits.ko.md",
];
const COMMAND: &str = "<!-- run: mailcall ";
const FENCE: &str = "```";

/// Where a server stands in for the reader's own.
const PLACE: &str = "HOST:PORT";

/// A server as the tutorial starts it, where it is, and the folder with whom to trust.
fn serve() -> (support::Kept, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command.args(["serve", "--tls", "--mails", "1000", "--rate", "2/s", "--ca"]);
    let mut server = support::Kept::start(command.arg(folder.path().join("ca.pem")).stderr(Stdio::null()));
    let mut url = String::new();
    BufReader::new(server.stdout()).read_line(&mut url).unwrap();
    (
        server,
        url.trim_end().trim_start_matches("https://").into(),
        folder,
    )
}

struct Block {
    args: Vec<String>,
    /// Where the shown output begins and ends in its page.
    shown: std::ops::Range<usize>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    for (at, _) in page.match_indices(COMMAND) {
        let line = page[at + COMMAND.len()..].lines().next().unwrap();
        let args = line.strip_suffix(" -->").expect("the comment ends its line");
        let open = at + page[at..].find(FENCE).unwrap();
        let start = open + page[open..].find('\n').unwrap() + 1;
        let end = start + page[start..].find(FENCE).unwrap();
        found.push(Block {
            args: args.split(' ').map(String::from).collect(),
            shown: start..end,
        });
    }
    found
}

/// The locale of a page's reader.
fn locale(page: &Path) -> &'static str {
    match page.to_string_lossy().ends_with(".ko.md") {
        true => "ko_KR.UTF-8",
        false => "C",
    }
}

fn run(args: &[String], locale: &str) -> String {
    let server = args.iter().any(|a| a.contains(PLACE)).then(serve);
    let args: Vec<String> = match &server {
        None => args.to_vec(),
        Some((_, place, ca)) => {
            let ca = ca.path().join("ca.pem");
            let there = |arg: &String| match arg.as_str() {
                "CA" => ca.display().to_string(),
                other => other.replace(PLACE, place),
            };
            args.iter().map(there).collect()
        }
    };
    let once = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
        command
            .env("LC_ALL", locale)
            .args(&args)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        command.output().unwrap()
    };
    // A machine that is too busy may lose mail, with its exit code: that happens once, a fault each time.
    let first = once();
    let output = if first.status.success() { first } else { once() };
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "mailcall {}: {error}", args.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// A warning belongs to the machine of the moment, not to the page.
fn without_warnings(text: &str) -> String {
    match text.find("warning: ").or_else(|| text.find("경고: ")) {
        Some(at) => text[..at].trim_end().to_string() + "\n",
        None => text.to_string(),
    }
}

/// Between these marks stands what every run has otherwise: a key, a date.
fn without_random(text: &str) -> String {
    let mut pieces = text.split('‹');
    let first = pieces.next().unwrap_or_default().to_string();
    pieces.fold(first, |all, piece| {
        all + piece.split_once('›').map_or(piece, |(_, rest)| rest)
    })
}

/// What a rerun must show again: every paragraph's words, in order, without figures, marks and bars; of a
/// drawn lane only its name; nothing of the sentence, which follows the figures. How wide these are decides
/// for how many of its columns a table has room: those that it may leave out do not count.
fn skeleton(text: &str) -> Vec<Vec<&str>> {
    const NOTES: [&[&str]; 4] = [
        &["of", "is", "the", "largest."],
        &["표본이", "곧", "최댓값입니다."],
        // Whether the last answer of a visit brings more mail than is awaited is chance.
        &[
            "per", "mail:", "of", "all", "that", "the", "bytes", "carried,", "awaited", "or", "not", "(poll:",
        ],
        &[
            "메일",
            "한",
            "통당:",
            "기다린",
            "메일이든",
            "아니든",
            "이",
            "바이트가",
            "나른",
            "모든",
            "메일로",
            "나눈",
            "값입니다(poll:",
        ],
    ];
    const LAYERS: [&str; 2] = ["What the layers cost", "위에 얹은 층의 비용"];
    const BEATS: [&str; 2] = ["STOMP heart-beat;", "STOMP 하트비트;"];
    const LEFT_OUT: &[&str] = &[
        "worst",
        "empty",
        "connections",
        "messages",
        "down",
        "up",
        "segments",
    ];
    let stays = |word: &&str| {
        let mark = |c| "×–▼├─┤·●|+*".contains(c) || ('▀'..='▟').contains(&c);
        !word.contains(|c: char| c.is_ascii_digit() || mark(c)) && *word != "best"
    };
    let mut paragraphs: Vec<Vec<&str>> = Vec::new();
    let all: Vec<&str> = text.split("\n\n").collect();
    let layers = |p: &&str| LAYERS.iter().any(|l| p.starts_with(l));
    let sentence = all.len() - 1 - usize::from(all.last().is_some_and(layers));
    for (at, paragraph) in all.into_iter().enumerate() {
        if at != sentence {
            let mut words: Vec<&str> = paragraph.split_whitespace().filter(stays).collect();
            if paragraph.contains(" p50 ") {
                words.retain(|w| !LEFT_OUT.contains(w));
            }
            words.dedup();
            for note in NOTES {
                if let Some(at) = words.windows(note.len()).position(|w| w == note) {
                    words.drain(at..at + note.len());
                }
            }
            // Two sides that beat at one instant do so in either order.
            if !BEATS.iter().any(|b| paragraph.contains(b)) {
                paragraphs.push(words);
            }
        }
    }
    paragraphs
}

fn in_tree(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn pages() -> impl Iterator<Item = PathBuf> {
    PAGES.iter().map(|p| in_tree(p))
}

#[test]
fn what_the_pages_show_is_what_the_commands_print() {
    let refresh = std::env::var_os("MAILCALL_REFRESH").is_some();
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        let blocks = blocks(&page);
        assert!(!blocks.is_empty(), "{} shows no output", path.display());
        // The runs of a page wait for mail most of the time: they can wait together.
        let printed: Vec<String> = std::thread::scope(|scope| {
            let running: Vec<_> = blocks
                .iter()
                .map(|b| scope.spawn(|| run(&b.args, locale(&path))))
                .collect();
            running
                .into_iter()
                .map(|r| without_warnings(&r.join().unwrap()))
                .collect()
        });
        if refresh {
            let mut fresh = page.clone();
            for (block, printed) in blocks.iter().zip(&printed).rev() {
                fresh.replace_range(block.shown.clone(), printed);
            }
            fs::write(&path, fresh).unwrap();
            continue;
        }
        for (block, printed) in blocks.iter().zip(&printed) {
            let shown = without_random(&page[block.shown.clone()]);
            let printed = without_random(printed);
            if skeleton(&shown) == skeleton(&printed) {
                continue;
            }
            // A page that drifted differs each time, one whose command met a machine that stood still does not.
            let again = without_random(&without_warnings(&run(&block.args, locale(&path))));
            assert_eq!(
                skeleton(&shown),
                skeleton(&again),
                "{} shows something else than `mailcall {}` prints; scripts/refresh writes it anew",
                path.display(),
                block.args.join(" ")
            );
        }
    }
}

#[test]
fn a_drift_would_be_noticed() {
    assert_eq!(without_random("key: ‹a b\nc›, date ‹d›"), "key: , date ");
    let shown = "poll  119 ×1,112  111\n  predicted 100\n\nlast words";
    assert_eq!(
        skeleton(shown),
        skeleton("poll  118 best  –\n  predicted 99\n\nother words")
    );
    assert_ne!(
        skeleton(shown),
        skeleton("poll  119 ×1,112  111\n  expected 100\n\nlast words")
    );
    assert_eq!(
        skeleton("poll  119\n\na sentence\n\nWhat the layers cost"),
        skeleton("poll  118\n\nanother\n\nWhat the layers cost")
    );
    assert_ne!(
        skeleton(shown),
        skeleton("sse  119 ×1,112  111\n  predicted 100\n\nlast words")
    );
    assert_eq!(
        skeleton(
            "latency  p50  p99  worst\nms  ms  ms  ms\n\nsaid. p99 of 20 is\nthe largest.\n\nlast words"
        ),
        skeleton("latency  p50  connections\nms  ms\n\nsaid.\n\nlast words")
    );
}

#[test]
fn the_files_that_the_pages_link_exist() {
    for path in pages().chain(TEXTS.iter().map(|p| in_tree(p))) {
        let page = fs::read_to_string(&path).unwrap();
        let links: Vec<&str> = page
            .match_indices("](")
            .filter_map(|(at, _)| page[at + 2..].split(')').next())
            .collect();
        for link in links.iter().filter(|l| !l.contains("://")) {
            let file = link.split('#').next().unwrap();
            assert!(
                path.parent().unwrap().join(file).exists(),
                "{}: {link}",
                path.display()
            );
        }
    }
}

/// `docs/dependencies.md` has a table for what the program needs and one for what its tests need.
#[test]
fn each_direct_dependency_is_listed_with_its_purpose() {
    let page = fs::read_to_string("docs/dependencies.md").unwrap();
    let listed: Vec<BTreeSet<String>> = page.split("For tests alone:").map(purposes).collect();
    let [program, tests] = &listed[..] else {
        panic!("one table for the program, one for its tests")
    };
    let manifest: toml::Table = fs::read_to_string("Cargo.toml").unwrap().parse().unwrap();
    assert_eq!(*program, direct(&manifest, "dependencies"));
    assert_eq!(*tests, direct(&manifest, "dev-dependencies"));
}

/// The crates of a table's rows, each of which says what its crate is for.
fn purposes(table: &str) -> BTreeSet<String> {
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let row = |row: &str| {
        let (name, purpose) = row.split_once("` | ").unwrap();
        assert!(
            !purpose.trim_matches([' ', '|']).is_empty(),
            "{name} has no purpose"
        );
        name.to_owned()
    };
    rows.map(row).collect()
}

/// What a manifest has under a heading, for every target or for some.
fn direct(manifest: &toml::Table, heading: &str) -> BTreeSet<String> {
    let targets = manifest["target"].as_table().unwrap().values();
    let tables = targets
        .filter_map(|target| target.get(heading))
        .chain(manifest.get(heading));
    let names = tables.flat_map(|table| table.as_table().unwrap().keys().cloned());
    names.collect()
}
