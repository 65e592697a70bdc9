//! What is counted on one connection.

use super::attribution::Attribution;
use super::tls_counts::TlsCounts;
use crate::wire::{Decoder, Direction, Tally};

/// What was counted on a connection.
#[derive(Debug)]
pub(super) struct Meter {
    pub reader: Reader,
    /// Bytes, up and down.
    pub raw: [u64; 2],
    pub attribution: Option<Box<Attribution>>,
}

impl Meter {
    /// Counts bytes that the server has sent, on a connection without a tape.
    pub fn sent(&mut self, bytes: &[u8]) {
        self.raw[Direction::Down as usize] += bytes.len() as u64;
        if let Reader::Own(decoder, tally) = &mut self.reader {
            feed(decoder, &mut self.attribution, Direction::Down, bytes, tally);
        }
    }

    /// Whether nobody owns a request of the connection so far.
    pub fn is_unowned(&self) -> bool {
        self.attribution
            .as_ref()
            .is_none_or(|attribution| attribution.is_unowned())
    }
}

/// Decodes bytes that crossed, and counts them: for their owners, too, if there are owners.
pub(super) fn feed(
    decoder: &mut Decoder,
    attribution: &mut Option<Box<Attribution>>,
    direction: Direction,
    bytes: &[u8],
    tally: &mut Tally,
) {
    match attribution {
        None => decoder.feed(direction, bytes, tally),
        Some(attribution) => attribution.feed(decoder, direction, bytes, tally),
    }
}

/// Where the bytes are decoded.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large one")]
pub(super) enum Reader {
    /// By this connection: it carries plain bytes.
    Own(Decoder, Tally),
    /// Above TLS: this connection carries encrypted bytes.
    Above(TlsCounts),
}
