//! An HTTP/1.1 message body: how far it goes (RFC 9112, sections 6 and 7), and what is in it.

use memchr::memchr;

use super::layers::{self, Dialect};
use super::list::List;
use super::out::{Out, Seen};
use super::sse::Stream;
use super::{Answer, Direction, Kind, Label, Sink, Violation};

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Body {
    length: Length,
    content: Content,
    waiting: Undecided,
}

/// Where a body ends.
#[derive(Debug)]
pub(super) enum Length {
    /// After this many bytes more.
    Fixed(u64),
    /// Behind the last chunk and the trailers.
    Chunked(Chunked),
    /// When the connection is closed.
    UntilClose,
}

/// What a body holds.
#[derive(Debug)]
pub(super) enum Content {
    /// All bytes count the same.
    Plain(Label, Kind),
    /// A GET's answer: a list of mails, or something else.
    Answer(List),
    /// A `text/event-stream`.
    Events(Stream),
    /// A protocol on top.
    Layered(Box<layers::Body>),
}

/// What to do after [`Body::feed`].
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Wait for more.
    More,
    /// The body is over.
    Done,
    /// The bytes from here on cannot be read.
    Broken(Violation),
}

impl Body {
    pub fn new(length: Length, content: Content) -> Body {
        Body {
            length,
            content,
            waiting: Undecided::default(),
        }
    }

    /// Whether the body has no bytes at all.
    pub fn is_none(&self) -> bool {
        matches!(self.length, Length::Fixed(0))
    }

    /// Whether the end of the connection is the end of the body.
    pub fn ends_by_close(&self) -> bool {
        matches!(self.length, Length::UntilClose)
    }

    /// Whether this was a whole answer with no mail in it.
    pub fn is_empty_answer(&self) -> bool {
        self.content.is_empty_answer()
    }

    /// Whether a protocol on top has brought what the client's application says.
    pub fn said(&self) -> bool {
        self.content.said()
    }

    /// Takes the next bytes, the first of which has offset `start`; says how many it used.
    pub fn feed<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> (usize, Step) {
        match &mut self.length {
            Length::UntilClose => {
                self.content.feed(start, bytes, &mut self.waiting, out);
                (bytes.len(), Step::More)
            }
            Length::Fixed(left) => {
                let n = up_to(*left, bytes.len());
                *left -= n as u64;
                let step = if *left == 0 { Step::Done } else { Step::More };
                self.content.feed(start, &bytes[..n], &mut self.waiting, out);
                (n, step)
            }
            Length::Chunked(_) => self.feed_chunked(start, bytes, out),
        }
    }

    fn feed_chunked<S: Sink>(&mut self, start: u64, bytes: &[u8], out: &mut Out<'_, S>) -> (usize, Step) {
        let Length::Chunked(chunked) = &mut self.length else {
            return (0, Step::Done);
        };
        let mut used = 0;
        while used < bytes.len() {
            let (at, rest) = (start + used as u64, &bytes[used..]);
            if let ChunkAt::Data(left) = &mut chunked.at {
                let n = up_to(*left, rest.len());
                *left -= n as u64;
                let over = *left == 0;
                out.seen = chunked.seen;
                self.content.feed(at, &rest[..n], &mut self.waiting, out);
                chunked.seen = out.seen;
                if over {
                    chunked.at = ChunkAt::End(at + n as u64);
                }
                used += n;
                continue;
            }
            match chunked.feed(at, rest, &mut self.waiting, out) {
                Ok((n, false)) => used += n,
                Ok((n, true)) => return (used + n, Step::Done),
                Err(violation) => return (used, Step::Broken(violation)),
            }
        }
        (used, Step::More)
    }

    /// Labels what waits, when the body is over (`whole`) or cut.
    pub fn end<S: Sink>(&mut self, whole: bool, out: &mut Out<'_, S>) {
        let Length::Chunked(chunked) = &mut self.length else {
            return self.content.end(whole, &mut self.waiting, out);
        };
        let held_none = self.waiting.here.is_none() && !chunked.seen.control && !chunked.seen.other;
        out.seen = chunked.seen;
        self.content.end(whole, &mut self.waiting, out);
        if !held_none {
            chunked.seen = out.seen;
        }
        chunked.end(&mut self.waiting, out);
    }
}

impl Content {
    /// What a request brings, whose head was this long.
    pub fn request(dialect: Option<Dialect>, head: u64) -> Content {
        match dialect {
            None => Content::Plain(Label::Payload, Kind::Reply),
            Some(dialect) => Content::Layered(Box::new(layers::Body::new(dialect, Direction::Up, head))),
        }
    }

    /// What the final response to a GET, or to another request, holds.
    pub fn answer(dialect: Option<Dialect>, get: bool, status: u16, holds: Option<Answer>) -> Content {
        match status {
            200..300 if let Some(dialect) = dialect.filter(|d| d.is_in_answer(get)) => {
                Content::Layered(Box::new(layers::Body::new(dialect, Direction::Down, 0)))
            }
            200..300 if get && holds == Some(Answer::Events) => Content::Events(Stream::default()),
            200..300 if get && holds == Some(Answer::Lines) => {
                Content::Layered(Box::new(layers::Body::new(Dialect::Lines, Direction::Down, 0)))
            }
            200..300 if get => Content::Answer(List::default()),
            _ => Content::Plain(Label::Control, Kind::OtherBody),
        }
    }

    pub fn feed<S: Sink>(&mut self, start: u64, bytes: &[u8], waiting: &mut Undecided, out: &mut Out<'_, S>) {
        match self {
            Content::Plain(label, kind) => out.part(start, bytes.len() as u64, *label, *kind),
            Content::Answer(list) => list.feed(start, bytes, waiting, out),
            Content::Events(stream) => stream.feed(start, bytes, waiting, out),
            Content::Layered(body) => body.feed(start, bytes, waiting, out),
        }
    }

    /// Labels what waits, when the content is over (`whole`) or cut.
    pub fn end<S: Sink>(&mut self, whole: bool, waiting: &mut Undecided, out: &mut Out<'_, S>) {
        match self {
            Content::Plain(..) => {}
            Content::Answer(list) => list.end(waiting, out),
            Content::Events(stream) => stream.end(waiting, out),
            Content::Layered(body) => body.end(whole, waiting, out),
        }
    }

    /// Whether this was a whole answer with no mail in it.
    pub fn is_empty_answer(&self) -> bool {
        match self {
            Content::Plain(..) | Content::Events(_) => false,
            Content::Answer(list) => list.is_empty(),
            Content::Layered(body) => body.is_empty_answer(),
        }
    }

    /// Whether a protocol on top has brought what the client's application says.
    pub fn said(&self) -> bool {
        matches!(self, Content::Layered(body) if body.said())
    }
}

/// How many of `available` bytes belong to the `left` ones.
pub(super) fn up_to(left: u64, available: usize) -> usize {
    usize::try_from(left).map_or(available, |left| left.min(available))
}

/// The chunked transfer coding (RFC 9112, section 7.1). A chunk's line counts as control if the
/// chunk holds nothing else, so it waits for the chunk's end.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    at: ChunkAt,
    /// The size line's place: where it begins and how long it is.
    line: (u64, u64),
    /// What this chunk has held.
    seen: Seen,
}

#[derive(Debug)]
enum ChunkAt {
    /// In the size, after this many digits.
    Size(u8, u64),
    /// In an extension behind the size.
    Extension(u64),
    /// Before the LF behind the size.
    SizeLf(u64),
    /// In the data, with this many bytes to come.
    Data(u64),
    /// Before the CR behind the data, which has this offset.
    End(u64),
    /// Before the LF behind the data; the offset is the CR's.
    EndLf(u64),
    /// Behind the last chunk, at the beginning of a line.
    Trailer,
    /// In a trailer field's line.
    TrailerLine,
    /// Before the last LF.
    LastLf,
}

impl Default for ChunkAt {
    fn default() -> Self {
        ChunkAt::Size(0, 0)
    }
}

impl Chunked {
    /// Takes bytes that are not data. Says how many it used, and whether the body is over.
    fn feed<S: Sink>(
        &mut self,
        start: u64,
        bytes: &[u8],
        waiting: &mut Undecided,
        out: &mut Out<'_, S>,
    ) -> Result<(usize, bool), Violation> {
        match (&self.at, bytes[0]) {
            (ChunkAt::Size(..) | ChunkAt::Extension(_) | ChunkAt::SizeLf(_), next) => {
                self.size_line(start, next, waiting, out)?;
            }
            (ChunkAt::End(end), b'\r') => self.at = ChunkAt::EndLf(*end),
            (ChunkAt::EndLf(end), b'\n') => {
                let end = *end;
                self.close(waiting, end, 2, out);
            }
            (ChunkAt::Trailer, b'\r') => {
                out.part(start, 1, Label::Framing, Kind::LastChunk);
                self.at = ChunkAt::LastLf;
            }
            (ChunkAt::LastLf, b'\n') => {
                out.part(start, 1, Label::Framing, Kind::LastChunk);
                return Ok((1, true));
            }
            (ChunkAt::Trailer, b'\n') => return Err(Violation::Chunk),
            (ChunkAt::Trailer | ChunkAt::TrailerLine, _) => {
                let end = memchr(b'\n', bytes);
                self.at = if end.is_some() {
                    ChunkAt::Trailer
                } else {
                    ChunkAt::TrailerLine
                };
                let n = end.map_or(bytes.len(), |n| n + 1);
                out.part(start, n as u64, Label::Head, Kind::Trailers);
                return Ok((n, false));
            }
            _ => return Err(Violation::Chunk),
        }
        Ok((1, false))
    }

    fn size_line<S: Sink>(
        &mut self,
        start: u64,
        next: u8,
        waiting: &mut Undecided,
        out: &mut Out<'_, S>,
    ) -> Result<(), Violation> {
        if let ChunkAt::Size(0, _) = self.at {
            self.line = (start, 0);
        }
        let digit = char::from(next).to_digit(16).map(u64::from);
        self.at = match (&self.at, next, digit) {
            (ChunkAt::Size(n @ ..16, size), _, Some(digit)) => ChunkAt::Size(n + 1, size << 4 | digit),
            (ChunkAt::Size(1.., size) | ChunkAt::Extension(size), b'\r', _) => ChunkAt::SizeLf(*size),
            (ChunkAt::Size(1.., size), b';' | b' ' | b'\t', _) => ChunkAt::Extension(*size),
            (ChunkAt::Extension(size), 0x20.. | b'\t', _) => ChunkAt::Extension(*size),
            (ChunkAt::SizeLf(0), b'\n', _) => {
                out.part(self.line.0, self.line.1 + 1, Label::Framing, Kind::LastChunk);
                ChunkAt::Trailer
            }
            (ChunkAt::SizeLf(size), b'\n', _) => {
                waiting.here = Wait::default();
                self.seen = Seen::default();
                ChunkAt::Data(*size)
            }
            _ => return Err(Violation::Chunk),
        };
        self.line.1 += 1;
        Ok(())
    }

    /// Labels the chunk's line and the `n` bytes at `end` behind its data, now or when what it holds
    /// is decided.
    fn close<S: Sink>(&mut self, waiting: &mut Undecided, end: u64, n: u64, out: &mut Out<'_, S>) {
        let around = [
            (self.line.0, self.line.1, Kind::ChunkSize),
            (end, n, Kind::ChunkEnd),
        ];
        let undecided = !self.seen.other && !waiting.here.is_none();
        for (start, len, kind) in around {
            if undecided {
                waiting.wrap(start, len, kind);
            } else {
                out.part(start, len, self.label(), kind);
            }
        }
        self.at = ChunkAt::default();
    }

    fn label(&self) -> Label {
        if self.seen.control && !self.seen.other {
            Label::Control
        } else {
            Label::Framing
        }
    }

    /// The body is over or cut, in whatever state it is.
    fn end<S: Sink>(&mut self, waiting: &mut Undecided, out: &mut Out<'_, S>) {
        match self.at {
            ChunkAt::Size(1.., _) | ChunkAt::Extension(_) | ChunkAt::SizeLf(_) => {
                out.part(self.line.0, self.line.1, Label::Framing, Kind::Unread);
            }
            ChunkAt::Data(_) => self.close(waiting, 0, 0, out),
            ChunkAt::End(end) => self.close(waiting, end, 0, out),
            ChunkAt::EndLf(end) => self.close(waiting, end, 1, out),
            ChunkAt::Size(..) | ChunkAt::Trailer | ChunkAt::TrailerLine | ChunkAt::LastLf => {}
        }
    }
}

/// Bytes of a body that cannot be labelled before others have been read. They are few: a list's
/// opening bracket and white space, the beginning of a line or an element, and the chunk lines
/// round them.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    spans: Vec<Span>,
    /// What the bytes held back in this chunk wait for.
    here: Wait,
}

#[derive(Debug)]
struct Span {
    start: u64,
    len: u64,
    waits: Wait,
    /// Set for a chunk's line, which becomes control or framing by what the chunk held.
    chunk: Option<Kind>,
}

/// What a byte waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wait(u8);

impl Wait {
    /// Whether the list has a mail.
    pub const OPENING: Wait = Wait(1);
    /// What the element or line is that these bytes begin.
    pub const PREFIX: Wait = Wait(2);
    /// What the unit of a protocol on top is that these bytes belong to.
    pub const UNIT: Wait = Wait(4);

    fn is_none(self) -> bool {
        self.0 == 0
    }
    fn has(self, other: Wait) -> bool {
        self.0 & other.0 != 0
    }
    fn without(self, other: Wait) -> Wait {
        Wait(self.0 & !other.0)
    }
}

impl Undecided {
    const MOST: usize = 64;

    /// Whether a byte at `start` may be held without limit. A prefix is short and need not ask.
    pub fn has_room(&self, start: u64) -> bool {
        self.spans.len() < Self::MOST || self.spans.last().is_some_and(|s| s.start + s.len == start)
    }

    pub fn hold(&mut self, waits: Wait, start: u64, len: u64) {
        if len == 0 {
            return;
        }
        self.here = Wait(self.here.0 | waits.0);
        match self.spans.last_mut() {
            Some(s) if s.start + s.len == start && s.waits == waits && s.chunk.is_none() => s.len += len,
            _ => self.spans.push(Span {
                start,
                len,
                waits,
                chunk: None,
            }),
        }
    }

    /// Says that somebody else holds bytes back in this chunk.
    pub fn expect(&mut self, waits: Wait) {
        self.here = Wait(self.here.0 | waits.0);
    }

    /// Holds a chunk's line until what the chunk holds is decided.
    fn wrap(&mut self, start: u64, len: u64, kind: Kind) {
        self.spans.push(Span {
            start,
            len,
            waits: self.here,
            chunk: Some(kind),
        });
    }

    /// Decides what waits for `wait`.
    pub fn settle<S: Sink>(&mut self, wait: Wait, (label, kind): (Label, Kind), out: &mut Out<'_, S>) {
        self.here = self.here.without(wait);
        if self.spans.is_empty() {
            return;
        }
        self.spans.retain_mut(|span| {
            if !span.waits.has(wait) {
                return true;
            }
            span.waits = span.waits.without(wait);
            match span.chunk {
                None => out.part(span.start, span.len, label, kind),
                Some(kind) if label != Label::Control => out.part(span.start, span.len, Label::Framing, kind),
                Some(kind) if span.waits.is_none() => out.part(span.start, span.len, Label::Control, kind),
                Some(_) => return true,
            }
            false
        });
        if self.spans.is_empty() {
            self.spans = Vec::new();
        }
    }
}
