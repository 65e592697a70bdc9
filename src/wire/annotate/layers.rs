//! What protocols on top put into frames and bodies. A client's WebSocket frames are masked; what is in
//! them is explained as it was meant, and shown as it crossed.

use std::ops::Range;

use super::super::layers::{Asks, Dialect, Transport};
use super::super::transcript::Run;
use super::super::{Kind, Label};
use super::content::{self, bytes, name};
use super::frames::{self, Frame};
use super::{Detail, Explained, engineio, slice, sockjs, stomp};
use crate::lang::Text;

/// Whether bytes of this kind may be a protocol's on top: what carries them is not.
pub(super) fn is_theirs(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::ChunkEnd | Kind::Trailers | Kind::OtherBody | Kind::Unread | Kind::H2FrameHeader
    )
}

/// The bytes of a target that name a session, or are a clock's: another run has others. SockJS has server
/// and session in the path, Engine.IO in the query.
pub(super) fn varying(target: &str) -> Option<Range<usize>> {
    let of = |websocket| {
        Dialect::of(&Asks {
            target: target.as_bytes(),
            websocket,
            stomp: false,
        })
    };
    let path = target.split('?').next()?;
    match of(false).or_else(|| of(true))? {
        Dialect::SockJs(Transport::Page) => None,
        Dialect::SockJs(_) => {
            let end = path.rfind('/')?;
            let server = path[..end].rfind('/').and_then(|n| path[..n].rfind('/'))?;
            Some(server + 1..end)
        }
        _ => {
            let parameters = target[path.len()..].split_inclusive(['?', '&']);
            let mut at = path.len();
            let places = parameters.filter_map(|parameter| {
                let from = at;
                at += parameter.len();
                let value = ["sid=", "t="]
                    .iter()
                    .find_map(|name| parameter.strip_prefix(name))?;
                let end = from + parameter.trim_end_matches('&').len();
                Some(from + parameter.len() - value.len()..end)
            });
            places.reduce(|a, b| a.start..b.end)
        }
    }
}

/// A path without what another run has otherwise.
pub(super) fn lasting(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    match varying(target).filter(|varying| varying.end <= path.len()) {
        Some(varying) => format!("{}\u{2026}{}", &path[..varying.start], &path[varying.end..]),
        None => path.into(),
    }
}

/// A run's parts, and what to add to the title of what carries it.
pub(super) fn explain(run: &Run, dialect: Dialect, frame: Option<&Frame>) -> (Vec<Explained>, Option<Text>) {
    let masked = frame.filter(|frame| frame.is_masked());
    let plain = Run {
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
fn mask(run: &Run, plain: &Run, frame: &Frame, parts: &mut [Explained]) {
    let mut from = 0;
    for part in parts {
        let range = from..from + part.bytes.len();
        let mut details = match from + frame.seen {
            0 => frame.steps(run, &plain.bytes),
            _ => Vec::new(),
        };
        details.push(frames::meant(&part.bytes));
        details.append(&mut part.details);
        part.details = details;
        part.bytes = run.bytes[range.clone()].to_vec();
        part.random = Some(0..range.len());
        from = range.end;
    }
}

fn meant(run: &Run, dialect: Dialect, in_frame: bool) -> (Vec<Explained>, Option<Text>) {
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
            let part = content::explain(run, in_frame && kind == Kind::Attachment);
            (vec![part], None)
        }
    }
}

fn cursor(run: &Run) -> Explained {
    Explained::new(
        run,
        "The number of the last mail that the client has seen.",
        "mailcall's own form",
    )
    .because("The client's whole state. It is told once: from here on the server knows where it is.")
}

/// A string inside a string.
fn escaped(run: &Run) -> Explained {
    let own = Run {
        labels: Default::default(),
        ..run.clone()
    };
    let what = content::explain(&own, false);
    Explained {
        labels: run.labels,
        ..what
    }
    .with(vec![
        Detail::new(name(Label::Payload), "", "as many as its sender wrote")
            .valued(bytes(run.labels.payload)),
        Detail::new(
            name(Label::Framing),
            "",
            "what it takes to stand inside another string: a backslash before each quote (RFC 8259, section 7)",
        )
        .valued(bytes(run.labels.framing)),
    ])
}

/// Cuts a run at these places.
pub(super) fn pieces(run: &Run, ends: impl IntoIterator<Item = usize>) -> Vec<Run> {
    let mut from = 0;
    let mut out = Vec::new();
    for to in ends.into_iter().chain([run.bytes.len()]) {
        if to > from {
            out.push(slice(run, from..to));
            from = to;
        }
    }
    out
}
