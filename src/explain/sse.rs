//! The lines of an event stream (HTML, section 9.2).

use std::sync::LazyLock;

use serde::Deserialize;

use super::table::{self, Row, Rows};
use super::unit::{self, Detail, Explained, text};
use crate::wire::Kind;
use crate::wire::transcript::Piece;

static TABLE: LazyLock<Table> = LazyLock::new(|| table::read(include_str!("sse.toml")));

/// The rows of `sse.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    end: Row,
    comment: Row,
    line_end: Row,
    fields: Rows,
}

/// One part for each line or part of a line: the mail is between `data:` and the line end.
pub fn lines(piece: &Piece) -> Vec<Explained> {
    unit::lines(piece)
        .iter()
        .map(|line| explain(line, piece.kind))
        .collect()
}

fn explain(line: &Piece, kind: Kind) -> Explained {
    let content = text(&line.bytes);
    let content = content.trim_end_matches(['\r', '\n']);
    let (name, value) = content
        .split_once(':')
        .map_or((content, ""), |(n, v)| (n, v.trim_start()));
    let whole = line.bytes.ends_with(b"\n") || line.bytes.ends_with(b"\r");
    match (kind, name) {
        (Kind::SseEnd, _) => TABLE.end.part(line),
        (Kind::SseComment, _) => TABLE.comment.part(line),
        (_, "") if whole => TABLE.line_end.part(line),
        _ => TABLE.fields.of(name).part(line).with(meaning(name, value)),
    }
}

fn meaning(name: &str, value: &str) -> Vec<Detail> {
    match name {
        "id" => vec![Detail::new("id", value, "the cursor after this event")],
        "retry" => vec![Detail::new("retry", value, "milliseconds")],
        _ => Vec::new(),
    }
}
