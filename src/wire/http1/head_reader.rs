//! Where an HTTP/1 head ends (RFC 9112, section 2).

use memchr::memchr_iter;

use super::super::{MAX_HEAD, Violation};

/// Collects a head until its blank line. Keeps a buffer only while a head is cut.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    buffer: Vec<u8>,
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
        let before = self.buffer.len();
        let cut = before > 0;
        if cut {
            self.buffer.extend_from_slice(bytes);
        }
        let all = if cut { &self.buffer[..] } else { bytes };
        match end(all, before) {
            n if n.unwrap_or(all.len()) > MAX_HEAD => {
                self.buffer.truncate(before);
                Err(Violation::Head)
            }
            Some(n) => {
                let head = parse(&all[..n]);
                self.buffer.truncate(before);
                let head = head?;
                self.buffer = Vec::new();
                Ok(Some((n - before, head)))
            }
            None => {
                if !cut {
                    self.buffer.extend_from_slice(bytes);
                }
                Ok(None)
            }
        }
    }

    /// How many bytes wait for the rest of their head.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }
}

/// How long the head is that `bytes` begin with, of which the first `from` did not end it. Blank lines before it
/// are passed over (section 2.2).
fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let begin = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n'))?;
    // A line end before may belong to the blank line.
    let from = from.saturating_sub(2).max(begin);
    memchr_iter(b'\n', &bytes[from..]).find_map(|n| match bytes[from + n + 1..] {
        [b'\n', ..] => Some(from + n + 2),
        [b'\r', b'\n', ..] => Some(from + n + 3),
        _ => None,
    })
}
