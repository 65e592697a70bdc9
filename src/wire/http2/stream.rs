//! One stream's content, through the DATA frames that carry it (RFC 9113, section 6.1).
//!
//! ```text
//! DATA            event stream                        what the frame's header counts as
//! +-----------+   : heartbeat\n\n                     control
//! +-----------+   id: 7\ndata: {"id":7,"from          framing
//! +-----------+   ":"ann@example.org"}\n\n            framing
//! ```
//!
//! Content knows nothing of frames: it may be cut anywhere. A frame's header and padding wait until all
//! that the frame holds is labelled.

use super::super::body::{Content, Undecided};
use super::super::layers::{Dialect, WebSocket};
use super::super::out::{Out, Seen};
use super::super::{Answer, Direction, Event, Kind, Label, Part, Sink, Violation};
use super::frame::FrameHeader;

/// A request and its answer, or a WebSocket.
#[derive(Debug)]
pub(super) struct Stream {
    /// Whether the request was a GET.
    pub get: bool,
    /// Whether it brought something that the client's application said.
    pub said: bool,
    /// Whether it asked for a WebSocket (RFC 8441, section 4).
    pub websocket: bool,
    /// What stands on top.
    pub dialect: Option<Dialect>,
    /// What the answer holds, if that is known.
    pub answer: Option<Answer>,
    pub up: Half,
    pub down: Half,
}

/// One direction of a stream.
#[derive(Debug)]
pub(super) enum Half {
    /// Before the final response's HEADERS.
    Waiting,
    Open(Body),
    /// Behind END_STREAM.
    Closed,
}

impl Stream {
    pub fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }

    /// Whether both directions have ended.
    pub fn is_over(&self) -> bool {
        self.up.is_closed() && self.down.is_closed()
    }

    /// The stream is over, though not both directions have ended: labels what waits.
    pub fn cut<S: Sink>(&mut self, sink: &mut S) {
        for direction in [Direction::Up, Direction::Down] {
            if let Half::Open(body) = self.half(direction) {
                body.end(direction, false, &mut Out::new(direction, sink));
            }
        }
    }
}

impl Half {
    pub fn is_closed(&self) -> bool {
        matches!(self, Half::Closed)
    }
}

/// Content of one direction.
#[derive(Debug)]
pub(super) struct Body {
    inner: Inner,
    /// The offset of the next byte of content, counted without what frames add.
    next: u64,
    /// Frames of which something is not labelled yet: those that hold a byte that waits for others,
    /// and the one that is being read.
    frames: Vec<DataFrame>,
}

#[derive(Debug)]
enum Inner {
    Body(Content, Undecided),
    WebSocket(WebSocket),
}

/// A DATA frame.
#[derive(Debug)]
struct DataFrame {
    /// Where it begins, on the wire.
    start: u64,
    /// Bytes before the content: the frame's header, and the pad length if there is one.
    before: u64,
    /// The offset of its content, as [`Body::next`] counts.
    content: u64,
    len: u64,
    /// Bytes of content that are labelled.
    told: u64,
    seen: Seen,
    /// Bytes of padding that were read.
    padding: u64,
    /// Whether it was read to its end.
    whole: bool,
}

impl Body {
    pub fn new(content: Content) -> Body {
        Body::of(Inner::Body(content, Undecided::default()))
    }

    pub fn websocket(dialect: Option<Dialect>, sender: Direction) -> Body {
        Body::of(Inner::WebSocket(WebSocket::new(dialect, sender)))
    }

    fn of(inner: Inner) -> Body {
        Body {
            inner,
            next: 0,
            frames: Vec::new(),
        }
    }

    /// A frame begins at offset `start`; its header, and pad length if it has one, take `before`
    /// bytes, and its content `len`.
    pub fn begin(&mut self, start: u64, before: u64, len: u64) {
        if let Inner::Body(..) = self.inner {
            // Not next to the frame before: what may be held back is limited by its pieces.
            self.next += 1;
        }
        self.frames.push(DataFrame {
            start,
            before,
            content: self.next,
            len,
            told: 0,
            seen: Seen::default(),
            padding: 0,
            whole: false,
        });
    }

    /// Takes the next bytes of content.
    pub fn feed<S: Sink>(&mut self, direction: Direction, bytes: &[u8], out: &mut Out<'_, S>) {
        let start = self.next;
        self.next += bytes.len() as u64;
        let mut framed = Framed {
            frames: &mut self.frames,
            out,
        };
        let mut within = Out::new(direction, &mut framed);
        match &mut self.inner {
            Inner::Body(content, waiting) => content.feed(start, bytes, waiting, &mut within),
            Inner::WebSocket(frames) => {
                if let Err(from) = frames.feed(start, bytes, &mut within) {
                    within.part(from, self.next - from, Label::Control, Kind::Unread);
                    within.event(Event::Violation(direction, Violation::Frame));
                    drop(within);
                    let unread = Content::Plain(Label::Control, Kind::Unread);
                    self.inner = Inner::Body(unread, Undecided::default());
                }
            }
        }
    }

    /// Takes `n` bytes of padding.
    pub fn pad(&mut self, n: u64) {
        if let Some(frame) = self.frames.last_mut() {
            frame.padding += n;
        }
    }

    /// The frame is over.
    pub fn end_frame<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        if let Some(frame) = self.frames.last_mut() {
            frame.whole = true;
        }
        self.frames.retain(|frame| {
            let decided = frame.whole && frame.told == frame.len;
            if decided {
                frame.tell(out);
            }
            !decided
        });
    }

    /// Labels what waits, when the content is over (`whole`) or cut.
    pub fn end<S: Sink>(&mut self, direction: Direction, whole: bool, out: &mut Out<'_, S>) {
        let mut framed = Framed {
            frames: &mut self.frames,
            out,
        };
        let mut within = Out::new(direction, &mut framed);
        match &mut self.inner {
            Inner::Body(content, waiting) => content.end(whole, waiting, &mut within),
            Inner::WebSocket(frames) => frames.end(self.next, &mut within),
        }
        drop(within);
        self.frames.drain(..).for_each(|frame| frame.tell(out));
    }

    /// Whether this was a whole answer with no mail in it.
    pub fn is_empty_answer(&self) -> bool {
        matches!(&self.inner, Inner::Body(content, _) if content.is_empty_answer())
    }

    /// Whether a protocol on top has brought what the client's application says.
    pub fn said(&self) -> bool {
        matches!(&self.inner, Inner::Body(content, _) if content.said())
    }
}

impl DataFrame {
    /// Labels what surrounds the content: control if that was nothing else.
    fn tell<S: Sink>(&self, out: &mut Out<'_, S>) {
        let label = if self.seen.control && !self.seen.other {
            Label::Control
        } else {
            Label::Framing
        };
        let header = FrameHeader::SIZE as u64;
        out.part(self.start, header, label, Kind::H2FrameHeader);
        out.part(self.start + header, self.before - header, label, Kind::Padding);
        let padding = self.start + self.before + self.len;
        out.part(padding, self.padding, label, Kind::Padding);
    }
}

/// Puts parts of content back to where the frames had them.
struct Framed<'a, 'b, S: Sink> {
    frames: &'a mut Vec<DataFrame>,
    out: &'a mut Out<'b, S>,
}

impl<S: Sink> Sink for Framed<'_, '_, S> {
    fn part(&mut self, part: Part) {
        let end = part.start + part.len;
        for frame in self.frames.iter_mut() {
            let from = part.start.max(frame.content);
            let n = end.min(frame.content + frame.len).saturating_sub(from);
            if n == 0 {
                continue;
            }
            let start = frame.start + frame.before + (from - frame.content);
            self.out.part(start, n, part.label, part.kind);
            frame.told += n;
            match part.label {
                Label::Control => frame.seen.control = true,
                _ => frame.seen.other = true,
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.out.event(event);
    }

    fn said(&mut self, _: Direction, head: u64) {
        self.out.said(head);
    }

    fn told(&mut self, bytes: u64) {
        self.out.told(bytes);
    }

    fn mail(&mut self) {
        self.out.mail();
    }
}
