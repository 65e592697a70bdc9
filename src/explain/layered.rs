//! What protocols on top put into frames and bodies. A client's WebSocket frames are masked; what is in
//! them is explained as it was meant, and shown as it crossed.
use super::unit::{Detail, Explained, bytes};
use super::websocket::{self, Frame};
use super::{engineio, mail, sockjs, stomp};
use crate::lang::Text;
use crate::wire::transcript::Piece;
use crate::wire::{Dialect, Kind, Label};

/// Whether bytes of this kind may be a protocol's on top: what carries them is not.
pub fn is_theirs(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::ChunkEnd | Kind::Trailers | Kind::OtherBody | Kind::Unread | Kind::H2FrameHeader
    )
}

/// A run's parts, and what to add to the title of what carries it.
pub fn explain(run: &Piece, dialect: Dialect, frame: Option<&Frame>) -> (Vec<Explained>, Option<Text>) {
    let masked = frame.filter(|frame| frame.is_masked());
    let plain = Piece {
        bytes: masked.map_or_else(|| run.bytes.clone(), |frame| frame.unmask(run)),
        ..run.clone()
    };
    let (mut parts, title) = meant(&plain, dialect, frame.is_some());
    if let Some(frame) = masked {
        mask(run, &plain, frame, &mut parts);
    }
    (parts, title)
}

/// Puts the bytes back as they crossed.
fn mask(run: &Piece, plain: &Piece, frame: &Frame, parts: &mut [Explained]) {
    let mut from = 0;
    for part in parts {
        let range = from..from + part.bytes.len();
        let mut details = match from + frame.seen {
            0 => frame.steps(run, &plain.bytes),
            _ => Vec::new(),
        };
        details.push(websocket::meant(&part.bytes));
        details.append(&mut part.details);
        part.details = details;
        part.bytes = run.bytes[range.clone()].to_vec();
        part.random = Some(0..range.len());
        from = range.end;
    }
}

fn meant(run: &Piece, dialect: Dialect, in_frame: bool) -> (Vec<Explained>, Option<Text>) {
    match (run.kind, dialect) {
        (Kind::StompHead | Kind::StompBody | Kind::StompEnd, _) => stomp::explain(run),
        (Kind::Heartbeat, _) if stomp::is_heart_beat(&run.bytes) => stomp::explain(run),
        (
            Kind::Heartbeat | Kind::LayerControl | Kind::Envelope | Kind::Prelude | Kind::Notice,
            Dialect::EngineIo(engine_io),
        ) => engineio::explain(run, engine_io),
        (
            Kind::Heartbeat | Kind::LayerControl | Kind::Envelope | Kind::Prelude,
            Dialect::SockJs(transport),
        ) => sockjs::explain(run, transport),
        (Kind::Cursor, _) => (vec![cursor(run)], None),
        (Kind::Mail | Kind::Reply, _) if run.labels.framing > 0 => (vec![escaped(run)], None),
        (kind, _) => {
            let part = mail::explain(run, in_frame && kind == Kind::Attachment);
            (vec![part], None)
        }
    }
}

fn cursor(run: &Piece) -> Explained {
    Explained::new(
        run,
        "The number of the last mail that the client has seen.",
        "mailcall's own form",
    )
    .because("The client's whole state. It is told once: from here on the server knows where it is.")
}

/// A string inside a string.
fn escaped(run: &Piece) -> Explained {
    let own = Piece {
        labels: Default::default(),
        ..run.clone()
    };
    let what = mail::explain(&own, false);
    Explained {
        labels: run.labels,
        ..what
    }
    .with(vec![
        Detail::new(mail::name(Label::Payload), "", "as many as its sender wrote")
            .valued(bytes(run.labels.payload)),
        Detail::new(
            mail::name(Label::Framing),
            "",
            "what it takes to stand inside another string: a backslash before each quote (RFC 8259, section 7)",
        )
        .valued(bytes(run.labels.framing)),
    ])
}
