//! SockJS: its frames, and the wrapping of each transport.

use memchr::{memchr, memmem};

use super::super::{Carried, Direction, Kind, Label, Layer, Seen, Spans};
use super::stomp;
use super::text::message;
use super::written::Written;

/// A transport of SockJS, named by the last segment of the path ("Session URLs"). Its messages are STOMP's if
/// they begin like STOMP, otherwise the application's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    Xhr,
    XhrStreaming,
    EventSource,
    HtmlFile,
    Jsonp,
    XhrSend,
    JsonpSend,
    /// `/info` and the iframe page, which are control as a whole.
    Page,
}

impl Transport {
    /// The transport of `/prefix/server/session/transport`, where server and session contain no dot, or of a
    /// page of the prefix.
    pub fn of(path: &[u8]) -> Option<Transport> {
        let mut segments = path.rsplit(|b| *b == b'/');
        let last = segments.next()?;
        let transport = match last {
            b"websocket" => Transport::WebSocket,
            b"xhr" => Transport::Xhr,
            b"xhr_streaming" => Transport::XhrStreaming,
            b"eventsource" => Transport::EventSource,
            b"htmlfile" => Transport::HtmlFile,
            b"jsonp" => Transport::Jsonp,
            b"xhr_send" => Transport::XhrSend,
            b"jsonp_send" => Transport::JsonpSend,
            b"info" => Transport::Page,
            _ if last.starts_with(b"iframe") && last.ends_with(b".html") => Transport::Page,
            _ => return None,
        };
        let mut named = segments.take_while(|segment| !segment.is_empty());
        if transport != Transport::Page {
            let mut is_name = || named.next().is_some_and(|name| !name.contains(&b'.'));
            if !is_name() || !is_name() {
                return None;
            }
        }
        named.next().map(|_| transport)
    }

    /// Makes the spans as long as the unit. Without a message the whole unit is control; a unit of a stream
    /// with a message counts as an event.
    fn settle(self, len: usize, spans: &mut Spans) {
        let is_in = |kind| matches!(kind, Kind::Envelope | Kind::Escape);
        let bears = spans.iter().any(|s| s.label != Label::Control && !is_in(s.kind));
        let left = len.saturating_sub(spans.total());
        if bears {
            spans.push(left, Label::Framing, Kind::Envelope);
            let is_stream = matches!(self, Self::XhrStreaming | Self::EventSource | Self::HtmlFile);
            spans.events += usize::from(is_stream);
        } else {
            spans.iter_mut().for_each(|span| span.label = Label::Control);
            spans.push(left, Label::Control, Kind::LayerControl);
        }
    }
}

/// Labels SockJS. The bytes around a mail or a message are framing, and so are the additional bytes of
/// escaping; a unit without a message is control.
impl Layer for Transport {
    fn unit(&mut self, bytes: &[u8], from: usize, sender: Direction) -> Option<usize> {
        let end = match (self, sender) {
            (Transport::Xhr | Transport::XhrStreaming, Direction::Down) => "\n",
            // The prelude is an empty line.
            (Transport::EventSource, Direction::Down) if bytes.starts_with(b"\r\n") => return Some(2),
            (Transport::EventSource, Direction::Down) => "\r\n\r\n",
            (Transport::HtmlFile, Direction::Down) if bytes.starts_with(b"<s") => "</script>\r\n",
            (Transport::HtmlFile, Direction::Down) if bytes.len() > 1 => "\r\n\r\n",
            _ => return None,
        };
        // The end may have begun in the bytes searched before.
        let from = from.saturating_sub(end.len() - 1);
        let found = memmem::find(&bytes[from..], end.as_bytes())?;
        Some(from + found + end.len())
    }

    fn label(&mut self, unit: &[u8], carried: Carried, spans: &mut Spans) {
        match (*self, carried.sender) {
            (Transport::Page, _) => {}
            (Transport::WebSocket | Transport::XhrSend, Direction::Up) => strings(unit, carried, spans),
            (Transport::JsonpSend, Direction::Up) => posted_form(unit, carried, spans),
            (_, Direction::Up) | (Transport::XhrSend | Transport::JsonpSend, Direction::Down) => {}
            (Transport::WebSocket | Transport::Xhr | Transport::XhrStreaming, Direction::Down) => {
                frame(unit, carried, spans);
            }
            (Transport::EventSource, Direction::Down) => {
                if let Some(rest) = unit.strip_prefix(b"data: ") {
                    spans.push(unit.len() - rest.len(), Label::Framing, Kind::Envelope);
                    frame(rest, carried, spans);
                }
            }
            (Transport::HtmlFile | Transport::Jsonp, Direction::Down) => literals(unit, carried, spans),
        }
        self.settle(unit.len(), spans);
    }

    fn is_empty_answer(&self, seen: Seen) -> bool {
        matches!(self, Transport::Xhr | Transport::Jsonp) && seen.only_control()
    }
}

/// Labels a frame and any bytes after it.
fn frame(bytes: &[u8], carried: Carried, spans: &mut Spans) {
    if bytes.starts_with(b"a") {
        return strings(bytes, carried, spans);
    }
    let kind = match bytes {
        [b'h', b'h', ..] => Kind::Prelude,
        [b'h', ..] => Kind::Heartbeat,
        _ => Kind::LayerControl,
    };
    spans.push(bytes.len(), Label::Control, kind);
}

/// Labels JSON strings and the bytes between them.
fn strings(bytes: &[u8], carried: Carried, spans: &mut Spans) {
    each_string(bytes, spans, |text, spans| match stomp::begins(text) {
        true => stomp::label(text, carried, spans),
        false => message(text, carried.sender, spans),
    });
}

/// Labels strings that contain frames.
fn literals(bytes: &[u8], carried: Carried, spans: &mut Spans) {
    if memmem::find(bytes, b"(\"").is_some() {
        each_string(bytes, spans, |text, spans| frame(text, carried, spans));
    }
}

fn each_string(bytes: &[u8], spans: &mut Spans, inside: impl Fn(&[u8], &mut Spans)) {
    let mut rest = bytes;
    while let Some(n) = memchr(b'"', rest) {
        spans.push(n + 1, Label::Framing, Kind::Envelope);
        let (written, len) = Written::json_string(&rest[n + 1..]);
        let mut inner = Spans::default();
        inside(&written.text, &mut inner);
        written.stretch(&inner, spans);
        rest = &rest[n + 1 + len..];
        if let Some(behind) = rest.strip_prefix(b"\"") {
            spans.push(1, Label::Framing, Kind::Envelope);
            rest = behind;
        }
    }
    spans.push(rest.len(), Label::Framing, Kind::Envelope);
}

/// Labels `d=` and a list, form-encoded; or a plain list.
fn posted_form(unit: &[u8], carried: Carried, spans: &mut Spans) {
    let Some(value) = unit.strip_prefix(b"d=") else {
        return strings(unit, carried, spans);
    };
    spans.push(2, Label::Framing, Kind::Envelope);
    let written = Written::form_value(value);
    let mut inner = Spans::default();
    strings(&written.text, carried, &mut inner);
    written.stretch(&inner, spans);
}
