//! Why a session ends in an ERROR frame (STOMP 1.2, "ERROR").

use super::stored::Refusal;
use crate::wire::stomp::{Command, Frame, Malformed};

/// A client's fault that ends its session, as reported in the ERROR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A short description.
    pub message: String,
    /// Further headers of the ERROR.
    headers: Vec<(String, String)>,
    /// Whether a limit was exceeded, instead of a rule broken.
    pub is_limit: bool,
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Fault {
        Fault {
            message: message.into(),
            headers: Vec::new(),
            is_limit: false,
        }
    }

    pub fn limit(message: impl Into<String>) -> Fault {
        Fault {
            is_limit: true,
            ..Fault::new(message)
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Fault {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A subscriber did not read its messages in time.
    pub fn fell_behind(destination: &str) -> Fault {
        Fault::limit(format!(
            "you fell behind: {destination} no longer has what you did not read"
        ))
    }

    /// No CONNECT came.
    pub fn silent() -> Fault {
        Fault::new("no CONNECT came in time")
    }

    /// The transport cannot carry a body.
    pub fn not_text() -> Fault {
        Fault::new("this transport carries text only, and the next message is not UTF-8")
    }

    /// The ERROR frame.
    pub fn frame(&self) -> Frame {
        let mut frame = Frame::new(Command::Error).with("message", &self.message);
        frame.headers.extend(self.headers.iter().cloned());
        frame.containing("text/plain", format!("{}\n", self.message))
    }
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Fault {
        Fault {
            is_limit: malformed.is_limit(),
            ..Fault::new(malformed.to_string())
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        let is_limit = matches!(
            refusal,
            Refusal::TooManyDestinations
                | Refusal::ShareOfDestinations
                | Refusal::ShareOfBytes
                | Refusal::QueueFull
                | Refusal::Full
        );
        Fault {
            is_limit,
            ..Fault::new(refusal.to_string())
        }
    }
}
