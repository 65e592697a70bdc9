//! TLS 1.3's records as a listener sees them (RFC 8446, section 5). What they seal is read elsewhere,
//! opened; here is what encryption adds.
//!
//! ```text
//! +------+---------+--------+------------------------+------+-----------+
//! | type | version | length | as many bytes as are   | type | tag (16)  |
//! |  (1) |   (2)   |  (2)   | sealed                 |  (1) |           |
//! +------+---------+--------+------------------------+------+-----------+
//!   in the clear, 5                encrypted
//! ```
//!
//! Which record seals what the application said, and which a ticket or a goodbye, no listener can tell.
//! But the sizes of what came out are known, and only some records fit them.

use std::ops::Range;

use super::super::{Direction, Label, Labels};
use super::content::bytes;
use super::{Detail, Explained, Unit, hex};
use crate::lang::phrase;

/// Type, version, length.
const HEADER: usize = 5;
/// What a sealed record holds beside its content: the content's type, and a tag of 16 bytes.
const SEAL: usize = 17;
const CHANGE_CIPHER_SPEC: u8 = 20;
/// The record type of everything that is sealed.
const APPLICATION_DATA: u8 = 23;

/// The records of one connection.
#[derive(Debug, Default)]
pub(in super::super) struct Records {
    sides: [Side; 2],
    units: Vec<Unit>,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    /// Bytes behind the last whole record, and when the first of them came.
    rest: Vec<u8>,
    since_us: f64,
    /// Whole records of which it is not known what they seal.
    waiting: Vec<Record>,
    /// Bytes that came out, and out of which record is not known.
    opened: usize,
}

#[derive(Debug)]
struct Record {
    at_us: f64,
    bytes: Vec<u8>,
}

impl Record {
    /// How much the record can seal.
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
    /// Bytes crossed the socket.
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
                at_us: side.since_us,
                bytes: std::mem::replace(&mut side.rest, rest),
            });
            side.since_us = at_us;
        }
    }

    /// So many bytes came out of them.
    pub fn opened(&mut self, direction: Direction, n: usize) {
        let side = &mut self.sides[direction as usize];
        side.opened += n;
        if let Some(carriers) = side.carriers() {
            side.opened = 0;
            // What lies behind them may yet be opened.
            for (i, record) in side.waiting.drain(..carriers.end).enumerate() {
                let sealed = if carriers.contains(&i) { record.room() } else { 0 };
                self.units.push(unit(direction, &record, sealed));
            }
        }
    }

    /// The connection is over: what was added, and when.
    pub fn finish(mut self) -> Vec<Unit> {
        for direction in [Direction::Up, Direction::Down] {
            let side = std::mem::take(&mut self.sides[direction as usize]);
            let mut opened = side.opened;
            let rest = Record {
                at_us: side.since_us,
                bytes: side.rest,
            };
            for record in side.waiting.iter().chain([&rest]).filter(|r| !r.bytes.is_empty()) {
                let sealed = record.room().min(opened);
                opened -= sealed;
                self.units.push(unit(direction, record, sealed));
            }
        }
        self.units
    }
}

impl Side {
    /// The records next to each other that hold just what came out; the first such.
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

/// A record, without the bytes that it seals for the application.
fn unit(direction: Direction, record: &Record, sealed: usize) -> Unit {
    let (head, body) = record.bytes.split_at(HEADER.min(record.bytes.len()));
    let (name, what, source) = name(&record.bytes);
    let mut parts = vec![header(head, what)];
    if sealed > 0 {
        parts.push(tls(
            &body[sealed..],
            "The content's type, encrypted, and a tag that nobody can forge who lacks the key.",
            "RFC 8446, section 5.2",
        ));
    } else if !body.is_empty() {
        parts.push(tls(body, what, source));
        if record.bytes.first() == Some(&CHANGE_CIPHER_SPEC) {
            parts.iter_mut().for_each(|part| part.random = None);
        }
    }
    Unit {
        direction,
        at_us: record.at_us,
        title: if sealed > 0 {
            phrase!(
                "TLS record that seals %{length}, opened below",
                length = bytes(sealed as u64)
            )
        } else {
            phrase!("TLS record: %{name}", name = name)
        },
        parts,
        target: None,
        told: Vec::new(),
    }
}

fn header(head: &[u8], name: &'static str) -> Explained {
    let mut part = tls(head, "Record header, in the clear.", "RFC 8446, section 5.1");
    part.random = None;
    if let [kind, v1, v2, l1, l2] = *head {
        part.random = Some(3..5);
        part.details = vec![
            Detail::new(
                "type",
                kind.to_string(),
                if kind == APPLICATION_DATA {
                    "sealed: what, only the key tells"
                } else {
                    name
                },
            ),
            Detail::new(
                "version",
                hex(&[v1, v2]),
                "the same for ever: middleboxes stumble over newer ones",
            ),
            Detail {
                random: true,
                ..Detail::new("length", u16::from_be_bytes([l1, l2]).to_string(), "bytes follow")
            },
        ];
    }
    part
}

fn tls(bytes: &[u8], what: &'static str, source: &'static str) -> Explained {
    let mut labels = Labels::default();
    labels.add(Label::Tls, bytes.len() as u64);
    Explained {
        bytes: bytes.to_vec(),
        labels,
        what: what.into(),
        source,
        random: Some(0..bytes.len()),
        ..Explained::default()
    }
}

/// What a record is that seals nothing for the application: in a title, in a sentence, and its source.
fn name(record: &[u8]) -> (&'static str, &'static str, &'static str) {
    match (record.first(), record.get(HEADER)) {
        (Some(20), _) => (
            "change cipher spec",
            "change cipher spec: means nothing any more, but middleboxes expect it.",
            "RFC 8446, section D.4",
        ),
        (Some(21), _) => ("alert", "alert.", "RFC 8446, section 6"),
        (Some(22), Some(1)) => (
            "ClientHello",
            "ClientHello: the ciphers and versions that the client knows, and half of a key exchange.",
            "RFC 8446, section 4.1.2",
        ),
        (Some(22), Some(2)) => (
            "ServerHello",
            "ServerHello: the choice, and the other half; from here on all is sealed.",
            "RFC 8446, section 4.1.3",
        ),
        (Some(22), _) => ("handshake", "handshake.", "RFC 8446, section 4"),
        (Some(23), _) => (
            "sealed, and nothing the application said",
            "sealed, and nothing the application said: the rest of a handshake, a ticket, or a goodbye.",
            "RFC 8446, section 5.2",
        ),
        _ => (
            "no record that TLS knows, or one that was cut off",
            "no record that TLS knows, or one that was cut off.",
            "RFC 8446, section 5.1",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, len: usize) -> Vec<u8> {
        [&[kind, 3, 3][..], &(len as u16).to_be_bytes(), &vec![0; len]].concat()
    }

    fn shown(units: &[Unit]) -> Vec<u64> {
        units.iter().map(Unit::len).collect()
    }

    #[test]
    fn what_a_record_seals_is_not_counted_twice() {
        let mut records = Records::default();
        // Handshake, ticket, data, and a goodbye, all at once and cut anywhere.
        let all = [record(22, 50), record(23, 30), record(23, 117), record(23, 19)].concat();
        all.chunks(7)
            .for_each(|piece| records.crossed(Direction::Down, 1.0, piece));
        records.opened(Direction::Down, 40);
        records.opened(Direction::Down, 60);
        let units = records.finish();
        assert_eq!(shown(&units), [55, 35, 22, 24]);
        assert!(units[2].title.contains("seals 100 bytes"), "{}", units[2].title);
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
        assert_eq!(shown(&records.finish()), [22, 22, 22]);
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
        assert_eq!(shown(&records.finish()), [74, 22, 22]);
    }

    #[test]
    fn every_byte_is_counted_when_nothing_fits() {
        let mut records = Records::default();
        let cut = &record(23, 40)[..20];
        records.crossed(Direction::Up, 0.0, &[&record(23, 40), cut].concat());
        records.opened(Direction::Up, 9);
        assert_eq!(shown(&records.finish()).iter().sum::<u64>(), 45 + 20 - 9);
    }
}
