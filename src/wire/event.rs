//! The output of a decoder: parts of bytes, and events.

use super::{Direction, Part};

/// A countable event in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A complete request head was read. The opening of a WebSocket counts as one.
    Request,
    /// A GET was answered completely and without mail: with a 204, or a list that holds no mail.
    Empty,
    /// A complete WebSocket data frame or SSE event with data was read.
    Message(Direction),
    /// The connection, or an HTTP/2 stream, became a WebSocket.
    Upgraded,
    /// An answer's body is in a content coding (RFC 9110, section 8.4): its mail is not seen.
    Coded,
    /// The bytes broke the protocol; the rest of this direction is labelled by the state at that point.
    /// WebSocket frames on an HTTP/2 stream break only that stream.
    Violation(Direction, Violation),
}

/// How the bytes broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A head that no HTTP/1 parser accepts, that has no method or status, or is larger than [`MAX_HEAD`].
    #[error("malformed or oversized HTTP head")]
    Head,
    /// A chunk line that is not a hexadecimal size.
    #[error("malformed chunk line")]
    Chunk,
    /// A response without a request.
    #[error("response without a request")]
    Unsolicited,
    /// A reserved opcode, a fragmented or oversized control frame, a stray continuation, a wrong mask bit.
    #[error("malformed WebSocket frame")]
    Frame,
    /// The client does not start with the HTTP/2 preface.
    #[error("malformed HTTP/2 preface")]
    Preface,
    /// A frame whose length, stream or position is not allowed.
    #[error("malformed or misplaced HTTP/2 frame")]
    Http2Frame,
    /// A header block that HPACK cannot decode.
    #[error("malformed header block")]
    Hpack,
    /// More requests, or more bytes after an upgrade request, than a client sends before an answer.
    #[error("too much sent ahead of an answer")]
    Backlog,
}

/// The largest head that is buffered, bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// Receives the output of a [`super::Decoder`].
pub trait Sink {
    /// A run of bytes with one label.
    fn part(&mut self, part: Part);
    /// A countable event.
    fn event(&mut self, event: Event);
    /// `head` bytes of a request or its answer exist only because the client's application sent a message.
    /// They are contained in parts, too.
    fn message_head(&mut self, _direction: Direction, _head: u64) {}
    /// `bytes` of a request told the server the client's identity and cursor. They are contained in parts,
    /// too.
    fn client_state(&mut self, _bytes: u64) {}
    /// A complete mail was read on its way to a client. Its bytes are contained in parts, too.
    fn mail(&mut self) {}
    /// A request was answered with a status of 400 or above.
    fn failed(&mut self) {}
    /// Whether [`Sink::target`] is to be called, which costs a copy.
    fn wants_targets(&self) -> bool {
        false
    }
    /// The path and query of the request whose head was the last part upwards. HTTP/2 has none.
    fn target(&mut self, _target: &[u8]) {}
    /// The head that was the last part downwards is the final one of its response: the next head answers the next
    /// request.
    fn answered(&mut self) {}
}
