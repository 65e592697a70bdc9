//! STOMP frames in messages of WebSocket or SockJS.

use memchr::{memchr, memchr_iter};

use super::super::notice::is_notice;
use super::super::stomp::{AFTER, APPLICATION, Command, RESET};
use super::super::{Carried, Direction, Kind, Label, Layer, Spans};
use super::mail_text;
use super::text::message;

/// Whether a message is STOMP: it starts with a command or an end of line.
pub(in super::super) fn begins(message: &[u8]) -> bool {
    let line = message.split(|b| matches!(b, b'\r' | b'\n')).next();
    line.is_some_and(|line| line.len() < message.len() && (line.is_empty() || Command::named(line).is_some()))
}

/// Labels STOMP in a message: usually one frame, or an end of line.
///
/// MESSAGE and SEND carry messages of applications, and the bytes around them are framing; every other frame
/// is control. If a frame is split over several messages, only the first of them is recognised.
#[derive(Debug)]
pub(in super::super) struct Stomp;

impl Layer for Stomp {
    fn unit(&mut self, _bytes: &[u8], _from: usize, _sender: Direction) -> Option<usize> {
        None
    }

    fn label(&mut self, unit: &[u8], carried: Carried, spans: &mut Spans) {
        label(unit, carried, spans);
    }
}

/// Labels a message.
pub(super) fn label(unit: &[u8], carried: Carried, spans: &mut Spans) {
    let beats = line_ends(unit);
    spans.push(beats, Label::Control, Kind::Heartbeat);
    let mut rest = &unit[beats..];
    while !rest.is_empty() {
        let n = label_frame(rest, carried, spans);
        rest = &rest[n..];
    }
}

fn line_ends(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count()
}

/// Labels a frame and the line ends after it; returns the number of bytes.
fn label_frame(bytes: &[u8], carried: Carried, spans: &mut Spans) -> usize {
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
        _ => spans.push(head, label, Kind::StompHead),
    }
    match command {
        Some(Command::Send) if is_for_application(&bytes[..head]) => {
            spans.push(body.len(), Label::Payload, Kind::Reply);
        }
        Some(Command::Message | Command::Send) | None => label_mail(body, carried, spans),
        Some(_) => spans.push(body.len(), Label::Control, Kind::StompBody),
    }
    let end = rest.len().min(1) + line_ends(rest.get(1..).unwrap_or_default());
    spans.push(end, label, Kind::StompEnd);
    head + body.len() + end
}

/// The number of bytes up to and with the blank line, or of all bytes.
fn head_len(bytes: &[u8]) -> usize {
    let blank = memchr_iter(b'\n', bytes).find_map(|n| match &bytes[n + 1..] {
        [b'\n', ..] => Some(n + 2),
        [b'\r', b'\n', ..] => Some(n + 3),
        _ => None,
    });
    blank.unwrap_or(bytes.len())
}

/// The value of the first header with this name.
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

fn is_for_application(head: &[u8]) -> bool {
    value(head, b"destination").is_some_and(|d| d.starts_with(APPLICATION.as_bytes()))
}

/// Labels a SUBSCRIBE's head, with the cursor as a separate span.
fn label_subscribe(head: &[u8], spans: &mut Spans) {
    let cursor = value(head, AFTER.as_bytes()).map(|value| {
        // The value is a slice of the head.
        let at = value.as_ptr() as usize - head.as_ptr() as usize;
        (at - AFTER.len() - 1, AFTER.len() + 1 + value.len())
    });
    let (before, len) = cursor.unwrap_or((head.len(), 0));
    spans.push(before, Label::Control, Kind::StompHead);
    spans.push(len, Label::Control, Kind::Cursor);
    spans.push(head.len() - before - len, Label::Control, Kind::StompHead);
}

/// Labels a mail as text, or in a binary message after its length.
fn label_mail(body: &[u8], carried: Carried, spans: &mut Spans) {
    let binary = body.split_first_chunk::<4>().filter(|_| carried.binary);
    match binary.map(|(length, rest)| (u32::from_be_bytes(*length) as usize, rest)) {
        Some((json, rest)) if rest.len() >= json && rest.starts_with(b"{") => mail_text::binary(body, spans),
        // A client's message to other clients is labelled as the mail that they will receive.
        _ if !is_notice(body) || carried.sender == Direction::Down => {
            message(body, Direction::Down, spans);
        }
        _ => spans.push(body.len(), Label::Payload, Kind::Mail),
    }
}
