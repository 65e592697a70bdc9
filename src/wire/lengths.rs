//! The baseline's protocol, the least that can carry mail over TCP: each message behind its length.
//!
//! ```text
//! up:   cursor (8 bytes), then replies:   length (4) message
//! down: mail:                             length (4) message
//!       a gap:                            0xFFFFFFFF, mails missed (8)
//! ```

use super::{Direction, Kind, Label, Part, Sink};

/// Announces a gap where a length is expected.
pub const GAP: u32 = u32::MAX;

/// What the next bytes of a direction are.
#[derive(Clone, Copy, Debug)]
enum State {
    Cursor { left: u64 },
    Length { got: u32, value: u32 },
    Gap { left: u64 },
    Message { left: u64 },
}

/// One direction.
#[derive(Clone, Copy, Debug)]
struct Side {
    state: State,
    offset: u64,
}

/// Reads both directions of a baseline connection. Never at a loss: any bytes mean something.
#[derive(Clone, Debug)]
pub struct Lengths {
    up: Side,
    down: Side,
}

/// Bytes of the cursor.
const CURSOR: u64 = 8;

const START: State = State::Length { got: 0, value: 0 };

impl Default for Lengths {
    fn default() -> Self {
        let side = |state| Side { state, offset: 0 };
        Lengths {
            up: side(State::Cursor { left: CURSOR }),
            down: side(START),
        }
    }
}

impl Lengths {
    /// Reads on.
    pub fn feed(&mut self, direction: Direction, mut bytes: &[u8], sink: &mut impl Sink) {
        let side = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        while !bytes.is_empty() {
            let (n, label, kind, next) = side.state.take(direction, bytes);
            sink.part(Part {
                direction,
                start: side.offset,
                len: n,
                label,
                kind,
            });
            if kind == Kind::Cursor && matches!(next, State::Length { .. }) {
                sink.told(CURSOR);
            }
            side.offset += n;
            side.state = next;
            bytes = &bytes[n as usize..];
        }
    }
}

impl State {
    /// How many of the bytes belong together, as what, and what follows.
    fn take(self, direction: Direction, bytes: &[u8]) -> (u64, Label, Kind, State) {
        let all = bytes.len() as u64;
        match self {
            State::Cursor { left } => {
                let n = left.min(all);
                let next = if n == left {
                    START
                } else {
                    State::Cursor { left: left - n }
                };
                (n, Label::Control, Kind::Cursor, next)
            }
            State::Gap { left } => {
                let n = left.min(all);
                let next = if n == left {
                    START
                } else {
                    State::Gap { left: left - n }
                };
                (n, Label::Control, Kind::Notice, next)
            }
            State::Message { left } => {
                let n = left.min(all);
                let next = if n == left {
                    START
                } else {
                    State::Message { left: left - n }
                };
                let kind = if direction == Direction::Up {
                    Kind::Reply
                } else {
                    Kind::Mail
                };
                (n, Label::Payload, kind, next)
            }
            // Byte by byte, since a length may be cut anywhere. A gap's mark is told from a length by its
            // first byte: no message is 4 GiB long.
            State::Length { got, value } => {
                let value = value << 8 | u32::from(bytes[0]);
                let is_gap = if got == 0 {
                    bytes[0] == 0xFF
                } else {
                    value & 0xFF == 0xFF && value >> (8 * got) == 0xFF
                };
                let label = if is_gap && direction == Direction::Down {
                    Label::Control
                } else {
                    Label::Framing
                };
                let next = match got {
                    3 if value == GAP && direction == Direction::Down => State::Gap { left: 8 },
                    3 if value == 0 => START,
                    3 => State::Message { left: value.into() },
                    _ => State::Length { got: got + 1, value },
                };
                (
                    1,
                    label,
                    if label == Label::Control {
                        Kind::Notice
                    } else {
                        Kind::MailLength
                    },
                    next,
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Tally;

    /// Reads the bytes in pieces of each size and wants the same every time.
    fn read(direction: Direction, bytes: &[u8]) -> Tally {
        let mut all: Vec<Tally> = Vec::new();
        for size in [bytes.len(), 1, 3, 7] {
            let (mut lengths, mut tally) = (Lengths::default(), Tally::default());
            for piece in bytes.chunks(size) {
                lengths.feed(direction, piece, &mut tally);
            }
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
