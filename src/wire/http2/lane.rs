//! One direction of an HTTP/2 connection.

use super::super::{Direction, Event, Kind, Label, MAX_HEAD, Out, Sink, Violation};
use super::frame::{ACK, FrameHeader, FrameType, PREFACE};
use super::hpack::Hpack;

/// The largest payload before the first SETTINGS (RFC 9113, section 4.2).
const DEFAULT_FRAME: u32 = 16_384;

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Lane {
    pub direction: Direction,
    /// The number of bytes read.
    pub fed: u64,
    pub state: State,
    /// An incomplete frame header.
    partial: [u8; FrameHeader::SIZE],
    /// Whether a frame was read: the first one must be SETTINGS.
    begun: bool,
    /// The largest payload that the other side accepts.
    pub max_frame: u32,
    pub hpack: Hpack,
    /// A header block that CONTINUATION must continue; no other frame may come between.
    pub block: Option<Block>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// In the preface, after this many bytes.
    Preface(usize),
    /// Before or within a frame's header; this many bytes are in [`Lane::partial`].
    Header(usize),
    /// Within a frame. After the pad length, its header is labelled or belongs to a stream's reader.
    Payload(Payload),
    /// After a violation, or the end.
    Unread(Label),
}

/// A frame that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload {
    pub header: FrameHeader,
    /// The frame's offset.
    pub start: u64,
    pub at: At,
    /// Bytes of payload left, including padding.
    pub left: u32,
    /// How many of the bytes left are padding.
    pub padding: u32,
    /// Bytes of an incomplete setting.
    pub setting: [u8; 6],
}

/// The position in a payload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum At {
    PadLength,
    /// In the priority of HEADERS; this many bytes are left.
    Priority(u32),
    Main,
    Padding,
}

/// A header block that is being read.
#[derive(Debug)]
pub(super) struct Block {
    pub stream: u32,
    pub end_stream: bool,
    /// Bytes of its frames, including their headers and padding.
    pub framed: u64,
    pub bytes: Vec<u8>,
}

impl Lane {
    pub fn new(direction: Direction, state: State) -> Lane {
        Lane {
            direction,
            fed: 0,
            state,
            partial: [0; FrameHeader::SIZE],
            begun: false,
            max_frame: DEFAULT_FRAME,
            hpack: Hpack::new(),
            block: None,
        }
    }

    pub fn part(&self, start: u64, len: u64, label: Label, kind: Kind, sink: &mut impl Sink) {
        Out::new(self.direction, sink).part(start, len, label, kind);
    }

    /// Reads bytes of the preface after the first `n`. Returns how many it used.
    pub fn preface(
        &mut self,
        n: usize,
        bytes: &[u8],
        sink: &mut impl Sink,
    ) -> (usize, Result<(), Violation>) {
        let same = bytes
            .iter()
            .zip(&PREFACE[n..])
            .take_while(|(a, b)| a == b)
            .count();
        self.part(self.fed, same as u64, Label::Control, Kind::Preface, sink);
        self.fed += same as u64;
        let right = n + same == PREFACE.len() || same == bytes.len();
        self.state = if n + same == PREFACE.len() {
            State::Header(0)
        } else {
            State::Preface(n + same)
        };
        (same, if right { Ok(()) } else { Err(Violation::Preface) })
    }

    /// Reads bytes of a frame's header after the first `have`. Returns how many it used.
    pub fn header(&mut self, have: usize, bytes: &[u8]) -> (usize, Option<FrameHeader>) {
        let n = bytes.len().min(FrameHeader::SIZE - have);
        self.partial[have..have + n].copy_from_slice(&bytes[..n]);
        self.fed += n as u64;
        self.state = State::Header(have + n);
        (n, FrameHeader::parse(&self.partial[..have + n]))
    }

    /// Checks a frame by its header and the frames before it.
    pub fn may_follow(&mut self, header: &FrameHeader) -> Result<(), Violation> {
        let first = !std::mem::replace(&mut self.begun, true);
        let continues = match &self.block {
            Some(block) => header.kind == FrameType::Continuation && header.stream == block.stream,
            None => header.kind != FrameType::Continuation,
        };
        let settings = header.kind == FrameType::Settings && !header.has(ACK);
        if !continues || first && !settings || header.len > self.max_frame {
            return Err(Violation::Http2Frame);
        }
        let held = self.block.as_ref().map_or(0, |block| block.bytes.len());
        if header.kind.label() == Label::Head && held + header.len as usize > MAX_HEAD {
            return Err(Violation::Head);
        }
        header.check()
    }

    /// Marks all further bytes as unreadable, and the current frame if none of it is labelled yet.
    pub fn give_up(&mut self, violation: Violation, sink: &mut impl Sink) {
        let (from, label) = match self.state {
            State::Payload(payload) => (payload.start, payload.header.kind.label()),
            _ => (self.fed, Label::Control),
        };
        let mut out = Out::new(self.direction, sink);
        out.part(from, self.fed - from, label, Kind::Unread);
        out.event(Event::Violation(self.direction, violation));
        self.state = State::Unread(label);
    }

    pub fn finish(&mut self, sink: &mut impl Sink) {
        let (from, label) = match self.state {
            State::Header(have) => {
                let label = match have {
                    // The fourth byte is the frame's type.
                    ..4 => Label::Control,
                    _ => FrameType::from(self.partial[3]).label(),
                };
                (self.fed - have as u64, label)
            }
            State::Payload(payload) if payload.at == At::PadLength => {
                (payload.start, payload.header.kind.label())
            }
            _ => (self.fed, Label::Control),
        };
        self.part(from, self.fed - from, label, Kind::Unread, sink);
        self.block = None;
        self.state = State::Unread(Label::Control);
    }
}

impl Payload {
    /// The frame's label. DATA comes here only on a stream without a reader.
    pub fn label(&self) -> Label {
        match self.header.kind {
            FrameType::Data => Label::Control,
            kind => kind.label(),
        }
    }
}
