//! The elements of an explanation: units, their parts, and details of parts.

use std::borrow::Cow;
use std::ops::Range;

use crate::lang::{Text, phrase};
use crate::wire::transcript::Piece;
use crate::wire::{Direction, Labels};

/// Bytes of one direction that belong together: a head, a chunk, a body, a frame. Without bytes, it is the
/// end of a direction.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The direction.
    pub direction: Direction,
    /// When its first byte crossed, on the transcript's clock, microseconds.
    pub at_us: f64,
    /// A description in one line.
    pub title: Text,
    /// Its bytes, explained. The parts leave no byte out and do not overlap.
    pub parts: Vec<Explained>,
    /// The path and query, if this is a request.
    pub target: Option<String>,
    /// The state that the client repeats here because the server does not remember it.
    pub state: Vec<StateItem>,
}

/// Bytes with their explanation.
#[derive(Clone, Debug, Default)]
pub struct Explained {
    /// The bytes as they were sent.
    pub bytes: Vec<u8>,
    /// Their labels. Only encoded or escaped bytes have two.
    pub labels: Labels,
    /// What they are.
    pub what: Text,
    /// Why they are there; may be empty.
    pub why: Text,
    /// The specification that defines it.
    pub source: Cow<'static, str>,
    /// The range of bytes that are random, or a time, and differ in every run.
    pub random: Option<Range<usize>>,
    /// Bit fields, or the steps of a calculation.
    pub details: Vec<Detail>,
}

/// One line about what a part contains.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// The name of the field or of the step.
    pub name: Cow<'static, str>,
    /// Its value.
    pub value: Text,
    /// What the value means.
    pub what: Text,
    /// Whether the value differs in every run.
    pub random: bool,
}

/// An item of the client's state, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateItem {
    /// The kind of state.
    pub what: Knowledge,
    /// Its size, bytes.
    pub bytes: u64,
}

/// The state that a client must repeat in every request to a stateless server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Knowledge {
    /// The client's cursor: `after=7`, `Last-Event-ID: 7`, or the baseline's eight bytes.
    Cursor,
    /// The client's identity: its cookie or credentials.
    Identity,
    /// Everything else that a request's head repeats: method, path, and other fields.
    Head,
}

impl Unit {
    /// Its length, bytes.
    pub fn len(&self) -> u64 {
        self.parts.iter().map(|p| p.bytes.len() as u64).sum()
    }

    /// Whether it has no bytes, like the end of a stream.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes by label.
    pub fn labels(&self) -> Labels {
        let mut sum = Labels::default();
        self.parts.iter().for_each(|p| sum += p.labels);
        sum
    }
}

impl Explained {
    /// A whole piece as one part.
    pub(super) fn new(piece: &Piece, what: impl Into<Text>, source: &'static str) -> Explained {
        Explained {
            bytes: piece.bytes.clone(),
            labels: piece.labels,
            what: what.into(),
            source: source.into(),
            ..Explained::default()
        }
    }

    pub(super) fn because(mut self, why: impl Into<Text>) -> Explained {
        self.why = why.into();
        self
    }

    pub(super) fn with(mut self, details: Vec<Detail>) -> Explained {
        self.details = details;
        self
    }
}

impl Detail {
    pub(super) fn new(
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
        what: impl Into<Text>,
    ) -> Detail {
        Detail {
            name: name.into(),
            value: value.into().into(),
            what: what.into(),
            random: false,
        }
    }

    /// Adds a value that contains words.
    pub(super) fn valued(mut self, value: Text) -> Detail {
        self.value = value;
        self
    }

    pub(super) fn random(mut self) -> Detail {
        self.random = true;
        self
    }
}

/// Bytes in hexadecimal, with spaces between them.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .enumerate()
        .fold(String::new(), |mut out, (i, byte)| {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}{byte:02x}", if i > 0 { " " } else { "" });
            out
        })
}

/// A range of a piece, with the piece's one label.
pub fn slice(piece: &Piece, range: Range<usize>) -> Piece {
    let mut labels = Labels::default();
    if let Some((label, _)) = piece.labels.each().next() {
        labels[label] += range.len() as u64;
    }
    Piece {
        direction: piece.direction,
        crossing: piece.crossing,
        at_us: piece.at_us,
        start: piece.start + range.start as u64,
        kind: piece.kind,
        labels,
        bytes: piece.bytes[range].to_vec(),
    }
}

/// `1 byte`, `7 bytes`.
pub fn bytes(n: u64) -> Text {
    match n {
        1 => "1 byte".into(),
        n => phrase!("%{n} bytes", n = n.to_string()),
    }
}

/// Bytes as text; invalid UTF-8 is replaced.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Splits a piece after each line end.
pub fn lines(piece: &Piece) -> Vec<Piece> {
    let mut from = 0;
    let ends = piece.bytes.iter().enumerate().filter(|(_, b)| **b == b'\n');
    let mut cuts: Vec<usize> = ends.map(|(at, _)| at + 1).collect();
    cuts.push(piece.bytes.len());
    cuts.dedup();
    let lines = cuts.into_iter().map(|to| {
        let line = slice(piece, from..to);
        from = to;
        line
    });
    lines.filter(|line| !line.bytes.is_empty()).collect()
}

/// Splits a piece at these positions.
pub fn pieces(piece: &Piece, ends: impl IntoIterator<Item = usize>) -> Vec<Piece> {
    let mut from = 0;
    let mut out = Vec::new();
    for to in ends.into_iter().chain([piece.bytes.len()]) {
        if to > from {
            out.push(slice(piece, from..to));
            from = to;
        }
    }
    out
}

/// A number in network byte order.
pub fn number(piece: &Piece) -> u64 {
    piece.bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}
