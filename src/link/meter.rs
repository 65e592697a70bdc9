//! What is counted on one connection.

use super::attribution::Attribution;
use super::tls_counts::TlsCounts;
use crate::wire::{Decoder, Direction, Known, Tally};

/// What was counted on a connection.
#[derive(Debug)]
pub(super) struct Meter {
    pub reader: Reader,
    /// Bytes, up and down.
    pub raw: [u64; 2],
    pub attribution: Option<Box<Attribution>>,
}

impl Meter {
    /// Counts bytes that the server has sent, on a connection without a tape; see [`Decoder::feed_known`].
    pub fn sent<'a>(&mut self, pieces: impl Iterator<Item = &'a [u8]>, known: &mut Known) {
        let is_unowned = self.is_unowned();
        let Reader::Own(decoder, tally) = &mut self.reader else {
            return;
        };
        if is_unowned {
            let bytes = decoder.feed_known(pieces, known, tally);
            self.raw[Direction::Down as usize] += bytes;
            if let Some(attribution) = &mut self.attribution {
                attribution.passed(bytes);
            }
            return;
        }
        for bytes in pieces {
            self.raw[Direction::Down as usize] += bytes.len() as u64;
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
