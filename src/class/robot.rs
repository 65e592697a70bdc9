//! Simulated students, for a room without phones: each is a client with a connection of its own for every lane, over
//! real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use rand::RngExt;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::room::{LANES, Room};
use super::student::Student;
use crate::clock;
use crate::lab::role::Role;
use crate::mail::{Cursor, Epoch};
use crate::technique::{Technique, unencrypted};
use crate::wire::Answer;

/// How long a client waits before it connects again; with jitter, from nothing to twice as long.
const RETRY: Duration = Duration::from_secs(1);

/// How often a student says that it is here.
const HERE: Duration = Duration::from_secs(5);

/// The longest line that is read.
const LONGEST: usize = 1 << 20;

/// The simulated students of a room.
#[derive(Debug)]
pub struct Robots(Role<()>);

impl Robots {
    /// Lets this many students in, who stay until they are stopped.
    ///
    /// # Errors
    /// If there is no place for them, or no thread.
    pub fn start(
        room: &Arc<Room>,
        at: SocketAddr,
        students: usize,
        stop: CancellationToken,
    ) -> anyhow::Result<Robots> {
        let entered = (0..students).map(|_| room.enter(true));
        let entered: Result<Vec<_>, _> = entered.collect();
        let entered = entered
            .ok()
            .context(crate::lang::t!("the class has no place for them"))?;
        let room = room.clone();
        let role = Role::start("students", || {
            Ok(async move {
                let all = entered.iter().map(|student| attend(&room, student, at));
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = join_all(all) => {}
                }
            })
        })?;
        Ok(Robots(role))
    }

    /// Waits until they have left.
    pub fn join(self) {
        let _ = self.0.join_here();
    }
}

/// A student's place on one lane.
struct Lane<'a> {
    room: &'a Room,
    student: &'a Student,
    index: usize,
    at: SocketAddr,
    http: &'a reqwest::Client,
    number: u64,
    epoch: Epoch,
}

async fn attend(room: &Room, student: &Student, at: SocketAddr) {
    let Ok(http) = unencrypted() else {
        return;
    };
    let mailbox = room.mails.post().mailbox();
    let lanes = LANES.iter().enumerate().map(|(index, technique)| {
        let lane = Lane {
            room,
            student,
            index,
            at,
            http: &http,
            number: mailbox.newest(),
            epoch: mailbox.epoch(),
        };
        lane.follow(technique)
    });
    let here = async {
        loop {
            student.seen(clock::now());
            tokio::time::sleep(HERE).await;
        }
    };
    tokio::join!(join_all(lanes), here);
}

impl Lane<'_> {
    /// Follows a technique for ever, and connects again whenever that fails.
    async fn follow(mut self, technique: &Technique) {
        // Not all at the same instant: each has a phase of its own.
        let interval = self.room.mails.post().scenario().poll_interval();
        let phase: f64 = rand::rng().random();
        tokio::time::sleep(interval.min(RETRY).mul_f64(phase)).await;
        loop {
            let ended = match technique.answers {
                Some((path, Answer::List)) if technique.holds => self.ask(path, Duration::ZERO).await,
                Some((path, Answer::List)) => self.ask(path, interval).await,
                Some((path, _)) => self.stream(path).await,
                None => self.converse(technique).await,
            };
            // Whatever it was, a client tries again.
            drop(ended);
            let factor = if self.room.jitter() {
                rand::rng().random_range(0.0..2.0)
            } else {
                1.0
            };
            tokio::time::sleep(RETRY.mul_f64(factor)).await;
        }
    }

    fn target(&self, path: &str) -> String {
        let after = Cursor::of(self.number, self.epoch);
        format!("{path}?after={after}&student={}", self.student.token)
    }

    async fn get(&self, path: &str) -> anyhow::Result<reqwest::Response> {
        let url = format!("http://{}{}", self.at, self.target(path));
        Ok(self.http.get(url).send().await?.error_for_status()?)
    }

    /// Asks again and again.
    async fn ask(&mut self, path: &str, pause: Duration) -> anyhow::Result<()> {
        loop {
            let answer = self.get(path).await?;
            if answer.status() != StatusCode::NO_CONTENT {
                self.read(&answer.text().await?);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Reads lines from one response.
    async fn stream(&mut self, path: &str) -> anyhow::Result<()> {
        let mut answer = self.get(path).await?;
        let mut unread = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            unread.extend_from_slice(&chunk);
            while let Some(end) = memchr::memchr(b'\n', &unread) {
                let line: Vec<u8> = unread.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                let line = line.trim();
                self.read(line.strip_prefix("data:").unwrap_or(line));
            }
            anyhow::ensure!(unread.len() <= LONGEST, "a line has no end");
        }
        Ok(())
    }

    /// Reads messages from a WebSocket.
    async fn converse(&mut self, technique: &Technique) -> anyhow::Result<()> {
        let path = format!("/{}", technique.name);
        let url = format!("ws://{}{}", self.at, self.target(&path));
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await?;
        while let Some(message) = socket.next().await {
            match message? {
                Message::Text(text) => self.read(&text),
                Message::Ping(_) => socket.flush().await?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads a mail, a notice, or a list of these; other lines mean nothing here.
    fn read(&mut self, text: &str) {
        match serde_json::from_str(text) {
            Ok(Value::Array(all)) => all.iter().for_each(|one| self.take(one)),
            Ok(one) => self.take(&one),
            Err(_) => {}
        }
    }

    fn take(&mut self, message: &Value) {
        if let Some(id) = message["id"].as_u64() {
            self.number = self.number.max(id);
            let now = self.room.now_ms();
            let arrived = self.room.mails.arrival(id).unwrap_or(now);
            self.student
                .received(self.index, id, (now - arrived).max(0.0), now);
        } else if let Some(missed) = message["gap"].as_u64() {
            self.number += missed;
        } else if let Some(epoch) = message["reset"].as_str().and_then(|epoch| epoch.parse().ok()) {
            (self.number, self.epoch) = (0, epoch);
        }
    }
}
