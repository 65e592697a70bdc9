//! Trailers: the fields after the body of an HTTP/2 request. They have no pseudo-header fields (RFC 9113,
//! section 8.1).
//!
//! A request with pseudo-header fields there is malformed, which is a stream error of type PROTOCOL_ERROR
//! (section 8.1.1). h2 checks for the rest of what section 8.2 forbids, also in trailers, but drops these
//! fields silently. It does refuse trailers that do not end their stream. So h2 gets trailers with
//! pseudo-header fields without the END_STREAM flag.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use crate::tap::{Tap, Tapped};
use crate::wire::http2::{
    END_HEADERS, END_STREAM, FrameHeader, FrameType, Hpack, PADDED, PREFACE, PRIORITY, Representation,
};

/// How many bytes are read at a time.
const READ: usize = 8 * 1024;

/// The longest header block that is waited for, in bytes with its frames: h2 ends a connection for less.
const LONGEST: usize = 1024 * 1024;

/// Bytes of a HEADERS frame's priority.
const PRIORITY_BYTES: usize = 5;

/// The offset of a frame's flags.
const FLAGS: usize = 4;

/// A stream from an HTTP/2 client, preface included, whose header blocks are decoded on the way.
pub type Trailers<S> = Tapped<S, Blocks>;

/// The header blocks that arrive.
#[derive(Debug)]
pub struct Blocks {
    /// Bytes that were read and not passed on yet.
    held: Vec<u8>,
    /// How many of them may be passed on.
    ready: usize,
    /// How many of the bytes after those may be passed on, whatever they are.
    pass: usize,
    hpack: Hpack,
    /// The last stream that the client opened.
    newest: u32,
}

/// A complete header block.
struct Block {
    stream: u32,
    /// Bytes of its frames.
    framed: usize,
    fields: Vec<u8>,
}

impl Block {
    /// Reads the block whose HEADERS frame `bytes` begin with; `None` if it is not complete.
    ///
    /// # Errors
    /// If this is no valid block: h2 will report that.
    fn read(bytes: &[u8]) -> Result<Option<Block>, ()> {
        let mut block: Option<Block> = None;
        loop {
            let at = block.as_ref().map_or(0, |block| block.framed);
            let Some(header) = FrameHeader::parse(&bytes[at..]) else {
                return Ok(None);
            };
            let from = at + FrameHeader::SIZE;
            let Some(payload) = bytes.get(from..from + header.len as usize) else {
                return Ok(None);
            };
            let block = match &mut block {
                None => block.insert(Block {
                    stream: header.stream,
                    framed: 0,
                    fields: fragment(&header, payload).ok_or(())?.to_vec(),
                }),
                Some(block) if header.kind == FrameType::Continuation && header.stream == block.stream => {
                    block.fields.extend_from_slice(payload);
                    block
                }
                Some(_) => return Err(()),
            };
            block.framed = from + payload.len();
            if header.has(END_HEADERS) {
                let Block { stream, framed, .. } = *block;
                let fields = std::mem::take(&mut block.fields);
                return Ok(Some(Block {
                    stream,
                    framed,
                    fields,
                }));
            }
        }
    }
}

/// The part of a HEADERS frame's payload that is header block (RFC 9113, section 6.2).
fn fragment<'a>(header: &FrameHeader, payload: &'a [u8]) -> Option<&'a [u8]> {
    let (padding, rest) = match header.has(PADDED) {
        true => payload
            .split_first()
            .map(|(length, rest)| (usize::from(*length), rest))?,
        false => (0, payload),
    };
    let rest = rest.get(if header.has(PRIORITY) { PRIORITY_BYTES } else { 0 }..)?;
    rest.get(..rest.len().checked_sub(padding)?)
}

/// Decodes header blocks on a stream.
pub fn trailers<S>(stream: S) -> Trailers<S> {
    let tap = Blocks {
        held: Vec::new(),
        ready: 0,
        pass: PREFACE.len(),
        hpack: Hpack::new(),
        newest: 0,
    };
    Tapped { stream, tap }
}

impl Blocks {
    /// Finds out how many of the held bytes may be passed on.
    fn look(&mut self) {
        loop {
            let passed = self.pass.min(self.held.len() - self.ready);
            (self.ready, self.pass) = (self.ready + passed, self.pass - passed);
            let next = &self.held[self.ready..];
            let Some(header) = FrameHeader::parse(next).filter(|_| self.pass == 0) else {
                return;
            };
            if header.kind != FrameType::Headers {
                self.pass = FrameHeader::SIZE + header.len as usize;
                continue;
            }
            match Block::read(next) {
                Ok(None) if next.len() <= LONGEST => return,
                Ok(Some(block)) => self.judge(&block),
                Ok(None) | Err(()) => self.pass = usize::MAX,
            }
        }
    }

    /// Lets a block through. If it is trailers with pseudo-header fields, it takes the END_STREAM flag away.
    fn judge(&mut self, block: &Block) {
        // If a block cannot be decoded, h2 ends the connection.
        let Ok(fields) = self.hpack.fields(&block.fields) else {
            self.pass = usize::MAX;
            return;
        };
        self.pass = block.framed;
        if block.stream > self.newest {
            self.newest = block.stream;
            return;
        }
        let is_pseudo = fields.iter().any(|field| {
            field.name.starts_with(b":") && !matches!(field.representation, Representation::SizeUpdate(_))
        });
        if is_pseudo {
            self.held[self.ready + FLAGS] &= !END_STREAM;
        }
    }
}

impl<S> Tap<S> for Blocks {
    fn read(
        &mut self,
        mut stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>>
    where
        S: AsyncRead,
    {
        while self.ready == 0 {
            let mut bytes = [0; READ];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(stream.as_mut().poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                // An incomplete block is not passed on.
                return Poll::Ready(Ok(()));
            }
            self.held.extend_from_slice(read.filled());
            self.look();
        }
        let n = self.ready.min(buf.remaining());
        buf.put_slice(&self.held[..n]);
        self.held.drain(..n);
        self.ready -= n;
        if self.held.is_empty() {
            self.held = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let head = [0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream];
        [&head[..], payload].concat()
    }

    /// What h2 gets if a client sends this in pieces.
    async fn handed(said: &[u8], piece: usize) -> Vec<u8> {
        let (mut client, server) = duplex(64);
        let mut read = Vec::new();
        let mut stream = trailers(server);
        let talk = async {
            for bytes in said.chunks(piece) {
                client.write_all(bytes).await.unwrap();
            }
            client.shutdown().await.unwrap();
        };
        let (_, done) = tokio::join!(talk, stream.read_to_end(&mut read));
        done.unwrap();
        read
    }

    #[tokio::test]
    async fn trailers_with_pseudo_header_fields_end_no_stream_and_all_else_is_as_it_was() {
        const ENDS: u8 = END_STREAM | END_HEADERS;
        let head = [0x83, 0x86, 0x84, 0x41, 1, b'h'];
        let path: &[u8] = &[0x44, 2, b'/', b'x'];
        let before = [
            PREFACE,
            &frame(4, 0, 0, b""),
            &frame(1, END_HEADERS, 1, &[&head[..], path].concat()),
            &frame(0, 0, 1, b"\0\0\x01\x01\x05\0\0\0\x01"),
        ]
        .concat();
        let field = [0, 1, b'x', 1, b'y'];
        let fine: [Vec<u8>; 4] = [
            frame(1, ENDS, 1, &field),
            frame(1, ENDS | PADDED, 1, &[&[3][..], &field, b":::"].concat()),
            [
                frame(1, END_STREAM, 1, &field[..2]),
                frame(9, END_HEADERS, 1, &field[2..]),
            ]
            .concat(),
            // Another request, and a table size update.
            [
                frame(1, ENDS, 3, &head),
                frame(1, ENDS, 1, &[0x20, 0, 1, b'x', 1, b'y']),
            ]
            .concat(),
        ];
        // By the static table, by the dynamic one, as a literal, with padding and priority, in several frames.
        let wrong: [Vec<u8>; 5] = [
            frame(1, ENDS, 1, &[0x83]),
            frame(1, ENDS, 1, &[&[0xBE][..], &field].concat()),
            frame(1, ENDS, 1, &[0, 5, b':', b'p', b'a', b't', b'h', 1, b'/']),
            frame(1, ENDS | PADDED | PRIORITY, 1, &[2, 0, 0, 0, 0, 9, 0x88, 0, 0]),
            [
                frame(1, END_STREAM, 1, &field),
                frame(9, 0, 1, b""),
                frame(9, END_HEADERS, 1, &[0x83]),
            ]
            .concat(),
        ];
        for piece in [1, 7, 1_000] {
            for after in &fine {
                let said = [&before[..], after, &frame(6, 0, 0, b"mailcall")].concat();
                assert_eq!(handed(&said, piece).await, said, "{after:?} in pieces of {piece}");
            }
            for after in &wrong {
                let mut said = [&before[..], after, &frame(6, 0, 0, b"mailcall")].concat();
                let read = handed(&said, piece).await;
                said[before.len() + FLAGS] &= !END_STREAM;
                assert_eq!(read, said, "{after:?} in pieces of {piece}");
            }
        }
    }
}
