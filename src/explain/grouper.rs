//! Groups the bytes of a connection into units: a head, a chunk, a body, a frame.

use super::unit::{Explained, Knowledge, StateItem, Unit, slice};
use super::{http1, http2, layered, lengths, mail, ndjson, request, sse, tls, websocket};
use crate::lang::{Text, phrase};
use crate::wire::http2::{END_HEADERS, FrameHeader, FrameType};
use crate::wire::transcript::{End, Piece, Transcript};
use crate::wire::{Dialect, Direction, Kind};

/// Groups a connection's pieces into units, and inserts the ends of streams and the TLS records.
pub fn units(transcript: &Transcript) -> Vec<Unit> {
    let mut grouper = Grouper::default();
    let mut ends = transcript.ends.iter().peekable();
    for piece in &transcript.pieces {
        while let Some(end) = ends.next_if(|end| end.crossing < piece.crossing) {
            grouper.end(end);
        }
        grouper.read(piece);
    }
    ends.for_each(|end| grouper.end(end));
    let mut units = grouper.units;
    units.extend(transcript.records.iter().map(tls::unit));
    if !transcript.records.is_empty() {
        units.sort_by(|a, b| a.at_us.total_cmp(&b.at_us));
    }
    units
}

/// The target of a connection's first request: path and query.
pub fn target(transcript: &Transcript) -> Option<String> {
    units(transcript).into_iter().find_map(|unit| unit.target)
}

/// The units found so far, and the state that the next pieces depend on.
#[derive(Debug, Default)]
struct Grouper {
    units: Vec<Unit>,
    /// The unit that each direction's next piece may belong to.
    open: [Option<Open>; 2],
    asked: request::Asked,
    messages: [websocket::Message; 2],
    http2: http2::State,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    unit: usize,
    inside: Inside,
    /// Whether the title already names the unit of the protocol on top.
    extended: bool,
}

/// What encloses a piece.
#[derive(Clone, Copy, Debug)]
enum Inside {
    Chunk,
    LastChunk,
    Body,
    Frame(websocket::Frame),
    Http2(FrameHeader),
    Message,
}

impl Grouper {
    fn read(&mut self, piece: &Piece) {
        match piece.kind {
            Kind::RequestHead => {
                let unit = http1::request(piece, &mut self.asked);
                self.add(piece, unit, None);
            }
            Kind::ResponseHead => {
                let unit = http1::response(piece, &mut self.asked);
                self.add(piece, unit, None);
            }
            Kind::ChunkSize => {
                self.begin(piece, http1::chunk_title(piece), Inside::Chunk);
                self.append(piece, vec![http1::chunk_size(piece)]);
            }
            Kind::LastChunk => {
                if !matches!(self.inside(piece.direction), Some(Inside::LastChunk)) {
                    self.begin(piece, "the last chunk".into(), Inside::LastChunk);
                }
                self.append(piece, vec![http1::last_chunk(piece)]);
            }
            Kind::Preface => {
                self.begin(piece, "the preface".into(), Inside::Message);
                self.append(piece, vec![http2::preface(piece)]);
            }
            Kind::H2FrameHeader => self.http2_frames(piece),
            Kind::FrameHeader => match self.inside(piece.direction) {
                Some(Inside::Http2(header)) => self.frames_on_a_stream(piece, header.stream),
                _ => self.frames(piece),
            },
            Kind::Cursor if self.dialect(piece.direction).is_none() => {
                self.begin(piece, "the cursor".into(), Inside::Message);
                self.append(piece, vec![lengths::cursor(piece)]);
                self.add_state(piece, Knowledge::Cursor);
            }
            _ => self.content(piece),
        }
    }

    /// One WebSocket frame header, or several if the frames are empty.
    fn frames(&mut self, piece: &Piece) {
        for header in websocket::headers(piece) {
            let message = &mut self.messages[piece.direction as usize];
            let (frame, title, part) = websocket::header(&header, message);
            self.begin(&header, title, Inside::Frame(frame));
            self.append(&header, vec![part]);
        }
    }

    /// One HTTP/2 frame header, or several if the frames are empty.
    fn http2_frames(&mut self, piece: &Piece) {
        for from in (0..piece.bytes.len()).step_by(FrameHeader::SIZE) {
            let piece = slice(piece, from..(from + FrameHeader::SIZE).min(piece.bytes.len()));
            let Some((header, mut title, part)) = http2::header(&piece) else {
                // Cannot happen: the decoder labels only complete headers.
                self.append(&piece, vec![mail::explain(&piece, false)]);
                continue;
            };
            if header.kind == FrameType::Data {
                title = http2::holds(title, header.len);
            }
            self.begin(&piece, title, Inside::Http2(header));
            self.append(&piece, vec![part]);
            if header.kind == FrameType::Continuation && header.len == 0 && header.has(END_HEADERS) {
                // The frame ends a block of earlier frames, and has no piece of its own.
                let end = piece.bytes.len();
                self.block(&slice(&piece, end..end), &header);
            }
        }
    }

    /// WebSocket frame headers inside a DATA frame (RFC 8441, section 5).
    fn frames_on_a_stream(&mut self, piece: &Piece, stream: u32) {
        for header in websocket::headers(piece) {
            let mut found = None;
            self.http2.begin(piece.direction, stream, |message| {
                let (frame, title, part) = websocket::header(&header, message);
                found = Some((title, part));
                frame
            });
            if let Some((title, part)) = found {
                self.append(piece, vec![part]);
                self.extend_title(piece.direction, title);
            }
        }
    }

    /// Adds to the open unit's title.
    fn extend_title(&mut self, direction: Direction, more: Text) {
        if let Some(open) = self.open[direction as usize] {
            let title = &mut self.units[open.unit].title;
            *title = phrase!("%{title}: %{more}", title = std::mem::take(title), more = more);
        }
    }

    /// A header block in an HTTP/2 frame.
    fn block(&mut self, piece: &Piece, header: &FrameHeader) {
        let block = self.http2.fields(piece, header);
        self.append(piece, block.parts);
        if !block.title.is_empty() {
            self.extend_title(piece.direction, block.title);
        }
        if let Some(open) = self.open[piece.direction as usize] {
            let unit = &mut self.units[open.unit];
            unit.target = block.target;
            unit.state = block.state;
        }
    }

    /// A piece inside another unit: a chunk, a frame, a body.
    fn content(&mut self, piece: &Piece) {
        let mut inside = self.inside(piece.direction);
        if let Some(Inside::Http2(header)) = inside {
            match piece.kind {
                Kind::HeaderBlock => return self.block(piece, &header),
                Kind::Settings
                | Kind::WindowUpdate
                | Kind::Ping
                | Kind::GoAway
                | Kind::RstStream
                | Kind::Padding
                | Kind::Priority
                | Kind::UnknownFrame => {
                    let parts = http2::payload(piece, &mut self.http2);
                    return self.append(piece, parts);
                }
                _ => {
                    let frame = self.http2.frame(piece.direction, header.stream);
                    inside = frame.map(Inside::Frame).or(inside);
                    self.http2.pass(piece.direction, header.stream, piece.bytes.len());
                }
            }
        }
        let dialect = self.dialect(piece.direction);
        let parts = match (piece.kind, inside) {
            (Kind::ControlBody, Some(Inside::Frame(frame))) => vec![websocket::control_body(piece, &frame)],
            (kind, _)
                if let Some(dialect) = dialect
                    && layered::is_theirs(kind) =>
            {
                return self.on_top(piece, dialect, inside);
            }
            (Kind::Reply, Some(Inside::Frame(frame))) => vec![websocket::masked(piece, &frame)],
            (Kind::MailLength, Some(Inside::Message) | None) => {
                self.begin(piece, lengths::title(piece), Inside::Message);
                vec![lengths::length(piece)]
            }
            (Kind::ChunkEnd, _) => vec![http1::chunk_end(piece)],
            (Kind::Trailers, _) => http1::trailers(piece),
            (Kind::SseField | Kind::SseComment | Kind::SseEnd, _) => sse::lines(piece),
            (Kind::LineEnd, _) => vec![ndjson::line_end(piece)],
            (Kind::Heartbeat, _) => vec![ndjson::empty(piece)],
            _ => vec![mail::explain(piece, matches!(inside, Some(Inside::Frame(_))))],
        };
        self.begin_body(piece);
        self.append(piece, parts);
    }

    /// A piece of a protocol on top, inside a frame or a body.
    fn on_top(&mut self, piece: &Piece, dialect: Dialect, inside: Option<Inside>) {
        let frame = match inside {
            Some(Inside::Frame(frame)) => Some(frame),
            _ => None,
        };
        let (parts, title) = layered::explain(piece, dialect, frame.as_ref());
        self.begin_body(piece);
        if let Some(title) = title
            && let Some(open) = &mut self.open[piece.direction as usize]
            && !std::mem::replace(&mut open.extended, true)
        {
            self.extend_title(piece.direction, title);
        }
        self.append(piece, parts);
        if piece.kind == Kind::Cursor {
            self.add_state(piece, Knowledge::Cursor);
        }
    }

    /// Begins a body if no unit is open.
    fn begin_body(&mut self, piece: &Piece) {
        if self.inside(piece.direction).is_none() {
            let title = if piece.kind == Kind::Unread {
                "unread"
            } else {
                "the body"
            };
            self.begin(piece, title.into(), Inside::Body);
        }
    }

    /// The current protocol on top in this direction.
    fn dialect(&self, direction: Direction) -> Option<Dialect> {
        match self.inside(direction) {
            Some(Inside::Http2(header)) => self.http2.dialect(header.stream),
            _ => self.asked.dialect(direction),
        }
    }

    fn inside(&self, direction: Direction) -> Option<Inside> {
        self.open[direction as usize].map(|open| open.inside)
    }

    fn add(&mut self, piece: &Piece, unit: Unit, inside: Option<Inside>) {
        self.open[piece.direction as usize] = inside.map(|inside| Open {
            unit: self.units.len(),
            inside,
            extended: false,
        });
        self.units.push(unit);
    }

    fn begin(&mut self, piece: &Piece, title: Text, inside: Inside) {
        let unit = Unit {
            direction: piece.direction,
            at_us: piece.at_us,
            title,
            parts: Vec::new(),
            target: None,
            state: Vec::new(),
        };
        self.add(piece, unit, Some(inside));
    }

    /// Adds to the open unit.
    fn append(&mut self, piece: &Piece, parts: Vec<Explained>) {
        let Some(open) = &mut self.open[piece.direction as usize] else {
            return;
        };
        if let Inside::Frame(frame) = &mut open.inside
            && piece.kind != Kind::FrameHeader
        {
            frame.seen += piece.bytes.len();
        }
        self.units[open.unit].parts.extend(parts);
    }

    fn add_state(&mut self, piece: &Piece, what: Knowledge) {
        if let Some(open) = self.open[piece.direction as usize] {
            let bytes = piece.bytes.len() as u64;
            self.units[open.unit].state.push(StateItem { what, bytes });
        }
    }

    fn end(&mut self, end: &End) {
        let title = match (end.reset, end.direction) {
            (false, Direction::Up) => "the client has said all (TCP's FIN; RFC 9293, section 3.6)",
            (false, Direction::Down) => "the server has said all (TCP's FIN; RFC 9293, section 3.6)",
            (true, Direction::Up) => {
                "the client breaks the connection off (TCP's RST; RFC 9293, section 3.5.2)"
            }
            (true, Direction::Down) => {
                "the server breaks the connection off (TCP's RST; RFC 9293, section 3.5.2)"
            }
        };
        self.units.push(Unit {
            direction: end.direction,
            at_us: end.at_us,
            title: title.into(),
            parts: Vec::new(),
            target: None,
            state: Vec::new(),
        });
    }
}
