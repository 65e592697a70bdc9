//! `mailcall serve` as a process of its own, and what it says when it ends.
#![allow(dead_code)] // Each test crate that includes this file uses its own part of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{ChildStderr, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::support::{Kept, PATIENCE};

/// A server's process.
pub struct Serving {
    child: Kept,
    stderr: ChildStderr,
    /// What it printed: `http://127.0.0.1:41234`.
    pub url: String,
    /// Where it wrote down whom to trust.
    pub folder: tempfile::TempDir,
}

/// What it said at its end.
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
    /// Starts it, and waits for its address: from then on it accepts.
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

    /// `127.0.0.1:41234`
    pub fn authority(&self) -> &str {
        self.url.split_once("//").unwrap().1
    }

    /// The file that says whom to trust.
    pub fn ca(&self) -> String {
        self.folder.path().join("ca.pem").to_str().unwrap().into()
    }

    /// Its URL under another scheme.
    pub fn at(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.authority())
    }

    /// Says something on a connection of its own, and hears the answer out.
    pub fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.authority()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes.as_ref()).unwrap();
        let mut answer = Vec::new();
        // A server that refuses a body may reset what of it is still under way.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    /// `GET`, on a connection that it may close then.
    pub fn get(&self, target: &str) -> String {
        self.exchange(format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ))
    }

    /// `GET`, heard until a text has come in an answer that may have no end.
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

    /// `POST /mail`
    pub fn post(&self, kind: &str, body: &[u8]) -> String {
        let head = format!(
            "POST /mail HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.exchange([head.as_bytes(), body].concat())
    }

    /// Ends it at once, without any goodbye.
    pub fn kill(mut self) {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        self.child.ended();
    }

    /// Tells it to end, requires that it does in order, and returns its summary.
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
