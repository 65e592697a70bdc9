//! The header of a WebSocket frame (RFC 6455, section 5.2).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |F|R|R|R| opcode|M| length      | 16 or 64 bits more, if length |
//! |I|S|S|S|       |A|             | is 126 or 127; then the four  |
//! |N|V|V|V|       |S|             | bytes of the mask, if there   |
//! | |1|2|3|       |K|             | is one                        |
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! ```

use super::super::{Direction, Violation};

/// The largest header, bytes: a 64-bit length and a mask.
const MAX_HEADER: usize = 14;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether this frame ends its message.
    pub fin: bool,
    /// The frame's opcode.
    pub opcode: Opcode,
    /// Whether the content is masked.
    pub masked: bool,
    /// The length of the content, bytes.
    pub len: u64,
    /// The size of the header itself, bytes.
    pub size: usize,
}

/// The opcode of a frame (RFC 6455, section 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// Continues the message of the last data frame.
    Continuation,
    /// Begins a message in UTF-8.
    Text,
    /// Begins a message of bytes.
    Binary,
    /// The sender will send no more.
    Close,
    /// Asks for a pong.
    Ping,
    /// Answers a ping, or is a heartbeat.
    Pong,
}

impl Opcode {
    fn new(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return None,
        })
    }

    /// Whether it is a control frame, which is not part of a message (RFC 6455, section 5.5).
    pub fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

impl FrameHeader {
    /// Reads the header at the beginning of `bytes`; `None` if it is incomplete.
    ///
    /// # Errors
    /// [`Violation::Frame`] for a reserved bit or opcode, a fragmented or oversized control frame, a length
    /// above 63 bits. No extension is used here, so all three bits are reserved.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Option<FrameHeader>, Violation> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let opcode = Opcode::new(first & 0x0F).ok_or(Violation::Frame)?;
        let (fin, masked, short) = (first & 0x80 != 0, second & 0x80 != 0, second & 0x7F);
        if first & 0x70 != 0 || opcode.is_control() && (!fin || short > 125) {
            return Err(Violation::Frame);
        }
        let (len, more) = match short {
            126 => match rest.first_chunk() {
                Some(len) => (u64::from(u16::from_be_bytes(*len)), 2),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(len) => (u64::from_be_bytes(*len), 8),
                None => return Ok(None),
            },
            len => (u64::from(len), 0),
        };
        if len >> 63 != 0 {
            return Err(Violation::Frame);
        }
        let size = 2 + more + if masked { 4 } else { 0 };
        Ok((bytes.len() >= size).then_some(FrameHeader {
            fin,
            opcode,
            masked,
            len,
            size,
        }))
    }

    /// Checks the header against its sender, and against an unfinished message.
    #[inline]
    pub(super) fn may_follow(&self, sender: Direction, fresh: bool) -> Result<(), Violation> {
        let continues = self.opcode == Opcode::Continuation;
        let masked = sender == Direction::Up;
        if self.masked != masked || !self.opcode.is_control() && fresh == continues {
            return Err(Violation::Frame);
        }
        Ok(())
    }
}

/// Collects a frame's header, which may arrive in pieces.
#[derive(Clone, Debug, Default)]
pub struct HeaderReader {
    partial: [u8; MAX_HEADER],
    have: usize,
}

/// A complete header, and the key that masks the content; zeros if it is not masked.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// The header.
    pub header: FrameHeader,
    /// The masking key.
    pub key: [u8; 4],
}

impl HeaderReader {
    /// The number of bytes that wait for the rest of their header.
    pub fn held(&self) -> usize {
        self.have
    }

    /// Reads the next bytes; returns how many of them it used, and the header once it is complete.
    ///
    /// # Errors
    /// [`Violation::Frame`]; then no bytes wait any more.
    #[inline]
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Option<Whole>), Violation> {
        let have = std::mem::take(&mut self.have);
        let (source, taken) = if have == 0 {
            (bytes, bytes.len())
        } else {
            let n = bytes.len().min(MAX_HEADER - have);
            self.partial[have..have + n].copy_from_slice(&bytes[..n]);
            (&self.partial[..have + n], n)
        };
        if let Some(header) = FrameHeader::parse(source)? {
            let key = source[..header.size].last_chunk().copied();
            let key = key.filter(|_| header.masked).unwrap_or_default();
            return Ok((header.size - have, Some(Whole { header, key })));
        }
        if have == 0 {
            // An incomplete header is shorter than the longest one.
            self.partial[..taken].copy_from_slice(bytes);
        }
        self.have = have + taken;
        Ok((taken, None))
    }

    /// Whether the incomplete header is a control frame's.
    pub(in super::super) fn begins_control(&self) -> bool {
        self.have > 0 && Opcode::new(self.partial[0] & 0x0F).is_some_and(Opcode::is_control)
    }
}
