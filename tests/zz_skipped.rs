//! Says at the end of `cargo test` how many tests were skipped, and which peer each lacks. Its name puts it
//! behind all other test programs, which cargo runs in alphabetical order; it has no tests of its own.

#[path = "support/skips.rs"]
mod skips;

use std::collections::{BTreeMap, BTreeSet};

fn main() {
    // Whoever only wants to know what tests there are.
    if std::env::args().any(|arg| arg == "--list") {
        return;
    }
    let mut lacking: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (what, test) in skips::take(skips::parent()) {
        lacking.entry(what).or_default().insert(test);
    }
    let tests: BTreeSet<&String> = lacking.values().flatten().collect();
    println!("\n{}", summary(tests.len()));
    for (what, tests) in &lacking {
        let names: Vec<&str> = tests.iter().map(String::as_str).collect();
        println!("  without {what}: {}", names.join(", "));
    }
}

fn summary(skipped: usize) -> String {
    match skipped {
        0 => "skipped: no test for want of a peer".into(),
        1 => "skipped: 1 test, which counts as passed above (scripts/peers installs what is missing)".into(),
        n => format!(
            "skipped: {n} tests, which count as passed above (scripts/peers installs what is missing)"
        ),
    }
}
