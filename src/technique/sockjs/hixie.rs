//! The WebSocket that browsers had before 2012 (draft-hixie-thewebsocketprotocol-76), for which the protocol's
//! tests still have a section. Its frames are text between two marks, `00 … ff`; `ff 00` is the last of either
//! side. The session itself speaks as the RFC has it, to a translator in between.

use std::io;
use std::time::Duration;

use axum::extract::Request;
use bytes::{Buf, BufMut, BytesMut};
use futures_util::{SinkExt, StreamExt};
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, UPGRADE};
use md5::{Digest, Md5};
use memchr::memchr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::codec::{Decoder, Encoder, Framed};

use super::super::service::Stream;
use super::super::ws;

const KEY1: HeaderName = HeaderName::from_static("sec-websocket-key1");
const KEY2: HeaderName = HeaderName::from_static("sec-websocket-key2");
const LOCATION: HeaderName = HeaderName::from_static("sec-websocket-location");
const FROM: HeaderName = HeaderName::from_static("sec-websocket-origin");

/// Bytes on their way between a session and its translator.
const BETWEEN: usize = 64 * 1024;

/// Whether a handshake is of this kind.
pub fn is_asked_for(fields: &HeaderMap) -> bool {
    fields.contains_key(KEY1)
}

/// What a client's two keys come to (section 5.2, steps 4 to 7 of the draft).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys([u32; 2]);

impl Keys {
    /// Reads them; `None` if there is no sense in them.
    pub fn of(fields: &HeaderMap) -> Option<Keys> {
        let part = |name| part(fields.get(name)?.to_str().ok()?);
        Some(Keys([part(KEY1)?, part(KEY2)?]))
    }

    /// What proves that they were understood, and the eight bytes behind the request's head.
    fn answer(self, token: [u8; 8]) -> [u8; 16] {
        let [first, second] = self.0.map(u32::to_be_bytes);
        Md5::digest([&first[..], &second, &token].concat()).into()
    }
}

/// A key's digits are a number, and its spaces how often that is to be divided.
fn part(key: &str) -> Option<u32> {
    let digits: String = key.chars().filter(char::is_ascii_digit).collect();
    let number: u64 = digits.parse().ok()?;
    let spaces = key.chars().filter(|c| *c == ' ').count() as u64;
    let divides = spaces > 0 && number.is_multiple_of(spaces);
    divides.then(|| u32::try_from(number / spaces).ok()).flatten()
}

/// The fields of the answer that accepts, if the request says where it goes and where it is from.
pub fn accepted(request: &Request) -> Option<HeaderMap> {
    let fields = request.headers();
    let authority = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => fields.get(HOST)?.to_str().ok()?,
    };
    let target = request.uri().path_and_query()?;
    let location = HeaderValue::from_str(&format!("ws://{authority}{target}")).ok()?;
    Some(HeaderMap::from_iter([
        (UPGRADE, HeaderValue::from_static("WebSocket")),
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (LOCATION, location),
        (FROM, fields.get(ORIGIN)?.clone()),
    ]))
}

/// Finishes the handshake, and has a `session` with the client, whose messages have at most so many bytes. The
/// token behind the request may be long in coming (a proxy may wait for the answer's head first), but not for
/// ever.
pub async fn translate<F: Future<Output = ()>>(
    mut io: Stream,
    keys: Keys,
    most: usize,
    patience: Duration,
    session: impl FnOnce(Stream) -> F,
) {
    let mut token = [0; 8];
    let shaken = timeout(patience, async {
        io.read_exact(&mut token).await?;
        io.write_all(&keys.answer(token)).await?;
        io.flush().await
    });
    if !matches!(shaken.await, Ok(Ok(()))) {
        return;
    }
    let (ours, theirs) = tokio::io::duplex(BETWEEN);
    tokio::join!(session(Box::new(ours)), carry(io, Box::new(theirs), most));
}

/// Carries messages both ways, neither waiting for the other, until one side has said all and the other has
/// had time to.
async fn carry(io: Stream, session: Stream, most: usize) {
    let session = ws::over(session, &[], Role::Client, (most, ws::SERVER_READ_BUFFER)).await;
    let (mut tell_session, mut said_by_session) = session.split();
    let (mut tell_client, mut said_by_client) = Framed::new(io, Frames { most }).split();
    let up = async {
        while let Some(Ok(Frame::Text(text))) = said_by_client.next().await {
            if tell_session.send(Message::text(text)).await.is_err() {
                return;
            }
        }
        // The session need not know whether it said goodbye, left, or made no sense any more.
        let _ = tell_session.close().await;
    };
    let down = async {
        while let Some(Ok(message)) = said_by_session.next().await {
            let told = match message {
                Message::Text(text) => tell_client.send(Frame::Text(text.to_string())).await,
                Message::Close(_) => tell_client.send(Frame::Close).await,
                _ => Ok(()),
            };
            if told.is_err() {
                return;
            }
        }
        // It is gone either way.
        let _ = tell_client.close().await;
    };
    tokio::pin!(up, down);
    tokio::select! {
        biased;
        () = &mut up => drop(timeout(ws::CLOSING, down).await),
        () = &mut down => drop(timeout(ws::CLOSING, up).await),
    }
}

/// What either side says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Frame {
    Text(String),
    Close,
}

/// Reads and writes them.
struct Frames {
    most: usize,
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl Decoder for Frames {
    type Item = Frame;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Frame>> {
        match (bytes.first(), bytes.get(1)) {
            (Some(0xff), Some(0)) => {
                bytes.advance(2);
                Ok(Some(Frame::Close))
            }
            (None, _) | (Some(0xff), None) => Ok(None),
            (Some(0), _) => match memchr(0xff, bytes) {
                Some(end) if end - 1 <= self.most => {
                    let frame = bytes.split_to(end + 1);
                    let text = str::from_utf8(&frame[1..end]).map_err(|_| broken("not UTF-8"))?;
                    Ok(Some(Frame::Text(text.to_owned())))
                }
                None if bytes.len() <= self.most => Ok(None),
                _ => Err(broken("too large")),
            },
            _ => Err(broken("no frame of text")),
        }
    }
}

impl Encoder<Frame> for Frames {
    type Error = io::Error;

    fn encode(&mut self, frame: Frame, out: &mut BytesMut) -> io::Result<()> {
        match frame {
            Frame::Text(text) => {
                out.reserve(text.len() + 2);
                out.put_u8(0);
                out.put_slice(text.as_bytes());
                out.put_u8(0xff);
            }
            Frame::Close => out.put_slice(&[0xff, 0]),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The handshake of section 1.2 of the draft.
    #[test]
    fn the_drafts_own_handshake_is_answered() {
        let keys = [
            (KEY1, "18x 6]8vM;54 *(5:  {   U1]8  z [  8"),
            (KEY2, "1_ tx7X d  <  nw  334J702) 7]o}` 0"),
        ];
        let fields = HeaderMap::from_iter(keys.map(|(name, key)| (name, HeaderValue::from_static(key))));
        let keys = Keys::of(&fields).unwrap();
        assert_eq!(keys.answer(*b"Tm[K T2u"), *b"fQJ,fN/4F4!~K~MH");
        assert_eq!(
            (part("12 3"), part("123"), part("1 2 3"), part("  ")),
            (Some(123), None, None, None)
        );
    }

    #[test]
    fn frames_are_cut_out_of_what_comes() {
        let mut frames = Frames { most: 4 };
        let mut bytes = BytesMut::from(&b"\0one\xff\0\xff\xff\0\0tw"[..]);
        let mut next = || frames.decode(&mut bytes);
        assert_eq!(next().unwrap(), Some(Frame::Text("one".into())));
        assert_eq!(next().unwrap(), Some(Frame::Text(String::new())));
        assert_eq!(next().unwrap(), Some(Frame::Close));
        assert_eq!(next().unwrap(), None);
        for broken in [
            &b"\0large\xff"[..],
            b"\0endless",
            b"\x80\x01a",
            b"\0\xc3\xff",
            b"\xff\x01",
        ] {
            assert!(frames.decode(&mut BytesMut::from(broken)).is_err(), "{broken:?}");
        }
    }
}
