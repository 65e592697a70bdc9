//! An event stream (WHATWG HTML, section 9.2), line by line.
//!
//! ```text
//! retry: 1000\n          control     : heartbeat\n    control     event: gap\n   control
//! \n                     control     \n               control     data: 3\n      control
//! id: 7\n                framing                                  \n             control
//! data: {"id":7,…}\n     "data: " and line end framing, the mail payload
//! \n                     framing, and a message
//! ```

use memchr::memchr2;

use super::body::{Undecided, Wait};
use super::mailtext::MailText;
use super::out::Out;
use super::{Direction, Event, Kind, Label, Sink};

/// Labels an event stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    at: At,
    block: Block,
    /// The label of a line end that was a CR: an LF behind it belongs to it.
    cr: Option<(Label, Kind)>,
    text: MailText,
}

/// What the lines since the last blank one held.
#[derive(Debug, Default)]
struct Block {
    /// Any line at all.
    begun: bool,
    /// A `data` line.
    data: bool,
    /// A line that is neither comment nor `retry`.
    field: bool,
    /// First of all `event: gap` or `event: reset`.
    notice: bool,
}

#[derive(Clone, Copy, Debug)]
enum At {
    /// In the byte order mark that may begin the stream; this many of its bytes are read.
    Mark(usize),
    LineStart,
    /// In a line that so far reads like this field's, this many bytes of it.
    Name(Field, usize),
    /// Behind `data:`, where one space may be.
    Space,
    /// In a `data` line's value.
    Data,
    /// In a line of which every byte counts the same.
    Line(Label, Kind),
}

impl Default for At {
    fn default() -> Self {
        At::Mark(0)
    }
}

/// A field whose line is not simply framing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Field {
    Data,
    Retry,
    Gap,
    Reset,
}

impl Field {
    /// Whether its line begins a notice.
    fn is_notice(self) -> bool {
        matches!(self, Field::Gap | Field::Reset)
    }

    /// What tells the field from any other. In `event: gap` and `event: reset` the space may be missing.
    fn literal(self) -> &'static [u8] {
        match self {
            Field::Data => b"data:",
            Field::Retry => b"retry:",
            Field::Gap => b"event: gap",
            Field::Reset => b"event: reset",
        }
    }
}

const DATA: &[u8] = b"data: ";
const MARK: &[u8] = b"\xEF\xBB\xBF";
const NOTICE_SPACE: usize = b"event:".len();
const FIELD: (Label, Kind) = (Label::Framing, Kind::SseField);
const RETRY: (Label, Kind) = (Label::Control, Kind::SseField);
const COMMENT: (Label, Kind) = (Label::Control, Kind::SseComment);
const NOTICE: (Label, Kind) = (Label::Control, Kind::Notice);

impl Stream {
    /// Takes the next bytes, the first of which has offset `start`.
    pub fn feed<S: Sink>(
        &mut self,
        mut start: u64,
        mut bytes: &[u8],
        waiting: &mut Undecided,
        out: &mut Out<'_, S>,
    ) {
        while let Some(&next) = bytes.first() {
            let n = match (self.cr.take(), self.at) {
                (Some(end), _) if next == b'\n' => self.part(start, 1, end, out),
                (_, At::Mark(n)) => self.mark(n, next, start, out),
                (_, At::LineStart) => self.line_start(next, bytes, start, out),
                (_, At::Name(field, n)) => self.name(field, n, next, start, waiting, out),
                (_, At::Space) => {
                    self.at = At::Data;
                    self.part(start, usize::from(next == b' '), FIELD, out)
                }
                (_, At::Data | At::Line(..)) => self.rest(start, bytes, out),
            };
            start += n as u64;
            bytes = &bytes[n..];
        }
    }

    /// Says that the stream is over, or cut.
    pub fn end<S: Sink>(&mut self, waiting: &mut Undecided, out: &mut Out<'_, S>) {
        self.text.end(out);
        self.settle(FIELD, waiting, out);
    }

    fn mark<S: Sink>(&mut self, n: usize, next: u8, start: u64, out: &mut Out<'_, S>) -> usize {
        if next == MARK[n] {
            self.at = if n + 1 == MARK.len() {
                At::LineStart
            } else {
                At::Mark(n + 1)
            };
            return self.part(start, 1, FIELD, out);
        }
        // Part of a mark is the beginning of a field's name that nobody knows.
        self.at = if n == 0 { At::LineStart } else { self.field() };
        0
    }

    fn line_start<S: Sink>(&mut self, next: u8, bytes: &[u8], start: u64, out: &mut Out<'_, S>) -> usize {
        if let b'\r' | b'\n' = next {
            return self.blank(next, start, out);
        }
        let first = !std::mem::replace(&mut self.block.begun, true);
        if bytes.starts_with(DATA) {
            // All at once, because nearly every byte is in such a line.
            self.block.data = true;
            self.at = At::Data;
            return self.part(start, DATA.len(), FIELD, out);
        }
        self.at = match next {
            b':' => At::Line(COMMENT.0, COMMENT.1),
            b'd' => At::Name(Field::Data, 0),
            b'r' => At::Name(Field::Retry, 0),
            b'e' if first => At::Name(Field::Gap, 0),
            _ => self.field(),
        };
        0
    }

    fn name<S: Sink>(
        &mut self,
        field: Field,
        n: usize,
        next: u8,
        start: u64,
        waiting: &mut Undecided,
        out: &mut Out<'_, S>,
    ) -> usize {
        let n = if field == Field::Gap && n == NOTICE_SPACE && next != b' ' {
            n + 1
        } else {
            n
        };
        let field = match (field, next) {
            (Field::Gap, b'r') if n == NOTICE_SPACE + 1 => Field::Reset,
            _ => field,
        };
        let line_ends = matches!(next, b'\r' | b'\n');
        let literal = field.literal();
        if literal.get(n) == Some(&next) {
            self.at = At::Name(field, n + 1);
            match field {
                Field::Data => _ = self.part(start, 1, FIELD, out),
                _ => waiting.hold(Wait::PREFIX, start, 1),
            }
            if n + 1 == literal.len() && !field.is_notice() {
                self.known(field, waiting, out);
            }
            return 1;
        }
        // A line without a colon is a field's name, too.
        let whole = match field {
            Field::Gap | Field::Reset => n == literal.len(),
            _ => n + 1 == literal.len(),
        };
        if line_ends && whole {
            self.known(field, waiting, out);
        } else {
            self.settle(FIELD, waiting, out);
            self.at = self.field();
        }
        0
    }

    /// The line's field is this one.
    fn known<S: Sink>(&mut self, field: Field, waiting: &mut Undecided, out: &mut Out<'_, S>) {
        self.at = match field {
            Field::Data => {
                self.block.data = true;
                At::Space
            }
            Field::Retry => {
                self.settle(RETRY, waiting, out);
                At::Line(RETRY.0, RETRY.1)
            }
            Field::Gap | Field::Reset => {
                self.block.notice = true;
                self.settle(NOTICE, waiting, out);
                At::Line(NOTICE.0, NOTICE.1)
            }
        };
    }

    /// A line of a field that is neither of those.
    fn field(&mut self) -> At {
        self.block.begun = true;
        self.block.field = true;
        At::Line(FIELD.0, FIELD.1)
    }

    /// The rest of a line, and its end.
    fn rest<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> usize {
        let n = memchr2(b'\r', b'\n', bytes);
        let value = &bytes[..n.unwrap_or(bytes.len())];
        let end = match self.at {
            At::Line(label, kind) => {
                self.part(start, value.len(), (label, kind), out);
                (label, kind)
            }
            _ if self.block.notice => {
                self.part(start, value.len(), NOTICE, out);
                NOTICE
            }
            _ => {
                self.text.feed(start, value, out);
                FIELD
            }
        };
        let Some(n) = n else { return bytes.len() };
        self.text.interrupt(out);
        self.line_end(bytes[n], start + n as u64, end, out);
        n + 1
    }

    fn blank<S: Sink>(&mut self, next: u8, start: u64, out: &mut Out<'_, S>) -> usize {
        let block = std::mem::take(&mut self.block);
        let label = if block.notice || !(block.data || block.field) {
            Label::Control
        } else {
            Label::Framing
        };
        let kind = if block.notice { Kind::Notice } else { Kind::SseEnd };
        self.line_end(next, start, (label, kind), out);
        self.text.end(out);
        if block.data && !block.notice {
            out.event(Event::Message(Direction::Down));
            out.mail();
        }
        1
    }

    fn line_end<S: Sink>(&mut self, byte: u8, start: u64, tag: (Label, Kind), out: &mut Out<'_, S>) {
        self.part(start, 1, tag, out);
        self.cr = (byte == b'\r').then_some(tag);
        self.at = At::LineStart;
    }

    fn settle<S: Sink>(&mut self, tag: (Label, Kind), waiting: &mut Undecided, out: &mut Out<'_, S>) {
        waiting.settle(Wait::PREFIX, if self.block.notice { NOTICE } else { tag }, out);
    }

    fn part<S: Sink>(&self, start: u64, n: usize, tag: (Label, Kind), out: &mut Out<'_, S>) -> usize {
        let (label, kind) = if self.block.notice { NOTICE } else { tag };
        out.part(start, n as u64, label, kind);
        n
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Vector;
    use super::super::{Kind::*, Label::*};
    use super::*;

    const GET: &str = "GET / HTTP/1.1\r\n\r\n";
    const MESSAGE: Event = Event::Message(Direction::Down);

    /// The stream, once until close and once with each byte in a chunk of its own.
    fn check(stream: &[u8], parts: &[(Kind, Label, u64)], events: &[Event]) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n";
        let vector = Vector::new().request(GET).response(head);
        vector.down(stream, parts).events(events).check(b": trailing");
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut vector = Vector::new().request(GET).response(head);
        let labels = parts
            .iter()
            .flat_map(|(kind, label, n)| vec![(*kind, *label); *n as usize]);
        for ((kind, label), byte) in labels.zip(stream.chunks(1)) {
            let around = if label == Control { Control } else { Framing };
            let parts = [(ChunkSize, around, 3), (kind, label, 1), (ChunkEnd, around, 2)];
            vector = vector.down([b"1\r\n", byte, b"\r\n"].concat(), &parts);
        }
        vector
            .down("0\r\n\r\n", &[(LastChunk, Framing, 5)])
            .events(events)
            .check(b"H");
    }

    #[test]
    fn an_event() {
        for (end, n) in [("\n", 1), ("\r", 1), ("\r\n", 2)] {
            let stream = "retry: 1000\n\nid: 7\ndata: {\"id\":7}\n\n".replace('\n', end);
            let parts = [
                (SseField, Control, 11 + n),
                (SseEnd, Control, n),
                (SseField, Framing, 5 + n + 6),
                (Mail, Payload, 8),
                (SseField, Framing, n),
                (SseEnd, Framing, n),
            ];
            check(stream.as_bytes(), &parts, &[MESSAGE]);
        }
    }

    #[test]
    fn a_heartbeat_is_control() {
        for stream in [": heartbeat\n\n", ":\n\n", ":\r:\r\r"] {
            let comment = stream.trim_end_matches(['\r', '\n']).len() as u64 + 1;
            check(
                stream.as_bytes(),
                &[(SseComment, Control, comment), (SseEnd, Control, 1)],
                &[],
            );
        }
    }

    #[test]
    fn a_retry_with_data_does_not_make_it_control() {
        let parts = [
            (SseField, Control, 8),
            (SseField, Framing, 5),
            (Mail, Payload, 1),
            (SseField, Framing, 1),
            (SseEnd, Framing, 1),
        ];
        check(b"retry:1\ndata:x\n\n", &parts, &[MESSAGE]);
        check(b"retry\n\n", &[(SseField, Control, 6), (SseEnd, Control, 1)], &[]);
    }

    #[test]
    fn a_notice_is_control_whole() {
        for stream in [
            "event: gap\ndata: 3\nid: 9\nretry: 1\n: x\ndata\n\n",
            "event:gap\r\ndata: 3\r\n\r\n",
            "event: reset\nid: 0.k3f9\ndata: k3f9\n\n",
            "event:reset\rdata: k3f9\r\r",
        ] {
            check(
                stream.as_bytes(),
                &[(Kind::Notice, Control, stream.len() as u64)],
                &[],
            );
        }
    }

    #[test]
    fn only_a_first_line_makes_a_notice() {
        for first in [
            "id: 1\nevent: gap\n",
            "event: gaps\n",
            "event: resets\n",
            "event: rest\n",
            "event: greset\n",
            "event:  reset\n",
            "event:  gap\n",
            "event: ga\n",
            "event\n",
            "even: gap\n",
        ] {
            let parts = [
                (SseField, Framing, first.len() as u64 + 6),
                (Mail, Payload, 1),
                (SseField, Framing, 1),
                (SseEnd, Framing, 1),
            ];
            check(format!("{first}data: 3\n\n").as_bytes(), &parts, &[MESSAGE]);
        }
    }

    #[test]
    fn other_fields_are_framing_and_no_message() {
        for field in [
            "id: 5",
            "id",
            "event: mail",
            "dat: x",
            "database: x",
            "retrying: x",
            "retr",
            "x",
            " data: y",
        ] {
            let parts = [(SseField, Framing, field.len() as u64 + 1), (SseEnd, Framing, 1)];
            check(format!("{field}\n\n").as_bytes(), &parts, &[]);
        }
    }

    #[test]
    fn data_without_a_value_is_data() {
        check(
            b"data\n\n",
            &[(SseField, Framing, 5), (SseEnd, Framing, 1)],
            &[MESSAGE],
        );
        check(
            b"data:\r\n\r\n",
            &[(SseField, Framing, 7), (SseEnd, Framing, 2)],
            &[MESSAGE],
        );
        let two = [
            (SseField, Framing, 6),
            (Mail, Payload, 2),
            (SseField, Framing, 6),
            (Mail, Payload, 1),
        ];
        check(
            b"data:  a\ndata:b\n\n",
            &[&two[..], &[(SseField, Framing, 1), (SseEnd, Framing, 1)]].concat(),
            &[MESSAGE],
        );
    }

    #[test]
    fn a_byte_order_mark_is_framing() {
        let event = [(Mail, Payload, 1), (SseField, Framing, 1), (SseEnd, Framing, 1)];
        check(
            b"\xEF\xBB\xBFdata:x\n\n",
            &[&[(SseField, Framing, 8)], &event[..]].concat(),
            &[MESSAGE],
        );
        check(
            b"\xEF\xBBdata:x\n\n",
            &[(SseField, Framing, 9), (SseEnd, Framing, 1)],
            &[],
        );
    }

    /// A reader joins the lines of one event by a line end, and no key holds one.
    #[test]
    fn an_attachment_does_not_begin_in_the_line_before() {
        let stream = b"data:,\"attach\ndata:ment\":\"QUJD\"\n\n";
        let parts = [
            (SseField, Framing, 5),
            (Mail, Payload, 8),
            (SseField, Framing, 6),
            (Mail, Payload, 12),
            (SseField, Framing, 1),
            (SseEnd, Framing, 1),
        ];
        check(stream, &parts, &[MESSAGE]);
    }

    #[test]
    fn an_attachment_costs_its_base64() {
        let stream = b"data: {\"id\":1,\"attachment\":\"QUJD\"}\n\ndata: ,\"attachment\n\n";
        let parts = [
            (SseField, Framing, 6),
            (Mail, Payload, 7),
            (AttachmentKey, Framing, 15),
            (Attachment, Framing, 1),
            (Attachment, Payload, 3),
            (AttachmentKey, Framing, 1),
            (Mail, Payload, 1),
            (SseField, Framing, 1),
            (SseEnd, Framing, 1),
            (SseField, Framing, 6),
            (Mail, Payload, 12),
            (SseField, Framing, 1),
            (SseEnd, Framing, 1),
        ];
        let head = "HTTP/1.0 200 OK\r\ncontent-type: Text/Event-Stream\r\n\r\n";
        let vector = Vector::new().request(GET).response(head);
        vector.down(stream, &parts).events(&[MESSAGE; 2]).check(b":");
    }
}
