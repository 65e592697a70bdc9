//! Reading what crosses the wire: bytes in, labelled parts out. Everything here is pure; there is no
//! socket, no clock and no runtime, so every decoder can be fed byte by byte, replayed and fuzzed.
//!
//! A [`Conversation`] reads both directions of one TCP connection, because a response cannot be read
//! without its request (RFC 9112, section 6.3: a response to HEAD, a 204 and a 101 have no body). It
//! hands each byte to a [`Sink`] exactly once, under exactly one [`Label`].

mod body;
mod conversation;
mod http1;
mod lengths;
mod list;
mod mailtext;
mod out;
#[cfg(test)]
mod properties;
mod sse;
mod tally;
#[cfg(test)]
mod testing;
mod websocket;

use serde::{Deserialize, Serialize};

pub use conversation::Conversation;
pub use lengths::{GAP, Lengths};
pub use tally::Tally;
pub use websocket::{FrameHeader, Opcode};

/// Reads a connection of one of the protocols the lab speaks.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large one")]
pub enum Decoder {
    /// HTTP/1 and what it upgrades to.
    Http(Conversation),
    /// The baseline.
    Lengths(Lengths),
}

impl Decoder {
    /// Reads on in one direction.
    #[inline]
    pub fn feed(&mut self, direction: Direction, bytes: &[u8], sink: &mut impl Sink) {
        match self {
            Decoder::Http(conversation) => conversation.feed(direction, bytes, sink),
            Decoder::Lengths(lengths) => lengths.feed(direction, bytes, sink),
        }
    }

    /// The connection is over: labels what is pending.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        match self {
            Decoder::Http(conversation) => conversation.finish(sink),
            Decoder::Lengths(_) => {}
        }
    }
}

/// Who sent a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Direction {
    /// Client to server.
    Up,
    /// Server to client.
    Down,
}

/// What a byte is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Label {
    /// Request line, status line, header fields, the blank line, trailers.
    Head,
    /// Every other byte round a message: chunk lines, an array's brackets and commas, SSE field
    /// names, ids and line ends, a data frame's header and mask, base64's extra third.
    Framing,
    /// A unit that carries no message, its own header, mask or chunk line included: ping, pong,
    /// close, SSE comments and `retry`, an empty list, a gap notice, an error's body.
    Control,
    /// The mail as its sender made it, and what the client's application says.
    Payload,
    /// What encryption adds.
    Tls,
}

/// Bytes of one direction by label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// See [`Label::Head`].
    pub head: u64,
    /// See [`Label::Framing`].
    pub framing: u64,
    /// See [`Label::Control`].
    pub control: u64,
    /// See [`Label::Payload`].
    pub payload: u64,
    /// See [`Label::Tls`].
    pub tls: u64,
}

impl Labels {
    /// All labels together: must equal the raw count.
    pub fn total(&self) -> u64 {
        self.head + self.framing + self.control + self.payload + self.tls
    }

    /// Adds `n` bytes under `label`.
    pub fn add(&mut self, label: Label, n: u64) {
        match label {
            Label::Head => self.head += n,
            Label::Framing => self.framing += n,
            Label::Control => self.control += n,
            Label::Payload => self.payload += n,
            Label::Tls => self.tls += n,
        }
    }
}

impl std::ops::AddAssign for Labels {
    fn add_assign(&mut self, o: Labels) {
        self.head += o.head;
        self.framing += o.framing;
        self.control += o.control;
        self.payload += o.payload;
        self.tls += o.tls;
    }
}

/// A run of bytes of one direction under one label. Parts may be told out of order (a chunk line's
/// label is known only once the chunk's content is), but never overlap and, after
/// [`Conversation::finish`], leave nothing out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Who sent it.
    pub direction: Direction,
    /// Offset of its first byte in that direction's stream.
    pub start: u64,
    /// How many bytes.
    pub len: u64,
    /// What it counts as.
    pub label: Label,
    /// What it is.
    pub kind: Kind,
}

/// What a part is, for whoever wants to explain it. Its label does not follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An HTTP/1 request head, through its blank line.
    RequestHead,
    /// An HTTP/1 response head, through its blank line.
    ResponseHead,
    /// A chunk's size line (RFC 9112, section 7.1).
    ChunkSize,
    /// The line end after a chunk's data.
    ChunkEnd,
    /// The last chunk, `0` and its line ends.
    LastChunk,
    /// A trailer section's fields.
    Trailers,
    /// Brackets, commas and white space of a JSON list of mails.
    ListPunctuation,
    /// The baseline's cursor.
    Cursor,
    /// A mail's JSON text.
    Mail,
    /// The key and quotes that put an attachment into JSON.
    AttachmentKey,
    /// An attachment: its own bytes, or in text the base64 of them.
    Attachment,
    /// The four bytes before the JSON of a binary frame.
    MailLength,
    /// A list's or stream's notice that mails were dropped.
    Gap,
    /// An SSE field's name, colon, and what is not mail (HTML, section 9.2).
    SseField,
    /// An SSE comment line.
    SseComment,
    /// A line end that dispatches an SSE event.
    SseEnd,
    /// A WebSocket frame's header, with length and mask (RFC 6455, section 5.2).
    FrameHeader,
    /// A ping's, pong's or close's body.
    ControlBody,
    /// What the client's application says.
    Reply,
    /// A body that carries neither mail nor reply, such as an error's.
    OtherBody,
    /// Bytes that fit no rule of the protocol, or that a cut left unfinished.
    Unread,
}

/// Something countable that the bytes said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request head was read in full.
    Request,
    /// A GET was answered in full and without mail: a 204, or a list with no mail in it.
    Empty,
    /// A WebSocket data frame or an SSE event with data was read in full.
    Message(Direction),
    /// The connection became a WebSocket.
    Upgraded,
    /// The bytes broke the protocol; the rest of that direction is labelled by the state it was in.
    Violation(Direction, Violation),
}

/// How the bytes broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A head that no HTTP/1 parser accepts, or larger than [`MAX_HEAD`].
    #[error("malformed or oversized HTTP head")]
    Head,
    /// A chunk line that is not a hexadecimal size.
    #[error("malformed chunk line")]
    Chunk,
    /// A response nobody asked for.
    #[error("response without a request")]
    Unsolicited,
    /// A reserved opcode, a fragmented or oversized control frame, a stray continuation, a wrong mask.
    #[error("malformed WebSocket frame")]
    Frame,
    /// More requests, or more bytes behind an upgrade request, than anybody sends ahead of an answer.
    #[error("too much sent ahead of an answer")]
    Backlog,
}

/// The largest head that is buffered for reading, bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// Takes what a [`Conversation`] reads.
pub trait Sink {
    /// One labelled run of bytes.
    fn part(&mut self, part: Part);
    /// Something countable.
    fn event(&mut self, event: Event);
}
