//! What the pages show is what the commands print. A block of output follows a comment that
//! names its command, and maybe which of its lines are shown (`<!-- run: mailcall compare | show: 1-6, "ws" -->`;
//! `support/shown.rs` says how). The test runs it and compares what is shown: of a simulated run every letter, of
//! another all that does not vary: layout, labels, units.
//! A command that has to fail has `(fails)` behind it.
//! `MAILCALL_REFRESH=1 cargo test --test command docs::` replaces the blocks with the present output;
//! `MAILCALL_REFRESH=tutorial/01` replaces only those of pages with this in their path. Where a command connects to
//! `HOST:PORT` and trusts `CA`, the test starts a `mailcall serve` with endless mail for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mailcall::lesson;

use crate::support;
use crate::support::shown::Shown;

/// Pages with output of commands, besides the chapters of the tutorial.
const PAGES: &[&str] = &[
    "README.md",
    "docs/guide.md",
    "docs/lesson-50-minutes.md",
    "docs/lab-2x90-minutes.md",
    "docs/exam.md",
    "README.ko.md",
    "docs/guide.ko.md",
    "docs/lesson-50-minutes.ko.md",
    "docs/lab-2x90-minutes.ko.md",
    "docs/exam.ko.md",
];
/// The chapters of the tutorial, in English and in Korean.
const CHAPTERS: [&str; 2] = ["docs/tutorial", "docs/tutorial.ko"];
/// Pages without output of commands.
const TEXTS: &[&str] = &[
    "ARCHITECTURE.md",
    "TUTORIAL.md",
    "TUTORIAL.ko.md",
    "docs/benchmarks.md",
    "docs/class.md",
    "docs/class.ko.md",
    "docs/creating-a-technique.md",
    "docs/install.md",
    "docs/install.ko.md",
    "docs/limits.md",
    "docs/limits.ko.md",
    "docs/proxies.md",
    "docs/proxies.ko.md",
    "docs/several-servers.md",
    "docs/several-servers.ko.md",
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
    /// The lines that are shown; `None` for all.
    show: Option<Shown>,
    /// Where the shown output begins and ends in its page.
    place: std::ops::Range<usize>,
}

impl Block {
    /// What of an output stands in the page.
    fn of(&self, printed: &str) -> String {
        let printed = without_warnings(printed);
        self.show
            .as_ref()
            .map_or(printed.clone(), |show| show.of(&printed))
    }

    /// Whether a page's text is, but for what varies, what was printed.
    fn is(&self, shown: &str, printed: &str) -> bool {
        // How long a signature of TLS is varies.
        let has = |flag| self.args.iter().any(|arg| arg == flag);
        if has("--simulate") && !has("--tls") {
            return shown == printed;
        }
        let sentence = self.show.as_ref().is_none_or(Shown::reaches_the_end);
        let (shown, printed) = (without_random(shown), without_random(printed));
        skeleton(&shown, sentence) == skeleton(&printed, sentence)
    }
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    for (at, _) in page.match_indices(COMMAND) {
        let line = page[at + COMMAND.len()..].lines().next().unwrap();
        let line = line.strip_suffix(" -->").expect("the comment ends its line");
        let (args, show) = match line.split_once(" | show: ") {
            Some((args, show)) => (args, Some(Shown::parse(show))),
            None => (line, None),
        };
        let open = at + page[at..].find(FENCE).unwrap();
        let start = open + page[open..].find('\n').unwrap() + 1;
        let end = start + page[start..].find(FENCE).unwrap();
        found.push(Block {
            args: args.split(' ').map(String::from).collect(),
            show,
            place: start..end,
        });
    }
    found
}

/// The locale of a page's reader.
fn locale(page: &Path) -> &'static str {
    let page = page.to_string_lossy();
    match page.ends_with(".ko.md") || page.contains(CHAPTERS[1]) {
        true => "ko_KR.UTF-8",
        false => "C",
    }
}

/// After a command that has to end with exit code 1: mail that does not come is what it shows.
const FAILS: &str = "(fails)";

fn run(args: &[String], locale: &str) -> String {
    let fails = args.last().is_some_and(|last| last == FAILS);
    let args = &args[..args.len() - usize::from(fails)];
    let is_expected = |output: &std::process::Output| output.status.code() == Some(i32::from(fails));
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
    let output = if is_expected(&first) { first } else { once() };
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(is_expected(&output), "mailcall {}: {error}", args.join(" "));
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
/// drawn lane only its name; nothing of the sentence, which follows the figures: of a run it stands between the
/// scenario and the table, of other commands at the end, if the end is shown. How wide the figures are decides for
/// how many of its columns a table has room: those that it may leave out do not count.
fn skeleton(text: &str, has_sentence: bool) -> Vec<Vec<&str>> {
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
    let last = all.len() - 1 - usize::from(all.last().is_some_and(layers));
    let table = all.iter().position(|p| p.contains("mean latency"));
    let is_sentence = |at: usize, paragraph: &&str| match table {
        Some(table) => (1..table).contains(&at) && !layers(paragraph),
        None => has_sentence && at == last,
    };
    for (at, paragraph) in all.into_iter().enumerate() {
        if !is_sentence(at, &paragraph) {
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

/// The chapters in a folder, in order.
fn chapters(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(in_tree(folder)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn pages() -> impl Iterator<Item = PathBuf> {
    let pages = PAGES.iter().map(|p| in_tree(p));
    pages.chain(CHAPTERS.iter().flat_map(|folder| chapters(folder)))
}

/// A command and the locale that it was run in.
type Asked = (Vec<String>, &'static str);

/// Runs the commands of a page that no page before it has had. They wait for mail most of the time: they can wait
/// together.
fn run_new(blocks: &[Block], locale: &'static str, printed: &mut BTreeMap<Asked, String>) {
    let asked = blocks.iter().map(|block| (block.args.clone(), locale));
    let new: BTreeSet<Asked> = asked.filter(|asked| !printed.contains_key(asked)).collect();
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for asked in new {
            let args = asked.0.clone();
            running.push((asked, scope.spawn(move || run(&args, locale))));
        }
        printed.extend(
            running
                .into_iter()
                .map(|(asked, run)| (asked, run.join().unwrap())),
        );
    });
}

#[test]
fn what_the_pages_show_is_what_the_commands_print() {
    let refresh = std::env::var("MAILCALL_REFRESH").ok();
    let wanted = |path: &PathBuf| match refresh.as_deref() {
        None | Some("1") => true,
        Some(part) => path.to_string_lossy().contains(part),
    };
    let mut all = BTreeMap::new();
    for path in pages().filter(wanted) {
        let page = fs::read_to_string(&path).unwrap();
        let blocks = blocks(&page);
        assert!(!blocks.is_empty(), "{} shows no output", path.display());
        let locale = locale(&path);
        run_new(&blocks, locale, &mut all);
        let printed = |block: &Block| block.of(&all[&(block.args.clone(), locale)]);
        if refresh.is_some() {
            let mut fresh = page.clone();
            for block in blocks.iter().rev() {
                fresh.replace_range(block.place.clone(), &printed(block));
            }
            fs::write(&path, fresh).unwrap();
            continue;
        }
        for block in &blocks {
            let shown = &page[block.place.clone()];
            if block.is(shown, &printed(block)) {
                continue;
            }
            // A page that drifted differs each time, one whose command met a machine that stood still does not.
            let again = block.of(&run(&block.args, locale));
            assert!(
                block.is(shown, &again),
                "{} shows something else than `mailcall {}` prints; scripts/refresh writes it anew\n\
                 shown:\n{shown}\nprinted:\n{again}",
                path.display(),
                block.args.join(" ")
            );
        }
    }
}

#[test]
fn a_page_shows_the_lines_that_it_selects() {
    let output = "one\ntwo poll\n\nthree\nfour\npoll five\nsix\n";
    for (show, shown) in [
        ("1-2", "one\ntwo poll\n…\n"),
        ("1-2, 4", "one\ntwo poll\n\nthree\n…\n"),
        ("\"poll\", \"poll\" to end", "…\ntwo poll\n…\npoll five\nsix\n"),
        ("1, \"three\" to \"poll\"", "one\n…\nthree\nfour\npoll five\n…\n"),
        ("1-7", output),
    ] {
        assert_eq!(Shown::parse(show).of(output), shown, "{show}");
    }
    let absent = std::panic::catch_unwind(|| Shown::parse("\"seven\"").of(output));
    assert!(absent.is_err(), "a text that is not there is no selection");
    let page = "<!-- run: mailcall poll --simulate | show: 1 -->\n```text\none\n…\n```\n";
    let block = blocks(page).remove(0);
    let shown = &page[block.place.clone()];
    assert!(block.is(shown, &block.of(output)));
    assert!(!block.is(shown, &block.of("on\ntwo\n")));
    let block = blocks(&page.replace(" --simulate", "").replace("one", "one 5")).remove(0);
    assert!(block.is("one 5\n…\n", &block.of("one 6\ntwo\n")));
    assert!(!block.is("one 5\n…\n", &block.of("two 5\ntwo\n")));
}

#[test]
fn a_drift_would_be_noticed() {
    let skeleton = |text| skeleton(text, true);
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
fn each_lesson_has_a_chapter_that_names_it_and_each_chapter_a_lesson() {
    let lessons = lesson::built_in().unwrap();
    let mut of_lessons = BTreeSet::new();
    for lesson in &lessons {
        for korean in [false, true] {
            let page = lesson.page(korean).expect("a lesson has a chapter");
            let text = fs::read_to_string(in_tree(&page)).unwrap_or_else(|e| panic!("{page}: {e}"));
            let call = format!("`mailcall demo {}", lesson.name);
            assert!(text.contains(&call), "{page} does not name {call}`");
            of_lessons.insert(in_tree(&page));
        }
    }
    let chapters: BTreeSet<PathBuf> = CHAPTERS.iter().flat_map(|folder| chapters(folder)).collect();
    assert_eq!(of_lessons, chapters, "a chapter has no lesson");
}

#[test]
fn the_chapters_are_the_same_in_both_languages_and_all_are_in_the_contents() {
    let names = |folder| -> Vec<String> {
        let paths = chapters(folder).into_iter();
        paths
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    let [english, korean] = CHAPTERS.map(names);
    assert_eq!(english, korean);
    for (contents, folder) in ["TUTORIAL.md", "TUTORIAL.ko.md"].into_iter().zip(CHAPTERS) {
        let text = fs::read_to_string(in_tree(contents)).unwrap();
        for (at, name) in english.iter().enumerate() {
            assert!(
                name.starts_with(&format!("{at:02}-")),
                "{name} is not chapter {at}"
            );
            assert!(text.contains(&format!("({folder}/{name})")), "{contents}: {name}");
        }
    }
}

/// The minutes that a chapter says it takes, at its top.
fn minutes(chapter: &Path) -> u32 {
    let text = fs::read_to_string(chapter).unwrap();
    let time = text.lines().find_map(|line| line.strip_prefix('*')).unwrap();
    let digits = time.chars().take_while(char::is_ascii_digit).collect::<String>();
    digits
        .parse()
        .unwrap_or_else(|_| panic!("{}: {time}", chapter.display()))
}

#[test]
fn a_chapter_says_how_long_it_takes_as_the_contents_do() {
    for (contents, folder) in ["TUTORIAL.md", "TUTORIAL.ko.md"].into_iter().zip(CHAPTERS) {
        let text = fs::read_to_string(in_tree(contents)).unwrap();
        let chapters = chapters(folder);
        for chapter in &chapters {
            let (name, time) = (chapter.file_name().unwrap().to_str().unwrap(), minutes(chapter));
            assert!((10..=25).contains(&time), "{}: {time} minutes", chapter.display());
            assert!(
                text.contains(&format!("({folder}/{name}) | {time} |")),
                "{contents}: {name} takes {time}"
            );
        }
        let first_hour: u32 = chapters[..6].iter().map(|chapter| minutes(chapter)).sum();
        assert!(
            first_hour <= 60,
            "{contents}: the first hour takes {first_hour} minutes"
        );
    }
}

/// Both languages show the output of the same commands.
#[test]
fn a_chapter_runs_the_same_commands_in_both_languages() {
    for (english, korean) in chapters(CHAPTERS[0]).iter().zip(chapters(CHAPTERS[1])) {
        let commands = |path: &Path| -> Vec<Vec<String>> {
            let blocks = blocks(&fs::read_to_string(path).unwrap());
            blocks.into_iter().map(|block| block.args).collect()
        };
        assert_eq!(commands(english), commands(&korean), "{}", korean.display());
    }
}

#[cfg(unix)]
#[test]
fn the_first_hour_is_short() {
    let output = Command::new(in_tree("scripts/count-first-hour"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("docs/tutorial").count(), 2, "{said}");
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
