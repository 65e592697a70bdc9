//! A parser of frames from a stream.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use super::frame::{Command, Frame, Version};

/// How a stream broke the protocol or exceeded a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not a command of STOMP.
    #[error("unknown command")]
    Command,
    /// A header without a colon, or without a name.
    #[error("a header without name or colon")]
    Header,
    /// A backslash followed by an undefined escape.
    #[error("undefined escape sequence in a header")]
    Escape,
    /// In version 1.2, a CR without an LF.
    #[error("a carriage return without a line feed")]
    CarriageReturn,
    /// Headers that are not UTF-8.
    #[error("headers are not UTF-8")]
    Utf8,
    /// A length that is not a number.
    #[error("content-length is not a number")]
    ContentLength,
    /// No NUL at the place given by `content-length`.
    #[error("no NUL behind the body")]
    Unterminated,
    /// A body in a frame that may not have one.
    #[error("a body in a frame that may not have one")]
    Body,
    /// More headers than allowed.
    #[error("too many headers")]
    TooManyHeaders,
    /// A line longer than allowed.
    #[error("a header line is too long")]
    LineTooLong,
    /// A body larger than allowed.
    #[error("the body is too large")]
    BodyTooLarge,
}

impl Malformed {
    /// Whether a limit was exceeded, instead of a rule broken.
    pub fn is_limit(self) -> bool {
        matches!(
            self,
            Malformed::TooManyHeaders | Malformed::LineTooLong | Malformed::BodyTooLarge
        )
    }
}

/// The limits of a parser (section "Size Limits").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// The most headers in a frame.
    pub headers: usize,
    /// The longest line in bytes, without its end.
    pub line: usize,
    /// The largest body in bytes.
    pub body: usize,
}

/// An item of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A heart-beat: an end of line between frames.
    HeartBeat,
    /// A frame.
    Frame(Frame),
}

/// Reads a stream of frames from pieces of any size.
#[derive(Debug)]
pub struct Parser {
    limits: FrameLimits,
    version: Version,
    bytes: BytesMut,
    /// The number of bytes that were searched without success.
    looked_at: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Between,
    Headers(Frame),
    /// The body; with its length if a header gives it.
    Body(Frame, Option<usize>),
}

impl Parser {
    /// A parser for the beginning of a connection.
    pub fn new(limits: FrameLimits) -> Parser {
        Parser {
            limits,
            // From the first frame on, CR LF may end lines.
            version: Version::V1_2,
            bytes: BytesMut::new(),
            looked_at: 0,
            state: State::Between,
        }
    }

    /// Sets the agreed version, as soon as it is known.
    pub fn speak(&mut self, version: Version) {
        self.version = version;
    }

    /// Adds bytes. All items must be read before more are added: nothing else limits the memory.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether a frame is incomplete.
    pub fn is_midway(&self) -> bool {
        !matches!(self.state, State::Between) || !self.bytes.is_empty()
    }

    /// The next frame or heart-beat; `None` if more bytes are needed.
    ///
    /// # Errors
    /// [`Malformed`], after which nothing more can be read.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator that ends may not go on, this one may"
    )]
    pub fn next(&mut self) -> Result<Option<Item>, Malformed> {
        loop {
            match std::mem::replace(&mut self.state, State::Between) {
                State::Between => {
                    if let Some(beat) = self.between()? {
                        return Ok(Some(beat));
                    }
                    if self.bytes[..] == *b"\r" {
                        return Ok(None);
                    }
                    let Some(line) = self.line()? else { return Ok(None) };
                    let command = Command::named(&line).ok_or(Malformed::Command)?;
                    self.state = State::Headers(Frame::new(command));
                }
                State::Headers(mut frame) => match self.line()? {
                    None => {
                        self.state = State::Headers(frame);
                        return Ok(None);
                    }
                    Some(line) if line.is_empty() => {
                        let length = self.body_length(&frame)?;
                        self.state = State::Body(frame, length);
                    }
                    Some(line) => {
                        if frame.headers.len() >= self.limits.headers {
                            return Err(Malformed::TooManyHeaders);
                        }
                        frame.headers.push(self.header(frame.command, &line)?);
                        self.state = State::Headers(frame);
                    }
                },
                State::Body(mut frame, length) => match self.body(length)? {
                    None => {
                        self.state = State::Body(frame, length);
                        return Ok(None);
                    }
                    Some(body) if body.is_empty() || frame.command.has_body() => {
                        frame.body = body;
                        return Ok(Some(Item::Frame(frame)));
                    }
                    Some(_) => return Err(Malformed::Body),
                },
            }
        }
    }

    /// Reads an end of line between frames. Some 1.1 clients also end heart-beats with CR LF.
    fn between(&mut self) -> Result<Option<Item>, Malformed> {
        let len = match self.bytes[..] {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            [b'\r', _, ..] => return Err(Malformed::CarriageReturn),
            _ => return Ok(None),
        };
        self.bytes.advance(len);
        Ok(Some(Item::HeartBeat))
    }

    /// The next line, without its end.
    fn line(&mut self) -> Result<Option<Bytes>, Malformed> {
        let Some(end) = memchr(b'\n', &self.bytes[self.looked_at..]).map(|n| self.looked_at + n) else {
            self.looked_at = self.bytes.len();
            // A CR may be part of the line's end.
            return if self.looked_at > self.limits.line + 1 {
                Err(Malformed::LineTooLong)
            } else {
                Ok(None)
            };
        };
        self.looked_at = 0;
        let mut line = self.bytes.split_to(end).freeze();
        self.bytes.advance(1);
        if self.version == Version::V1_2 && line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        if line.len() > self.limits.line {
            return Err(Malformed::LineTooLong);
        }
        Ok(Some(line))
    }

    fn header(&self, command: Command, line: &[u8]) -> Result<(String, String), Malformed> {
        let colon = memchr(b':', line).filter(|n| *n > 0).ok_or(Malformed::Header)?;
        if self.version == Version::V1_2 && memchr(b'\r', line).is_some() {
            return Err(Malformed::CarriageReturn);
        }
        let version = Some(self.version).filter(|v| command.escapes(*v));
        let read = |text: &[u8]| match version {
            Some(version) => unescape(text, version),
            // Spaces around names and values, as in the examples of 1.0, belong to neither.
            None if self.version == Version::V1_0 => utf8(text.trim_ascii().to_vec()),
            None => utf8(text.to_vec()),
        };
        Ok((read(&line[..colon])?, read(&line[colon + 1..])?))
    }

    fn body_length(&self, frame: &Frame) -> Result<Option<usize>, Malformed> {
        let Some(length) = frame.header("content-length") else {
            return Ok(None);
        };
        let digits = length.trim_matches(' ');
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Malformed::ContentLength);
        }
        match digits.parse() {
            Ok(length) if length <= self.limits.body => Ok(Some(length)),
            _ => Err(Malformed::BodyTooLarge),
        }
    }

    /// The body, once the NUL after it has arrived.
    fn body(&mut self, length: Option<usize>) -> Result<Option<Bytes>, Malformed> {
        let end = match length {
            Some(length) => match self.bytes.get(length) {
                None => return Ok(None),
                Some(0) => length,
                Some(_) => return Err(Malformed::Unterminated),
            },
            None => match memchr(0, &self.bytes[self.looked_at..]) {
                Some(n) => self.looked_at + n,
                None => {
                    self.looked_at = self.bytes.len();
                    return if self.looked_at > self.limits.body {
                        Err(Malformed::BodyTooLarge)
                    } else {
                        Ok(None)
                    };
                }
            },
        };
        self.looked_at = 0;
        if end > self.limits.body {
            return Err(Malformed::BodyTooLarge);
        }
        let body = self.bytes.split_to(end).freeze();
        self.bytes.advance(1);
        Ok(Some(body))
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, Malformed> {
    String::from_utf8(bytes).map_err(|_| Malformed::Utf8)
}

fn unescape(mut text: &[u8], version: Version) -> Result<String, Malformed> {
    let mut out = Vec::with_capacity(text.len());
    while let Some(n) = memchr(b'\\', text) {
        out.extend_from_slice(&text[..n]);
        out.push(match text.get(n + 1) {
            Some(b'\\') => b'\\',
            Some(b'n') => b'\n',
            Some(b'c') => b':',
            Some(b'r') if version == Version::V1_2 => b'\r',
            _ => return Err(Malformed::Escape),
        });
        text = &text[n + 2..];
    }
    out.extend_from_slice(text);
    utf8(out)
}
