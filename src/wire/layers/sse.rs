//! An event stream (WHATWG HTML, section 9.2). A unit is any number of whole lines.
//!
//! ```text
//! retry: 1000\n          control     : heartbeat\n    control     event: gap\n   control
//! \n                     control     \n               control     data: 3\n      control
//! id: 7\n                framing                                  \n             control
//! data: {"id":7,…}\n     "data: " and line end framing, the mail payload
//! \n                     framing, and a message
//! ```

use std::any::TypeId;

use memchr::{memchr2, memrchr2};

use super::super::{Carried, Direction, Kind, Label, Layer, Spans};
use super::mail_text::MailText;

/// Labels an event stream.
#[derive(Debug, Default)]
pub(in super::super) struct Sse {
    /// Whether a line was read.
    begun: bool,
    block: Block,
    /// The label of the last byte if it was a CR that ends a line: a following LF gets the same.
    cr: Option<(Label, Kind)>,
}

/// The contents of the lines since the last blank one.
#[derive(Debug, Default, PartialEq)]
struct Block {
    /// Whether there is any line.
    begun: bool,
    /// Whether there is a `data` line.
    data: bool,
    /// Whether there is a line other than a comment or `retry`.
    field: bool,
    /// Whether the first line is `event: gap` or `event: reset`.
    notice: bool,
    mail: MailText,
}

const MARK: &[u8] = b"\xEF\xBB\xBF";
const FIELD: (Label, Kind) = (Label::Framing, Kind::SseField);
const RETRY: (Label, Kind) = (Label::Control, Kind::SseField);
const COMMENT: (Label, Kind) = (Label::Control, Kind::SseComment);
const NOTICE: (Label, Kind) = (Label::Control, Kind::Notice);

impl Layer for Sse {
    fn at_rest(&self) -> Option<TypeId> {
        let is_between = self.begun && self.cr.is_none() && self.block == Block::default();
        is_between.then(TypeId::of::<Sse>)
    }

    fn unit(&mut self, bytes: &[u8], from: usize, _sender: Direction) -> Option<usize> {
        // After a line that arrived in pieces a new unit begins, which is not copied.
        let end = match from {
            0 => memrchr2(b'\r', b'\n', bytes),
            _ => memchr2(b'\r', b'\n', &bytes[from..]).map(|n| from + n),
        };
        end.map(|n| n + 1)
    }

    fn label(&mut self, unit: &[u8], _carried: Carried, spans: &mut Spans) {
        let mut rest = unit;
        if let Some((label, kind)) = self.cr.take()
            && let Some(behind) = rest.strip_prefix(b"\n")
        {
            spans.push(1, label, kind);
            rest = behind;
        }
        if !std::mem::replace(&mut self.begun, true)
            && let Some(behind) = rest.strip_prefix(MARK)
        {
            spans.push(MARK.len(), FIELD.0, FIELD.1);
            rest = behind;
        }
        while !rest.is_empty() {
            let n = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let (line, behind) = rest.split_at(n);
            let end = match behind {
                [b'\r', b'\n', ..] => 2,
                [] => 0,
                _ => 1,
            };
            let tag = self.label_line(line, end > 0, spans);
            spans.push(end, tag.0, tag.1);
            self.cr = (behind == b"\r").then_some(tag);
            rest = &behind[end..];
        }
    }
}

impl Sse {
    /// Labels a line, which may be incomplete after a cut. Returns the label of its end.
    fn label_line(&mut self, line: &[u8], ends: bool, spans: &mut Spans) -> (Label, Kind) {
        if line.is_empty() {
            return self.blank(spans);
        }
        let block = &mut self.block;
        let first = !std::mem::replace(&mut block.begun, true);
        // A line without a colon is a field name, too.
        let field = |name: &[u8]| match line.strip_prefix(name)? {
            [] if ends => Some(&line[name.len()..]),
            [b':', value @ ..] => Some(value.strip_prefix(b" ").unwrap_or(value)),
            _ => None,
        };
        let tag = if let Some(value) = field(b"data") {
            block.data = true;
            if !block.notice {
                spans.push(line.len() - value.len(), FIELD.0, FIELD.1);
                block.mail.label(value, spans);
                return FIELD;
            }
            NOTICE
        } else if line.starts_with(b":") {
            COMMENT
        } else if field(b"retry").is_some() {
            RETRY
        } else if first && ends && matches!(field(b"event"), Some(b"gap" | b"reset")) {
            block.notice = true;
            NOTICE
        } else {
            block.field = true;
            FIELD
        };
        let tag = if block.notice { NOTICE } else { tag };
        spans.push(line.len(), tag.0, tag.1);
        tag
    }

    /// Labels a blank line, which dispatches the event. Returns the label of the line's end.
    fn blank(&mut self, spans: &mut Spans) -> (Label, Kind) {
        let block = std::mem::take(&mut self.block);
        if block.notice {
            return NOTICE;
        }
        if block.data {
            spans.mails += 1;
            spans.events += 1;
        }
        match block.data || block.field {
            true => (Label::Framing, Kind::SseEnd),
            false => (Label::Control, Kind::SseEnd),
        }
    }
}
