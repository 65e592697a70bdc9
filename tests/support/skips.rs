//! The skipped tests of one `cargo test`. Its test programs are separate processes with the same cargo as
//! parent: each notes its skipped tests in one file, and the last of them (`tests/zz_skipped.rs`) reads it.
//! The file's name contains cargo's process id and start time, so that it cannot be confused with that of an
//! earlier run.
#![allow(dead_code)] // Some write, one reads.

use std::io::Write;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped")
}

/// The parent of this process: cargo.
pub fn parent() -> u32 {
    #[cfg(unix)]
    return std::os::unix::process::parent_id();
    #[cfg(not(unix))]
    0
}

/// The file for the notes of a process's children.
fn file(parent: u32) -> PathBuf {
    let stat = std::fs::read_to_string(format!("/proc/{parent}/stat")).unwrap_or_default();
    // The 22nd field is the start time (proc(5)); the second may contain spaces, in parentheses.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let started = fields.split_whitespace().nth(19).unwrap_or("0");
    folder().join(format!("{parent}-{started}"))
}

/// Notes that the test on this thread was skipped because `what` is missing.
pub fn note(what: &str) {
    let thread = std::thread::current();
    let line = format!("{what}\t{}\n", thread.name().unwrap_or("a test"));
    let noted = std::fs::create_dir_all(folder()).and_then(|()| {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(file(parent()))?;
        // In one write, so that parallel programs do not mix their lines.
        file.write_all(line.as_bytes())
    });
    noted.expect("what is skipped can be noted in cargo's target folder");
}

/// Reads and removes the notes of a process's children: for each skipped test, what is missing and its name.
pub fn take(parent: u32) -> Vec<(String, String)> {
    let file = file(parent);
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    // There is no file if nothing was skipped.
    let _ = std::fs::remove_file(&file);
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    pairs.map(|(what, test)| (what.into(), test.into())).collect()
}
