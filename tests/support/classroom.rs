//! `mailcall class` as a separate process, with its code and key.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::served::mailcall;
use super::{Kept, PATIENCE};

/// A class that has begun.
pub struct Classroom {
    child: Kept,
    /// What Enter is typed into.
    pub stdin: ChildStdin,
    /// Lines of stderr, as they come.
    said: Receiver<String>,
    /// The students' URL: `http://127.0.0.1:41234/?code=4271`.
    pub url: String,
    /// The code to type.
    pub code: String,
    /// The teacher's key.
    pub key: String,
}

/// A status and a body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {} {}", self.head, String::from_utf8_lossy(&self.body)))
    }
}

impl Classroom {
    /// Starts it, and waits until students can join.
    pub fn start(args: &[&str]) -> Classroom {
        let mut command = mailcall(&["class"]);
        command.args(args).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Kept::start(&mut command);
        let (say, said) = channel();
        let stderr = BufReader::new(child.stderr());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        let mut url = String::new();
        let mut stdout = BufReader::new(child.stdout());
        stdout.read_line(&mut url).unwrap();
        std::thread::spawn(move || for _ in stdout.lines() {});
        let stdin = child.stdin();
        let mut class = Classroom {
            stdin,
            child,
            said,
            code: url
                .trim()
                .rsplit_once("code=")
                .map_or("", |(_, code)| code)
                .into(),
            url: url.trim().into(),
            key: String::new(),
        };
        let line = class.says("/board#");
        class.key = line.rsplit_once('#').unwrap().1.into();
        class
    }

    /// The next line on stderr that contains this text.
    pub fn says(&self, text: &str) -> String {
        loop {
            let line = self.said.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|e| panic!("{e}: it never says {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        let rest = self.url.split_once("//").unwrap().1;
        rest.split('/').next().unwrap()
    }

    /// The URL of the board, with the key.
    pub fn board(&self) -> String {
        format!("http://{}/board#{}", self.authority(), self.key)
    }

    /// Sends a request on a connection of its own.
    pub fn ask(&self, method: &str, target: &str, fields: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.authority()).unwrap();
        exchange(&mut stream, &request(method, target, fields, body))
    }

    /// `GET`.
    pub fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "", "")
    }

    /// `POST` of a JSON.
    pub fn post(&self, target: &str, body: &Value) -> Answer {
        self.ask(
            "POST",
            target,
            "Content-Type: application/json\r\n",
            &body.to_string(),
        )
    }

    /// Joins; returns the token and the whole answer.
    pub fn join(&self) -> (String, Value) {
        let answer = self.post("/class/join", &json!({ "code": self.code }));
        assert_eq!(answer.status, 200, "{answer:?}");
        let joined = answer.json();
        (joined["student"].as_str().unwrap().into(), joined)
    }

    /// A student's figures.
    pub fn state(&self, token: &str) -> Value {
        let answer = self.post(&format!("/class/state?student={token}"), &json!({ "since": 0 }));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// What a student does.
    pub fn act(&self, token: &str, what: &Value) -> Answer {
        self.post(&format!("/class/act?student={token}"), what)
    }

    /// What the teacher orders.
    pub fn lead(&self, order: &Value) -> Answer {
        let fields = format!(
            "Content-Type: application/json\r\nAuthorization: Bearer {}\r\n",
            self.key
        );
        self.ask("POST", "/class/lead", &fields, &order.to_string())
    }

    /// What the board shows; an answer may be 50 ms old.
    pub fn shown(&self) -> Value {
        std::thread::sleep(std::time::Duration::from_millis(60));
        self.shown_lately()
    }

    /// The same without waiting for a new answer.
    pub fn shown_lately(&self) -> Value {
        self.get("/class/board?since=1").json()
    }

    /// Its resident memory, kB (proc(5), `VmRSS`).
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Ends it with Ctrl-C; returns its last line.
    pub fn stop(mut self) -> String {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        assert_eq!(self.child.ended().code(), Some(0));
        let mut last = String::new();
        while let Ok(line) = self.said.recv_timeout(PATIENCE) {
            last = line;
        }
        last
    }
}

/// A request's bytes.
pub fn request(method: &str, target: &str, fields: &str, body: &str) -> String {
    let length = match body.is_empty() {
        true => String::new(),
        false => format!("Content-Length: {}\r\n", body.len()),
    };
    format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}{length}\r\n{body}")
}

/// Sends a request, and reads an answer with a length, or none, on a connection that may be used again.
pub fn exchange(stream: &mut TcpStream, request: &str) -> Answer {
    use std::io::Read;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8(read[..end].to_vec()).unwrap();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let field = |name: &str| {
                let lower = head.to_ascii_lowercase();
                let at = lower.find(&format!("\r\n{name}: "))? + name.len() + 4;
                Some(lower[at..].split("\r\n").next().unwrap().to_owned())
            };
            let length: usize = field("content-length").map_or(0, |n| n.parse().unwrap());
            if read.len() >= end + 4 + length {
                let body = read[end + 4..].to_vec();
                return Answer { status, head, body };
            }
        }
        let mut piece = [0; 4096];
        let n = stream.read(&mut piece).unwrap();
        assert!(
            n > 0,
            "the connection ended in {:?}",
            String::from_utf8_lossy(&read)
        );
        read.extend_from_slice(&piece[..n]);
    }
}
