//! Servers on several threads (`--threads`): clients cannot tell, and one that is killed ends as a whole.

use std::thread;

use mailcall::lab::Lab;
use mailcall::outcome::{Arrivals, Outcome, Scenario};
use mailcall::technique;

#[cfg(unix)]
use crate::support::served::Serving;
use crate::support::serving::{Raw, Served, patient, request};

/// One burst, so that it does not matter how fast the machine is; nobody is silent for as long as a heartbeat.
fn run(name: &str, threads: usize, apart: bool) -> Outcome {
    let scenario = Scenario {
        mails: 4,
        rate_per_s: 20.0,
        arrivals: Arrivals::Burst(4),
        clients: 5,
        heartbeat_ms: 3_600_000.0,
        grace_ms: 60_000.0,
        threads,
        ..Scenario::default()
    };
    let mut lab = Lab::new(scenario).unwrap();
    lab.isolate = apart.then(|| env!("CARGO_BIN_EXE_mailcall").into());
    let outcomes = lab.compare(&[technique::named(name).unwrap()], &|_| {});
    let outcome = outcomes.unwrap().remove(0);
    assert!(outcome.clean(), "{name}: {:?}", outcome.mails);
    assert_eq!(outcome.mails.delivered, 20, "{name}");
    outcome
}

#[test]
fn several_threads_send_the_bytes_that_one_sends() {
    for name in ["long-poll", "sse", "ws", "stomp", "tcp"] {
        let one = run(name, 1, false);
        for (several, apart) in [(3, false), (2, cfg!(target_os = "linux"))] {
            let several = run(name, several, apart);
            assert_eq!(several.bytes, one.bytes, "{name}");
            assert_eq!(several.requests, one.requests, "{name}");
            assert_eq!(several.connections.opened, one.connections.opened, "{name}");
            let used = several.server.map(|used| used.cpu_us > 0.0);
            assert_eq!(used, apart.then_some(true), "{name}");
        }
    }
}

/// This many clients that have each got a mail from a server on several threads, and wait for the next.
fn waiting(clients: usize) -> (Served, Vec<Raw>) {
    let scenario = Scenario {
        threads: 4,
        ..Scenario::default()
    };
    let served = Served::start("sse", patient(), scenario);
    served.post(10);
    let mut raws: Vec<Raw> = (0..clients).map(|_| served.say(request("sse"))).collect();
    for raw in &mut raws {
        let mut heard = Vec::new();
        while !heard.ends_with(b"mmmmmmmmmm") {
            heard.extend(raw.read(1));
        }
    }
    (served, raws)
}

#[test]
fn one_that_is_killed_ends_with_all_its_connections() {
    let (served, raws) = waiting(50);
    assert_eq!((served.ledger.open(), served.ledger.opened()), (50, 50));
    assert_eq!(served.kill().tally.mails, 50);
    for mut raw in raws {
        assert!(
            !raw.rest().ends_with(b"0\r\n\r\n"),
            "the end of a response was sent"
        );
    }
}

#[test]
fn one_that_stops_ends_each_response() {
    let (served, raws) = waiting(50);
    let stopping = thread::spawn(|| served.stop());
    for mut raw in raws {
        assert!(raw.rest().ends_with(b"0\r\n\r\n"), "a response without an end");
    }
    assert_eq!(stopping.join().unwrap().tally.mails, 50);
}

#[cfg(unix)]
#[test]
fn serve_delivers_to_fifty_clients_from_several_threads() {
    let serving = Serving::start(&["sse", "--mails", "0", "--threads", "3"]);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..50)
            .map(|_| scope.spawn(|| serving.get_some("/sse?after=0", "Lunch?")))
            .collect();
        assert!(serving.post("text/plain", b"Lunch?").contains("201 Created"));
        for client in clients {
            assert!(client.join().unwrap().contains("id: 1"));
        }
    });
}

#[cfg(unix)]
#[test]
fn a_server_alone_has_a_thread_for_each_core_unless_told_otherwise() {
    let cores = thread::available_parallelism().unwrap().get().min(64);
    for (args, expected) in [
        (&["--mails", "0"][..], cores),
        (&["--mails", "0", "--slow-policy", "buffer"], 1),
        (&["--mails", "0", "--threads", "5"], 5),
    ] {
        let schedule = Serving::start(args).get("/schedule");
        let body = schedule.split_once("\r\n\r\n").unwrap().1;
        let schedule: serde_json::Value = serde_json::from_str(body).unwrap();
        // One is not mentioned.
        let threads = schedule["scenario"]["threads"].as_u64().unwrap_or(1);
        assert_eq!(threads, expected as u64, "{args:?}");
    }
}
