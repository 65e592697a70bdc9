//! Which tests of one `cargo test` were skipped. Its test programs are processes of their own, children of
//! the same cargo: each notes what it skips in one file, and the last of them (`tests/zz_skipped.rs`) reads
//! it. The file carries cargo's process id and start time in its name, so that no earlier run is mistaken
//! for this one.
#![allow(dead_code)] // Some write, one reads.

use std::io::Write;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped")
}

/// The process that started this one: cargo.
pub fn parent() -> u32 {
    #[cfg(unix)]
    return std::os::unix::process::parent_id();
    #[cfg(not(unix))]
    0
}

/// Where the children of a process note.
fn file(parent: u32) -> PathBuf {
    let stat = std::fs::read_to_string(format!("/proc/{parent}/stat")).unwrap_or_default();
    // The 22nd field is when it started (proc(5)); the second may hold spaces, in parentheses.
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
        // In one write, so that programs that run at once do not mix their lines.
        file.write_all(line.as_bytes())
    });
    noted.expect("what is skipped can be noted in cargo's target folder");
}

/// Takes what children of a process noted: for each skipped test, what is missing and its name.
pub fn take(parent: u32) -> Vec<(String, String)> {
    let file = file(parent);
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    // There is none where nothing was skipped.
    let _ = std::fs::remove_file(&file);
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    pairs.map(|(what, test)| (what.into(), test.into())).collect()
}
