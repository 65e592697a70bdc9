//! `mailcall serve` as a separate process, and its summary at the end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{ChildStderr, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{Kept, PATIENCE};

/// The server process.
pub struct Serving {
    child: Kept,
    stderr: ChildStderr,
    /// The printed URL: `http://127.0.0.1:41234`.
    pub url: String,
    /// The folder with the certificate to trust.
    pub folder: tempfile::TempDir,
}

/// The summary at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub connections: u64,
    pub requests: u64,
    pub up: u64,
    pub down: u64,
}

pub fn mailcall(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailcall"));
    command.env("LC_ALL", "C");
    command.args(args);
    command
}

impl Serving {
    /// Starts it, and waits for its address; from then on it accepts connections.
    pub fn start(args: &[&str]) -> Serving {
        let folder = tempfile::tempdir().unwrap();
        let mut command = mailcall(&["serve"]);
        command.args(args).stderr(Stdio::piped());
        if args.contains(&"--tls") {
            command.arg("--ca").arg(folder.path().join("ca.pem"));
        }
        let mut child = Kept::start(&mut command);
        let mut url = String::new();
        BufReader::new(child.stdout()).read_line(&mut url).unwrap();
        Serving {
            stderr: child.stderr(),
            child,
            url: url.trim_end().into(),
            folder,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The authority of its URL: `127.0.0.1:41234`.
    pub fn authority(&self) -> &str {
        self.url.split_once("//").unwrap().1
    }

    /// The file with the certificate to trust.
    pub fn ca(&self) -> String {
        self.folder.path().join("ca.pem").to_str().unwrap().into()
    }

    /// Its URL with another scheme.
    pub fn at(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.authority())
    }

    /// Sends bytes on a new connection, and reads the whole answer.
    pub fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.authority()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes.as_ref()).unwrap();
        let mut answer = Vec::new();
        // A server that refuses a body may reset the connection while the rest is under way.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    /// A `GET`; the server may close the connection after its answer.
    pub fn get(&self, target: &str) -> String {
        self.exchange(format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ))
    }

    /// A `GET` whose answer, which may be endless, is read until a text appears in it.
    pub fn get_some(&self, target: &str, until: &str) -> String {
        let mut stream = TcpStream::connect(self.authority()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut heard = String::new();
        while !heard.contains(until) {
            let mut piece = [0; 4096];
            let n = stream.read(&mut piece).unwrap();
            assert!(n > 0, "{heard}");
            heard.push_str(std::str::from_utf8(&piece[..n]).unwrap());
        }
        heard
    }

    /// A `POST /mail`.
    pub fn post(&self, kind: &str, body: &[u8]) -> String {
        let head = format!(
            "POST /mail HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.exchange([head.as_bytes(), body].concat())
    }

    /// Kills it at once, without a chance to close.
    pub fn kill(mut self) {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        self.child.ended();
    }

    /// Sends it a signal, requires that it ends in order, and returns its summary.
    pub fn stop(mut self, signal: Signal) -> Sum {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        kill_process(pid, signal).unwrap();
        let status = self.child.ended();
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        assert_eq!(status.code(), Some(0), "{said}");
        sum(said.lines().last().unwrap_or_default())
    }
}

/// Reads `3 connections, 3 requests; 1409 bytes up, 15638 down`.
fn sum(line: &str) -> Sum {
    let numbers: Vec<u64> = line
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok())
        .collect();
    let [connections, requests, up, down] = numbers[..] else {
        panic!("no summary: {line}");
    };
    Sum {
        connections,
        requests,
        up,
        down,
    }
}

/// Runs mailcall to its end.
pub fn run(args: &[&str]) -> Output {
    let output = mailcall(args).stdin(Stdio::null()).output();
    output.unwrap_or_else(|e| panic!("mailcall {args:?} does not start: {e}"))
}
