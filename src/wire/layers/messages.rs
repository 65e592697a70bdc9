//! WebSocket messages that a protocol on top fills. What a client says is unmasked first (RFC 6455,
//! section 5.3). A message is one unit, whatever its fragments.

use super::super::body::up_to;
use super::super::out::Out;
use super::super::websocket::{FrameHeader, HeaderReader, Opcode, Whole};
use super::super::{Direction, Event, Kind, Label, Sink, Violation};
use super::unit::{MAX_PIECES, MAX_UNIT, Pending, Told, tell};
use super::{Carried, Dialect};

/// Labels the frames of one direction.
#[derive(Debug)]
pub(in super::super) struct Messages {
    dialect: Dialect,
    sender: Direction,
    header: HeaderReader,
    frame: Frame,
    message: Option<Message>,
}

/// The frame under way.
#[derive(Clone, Copy, Debug)]
struct Frame {
    at: At,
    /// Bytes of its content still to come.
    left: u64,
    /// The mask of the next byte is the first of these.
    key: [u8; 4],
}

#[derive(Clone, Copy, Debug)]
enum At {
    /// Before a header or in it.
    Between,
    Control,
    Data {
        fin: bool,
    },
}

/// The message under way; control frames may stand between its fragments.
#[derive(Debug)]
struct Message {
    binary: bool,
    frames: u64,
    /// Its frames' headers: start and length.
    headers: Vec<(u64, u64)>,
    content: Pending,
    /// It is too large to be collected: what its rest counts as.
    rest: Option<(Label, Kind)>,
}

impl Messages {
    pub fn new(dialect: Dialect, sender: Direction) -> Messages {
        Messages {
            dialect,
            sender,
            header: HeaderReader::default(),
            frame: Frame {
                at: At::Between,
                left: 0,
                key: [0; 4],
            },
            message: None,
        }
    }

    /// Takes the next bytes, the first of which has offset `start`.
    ///
    /// # Errors
    /// The offset of the frame that breaks the protocol; nothing from there on is labelled.
    pub fn feed<S: Sink>(
        &mut self,
        mut start: u64,
        mut bytes: &[u8],
        out: &mut Out<'_, S>,
    ) -> Result<(), u64> {
        while !bytes.is_empty() {
            let n = match self.frame.at {
                At::Between => match self.whole_message(start, bytes, out) {
                    Some(n) => n,
                    None => self.begin(start, bytes, out).inspect_err(|from| {
                        self.end(*from, out);
                    })?,
                },
                _ => self.content(start, bytes, out),
            };
            start += n as u64;
            bytes = &bytes[n..];
        }
        Ok(())
    }

    /// Labels what waits, when the connection is over. `end` is the offset behind the last byte.
    pub fn end<S: Sink>(&mut self, end: u64, out: &mut Out<'_, S>) {
        self.header.end(end, out);
        if let Some(mut message) = self.message.take()
            && message.rest.is_none()
        {
            message.tell(self.dialect, self.sender, out);
        }
    }

    /// Labels a message that lies there whole and unmasked, in one frame. Most do, and need no copy.
    fn whole_message<S: Sink>(&self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> Option<usize> {
        if self.header.held() > 0 || self.message.is_some() || self.sender == Direction::Up {
            return None;
        }
        let header = FrameHeader::parse(bytes).ok()??;
        let data = matches!(header.opcode, Opcode::Text | Opcode::Binary);
        if !header.fin || header.masked || !data || header.len > MAX_UNIT as u64 {
            return None;
        }
        let content = bytes[header.size..].get(..usize::try_from(header.len).ok()?)?;
        let carried = Carried {
            sender: self.sender,
            binary: header.opcode == Opcode::Binary,
        };
        let size = header.size as u64;
        let told = tell(self.dialect, content, &[(start + size, header.len)], carried, out);
        out.part(start, size, told.around(), Kind::FrameHeader);
        if !told.control {
            out.event(Event::Message(self.sender));
        }
        Some(header.size + content.len())
    }

    /// Takes bytes of a header; says how many.
    fn begin<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> Result<usize, u64> {
        let from = start - self.header.held() as u64;
        let (n, whole) = self.header.feed(bytes).map_err(|_| from)?;
        if let Some(whole) = whole {
            self.begin_frame(&whole, from, out).map_err(|_| from)?;
        }
        Ok(n)
    }

    fn begin_frame<S: Sink>(
        &mut self,
        Whole { header, key }: &Whole,
        start: u64,
        out: &mut Out<'_, S>,
    ) -> Result<(), Violation> {
        header.may_follow(self.sender, self.message.is_none())?;
        let at = if header.opcode.is_control() {
            out.part(start, header.size as u64, Label::Control, Kind::FrameHeader);
            At::Control
        } else {
            let message = self.message.get_or_insert_with(|| Message {
                binary: header.opcode == Opcode::Binary,
                frames: 0,
                headers: Vec::new(),
                content: Pending::default(),
                rest: None,
            });
            message.frames += 1;
            match message.rest {
                Some(_) => out.part(start, header.size as u64, Label::Framing, Kind::FrameHeader),
                None => message.headers.push((start, header.size as u64)),
            }
            At::Data { fin: header.fin }
        };
        self.frame = Frame {
            at,
            left: header.len,
            key: *key,
        };
        if header.len == 0 {
            self.end_frame(out);
        }
        Ok(())
    }

    fn content<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> usize {
        let mut bytes = &bytes[..up_to(self.frame.left, bytes.len())];
        if let (At::Data { .. }, Some(message)) = (self.frame.at, &self.message)
            && message.rest.is_none()
        {
            bytes = &bytes[..bytes.len().min(message.content.room())];
        }
        let len = bytes.len() as u64;
        match (self.frame.at, &mut self.message) {
            (At::Data { .. }, Some(message)) => {
                if let Some((label, kind)) = message.rest {
                    out.part(start, len, label, kind);
                } else {
                    let key = self.frame.key;
                    let unmasked = bytes.iter().enumerate().map(|(n, byte)| byte ^ key[n % 4]);
                    message.content.push(start, unmasked);
                    self.frame.key.rotate_left(bytes.len() % 4);
                }
                if message.is_full() {
                    let told = message.tell(self.dialect, self.sender, out);
                    message.rest = Some(told.last);
                }
            }
            _ => out.part(start, len, Label::Control, Kind::ControlBody),
        }
        self.frame.left -= len;
        if self.frame.left == 0 {
            self.end_frame(out);
        }
        bytes.len()
    }

    fn end_frame<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        if let At::Data { fin: true } = self.frame.at
            && let Some(mut message) = self.message.take()
        {
            let control = match message.rest {
                Some(_) => false,
                None => message.tell(self.dialect, self.sender, out).control,
            };
            for _ in 0..if control { 0 } else { message.frames } {
                out.event(Event::Message(self.sender));
            }
        }
        self.frame.at = At::Between;
    }
}

impl Message {
    fn is_full(&self) -> bool {
        self.rest.is_none() && (self.content.is_full() || self.headers.len() > MAX_PIECES)
    }

    /// Labels what was collected, and the headers round it.
    fn tell<S: Sink>(&mut self, dialect: Dialect, sender: Direction, out: &mut Out<'_, S>) -> Told {
        let carried = Carried {
            sender,
            binary: self.binary,
        };
        let told = self.content.tell(dialect, carried, out);
        for (start, len) in std::mem::take(&mut self.headers) {
            out.part(start, len, told.around(), Kind::FrameHeader);
        }
        told
    }
}
