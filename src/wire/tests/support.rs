//! Shared parts of the decoders' tests: a sink that records, and vectors that are read in three ways.

use super::super::span::Spans;
use super::super::{Conversation, Decoder, Direction, Event, Kind, Label, Labels, Part, Sink};

/// Records each part.
#[derive(Default)]
pub struct Record {
    parts: Vec<Part>,
    events: Vec<Event>,
}

impl Sink for Record {
    fn part(&mut self, part: Part) {
        assert_ne!(part.len, 0);
        self.parts.push(part);
    }
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// A run of bytes of one kind. All have one label, except an attachment's base64: of that, only the number of
/// bytes per label is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub kind: Kind,
    pub labels: Labels,
}

/// The result for one direction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Side {
    pub runs: Vec<Run>,
    pub events: Vec<Event>,
}

impl Side {
    pub fn add(&mut self, kind: Kind, label: Label, n: u64) {
        if n == 0 {
            return;
        }
        let mut labels = Labels::default();
        labels[label] += n;
        match self.runs.last_mut() {
            Some(run) if run.kind == kind && (kind == Kind::Attachment || one_label(&run.labels, label)) => {
                run.labels += labels;
            }
            _ => self.runs.push(Run { kind, labels }),
        }
    }

    pub fn total(&self) -> u64 {
        self.runs.iter().map(|r| r.labels.total()).sum()
    }

    /// The runs of the first `n` bytes; a run with two labels cannot be cut.
    fn first(&self, n: u64) -> Vec<Run> {
        let mut left = n;
        let mut runs = self.runs.clone();
        for run in &mut runs {
            let labels = &mut run.labels;
            for n in [
                &mut labels.head,
                &mut labels.framing,
                &mut labels.control,
                &mut labels.payload,
            ] {
                *n = left.min(*n);
                left -= *n;
            }
        }
        runs.retain(|r| r.labels.total() > 0);
        runs
    }
}

fn one_label(labels: &Labels, label: Label) -> bool {
    let mut same = Labels::default();
    same[label] += labels.total();
    same == *labels
}

/// The result for a connection: up, down.
pub type Reading = [Side; 2];

/// Makes a decoder for the beginning of a connection.
pub type New = fn() -> Decoder;

pub fn http1() -> Decoder {
    Decoder::Http(Conversation::new())
}

pub fn http2() -> Decoder {
    Decoder::Http2(Box::default())
}

/// Reads these pieces of an HTTP/1 connection.
pub fn read<'a>(pieces: impl IntoIterator<Item = (Direction, &'a [u8])>) -> Reading {
    read_with(http1, pieces)
}

/// Reads these pieces in order, and finishes. Every byte must be labelled exactly once.
pub fn read_with<'a>(new: New, pieces: impl IntoIterator<Item = (Direction, &'a [u8])>) -> Reading {
    let mut decoder = new();
    let mut record = Record::default();
    let mut fed = [0, 0];
    for (direction, bytes) in pieces {
        fed[direction as usize] += bytes.len() as u64;
        decoder.feed(direction, bytes, &mut record);
    }
    decoder.finish(&mut record);
    record.parts.sort_by_key(|p| p.start);
    let mut sides = Reading::default();
    for p in &record.parts {
        let side = &mut sides[p.direction as usize];
        assert_eq!(side.total(), p.start, "{p:?} overlaps or leaves a hole");
        side.add(p.kind, p.label, p.len);
    }
    assert_eq!(fed, [sides[0].total(), sides[1].total()]);
    for event in record.events {
        let direction = match event {
            Event::Request => Direction::Up,
            Event::Empty | Event::Upgraded | Event::Coded => Direction::Down,
            Event::Message(d) | Event::Violation(d, _) => d,
        };
        sides[direction as usize].events.push(event);
    }
    sides
}

/// Reads these pieces of an HTTP/1 connection byte by byte.
pub fn read_bytes(pieces: &[(Direction, Vec<u8>)]) -> Reading {
    read_bytes_with(http1, pieces)
}

/// Reads these pieces byte by byte.
pub fn read_bytes_with(new: New, pieces: &[(Direction, Vec<u8>)]) -> Reading {
    let bytes = pieces
        .iter()
        .flat_map(|(d, bytes)| bytes.chunks(1).map(|b| (*d, b)));
    read_with(new, bytes)
}

/// An exchange and its expected result.
pub struct Vector {
    new: New,
    pub pieces: Vec<(Direction, Vec<u8>)>,
    expected: Reading,
}

impl Vector {
    pub fn new() -> Vector {
        Vector::with(http1)
    }

    /// An exchange over HTTP/2.
    pub fn http2() -> Vector {
        Vector::with(http2)
    }

    fn with(new: New) -> Vector {
        Vector {
            new,
            pieces: Vec::new(),
            expected: Reading::default(),
        }
    }

    pub fn up(self, bytes: impl AsRef<[u8]>, parts: &[(Kind, Label, u64)]) -> Vector {
        self.add(Direction::Up, bytes.as_ref(), parts)
    }

    pub fn down(self, bytes: impl AsRef<[u8]>, parts: &[(Kind, Label, u64)]) -> Vector {
        self.add(Direction::Down, bytes.as_ref(), parts)
    }

    /// A request head.
    pub fn request(self, head: &str) -> Vector {
        self.up(head, &[(Kind::RequestHead, Label::Head, head.len() as u64)])
            .events(&[Event::Request])
    }

    /// A response head.
    pub fn response(self, head: &str) -> Vector {
        self.down(head, &[(Kind::ResponseHead, Label::Head, head.len() as u64)])
    }

    /// A handshake, after which both sides speak WebSocket.
    pub fn upgraded(self) -> Vector {
        self.request("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
            .response("HTTP/1.1 101 S\r\n\r\n")
            .events(&[Event::Upgraded])
    }

    fn add(mut self, direction: Direction, bytes: &[u8], parts: &[(Kind, Label, u64)]) -> Vector {
        let side = &mut self.expected[direction as usize];
        let before = side.total();
        parts
            .iter()
            .for_each(|(kind, label, n)| side.add(*kind, *label, *n));
        assert_eq!(side.total() - before, bytes.len() as u64, "the vector is wrong");
        self.pieces.push((direction, bytes.to_vec()));
        self
    }

    /// Adds events that the piece added last must cause.
    pub fn events(mut self, events: &[Event]) -> Vector {
        let (direction, _) = self.pieces.last().unwrap();
        self.expected[*direction as usize].events.extend(events);
        self
    }

    /// Reads it in one go, byte by byte, and with `trailing` bytes after the last piece.
    pub fn check(&self, trailing: &[u8]) {
        let whole = self.pieces.iter().map(|(d, bytes)| (*d, &bytes[..]));
        assert_eq!(read_with(self.new, whole), self.expected, "whole");
        assert_eq!(
            read_bytes_with(self.new, &self.pieces),
            self.expected,
            "byte by byte"
        );
        let mut pieces = self.pieces.clone();
        pieces.last_mut().unwrap().1.extend(trailing);
        let longer = read_with(self.new, pieces.iter().map(|(d, bytes)| (*d, &bytes[..])));
        assert_eq!(
            longer,
            read_bytes_with(self.new, &pieces),
            "with trailing bytes, whole and byte by byte"
        );
        for (longer, expected) in longer.iter().zip(&self.expected) {
            assert_eq!(
                longer.first(expected.total()),
                expected.runs,
                "with trailing bytes"
            );
            assert!(
                longer.events.starts_with(&expected.events),
                "with trailing bytes: {longer:?}"
            );
        }
    }
}

/// The bytes of a unit by label, those of base64 counted separately.
pub fn sums(unit: &[u8], spans: &Spans) -> Labels {
    let (mut labels, mut at) = (Labels::default(), 0);
    for span in spans.iter() {
        let framing = span.base64_framing(&unit[at..at + span.len]);
        labels[Label::Framing] += framing;
        labels[span.label] += span.len as u64 - framing;
        at += span.len;
    }
    assert_eq!(at, unit.len(), "{spans:?}");
    labels
}
