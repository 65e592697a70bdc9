//! A message format, as a decoder sees it.
//!
//! ```text
//! socket    1a\r\n  [{"id":4,"fro  \r\n  …  12\r\n  m":"ann@example.org"},  \r\n      chunks
//!                   \___________/           \__________________/
//! unit               [{"id":4,"from":"ann@example.org"}                               complete, without carriers
//! spans              f p                                                              framing, payload
//! ```
//!
//! A [`Layer`] knows one format: where a unit ends, and what its bytes are. It sees only complete units;
//! [`super::unit`] maps their bytes back to the socket's, which lie between chunk lines, frame headers and
//! masks. A layer also tells whether its labels depend on the bytes at all, and whether an answer was empty.
//! It is told who sends, whether a WebSocket message is binary, and how the unit ended, because half an
//! element of a list is no mail.

use std::any::TypeId;
use std::fmt;

use super::{Direction, Kind, Label, Spans};

/// A message format, read from one direction of one body or WebSocket.
pub(super) trait Layer: fmt::Debug + Send {
    /// The label of every byte that `sender` sends, if it does not depend on the bytes: then units are
    /// neither collected nor labelled by this layer.
    fn uniform(&self, _sender: Direction) -> Option<(Label, Kind)> {
        None
    }

    /// The length of the first unit of a body's `bytes`; `None` if it is incomplete. An earlier call found no
    /// end in the first `from` bytes, so a search may start there. The rest at the end of a body is labelled,
    /// too. Not called for WebSocket messages: each is one unit.
    fn unit(&mut self, bytes: &[u8], from: usize, sender: Direction) -> Option<usize>;

    /// Labels one unit, which may be incomplete after a cut; the spans' lengths sum to `unit.len()`.
    /// [`Kind::Cursor`] marks bytes that tell the server the client's cursor, and counts as such.
    fn label(&mut self, unit: &[u8], carried: Carried, spans: &mut Spans);

    /// Its type, while what it says of the next unit depends on nothing before it.
    fn at_rest(&self) -> Option<TypeId> {
        None
    }

    /// Whether units with these contents, all of a body, are a poll's answer without mail.
    fn is_empty_answer(&self, _seen: Seen) -> bool {
        false
    }
}

/// How a unit arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    pub sender: Direction,
    /// Whether it is a WebSocket's binary message; text messages and bodies are not.
    pub binary: bool,
    pub ending: Ending,
}

/// How a unit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Where the layer found its end, or with its WebSocket message.
    Whole,
    /// With the body.
    Body,
    /// By a cut of the connection, or because the unit is too large.
    Cut,
}

/// The contents of units.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// A unit of control alone.
    pub control: bool,
    /// Any other unit.
    pub other: bool,
    /// Messages of applications.
    pub payload: bool,
}

impl Seen {
    /// Whether there were units, and all of them control.
    pub fn only_control(self) -> bool {
        self.control && !self.other
    }
}
