//! Strings inside strings.

use super::super::{Kind, Label, Spans};

/// A text, and its encoding: escaped in a JSON string, or in a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Written {
    /// The decoded text.
    pub text: Vec<u8>,
    /// The positions in it where the encoding took more bytes, and how many more.
    added: Vec<(usize, usize)>,
}

impl Written {
    /// Reads a JSON string (RFC 8259, section 7) from after its opening quote up to the closing one, which is
    /// not included, or to the end of `bytes`. Returns the number of bytes read. An invalid escape is kept as
    /// it is.
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
                    // The value of two hexadecimal digits fits in a byte.
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

    /// Converts spans of the text to spans of its encoded form. The additional bytes are framing, or get the
    /// label of the span around them.
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

/// Decodes the escape after a backslash: the character, and its encoded length.
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

/// Decodes `u00e9`, or `ud83d\ude00`. An unpaired surrogate becomes U+FFFD.
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
