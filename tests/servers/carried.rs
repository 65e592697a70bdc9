//! What bytes are labelled as, and what they are shared out over: the mails that they carried, whatever a
//! profile's fields say and however many of them were awaited.
#![cfg(unix)]

use std::process::Output;

use mailcall::outcome::{Outcome, Report, Warning};
use rustix::process::Signal;

use crate::support::served::{Serving, run};

const SIZE: u64 = 300;

fn report(output: &Output) -> Report {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

fn carried(o: &Outcome) {
    let carried = o.mails.carried.unwrap();
    let payload = o.bytes.down.payload;
    // The last may be cut, where a client has left.
    let whole = carried * SIZE..(carried + 1) * SIZE;
    assert!(
        carried > 0 && whole.contains(&payload),
        "{}: {payload} for {:?}",
        o.technique,
        o.mails
    );
    let each = o.overhead_bytes_per_delivery.unwrap();
    assert!(
        (each - o.overhead_bytes as f64 / carried as f64).abs() < 1e-9,
        "{}",
        o.technique
    );
}

#[test]
fn a_visit_shares_its_bytes_out_over_the_mails_that_they_carried() {
    let server = Serving::start(&["--mails", "100000", "--rate", "200/s", "--arrivals", "burst:50"]);
    for (technique, scheme) in [
        ("poll", "http"),
        ("long-poll", "http"),
        ("sse", "http"),
        ("ws", "ws"),
        ("stomp", "ws"),
        ("sockjs", "http"),
        ("socketio", "http"),
    ] {
        let url = server.at(scheme);
        let output = run(&[technique, &url, "--mails", "8", "--format", "json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{technique}: {said}");
        let o = &report(&output).results[0];
        assert_eq!(o.mails.delivered, 8, "{technique}");
        assert!(o.mails.carried.unwrap() >= 8, "{technique}");
        carried(o);
        if technique == "poll" {
            // One answer brings a burst at least.
            assert!(o.mails.carried.unwrap() >= 50, "{:?}", o.mails);
            let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
            std::fs::write(&file, &output.stdout).unwrap();
            let table = run(&["report", file.path().to_str().unwrap(), "--format", "table"]);
            let table = String::from_utf8(table.stdout).unwrap();
            let text = table.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(
                text.contains("of all that the bytes carried, awaited or not"),
                "{text}"
            );
        }
    }
    server.stop(Signal::INT);
}

fn profile(request: &str, response: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".http").tempfile().unwrap();
    let text = format!("GET /a HTTP/1.1\nHost: h\n{request}\nHTTP/1.1 200 OK\n{response}\n");
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn a_replayed_content_type_decides_nothing() {
    for field in [
        "Content-Type: text/event-stream",
        "Content-Type: text/html",
        "Content-Type: application/octet-stream",
        "X-Content-Type: none",
    ] {
        let file = profile("", field);
        let file = file.path().to_str().unwrap();
        for http in ["1.0", "1.1", "2"] {
            let output = run(&[
                "compare",
                "poll",
                "long-poll",
                "sse",
                "--mails",
                "5",
                "--rate",
                "50/s",
                "--attach",
                "100",
                "--http",
                http,
                "--headers",
                file,
                "--format",
                "json",
                "--interval",
                "20ms",
            ]);
            assert_eq!(output.status.code(), Some(0), "{field} over {http}");
            for o in report(&output).results {
                assert_eq!(
                    o.bytes.down.payload,
                    5 * (SIZE + 100),
                    "{field} over {http}: {}",
                    o.technique
                );
                assert_eq!(o.mails.carried, Some(5), "{field} over {http}: {}", o.technique);
                let messages = (o.technique == "sse").then_some(5);
                assert_eq!(o.messages.down, messages, "{field} over {http}: {}", o.technique);
            }
        }
    }
    // At the client's end, too.
    let file = profile("", "Content-Type: text/event-stream");
    let file = file.path().to_str().unwrap();
    let server = Serving::start(&["--mails", "10000", "--rate", "50/s", "--headers", file]);
    let url = server.at("http");
    for technique in ["poll", "long-poll"] {
        let output = run(&[technique, &url, "--mails", "5", "--format", "json"]);
        carried(&report(&output).results[0]);
    }
    server.stop(Signal::INT);
}

#[test]
fn a_profile_does_not_close_connections() {
    for (request, response) in [
        ("Connection: close\n", ""),
        ("", "Connection: close"),
        ("TE: trailers\n", ""),
    ] {
        let file = profile(request, response);
        let path = file.path().to_str().unwrap();
        let output = run(&[
            "poll",
            "--mails",
            "5",
            "--rate",
            "20/s",
            "--interval",
            "20ms",
            "--headers",
            path,
            "--format",
            "json",
        ]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let name = if request.starts_with("TE") {
            "te"
        } else {
            "connection"
        };
        assert!(
            said.contains(&format!("warning: {name} of {path} left out")),
            "{said}"
        );
        let o = &report(&output).results[0];
        assert_eq!((o.connections.opened, o.connections.reconnects), (1, Some(0)));
        assert!(o.trust.warnings.contains(&Warning::FieldsLeftOut));
    }
}
