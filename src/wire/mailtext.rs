//! One mail's JSON text, told apart into the mail, the key that carries an attachment, and base64.
//!
//! The attachment begins at the first `,"attachment":"` and ends at the next `"`. JSON escapes the
//! quotes inside a string, so these bytes cannot occur in what a person wrote; a mail has no nested
//! objects, so they cannot occur in one either.

use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memmem, memrchr};

use super::out::Out;
use super::{Kind, Label, Sink};

/// The last key of a mail with an attachment.
const KEY: &[u8] = br#","attachment":""#;

static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(KEY));

/// Labels a mail's text, however it is cut.
#[derive(Debug, Default)]
pub(super) struct MailText {
    at: At,
    /// Bytes that may be the beginning of [`KEY`]: start and length of each run. There is more than
    /// one where frame headers or chunk lines interrupt the key.
    held: Vec<(u64, u64)>,
}

#[derive(Debug)]
enum At {
    /// In the JSON; this many bytes of [`KEY`] were just read and are held.
    Json { matched: usize },
    /// In the base64, at this place in its group of four.
    Base64 { position: u8 },
    /// Behind the attachment.
    Rest,
}

impl Default for At {
    fn default() -> Self {
        At::Json { matched: 0 }
    }
}

impl MailText {
    /// Takes the next bytes, the first of which has offset `start`.
    #[inline]
    pub fn feed<S: Sink>(&mut self, mut start: u64, mut bytes: &[u8], out: &mut Out<'_, S>) {
        while !bytes.is_empty() {
            let n = match self.at {
                At::Json { matched: 0 } => self.search(start, bytes, out),
                At::Json { matched } => self.resume(matched, start, bytes, out),
                At::Base64 { position } => self.base64(position, start, bytes, out),
                At::Rest => {
                    out.part(start, bytes.len() as u64, Label::Payload, Kind::Mail);
                    bytes.len()
                }
            };
            start += n as u64;
            bytes = &bytes[n..];
        }
    }

    /// Says that the next bytes do not follow on directly: a line end lies between.
    pub fn interrupt<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        if let At::Json { .. } = self.at {
            self.settle(Label::Payload, Kind::Mail, out);
            self.at = At::default();
        }
    }

    /// Says that the mail is over, or cut.
    #[inline]
    pub fn end<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        self.settle(Label::Payload, Kind::Mail, out);
        self.at = At::default();
    }

    #[inline]
    fn search<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> usize {
        if let Some(n) = FINDER.find(bytes) {
            out.part(start, n as u64, Label::Payload, Kind::Mail);
            out.part(
                start + n as u64,
                KEY.len() as u64,
                Label::Framing,
                Kind::AttachmentKey,
            );
            self.at = At::Base64 { position: 0 };
            return n + KEY.len();
        }
        // The key has one comma, its first byte: only the last comma can be the beginning of one.
        let tail = bytes.len().saturating_sub(KEY.len() - 1);
        let comma = memrchr(b',', &bytes[tail..])
            .map(|n| tail + n)
            .filter(|n| KEY.starts_with(&bytes[*n..]));
        let n = comma.unwrap_or(bytes.len());
        out.part(start, n as u64, Label::Payload, Kind::Mail);
        if n < bytes.len() {
            self.hold(start + n as u64, bytes.len() - n);
        }
        bytes.len()
    }

    fn resume<S: Sink>(&mut self, matched: usize, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> usize {
        let wanted = &KEY[matched..];
        let n = common(bytes, wanted);
        self.hold(start, n);
        if n == wanted.len() {
            self.settle(Label::Framing, Kind::AttachmentKey, out);
            self.at = At::Base64 { position: 0 };
        } else if n < bytes.len() {
            self.settle(Label::Payload, Kind::Mail, out);
            self.at = At::default();
        }
        n
    }

    /// Of each group of four characters the first is framing, the other three stand for the
    /// attachment's own three bytes; padding is framing. Which is which within a run is not told,
    /// only how many of each.
    fn base64<S: Sink>(&mut self, position: u8, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> usize {
        let quote = memchr(b'"', bytes);
        let text = &bytes[..quote.unwrap_or(bytes.len())];
        let place = |n: usize| (usize::from(position) + n) % 4;
        let firsts = (usize::from(position) + text.len()).div_ceil(4) - usize::from(position).div_ceil(4);
        let padding = memchr_iter(b'=', text).filter(|n| place(*n) != 0).count();
        let framing = firsts + padding;
        out.part(start, framing as u64, Label::Framing, Kind::Attachment);
        out.part(
            start + framing as u64,
            (text.len() - framing) as u64,
            Label::Payload,
            Kind::Attachment,
        );
        if quote.is_none() {
            // A remainder of four fits.
            self.at = At::Base64 {
                position: place(text.len()) as u8,
            };
            return text.len();
        }
        out.part(start + text.len() as u64, 1, Label::Framing, Kind::AttachmentKey);
        self.at = At::Rest;
        text.len() + 1
    }

    fn hold(&mut self, start: u64, len: usize) {
        match self.held.last_mut() {
            _ if len == 0 => {}
            Some((from, n)) if *from + *n == start => *n += len as u64,
            _ => self.held.push((start, len as u64)),
        }
        if let At::Json { matched } = &mut self.at {
            *matched += len;
        }
    }

    #[inline]
    fn settle<S: Sink>(&mut self, label: Label, kind: Kind, out: &mut Out<'_, S>) {
        if !self.held.is_empty() {
            for (start, len) in std::mem::take(&mut self.held) {
                out.part(start, len, label, kind);
            }
        }
    }
}

/// Whether a mail's whole text has an attachment.
#[inline]
pub(super) fn has_attachment(text: &[u8]) -> bool {
    FINDER.find(text).is_some()
}

/// How many bytes two slices have in common at their beginnings.
pub(super) fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::super::{Direction, Tally};
    use super::*;

    #[test]
    fn the_key_may_be_cut_anywhere() {
        let mail = br#"{"body":",,\",\"attachment\":\"","attachment":"QUJDREU="}"#;
        let payload = (mail.len() - KEY.len() - r#"QUJDREU=""#.len() + b"ABCDE".len()) as u64;
        for first in 0..=mail.len() {
            for second in first..=mail.len() {
                let mut tally = Tally::default();
                let mut out = Out::new(Direction::Down, &mut tally);
                let mut text = MailText::default();
                text.feed(0, &mail[..first], &mut out);
                text.feed(first as u64, &mail[first..second], &mut out);
                text.feed(second as u64, &mail[second..], &mut out);
                text.end(&mut out);
                drop(out);
                assert_eq!(tally.down.payload, payload, "cut at {first} and {second}");
                assert_eq!(tally.down.total(), mail.len() as u64);
            }
        }
    }
}
