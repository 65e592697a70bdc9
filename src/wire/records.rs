//! Records of TLS 1.3, as an observer of the network sees them (RFC 8446, section 5).
//!
//! ```text
//! +------+---------+--------+------------------------+------+-----------+
//! | type | version | length | as many bytes as are   | type | tag (16)  |
//! |  (1) |   (2)   |  (2)   | sealed                 |  (1) |           |
//! +------+---------+--------+------------------------+------+-----------+
//!   unencrypted, 5                 encrypted
//! ```
//!
//! An observer cannot see whether a record seals application data, a session ticket or an alert. But the
//! sizes of the plaintext are known, and only some records fit them.

use std::ops::Range;

use super::Direction;

/// Bytes of a record's header: type, version, length.
pub const HEADER: usize = 5;
/// Bytes of a sealed record in addition to its content: the content's type, and a tag of 16 bytes.
pub const SEAL: usize = 17;
/// The record type of all sealed records.
pub const APPLICATION_DATA: u8 = 23;

/// The records of one connection.
#[derive(Debug, Default)]
pub(super) struct Records {
    sides: [Side; 2],
    found: Vec<Record>,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    /// Bytes after the last complete record, and when the first of them arrived.
    rest: Vec<u8>,
    since_us: f64,
    /// Complete records whose content is unknown so far.
    waiting: Vec<Record>,
    /// Bytes of plaintext whose records are unknown so far.
    opened: usize,
}

/// One record, possibly incomplete after a cut.
#[derive(Clone, Debug)]
pub struct Record {
    /// Who sent it.
    pub direction: Direction,
    /// When its first byte crossed, microseconds.
    pub at_us: f64,
    /// All its bytes.
    pub bytes: Vec<u8>,
    /// The application's bytes that it seals. They are after the header, encrypted.
    pub sealed: usize,
}

impl Record {
    /// The number of bytes that TLS adds: all except the sealed ones.
    pub fn added(&self) -> u64 {
        (self.bytes.len() - self.sealed) as u64
    }

    /// The most bytes of content that the record can seal.
    fn room(&self) -> usize {
        let sealed = self.bytes.first() == Some(&APPLICATION_DATA);
        if sealed {
            self.bytes.len().saturating_sub(HEADER + SEAL)
        } else {
            0
        }
    }
}

impl Records {
    /// Records bytes at the socket.
    pub fn crossed(&mut self, direction: Direction, at_us: f64, bytes: &[u8]) {
        let side = &mut self.sides[direction as usize];
        if side.rest.is_empty() {
            side.since_us = at_us;
        }
        side.rest.extend_from_slice(bytes);
        while let Some(&[.., l1, l2]) = side.rest.first_chunk::<HEADER>() {
            let len = HEADER + usize::from(u16::from_be_bytes([l1, l2]));
            if side.rest.len() < len {
                break;
            }
            let rest = side.rest.split_off(len);
            side.waiting.push(Record {
                direction,
                at_us: side.since_us,
                bytes: std::mem::replace(&mut side.rest, rest),
                sealed: 0,
            });
            side.since_us = at_us;
        }
    }

    /// Records that `n` bytes of plaintext were decrypted.
    pub fn opened(&mut self, direction: Direction, n: usize) {
        let side = &mut self.sides[direction as usize];
        side.opened += n;
        if let Some(carriers) = side.carriers() {
            side.opened = 0;
            // Later records may still be decrypted.
            for (i, mut record) in side.waiting.drain(..carriers.end).enumerate() {
                record.sealed = if carriers.contains(&i) { record.room() } else { 0 };
                self.found.push(record);
            }
        }
    }

    /// All records, at the end of the connection.
    pub fn finish(mut self) -> Vec<Record> {
        for (side, direction) in std::mem::take(&mut self.sides)
            .into_iter()
            .zip([Direction::Up, Direction::Down])
        {
            let mut opened = side.opened;
            let rest = Record {
                direction,
                at_us: side.since_us,
                bytes: side.rest,
                sealed: 0,
            };
            for mut record in side.waiting.into_iter().chain([rest]) {
                record.sealed = record.room().min(opened);
                opened -= record.sealed;
                self.found.push(record);
            }
        }
        self.found.retain(|record| !record.bytes.is_empty());
        self.found
    }
}

impl Side {
    /// The first sequence of records that holds exactly the decrypted bytes.
    fn carriers(&self) -> Option<Range<usize>> {
        let rooms: Vec<usize> = self.waiting.iter().map(Record::room).collect();
        (0..rooms.len()).find_map(|from| {
            let mut sum = 0;
            let fits = rooms[from..].iter().position(|room| {
                sum += room;
                *room > 0 && sum == self.opened
            })?;
            Some(from..from + fits + 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, len: usize) -> Vec<u8> {
        [&[kind, 3, 3][..], &(len as u16).to_be_bytes(), &vec![0; len]].concat()
    }

    fn added(records: &[Record]) -> Vec<u64> {
        records.iter().map(Record::added).collect()
    }

    #[test]
    fn what_a_record_seals_is_not_counted_twice() {
        let mut records = Records::default();
        // Handshake, ticket, data and close alert, all at once and in pieces.
        let all = [record(22, 50), record(23, 30), record(23, 117), record(23, 19)].concat();
        all.chunks(7)
            .for_each(|piece| records.crossed(Direction::Down, 1.0, piece));
        records.opened(Direction::Down, 40);
        records.opened(Direction::Down, 60);
        let found = records.finish();
        assert_eq!(added(&found), [55, 35, 22, 24]);
        assert_eq!(found[2].sealed, 100);
    }

    #[test]
    fn a_record_that_waits_behind_others_is_opened_later() {
        let mut records = Records::default();
        records.crossed(
            Direction::Up,
            0.0,
            &[record(23, 41), record(23, 27), record(23, 37)].concat(),
        );
        records.opened(Direction::Up, 24);
        records.opened(Direction::Up, 30);
        assert_eq!(added(&records.finish()), [22, 22, 22]);
    }

    #[test]
    fn several_records_may_seal_what_comes_out_at_once() {
        let mut records = Records::default();
        records.crossed(
            Direction::Up,
            0.0,
            &[record(23, 69), record(23, 27), record(23, 37)].concat(),
        );
        records.opened(Direction::Up, 30);
        assert_eq!(added(&records.finish()), [74, 22, 22]);
    }

    #[test]
    fn every_byte_is_counted_when_nothing_fits() {
        let mut records = Records::default();
        let cut = &record(23, 40)[..20];
        records.crossed(Direction::Up, 0.0, &[&record(23, 40), cut].concat());
        records.opened(Direction::Up, 9);
        assert_eq!(added(&records.finish()).iter().sum::<u64>(), 45 + 20 - 9);
    }
}
