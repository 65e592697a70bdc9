//! A log has a name, its epoch: a server that comes back with another log says so to every client, whichever
//! technique it uses, and the client reads that log from its beginning.
#![cfg(unix)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mailcall::lab::Lab;
use mailcall::lab::visit::{Visit, Visited};
use mailcall::mail::Epoch;
use mailcall::outcome::{Arrivals, Outcome, Scenario, Warning};
use mailcall::technique::{self, Headers, Origin, Technique};
use rustix::process::Signal;
use tokio_util::sync::CancellationToken;

use crate::support::served::{Serving, mailcall, run};
use crate::support::{PATIENCE, until};

/// The mails of the first log that a client has seen when its server is killed, and those that it still waits for.
const SEEN: u64 = 3;
const AWAITED: u64 = 5;

fn visit(technique: &'static Technique, server: &Serving) -> Visit {
    Visit {
        technique,
        origin: Origin::plain(server.authority()),
        authority: None,
        scenario: Scenario {
            poll_interval_ms: 30.0,
            grace_ms: 20_000.0,
            ..Scenario::default()
        },
        headers: Arc::new(Headers::default()),
        mails: Some(SEEN + AWAITED),
        interrupt: CancellationToken::new(),
    }
}

fn post(server: &Serving, mails: u64) {
    for n in 0..mails {
        assert!(
            server
                .post("text/plain", format!("mail {n}").as_bytes())
                .contains(" 201 ")
        );
    }
}

/// What is told of a visit in which the server is killed, and another comes back at its address: with no mail
/// yet, or with more than the client has seen of the first.
fn across_a_restart(technique: &'static Technique, args: &[&str], later: u64) -> Visited {
    let first = Serving::start(&["--mails", "0"]);
    let visit = visit(technique, &first);
    let (arrived, asked) = visit.arrive().unwrap();
    let delivered = AtomicU64::new(0);
    let address = first.authority().to_owned();
    std::thread::scope(|scope| {
        let (visit, delivered) = (&visit, &delivered);
        let staying = scope.spawn(move || {
            visit.stay(&arrived, asked, &|progress| {
                delivered.fetch_max(progress.delivered, Ordering::SeqCst);
            })
        });
        post(&first, SEEN);
        until("the client has seen the first log's mail", || {
            delivered.load(Ordering::SeqCst) == SEEN
        });
        // No goodbye: as if the machine had lost its power.
        first.kill();
        let second = Serving::start(&[args, &["--listen", &address]].concat());
        post(&second, later);
        let deadline = Instant::now() + PATIENCE;
        while !staying.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        visit.interrupt.cancel();
        let visited = staying.join().unwrap().unwrap();
        second.stop(Signal::INT);
        visited
    })
}

fn check(technique: &Technique, visited: &Visited) {
    let outcome = &visited.outcome;
    let m = &outcome.mails;
    let all = SEEN + AWAITED;
    assert_eq!(
        (
            m.expected,
            m.delivered,
            m.lost,
            m.reset,
            m.duplicated,
            m.reordered,
            m.gap
        ),
        (all, all, 0, 1, 0, 0, 0),
        "{}",
        technique.name
    );
    assert!(!outcome.clean(), "{}: exit code 1", technique.name);
    let told = |w: &Warning| *w == Warning::Reset;
    assert!(
        outcome.trust.warnings.iter().any(told),
        "{}: {:?}",
        technique.name,
        outcome.trust
    );
}

#[test]
fn every_client_notices_that_its_server_came_back_with_an_empty_log() {
    for technique in technique::ALL {
        check(
            technique,
            &across_a_restart(technique, &["--mails", "0"], AWAITED),
        );
    }
}

#[test]
fn every_client_notices_a_log_that_is_longer_than_its_cursor() {
    let burst = ["--mails", "5", "--rate", "1000/s", "--arrivals", "burst:5"];
    for technique in technique::ALL {
        check(technique, &across_a_restart(technique, &burst, 0));
    }
}

/// Fast enough for a test.
fn quick() -> Scenario {
    Scenario {
        mails: 4,
        rate_per_s: 40.0,
        arrivals: Arrivals::Steady,
        poll_interval_ms: 20.0,
        grace_ms: 10_000.0,
        ..Scenario::default()
    }
}

fn coming_with(technique: &'static Technique, cursor: &str, scenario: Scenario) -> Outcome {
    let mut lab = Lab::new(scenario).unwrap();
    lab.cursor = cursor.parse().unwrap();
    lab.compare(&[technique], &|_| {}).unwrap().remove(0)
}

#[test]
fn a_cursor_of_no_log_here_is_reset_by_every_server() {
    let other = if Epoch::of_seed(1).to_string() == "aaaa" {
        "bbbb"
    } else {
        "aaaa"
    };
    for technique in technique::ALL {
        for (cursor, resets) in [
            ("9".to_owned(), 1),
            ("9.".into(), 1),
            (format!("0.{other}"), 1),
            (format!("3.{other}"), 1),
            ("0".into(), 0),
            ("0.".into(), 0),
        ] {
            let m = coming_with(technique, &cursor, quick()).mails;
            assert_eq!(
                (m.delivered, m.lost, m.reset, m.duplicated),
                (4, 0, resets, 0),
                "{} from {cursor}",
                technique.name
            );
        }
    }
}

/// Several subscriptions are told, and the client counts one reset.
#[test]
fn topics_share_a_log_and_its_reset() {
    let stomp = technique::named("stomp").unwrap();
    let scenario = Scenario {
        topics: vec!["a".into(), "b".into(), "c".into()],
        ..quick()
    };
    let m = coming_with(stomp, "9", scenario).mails;
    assert_eq!((m.delivered, m.lost, m.reset, m.duplicated), (4, 0, 1, 0));
}

/// A reset, and behind it a gap, where the new log has dropped its oldest.
#[test]
fn a_reset_comes_before_a_gap() {
    let server = Serving::start(&["--mails", "0", "--keep", "2"]);
    post(&server, 5);
    let answer = server.get("/poll?after=9");
    let list = answer.split_once("\r\n\r\n").unwrap().1;
    let list: Vec<serde_json::Value> = serde_json::from_str(list).unwrap();
    let epoch = list[0]["reset"].as_str().unwrap().to_owned();
    assert_eq!(
        (list[1]["gap"].as_u64(), list[2]["id"].as_u64(), list.len()),
        (Some(3), Some(4), 4)
    );
    let named = server.get("/poll?after=3.");
    assert!(
        named.contains(&format!(r#"[{{"epoch":"{epoch}"}},{{"id":4,"#)),
        "{named}"
    );
    let known = server.get(&format!("/poll?after=4.{epoch}"));
    assert!(known.contains(r#"[{"id":5,"#), "{known}");
    let stream = server.get_some("/sse?after=9", "\nid: 5.");
    assert!(
        stream.contains(&format!("event: reset\nid: 0.{epoch}\ndata: {epoch}\n\n"))
            && stream.contains(&format!("event: gap\nid: 3.{epoch}\ndata: 3\n\n")),
        "{stream}"
    );
    server.stop(Signal::INT);
}

/// An empty log has nothing to send but the reset, and its client is not told again.
#[test]
fn an_empty_log_says_that_it_is_another() {
    let server = Serving::start(&["--mails", "0", "--hold", "1s"]);
    for path in ["/poll", "/long-poll"] {
        let answer = server.get(&format!("{path}?after=5"));
        let list = answer.split_once("\r\n\r\n").unwrap().1;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let epoch = list
            .strip_prefix(r#"[{"reset":""#)
            .and_then(|l| l.strip_suffix(r#""}]"#))
            .unwrap();
        let again = server.get(&format!("/poll?after=0.{epoch}"));
        assert!(again.starts_with("HTTP/1.1 204 "), "{again}");
    }
    for old in ["0", "0."] {
        assert!(
            server
                .get(&format!("/poll?after={old}"))
                .starts_with("HTTP/1.1 204 ")
        );
    }
    server.stop(Signal::INT);
}

#[test]
fn a_cursor_that_is_none_is_refused_with_what_is_allowed() {
    let server = Serving::start(&["--mails", "0"]);
    for path in ["/poll", "/long-poll", "/sse", "/ws", "/schedule"] {
        for bad in ["x", "1.2", "1.K3F9", "-1", "+1", "", "1.k3f9x"] {
            let answer = server.get(&format!("{path}?after={bad}"));
            assert!(
                answer.starts_with("HTTP/1.1 400 ") && answer.contains("N or N.EPOCH"),
                "{path} {bad}: {answer}"
            );
        }
    }
    server.stop(Signal::INT);
    let said = run(&["inspect", "poll", "--after", "1.2"]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        said.status.code() == Some(2) && text.contains("N.EPOCH"),
        "{text}"
    );
}

/// Two logs under one seed differ, where nobody asked for a run that can be repeated.
#[test]
fn a_server_draws_its_epoch_and_a_run_has_that_of_its_seed() {
    let epochs = [(); 3].map(|()| {
        let server = Serving::start(&["--mails", "0"]);
        let said = server.get("/schedule");
        let said: serde_json::Value = serde_json::from_str(said.split_once("\r\n\r\n").unwrap().1).unwrap();
        server.stop(Signal::INT);
        said["epoch"].as_str().unwrap().parse::<Epoch>().unwrap()
    });
    assert!(epochs.iter().any(|epoch| *epoch != epochs[0]));
    let ids = |seed: &str| {
        let output = mailcall(&["inspect", "sse", "--mails", "1", "--seed", seed])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let id = text.split_once("id: 1.").expect(&text).1;
        id.chars().take(4).collect::<String>()
    };
    assert_eq!(ids("7"), Epoch::of_seed(7).to_string());
}

/// What a reset looks like on the wire: no byte of it is payload or framing.
#[test]
fn a_reset_is_control_in_every_technique() {
    for (technique, said) in [
        ("poll", r#"{"reset":"#),
        ("long-poll", r#"{"reset":"#),
        ("sse", "event: reset"),
        ("ws", r#"{"reset":"#),
        ("stomp", "reset:"),
        ("sockjs", r#"{\"reset\":"#),
        ("socketio", r#"42["reset",{"reset":"#),
    ] {
        let output = run(&[
            "inspect", technique, "--after", "9", "--mails", "1", "--format", "json",
        ]);
        assert_eq!(output.status.code(), Some(0), "{technique}");
        let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let units = all["connections"].as_array().unwrap().iter();
        let units = units.flat_map(|c| c["units"].as_array().unwrap());
        let parts: Vec<_> = units.flat_map(|u| u["parts"].as_array().unwrap()).collect();
        let telling: Vec<_> = parts
            .iter()
            .filter(|p| p["text"].as_str().is_some_and(|t| t.contains(said)))
            .collect();
        assert_eq!(telling.len(), 1, "{technique}");
        assert_eq!(telling[0]["labels"]["control"], telling[0]["size"], "{technique}");
        let why = telling[0].to_string();
        assert!(
            why.contains("none of this log") || technique == "socketio",
            "{technique}: {why}"
        );
    }
}

/// All techniques read the same mails from one log, each in the bytes that it makes of them.
#[test]
fn all_techniques_share_a_mailbox_in_both_forms() {
    for frames in ["text", "binary"] {
        let server = Serving::start(&["--mails", "0", "--frames", frames]);
        let visits: Vec<Visit> = technique::ALL.iter().map(|t| visit(t, &server)).collect();
        let arrived: Vec<_> = visits.iter().map(|v| v.arrive().unwrap()).collect();
        post(&server, SEEN + AWAITED);
        std::thread::scope(|scope| {
            let staying: Vec<_> = visits
                .iter()
                .zip(arrived)
                .map(|(visit, (arrived, asked))| {
                    scope.spawn(move || visit.stay(&arrived, asked, &|_| {}).unwrap().outcome)
                })
                .collect();
            let deadline = Instant::now() + PATIENCE;
            while !staying.iter().all(|s| s.is_finished()) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            visits.iter().for_each(|visit| visit.interrupt.cancel());
            for staying in staying {
                let outcome = staying.join().unwrap();
                let m = &outcome.mails;
                assert!(
                    outcome.clean() && m.delivered == SEEN + AWAITED,
                    "{} with --frames {frames}: {m:?}",
                    outcome.technique
                );
                // What clients decode is what was sent: the payload is as long for each.
                assert_eq!(
                    outcome.bytes.down.payload % (SEEN + AWAITED),
                    0,
                    "{}",
                    outcome.technique
                );
            }
        });
        server.stop(Signal::INT);
    }
}
