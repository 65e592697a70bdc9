//! `--tabs 8` over real sockets: what is measured is what was simulated, and the run says what happened.

use std::process::{Command, Output};

use mailcall::lab::Lab;
use mailcall::outcome::{HttpVersion, Outcome, Scenario};
use mailcall::technique;

fn run(name: &str, scenario: Scenario) -> Outcome {
    let technique = technique::named(name).unwrap();
    let scenario = Scenario {
        mails: 5,
        rate_per_s: 20.0,
        clients: 8,
        tabs: Some(8),
        grace_ms: 300.0,
        ..scenario
    };
    let outcomes = Lab::new(scenario)
        .unwrap()
        .compare(&[technique], &|_| {})
        .unwrap();
    outcomes.into_iter().next().unwrap()
}

#[test]
fn the_seventh_tab_waits_as_predicted() {
    for (name, http, delivered, requests) in [
        ("sse", HttpVersion::Http10, 30, 6),
        ("sse", HttpVersion::Http11, 30, 6),
        ("ndjson", HttpVersion::Http11, 30, 6),
        ("sse", HttpVersion::Http2, 40, 8),
        ("ws", HttpVersion::Http11, 40, 8),
        ("ws", HttpVersion::Http2, 40, 8),
    ] {
        let about = format!("{name} {http}");
        let o = run(
            name,
            Scenario {
                http,
                ..Scenario::default()
            },
        );
        assert_eq!(
            (o.mails.delivered, o.requests.total),
            (delivered, requests),
            "{about}"
        );
        assert!(
            o.clean() && o.undisturbed(),
            "{about}: {:?} {:?}",
            o.mails,
            o.tabs
        );
        let (measured, predicted) = (o.tabs.unwrap(), o.predicted.tabs.clone().unwrap());
        assert!(o.predicted.was_made(), "{about}");
        assert_eq!(o.predicted.requests.total, requests as f64, "{about}");
        assert_eq!(
            o.predicted.bytes.down.payload, o.bytes.down.payload as f64,
            "{about}"
        );
        assert_eq!(
            (measured.queued, measured.unserved, measured.undelivered),
            (predicted.queued, predicted.unserved, predicted.undelivered),
            "{about}"
        );
        let one = http == HttpVersion::Http2;
        let connections = if one { 1 } else { requests };
        assert_eq!(o.connections.opened, connections, "{about}");
    }
}

#[test]
fn requests_that_end_take_turns() {
    for name in ["poll", "long-poll"] {
        let o = run(
            name,
            Scenario {
                reply: true,
                ..Scenario::default()
            },
        );
        assert_eq!((o.mails.delivered, o.mails.replies), (40, Some(40)), "{name}");
        // That there are at most six connections is shown in simulated time: on a busy machine hyper's pool may open
        // one more, which nobody uses, while another becomes free.
        assert!(o.clean(), "{name}: {:?}", o.mails);
        assert_eq!(o.tabs.unwrap().unserved, 0, "{name}");
    }
}

fn mailcall(args: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command.env("LC_ALL", "C").args(args.split(' ')).output().unwrap()
}

#[test]
fn the_table_and_the_timeline_show_the_queue() {
    let output = mailcall("compare sse ws --tabs 8 --mails 4 --rate 20/s --simulate --timeline");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "the scenario planned it: {text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "8 tabs of one browser",
        "A browser opens at most 6 HTTP/1 connections to a host",
        "requests that waited for one in vain: 2, mails that their tabs did not get: 8.",
        "The queue for the browser's connections",
        "░ a request waits for a free connection.",
        "Shown: 2 of 8 clients.",
    ] {
        assert!(words.contains(said), "{said}: {text}");
    }
    assert!(!words.contains("undelivered when the run ended"), "{text}");
    let lane = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(
        lane("sse 7").contains("░░░") && !lane("sse 7").contains('●'),
        "{text}"
    );
    assert!(
        lane("ws 7").contains('●') && !lane("ws 7").contains('░'),
        "{text}"
    );
    // Alone, each tab that may wait has a lane.
    let output = mailcall("sse --tabs 20 --mails 4 --rate 20/s --simulate --timeline");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\nsse 8 ") && !text.contains("\nsse 9 "), "{text}");
    assert!(text.contains("Shown: 8 of 20 clients."), "{text}");
}

#[test]
fn bad_usage_is_named() {
    for (args, said) in [
        ("sse --tabs 0", "allowed is a whole number from 1 to 100"),
        ("sse --tabs 101", "allowed is a whole number from 1 to 100"),
        ("sse --tabs 8 --clients 8", "--clients"),
    ] {
        let output = mailcall(args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args}: {text}");
        assert!(text.contains(said), "{args}: {text}");
    }
}
