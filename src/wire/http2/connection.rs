//! Both directions of an HTTP/2 connection.

use std::collections::BTreeMap;

use super::super::unit::up_to;
use super::super::{
    Answers, Asks, Content, Dialect, Direction, Event, Kind, Label, Out, Sink, Violation, as_declared,
};
use super::frame::{END_HEADERS, END_STREAM, FrameHeader, FrameType};
use super::head::Head;
use super::lane::{At, Block, Lane, Payload, State};
use super::stream::{Data, Half, Stream};

/// The most streams open at once.
pub(super) const MAX_STREAMS: usize = 1024;

/// SETTINGS_HEADER_TABLE_SIZE and SETTINGS_MAX_FRAME_SIZE (RFC 9113, section 6.5.2).
const HEADER_TABLE_SIZE: u16 = 1;
const MAX_FRAME_SIZE: u16 = 5;

/// The decoder of a connection whose client speaks HTTP/2 from the first byte. It must be fed the bytes of
/// both directions in the order in which they crossed. It labels each byte once, however the bytes are split.
#[derive(Debug)]
pub struct Connection {
    up: Lane,
    down: Lane,
    /// The streams with an open direction, by number.
    streams: BTreeMap<u32, Stream>,
    /// The last stream that the client opened.
    newest: u32,
    answers: Answers,
}

impl Default for Connection {
    fn default() -> Self {
        Self::new()
    }
}

impl Connection {
    /// A connection without any bytes yet.
    pub fn new() -> Connection {
        Connection::expecting(as_declared)
    }

    /// A connection whose answers have known formats.
    pub fn expecting(answers: Answers) -> Connection {
        Connection {
            answers,
            up: Lane::new(Direction::Up, State::Preface(0)),
            down: Lane::new(Direction::Down, State::Header(0)),
            streams: BTreeMap::new(),
            newest: 0,
        }
    }

    /// Reads the next bytes of one direction.
    pub fn feed(&mut self, direction: Direction, bytes: &[u8], sink: &mut impl Sink) {
        let mut used = 0;
        while used < bytes.len() {
            let rest = &bytes[used..];
            let lane = self.lane(direction);
            let (n, read) = match lane.state {
                State::Preface(n) => lane.preface(n, rest, sink),
                State::Header(have) => match lane.header(have, rest) {
                    (n, None) => (n, Ok(())),
                    (n, Some(header)) => (n, self.begin(direction, header, sink)),
                },
                State::Payload(payload) => self.payload(direction, payload, rest, sink),
                State::Unread(label) => {
                    lane.part(lane.fed, rest.len() as u64, label, Kind::Unread, sink);
                    lane.fed += rest.len() as u64;
                    return;
                }
            };
            if let Err(violation) = read {
                self.lane(direction).give_up(violation, sink);
            }
            used += n;
        }
    }

    /// Labels all pending bytes at the end of the connection, by the state of each direction.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        for (_, mut stream) in std::mem::take(&mut self.streams) {
            stream.cut(sink);
        }
        self.up.finish(sink);
        self.down.finish(sink);
    }

    fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }

    /// The reader of this direction's content on a stream; `None` for a stream that was reset, which the
    /// other side may continue until it notices.
    fn body(&mut self, direction: Direction, stream: u32) -> Option<&mut Data> {
        match self.streams.get_mut(&stream)?.half(direction) {
            Half::Open(data) => Some(data),
            _ => None,
        }
    }

    /// Handles a complete frame header.
    fn begin(
        &mut self,
        direction: Direction,
        header: FrameHeader,
        sink: &mut impl Sink,
    ) -> Result<(), Violation> {
        let lane = self.lane(direction);
        let payload = Payload {
            header,
            start: lane.fed - FrameHeader::SIZE as u64,
            at: if header.is_padded() {
                At::PadLength
            } else {
                At::Main
            },
            left: header.len,
            padding: 0,
            setting: [0; 6],
        };
        lane.state = State::Payload(payload);
        lane.may_follow(&header)?;
        if header.kind == FrameType::Data {
            let idle = header.stream > self.newest;
            let known = self.streams.contains_key(&header.stream);
            if idle || known && self.body(direction, header.stream).is_none() {
                return Err(Violation::Http2Frame);
            }
        }
        if payload.at == At::PadLength {
            return Ok(());
        }
        self.open(direction, payload, sink)
    }

    /// Handles the start of a payload whose structure is known.
    fn open(
        &mut self,
        direction: Direction,
        mut payload: Payload,
        sink: &mut impl Sink,
    ) -> Result<(), Violation> {
        let header = payload.header;
        let size = FrameHeader::SIZE as u64;
        let pad_length = u64::from(header.len - payload.left);
        payload.at = if header.has_priority() {
            At::Priority(5)
        } else {
            At::Main
        };
        let data = header.kind == FrameType::Data;
        match self.body(direction, header.stream).filter(|_| data) {
            Some(body) => {
                let content = u64::from(payload.left - payload.padding);
                body.begin(payload.start, size + pad_length, content);
            }
            None => {
                let label = payload.label();
                let lane = self.lane(direction);
                lane.part(payload.start, size, label, Kind::H2FrameHeader, sink);
                lane.part(payload.start + size, pad_length, label, Kind::Padding, sink);
            }
        }
        let framed = size + u64::from(header.len);
        if header.kind == FrameType::Continuation
            && let Some(block) = &mut self.lane(direction).block
        {
            block.framed += framed;
        }
        if header.kind == FrameType::Headers {
            self.lane(direction).block = Some(Block {
                stream: header.stream,
                end_stream: header.has(END_STREAM),
                framed,
                bytes: Vec::new(),
            });
        }
        self.proceed(direction, payload, sink)
    }

    /// Reads the next bytes of a frame's payload. Returns how many it used.
    fn payload(
        &mut self,
        direction: Direction,
        mut payload: Payload,
        bytes: &[u8],
        sink: &mut impl Sink,
    ) -> (usize, Result<(), Violation>) {
        let most = match payload.at {
            At::PadLength => 1,
            At::Priority(left) => left,
            At::Main => payload.left - payload.padding,
            At::Padding => payload.left,
        };
        let n = up_to(u64::from(most), bytes.len());
        let bytes = &bytes[..n];
        let start = self.lane(direction).fed;
        self.lane(direction).fed += n as u64;
        // `n` is at most `most`, so it fits.
        payload.left -= n as u32;
        match payload.at {
            At::PadLength => {
                payload.padding = u32::from(bytes[0]);
                let rest = payload.left - if payload.header.has_priority() { 5 } else { 0 };
                if payload.padding > rest {
                    return (n, Err(Violation::Http2Frame));
                }
                return (n, self.open(direction, payload, sink));
            }
            At::Priority(left) => {
                payload.at = At::Priority(left - n as u32);
                let lane = self.lane(direction);
                lane.part(start, n as u64, Label::Head, Kind::Priority, sink);
            }
            At::Main => self.main(direction, &mut payload, start, bytes, sink),
            At::Padding => self.padding(direction, &payload, start, n as u64, sink),
        }
        (n, self.proceed(direction, payload, sink))
    }

    /// Reads bytes of the frame's main content.
    fn main(
        &mut self,
        direction: Direction,
        payload: &mut Payload,
        start: u64,
        bytes: &[u8],
        sink: &mut impl Sink,
    ) {
        let header = payload.header;
        match header.kind {
            FrameType::Data => {
                if let Some(body) = self.body(direction, header.stream) {
                    return body.feed(direction, start, bytes, &mut Out::new(direction, sink));
                }
            }
            FrameType::Headers | FrameType::Continuation => {
                if let Some(block) = &mut self.lane(direction).block {
                    block.bytes.extend_from_slice(bytes);
                }
            }
            FrameType::Settings => self.settings(direction, payload, bytes),
            _ => {}
        }
        let (label, kind) = (payload.label(), header.kind.payload());
        self.lane(direction)
            .part(start, bytes.len() as u64, label, kind, sink);
    }

    fn padding(&mut self, direction: Direction, payload: &Payload, start: u64, n: u64, sink: &mut impl Sink) {
        let data = payload.header.kind == FrameType::Data;
        match self.body(direction, payload.header.stream).filter(|_| data) {
            Some(body) => body.pad(n),
            None => self
                .lane(direction)
                .part(start, n, payload.label(), Kind::Padding, sink),
        }
    }

    /// Reads the settings (RFC 9113, section 6.5.1) that affect how the other side's bytes are read.
    fn settings(&mut self, direction: Direction, payload: &mut Payload, bytes: &[u8]) {
        let other = match direction {
            Direction::Up => &mut self.down,
            Direction::Down => &mut self.up,
        };
        let from = (payload.header.len - payload.left) as usize - bytes.len();
        for (n, byte) in bytes.iter().enumerate() {
            payload.setting[(from + n) % 6] = *byte;
            let [i1, i2, v1, v2, v3, v4] = payload.setting;
            let value = u32::from_be_bytes([v1, v2, v3, v4]);
            match (u16::from_be_bytes([i1, i2]), (from + n) % 6) {
                (HEADER_TABLE_SIZE, 5) => other.hpack.allow(value),
                (MAX_FRAME_SIZE, 5) => other.max_frame = other.max_frame.max(value),
                _ => {}
            }
        }
    }

    /// Continues with the next non-empty part of the payload, or with the next frame.
    fn proceed(
        &mut self,
        direction: Direction,
        mut payload: Payload,
        sink: &mut impl Sink,
    ) -> Result<(), Violation> {
        if payload.at == At::Priority(0) {
            payload.at = At::Main;
        }
        if payload.at == At::Main && payload.left == payload.padding {
            payload.at = At::Padding;
        }
        if payload.at != At::Padding || payload.left > 0 {
            self.lane(direction).state = State::Payload(payload);
            return Ok(());
        }
        self.lane(direction).state = State::Header(0);
        self.end_frame(direction, payload.header, sink)
    }

    fn end_frame(
        &mut self,
        direction: Direction,
        header: FrameHeader,
        sink: &mut impl Sink,
    ) -> Result<(), Violation> {
        match header.kind {
            FrameType::Data => {
                if let Some(body) = self.body(direction, header.stream) {
                    body.end_frame(&mut Out::new(direction, sink));
                }
                if header.has(END_STREAM) {
                    self.close(direction, header.stream, sink);
                }
            }
            FrameType::Headers | FrameType::Continuation if header.has(END_HEADERS) => {
                if let Some(block) = self.lane(direction).block.take() {
                    return self.head(direction, &block, sink);
                }
            }
            FrameType::RstStream => {
                if let Some(mut stream) = self.streams.remove(&header.stream) {
                    stream.cut(sink);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Handles the end of one direction of a stream.
    fn close(&mut self, direction: Direction, number: u32, sink: &mut impl Sink) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let mut out = Out::new(direction, sink);
        let mut has_message = false;
        let half = stream.half(direction);
        if let Half::Open(body) = half {
            body.end(true, &mut out);
            has_message = body.has_message();
        }
        *half = Half::Closed;
        stream.has_message |= has_message;
        if stream.is_over() {
            self.streams.remove(&number);
        }
    }

    /// Handles a complete header block.
    fn head(&mut self, direction: Direction, block: &Block, sink: &mut impl Sink) -> Result<(), Violation> {
        let fields = self.lane(direction).hpack.fields(&block.bytes);
        let head = Head::read(&fields.map_err(|_| Violation::Hpack)?);
        if let Some(stream) = self.streams.get_mut(&block.stream)
            && !matches!(stream.half(direction), Half::Waiting)
        {
            // Trailers must end a stream that has not ended yet (RFC 9113, section 8.1).
            if stream.half(direction).is_closed() || !block.end_stream {
                return Err(Violation::Http2Frame);
            }
            self.close(direction, block.stream, sink);
            return Ok(());
        }
        match direction {
            Direction::Up => self.request(block, &head, sink),
            Direction::Down => self.response(block, &head, sink),
        }
    }

    fn request(&mut self, block: &Block, head: &Head, sink: &mut impl Sink) -> Result<(), Violation> {
        if block.stream.is_multiple_of(2) {
            return Err(Violation::Http2Frame);
        }
        if block.stream <= self.newest {
            // These are the trailers of a stream that was reset.
            return Ok(());
        }
        let method = head.method.as_deref().ok_or(Violation::Head)?;
        self.newest = block.stream;
        sink.event(Event::Request);
        if head.state > 0 {
            sink.client_state(head.state);
        }
        if self.streams.len() == MAX_STREAMS {
            return Err(Violation::Backlog);
        }
        let websocket = head.websocket && method == b"CONNECT";
        let dialect = Dialect::of(&Asks {
            target: &head.path,
            websocket,
            stomp: head.stomp,
        });
        let up = if block.end_stream {
            Half::Closed
        } else if websocket {
            Half::Open(Data::websocket(dialect, Direction::Up))
        } else {
            Half::Open(Data::new(Content::request(dialect, block.framed)))
        };
        // With a protocol on top, the body shows it.
        let has_message = !block.end_stream && !websocket && dialect.is_none();
        if has_message {
            sink.message_head(Direction::Up, block.framed);
        }
        let stream = Stream {
            get: method == b"GET",
            has_message,
            websocket,
            dialect,
            answer: (self.answers)(&head.path),
            up,
            down: Half::Waiting,
        };
        self.streams.insert(block.stream, stream);
        Ok(())
    }

    fn response(&mut self, block: &Block, head: &Head, sink: &mut impl Sink) -> Result<(), Violation> {
        let Some(stream) = self.streams.get_mut(&block.stream) else {
            let asked = block.stream <= self.newest && block.stream % 2 == 1;
            return if asked {
                Ok(())
            } else {
                Err(Violation::Unsolicited)
            };
        };
        let status = match head.status {
            Some(100 | 102..200) if !block.end_stream => return Ok(()),
            // HTTP/2 has no 101 (RFC 9113, section 8.6).
            None | Some(..200) => return Err(Violation::Head),
            Some(status) => status,
        };
        let success = matches!(status, 200..300);
        if status >= 400 {
            sink.failed();
        }
        stream.down = if success && stream.websocket {
            sink.event(Event::Upgraded);
            Half::Open(Data::websocket(stream.dialect, Direction::Down))
        } else {
            let holds = stream.answer.or(head.declared);
            let content = if head.coded && success && !block.end_stream {
                sink.event(Event::Coded);
                Content::coded()
            } else {
                Content::answer(stream.dialect, stream.get, status, holds)
            };
            Half::Open(Data::new(content))
        };
        if stream.has_message {
            sink.message_head(Direction::Down, block.framed);
        }
        if stream.get && status == 204 {
            sink.event(Event::Empty);
        }
        if block.end_stream {
            self.close(Direction::Down, block.stream, sink);
        }
        Ok(())
    }
}
