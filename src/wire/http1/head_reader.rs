//! Finds the end of an HTTP/1 head (RFC 9112, section 2).

use memchr::memchr_iter;

use super::super::{MAX_HEAD, Violation};

/// Collects a head up to its blank line. It has a buffer only while a head is incomplete.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    buffer: Vec<u8>,
}

impl HeadReader {
    /// Reads the next bytes. Once the head is complete, returns how many of these bytes belong to it, and the
    /// result of `parse`.
    ///
    /// # Errors
    /// [`Violation::Head`] if the head is larger than [`MAX_HEAD`], or the error of `parse`.
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

    /// The number of bytes that wait for the rest of their head.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }
}

/// The length of the head at the beginning of `bytes`, if it is complete; its end is not within the first
/// `from` bytes. Blank lines before the head are skipped (section 2.2).
fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let begin = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n'))?;
    // A line end before `from` may belong to the blank line.
    let from = from.saturating_sub(2).max(begin);
    memchr_iter(b'\n', &bytes[from..]).find_map(|n| match bytes[from + n + 1..] {
        [b'\n', ..] => Some(from + n + 2),
        [b'\r', b'\n', ..] => Some(from + n + 3),
        _ => None,
    })
}
