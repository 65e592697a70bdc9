//! A technique's client alone, against a `mailcall serve` in a process of its own: both ends count the
//! same bytes, and what only one of them can know is not made up by the other.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Output, Stdio};
use std::time::Duration;

use mailcall::outcome::{Outcome, Report, Warning};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};

use crate::support;
use crate::support::Kept;
use crate::support::served::{Serving, Sum, mailcall, run};

/// Mail for longer than any test takes; a client leaves when it has its own.
const ENDLESS: &[&str] = &["--mails", "20000", "--rate", "100/s", "--size", "200"];

/// A TLS alert, with its record (RFC 8446, sections 5.2 and 6.1).
const CLOSE_NOTIFY: u64 = 24;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The report of a run that ended well, and what asking the server took besides.
fn report(output: &Output) -> (Report, [u64; 2]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let report: Report = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    let line = said
        .lines()
        .find(|l| l.starts_with("asking the server"))
        .expect(&said);
    let mut numbers = line.split(' ').filter_map(|word| word.parse().ok());
    (report, [numbers.next().unwrap(), numbers.next().unwrap()])
}

fn visit(technique: &str, server: &Serving, args: &[&str]) -> Output {
    let encrypted = server.url.starts_with("https");
    let scheme = match (technique, encrypted) {
        ("ws", false) => "ws",
        ("ws", true) => "wss",
        (_, false) => "http",
        (_, true) => "https",
    };
    let (url, ca) = (server.at(scheme), server.ca());
    let mut all = vec![technique, &url, "--format", "json"];
    if encrypted {
        all.extend(["--ca", &ca]);
    }
    if technique == "poll" {
        all.extend(["--interval", "30ms"]);
    }
    all.extend(args);
    run(&all)
}

/// What the server's end must have counted: the outcome, and two requests on two connections to ask what it
/// does.
fn expected(o: &Outcome, [up, down]: [u64; 2]) -> Sum {
    Sum {
        connections: o.connections.opened + 2,
        requests: o.requests.total + 2,
        up: o.bytes.up.total + up,
        down: o.bytes.down.total + down,
    }
}

/// Everything a visit must be, whatever it went over.
fn both_ends_agree(technique: &str, tls: bool, args: &[&str]) {
    let name = format!("{technique} tls={tls} {args:?}");
    let tls: &[&str] = if tls { &["--tls"] } else { &[] };
    let server = Serving::start(&[ENDLESS, tls].concat());
    let (report, asking) = report(&visit(technique, &server, &[&["--mails", "12"], args].concat()));
    let sum = server.stop(Signal::INT);
    let outcome = &report.results[0];
    assert!(
        outcome.clean() && outcome.mails.sent == 12,
        "{name}: {:?}",
        outcome.mails
    );
    let wanted = expected(outcome, asking);
    // Where the server ended a connection first, it does not read the client's goodbye any more.
    let unread = if tls.is_empty() { 0 } else { wanted.up - sum.up };
    assert_eq!(
        Sum {
            up: sum.up + unread,
            ..sum
        },
        wanted,
        "{name}"
    );
    assert!(
        unread % CLOSE_NOTIFY == 0 && unread <= wanted.connections * CLOSE_NOTIFY,
        "{name}: {unread}"
    );
    let each = outcome.mails.expected;
    let latency = outcome.latency_us.as_ref().expect("one machine, one clock");
    assert_eq!(latency.count, each, "{name}");
    // Not before it was due; and a server on this machine is not a minute away.
    assert!(latency.min > 0.0 && latency.max < 60e6, "{name}: {latency:?}");
    assert!(
        outcome.bytes.down.payload >= 200 * each,
        "{name}: {:?}",
        outcome.bytes
    );
    assert_eq!(outcome.bytes.down.tls > 0, !tls.is_empty(), "{name}");
    assert_eq!(
        outcome.requests.empty.is_some(),
        technique.contains("poll"),
        "{name}"
    );
    assert!(
        outcome.trust.warnings.iter().all(|w| matches!(
            w,
            Warning::LateArrivals { .. }
                | Warning::LateMessages { .. }
                | Warning::BusyClients { .. }
                | Warning::DueEarly { .. }
        )),
        "{name}: {:?}",
        outcome.trust
    );
}

fn over_all(technique: &str) {
    for tls in [false, true] {
        for version in ["1.0", "1.1", "2"] {
            if technique != "ws" || version != "1.0" {
                both_ends_agree(technique, tls, &["--http", version]);
            }
        }
        both_ends_agree(
            technique,
            tls,
            &["--clients", "3", "--reply", "--headers", "browser"],
        );
    }
}

#[test]
fn polling_is_counted_alike_at_both_ends() {
    over_all("poll");
}

#[test]
fn long_polling_is_counted_alike_at_both_ends() {
    over_all("long-poll");
}

#[test]
fn event_streams_are_counted_alike_at_both_ends() {
    over_all("sse");
}

#[test]
fn websockets_are_counted_alike_at_both_ends() {
    over_all("ws");
}

#[test]
fn what_only_the_servers_end_knows_is_not_made_up() {
    let server = Serving::start(ENDLESS);
    let output = visit("sse", &server, &["--mails", "3", "--reply"]);
    let url = server.at("http");
    server.stop(Signal::INT);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["remote"], url);
    let result = &json["results"][0];
    for unknown in ["/mails/replies", "/trust/late_p99_us", "/server", "/predicted"] {
        assert_eq!(
            result.pointer(unknown),
            Some(&serde_json::Value::Null),
            "{unknown}"
        );
    }
    // The scenario is of both: mail as the server has it, clients as they were asked for here.
    assert_eq!(
        (&json["scenario"]["size"], &json["scenario"]["reply"]),
        (&200.into(), &true.into())
    );
}

#[test]
fn a_table_says_where_it_was_measured_and_what_it_lacks() {
    let server = Serving::start(ENDLESS);
    let url = server.at("ws");
    let output = run(&["ws", &url, "--mails", "3", "--timeline"]);
    server.stop(Signal::INT);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let words = text(&output.stdout)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for said in [
        &format!("the server at {url}; 20,000 mails of 200 bytes"),
        "remote: measured at the client's end",
        "only the server's end can know",
        "▼",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
    assert!(
        !words.contains(" predicted 0") && !words.contains("predicted: what"),
        "{words}"
    );
}

#[test]
fn without_a_number_it_stays_for_all_that_is_planned() {
    let server = Serving::start(&["--mails", "40", "--rate", "10/s", "--arrivals", "steady"]);
    let (report, _) = report(&visit("ws", &server, &[]));
    server.stop(Signal::INT);
    let mails = &report.results[0].mails;
    assert!(
        report.results[0].clean() && (1..=40).contains(&mails.sent),
        "{mails:?}"
    );
    // All that came after the client did, to the last.
    let last = report.results[0].events.iter().filter_map(|e| e.mail).max();
    assert_eq!(last, Some(40));
}

/// Posts mail until a client has had enough.
fn post_until_ended(server: &Serving, client: &mut Kept) {
    support::until("the client has its mail", || {
        server.post("text/plain", b"Lunch?");
        client.has_ended().is_some()
    });
}

#[test]
fn mail_from_outside_reaches_a_waiting_client_and_was_never_due() {
    let server = Serving::start(&["--mails", "0"]);
    for technique in ["poll", "long-poll", "sse", "ws"] {
        let url = server.at(if technique == "ws" { "ws" } else { "http" });
        let mut client = Kept::start(&mut mailcall(&[
            technique, &url, "--mails", "2", "--format", "json",
        ]));
        post_until_ended(&server, &mut client);
        let mut json = String::new();
        client.stdout().read_to_string(&mut json).unwrap();
        let report: Report = serde_json::from_str(&json).unwrap();
        let outcome = &report.results[0];
        assert!(
            outcome.clean() && outcome.mails.delivered == 2,
            "{technique}: {:?}",
            outcome.mails
        );
        assert_eq!(outcome.latency_us, None, "{technique}");
        let unplanned = |w: &Warning| matches!(w, Warning::FromOutside { .. });
        let warnings = &outcome.trust.warnings;
        assert!(warnings.iter().any(unplanned), "{technique}: {warnings:?}");
    }
    server.stop(Signal::INT);
}

#[test]
fn mail_of_the_schedule_keeps_its_due_instant_among_mail_from_outside() {
    let server = Serving::start(&["--mails", "10000", "--rate", "10/s", "--arrivals", "steady"]);
    let url = server.at("ws");
    let mut client = Kept::start(&mut mailcall(&["ws", &url, "--mails", "30", "--format", "json"]));
    support::until("the client has its mail", || {
        // Slower than that, so that a third of the mail is of the schedule.
        std::thread::sleep(Duration::from_millis(50));
        server.post("text/plain", b"Lunch?");
        client.has_ended().is_some()
    });
    let mut json = String::new();
    client.stdout().read_to_string(&mut json).unwrap();
    server.stop(Signal::INT);
    let report: Report = serde_json::from_str(&json).unwrap();
    let outcome = &report.results[0];
    let latency = outcome.latency_us.as_ref().expect("some of it was planned");
    assert!(
        outcome.clean() && latency.count < 30,
        "some came from outside: {latency:?}"
    );
    // One number off would be 100 ms off, and more with every mail from outside. Of so many, one comes in time also on a
    // busy machine.
    assert!(latency.min < 75e3, "{latency:?}");
}

#[test]
fn a_replay_has_no_latency_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arrivals.csv");
    let rows: String = (0..500)
        .map(|i| format!("{},120\n", f64::from(i) / 50.0))
        .collect();
    std::fs::write(&file, format!("offset_s,bytes\n{rows}")).unwrap();
    let server = Serving::start(&["--replay", file.to_str().unwrap()]);
    let (report, _) = report(&visit("sse", &server, &["--mails", "3"]));
    server.stop(Signal::INT);
    let outcome = &report.results[0];
    assert!(
        outcome.clean() && outcome.latency_us.is_none(),
        "{:?}",
        outcome.latency_us
    );
    assert!(
        outcome.trust.warnings.contains(&Warning::ReplayElsewhere),
        "{:?}",
        outcome.trust
    );
}

#[test]
fn ctrl_c_ends_it_with_what_there_is() {
    let server = Serving::start(&["--mails", "0"]);
    let url = server.at("ws");
    let mut client = Kept::start(mailcall(&["ws", &url, "--format", "json"]).stderr(Stdio::piped()));
    let (mut said, mut stderr) = (String::new(), BufReader::new(client.stderr()));
    stderr.read_line(&mut said).unwrap();
    assert!(said.contains("until Ctrl-C"), "{said}");
    kill_process(Pid::from_raw(client.id() as i32).unwrap(), Signal::INT).unwrap();
    assert_eq!(client.ended().code(), Some(130));
    let mut json = String::new();
    client.stdout().read_to_string(&mut json).unwrap();
    let report: Report = serde_json::from_str(&json).unwrap();
    assert!(report.envelope.partial && report.results[0].mails.lost == 0);
    server.stop(Signal::INT);
}

#[test]
fn a_server_that_ends_early_is_mail_lost() {
    let server = Serving::start(&["--mails", "150", "--rate", "25/s"]);
    let url = server.at("ws");
    let mut command = mailcall(&["ws", &url, "--grace", "0s", "--format", "json"]);
    let mut client = Kept::start(command.stderr(Stdio::null()));
    support::until("the client has long been there", || {
        let answer = server.get("/schedule");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let said: serde_json::Value = serde_json::from_str(body).unwrap();
        said["newest"].as_u64() >= Some(100)
    });
    server.stop(Signal::INT);
    assert_eq!(client.ended().code(), Some(1));
    let mut json = String::new();
    client.stdout().read_to_string(&mut json).unwrap();
    let report: Report = serde_json::from_str(&json).unwrap();
    let outcome = &report.results[0];
    assert!(
        !outcome.clean() && outcome.latency_us.is_none(),
        "{:?}",
        outcome.mails
    );
    assert!(
        outcome
            .trust
            .warnings
            .iter()
            .any(|w| w.text().contains("cannot connect")),
        "{:?}",
        outcome.trust
    );
}

#[test]
fn a_technique_that_the_server_lacks_is_not_waited_for() {
    let server = Serving::start(&["sse", "--mails", "0"]);
    for (technique, scheme) in [("poll", "http"), ("ws", "ws")] {
        let url = server.at(scheme);
        let output = run(&[technique, &url, "--mails", "1", "--grace", "500ms"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("404"), "{}", text(&output.stderr));
    }
}

/// What it said, with this exit code and nothing on stdout.
fn refused(args: &[&str], code: i32) -> String {
    let output = run(args);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(output.stdout.is_empty(), "{args:?}");
    said
}

#[test]
fn another_authority_is_not_trusted() {
    let (server, other) = (
        Serving::start(&["--tls", "--mails", "0"]),
        Serving::start(&["--tls", "--mails", "0"]),
    );
    let said = refused(&["ws", &server.at("wss"), "--ca", &other.ca()], 1);
    assert!(
        said.contains("TLS handshake failed") && said.contains("certificate"),
        "{said}"
    );
    for server in [server, other] {
        server.stop(Signal::INT);
    }
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let no_ca = folder.path().join("empty.pem");
    std::fs::write(&no_ca, "nothing\n").unwrap();
    let no_ca = no_ca.to_str().unwrap();
    let here = "127.0.0.1:1";
    let url = |scheme: &str| format!("{scheme}://{here}");
    for (args, said) in [
        (
            &["ws", &url("http")][..],
            "allowed is ws://HOST:PORT or wss://HOST:PORT",
        ),
        (
            &["sse", &url("ws")],
            "allowed is http://HOST:PORT or https://HOST:PORT",
        ),
        (&["poll", here], "allowed is http://"),
        (
            &["poll", &(url("http") + "/poll")],
            "more than where the server is",
        ),
        (&["ws", &url("wss")], "--ca FILE"),
        (&["ws", &url("ws"), "--ca", no_ca], "nothing is encrypted"),
        (&["ws", &url("wss"), "--ca", no_ca], "no certificate in PEM"),
        (&["ws", &url("wss"), "--ca", "/nowhere"], "cannot trust /nowhere"),
        (&["ws", "--ca", no_ca], "URL"),
        (&["ws", &url("ws"), "--http", "1.0"], "not possible here"),
        (&["ws", &url("ws"), "--headers", "/nowhere"], "/nowhere"),
        (&["ws", &url("ws"), "--output", "/nowhere/out"], "/nowhere/out"),
    ] {
        let answer = refused(args, 2);
        assert!(answer.contains(said), "{args:?}: {answer}");
    }
    for (technique, flag) in [
        ("ws", "--rate=9/s"),
        ("ws", "--size=100"),
        ("ws", "--frames=binary"),
        ("ws", "--closer=client"),
        ("sse", "--heartbeat=1s"),
        ("long-poll", "--hold=1s"),
        ("poll", "--rtt=10ms"),
        ("poll", "--tls"),
        ("poll", "--seed=2"),
        ("poll", "--isolate"),
        ("poll", "--baseline"),
        ("poll", "--repeat=2"),
        ("poll", "--pcap=x.pcapng"),
    ] {
        let scheme = if technique == "ws" { "ws" } else { "http" };
        let answer = refused(&[technique, &url(scheme), flag], 2);
        let name = flag.split('=').next().unwrap();
        assert!(
            answer.contains(&format!("{name} cannot be used with a URL")),
            "{flag}: {answer}"
        );
    }
    assert!(refused(&["compare", &url("http")], 2).contains("invalid value"));
}

/// Something on a port that answers every request with this.
fn answering(answer: impl Into<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, answer) = (
        format!("http://{}", listener.local_addr().unwrap()),
        answer.into(),
    );
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            // It may have had enough of a long one.
            let _ = stream.write_all(&answer);
        }
    });
    url
}

/// A proxy before the server that gives the first requests for an event stream these answers.
fn answering_streams(server: &Serving, answers: &[&str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut answers: Vec<String> = answers
        .iter()
        .rev()
        .map(|a| format!("HTTP/1.1 {a}\r\n\r\n"))
        .collect();
    let server = server.authority().to_owned();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            let streams = head.starts_with(b"GET /sse");
            if let Some(answer) = if streams { answers.pop() } else { None } {
                client.write_all(answer.as_bytes()).unwrap();
                continue;
            }
            let mut up = TcpStream::connect(&server).unwrap();
            up.write_all(&head).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), up.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut up, &mut client);
                let _ = client.shutdown(Shutdown::Write);
            });
        }
    });
    url
}

#[test]
fn an_event_source_that_fails_is_started_again_and_reported() {
    let server = Serving::start(ENDLESS);
    for (answers, restarted) in [
        (&["307 Temporary Redirect\r\nLocation: /sse?after=0"][..], 0),
        (&["502 Bad Gateway", "200 OK\r\nContent-Type: text/html"], 2),
    ] {
        let url = answering_streams(&server, answers);
        let output = run(&["sse", &url, "--mails", "5", "--format", "json"]);
        let (report, _) = report(&output);
        let outcome = &report.results[0];
        let sources = outcome.event_sources.as_ref().unwrap();
        assert_eq!((sources.restarted, sources.ended), (restarted, 0), "{sources:?}");
        let why = sources.why.as_deref().unwrap_or_default();
        assert_eq!(why.contains("Content-Type \"text/html\""), restarted > 0, "{why}");
        assert!(outcome.clean() || restarted == 0, "{:?}", outcome.mails);
        assert_eq!(outcome.requests.total, 1 + answers.len() as u64);
    }
    let url = answering_streams(&server, &["502 Bad Gateway\r\nContent-Length: 0"]);
    let output = run(&["sse", &url, "--mails", "5"]);
    let table: Vec<String> = text(&output.stdout)
        .split_whitespace()
        .map(String::from)
        .collect();
    let table = table.join(" ");
    assert!(
        table.contains("started again by the application: 1.")
            && table.contains("/sse answered 502 Bad Gateway"),
        "{table}"
    );
    server.stop(Signal::INT);
}

#[test]
fn a_stream_that_is_ended_for_good_is_not_waited_for() {
    let server = Serving::start(ENDLESS);
    for (answer, why) in [
        ("204 No Content", "204 No Content"),
        (
            "200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: br",
            "Content-Encoding \"br\"",
        ),
        (
            "308 Permanent Redirect\r\nLocation: http://127.0.0.1:1/",
            "another origin",
        ),
    ] {
        let url = answering_streams(&server, &[answer; 9]);
        let begun = std::time::Instant::now();
        // A grace that nobody would sit out, and mail that nobody planned.
        let args = [
            "sse",
            &url,
            "--clients",
            "2",
            "--mails",
            "99999",
            "--grace",
            "300s",
        ];
        let said = refused(&args, 1);
        assert!(said.contains(why), "{said}");
        assert!(begun.elapsed() < support::PATIENCE, "{:?}", begun.elapsed());
    }
    // What came before is kept.
    let url = answering_streams(
        &server,
        &[
            "200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: gap\nid: 1\ndata: 1\n",
            "204 No Content",
        ],
    );
    let output = run(&["sse", &url, "--mails", "99999", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    server.stop(Signal::INT);
}

fn json_answer(json: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{json}", json.len())
}

#[test]
fn whoever_is_no_server_of_ours_is_told_apart() {
    // Taken, so that nobody else gets it, and yet nobody listens.
    let silent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    silent
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let gone = silent.local_addr().unwrap().as_socket().unwrap();
    let said = refused(&["poll", &format!("http://{gone}")], 1);
    assert!(said.contains(&format!("cannot connect to {gone}")), "{said}");
    let absurd = mailcall::outcome::Scenario {
        rate_per_s: 1e-300,
        ..Default::default()
    };
    let absurd = serde_json::json!({
        "mailcall": "0.1.0", "schema": mailcall::outcome::SCHEMA, "scenario": absurd, "start_ns": 0, "now_ns": 0,
        "span_ns": 0, "newest": 0, "planned": 0, "outside": []
    });
    for (answer, why) in [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into(),
            "/schedule answered 404",
        ),
        (json_answer("<html>"), "is not JSON"),
        (json_answer("[]"), "does not say what it is"),
        (
            json_answer(r#"{"mailcall":"9.0.0","schema":99}"#),
            "it is of mailcall 9.0.0, whose schema 99",
        ),
        (
            json_answer(r#"{"mailcall":"0.1.0","schema":1}"#),
            "says other things",
        ),
        (json_answer(&absurd.to_string()), "what cannot be"),
        (json_answer(&" ".repeat(2 << 20)), "is not JSON"),
        ("SSH-2.0-OpenSSH_9.9\r\n".into(), "is not a `mailcall serve`"),
        (String::new(), "is not a `mailcall serve`"),
    ] {
        let said = refused(&["poll", &answering(answer)], 1);
        assert!(said.contains(why), "{why}: {said}");
    }
    // Who listens there for TLS says so in its own way.
    let server = Serving::start(&["--tls", "--mails", "0"]);
    refused(&["poll", &server.at("http")], 1);
    server.stop(Signal::INT);
}

/// The detour over the relay, printed to be looked at: `cargo test --test servers detour -- --nocapture`.
#[test]
fn what_the_detour_over_the_relay_takes() {
    let p50 = |o: &Outcome| o.latency_us.as_ref().map(|l| l.p50).unwrap();
    let args = ["ws", "--mails", "50", "--rate", "100/s", "--format", "json"];
    let direct: Report = serde_json::from_slice(&run(&args).stdout).unwrap();
    let server = Serving::start(ENDLESS);
    let (relayed, _) = report(&visit("ws", &server, &["--mails", "50"]));
    server.stop(Signal::INT);
    println!(
        "half of all mail within {:.0} us without a relay, {:.0} us through one",
        p50(&direct.results[0]),
        p50(&relayed.results[0])
    );
}
