//! STOMP's frames, header by header (STOMP 1.2).
use super::unit::{Detail, Explained, pieces, text};
use crate::lang::{Text, phrase};
use crate::wire::Kind;
use crate::wire::stomp::{AFTER, Command, RESET, Version};
use crate::wire::transcript::Piece;

const FRAMES: &str = "STOMP 1.2, section STOMP Frames";
const HEART_BEATING: &str = "STOMP 1.2, section Heart-beating";

/// What a subprotocol of this name has the messages be.
pub fn subprotocol(name: &str) -> Option<&'static str> {
    let version = Version::ALL.into_iter().find(|v| v.subprotocol() == name)?;
    Some(match version {
        Version::V1_2 => "STOMP 1.2: every message is a frame with a command, headers, and a body",
        Version::V1_1 => "STOMP 1.1, which brought heart-beats and escapes in headers",
        Version::V1_0 => "STOMP 1.0, without heart-beats",
    })
}

/// Whether these are line ends and nothing else, escaped or not.
pub fn is_heart_beat(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(behind) = line_end(rest) {
        rest = &rest[behind..];
    }
    rest.is_empty()
}

/// How many bytes the line end takes that these begin with. In a JSON string it is `\n`, and in a string
/// in that `\\n`.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let backslashes = bytes.iter().take_while(|b| **b == b'\\').count();
    match (backslashes, bytes.get(backslashes)?) {
        (0, b'\n') => Some(1),
        (0, b'\r') => Some(1),
        (1.., b'n' | b'r') => Some(backslashes + 1),
        _ => None,
    }
}

/// A run's parts, and what frame it begins.
pub fn explain(run: &Piece) -> (Vec<Explained>, Option<Text>) {
    match run.kind {
        Kind::StompHead => head(run),
        Kind::StompEnd => (vec![end(run)], None),
        Kind::StompBody => {
            let part = Explained::new(
                run,
                "The body of a frame that is no message.",
                "STOMP 1.2, section ERROR",
            );
            (
                vec![part.because("What went wrong, at more length than the header message.")],
                None,
            )
        }
        _ => {
            let part = Explained::new(run, "Line end: a heart-beat.", HEART_BEATING).because(
                "Its sender is there, and so is the way. It was agreed on in CONNECT and CONNECTED.",
            );
            (vec![part], Some("STOMP heart-beat".into()))
        }
    }
}

fn end(run: &Piece) -> Explained {
    Explained::new(run, "NUL: the frame ends.", FRAMES)
        .because("A body may have any length; one that holds a NUL itself says its length before.")
}

/// Command, headers, blank line.
fn head(run: &Piece) -> (Vec<Explained>, Option<Text>) {
    // A header's value may hold `\n` as an escape of STOMP's own; inside a string, line ends look so.
    let in_string = !run.bytes.contains(&b'\n');
    let mut title = None;
    let parts = lines(run, in_string).into_iter().map(|(line, content)| {
        let content = text(&line.bytes[..content]);
        if let Some(command) = Command::named(content.as_bytes()) {
            title = Some(Text::from(format!("STOMP {}", command.name())));
            return self::command(&line, command);
        }
        match content.split_once(':') {
            Some((name, value)) => header(&line, name, value),
            None if content.is_empty() && line.start == run.start && line.bytes.len() < run.bytes.len() => {
                Explained::new(&line, "Line end of the header.", FRAMES)
            }
            None if content.is_empty() => Explained::new(&line, "Blank line: the headers end.", FRAMES)
                .because("What comes behind it is the body, if there is one."),
            None => Explained::new(&line, "A piece of a header.", FRAMES),
        }
    });
    (parts.collect(), title)
}

/// The lines, and how long each is without its end.
fn lines(run: &Piece, in_string: bool) -> Vec<(Piece, usize)> {
    let bytes = &run.bytes;
    let mut lengths = Vec::new();
    let mut ends = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < bytes.len() {
        let end = match bytes[at] {
            b'\n' => 1,
            b'\\' if in_string => line_end(&bytes[at..]).unwrap_or(0),
            _ => 0,
        };
        if end == 0 {
            at += 1;
            continue;
        }
        let carriage = usize::from(bytes[from..at].ends_with(b"\r"));
        lengths.push(at - from - carriage);
        at += end;
        ends.push(at);
        from = at;
    }
    let lines = pieces(run, ends);
    let lengths = lengths.into_iter().map(Some).chain([None]);
    let with = |(line, length): (Piece, Option<usize>)| {
        let whole = line.bytes.len();
        (line, length.unwrap_or(whole))
    };
    lines.into_iter().zip(lengths).map(with).collect()
}

fn command(line: &Piece, command: Command) -> Explained {
    let (what, why, source) = match command {
        Command::Connect | Command::Stomp => (
            "the client opens the session",
            "It names the versions it speaks and the heart-beats it can give.",
            "STOMP 1.2, section CONNECT or STOMP Frame",
        ),
        Command::Connected => (
            "the session is open",
            "The server has chosen a version and says what heart-beats it can give.",
            "STOMP 1.2, section CONNECTED Frame",
        ),
        Command::Send => (
            "a message for a destination",
            "Who listens there is the broker's business, not the sender's.",
            "STOMP 1.2, section SEND",
        ),
        Command::Subscribe => (
            "the client wants what arrives at a destination",
            "Said once; every message for it then comes by itself.",
            "STOMP 1.2, section SUBSCRIBE",
        ),
        Command::Unsubscribe => (
            "no more of this subscription",
            "",
            "STOMP 1.2, section UNSUBSCRIBE",
        ),
        Command::Ack => (
            "the client has dealt with this message",
            "Until then the broker may deliver it to somebody else.",
            "STOMP 1.2, section ACK",
        ),
        Command::Nack => (
            "the client did not deal with this message",
            "The broker may give it to somebody else, or drop it.",
            "STOMP 1.2, section NACK",
        ),
        Command::Begin => ("a transaction begins", "", "STOMP 1.2, section BEGIN"),
        Command::Commit => (
            "what was sent in the transaction is to happen, all of it at once",
            "",
            "STOMP 1.2, section COMMIT",
        ),
        Command::Abort => (
            "what was sent in the transaction is not to happen",
            "",
            "STOMP 1.2, section ABORT",
        ),
        Command::Disconnect => (
            "the client has said all",
            "With a receipt, it knows that the server has read everything before.",
            "STOMP 1.2, section DISCONNECT",
        ),
        Command::Message => (
            "a message of a subscription",
            "Its headers say which, so one connection carries many.",
            "STOMP 1.2, section MESSAGE",
        ),
        Command::Receipt => (
            "the server has dealt with the frame that asked for this",
            "",
            "STOMP 1.2, section RECEIPT",
        ),
        Command::Error => (
            "something went wrong; the server closes the connection behind it",
            "",
            "STOMP 1.2, section ERROR",
        ),
    };
    let what = phrase!(
        "Command %{name}: %{purpose}.",
        name = command.name(),
        purpose = what
    );
    Explained::new(line, what, source).because(why)
}

fn header(line: &Piece, name: &str, value: &str) -> Explained {
    let (what, source) = match known(name) {
        Some((what, source)) => (
            phrase!(
                "Header %{name} says %{purpose}.",
                name = name.to_string(),
                purpose = what
            ),
            source,
        ),
        None => (
            phrase!("Header %{name}: an application's own.", name = name.to_string()),
            "STOMP 1.2, section SEND",
        ),
    };
    let details = match name {
        "heart-beat" => heart_beat(value),
        _ => Vec::new(),
    };
    // A server draws it anew for each session.
    let varies = matches!(name, "session" | "host").then(|| 0..line.bytes.len());
    Explained {
        random: varies,
        ..Explained::new(line, what, source).with(details)
    }
}

/// What a header says that the specification names, and where it does.
fn known(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "accept-version" => (
            "which versions the client speaks",
            "STOMP 1.2, section Protocol Negotiation",
        ),
        "version" => (
            "which version both speak from here on",
            "STOMP 1.2, section Protocol Negotiation",
        ),
        "host" => (
            "which virtual host is meant",
            "STOMP 1.2, section CONNECT or STOMP Frame",
        ),
        "login" => ("who the client is", "STOMP 1.2, section CONNECT or STOMP Frame"),
        "passcode" => (
            "the client's password",
            "STOMP 1.2, section CONNECT or STOMP Frame",
        ),
        "heart-beat" => (
            "how often its sender can, and would like to, hear something",
            HEART_BEATING,
        ),
        "session" => ("the session's own name", "STOMP 1.2, section CONNECTED Frame"),
        "server" => ("which software answers", "STOMP 1.2, section CONNECTED Frame"),
        "destination" => ("where it goes, or where it is from", "STOMP 1.2, section SEND"),
        "content-length" => (
            "how long the body is, so that it may hold any byte",
            "STOMP 1.2, section Header content-length",
        ),
        "content-type" => (
            "which media type the body has",
            "STOMP 1.2, section Header content-type",
        ),
        "receipt" => (
            "that the server shall confirm this frame",
            "STOMP 1.2, section Header receipt",
        ),
        "receipt-id" => ("which frame is confirmed", "STOMP 1.2, section RECEIPT"),
        "id" => (
            "which subscription or which message is meant",
            "STOMP 1.2, section SUBSCRIBE id Header",
        ),
        "ack" => (
            "how messages are acknowledged, or by which name this one is",
            "STOMP 1.2, section SUBSCRIBE ack Header",
        ),
        "subscription" => (
            "which of the client's subscriptions this is for",
            "STOMP 1.2, section MESSAGE",
        ),
        "message-id" => ("this message's own name", "STOMP 1.2, section MESSAGE"),
        "transaction" => ("which transaction it belongs to", "STOMP 1.2, section BEGIN"),
        "message" => ("in short what went wrong", "STOMP 1.2, section ERROR"),
        RESET => (
            "the client's cursor is none of this log, which has this epoch and follows from its beginning",
            "mailcall's own form",
        ),
        AFTER => (
            "how far the client has read: mail after this one is wanted",
            "mailcall's own form",
        ),
        _ => return None,
    })
}

fn heart_beat(value: &str) -> Vec<Detail> {
    let Some((can, wants)) = value.split_once(',') else {
        return Vec::new();
    };
    let each = |name: &'static str, ms: &str, none: &'static str, some: &'static str| {
        Detail::new(name, ms.trim(), if ms.trim() == "0" { none } else { some })
    };
    vec![
        each("can give", can, "none", "at least one each so many milliseconds"),
        each("would like", wants, "none", "one each so many milliseconds"),
    ]
}
