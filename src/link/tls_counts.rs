//! The counts of a connection with TLS, from above TLS and from below it (see `sealed`).

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::ledger::{Ledger, Tape};
use super::recording::Layer;
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
    pub(super) emitted: u64,
    crossed: u64,
    /// Plain bytes whose records rustls still holds, at least in part.
    pub(super) inside: Vec<u8>,
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

    /// rustls holds nothing back: all plain bytes are in the records that it has put out.
    pub(super) fn all_emitted(&mut self) {
        if !self.inside.is_empty() {
            let bytes = std::mem::take(&mut self.inside);
            self.under_way.push_back((self.emitted, bytes));
            self.release();
        }
    }
}
