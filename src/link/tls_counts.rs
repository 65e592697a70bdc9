//! The counts of a connection with TLS, from above TLS and from below it (see `sealed`).

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::ledger::{Ledger, Tape};
use super::recording::Layer;
use crate::wire::records::{APPLICATION_DATA, HEADER, SEAL};
use crate::wire::{Decoder, Direction, Tally};

/// The counts of an encrypted connection, shared by the layers above and below TLS.
#[derive(Clone, Debug)]
pub struct TlsCounts(Arc<Mutex<Open>>);

/// The same, while it is locked.
#[derive(Debug)]
pub(super) struct Open {
    ledger: Arc<Ledger>,
    tape: Option<Tape>,
    decoder: Decoder,
    tally: Tally,
    /// Plain bytes that have crossed, up and down.
    plain: [u64; 2],
    /// Bytes of records that rustls has put out; below, those that the socket has taken.
    emitted: u64,
    crossed: u64,
    /// The record that rustls is putting out.
    record: Record,
    /// Whether the version is TLS 1.3, whose records tell how much they seal.
    pub(super) is_tls13: bool,
    /// Whether rustls held nothing back once: from then on, its records seal what is `inside`.
    is_even: bool,
    /// The records that have ended: by how many bytes put out, and how much each seals.
    ended: VecDeque<(u64, usize)>,
    /// Plain bytes whose records rustls still holds, at least in part.
    inside: Vec<u8>,
    /// Plain bytes, each with the number of record bytes that the socket must take before they have crossed.
    under_way: VecDeque<(u64, Vec<u8>)>,
}

impl TlsCounts {
    /// No counts yet, for a connection whose protocol `decoder` reads.
    pub(super) fn new(ledger: Arc<Ledger>, tape: Option<Tape>, decoder: Decoder) -> TlsCounts {
        TlsCounts(Arc::new(Mutex::new(Open {
            ledger,
            tape,
            decoder,
            tally: Tally::default(),
            plain: [0; 2],
            emitted: 0,
            crossed: 0,
            record: Record::default(),
            is_tls13: false,
            is_even: false,
            ended: VecDeque::new(),
            inside: Vec::new(),
            under_way: VecDeque::new(),
        })))
    }

    /// The counts so far, locked.
    pub(super) fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock()
    }

    /// Counts bytes that the socket took from the server.
    pub(super) fn crossed(&self, bytes: usize) {
        let mut open = self.0.lock();
        open.crossed += bytes as u64;
        open.release();
    }

    /// Ends the connection: returns everything decoded, with the bytes that TLS added to make `raw`.
    pub(super) fn close(&self, raw: [u64; 2]) -> Tally {
        let mut open = self.0.lock();
        let Open { decoder, tally, .. } = &mut *open;
        decoder.finish(tally);
        let mut tally = open.tally;
        // Plain bytes cross only in records, so neither is more than the raw count.
        tally.up.tls = raw[0].saturating_sub(open.plain[0]);
        tally.down.tls = raw[1].saturating_sub(open.plain[1]);
        tally
    }
}

impl Open {
    /// Counts and decodes plain bytes that have crossed.
    pub(super) fn read(&mut self, direction: Direction, bytes: &[u8]) {
        let before = self.tally.requests;
        self.plain[direction as usize] += bytes.len() as u64;
        self.decoder.feed(direction, bytes, &mut self.tally);
        self.ledger.moved(0, self.tally.requests - before);
        if let Some(tape) = &self.tape {
            tape.bytes(direction, Layer::Plain, bytes);
        }
    }

    /// Decodes what has crossed by now.
    fn release(&mut self) {
        while let Some((_, bytes)) = self.under_way.pop_front_if(|(by, _)| *by <= self.crossed) {
            self.read(Direction::Down, &bytes);
        }
    }

    /// Counts bytes that rustls puts out. A client that reads slowly never lets it put out everything: then what each
    /// record seals has left rustls with its last byte.
    pub(super) fn emit(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (n, sealed) = self.record.read(bytes);
            self.emitted += n as u64;
            bytes = &bytes[n..];
            if self.is_tls13 && self.is_even {
                self.ended.extend(sealed.map(|sealed| (self.emitted, sealed)));
            }
        }
        self.unseal();
    }

    /// Adds plain bytes that rustls has taken. It may have put out some of their records already.
    pub(super) fn seal(&mut self, bytes: &[u8]) {
        self.inside.extend_from_slice(bytes);
        self.unseal();
    }

    /// Finds the plain bytes of the records that have ended.
    fn unseal(&mut self) {
        let inside = &mut self.inside;
        while let Some((by, sealed)) = self.ended.pop_front_if(|(_, sealed)| *sealed <= inside.len()) {
            let bytes = inside.drain(..sealed).collect();
            self.under_way.push_back((by, bytes));
        }
        self.release();
    }

    /// rustls holds nothing back: all plain bytes are in the records that it has put out.
    pub(super) fn all_emitted(&mut self) {
        self.is_even = true;
        self.ended.clear();
        if !self.inside.is_empty() {
            let bytes = std::mem::take(&mut self.inside);
            self.under_way.push_back((self.emitted, bytes));
            self.release();
        }
    }
}

/// A record of TLS while it passes (RFC 8446, section 5.1).
#[derive(Debug, Default)]
struct Record {
    header: [u8; HEADER],
    /// How many of its bytes have passed.
    passed: usize,
}

impl Record {
    /// Reads bytes up to the record's end at most. Returns how many, and at the end how many bytes of application data
    /// it sealed, if that is what it holds.
    fn read(&mut self, bytes: &[u8]) -> (usize, Option<usize>) {
        let wanted = match HEADER.checked_sub(self.passed) {
            Some(left) if left > 0 => left,
            _ => HEADER + self.length() - self.passed,
        };
        let n = wanted.min(bytes.len());
        if self.passed < HEADER {
            self.header[self.passed..][..n].copy_from_slice(&bytes[..n]);
        }
        self.passed += n;
        if self.passed < HEADER || self.passed < HEADER + self.length() {
            return (n, None);
        }
        self.passed = 0;
        let sealed = (self.header[0] == APPLICATION_DATA).then(|| self.length().checked_sub(SEAL));
        (n, sealed.flatten())
    }

    /// The length in its header.
    fn length(&self) -> usize {
        usize::from(u16::from_be_bytes([self.header[3], self.header[4]]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_ends_where_its_header_says_in_whatever_pieces_it_passes() {
        let mut bytes = vec![22, 3, 3, 0, 2, 0, 0];
        bytes.extend([23, 3, 3, 0, 27]);
        bytes.extend([7; 27]);
        for piece in [1, 2, 5, 6, 100] {
            let (mut record, mut sealed) = (Record::default(), Vec::new());
            for mut piece in bytes.chunks(piece) {
                while !piece.is_empty() {
                    let (n, ended) = record.read(piece);
                    sealed.extend(ended);
                    piece = &piece[n..];
                }
            }
            assert_eq!(sealed, [10], "{piece}");
        }
    }
}
