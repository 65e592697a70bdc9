//! The body of an answered poll: a JSON list of mails (RFC 8259), or something else.
//!
//! ```text
//! [  {"gap":3}  ,  {"id":4,"from":…}  ,  {"id":5,…,"attachment":"iVBORw0K"}  ]
//! f  control    c  payload            f  payload  framing        base64  f p  f
//! ```
//!
//! What is outside the elements is framing if the list has a mail, else control; so what precedes the
//! first element waits. A notice takes with it what follows, up to the next element.

use memchr::memchr2;

use super::body::{Undecided, Wait};
use super::mailtext::MailText;
use super::notice::{self, Beginning};
use super::out::Out;
use super::{Kind, Label, Sink};

/// Labels a body that is a list of mails if its first byte other than white space is a `[`.
#[derive(Debug, Default)]
pub(super) struct List {
    at: At,
    /// What is outside the elements from here on; `None` until the first element.
    punctuation: Option<(Label, Kind)>,
    mails: bool,
    text: MailText,
}

#[derive(Debug, Default)]
enum At {
    /// Before the opening bracket.
    #[default]
    Before,
    /// Between elements.
    Between,
    /// In an element that so far reads like a notice.
    Probe(Beginning),
    Mail(Extent),
    Notice(Extent),
    /// Behind the closing bracket.
    Closed,
    /// Not a list.
    Other,
}

const PUNCTUATION: (Label, Kind) = (Label::Framing, Kind::ListPunctuation);
const NO_MAIL: (Label, Kind) = (Label::Control, Kind::ListPunctuation);
const MAIL: (Label, Kind) = (Label::Payload, Kind::Mail);
const NOTICE: (Label, Kind) = (Label::Control, Kind::Notice);
const OTHER: (Label, Kind) = (Label::Payload, Kind::OtherBody);

impl List {
    /// Takes the next bytes, the first of which has offset `start`.
    pub fn feed<S: Sink>(
        &mut self,
        mut start: u64,
        mut bytes: &[u8],
        waiting: &mut Undecided,
        out: &mut Out<'_, S>,
    ) {
        while !bytes.is_empty() {
            let n = match &mut self.at {
                At::Before => self.open(start, bytes, waiting, out),
                At::Between => self.between(start, bytes, waiting, out),
                At::Probe(read) => {
                    let read = *read;
                    self.probe(read, start, bytes, waiting, out)
                }
                At::Mail(extent) => {
                    let (n, ends) = extent.take(bytes);
                    self.text.feed(start, &bytes[..n], out);
                    if ends {
                        self.text.end(out);
                        out.mail();
                        self.at = At::Between;
                    }
                    n
                }
                At::Notice(extent) => {
                    let (n, ends) = extent.take(bytes);
                    out.part(start, n as u64, NOTICE.0, NOTICE.1);
                    if ends {
                        self.at = At::Between;
                    }
                    n
                }
                At::Closed => self.outside(start, bytes.len(), waiting, out),
                At::Other => {
                    out.part(start, bytes.len() as u64, OTHER.0, OTHER.1);
                    bytes.len()
                }
            };
            start += n as u64;
            bytes = &bytes[n..];
        }
    }

    /// Says that the body is over, or cut.
    pub fn end<S: Sink>(&mut self, waiting: &mut Undecided, out: &mut Out<'_, S>) {
        match self.at {
            At::Before => waiting.settle(Wait::OPENING, OTHER, out),
            At::Probe(_) => {
                waiting.settle(Wait::OPENING, PUNCTUATION, out);
                waiting.settle(Wait::PREFIX, MAIL, out);
            }
            _ => waiting.settle(Wait::OPENING, NO_MAIL, out),
        }
        self.text.end(out);
    }

    /// Whether this was a whole list with no mail in it.
    pub fn is_empty(&self) -> bool {
        matches!(self.at, At::Closed) && !self.mails
    }

    fn open<S: Sink>(
        &mut self,
        start: u64,
        bytes: &[u8],
        waiting: &mut Undecided,
        out: &mut Out<'_, S>,
    ) -> usize {
        let spaces = bytes.iter().take_while(|b| is_space(**b)).count();
        match bytes.get(spaces) {
            None => self.outside(start, spaces, waiting, out),
            Some(b'[') => {
                self.at = At::Between;
                self.outside(start, spaces + 1, waiting, out)
            }
            Some(_) => {
                waiting.settle(Wait::OPENING, OTHER, out);
                out.part(start, spaces as u64, OTHER.0, OTHER.1);
                self.at = At::Other;
                spaces
            }
        }
    }

    fn between<S: Sink>(
        &mut self,
        start: u64,
        bytes: &[u8],
        waiting: &mut Undecided,
        out: &mut Out<'_, S>,
    ) -> usize {
        let n = bytes.iter().take_while(|b| is_space(**b) || **b == b',').count();
        self.outside(start, n, waiting, out);
        match bytes.get(n) {
            None => n,
            Some(b']') => {
                let label = if self.mails { PUNCTUATION } else { NO_MAIL };
                waiting.settle(Wait::OPENING, label, out);
                self.punctuation = Some(label);
                self.at = At::Closed;
                self.outside(start + n as u64, 1, waiting, out) + n
            }
            Some(_) => {
                self.at = At::Probe(b"");
                n
            }
        }
    }

    fn probe<S: Sink>(
        &mut self,
        read: Beginning,
        start: u64,
        bytes: &[u8],
        waiting: &mut Undecided,
        out: &mut Out<'_, S>,
    ) -> usize {
        let longer = notice::extend(read, bytes);
        let n = longer.len() - read.len();
        let mut extent = Extent::default();
        extent.take(longer);
        if notice::is_known(longer) {
            waiting.settle(Wait::PREFIX, NOTICE, out);
            out.part(start, n as u64, NOTICE.0, NOTICE.1);
            self.punctuation = Some(NOTICE);
            self.at = At::Notice(extent);
        } else if n == bytes.len() {
            waiting.hold(Wait::PREFIX, start, n as u64);
            self.at = At::Probe(longer);
        } else {
            waiting.settle(Wait::OPENING, PUNCTUATION, out);
            waiting.settle(Wait::PREFIX, MAIL, out);
            // These bytes are the beginning of an object; the attachment's key is not among them.
            out.part(start, n as u64, MAIL.0, MAIL.1);
            self.punctuation = Some(PUNCTUATION);
            self.mails = true;
            self.at = At::Mail(extent);
        }
        n
    }

    /// Bytes outside the elements.
    fn outside<S: Sink>(
        &mut self,
        start: u64,
        n: usize,
        waiting: &mut Undecided,
        out: &mut Out<'_, S>,
    ) -> usize {
        if self.punctuation.is_none() && !waiting.has_room(start) {
            // Only white space sent in dozens of chunks of its own comes here.
            waiting.settle(Wait::OPENING, PUNCTUATION, out);
            self.punctuation = Some(PUNCTUATION);
        }
        match self.punctuation {
            Some((label, kind)) => out.part(start, n as u64, label, kind),
            None => waiting.hold(Wait::OPENING, start, n as u64),
        }
        n
    }
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

/// Finds where a JSON value ends, without judging it.
#[derive(Debug, Default)]
struct Extent {
    depth: u32,
    string: bool,
    escaped: bool,
}

impl Extent {
    /// How many of these bytes belong to the value, and whether it ends behind them.
    fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut n = 0;
        while n < bytes.len() {
            if self.string {
                n += self.in_string(&bytes[n..]);
                if self.string || self.depth > 0 {
                    continue;
                }
                return (n, true);
            }
            match bytes[n] {
                b'"' => self.string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (n + 1, true);
                    }
                }
                b',' | b']' if self.depth == 0 => return (n, true),
                b if self.depth == 0 && is_space(b) => return (n, true),
                _ => {}
            }
            n += 1;
        }
        (n, false)
    }

    /// How many of these bytes belong to the string, its closing quote included.
    fn in_string(&mut self, bytes: &[u8]) -> usize {
        if self.escaped {
            self.escaped = false;
            return 1;
        }
        let Some(n) = memchr2(b'"', b'\\', bytes) else {
            return bytes.len();
        };
        self.escaped = bytes[n] == b'\\';
        self.string = self.escaped;
        n + 1
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Vector;
    use super::super::{Event, Kind::*, Label::*};
    use super::*;

    const GET: &str = "GET / HTTP/1.1\r\n\r\n";

    /// The body as the answer to a GET, once with a length and once in chunks of one byte, where each
    /// chunk's lines are control exactly if its byte is.
    fn check(body: &[u8], parts: &[(Kind, Label, u64)], events: &[Event]) {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let vector = Vector::new().request(GET).response(&head);
        vector.down(body, parts).events(events).check(b"H");
        let mut vector = Vector::new()
            .request(GET)
            .response("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let labels = parts
            .iter()
            .flat_map(|(kind, label, n)| vec![(*kind, *label); *n as usize]);
        for ((kind, label), byte) in labels.zip(body.chunks(1)) {
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
    fn a_list_of_mails() {
        check(
            br#"[{"id":1}]"#,
            &[
                (ListPunctuation, Framing, 1),
                (Mail, Payload, 8),
                (ListPunctuation, Framing, 1),
            ],
            &[],
        );
        let body = br#" [ {"a":"]},{\\\"["} , {"b":[{},[]]},7,"x,]" ] "#;
        let parts = [
            (ListPunctuation, Framing, 3),
            (Mail, Payload, 17),
            (ListPunctuation, Framing, 3),
            (Mail, Payload, 13),
            (ListPunctuation, Framing, 1),
            (Mail, Payload, 1),
            (ListPunctuation, Framing, 1),
            (Mail, Payload, 5),
            (ListPunctuation, Framing, 3),
        ];
        check(body, &parts, &[]);
    }

    #[test]
    fn a_list_without_mail_is_control() {
        check(
            b"[null]",
            &[
                (ListPunctuation, Framing, 1),
                (Mail, Payload, 4),
                (ListPunctuation, Framing, 1),
            ],
            &[],
        );
        for body in [&b"[]"[..], b" [ \r\n ] "] {
            check(
                body,
                &[(ListPunctuation, Control, body.len() as u64)],
                &[Event::Empty],
            );
        }
    }

    #[test]
    fn a_notice_takes_with_it_what_follows() {
        let parts = [
            (ListPunctuation, Framing, 1),
            (Notice, Control, 11),
            (Mail, Payload, 8),
            (ListPunctuation, Framing, 1),
        ];
        check(
            br#"[{"gap":3} ,{"id":4}]"#.trim_ascii(),
            &[parts[0], (Notice, Control, 11), parts[2], parts[3]],
            &[],
        );
        let alone = [
            (ListPunctuation, Control, 1),
            (Notice, Control, 9),
            (ListPunctuation, Control, 1),
        ];
        check(br#"[{"gap":3}]"#, &alone, &[Event::Empty]);
        let named = [parts[0], (Notice, Control, 17), parts[2], parts[3]];
        check(br#"[{"epoch":"k3f9"},{"id":4}]"#, &named, &[]);
        check(br#"[{"reset":"k3f9"},{"id":4}]"#, &named, &[]);
        let both = [parts[0], (Notice, Control, 27), parts[2], parts[3]];
        check(br#"[{"reset":"k3f9"},{"gap":3},{"id":4}]"#, &both, &[]);
        let last = [
            (ListPunctuation, Framing, 1),
            (Mail, Payload, 8),
            (ListPunctuation, Framing, 1),
            (Notice, Control, 20),
            (ListPunctuation, Framing, 1),
        ];
        check(
            br#"[{"id":4},{"gap":"},]{\"\\"}  ]"#,
            &[last[0], last[1], last[2], (Notice, Control, 20), last[4]],
            &[],
        );
        let near = [
            (ListPunctuation, Framing, 1),
            (Mail, Payload, 10),
            (ListPunctuation, Framing, 1),
        ];
        check(br#"[{"gap" :3}]"#, &near, &[]);
    }

    #[test]
    fn an_attachment_costs_its_base64() {
        for (text, framing, payload) in [
            ("", 0, 0),
            ("QQ==", 3, 1),
            ("QUI=", 2, 2),
            ("QUJD", 1, 3),
            ("QUJDREU=", 3, 5),
            // Nobody encodes so, but all of it must be counted.
            ("====", 4, 0),
            ("Q=Q", 2, 1),
        ] {
            let body = format!(r#"[{{"id":1,"attachment":"{text}"}},{{"id":2}}]"#);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let parts = [
                (ListPunctuation, Framing, 1),
                (Mail, Payload, 7),
                (AttachmentKey, Framing, 15),
                (Attachment, Framing, framing),
                (Attachment, Payload, payload),
                (AttachmentKey, Framing, 1),
                (Mail, Payload, 1),
                (ListPunctuation, Framing, 1),
                (Mail, Payload, 8),
                (ListPunctuation, Framing, 1),
            ];
            Vector::new()
                .request(GET)
                .response(&head)
                .down(body, &parts)
                .check(b"H");
        }
    }

    /// A captured head may claim any type: the body tells what it is.
    #[test]
    fn what_is_no_list_is_payload() {
        for body in [&b"<html>[]"[..], b"  {}", b"null", b"   "] {
            check(body, &[(OtherBody, Payload, body.len() as u64)], &[]);
        }
        let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\n";
        let vector = Vector::new()
            .request(GET)
            .response(html)
            .down("[]", &[(ListPunctuation, Control, 2)]);
        vector.events(&[Event::Empty]).check(b"H");
    }

    #[test]
    fn a_cut_list_is_labelled_by_its_state() {
        let cut = |body: &[u8], parts: &[(Kind, Label, u64)]| {
            let vector = Vector::new()
                .request(GET)
                .response("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n");
            vector.down(body, parts).check(b"");
        };
        cut(b" [ ", &[(ListPunctuation, Control, 3)]);
        // Nor is it empty before its length is reached.
        cut(b"[]", &[(ListPunctuation, Control, 2)]);
        cut(b"  ", &[(OtherBody, Payload, 2)]);
        cut(b"[{\"ga", &[(ListPunctuation, Framing, 1), (Mail, Payload, 4)]);
        cut(
            b"[{\"gap\":1},{\"ga",
            &[
                (ListPunctuation, Framing, 1),
                (Notice, Control, 10),
                (Mail, Payload, 4),
            ],
        );
        cut(
            b"[{\"id\":1,\"att",
            &[(ListPunctuation, Framing, 1), (Mail, Payload, 12)],
        );
    }

    /// White space in any number of chunks is held back only up to a point.
    #[test]
    fn what_waits_is_bounded() {
        let mut vector = Vector::new()
            .request(GET)
            .response("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        for chunk in std::iter::once("2\r\n[ \r\n").chain(std::iter::repeat_n("2\r\n  \r\n", 99)) {
            let parts = [
                (ChunkSize, Framing, 3),
                (ListPunctuation, Framing, 2),
                (ChunkEnd, Framing, 2),
            ];
            vector = vector.down(chunk, &parts);
        }
        let end = [
            (ChunkSize, Control, 3),
            (ListPunctuation, Control, 1),
            (ChunkEnd, Control, 2),
            (LastChunk, Framing, 5),
        ];
        vector
            .down("1\r\n]\r\n0\r\n\r\n", &end)
            .events(&[Event::Empty])
            .check(b"H");
    }
}
