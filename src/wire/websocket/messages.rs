//! WebSocket messages of one direction. A message is one unit, however it is fragmented; a client's messages
//! are unmasked first (RFC 6455, section 5.3), if the layer needs their bytes.

use std::any::TypeId;

use super::super::layers::Mail;
use super::super::unit::{MAX_PIECES, MAX_UNIT, Pending, Places, UnitContents, add_place, label_unit, up_to};
use super::super::{Carried, Dialect, Direction, Ending, Event, Kind, Label, Layer, Out, Sink, Violation};
use super::frame::{FrameHeader, HeaderReader, Opcode, Whole};

/// Labels the frames of one direction.
#[derive(Debug)]
pub(in super::super) struct Messages {
    layer: Box<dyn Layer>,
    sender: Direction,
    header: HeaderReader,
    /// The position of an incomplete header's bytes.
    begun: Places,
    frame: Frame,
    message: Message,
}

/// The frame under way.
#[derive(Clone, Copy, Debug)]
struct Frame {
    at: At,
    /// Bytes of its content that are left.
    left: u64,
    /// The masking key, rotated: its first byte masks the next byte.
    key: [u8; 4],
}

#[derive(Clone, Copy, Debug)]
enum At {
    /// Before or within a header.
    Between,
    Control,
    Data {
        fin: bool,
    },
}

/// The message under way; control frames may come between its fragments.
#[derive(Debug)]
enum Message {
    None,
    /// All its bytes have this label, because the layer says so or it is too large to be collected.
    Passing(Label, Kind),
    Collected(Box<Collected>),
}

#[derive(Debug, Default)]
struct Collected {
    binary: bool,
    /// The number of its frames that were read completely.
    frames: u64,
    /// The positions of its frames' headers.
    headers: Places,
    content: Pending,
}

impl Messages {
    pub fn new(dialect: Option<Dialect>, sender: Direction) -> Messages {
        Messages {
            layer: dialect.map_or_else(|| Box::new(Mail) as _, Dialect::layer),
            sender,
            header: HeaderReader::default(),
            begun: Places::new(),
            frame: Frame {
                at: At::Between,
                left: 0,
                key: [0; 4],
            },
            message: Message::None,
        }
    }

    /// The type of its layer, if it stands between two messages and the bytes so far make no difference to those that
    /// come.
    pub fn at_rest(&self) -> Option<TypeId> {
        let is_between = matches!((self.frame.at, &self.message), (At::Between, Message::None));
        self.layer
            .at_rest()
            .filter(|_| is_between && self.begun.is_empty())
    }

    /// Reads the next bytes, the first of which has offset `start`.
    ///
    /// # Errors
    /// [`Violation::Frame`]: the bytes that break the protocol, and all after them, are labelled as unread.
    #[inline]
    pub fn feed<S: Sink>(
        &mut self,
        mut start: u64,
        mut bytes: &[u8],
        out: &mut Out<'_, S>,
    ) -> Result<(), Violation> {
        while !bytes.is_empty() {
            let n = match self.frame.at {
                At::Between => match self.whole_message(start, bytes, out) {
                    Some(n) => n,
                    None => self.begin(start, bytes, out)?,
                },
                _ => self.content(start, bytes, out),
            };
            start += n as u64;
            bytes = &bytes[n..];
        }
        Ok(())
    }

    /// Labels pending bytes at the end of the connection.
    pub fn end<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        let label = match self.header.begins_control() {
            true => Label::Control,
            false => Label::Framing,
        };
        for (start, len) in std::mem::take(&mut self.begun) {
            out.part(start, len, label, Kind::Unread);
        }
        if let Message::Collected(message) = std::mem::replace(&mut self.message, Message::None) {
            self.label_message(*message, Ending::Cut, out);
        }
    }

    /// Labels a message that is complete, unmasked and in one frame. Most are, and they need no copy.
    #[inline]
    fn whole_message<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> Option<usize> {
        if !self.begun.is_empty() || !matches!(self.message, Message::None) || self.sender == Direction::Up {
            return None;
        }
        let header = FrameHeader::parse(bytes).ok()??;
        let data = matches!(header.opcode, Opcode::Text | Opcode::Binary);
        if !header.fin || header.masked || !data || header.len > MAX_UNIT as u64 {
            return None;
        }
        let content = bytes[header.size..].get(..usize::try_from(header.len).ok()?)?;
        let carried = self.carried(header.opcode == Opcode::Binary, Ending::Whole);
        let size = header.size as u64;
        let contents = label_unit(
            &mut *self.layer,
            content,
            &[(start + size, header.len)],
            carried,
            out,
        );
        out.part(start, size, contents.around(), Kind::FrameHeader);
        if !contents.control {
            out.event(Event::Message(self.sender));
        }
        Some(header.size + content.len())
    }

    /// Reads bytes of a header; returns how many it used.
    fn begin<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> Result<usize, Violation> {
        let fresh = matches!(self.message, Message::None);
        let fits = |whole: &Whole| whole.header.may_follow(self.sender, fresh);
        let read = self.header.feed(bytes);
        match read.and_then(|(n, whole)| whole.as_ref().map_or(Ok(()), fits).map(|()| (n, whole))) {
            Ok((n, None)) => {
                add_place(&mut self.begun, start, n as u64);
                Ok(n)
            }
            Ok((n, Some(whole))) => {
                self.begin_frame(&whole, (start, n as u64), out);
                Ok(n)
            }
            Err(violation) => {
                let begun = std::mem::take(&mut self.begun);
                self.end(out);
                for (start, len) in begun.into_iter().chain([(start, bytes.len() as u64)]) {
                    out.part(start, len, Label::Control, Kind::Unread);
                }
                Err(violation)
            }
        }
    }

    /// Handles a complete header, whose last part is at this place.
    fn begin_frame<S: Sink>(
        &mut self,
        Whole { header, key }: &Whole,
        last: (u64, u64),
        out: &mut Out<'_, S>,
    ) {
        let control = header.opcode.is_control();
        if !control && let Message::None = self.message {
            self.message = match self.layer.uniform(self.sender) {
                Some((label, kind)) => Message::Passing(label, kind),
                None => Message::Collected(Box::new(Collected {
                    binary: header.opcode == Opcode::Binary,
                    ..Collected::default()
                })),
            };
        }
        for (start, len) in self.begun.drain(..).chain([last]) {
            match &mut self.message {
                Message::Collected(message) if !control => add_place(&mut message.headers, start, len),
                _ if control => out.part(start, len, Label::Control, Kind::FrameHeader),
                _ => out.part(start, len, Label::Framing, Kind::FrameHeader),
            }
        }
        self.frame = Frame {
            at: match control {
                true => At::Control,
                false => At::Data { fin: header.fin },
            },
            left: header.len,
            key: *key,
        };
        self.give_up_if_full(out);
        if header.len == 0 {
            self.end_frame(out);
        }
    }

    /// Reads bytes of a frame's content; returns how many it used.
    fn content<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> usize {
        let mut bytes = &bytes[..up_to(self.frame.left, bytes.len())];
        match (self.frame.at, &mut self.message) {
            (At::Data { .. }, Message::Collected(message)) => {
                bytes = &bytes[..bytes.len().min(message.content.room())];
                message.content.push(start, bytes);
                if self.frame.key != [0; 4] {
                    let masked = message.content.last(bytes.len()).iter_mut();
                    masked
                        .zip(self.frame.key.iter().cycle())
                        .for_each(|(b, key)| *b ^= key);
                    self.frame.key.rotate_left(bytes.len() % 4);
                }
            }
            (At::Data { .. }, Message::Passing(label, kind)) => {
                out.part(start, bytes.len() as u64, *label, *kind);
            }
            _ => out.part(start, bytes.len() as u64, Label::Control, Kind::ControlBody),
        }
        self.give_up_if_full(out);
        self.frame.left -= bytes.len() as u64;
        if self.frame.left == 0 {
            self.end_frame(out);
        }
        bytes.len()
    }

    /// If a message is too large to be collected, its further bytes get the label of the last span.
    fn give_up_if_full<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        let is_full =
            |message: &mut Collected| message.content.is_full() || message.headers.len() > MAX_PIECES;
        if let Message::Collected(message) = &mut self.message
            && is_full(message)
        {
            let message = std::mem::take(&mut **message);
            let contents = self.label_message(message, Ending::Cut, out);
            self.message = Message::Passing(contents.last.0, contents.last.1);
        }
    }

    fn end_frame<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        if let At::Data { fin } = self.frame.at {
            match &mut self.message {
                Message::Collected(message) => message.frames += 1,
                _ => out.event(Event::Message(self.sender)),
            }
            if fin && let Message::Collected(message) = std::mem::replace(&mut self.message, Message::None) {
                self.label_message(*message, Ending::Whole, out);
            } else if fin {
                self.message = Message::None;
            }
        }
        self.frame.at = At::Between;
    }

    /// Labels the collected message and its headers; counts its frames.
    fn label_message<S: Sink>(
        &mut self,
        mut message: Collected,
        ending: Ending,
        out: &mut Out<'_, S>,
    ) -> UnitContents {
        let carried = self.carried(message.binary, ending);
        let contents = message.content.label(&mut *self.layer, carried, out);
        for (start, len) in message.headers {
            out.part(start, len, contents.around(), Kind::FrameHeader);
        }
        for _ in 0..if contents.control { 0 } else { message.frames } {
            out.event(Event::Message(self.sender));
        }
        contents
    }

    fn carried(&self, binary: bool, ending: Ending) -> Carried {
        Carried {
            sender: self.sender,
            binary,
            ending,
        }
    }
}
