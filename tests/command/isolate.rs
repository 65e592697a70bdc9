//! A server in a process of its own (`--isolate`): it costs what one in this process costs, carries
//! thousands of clients, and neither it nor the lab outlives the other.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Read;
use std::process::Command;

use mailcall::lab::Lab;
use mailcall::outcome::{Arrivals, Outcome, Scenario};
use mailcall::technique::{self, Technique};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::undisturbed::undisturbed;
use crate::support::{Kept, until};

fn lab(scenario: Scenario, apart: bool) -> Lab {
    let mut lab = Lab::new(scenario).unwrap();
    lab.isolate = apart.then(|| env!("CARGO_BIN_EXE_mailcall").into());
    lab
}

fn run(technique: &'static Technique, scenario: &Scenario, apart: bool) -> Outcome {
    let outcomes = lab(scenario.clone(), apart).compare(&[technique], &|_| {});
    let outcome = outcomes.unwrap().remove(0);
    assert!(outcome.clean(), "{}: {:?}", technique.name, outcome.mails);
    outcome
}

/// The run's command line, with mail for longer than any test takes.
fn endless() -> Kept {
    let args = ["ws", "--isolate", "--mails", "10000", "--rate", "100/s"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command.env("LC_ALL", "C");
    Kept::start(command.args(args).stderr(std::process::Stdio::piped()))
}

/// The state and the parent of a process (proc(5), `stat`).
fn stat(pid: i32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, in brackets, is a name that may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn children(parent: u32) -> Vec<i32> {
    let all = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, of)| of == parent))
        .collect()
}

/// Waits for the server's process of a run: its last child by then, and one that listens.
fn server_of(parent: u32) -> i32 {
    let mut server = None;
    until("the run has a server's process", || {
        server = children(parent).pop();
        server.is_some()
    });
    server.unwrap()
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// What is the same whatever the processor was doing: a Date field has one length, and so has a port.
fn figures(o: &Outcome) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        o.requests.clone(),
        (o.messages.down, o.messages.up),
        o.bytes,
        o.connections.opened,
    )
}

#[test]
fn it_costs_the_same_apart() {
    let scenario = Scenario {
        mails: 12,
        rate_per_s: 100.0,
        arrivals: Arrivals::Steady,
        clients: 3,
        ..Scenario::default()
    };
    for name in ["long-poll", "sse", "ws", "tcp"] {
        let technique = technique::named(name).unwrap();
        // How many mails share an answer of long polling is a matter of microseconds.
        let spread = if name == "long-poll" { 10.0 } else { 1.0 };
        let scenario = Scenario {
            rate_per_s: scenario.rate_per_s / spread,
            ..scenario.clone()
        };
        undisturbed(|| {
            let (here, apart) = (run(technique, &scenario, false), run(technique, &scenario, true));
            assert_eq!(figures(&here), figures(&apart), "{name}");
            assert_eq!(here.server, None);
            let used = apart.server.unwrap();
            assert!(
                used.cpu_us > 0.0 && used.cpu_us_per_delivery.unwrap() < 1e5,
                "{name}: {used:?}"
            );
            assert!(used.memory_bytes_per_connection.is_some(), "{name}: {used:?}");
        });
    }
}

#[test]
fn where_no_connection_waits_none_has_a_price() {
    let scenario = Scenario {
        mails: 3,
        rate_per_s: 50.0,
        poll_interval_ms: 20.0,
        ..Scenario::default()
    };
    let used = run(technique::named("poll").unwrap(), &scenario, true)
        .server
        .unwrap();
    assert_eq!(used.memory_bytes_per_connection, None);
    assert!(used.cpu_us > 0.0);
}

#[test]
fn thousands_of_clients_get_all_their_mail() {
    let scenario = Scenario {
        mails: 3,
        clients: 1_500,
        grace_ms: 30_000.0,
        ..Scenario::default()
    };
    let outcome = run(technique::named("ws").unwrap(), &scenario, true);
    assert_eq!(
        (outcome.mails.delivered, outcome.connections.peak),
        (4_500, 1_500)
    );
    let memory = outcome.server.unwrap().memory_bytes_per_connection.unwrap();
    assert!(
        (512.0..64.0 * 1024.0).contains(&memory),
        "{memory} bytes per connection"
    );
}

#[test]
fn a_lab_that_is_killed_leaves_no_server() {
    let mut lab = endless();
    let server = server_of(lab.id());
    kill(lab.id() as i32);
    lab.ended();
    // Nobody may be there to collect it, so that it stays as a zombie.
    until("the server is gone too", || {
        stat(server).is_none_or(|(state, _)| state == 'Z')
    });
}

#[test]
fn a_server_that_is_killed_fails_the_run() {
    let mut lab = endless();
    kill(server_of(lab.id()));
    assert_eq!(lab.ended().code(), Some(1));
    let mut said = String::new();
    lab.stderr().read_to_string(&mut said).unwrap();
    assert!(
        said.contains("the server's process ended before the run did (signal: 9 (SIGKILL))"),
        "{said}"
    );
}

#[test]
fn a_server_that_cannot_be_started_is_named() {
    let mut lab = lab(Scenario::default(), true);
    for (executable, why) in [
        ("/no/such/program", "cannot start /no/such/program"),
        ("/bin/true", "ended before"),
    ] {
        lab.isolate = Some(executable.into());
        let error = lab
            .compare(&[technique::named("ws").unwrap()], &|_| {})
            .unwrap_err();
        assert!(format!("{error:#}").contains(why), "{error:#}");
    }
}

#[test]
fn a_server_that_nobody_talks_to_ends() {
    for said in ["", "nonsense\n"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
        command.env("LC_ALL", "C");
        let mut server = Kept::start(command.arg(mailcall::lab::isolate::COMMAND));
        std::io::Write::write_all(&mut server.stdin(), said.as_bytes()).unwrap();
        let mut answer = String::new();
        server.stdout().read_to_string(&mut answer).unwrap();
        assert!(server.ended().success());
        assert_eq!(answer.contains("failed"), !said.is_empty(), "{answer}");
    }
}
