//! WebSocket frames (RFC 6455, section 5), one direction at a time.
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
//!
//! Content is not unmasked: what a client says counts as a reply whatever it is. Where a protocol stands
//! on top, [`super::layers::Messages`] reads the frames, and unmasks.

use super::body::up_to;
use super::mailtext::{self, MailText};
use super::notice::{self, Beginning, SHORTEST};
use super::out::Out;
use super::{Direction, Event, Kind, Label, Sink, Violation};

/// The largest header, bytes: a 64-bit length and a mask.
const MAX_HEADER: usize = 14;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether this frame ends its message.
    pub fin: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// Whether the content is masked.
    pub masked: bool,
    /// Bytes of content.
    pub len: u64,
    /// Bytes of the header itself.
    pub size: usize,
}

/// What a frame is (RFC 6455, section 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message that the last data frame began.
    Continuation,
    /// A message in UTF-8 begins.
    Text,
    /// A message of bytes begins.
    Binary,
    /// The sender will send no more.
    Close,
    /// Wants a pong.
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

    /// Whether frames of this kind stand outside of messages (RFC 6455, section 5.5).
    pub fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

impl FrameHeader {
    /// Reads the header that `bytes` begin with; `None` if they are too few to tell.
    ///
    /// # Errors
    /// [`Violation::Frame`] for a reserved bit or opcode, a fragmented or oversized control frame, a
    /// length above 63 bits. No extension is spoken here, so all three reserved bits are.
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

    /// Judges it by who sends it, and by whether a message is under way.
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

/// Collects a frame's header, which may be cut.
#[derive(Clone, Debug, Default)]
pub struct HeaderReader {
    partial: [u8; MAX_HEADER],
    have: usize,
}

/// A frame's header, and the key that masks the content; zeros if it is not masked.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// The header.
    pub header: FrameHeader,
    /// The masking key.
    pub key: [u8; 4],
}

impl HeaderReader {
    /// How many bytes wait for the rest of their header.
    pub fn held(&self) -> usize {
        self.have
    }

    /// Takes the next bytes; says how many of them it used, and the header once it is all there.
    ///
    /// # Errors
    /// [`Violation::Frame`]; nothing is held any more.
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
            // An unfinished header is shorter than the longest.
            self.partial[..taken].copy_from_slice(bytes);
        }
        self.have = have + taken;
        Ok((taken, None))
    }

    /// Labels what waits, when the connection is over. `end` is the offset behind the last byte.
    pub(super) fn end<S: Sink>(&mut self, end: u64, out: &mut Out<'_, S>) {
        let held = std::mem::take(&mut self.have) as u64;
        let control = Opcode::new(self.partial[0] & 0x0F).is_some_and(Opcode::is_control);
        let label = if control { Label::Control } else { Label::Framing };
        out.part(end - held, held, label, Kind::Unread);
    }
}

/// Labels the frames of one direction.
#[derive(Debug)]
pub(super) struct Frames {
    sender: Direction,
    header: HeaderReader,
    frame: Frame,
    /// Bytes of the frame's content still to come.
    left: u64,
    message: Message,
}

#[derive(Debug)]
enum Frame {
    /// Before a header or in it.
    Between,
    Control,
    Data {
        fin: bool,
    },
}

/// The data message under way; control frames may stand between its fragments.
#[derive(Debug)]
enum Message {
    None,
    Reply,
    /// Text that so far reads like a notice. Whether the frame is one is told by its first bytes, so its
    /// header waits for them.
    Probe {
        start: u64,
        header: u64,
        read: Beginning,
    },
    Mail(MailText),
    Notice,
    Binary(BinaryMail),
}

/// A binary mail: the length of its JSON, the JSON, the attachment.
#[derive(Debug, Default)]
struct BinaryMail {
    have: u8,
    json: u32,
}

impl Frames {
    pub fn new(sender: Direction) -> Frames {
        Frames {
            sender,
            header: HeaderReader::default(),
            frame: Frame::Between,
            left: 0,
            message: Message::None,
        }
    }

    /// Takes the next bytes, the first of which has offset `start`.
    ///
    /// # Errors
    /// The offset of the frame that breaks the protocol; nothing from there on is labelled.
    #[inline]
    pub fn feed<S: Sink>(
        &mut self,
        mut start: u64,
        mut bytes: &[u8],
        out: &mut Out<'_, S>,
    ) -> Result<(), u64> {
        while !bytes.is_empty() {
            let n = match self.frame {
                Frame::Between => match self.whole_mail(start, bytes, out) {
                    Some(n) => n,
                    None => match self.header(start, bytes, out) {
                        Ok(n) => n,
                        Err(from) => {
                            self.end(from, out);
                            return Err(from);
                        }
                    },
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
        match &mut self.message {
            Message::Probe { .. } => self.not_a_notice(out),
            Message::Mail(text) => text.end(out),
            _ => {}
        }
    }

    /// Labels a mail that lies there whole and without attachment, in one frame. Most do; the rest goes
    /// the long way, on which a frame may be cut anywhere.
    #[inline]
    fn whole_mail<S: Sink>(&self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> Option<usize> {
        let fresh = self.header.held() == 0 && matches!(self.message, Message::None);
        if !fresh || self.sender == Direction::Up {
            return None;
        }
        let header = FrameHeader::parse(bytes).ok()??;
        if !header.fin || header.masked || header.opcode != Opcode::Text {
            return None;
        }
        let content = bytes[header.size..].get(..usize::try_from(header.len).ok()?)?;
        if notice::is_notice(content) || mailtext::has_attachment(content) {
            return None;
        }
        let size = header.size as u64;
        out.part(start, size, Label::Framing, Kind::FrameHeader);
        out.part(start + size, header.len, Label::Payload, Kind::Mail);
        out.event(Event::Message(self.sender));
        out.mail();
        Some(header.size + content.len())
    }

    #[inline]
    fn header<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> Result<usize, u64> {
        let begin = start - self.header.held() as u64;
        let (n, whole) = self.header.feed(bytes).map_err(|_| begin)?;
        if let Some(Whole { header, .. }) = whole {
            self.begin(&header, begin, out).map_err(|_| begin)?;
        }
        Ok(n)
    }

    /// A frame begins at offset `start`.
    #[inline]
    fn begin<S: Sink>(
        &mut self,
        header: &FrameHeader,
        start: u64,
        out: &mut Out<'_, S>,
    ) -> Result<(), Violation> {
        let up = self.sender == Direction::Up;
        header.may_follow(self.sender, matches!(self.message, Message::None))?;
        self.left = header.len;
        let size = header.size as u64;
        if header.opcode.is_control() {
            self.frame = Frame::Control;
            out.part(start, size, Label::Control, Kind::FrameHeader);
        } else {
            self.frame = Frame::Data { fin: header.fin };
            match header.opcode {
                Opcode::Continuation => {}
                _ if up => self.message = Message::Reply,
                Opcode::Binary => self.message = Message::Binary(BinaryMail::default()),
                _ if header.len >= SHORTEST as u64 => {
                    self.message = Message::Probe {
                        start,
                        header: size,
                        read: b"",
                    };
                }
                _ => self.message = Message::Mail(MailText::default()),
            }
            match self.message {
                Message::Probe { .. } => {}
                Message::Notice => out.part(start, size, Label::Control, Kind::FrameHeader),
                _ => out.part(start, size, Label::Framing, Kind::FrameHeader),
            }
        }
        if self.left == 0 {
            self.end_frame(out);
        }
        Ok(())
    }

    #[inline]
    fn content<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> usize {
        let bytes = &bytes[..up_to(self.left, bytes.len())];
        let len = bytes.len() as u64;
        let mut used = bytes.len();
        match (&self.frame, &mut self.message) {
            (Frame::Control, _) => out.part(start, len, Label::Control, Kind::ControlBody),
            (_, Message::Mail(text)) => text.feed(start, bytes, out),
            (_, Message::Binary(mail)) => mail.feed(start, bytes, out),
            (_, Message::Probe { read, .. }) => {
                let longer = notice::extend(read, bytes);
                let n = longer.len() - read.len();
                *read = longer;
                used = n;
                if notice::is_known(longer) {
                    self.is_a_notice(out);
                } else if n < bytes.len() {
                    self.not_a_notice(out);
                }
            }
            (_, Message::Notice) => out.part(start, len, Label::Control, Kind::Notice),
            (_, Message::Reply | Message::None) => out.part(start, len, Label::Payload, Kind::Reply),
        }
        self.left -= used as u64;
        if self.left == 0 {
            self.end_frame(out);
        }
        used
    }

    fn is_a_notice<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        if let Message::Probe { start, header, read } = self.message {
            out.part(start, header, Label::Control, Kind::FrameHeader);
            out.part(start + header, read.len() as u64, Label::Control, Kind::Notice);
            self.message = Message::Notice;
        }
    }

    #[inline]
    fn not_a_notice<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        if let Message::Probe { start, header, read } = self.message {
            out.part(start, header, Label::Framing, Kind::FrameHeader);
            // The attachment's key is not among these bytes.
            out.part(start + header, read.len() as u64, Label::Payload, Kind::Mail);
            self.message = Message::Mail(MailText::default());
        }
    }

    #[inline]
    fn end_frame<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        if let Frame::Data { fin } = self.frame {
            if fin && let Message::Mail(text) = &mut self.message {
                text.end(out);
            }
            if !matches!(self.message, Message::Notice) {
                out.event(Event::Message(self.sender));
            }
            if fin && matches!(self.message, Message::Mail(_) | Message::Binary(_)) {
                out.mail();
            }
            if fin {
                self.message = Message::None;
            }
        }
        self.frame = Frame::Between;
    }
}

impl BinaryMail {
    fn feed<S: Sink>(&mut self, mut start: u64, mut bytes: &[u8], out: &mut Out<'_, S>) {
        while self.have < 4 {
            let Some((&byte, rest)) = bytes.split_first() else {
                return;
            };
            out.part(start, 1, Label::Framing, Kind::MailLength);
            self.json = self.json << 8 | u32::from(byte);
            self.have += 1;
            start += 1;
            bytes = rest;
        }
        let n = up_to(u64::from(self.json), bytes.len());
        // No more than the 32 bits it is compared with.
        self.json -= n as u32;
        out.part(start, n as u64, Label::Payload, Kind::Mail);
        out.part(
            start + n as u64,
            (bytes.len() - n) as u64,
            Label::Payload,
            Kind::Attachment,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Vector;
    use super::super::{Kind::*, Label::*};
    use super::*;

    const DOWN: Event = Event::Message(Direction::Down);
    const UP: Event = Event::Message(Direction::Up);
    const PING: &[u8] = b"\x89\x00";
    const MASKED_PING: &[u8] = b"\x89\x80abcd";

    fn frame(first: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        match content.len() {
            n @ 0..126 => out.push(n as u8),
            n @ 126..65536 => {
                out.push(126);
                out.extend((n as u16).to_be_bytes());
            }
            n => {
                out.push(127);
                out.extend((n as u64).to_be_bytes());
            }
        }
        out.extend(content);
        out
    }

    fn masked(first: u8, content: &[u8]) -> Vec<u8> {
        let mut out = frame(first, content);
        out[1] |= 0x80;
        let header = out.len() - content.len();
        out.splice(header..header, *b"\x37\xfa\x21\x3d");
        out
    }

    /// RFC 6455, section 5.7.
    #[test]
    fn the_examples_of_the_rfc() {
        let header = (FrameHeader, Framing, 2);
        Vector::new()
            .upgraded()
            .down(b"\x81\x05Hello", &[header, (Mail, Payload, 5)])
            .events(&[DOWN])
            .up(
                b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
                &[(FrameHeader, Framing, 6), (Reply, Payload, 5)],
            )
            .events(&[UP])
            .down(b"\x01\x03Hel", &[header, (Mail, Payload, 3)])
            .events(&[DOWN])
            .down(b"\x80\x02lo", &[header, (Mail, Payload, 2)])
            .events(&[DOWN])
            .down(
                b"\x89\x05Hello",
                &[(FrameHeader, Control, 2), (ControlBody, Control, 5)],
            )
            .up(
                b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
                &[(FrameHeader, Control, 6), (ControlBody, Control, 5)],
            )
            .check(MASKED_PING);
        for (len, header, framing) in [
            (256, 4, &b"\x82\x7e\x01\x00"[..]),
            (65536, 10, b"\x82\x7f\0\0\0\0\0\x01\0\0"),
        ] {
            let content = [&[0, 0, 0, 100][..], &vec![7; len - 4]].concat();
            let frame = frame(0x82, &content);
            assert!(frame.starts_with(framing));
            let rest = len as u64 - 104;
            let parts = [
                (FrameHeader, Framing, header),
                (MailLength, Framing, 4),
                (Mail, Payload, 100),
                (Attachment, Payload, rest),
            ];
            Vector::new()
                .upgraded()
                .down(frame, &parts)
                .events(&[DOWN])
                .check(PING);
        }
    }

    #[test]
    fn a_header_costs_what_its_length_takes() {
        for (len, down, up) in [
            (0, 2, 6),
            (1, 2, 6),
            (125, 2, 6),
            (126, 4, 8),
            (65_535, 4, 8),
            (65_536, 10, 14),
            (100_000, 10, 14),
        ] {
            let content = vec![b'x'; len];
            let len = len as u64;
            Vector::new()
                .upgraded()
                .down(
                    frame(0x81, &content),
                    &[(FrameHeader, Framing, down), (Mail, Payload, len)],
                )
                .events(&[DOWN])
                .up(
                    masked(0x82, &content),
                    &[(FrameHeader, Framing, up), (Reply, Payload, len)],
                )
                .events(&[UP])
                .check(MASKED_PING);
        }
    }

    #[test]
    fn a_header_is_parsed_once_it_is_whole() {
        for bytes in [
            frame(0x81, &[0; 7]),
            masked(0x02, &[0; 300]),
            masked(0x80, &[0; 70_000]),
        ] {
            let header = super::FrameHeader::parse(&bytes).unwrap().unwrap();
            assert_eq!(header.size as u64 + header.len, bytes.len() as u64);
            for n in 0..header.size {
                assert_eq!(super::FrameHeader::parse(&bytes[..n]), Ok(None));
            }
            assert_eq!(super::FrameHeader::parse(&bytes[..header.size]), Ok(Some(header)));
        }
    }

    #[test]
    fn an_attachment_in_text_costs_its_base64() {
        let mail = br#"{"id":1,"body":"\",\"attachment\":\""#;
        let cut = mail.len() as u64;
        let text = [mail, &br#"","attachment":"QUJDRA=="}"#[..]].concat();
        let parts = [
            (Mail, Payload, cut + 1),
            (AttachmentKey, Framing, 15),
            (Attachment, Framing, 4),
            (Attachment, Payload, 4),
            (AttachmentKey, Framing, 1),
            (Mail, Payload, 1),
        ];
        let whole = [&[(FrameHeader, Framing, 2)][..], &parts].concat();
        Vector::new()
            .upgraded()
            .down(frame(0x81, &text), &whole)
            .events(&[DOWN])
            .check(PING);
        // The key falls into two fragments, with a ping between.
        let at = cut as usize + 6;
        let pieces = [
            frame(0x01, &text[..at]),
            frame(0x89, b"!"),
            frame(0x80, &text[at..]),
        ]
        .concat();
        let parts = [
            (FrameHeader, Framing, 2),
            (Mail, Payload, cut + 1),
            (AttachmentKey, Framing, 5),
            (FrameHeader, Control, 2),
            (ControlBody, Control, 1),
            (FrameHeader, Framing, 2),
            (AttachmentKey, Framing, 10),
            (Attachment, Framing, 4),
            (Attachment, Payload, 4),
            (AttachmentKey, Framing, 1),
            (Mail, Payload, 1),
        ];
        Vector::new()
            .upgraded()
            .down(pieces, &parts)
            .events(&[DOWN, DOWN])
            .check(PING);
    }

    #[test]
    fn the_next_message_begins_anew() {
        let text = frame(0x81, br#"{"id":1,"attachment":"QUJD"}"#);
        let parts = [
            (FrameHeader, Framing, 2),
            (Mail, Payload, 7),
            (AttachmentKey, Framing, 15),
            (Attachment, Framing, 1),
            (Attachment, Payload, 3),
            (AttachmentKey, Framing, 1),
            (Mail, Payload, 1),
        ];
        let vector = Vector::new().upgraded().down(&text, &parts).events(&[DOWN]);
        vector.down(&text, &parts).events(&[DOWN]).check(PING);
    }

    #[test]
    fn a_gap_notice_is_no_message() {
        let gap = frame(0x81, br#"{"gap":12}"#);
        let parts = [(FrameHeader, Control, 2), (Notice, Control, 10)];
        Vector::new().upgraded().down(gap, &parts).check(PING);
        for notice in [&br#"{"reset":"k3f9"}"#[..], br#"{"epoch":"k3f9"}"#] {
            let parts = [(FrameHeader, Control, 2), (Notice, Control, 16)];
            Vector::new()
                .upgraded()
                .down(frame(0x81, notice), &parts)
                .check(PING);
        }
        let fragments = [frame(0x01, br#"{"gap":"#), frame(0x00, b""), frame(0x80, b"12}")].concat();
        let parts = [
            (FrameHeader, Control, 2),
            (Notice, Control, 7),
            (FrameHeader, Control, 4),
            (Notice, Control, 3),
        ];
        Vector::new().upgraded().down(fragments, &parts).check(PING);
        // Too short to tell, and near misses.
        for text in [&br#"{"gap""#[..], br#"{"gap";1}"#, br#"{"gas":1}"#, b"{"] {
            let parts = [(FrameHeader, Framing, 2), (Mail, Payload, text.len() as u64)];
            Vector::new()
                .upgraded()
                .down(frame(0x81, text), &parts)
                .events(&[DOWN])
                .check(PING);
        }
        // What a client says is a reply whatever it is.
        let up = masked(0x81, br#"{"gap":12}"#);
        let parts = [(FrameHeader, Framing, 6), (Reply, Payload, 10)];
        Vector::new()
            .upgraded()
            .up(up, &parts)
            .events(&[UP])
            .check(MASKED_PING);
    }

    #[test]
    fn a_binary_mail_may_be_cut_anywhere() {
        let bytes = [0, 0, 0, 3, b'{', b'"', b'}', 1, 2];
        let frames: Vec<u8> = (0..9)
            .flat_map(|n| frame(if n == 0 { 2 } else { 0 }, &bytes[n..=n]))
            .collect();
        let frames = [frames, frame(0x80, b"")].concat();
        let mut parts = Vec::new();
        for kind in [[MailLength; 4].as_slice(), &[Mail; 3], &[Attachment; 2]].concat() {
            let label = if kind == MailLength { Framing } else { Payload };
            parts.extend([(FrameHeader, Framing, 2), (kind, label, 1)]);
        }
        parts.push((FrameHeader, Framing, 2));
        Vector::new()
            .upgraded()
            .down(frames, &parts)
            .events(&[DOWN; 10])
            .check(PING);
        let short = [(FrameHeader, Framing, 2), (MailLength, Framing, 2)];
        Vector::new()
            .upgraded()
            .down(frame(0x82, &[0, 0]), &short)
            .events(&[DOWN])
            .check(PING);
    }

    #[test]
    fn a_close_is_control_and_so_is_what_follows_by_its_own_rules() {
        let parts = [(FrameHeader, Control, 2), (ControlBody, Control, 5)];
        let vector = Vector::new().upgraded().down(frame(0x88, b"\x03\xe8bye"), &parts);
        let parts = [(FrameHeader, Control, 6), (ControlBody, Control, 2)];
        vector.up(masked(0x88, b"\x03\xe8"), &parts).check(MASKED_PING);
    }

    /// The numbers are those of the Autobahn test suite.
    #[test]
    fn autobahn_framing() {
        let valid = [
            // 2.1, 2.2, 2.4: pings of any content up to 125 bytes; 2.7, 2.9: unsolicited pongs.
            frame(0x89, b""),
            frame(0x89, b"Hello"),
            frame(0x89, &[0xFE; 125]),
            frame(0x8A, b""),
            [frame(0x8A, b"x"), frame(0x89, b"y")].concat(),
        ];
        for bytes in valid {
            let parts = split_control(&bytes);
            Vector::new().upgraded().down(bytes, &parts).check(PING);
        }
        let broken: [(&str, Vec<u8>); 18] = [
            ("2.5: a ping of 126 bytes", frame(0x89, &[0xFE; 126])),
            ("3.1: RSV 1", frame(0xC1, b"x")),
            ("3.2: RSV 2", frame(0xA1, b"x")),
            ("3.4: RSV 4", frame(0x91, b"x")),
            ("3.5: RSV 5 on binary", frame(0xD2, b"x")),
            ("3.6: RSV 6 on a ping", frame(0xE9, b"x")),
            ("3.7: RSV 7 on a close", frame(0xF8, b"")),
            ("4.1.1: opcode 3", frame(0x83, b"")),
            ("4.1.2: opcode 4", frame(0x84, b"x")),
            ("4.1.5: opcode 7", frame(0x87, b"x")),
            ("4.2.1: opcode 11", frame(0x8B, b"")),
            ("4.2.5: opcode 15", frame(0x8F, b"x")),
            ("5.1: a fragmented ping", frame(0x09, b"x")),
            ("5.2: a fragmented pong", frame(0x0A, b"x")),
            ("5.9: a continuation of nothing", frame(0x80, b"x")),
            ("5.10: an unfinished continuation of nothing", frame(0x00, b"x")),
            ("7.3.6: a close of 126 bytes", frame(0x88, &[0; 126])),
            (
                "section 5.2: a length above 63 bits",
                b"\x82\x7F\x80\0\0\0\0\0\0\0".to_vec(),
            ),
        ];
        let violation = |d| Event::Violation(d, Violation::Frame);
        for (case, bytes) in broken {
            println!("{case}");
            let parts = [(Unread, Control, bytes.len() as u64)];
            let vector = Vector::new().upgraded().down(&bytes, &parts);
            vector.events(&[violation(Direction::Down)]).check(b"\x81\x01x");
        }
        // 5.18: a message begins in the middle of another; 5.12 to 5.15: a continuation follows a
        // finished message.
        for (first, second) in [(0x01, 0x81), (0x81, 0x80)] {
            let parts = [
                (FrameHeader, Framing, 2),
                (Mail, Payload, 1),
                (Unread, Control, 3),
            ];
            Vector::new()
                .upgraded()
                .down([frame(first, b"x"), frame(second, b"y")].concat(), &parts)
                .events(&[DOWN, violation(Direction::Down)])
                .check(b"\x81\x01x");
        }
        // What the message before had held back is labelled all the same.
        let parts = [
            (FrameHeader, Framing, 2),
            (Mail, Payload, 2),
            (Unread, Control, 2),
        ];
        Vector::new()
            .upgraded()
            .down([frame(0x01, b"x,"), frame(0x83, b"")].concat(), &parts)
            .events(&[DOWN, violation(Direction::Down)])
            .check(b"\x81\x01x");
        // RFC 6455, section 5.1: clients mask, servers do not.
        Vector::new()
            .upgraded()
            .down(masked(0x81, b"x"), &[(Unread, Control, 7)])
            .events(&[violation(Direction::Down)])
            .up(frame(0x81, b"x"), &[(Unread, Control, 3)])
            .events(&[violation(Direction::Up)])
            .check(b"\x81\x81abcdx");
    }

    fn split_control(mut bytes: &[u8]) -> Vec<(Kind, Label, u64)> {
        let mut parts = Vec::new();
        while let [_, len, rest @ ..] = bytes {
            parts.extend([(FrameHeader, Control, 2), (ControlBody, Control, u64::from(*len))]);
            bytes = &rest[usize::from(*len)..];
        }
        parts
    }

    #[test]
    fn a_cut_frame_is_labelled_by_what_it_began_as() {
        let cut = |bytes: &[u8], parts: &[(Kind, Label, u64)]| {
            Vector::new().upgraded().down(bytes, parts).check(b"");
        };
        cut(b"\x81", &[(Unread, Framing, 1)]);
        cut(b"\x89", &[(Unread, Control, 1)]);
        cut(b"\x81\x7e\x01", &[(Unread, Framing, 3)]);
        cut(b"\x81\x10{\"ga", &[(FrameHeader, Framing, 2), (Mail, Payload, 4)]);
        cut(
            b"\x81\x10{\"id\":1,\"att",
            &[(FrameHeader, Framing, 2), (Mail, Payload, 12)],
        );
        cut(
            b"\x89\x10abc",
            &[(FrameHeader, Control, 2), (ControlBody, Control, 3)],
        );
    }
}
