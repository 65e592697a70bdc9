//! Support for close code 1014, which tungstenite does not know.
//!
//! IANA has registered 1012 to 1014 since RFC 6455. tungstenite answers 1014 ("bad gateway") with 1002, as a
//! protocol error. [`Registered`] sits between it and the connection: a 1014 that is read is passed on as
//! 1013, and the library's answer 1013 is sent as 1014. The two differ in bits of their second byte, which
//! can be flipped with or without a mask.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::tap::{Tap, Tapped};
use crate::wire::{HeaderReader, Opcode, Whole};

/// The code 1014, registered with IANA: a gateway received an invalid response.
const BAD_GATEWAY: [u8; 2] = 1014_u16.to_be_bytes();

/// The code 1013, which tungstenite knows.
const TRY_AGAIN_LATER: [u8; 2] = 1013_u16.to_be_bytes();

/// The bits in which the second bytes of the two codes differ.
const DIFFERENCE: u8 = BAD_GATEWAY[1] ^ TRY_AGAIN_LATER[1];

/// A connection on which every registered close code can be received and answered.
pub type Registered<S> = Tapped<S, Codes>;

/// The state of both directions.
#[derive(Debug, Default)]
pub struct Codes {
    read: Frames,
    written: Frames,
    /// Whether the peer has closed with 1014.
    closed: bool,
}

/// Wraps a connection after the opening handshake. `first` holds bytes that were read already.
pub fn registered<S>(stream: S, first: &mut [u8]) -> Registered<S> {
    let mut tap = Codes::default();
    tap.translate(first);
    Tapped { stream, tap }
}

impl Codes {
    /// Replaces 1014 in bytes that were read.
    fn translate(&mut self, bytes: &mut [u8]) {
        if let Some(at) = self.read.find(bytes, BAD_GATEWAY) {
            bytes[at] ^= DIFFERENCE;
            self.closed = true;
        }
    }
}

impl<S> Tap<S> for Codes {
    fn read(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>>
    where
        S: AsyncRead,
    {
        let before = buf.filled().len();
        ready!(stream.poll_read(cx, buf))?;
        self.translate(&mut buf.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }

    fn write(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>
    where
        S: AsyncWrite,
    {
        // One buffer at a time, because any may contain the code.
        let buf = bufs.iter().find(|b| !b.is_empty()).map_or(&[][..], |b| b);
        let code = match self.closed {
            true => self.written.clone().find(buf, TRY_AGAIN_LATER),
            false => None,
        };
        let written = match code {
            Some(at) => {
                let mut ours = buf.to_vec();
                ours[at] ^= DIFFERENCE;
                stream.poll_write(cx, &ours)
            }
            None => stream.poll_write(cx, buf),
        };
        let n = ready!(written)?;
        self.written.find(&buf[..n], TRY_AGAIN_LATER);
        Poll::Ready(Ok(n))
    }

    fn is_vectored(&self, _: &S) -> bool {
        false
    }
}

/// The position of one direction within its frames.
#[derive(Clone, Debug, Default)]
struct Frames {
    header: HeaderReader,
    /// Bytes of the frame's content that have not passed yet.
    left: u64,
    /// The next expected byte of a close frame's code, if this is a close frame.
    code: Code,
    /// Whether the bytes are no valid frames; the library will find that too.
    broken: bool,
}

/// The next byte of a close frame's code, and the key that masks it.
#[derive(Clone, Copy, Debug, Default)]
enum Code {
    #[default]
    None,
    First([u8; 4]),
    Second([u8; 4], u8),
}

impl Frames {
    /// Scans bytes; returns the index at which a close frame's `code` ends.
    fn find(&mut self, bytes: &[u8], code: [u8; 2]) -> Option<usize> {
        let (mut at, mut found) = (0, None);
        while at < bytes.len() && !self.broken {
            if self.left == 0 {
                at += self.header(&bytes[at..]);
                continue;
            }
            match self.code {
                Code::None => {
                    let n = self.left.min((bytes.len() - at) as u64);
                    self.left -= n;
                    at += n as usize;
                    continue;
                }
                Code::First(key) => self.code = Code::Second(key, bytes[at] ^ key[0]),
                Code::Second(key, first) => {
                    found = ([first, bytes[at] ^ key[1]] == code).then_some(at);
                    self.code = Code::None;
                }
            }
            self.left -= 1;
            at += 1;
        }
        found
    }

    /// Reads a part of a header; returns the number of bytes used.
    fn header(&mut self, bytes: &[u8]) -> usize {
        match self.header.feed(bytes) {
            Ok((n, Some(Whole { header, key }))) => {
                self.left = header.len;
                let has_code = header.opcode == Opcode::Close && header.len >= 2;
                self.code = if has_code { Code::First(key) } else { Code::None };
                n
            }
            Ok((n, None)) => n,
            Err(_) => {
                self.broken = true;
                bytes.len()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A server's close frame, unmasked and masked.
    fn closes(code: u16) -> [Vec<u8>; 2] {
        let plain = [&code.to_be_bytes()[..], b"why"].concat();
        let key = [0x37, 0xFA, 0x21, 0x3D];
        let masked = plain.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k);
        [
            [&[0x88, 5][..], &plain].concat(),
            [0x88, 0x85].into_iter().chain(key).chain(masked).collect(),
        ]
    }

    /// Frames whose content looks like a close frame.
    fn before() -> Vec<u8> {
        let text = [&[0x81, 126, 1, 0][..], &closes(1014)[0].repeat(43)[..256]].concat();
        [&[0x89, 0][..], &text, &[0x82, 3, 3, 0xF6, 0]].concat()
    }

    #[tokio::test]
    async fn a_code_is_changed_and_changed_back_however_it_is_cut() {
        for masked in [0, 1] {
            for piece in [1, 2, 3, 7, 1_000] {
                let theirs = [before(), closes(1014)[masked].clone()].concat();
                let (mut peer, ours) = tokio::io::duplex(4_096);
                let mut first = theirs[..20].to_vec();
                let mut socket = registered(ours, &mut first);
                for bytes in theirs[20..].chunks(piece) {
                    peer.write_all(bytes).await.unwrap();
                    let mut heard = vec![0; bytes.len()];
                    socket.read_exact(&mut heard).await.unwrap();
                    first.extend(heard);
                }
                assert_eq!(first, [before(), closes(1013)[masked].clone()].concat());
                let answer = [before(), closes(1013)[1 - masked].clone()].concat();
                for bytes in answer.chunks(piece) {
                    socket.write_all(bytes).await.unwrap();
                }
                let mut heard = vec![0; answer.len()];
                peer.read_exact(&mut heard).await.unwrap();
                assert_eq!(heard, [before(), closes(1014)[1 - masked].clone()].concat());
            }
        }
    }

    #[tokio::test]
    async fn every_other_code_is_left_alone() {
        for code in [1000, 1012, 1013, 1015, 3000] {
            let theirs = closes(code)[0].clone();
            let (mut peer, ours) = tokio::io::duplex(64);
            let mut first = theirs.clone();
            let mut socket = registered(ours, &mut first);
            assert_eq!(first, theirs);
            socket.write_all(&closes(code)[1]).await.unwrap();
            let mut heard = vec![0; closes(code)[1].len()];
            peer.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, closes(code)[1]);
        }
    }
}
