//! Lines of JSON (ndjson-spec 1.0): their ends.

use std::sync::LazyLock;

use serde::Deserialize;

use super::table::{self, Row};
use super::unit::Explained;
use crate::wire::transcript::Piece;

static TABLE: LazyLock<Table> = LazyLock::new(|| table::read(include_str!("ndjson.toml")));

/// The rows of `ndjson.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    line_end: Row,
    empty: Row,
}

/// The end of a line with content.
pub fn line_end(piece: &Piece) -> Explained {
    TABLE.line_end.part(piece)
}

/// An empty line.
pub fn empty(piece: &Piece) -> Explained {
    TABLE.empty.part(piece)
}
