//! The decoder of a connection, for all protocols of the lab.

use super::http1::AtRest;
use super::http2::Connection;
use super::{Answers, Conversation, Direction, Lengths, Sink, Tally};

/// Reads a connection of one of the protocols the lab speaks.
#[derive(Debug)]
pub enum Decoder {
    /// HTTP/1 and what it upgrades to.
    Http(Conversation),
    /// HTTP/2 from the first byte.
    Http2(Box<Connection>),
    /// HTTP whose version is still unknown; it holds the bytes so far.
    Unknown(Vec<u8>, Answers),
    /// The baseline.
    Lengths(Lengths),
}

/// What some bytes are, as read by a decoder that stood between two units before and after them: what it was reading, the
/// number of bytes, and their counts.
#[derive(Clone, Debug, Default)]
pub struct Known(Option<(AtRest, u64, Tally)>);

/// The start of every HTTP/2 connection, which no HTTP/1 request has.
const PRI: &[u8] = b"PRI ";

impl Decoder {
    /// Reads HTTP, in the version that the client starts with.
    pub fn http(answers: Answers) -> Decoder {
        Decoder::Unknown(Vec::new(), answers)
    }

    /// Decides on the version, if the client's first bytes show it or the server sends something.
    fn decide(&mut self, direction: Direction, bytes: &[u8], sink: &mut impl Sink) {
        let Decoder::Unknown(first, answers) = self else {
            return;
        };
        let (first, answers) = (std::mem::take(first), *answers);
        if direction == Direction::Down {
            *self = Decoder::Http(Conversation::expecting(answers));
            self.feed(Direction::Up, &first, sink);
            return self.feed(direction, bytes, sink);
        }
        let first = [first, bytes.to_vec()].concat();
        if first.len() < PRI.len() && PRI.starts_with(&first) {
            *self = Decoder::Unknown(first, answers);
            return;
        }
        *self = if first.starts_with(PRI) {
            Decoder::Http2(Box::new(Connection::expecting(answers)))
        } else {
            Decoder::Http(Conversation::expecting(answers))
        };
        self.feed(direction, &first, sink);
    }

    /// Reads the next bytes of one direction.
    #[inline]
    pub fn feed(&mut self, direction: Direction, bytes: &[u8], sink: &mut impl Sink) {
        match self {
            Decoder::Http(conversation) => conversation.feed(direction, bytes, sink),
            Decoder::Http2(connection) => connection.feed(direction, bytes, sink),
            Decoder::Unknown(..) => self.decide(direction, bytes, sink),
            Decoder::Lengths(lengths) => lengths.feed(direction, bytes, sink),
        }
    }

    /// Reads bytes of the server, counts them in `tally`, and returns how many they are. `known` is what the same bytes
    /// were for another decoder, and where it applies, it is all that is counted; otherwise they become known, if they
    /// are whole units.
    pub fn feed_known<'a>(
        &mut self,
        pieces: impl Iterator<Item = &'a [u8]>,
        known: &mut Known,
        tally: &mut Tally,
    ) -> u64 {
        let at_rest = |decoder: &Decoder| match decoder {
            Decoder::Http(conversation) => conversation.at_rest(),
            _ => None,
        };
        let before = at_rest(self);
        if let (Decoder::Http(conversation), Known(Some((at, bytes, counted)))) = (&mut *self, &known)
            && before == Some(*at)
        {
            conversation.pass_over(*bytes);
            *tally += *counted;
            return *bytes;
        }
        let (mut bytes, mut counted) = (0, Tally::default());
        for piece in pieces {
            self.feed(Direction::Down, piece, &mut counted);
            bytes += piece.len() as u64;
        }
        *tally += counted;
        if before.is_some() && before == at_rest(self) {
            *known = Known(before.map(|at| (at, bytes, counted)));
        }
        bytes
    }

    /// Labels the pending bytes at the end of the connection.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        match self {
            Decoder::Http(conversation) => conversation.finish(sink),
            Decoder::Http2(connection) => connection.finish(sink),
            Decoder::Unknown(first, answers) => {
                let mut conversation = Conversation::expecting(*answers);
                conversation.feed(Direction::Up, &std::mem::take(first), sink);
                conversation.finish(sink);
                *self = Decoder::Http(conversation);
            }
            Decoder::Lengths(lengths) => lengths.finish(sink),
        }
    }
}
