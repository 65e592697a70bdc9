//! STOMP frames, header by header (STOMP 1.2).

use std::sync::LazyLock;

use serde::Deserialize;

use super::table::{self, Keyed, Row};
use super::unit::{Detail, Explained, pieces, text};
use crate::lang::{Text, phrase};
use crate::wire::Kind;
use crate::wire::transcript::Piece;

static TABLE: LazyLock<Table> = LazyLock::new(|| table::read(include_str!("stomp.toml")));

/// The rows of `stomp.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    heart_beat: Row,
    body: Row,
    end: Row,
    line_end: Row,
    blank: Row,
    header_piece: Row,
    subprotocols: Keyed,
    commands: Keyed,
    headers: Keyed,
}

/// The meaning of messages under this subprotocol.
pub fn subprotocol(name: &str) -> Option<&'static Row> {
    TABLE.subprotocols.get(name)
}

/// Whether these bytes are only line ends, escaped or not.
pub fn is_heart_beat(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(behind) = line_end(rest) {
        rest = &rest[behind..];
    }
    rest.is_empty()
}

/// The length in bytes of the line end at the start. In a JSON string it is `\n`, and in a string inside that
/// string `\\n`.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let backslashes = bytes.iter().take_while(|b| **b == b'\\').count();
    match (backslashes, bytes.get(backslashes)?) {
        (0, b'\n') => Some(1),
        (0, b'\r') => Some(1),
        (1.., b'n' | b'r') => Some(backslashes + 1),
        _ => None,
    }
}

/// The parts of a piece, and the title of the frame that begins in it.
pub fn explain(piece: &Piece) -> (Vec<Explained>, Option<Text>) {
    match piece.kind {
        Kind::StompHead => head(piece),
        Kind::StompEnd => (vec![TABLE.end.part(piece)], None),
        Kind::StompBody => (vec![TABLE.body.part(piece)], None),
        _ => (
            vec![TABLE.heart_beat.part(piece)],
            Some("STOMP heart-beat".into()),
        ),
    }
}

/// A frame's command, headers and blank line.
fn head(piece: &Piece) -> (Vec<Explained>, Option<Text>) {
    // Inside a JSON string line ends are `\n` too; otherwise `\n` is an escape of STOMP in a header's value.
    let in_string = !piece.bytes.contains(&b'\n');
    let mut title = None;
    let parts = lines(piece, in_string).into_iter().map(|(line, content)| {
        let content = text(&line.bytes[..content]);
        if let Some(row) = TABLE.commands.get(&content) {
            title = Some(Text::from(format!("STOMP {content}")));
            return command(&line, content, row);
        }
        match content.split_once(':') {
            Some((name, value)) => header(&line, name, value),
            None if content.is_empty()
                && line.start == piece.start
                && line.bytes.len() < piece.bytes.len() =>
            {
                TABLE.line_end.part(&line)
            }
            None if content.is_empty() => TABLE.blank.part(&line),
            None => TABLE.header_piece.part(&line),
        }
    });
    (parts.collect(), title)
}

/// The lines, each with its length without the line end.
fn lines(piece: &Piece, in_string: bool) -> Vec<(Piece, usize)> {
    let bytes = &piece.bytes;
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
    let lines = pieces(piece, ends);
    let lengths = lengths.into_iter().map(Some).chain([None]);
    let with = |(line, length): (Piece, Option<usize>)| {
        let whole = line.bytes.len();
        (line, length.unwrap_or(whole))
    };
    lines.into_iter().zip(lengths).map(with).collect()
}

fn command(line: &Piece, name: String, row: &'static Row) -> Explained {
    let what = phrase!("Command %{name}: %{purpose}.", name = name, purpose = row);
    Explained {
        what,
        ..row.part(line)
    }
}

fn header(line: &Piece, name: &str, value: &str) -> Explained {
    let (what, source) = match TABLE.headers.get(name) {
        Some(row) => (
            phrase!(
                "Header %{name} says %{purpose}.",
                name = name.to_string(),
                purpose = row
            ),
            &*row.source,
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
    // The value differs in every session.
    let varies = matches!(name, "session" | "host").then(|| 0..line.bytes.len());
    Explained {
        random: varies,
        ..Explained::new(line, what, source).with(details)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::stomp::{AFTER, Command, RESET, Version};

    #[test]
    fn every_command_and_version_has_a_row() {
        let mut commands = Command::ALL.map(Command::name).to_vec();
        commands.sort_unstable();
        assert_eq!(TABLE.commands.keys().collect::<Vec<_>>(), commands);
        assert_eq!(TABLE.subprotocols.len(), Version::ALL.len());
        for version in Version::ALL {
            assert!(subprotocol(version.subprotocol()).is_some(), "{version:?}");
        }
        assert!(
            [AFTER, RESET]
                .iter()
                .all(|name| TABLE.headers.contains_key(*name))
        );
    }
}
