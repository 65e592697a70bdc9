//! The baseline's protocol, the minimum that can carry mail over TCP: each message after its length.
//!
//! ```text
//! up:   cursor (8 bytes), then replies:   length (4) message
//! down: mail:                             length (4) message
//!       a gap:                            0xFFFFFFFF, mails missed (8)
//! ```

use super::unit::up_to;
use super::{Carried, Content, Direction, Kind, Label, Layer, Out, Sink, Spans};

/// Announces a gap where a length is expected.
pub const GAP: u32 = u32::MAX;

/// The sizes of the cursor, of a length, and of a gap's mark and number, bytes.
const CURSOR: usize = 8;
const LENGTH: usize = 4;
const GAP_NOTICE: usize = LENGTH + 8;

/// Reads both directions of a baseline connection. Any bytes are valid.
#[derive(Debug)]
pub struct Lengths {
    /// Up and down: the reader, and the number of bytes read.
    sides: [(Content, u64); 2],
}

impl Default for Lengths {
    fn default() -> Self {
        let side = |sender| {
            let layer = Prefixed {
                cursor: sender == Direction::Up,
                left: 0,
            };
            (Content::new(Box::new(layer), sender, 0), 0)
        };
        Lengths {
            sides: [side(Direction::Up), side(Direction::Down)],
        }
    }
}

impl Lengths {
    /// Reads the next bytes of one direction.
    pub fn feed(&mut self, direction: Direction, bytes: &[u8], sink: &mut impl Sink) {
        let (content, fed) = &mut self.sides[direction as usize];
        content.feed(*fed, bytes, &mut Out::new(direction, sink));
        *fed += bytes.len() as u64;
    }

    /// Labels the pending bytes at the end of the connection.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        for direction in [Direction::Up, Direction::Down] {
            let (content, _) = &mut self.sides[direction as usize];
            content.end(false, &mut Out::new(direction, sink));
        }
    }
}

/// One direction.
#[derive(Debug)]
struct Prefixed {
    /// Whether the cursor has not been read yet.
    cursor: bool,
    /// Bytes left of the message; a unit may have any number of them.
    left: u64,
}

impl Layer for Prefixed {
    fn unit(&mut self, bytes: &[u8], _from: usize, sender: Direction) -> Option<usize> {
        let len = match self.left {
            0 if self.cursor => CURSOR,
            0 if sender == Direction::Down && bytes.starts_with(&GAP.to_be_bytes()) => GAP_NOTICE,
            0 => LENGTH,
            left => return Some(up_to(left, bytes.len())),
        };
        (bytes.len() >= len).then_some(len)
    }

    fn label(&mut self, unit: &[u8], carried: Carried, spans: &mut Spans) {
        let down = carried.sender == Direction::Down;
        let mark = unit.iter().take(LENGTH).all(|b| *b == 0xFF);
        let (label, kind) = match self.left {
            0 if self.cursor => (Label::Control, Kind::Cursor),
            0 if down && mark => (Label::Control, Kind::Notice),
            0 => {
                let length = unit.try_into().map_or(0, u32::from_be_bytes);
                self.left = length.into();
                return spans.push(unit.len(), Label::Framing, Kind::MailLength);
            }
            _ if down => (Label::Payload, Kind::Mail),
            _ => (Label::Payload, Kind::Reply),
        };
        self.cursor = false;
        self.left = self.left.saturating_sub(unit.len() as u64);
        spans.push(unit.len(), label, kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Tally;

    /// Reads the bytes in pieces of different sizes, and requires the same result each time.
    fn read(direction: Direction, bytes: &[u8]) -> Tally {
        let mut all: Vec<Tally> = Vec::new();
        for size in [bytes.len(), 1, 3, 7] {
            let (mut lengths, mut tally) = (Lengths::default(), Tally::default());
            for piece in bytes.chunks(size) {
                lengths.feed(direction, piece, &mut tally);
            }
            lengths.finish(&mut tally);
            all.push(tally);
        }
        assert!(all.windows(2).all(|w| w[0] == w[1]), "{all:?}");
        all[0]
    }

    #[test]
    fn mail_is_payload_and_its_length_framing() {
        let tally = read(Direction::Down, b"\0\0\0\x02{}\0\0\0\0\0\0\0\x03abc\0\0");
        assert_eq!((tally.down.payload, tally.down.framing), (5, 14));
    }

    #[test]
    fn a_cursor_and_a_gap_are_control() {
        let tally = read(Direction::Up, b"\0\0\0\0\0\0\0\x07\0\0\0\x01x");
        assert_eq!((tally.up.control, tally.up.framing, tally.up.payload), (8, 4, 1));
        let tally = read(Direction::Down, b"\xff\xff\xff\xff\0\0\0\0\0\0\0\x09\0\0\0\x01x");
        assert_eq!(
            (tally.down.control, tally.down.framing, tally.down.payload),
            (12, 4, 1)
        );
    }
}
