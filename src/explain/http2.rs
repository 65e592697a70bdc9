//! HTTP/2 frames (RFC 9113), and fields encoded by HPACK (RFC 7541).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::request::Request;
use super::table::{self, Keyed, Row, Rows};
use super::unit::{Detail, Explained, Knowledge, StateItem, bytes, hex, slice, text};
use super::websocket::{Frame, Message};
use super::{fields, target};
use crate::lang::{Text, phrase};
use crate::wire::http2::{
    ACK, END_HEADERS, END_STREAM, Field, FrameHeader, FrameType, Hpack, PADDED, PRIORITY, Representation,
};
use crate::wire::transcript::Piece;
use crate::wire::{Asks, Dialect, Direction, Kind, offers_stomp};

static TABLE: LazyLock<Table> = LazyLock::new(|| table::read(include_str!("http2.toml")));

/// The rows of `http2.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    frame_header: Row,
    preface: Row,
    block_piece: Row,
    last_block_piece: Row,
    unreadable_block: Row,
    rest_of_block: Row,
    table_size: Row,
    window_update: Row,
    ping: Row,
    goaway: Row,
    rst_stream: Row,
    padding: Row,
    priority: Row,
    unknown_payload: Row,
    setting_piece: Row,
    frames: Rows,
    settings: Rows,
    pseudo: Keyed,
}

/// The number of entries in the static table (RFC 7541, appendix A).
const STATIC: u32 = 61;
/// The identifier of SETTINGS_HEADER_TABLE_SIZE.
const HEADER_TABLE_SIZE: u16 = 1;

/// The state of a connection that is needed to explain its next frames.
#[derive(Debug, Default)]
pub struct State {
    /// The HPACK decoders, by direction.
    hpack: [Hpack; 2],
    /// Incomplete header blocks, by direction.
    block: [Vec<u8>; 2],
    /// The current WebSocket frame of each direction of a stream, and the position in its message.
    sockets: BTreeMap<(Direction, u32), (Option<Frame>, Message)>,
    /// The protocol on top of each stream.
    dialects: BTreeMap<u32, Dialect>,
}

/// A header block, split into parts.
pub struct Block {
    pub parts: Vec<Explained>,
    /// Its description, which follows the name of the frame.
    pub title: Text,
    pub target: Option<String>,
    pub state: Vec<StateItem>,
}

impl State {
    /// The protocol on top of this stream.
    pub fn dialect(&self, stream: u32) -> Option<Dialect> {
        self.dialects.get(&stream).copied()
    }

    /// The current WebSocket frame of a direction of a stream.
    pub fn frame(&self, direction: Direction, stream: u32) -> Option<Frame> {
        self.sockets.get(&(direction, stream))?.0
    }

    /// Begins a WebSocket frame on a stream.
    pub fn begin(&mut self, direction: Direction, stream: u32, header: impl FnOnce(&mut Message) -> Frame) {
        let socket = self.sockets.entry((direction, stream)).or_default();
        socket.0 = Some(header(&mut socket.1));
    }

    /// Records that another `n` bytes of a WebSocket frame's content were explained.
    pub fn pass(&mut self, direction: Direction, stream: u32, n: usize) {
        if let Some((Some(frame), _)) = self.sockets.get_mut(&(direction, stream)) {
            frame.seen += n;
        }
    }

    /// One side's HEADER_TABLE_SIZE limits the table of the other side's encoder.
    fn allow(&mut self, direction: Direction, size: u32) {
        let other = match direction {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
        };
        self.hpack[other as usize].allow(size);
    }

    /// A header block, or a piece of one.
    pub fn fields(&mut self, piece: &Piece, header: &FrameHeader) -> Block {
        let side = piece.direction as usize;
        self.block[side].extend_from_slice(&piece.bytes);
        let mut out = Block {
            parts: Vec::new(),
            title: Text::default(),
            target: None,
            state: Vec::new(),
        };
        if !header.has(END_HEADERS) {
            out.parts.push(TABLE.block_piece.part(piece));
            return out;
        }
        let block = std::mem::take(&mut self.block[side]);
        let Ok(found) = self.hpack[side].fields(&block) else {
            out.parts
                .extend((!piece.bytes.is_empty()).then(|| TABLE.unreadable_block.part(piece)));
            return out;
        };
        if let Some(dialect) = dialect(&found) {
            self.dialects.insert(header.stream, dialect);
        }
        let is_whole = block.len() == piece.bytes.len();
        out.describe(&found);
        if is_whole {
            out.take_apart(piece, &found);
        } else {
            let names = found
                .iter()
                .map(|f| Detail::new("field", said(f), "of the whole block"));
            let part = TABLE.last_block_piece.part(piece);
            // A frame that only ends the block has no bytes to show.
            out.parts
                .extend((!piece.bytes.is_empty()).then(|| part.with(names.collect())));
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
            self.state = [Knowledge::Cursor, Knowledge::Identity, Knowledge::Head]
                .map(|what| StateItem {
                    what,
                    bytes: of(what),
                })
                .into_iter()
                .filter(|item| item.bytes > 0)
                .collect();
        }
    }

    fn take_apart(&mut self, piece: &Piece, found: &[Field]) {
        let mut from = 0;
        for field in found {
            let piece = slice(piece, from..from + field.len);
            from += field.len;
            self.parts.push(explain(&piece, field));
        }
        if from < piece.bytes.len() {
            let rest = slice(piece, from..piece.bytes.len());
            self.parts.push(TABLE.rest_of_block.part(&rest));
        }
    }
}

/// The protocol on top that a request with these fields starts.
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
        let size = Detail::new("size", size.to_string(), "bytes, as this side counts them");
        return TABLE.table_size.part(piece).with(vec![size]);
    }
    let mut part = match TABLE.pseudo.get(&name) {
        Some(row) => Explained {
            what: phrase!("%{name} says %{purpose}.", name = name.clone(), purpose = row),
            ..row.part(piece)
        },
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

/// The client's preface.
pub fn preface(piece: &Piece) -> Explained {
    TABLE.preface.part(piece)
}

/// A frame's header: the parsed header, a title, and its explanation.
pub fn header(piece: &Piece) -> Option<(FrameHeader, Text, Explained)> {
    let header = FrameHeader::parse(&piece.bytes)?;
    let row = TABLE.frames.of(&piece.bytes[3].to_string());
    let name = row.name();
    let title = match header.stream {
        0 => phrase!("%{name} frame for the connection", name = name.clone()),
        n => phrase!(
            "%{name} frame on stream %{n}",
            name = name.clone(),
            n = n.to_string()
        ),
    };
    let part = TABLE.frame_header.part(piece).because(row.what()).with(vec![
        Detail::new(
            "length",
            format!("{} = {}", hex(&piece.bytes[..3]), header.len),
            "bytes of payload follow",
        ),
        Detail::new(
            "type",
            format!("{} = {name}", hex(&piece.bytes[3..4])),
            &*row.source,
        ),
        Detail::new(
            "flags",
            format!("{} = {}", hex(&piece.bytes[4..5]), flags(&header)),
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

/// The payload of a frame that carries neither fields nor content.
pub fn payload(piece: &Piece, state: &mut State) -> Vec<Explained> {
    if piece.kind == Kind::Settings {
        return settings(piece, state);
    }
    let number = |range: std::ops::Range<usize>| {
        let bytes = piece.bytes.get(range).unwrap_or_default();
        bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b))
    };
    let error = |range| Detail::new("error", error(number(range)), "section 7");
    let part = match piece.kind {
        Kind::WindowUpdate => TABLE.window_update.part(piece).with(vec![Detail::new(
            "increment",
            number(0..4).to_string(),
            "bytes, beyond those allowed so far",
        )]),
        Kind::Ping => TABLE.ping.part(piece),
        Kind::GoAway => TABLE.goaway.part(piece).with(vec![
            Detail::new(
                "last stream",
                (number(0..4) & 0x7FFF_FFFF).to_string(),
                "of those the other side opened, the last that was dealt with; what came after it may be tried again",
            ),
            error(4..8),
        ]),
        Kind::RstStream => TABLE.rst_stream.part(piece).with(vec![error(0..4)]),
        Kind::Padding => TABLE.padding.part(piece),
        Kind::Priority => TABLE.priority.part(piece),
        _ => TABLE.unknown_payload.part(piece),
    };
    vec![part]
}

/// The names of error codes (RFC 9113, section 7).
const ERRORS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

fn error(code: u64) -> String {
    let name = usize::try_from(code).ok().and_then(|code| ERRORS.get(code));
    format!("{code} = {}", name.unwrap_or(&"unknown"))
}

fn settings(piece: &Piece, state: &mut State) -> Vec<Explained> {
    let one = |from: usize| {
        let piece = slice(piece, from..(from + 6).min(piece.bytes.len()));
        let Some(([i1, i2], value)) = piece.bytes.split_first_chunk() else {
            return TABLE.setting_piece.part(&piece);
        };
        let id = u16::from_be_bytes([*i1, *i2]);
        let value = value.iter().fold(0, |n, b| n << 8 | u32::from(*b));
        if id == HEADER_TABLE_SIZE {
            state.allow(piece.direction, value);
        }
        let row = TABLE.settings.of(&id.to_string());
        let what = phrase!("%{name}: %{purpose}.", name = row.name(), purpose = row);
        let value = format!("{id} = {value}");
        let value = Detail::new("value", value, "identifier, two bytes; value, four");
        Explained::new(&piece, what, &row.source).with(vec![value])
    };
    (0..piece.bytes.len()).step_by(6).map(one).collect()
}

/// The title of a DATA frame, with the length of its content.
pub fn holds(title: Text, len: u32) -> Text {
    phrase!(
        "%{title} that holds %{length}",
        title = title,
        length = bytes(len.into())
    )
}
