//! `mailcall serve`: a server alone, for clients of any make.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;
use serde_json::Value;

use crate::support;
use crate::support::served::{Serving, run};

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

fn json(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}"))
}

#[test]
fn it_accepts_from_the_moment_it_says_where_it_is() {
    for _ in 0..5 {
        let server = Serving::start(&["--mails", "0"]);
        assert!(server.url.starts_with("http://127.0.0.1:"), "{}", server.url);
        // No second try: the line is a promise.
        assert_eq!(status(&server.get("/")), "200");
        let sum = server.stop(Signal::INT);
        assert_eq!((sum.connections, sum.requests), (1, 1));
    }
}

#[test]
fn its_techniques_share_a_port_and_a_mailbox() {
    let server = Serving::start(&["--mails", "0"]);
    let list = server.get("/");
    for technique in mailcall::technique::ALL {
        assert!(list.contains(&format!("/{}", technique.name)), "{list}");
    }
    for n in 1..=2 {
        assert_eq!(
            status(&server.post("text/plain", format!("mail {n}").as_bytes())),
            "201"
        );
    }
    for path in ["/poll?after=0", "/long-poll?after=0"] {
        let list = json(&server.get(path));
        assert_eq!(list[0]["body"], "mail 1", "{path}");
        assert_eq!(list[1]["id"], 2, "{path}");
    }
    for (technique, said) in [("sse", "data: {\"id\":2"), ("ws", "{\"id\":2")] {
        let mut stream = TcpStream::connect(server.authority()).unwrap();
        stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
        let upgrade = match technique {
            "ws" => {
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Protocol: mailcall\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            }
            _ => "",
        };
        let request = format!("GET /{technique}?after=0 HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(&heard).contains(said) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            heard.push(byte[0]);
        }
    }
    server.stop(Signal::INT);
}

#[test]
fn only_the_techniques_named_are_there() {
    let server = Serving::start(&["sse", "--mails", "0"]);
    assert_eq!(status(&server.get("/poll")), "404");
    server.stop(Signal::INT);
}

#[test]
fn mail_comes_in_as_json_and_as_text() {
    let server = Serving::start(&["--mails", "0"]);
    let letter = br#"{"from":"a@b.example","subject":"Lunch","body":"At \"noon\"?"}"#;
    let taken = server.post("Application/JSON ;charset=utf-8", letter);
    assert_eq!((status(&taken), &json(&taken)["id"]), ("201", &1.into()));
    assert!(
        taken.to_ascii_lowercase().contains("location: /poll?after=0."),
        "{taken}"
    );
    assert_eq!(status(&server.post("text/plain", "Käse".as_bytes())), "201");
    let list = json(&server.get("/poll?after=0"));
    assert_eq!(list[0]["from"], "a@b.example");
    assert_eq!(list[0]["body"], "At \"noon\"?");
    assert_eq!(list[1]["body"], "Käse");
    let schedule = json(&server.get("/schedule?after=1"));
    assert_eq!(
        (&schedule["newest"], &schedule["planned"]),
        (&2.into(), &0.into())
    );
    assert_eq!(schedule["outside"], serde_json::json!([2]));
    server.stop(Signal::INT);
}

#[test]
fn what_is_no_mail_is_refused_and_says_why() {
    let server = Serving::start(&["--mails", "0"]);
    for body in ["{", "[]", r#"{"form":"x"}"#, r#"{"body":1}"#] {
        let refused = server.post("application/json", body.as_bytes());
        assert_eq!(status(&refused), "400", "{body}: {refused}");
        assert!(refused.contains("from, subject and body"), "{refused}");
    }
    assert_eq!(status(&server.post("text/plain", b"\xff")), "400");
    let most = mailcall::technique::MAX_BODY;
    assert_eq!(status(&server.post("text/plain", &vec![b'm'; most + 1])), "413");
    assert_eq!(
        json(&server.get("/schedule"))["newest"],
        0,
        "nothing of that arrived"
    );
    assert_eq!(status(&server.post("text/plain", &vec![b'm'; most])), "201");
    server.stop(Signal::INT);
}

#[test]
fn mail_of_the_schedule_and_from_outside_are_numbered_together() {
    let server = Serving::start(&["--mails", "3", "--rate", "1000/s"]);
    support::until("the schedule is over", || {
        json(&server.get("/schedule"))["planned"] == 3
    });
    assert_eq!(json(&server.post("text/plain", b"later"))["id"], 4);
    let schedule = json(&server.get("/schedule"));
    assert_eq!(
        (&schedule["newest"], &schedule["planned"]),
        (&4.into(), &3.into())
    );
    server.stop(Signal::INT);
}

#[test]
fn it_ends_in_order_for_ctrl_c_and_for_a_service_manager() {
    for signal in [Signal::INT, Signal::TERM] {
        let server = Serving::start(&["--mails", "0"]);
        let mut stream = TcpStream::connect(server.authority()).unwrap();
        stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
        stream
            .write_all(b"GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut first = [0; 15];
        stream.read_exact(&mut first).unwrap();
        let reading = std::thread::spawn(move || {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).map(|_| rest)
        });
        let sum = server.stop(signal);
        let rest = reading
            .join()
            .unwrap()
            .expect("the stream ends, it does not break");
        assert!(
            rest.ends_with(b"0\r\n\r\n"),
            "the last chunk: {:?}",
            String::from_utf8_lossy(&rest)
        );
        assert_eq!(sum.down, (first.len() + rest.len()) as u64);
    }
}

#[test]
fn it_can_be_started_again_on_its_port_at_once() {
    let server = Serving::start(&["--mails", "0"]);
    let authority = server.authority().to_owned();
    let mut stream = TcpStream::connect(&authority).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    stream
        .write_all(b"GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    stream.read_exact(&mut [0; 15]).unwrap();
    // The server closes first: its end of the connection stays in TIME-WAIT.
    let reading = std::thread::spawn(move || stream.read_to_end(&mut Vec::new()));
    server.stop(Signal::INT);
    reading.join().unwrap().unwrap();
    for _ in 0..2 {
        let again = Serving::start(&["--mails", "0", "--listen", &authority]);
        assert_eq!(again.authority(), authority);
        assert_eq!(status(&again.get("/")), "200");
        again.stop(Signal::INT);
    }
}

#[test]
fn what_it_cannot_do_it_says() {
    let server = Serving::start(&["--mails", "0"]);
    let taken = run(&["serve", "--listen", server.authority()]);
    let said = String::from_utf8(taken.stderr).unwrap();
    assert_eq!(taken.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot listen on 127.0.0.1:"), "{said}");
    assert!(taken.stdout.is_empty(), "no address is promised");
    for args in [
        &["--ca", "ca.pem"][..],
        &["--listen", "nowhere"],
        &["tcp"],
        &["--tls", "--ca", "/"],
    ] {
        let refused = run(&[&["serve"], args].concat());
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
    }
    server.stop(Signal::INT);
}

#[test]
fn a_port_alone_is_on_the_loopback() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let server = Serving::start(&["--mails", "0", "--port", &port]);
    assert_eq!(server.authority(), format!("127.0.0.1:{port}"));
    server.stop(Signal::INT);
    let two = run(&["serve", "--listen", "127.0.0.1:1", "--port", "2"]);
    assert_eq!(two.status.code(), Some(2));
    assert!(String::from_utf8(two.stderr).unwrap().contains("--port names 2"));
}

#[test]
fn listening_everywhere_it_says_where_others_find_it() {
    let server = Serving::start(&["--mails", "0", "--listen", "0.0.0.0"]);
    let address: std::net::SocketAddr = server.authority().parse().unwrap();
    assert!(!address.ip().is_unspecified() && address.port() > 0, "{address}");
    // An address is a name that needs no leave.
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&server.exchange(request)), "200");
    server.stop(Signal::INT);
}

/// With few descriptors it says how many clients fit, and so many do.
#[cfg(target_os = "linux")]
#[test]
fn as_many_clients_fit_as_it_says() {
    use std::io::{BufRead, BufReader};
    let binary = env!("CARGO_BIN_EXE_mailcall");
    let script = format!("ulimit -n 64; exec {binary} serve --mails 0");
    let mut command = std::process::Command::new("bash");
    command.args(["-c", &script]).env("LC_ALL", "C");
    let mut child = support::Kept::start(command.stderr(std::process::Stdio::piped()));
    let mut room = String::new();
    let mut said = BufReader::new(child.stderr());
    said.read_line(&mut room).unwrap();
    assert!(room.contains("the limit of open files is 64"), "{room}");
    let numbers: Vec<usize> = room.split(' ').filter_map(|word| word.parse().ok()).collect();
    let (all, ours) = (numbers[0], numbers[1]);
    assert!((16..64).contains(&all) && ours == all - all / 4, "{room}");
    let mut url = String::new();
    BufReader::new(child.stdout()).read_line(&mut url).unwrap();
    let authority = url.trim_end().trim_start_matches("http://");
    let client = || {
        let mut stream = TcpStream::connect(authority).unwrap();
        stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
        let asked = stream.write_all(b"GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut answer = [0; 15];
        asked.and_then(|()| stream.read_exact(&mut answer))?;
        Ok::<_, std::io::Error>((stream, answer))
    };
    let mut open = Vec::new();
    for n in 0..ours {
        let (stream, answer) = client().unwrap_or_else(|e| panic!("client {n} of {ours}: {e}"));
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        open.push(stream);
    }
    assert!(client().is_err(), "one more is too many");
}

/// On a terminal it shows what each technique does, and takes that away at the end.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_sees_live_counts() {
    use std::sync::{Arc, Mutex};
    if !support::is_here("script (util-linux)", support::runs("script")) {
        return;
    }
    // `exec`, because some shells stay and end with the signal's code.
    let command = format!("exec {} serve --mails 0", env!("CARGO_BIN_EXE_mailcall"));
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &command, "/dev/null"]);
    let mut child = support::Kept::start(script.env("TERM", "xterm").env("LC_ALL", "C"));
    let (mut keys, mut screen) = (child.stdin(), child.stdout());
    let seen = Arc::new(Mutex::new(String::new()));
    let writer = seen.clone();
    let reading = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(n @ 1..) = screen.read(&mut piece) {
            *writer.lock().unwrap() += &String::from_utf8_lossy(&piece[..n]);
        }
    });
    let shows = |what: &str| seen.lock().unwrap().contains(what);
    support::until("the address is there", || shows("Ctrl-C ends it"));
    let text = seen.lock().unwrap().clone();
    let (_, behind) = text.split_once("http://").unwrap();
    let authority = behind.lines().next().unwrap().trim().to_owned();
    let ask = |path: &str, fields: &str| {
        let mut stream = TcpStream::connect(&authority).unwrap();
        stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream.read_exact(&mut [0; 12]).unwrap();
        stream
    };
    let stream = ask("/sse", "");
    support::until("a stream is counted", || {
        shows("sse              1 requests      1 open")
    });
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let socket = ask("/ws", upgrade);
    support::until("a WebSocket is counted", || {
        shows("ws               1 requests      1 open")
    });
    drop((stream, socket));
    support::until("the WebSocket is over", || {
        shows("ws               1 requests      0 open")
    });
    keys.write_all(b"\x03").unwrap();
    assert_eq!(child.ended().code(), Some(0));
    reading.join().unwrap();
    let text = seen.lock().unwrap().clone();
    // Every line that was drawn is taken away before the summary, and none is drawn behind it.
    let (_, end) = text.rsplit_once(" open").unwrap();
    assert!(end.contains("\u{1b}[2K"), "{text:?}");
    assert!(end.contains("2 connections, 2 requests"), "{text:?}");
}
