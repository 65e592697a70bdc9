//! The chunked transfer coding (RFC 9112, section 7.1).

use memchr::memchr;

use super::super::carrier::{Carriers, Form};
use super::super::content::Content;
use super::super::event::Violation;
use super::super::out::Out;
use super::super::part::{Kind, Label};
use super::super::unit::up_to;

/// Reads chunks, each of which carries a piece of content.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    at: At,
    /// The size line's place: where it begins and how long it is.
    line: (u64, u64),
    carriers: Carriers,
}

#[derive(Clone, Copy, Debug)]
enum At {
    /// In the size, after this many digits.
    Size(u8, u64),
    /// In an extension behind the size.
    Extension(u64),
    /// Before the LF behind the size.
    SizeLf(u64),
    /// In the data, with this many bytes to come.
    Data(u64),
    /// Before the CR behind the data, and before the LF.
    End,
    EndLf,
    /// Behind the last chunk, at the beginning of a line.
    Trailer,
    /// In a trailer field's line.
    TrailerLine,
    /// Before the last LF.
    LastLf,
}

impl Default for At {
    fn default() -> Self {
        At::Size(0, 0)
    }
}

impl Chunked {
    /// Takes bytes of one thing. Says how many it used, and whether the body is over.
    pub fn feed(
        &mut self,
        start: u64,
        bytes: &[u8],
        content: &mut Content,
        out: &mut Out<'_>,
    ) -> Result<(usize, bool), Violation> {
        match (self.at, bytes[0]) {
            (At::Data(left), _) => {
                let n = up_to(left, bytes.len());
                content.feed(start, &bytes[..n], &mut out.inside(&mut self.carriers));
                self.at = match left - n as u64 {
                    0 => At::End,
                    left => At::Data(left),
                };
                return Ok((n, false));
            }
            (At::Size(..) | At::Extension(_) | At::SizeLf(_), next) => self.size_line(start, next, out)?,
            (At::End, b'\r') => {
                self.carriers.add_after(1);
                self.at = At::EndLf;
            }
            (At::EndLf, b'\n') => {
                self.carriers.add_after(1);
                self.carriers.end();
                out.settle(&mut self.carriers, false);
                self.at = At::default();
            }
            (At::Trailer, b'\r') => {
                out.part(start, 1, Label::Framing, Kind::LastChunk);
                self.at = At::LastLf;
            }
            (At::LastLf, b'\n') => {
                out.part(start, 1, Label::Framing, Kind::LastChunk);
                return Ok((1, true));
            }
            (At::Trailer | At::TrailerLine, next) if next != b'\n' || matches!(self.at, At::TrailerLine) => {
                let end = memchr(b'\n', bytes);
                self.at = end.map_or(At::TrailerLine, |_| At::Trailer);
                let n = end.map_or(bytes.len(), |n| n + 1);
                out.part(start, n as u64, Label::Head, Kind::Trailers);
                return Ok((n, false));
            }
            _ => return Err(Violation::Chunk),
        }
        Ok((1, false))
    }

    fn size_line(&mut self, start: u64, next: u8, out: &mut Out<'_>) -> Result<(), Violation> {
        if let At::Size(0, _) = self.at {
            self.line = (start, 0);
        }
        self.line.1 += 1;
        let digit = char::from(next).to_digit(16).map(u64::from);
        self.at = match (self.at, next, digit) {
            (At::Size(n @ ..16, size), _, Some(digit)) => At::Size(n + 1, size << 4 | digit),
            (At::Size(1.., size) | At::Extension(size), b'\r', _) => At::SizeLf(size),
            (At::Size(1.., size), b';' | b' ' | b'\t', _) => At::Extension(size),
            (At::Extension(size), 0x20.. | b'\t', _) => At::Extension(size),
            (At::SizeLf(0), b'\n', _) => {
                out.part(self.line.0, self.line.1, Label::Framing, Kind::LastChunk);
                At::Trailer
            }
            (At::SizeLf(size), b'\n', _) => {
                self.carriers.begin(Form::Chunk, self.line.0, self.line.1, size);
                At::Data(size)
            }
            _ => {
                self.line.1 -= 1;
                return Err(Violation::Chunk);
            }
        };
        Ok(())
    }

    /// The body is over (`whole`) or cut, in whatever state it is.
    pub fn end(&mut self, whole: bool, content: &mut Content, out: &mut Out<'_>) {
        content.end(whole, &mut out.inside(&mut self.carriers));
        out.settle(&mut self.carriers, true);
        if let At::Size(1.., _) | At::Extension(_) | At::SizeLf(_) = self.at {
            out.part(self.line.0, self.line.1, Label::Framing, Kind::Unread);
        }
    }
}
