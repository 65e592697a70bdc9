//! SockJS frames, and their wrapping on each transport (SockJS protocol).

use std::sync::LazyLock;

use serde::Deserialize;

use super::table::{self, Keyed, Row, Rows};
use super::unit::{Detail, Explained, pieces, text};
use crate::lang::{Text, phrase};
use crate::wire::transcript::Piece;
use crate::wire::{Direction, Kind, Transport};

static TABLE: LazyLock<Table> = LazyLock::new(|| table::read(include_str!("sockjs.toml")));

/// The rows of `sockjs.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    prelude: Row,
    array_begins: Row,
    array_ends: Row,
    next_message: Row,
    around_frame: Row,
    around_frames: Row,
    iframe: Row,
    info: Row,
    frames: Keyed,
    close_codes: Rows,
}

/// The parts of a piece, and the title of the frame that begins in it.
pub fn explain(piece: &Piece, transport: Transport) -> (Vec<Explained>, Option<Text>) {
    match piece.kind {
        Kind::Envelope => (vec![envelope(piece)], Some(messages(piece))),
        Kind::Prelude => {
            let part = Explained {
                source: section(transport).into(),
                ..TABLE.prelude.part(piece)
            };
            (vec![part], Some("SockJS prelude".into()))
        }
        _ if transport == Transport::Page => (vec![page(piece)], None),
        _ => frames(piece, transport),
    }
}

fn messages(piece: &Piece) -> Text {
    match piece.direction {
        Direction::Up => "SockJS: messages for the server".into(),
        Direction::Down => "SockJS: an array of messages".into(),
    }
}

/// The brackets, quotes and commas around messages, and the transport's wrapping.
fn envelope(piece: &Piece) -> Explained {
    let text = text(&piece.bytes);
    let has = |plain: &str, encoded: &str| text.contains(plain) || text.contains(encoded);
    let row = match () {
        () if has("[", "%5B") => &TABLE.array_begins,
        () if has("]", "%5D") => &TABLE.array_ends,
        () if has(",", "%2C") => &TABLE.next_message,
        () => &TABLE.around_frame,
    };
    row.part(piece)
}

/// The answer to `/info`, and the page that a browser loads into an iframe.
fn page(piece: &Piece) -> Explained {
    if !piece.bytes.trim_ascii_start().starts_with(b"{") {
        return TABLE.iframe.part(piece);
    }
    // It contains a random number, `entropy`, which differs in every run.
    Explained {
        random: Some(0..piece.bytes.len()),
        ..TABLE.info.part(piece)
    }
}

/// Frames without a message, one per line.
fn frames(piece: &Piece, transport: Transport) -> (Vec<Explained>, Option<Text>) {
    let ends = piece
        .bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .map(|(n, _)| n + 1);
    let mut title = None;
    let pieces = pieces(piece, ends);
    let parts = pieces.iter().map(|piece| {
        let (name, part) = frame(piece, transport);
        title = title.take().or(name);
        part
    });
    let parts = parts.collect();
    (parts, title.map(|name| phrase!("SockJS %{name}", name = name)))
}

fn frame(piece: &Piece, transport: Transport) -> (Option<Text>, Explained) {
    let text = text(&piece.bytes);
    let inner = text.trim().trim_start_matches("data:").trim_start();
    // A script or a callback puts it in quotes.
    let inner = inner.split_once("(\"").map_or(inner, |(_, behind)| behind);
    match TABLE.frames.get(inner.get(..1).unwrap_or_default()) {
        Some(row) if inner != "ok" => {
            let details = if inner.starts_with('c') {
                reason(inner)
            } else {
                Vec::new()
            };
            (Some(row.name()), row.part(piece).with(details))
        }
        _ => {
            let part = TABLE.around_frames.part(piece);
            (
                None,
                Explained {
                    source: section(transport).into(),
                    ..part
                },
            )
        }
    }
}

fn reason(frame: &str) -> Vec<Detail> {
    let digits: String = frame.chars().filter(char::is_ascii_digit).take(4).collect();
    let what = TABLE.close_codes.of(&digits);
    vec![Detail::new("code", digits, what)]
}

fn section(transport: Transport) -> &'static str {
    match transport {
        Transport::WebSocket => "SockJS protocol, section WebSocket protocols: /*/*/websocket",
        Transport::Xhr | Transport::XhrSend => "SockJS protocol, section XhrPolling: /*/*/xhr, /*/*/xhr_send",
        Transport::XhrStreaming => "SockJS protocol, section XhrStreaming: /*/*/xhr_streaming",
        Transport::EventSource => "SockJS protocol, section EventSource: /*/*/eventsource",
        Transport::HtmlFile => "SockJS protocol, section HtmlFile: /*/*/htmlfile",
        Transport::Jsonp | Transport::JsonpSend => {
            "SockJS protocol, section JsonpPolling: /*/*/jsonp, /*/*/jsonp_send"
        }
        Transport::Page => "SockJS protocol, section Static URLs",
    }
}
