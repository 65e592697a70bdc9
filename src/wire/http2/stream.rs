//! One stream's content, through the DATA frames that carry it (RFC 9113, section 6.1).
//!
//! ```text
//! DATA            event stream                        what the frame's header counts as
//! +-----------+   : heartbeat\n\n                     control
//! +-----------+   id: 7\ndata: {"id":7,"from          framing
//! +-----------+   ":"ann@example.org"}\n\n            framing
//! ```
//!
//! A unit may be cut anywhere by frames. A frame's header and padding wait until all that the frame holds is
//! labelled.

use super::super::carrier::{Carriers, Form};
use super::super::websocket::Messages;
use super::super::{Answer, Content, Dialect, Direction, Event, Out, Sink};

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
    Open(Data),
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

/// Content of one direction, and the frames that carry it.
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

    /// A frame begins at offset `start`; its header, and pad length if it has one, take `before`
    /// bytes, and its content `len`.
    pub fn begin(&mut self, start: u64, before: u64, len: u64) {
        self.carriers.begin(Form::Data, start, before, len);
    }

    /// Takes the next bytes of content, the first of which has offset `start`.
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

    /// Takes `n` bytes of padding.
    pub fn pad(&mut self, n: u64) {
        self.carriers.add_after(n);
    }

    /// The frame is over.
    pub fn end_frame<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        self.carriers.end();
        out.settle(&mut self.carriers, false);
    }

    /// Labels what waits, when the content is over (`whole`) or cut.
    pub fn end<S: Sink>(&mut self, whole: bool, out: &mut Out<'_, S>) {
        let Data { reader, carriers } = self;
        out.inside(carriers, |out| match reader {
            Reader::Content(content) => content.end(whole, out),
            Reader::WebSocket(messages) => messages.end(out),
        });
        out.settle(carriers, true);
    }

    /// Whether a protocol on top has brought what the client's application says.
    pub fn said(&self) -> bool {
        matches!(&self.reader, Reader::Content(content) if content.said())
    }
}
