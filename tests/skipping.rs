//! A test whose peer is missing is noted for the summary at the end of `cargo test`, and fails where peers are
//! required.

#[path = "support/mod.rs"]
mod support;

use std::process::Command;

use support::skips;

/// Set where this program starts itself with a test that lacks something.
const LACKING: &str = "MAILCALL_TEST_LACKS_A_PEER";

#[test]
fn lacks_a_peer() {
    if std::env::var_os(LACKING).is_some() {
        assert!(!support::is_here("a peer that nobody has", false));
    }
}

fn itself(required: &str) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "lacks_a_peer"]).env(LACKING, "1");
    command.env("MAILCALL_REQUIRE_PEERS", required);
    command.output().unwrap().status.success()
}

#[test]
fn what_is_skipped_is_noted_once_or_fails() {
    let noted = || skips::take(std::process::id());
    assert!(noted().is_empty());
    assert!(itself("0"));
    assert_eq!(
        noted(),
        [("a peer that nobody has".into(), "lacks_a_peer".into())]
    );
    assert!(noted().is_empty(), "it is not there for a later run");
    assert!(!itself("1"), "required, so not skipped");
    assert!(noted().is_empty());
}
