//! Whose requests a server answers: every route of `serve` and of a run, asked for in every way in which
//! a page of another origin can.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

use mailcall::lab::Lab;
use mailcall::lab::access::Access;
use mailcall::lab::standalone::Standalone;
use mailcall::outcome::Scenario;
use mailcall::technique::{self, Serve};
use mailcall::wire::sockjs::{ENDPOINTS, Endpoint};

use crate::support;
use crate::support::served;
use crate::support::serving::{Served, patient};

/// A request: its method, its target, and its fields and body where it has any.
type Row = (&'static str, String, &'static str, &'static str);

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// What stands for the host in a field.
const HOST: &str = "HOST";

/// The table: which requests a route is tried with. A route that is not in it fails the test.
fn rows(path: &str) -> Vec<Row> {
    let one = |method, target: &str, fields, body| vec![(method, target.to_owned(), fields, body)];
    match path {
        "/" | "/schedule" => one("GET", path, "", ""),
        // One that would be held goes without.
        "/poll" | "/sse" | "/ndjson" => one("GET", &format!("{path}?after=0"), "", ""),
        "/long-poll" => one("GET", "/long-poll?after=0", "", ""),
        "/ws" | "/stomp" => one("GET", path, UPGRADE, ""),
        "/mail" => one("POST", path, "Content-Type: text/plain\r\n", "mail"),
        "/read" => one(
            "POST",
            path,
            "Content-Type: application/json\r\n",
            r#"{"read":1}"#,
        ),
        "/say" => one(
            "POST",
            path,
            "Content-Type: application/json\r\n",
            r#"{"client":0,"say":1}"#,
        ),
        "/socket.io/" | "/engine.io/" => vec![
            ("GET", format!("{path}?EIO=4&transport=polling"), "", ""),
            ("POST", format!("{path}?EIO=4&transport=polling&sid=x"), "", "40"),
            ("GET", format!("{path}?EIO=4&transport=websocket"), UPGRADE, ""),
        ],
        _ => sockjs(path).unwrap_or_else(|| panic!("{path} has no row in the table")),
    }
}

/// The rows of a SockJS service's routes.
fn sockjs(path: &str) -> Option<Vec<Row>> {
    const SERVICES: [&str; 6] = [
        "/sockjs",
        "/stomp-sockjs",
        "/echo",
        "/close",
        "/disabled_websocket_echo",
        "/cookie_needed_echo",
    ];
    let (service, rest) = SERVICES
        .iter()
        .find_map(|service| Some((*service, path.strip_prefix(service)?)))?;
    Some(match rest {
        "" | "/" => vec![("GET", path.to_owned(), "", "")],
        "/{*rest}" => {
            let of = |endpoint| of_session(service, endpoint);
            let top = ["info", "iframe.html"].map(|name| ("GET", format!("{service}/{name}"), "", ""));
            let raw = ("GET", format!("{service}/websocket"), UPGRADE, "");
            let sessions = ENDPOINTS.map(|(_, endpoint)| of(endpoint));
            top.into_iter().chain([raw]).chain(sessions).collect()
        }
        _ => return None,
    })
}

fn of_session(service: &str, endpoint: Endpoint) -> Row {
    let url = |name: &str| format!("{service}/000/{name}");
    match endpoint {
        Endpoint::WebSocket => ("GET", url("websocket"), UPGRADE, ""),
        Endpoint::Xhr => ("POST", url("xhr"), "", ""),
        Endpoint::XhrSend => ("POST", url("xhr_send"), "", "[]"),
        Endpoint::XhrStreaming => ("POST", url("xhr_streaming"), "", ""),
        Endpoint::EventSource => ("GET", url("eventsource"), "", ""),
        Endpoint::HtmlFile => ("GET", url("htmlfile") + "?c=x", "", ""),
        Endpoint::Jsonp => ("GET", url("jsonp") + "?c=x", "", ""),
        Endpoint::JsonpSend => ("POST", url("jsonp_send"), "", "d=[]"),
    }
}

/// Sends a request and returns the head of its answer, and its body as far as it comes with it.
fn ask(to: SocketAddr, host: &str, (method, target, fields, body): &Row, more: &str) -> String {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    let length = match body.len() {
        0 if *method != "POST" => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    // A session is nobody else's: one that is begun has a client wait.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let target = target.replace("/000/", &format!("/000/{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    let more = more.replace(HOST, host);
    let request = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{length}{fields}{more}\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut some) = (Vec::new(), [0; 4096]);
    while !answer.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut some).unwrap() {
            0 => panic!("{target}: no answer to {request}"),
            n => answer.extend_from_slice(&some[..n]),
        }
    }
    // What is refused has its words behind the head.
    while [b"HTTP/1.1 403", b"HTTP/1.1 400"]
        .iter()
        .any(|s| answer.starts_with(*s))
        && answer.ends_with(b"\r\n\r\n")
    {
        match stream.read(&mut some).unwrap() {
            0 => break,
            n => answer.extend_from_slice(&some[..n]),
        }
    }
    String::from_utf8_lossy(&answer).to_lowercase()
}

fn is_refused(answer: &str) -> bool {
    answer.starts_with("http/1.1 403 ")
}

/// Whether what it names is no host (RFC 9112, section 3.2).
fn is_bad(answer: &str) -> bool {
    answer.starts_with("http/1.1 400 ") && answer.contains("is no host")
}

/// An answer's fields of this name, in order.
fn fields<'a>(answer: &'a str, name: &str) -> Vec<&'a str> {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(n, _)| *n == name)
        .map(|(_, value)| value)
        .collect()
}

/// Everything on one port, as `serve --echo` has it.
fn everything(access: Access) -> Standalone {
    let scenario = Scenario {
        mails: 1,
        rate_per_s: 1000.0,
        hold_ms: 10.0,
        ..Scenario::default()
    };
    let mut lab = Lab::new(scenario).unwrap();
    lab.tuning.echo = true;
    lab.access = access;
    Standalone::start(&lab, technique::ALL, (Ipv4Addr::LOCALHOST, 0).into()).unwrap()
}

/// The same as what a page can send, and whether that is refused.
const CASES: [(&str, bool); 12] = [
    ("", false),
    ("Origin: http://HOST\r\n", false),
    ("Origin: http://HOST\r\nSec-Fetch-Site: same-origin\r\n", false),
    ("Sec-Fetch-Site: none\r\n", false),
    ("Origin: http://evil.example\r\n", true),
    ("Origin: http://HOST.evil.example\r\n", true),
    ("Origin: http://127.0.0.1\r\n", true),
    ("Origin: null\r\n", true),
    ("Sec-Fetch-Site: cross-site\r\n", true),
    (
        "Sec-Fetch-Site: same-site\r\nReferer: http://localhost:3000/\r\n",
        true,
    ),
    ("Origin: http://HOST\r\nSec-Fetch-Site: cross-site\r\n", true),
    ("Origin: http://HOST\r\nOrigin: http://HOST\r\n", true),
];

/// Names that resolve to this machine all of a sudden.
const REBOUND: [&str; 6] = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example:8000",
    "127.0.0.1@evil.example",
    "sub.localhost",
];

fn every_route_is_closed_to_foreign_pages(at: SocketAddr, paths: &[String]) {
    let own = at.to_string();
    let nowhere = ("GET", "/nowhere".to_owned(), "", "");
    let all = paths.iter().flat_map(|path| rows(path));
    for row in all.chain([nowhere]) {
        let asked = ("OPTIONS", row.1.clone(), "", "");
        for row in [&row, &asked] {
            for (more, refused) in CASES {
                let answer = ask(at, &own, row, more);
                assert_eq!(is_refused(&answer), refused, "{row:?} {more}: {answer}");
                let said: Vec<&str> = answer
                    .lines()
                    .filter(|l| l.starts_with("access-control-allow-origin") || l.starts_with("vary"))
                    .collect();
                assert_eq!(said, [""; 0], "{row:?} {more}");
                assert!(!refused || answer.contains("refused: "), "{answer}");
            }
            for host in REBOUND {
                let answer = ask(
                    at,
                    host,
                    row,
                    "Origin: http://HOST\r\nSec-Fetch-Site: same-origin\r\n",
                );
                let refused = if host.contains('@') { is_bad } else { is_refused };
                assert!(refused(&answer), "{row:?} at {host}: {answer}");
                assert!(answer.contains("--allow-host"), "{answer}");
            }
        }
    }
}

#[test]
fn every_route_of_serve_is_closed_to_foreign_pages() {
    let server = everything(Access::default());
    every_route_is_closed_to_foreign_pages(server.address, &server.paths);
    server.stop();
}

#[test]
fn every_route_of_a_run_is_closed_to_foreign_pages() {
    let http = technique::ALL
        .iter()
        .filter(|t| matches!(t.serve, Serve::Http(_)));
    for technique in http {
        let scenario = Scenario {
            hold_ms: 10.0,
            ..Scenario::default()
        };
        let served = Served::start(technique.name, patient(), scenario);
        assert!(served.paths.len() > 2, "{:?}", served.paths);
        every_route_is_closed_to_foreign_pages(served.address(), &served.paths);
        served.stop();
    }
}

#[test]
fn the_server_may_be_called_by_its_names() {
    let access = Access::new(vec!["Mail.Example".parse().unwrap()], Vec::new(), false);
    let server = everything(access);
    let row = &rows("/poll")[0];
    let port = server.address.port();
    let names = [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "127.0.0.1",
        "127.0.0.1.",
        "192.0.2.7",
        "[::1]",
        "[2001:db8::1]",
    ];
    for name in names.into_iter().chain(["mail.example", "MAIL.example."]) {
        for host in [
            name.to_owned(),
            format!("{name}:{port}"),
            format!("{name}:1"),
            format!("{name}:"),
        ] {
            assert!(!is_refused(&ask(server.address, &host, row, "")), "{host}");
        }
        let own = ask(server.address, name, row, "Origin: http://HOST\r\n");
        assert!(!is_refused(&own), "{name}: {own}");
    }
    for name in ["mail.example.evil.example", "other.example", "127.1"] {
        let answer = ask(server.address, name, row, "");
        assert!(is_refused(&answer), "{name}: {answer}");
    }
    for name in ["", "localhost..", "localhost:x", "::1", "[::1"] {
        let answer = ask(server.address, name, row, "");
        assert!(is_bad(&answer), "{name}: {answer}");
    }
    // The target's own host counts, and `Host` beside it, too (RFC 9112, section 3.2.2).
    for (host, target, refused) in [
        ("localhost", "http://evil.example/poll", true),
        ("evil.example", "http://localhost/poll", true),
        ("localhost", "http://localhost/poll", false),
    ] {
        let answer = ask(server.address, host, &("GET", target.into(), "", ""), "");
        assert_eq!(is_refused(&answer), refused, "{target} at {host}: {answer}");
    }
    server.stop();
}

#[test]
fn whoever_follows_a_link_sees_the_page_and_nothing_else() {
    let server = everything(Access::default());
    let own = server.address.to_string();
    let link = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    let cases = [
        ("GET", "/", link.to_owned(), false),
        ("GET", "/", link.replace("document", "iframe"), true),
        ("GET", "/", link.replace("document", "object"), true),
        ("GET", "/", link.replace("navigate", "no-cors"), true),
        ("POST", "/", link.to_owned(), true),
        (
            "POST",
            "/mail",
            format!("{link}Origin: http://evil.example\r\n"),
            true,
        ),
        ("GET", "/poll?after=0", link.to_owned(), true),
        ("GET", "/sockjs/0/a/htmlfile?c=opener.x", link.to_owned(), true),
    ];
    for (method, target, more, refused) in cases {
        let answer = ask(server.address, &own, &(method, target.into(), "", ""), &more);
        assert_eq!(is_refused(&answer), refused, "{method} {target} {more}: {answer}");
    }
    server.stop();
}

#[test]
fn an_allowed_origin_may_use_every_route_and_no_other_may() {
    let origin = "http://student.example:3000";
    let server = everything(Access::new(Vec::new(), vec![origin.parse().unwrap()], false));
    let own = server.address.to_string();
    for row in server.paths.iter().flat_map(|path| rows(path)) {
        let answer = ask(
            server.address,
            &own,
            &row,
            "Origin: http://student.example:3000\r\nSec-Fetch-Site: cross-site\r\n",
        );
        assert!(!is_refused(&answer), "{row:?}: {answer}");
        assert_eq!(
            fields(&answer, "access-control-allow-origin"),
            [origin],
            "{row:?}"
        );
        assert_eq!(fields(&answer, "access-control-allow-credentials"), ["true"]);
        assert_eq!(fields(&answer, "vary"), ["origin"]);
        let question = "Origin: http://student.example:3000\r\nAccess-Control-Request-Method: POST\r\n\
                        Access-Control-Request-Headers: content-type,last-event-id\r\n";
        let answer = ask(
            server.address,
            &own,
            &("OPTIONS", row.1.clone(), "", ""),
            question,
        );
        assert!(answer.starts_with("http/1.1 204 "), "{row:?}: {answer}");
        assert_eq!(fields(&answer, "access-control-allow-origin"), [origin]);
        assert_eq!(fields(&answer, "access-control-allow-methods"), ["post"]);
        assert_eq!(
            fields(&answer, "access-control-allow-headers"),
            ["content-type,last-event-id"]
        );
        for more in [
            "Origin: http://student.example\r\n",
            "Origin: https://student.example:3000\r\n",
            "Origin: null\r\n",
            "Sec-Fetch-Site: cross-site\r\n",
            "Sec-Fetch-Site: cross-site\r\nReferer: http://evil.example/?http://student.example:3000/\r\n",
        ] {
            let answer = ask(server.address, &own, &row, more);
            assert!(is_refused(&answer), "{row:?} {more}: {answer}");
            assert_eq!(fields(&answer, "access-control-allow-origin"), [""; 0]);
        }
        // A script and a frame say by `Referer` alone whose they are.
        let script = ask(
            server.address,
            &own,
            &row,
            "Sec-Fetch-Site: cross-site\r\nReferer: http://student.example:3000/a?b\r\n",
        );
        assert!(!is_refused(&script), "{row:?}: {script}");
        // A cache must not hand an own answer to a foreign page.
        assert_eq!(fields(&ask(server.address, &own, &row, ""), "vary"), ["origin"]);
    }
    server.stop();
}

#[test]
fn all_or_none_are_origins_too_and_never_all_with_credentials() {
    let null = everything(Access::new(Vec::new(), vec!["null".parse().unwrap()], false));
    let all = everything(Access::new(Vec::new(), vec!["*".parse().unwrap()], false));
    for (server, more, allowed, credentials) in [
        (&null, "Origin: null\r\n", Some("null"), true),
        (&null, "Origin: http://a.example\r\n", None, false),
        (&null, "Sec-Fetch-Site: cross-site\r\n", None, false),
        (&all, "Origin: null\r\n", Some("null"), true),
        (
            &all,
            "Origin: http://a.example\r\n",
            Some("http://a.example"),
            true,
        ),
        (&all, "Origin: file://\r\n", Some("file://"), true),
        (&all, "", Some("*"), false),
        (&all, "Sec-Fetch-Site: cross-site\r\n", Some("*"), false),
    ] {
        let own = server.address.to_string();
        let answer = ask(server.address, &own, &rows("/poll")[0], more);
        assert_eq!(is_refused(&answer), allowed.is_none(), "{more}: {answer}");
        let expected: Vec<&str> = allowed.into_iter().collect();
        assert_eq!(fields(&answer, "access-control-allow-origin"), expected, "{more}");
        assert_eq!(
            !fields(&answer, "access-control-allow-credentials").is_empty(),
            credentials
        );
    }
    let rebound = ask(
        all.address,
        "evil.example",
        &rows("/poll")[0],
        "Origin: http://evil.example\r\n",
    );
    assert!(is_refused(&rebound), "whoever allows all pages allows no name");
    null.stop();
    all.stop();
}

#[test]
fn a_refusal_says_what_was_refused_and_what_allows_it() {
    let server = everything(Access::default());
    let own = server.address.to_string();
    for (host, more, words) in [
        (
            "evil.example:80",
            "",
            &["host evil.example", "--allow-host evil.example"][..],
        ),
        (
            &own,
            "Origin: http://a.example:1\r\n",
            &["http://a.example:1", &own, "--allow-origin http://a.example:1"],
        ),
        (&own, "Origin: null\r\n", &["origin: null", "--allow-origin null"]),
        (
            &own,
            "Sec-Fetch-Site: same-site\r\n",
            &["another origin", "--allow-origin '*'"],
        ),
        (
            &own,
            "Origin: <b>\u{e9}\r\n",
            &["<b>\\xc3\\xa9", "--allow-origin '*'"],
        ),
    ] {
        let answer = ask(server.address, host, &rows("/poll")[0], more);
        assert!(words.iter().all(|w| answer.contains(w)), "{words:?}: {answer}");
        assert_eq!(fields(&answer, "content-type"), ["text/plain; charset=utf-8"]);
        assert_eq!(fields(&answer, "x-content-type-options"), ["nosniff"]);
    }
    server.stop();
}

#[test]
fn the_table_has_all_that_a_server_can_serve() {
    let server = everything(Access::default());
    for wanted in [
        "/",
        "/mail",
        "/schedule",
        "/read",
        "/say",
        "/ws",
        "/sockjs/{*rest}",
        "/engine.io/",
    ] {
        assert!(
            server.paths.iter().any(|path| path == wanted),
            "{wanted}: {:?}",
            server.paths
        );
    }
    assert!(
        std::panic::catch_unwind(|| rows("/new")).is_err(),
        "a route without a row fails"
    );
    server.stop();
}

/// A captured request is of another site, and for one: its bytes are replayed in a run all the same.
#[test]
fn a_captured_exchange_of_another_site_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture.http");
    let head = "GET /news HTTP/1.1\r\nHost: www.example.com\r\n";
    for fields in [
        "",
        "Origin: https://www.example.com\r\nSec-Fetch-Site: same-origin\r\n",
        "Origin: https://other.example\r\nSec-Fetch-Site: cross-site\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ] {
        std::fs::write(
            &path,
            format!("{head}{fields}\r\nHTTP/1.1 200 OK\r\nServer: a\r\n\r\n"),
        )
        .unwrap();
        let file = path.to_str().unwrap();
        for http in ["1.1", "2"] {
            let mut args = vec!["compare", "poll", "long-poll", "sse", "ws", "stomp", "sockjs"];
            args.extend([
                "--mails",
                "2",
                "--rate",
                "20/s",
                "--headers",
                file,
                "--http",
                http,
                "--reply",
            ]);
            let output = served::run(&args);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{fields} over {http}: {said}");
        }
    }
}

/// A script may come without `Origin` and without `Sec-Fetch-Site`; a POST says whose it is.
#[test]
fn a_script_brings_no_mail_before_its_client_has_posted() {
    let scenario = Scenario {
        heartbeat_ms: 2_000.0,
        ..Scenario::default()
    };
    let served = Served::start("sockjs", patient(), scenario);
    served.post(10);
    let poll = || {
        let answer = served
            .say("GET /sockjs/000/script/jsonp?c=x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .answer();
        String::from_utf8(answer.body).unwrap()
    };
    assert!(poll().contains("x(\"o\")"));
    // Longer than the client has for its first word.
    assert!(poll().contains("x(\"h\")"), "a heartbeat, and no mail");
    let body = r#"["{\"after\":0}"]"#;
    let length = body.len();
    let post = format!(
        "POST /sockjs/000/script/jsonp_send HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
    );
    assert_eq!(
        served
            .say(format!("{post}Origin: null\r\n\r\n{body}"))
            .head()
            .status,
        403
    );
    assert!(
        poll().contains("x(\"h\")"),
        "what a foreign page posts is nothing"
    );
    assert_eq!(served.say(format!("{post}\r\n{body}")).head().status, 200);
    assert!(poll().contains("mmmmmmmmmm"));
    served.stop();
}
