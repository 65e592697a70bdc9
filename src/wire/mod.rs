//! Reading what crosses the wire: bytes in, labelled parts out. Everything here is pure; there is no
//! socket, no clock and no runtime, so every decoder can be fed byte by byte, replayed and fuzzed.
//!
//! A [`Conversation`], or for HTTP/2 an [`http2::Connection`], reads both directions of one TCP
//! connection, because a response cannot be read without its request (RFC 9112, section 6.3: a response
//! to HEAD, a 204 and a 101 have no body). It hands each byte to a [`Sink`] exactly once, under exactly
//! one [`Label`].

mod body;
mod conversation;
pub mod engineio;
mod http1;
pub mod http2;
mod layers;
mod lengths;
mod list;
mod mailtext;
mod media_type;
mod ndjson;
mod notice;
mod out;
#[cfg(test)]
pub(crate) mod properties;
pub mod records;
pub mod socketio;
pub mod sockjs;
mod sse;
mod state;
pub mod stomp;
mod tally;
#[cfg(test)]
mod testing;
pub mod transcript;
mod websocket;

use serde::{Deserialize, Serialize};

pub use conversation::Conversation;
pub(crate) use layers::{Asks, Dialect, EngineIo, Transport, offers_stomp};
pub use lengths::{GAP, Lengths};
pub use media_type::is_media_type;
pub use tally::Tally;
pub use websocket::{FrameHeader, HeaderReader, Opcode, Whole};

/// Reads a connection of one of the protocols the lab speaks.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large one")]
pub enum Decoder {
    /// HTTP/1 and what it upgrades to.
    Http(Conversation),
    /// HTTP/2 from the first byte.
    Http2(Box<http2::Connection>),
    /// HTTP, of which too little was said to know the version; it holds that little.
    Unknown(Vec<u8>, Answers),
    /// The baseline.
    Lengths(Lengths),
}

/// What no request of HTTP/1 begins with, and every connection of HTTP/2.
const PRI: &[u8] = b"PRI ";

/// What the answer to a GET holds where no protocol on top says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A JSON list of mails.
    List,
    /// An event stream.
    Events,
    /// Lines of JSON.
    Lines,
}

/// What the answer to a GET of this target (path and query) holds; `None` leaves it to the answer's
/// `Content-Type`. Whoever knows the routes knows it; the field may be a replayed one that is not true.
pub type Answers = fn(&[u8]) -> Option<Answer>;

/// Believes what answers say of themselves.
pub fn as_declared(_target: &[u8]) -> Option<Answer> {
    None
}

impl Decoder {
    /// Reads HTTP of the version that the client begins with.
    pub fn http(answers: Answers) -> Decoder {
        Decoder::Unknown(Vec::new(), answers)
    }

    /// Decides which version it is, if the client's first bytes tell, or the server speaks.
    fn decide(&mut self, direction: Direction, bytes: &[u8], sink: &mut impl Sink) {
        let Decoder::Unknown(first, answers) = self else {
            return;
        };
        let (first, answers) = (std::mem::take(first), *answers);
        if direction == Direction::Down {
            *self = Decoder::Http(Conversation::expecting(answers));
            self.feed(Direction::Up, &first, sink);
            return self.feed(direction, bytes, sink);
        }
        let first = [first, bytes.to_vec()].concat();
        if first.len() < PRI.len() && PRI.starts_with(&first) {
            *self = Decoder::Unknown(first, answers);
            return;
        }
        *self = if first.starts_with(PRI) {
            Decoder::Http2(Box::new(http2::Connection::expecting(answers)))
        } else {
            Decoder::Http(Conversation::expecting(answers))
        };
        self.feed(direction, &first, sink);
    }

    /// Reads on in one direction.
    #[inline]
    pub fn feed(&mut self, direction: Direction, bytes: &[u8], sink: &mut impl Sink) {
        match self {
            Decoder::Http(conversation) => conversation.feed(direction, bytes, sink),
            Decoder::Http2(connection) => connection.feed(direction, bytes, sink),
            Decoder::Unknown(..) => self.decide(direction, bytes, sink),
            Decoder::Lengths(lengths) => lengths.feed(direction, bytes, sink),
        }
    }

    /// The connection is over: labels what is pending.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        match self {
            Decoder::Http(conversation) => conversation.finish(sink),
            Decoder::Http2(connection) => connection.finish(sink),
            Decoder::Unknown(first, answers) => {
                let mut conversation = Conversation::expecting(*answers);
                conversation.feed(Direction::Up, &std::mem::take(first), sink);
                conversation.finish(sink);
                *self = Decoder::Http(conversation);
            }
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
    /// Request line, status line, header fields, the blank line, trailers; an HTTP/2 HEADERS or
    /// CONTINUATION frame.
    Head,
    /// Every other byte round a message: chunk lines, an array's brackets and commas, SSE field
    /// names, ids and line ends, a data frame's header and mask, base64's extra third.
    Framing,
    /// A unit that carries no message, its own header, mask or chunk line included: ping, pong,
    /// close, SSE comments and `retry`, an empty list, a gap notice, an error's body, HTTP/2's preface
    /// and the frames that steer a connection.
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

    /// The labels that have bytes, and how many.
    pub fn each(&self) -> impl Iterator<Item = (Label, u64)> {
        let all = [
            (Label::Head, self.head),
            (Label::Framing, self.framing),
            (Label::Control, self.control),
            (Label::Payload, self.payload),
            (Label::Tls, self.tls),
        ];
        all.into_iter().filter(|(_, n)| *n > 0)
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
/// [`Decoder::finish`], leave nothing out.
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
    /// What tells how far the client has read, by itself: the baseline's eight bytes, `{"after":7}`.
    Cursor,
    /// What a protocol on top puts round a message: a packet's type, brackets, quotes, separators, a
    /// script's or an event's line round them.
    Envelope,
    /// Bytes that a string takes more because it stands escaped inside another.
    Escape,
    /// A unit of a protocol on top that only says that its sender is there.
    Heartbeat,
    /// A unit of a protocol on top that carries no message: it opens, confirms, steers or closes.
    LayerControl,
    /// What a stream begins with so that nobody in between holds it back.
    Prelude,
    /// A STOMP frame's command, headers and blank line.
    StompHead,
    /// What a STOMP frame carries that is no message: an ERROR's body.
    StompBody,
    /// The NUL that ends a STOMP frame, and line ends behind it.
    StompEnd,
    /// A mail's JSON text.
    Mail,
    /// The key and quotes that put an attachment into JSON.
    AttachmentKey,
    /// An attachment: its own bytes, or in text the base64 of them.
    Attachment,
    /// The four bytes before the JSON of a binary frame.
    MailLength,
    /// What the server says of its log: that mails were dropped, that it is another, or its name.
    Notice,
    /// An SSE field's name, colon, and what is not mail (HTML, section 9.2).
    SseField,
    /// An SSE comment line.
    SseComment,
    /// A line end that dispatches an SSE event.
    SseEnd,
    /// The end of a line of JSON.
    LineEnd,
    /// A WebSocket frame's header, with length and mask (RFC 6455, section 5.2).
    FrameHeader,
    /// A ping's, pong's or close's body.
    ControlBody,
    /// What the client's application says.
    Reply,
    /// A body that carries neither mail nor reply, such as an error's.
    OtherBody,
    /// What an HTTP/2 client says first (RFC 9113, section 3.4).
    Preface,
    /// An HTTP/2 frame's header (RFC 9113, section 4.1).
    H2FrameHeader,
    /// Fields, packed by HPACK, or a piece of them (RFC 7541, section 6).
    HeaderBlock,
    /// An HTTP/2 frame's pad length and its padding (RFC 9113, sections 6.1 and 6.2).
    Padding,
    /// Advice on which stream matters, deprecated (RFC 9113, sections 6.2 and 6.3).
    Priority,
    /// What one side can take (RFC 9113, section 6.5).
    Settings,
    /// How many bytes more one side takes (RFC 9113, section 6.9).
    WindowUpdate,
    /// The eight bytes of an HTTP/2 PING or of its answer (RFC 9113, section 6.7).
    Ping,
    /// Why no more streams are taken, and which was the last (RFC 9113, section 6.8).
    GoAway,
    /// Why a stream is ended at once (RFC 9113, section 6.4).
    RstStream,
    /// The payload of an HTTP/2 frame whose type is not known (RFC 9113, section 5.5).
    UnknownFrame,
    /// Bytes that fit no rule of the protocol, or that a cut left unfinished.
    Unread,
}

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

/// Takes what a [`Decoder`] reads.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(up: &[u8], piece: usize, down: &[u8]) -> Tally {
        let (mut decoder, mut tally) = (Decoder::http(as_declared), Tally::default());
        for bytes in up.chunks(piece) {
            decoder.feed(Direction::Up, bytes, &mut tally);
        }
        decoder.feed(Direction::Down, down, &mut tally);
        decoder.finish(&mut tally);
        tally
    }

    #[test]
    fn the_client_begins_with_its_version() {
        let http1 = b"PRIVATE / HTTP/1.1\r\n\r\n";
        for piece in 1..=http1.len() {
            let heard = tally(http1, piece, b"HTTP/1.1 204 No Content\r\n\r\n");
            assert_eq!(
                (heard.up.head, heard.down.head, heard.requests, heard.violations),
                (http1.len() as u64, 27, 1, 0)
            );
            let heard = tally(http2::PREFACE, piece, b"");
            assert_eq!((heard.up.control, heard.violations), (24, 0));
        }
    }

    fn answered(target: &str, declared: &str, body: &str) -> Tally {
        let known = |target: &[u8]| match target {
            b"/list" => Some(Answer::List),
            b"/events" => Some(Answer::Events),
            _ => None,
        };
        let (mut decoder, mut tally) = (Decoder::http(known), Tally::default());
        let asked = format!("GET {target} HTTP/1.1\r\n\r\n");
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {declared}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        decoder.feed(Direction::Up, asked.as_bytes(), &mut tally);
        decoder.feed(Direction::Down, (head + body).as_bytes(), &mut tally);
        decoder.finish(&mut tally);
        tally
    }

    #[test]
    fn what_is_known_of_an_answer_outweighs_what_it_declares() {
        let (list, events) = (r#"[{"id":1},{"id":2}]"#, "data: {\"id\":1}\n\n");
        for declared in ["application/json", "text/event-stream", "text/html"] {
            let read = answered("/list", declared, list);
            assert_eq!(
                (read.down.payload, read.mails, read.messages_down),
                (16, 2, 0),
                "{declared}"
            );
            let read = answered("/events", declared, events);
            assert_eq!(
                (read.down.payload, read.mails, read.messages_down),
                (8, 1, 1),
                "{declared}"
            );
        }
        assert_eq!(
            answered("/", "text/event-stream", events).mails,
            1,
            "else it is believed"
        );
    }

    #[test]
    fn errors_are_counted() {
        for (status, failed) in [(200, 0), (204, 0), (304, 0), (400, 1), (403, 1), (504, 1)] {
            let answer = format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\n\r\n");
            let read = tally(b"GET / HTTP/1.1\r\n\r\n", 100, answer.as_bytes());
            assert_eq!(read.failed, failed, "{status}");
        }
    }

    #[test]
    fn too_little_to_tell_is_labelled_all_the_same() {
        assert_eq!(tally(b"PR", 1, b"").up.head, 2);
        let refused = tally(
            b"P",
            1,
            b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
        );
        assert_eq!((refused.up.head, refused.down.head), (1, 51));
        assert_eq!(tally(b"", 1, b"").up.total(), 0);
    }
}
