//! What the targets share: a conversation is read whole and byte by byte, and must be labelled the
//! same, each byte once.
//!
//! `cargo install cargo-fuzz`, then `RUSTC_BOOTSTRAP=1 cargo fuzz run conversation`.

use mailcall::wire::{Conversation, Decoder, Direction, Event, Kind, Label, Labels, Part, Sink, Violation};

/// Remembers all it is told.
#[derive(Default)]
struct Record {
    parts: Vec<Part>,
    events: Vec<Event>,
}

impl Sink for Record {
    fn part(&mut self, part: Part) {
        self.parts.push(part);
    }
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// What a byte is, and its label where the decoder tells it of each byte.
type Byte = (Kind, Option<Label>);

/// A direction's bytes, its sums, and its events.
type Side = (Vec<Byte>, Labels, Vec<Event>);

/// Reads these pieces of an HTTP/1 connection whole and byte by byte.
pub fn check<'a>(pieces: impl Iterator<Item = (Direction, &'a [u8])> + Clone) {
    check_with(|| Decoder::Http(Conversation::new()), pieces);
}

/// Reads these pieces of an HTTP/2 connection whole and byte by byte.
pub fn check_http2<'a>(pieces: impl Iterator<Item = (Direction, &'a [u8])> + Clone) {
    check_with(|| Decoder::Http2(Box::default()), pieces);
}

fn check_with<'a>(new: fn() -> Decoder, pieces: impl Iterator<Item = (Direction, &'a [u8])> + Clone) {
    let whole = read(new(), pieces.clone());
    let bytes = pieces.flat_map(|(d, bytes)| bytes.chunks(1).map(move |b| (d, b)));
    assert_eq!(whole, read(new(), bytes));
}

fn read<'a>(mut decoder: Decoder, pieces: impl Iterator<Item = (Direction, &'a [u8])>) -> [Side; 2] {
    let mut record = Record::default();
    let mut fed = [0; 2];
    for (direction, bytes) in pieces {
        fed[direction as usize] += bytes.len() as u64;
        decoder.feed(direction, bytes, &mut record);
    }
    decoder.finish(&mut record);
    record.parts.sort_by_key(|p| p.start);
    [Direction::Up, Direction::Down].map(|d| {
        let mut bytes = Vec::new();
        let mut labels = Labels::default();
        for p in record.parts.iter().filter(|p| p.direction == d) {
            assert_eq!(bytes.len() as u64, p.start, "a byte labelled twice or not at all");
            // Of base64 only the sums are told.
            let label = (p.kind != Kind::Attachment).then_some(p.label);
            bytes.extend((0..p.len).map(|_| (p.kind, label)));
            labels.add(p.label, p.len);
        }
        assert_eq!(labels.total(), fed[d as usize]);
        let events = record
            .events
            .iter()
            .filter(|e| direction(e) == d)
            .copied()
            .collect::<Vec<_>>();
        // A WebSocket on an HTTP/2 stream breaks by itself, anything else a whole direction.
        let broken = |e: &&Event| matches!(e, Event::Violation(_, v) if *v != Violation::Frame);
        assert!(events.iter().filter(broken).count() <= 1);
        (bytes, labels, events)
    })
}

fn direction(event: &Event) -> Direction {
    match event {
        Event::Request => Direction::Up,
        Event::Empty | Event::Upgraded => Direction::Down,
        Event::Message(d) | Event::Violation(d, _) => *d,
    }
}

/// Cuts the fuzzer's bytes into pieces: the first byte of each says who sends how many bytes.
pub fn interleave(mut data: &[u8]) -> Vec<(Direction, &[u8])> {
    let mut pieces = Vec::new();
    while let Some((&first, rest)) = data.split_first() {
        let direction = if first & 0x80 == 0 {
            Direction::Up
        } else {
            Direction::Down
        };
        let (piece, rest) = rest.split_at(rest.len().min(usize::from(first & 0x7F) + 1));
        pieces.push((direction, piece));
        data = rest;
    }
    pieces
}
