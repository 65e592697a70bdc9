//! The body of an HTTP/1.1 message: where it ends (RFC 9112, sections 6 and 7).

use std::any::TypeId;

use super::super::unit::up_to;
use super::super::{Content, Out, Sink, Violation};
use super::chunked::Chunked;

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Body {
    length: Length,
    content: Content,
}

/// Where a body ends.
#[derive(Debug)]
pub(super) enum Length {
    /// After this many further bytes.
    Fixed(u64),
    /// After the last chunk and the trailers.
    Chunked(Chunked),
    /// When the connection is closed.
    UntilClose,
}

/// What to do after [`Body::feed`].
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Wait for more bytes.
    More,
    /// The body has ended.
    Done,
    /// The bytes from here on cannot be read.
    Broken(Violation),
}

impl Body {
    pub fn new(length: Length, content: Content) -> Body {
        Body { length, content }
    }

    /// Whether the body is empty.
    pub fn is_none(&self) -> bool {
        matches!(self.length, Length::Fixed(0))
    }

    /// Whether the body ends with the connection.
    pub fn ends_by_close(&self) -> bool {
        matches!(self.length, Length::UntilClose)
    }

    /// Whether a protocol on top carried a message of the client's application.
    pub fn has_message(&self) -> bool {
        self.content.has_message()
    }

    /// The type of its layer, if it stands between two chunks and the bytes so far make no difference to those that come.
    pub fn at_rest(&self) -> Option<TypeId> {
        match &self.length {
            Length::Chunked(chunked) if chunked.is_between() => self.content.at_rest(),
            _ => None,
        }
    }

    /// Reads the next bytes, the first of which has offset `start`; returns how many it used.
    pub fn feed<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> (usize, Step) {
        match &mut self.length {
            Length::UntilClose => {
                self.content.feed(start, bytes, out);
                (bytes.len(), Step::More)
            }
            Length::Fixed(left) => {
                let n = up_to(*left, bytes.len());
                *left -= n as u64;
                let step = if *left == 0 { Step::Done } else { Step::More };
                self.content.feed(start, &bytes[..n], out);
                (n, step)
            }
            Length::Chunked(chunked) => {
                let mut used = 0;
                while used < bytes.len() {
                    match chunked.feed(start + used as u64, &bytes[used..], &mut self.content, out) {
                        Ok((n, false)) => used += n,
                        Ok((n, true)) => return (used + n, Step::Done),
                        Err(violation) => return (used, Step::Broken(violation)),
                    }
                }
                (used, Step::More)
            }
        }
    }

    /// Labels pending bytes when the body has ended (`whole`) or was cut.
    pub fn end<S: Sink>(&mut self, whole: bool, out: &mut Out<'_, S>) {
        match &mut self.length {
            Length::Chunked(chunked) => chunked.end(whole, &mut self.content, out),
            _ => self.content.end(whole, out),
        }
    }
}
