//! `mailcall storm` as a user starts it.

use std::process::{Command, Output};

fn storm(args: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command.arg("storm").args(args.split_whitespace());
    command.env("LC_ALL", "C").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_same_seed_is_the_same_storm_to_the_byte() {
    for flags in ["", "--tls"] {
        let once = |seed: u8| {
            storm(&format!(
                "poll socketio --clients 9 --simulate --seed {seed} {flags}"
            ))
        };
        let first = once(1);
        assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
        let [first, again, other] = [first, once(1), once(2)].map(|output| text(&output.stdout));
        assert_eq!(first, again);
        assert!(
            first.contains("simulated, nothing was measured; 9 clients"),
            "{first}"
        );
        assert_ne!(first, other);
    }
    let json = storm("ws --clients 2 --simulate --format json").stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert!(json["environment"].is_null(), "it belongs to no machine: {json}");
}

#[test]
fn what_is_not_possible_is_said() {
    let some = storm("sse ws --clients 3 --http 1.0 --simulate");
    assert_eq!(some.status.code(), Some(0), "{}", text(&some.stderr));
    assert!(
        text(&some.stdout).contains("ws: not possible here"),
        "{}",
        text(&some.stdout)
    );
    for (args, why) in [
        ("ws --http 1.0", "not possible here"),
        ("--baseline --new-log", "bare TCP names no log"),
        ("--keep-log --new-log", "cannot be used with"),
        ("--jitter 5ms", "[possible values: none, equal, full]"),
        ("--rate 100000/s --size 1000000", "a shorter --down"),
    ] {
        let refused = storm(args);
        assert_eq!(refused.status.code(), Some(2), "{args}");
        assert!(
            text(&refused.stderr).contains(why),
            "{args}: {}",
            text(&refused.stderr)
        );
        assert!(refused.stdout.is_empty(), "{args}");
    }
}

/// A new log loses on purpose.
#[test]
fn mail_that_a_new_log_loses_is_no_failure() {
    let lost = storm("poll --clients 9 --interval 2s --rate 8/s --new-log --simulate --format json");
    assert_eq!(lost.status.code(), Some(0), "{}", text(&lost.stderr));
    let json: serde_json::Value = serde_json::from_slice(&lost.stdout).unwrap();
    let row = &json["results"][0];
    assert!(row["mails"]["lost"].as_u64() > Some(0), "{row:#}");
    assert_eq!(
        (&row["mails"]["reset"], &json["new_log"]),
        (&9.into(), &true.into())
    );
    assert!(row["predicted"].is_null() && json["formula_most_connects_in_500ms"].is_null());
}
