//! The content of one stream, within its DATA frames (RFC 9113, section 6.1).
//!
//! ```text
//! DATA            event stream                        label of the frame's header
//! +-----------+   : heartbeat\n\n                     control
//! +-----------+   id: 7\ndata: {"id":7,"from          framing
//! +-----------+   ":"ann@example.org"}\n\n            framing
//! ```
//!
//! Frames may cut a unit anywhere. A frame's header and padding wait until all the frame's content is
//! labelled.

use super::super::carrier::{Carriers, Form};
use super::super::websocket::Messages;
use super::super::{Answer, Content, Dialect, Direction, Event, Out, Sink};

/// A stream: a request and its answer, or a WebSocket.
#[derive(Debug)]
pub(super) struct Stream {
    /// Whether the request was a GET.
    pub get: bool,
    /// Whether the request carried a message of the client's application.
    pub has_message: bool,
    /// Whether it asked for a WebSocket (RFC 8441, section 4).
    pub websocket: bool,
    /// The protocol on top.
    pub dialect: Option<Dialect>,
    /// The format of the answer, if known.
    pub answer: Option<Answer>,
    pub up: Half,
    pub down: Half,
}

/// One direction of a stream.
#[derive(Debug)]
pub(super) enum Half {
    /// Before the final response's HEADERS.
    Waiting,
    Open(Data),
    /// After END_STREAM.
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

    /// Labels pending bytes of a stream that ends before both directions have ended.
    pub fn cut(&mut self, sink: &mut impl Sink) {
        for direction in [Direction::Up, Direction::Down] {
            if let Half::Open(data) = self.half(direction) {
                data.end(false, &mut Out::new(direction, sink));
            }
        }
    }
}

impl Half {
    pub fn is_closed(&self) -> bool {
        matches!(self, Half::Closed)
    }
}

/// The content of one direction, and the frames that carry it.
#[derive(Debug)]
pub(super) struct Data {
    reader: Reader,
    carriers: Carriers,
}

#[derive(Debug)]
enum Reader {
    Content(Content),
    WebSocket(Messages),
}

impl Data {
    pub fn new(content: Content) -> Data {
        Data {
            reader: Reader::Content(content),
            carriers: Carriers::default(),
        }
    }

    pub fn websocket(dialect: Option<Dialect>, sender: Direction) -> Data {
        Data {
            reader: Reader::WebSocket(Messages::new(dialect, sender)),
            carriers: Carriers::default(),
        }
    }

    /// Begins a frame at offset `start`; its header, and pad length if it has one, take `before` bytes, and
    /// its content `len`.
    pub fn begin(&mut self, start: u64, before: u64, len: u64) {
        self.carriers.begin(Form::Data, start, before, len);
    }

    /// Reads the next bytes of content, the first of which has offset `start`.
    pub fn feed<S: Sink>(&mut self, direction: Direction, start: u64, bytes: &[u8], out: &mut Out<'_, S>) {
        let Data { reader, carriers } = self;
        out.inside(carriers, |out| match reader {
            Reader::Content(content) => content.feed(start, bytes, out),
            Reader::WebSocket(messages) => {
                if let Err(violation) = messages.feed(start, bytes, out) {
                    out.event(Event::Violation(direction, violation));
                    *reader = Reader::Content(Content::unread(direction));
                }
            }
        });
    }

    /// Reads `n` bytes of padding.
    pub fn pad(&mut self, n: u64) {
        self.carriers.add_after(n);
    }

    /// Ends the frame.
    pub fn end_frame<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        self.carriers.end();
        out.settle(&mut self.carriers, false);
    }

    /// Labels pending bytes when the content has ended (`whole`) or was cut.
    pub fn end<S: Sink>(&mut self, whole: bool, out: &mut Out<'_, S>) {
        let Data { reader, carriers } = self;
        out.inside(carriers, |out| match reader {
            Reader::Content(content) => content.end(whole, out),
            Reader::WebSocket(messages) => messages.end(out),
        });
        out.settle(carriers, true);
    }

    /// Whether a protocol on top carried a message of the client's application.
    pub fn has_message(&self) -> bool {
        matches!(&self.reader, Reader::Content(content) if content.has_message())
    }
}
