//! HTTP/1 heads line by line, and the lines around chunks (RFC 9112).

use std::sync::LazyLock;

use serde::Deserialize;

use super::request::{Asked, Request};
use super::table::{self, Keyed, Row, Rows};
use super::target::{self, cursor};
use super::unit::{Detail, Explained, Knowledge, StateItem, Unit, bytes, lines, text};
use super::{fields, handshake};
use crate::lang::{Text, phrase};
use crate::wire::transcript::Piece;

static TABLE: LazyLock<Table> = LazyLock::new(|| table::read(include_str!("http1.toml")));

/// The rows of `http1.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    request_line: Row,
    status_line: Row,
    blank: Row,
    trailer: Row,
    chunk_size: Row,
    chunk_end: Row,
    last_chunk: Row,
    methods: Rows,
    versions: Rows,
    statuses: Keyed,
    classes: Rows,
}

fn content(line: &Piece) -> String {
    text(line.bytes.trim_ascii_end())
}

/// A request's head.
pub fn request(piece: &Piece, asked: &mut Asked) -> Unit {
    let mut request = Request::default();
    let mut parts = Vec::new();
    let mut state = Vec::new();
    for line in lines(piece) {
        let content = content(&line);
        let size = line.bytes.len() as u64;
        if content.is_empty() {
            parts.push(TABLE.blank.part(&line));
            state.push((Knowledge::Head, size));
        } else if request.method.is_empty() {
            request.read_line(&content);
            parts.push(request_line(&line, &request));
            let cursor = cursor(&request.target).map_or(0, |c| c.len() as u64);
            state.push((Knowledge::Cursor, cursor));
            state.push((Knowledge::Head, size - cursor));
        } else {
            let (name, value) = field(&content);
            request.read_field(name, value);
            parts.push(fields::explain(&line, name, value, &request));
            state.push((fields::knowledge(name), size));
        }
    }
    asked.remember(&request);
    let (method, path) = (request.method.clone(), target::lasting(&request.target));
    Unit {
        direction: piece.direction,
        at_us: piece.at_us,
        title: match request.key.is_some() {
            true => phrase!(
                "request: %{method} %{path}, which asks for a %{protocol}",
                method = method,
                path = path,
                protocol = "WebSocket"
            ),
            false => phrase!("request: %{method} %{path}", method = method, path = path),
        },
        parts,
        target: Some(request.target),
        state: sum(&state),
    }
}

fn sum(state: &[(Knowledge, u64)]) -> Vec<StateItem> {
    let of = |wanted| {
        state
            .iter()
            .filter(|(what, _)| *what == wanted)
            .map(|(_, n)| n)
            .sum()
    };
    [Knowledge::Cursor, Knowledge::Identity, Knowledge::Head]
        .map(|what| StateItem {
            what,
            bytes: of(what),
        })
        .into_iter()
        .filter(|item| item.bytes > 0)
        .collect()
}

/// A response's head.
pub fn response(piece: &Piece, asked: &mut Asked) -> Unit {
    let mut parts = Vec::new();
    let mut status = None;
    let mut title = Text::from("response");
    let mut request = Request::default();
    for line in lines(piece) {
        let content = content(&line);
        if content.is_empty() {
            parts.push(TABLE.blank.part(&line));
        } else if status.is_none() {
            let code = content
                .split(' ')
                .nth(1)
                .and_then(|c| c.parse().ok())
                .unwrap_or(0);
            status = Some(code);
            // Several interim responses may come before the final one.
            request = asked.answered(code);
            let status = content.split_once(' ').map_or("", |(_, status)| status);
            title = phrase!("response: %{status}", status = status.to_string());
            parts.push(status_line(&line, &content, code));
        } else {
            let (name, value) = field(&content);
            parts.push(handshake::answer(&line, name, value, &request));
        }
    }
    Unit {
        direction: piece.direction,
        at_us: piece.at_us,
        title,
        parts,
        target: None,
        state: Vec::new(),
    }
}

fn field(line: &str) -> (&str, &str) {
    line.split_once(':').map_or((line, ""), |(n, v)| (n, v.trim()))
}

fn request_line(line: &Piece, request: &Request) -> Explained {
    let varying = target::varying(&request.target);
    let before = request.method.len() + 1;
    let mut details = vec![
        Detail::new(
            "method",
            request.method.clone(),
            sourced(TABLE.methods.of(&request.method)),
        ),
        Detail {
            random: varying.is_some(),
            ..Detail::new(
                "target",
                request.target.clone(),
                "what is asked for, and with which parameters",
            )
        },
    ];
    if let Some(cursor) = cursor(&request.target) {
        details.push(Detail::new(
            "cursor",
            cursor,
            "the client's whole state: the number of the last mail it has seen, and the epoch of its log",
        ));
    }
    details.push(Detail::new(
        "version",
        request.version.clone(),
        TABLE.versions.of(&request.version),
    ));
    Explained {
        random: varying.map(|range| before + range.start..before + range.end),
        ..TABLE.request_line.part(line).with(details)
    }
}

fn sourced(row: &'static Row) -> Text {
    phrase!(
        "%{meaning} (%{source})",
        meaning = row,
        source = row.source.clone()
    )
}

fn status_line(line: &Piece, content: &str, code: u16) -> Explained {
    let mut words = content.splitn(3, ' ');
    let spoken = words.next().unwrap_or_default();
    let reason = words.nth(1).unwrap_or_default();
    let mut details = vec![
        Detail::new("version", spoken, TABLE.versions.of(spoken)),
        Detail::new("status", code.to_string(), sourced(status(code))),
    ];
    if !reason.is_empty() {
        details.push(Detail::new(
            "reason",
            reason,
            "the same for human readers; programs ignore it",
        ));
    }
    TABLE.status_line.part(line).with(details)
}

/// The row of a status, or otherwise of its first digit.
fn status(code: u16) -> &'static Row {
    let class = || TABLE.classes.of(&(code / 100).to_string());
    TABLE.statuses.get(&code.to_string()).unwrap_or_else(class)
}

/// The fields after a last chunk.
pub fn trailers(piece: &Piece) -> Vec<Explained> {
    lines(piece).iter().map(|line| TABLE.trailer.part(line)).collect()
}

fn size(piece: &Piece) -> Option<(String, u64)> {
    let line = text(&piece.bytes);
    let digits = line.split(';').next()?.trim();
    Some((digits.into(), u64::from_str_radix(digits, 16).ok()?))
}

/// A title for a chunk, from its size line.
pub fn chunk_title(piece: &Piece) -> Text {
    match size(piece) {
        Some((_, n)) => phrase!("a chunk that holds %{length}", length = bytes(n)),
        None => "a chunk".into(),
    }
}

/// A chunk's size line.
pub fn chunk_size(piece: &Piece) -> Explained {
    let details = size(piece).map(|(digits, n)| {
        Detail::new("size", "", "bytes of data follow the line end").valued(phrase!(
            "%{digits} hexadecimal = %{n}",
            digits = digits,
            n = n.to_string()
        ))
    });
    TABLE.chunk_size.part(piece).with(details.into_iter().collect())
}

/// The line end after a chunk's data.
pub fn chunk_end(piece: &Piece) -> Explained {
    TABLE.chunk_end.part(piece)
}

/// The last chunk: `0` and its line ends.
pub fn last_chunk(piece: &Piece) -> Explained {
    TABLE.last_chunk.part(piece)
}
