//! HTTP/2's frames (RFC 9113) and the fields that HPACK packs (RFC 7541).
use std::collections::BTreeMap;

use super::request::Request;
use super::unit::{Detail, Explained, Knowledge, Told, bytes, hex, slice, text};
use super::websocket::{Frame, Message};
use super::{fields, target};
use crate::lang::{Text, phrase};
use crate::wire::http2::{
    ACK, END_HEADERS, END_STREAM, Field, FrameHeader, FrameType, Hpack, PADDED, PRIORITY, Representation,
};
use crate::wire::transcript::Piece;
use crate::wire::{Asks, Dialect, Direction, Kind, offers_stomp};

/// Entries of the static table (RFC 7541, appendix A).
const STATIC: u32 = 61;
/// SETTINGS_HEADER_TABLE_SIZE.
const HEADER_TABLE_SIZE: u16 = 1;

/// What has to be remembered of a connection to read on.
#[derive(Debug, Default)]
pub struct State {
    /// By direction.
    hpack: [Hpack; 2],
    /// A header block whose end has not come, by direction.
    block: [Vec<u8>; 2],
    /// The WebSocket frame that each direction of a stream is in, and how far its message is.
    sockets: BTreeMap<(Direction, u32), (Option<Frame>, Message)>,
    /// What stands on top of a stream.
    dialects: BTreeMap<u32, Dialect>,
}

/// A header block, taken apart.
pub struct Block {
    pub parts: Vec<Explained>,
    /// What it is, to stand behind the frame's name.
    pub title: Text,
    pub target: Option<String>,
    pub told: Vec<Told>,
}

impl State {
    /// What stands on top of this stream.
    pub fn dialect(&self, stream: u32) -> Option<Dialect> {
        self.dialects.get(&stream).copied()
    }

    /// The WebSocket frame that a direction of a stream is in.
    pub fn frame(&self, direction: Direction, stream: u32) -> Option<Frame> {
        self.sockets.get(&(direction, stream))?.0
    }

    /// Has a WebSocket frame begin on a stream.
    pub fn begin(&mut self, direction: Direction, stream: u32, header: impl FnOnce(&mut Message) -> Frame) {
        let socket = self.sockets.entry((direction, stream)).or_default();
        socket.0 = Some(header(&mut socket.1));
    }

    /// So many bytes of a WebSocket frame's content have passed.
    pub fn pass(&mut self, direction: Direction, stream: u32, n: usize) {
        if let Some((Some(frame), _)) = self.sockets.get_mut(&(direction, stream)) {
            frame.seen += n;
        }
    }

    /// A setting of the table's size binds the other side's encoder.
    fn allow(&mut self, direction: Direction, size: u32) {
        let other = match direction {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
        };
        self.hpack[other as usize].allow(size);
    }

    /// A header block, or a piece of one.
    pub fn fields(&mut self, run: &Piece, header: &FrameHeader) -> Block {
        let side = run.direction as usize;
        self.block[side].extend_from_slice(&run.bytes);
        let mut out = Block {
            parts: Vec::new(),
            title: Text::default(),
            target: None,
            told: Vec::new(),
        };
        if !header.has(END_HEADERS) {
            out.parts.push(
                Explained::new(
                    run,
                    "A piece of a header block; CONTINUATION goes on with it.",
                    "RFC 9113, section 4.3",
                )
                .because("It was too long for one frame."),
            );
            return out;
        }
        let block = std::mem::take(&mut self.block[side]);
        let Ok(found) = self.hpack[side].fields(&block) else {
            out.parts.push(Explained::new(
                run,
                "A header block that cannot be read.",
                "RFC 7541, section 3",
            ));
            return out;
        };
        if let Some(dialect) = dialect(&found) {
            self.dialects.insert(header.stream, dialect);
        }
        let is_whole = block.len() == run.bytes.len();
        out.describe(&found);
        if is_whole {
            out.take_apart(run, &found);
        } else {
            let names = found
                .iter()
                .map(|f| Detail::new("field", said(f), "of the whole block"));
            let part = Explained::new(run, "The last piece of a header block.", "RFC 9113, section 4.3");
            out.parts.push(part.with(names.collect()));
        }
        out
    }
}

impl Block {
    fn describe(&mut self, found: &[Field]) {
        let value = |name: &str| {
            found
                .iter()
                .find(|f| f.name == name.as_bytes())
                .map(|f| text(&f.value))
        };
        self.target = value(":path");
        let path = self.target.as_deref().map(target::lasting).unwrap_or_default();
        self.title = match (value(":method"), value(":status"), value(":protocol")) {
            (Some(method), _, Some(protocol)) => {
                phrase!(
                    "request: %{method} %{path}, which asks for a %{protocol}",
                    method = method,
                    path = path.to_string(),
                    protocol = protocol
                )
            }
            (Some(method), ..) => {
                phrase!(
                    "request: %{method} %{path}",
                    method = method,
                    path = path.to_string()
                )
            }
            (_, Some(status), _) => phrase!("response: %{status}", status = status),
            _ => "trailers".into(),
        };
        if value(":method").is_some() {
            let of = |wanted| {
                let these = found.iter().filter(|f| knowledge(f) == wanted);
                these.map(|f| f.len as u64).sum()
            };
            self.told = [Knowledge::Cursor, Knowledge::Identity, Knowledge::Head]
                .map(|what| Told {
                    what,
                    bytes: of(what),
                })
                .into_iter()
                .filter(|told| told.bytes > 0)
                .collect();
        }
    }

    fn take_apart(&mut self, run: &Piece, found: &[Field]) {
        let mut from = 0;
        for field in found {
            let piece = slice(run, from..from + field.len);
            from += field.len;
            self.parts.push(explain(&piece, field));
        }
        if from < run.bytes.len() {
            self.parts.push(Explained::new(
                &slice(run, from..run.bytes.len()),
                "More of the block.",
                "RFC 7541, section 3",
            ));
        }
    }
}

/// What the request begins that has these fields.
fn dialect(found: &[Field]) -> Option<Dialect> {
    let value = |name: &[u8]| found.iter().find(|f| f.name == name).map(|f| &f.value[..]);
    Dialect::of(&Asks {
        target: value(b":path")?,
        websocket: value(b":protocol") == Some(b"websocket"),
        stomp: value(b"sec-websocket-protocol").is_some_and(offers_stomp),
    })
}

fn knowledge(field: &Field) -> Knowledge {
    let name = text(&field.name);
    match &*name {
        ":path" if target::cursor(&text(&field.value)).is_some() => Knowledge::Cursor,
        _ => fields::knowledge(&name),
    }
}

fn said(field: &Field) -> String {
    format!("{}: {}", text(&field.name), text(&field.value))
}

fn explain(piece: &Piece, field: &Field) -> Explained {
    let (name, value) = (text(&field.name), text(&field.value));
    if let Representation::SizeUpdate(size) = field.representation {
        return Explained::new(piece, "The dynamic table's new size.", "RFC 7541, section 6.3").with(vec![
            Detail::new("size", size.to_string(), "bytes, as this side counts them"),
        ]);
    }
    let mut part = match pseudo(&name) {
        Some((purpose, source)) => {
            let what = phrase!("%{name} says %{purpose}.", name = name.clone(), purpose = purpose);
            Explained::new(piece, what, source)
        }
        None => fields::explain(piece, &name, &value, &Request::default()),
    };
    let varies = name == ":path" && target::varying(&value).is_some();
    let random = name == "date" || (name == ":authority" || varies) && !is_indexed(field);
    let (form, why) = form(field.representation);
    let mut details = vec![
        Detail {
            random: name == "date" || name == ":authority" || varies,
            ..Detail::new("field", said(field), form)
        },
        Detail::new("size", "", why).valued(phrase!(
            "%{n} instead of %{plain}",
            n = field.len.to_string(),
            plain = (field.name.len() + field.value.len() + 4).to_string()
        )),
    ];
    details.append(&mut part.details);
    Explained {
        random: random.then_some(0..piece.bytes.len()),
        ..part.with(details)
    }
}

fn is_indexed(field: &Field) -> bool {
    matches!(field.representation, Representation::Indexed(_))
}

/// Fields that HTTP/2 has instead of a request line and a status line.
fn pseudo(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        ":method" => ("what is to be done", "RFC 9113, section 8.3.1"),
        ":scheme" => ("the URL's scheme", "RFC 9113, section 8.3.1"),
        ":authority" => ("the URL's host and port, as Host did", "RFC 9113, section 8.3.1"),
        ":path" => ("the URL's path and query", "RFC 9113, section 8.3.1"),
        ":status" => (
            "the answer in one number; there is no reason phrase",
            "RFC 9113, section 8.3.2",
        ),
        ":protocol" => (
            "what the stream is to speak from here on: there is no 101",
            "RFC 8441, section 4",
        ),
        _ => return None,
    })
}

fn form(representation: Representation) -> (Text, &'static str) {
    match representation {
        Representation::Indexed(n @ ..=STATIC) => (
            phrase!(
                "place %{n} of the static table has it (RFC 7541, section 6.1)",
                n = n.to_string()
            ),
            "bytes; HTTP/1.1 would spell it out",
        ),
        Representation::Indexed(n) => (
            phrase!(
                "place %{n}: it was said before on this connection (RFC 7541, section 6.1)",
                n = n.to_string()
            ),
            "bytes; the table remembers what HTTP/1.1 would repeat",
        ),
        Representation::Incremental(_) => (
            "a literal that joins the dynamic table (RFC 7541, section 6.2.1)".into(),
            "bytes; the next time a byte or two will do",
        ),
        Representation::WithoutIndexing(_) => (
            "a literal that does not join the table (RFC 7541, section 6.2.2)".into(),
            "bytes, and as many the next time",
        ),
        Representation::NeverIndexed(_) => (
            "a literal that nobody may put into a table: a secret (RFC 7541, section 6.2.3)".into(),
            "bytes, and as many the next time",
        ),
        Representation::SizeUpdate(_) => ("a size".into(), "bytes"),
    }
}

/// The preface.
pub fn preface(run: &Piece) -> Explained {
    Explained::new(run, "The preface: this is HTTP/2.", "RFC 9113, section 3.4").because(
        "It reads like a request that no HTTP/1 server accepts, so that one stumbles over it at once.",
    )
}

/// A frame's header: its title, and the fields.
pub fn header(run: &Piece) -> Option<(FrameHeader, Text, Explained)> {
    let header = FrameHeader::parse(&run.bytes)?;
    let (name, why, section) = kind(header.kind);
    let title = match header.stream {
        0 => phrase!("%{name} frame for the connection", name = name),
        n => phrase!("%{name} frame on stream %{n}", name = name, n = n.to_string()),
    };
    let part = Explained::new(run, "Frame header.", "RFC 9113, section 4.1")
        .because(why)
        .with(vec![
            Detail::new(
                "length",
                format!("{} = {}", hex(&run.bytes[..3]), header.len),
                "bytes of payload follow",
            ),
            Detail::new("type", format!("{} = {name}", hex(&run.bytes[3..4])), section),
            Detail::new(
                "flags",
                format!("{} = {}", hex(&run.bytes[4..5]), flags(&header)),
                "",
            ),
            Detail::new(
                "stream",
                header.stream.to_string(),
                if header.stream == 0 {
                    "0 is the connection itself"
                } else {
                    "an exchange of its own; many share the connection"
                },
            ),
        ]);
    Some((header, title, part))
}

fn flags(header: &FrameHeader) -> String {
    let content = matches!(header.kind, FrameType::Data | FrameType::Headers);
    let block = matches!(header.kind, FrameType::Headers | FrameType::Continuation);
    let known = [
        (content, END_STREAM, "END_STREAM"),
        (block, END_HEADERS, "END_HEADERS"),
        (content, PADDED, "PADDED"),
        (header.kind == FrameType::Headers, PRIORITY, "PRIORITY"),
        (
            matches!(header.kind, FrameType::Settings | FrameType::Ping),
            ACK,
            "ACK",
        ),
    ];
    let set: Vec<&str> = known
        .iter()
        .filter(|(may, bit, _)| *may && header.has(*bit))
        .map(|k| k.2)
        .collect();
    if set.is_empty() {
        "none".into()
    } else {
        set.join(", ")
    }
}

/// A type's name, what it is for, its section.
fn kind(kind: FrameType) -> (&'static str, &'static str, &'static str) {
    match kind {
        FrameType::Data => (
            "DATA",
            "A body's bytes; no chunk lines, since every frame says its length.",
            "RFC 9113, section 6.1",
        ),
        FrameType::Headers => (
            "HEADERS",
            "A request's or an answer's head, packed.",
            "RFC 9113, section 6.2",
        ),
        FrameType::Priority => (
            "PRIORITY",
            "Advice that nobody follows any more.",
            "RFC 9113, section 6.3",
        ),
        FrameType::RstStream => (
            "RST_STREAM",
            "Ends one stream at once, and leaves the connection.",
            "RFC 9113, section 6.4",
        ),
        FrameType::Settings => (
            "SETTINGS",
            "What this side can take, or that it has read what the other can.",
            "RFC 9113, section 6.5",
        ),
        FrameType::PushPromise => (
            "PUSH_PROMISE",
            "Announces an answer that nobody asked for.",
            "RFC 9113, section 6.6",
        ),
        FrameType::Ping => (
            "PING",
            "Asks whether the other side is there, or says so.",
            "RFC 9113, section 6.7",
        ),
        FrameType::GoAway => (
            "GOAWAY",
            "No more streams are taken; those that are open may end.",
            "RFC 9113, section 6.8",
        ),
        FrameType::WindowUpdate => (
            "WINDOW_UPDATE",
            "How many bytes more this side takes: flow control, for each stream and for all.",
            "RFC 9113, section 6.9",
        ),
        FrameType::Continuation => (
            "CONTINUATION",
            "More of a header block.",
            "RFC 9113, section 6.10",
        ),
        FrameType::Unknown(_) => ("unknown", "To be passed over.", "RFC 9113, section 5.5"),
    }
}

/// The payload of a frame that carries neither fields nor content.
pub fn payload(run: &Piece, state: &mut State) -> Vec<Explained> {
    if run.kind == Kind::Settings {
        return settings(run, state);
    }
    let number = |range: std::ops::Range<usize>| {
        let bytes = run.bytes.get(range).unwrap_or_default();
        bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b))
    };
    let part = match run.kind {
        Kind::WindowUpdate => {
            Explained::new(run, "How many bytes more.", "RFC 9113, section 6.9").with(vec![Detail::new(
                "increment",
                number(0..4).to_string(),
                "bytes, beyond those allowed so far",
            )])
        }
        Kind::Ping => Explained::new(
            run,
            "Eight bytes; the answer repeats them.",
            "RFC 9113, section 6.7",
        ),
        Kind::GoAway => Explained::new(
            run,
            "The last stream that is dealt with, and why.",
            "RFC 9113, section 6.8",
        )
        .with(vec![
            Detail::new(
                "last stream",
                (number(0..4) & 0x7FFF_FFFF).to_string(),
                "of those the other side opened, the last that was dealt with; what came after it may be tried again",
            ),
            Detail::new("error", error(number(4..8)), "section 7"),
        ]),
        Kind::RstStream => Explained::new(run, "Why the stream ends.", "RFC 9113, section 6.4")
            .with(vec![Detail::new("error", error(number(0..4)), "section 7")]),
        Kind::Padding => Explained::new(run, "Padding, and its length.", "RFC 9113, section 6.1")
            .because("Hides how long the content is."),
        Kind::Priority => Explained::new(
            run,
            "Which stream matters more: deprecated.",
            "RFC 9113, section 5.3.2",
        ),
        _ => Explained::new(run, "A payload that is passed over.", "RFC 9113, section 5.5"),
    };
    vec![part]
}

fn error(code: u64) -> String {
    let name = match code {
        0 => "NO_ERROR",
        1 => "PROTOCOL_ERROR",
        2 => "INTERNAL_ERROR",
        3 => "FLOW_CONTROL_ERROR",
        4 => "SETTINGS_TIMEOUT",
        5 => "STREAM_CLOSED",
        6 => "FRAME_SIZE_ERROR",
        7 => "REFUSED_STREAM",
        8 => "CANCEL",
        9 => "COMPRESSION_ERROR",
        10 => "CONNECT_ERROR",
        11 => "ENHANCE_YOUR_CALM",
        12 => "INADEQUATE_SECURITY",
        13 => "HTTP_1_1_REQUIRED",
        _ => "unknown",
    };
    format!("{code} = {name}")
}

fn settings(run: &Piece, state: &mut State) -> Vec<Explained> {
    let one = |from: usize| {
        let piece = slice(run, from..(from + 6).min(run.bytes.len()));
        let Some(([i1, i2], value)) = piece.bytes.split_first_chunk() else {
            return Explained::new(&piece, "A piece of a setting.", "RFC 9113, section 6.5.1");
        };
        let id = u16::from_be_bytes([*i1, *i2]);
        let value = value.iter().fold(0, |n, b| n << 8 | u32::from(*b));
        if id == HEADER_TABLE_SIZE {
            state.allow(run.direction, value);
        }
        let (name, what, source) = setting(id);
        let what = phrase!("%{name}: %{purpose}.", name = name, purpose = what);
        Explained::new(&piece, what, source).with(vec![Detail::new(
            "value",
            format!("{id} = {value}"),
            "identifier, two bytes; value, four",
        )])
    };
    (0..run.bytes.len()).step_by(6).map(one).collect()
}

fn setting(id: u16) -> (&'static str, &'static str, &'static str) {
    const DEFINED: &str = "RFC 9113, section 6.5.2";
    match id {
        1 => (
            "HEADER_TABLE_SIZE",
            "how large a table of fields this side keeps",
            DEFINED,
        ),
        2 => ("ENABLE_PUSH", "whether answers may come unasked", DEFINED),
        3 => ("MAX_CONCURRENT_STREAMS", "how many exchanges at once", DEFINED),
        4 => (
            "INITIAL_WINDOW_SIZE",
            "how many bytes of each body before a WINDOW_UPDATE",
            DEFINED,
        ),
        5 => ("MAX_FRAME_SIZE", "how large a frame may be", DEFINED),
        6 => (
            "MAX_HEADER_LIST_SIZE",
            "how large a head may be, unpacked",
            DEFINED,
        ),
        8 => (
            "ENABLE_CONNECT_PROTOCOL",
            "a CONNECT may ask for a WebSocket",
            "RFC 8441, section 3",
        ),
        9 => (
            "NO_RFC7540_PRIORITIES",
            "the old priorities are not used",
            "RFC 9218, section 2.1",
        ),
        _ => (
            "A setting that is not known",
            "to be passed over",
            "RFC 9113, section 6.5.2",
        ),
    }
}

/// What a DATA frame holds, for its title.
pub fn holds(title: Text, len: u32) -> Text {
    phrase!(
        "%{title} that holds %{length}",
        title = title,
        length = bytes(len.into())
    )
}
