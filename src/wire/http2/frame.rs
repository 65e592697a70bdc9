//! HTTP/2 frames (RFC 9113, section 4.1): their header, and the rules that the header alone can break
//! (section 6).
//!
//! ```text
//! +-----------------------------------------------+
//! | length of the payload (24)                    |
//! +---------------+---------------+---------------+
//! | type (8)      | flags (8)     |
//! +-+-------------+---------------+-------------------------------+
//! |R| stream (31); 0 is the connection itself                     |
//! +-+-------------------------------------------------------------+
//! ```

use super::super::{Kind, Label, Violation};

/// The client's first bytes (RFC 9113, section 3.4). An HTTP/1 server rejects them.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// DATA and HEADERS: this is the sender's last frame on the stream.
pub const END_STREAM: u8 = 0x01;
/// SETTINGS and PING: this frame is an acknowledgement.
pub const ACK: u8 = 0x01;
/// HEADERS and CONTINUATION: this frame ends the header block.
pub const END_HEADERS: u8 = 0x04;
/// DATA and HEADERS: the payload begins with a pad length and ends with that much padding.
pub const PADDED: u8 = 0x08;
/// HEADERS: five bytes of priority precede the header block.
pub const PRIORITY: u8 = 0x20;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The length of the payload, bytes.
    pub len: u32,
    /// The frame's type.
    pub kind: FrameType,
    /// The flags; their meaning depends on the type: [`END_STREAM`] and the constants below it.
    pub flags: u8,
    /// The stream it belongs to.
    pub stream: u32,
}

/// The type of a frame (RFC 9113, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// Content.
    Data,
    /// A header block, or its first part.
    Headers,
    /// Priority of a stream, deprecated by RFC 9113.
    Priority,
    /// Ends a stream at once.
    RstStream,
    /// The sender's settings, or the acknowledgement of the peer's.
    Settings,
    /// Announces a response without a request.
    PushPromise,
    /// Checks whether the peer is alive, or answers such a check.
    Ping,
    /// The sender accepts no more streams.
    GoAway,
    /// How many more bytes the sender accepts.
    WindowUpdate,
    /// A further part of a header block.
    Continuation,
    /// To be ignored (section 5.5).
    Unknown(u8),
}

impl From<u8> for FrameType {
    fn from(byte: u8) -> FrameType {
        match byte {
            0 => FrameType::Data,
            1 => FrameType::Headers,
            2 => FrameType::Priority,
            3 => FrameType::RstStream,
            4 => FrameType::Settings,
            5 => FrameType::PushPromise,
            6 => FrameType::Ping,
            7 => FrameType::GoAway,
            8 => FrameType::WindowUpdate,
            9 => FrameType::Continuation,
            other => FrameType::Unknown(other),
        }
    }
}

impl FrameType {
    /// The kind of a payload of this type. DATA and HEADERS have several parts, so this is not used for them.
    pub(super) fn payload(self) -> Kind {
        match self {
            FrameType::Data => Kind::OtherBody,
            FrameType::Headers | FrameType::Continuation | FrameType::PushPromise => Kind::HeaderBlock,
            FrameType::Priority => Kind::Priority,
            FrameType::RstStream => Kind::RstStream,
            FrameType::Settings => Kind::Settings,
            FrameType::Ping => Kind::Ping,
            FrameType::GoAway => Kind::GoAway,
            FrameType::WindowUpdate => Kind::WindowUpdate,
            FrameType::Unknown(_) => Kind::UnknownFrame,
        }
    }

    /// The label of a frame of this type; for a DATA frame, as long as its content is unknown.
    pub(super) fn label(self) -> Label {
        match self {
            FrameType::Data => Label::Framing,
            FrameType::Headers | FrameType::Continuation | FrameType::PushPromise => Label::Head,
            _ => Label::Control,
        }
    }
}

impl FrameHeader {
    /// The size of the header, bytes.
    pub const SIZE: usize = 9;

    /// Reads the header at the beginning of `bytes`; `None` if it is incomplete.
    pub fn parse(bytes: &[u8]) -> Option<FrameHeader> {
        let &[l1, l2, l3, kind, flags, s1, s2, s3, s4] = bytes.first_chunk::<{ Self::SIZE }>()?;
        Some(FrameHeader {
            len: u32::from_be_bytes([0, l1, l2, l3]),
            kind: kind.into(),
            flags,
            // The first bit is reserved.
            stream: u32::from_be_bytes([s1 & 0x7F, s2, s3, s4]),
        })
    }

    /// Whether a flag is set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether the payload begins with a pad length.
    pub(super) fn is_padded(&self) -> bool {
        matches!(self.kind, FrameType::Data | FrameType::Headers) && self.has(PADDED)
    }

    /// Whether five bytes of priority precede the header block.
    pub(super) fn has_priority(&self) -> bool {
        self.kind == FrameType::Headers && self.has(PRIORITY)
    }

    /// Checks the header by itself.
    ///
    /// # Errors
    /// [`Violation::Http2Frame`] for a length that the type does not allow, for a stream number on a frame of
    /// the connection and the reverse, and for a push, which no client here permits.
    pub(super) fn check(&self) -> Result<(), Violation> {
        let on_stream = self.stream != 0;
        let least = u32::from(self.is_padded()) + if self.has_priority() { 5 } else { 0 };
        let right = match self.kind {
            FrameType::Data | FrameType::Headers | FrameType::Continuation => on_stream && self.len >= least,
            FrameType::Priority => on_stream,
            FrameType::RstStream => on_stream && self.len == 4,
            FrameType::Settings if self.has(ACK) => !on_stream && self.len == 0,
            FrameType::Settings => !on_stream && self.len.is_multiple_of(6),
            FrameType::Ping => !on_stream && self.len == 8,
            FrameType::GoAway => !on_stream && self.len >= 8,
            FrameType::WindowUpdate => self.len == 4,
            FrameType::PushPromise => false,
            FrameType::Unknown(_) => true,
        };
        if right { Ok(()) } else { Err(Violation::Http2Frame) }
    }
}
