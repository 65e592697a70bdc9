//! Runs that something on the way disturbs: a proxy that cuts connections, answers errors, or keeps everything
//! to itself. Every count and sentence has to say so.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mailcall::outcome::{EventKind, Outcome, Report, Warning};
use rustix::process::Signal;

use crate::support;
use crate::support::Kept;
use crate::support::served::{Serving, run};

/// What a proxy does to its connections, besides passing on what comes.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// The first so many connections are cut when they have brought a mail.
    Cuts(usize),
    /// The first so many requests of this path get a 504.
    Fails(&'static str, usize),
    /// The first so many of this path are cut instead of answered.
    Hangs(&'static str, usize),
    /// An answer's head comes through, and no mail.
    Swallows,
}

/// A proxy before a server: returns where it listens. Its threads end with the connections.
fn proxy(server: &Serving, way: Way) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let (to, done) = (server.authority().to_string(), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&to) else {
                return;
            };
            let (up, done) = (
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                done.clone(),
            );
            let also = done.clone();
            std::thread::spawn(move || pass_up(up.0, up.1, way, &also));
            std::thread::spawn(move || pass_down(server, client, way, &done));
        }
    });
    authority
}

/// Whether it is one of the first so many.
fn first(done: &AtomicUsize, many: usize) -> bool {
    let count = |n: usize| (n < many).then_some(n + 1);
    done.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count)
        .is_ok()
}

fn pass_up(mut client: TcpStream, mut server: TcpStream, way: Way, done: &AtomicUsize) {
    let mut buffer = vec![0; 65536];
    while let Ok(n @ 1..) = client.read(&mut buffer) {
        let asks = |path: &str| buffer[..n].starts_with(format!("GET {path}?").as_bytes());
        match way {
            Way::Fails(path, many) if asks(path) && first(done, many) => {
                let answer = b"HTTP/1.1 504 Gateway Time-out\r\ncontent-length: 0\r\n\r\n";
                client.write_all(answer).unwrap();
                continue;
            }
            Way::Hangs(path, many) if asks(path) && first(done, many) => break,
            _ => {}
        }
        if server.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
    let _ = client.shutdown(Shutdown::Both);
}

fn pass_down(mut server: TcpStream, mut client: TcpStream, way: Way, done: &AtomicUsize) {
    // In small pieces, so that no more than two mails pass before a cut.
    let mut buffer = vec![0; if let Way::Cuts(_) = way { 350 } else { 65536 }];
    let mut tail = Vec::new();
    while let Ok(n @ 1..) = server.read(&mut buffer) {
        tail.extend_from_slice(&buffer[..n]);
        let mail = tail.windows(7).any(|w| w == b"subject");
        tail.drain(..tail.len().saturating_sub(6));
        let mut n = n;
        if way == Way::Swallows && mail {
            let head = buffer[..n].windows(4).position(|w| w == b"\r\n\r\n");
            n = head.map_or(0, |at| at + 4);
        }
        if client.write_all(&buffer[..n]).is_err() {
            break;
        }
        if let Way::Cuts(many) = way
            && mail
            && first(done, many)
        {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

const STEADY: &[&str] = &["--mails", "20000", "--rate", "20/s", "--arrivals", "steady"];

fn outcome(output: &Output) -> Outcome {
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Report = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    report.results[0].clone()
}

/// A report of what was measured in another form.
fn drawn(output: &Output, format: &str) -> String {
    drawn_in(output, format, "en")
}

fn drawn_in(output: &Output, format: &str, language: &str) -> String {
    let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    std::fs::write(&file, &output.stdout).unwrap();
    let path = file.path().to_str().unwrap();
    let output = run(&[
        "report",
        path,
        "--format",
        format,
        "--timeline",
        "--lang",
        language,
    ]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A run that this befell tells it in every form, and nothing that holds of connections that hold.
fn tells(output: &Output, sentence: &str) {
    for format in ["table", "markdown", "html"] {
        let text = drawn(output, format);
        assert!(text.contains(sentence), "{sentence}\n{text}");
        for untrue in [
            "paid once",
            "the moment it arrived",
            "opened the connection",
            "Hardly a request",
        ] {
            assert!(!text.contains(untrue), "{untrue}\n{text}");
        }
    }
}

#[test]
fn a_stream_that_is_cut_says_that_it_reconnected() {
    for (technique, scheme) in [
        ("sse", "http"),
        ("ws", "ws"),
        ("stomp", "ws"),
        ("sockjs", "http"),
        ("socketio", "http"),
    ] {
        let server = Serving::start(STEADY);
        let url = format!("{scheme}://{}", proxy(&server, Way::Cuts(3)));
        let output = run(&[technique, &url, "--mails", "6", "--format", "json"]);
        server.stop(Signal::INT);
        assert_eq!(output.status.code(), Some(0), "{technique}: nothing is lost");
        let o = outcome(&output);
        let reconnects = o.connections.reconnects.unwrap();
        assert!((1..=3).contains(&reconnects), "{technique}: {:?}", o.connections);
        assert_eq!((o.mails.delivered, o.mails.lost), (6, 0), "{technique}");
        if technique == "sse" {
            assert_eq!(o.requests.total, 1 + reconnects);
        }
        let times = match reconnects {
            1 => "once".into(),
            n => format!("{n} times"),
        };
        tells(&output, &format!("reconnected {times}"));
    }
}

#[test]
fn polls_whose_connection_is_cut_say_so() {
    for technique in ["poll", "long-poll"] {
        let server = Serving::start(STEADY);
        let url = format!("http://{}", proxy(&server, Way::Cuts(3)));
        let mut args = vec![technique, &url, "--mails", "6", "--format", "json"];
        if technique == "poll" {
            args.extend(["--interval", "30ms"]);
        }
        let output = run(&args);
        server.stop(Signal::INT);
        let o = outcome(&output);
        assert_eq!(o.mails.delivered, 6, "{technique}");
        assert_eq!(
            o.connections.reconnects,
            Some(o.connections.opened - 1),
            "{technique}"
        );
        assert!(o.connections.opened > 1, "{technique}");
        tells(&output, "was disturbed on the way");
    }
}

#[test]
fn failed_answers_are_counted_and_marked() {
    for (technique, path) in [("long-poll", "/long-poll"), ("poll", "/poll"), ("sse", "/sse")] {
        let server = Serving::start(STEADY);
        let url = format!("http://{}", proxy(&server, Way::Fails(path, 3)));
        let mut args = vec![technique, &url, "--mails", "4", "--format", "json"];
        if technique == "poll" {
            args.extend(["--interval", "200ms"]);
        }
        let output = run(&args);
        server.stop(Signal::INT);
        let o = outcome(&output);
        assert_eq!(o.requests.failed, Some(3), "{technique}: {:?}", o.requests);
        if technique == "long-poll" {
            assert_eq!(o.requests.empty, Some(0));
        }
        let failed = o.events.iter().filter(|e| e.kind == EventKind::Failed).count();
        assert_eq!(failed, 3, "{technique}");
        tells(
            &output,
            &format!("{technique} (3 failed answers) was disturbed on the way"),
        );
        let table = drawn(&output, "table");
        assert!(table.contains(" failed ") && table.contains('✗'), "{table}");
        // The lane has no other answer without mail.
        let lanes = table.split("an error is answered, or nothing.").nth(1).unwrap();
        assert!(technique == "poll" || !lanes.contains('·'), "{lanes}");
    }
}

#[test]
fn a_request_that_nobody_answers_has_failed_too() {
    let server = Serving::start(STEADY);
    let url = format!("http://{}", proxy(&server, Way::Hangs("/long-poll", 2)));
    let output = run(&["long-poll", &url, "--mails", "4", "--format", "json"]);
    server.stop(Signal::INT);
    let o = outcome(&output);
    assert_eq!((o.requests.failed, o.connections.reconnects), (Some(2), Some(2)));
    tells(&output, "long-poll (2 failed answers, reconnected 2 times)");
}

#[test]
fn what_the_run_did_not_wait_for_is_undelivered_not_lost() {
    let server = Serving::start(&["--mails", "40", "--rate", "20/s"]);
    let url = format!("http://{}", proxy(&server, Way::Swallows));
    let output = run(&[
        "sse", &url, "--mails", "4", "--grace", "200ms", "--format", "json",
    ]);
    server.stop(Signal::INT);
    let o = outcome(&output);
    assert_eq!((o.mails.lost, o.mails.delivered), (0, 0), "{:?}", o.mails);
    assert!(o.mails.undelivered == 4 && o.mails.expected == 4, "{:?}", o.mails);
    assert_eq!(output.status.code(), Some(1));
    let text = drawn(&output, "table");
    assert!(
        text.contains("undelivered when the run ended") && text.contains("undelivered: the run ended"),
        "{text}"
    );
}

/// nginx as Debian's package has it before a server, with these directives besides.
fn nginx(server: &Serving, folder: &std::path::Path, directives: &str) -> (Kept, String) {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let authority = format!("127.0.0.1:{port}");
    let to = server.authority();
    let config = format!(
        "worker_processes 1; daemon off; pid pid; error_log error;
        events {{ worker_connections 64; }}
        http {{
            access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;
            uwsgi_temp_path u; scgi_temp_path s; sendfile on; tcp_nopush on; gzip on;
            server {{
                listen {authority};
                location / {{ proxy_pass http://{to}; {directives} }}
            }}
        }}"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new("nginx");
    command
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(&file)
        .arg("-e")
        .arg("error");
    let started = Kept::start(&mut command);
    support::until("nginx listens", || TcpStream::connect(&authority).is_ok());
    (started, authority)
}

fn nginx_is_here() -> bool {
    let version = Command::new("nginx").arg("-v").output();
    support::is_here("nginx", version.is_ok_and(|o| o.status.success()))
}

#[test]
fn nginx_cuts_what_is_silent_and_the_run_says_so() {
    if !nginx_is_here() {
        return;
    }
    let server = Serving::start(&["--mails", "2000", "--rate", "20/min", "--arrivals", "steady"]);
    let folder = tempfile::tempdir().unwrap();
    let (_nginx, authority) = nginx(
        &server,
        folder.path(),
        "proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $http_host;
         proxy_read_timeout 1s;",
    );
    let url = format!("http://{authority}");
    let visits: Vec<_> = ["sse", "long-poll"]
        .into_iter()
        .map(|technique| {
            let url = url.clone();
            std::thread::spawn(move || run(&[technique, &url, "--mails", "2", "--format", "json"]))
        })
        .collect();
    let [sse, long_poll] =
        <[Output; 2]>::try_from(visits.into_iter().map(|v| v.join().unwrap()).collect::<Vec<_>>()).unwrap();
    server.stop(Signal::INT);
    let o = outcome(&sse);
    assert_eq!((o.mails.delivered, o.requests.failed), (2, Some(0)));
    assert!(o.connections.reconnects.unwrap() > 0, "{:?}", o.connections);
    tells(&sse, "was disturbed on the way");
    let o = outcome(&long_poll);
    assert_eq!((o.mails.delivered, o.requests.empty), (2, Some(0)));
    assert!(o.requests.failed.unwrap() > 0, "{:?}", o.requests);
    tells(&long_poll, "was disturbed on the way");
}

/// What each of these visits measures, all at the same time.
fn visits(visits: &[&[&str]], authority: &str) -> Vec<Output> {
    std::thread::scope(|scope| {
        let running: Vec<_> = visits
            .iter()
            .map(|visit| {
                scope.spawn(move || {
                    let (technique, flags) = visit.split_first().unwrap();
                    let scheme = if *technique == "stomp" { "ws" } else { "http" };
                    let url = format!("{scheme}://{authority}");
                    run(&[&[technique, &*url, "--format", "json"], flags].concat())
                })
            })
            .collect();
        running.into_iter().map(|v| v.join().unwrap()).collect()
    })
}

/// How many mails were there before the next one arrived.
fn at_once(o: &Outcome) -> usize {
    let when = |kind, number| {
        let mut events = o.events.iter();
        let found = events.find(|e| e.kind == kind && e.mail == Some(number));
        found.map(|e| e.t_us)
    };
    let numbers = o.events.iter().filter(|e| e.kind == EventKind::Delivered);
    numbers
        .filter_map(|e| {
            let next = when(EventKind::Arrived, e.mail? + 1)?;
            (e.t_us < next).then_some(())
        })
        .count()
}

fn in_clumps(o: &Outcome) -> bool {
    let clumps = |w: &Warning| matches!(w, Warning::Clumps { .. });
    o.trust.warnings.iter().any(clumps)
}

/// The transports that a visit tried, and whether they failed.
fn tried(o: &Outcome) -> Vec<(&str, bool)> {
    let tried = o.attempts.iter();
    tried
        .map(|a| (a.transport.as_str(), a.failed.is_some()))
        .collect()
}

#[test]
fn nginx_passes_streams_on_as_they_ask() {
    if !nginx_is_here() {
        return;
    }
    let server = Serving::start(&["--mails", "20000", "--rate", "5/s", "--arrivals", "steady"]);
    let folder = tempfile::tempdir().unwrap();
    let (_nginx, authority) = nginx(&server, folder.path(), "");
    let outputs = visits(
        &[
            &["sse", "--mails", "8"],
            &["sockjs", "--mails", "8"],
            &["stomp", "--over", "sockjs", "--mails", "8"],
        ],
        &authority,
    );
    server.stop(Signal::INT);
    for output in outputs {
        let o = outcome(&output);
        assert_eq!(o.mails.delivered, 8, "{}", o.technique);
        assert!(at_once(&o) >= 4, "{}: {:?}", o.technique, o.events);
        assert!(!in_clumps(&o), "{}: {:?}", o.technique, o.trust);
        if o.technique != "sse" {
            // It passes no WebSocket on unless it is told to, but streams.
            let ways = [("info", false), ("websocket", true), ("xhr-streaming", false)];
            assert_eq!(tried(&o), ways, "{}", o.technique);
        }
    }
}

#[test]
fn what_nginx_collects_comes_in_clumps_and_the_run_says_so() {
    if !nginx_is_here() {
        return;
    }
    let server = Serving::start(&["--mails", "20000", "--rate", "5/s", "--arrivals", "steady"]);
    let folder = tempfile::tempdir().unwrap();
    let (_nginx, authority) = nginx(&server, folder.path(), "proxy_ignore_headers X-Accel-Buffering;");
    let outputs = visits(
        &[&["sse", "--mails", "30"], &["sockjs", "--mails", "4"]],
        &authority,
    );
    server.stop(Signal::INT);
    let o = outcome(&outputs[0]);
    assert_eq!(o.mails.delivered, 30);
    assert!(in_clumps(&o), "{:?} {:?}", o.trust, o.events);
    for format in ["table", "markdown", "html"] {
        let text = drawn(&outputs[0], format);
        assert!(text.contains("mail came in clumps"), "{text}");
    }
    let table = drawn_in(&outputs[0], "table", "ko");
    assert!(table.contains("메일이 뭉쳐서 왔습니다"), "{table}");
    // Which of the transports brings what it should, this client finds out.
    let o = outcome(&outputs[1]);
    assert_eq!(
        tried(&o).last(),
        Some(&("xhr-polling", false)),
        "{:?}",
        o.attempts
    );
    assert!(!in_clumps(&o), "{:?}", o.trust);
}
