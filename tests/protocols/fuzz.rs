//! Each fuzz target reads the inputs that its corpus holds, as `scripts/fuzz` begins: an input that broke
//! something once must not break it again.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn each_target_has_a_corpus_and_each_corpus_a_target() {
    let folders = inside(&corpora());
    let folders: BTreeSet<_> = folders
        .iter()
        .map(|folder| folder.file_name().unwrap().to_str().unwrap())
        .collect();
    let targets: BTreeSet<_> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(folders, targets);
    assert!(targets.iter().all(|name| targets::named(name).is_some()));
}

#[test]
fn each_target_takes_its_corpus() {
    let mut broken = Vec::new();
    for (name, target) in targets::TARGETS {
        let inputs = inside(&corpora().join(name));
        assert!(!inputs.is_empty(), "{name} has no input");
        for input in inputs {
            let data = fs::read(&input).unwrap();
            if panic::catch_unwind(|| target(&data)).is_err() {
                broken.push(input);
            }
        }
    }
    assert!(
        broken.is_empty(),
        "what was said above is about these: {broken:#?}"
    );
}
