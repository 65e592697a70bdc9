//! Header fields: the purpose of each, and the specification that defines it.

use std::sync::LazyLock;

use serde::Deserialize;

use std::ops::Range;

use super::request::Request;
use super::stomp;
use super::table::{self, Keyed, Row, Rows};
use super::unit::{Detail, Explained, Knowledge, bytes};
use crate::lang::{Text, phrase};
use crate::wire::is_media_type;
use crate::wire::transcript::Piece;

static TABLE: LazyLock<Table> = LazyLock::new(|| table::read(include_str!("fields.toml")));

/// The rows of `fields.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    fields: Rows,
    directives: Keyed,
}

/// The client's state in a field, which the server could have remembered.
pub fn knowledge(name: &str) -> Knowledge {
    match name.to_ascii_lowercase().as_str() {
        "last-event-id" => Knowledge::Cursor,
        "cookie" | "authorization" => Knowledge::Identity,
        _ => Knowledge::Head,
    }
}

/// A field line.
pub fn explain(line: &Piece, name: &str, value: &str, request: &Request) -> Explained {
    let row = TABLE.fields.of(&name.to_ascii_lowercase());
    let what = if std::ptr::eq(row, &TABLE.fields.other) {
        phrase!("%{name}: %{purpose}.", name = name.to_string(), purpose = row)
    } else {
        phrase!("%{name} says %{purpose}.", name = name.to_string(), purpose = row)
    };
    Explained {
        random: varying(line, name, value, request),
        ..Explained::new(line, what, &row.source).with(meaning(name, value).into_iter().collect())
    }
}

/// What a value means, for values that need an explanation.
fn meaning(name: &str, value: &str) -> Option<Detail> {
    let has = |token: &str| value.split(',').any(|t| t.trim().eq_ignore_ascii_case(token));
    let what = match name.to_ascii_lowercase().as_str() {
        "connection" if has("upgrade") => "this connection is to change its protocol: see Upgrade",
        "connection" if has("close") => "the connection ends with this message",
        "connection" if has("keep-alive") => "the connection is to stay open for the next request",
        "transfer-encoding" if has("chunked") => "each piece comes behind its own length",
        "content-type" if is_media_type(value, "text/event-stream") => {
            "a stream of events: Server-Sent Events"
        }
        "content-type" if is_media_type(value, "application/json") => "JSON (RFC 8259)",
        "cache-control" => return each(value, |name| TABLE.directives.get(&name.to_ascii_lowercase())),
        "sec-websocket-protocol" => return each(value, stomp::subprotocol),
        "x-accel-buffering" if has("no") => "each piece of a stream is to pass at once",
        "upgrade" if has("websocket") => "to frames that either side sends when it likes",
        "content-length" => {
            let n = value.parse().ok()?;
            let what = "where the next message begins is known by this";
            return Some(Detail::new("length", "", what).valued(bytes(n)));
        }
        _ => return None,
    };
    Some(Detail::new("value", value, what))
}

/// The meanings of those members of a list that have a row.
fn each(value: &str, explained: fn(&str) -> Option<&'static Row>) -> Option<Detail> {
    let said = value.split(',').filter_map(|member| explained(member.trim()));
    let said = said.map(Text::from);
    let said = said.reduce(|all, next| phrase!("%{all}; %{next}", all = all, next = next))?;
    Some(Detail::new("value", value, said))
}

/// The bytes of a field line that differ in every run.
fn varying(line: &Piece, name: &str, value: &str, request: &Request) -> Option<Range<usize>> {
    let at = |wanted: &str| {
        let found = memchr::memmem::find(&line.bytes, wanted.as_bytes())?;
        (!wanted.is_empty()).then_some(found..found + wanted.len())
    };
    match name.to_ascii_lowercase().as_str() {
        "date" | "sec-websocket-key" | "sec-websocket-accept" => at(value),
        // The port is any free one.
        "host" | "origin" | "referer" => at(request.authority.as_deref()?).and_then(|all| {
            let authority = request.authority.as_deref()?;
            let port = authority.rsplit_once(':')?.1;
            Some(all.end - port.len()..all.end)
        }),
        _ => None,
    }
}
