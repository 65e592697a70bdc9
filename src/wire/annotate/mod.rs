//! What each part of a connection is, why it is there, and which specification says so: one file per
//! protocol.

mod content;
mod engineio;
mod fields;
mod frames;
mod handshake;
mod http1;
mod http2;
mod layers;
mod lengths;
mod sockjs;
mod stomp;
mod stream;
#[cfg(test)]
mod tests;
pub(super) mod tls;

use std::borrow::Cow;
use std::ops::Range;

use super::http2::{FrameHeader, FrameType};
use super::layers::Dialect;
use super::transcript::{Crossed, Happened, Run};
use super::{Direction, Kind, Labels};
use crate::lang::{Text, phrase};

/// Bytes of one direction that belong together: a head, a chunk, a body, a frame. Or none: the end of
/// a direction.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Who sent it.
    pub direction: Direction,
    /// When its first byte crossed.
    pub at_us: f64,
    /// What it is, in a line.
    pub title: Text,
    /// Its bytes, explained. They leave none out and do not overlap.
    pub parts: Vec<Explained>,
    /// What a request asks for: path and query.
    pub target: Option<String>,
    /// What a client tells the server here that it would otherwise not know.
    pub told: Vec<Told>,
}

/// Bytes, and what they are.
#[derive(Clone, Debug, Default)]
pub struct Explained {
    /// The bytes as they crossed.
    pub bytes: Vec<u8>,
    /// What they count as. Only what stands encoded or escaped has two labels.
    pub labels: Labels,
    /// What they are.
    pub what: Text,
    /// Why they are there; may be empty.
    pub why: Text,
    /// Which specification says so.
    pub source: &'static str,
    /// Those of the bytes that are random by nature, or a clock's: another run has others.
    pub random: Option<Range<usize>>,
    /// Bit fields, or the steps of a calculation.
    pub details: Vec<Detail>,
}

/// A line of what is inside a part.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// The field's name, or the step's.
    pub name: Cow<'static, str>,
    /// Its value.
    pub value: Text,
    /// What that says.
    pub what: Text,
    /// Whether another run has another value.
    pub random: bool,
}

/// Something a server has to be told, and what it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// What.
    pub what: Knowledge,
    /// Bytes that say it.
    pub bytes: u64,
}

/// What a server that remembers nothing has to be told each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Knowledge {
    /// How far the client has read: `after=7`, `Last-Event-ID: 7`, or the baseline's eight bytes.
    Cursor,
    /// Who the client is: its cookie or credentials.
    Identity,
    /// Everything else that a request's head repeats: its method, path, and other fields.
    Head,
}

impl Unit {
    /// Bytes of it.
    pub fn len(&self) -> u64 {
        self.parts.iter().map(|p| p.bytes.len() as u64).sum()
    }

    /// Whether it has no bytes, like a stream's end.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes by label.
    pub fn labels(&self) -> Labels {
        let mut sum = Labels::default();
        self.parts.iter().for_each(|p| sum += p.labels);
        sum
    }
}

impl Explained {
    /// A run as one part.
    fn new(run: &Run, what: impl Into<Text>, source: &'static str) -> Explained {
        Explained {
            bytes: run.bytes.clone(),
            labels: run.labels,
            what: what.into(),
            source,
            ..Explained::default()
        }
    }

    fn because(mut self, why: impl Into<Text>) -> Explained {
        self.why = why.into();
        self
    }

    fn with(mut self, details: Vec<Detail>) -> Explained {
        self.details = details;
        self
    }
}

impl Detail {
    fn new(name: impl Into<Cow<'static, str>>, value: impl Into<String>, what: impl Into<Text>) -> Detail {
        Detail {
            name: name.into(),
            value: value.into().into(),
            what: what.into(),
            random: false,
        }
    }

    /// With a value that has words in it.
    fn valued(mut self, value: Text) -> Detail {
        self.value = value;
        self
    }

    fn random(mut self) -> Detail {
        self.random = true;
        self
    }
}

/// Bytes as one writes them down.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .enumerate()
        .fold(String::new(), |mut out, (i, byte)| {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}{byte:02x}", if i > 0 { " " } else { "" });
            out
        })
}

/// Part of a run, under the run's one label.
fn slice(run: &Run, range: Range<usize>) -> Run {
    let mut labels = Labels::default();
    if let Some((label, _)) = run.labels.each().next() {
        labels.add(label, range.len() as u64);
    }
    Run {
        direction: run.direction,
        crossing: run.crossing,
        start: run.start + range.start as u64,
        kind: run.kind,
        labels,
        bytes: run.bytes[range].to_vec(),
    }
}

/// Groups runs, which are in the order of their first bytes, into units, and puts the ends of streams
/// among them.
pub(super) fn units(runs: &[Run], crossed: &[Crossed]) -> Vec<Unit> {
    let mut book = Book::default();
    let mut ends = crossed.iter().enumerate().peekable();
    for run in runs {
        while let Some((number, crossing)) = ends.next_if(|(number, _)| *number < run.crossing) {
            book.end(number, crossing);
        }
        book.read(run);
    }
    ends.for_each(|(number, crossing)| book.end(number, crossing));
    // What a unit is was seen at its first run; where it belongs, too.
    book.units
        .into_iter()
        .map(|(crossing, unit)| Unit {
            at_us: crossed.get(crossing).map_or(0.0, |c| c.at_us),
            ..unit
        })
        .collect()
}

/// Everything read so far, and what is needed to understand what follows.
#[derive(Debug, Default)]
struct Book {
    /// With the crossing that brought its first byte.
    units: Vec<(usize, Unit)>,
    /// The unit that each direction's next run may belong to.
    open: [Option<Open>; 2],
    asked: handshake::Asked,
    messages: [frames::Message; 2],
    http2: http2::State,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    unit: usize,
    inside: Inside,
    /// Whether its title says what a protocol on top makes of it.
    entitled: bool,
}

/// What a run stands in.
#[derive(Clone, Copy, Debug)]
enum Inside {
    Chunk,
    LastChunk,
    Body,
    Frame(frames::Frame),
    Http2(FrameHeader),
    Message,
}

impl Book {
    fn read(&mut self, run: &Run) {
        match run.kind {
            Kind::RequestHead => {
                let unit = http1::request(run, &mut self.asked);
                self.add(run, unit, None);
            }
            Kind::ResponseHead => {
                let unit = http1::response(run, &mut self.asked);
                self.add(run, unit, None);
            }
            Kind::ChunkSize => {
                self.begin(run, http1::chunk_title(run), Inside::Chunk);
                self.append(run, vec![http1::chunk_size(run)]);
            }
            Kind::LastChunk => {
                if !matches!(self.inside(run.direction), Some(Inside::LastChunk)) {
                    self.begin(run, "the last chunk".into(), Inside::LastChunk);
                }
                self.append(run, vec![http1::last_chunk(run)]);
            }
            Kind::Preface => {
                self.begin(run, "the preface".into(), Inside::Message);
                self.append(run, vec![http2::preface(run)]);
            }
            Kind::H2FrameHeader => self.http2_frames(run),
            Kind::FrameHeader => match self.inside(run.direction) {
                Some(Inside::Http2(header)) => self.frames_on_a_stream(run, header.stream),
                _ => self.frames(run),
            },
            Kind::Cursor if self.dialect(run.direction).is_none() => {
                self.begin(run, "the cursor".into(), Inside::Message);
                self.append(run, vec![lengths::cursor(run)]);
                self.tell(run, Knowledge::Cursor);
            }
            _ => self.content(run),
        }
    }

    /// One frame header, or several of empty frames in a row.
    fn frames(&mut self, run: &Run) {
        for header in frames::headers(run) {
            let message = &mut self.messages[run.direction as usize];
            let (frame, title, part) = frames::header(&header, message);
            self.begin(&header, title, Inside::Frame(frame));
            self.append(&header, vec![part]);
        }
    }

    /// One frame header of HTTP/2, or several of empty frames in a row.
    fn http2_frames(&mut self, run: &Run) {
        for from in (0..run.bytes.len()).step_by(FrameHeader::SIZE) {
            let piece = slice(run, from..(from + FrameHeader::SIZE).min(run.bytes.len()));
            let Some((header, mut title, part)) = http2::header(&piece) else {
                // Cannot be: a header is told whole.
                self.append(&piece, vec![content::explain(&piece, false)]);
                continue;
            };
            if header.kind == FrameType::Data {
                title = http2::holds(title, header.len);
            }
            self.begin(&piece, title, Inside::Http2(header));
            self.append(&piece, vec![part]);
        }
    }

    /// WebSocket frames whose headers stand in a DATA frame (RFC 8441, section 5).
    fn frames_on_a_stream(&mut self, run: &Run, stream: u32) {
        for header in frames::headers(run) {
            let mut told = None;
            self.http2.begin(run.direction, stream, |message| {
                let (frame, title, part) = frames::header(&header, message);
                told = Some((title, part));
                frame
            });
            if let Some((title, part)) = told {
                self.append(run, vec![part]);
                self.entitle(run.direction, title);
            }
        }
    }

    /// Adds to the open unit's title.
    fn entitle(&mut self, direction: Direction, more: Text) {
        if let Some(open) = self.open[direction as usize] {
            let title = &mut self.units[open.unit].1.title;
            *title = phrase!("%{title}: %{more}", title = std::mem::take(title), more = more);
        }
    }

    /// A header block in a frame of HTTP/2.
    fn block(&mut self, run: &Run, header: &FrameHeader) {
        let block = self.http2.fields(run, header);
        self.append(run, block.parts);
        if !block.title.is_empty() {
            self.entitle(run.direction, block.title);
        }
        if let Some(open) = self.open[run.direction as usize] {
            let unit = &mut self.units[open.unit].1;
            unit.target = block.target;
            unit.told = block.told;
        }
    }

    /// What stands inside something else.
    fn content(&mut self, run: &Run) {
        let mut inside = self.inside(run.direction);
        if let Some(Inside::Http2(header)) = inside {
            match run.kind {
                Kind::HeaderBlock => return self.block(run, &header),
                Kind::Settings
                | Kind::WindowUpdate
                | Kind::Ping
                | Kind::GoAway
                | Kind::RstStream
                | Kind::Padding
                | Kind::Priority
                | Kind::UnknownFrame => {
                    let parts = http2::payload(run, &mut self.http2);
                    return self.append(run, parts);
                }
                _ => {
                    let frame = self.http2.frame(run.direction, header.stream);
                    inside = frame.map(Inside::Frame).or(inside);
                    self.http2.pass(run.direction, header.stream, run.bytes.len());
                }
            }
        }
        let dialect = self.dialect(run.direction);
        let parts = match (run.kind, inside) {
            (Kind::ControlBody, Some(Inside::Frame(frame))) => vec![frames::control_body(run, &frame)],
            (kind, _)
                if let Some(dialect) = dialect
                    && layers::is_theirs(kind) =>
            {
                return self.on_top(run, dialect, inside);
            }
            (Kind::Reply, Some(Inside::Frame(frame))) => vec![frames::masked(run, &frame)],
            (Kind::MailLength, Some(Inside::Message) | None) => {
                self.begin(run, lengths::title(run), Inside::Message);
                vec![lengths::length(run)]
            }
            (Kind::ChunkEnd, _) => vec![http1::chunk_end(run)],
            (Kind::Trailers, _) => http1::trailers(run),
            (Kind::SseField | Kind::SseComment | Kind::SseEnd, _) => stream::lines(run),
            _ => vec![content::explain(run, matches!(inside, Some(Inside::Frame(_))))],
        };
        self.begin_body(run);
        self.append(run, parts);
    }

    /// What a protocol on top puts into a frame or a body.
    fn on_top(&mut self, run: &Run, dialect: Dialect, inside: Option<Inside>) {
        let frame = match inside {
            Some(Inside::Frame(frame)) => Some(frame),
            _ => None,
        };
        let (parts, title) = layers::explain(run, dialect, frame.as_ref());
        self.begin_body(run);
        if let Some(title) = title
            && let Some(open) = &mut self.open[run.direction as usize]
            && !std::mem::replace(&mut open.entitled, true)
        {
            self.entitle(run.direction, title);
        }
        self.append(run, parts);
        if run.kind == Kind::Cursor {
            self.tell(run, Knowledge::Cursor);
        }
    }

    /// What stands in no unit stands in a body.
    fn begin_body(&mut self, run: &Run) {
        if self.inside(run.direction).is_none() {
            let title = if run.kind == Kind::Unread {
                "unread"
            } else {
                "the body"
            };
            self.begin(run, title.into(), Inside::Body);
        }
    }

    /// The protocol on top that this direction speaks at this place.
    fn dialect(&self, direction: Direction) -> Option<Dialect> {
        match self.inside(direction) {
            Some(Inside::Http2(header)) => self.http2.dialect(header.stream),
            _ => self.asked.dialect(direction),
        }
    }

    fn inside(&self, direction: Direction) -> Option<Inside> {
        self.open[direction as usize].map(|open| open.inside)
    }

    fn add(&mut self, run: &Run, unit: Unit, inside: Option<Inside>) {
        self.open[run.direction as usize] = inside.map(|inside| Open {
            unit: self.units.len(),
            inside,
            entitled: false,
        });
        self.units.push((run.crossing, unit));
    }

    fn begin(&mut self, run: &Run, title: Text, inside: Inside) {
        let unit = Unit {
            direction: run.direction,
            at_us: 0.0,
            title,
            parts: Vec::new(),
            target: None,
            told: Vec::new(),
        };
        self.add(run, unit, Some(inside));
    }

    /// Adds to the open unit.
    fn append(&mut self, run: &Run, parts: Vec<Explained>) {
        let Some(open) = &mut self.open[run.direction as usize] else {
            return;
        };
        if let Inside::Frame(frame) = &mut open.inside
            && run.kind != Kind::FrameHeader
        {
            frame.seen += run.bytes.len();
        }
        self.units[open.unit].1.parts.extend(parts);
    }

    fn tell(&mut self, run: &Run, what: Knowledge) {
        if let Some(open) = self.open[run.direction as usize] {
            let bytes = run.bytes.len() as u64;
            self.units[open.unit].1.told.push(Told { what, bytes });
        }
    }

    fn end(&mut self, number: usize, crossing: &Crossed) {
        let title = match (&crossing.what, crossing.direction) {
            (Happened::Bytes(_), _) => return,
            (Happened::End, Direction::Up) => "the client has said all (TCP's FIN; RFC 9293, section 3.6)",
            (Happened::End, Direction::Down) => "the server has said all (TCP's FIN; RFC 9293, section 3.6)",
            (Happened::Reset, Direction::Up) => {
                "the client breaks the connection off (TCP's RST; RFC 9293, section 3.5.2)"
            }
            (Happened::Reset, Direction::Down) => {
                "the server breaks the connection off (TCP's RST; RFC 9293, section 3.5.2)"
            }
        };
        let unit = Unit {
            direction: crossing.direction,
            at_us: 0.0,
            title: title.into(),
            parts: Vec::new(),
            target: None,
            told: Vec::new(),
        };
        self.units.push((number, unit));
    }
}
