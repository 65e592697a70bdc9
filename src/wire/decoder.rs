//! The decoder of a connection, for all protocols of the lab.

use super::http2::Connection;
use super::{Answers, Conversation, Direction, Lengths, Sink};

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
