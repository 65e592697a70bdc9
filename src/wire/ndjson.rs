//! Lines of JSON (ndjson-spec 1.0): a line is a mail, something that the server says of its log, or, if it is
//! empty, only a sign of life.

use super::layers::{Carried, Layer, Span, message};
use super::{Direction, Kind, Label};

/// A body of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lines;

impl Layer for Lines {
    fn unit(&self, bytes: &[u8], from: usize, _sender: Direction) -> Option<usize> {
        memchr::memchr(b'\n', &bytes[from..]).map(|at| from + at + 1)
    }

    fn label(&self, unit: &[u8], carried: Carried, spans: &mut Vec<Span>) {
        let line = unit.strip_suffix(b"\n").unwrap_or(unit);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        message(line, carried.sender, spans);
        let end = match spans.last() {
            None => (Label::Control, Kind::Heartbeat),
            Some(said) if said.label == Label::Control => (Label::Control, Kind::LineEnd),
            Some(_) => (Label::Framing, Kind::LineEnd),
        };
        spans.push(Span::new(unit.len() - line.len(), end.0, end.1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(unit: &str) -> Vec<(usize, Label, Kind)> {
        let mut spans = Vec::new();
        let carried = Carried {
            sender: Direction::Down,
            binary: false,
        };
        Lines.label(unit.as_bytes(), carried, &mut spans);
        spans.iter().map(|s| (s.len, s.label, s.kind)).collect()
    }

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
        assert_eq!(labelled("\n"), [(1, Control, Heartbeat)]);
        assert_eq!(labelled("\r\n"), [(2, Control, Heartbeat)]);
        assert_eq!(
            labelled("{\"epoch\":\"k3f9\"}\n"),
            [(16, Control, Notice), (1, Control, LineEnd)]
        );
        assert_eq!(
            labelled("{\"id\":1}\n"),
            [(8, Payload, Mail), (1, Framing, LineEnd)]
        );
    }
}
