//! The chunked transfer coding (RFC 9112, section 7.1).

use memchr::memchr;

use super::super::carrier::{Carriers, Form};
use super::super::unit::up_to;
use super::super::{Content, Kind, Label, MAX_HEAD, Out, Sink, Violation};

/// The longest size line, bytes: its extensions may be long.
const MAX_LINE: usize = MAX_HEAD;

/// Reads chunks; each carries a piece of content.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    at: At,
    /// The bytes read of a size line, and the offset at which it begins.
    line: Vec<u8>,
    line_start: u64,
    carriers: Carriers,
}

#[derive(Clone, Copy, Debug, Default)]
enum At {
    /// In a size line.
    #[default]
    Size,
    /// In the data; this many bytes are left.
    Data(u64),
    /// Before the CR after the data, and before the LF.
    End,
    EndLf,
    /// After the last chunk, at the beginning of a line.
    Trailer,
    /// In a trailer field's line.
    TrailerLine,
    /// Before the final LF.
    LastLf,
}

impl Chunked {
    /// Whether it stands between two chunks, and all before is labelled.
    pub fn is_between(&self) -> bool {
        matches!(self.at, At::Size) && self.line.is_empty() && self.carriers.is_empty()
    }

    /// Reads bytes of one element. Returns how many it used, and whether the body has ended.
    pub fn feed<S: Sink>(
        &mut self,
        start: u64,
        bytes: &[u8],
        content: &mut Content,
        out: &mut Out<'_, S>,
    ) -> Result<(usize, bool), Violation> {
        match (self.at, bytes[0]) {
            (At::Data(left), _) => {
                let n = up_to(left, bytes.len());
                out.inside(&mut self.carriers, |out| content.feed(start, &bytes[..n], out));
                self.at = match left - n as u64 {
                    0 => At::End,
                    left => At::Data(left),
                };
                return Ok((n, false));
            }
            (At::Size, _) => return self.size_line(start, bytes, out).map(|n| (n, false)),
            (At::End, b'\r') => {
                self.carriers.add_after(1);
                self.at = At::EndLf;
            }
            (At::EndLf, b'\n') => {
                self.carriers.add_after(1);
                self.carriers.end();
                out.settle(&mut self.carriers, false);
                self.at = At::Size;
            }
            (At::Trailer, b'\r') => {
                out.part(start, 1, Label::Framing, Kind::LastChunk);
                self.at = At::LastLf;
            }
            (At::LastLf, b'\n') => {
                out.part(start, 1, Label::Framing, Kind::LastChunk);
                return Ok((1, true));
            }
            (At::Trailer, b'\n') | (At::End | At::EndLf | At::LastLf, _) => return Err(Violation::Chunk),
            (At::Trailer | At::TrailerLine, _) => {
                let end = memchr(b'\n', bytes);
                self.at = end.map_or(At::TrailerLine, |_| At::Trailer);
                let n = end.map_or(bytes.len(), |n| n + 1);
                out.part(start, n as u64, Label::Head, Kind::Trailers);
                return Ok((n, false));
            }
        }
        Ok((1, false))
    }

    /// Reads bytes of a size line. Returns how many it used.
    fn size_line<S: Sink>(
        &mut self,
        start: u64,
        bytes: &[u8],
        out: &mut Out<'_, S>,
    ) -> Result<usize, Violation> {
        let before = self.line.len();
        let read = if before == 0 {
            self.line_start = start;
            size_line(bytes)
        } else {
            self.line.extend_from_slice(bytes);
            size_line(&self.line)
        };
        self.line.truncate(before);
        match read? {
            Some((n, size)) => {
                self.line = Vec::new();
                let len = n as u64;
                if size == 0 {
                    out.part(self.line_start, len, Label::Framing, Kind::LastChunk);
                    self.at = At::Trailer;
                } else {
                    self.carriers.begin(Form::Chunk, self.line_start, len, size);
                    self.at = At::Data(size);
                }
                Ok(n - before)
            }
            None if before + bytes.len() > MAX_LINE => Err(Violation::Chunk),
            None => {
                self.line.extend_from_slice(bytes);
                Ok(bytes.len())
            }
        }
    }

    /// Labels pending bytes when the body has ended (`whole`) or was cut, in any state.
    pub fn end<S: Sink>(&mut self, whole: bool, content: &mut Content, out: &mut Out<'_, S>) {
        out.inside(&mut self.carriers, |out| content.end(whole, out));
        out.settle(&mut self.carriers, true);
        let len = self.line.len() as u64;
        out.part(self.line_start, len, Label::Framing, Kind::Unread);
    }
}

/// Reads the size line at the beginning of `bytes`: its length, and the chunk size; `None` if it is
/// incomplete.
fn size_line(bytes: &[u8]) -> Result<Option<(usize, u64)>, Violation> {
    let digits = bytes.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let (size, rest) = bytes.split_at(digits);
    if digits > 16 || digits == 0 && !rest.is_empty() {
        return Err(Violation::Chunk);
    }
    let in_extension = |b: &&u8| matches!(**b, 0x20.. | b'\t');
    let extension = match rest {
        [b';' | b' ' | b'\t', ..] => rest.iter().take_while(in_extension).count(),
        _ => 0,
    };
    match rest[extension..] {
        [] | [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => {
            let digit = |size, b: &u8| size << 4 | u64::from(char::from(*b).to_digit(16).unwrap_or(0));
            Ok(Some((digits + extension + 2, size.iter().fold(0, digit))))
        }
        _ => Err(Violation::Chunk),
    }
}
