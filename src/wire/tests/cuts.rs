//! The proof that a cut anywhere leaves no byte unlabelled, and that the sizes of reads change nothing: every
//! message format in every carrier, cut at each byte.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::http2::PREFACE;
use super::super::{Decoder, Direction, Event, Kind, Lengths};
use super::support::{Reading, http1, http2, read_with};

/// A message format: its sender, the request for it, and examples, whole and in tokens.
struct Format {
    sender: Direction,
    /// Path and query.
    target: &'static str,
    /// Whether it is in WebSocket messages, otherwise in a body.
    socket: bool,
    /// Fields of the request, or of the response if the server sends it in a body.
    fields: &'static [(&'static str, &'static str)],
    tokens: &'static [&'static [u8]],
}

const UP: Direction = Direction::Up;
const DOWN: Direction = Direction::Down;
const EVENTS: &[(&str, &str)] = &[("content-type", "text/event-stream")];
const NDJSON: &[(&str, &str)] = &[("content-type", "application/x-ndjson")];
const STOMP: &[(&str, &str)] = &[("sec-websocket-protocol", "v12.stomp")];

const fn body(sender: Direction, target: &'static str, tokens: &'static [&'static [u8]]) -> Format {
    Format {
        sender,
        target,
        socket: false,
        fields: &[],
        tokens,
    }
}

const fn socket(sender: Direction, target: &'static str, tokens: &'static [&'static [u8]]) -> Format {
    Format {
        socket: true,
        ..body(sender, target, tokens)
    }
}

const MAILS: &[&[u8]] = &[
    br#"{"id":1,"attachment":"QUJDREU="}"#,
    br#"{"gap":3}"#,
    br#"{"id":1,"body":",\"att"}"#,
    b"\0\0\0\x08{\"id\":1}abc",
];
const LIST: &[&[u8]] = &[
    b"[",
    b" ,",
    b"]",
    br#"{"id":1,"attachment":"QUJDREU="}"#,
    br#"{"gap":3}"#,
    br#"{"id":[{"]":"\"}"}]}"#,
    b"7",
    b"<",
];
const SSE: &[&[u8]] = &[
    b"\xEF\xBB\xBF",
    b": x",
    b"retry: 10",
    b"event: gap",
    b"id: 7",
    b"data: {\"id\":1,\"attachment\":\"QU",
    b"data:JD\"}",
    b"data",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
];
const LINES: &[&[u8]] = &[
    br#"{"id":1,"attachment":"QUJDREU="}"#,
    br#"{"gap":3}"#,
    b"\n",
    b"\r\n",
    b"x",
];
const STOMP_UP: &[&[u8]] = &[
    b"CONNECT\naccept-version:1.2\n\n\0",
    b"SUBSCRIBE\nid:0\nafter:7\n\n\0",
    b"SEND\ndestination:/app/read\ncontent-length:9\n\n",
    b"\n",
    b"\0",
];
const STOMP_DOWN: &[&[u8]] = &[
    b"MESSAGE\nsubscription:0\n\n",
    br#"{"id":1,"attachment":"QUJD"}"#,
    b"\0",
    b"\n",
    b"ERROR\n\nno\0",
];
const SOCKJS_UP: &[&[u8]] = &[
    br#"["{\"read\":1}"]"#,
    br#""after=7""#,
    b"[\"SUBSCRIBE\\nafter:7\\n\\n\\u0000\"]",
    b"d=%5B%22x%5C%22%22%5D",
    b"\"",
];
const SOCKJS_DOWN: &[&[u8]] = &[
    b"o\n",
    b"hhhh\n",
    br#"a["{\"id\":1,\"attachment\":\"QUJD\"}"]"#,
    br#"a["{\"gap\":3}"]"#,
    b"c[3000,\"Go away!\"]",
    b"data: ",
    b"\r\n\r\n",
    b"<script>\np(\"",
    b"\");\n</script>\r\n",
    b"\n",
];
const ENGINE_IO: &[&[u8]] = &[
    b"2",
    b"3probe",
    b"0{\"sid\":\"x\"}",
    b"40{\"after\":3}",
    br#"42["mail",{"id":1},{"_placeholder":true,"num":0}]"#,
    b"430[]",
    b"bQUJDREU=",
    b"\xc3\xa9",
    b"\x1e",
];
const TINY: &[&[u8]] = &[b"cx\n", b"k7\n", b"mone\n", b"m"];

const FORMATS: &[Format] = &[
    body(DOWN, "/", LIST),
    Format {
        fields: EVENTS,
        ..body(DOWN, "/", SSE)
    },
    Format {
        fields: NDJSON,
        ..body(DOWN, "/", LINES)
    },
    body(UP, "/", MAILS),
    socket(UP, "/", MAILS),
    socket(DOWN, "/", MAILS),
    Format {
        fields: STOMP,
        ..socket(UP, "/stomp", STOMP_UP)
    },
    Format {
        fields: STOMP,
        ..socket(DOWN, "/stomp", STOMP_DOWN)
    },
    socket(UP, "/sockjs/0/x/websocket", SOCKJS_UP),
    socket(DOWN, "/sockjs/0/x/websocket", SOCKJS_DOWN),
    body(DOWN, "/sockjs/0/x/xhr", SOCKJS_DOWN),
    body(DOWN, "/sockjs/0/x/xhr_streaming", SOCKJS_DOWN),
    body(DOWN, "/sockjs/0/x/eventsource", SOCKJS_DOWN),
    body(DOWN, "/sockjs/0/x/htmlfile", SOCKJS_DOWN),
    body(DOWN, "/sockjs/0/x/jsonp", SOCKJS_DOWN),
    body(UP, "/sockjs/0/x/xhr_send", SOCKJS_UP),
    body(UP, "/sockjs/0/x/jsonp_send", SOCKJS_UP),
    body(DOWN, "/sockjs/info", SOCKJS_DOWN),
    socket(UP, "/socket.io/?EIO=4", ENGINE_IO),
    socket(DOWN, "/socket.io/?EIO=4", ENGINE_IO),
    socket(DOWN, "/engine.io/?EIO=4", ENGINE_IO),
    body(UP, "/socket.io/?EIO=4", ENGINE_IO),
    body(DOWN, "/socket.io/?EIO=4", ENGINE_IO),
    body(DOWN, "/tiny/poll", TINY),
    socket(UP, "/tiny", TINY),
];

/// The carrier of content.
#[derive(Clone, Copy)]
enum Transport {
    Length,
    Close,
    Chunks,
    Data,
}

type Pieces = Vec<(Direction, Vec<u8>)>;

/// Splits content into pieces of these sizes, in turn, and puts each into a carrier.
fn carried(content: &[u8], sizes: &[usize], carry: impl Fn(&[u8], bool) -> Vec<u8>) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), content);
    for (n, size) in sizes.iter().cycle().enumerate() {
        let (piece, left) = rest.split_at(rest.len().min(*size));
        out.extend(carry(piece, n == 0));
        rest = left;
        if rest.is_empty() {
            break;
        }
    }
    out
}

fn h2_frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u32;
    [&len.to_be_bytes()[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

/// A header block of literals on stream 1.
fn h2_head(flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    let string = |s: &str| [&[s.len() as u8], s.as_bytes()].concat();
    let field = |(name, value): &(&str, &str)| [vec![0], string(name), string(value)].concat();
    h2_frame(
        1,
        4 | flags,
        &fields.iter().map(field).collect::<Vec<_>>().concat(),
    )
}

impl Format {
    /// WebSocket frames: each token is a message, in fragments of these sizes, with a ping after each.
    fn frames(&self, tokens: &[&[u8]], sizes: &[usize]) -> Vec<u8> {
        let mask = if self.sender == UP { 0x80 } else { 0 };
        let frame = |first: u8, content: &[u8]| {
            let key = if mask == 0 { &b""[..] } else { b"mask" };
            let masked = content.iter().enumerate();
            let masked = masked.map(|(n, b)| b ^ key.get(n % 4).unwrap_or(&0));
            let header = [&[first, mask | content.len() as u8], key].concat();
            header.into_iter().chain(masked).collect::<Vec<u8>>()
        };
        let message = |token: &&[u8]| {
            let opcode = if token.first() == Some(&0) { 2 } else { 1 };
            let fragment = |content: &[u8], first| frame(if first { opcode } else { 0 }, content);
            let last = frame(0x80, b"");
            [carried(token, sizes, fragment), last, frame(0x89, b"x")].concat()
        };
        tokens.iter().map(message).collect::<Vec<_>>().concat()
    }

    /// The bytes before the content, and the content in its carrier.
    fn exchange(&self, transport: Transport, tokens: &[&[u8]], sizes: &[usize]) -> (Pieces, Vec<u8>) {
        let content = match self.socket {
            true => self.frames(tokens, sizes),
            false => tokens.concat(),
        };
        let data = |piece: &[u8], first| match first {
            // Padded by two bytes.
            true => h2_frame(0, 8, &[&[2], piece, &[0, 0]].concat()),
            false => h2_frame(0, 0, piece),
        };
        let chunk = |piece: &[u8], _| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        let bytes = match transport {
            Transport::Length | Transport::Close => content,
            Transport::Chunks if content.is_empty() => b"0\r\n\r\n".to_vec(),
            Transport::Chunks => [&carried(&content, sizes, chunk)[..], b"0\r\n\r\n"].concat(),
            Transport::Data => [carried(&content, sizes, data), h2_frame(0, 1, b"")].concat(),
        };
        let before = match transport {
            Transport::Data => self.http2_heads(),
            _ => self.http1_heads(transport, bytes.len()),
        };
        (before, bytes)
    }

    fn http1_heads(&self, transport: Transport, len: usize) -> Pieces {
        let length = match transport {
            Transport::Chunks => "transfer-encoding: chunked\r\n".into(),
            Transport::Length if !self.socket => format!("content-length: {len}\r\n"),
            _ => String::new(),
        };
        let fields: String = self.fields.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
        let target = self.target;
        let request = match (self.sender, self.socket) {
            (_, true) => format!("GET {target} HTTP/1.1\r\nupgrade: websocket\r\n{fields}\r\n"),
            (UP, _) => format!("POST {target} HTTP/1.1\r\n{fields}{length}\r\n"),
            (DOWN, _) => format!("GET {target} HTTP/1.1\r\n\r\n"),
        };
        let response = match self.socket {
            true => "HTTP/1.1 101 S\r\n\r\n".into(),
            false => format!("HTTP/1.1 200 OK\r\n{fields}{length}\r\n"),
        };
        let mut before = vec![(UP, request.into_bytes())];
        if self.socket || self.sender == DOWN {
            before.push((DOWN, response.into_bytes()));
        }
        before
    }

    fn http2_heads(&self) -> Pieces {
        let settings = b"\0\0\0\x04\0\0\0\0\0";
        let own = |first: &[(&'static str, &'static str)]| [first, self.fields].concat();
        let (flags, request) = match (self.sender, self.socket) {
            (_, true) => (0, own(&[(":method", "CONNECT"), (":protocol", "websocket")])),
            (UP, _) => (0, vec![(":method", "POST")]),
            (DOWN, _) => (1, vec![(":method", "GET")]),
        };
        let request = h2_head(flags, &[&request[..], &[(":path", self.target)]].concat());
        let response = match self.socket {
            true => vec![(":status", "200")],
            false => own(&[(":status", "200")]),
        };
        vec![
            (UP, [PREFACE, settings, &request].concat()),
            (DOWN, [&settings[..], &h2_head(0, &response)].concat()),
        ]
    }
}

/// Reads `bytes` after the pieces before them, in two reads that meet at `at`; then the connection is cut.
fn read_cut(
    new: fn() -> Decoder,
    before: &[(Direction, Vec<u8>)],
    sender: Direction,
    bytes: &[u8],
    at: usize,
) -> Reading {
    let before = before.iter().map(|(d, bytes)| (*d, &bytes[..]));
    let (first, second) = bytes.split_at(at);
    read_with(new, before.chain([(sender, first), (sender, second)]))
}

/// Splits the bytes into two reads at each position, and cuts the connection at each position. `read_with`
/// requires each byte to be labelled once.
fn check_every_cut(new: fn() -> Decoder, before: &Pieces, sender: Direction, bytes: &[u8]) {
    let whole = read_cut(new, before, sender, bytes, 0);
    // At each byte, unless there are very many: the cost grows with the square.
    for at in (0..=bytes.len()).step_by(1 + bytes.len() / 400) {
        assert_eq!(
            read_cut(new, before, sender, bytes, at),
            whole,
            "{bytes:?} cut at {at}"
        );
        let kept = &bytes[..at];
        let singly = before.iter().map(|(d, bytes)| (*d, &bytes[..]));
        let singly = singly.chain(kept.chunks(1).map(|byte| (sender, byte)));
        let ended = read_cut(new, before, sender, kept, 0);
        assert_eq!(read_with(new, singly), ended, "{bytes:?} that ends at {at}");
    }
}

fn decoder(transport: Transport) -> fn() -> Decoder {
    match transport {
        Transport::Data => http2,
        _ => http1,
    }
}

fn lengths() -> Decoder {
    Decoder::Lengths(Lengths::default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cut_anywhere_leaves_nothing_unlabelled(
        picks in vec(any::<Index>(), 0..5), sizes in vec(4usize..20, 1..4),
    ) {
        for format in FORMATS {
            let tokens: Vec<&[u8]> = picks.iter().map(|pick| *pick.get(format.tokens)).collect();
            let transports = match (format.socket, format.sender) {
                (true, _) => &[Transport::Close, Transport::Data][..],
                (false, UP) => &[Transport::Length, Transport::Chunks, Transport::Data],
                (false, DOWN) => &[Transport::Length, Transport::Close, Transport::Chunks, Transport::Data],
            };
            for transport in transports {
                let (before, bytes) = format.exchange(*transport, &tokens, &sizes);
                check_every_cut(decoder(*transport), &before, format.sender, &bytes);
            }
        }
        let baseline: &[&[u8]] = &[b"\0\0\0\x03abc", b"\0\0\0\0", b"\xff\xff\xff\xff\0\0\0\0\0\0\0\x09", b"\xff"];
        for sender in [UP, DOWN] {
            let bytes: Vec<u8> = picks.iter().flat_map(|pick| pick.get(baseline).to_vec()).collect();
            check_every_cut(lengths, &Vec::new(), sender, &bytes);
        }
    }
}

/// All content of the tests above is well-formed, so its layer reads it and not the error handling.
#[test]
fn nothing_that_is_cut_breaks_a_rule() {
    for format in FORMATS {
        let transport = Transport::Data;
        let (before, bytes) = format.exchange(transport, format.tokens, &[7]);
        let read = read_cut(decoder(transport), &before, format.sender, &bytes, 0);
        let broken = |event: &Event| matches!(event, Event::Violation(..));
        assert!(
            !read.iter().flat_map(|side| &side.events).any(broken),
            "{}",
            format.target
        );
        let runs = &read[format.sender as usize].runs;
        assert!(
            runs.iter().all(|run| run.kind != Kind::Unread),
            "{}: {runs:?}",
            format.target
        );
    }
}
