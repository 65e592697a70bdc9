//! The decoder of a connection, whatever it speaks.

use super::http2::Connection;
use super::{Answers, Conversation, Direction, Lengths, Sink};

/// Reads a connection of one of the protocols the lab speaks.
#[derive(Debug)]
pub enum Decoder {
    /// HTTP/1 and what it upgrades to.
    Http(Conversation),
    /// HTTP/2 from the first byte.
    Http2(Box<Connection>),
    /// HTTP, of which too little was said to know the version; it holds that little.
    Unknown(Vec<u8>, Answers),
    /// The baseline.
    Lengths(Lengths),
}

/// What no request of HTTP/1 begins with, and every connection of HTTP/2.
const PRI: &[u8] = b"PRI ";

impl Decoder {
    /// Reads HTTP of the version that the client begins with.
    pub fn http(answers: Answers) -> Decoder {
        Decoder::Unknown(Vec::new(), answers)
    }

    /// Decides which version it is, if the client's first bytes tell, or the server speaks.
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

    /// Reads on in one direction.
    #[inline]
    pub fn feed(&mut self, direction: Direction, bytes: &[u8], sink: &mut impl Sink) {
        match self {
            Decoder::Http(conversation) => conversation.feed(direction, bytes, sink),
            Decoder::Http2(connection) => connection.feed(direction, bytes, sink),
            Decoder::Unknown(..) => self.decide(direction, bytes, sink),
            Decoder::Lengths(lengths) => lengths.feed(direction, bytes, sink),
        }
    }

    /// The connection is over: labels what is pending.
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
