//! What an application says in a session, as far as a prediction has to know.

use super::super::talk::Said;
use crate::wire::sockjs::quote;

/// All of it, for one client.
pub struct Inside<'a> {
    /// Where the service is.
    pub prefix: &'static str,
    /// What the client says first.
    pub opening: Vec<Turn>,
    /// What it says last, if it is the one who ends the session.
    pub closing: Vec<Turn>,
    /// Bytes of each mail as a JSON string; none in a session that gets no mail.
    pub mails: Vec<f64>,
    /// Bytes of the notice before the first of them, as a JSON string; 0 for none.
    pub notice: f64,
    /// What it publishes, and when, in seconds.
    pub publishes: Vec<(f64, Message)>,
    /// Heart-beats of its own, which keep SockJS's away.
    pub beats: Option<Beats>,
    /// What it says of a mail.
    pub reply: &'a dyn Fn(u64) -> Message,
    /// What it says of its own accord.
    pub say: &'a dyn Fn(Said) -> Message,
}

/// A message.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Its bytes as a JSON string.
    pub quoted: f64,
    /// How many of its bytes are the application's own.
    pub payload: f64,
}

/// Something said about the session itself, and how long the JSON string of the answer is that is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// What the client says.
    pub said: Message,
    /// What comes back.
    pub answered: Option<f64>,
}

/// Heart-beats that are messages.
#[derive(Clone, Copy, Debug)]
pub struct Beats {
    /// One of them.
    pub beat: Message,
    /// How many the server sends.
    pub down: f64,
    /// How many the client does.
    pub up: f64,
}

impl Message {
    /// One that is payload from end to end.
    pub fn of(text: &str) -> Message {
        Message::with(text, text.len())
    }

    /// One of which so many bytes are.
    pub fn with(text: &str, payload: usize) -> Message {
        Message {
            quoted: quote(text).len() as f64,
            payload: payload as f64,
        }
    }
}

impl Turn {
    /// One that no answer is waited for.
    pub fn silent(said: Message) -> Turn {
        Turn { said, answered: None }
    }
}

impl Inside<'_> {
    /// How much longer the JSON string of what a client says of its own accord is than what it says.
    pub fn round_what_is_said(&self) -> f64 {
        let message = (self.say)(Said { client: 0, say: 1 });
        message.quoted - message.payload
    }
}
