//! Where an HTTP/1 head ends (RFC 9112, section 2).

use memchr::memchr_iter;

use super::super::event::{MAX_HEAD, Violation};

/// Collects a head until its blank line. Keeps a buffer only while a head is cut.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    buffer: Vec<u8>,
    /// Whether the request or status line has begun: blank lines before it are passed over
    /// (section 2.2).
    begun: bool,
    line: Line,
}

/// What the current line of a head has held so far.
#[derive(Clone, Copy, Debug, Default)]
enum Line {
    #[default]
    Nothing,
    Cr,
    Text,
}

impl HeadReader {
    /// Takes the next bytes; once the head is all there, says how many of them belong to it and what
    /// `parse` made of it.
    ///
    /// # Errors
    /// [`Violation::Head`] if the head is larger than [`MAX_HEAD`], or `parse`'s.
    pub fn feed<T>(
        &mut self,
        bytes: &[u8],
        parse: impl FnOnce(&[u8]) -> Result<T, Violation>,
    ) -> Result<Option<(usize, T)>, Violation> {
        let end = self.find_end(bytes);
        let n = end.unwrap_or(bytes.len());
        if self.buffer.len() + n > MAX_HEAD {
            return Err(Violation::Head);
        }
        if end.is_none() {
            self.buffer.extend_from_slice(bytes);
            return Ok(None);
        }
        let head = if self.buffer.is_empty() {
            parse(&bytes[..n])
        } else {
            self.buffer.extend_from_slice(&bytes[..n]);
            parse(&self.buffer)
        }?;
        *self = HeadReader::default();
        Ok(Some((n, head)))
    }

    /// How many bytes wait for the rest of their head.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut from = 0;
        for lf in memchr_iter(b'\n', bytes) {
            let blank = matches!(
                (self.line, &bytes[from..lf]),
                (Line::Nothing, [] | b"\r") | (Line::Cr, [])
            );
            if blank && self.begun {
                return Some(lf + 1);
            }
            self.begun |= !blank;
            self.line = Line::Nothing;
            from = lf + 1;
        }
        self.line = match (self.line, &bytes[from..]) {
            (line, []) => line,
            (Line::Nothing, b"\r") => Line::Cr,
            _ => Line::Text,
        };
        None
    }
}
