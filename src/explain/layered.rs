//! Protocols on top, inside WebSocket frames and HTTP bodies. A client's WebSocket frames are masked: their
//! content is explained without the mask, but shown with it, as it was sent.

use super::unit::{Detail, Explained, bytes};
use super::websocket::{self, Frame};
use super::{engineio, mail, sockjs, stomp};
use crate::lang::Text;
use crate::wire::transcript::Piece;
use crate::wire::{Dialect, Kind, Label};

/// Whether bytes of this kind can belong to a protocol on top, and not to its carrier.
pub fn is_theirs(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::ChunkEnd | Kind::Trailers | Kind::OtherBody | Kind::Coded | Kind::Unread | Kind::H2FrameHeader
    )
}

/// The parts of a piece, and an addition to the title of the unit that carries it.
pub fn explain(piece: &Piece, dialect: Dialect, frame: Option<&Frame>) -> (Vec<Explained>, Option<Text>) {
    let masked = frame.filter(|frame| frame.is_masked());
    let plain = Piece {
        bytes: masked.map_or_else(|| piece.bytes.clone(), |frame| frame.unmask(piece)),
        ..piece.clone()
    };
    let (mut parts, title) = meant(&plain, dialect, frame.is_some());
    if let Some(frame) = masked {
        mask(piece, &plain, frame, &mut parts);
    }
    (parts, title)
}

/// Puts the masked bytes back into the parts, and adds how to unmask them.
fn mask(piece: &Piece, plain: &Piece, frame: &Frame, parts: &mut [Explained]) {
    let mut from = 0;
    for part in parts {
        let range = from..from + part.bytes.len();
        let mut details = match from + frame.seen {
            0 => frame.steps(piece, &plain.bytes),
            _ => Vec::new(),
        };
        details.push(websocket::meant(&part.bytes));
        details.append(&mut part.details);
        part.details = details;
        part.bytes = piece.bytes[range.clone()].to_vec();
        part.random = Some(0..range.len());
        from = range.end;
    }
}

fn meant(piece: &Piece, dialect: Dialect, in_frame: bool) -> (Vec<Explained>, Option<Text>) {
    match (piece.kind, dialect) {
        (Kind::StompHead | Kind::StompBody | Kind::StompEnd, _) => stomp::explain(piece),
        (Kind::Heartbeat, _) if stomp::is_heart_beat(&piece.bytes) => stomp::explain(piece),
        (
            Kind::Heartbeat | Kind::LayerControl | Kind::Envelope | Kind::Prelude | Kind::Notice,
            Dialect::EngineIo(engine_io),
        ) => engineio::explain(piece, engine_io),
        (
            Kind::Heartbeat | Kind::LayerControl | Kind::Envelope | Kind::Prelude,
            Dialect::SockJs(transport),
        ) => sockjs::explain(piece, transport),
        (Kind::Cursor, _) => (vec![mail::TABLE.cursor.part(piece)], None),
        (Kind::Mail | Kind::Reply, _) if piece.labels.framing > 0 => (vec![escaped(piece)], None),
        (kind, _) => {
            let part = mail::explain(piece, in_frame && kind == Kind::Attachment);
            (vec![part], None)
        }
    }
}

/// A string inside a string.
fn escaped(piece: &Piece) -> Explained {
    let own = Piece {
        labels: Default::default(),
        ..piece.clone()
    };
    let what = mail::explain(&own, false);
    Explained {
        labels: piece.labels,
        ..what
    }
    .with(vec![
        Detail::new(mail::name(Label::Payload), "", "as many as its sender wrote")
            .valued(bytes(piece.labels.payload)),
        Detail::new(
            mail::name(Label::Framing),
            "",
            "what it takes to stand inside another string: a backslash before each quote (RFC 8259, section 7)",
        )
        .valued(bytes(piece.labels.framing)),
    ])
}
