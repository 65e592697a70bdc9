//! Lines of JSON (ndjson-spec 1.0). A unit is a line: a mail, a notice about the log, or an empty line as
//! heartbeat.

use std::any::TypeId;

use memchr::memchr;

use super::super::{Carried, Direction, Kind, Label, Layer, Spans};
use super::text::message;

/// Labels lines of JSON.
#[derive(Debug)]
pub(in super::super) struct Lines;

impl Layer for Lines {
    fn at_rest(&self) -> Option<TypeId> {
        Some(TypeId::of::<Lines>())
    }

    fn unit(&mut self, bytes: &[u8], from: usize, _sender: Direction) -> Option<usize> {
        memchr(b'\n', &bytes[from..]).map(|at| from + at + 1)
    }

    fn label(&mut self, unit: &[u8], carried: Carried, spans: &mut Spans) {
        let line = unit.strip_suffix(b"\n").unwrap_or(unit);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let before = spans.mails;
        message(line, carried.sender, spans);
        let is_mail = spans.mails > before;
        spans.events += usize::from(is_mail);
        let (label, kind) = match line {
            [] => (Label::Control, Kind::Heartbeat),
            _ if is_mail => (Label::Framing, Kind::LineEnd),
            _ => (Label::Control, Kind::LineEnd),
        };
        spans.push(unit.len() - line.len(), label, kind);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Ending;
    use super::*;

    #[test]
    fn a_unit_is_a_line() {
        for (bytes, from, end) in [
            ("", 0, None),
            ("{\"id\":1}", 0, None),
            ("\n", 0, Some(1)),
            ("{}\n{}\n", 0, Some(3)),
            ("{}\n{}\n", 3, Some(6)),
        ] {
            assert_eq!(
                Lines.unit(bytes.as_bytes(), from, Direction::Down),
                end,
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn a_line_is_labelled() {
        use Kind::{Heartbeat, LineEnd, Mail, Notice};
        use Label::{Control, Framing, Payload};
        type Case = (&'static str, &'static [(usize, Label, Kind)], usize);
        let cases: [Case; 4] = [
            ("\n", &[(1, Control, Heartbeat)], 0),
            ("\r\n", &[(2, Control, Heartbeat)], 0),
            (
                "{\"epoch\":\"k3f9\"}\n",
                &[(16, Control, Notice), (1, Control, LineEnd)],
                0,
            ),
            ("{\"id\":1}\n", &[(8, Payload, Mail), (1, Framing, LineEnd)], 1),
        ];
        for (line, expected, mails) in cases {
            let mut spans = Spans::default();
            let carried = Carried {
                sender: Direction::Down,
                binary: false,
                ending: Ending::Whole,
            };
            Lines.label(line.as_bytes(), carried, &mut spans);
            let labelled: Vec<_> = spans.iter().map(|s| (s.len, s.label, s.kind)).collect();
            assert_eq!(
                (labelled.as_slice(), spans.mails, spans.events),
                (expected, mails, mails),
                "{line:?}"
            );
        }
    }
}
