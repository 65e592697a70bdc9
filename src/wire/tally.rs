//! A small [`Sink`]: the counts that a meter keeps for each connection.

use serde::{Deserialize, Serialize};

use super::{Direction, Event, Labels, Part, Sink};

/// Bytes by label, and counts of events. Tallies can be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Client to server.
    pub up: Labels,
    /// Server to client.
    pub down: Labels,
    /// See [`Event::Request`].
    pub requests: u64,
    /// See [`Event::Empty`].
    pub empty: u64,
    /// WebSocket data frames from the client.
    pub messages_up: u64,
    /// WebSocket data frames and SSE events from the server.
    pub messages_down: u64,
    /// See [`Sink::message_head`].
    #[serde(rename = "said_up")]
    pub message_heads_up: u64,
    /// See [`Sink::message_head`].
    #[serde(rename = "said_down")]
    pub message_heads_down: u64,
    /// The number of calls of [`Sink::client_state`], and the sum of their bytes.
    #[serde(rename = "told")]
    pub client_state: [u64; 2],
    /// See [`Sink::mail`].
    pub mails: u64,
    /// See [`Sink::failed`].
    pub failed: u64,
    /// See [`Event::Upgraded`].
    pub upgraded: u64,
    /// See [`Event::Coded`].
    #[serde(default)]
    pub coded: u64,
    /// See [`Event::Violation`].
    pub violations: u64,
}

impl Sink for Tally {
    #[inline]
    fn part(&mut self, part: Part) {
        let labels = match part.direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        labels[part.label] += part.len;
    }

    #[inline]
    fn event(&mut self, event: Event) {
        let count = match event {
            Event::Request => &mut self.requests,
            Event::Empty => &mut self.empty,
            Event::Message(Direction::Up) => &mut self.messages_up,
            Event::Message(Direction::Down) => &mut self.messages_down,
            Event::Upgraded => &mut self.upgraded,
            Event::Coded => &mut self.coded,
            Event::Violation(..) => &mut self.violations,
        };
        *count += 1;
    }

    #[inline]
    fn message_head(&mut self, direction: Direction, head: u64) {
        match direction {
            Direction::Up => self.message_heads_up += head,
            Direction::Down => self.message_heads_down += head,
        }
    }

    #[inline]
    fn client_state(&mut self, bytes: u64) {
        self.client_state[0] += 1;
        self.client_state[1] += bytes;
    }

    #[inline]
    fn mail(&mut self) {
        self.mails += 1;
    }

    #[inline]
    fn failed(&mut self) {
        self.failed += 1;
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, o: Tally) {
        self.up += o.up;
        self.down += o.down;
        self.requests += o.requests;
        self.empty += o.empty;
        self.messages_up += o.messages_up;
        self.messages_down += o.messages_down;
        self.message_heads_up += o.message_heads_up;
        self.message_heads_down += o.message_heads_down;
        self.client_state[0] += o.client_state[0];
        self.client_state[1] += o.client_state[1];
        self.mails += o.mails;
        self.failed += o.failed;
        self.upgraded += o.upgraded;
        self.coded += o.coded;
        self.violations += o.violations;
    }
}
