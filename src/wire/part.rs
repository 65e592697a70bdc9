//! What is known of a byte: its label, its kind, and its position.

use serde::{Deserialize, Serialize};

/// The direction of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Direction {
    /// Client to server.
    Up,
    /// Server to client.
    Down,
}

/// The purpose of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Label {
    /// Request line, status line, header fields, the blank line, trailers; an HTTP/2 HEADERS or
    /// CONTINUATION frame.
    Head,
    /// Every other byte around a message: chunk lines, an array's brackets and commas, SSE field names, ids
    /// and line ends, a data frame's header and mask, base64's extra third.
    Framing,
    /// A unit that carries no message, including its own header, mask or chunk line: ping, pong, close, SSE
    /// comments and `retry`, an empty list, a gap notice, an error's body, HTTP/2's preface and the frames
    /// that control a connection.
    Control,
    /// The mail as its sender made it, and messages of the client's application.
    Payload,
    /// Bytes added by encryption.
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
    /// The sum of all labels, which must equal the raw count.
    pub fn total(&self) -> u64 {
        self.head + self.framing + self.control + self.payload + self.tls
    }

    /// The labels that have bytes, with their number.
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

/// A run of bytes of one direction with one label. Parts may be reported out of order (a chunk line's label
/// is known only after the chunk's content), but they never overlap, and after [`super::Decoder::finish`] no
/// byte is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The direction.
    pub direction: Direction,
    /// Offset of its first byte in that direction's stream.
    pub start: u64,
    /// The number of bytes.
    pub len: u64,
    /// The label that the bytes count as.
    pub label: Label,
    /// The kind of bytes.
    pub kind: Kind,
}

/// The kind of a part, needed to explain it. It does not determine the label.
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
    /// The client's cursor on its own: the baseline's eight bytes, `{"after":7}`.
    Cursor,
    /// The bytes of a protocol on top around a message: a packet's type, brackets, quotes, separators, the
    /// line of a script or event.
    Envelope,
    /// The additional bytes of a string that is escaped inside another.
    Escape,
    /// A unit of a protocol on top that only shows that its sender is alive.
    Heartbeat,
    /// A unit of a protocol on top without a message: it opens, confirms, controls or closes.
    LayerControl,
    /// The start of a stream that prevents intermediaries from holding it back.
    Prelude,
    /// A STOMP frame's command, headers and blank line.
    StompHead,
    /// The body of a STOMP frame that is not a message: an ERROR's body.
    StompBody,
    /// The NUL that ends a STOMP frame, and line ends after it.
    StompEnd,
    /// A mail's JSON text.
    Mail,
    /// The JSON key and quotes of an attachment.
    AttachmentKey,
    /// An attachment: its raw bytes, or in text their base64.
    Attachment,
    /// The four bytes of length before the JSON of a binary frame.
    MailLength,
    /// A server's notice about its log: mails were dropped, it is another log, or its name.
    Notice,
    /// An SSE field's name and colon, and any value that is not mail (HTML, section 9.2).
    SseField,
    /// An SSE comment line.
    SseComment,
    /// A line end that dispatches an SSE event.
    SseEnd,
    /// The end of a line of JSON.
    LineEnd,
    /// A WebSocket frame's header, with length and mask (RFC 6455, section 5.2).
    FrameHeader,
    /// The body of a ping, pong or close.
    ControlBody,
    /// A message of the client's application.
    Reply,
    /// A body that carries neither mail nor reply, such as an error's.
    OtherBody,
    /// The first bytes of an HTTP/2 client (RFC 9113, section 3.4).
    Preface,
    /// An HTTP/2 frame's header (RFC 9113, section 4.1).
    H2FrameHeader,
    /// Fields encoded by HPACK, or a part of them (RFC 7541, section 6).
    HeaderBlock,
    /// An HTTP/2 frame's pad length and its padding (RFC 9113, sections 6.1 and 6.2).
    Padding,
    /// The priority of a stream, deprecated (RFC 9113, sections 6.2 and 6.3).
    Priority,
    /// The settings of one side (RFC 9113, section 6.5).
    Settings,
    /// How many more bytes one side accepts (RFC 9113, section 6.9).
    WindowUpdate,
    /// The eight bytes of an HTTP/2 PING or of its answer (RFC 9113, section 6.7).
    Ping,
    /// Why no more streams are accepted, and which was the last one (RFC 9113, section 6.8).
    GoAway,
    /// Why a stream is ended at once (RFC 9113, section 6.4).
    RstStream,
    /// The payload of an HTTP/2 frame of unknown type (RFC 9113, section 5.5).
    UnknownFrame,
    /// Bytes that break the protocol, or that are incomplete after a cut.
    Unread,
}
