//! What a message format is to a decoder.
//!
//! ```text
//! socket    1a\r\n  [{"id":4,"fro  \r\n  …  12\r\n  m":"ann@example.org"},  \r\n      chunks
//!                   \___________/           \__________________/
//! unit               [{"id":4,"from":"ann@example.org"}                               whole, and by itself
//! spans              f p                                                              framing, payload
//! ```
//!
//! A [`Layer`] knows one format: where a unit ends, and what its bytes are. It sees whole units alone; where the
//! socket had their bytes, between which chunk lines, frame headers and masks, is found again in
//! [`super::unit`]. What a format must say besides: whether its bytes need be looked at at all, and whether an
//! answer was empty. What it must be told: who sends, whether a WebSocket's message is binary, and how the
//! unit ended, because half an element of a list is no mail.

use std::fmt;

use super::{Direction, Kind, Label, Spans};

/// A message format, as it is read from one direction of one body or WebSocket.
pub(super) trait Layer: fmt::Debug + Send {
    /// What every byte that `sender` sends counts as, if that does not depend on the bytes: nothing is
    /// collected then, and nothing labelled here.
    fn uniform(&self, _sender: Direction) -> Option<(Label, Kind)> {
        None
    }

    /// How long the first unit of a body's `bytes` is; `None`: it is not all there yet. The first `from`
    /// of them were asked about before and did not end it, so that a search need not begin anew. What
    /// is left when the body ends is labelled, too. A WebSocket message is one unit, and not asked about.
    fn unit(&mut self, bytes: &[u8], from: usize, sender: Direction) -> Option<usize>;

    /// What one unit consists of, which a cut may have left unfinished: the spans' lengths sum to
    /// `unit.len()`. [`Kind::Cursor`] is what told the server how far the client has read, and counted as that.
    fn label(&mut self, unit: &[u8], carried: Carried, spans: &mut Spans);

    /// Whether units in which this was seen are a poll's answer without mail. They were all of the body.
    fn is_empty_answer(&self, _seen: Seen) -> bool {
        false
    }
}

/// How a unit came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    pub sender: Direction,
    /// Whether it is a WebSocket's binary message: what comes in text or in a body is not.
    pub binary: bool,
    pub ending: Ending,
}

/// How a unit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As the layer said, or with its WebSocket message.
    Whole,
    /// The body ended behind it.
    Body,
    /// The connection was cut, or the unit is too large.
    Cut,
}

/// What units held.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// A unit that was nothing but control.
    pub control: bool,
    /// Any other unit.
    pub other: bool,
    /// What applications say.
    pub payload: bool,
}

impl Seen {
    /// Whether there were units, and all of them control.
    pub fn only_control(self) -> bool {
        self.control && !self.other
    }
}
