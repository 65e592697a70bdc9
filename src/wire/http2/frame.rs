//! HTTP/2 frames (RFC 9113, section 4.1): what each begins with, and the rules that its header alone
//! can break (section 6).
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

/// What a client says first (RFC 9113, section 3.4): an HTTP/1 server stumbles over it.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// DATA and HEADERS: the stream's last frame from this side.
pub const END_STREAM: u8 = 0x01;
/// SETTINGS and PING: the answer to one.
pub const ACK: u8 = 0x01;
/// HEADERS and CONTINUATION: the header block's last frame.
pub const END_HEADERS: u8 = 0x04;
/// DATA and HEADERS: the payload begins with a pad length and ends with so much padding.
pub const PADDED: u8 = 0x08;
/// HEADERS: five bytes of priority stand before the header block.
pub const PRIORITY: u8 = 0x20;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Bytes of payload.
    pub len: u32,
    /// What the frame is.
    pub kind: FrameType,
    /// What they mean depends on the type: [`END_STREAM`] and its neighbours.
    pub flags: u8,
    /// The stream it belongs to.
    pub stream: u32,
}

/// What a frame is (RFC 9113, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// Content.
    Data,
    /// A header block, or its beginning.
    Headers,
    /// Advice that RFC 9113 deprecates.
    Priority,
    /// The end of a stream, at once.
    RstStream,
    /// What the sender can take, or the acknowledgement that it was read.
    Settings,
    /// The announcement of a response nobody asked for.
    PushPromise,
    /// A question whether the other side still lives, or the answer.
    Ping,
    /// The sender takes no more streams.
    GoAway,
    /// How many bytes more the sender takes.
    WindowUpdate,
    /// More of a header block.
    Continuation,
    /// To be passed over (section 5.5).
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
    /// What a payload of this type is, but for DATA's and HEADERS's, which are not of one piece.
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

    /// What a frame of this type counts as, a DATA frame as long as nothing else is known of it.
    pub(super) fn label(self) -> Label {
        match self {
            FrameType::Data => Label::Framing,
            FrameType::Headers | FrameType::Continuation | FrameType::PushPromise => Label::Head,
            _ => Label::Control,
        }
    }
}

impl FrameHeader {
    /// Bytes of the header itself.
    pub const SIZE: usize = 9;

    /// Reads the header that `bytes` begin with; `None` if they are too few.
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

    /// Whether padding may follow: the payload begins with its length.
    pub(super) fn is_padded(&self) -> bool {
        matches!(self.kind, FrameType::Data | FrameType::Headers) && self.has(PADDED)
    }

    /// Whether five bytes of priority stand before the header block.
    pub(super) fn has_priority(&self) -> bool {
        self.kind == FrameType::Headers && self.has(PRIORITY)
    }

    /// Judges the header by itself.
    ///
    /// # Errors
    /// [`Violation::Http2Frame`] for a length that the type does not allow, for a stream where the
    /// connection is meant and the reverse, and for a push, which no client here permits.
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
