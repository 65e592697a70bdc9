//! Strings inside strings.

use super::super::{Kind, Label, Spans};

/// A text, and how it was written: escaped in a JSON string, or in a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Written {
    /// The text itself.
    pub text: Vec<u8>,
    /// Where in it writing took more bytes than it has, and how many.
    added: Vec<(usize, usize)>,
}

impl Written {
    /// Reads a JSON string (RFC 8259, section 7) from behind its opening quote up to the closing one,
    /// which is not taken, or to the end of `bytes`, if that comes first. Says how many bytes it took.
    /// An escape that is none stands for itself.
    pub fn json_string(bytes: &[u8]) -> (Written, usize) {
        let mut written = Written::default();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let plain = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            written.text.extend_from_slice(&rest[..plain]);
            at += plain;
            at += match &bytes[at..] {
                [b'\\', escape @ ..] => match json_escape(escape) {
                    Some((c, n)) => written.escaped(c, 1 + n),
                    None => {
                        written.text.push(b'\\');
                        1
                    }
                },
                _ => break,
            };
        }
        (written, at)
    }

    /// Reads a form's value (URL Standard, section 5.1): `%22` is a quote, `+` is a space.
    pub fn form_value(bytes: &[u8]) -> Written {
        let mut written = Written::default();
        let mut at = 0;
        while at < bytes.len() {
            let hex = |n: usize| bytes.get(at + n).and_then(|b| char::from(*b).to_digit(16));
            match (bytes[at], hex(1), hex(2)) {
                (b'%', Some(high), Some(low)) => {
                    written.added.push((written.text.len(), 2));
                    // Two hexadecimal digits.
                    written.text.push((high << 4 | low) as u8);
                    at += 3;
                    continue;
                }
                (b'+', ..) => written.text.push(b' '),
                (byte, ..) => written.text.push(byte),
            }
            at += 1;
        }
        written
    }

    fn escaped(&mut self, c: char, len: usize) -> usize {
        self.added.push((self.text.len(), len - c.len_utf8()));
        self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        len
    }

    /// Brings spans of the text back to how it was written. What writing added is framing, or what the span
    /// is that it stands in.
    pub fn stretch(&self, inner: &Spans, spans: &mut Spans) {
        let mut added = self.added.iter().peekable();
        let mut end = 0;
        for span in inner.iter() {
            let (mut rest, mut at) = (*span, end);
            end += span.len;
            while let Some((place, more)) = added.next_if(|(place, _)| *place < end) {
                spans.add(rest.take(place - at));
                at = *place;
                let (label, kind) = match span.label {
                    Label::Payload => (Label::Framing, Kind::Escape),
                    label => (label, span.kind),
                };
                spans.push(*more, label, kind);
            }
            spans.add(rest);
        }
        spans.mails += inner.mails;
    }
}

/// What stands behind a backslash: the character, and how many bytes say it.
fn json_escape(bytes: &[u8]) -> Option<(char, usize)> {
    let c = match bytes.first()? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(bytes),
        c @ (b'"' | b'\\' | b'/') => char::from(*c),
        _ => return None,
    };
    Some((c, 1))
}

/// `u00e9`, or `ud83d\ude00`. Half a pair stands for U+FFFD.
fn unicode(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = |from: usize| -> Option<u32> {
        let digits = bytes.get(from..from + 4)?;
        let value = |n: u32, b: &u8| Some(n << 4 | char::from(*b).to_digit(16)?);
        digits.iter().try_fold(0, value)
    };
    let first = unit(1)?;
    if let 0xD800..0xDC00 = first
        && bytes.get(5..7) == Some(b"\\u")
        && let Some(second @ 0xDC00..0xE000) = unit(7)
    {
        let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return Some((char::from_u32(code)?, 11));
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 5))
}
