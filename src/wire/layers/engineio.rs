//! Engine.IO packets, and Socket.IO's in them.

use memchr::memchr;
use serde_json::value::RawValue;

use super::super::engineio::{PROBE, SEPARATOR};
use super::super::socketio::{Packet, Type};
use super::super::{Carried, Direction, Kind, Label, Layer, Seen, Spans};
use super::text::message;

/// The properties of a request for Engine.IO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EngineIo {
    /// Whether packets are in HTTP bodies (`transport=polling`), separated by a record separator.
    pub polling: bool,
    /// Whether an Engine.IO message holds a Socket.IO packet; otherwise it is the application's own.
    pub socket_io: bool,
}

impl Layer for EngineIo {
    /// A packet and the separator after it.
    fn unit(&mut self, bytes: &[u8], from: usize, _sender: Direction) -> Option<usize> {
        let end = memchr(SEPARATOR as u8, &bytes[from..])?;
        Some(from + end + 1)
    }

    fn label(&mut self, unit: &[u8], carried: Carried, spans: &mut Spans) {
        if carried.binary {
            return spans.push(unit.len(), Label::Payload, said(carried.sender));
        }
        let separated = self.polling && unit.last() == Some(&(SEPARATOR as u8));
        let packet = &unit[..unit.len() - usize::from(separated)];
        match packet.split_first() {
            Some((b'4', text)) => self.label_message(text, carried, spans),
            Some((b'b', text)) => label_base64(text, carried.sender, spans),
            Some((b'2' | b'3', what)) if what != PROBE.as_bytes() => {
                spans.push(packet.len(), Label::Control, Kind::Heartbeat);
            }
            // The body of an answer to a POST is `ok`.
            _ => spans.push(packet.len(), Label::Control, Kind::LayerControl),
        }
        // The rest of a character after a cut.
        spans.push(packet.len() - spans.total(), Label::Framing, Kind::Unread);
        if separated {
            let bears = spans.iter().any(|s| s.label != Label::Control);
            let (label, kind) = match bears {
                true => (Label::Framing, Kind::Envelope),
                false => (Label::Control, Kind::LayerControl),
            };
            spans.push(1, label, kind);
        }
    }

    fn is_empty_answer(&self, seen: Seen) -> bool {
        self.polling && seen.only_control()
    }
}

impl EngineIo {
    /// Labels a message packet; `text` is the part after its type.
    fn label_message(self, text: &[u8], carried: Carried, spans: &mut Spans) {
        if !self.socket_io {
            spans.push(1, Label::Framing, Kind::Envelope);
            return message(text, carried.sender, spans);
        }
        // A cut may split a character.
        let text = match str::from_utf8(text) {
            Ok(text) => text,
            Err(e) => str::from_utf8(&text[..e.valid_up_to()]).unwrap_or_default(),
        };
        let all = 1 + text.len();
        match Packet::envelope(text) {
            Ok((packet, before)) => match packet.kind {
                Type::Connect if carried.sender == Direction::Up => {
                    spans.push(1 + before, Label::Control, Kind::LayerControl);
                    label_auth(packet.data, spans);
                }
                Type::Event | Type::BinaryEvent => label_event(packet.data, 1 + before, carried, spans),
                Type::Ack | Type::BinaryAck if bears_data(packet.data) => {
                    label_array(packet.data, 0, 1 + before, carried, spans);
                }
                _ => spans.push(all, Label::Control, Kind::LayerControl),
            },
            Err(_) => spans.push(all, Label::Framing, Kind::Envelope),
        }
    }
}

/// Labels the data with which a client asks for a namespace: its cursor, or something else.
fn label_auth(data: &str, spans: &mut Spans) {
    let mut said = Spans::default();
    message(data.as_bytes(), Direction::Up, &mut said);
    for span in said.iter() {
        let kind = match span.kind {
            Kind::Cursor => Kind::Cursor,
            _ => Kind::LayerControl,
        };
        spans.push(span.len, Label::Control, kind);
    }
}

/// Labels an event: a notice is control; otherwise the name is framing and the arguments are payload.
fn label_event(data: &str, before: usize, carried: Carried, spans: &mut Spans) {
    if NOTICES.iter().any(|event| data.starts_with(event)) {
        return spans.push(before + data.len(), Label::Control, Kind::Notice);
    }
    label_array(data, 1, before, carried, spans);
}

/// The beginnings of the events that report dropped mails, another log, and the log's name.
const NOTICES: [&str; 3] = [r#"["gap","#, r#"["reset","#, r#"["epoch","#];

/// Whether an acknowledgement has data.
fn bears_data(data: &str) -> bool {
    let inside = data.trim_ascii().trim_start_matches('[').trim_end_matches(']');
    !inside.trim_ascii().is_empty()
}

/// Labels an array after `before` other bytes: the elements from index `from` on are messages of an
/// application, except placeholders of attachments.
fn label_array(data: &str, from: usize, before: usize, carried: Carried, spans: &mut Spans) {
    let whole: Option<Vec<&RawValue>> = serde_json::from_str(data).ok();
    let Some(elements) = whole else {
        return label_cut_array(data, from, before, carried, spans);
    };
    let mut told = 0;
    let mut framing = before;
    for element in elements.into_iter().skip(from).map(RawValue::get) {
        if element.starts_with(PLACEHOLDER) {
            continue;
        }
        // The element is a slice of the array's text.
        let start = element.as_ptr() as usize - data.as_ptr() as usize;
        spans.push(framing + start - told, Label::Framing, Kind::Envelope);
        message(element.as_bytes(), carried.sender, spans);
        (told, framing) = (start + element.len(), 0);
    }
    spans.push(framing + data.len() - told, Label::Framing, Kind::Envelope);
}

/// The beginning of an attachment's placeholder.
const PLACEHOLDER: &str = r#"{"_placeholder":true"#;

/// Labels an array whose end is missing: everything from the first object on is payload.
fn label_cut_array(data: &str, from: usize, before: usize, carried: Carried, spans: &mut Spans) {
    let skipped = match from {
        0 => data.find('['),
        _ => data.find(','),
    };
    let start = skipped.map_or(data.len(), |n| n + 1);
    spans.push(before + start, Label::Framing, Kind::Envelope);
    message(&data.as_bytes()[start..], carried.sender, spans);
}

/// Labels base64 after a `b`.
fn label_base64(text: &[u8], sender: Direction, spans: &mut Spans) {
    spans.push(1, Label::Framing, Kind::Envelope);
    spans.push_base64(text.len(), 0, said(sender));
}

/// The kind of binary data.
fn said(sender: Direction) -> Kind {
    match sender {
        Direction::Down => Kind::Attachment,
        Direction::Up => Kind::Reply,
    }
}
