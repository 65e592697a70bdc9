//! How much a client reads of one answer or message. An answer without end is not read for ever, and its
//! server is not asked again.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tokio_tungstenite::tungstenite;

use crate::wire::stomp::Malformed;

/// The largest answer, event, line or message that a client reads, bytes: the same limit for all readers.
pub const MAX_MESSAGE: usize = 64 << 20;

/// Something was larger than [`MAX_MESSAGE`]; the field names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server sent {0} of more than {MAX_MESSAGE} bytes, the most that a client reads at once")]
pub struct TooLarge(pub &'static str);

/// Checks the length so far.
///
/// # Errors
/// If it exceeds what a client reads.
pub fn check(what: &'static str, length: usize) -> Result<(), TooLarge> {
    match length > MAX_MESSAGE {
        true => Err(TooLarge(what)),
        false => Ok(()),
    }
}

/// Converts an error of a WebSocket; one for a too large message becomes [`TooLarge`].
pub fn of_websocket(error: tungstenite::Error) -> anyhow::Error {
    match error {
        tungstenite::Error::Capacity(_) => TooLarge("a message").into(),
        other => other.into(),
    }
}

/// Whether something failed because it was too large: a new request would bring the same.
pub fn is_exceeded(error: &anyhow::Error) -> bool {
    let wrapped = |e: &io::Error| e.get_ref().is_some_and(|inner| inner.is::<TooLarge>());
    error.chain().any(|cause| {
        cause.is::<TooLarge>()
            || cause.downcast_ref().is_some_and(wrapped)
            || cause.downcast_ref().is_some_and(|m: &Malformed| m.is_limit())
    })
}

/// Reads a body to its end.
///
/// # Errors
/// If it is incomplete, or larger than a client reads.
pub async fn whole<B>(body: B) -> anyhow::Result<Bytes>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match as_far(body).await? {
        (read, None) => Ok(read),
        (_, Some(broken)) => Err(broken),
    }
}

/// Reads as much of a body as arrives; also returns the error if it is incomplete.
///
/// # Errors
/// If it is larger than a client reads.
pub async fn as_far<B>(body: B) -> Result<(Bytes, Option<anyhow::Error>), TooLarge>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    const BODY: &str = "an answer";
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    check(BODY, announced)?;
    let mut body = std::pin::pin!(body);
    let mut read = BytesMut::new();
    loop {
        match body.frame().await.map(|frame| frame.map(Frame::into_data)) {
            None => return Ok((read.freeze(), None)),
            Some(Err(e)) => {
                let broken = anyhow::anyhow!(e.into()).context("an answer broke off");
                return Ok((read.freeze(), Some(broken)));
            }
            Some(Ok(Err(_trailers))) => {}
            Some(Ok(Ok(mut data))) => {
                check(BODY, read.len() + data.remaining())?;
                read.put(&mut data);
            }
        }
    }
}

/// Passes on the pieces of an event stream, and fails once an event is larger than a client reads. An event
/// ends with a blank line (WHATWG HTML, section 9.2.5).
pub fn events<S, E>(pieces: S) -> impl Stream<Item = io::Result<Bytes>> + Unpin
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut event = Event::default();
    pieces.map(move |piece| {
        let piece = piece.map_err(io::Error::other)?;
        event.read(&piece).map_err(io::Error::other)?;
        Ok(piece)
    })
}

/// The event being read: its length so far.
#[derive(Debug, Default)]
struct Event {
    length: usize,
    /// The last byte.
    last: u8,
    /// Whether the current line is empty so far.
    blank: bool,
}

impl Event {
    fn read(&mut self, piece: &[u8]) -> Result<(), TooLarge> {
        for byte in piece.iter().copied() {
            self.length += 1;
            match byte {
                // The LF of a CRLF.
                b'\n' if self.last == b'\r' => {}
                b'\n' | b'\r' => {
                    if self.blank {
                        self.length = 0;
                    }
                    self.blank = true;
                }
                _ => self.blank = false,
            }
            self.last = byte;
        }
        check("an event", self.length)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{Full, StreamBody};

    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit() {
        let piece = Bytes::from(vec![b'x'; 1 << 20]);
        let endless = stream::repeat(piece).map(|piece| Ok::<_, io::Error>(Frame::data(piece)));
        let error = whole(StreamBody::new(endless)).await.unwrap_err();
        assert!(is_exceeded(&error), "{error:#}");
        assert!(error.to_string().contains("67108864 bytes"), "{error}");
        assert_eq!(whole(Full::new(Bytes::from_static(b"all"))).await.unwrap(), "all");
        let broken = stream::iter([Err::<Frame<Bytes>, _>(io::Error::other("gone"))]);
        assert!(!is_exceeded(&whole(StreamBody::new(broken)).await.unwrap_err()));
    }

    #[test]
    fn events_may_go_on_for_ever_and_one_event_may_not() {
        for end in ["\n\n", "\r\r", "\r\n\r\n", "\n\r\n"] {
            let mut event = Event::default();
            let bytes = [&vec![b'x'; 1 << 20][..], end.as_bytes()].concat();
            for _ in 0..70 {
                event.read(&bytes).unwrap();
            }
        }
        for line in ["x", "data: x\n", "data\r\n", ":\r"] {
            let mut event = Event::default();
            let bytes = line.repeat((1 << 20) / line.len());
            let read = (0..70).try_for_each(|_| event.read(bytes.as_bytes()));
            assert_eq!(read, Err(TooLarge("an event")), "{line:?}");
        }
    }

    #[test]
    fn a_limit_is_known_whoever_found_it() {
        let capacity = tungstenite::error::CapacityError::MessageTooLong { size: 2, max_size: 1 };
        let found = [
            of_websocket(tungstenite::Error::Capacity(capacity)),
            anyhow::Error::from(Malformed::BodyTooLarge).context("a frame"),
            anyhow::Error::from(TooLarge("a line")).context("/info"),
            io::Error::other(TooLarge("an event")).into(),
        ];
        assert!(found.iter().all(is_exceeded));
        assert!(!is_exceeded(&of_websocket(tungstenite::Error::ConnectionClosed)));
        assert!(!is_exceeded(&Malformed::Escape.into()));
    }
}
