//! Engine.IO: writing, reading and labels.

use std::borrow::Cow;

use super::super::engineio::*;
use super::super::layer::{Carried, Ending, Layer};
use super::super::layers::EngineIo;
use super::super::span::{Span, Spans};
use super::super::{Direction, Kind, Label};
use super::support;
use proptest::prelude::*;

#[test]
fn packets_are_read_and_written() {
    for (text, wanted) in [
        ("0{}", Packet::Open("{}")),
        ("1", Packet::Close),
        ("2", Packet::Ping("")),
        ("2probe", Packet::Ping(PROBE)),
        ("3", Packet::Pong("")),
        ("3probe", Packet::Pong(PROBE)),
        ("4", Packet::Message("")),
        ("4héllo", Packet::Message("héllo")),
        ("5", Packet::Upgrade),
        ("6", Packet::Noop),
        ("b", Packet::Binary(Cow::Borrowed(b""))),
        ("bAQIDBA==", Packet::Binary(Cow::Borrowed(&[1, 2, 3, 4]))),
    ] {
        assert_eq!(Packet::parse(text), Ok(wanted.clone()), "{text}");
        assert_eq!(wanted.text(), text);
    }
    for (text, error) in [
        ("", Error::Empty),
        ("7", Error::Type('7')),
        ("abc", Error::Type('a')),
        ("é", Error::Type('é')),
        ("b*", Error::Base64),
        ("bAQIDBA", Error::Base64),
    ] {
        assert_eq!(Packet::parse(text), Err(error), "{text}");
    }
}

#[test]
fn a_body_holds_several() {
    let packets = [
        Packet::Message("hello"),
        Packet::Ping(""),
        Packet::Binary(Cow::Borrowed(&[1, 2, 3, 4])),
    ];
    let body = Packet::body(&packets);
    assert_eq!(body, "4hello\u{1e}2\u{1e}bAQIDBA==");
    assert_eq!(
        Packet::payload(&body).collect::<Result<Vec<_>, _>>(),
        Ok(packets.to_vec())
    );
    assert!(Packet::payload("4a\u{1e}").any(|p| p == Err(Error::Empty)));
    assert!(Packet::payload("").any(|p| p.is_err()));
}

#[test]
fn what_a_server_says_first() {
    let json = r#"{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    let open: Open = serde_json::from_str(json).unwrap();
    assert_eq!((open.ping_interval, open.upgrades.len()), (25_000, 1));
    assert_eq!(serde_json::to_string(&open).unwrap(), json);
}

fn spans(mut layer: EngineIo, text: &[u8], sender: Direction, binary: bool) -> Spans {
    let mut spans = Spans::default();
    let carried = Carried {
        sender,
        binary,
        ending: Ending::Whole,
    };
    layer.label(text, carried, &mut spans);
    assert_eq!(spans.total(), text.len(), "{spans:?}");
    spans
}

const OVER_WEBSOCKET: EngineIo = EngineIo {
    polling: false,
    socket_io: true,
};
const POLLED: EngineIo = EngineIo {
    polling: true,
    socket_io: true,
};

/// The number of bytes of payload, framing and control.
fn sums(layer: EngineIo, text: &str, sender: Direction) -> [u64; 3] {
    let text = text.as_bytes();
    let sums = support::sums(text, &spans(layer, text, sender, false));
    [sums.payload, sums.framing, sums.control]
}

#[test]
fn what_bytes_are_there_for() {
    use Direction::{Down, Up};
    for (text, sender, wanted) in [
        (r#"42["mail",{"id":1}]"#, Down, [8, 11, 0]),
        (r#"4217["mail",{"id":1}]"#, Down, [8, 13, 0]),
        (
            r#"42["mail",{"id":1,"attachment":"QUJDREU="}]"#,
            Down,
            [13, 30, 0],
        ),
        (
            r#"451-["mail",{"id":1},{"_placeholder":true,"num":0}]"#,
            Down,
            [8, 43, 0],
        ),
        (r#"42["gap",{"gap":3}]"#, Down, [0, 0, 19]),
        (r#"42["reset",{"reset":"k3f9"}]"#, Down, [0, 0, 28]),
        (r#"42["epoch",{"epoch":"k3f9"}]"#, Down, [0, 0, 28]),
        (r#"42/a,["x","y",2]"#, Down, [4, 12, 0]),
        (r#"43[]"#, Up, [0, 4, 0]),
        (r#"431[]"#, Up, [0, 0, 5]),
        (r#"431[{"read":7}]"#, Up, [10, 5, 0]),
        (r#"42["say",{"client":0,"say":1}]"#, Up, [20, 10, 0]),
        (r#"40{"after":3}"#, Up, [0, 0, 13]),
        (r#"40{"at":"3.k3f9"}"#, Up, [0, 0, 17]),
        (r#"40{"token":3}"#, Up, [0, 0, 13]),
        (r#"40{"sid":"x"}"#, Down, [0, 0, 13]),
        ("41", Up, [0, 0, 2]),
        ("2", Down, [0, 0, 1]),
        ("3", Up, [0, 0, 1]),
        ("2probe", Up, [0, 0, 6]),
        ("ok", Down, [0, 0, 2]),
        (r#"0{"sid":"x"}"#, Down, [0, 0, 12]),
        ("4what?", Up, [0, 6, 0]),
    ] {
        assert_eq!(sums(OVER_WEBSOCKET, text, sender), wanted, "{text}");
    }
    let mail = "42[\"mail\",{\"id\":1}]\u{1e}";
    assert_eq!(sums(POLLED, mail, Down), [8, 12, 0]);
    assert_eq!(sums(POLLED, "2\u{1e}", Down), [0, 0, 2]);
    assert_eq!(sums(POLLED, "bAQIDBA==", Down), [4, 5, 0]);
    assert_eq!(sums(POLLED, "bAQIDBA==\u{1e}", Down), [4, 6, 0]);
    let cursor = spans(OVER_WEBSOCKET, br#"40{"after":3}"#, Up, false);
    assert!(
        cursor
            .iter()
            .any(|span| *span == Span::new(11, Label::Control, Kind::Cursor))
    );
    let echo = EngineIo {
        socket_io: false,
        ..OVER_WEBSOCKET
    };
    assert_eq!(sums(echo, "4hello", Up), [5, 1, 0]);
    assert_eq!(
        spans(echo, b"4", Up, true).iter().collect::<Vec<_>>(),
        [&Span::new(1, Label::Payload, Kind::Reply)]
    );
}

#[test]
fn a_unit_ends_with_its_separator() {
    let body = b"2\x1e42[]";
    let mut polled = POLLED;
    assert_eq!(polled.unit(body, 0, Direction::Down), Some(2));
    assert_eq!(polled.unit(&body[2..], 0, Direction::Down), None);
    assert_eq!(polled.unit(body, 1, Direction::Down), Some(2));
}

proptest! {
    #[test]
    fn every_byte_of_anything_is_labelled_once(
        text in proptest::collection::vec(any::<u8>(), 0..60),
        cut in 0..60_usize,
        polling in any::<bool>(),
        up in any::<bool>(),
    ) {
        let layer = EngineIo { polling, socket_io: true };
        let sender = if up { Direction::Up } else { Direction::Down };
        spans(layer, &text, sender, false);
        let mail = "451-/a,7[\"mail\",{\"id\":1,\"body\":\"é\"},{\"_placeholder\":true,\"num\":0},[2]]\u{1e}";
        spans(layer, &mail.as_bytes()[..cut.min(mail.len())], sender, false);
    }

    #[test]
    fn what_is_written_is_read(texts in proptest::collection::vec("[^\u{1e}]{0,20}", 1..5), bytes in any::<Vec<u8>>()) {
        let mut packets: Vec<Packet> = texts.iter().map(|t| Packet::Message(t)).collect();
        packets.push(Packet::Binary(bytes.into()));
        let body = Packet::body(&packets);
        prop_assert_eq!(Packet::payload(&body).collect::<Result<Vec<_>, _>>(), Ok(packets));
    }
}
