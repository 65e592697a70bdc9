//! TLS 1.3 records (RFC 8446, section 5): the bytes that encryption adds. The content of a record is
//! explained as plaintext, in a separate unit.

use std::sync::LazyLock;

use serde::Deserialize;

use super::table::{self, Row, Rows};
use super::unit::{Detail, Explained, Unit, bytes, hex};
use crate::lang::phrase;
use crate::wire::Labels;
use crate::wire::records::{APPLICATION_DATA, HEADER, Record};

static TABLE: LazyLock<Table> = LazyLock::new(|| table::read(include_str!("tls.toml")));

/// The rows of `tls.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    header: Row,
    seal: Row,
    records: Rows,
}

const CHANGE_CIPHER_SPEC: u8 = 20;

/// A record, without the application's bytes that it seals.
pub fn unit(record: &Record) -> Unit {
    let sealed = record.sealed;
    let (head, body) = record.bytes.split_at(HEADER.min(record.bytes.len()));
    let row = row(&record.bytes);
    let mut parts = vec![header(head, row)];
    if sealed > 0 {
        parts.push(tls(&body[sealed..], &TABLE.seal));
    } else if !body.is_empty() {
        parts.push(tls(body, row));
        if record.bytes.first() == Some(&CHANGE_CIPHER_SPEC) {
            parts.iter_mut().for_each(|part| part.random = None);
        }
    }
    Unit {
        direction: record.direction,
        at_us: record.at_us,
        title: if sealed > 0 {
            phrase!(
                "TLS record that seals %{length}, opened below",
                length = bytes(sealed as u64)
            )
        } else {
            phrase!("TLS record: %{name}", name = row.name())
        },
        parts,
        target: None,
        state: Vec::new(),
    }
}

fn header(head: &[u8], row: &'static Row) -> Explained {
    let mut part = tls(head, &TABLE.header);
    part.random = None;
    if let [kind, v1, v2, l1, l2] = *head {
        part.random = Some(3..5);
        part.details = vec![
            Detail::new(
                "type",
                kind.to_string(),
                if kind == APPLICATION_DATA {
                    "sealed: what, only the key tells".into()
                } else {
                    row.what()
                },
            ),
            Detail::new(
                "version",
                hex(&[v1, v2]),
                "the same for ever: middleboxes stumble over newer ones",
            ),
            Detail {
                random: true,
                ..Detail::new("length", u16::from_be_bytes([l1, l2]).to_string(), "bytes follow")
            },
        ];
    }
    part
}

fn tls(bytes: &[u8], row: &'static Row) -> Explained {
    let mut labels = Labels::default();
    labels.tls += bytes.len() as u64;
    Explained {
        bytes: bytes.to_vec(),
        labels,
        what: row.what(),
        source: row.source.as_str().into(),
        random: Some(0..bytes.len()),
        ..Explained::default()
    }
}

/// The row of a record without application data.
fn row(record: &[u8]) -> &'static Row {
    let key = match (record.first(), record.get(HEADER)) {
        (Some(22), Some(message @ 1..=2)) => format!("22/{message}"),
        (Some(kind), _) => kind.to_string(),
        (None, _) => String::new(),
    };
    TABLE.records.of(&key)
}
