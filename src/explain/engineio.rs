//! Engine.IO packets (protocol 4), and the Socket.IO packets (protocol 5) in their messages.

use std::sync::LazyLock;

use serde::Deserialize;

use super::table::{self, Keyed, Row};
use super::unit::{Detail, Explained, pieces, text};
use crate::lang::{Text, phrase};
use crate::wire::engineio::{Open, SEPARATOR};
use crate::wire::socketio::{MAIN, Packet, Type};
use crate::wire::transcript::Piece;
use crate::wire::{EngineIo, Kind};

static TABLE: LazyLock<Table> = LazyLock::new(|| table::read(include_str!("engineio.toml")));

/// The rows of `engineio.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    separator: Row,
    ok: Row,
    no_packet: Row,
    event_end: Row,
    around_arguments: Row,
    notice: Row,
    packets: Keyed,
    socket_io: Keyed,
}

/// The parts of a piece, and the title of the packet that begins in it.
pub fn explain(piece: &Piece, engine_io: EngineIo) -> (Vec<Explained>, Option<Text>) {
    let separators = piece
        .bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == SEPARATOR as u8);
    // The separator is a separate part.
    let ends = separators.flat_map(|(n, _)| [n, n + 1]);
    let mut title = None;
    let pieces = pieces(piece, ends);
    let parts = pieces.iter().map(|piece| {
        let (name, part) = packet(piece, engine_io);
        title = title.take().or(name);
        part
    });
    let parts = parts.collect();
    (parts, title)
}

type TitleAndPart = (Option<Text>, Explained);

fn packet(piece: &Piece, engine_io: EngineIo) -> TitleAndPart {
    if piece.bytes == [SEPARATOR as u8] {
        return (None, TABLE.separator.part(piece));
    }
    let text = text(&piece.bytes);
    let (kind, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    // A ping or pong with content tests a WebSocket, or answers the test.
    let key = match kind {
        "2" | "3" if !rest.is_empty() => format!("{kind}probe"),
        _ => kind.to_string(),
    };
    match TABLE.packets.get(&key) {
        Some(row) if kind == "0" => (Some("Engine.IO open".into()), open(piece, rest, row)),
        Some(_) if kind == "4" && engine_io.socket_io => message(piece, rest),
        Some(row) => (
            Some(phrase!("Engine.IO %{name}", name = row.name())),
            row.part(piece),
        ),
        None => (None, rest_of(piece, &text)),
    }
}

/// The part after a packet's payload, or the answer to a POST.
fn rest_of(piece: &Piece, text: &str) -> Explained {
    let row = match text.trim_end() {
        _ if text == "ok" => &TABLE.ok,
        "]" => &TABLE.event_end,
        _ => &TABLE.around_arguments,
    };
    row.part(piece)
}

fn open(piece: &Piece, json: &str, row: &'static Row) -> Explained {
    let details = match serde_json::from_str::<Open>(json) {
        Err(_) => Vec::new(),
        Ok(open) => vec![
            Detail::new("sid", open.sid, "the session; every further request names it").random(),
            Detail::new(
                "upgrades",
                open.upgrades.join(", "),
                "what the client may go on to",
            ),
            Detail::new(
                "pingInterval",
                open.ping_interval.to_string(),
                "milliseconds from ping to ping",
            ),
            Detail::new(
                "pingTimeout",
                open.ping_timeout.to_string(),
                "milliseconds to answer one",
            ),
            Detail::new(
                "maxPayload",
                open.max_payload.to_string(),
                "bytes that a body may have",
            ),
        ],
    };
    Explained {
        random: Some(0..piece.bytes.len()),
        ..row.part(piece).with(details)
    }
}

/// The part of a Socket.IO packet before its payload.
fn message(piece: &Piece, text: &str) -> TitleAndPart {
    let Ok((packet, _)) = Packet::envelope(text) else {
        return (None, TABLE.no_packet.part(piece));
    };
    let row = match TABLE.socket_io.get(&text[..1]) {
        _ if packet.kind == Type::Event && piece.kind == Kind::Notice => &TABLE.notice,
        row => row.unwrap_or(&TABLE.no_packet),
    };
    let mut details = vec![
        Detail::new(
            "4",
            "message",
            "the Engine.IO packet's type (Engine.IO 4, section Message)",
        ),
        Detail::new(
            text[..1].to_string(),
            &*row.name().to_string(),
            "the Socket.IO packet's type",
        ),
    ];
    if packet.attachments > 0 {
        details.push(Detail::new(
            "attachments",
            packet.attachments.to_string(),
            "binary messages that follow; a placeholder stands for each",
        ));
    }
    if packet.namespace != MAIN {
        let what = "many conversations on one connection, told apart by name";
        details.push(Detail::new("namespace", packet.namespace, what));
    }
    if let Some(id) = packet.ack {
        details.push(Detail::new(
            "acknowledgement",
            id.to_string(),
            "the answer repeats this number",
        ));
    }
    if let Some(event) = event(packet.data) {
        details.push(Detail::new(
            "event",
            event,
            "the name that both applications know",
        ));
    }
    // The server makes a new random id for each namespace that a client joins.
    let varies = packet.kind == Type::Connect && packet.data.contains("sid");
    let part = Explained {
        random: varies.then_some(0..piece.bytes.len()),
        ..row.part(piece).with(details)
    };
    (Some(phrase!("Socket.IO %{name}", name = row.name())), part)
}

/// An event's name: the first string of its array.
fn event(data: &str) -> Option<&str> {
    data.strip_prefix("[\"")?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_packet_has_a_row() {
        let digits = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(
            TABLE.socket_io.keys().collect::<Vec<_>>(),
            digits(Type::ALL.len()).iter().collect::<Vec<_>>()
        );
        assert!(digits(7).iter().all(|digit| TABLE.packets.contains_key(digit)));
    }
}
