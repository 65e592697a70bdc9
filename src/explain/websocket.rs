//! WebSocket frames, field by field (RFC 6455, section 5).

use std::sync::LazyLock;

use serde::Deserialize;

use super::table::{self, Keyed, Row, Rows};
use super::unit::{Detail, Explained, bytes, hex, slice, text};
use crate::lang::{Text, phrase};
use crate::wire::transcript::Piece;
use crate::wire::{FrameHeader, Opcode};

static TABLE: LazyLock<Table> = LazyLock::new(|| table::read(include_str!("websocket.toml")));

/// The rows of `websocket.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    header: Row,
    masked: Row,
    close: Row,
    ping: Row,
    pong: Row,
    opcodes: Keyed,
    close_codes: Rows,
}

/// The most bytes whose unmasking is shown step by step.
const SHOWN: usize = 8;

/// The parts of a frame's header that are needed to explain its content.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    opcode: Opcode,
    key: Option<[u8; 4]>,
    /// Bytes of content before the current piece.
    pub seen: usize,
}

/// The position in the message that one direction is sending.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message {
    /// The number of the next fragment, from 1; 0 outside a message.
    fragment: u64,
}

/// The headers in a piece; several follow each other if frames have no content.
pub fn headers(piece: &Piece) -> Vec<Piece> {
    let mut from = 0;
    let mut found = Vec::new();
    while let Ok(Some(header)) = FrameHeader::parse(&piece.bytes[from..]) {
        found.push(slice(piece, from..from + header.size));
        from += header.size;
    }
    if from < piece.bytes.len() {
        // Cannot happen: the decoder labels only complete headers. The bytes are shown in any case.
        found.push(slice(piece, from..piece.bytes.len()));
    }
    found
}

/// A frame header: its frame, a title for the unit, and its bits, explained.
pub fn header(piece: &Piece, message: &mut Message) -> (Frame, Text, Explained) {
    let opcode = piece.bytes.first().map_or(0, |first| first & 15).to_string();
    let (Ok(Some(header)), Some(row)) = (FrameHeader::parse(&piece.bytes), TABLE.opcodes.get(&opcode)) else {
        let frame = Frame {
            opcode: Opcode::Continuation,
            key: None,
            seen: 0,
        };
        return (frame, "an unreadable frame".into(), TABLE.header.part(piece));
    };
    let key = header
        .masked
        .then(|| piece.bytes[header.size - 4..].first_chunk().copied())
        .flatten();
    let title = phrase!(
        "%{frame}, %{length}",
        frame = title(&header, row, message),
        length = bytes(header.len)
    );
    let explained = Explained {
        random: key.map(|_| header.size - 4..header.size),
        ..TABLE
            .header
            .part(piece)
            .because(row.why())
            .with(bits(piece, &header, row, key))
    };
    let frame = Frame {
        opcode: header.opcode,
        key,
        seen: 0,
    };
    (frame, title, explained)
}

fn title(header: &FrameHeader, row: &'static Row, message: &mut Message) -> Text {
    let name = row.name();
    if header.opcode.is_control() {
        return name;
    }
    message.fragment += 1;
    let number = message.fragment;
    if header.fin {
        message.fragment = 0;
    }
    match (number, header.fin) {
        (1, true) => name,
        (n, false) => phrase!(
            "%{name}, fragment %{n}, more follow",
            name = name,
            n = n.to_string()
        ),
        (n, true) => phrase!("%{name}, fragment %{n}, the last", name = name, n = n.to_string()),
    }
}

fn bits(piece: &Piece, header: &FrameHeader, row: &'static Row, key: Option<[u8; 4]>) -> Vec<Detail> {
    let (first, second) = (piece.bytes[0], piece.bytes[1]);
    let bit = |n: u32| (first >> n & 1).to_string();
    let fin = match (header.fin, header.opcode.is_control()) {
        (true, true) => "always set: control frames are never fragmented (section 5.4)",
        (true, false) => "the last fragment of its message, or the only one",
        (false, _) => "more fragments follow",
    };
    let mut details = vec![
        Detail::new("FIN", bit(7), fin),
        Detail::new(
            "RSV1-3",
            format!("{:03b}", first >> 4 & 7),
            "reserved for extensions; none was agreed on",
        ),
        Detail::new("opcode", format!("{:04b} = {:#x}", first & 15, first & 15), row),
        Detail::new("MASK", (second >> 7).to_string(), mask(header.masked)),
        length(piece, header),
    ];
    if let Some(key) = key {
        let what = "random, new for each frame; a proxy in between cannot be made to see bytes of a page's \
                    choosing (sections 5.3 and 10.3)";
        details.push(Detail::new("key", hex(&key), what).random());
    }
    details
}

fn mask(masked: bool) -> &'static str {
    if masked {
        "the content is masked: a client's always is (section 5.1)"
    } else {
        "the content is not masked: a server's never is (section 5.1)"
    }
}

fn length(piece: &Piece, header: &FrameHeader) -> Detail {
    let short = piece.bytes[1] & 0x7F;
    let (form, what) = match short {
        126 => (
            "7+16 bits",
            "126 says: the next two bytes hold the length, 126 to 65,535",
        ),
        127 => (
            "7+64 bits",
            "127 says: the next eight bytes hold the length, from 65,536 on",
        ),
        _ => ("7 bits", "up to 125 fits here"),
    };
    let value = match short {
        126 => format!("{short}, {} = {}", hex(&piece.bytes[2..4]), header.len),
        127 => format!("{short}, {} = {}", hex(&piece.bytes[2..10]), header.len),
        _ => short.to_string(),
    };
    Detail::new(format!("length {form}"), value, what)
}

/// Unmasked content: as text, or in hexadecimal if it is not UTF-8.
pub fn meant(plain: &[u8]) -> Detail {
    match std::str::from_utf8(plain) {
        Ok(text) => Detail::new("content", text, "without the mask"),
        Err(_) => Detail::new("content", hex(plain), "without the mask, in hexadecimal"),
    }
}

impl Frame {
    /// Whether its content is masked.
    pub fn is_masked(&self) -> bool {
        self.key.is_some()
    }

    /// The bytes without the mask.
    pub fn unmask(&self, piece: &Piece) -> Vec<u8> {
        let Some(key) = self.key else {
            return piece.bytes.clone();
        };
        let key = key.iter().cycle().skip(self.seen % 4);
        piece.bytes.iter().zip(key).map(|(b, k)| b ^ k).collect()
    }

    /// The unmasking of the first bytes, step by step.
    pub fn steps(&self, piece: &Piece, plain: &[u8]) -> Vec<Detail> {
        let Some(key) = self.key else {
            return Vec::new();
        };
        let n = piece.bytes.len().min(SHOWN);
        let keys: Vec<u8> = key.iter().cycle().skip(self.seen % 4).take(n).copied().collect();
        let of = match piece.bytes.len() == n {
            true => "as it crossed",
            false => "the first bytes, as they crossed",
        };
        vec![
            Detail::new("masked", hex(&piece.bytes[..n]), of).random(),
            Detail::new("XOR key", hex(&keys), "the key, over and over (section 5.3)").random(),
            Detail::new("=", hex(&plain[..n]), "what was meant"),
        ]
    }
}

/// A message of the client's application.
pub fn masked(piece: &Piece, frame: &Frame) -> Explained {
    let plain = frame.unmask(piece);
    let mut details = frame.steps(piece, &plain);
    details.push(meant(&plain));
    let random = frame.key.map(|_| 0..piece.bytes.len());
    Explained {
        random,
        ..TABLE.masked.part(piece).with(details)
    }
}

/// The content of a ping, pong or close.
pub fn control_body(piece: &Piece, frame: &Frame) -> Explained {
    let plain = frame.unmask(piece);
    let mut details = frame.steps(piece, &plain);
    let random = frame.key.map(|_| 0..piece.bytes.len());
    let row = match frame.opcode {
        Opcode::Close => &TABLE.close,
        Opcode::Ping => &TABLE.ping,
        _ => &TABLE.pong,
    };
    if frame.opcode == Opcode::Close {
        details.extend(reason(&plain));
    }
    Explained {
        random,
        ..row.part(piece).with(details)
    }
}

fn reason(plain: &[u8]) -> Vec<Detail> {
    let Some((code, rest)) = plain.split_first_chunk() else {
        return Vec::new();
    };
    let code = u16::from_be_bytes(*code);
    let mut details = vec![Detail::new(
        "code",
        format!("{} = {code}", hex(&plain[..2])),
        close_code(code),
    )];
    if !rest.is_empty() {
        details.push(Detail::new(
            "reason",
            text(rest),
            "for human readers (section 7.1.6)",
        ));
    }
    details
}

/// The meaning of a close code (RFC 6455, section 7.4).
fn close_code(code: u16) -> Text {
    let row = match code {
        3000..4000 => TABLE.close_codes.of("3000"),
        4000..5000 => TABLE.close_codes.of("4000"),
        5000.. => TABLE.close_codes.of("beyond"),
        _ => TABLE.close_codes.of(&code.to_string()),
    };
    phrase!(
        "%{meaning} (%{source})",
        meaning = row,
        source = row.source.clone()
    )
}
