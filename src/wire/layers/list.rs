//! The body of an answered poll: a JSON list of mails (RFC 8259), or something else.
//!
//! ```text
//! [  {"gap":3}  ,  {"id":4,"from":…}  ,  {"id":5,…,"attachment":"iVBORw0K"}  ]
//! f  control    c  payload            f  payload  framing        base64  f p  f
//! ```
//!
//! Bytes outside the elements are framing if the list has a mail, otherwise control; so the first unit
//! extends to the end of the first mail. Each further unit is an element, or the bytes between two. The bytes
//! after a notice, up to the next element, belong to the notice.

use memchr::memchr2;

use super::super::notice::is_notice;
use super::super::{Carried, Direction, Ending, Kind, Label, Layer, Seen, Spans};
use super::mail_text::MailText;

/// Labels a body, as a list of mails if its first byte other than white space is `[`.
#[derive(Debug, Default)]
pub(in super::super) struct List {
    at: At,
    /// Whether a mail was found.
    mails: bool,
    /// Whether bytes outside the elements belong to the notice before them.
    behind_notice: bool,
    /// Whether the current unit has passed the opening bracket.
    opened: bool,
    /// The unfinished element, and where it begins in the unit.
    element: Option<(usize, Extent)>,
}

/// The position up to which the list is labelled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum At {
    /// Before the opening bracket.
    #[default]
    Before,
    Inside,
    /// After the closing bracket.
    Closed,
    /// Not a list.
    Other,
}

impl Layer for List {
    fn unit(&mut self, bytes: &[u8], from: usize, _sender: Direction) -> Option<usize> {
        if matches!(self.at, At::Closed | At::Other) {
            return Some(bytes.len());
        }
        let mut at = from;
        loop {
            if let Some((start, extent)) = &mut self.element {
                let (n, ends) = extent.take(&bytes[at..]);
                at += n;
                if !ends {
                    return None;
                }
                let is_notice = is_notice(&bytes[*start..at]);
                self.element = None;
                if self.at == At::Inside || !is_notice {
                    return Some(at);
                }
            }
            at += outside(&bytes[at..], self.opened);
            match bytes.get(at) {
                // The label of bytes outside the elements is known, except in the first unit.
                None => return (self.at == At::Inside).then_some(at),
                Some(b'[') if !self.opened => {
                    self.opened = true;
                    at += 1;
                }
                Some(_) if !self.opened => return Some(bytes.len()),
                Some(b']') => return Some(at + 1),
                Some(_) => self.element = Some((at, Extent::default())),
            }
        }
    }

    fn label(&mut self, unit: &[u8], carried: Carried, spans: &mut Spans) {
        let first = self.at == At::Before;
        let mut rest = unit;
        if first {
            let spaces = outside(rest, false);
            self.at = match rest.get(spaces) {
                Some(b'[') => At::Inside,
                _ => At::Other,
            };
            if self.at == At::Inside {
                rest = &rest[spaces + 1..];
                spans.push(spaces + 1, Label::Control, Kind::ListPunctuation);
            }
        }
        while !rest.is_empty() {
            let n = self.label_next(rest, carried, spans);
            rest = &rest[n..];
        }
        // The opening bracket was labelled control.
        if let Some(opening) = spans.iter_mut().next().filter(|_| first && self.mails) {
            opening.label = Label::Framing;
        }
    }

    fn is_empty_answer(&self, _seen: Seen) -> bool {
        self.at == At::Closed && !self.mails
    }
}

impl List {
    /// Labels an element, or bytes outside the elements. Returns their number.
    fn label_next(&mut self, bytes: &[u8], carried: Carried, spans: &mut Spans) -> usize {
        let (label, kind) = match self.at {
            At::Other => (Label::Payload, Kind::OtherBody),
            _ if self.behind_notice => (Label::Control, Kind::Notice),
            _ if self.mails => (Label::Framing, Kind::ListPunctuation),
            _ => (Label::Control, Kind::ListPunctuation),
        };
        let n = match self.at {
            At::Inside => outside(bytes, true),
            _ => bytes.len(),
        };
        if n > 0 {
            spans.push(n, label, kind);
            return n;
        }
        self.behind_notice = false;
        if bytes.starts_with(b"]") {
            self.at = At::Closed;
            return self.label_next(&bytes[..1], carried, spans);
        }
        if is_notice(bytes) {
            let (n, _) = Extent::default().take(bytes);
            self.behind_notice = true;
            spans.push(n, Label::Control, Kind::Notice);
            return n;
        }
        self.mails = true;
        spans.mails += usize::from(carried.ending == Ending::Whole);
        MailText::default().label(bytes, spans);
        bytes.len()
    }
}

/// The number of bytes outside elements: white space and, after the opening bracket, commas.
fn outside(bytes: &[u8], opened: bool) -> usize {
    bytes
        .iter()
        .take_while(|b| is_space(**b) || opened && **b == b',')
        .count()
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

/// Finds the end of a JSON value, without checking it.
#[derive(Debug, Default)]
struct Extent {
    depth: u32,
    string: bool,
    escaped: bool,
}

impl Extent {
    /// The number of these bytes that belong to the value, and whether it ends with them.
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

    /// The number of these bytes that belong to the string, including its closing quote.
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
