//! What a decoder tells, besides the parts that bytes make up.

use super::{Direction, Part};

/// Something countable that the bytes said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request head was read in full. A WebSocket's opening is one.
    Request,
    /// A GET was answered in full and without mail: a 204, or a list with no mail in it.
    Empty,
    /// A WebSocket data frame or an SSE event with data was read in full.
    Message(Direction),
    /// The connection, or on HTTP/2 a stream of it, became a WebSocket.
    Upgraded,
    /// The bytes broke the protocol; the rest of that direction is labelled by the state it was in. A
    /// WebSocket's frames on an HTTP/2 stream break only that stream.
    Violation(Direction, Violation),
}

/// How the bytes broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A head that no HTTP/1 parser accepts, or without method or status, or larger than [`MAX_HEAD`].
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
    /// Not what an HTTP/2 client says first.
    #[error("malformed HTTP/2 preface")]
    Preface,
    /// A frame whose length, stream or place is not allowed.
    #[error("malformed or misplaced HTTP/2 frame")]
    Http2Frame,
    /// A header block that HPACK cannot unpack.
    #[error("malformed header block")]
    Hpack,
    /// More requests, or more bytes behind an upgrade request, than anybody sends ahead of an answer.
    #[error("too much sent ahead of an answer")]
    Backlog,
}

/// The largest head that is buffered for reading, bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// Takes what a [`super::Decoder`] reads.
pub trait Sink {
    /// One labelled run of bytes.
    fn part(&mut self, part: Part);
    /// Something countable.
    fn event(&mut self, event: Event);
    /// So many bytes of head were there because the client's application said something: a request's that
    /// brought it, or its answer's. They were told as parts, too.
    fn said(&mut self, _direction: Direction, _head: u64) {}
    /// So many bytes of a request told the server who asks and how far it has read. They were told as
    /// parts, too.
    fn told(&mut self, _bytes: u64) {}
    /// A mail was read in full, on its way to a client. Its bytes were told as parts, too.
    fn mail(&mut self) {}
    /// A request was answered with an error: a status of 400 or above.
    fn failed(&mut self) {}
}
