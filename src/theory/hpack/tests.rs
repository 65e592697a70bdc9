use http::{HeaderMap, Request, Response};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::wire::http2::testing::{Crossed, Exchange, converse, converse_with};
use crate::wire::http2::{Field, FrameHeader, FrameType, Hpack};
use crate::wire::{Direction, http2};

/// The frames that one side sent, with their payloads.
fn frames(crossed: &Crossed, direction: Direction) -> Vec<(FrameHeader, Vec<u8>)> {
    let sent = crossed.iter().filter(|(d, _)| *d == direction);
    let bytes: Vec<u8> = sent.flat_map(|(_, bytes)| bytes.clone()).collect();
    let mut rest = bytes.strip_prefix(http2::PREFACE).unwrap_or(&bytes);
    let mut frames = Vec::new();
    while let Some(header) = FrameHeader::parse(rest) {
        let (payload, behind) = rest[FrameHeader::SIZE..].split_at(header.len as usize);
        frames.push((header, payload.to_vec()));
        rest = behind;
    }
    assert!(rest.is_empty());
    frames
}

fn blocks(crossed: &Crossed, direction: Direction) -> Vec<Vec<u8>> {
    let frames = frames(crossed, direction).into_iter();
    let heads = frames.filter(|(header, _)| header.kind == FrameType::Headers);
    heads.map(|(_, block)| block).collect()
}

type Fields = Vec<(String, String)>;

fn fields(pseudo: &[(&str, &str)], map: &HeaderMap) -> Fields {
    let pseudo = pseudo.iter().map(|(n, v)| (n.to_string(), v.to_string()));
    let rest = map.iter();
    let rest = rest.map(|(n, v)| (n.to_string(), String::from_utf8(v.as_bytes().to_vec()).unwrap()));
    pseudo.chain(rest).collect()
}

fn request(path: &str, lines: &[(&str, &str)]) -> (Request<()>, Fields) {
    let uri = format!("http://127.0.0.1:8080{path}");
    let mut request = Request::get(uri).body(()).unwrap();
    fill(request.headers_mut(), lines);
    let pseudo = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "127.0.0.1:8080"),
        (":path", path),
    ];
    let fields = fields(&pseudo, request.headers());
    (request, fields)
}

fn response(status: u16, lines: &[(&str, &str)]) -> (Response<()>, Fields) {
    let mut response = Response::builder().status(status).body(()).unwrap();
    fill(response.headers_mut(), lines);
    let fields = fields(&[(":status", &status.to_string())], response.headers());
    (response, fields)
}

fn fill(map: &mut HeaderMap, lines: &[(&str, &str)]) {
    for (name, value) in lines {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, value.parse().unwrap());
    }
}

/// What really crossed must have the predicted lengths, field by field, too.
fn check(encoder: &mut Encoder, blocks: &[Vec<u8>], said: &[Fields]) -> Vec<u64> {
    assert_eq!(blocks.len(), said.len());
    let mut hpack = Hpack::new();
    let mut lens = Vec::new();
    for (block, fields) in blocks.iter().zip(said) {
        let read = hpack.fields(block).unwrap();
        let text = |b: &[u8]| String::from_utf8(b.to_vec()).unwrap();
        let field = |f: &&Field| !f.name.is_empty();
        let names: Fields = read
            .iter()
            .filter(field)
            .map(|f| (text(&f.name), text(&f.value)))
            .collect();
        assert_eq!(&names, fields, "h2 sends other fields, or in another order");
        let len = encoder.block_len(fields.iter().map(|(n, v)| (&n[..], &v[..])));
        assert_eq!(len, block.len() as u64, "{read:#?}");
        lens.push(len);
    }
    lens
}

/// A request and its response, each with the fields that it is sent as.
type Said = ((Request<()>, Fields), (Response<()>, Fields));

/// Both directions of a connection on which these were said; the lengths of both sides' blocks.
fn play(said: Vec<Said>) -> [Vec<u64>; 2] {
    let (mut up, mut down, mut exchanges) = (Vec::new(), Vec::new(), Vec::new());
    for ((request, asked), (response, answered)) in said {
        // The crate insists on the content that was announced.
        let announced = response.headers().contains_key("content-length");
        exchanges.push(Exchange {
            request,
            up: vec![],
            response,
            down: if announced { vec![b"[]"] } else { vec![] },
        });
        up.push(asked);
        down.push(answered);
    }
    let crossed = converse(exchanges);
    [
        check(&mut Encoder::new(), &blocks(&crossed, Direction::Up), &up),
        check(&mut Encoder::new(), &blocks(&crossed, Direction::Down), &down),
    ]
}

#[test]
fn a_lean_poll() {
    let polls = (0..120).map(|n| {
        let path = format!("/poll?after={n}");
        let date = format!("Mon, 21 Oct 2013 20:13:{:02} GMT", n / 4);
        let answer = [
            ("content-type", "application/json"),
            ("content-length", "2"),
            ("date", &date[..]),
        ];
        (request(&path, &[("accept", "*/*")]), response(200, &answer))
    });
    let [up, down] = play(polls.collect());
    // Method, scheme, authority and accept are in the tables from the second poll on. What is left is
    // the path: two bytes of name and length, and "/poll?after=3" as 10.
    assert_eq!(up[1], 4 + 2 + 10);
    assert_eq!(up[0], up[1] - 2 + 13 + 4);
    // Of the answer too all is in the tables but the content-length, a literal of four bytes, and the
    // date when it changes, one of 24.
    assert_eq!(down[1], 3 + 4);
    assert_eq!(down[4], down[1] + 23);
}

#[test]
fn a_browser_and_its_server() {
    let browser = [
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        ),
        (
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        ),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate"),
        ("referer", "http://127.0.0.1:8080/"),
        ("cookie", "session=8f14e45fceea167a5a36dedd4bea2543"),
        ("cookie", "theme=dark"),
        ("sec-fetch-mode", "cors"),
        ("x-token", "one"),
        ("x-token", "two"),
        ("if-none-match", "\"33a64df5\""),
        ("authorization", "Bearer 8f14e45f"),
        ("cache-control", ""),
        ("x-empty", ""),
    ];
    let server = [
        ("server", "nginx"),
        ("set-cookie", "a=b"),
        ("set-cookie", "c=d; Path=/"),
        ("location", "/elsewhere"),
        ("age", "7"),
        ("etag", "\"33a64df5\""),
        ("vary", "accept-encoding"),
        ("vary", "cookie"),
    ];
    let said = (0..20).map(|n| {
        let path = ["/", "/index.html", "/mail", "/mail?after=18446744073709551615"][n % 4];
        (
            request(path, &browser),
            response([200, 204, 302, 404, 418][n % 5], &server),
        )
    });
    play(said.collect());
}

/// Entries leave a table that is full, and what is too large for it never joins.
#[test]
fn a_full_table() {
    let value = |n: usize| "v".repeat(n);
    let said = (0..60).map(|n| {
        let (large, limit, beyond) = (value(500 + n), value(3072 - 32 - 5), value(3072 - 32 - 4));
        let lines = [
            ("x-one", &large[..]),
            ("user-agent", &large[..]),
            ("limit", if n % 7 == 0 { &limit[..] } else { "-" }),
            ("limit", "second"),
            ("beyond", &beyond[..]),
        ];
        (request("/", &lines), response(200, &lines))
    });
    play(said.collect());
}

#[test]
fn a_reader_with_a_small_table() {
    for size in [0, 1, 30, 31, 100, 1000, 4095, 4096, 65_536] {
        let lines = [
            ("server", "s"),
            ("x-name", "value"),
            ("x-name", "other"),
            ("date", "today"),
        ];
        let said: Vec<_> = (0..5)
            .map(|_| (request("/", &[]), response(200, &lines)))
            .collect();
        let down: Vec<Fields> = said.iter().map(|(_, (_, fields))| fields.clone()).collect();
        let exchanges = said.into_iter().map(|((request, _), (response, _))| Exchange {
            request,
            up: vec![],
            response,
            down: vec![],
        });
        let mut client = h2::client::Builder::new();
        client.header_table_size(size);
        let crossed = converse_with(&client, exchanges.collect());
        let mut encoder = Encoder::with_table(size);
        check(&mut encoder, &blocks(&crossed, Direction::Down), &down);
    }
}

#[test]
fn the_opening() {
    let said = vec![Exchange {
        request: request("/", &[]).0,
        up: vec![],
        response: response(204, &[]).0,
        down: vec![],
    }];
    let mut client = h2::client::Builder::new();
    client.initial_connection_window_size(5 << 20);
    client.initial_window_size(2 << 20).max_frame_size(16_384);
    let crossed = converse_with(&client, said);
    for direction in [Direction::Up, Direction::Down] {
        for (header, _) in frames(&crossed, direction) {
            let len = match (header.kind, header.flags) {
                (FrameType::Settings, http2::ACK) => SETTINGS_ACK,
                // The client's window and frames; that the server takes WebSockets.
                (FrameType::Settings, _) if direction == Direction::Up => settings(2),
                (FrameType::Settings, _) => settings(1),
                (FrameType::WindowUpdate, _) => WINDOW_UPDATE,
                (FrameType::Headers, _) => headers(header.len.into()),
                (FrameType::GoAway, _) => GOAWAY,
                (FrameType::Ping, _) => PING,
                other => panic!("{other:?}"),
            };
            assert_eq!(u64::from(header.len) + FRAME, len, "{header:?}");
        }
    }
    let up = frames(&crossed, Direction::Up);
    let kind = |kind| up.iter().filter(move |(header, _)| header.kind == kind).count();
    assert_eq!(up[0].0.kind, FrameType::Settings);
    assert_eq!((kind(FrameType::Settings), kind(FrameType::WindowUpdate)), (2, 1));
    assert_eq!(PREFACE, http2::PREFACE.len() as u64);
}

#[test]
fn frames_are_cut_where_they_are_full() {
    assert_eq!(
        [headers(0), headers(16_384), headers(16_385)],
        [9, 16_393, 16_403]
    );
    assert_eq!([0, 1, 16_384, 16_385].map(data_framing), [0, 9, 9, 18]);
}

/// RFC 7541, appendix C.1, and where a number needs a byte more.
#[test]
fn numbers() {
    for (number, prefix, len) in [
        (10, 5, 1),
        (1337, 5, 3),
        (42, 8, 1),
        (126, 7, 1),
        (127, 7, 2),
        (254, 7, 2),
    ] {
        assert_eq!(integer(number, prefix), len, "{number}");
    }
    assert_eq!([255, 16_510, 16_511].map(|n| integer(n, 7)), [3, 3, 4]);
}

/// RFC 7541, appendix C.4 and C.6.
#[test]
fn strings() {
    for (text, len) in [
        ("www.example.com", 13),
        ("no-cache", 7),
        ("custom-key", 9),
        ("private", 6),
        ("Mon, 21 Oct 2013 20:13:21 GMT", 23),
        ("", 1),
    ] {
        assert_eq!(string(text), len, "{text}");
    }
}

fn lines() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let names: &[&str] = &[
        "accept",
        "accept-encoding",
        "age",
        "cookie",
        "etag",
        "date",
        "user-agent",
        "x-a",
        "x-b",
        "x-c",
        "x-d",
        "x-a-rather-long-name",
    ];
    let value = prop_oneof![
        4 => "[a-c]{0,2}",
        2 => "[ -~]{0,40}",
        1 => "[a-z]{300,900}",
        1 => Just("gzip, deflate".to_string()),
    ];
    let value = value.prop_map(|v| v.trim().to_string());
    vec((select(names), value), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_model_is_the_crate(said in vec((0u32..40, lines(), select(&[200u16, 204, 404, 503][..]), lines()), 1..40)) {
        let said = said.iter().map(|(cursor, asked, status, answered)| {
            let up: Vec<_> = asked.iter().map(|(n, v)| (*n, &v[..])).collect();
            let down: Vec<_> = answered.iter().map(|(n, v)| (*n, &v[..])).collect();
            (request(&format!("/poll?after={cursor}"), &up), response(*status, &down))
        });
        play(said.collect());
    }
}
