//! What is fuzzed: each decoder of `mailcall::wire`, and each reader of a file that a user hands over.
//! A target takes any bytes and panics where the code under it does something wrong.
//!
//! `scripts/fuzz SECONDS` runs the targets under libFuzzer, whose entry is `main.rs`. `cargo test` has no
//! fuzzer; it includes this file and gives each target its inputs from `corpus/` (`tests/protocols/fuzz.rs`).

mod files;
mod wire;

/// Does with an input what is to be done.
pub type Target = fn(&[u8]);

/// Every target, by the name of its folder in `corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("conversation", wire::conversation),
    ("csv", files::csv),
    ("engineio", wire::engineio),
    ("headers", files::headers),
    ("http2", wire::http2),
    ("layers", wire::layers),
    ("lengths", wire::lengths),
    ("lesson", files::lesson),
    ("list", wire::list),
    ("mail", wire::mail),
    ("mbox", files::mbox),
    ("prices", files::prices),
    ("report", files::report),
    ("sockjs", wire::sockjs),
    ("sse", wire::sse),
    ("stomp", wire::stomp),
    ("transcript", wire::transcript),
    ("websocket", wire::websocket),
];

/// The target of this name.
pub fn named(name: &str) -> Option<Target> {
    TARGETS
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, target)| *target)
}

/// The text at the start of the bytes, to the first that is not UTF-8.
fn text(data: &[u8]) -> &str {
    let valid = data.utf8_chunks().next();
    valid.map_or("", |chunk| chunk.valid())
}
