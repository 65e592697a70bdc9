//! Tests of the framework with a minimal layer.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::layer::{Carried, Layer, Seen};
use super::super::layers::{Written, message};
use super::super::span::{Span, Spans};
use super::super::unit;
use super::super::{Decoder, Direction, Event, Kind, Kind::*, Label, Label::*, Tally, Violation};
use super::support::{Side, Vector, read};

/// A minimal layer whose units are lines. `c…` is control, `k…` a cursor; in `m…` all except the first byte
/// and the line end is payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiny {
    pub poll: bool,
}

impl Tiny {
    pub fn of(path: &[u8]) -> Option<Tiny> {
        match path {
            b"/tiny" => Some(Tiny { poll: false }),
            b"/tiny/poll" => Some(Tiny { poll: true }),
            _ => None,
        }
    }
}

impl Layer for Tiny {
    fn unit(&mut self, bytes: &[u8], from: usize, _: Direction) -> Option<usize> {
        memchr::memchr(b'\n', &bytes[from..]).map(|n| from + n + 1)
    }

    fn label(&mut self, unit: &[u8], carried: Carried, spans: &mut Spans) {
        let kind = match carried.sender {
            Direction::Up => Kind::Reply,
            Direction::Down => Kind::Mail,
        };
        match unit {
            _ if carried.binary => spans.push(unit.len(), Label::Payload, Kind::Attachment),
            [b'c', ..] => spans.push(unit.len(), Label::Control, Kind::LayerControl),
            [b'k', ..] => spans.push(unit.len(), Label::Control, Kind::Cursor),
            [_, text @ ..] => {
                let end = usize::from(text.ends_with(b"\n"));
                spans.push(1, Label::Framing, Kind::Envelope);
                spans.push(text.len() - end, Label::Payload, kind);
                spans.push(end, Label::Framing, Kind::Envelope);
            }
            [] => {}
        }
    }

    fn is_empty_answer(&self, seen: Seen) -> bool {
        self.poll && seen.only_control()
    }
}

const GET: &str = "GET /tiny HTTP/1.1\r\n\r\n";
const POLL: &str = "GET /tiny/poll HTTP/1.1\r\n\r\n";
const UPGRADE: &str = "GET /tiny HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
const ACCEPTED: &str = "HTTP/1.1 101 S\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const DOWN: Event = Event::Message(Direction::Down);
const UP: Event = Event::Message(Direction::Up);

fn upgraded() -> Vector {
    let vector = Vector::new().request(UPGRADE);
    vector.response(ACCEPTED).events(&[Event::Upgraded])
}

/// A frame, masked if the client sends it.
fn frame(sender: Direction, first: u8, content: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = *b"\x37\xfa\x21\x3d";
    let mask = if sender == Direction::Up { 0x80 } else { 0 };
    let mut out = vec![first];
    match content.len() {
        n @ 0..126 => out.push(mask | n as u8),
        n @ 126..65536 => {
            out.push(mask | 126);
            out.extend((n as u16).to_be_bytes());
        }
        n => {
            out.push(mask | 127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    if mask != 0 {
        out.extend(KEY);
        out.extend(content.iter().enumerate().map(|(n, b)| b ^ KEY[n % 4]));
    } else {
        out.extend(content);
    }
    out
}

fn down(first: u8, content: &[u8]) -> Vec<u8> {
    frame(Direction::Down, first, content)
}

fn up(first: u8, content: &[u8]) -> Vec<u8> {
    frame(Direction::Up, first, content)
}

fn tally(pieces: &[(Direction, &[u8])]) -> Tally {
    let (mut decoder, mut tally) = (Decoder::http(super::super::as_declared), Tally::default());
    for (direction, bytes) in pieces {
        decoder.feed(*direction, bytes, &mut tally);
    }
    decoder.finish(&mut tally);
    tally
}

#[test]
fn a_message_is_what_the_layer_says() {
    let mail = [
        (FrameHeader, Framing, 2),
        (Envelope, Framing, 1),
        (Mail, Payload, 4),
        (Envelope, Framing, 1),
    ];
    let reply = [
        (FrameHeader, Framing, 6),
        (Envelope, Framing, 1),
        (Reply, Payload, 4),
        (Envelope, Framing, 1),
    ];
    upgraded()
        .down(down(0x81, b"mmail\n"), &mail)
        .events(&[DOWN])
        .up(up(0x81, b"mread\n"), &reply)
        .events(&[UP])
        .down(
            down(0x82, b"cbytes"),
            &[(FrameHeader, Framing, 2), (Attachment, Payload, 6)],
        )
        .events(&[DOWN])
        .check(&down(0x89, b""));
    let long = [b"m", &vec![b'x'; 70_000 - 2][..], b"\n"].concat();
    let long_down = [down(0x01, &long[..40_000]), down(0x80, &long[40_000..])].concat();
    assert!(long.len() > unit::MAX_UNIT);
    // A unit that is too large keeps the label of its beginning; what follows it is read normally.
    let parts_down = [
        (FrameHeader, Framing, 4),
        (Envelope, Framing, 1),
        (Mail, Payload, 39_999),
        (FrameHeader, Framing, 4),
        (Mail, Payload, 30_000),
    ];
    upgraded()
        .down(&long_down, &parts_down)
        .events(&[DOWN; 2])
        .down(down(0x81, b"mmail\n"), &mail)
        .events(&[DOWN])
        .check(b"");
    let fits = [b"m", &vec![b'x'; 60_000 - 2][..], b"\n"].concat();
    let parts = [
        (FrameHeader, Framing, 8),
        (Envelope, Framing, 1),
        (Reply, Payload, fits.len() as u64 - 2),
        (Envelope, Framing, 1),
    ];
    upgraded()
        .up(up(0x81, &fits), &parts)
        .events(&[UP])
        .check(&up(0x89, b""));
}

#[test]
fn what_is_only_control_takes_its_headers_with_it() {
    let whole = [(FrameHeader, Control, 2), (LayerControl, Control, 5)];
    upgraded()
        .down(down(0x81, b"copen"), &whole)
        .check(&down(0x89, b""));
    let cut = [
        down(0x01, b"co"),
        down(0x8A, b"!"),
        down(0x00, b""),
        down(0x80, b"pen"),
    ]
    .concat();
    let parts = [
        (FrameHeader, Control, 2),
        (LayerControl, Control, 2),
        (FrameHeader, Control, 2),
        (ControlBody, Control, 1),
        (FrameHeader, Control, 4),
        (LayerControl, Control, 3),
    ];
    upgraded().down(cut, &parts).check(&down(0x81, b"m"));
    // An empty message is not control.
    upgraded()
        .down(down(0x81, b""), &[(FrameHeader, Framing, 2)])
        .events(&[DOWN])
        .check(&down(0x81, b"m"));
    let cursor = [(FrameHeader, Control, 6), (Cursor, Control, 3)];
    upgraded().up(up(0x81, b"k12"), &cursor).check(&up(0x81, b"m"));
}

#[test]
fn fragments_are_one_message() {
    let text = b"mhello\n";
    for sender in [Direction::Up, Direction::Down] {
        let (header, kind, event) = match sender {
            Direction::Up => (6, Reply, UP),
            Direction::Down => (2, Mail, DOWN),
        };
        let framing = (FrameHeader, Framing, header);
        let ping = (FrameHeader, Control, header);
        let pieces = [
            frame(sender, 0x01, &text[..1]),
            frame(sender, 0x89, b""),
            frame(sender, 0x00, &text[1..4]),
            frame(sender, 0x80, &text[4..]),
        ];
        let parts = [
            framing,
            (Envelope, Framing, 1),
            ping,
            framing,
            (kind, Payload, 3),
            framing,
            (kind, Payload, 2),
            (Envelope, Framing, 1),
        ];
        let vector = match sender {
            Direction::Up => upgraded().up(pieces.concat(), &parts),
            Direction::Down => upgraded().down(pieces.concat(), &parts),
        };
        vector.events(&[event; 3]).check(&frame(sender, 0x81, b"c"));
    }
}

#[test]
fn a_cut_message_is_labelled_by_what_it_began_as() {
    let cut = |bytes: &[u8], parts: &[(Kind, Label, u64)]| upgraded().down(bytes, parts).check(b"");
    cut(b"\x81", &[(Unread, Framing, 1)]);
    cut(b"\x89", &[(Unread, Control, 1)]);
    cut(b"\x81\x09", &[(FrameHeader, Framing, 2)]);
    cut(
        b"\x81\x09co",
        &[(FrameHeader, Control, 2), (LayerControl, Control, 2)],
    );
    let mail = [
        (FrameHeader, Framing, 2),
        (Envelope, Framing, 1),
        (Mail, Payload, 2),
    ];
    cut(b"\x81\x09mab", &mail);
    // A frame was read completely, but its message was not.
    let begun = [&mail[..], &[(Unread, Framing, 1)]].concat();
    upgraded()
        .down(b"\x01\x03mab\x80", &begun)
        .events(&[DOWN])
        .check(b"");
    // Bytes that break the protocol are unread; bytes read before are not.
    let broken = [down(0x01, b"mab"), down(0x83, b"")].concat();
    upgraded()
        .down(broken, &[&mail[..], &[(Unread, Control, 2)]].concat())
        .events(&[DOWN, Event::Violation(Direction::Down, Violation::Frame)])
        .check(b"\x81\x01c");
    // Clients mask, servers do not.
    upgraded()
        .down(up(0x81, b"c"), &[(Unread, Control, 7)])
        .events(&[Event::Violation(Direction::Down, Violation::Frame)])
        .up(down(0x81, b"c"), &[(Unread, Control, 3)])
        .events(&[Event::Violation(Direction::Up, Violation::Frame)])
        .check(b"\x81\x81abcdx");
}

#[test]
fn a_message_in_very_many_pieces_is_not_collected() {
    let n = unit::MAX_PIECES + 9;
    let content = [&b"m"[..], &vec![b'x'; n - 1]].concat();
    let first = |n: usize| if n == 0 { 0x01 } else { 0x00 };
    let pieces: Vec<u8> = (0..n).flat_map(|n| down(first(n), &content[n..=n])).collect();
    let mut bytes = pieces.clone();
    bytes.extend(down(0x80, b""));
    let whole = read([
        (Direction::Up, UPGRADE.as_bytes()),
        (Direction::Down, ACCEPTED.as_bytes()),
        (Direction::Down, &bytes),
    ]);
    let sum = |label: Label| {
        let runs = whole[1].runs.iter().filter(|run| run.kind != ResponseHead);
        let of = runs.flat_map(|run| run.labels.each());
        of.filter(|(l, _)| *l == label).map(|(_, n)| n).sum::<u64>()
    };
    let n = n as u64;
    assert_eq!((sum(Framing), sum(Payload), sum(Control)), (2 * n + 3, n - 1, 0));
    assert_eq!(whole[1].events.len() as u64, 1 + n + 1);
}

#[test]
fn a_body_may_hold_several_units() {
    let body = "copen\nmone\nmtwo\n";
    let mail = [(Envelope, Framing, 1), (Mail, Payload, 3), (Envelope, Framing, 1)];
    let parts = [&[(LayerControl, Control, 6)], &mail[..], &mail].concat();
    let fixed = "HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n";
    Vector::new()
        .request(POLL)
        .response(fixed)
        .down(body, &parts)
        .check(b"H");
    let closed = "HTTP/1.0 200 OK\r\n\r\n";
    Vector::new()
        .request(GET)
        .response(closed)
        .down(body, &parts)
        .check(b"c");
    // The rest at the end of a body is a unit, too.
    let rest = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n";
    Vector::new()
        .request(POLL)
        .response(rest)
        .down("mone", &mail[..2])
        .check(b"H");
    // An error's body is control; so is the answer to another method, if the layer says so.
    let refused = "HTTP/1.1 404 No\r\ncontent-length: 5\r\n\r\n";
    Vector::new()
        .request(POLL)
        .response(refused)
        .down("mone\n", &[(OtherBody, Control, 5)])
        .check(b"H");
}

#[test]
fn a_unit_too_large_to_be_kept_is_what_it_began_as() {
    let head = "HTTP/1.0 200 OK\r\n\r\n";
    for (more, fits) in [(0, true), (2, false)] {
        let line = [b"m", &vec![b'x'; unit::MAX_UNIT - 2 + more][..], b"\n"].concat();
        let payload = line.len() as u64 - 2;
        let mut parts = vec![(Envelope, Framing, 1), (Mail, Payload, payload)];
        if fits {
            parts.push((Envelope, Framing, 1));
        } else {
            parts[1].2 += 1;
        }
        // After the largest unit others may follow; after a larger one all bytes have one label.
        let vector = Vector::new().request(GET).response(head).down(&line, &parts);
        vector.check(b"copen\n");
    }
}

#[test]
fn a_chunk_is_labelled_by_the_units_it_touches() {
    let chunk = |label| [(ChunkSize, label, 3), (ChunkEnd, label, 2)];
    let [control, control_end] = chunk(Control);
    let [framing, framing_end] = chunk(Framing);
    let vector = Vector::new().request(GET).response(CHUNKED);
    vector
        .down(
            "3\r\ncop\r\n",
            &[control, (LayerControl, Control, 3), control_end],
        )
        .down(
            "3\r\nen\n\r\n",
            &[control, (LayerControl, Control, 3), control_end],
        )
        .down(
            "2\r\nmo\r\n",
            &[framing, (Envelope, Framing, 1), (Mail, Payload, 1), framing_end],
        )
        .down("1\r\nn\r\n", &[framing, (Mail, Payload, 1), framing_end])
        .down(
            "4\r\ne\nc \r\n",
            &[
                framing,
                (Mail, Payload, 1),
                (Envelope, Framing, 1),
                (LayerControl, Control, 2),
                framing_end,
            ],
        )
        .down("1\r\n\n\r\n", &[control, (LayerControl, Control, 1), control_end])
        .down("0\r\n\r\n", &[(LastChunk, Framing, 5)])
        .check(b"H");
    // A unit that ends only with the body.
    let vector = Vector::new().request(POLL).response(CHUNKED);
    vector
        .down(
            "3\r\ncop\r\n",
            &[control, (LayerControl, Control, 3), control_end],
        )
        .down("0\r\n\r\n", &[(LastChunk, Framing, 5)])
        .events(&[Event::Empty])
        .check(b"H");
    // A unit that is cut.
    let vector = Vector::new().request(GET).response(CHUNKED);
    vector
        .down(
            "3\r\ncop\r\n",
            &[control, (LayerControl, Control, 3), control_end],
        )
        .down("9\r\nen", &[control, (LayerControl, Control, 2)])
        .check(b"");
    let vector = Vector::new().request(GET).response(CHUNKED);
    vector
        .down("9\r\nmo", &[framing, (Envelope, Framing, 1), (Mail, Payload, 1)])
        .check(b"");
}

#[test]
fn a_poll_without_mail_is_empty() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n";
    let control = [(LayerControl, Control, 6)];
    let vector = Vector::new()
        .request(POLL)
        .response(answer)
        .down("copen\n", &control);
    vector.events(&[Event::Empty]).check(b"H");
    // The same for a POST; a stream is not a poll; a cut answer is not an answer.
    let vector = Vector::new()
        .request("POST /tiny/poll HTTP/1.1\r\n\r\n")
        .response(answer);
    vector
        .down("copen\n", &control)
        .events(&[Event::Empty])
        .check(b"H");
    Vector::new()
        .request(GET)
        .response(answer)
        .down("copen\n", &control)
        .check(b"H");
    Vector::new()
        .request(POLL)
        .response(answer)
        .down("copen", &[(LayerControl, Control, 5)])
        .check(b"");
    let mail = [(Envelope, Framing, 1), (Mail, Payload, 4), (Envelope, Framing, 1)];
    Vector::new()
        .request(POLL)
        .response(answer)
        .down("mmail\n", &mail)
        .check(b"H");
    let closed = "HTTP/1.0 200 OK\r\n\r\n";
    let vector = Vector::new()
        .request(POLL)
        .response(closed)
        .down("copen", &[(LayerControl, Control, 5)]);
    vector.events(&[Event::Empty]).check(b"");
}

#[test]
fn a_post_says_what_its_body_says() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\ncok";
    let heads = |body: &str| {
        let length = format!("POST /tiny HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len());
        let chunked = "POST /tiny HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n".to_string();
        let chunks = body.chars().map(|c| format!("1\r\n{c}\r\n")).collect::<String>() + "0\r\n\r\n";
        [(length, body.to_string()), (chunked, chunks)]
    };
    for (body, said, told) in [
        ("mread\n", true, [0, 0]),
        ("c\nk7\n", false, [1, 3]),
        ("k7\nm", false, [1, 3]),
        ("mx\nk7", true, [1, 2]),
    ] {
        for (head, body) in heads(body) {
            let up = [head.as_bytes(), body.as_bytes()].concat();
            let tally = tally(&[(Direction::Up, &up), (Direction::Down, answer)]);
            let expected = if said {
                (head.len() as u64, answer.len() as u64 - 3)
            } else {
                (0, 0)
            };
            assert_eq!(
                (tally.message_heads_up, tally.message_heads_down),
                expected,
                "{head}{body}"
            );
            assert_eq!(tally.client_state, told);
            assert_eq!((tally.up.total(), tally.down.control), (up.len() as u64, 3));
        }
    }
    let frames = [
        up(0x81, b"k7"),
        up(0x81, b"mk7"),
        up(0x01, b"k7"),
        up(0x80, b"77"),
    ]
    .concat();
    let upgrade = (Direction::Up, UPGRADE.as_bytes());
    let read = tally(&[
        upgrade,
        (Direction::Down, ACCEPTED.as_bytes()),
        (Direction::Up, &frames),
    ]);
    assert_eq!(
        (read.client_state, read.message_heads_up, read.messages_up),
        ([2, 6], 0, 1)
    );
}

/// A byte with its kind and label.
type Cell = (u8, Kind, Label);

#[derive(Clone, Debug)]
struct Line {
    first: u8,
    text: Vec<u8>,
}

impl Line {
    fn cells(&self, sender: Direction) -> Vec<Cell> {
        let own = if sender == Direction::Up { Reply } else { Mail };
        let (outer, inner) = match self.first {
            b'c' => ((LayerControl, Control), (LayerControl, Control)),
            b'k' => ((Cursor, Control), (Cursor, Control)),
            _ => ((Envelope, Framing), (own, Payload)),
        };
        let mut cells = vec![(self.first, outer.0, outer.1)];
        cells.extend(self.text.iter().map(|b| (*b, inner.0, inner.1)));
        cells.push((b'\n', outer.0, outer.1));
        cells
    }
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let byte = any::<u8>().prop_filter("ends the line", |b| *b != b'\n');
    let line = (select(&b"cckmm"[..]), vec(byte, 0..90));
    vec(line.prop_map(|(first, text)| Line { first, text }), 1..8)
}

fn label_of(cells: &[Cell]) -> Label {
    if cells.iter().all(|c| c.2 == Control) {
        Control
    } else {
        Framing
    }
}

fn wrapped(bytes: &[u8], kind: Kind, label: Label) -> Vec<Cell> {
    bytes.iter().map(|b| (*b, kind, label)).collect()
}

/// Each line as a message, in fragments of these sizes, with pings between them.
fn in_frames(lines: &[Line], sender: Direction, sizes: &[usize]) -> (Vec<Cell>, usize) {
    let (mut out, mut messages) = (Vec::new(), 0);
    let mut sizes = sizes.iter().cycle();
    for line in lines {
        let cells = line.cells(sender);
        let label = label_of(&cells);
        let mut rest = &cells[..];
        let mut opcode = 1;
        while !rest.is_empty() {
            let (fragment, left) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            let fin = if left.is_empty() { 0x80 } else { 0 };
            let content: Vec<u8> = fragment.iter().map(|c| c.0).collect();
            let bytes = frame(sender, fin | opcode, &content);
            let header = bytes.len() - content.len();
            out.extend(wrapped(&bytes[..header], FrameHeader, label));
            out.extend(bytes[header..].iter().zip(fragment).map(|(b, c)| (*b, c.1, c.2)));
            messages += usize::from(label == Framing);
            let ping = frame(sender, 0x89, b"");
            // Consecutive headers with the same label form one run.
            out.extend(wrapped(&ping, FrameHeader, Control));
            (rest, opcode) = (left, 0);
        }
    }
    (out, messages)
}

/// All lines in one body, in chunks of these sizes; each chunk line has the label of the lines it touches.
fn in_chunks(lines: &[Line], sender: Direction, sizes: &[usize]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for line in lines {
        let own = line.cells(sender);
        let label = label_of(&own);
        cells.extend(own.into_iter().map(|c| (c, label)));
    }
    let mut out = Vec::new();
    let mut rest = &cells[..];
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, left) = rest.split_at(rest.len().min(*size));
        let label = if chunk.iter().all(|c| c.1 == Control) {
            Control
        } else {
            Framing
        };
        out.extend(wrapped(
            format!("{:x}\r\n", chunk.len()).as_bytes(),
            ChunkSize,
            label,
        ));
        out.extend(chunk.iter().map(|c| c.0));
        out.extend(wrapped(b"\r\n", ChunkEnd, label));
        rest = left;
    }
    out.extend(wrapped(b"0\r\n\r\n", LastChunk, Framing));
    out
}

fn side(cells: &[Cell]) -> Side {
    let mut side = Side::default();
    cells
        .iter()
        .for_each(|(_, kind, label)| side.add(*kind, *label, 1));
    side
}

/// The result of reading these cells in pieces of these sizes, after a preamble.
fn read_cut(preamble: &[(Direction, &[u8])], sender: Direction, cells: &[Cell], cuts: &[usize]) -> Side {
    let bytes: Vec<u8> = cells.iter().map(|c| c.0).collect();
    let mut pieces = preamble.to_vec();
    let mut rest = &bytes[..];
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, left) = rest.split_at(rest.len().min(*cut));
        pieces.push((sender, piece));
        rest = left;
    }
    let [up, down] = read(pieces);
    let mut side = if sender == Direction::Up { up } else { down };
    // Without the preamble's head.
    side.runs.remove(0);
    side
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1usize..4, 1usize..200], 1..9)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn frames_cut_anywhere_give_the_labels_of_the_rules(lines in lines(), fragments in sizes(), cuts in sizes(), up in any::<bool>()) {
        let sender = if up { Direction::Up } else { Direction::Down };
        let (cells, messages) = in_frames(&lines, sender, &fragments);
        let preamble = [(Direction::Up, UPGRADE.as_bytes()), (Direction::Down, ACCEPTED.as_bytes())];
        let read = read_cut(&preamble, sender, &cells, &cuts);
        prop_assert_eq!(&read.runs, &side(&cells).runs);
        prop_assert_eq!(read.events.iter().filter(|e| **e == Event::Message(sender)).count(), messages);
    }

    #[test]
    fn chunks_cut_anywhere_give_the_labels_of_the_rules(lines in lines(), chunks in sizes(), cuts in sizes(), up in any::<bool>()) {
        let sender = if up { Direction::Up } else { Direction::Down };
        let cells = in_chunks(&lines, sender, &chunks);
        let post = "POST /tiny HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        let preamble = [(Direction::Up, GET.as_bytes()), (Direction::Down, CHUNKED.as_bytes())];
        let preamble = if up { &[(Direction::Up, post.as_bytes())][..] } else { &preamble };
        prop_assert_eq!(read_cut(preamble, sender, &cells, &cuts).runs, side(&cells).runs);
    }

    #[test]
    fn a_string_in_a_string_is_read_as_it_was_written(text in any::<String>(), more in "[ -~]{0,9}") {
        let json = serde_json::to_string(&text).unwrap();
        let (written, n) = Written::json_string(format!("{}\"{more}", &json[1..json.len() - 1]).as_bytes());
        prop_assert_eq!(n, json.len() - 2);
        prop_assert_eq!(&written.text, text.as_bytes());
        let mut spans = Spans::default();
        written.stretch(&one(text.len(), Payload, Mail), &mut spans);
        let of = |label| spans.iter().filter(|s| s.label == label).map(|s| s.len).sum::<usize>();
        prop_assert_eq!((of(Payload), of(Framing)), (text.len(), json.len() - 2 - text.len()));
        // Encoded once more, in a form.
        let form: String = json.bytes().map(|b| format!("%{b:02X}")).collect();
        let written = Written::form_value(form.as_bytes());
        prop_assert_eq!(&written.text, json.as_bytes());
    }
}

fn one(len: usize, label: Label, kind: Kind) -> Spans {
    let mut spans = Spans::default();
    spans.push(len, label, kind);
    spans
}

#[test]
fn escapes_are_the_bytes_that_writing_added() {
    for (json, text, spans) in [
        (
            r"a\u00e9\\",
            "aé\\",
            vec![
                (Payload, 1),
                (Framing, 4),
                (Payload, 2),
                (Framing, 1),
                (Payload, 1),
            ],
        ),
        (r"\ud83d\ude00!", "😀!", vec![(Framing, 8), (Payload, 5)]),
        (r"\ud83dx", "\u{FFFD}x", vec![(Framing, 3), (Payload, 4)]),
        (r"\q\u12", r"\q\u12", vec![(Payload, 6)]),
        (r"\", r"\", vec![(Payload, 1)]),
    ] {
        let (written, n) = Written::json_string(json.as_bytes());
        assert_eq!((n, &written.text[..]), (json.len(), text.as_bytes()));
        let mut found = Spans::default();
        written.stretch(&one(text.len(), Payload, Mail), &mut found);
        let found: Vec<_> = found.iter().map(|s| (s.label, s.len)).collect();
        assert_eq!(found, spans, "{json}");
        // A span other than payload keeps its label, and is one run.
        for (label, kind) in [(Control, Cursor), (Framing, StompHead)] {
            let mut found = Spans::default();
            written.stretch(&one(text.len(), label, kind), &mut found);
            assert_eq!(
                found.iter().collect::<Vec<_>>(),
                [&Span::new(json.len(), label, kind)]
            );
        }
    }
    let form = Written::form_value(b"a+%22%e9%2%zz");
    assert_eq!(form.text, b"a \"\xe9%2%zz");
    let (mut inner, mut spans) = (one(2, Payload, Mail), Spans::default());
    inner.push(7, Framing, Envelope);
    form.stretch(&inner, &mut spans);
    assert_eq!(spans.total(), 13);
}

#[test]
fn a_message_is_a_mail_a_reply_a_cursor_or_a_notice() {
    let of = |text: &str, sender| {
        let mut spans = Spans::default();
        message(text.as_bytes(), sender, &mut spans);
        spans.iter().map(|s| (s.kind, s.label, s.len)).collect::<Vec<_>>()
    };
    for cursor in [
        r#"{"after":7}"#,
        r#" { "after" : 12 } "#,
        r#"{"after":"7.k3f9"}"#,
        r#"{"at":"0."}"#,
        "after=0.",
        "after=7.k3f9",
        "after=7",
    ] {
        assert_eq!(of(cursor, Direction::Up), [(Cursor, Control, cursor.len())]);
        assert_eq!(of(cursor, Direction::Down), [(Mail, Payload, cursor.len())]);
    }
    for other in [
        r#"{"after":7,"x":1}"#,
        r#"{"after":}"#,
        r#"{"after":-1}"#,
        r#"{"at":"7.k3f"}"#,
        r#"{"at":"7.k3f9.""#,
        "after=",
        "after=.k3f9",
        "after=7.k3f9 ",
        r#"{"read":7}"#,
        "x",
    ] {
        assert_eq!(of(other, Direction::Up), [(Reply, Payload, other.len())]);
    }
    for notice in [r#"{"gap":3}"#, r#"{"reset":"k3f9"}"#, r#"{"epoch":"k3f9"}"#] {
        assert_eq!(of(notice, Direction::Down), [(Notice, Control, notice.len())]);
        assert_eq!(of(notice, Direction::Up), [(Reply, Payload, notice.len())]);
    }
    let parts = [
        (Mail, Payload, 7),
        (AttachmentKey, Framing, 15),
        (Attachment, Payload, 4),
        (AttachmentKey, Framing, 1),
        (Mail, Payload, 1),
    ];
    assert_eq!(of(r#"{"id":1,"attachment":"QUJD"}"#, Direction::Down), parts);
    assert_eq!(of("", Direction::Down), []);
}
