//! Random conversations, together with the kind and label of each byte, computed from the rules and not by
//! the decoder; and bytes that follow no rules.

use base64::{Engine, prelude::BASE64_STANDARD};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::{Direction, Event, Kind, Label};
use super::support::{Reading, Side, read};

/// A byte with its kind and label.
type Cell = (u8, Kind, Label);

fn cells(bytes: impl AsRef<[u8]>, kind: Kind, label: Label) -> Vec<Cell> {
    bytes.as_ref().iter().map(|b| (*b, kind, label)).collect()
}

#[derive(Clone, Debug)]
struct Letter {
    from: String,
    body: String,
    attachment: Option<Vec<u8>>,
}

impl Letter {
    fn json(&self) -> String {
        let text = |s: &str| serde_json::to_string(s).unwrap();
        format!(
            r#"{{"id":1,"from":{},"body":{}}}"#,
            text(&self.from),
            text(&self.body)
        )
    }

    fn text(&self) -> Vec<Cell> {
        let json = self.json();
        let Some(attachment) = &self.attachment else {
            return cells(json, Kind::Mail, Label::Payload);
        };
        let mut out = cells(&json[..json.len() - 1], Kind::Mail, Label::Payload);
        out.extend(cells(r#","attachment":""#, Kind::AttachmentKey, Label::Framing));
        for (n, byte) in BASE64_STANDARD.encode(attachment).bytes().enumerate() {
            let framing = n % 4 == 0 || byte == b'=';
            out.push((
                byte,
                Kind::Attachment,
                if framing { Label::Framing } else { Label::Payload },
            ));
        }
        let own = out
            .iter()
            .filter(|c| c.1 == Kind::Attachment && c.2 == Label::Payload)
            .count();
        assert_eq!(own, attachment.len());
        out.extend(cells("\"", Kind::AttachmentKey, Label::Framing));
        out.extend(cells("}", Kind::Mail, Label::Payload));
        out
    }

    fn binary(&self) -> Vec<Cell> {
        let json = self.json();
        let mut out = cells(
            (json.len() as u32).to_be_bytes(),
            Kind::MailLength,
            Label::Framing,
        );
        out.extend(cells(json, Kind::Mail, Label::Payload));
        out.extend(cells(
            self.attachment.iter().flatten().copied().collect::<Vec<u8>>(),
            Kind::Attachment,
            Label::Payload,
        ));
        out
    }
}

#[derive(Clone, Debug)]
enum Item {
    Mail(Letter),
    Gap(u32),
}

#[derive(Clone, Debug)]
enum Block {
    Mail(u32, Letter),
    Gap(u32),
    Comment(String),
    Retry(u32),
    Field(String),
}

#[derive(Clone, Debug)]
enum Answer {
    NoContent,
    List(Vec<Item>, &'static str),
    Stream(Vec<Block>, &'static str),
    Error(u16, Vec<u8>),
    Page(String),
}

#[derive(Clone, Debug)]
enum Wrap {
    Length,
    Chunked {
        sizes: Vec<usize>,
        extension: &'static str,
        trailers: &'static str,
    },
}

#[derive(Clone, Debug)]
enum Exchange {
    Get(Answer, Wrap),
    Post(Vec<u8>, Wrap, Answer, Wrap),
    Head,
}

#[derive(Clone, Debug)]
enum Frame {
    Text(Letter, Vec<usize>),
    Binary(Letter, Vec<usize>),
    Gap(Vec<usize>),
    Control(u8, Vec<u8>),
}

#[derive(Clone, Debug)]
pub(crate) struct Script {
    exchanges: Vec<Exchange>,
    interim: bool,
    websocket: Option<(Vec<Frame>, Vec<Frame>)>,
}

/// A played script: the bytes of both directions, and which bytes must wait for others.
#[derive(Default)]
pub(crate) struct Played {
    cells: [Vec<Cell>; 2],
    events: [Vec<Event>; 2],
    /// A direction, an offset in it, and how much of the other direction must have crossed before that byte.
    gates: Vec<(Direction, usize, usize)>,
}

impl Played {
    fn say(&mut self, direction: Direction, said: impl IntoIterator<Item = Cell>) {
        self.cells[direction as usize].extend(said);
    }

    fn event(&mut self, direction: Direction, event: Event) {
        self.events[direction as usize].push(event);
    }

    /// The next bytes of this direction must follow all bytes of the other so far.
    fn gate(&mut self, direction: Direction) {
        let other = self.cells[1 - direction as usize].len();
        self.gates
            .push((direction, self.cells[direction as usize].len(), other));
    }

    fn expected(&self) -> Reading {
        let mut reading = Reading::default();
        for (n, side) in reading.iter_mut().enumerate() {
            let mut runs = Side::default();
            self.cells[n]
                .iter()
                .for_each(|(_, kind, label)| runs.add(*kind, *label, 1));
            *side = Side {
                events: self.events[n].clone(),
                ..runs
            };
        }
        reading
    }

    /// The same bytes in random pieces, both directions mixed as far as the gates allow.
    pub(crate) fn pieces(&self, cuts: &[(bool, usize)]) -> Vec<(Direction, Vec<u8>)> {
        let bytes = self
            .cells
            .each_ref()
            .map(|c| c.iter().map(|c| c.0).collect::<Vec<u8>>());
        let mut at = [0, 0];
        let mut pieces = Vec::new();
        for (up, size) in cuts.iter().cycle() {
            if at == [bytes[0].len(), bytes[1].len()] {
                break;
            }
            let wanted = if *up { Direction::Up } else { Direction::Down };
            let other = if *up { Direction::Down } else { Direction::Up };
            let open = |d: Direction| {
                let shut = |(who, from, needs): &&(Direction, usize, usize)| {
                    *who == d && *from >= at[d as usize] && at[1 - d as usize] < *needs
                };
                let end = self.gates.iter().filter(shut).map(|g| g.1).min();
                end.unwrap_or(bytes[d as usize].len())
            };
            let direction = if open(wanted) > at[wanted as usize] {
                wanted
            } else {
                other
            };
            let n = direction as usize;
            let end = open(direction).min(at[n] + size);
            pieces.push((direction, bytes[n][at[n]..end].to_vec()));
            at[n] = end;
        }
        pieces
    }
}

pub(crate) fn play(script: &Script) -> Played {
    let mut played = Played::default();
    // Requests are sent before earlier answers as far as the gates allow.
    for exchange in &script.exchanges {
        exchange.play(&mut played, script.interim);
    }
    if let Some((up, down)) = &script.websocket {
        let head = "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        played.say(Direction::Up, cells(head, Kind::RequestHead, Label::Head));
        played.event(Direction::Up, Event::Request);
        played.gate(Direction::Down);
        let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";
        played.say(Direction::Down, cells(head, Kind::ResponseHead, Label::Head));
        played.event(Direction::Down, Event::Upgraded);
        played.gate(Direction::Up);
        up.iter().for_each(|f| f.play(Direction::Up, &mut played));
        down.iter().for_each(|f| f.play(Direction::Down, &mut played));
    }
    played
}

impl Exchange {
    fn play(&self, played: &mut Played, interim: bool) {
        let (line, body, answer) = match self {
            Exchange::Get(answer, wrap) => ("GET /poll?after=7", None, Some((answer, wrap))),
            Exchange::Head => ("HEAD /", None, None),
            Exchange::Post(body, wrap, answer, answers) => {
                ("POST /", Some((body, wrap)), Some((answer, answers)))
            }
        };
        let (fields, body) = match body {
            None => (String::new(), Vec::new()),
            Some((body, wrap)) => wrap.wrap(cells(body, Kind::Reply, Label::Payload)),
        };
        let head = format!("{line} HTTP/1.1\r\nhost: x\r\n{fields}\r\n");
        played.say(Direction::Up, cells(head, Kind::RequestHead, Label::Head));
        played.event(Direction::Up, Event::Request);
        played.gate(Direction::Down);
        played.say(Direction::Up, body);
        if interim {
            played.say(
                Direction::Down,
                cells("HTTP/1.1 100 Continue\r\n\r\n", Kind::ResponseHead, Label::Head),
            );
        }
        let Some((answer, wrap)) = answer else {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
            return played.say(Direction::Down, cells(head, Kind::ResponseHead, Label::Head));
        };
        answer.play(matches!(self, Exchange::Get(..)), wrap, played);
    }
}

impl Answer {
    fn play(&self, get: bool, wrap: &Wrap, played: &mut Played) {
        let (status, content_type, body, events) = match self {
            Answer::NoContent => (204, "text/plain", Vec::new(), vec![Event::Empty]),
            Answer::List(items, space) => {
                let mails = items.iter().any(|i| matches!(i, Item::Mail(_)));
                (
                    200,
                    "text/html",
                    list(items, space),
                    if mails { vec![] } else { vec![Event::Empty] },
                )
            }
            Answer::Stream(blocks, end) => {
                let mails = blocks.iter().filter(|b| matches!(b, Block::Mail(..)));
                let events = mails.map(|_| Event::Message(Direction::Down)).collect();
                let body = blocks.iter().flat_map(|b| b.cells(end)).collect();
                (200, "text/event-stream;charset=utf-8", body, events)
            }
            Answer::Error(status, body) => (
                *status,
                "text/event-stream",
                cells(body, Kind::OtherBody, Label::Control),
                vec![],
            ),
            Answer::Page(text) => (
                200,
                "text/html",
                cells(format!("<{text}"), Kind::OtherBody, Label::Payload),
                vec![],
            ),
        };
        // The answer to a POST carries no mail.
        let acknowledge = |c: Cell| (c.0, Kind::OtherBody, Label::Control);
        let body = if get {
            body
        } else {
            body.into_iter().map(acknowledge).collect()
        };
        let (fields, body) = if status == 204 {
            (String::new(), body)
        } else {
            wrap.wrap(body)
        };
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n{fields}\r\n");
        played.say(Direction::Down, cells(head, Kind::ResponseHead, Label::Head));
        played.say(Direction::Down, body);
        if get {
            events.into_iter().for_each(|e| played.event(Direction::Down, e));
        }
    }
}

fn list(items: &[Item], space: &str) -> Vec<Cell> {
    let mails = items.iter().any(|i| matches!(i, Item::Mail(_)));
    let label = if mails { Label::Framing } else { Label::Control };
    let mut out = cells(format!("{space}[{space}"), Kind::ListPunctuation, label);
    for (n, item) in items.iter().enumerate() {
        let comma = if n + 1 < items.len() {
            format!("{space},{space}")
        } else {
            space.to_string()
        };
        match item {
            Item::Mail(letter) => {
                out.extend(letter.text());
                out.extend(cells(comma, Kind::ListPunctuation, Label::Framing));
            }
            Item::Gap(n) => out.extend(cells(
                format!(r#"{{"gap":{n}}}{comma}"#),
                Kind::Notice,
                Label::Control,
            )),
        }
    }
    out.extend(cells(format!("]{space}"), Kind::ListPunctuation, label));
    out
}

impl Block {
    fn cells(&self, end: &str) -> Vec<Cell> {
        match self {
            Block::Mail(id, letter) => {
                let mut out = cells(format!("id: {id}{end}data: "), Kind::SseField, Label::Framing);
                out.extend(letter.text());
                out.extend(cells(end, Kind::SseField, Label::Framing));
                out.extend(cells(end, Kind::SseEnd, Label::Framing));
                out
            }
            Block::Gap(n) => cells(
                format!("event: gap{end}data: {n}{end}{end}"),
                Kind::Notice,
                Label::Control,
            ),
            Block::Comment(text) => {
                let mut out = cells(format!(":{text}{end}"), Kind::SseComment, Label::Control);
                out.extend(cells(end, Kind::SseEnd, Label::Control));
                out
            }
            Block::Retry(ms) => {
                let mut out = cells(format!("retry: {ms}{end}"), Kind::SseField, Label::Control);
                out.extend(cells(end, Kind::SseEnd, Label::Control));
                out
            }
            Block::Field(name) => {
                let mut out = cells(format!("x{name}{end}"), Kind::SseField, Label::Framing);
                out.extend(cells(end, Kind::SseEnd, Label::Framing));
                out
            }
        }
    }
}

impl Wrap {
    /// The fields and the body.
    fn wrap(&self, content: Vec<Cell>) -> (String, Vec<Cell>) {
        let Wrap::Chunked {
            sizes,
            extension,
            trailers,
        } = self
        else {
            return (format!("content-length: {}\r\n", content.len()), content);
        };
        let mut out = Vec::new();
        let mut rest = &content[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, left) = rest.split_at(rest.len().min(*size));
            let control = chunk.iter().all(|c| c.2 == Label::Control);
            let label = if control { Label::Control } else { Label::Framing };
            out.extend(cells(
                format!("{:x}{extension}\r\n", chunk.len()),
                Kind::ChunkSize,
                label,
            ));
            out.extend(chunk);
            out.extend(cells("\r\n", Kind::ChunkEnd, label));
            rest = left;
        }
        out.extend(cells("0\r\n", Kind::LastChunk, Label::Framing));
        out.extend(cells(trailers, Kind::Trailers, Label::Head));
        out.extend(cells("\r\n", Kind::LastChunk, Label::Framing));
        ("Transfer-Encoding: chunked\r\n".into(), out)
    }
}

impl Frame {
    fn play(&self, direction: Direction, played: &mut Played) {
        let (opcode, content, sizes) = match self {
            Frame::Control(opcode, body) => {
                header(direction, 0x80 | opcode, body.len(), Label::Control, played);
                return played.say(direction, cells(body, Kind::ControlBody, Label::Control));
            }
            Frame::Text(letter, sizes) => (1, letter.text(), sizes),
            Frame::Binary(letter, sizes) => (2, letter.binary(), sizes),
            Frame::Gap(sizes) => (1, cells(r#"{"gap":12345}"#, Kind::Notice, Label::Control), sizes),
        };
        let reply = |c: Cell| (c.0, Kind::Reply, Label::Payload);
        let content = match direction {
            Direction::Up => content.into_iter().map(reply).collect(),
            Direction::Down => content,
        };
        let gap = content[0].1 == Kind::Notice;
        let mut rest = &content[..];
        for (n, size) in sizes.iter().cycle().enumerate() {
            let (fragment, left) = rest.split_at(rest.len().min(*size));
            let fin = if left.is_empty() { 0x80 } else { 0 };
            let label = if gap { Label::Control } else { Label::Framing };
            header(
                direction,
                fin | if n == 0 { opcode } else { 0 },
                fragment.len(),
                label,
                played,
            );
            played.say(direction, fragment.iter().copied());
            if !gap {
                played.event(direction, Event::Message(direction));
            }
            if left.is_empty() {
                break;
            }
            header(direction, 0x89, 0, Label::Control, played);
            rest = left;
        }
    }
}

fn header(direction: Direction, first: u8, len: usize, label: Label, played: &mut Played) {
    let mask = if direction == Direction::Up { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match len {
        0..126 => bytes.push(mask | len as u8),
        126..65536 => {
            bytes.push(mask | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    if mask != 0 {
        bytes.extend(*b"mask");
    }
    played.say(direction, cells(bytes, Kind::FrameHeader, label));
}

fn text() -> impl Strategy<Value = String> {
    const NASTY: [&str; 7] = [
        r#","attachment":"QUJD"#,
        "\",\"attachment\":\"",
        "]}],[{",
        "\\",
        "\"\\\"",
        "{\"gap\":1}",
        ",,\",",
    ];
    prop_oneof![3 => "[ -~]{0,40}", 1 => any::<String>(), 2 => select(&NASTY[..]).prop_map(String::from)]
}

fn letter() -> impl Strategy<Value = Letter> {
    let attachment = proptest::option::weighted(0.5, vec(any::<u8>(), 0..200));
    (text(), text(), attachment).prop_map(|(from, body, attachment)| Letter {
        from,
        body,
        attachment,
    })
}

fn sizes(least: usize) -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![least..12, 12usize..500], 1..5)
}

fn wrap() -> impl Strategy<Value = Wrap> {
    let chunked = (
        sizes(1),
        select(&["", ";x", " ;name=\"value\""][..]),
        select(&["", "a: b\r\n", "a:\r\nb: c\r\n"][..]),
    );
    let chunked = chunked.prop_map(|(sizes, extension, trailers)| Wrap::Chunked {
        sizes,
        extension,
        trailers,
    });
    prop_oneof![1 => Just(Wrap::Length), 2 => chunked]
}

fn answer() -> impl Strategy<Value = Answer> {
    let item = prop_oneof![4 => letter().prop_map(Item::Mail), 1 => any::<u32>().prop_map(Item::Gap)];
    let block = prop_oneof![
        4 => (any::<u32>(), letter()).prop_map(|(id, letter)| Block::Mail(id, letter)),
        1 => any::<u32>().prop_map(Block::Gap),
        1 => "[ -~]{0,10}".prop_map(Block::Comment),
        1 => any::<u32>().prop_map(Block::Retry),
        1 => "[ -~]{0,10}".prop_map(Block::Field),
    ];
    prop_oneof![
        1 => Just(Answer::NoContent),
        4 => (vec(item, 0..5), select(&["", " ", "\r\n\t"][..])).prop_map(|(i, s)| Answer::List(i, s)),
        4 => (vec(block, 0..8), select(&["\n", "\r", "\r\n"][..])).prop_map(|(b, e)| Answer::Stream(b, e)),
        1 => (400u16..600, vec(any::<u8>(), 0..50)).prop_map(|(s, b)| Answer::Error(s, b)),
        1 => "[ -~]{0,50}".prop_map(Answer::Page),
    ]
}

fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let frame = prop_oneof![
        3 => (letter(), sizes(0)).prop_map(|(l, s)| (l, nonzero(s))).prop_map(|(l, s)| Frame::Text(l, s)),
        2 => (letter(), sizes(0)).prop_map(|(l, s)| (l, nonzero(s))).prop_map(|(l, s)| Frame::Binary(l, s)),
        1 => sizes(0).prop_map(nonzero).prop_map(Frame::Gap),
        2 => (select(&[8u8, 9, 10][..]), vec(any::<u8>(), 0..126)).prop_map(|(o, b)| Frame::Control(o, b)),
    ];
    vec(frame, 0..8)
}

/// Some fragments may be empty, but not all of them.
fn nonzero(mut sizes: Vec<usize>) -> Vec<usize> {
    sizes.push(5);
    sizes
}

pub(crate) fn script() -> impl Strategy<Value = Script> {
    let exchange = prop_oneof![
        6 => (answer(), wrap()).prop_map(|(a, w)| Exchange::Get(a, w)),
        2 => (vec(any::<u8>(), 0..300), wrap(), answer(), wrap()).prop_map(|(b, w, a, v)| Exchange::Post(b, w, a, v)),
        1 => Just(Exchange::Head),
    ];
    let websocket = proptest::option::weighted(0.6, (frames(), frames()));
    (vec(exchange, 0..5), any::<bool>(), websocket).prop_map(|(exchanges, interim, websocket)| Script {
        exchanges,
        interim,
        websocket,
    })
}

pub(crate) fn cuts() -> impl Strategy<Value = Vec<(bool, usize)>> {
    vec((any::<bool>(), prop_oneof![1usize..4, 1usize..5_000]), 1..60)
}

fn slices(pieces: &[(Direction, Vec<u8>)]) -> impl Iterator<Item = (Direction, &[u8])> {
    pieces.iter().map(|(d, bytes)| (*d, &bytes[..]))
}

/// Bytes that often look like a conversation.
pub(crate) fn garbage() -> impl Strategy<Value = Vec<(Direction, Vec<u8>)>> {
    let up: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\n\r\n",
        b"HEAD / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n",
        b"\x81\x85mask",
        b"\x89\x80mask",
        b"\x02\xFE\0\x05mask",
        b"GET ",
    ];
    let down: &[&[u8]] = &[
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 S\r\n\r\n",
        b"HTTP/1.1 404 N\r\n\r\n",
        b"HTTP/1.1 204 N\r\n\r\n",
        b"\x81\x0A{\"gap\":12}",
        b"\x81\x1E",
        b"\x01\x0B",
        b"\x82\x0A\0\0\0\x02",
        b"\x00\x05",
        b"\x80\x05",
        b"[",
        b"{\"gap\":",
        b"{\"id\":1",
        b",\"attachment\":\"",
        b"QUJDRA==\"}",
        b",",
        b"]",
        b"data: ",
        b"data",
        b"event: gap",
        b"retry: 1",
        b": x",
        b"\xEF\xBB\xBF",
        b"\n",
        b"\r",
    ];
    let both: &[&[u8]] = &[
        b"1\r\n", b"3\r\n", b"9\r\n", b"\r\n", b"0\r\n", b"x", b" ", b"\"", b"\\", b"==",
    ];
    let token = prop_oneof![
        3 => (Just(Direction::Up), select(up)),
        6 => (Just(Direction::Down), select(down)),
        3 => (select(&[Direction::Up, Direction::Down][..]), select(both)),
    ];
    let token = token.prop_map(|(d, bytes)| (d, bytes.to_vec()));
    let noise = (
        select(&[Direction::Up, Direction::Down][..]),
        vec(any::<u8>(), 1..20),
    );
    vec(prop_oneof![9 => token, 1 => noise], 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_exactly_the_labels_of_the_rules(script in script(), cuts in cuts()) {
        let played = play(&script);
        prop_assert_eq!(read(slices(&played.pieces(&cuts))), played.expected());
    }

    #[test]
    fn garbage_is_labelled_however_it_is_split(pieces in garbage(), sizes in vec(1usize..9, 1..20)) {
        let whole = read(slices(&pieces));
        let mut sizes = sizes.iter().cycle();
        let mut split = Vec::new();
        for (direction, mut bytes) in slices(&pieces) {
            while let Some(size) = sizes.next() && !bytes.is_empty() {
                let (piece, rest) = bytes.split_at(bytes.len().min(*size));
                split.push((direction, piece));
                bytes = rest;
            }
        }
        prop_assert_eq!(read(split), whole);
    }
}
