//! What is known of a byte: its label, its kind, and its position.

use std::ops::{Add, Index, IndexMut};

use serde::{Deserialize, Serialize};

/// The direction of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Direction {
    /// Client to server.
    Up,
    /// Server to client.
    Down,
}

/// What a byte is there for. A new label takes a variant here, a field in [`Labels`], a colour
/// (`report/chart/palette.rs`), a place in the charts (`report/views/run/tables.rs`), a row in the glossary
/// (`report/views/run/view.rs`) and the columns of the CSV (`report/views/run/records.rs`): the compiler asks for
/// the first four, a test for the columns.
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

impl Label {
    /// All of them, in the order in which they are written.
    pub const ALL: [Label; 5] = [
        Label::Head,
        Label::Framing,
        Label::Control,
        Label::Payload,
        Label::Tls,
    ];

    /// Its name in tables and its key in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Label::Head => "head",
            Label::Framing => "framing",
            Label::Control => "control",
            Label::Payload => "payload",
            Label::Tls => "tls",
        }
    }
}

/// A number of bytes for each label: `u64` where they are counted, `f64` where they are predicted or a mean.
/// A label that a file does not have has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Labels<N = u64> {
    /// See [`Label::Head`].
    pub head: N,
    /// See [`Label::Framing`].
    pub framing: N,
    /// See [`Label::Control`].
    pub control: N,
    /// See [`Label::Payload`].
    pub payload: N,
    /// See [`Label::Tls`].
    pub tls: N,
}

impl<N> Labels<N> {
    /// The same question asked for each label.
    pub fn of(mut bytes: impl FnMut(Label) -> N) -> Labels<N> {
        Labels {
            head: bytes(Label::Head),
            framing: bytes(Label::Framing),
            control: bytes(Label::Control),
            payload: bytes(Label::Payload),
            tls: bytes(Label::Tls),
        }
    }
}

impl<N: Copy + std::iter::Sum> Labels<N> {
    /// All labels together: of counted bytes this must equal the raw count.
    pub fn total(&self) -> N {
        Label::ALL.map(|label| self[label]).into_iter().sum()
    }
}

impl Labels {
    /// The labels that have bytes, and how many.
    pub fn each(&self) -> impl Iterator<Item = (Label, u64)> {
        Label::ALL
            .map(|label| (label, self[label]))
            .into_iter()
            .filter(|(_, n)| *n > 0)
    }
}

impl<N> Index<Label> for Labels<N> {
    type Output = N;
    fn index(&self, label: Label) -> &N {
        match label {
            Label::Head => &self.head,
            Label::Framing => &self.framing,
            Label::Control => &self.control,
            Label::Payload => &self.payload,
            Label::Tls => &self.tls,
        }
    }
}

impl<N> IndexMut<Label> for Labels<N> {
    fn index_mut(&mut self, label: Label) -> &mut N {
        match label {
            Label::Head => &mut self.head,
            Label::Framing => &mut self.framing,
            Label::Control => &mut self.control,
            Label::Payload => &mut self.payload,
            Label::Tls => &mut self.tls,
        }
    }
}

impl<N: Copy + Add<Output = N>> Add for Labels<N> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Labels::of(|label| self[label] + other[label])
    }
}

impl std::ops::AddAssign for Labels {
    fn add_assign(&mut self, other: Labels) {
        *self = *self + other;
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
    /// A body in a content coding (RFC 9110, section 8.4), in which nothing can be told apart.
    Coded,
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
