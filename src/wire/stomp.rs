//! STOMP 1.2, and 1.1 and 1.0 where a peer knows no more: frames of text with a body of any bytes
//! (STOMP Protocol Specification, Version 1.2; <https://stomp.github.io>).
//!
//! ```text
//! MESSAGE                     the command
//! subscription:sub-0          headers: name, colon, value
//! message-id:1
//! content-length:300
//!                             an empty line
//! {"id":1,…}^@                the body, and a NUL
//! ```
//!
//! What the versions differ in here is the text of headers and the end of lines:
//!
//! | | `\\` `\n` `\c` in headers | `\r` too | CR LF ends a line |
//! | --- | --- | --- | --- |
//! | 1.0 | as they are | no | no |
//! | 1.1 | stand for `\`, LF and `:` | no | no |
//! | 1.2 | stand for `\`, LF and `:` | CR | or LF alone |
//!
//! CONNECT and CONNECTED escape nothing in any version (section "Value Encoding"), because the version
//! is not known before them.

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memchr_iter};

use super::layers::{Carried, Layer, Span, message};
use super::notice::is_notice;
use super::{Direction, Kind, Label};

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 1.0, which a client means that says nothing of versions.
    V1_0,
    /// 1.1: escapes, heart-beats, NACK, and every subscription has an id.
    V1_1,
    /// 1.2: `\r`, CR LF, and what is acknowledged has an id of its own.
    V1_2,
}

impl Version {
    /// All of them, the newest first.
    pub const ALL: [Version; 3] = [Version::V1_2, Version::V1_1, Version::V1_0];

    /// As `accept-version` and `version` have it.
    pub fn name(self) -> &'static str {
        match self {
            Version::V1_0 => "1.0",
            Version::V1_1 => "1.1",
            Version::V1_2 => "1.2",
        }
    }

    /// As a WebSocket's subprotocol (registered with IANA).
    pub fn subprotocol(self) -> &'static str {
        match self {
            Version::V1_0 => "v10.stomp",
            Version::V1_1 => "v11.stomp",
            Version::V1_2 => "v12.stomp",
        }
    }

    /// The newest version in a comma-separated list that is spoken here.
    pub fn best_of(list: &str) -> Option<Version> {
        let offered = |v: &Version| list.split(',').any(|name| name.trim() == v.name());
        Version::ALL.into_iter().find(offered)
    }
}

/// What a frame asks for or tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are the specification's own words")]
pub enum Command {
    Connect,
    Stomp,
    Connected,
    Send,
    Subscribe,
    Unsubscribe,
    Ack,
    Nack,
    Begin,
    Commit,
    Abort,
    Disconnect,
    Message,
    Receipt,
    Error,
}

impl Command {
    /// All of them.
    pub const ALL: [Command; 15] = [
        Command::Connect,
        Command::Stomp,
        Command::Connected,
        Command::Send,
        Command::Subscribe,
        Command::Unsubscribe,
        Command::Ack,
        Command::Nack,
        Command::Begin,
        Command::Commit,
        Command::Abort,
        Command::Disconnect,
        Command::Message,
        Command::Receipt,
        Command::Error,
    ];

    /// As it stands in a frame.
    pub fn name(self) -> &'static str {
        match self {
            Command::Connect => "CONNECT",
            Command::Stomp => "STOMP",
            Command::Connected => "CONNECTED",
            Command::Send => "SEND",
            Command::Subscribe => "SUBSCRIBE",
            Command::Unsubscribe => "UNSUBSCRIBE",
            Command::Ack => "ACK",
            Command::Nack => "NACK",
            Command::Begin => "BEGIN",
            Command::Commit => "COMMIT",
            Command::Abort => "ABORT",
            Command::Disconnect => "DISCONNECT",
            Command::Message => "MESSAGE",
            Command::Receipt => "RECEIPT",
            Command::Error => "ERROR",
        }
    }

    /// Reads the name; case matters.
    pub fn named(name: &[u8]) -> Option<Command> {
        Command::ALL.into_iter().find(|c| c.name().as_bytes() == name)
    }

    /// Whether frames of this kind may have a body.
    pub fn has_body(self) -> bool {
        matches!(self, Command::Send | Command::Message | Command::Error)
    }

    /// Whether its headers are escaped in `version`.
    fn escapes(self, version: Version) -> bool {
        let opens = matches!(self, Command::Connect | Command::Stomp | Command::Connected);
        version > Version::V1_0 && !opens
    }
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub command: Command,
    /// Its headers in order, unescaped. Where a name is repeated, the first counts.
    pub headers: Vec<(String, String)>,
    /// Its body; empty for none.
    pub body: Bytes,
}

impl Frame {
    /// A frame without headers and body.
    pub fn new(command: Command) -> Frame {
        Frame {
            command,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// The same with one more header.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Frame {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same with a body and its length; what `kind` of content it is goes before.
    pub fn containing(self, kind: &str, body: impl Into<Bytes>) -> Frame {
        let body = body.into();
        let frame = self
            .with("content-type", kind)
            .with("content-length", body.len().to_string());
        Frame { body, ..frame }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// As bytes: lines end with LF alone, which every version reads.
    ///
    /// In 1.0 there is no way to write a line end or, in a name, a colon; what cannot be written is left
    /// out.
    pub fn to_bytes(&self, version: Version) -> Bytes {
        let mut out = Vec::with_capacity(self.body.len() + 64 * (self.headers.len() + 1));
        out.extend_from_slice(self.command.name().as_bytes());
        out.push(b'\n');
        let escapes = self.command.escapes(version);
        for (name, value) in &self.headers {
            write_text(name, escapes.then_some(version), true, &mut out);
            out.push(b':');
            write_text(value, escapes.then_some(version), false, &mut out);
            out.push(b'\n');
        }
        out.push(b'\n');
        out.extend_from_slice(&self.body);
        out.push(0);
        out.into()
    }
}

/// What a client or server says when it has nothing else to say.
pub const HEART_BEAT: &[u8] = b"\n";

/// Writes a name or a value, escaped as `version` does it, if it does. A colon in a value that is not
/// escaped is readable: the first in the line ends the name.
fn write_text(text: &str, version: Option<Version>, is_name: bool, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        let escaped = match (byte, version) {
            (b'\\', Some(_)) => b'\\',
            (b'\n', Some(_)) => b'n',
            (b':', Some(_)) => b'c',
            (b'\r', Some(Version::V1_2)) => b'r',
            (b'\n' | b'\0', _) => continue,
            (b':', None) if is_name => continue,
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', escaped]);
    }
}

/// How a stream broke the protocol, or what was too much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not a command of STOMP's.
    #[error("unknown command")]
    Command,
    /// A header without a colon, or without a name.
    #[error("a header without name or colon")]
    Header,
    /// A backslash with what stands for nothing behind it.
    #[error("undefined escape sequence in a header")]
    Escape,
    /// A CR that no LF follows, in 1.2.
    #[error("a carriage return without a line feed")]
    CarriageReturn,
    /// Headers that are not UTF-8.
    #[error("headers are not UTF-8")]
    Utf8,
    /// A length that is no number.
    #[error("content-length is not a number")]
    ContentLength,
    /// No NUL where `content-length` puts it.
    #[error("no NUL behind the body")]
    Unterminated,
    /// A body where there may be none.
    #[error("a body in a frame that may not have one")]
    Body,
    /// More headers than are taken.
    #[error("too many headers")]
    TooManyHeaders,
    /// A line that is longer than is taken.
    #[error("a header line is too long")]
    LineTooLong,
    /// A body that is larger than is taken.
    #[error("the body is too large")]
    BodyTooLarge,
}

impl Malformed {
    /// Whether it is a limit that was exceeded, rather than a rule broken.
    pub fn is_limit(self) -> bool {
        matches!(
            self,
            Malformed::TooManyHeaders | Malformed::LineTooLong | Malformed::BodyTooLarge
        )
    }
}

/// What is put up with (section "Size Limits").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Headers in a frame.
    pub headers: usize,
    /// Bytes of a line, its end not included.
    pub line: usize,
    /// Bytes of a body.
    pub body: usize,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An end of line between frames.
    HeartBeat,
    /// A frame.
    Frame(Frame),
}

/// Reads a stream of frames, however it is cut.
#[derive(Debug)]
pub struct Parser {
    limits: Limits,
    version: Version,
    bytes: BytesMut,
    /// How many of the bytes are known not to hold what is looked for.
    looked_at: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Between,
    Headers(Frame),
    /// With its body's length, if it says so.
    Body(Frame, Option<usize>),
}

impl Parser {
    /// Reads from the beginning of a connection.
    pub fn new(limits: Limits) -> Parser {
        Parser {
            limits,
            // CR LF may end lines from the first frame on.
            version: Version::V1_2,
            bytes: BytesMut::new(),
            looked_at: 0,
            state: State::Between,
        }
    }

    /// Says which version was agreed on, as soon as it is.
    pub fn speak(&mut self, version: Version) {
        self.version = version;
    }

    /// Takes more bytes. Read what is in them before taking more: nothing else bounds what is held.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether it has read a frame's beginning and not its end.
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

    /// Reads an end of line between frames. Some 1.1 clients end heart-beats with CR LF too.
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
            // A CR may belong to the line's end.
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
            // What 1.0's own examples have round names and values belongs to neither.
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

    /// The body, once the NUL behind it is there.
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

/// Whether a message is STOMP's: a command or an end of line.
pub(super) fn begins(message: &[u8]) -> bool {
    let line = message.split(|b| matches!(b, b'\r' | b'\n')).next();
    line.is_some_and(|line| line.len() < message.len() && (line.is_empty() || Command::named(line).is_some()))
}

/// How the meter reads a message that holds STOMP: most often one frame, or an end of line.
///
/// MESSAGE and SEND carry what applications say, and what is round that is framing; every other frame is
/// control. A frame that is cut over several messages is told apart only in the first of them.
#[derive(Debug)]
pub(super) struct Stomp;

impl Layer for Stomp {
    fn unit(&self, _bytes: &[u8], _from: usize, _sender: Direction) -> Option<usize> {
        None
    }

    fn label(&self, unit: &[u8], carried: Carried, spans: &mut Vec<Span>) {
        let beats = line_ends(unit);
        push(spans, beats, Label::Control, Kind::Heartbeat);
        let mut rest = &unit[beats..];
        while !rest.is_empty() {
            let n = label_frame(rest, carried, spans);
            rest = &rest[n..];
        }
    }
}

fn push(spans: &mut Vec<Span>, len: usize, label: Label, kind: Kind) {
    if len > 0 {
        spans.push(Span::new(len, label, kind));
    }
}

fn line_ends(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count()
}

/// Labels a frame and the line ends behind it; says how many bytes that was.
fn label_frame(bytes: &[u8], carried: Carried, spans: &mut Vec<Span>) -> usize {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let command = Command::named(line.strip_suffix(b"\r").unwrap_or(line));
    let head = match command {
        Some(_) => head_len(bytes),
        None => 0,
    };
    let length = content_length(&bytes[..head]);
    let rest = &bytes[head..];
    let body = match (length, memchr(0, rest)) {
        (Some(length), _) if length < rest.len() => length,
        (Some(_), _) | (None, None) => rest.len(),
        (None, Some(nul)) => nul,
    };
    let (body, rest) = rest.split_at(body);
    let says_so = is_notice(body) || value(&bytes[..head], RESET.as_bytes()).is_some();
    let label = match command {
        Some(Command::Message) if says_so && carried.sender == Direction::Down => Label::Control,
        Some(Command::Message | Command::Send) | None => Label::Framing,
        Some(_) => Label::Control,
    };
    match command {
        Some(Command::Subscribe) => label_subscribe(&bytes[..head], spans),
        _ => push(spans, head, label, Kind::StompHead),
    }
    match command {
        Some(Command::Send) if is_for_application(&bytes[..head]) => {
            push(spans, body.len(), Label::Payload, Kind::Reply);
        }
        Some(Command::Message | Command::Send) | None => label_mail(body, carried, spans),
        Some(_) => push(spans, body.len(), Label::Control, Kind::StompBody),
    }
    let end = rest.len().min(1) + line_ends(rest.get(1..).unwrap_or_default());
    push(spans, end, label, Kind::StompEnd);
    head + body.len() + end
}

/// Bytes from the command through the blank line, or all there are.
fn head_len(bytes: &[u8]) -> usize {
    let blank = memchr_iter(b'\n', bytes).find_map(|n| match &bytes[n + 1..] {
        [b'\n', ..] => Some(n + 2),
        [b'\r', b'\n', ..] => Some(n + 3),
        _ => None,
    });
    blank.unwrap_or(bytes.len())
}

/// The value of the first header of a name.
fn value<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut lines = head.split(|b| *b == b'\n').skip(1);
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(b":"))?;
    Some(value.strip_suffix(b"\r").unwrap_or(value))
}

fn content_length(head: &[u8]) -> Option<usize> {
    std::str::from_utf8(value(head, b"content-length")?)
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Where a client's application speaks to the server's, as Spring has it.
pub const APPLICATION: &str = "/app/";

fn is_for_application(head: &[u8]) -> bool {
    value(head, b"destination").is_some_and(|d| d.starts_with(APPLICATION.as_bytes()))
}

/// The header of a MESSAGE that says that the cursor is of no log here, and which one follows.
pub const RESET: &str = "reset";

/// The header of a SUBSCRIBE that says how far the client has read: ours, as the protocol allows.
pub const AFTER: &str = "after";

/// A SUBSCRIBE's head, the cursor in it told apart.
fn label_subscribe(head: &[u8], spans: &mut Vec<Span>) {
    let cursor = value(head, AFTER.as_bytes()).map(|value| {
        // A part of the head.
        let at = value.as_ptr() as usize - head.as_ptr() as usize;
        (at - AFTER.len() - 1, AFTER.len() + 1 + value.len())
    });
    let (before, len) = cursor.unwrap_or((head.len(), 0));
    push(spans, before, Label::Control, Kind::StompHead);
    push(spans, len, Label::Control, Kind::Cursor);
    push(spans, head.len() - before - len, Label::Control, Kind::StompHead);
}

/// A mail as text, or in a binary message with its length before it.
fn label_mail(body: &[u8], carried: Carried, spans: &mut Vec<Span>) {
    let binary = body.split_first_chunk::<4>().filter(|_| carried.binary);
    match binary.map(|(length, rest)| (u32::from_be_bytes(*length) as usize, rest)) {
        Some((json, rest)) if rest.len() >= json && rest.starts_with(b"{") => {
            push(spans, 4, Label::Framing, Kind::MailLength);
            push(spans, json, Label::Payload, Kind::Mail);
            push(spans, rest.len() - json, Label::Payload, Kind::Attachment);
        }
        // What a client sends to others is read as what it will be when they get it.
        _ if !is_notice(body) || carried.sender == Direction::Down => {
            message(body, Direction::Down, spans);
        }
        _ => push(spans, body.len(), Label::Payload, Kind::Mail),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        headers: 4,
        line: 40,
        body: 300,
    };

    fn parser(version: Version) -> Parser {
        let mut parser = Parser::new(LIMITS);
        parser.speak(version);
        parser
    }

    fn drain(parser: &mut Parser, items: &mut Vec<Item>) -> Result<(), Malformed> {
        while let Some(item) = parser.next()? {
            items.push(item);
        }
        Ok(())
    }

    /// Reads it in pieces of so many bytes.
    fn read(version: Version, bytes: &[u8], piece: usize) -> Result<Vec<Item>, Malformed> {
        let (mut parser, mut items) = (parser(version), Vec::new());
        for piece in bytes.chunks(piece) {
            parser.feed(piece);
            drain(&mut parser, &mut items)?;
        }
        Ok(items)
    }

    fn frame(command: Command, headers: &[(&str, &str)], body: &[u8]) -> Frame {
        let headers = headers.iter().map(|(n, v)| ((*n).into(), (*v).into()));
        Frame {
            command,
            headers: headers.collect(),
            body: Bytes::copy_from_slice(body),
        }
    }

    use Version::{V1_0, V1_1, V1_2};

    /// What is written, in which version, and what is read; where the writer gives the same bytes, it is
    /// said so.
    fn vectors() -> Vec<(Version, &'static [u8], Frame, bool)> {
        let message = |headers| frame(Command::Message, headers, b"");
        vec![
            (V1_2, b"MESSAGE\n\n\0", message(&[]), true),
            (
                V1_2,
                b"MESSAGE\ndestination:foo\nmessage-id:456\n\n\0",
                message(&[("destination", "foo"), ("message-id", "456")]),
                true,
            ),
            (
                V1_2,
                b"MESSAGE\r\ndestination:bar\r\nmessage-id:203\r\n\r\nHello\r\n\0",
                frame(
                    Command::Message,
                    &[("destination", "bar"), ("message-id", "203")],
                    b"Hello\r\n",
                ),
                false,
            ),
            (
                V1_2,
                b"MESSAGE\na:foo:bar:baz\n\n\0",
                message(&[("a", "foo:bar:baz")]),
                false,
            ),
            (
                V1_2,
                b"MESSAGE\na:\nb: x \n\n\0",
                message(&[("a", ""), ("b", " x ")]),
                true,
            ),
            (
                V1_2,
                b"MESSAGE\na\\cb:f\\co\\nb\\rz\\\\\n\n\0",
                message(&[("a:b", "f:o\nb\rz\\")]),
                true,
            ),
            (
                V1_1,
                b"MESSAGE\na:f\\co\\nb\rz\\\\\n\n\0",
                message(&[("a", "f:o\nb\rz\\")]),
                true,
            ),
            (V1_1, b"MESSAGE\na:b\r\n\n\0", message(&[("a", "b\r")]), true),
            (
                V1_0,
                b"MESSAGE\na:\\n\\q:\\\n\n\0",
                message(&[("a", "\\n\\q:\\")]),
                true,
            ),
            (V1_0, b"MESSAGE\n a : b c \n\n\0", message(&[("a", "b c")]), false),
            (
                V1_2,
                b"CONNECT\nlogin:a\\b\npasscode: \\q:\n\n\0",
                frame(Command::Connect, &[("login", "a\\b"), ("passcode", " \\q:")], b""),
                true,
            ),
            (
                V1_2,
                b"CONNECTED\nsession:a:b\n\n\0",
                frame(Command::Connected, &[("session", "a:b")], b""),
                true,
            ),
            (V1_2, b"STOMP\n\n\0", frame(Command::Stomp, &[], b""), true),
            (
                V1_2,
                b"SEND\ncontent-length:5\n\na\0\0\nb\0",
                frame(Command::Send, &[("content-length", "5")], b"a\0\0\nb"),
                true,
            ),
            (
                V1_2,
                b"SEND\na:World\na:Hello\ncontent-length:0\ncontent-length:9\n\n\0",
                frame(
                    Command::Send,
                    &[
                        ("a", "World"),
                        ("a", "Hello"),
                        ("content-length", "0"),
                        ("content-length", "9"),
                    ],
                    b"",
                ),
                true,
            ),
            (
                V1_2,
                "ERROR\nmessage:\u{444}\u{2116}\n\n\u{ae}\0".as_bytes(),
                frame(
                    Command::Error,
                    &[("message", "\u{444}\u{2116}")],
                    "\u{ae}".as_bytes(),
                ),
                true,
            ),
        ]
    }

    #[test]
    fn frames_are_read_however_they_are_cut_and_written_again() {
        for (version, bytes, frame, is_canonical) in vectors() {
            let trailing = [bytes, b"\n\r\n", bytes].concat();
            let alone = vec![Item::Frame(frame.clone())];
            let twice = [&alone[..], &[Item::HeartBeat, Item::HeartBeat], &alone[..]].concat();
            for piece in 1..=trailing.len() {
                assert_eq!(read(version, bytes, piece), Ok(alone.clone()), "{frame:?}");
                assert_eq!(read(version, &trailing, piece), Ok(twice.clone()), "{frame:?}");
            }
            let written = frame.to_bytes(version);
            assert_eq!(written == bytes, is_canonical, "{written:?}");
            assert_eq!(read(version, &written, 1), Ok(alone), "{written:?}");
        }
    }

    #[test]
    fn half_a_frame_is_waited_for() {
        let whole = b"SEND\ncontent-length:3\n\nabc\0";
        for n in 1..whole.len() {
            let mut parser = parser(V1_2);
            parser.feed(&whole[..n]);
            assert_eq!(parser.next(), Ok(None));
            assert!(parser.is_midway());
            parser.feed(&whole[n..]);
            assert!(matches!(parser.next(), Ok(Some(Item::Frame(_)))) && !parser.is_midway());
        }
    }

    #[test]
    fn the_first_of_repeated_headers_counts() {
        let frame = Frame::new(Command::Message)
            .with("foo", "World")
            .with("foo", "Hello");
        assert_eq!(frame.header("foo"), Some("World"));
        assert_eq!(frame.header("Foo"), None, "case matters");
    }

    #[test]
    fn what_breaks_the_protocol_is_named() {
        let long = [b"SEND\na:", &[b'x'; 39][..], b"\n\n\0"].concat();
        let endless = [b'S'; 60];
        let large = [b"SEND\n\n", &[b'x'; 301][..], b"\0"].concat();
        let vectors: [(Version, &[u8], Malformed); 23] = [
            (V1_2, b"HELLO\n\n\0", Malformed::Command),
            (V1_2, b"send\n\n\0", Malformed::Command),
            (V1_2, b"GET / HTTP/1.1\r\n\r\n", Malformed::Command),
            (V1_1, b"SEND\r\n\r\n\0", Malformed::Command),
            (V1_2, b"\0\n", Malformed::Command),
            (V1_2, b"SEND\nheader\n\n\0", Malformed::Header),
            (V1_2, b"SEND\n:value\n\n\0", Malformed::Header),
            (V1_2, b"SEND\na:\\t\n\n\0", Malformed::Escape),
            (V1_2, b"SEND\na\\:b\n\n\0", Malformed::Escape),
            (V1_2, b"SEND\na:\\\n\n\0", Malformed::Escape),
            (V1_1, b"SEND\na:\\r\n\n\0", Malformed::Escape),
            (V1_2, b"SEND\na:b\rc\n\n\0", Malformed::CarriageReturn),
            (V1_2, b"\rSEND\n\n\0", Malformed::CarriageReturn),
            (V1_2, b"SEND\na:\xff\n\n\0", Malformed::Utf8),
            (V1_2, b"SEND\ncontent-length:\n\n\0", Malformed::ContentLength),
            (V1_2, b"SEND\ncontent-length:-1\n\n\0", Malformed::ContentLength),
            (V1_2, b"SEND\ncontent-length:1\n\nab\0", Malformed::Unterminated),
            (V1_2, b"SUBSCRIBE\n\nbody\0", Malformed::Body),
            (
                V1_2,
                b"SEND\na:1\na:1\na:1\na:1\na:1\n\n\0",
                Malformed::TooManyHeaders,
            ),
            (V1_2, &long, Malformed::LineTooLong),
            (V1_2, &endless, Malformed::LineTooLong),
            (V1_2, &large, Malformed::BodyTooLarge),
            (
                V1_2,
                b"SEND\ncontent-length:99999999999999999999\n\n",
                Malformed::BodyTooLarge,
            ),
        ];
        for (version, bytes, malformed) in vectors {
            for piece in [1, 7, bytes.len()] {
                assert_eq!(read(version, bytes, piece), Err(malformed), "{bytes:?}");
            }
        }
        assert!(Malformed::BodyTooLarge.is_limit() && !Malformed::Escape.is_limit());
    }

    #[test]
    fn a_body_that_never_ends_is_not_kept_for_ever() {
        let mut parser = parser(V1_2);
        parser.feed(b"SEND\n\n");
        let fed = (1..1_000).find(|_| {
            parser.feed(b"x");
            parser.next().is_err()
        });
        assert_eq!(fed, Some(301));
    }

    #[test]
    fn the_newest_common_version_is_spoken() {
        for (list, version) in [
            ("1.0,1.1,1.2", Some(V1_2)),
            ("1.0, 1.1,2.0", Some(V1_1)),
            ("1.0", Some(V1_0)),
            ("2.0,11", None),
            ("", None),
        ] {
            assert_eq!(Version::best_of(list), version, "{list}");
        }
    }

    #[test]
    fn what_cannot_be_written_does_not_break_the_frame() {
        let frame = Frame::new(Command::Message)
            .with("a:\nb", "c\nd\0")
            .containing("text/plain", &b"\0"[..]);
        for (version, name, value) in [
            (V1_0, "ab", "cd"),
            (V1_1, "a:\nb", "c\nd"),
            (V1_2, "a:\nb", "c\nd"),
        ] {
            let items = read(version, &frame.to_bytes(version), 1).unwrap();
            let [Item::Frame(read)] = &items[..] else {
                panic!("{items:?}")
            };
            assert_eq!(
                (read.headers[0].0.as_str(), read.headers[0].1.as_str()),
                (name, value)
            );
            assert_eq!(&read.body[..], b"\0");
        }
    }

    /// The runs of a message: where each begins, and what it is.
    fn labelled(unit: &[u8], sender: Direction, binary: bool) -> Vec<(usize, Label, Kind)> {
        let mut spans = Vec::new();
        let carried = Carried { sender, binary };
        Stomp.label(unit, carried, &mut spans);
        let mut at = 0;
        let mut starts = Vec::new();
        for span in &spans {
            starts.push((at, span.label, span.kind));
            at += span.len;
        }
        assert_eq!(at, unit.len(), "{spans:?}");
        starts
    }

    const DOWN: Direction = Direction::Down;
    const UP: Direction = Direction::Up;

    #[test]
    fn a_message_is_framing_round_a_mail() {
        let mail = r#"{"id":1,"body":"\\u0000","attachment":"QUJD"}"#;
        let message = Frame::new(Command::Message)
            .with("subscription", "sub-0")
            .containing("application/json", mail);
        let unit = message.to_bytes(V1_2);
        let kinds: Vec<Kind> = labelled(&unit, DOWN, false)
            .iter()
            .map(|(_, _, kind)| *kind)
            .collect();
        let attachment = [
            Kind::AttachmentKey,
            Kind::Attachment,
            Kind::Attachment,
            Kind::AttachmentKey,
        ];
        assert_eq!(
            kinds,
            [
                &[Kind::StompHead, Kind::Mail],
                &attachment[..],
                &[Kind::Mail, Kind::StompEnd]
            ]
            .concat()
        );
        let framing = |unit: &[u8]| -> usize {
            let mut spans = Vec::new();
            let carried = Carried {
                sender: DOWN,
                binary: false,
            };
            Stomp.label(unit, carried, &mut spans);
            spans
                .iter()
                .filter(|s| s.label == Label::Framing)
                .map(|s| s.len)
                .sum()
        };
        let payload = unit.len() - framing(&unit);
        assert_eq!(payload, mail.len() - r#","attachment":""Q"#.len());
    }

    #[test]
    fn a_binary_mail_has_its_length_before_it() {
        let mut body = 9_u32.to_be_bytes().to_vec();
        body.extend_from_slice(br#"{"id":1} and bytes"#);
        let unit = Frame::new(Command::Message)
            .containing("application/octet-stream", body.clone())
            .to_bytes(V1_2);
        let head = unit.len() - body.len() - 1;
        let spans = labelled(&unit, DOWN, true);
        assert_eq!(
            spans[1..4],
            [
                (head, Label::Framing, Kind::MailLength),
                (head + 4, Label::Payload, Kind::Mail),
                (head + 13, Label::Payload, Kind::Attachment)
            ]
        );
        assert_eq!(
            labelled(&unit, DOWN, false)[1],
            (head, Label::Payload, Kind::Mail)
        );
    }

    #[test]
    fn all_but_message_and_send_is_control() {
        let unit = b"\n\r\nSUBSCRIBE\nid:0\nafter:12\n\n\0\nSEND\ndestination:/app/read\n\n{\"read\":1}\0";
        assert_eq!(
            labelled(unit, UP, false),
            [
                (0, Label::Control, Kind::Heartbeat),
                (3, Label::Control, Kind::StompHead),
                (18, Label::Control, Kind::Cursor),
                (26, Label::Control, Kind::StompHead),
                (28, Label::Control, Kind::StompEnd),
                (30, Label::Framing, Kind::StompHead),
                (58, Label::Payload, Kind::Reply),
                (68, Label::Framing, Kind::StompEnd),
            ]
        );
        for unit in [
            &b"MESSAGE\nmessage-id:1\n\n{\"gap\":5}\0"[..],
            b"MESSAGE\nmessage-id:0.k3f9\nreset:k3f9\n\n\0",
            b"ERROR\nmessage:no\n\nbecause\0",
            b"CONNECTED\nversion:1.2\n\n\0",
        ] {
            assert!(
                labelled(unit, DOWN, false)
                    .iter()
                    .all(|(_, label, _)| *label == Label::Control)
            );
        }
    }

    #[test]
    fn what_a_cut_left_is_labelled_as_far_as_it_goes() {
        let unit = b"MESSAGE\nmessage-id:1\ncontent-length:8\n\n{\"id\":1}\0";
        for n in 1..unit.len() {
            let cut = labelled(&unit[..n], DOWN, false);
            assert!(
                n < 8 || cut[0] == (0, Label::Framing, Kind::StompHead),
                "{n}: {cut:?}"
            );
        }
        // And what follows the cut in a message of its own.
        assert_eq!(
            labelled(b":1}\0SEND", DOWN, false),
            [
                (0, Label::Payload, Kind::Mail),
                (3, Label::Framing, Kind::StompEnd),
                (4, Label::Framing, Kind::StompHead),
            ]
        );
    }

    #[test]
    fn a_message_tells_that_it_is_of_stomp() {
        for unit in [&b"\n"[..], b"\r\n", b"CONNECT\n\n\0", b"SEND\r\n\r\n\0"] {
            assert!(begins(unit), "{unit:?}");
        }
        for unit in [&b""[..], b"SEND", b"{\"id\":1}\n", b"SENDER\n"] {
            assert!(!begins(unit), "{unit:?}");
        }
    }

    fn text() -> impl Strategy<Value = String> {
        "[a-z:\\\\\r\n \u{e9}\u{2116}]{1,6}"
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            command in 0..Command::ALL.len(),
            headers in prop::collection::vec((text(), text()), 0..4),
            body in prop::collection::vec(any::<u8>(), 0..50),
            piece in 1..20_usize,
        ) {
            let command = Command::ALL[command];
            prop_assume!(command.escapes(V1_2));
            let mut frame = Frame { headers, ..Frame::new(command) };
            if command.has_body() {
                frame.headers.truncate(2);
                frame = frame.containing("application/octet-stream", body);
            }
            let bytes = frame.to_bytes(V1_2);
            prop_assert_eq!(read(V1_2, &bytes, piece), Ok(vec![Item::Frame(frame)]));
        }

        #[test]
        fn nothing_makes_it_panic_or_hang(bytes in prop::collection::vec(any::<u8>(), 0..200), piece in 1..20_usize) {
            for version in Version::ALL {
                let whole = read(version, &bytes, 200);
                prop_assert_eq!(read(version, &bytes, piece).is_ok(), whole.is_ok());
            }
            for (sender, binary) in [(UP, false), (DOWN, true)] {
                labelled(&bytes, sender, binary);
            }
        }
    }
}
