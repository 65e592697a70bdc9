//! The lessons that come with the program, in the recommended order.

use super::{Fault, Lesson};

/// A lesson on the shelf: its name and its file's text.
pub type Shelved = (&'static str, &'static str);

macro_rules! shelf {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../demos/", $name, ".toml")))),+]
    };
}

/// All built-in lessons.
pub const SHELF: &[Shelved] = shelf![
    "four-ways",
    "wasted-polls",
    "mail-waits",
    "headers-outweigh",
    "long-polling",
    "one-response",
    "opening-handshake",
    "frames",
    "closing-handshake",
    "both-ways",
    "real-network",
    "holding-connections",
    "dead-client",
    "stateless",
    "another-log",
    "http2",
    "encryption",
    "publish-subscribe",
    "websocket-blocked",
    "behind-a-proxy",
    "polls-first",
    "seventh-tab",
    "slow-reader",
    "after-a-deploy",
    "several-servers",
    "real-day",
    "which-one",
];

/// A built-in lesson by its name or its number, which counts from 1.
pub fn named(wanted: &str) -> Option<Shelved> {
    let number = wanted.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    let numbered = number.and_then(|i| SHELF.get(i));
    numbered
        .or_else(|| SHELF.iter().find(|(name, _)| *name == wanted))
        .copied()
}

/// The lesson's name that is closest to a misspelt one.
pub fn nearest(wanted: &str) -> Option<&'static str> {
    const LIKE: f64 = 0.8;
    let likeness = |name: &&str| strsim::jaro_winkler(name, wanted);
    let names = SHELF.iter().map(|(name, _)| *name);
    names
        .filter(|name| likeness(name) > LIKE)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

/// Reads all built-in lessons.
///
/// # Errors
/// If one is not valid, which a test rules out.
pub fn built_in() -> Result<Vec<Lesson>, Fault> {
    SHELF
        .iter()
        .map(|(name, text)| Lesson::parse(name, text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_file_is_missing_from_the_shelf() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("demos");
        let there: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|e| {
                Some(
                    e.unwrap()
                        .file_name()
                        .to_str()?
                        .strip_suffix(".toml")?
                        .to_string(),
                )
            })
            .collect();
        let shelved: BTreeSet<String> = SHELF.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(there, shelved);
        assert_eq!(shelved.len(), SHELF.len(), "a lesson is there twice");
    }

    #[test]
    fn lessons_are_found_by_name_and_number() {
        assert_eq!(named("1").unwrap().0, SHELF[0].0);
        assert_eq!(named("wasted-polls").unwrap().0, "wasted-polls");
        assert!(named("0").is_none() && named("1000").is_none() && named("none").is_none());
    }

    #[test]
    fn each_is_in_both_languages_with_the_same_figures() {
        for lesson in built_in().unwrap() {
            assert!(
                lesson.seconds.is_some_and(|s| (1..=20).contains(&s)),
                "{}",
                lesson.name
            );
            for words in lesson.words() {
                assert!(words.in_both(), "{}: {words:?}", lesson.name);
                let mut each = words.expressions().into_iter().map(|all| {
                    let texts: BTreeSet<String> = all.iter().map(|e| e.text().to_string()).collect();
                    texts
                });
                assert_eq!(each.next(), each.next(), "{}", lesson.name);
            }
            assert!(
                lesson.steps.iter().any(|s| s.question.is_some()),
                "{} asks nothing",
                lesson.name
            );
            for run in lesson.steps.iter().filter_map(|s| s.run.as_ref()) {
                assert!(
                    run.expect.is_empty() || !run.counter.is_empty(),
                    "{}: {} has expectations that nothing fails",
                    lesson.name,
                    run.command
                );
            }
            assert!(
                lesson
                    .steps
                    .iter()
                    .flat_map(|s| &s.run)
                    .any(|r| !r.expect.is_empty()),
                "{} expects nothing",
                lesson.name
            );
        }
    }
}
