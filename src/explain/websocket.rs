//! WebSocket frames, field by field (RFC 6455, section 5).
use super::unit::{Detail, Explained, bytes, hex, slice, text};
use crate::lang::{Text, phrase};
use crate::wire::transcript::Piece;
use crate::wire::{FrameHeader, Opcode};

/// How many bytes are unmasked step by step.
const SHOWN: usize = 8;

/// A frame's header, as far as its content is read by it.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    opcode: Opcode,
    key: Option<[u8; 4]>,
    /// Bytes of content before the run at hand.
    pub seen: usize,
}

/// How much of a message one direction has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message {
    /// The fragment that comes next, from 1; 0 outside of a message.
    fragment: u64,
}

/// The headers in a run, which follow each other directly where frames have no content.
pub fn headers(run: &Piece) -> Vec<Piece> {
    let mut from = 0;
    let mut found = Vec::new();
    while let Ok(Some(header)) = FrameHeader::parse(&run.bytes[from..]) {
        found.push(slice(run, from..from + header.size));
        from += header.size;
    }
    if from < run.bytes.len() {
        // Cannot be: what is labelled a header was read as one. Its bytes are shown all the same.
        found.push(slice(run, from..run.bytes.len()));
    }
    found
}

/// A header: what its frame is, the unit's title, and the bits.
pub fn header(run: &Piece, message: &mut Message) -> (Frame, Text, Explained) {
    let Ok(Some(header)) = FrameHeader::parse(&run.bytes) else {
        let frame = Frame {
            opcode: Opcode::Continuation,
            key: None,
            seen: 0,
        };
        return (
            frame,
            "an unreadable frame".into(),
            Explained::new(run, "Frame header.", "RFC 6455, section 5.2"),
        );
    };
    let key = header
        .masked
        .then(|| run.bytes[header.size - 4..].first_chunk().copied())
        .flatten();
    let title = phrase!(
        "%{frame}, %{length}",
        frame = title(&header, message),
        length = bytes(header.len)
    );
    let explained = Explained {
        random: key.map(|_| header.size - 4..header.size),
        ..Explained::new(run, "Frame header.", "RFC 6455, section 5.2")
            .because(why(&header))
            .with(bits(run, &header, key))
    };
    let frame = Frame {
        opcode: header.opcode,
        key,
        seen: 0,
    };
    (frame, title, explained)
}

fn title(header: &FrameHeader, message: &mut Message) -> Text {
    let name = match header.opcode {
        Opcode::Ping => return "ping frame".into(),
        Opcode::Pong => return "pong frame".into(),
        Opcode::Close => return "close frame".into(),
        Opcode::Continuation => "continuation frame",
        Opcode::Text => "text frame",
        Opcode::Binary => "binary frame",
    };
    message.fragment += 1;
    let number = message.fragment;
    if header.fin {
        message.fragment = 0;
    }
    match (number, header.fin) {
        (1, true) => name.into(),
        (n, false) => phrase!(
            "%{name}, fragment %{n}, more follow",
            name = name,
            n = n.to_string()
        ),
        (n, true) => phrase!("%{name}, fragment %{n}, the last", name = name, n = n.to_string()),
    }
}

fn why(header: &FrameHeader) -> &'static str {
    match header.opcode {
        Opcode::Ping => "A heartbeat: who is there answers with a pong (section 5.5.2).",
        Opcode::Pong => "The answer to a ping: somebody is there (section 5.5.3).",
        Opcode::Close => {
            "The closing handshake: its sender will send no more, and the other side answers with \
                          a close frame of its own (section 5.5.1)."
        }
        _ => "No request, no answer, no header fields: either side sends when it has something to say.",
    }
}

fn bits(run: &Piece, header: &FrameHeader, key: Option<[u8; 4]>) -> Vec<Detail> {
    let (first, second) = (run.bytes[0], run.bytes[1]);
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
        Detail::new(
            "opcode",
            format!("{:04b} = {:#x}", first & 15, first & 15),
            opcode(header.opcode),
        ),
        Detail::new("MASK", (second >> 7).to_string(), mask(header.masked)),
        length(run, header),
    ];
    if let Some(key) = key {
        let what = "random, new for each frame; a proxy in between cannot be made to see bytes of a page's \
                    choosing (sections 5.3 and 10.3)";
        details.push(Detail::new("key", hex(&key), what).random());
    }
    details
}

fn opcode(opcode: Opcode) -> &'static str {
    match opcode {
        Opcode::Continuation => "continuation: more of the message that was begun",
        Opcode::Text => "text: a message in UTF-8 begins",
        Opcode::Binary => "binary: a message of any bytes begins",
        Opcode::Close => "close",
        Opcode::Ping => "ping",
        Opcode::Pong => "pong",
    }
}

fn mask(masked: bool) -> &'static str {
    if masked {
        "the content is masked: a client's always is (section 5.1)"
    } else {
        "the content is not masked: a server's never is (section 5.1)"
    }
}

fn length(run: &Piece, header: &FrameHeader) -> Detail {
    let short = run.bytes[1] & 0x7F;
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
        126 => format!("{short}, {} = {}", hex(&run.bytes[2..4]), header.len),
        127 => format!("{short}, {} = {}", hex(&run.bytes[2..10]), header.len),
        _ => short.to_string(),
    };
    Detail::new(format!("length {form}"), value, what)
}

/// Text, or what else it is in hexadecimal: as it was meant.
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

    /// The bytes without their mask.
    pub fn unmask(&self, run: &Piece) -> Vec<u8> {
        let Some(key) = self.key else {
            return run.bytes.clone();
        };
        let key = key.iter().cycle().skip(self.seen % 4);
        run.bytes.iter().zip(key).map(|(b, k)| b ^ k).collect()
    }

    /// The unmasking, written out for the first bytes.
    pub fn steps(&self, run: &Piece, plain: &[u8]) -> Vec<Detail> {
        let Some(key) = self.key else {
            return Vec::new();
        };
        let n = run.bytes.len().min(SHOWN);
        let keys: Vec<u8> = key.iter().cycle().skip(self.seen % 4).take(n).copied().collect();
        let of = match run.bytes.len() == n {
            true => "as it crossed",
            false => "the first bytes, as they crossed",
        };
        vec![
            Detail::new("masked", hex(&run.bytes[..n]), of).random(),
            Detail::new("XOR key", hex(&keys), "the key, over and over (section 5.3)").random(),
            Detail::new("=", hex(&plain[..n]), "what was meant"),
        ]
    }
}

/// What a client says.
pub fn masked(run: &Piece, frame: &Frame) -> Explained {
    let plain = frame.unmask(run);
    let mut details = frame.steps(run, &plain);
    details.push(meant(&plain));
    let random = frame.key.map(|_| 0..run.bytes.len());
    Explained {
        random,
        ..Explained::new(
            run,
            "What the client's application says, masked.",
            "RFC 6455, section 5.3",
        )
        .because("The same connection carries both ways: no request of its own is needed.")
        .with(details)
    }
}

/// The content of a ping, pong or close.
pub fn control_body(run: &Piece, frame: &Frame) -> Explained {
    let plain = frame.unmask(run);
    let mut details = frame.steps(run, &plain);
    let random = frame.key.map(|_| 0..run.bytes.len());
    let part = match frame.opcode {
        Opcode::Close => {
            details.extend(reason(&plain));
            Explained::new(run, "Why the connection is closed.", "RFC 6455, section 5.5.1")
        }
        Opcode::Ping => Explained::new(
            run,
            "Content of a ping: the pong repeats it.",
            "RFC 6455, section 5.5.2",
        ),
        _ => Explained::new(
            run,
            "Content of a pong: the ping's, repeated.",
            "RFC 6455, section 5.5.3",
        ),
    };
    Explained {
        random,
        ..part.with(details)
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

/// What a close code means (RFC 6455, section 7.4).
fn close_code(code: u16) -> Text {
    let what = match code {
        1000 => "normal: the purpose is fulfilled",
        1001 => "going away: a server shuts down, or a page is left",
        1002 => "protocol error",
        1003 => "a kind of data that cannot be accepted",
        1005 | 1006 | 1015 => "reserved: never sent",
        1007 => "data that is not what its type says, such as text that is not UTF-8",
        1008 => "against the receiver's policy",
        1009 => "a message too big to process",
        1010 => "the client wanted an extension that the server did not agree to",
        1011 => "the server met something unexpected",
        1012 => "the server restarts",
        1013 => "the server is overloaded: try again later",
        1014 => "a gateway got an invalid answer from the server behind it",
        3000..4000 => "registered by a library or framework",
        4000..5000 => "private use",
        _ => "no code that the RFC knows",
    };
    let section = if code < 3000 {
        "section 7.4.1"
    } else {
        "section 7.4.2"
    };
    phrase!(
        "%{meaning} (%{source})",
        meaning = what,
        source = section.to_string()
    )
}
