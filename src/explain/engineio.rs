//! Engine.IO packets (protocol 4), and the Socket.IO packets (protocol 5) in their messages.
use super::unit::{Detail, Explained, pieces, text};
use crate::lang::{Text, phrase};
use crate::wire::engineio::{Open, SEPARATOR};
use crate::wire::socketio::{MAIN, Packet, Type};
use crate::wire::transcript::Piece;
use crate::wire::{EngineIo, Kind};

const PACKETS: &str = "Engine.IO 4, section Packet encoding";
const SOCKET_IO: &str = "Socket.IO 5, section Packet encoding";

/// A run's parts, and what packet it begins.
pub fn explain(run: &Piece, engine_io: EngineIo) -> (Vec<Explained>, Option<Text>) {
    let separators = run
        .bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == SEPARATOR as u8);
    // The separator stands by itself.
    let ends = separators.flat_map(|(n, _)| [n, n + 1]);
    let mut title = None;
    let pieces = pieces(run, ends);
    let parts = pieces.iter().map(|piece| {
        let (name, part) = packet(piece, engine_io);
        title = title.take().or(name);
        part
    });
    let parts = parts.collect();
    (parts, title)
}

type Told = (Option<Text>, Explained);

fn packet(piece: &Piece, engine_io: EngineIo) -> Told {
    if piece.bytes == [SEPARATOR as u8] {
        let part = Explained::new(piece, "U+001E: the next packet.", PACKETS)
            .because("A body holds whatever waits; WebSocket has a message for each.");
        return (None, part);
    }
    let text = text(&piece.bytes);
    let (kind, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    let named = |name: &'static str, what: &'static str, source| {
        (
            Some(phrase!("Engine.IO %{name}", name = name)),
            Explained::new(piece, what, source),
        )
    };
    let (title, part) = match kind {
        "0" => return (Some("Engine.IO open".into()), open(piece, rest)),
        "1" => named(
            "close",
            "1: the session is over.",
            "Engine.IO 4, section Protocol",
        ),
        "2" if rest.is_empty() => {
            let (title, part) = named("ping", "2: are you there?", "Engine.IO 4, section Heartbeat");
            (
                title,
                part.because("The server asks, and closes the session if nobody answers in time."),
            )
        }
        "3" if rest.is_empty() => named("pong", "3: I am.", "Engine.IO 4, section Heartbeat"),
        "2" => {
            let (title, part) = named(
                "probe",
                "2probe: may I go on here?",
                "Engine.IO 4, section Upgrade",
            );
            let why = "The session began with polling, which goes everywhere. Whether a WebSocket gets through \
                       is tried beside it, and costs no time.";
            (title, part.because(why))
        }
        "3" => named(
            "probe's answer",
            "3probe: yes, this gets through.",
            "Engine.IO 4, section Upgrade",
        ),
        "4" if engine_io.socket_io => return message(piece, rest),
        "4" => named(
            "message",
            "4: a message, which is the application's own.",
            "Engine.IO 4, section Message",
        ),
        "5" => {
            let (title, part) = named(
                "upgrade",
                "5: from here on all goes here.",
                "Engine.IO 4, section Upgrade",
            );
            (
                title,
                part.because("Sent when the last poll has been answered, so that nothing is overtaken."),
            )
        }
        "6" => {
            let (title, part) = named("noop", "6: nothing.", "Engine.IO 4, section Upgrade");
            (
                title,
                part.because("It ends a poll that waits, so that the WebSocket can take over."),
            )
        }
        "b" => named("binary message", "b: bytes in base64 follow.", PACKETS),
        _ => return (None, rest_of(piece, &text)),
    };
    (title, part)
}

/// What stands behind a packet's payload, or answers a POST.
fn rest_of(piece: &Piece, text: &str) -> Explained {
    if text == "ok" {
        let sent = "Engine.IO 4, section HTTP long-polling";
        return Explained::new(piece, "ok: the packets have arrived.", sent);
    }
    let what = match text.trim_end() {
        "]" => "The event's array ends.",
        _ => "What stands round the event's arguments.",
    };
    Explained::new(piece, what, SOCKET_IO)
}

fn open(piece: &Piece, json: &str) -> Explained {
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
    let part = Explained::new(piece, "0: the session is open.", "Engine.IO 4, section Handshake")
        .because("The server gives it a name, since the next request may come on another connection.")
        .with(details);
    Explained {
        random: Some(0..piece.bytes.len()),
        ..part
    }
}

/// A Socket.IO packet, as far as it is not payload.
fn message(piece: &Piece, text: &str) -> Told {
    let Ok((packet, _)) = Packet::envelope(text) else {
        let part = Explained::new(piece, "4: a message that is no Socket.IO packet.", SOCKET_IO);
        return (None, part);
    };
    let (name, what, source) = kind(packet.kind, piece.kind == Kind::Notice);
    let mut details = vec![
        Detail::new(
            "4",
            "message",
            "the Engine.IO packet's type (Engine.IO 4, section Message)",
        ),
        Detail::new(text[..1].to_string(), name, "the Socket.IO packet's type"),
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
    // A server draws a name anew for each namespace that is joined.
    let varies = packet.kind == Type::Connect && packet.data.contains("sid");
    let part = Explained {
        random: varies.then_some(0..piece.bytes.len()),
        ..Explained::new(piece, what, source).with(details)
    };
    (Some(phrase!("Socket.IO %{name}", name = name)), part)
}

/// An event's name: the first string of its array.
fn event(data: &str) -> Option<&str> {
    data.strip_prefix("[\"")?.split('"').next()
}

fn kind(kind: Type, notice: bool) -> (&'static str, &'static str, &'static str) {
    const DATA: &str = "Socket.IO 5, section Sending and receiving data";
    match kind {
        Type::Connect => (
            "CONNECT",
            "A namespace is asked for, or granted.",
            "Socket.IO 5, section Connection to a namespace",
        ),
        Type::Disconnect => (
            "DISCONNECT",
            "A namespace is left.",
            "Socket.IO 5, section Disconnection from a namespace",
        ),
        Type::Event if notice => (
            "EVENT",
            "An event that tells of the log itself: a gap, a reset, or its epoch.",
            DATA,
        ),
        Type::Event => ("EVENT", "An event, and its arguments begin.", DATA),
        Type::BinaryEvent => (
            "BINARY_EVENT",
            "An event with bytes that follow by themselves.",
            DATA,
        ),
        Type::Ack => (
            "ACK",
            "The other side's application has this event.",
            "Socket.IO 5, section Acknowledgement",
        ),
        Type::BinaryAck => (
            "BINARY_ACK",
            "The same, with bytes that follow by themselves.",
            "Socket.IO 5, section Acknowledgement",
        ),
        Type::ConnectError => (
            "CONNECT_ERROR",
            "A namespace is refused.",
            "Socket.IO 5, section Connection to a namespace",
        ),
    }
}
