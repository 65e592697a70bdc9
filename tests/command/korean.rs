//! Everything that is said to people is there in Korean, and nothing in `locales/` is left over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proc_macro2::{TokenStream, TokenTree};

mod walk;

/// A text for people, and the names that are given to its placeholders where they stand beside it.
struct Text {
    key: String,
    /// `None` where the text is looked up elsewhere than where it stands.
    given: Option<BTreeSet<String>>,
    file: String,
    /// Whether it surely is for people; else it may be a name.
    needed: bool,
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// Where texts stand in tables and are looked up when they are drawn: every literal there may be one.
const EXPLAINS: &[&str] = &["src/explain", "src/report/transcript"];

/// What stands as a literal in `t!`, `text!` and `phrase!`, or anywhere in what explains.
fn texts() -> Vec<Text> {
    let mut found = Vec::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let source: TokenStream = fs::read_to_string(&path).unwrap().parse().unwrap();
        let explains = EXPLAINS
            .iter()
            .any(|folder| path.to_string_lossy().contains(folder));
        if explains && !path.ends_with("tests.rs") {
            collect_all(source.clone(), &path.display().to_string(), &mut found);
        }
        collect(source, &path.display().to_string(), &mut found);
    }
    found.extend(sources_of_rows());
    found
}

/// What the tables of explanations name as sources: looked up when it is drawn, as most are in no language.
fn sources_of_rows() -> Vec<Text> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/explain");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let tables = paths.filter(|path| path.extension().is_some_and(|e| e == "toml"));
    let mut found = Vec::new();
    for path in tables {
        let text = fs::read_to_string(&path).unwrap();
        let sources = text.lines().filter_map(|line| line.strip_prefix("source = "));
        found.extend(sources.map(|source| Text {
            key: source.trim_matches('"').into(),
            given: None,
            file: path.display().to_string(),
            needed: source.contains("mailcall"),
        }));
    }
    assert!(found.len() > 100, "{} sources", found.len());
    found
}

fn collect(tokens: TokenStream, file: &str, found: &mut Vec<Text>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let macro_name = match at.checked_sub(2).map(|before| &tokens[before..at]) {
            Some([TokenTree::Ident(name), TokenTree::Punct(bang)]) if bang.as_char() == '!' => {
                name.to_string()
            }
            _ => String::new(),
        };
        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
        if let Some(text) = inner.first().and_then(literal) {
            let key = match macro_name.as_str() {
                "t" | "text" | "phrase" => Some(text),
                _ => None,
            };
            let given = ["t", "phrase"].contains(&&*macro_name).then(|| names(&inner));
            found.extend(key.map(|key| Text {
                key,
                given,
                file: file.into(),
                needed: true,
            }));
        }
        collect(group.stream(), file, found);
    }
}

/// Every literal but those of attributes, tests and errors.
fn collect_all(tokens: TokenStream, file: &str, found: &mut Vec<Text>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        found.extend(literal(token).map(|key| Text {
            needed: is_prose(&key),
            key,
            given: None,
            file: file.into(),
        }));
        let before: String = tokens[at.saturating_sub(2)..at]
            .iter()
            .map(|t| format!("{t} "))
            .collect();
        let skipped = ["# ", "# ! ", "mod tests ", "ensure ! "]
            .iter()
            .any(|b| before.ends_with(b));
        if let TokenTree::Group(group) = token
            && !skipped
        {
            collect_all(group.stream(), file, found);
        }
    }
}

/// Names of details, which are labels.
const LABELS: &[&str] = &["can give", "last stream", "would like"];

/// Whether a literal is words: neither a label, nor the name of a specification's section.
fn is_prose(text: &str) -> bool {
    let is_word = |w: &str| w.len() > 1 && w.chars().all(|c| c.is_ascii_lowercase());
    let words: Vec<&str> = text.split(' ').collect();
    let row = words
        .windows(2)
        .any(|two| is_word(two[0]) && two[1].starts_with(|c: char| c.is_ascii_lowercase() || c == '('));
    let source = text.starts_with(|c: char| c.is_ascii_uppercase())
        && ["section", "appendix"]
            .iter()
            .any(|s| text.contains(&format!(", {s} ")))
        && !text.contains('(')
        && !text.ends_with('.');
    !source && !LABELS.contains(&text) && (row || words.len() > 1 && text.ends_with('.'))
}

fn literal(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else {
        return None;
    };
    match syn::Lit::new(literal.clone()) {
        syn::Lit::Str(text) => Some(text.value()),
        _ => None,
    }
}

/// The names before `=` on a macro's first level.
fn names(tokens: &[TokenTree]) -> BTreeSet<String> {
    let pairs = tokens.windows(3).filter_map(|three| match three {
        [
            TokenTree::Punct(comma),
            TokenTree::Ident(name),
            TokenTree::Punct(is),
        ] if comma.as_char() == ',' && is.as_char() == '=' => Some(name.to_string()),
        _ => None,
    });
    pairs.collect()
}

fn korean() -> BTreeMap<String, String> {
    let all = mailcall::_rust_i18n_backend().messages_for_locale("ko").unwrap();
    all.into_iter()
        .map(|(k, v)| (k.into_owned(), v.into_owned()))
        .collect()
}

/// The placeholders of a text.
fn placeholders(text: &str) -> BTreeSet<String> {
    let named = text.split("%{").skip(1);
    named
        .map(|rest| rest.split_once('}').expect("a placeholder ends").0.to_string())
        .collect()
}

#[test]
fn every_text_has_its_korean_and_no_korean_is_left_over() {
    let (texts, korean) = (texts(), korean());
    assert!(texts.len() > 100, "the scan finds {} texts", texts.len());
    let mut faults = Vec::new();
    for text in texts.iter().filter(|t| t.needed && !korean.contains_key(&t.key)) {
        faults.push(format!("{}: no Korean for {:?}", text.file, text.key));
    }
    for technique in mailcall::technique::ALL
        .iter()
        .filter(|t| !korean.contains_key(t.about))
    {
        faults.push(format!("no Korean for {:?}", technique.about));
    }
    let help = mailcall::cli::help_texts();
    assert!(help.len() > 500, "the help has {} texts", help.len());
    for text in help.iter().filter(|text| !korean.contains_key(*text)) {
        faults.push(format!("--help: no Korean for {text:?}"));
    }
    let known = texts.iter().map(|t| &t.key).chain(&help);
    let known: BTreeSet<&str> = known.map(String::as_str).collect();
    for key in korean.keys().filter(|k| !known.contains(k.as_str())) {
        faults.push(format!("locales: nothing says {key:?}"));
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// Files whose errors are for the user of the command line: each text of an error there is looked up.
const COMPLAINS: &[&str] = &[
    "src/cli",
    "src/input.rs",
    "src/lab/access",
    "src/lab/descriptors.rs",
    "src/lab/storm.rs",
    "src/lab/vanish.rs",
    "src/lab/visit",
    "src/lesson/reader.rs",
    "src/link/tls.rs",
    "src/mail/replay",
    "src/outcome/plausible.rs",
    "src/proxy/shelf.rs",
    "src/report/output.rs",
    "src/report/views/saved",
    "src/technique/flags.rs",
    "src/technique/headers.rs",
    "src/technique/quantities.rs",
    "src/technique/talk.rs",
];

/// Literals of at least two words that are made into errors or messages without a look-up.
fn unspoken(tokens: TokenStream, found: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let before: String = tokens[at.saturating_sub(2)..at]
            .iter()
            .map(|t| format!("{t} "))
            .collect();
        if before == "mod tests " {
            continue;
        }
        let complains = [
            "bail ! ",
            "anyhow ! ",
            "ensure ! ",
            "tell ! ",
            ". context ",
            "Err ",
        ];
        if complains.iter().any(|makes| before.ends_with(makes)) {
            let literals = group.stream().into_iter().filter_map(|token| literal(&token));
            found.extend(literals.filter(|text| text.split_whitespace().count() > 1 && prose(text) > 0));
        }
        unspoken(group.stream(), found);
    }
}

#[test]
fn no_error_is_made_without_a_look_up() {
    let mut found = Vec::new();
    unspoken(
        r#"fn f() { bail!("not {n} looked up"); anyhow!(t!("looked up")); tell!("{}: {why}", t!("x y")); }
           mod tests { fn g() { bail!("in a test"); } }"#
            .parse()
            .unwrap(),
        &mut found,
    );
    assert_eq!(found, ["not {n} looked up"]);
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let name = path.display().to_string();
        if COMPLAINS.iter().any(|place| name.contains(place)) && !name.ends_with("tests.rs") {
            let mut found = Vec::new();
            unspoken(fs::read_to_string(&path).unwrap().parse().unwrap(), &mut found);
            assert_eq!(found, [""; 0], "{name}");
        }
    }
}

#[test]
fn placeholders_are_the_same_in_both_languages_and_all_are_given() {
    let mut faults = Vec::new();
    for (key, korean) in korean() {
        if placeholders(&key) != placeholders(&korean) {
            faults.push(format!("{key:?} and {korean:?} have other placeholders"));
        }
    }
    for text in texts() {
        if let Some(given) = text.given
            && given != placeholders(&text.key)
        {
            faults.push(format!("{}: {:?} is given {given:?}", text.file, text.key));
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// A particle after a placeholder must fit whatever the value is.
#[test]
fn no_particle_is_fixed_behind_a_value() {
    const FIXED: &[&str] = &["은", "는", "이", "가", "을", "를", "과", "와", "으로", "로"];
    let mut faults = Vec::new();
    for (_, korean) in korean() {
        for rest in korean.split('}').skip(1) {
            let word: String = rest.chars().take_while(|c| c.is_alphabetic()).collect();
            if FIXED.contains(&word.as_str()) {
                faults.push(format!("{word} in {korean:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_scan_sees_what_it_should() {
    let mut found = Vec::new();
    let source = r#"fn f() { g(t!("a %{n} b \
                    c", n = h(x = 1), m = 2)); match x { _ => text!("d") } }
                    const A: Text = phrase!("up to %{ms} ms", ms = late); // t!("not this")
                    fn z() { t!(variable); other!("e"); }"#;
    collect(source.parse().unwrap(), "here", &mut found);
    let keys: Vec<&str> = found.iter().map(|t| t.key.as_str()).collect();
    assert_eq!(keys, ["a %{n} b c", "d", "up to %{ms} ms"]);
    assert_eq!(found[0].given, Some(["m", "n"].map(String::from).into()));
    assert_eq!(found[1].given, None);
    assert_eq!(placeholders("a %{n} b %{m}"), ["m", "n"].map(String::from).into());
    let mut all = Vec::new();
    let source = r#"#[doc = "not this"] const T: (&str, &str) = ("what the body is", "RFC 9110, section 8.3");
                    fn f() { ensure!(x, "nor this one"); vec![("one", "A blank line.")] }
                    mod tests { const A: &str = "nor that one"; }"#;
    collect_all(source.parse().unwrap(), "here", &mut all);
    let all: Vec<(&str, bool)> = all.iter().map(|t| (&*t.key, t.needed)).collect();
    let wanted = [
        ("what the body is", true),
        ("RFC 9110, section 8.3", false),
        ("one", false),
        ("A blank line.", true),
    ];
    assert_eq!(all, wanted);
}

fn said(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command.env("LC_ALL", "ko_KR.UTF-8").stdin(Stdio::null());
    let output = command.args(args).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The longest row of lower-case English words on a line: prose that nobody looked up.
fn prose(line: &str) -> usize {
    let is_word = |w: &&str| w.len() > 1 && w.chars().all(|c| c.is_ascii_lowercase());
    let rows = line.split_whitespace().collect::<Vec<_>>();
    rows.split(|w| !is_word(w)).map(<[_]>::len).max().unwrap_or(0)
}

#[test]
fn json_flags_and_labels_stay_english() {
    let text = said(&["poll", "--mails", "2", "--rate", "1000/s", "--format", "json"]);
    assert!(text.is_ascii(), "{text}");
    let table = said(&["poll", "--mails", "2", "--rate", "1000/s"]);
    for label in [
        "mean latency",
        "requests",
        "overhead",
        "head",
        "framing",
        "payload",
        "predicted",
    ] {
        assert!(table.contains(label), "{label}\n{table}");
    }
}
