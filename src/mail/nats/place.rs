//! Which log a server opens.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a log is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogAt {
    /// In the memory of the server.
    #[default]
    Memory,
    /// A stream of NATS JetStream.
    Nats(Place),
}

/// A stream of NATS JetStream. Its JSON is for a server's process alone: it has the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// `nats://HOST:PORT`, with a user and a password or with a token, if the server asks for them.
    pub url: String,
    /// The same without user, password and token.
    pub shown: String,
    /// The name of the stream: 1 to 64 letters, digits, dashes and underscores.
    pub stream: String,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.shown, self.stream)
    }
}
