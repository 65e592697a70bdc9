//! Socket.IO packets, revision 5, as contained in Engine.IO messages
//! (<https://github.com/socketio/socket.io-protocol>).
//!
//! ```text
//! <type>[<attachments>-][<namespace>,][<acknowledgement id>][<JSON>]
//!
//! 0{"after":3}                  CONNECT to the namespace `/`
//! 2["mail",{"id":4,…}]          EVENT
//! 27["mail",{"id":4,…}]         EVENT that wants the acknowledgement 7
//! 37[{"read":4}]                ACK 7
//! 51-/photos,["mail",{…},{"_placeholder":true,"num":0}]
//!                               BINARY_EVENT in the namespace `/photos`; a binary message follows
//! ```

use std::borrow::Cow;
use std::fmt;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// The default namespace.
pub const MAIN: &str = "/";

/// The type of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Asks for a namespace, or grants it.
    Connect,
    /// Leaves a namespace.
    Disconnect,
    /// An event: its name and arguments.
    Event,
    /// The answer of the other side's application to an event.
    Ack,
    /// Refuses a namespace.
    ConnectError,
    /// An event with attachments.
    BinaryEvent,
    /// An acknowledgement with attachments.
    BinaryAck,
}

impl Type {
    /// All types, in the order of their numbers.
    pub const ALL: [Type; 7] = [
        Type::Connect,
        Type::Disconnect,
        Type::Event,
        Type::Ack,
        Type::ConnectError,
        Type::BinaryEvent,
        Type::BinaryAck,
    ];

    fn of(byte: u8) -> Option<Type> {
        let number = byte.checked_sub(b'0')?;
        Type::ALL.get(usize::from(number)).copied()
    }

    fn number(self) -> usize {
        // The variants are declared in the order of `ALL`.
        self as usize
    }

    fn is_binary(self) -> bool {
        matches!(self, Type::BinaryEvent | Type::BinaryAck)
    }

    fn is_ack(self) -> bool {
        matches!(self, Type::Ack | Type::BinaryAck)
    }

    fn is_event(self) -> bool {
        matches!(self, Type::Event | Type::BinaryEvent)
    }
}

/// A packet. Its attachments follow in separate binary messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The type.
    pub kind: Type,
    /// The number of binary messages that follow.
    pub attachments: usize,
    /// The namespace that it is for.
    pub namespace: &'a str,
    /// The number of the acknowledgement that it asks for, or is.
    pub ack: Option<u64>,
    /// JSON, or empty.
    pub data: &'a str,
}

/// Why a text is not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It does not begin with one of the seven numbers.
    #[error("unknown Socket.IO packet type")]
    Type,
    /// A binary packet without its number of attachments.
    #[error("a binary Socket.IO packet without the number of its attachments")]
    Attachments,
    /// An acknowledgement without a number, or a number above 64 bits.
    #[error("an invalid acknowledgement id")]
    Ack,
    /// The data is not JSON, or not of the kind that its type requires.
    #[error("an invalid payload for this type of Socket.IO packet")]
    Payload,
}

impl<'a> Packet<'a> {
    /// A packet in the main namespace without attachments.
    pub fn new(kind: Type, data: &'a str) -> Packet<'a> {
        Packet {
            kind,
            attachments: 0,
            namespace: MAIN,
            ack: None,
            data,
        }
    }

    /// Reads a packet.
    ///
    /// # Errors
    /// If it is not a packet. The protocol then requires the connection to be closed.
    pub fn parse(text: &'a str) -> Result<Packet<'a>, Error> {
        let (packet, _) = Packet::envelope(text)?;
        packet.fits()?;
        Ok(packet)
    }

    /// Reads the part before the JSON, and returns its length.
    pub(crate) fn envelope(text: &'a str) -> Result<(Packet<'a>, usize), Error> {
        let bytes = text.as_bytes();
        let kind = bytes.first().copied().and_then(Type::of).ok_or(Error::Type)?;
        let mut rest = &text[1..];
        let mut attachments = 0;
        if kind.is_binary() {
            let (count, behind) = rest.split_once('-').ok_or(Error::Attachments)?;
            attachments = decimal(count).ok_or(Error::Attachments)?;
            rest = behind;
        }
        let mut namespace = MAIN;
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, data) = rest.split_at(digits);
        let ack = match number {
            "" if kind.is_ack() => return Err(Error::Ack),
            "" => None,
            _ if !kind.is_ack() && !kind.is_event() => return Err(Error::Payload),
            _ => Some(decimal(number).ok_or(Error::Ack)?),
        };
        let packet = Packet {
            kind,
            // No memory could hold more.
            attachments: usize::try_from(attachments).unwrap_or(usize::MAX),
            namespace,
            ack,
            data,
        };
        Ok((packet, text.len() - data.len()))
    }

    /// Checks that the JSON is of the kind that the type requires.
    fn fits(&self) -> Result<(), Error> {
        let begins = |with: &[u8]| self.data.bytes().next().is_some_and(|b| with.contains(&b));
        let shape = match self.kind {
            Type::Connect => self.data.is_empty() || begins(b"{"),
            Type::Disconnect => self.data.is_empty(),
            Type::ConnectError => begins(b"{\""),
            Type::Event | Type::BinaryEvent => self.event().is_some(),
            Type::Ack | Type::BinaryAck => begins(b"["),
        };
        let json = || self.data.is_empty() || serde_json::from_str::<IgnoredAny>(self.data).is_ok();
        (shape && json()).then_some(()).ok_or(Error::Payload)
    }

    /// An event's name, or an array's first string.
    pub fn event(&self) -> Option<String> {
        serde_json::from_str(self.arguments()?.first()?.get()).ok()
    }

    /// The array's elements as they are written; an event's first element is its name.
    pub fn arguments(&self) -> Option<Vec<&'a RawValue>> {
        serde_json::from_str(self.data).ok()
    }
}

/// Writes an event's name without escapes, because the library compares names in their written form. A name
/// that needs escapes, for example for a quote, becomes one that no handler has.
pub fn with_plain_name(text: &str) -> Cow<'_, str> {
    let plain = || {
        let packet = Packet::parse(text).ok().filter(|p| p.kind.is_event())?;
        let written = packet.arguments()?.first()?.get();
        let mut name = serde_json::to_string(&packet.event()?).ok()?;
        if name.contains('\\') {
            name = format!("\"{}\"", char::REPLACEMENT_CHARACTER);
        }
        (name != written).then(|| {
            // `written` is a slice of `text`, and begins the array.
            let before = written.as_ptr() as usize - text.as_ptr() as usize;
            [&text[..before], &name, &text[before + written.len()..]].concat()
        })
    };
    plain().map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Parses a number of digits only.
fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.number())?;
        if self.kind.is_binary() {
            write!(f, "{}-", self.attachments)?;
        }
        if self.namespace != MAIN {
            write!(f, "{},", self.namespace)?;
        }
        if let Some(ack) = self.ack {
            write!(f, "{ack}")?;
        }
        f.write_str(self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(kind: Type, namespace: &'static str, ack: Option<u64>, data: &'static str) -> Packet<'static> {
        Packet {
            namespace,
            ack,
            ..Packet::new(kind, data)
        }
    }

    #[test]
    fn packets_are_read_and_written() {
        let binary = |kind, attachments, namespace, ack, data| Packet {
            attachments,
            ..packet(kind, namespace, ack, data)
        };
        let placeholder = r#"["mail",{"_placeholder":true,"num":0}]"#;
        for (text, wanted) in [
            ("0", packet(Type::Connect, "/", None, "")),
            (
                r#"0{"after":3}"#,
                packet(Type::Connect, "/", None, r#"{"after":3}"#),
            ),
            (
                r#"0/a,{"sid":"x"}"#,
                packet(Type::Connect, "/a", None, r#"{"sid":"x"}"#),
            ),
            ("1", packet(Type::Disconnect, "/", None, "")),
            ("1/a,", packet(Type::Disconnect, "/a", None, "")),
            (r#"2["mail",1]"#, packet(Type::Event, "/", None, r#"["mail",1]"#)),
            (r#"2/a,12["b"]"#, packet(Type::Event, "/a", Some(12), r#"["b"]"#)),
            ("37[]", packet(Type::Ack, "/", Some(7), "[]")),
            ("3/a,0[1]", packet(Type::Ack, "/a", Some(0), "[1]")),
            (
                r#"4{"message":"no"}"#,
                packet(Type::ConnectError, "/", None, r#"{"message":"no"}"#),
            ),
            (r#"4/a,"no""#, packet(Type::ConnectError, "/a", None, r#""no""#)),
            (
                r#"51-["mail",{"_placeholder":true,"num":0}]"#,
                binary(Type::BinaryEvent, 1, "/", None, placeholder),
            ),
            (
                r#"51-/a,9["mail",{"_placeholder":true,"num":0}]"#,
                binary(Type::BinaryEvent, 1, "/a", Some(9), placeholder),
            ),
            ("60-/a,9[]", binary(Type::BinaryAck, 0, "/a", Some(9), "[]")),
        ] {
            assert_eq!(Packet::parse(text), Ok(wanted), "{text}");
            assert_eq!(wanted.to_string(), text);
        }
        // Clients omit the comma if nothing follows.
        assert_eq!(
            Packet::parse("0/custom"),
            Ok(packet(Type::Connect, "/custom", None, ""))
        );
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for (text, error) in [
            ("", Error::Type),
            ("7", Error::Type),
            ("abc", Error::Type),
            ("é", Error::Type),
            ("5[]", Error::Attachments),
            ("5-[]", Error::Attachments),
            ("5+1-[]", Error::Attachments),
            ("599999999999999999999-[]", Error::Attachments),
            ("6/a,1-[]", Error::Attachments),
            ("3[]", Error::Ack),
            (r#"299999999999999999999["a"]"#, Error::Ack),
            ("2", Error::Payload),
            ("2{}", Error::Payload),
            ("2[]", Error::Payload),
            ("2[1]", Error::Payload),
            (r#"2["mail""#, Error::Payload),
            (r#"2abc["mail"]"#, Error::Payload),
            ("31{}", Error::Payload),
            ("31", Error::Payload),
            ("0[]", Error::Payload),
            ("0{", Error::Payload),
            ("07{}", Error::Payload),
            ("1{}", Error::Payload),
            ("4", Error::Payload),
            ("4[]", Error::Payload),
        ] {
            assert_eq!(Packet::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_name_that_is_escaped_without_need_is_written_plainly() {
        for (text, wanted) in [
            (r#"2["m\u0061il",{"a":"\u00e9"}]"#, r#"2["mail",{"a":"\u00e9"}]"#),
            (r#"2/a,7[ "\u00e9" ]"#, r#"2/a,7[ "é" ]"#),
            (r#"2["mail"]"#, r#"2["mail"]"#),
            (r#"2["a\"b"]"#, "2[\"\u{fffd}\"]"),
            (r#"37["\u0061"]"#, r#"37["\u0061"]"#),
            ("2{", "2{"),
        ] {
            assert_eq!(with_plain_name(text), wanted);
        }
    }

    #[test]
    fn an_events_name_and_arguments() {
        let packet = Packet::parse(r#"2["m\u0061il", {"id": 1} ,"é"]"#).unwrap();
        assert_eq!(packet.event().as_deref(), Some("mail"));
        let arguments: Vec<&str> = packet.arguments().unwrap().iter().map(|a| a.get()).collect();
        assert_eq!(arguments, [r#""m\u0061il""#, r#"{"id": 1}"#, r#""é""#]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            kind in 0..7_usize,
            attachments in any::<u32>(),
            namespace in "/[^,]{0,9}",
            ack in proptest::option::of(any::<u64>()),
            text in any::<String>(),
        ) {
            let kind = Type::ALL[kind];
            let quoted = serde_json::to_string(&text).unwrap();
            let data = match kind {
                Type::Connect => format!("{{{quoted}:1}}"),
                Type::Disconnect => String::new(),
                Type::ConnectError => quoted,
                _ => format!("[{quoted},2]"),
            };
            let packet = Packet {
                kind,
                attachments: if kind.is_binary() { attachments as usize } else { 0 },
                namespace: &namespace,
                ack: if kind.is_ack() { Some(ack.unwrap_or(0)) } else { ack.filter(|_| kind.is_event()) },
                data: &data,
            };
            let written = packet.to_string();
            prop_assert_eq!(Packet::parse(&written), Ok(packet));
        }

        #[test]
        fn nothing_makes_it_panic(text in any::<String>()) {
            if let Ok(packet) = Packet::parse(&text) {
                let written = packet.to_string();
                prop_assert_eq!(Packet::parse(&written), Ok(packet));
            }
        }
    }
}
