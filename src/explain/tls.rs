//! TLS 1.3's records (RFC 8446, section 5): what encryption adds. What they seal is explained where it was
//! opened.

use super::unit::{Detail, Explained, Unit, bytes, hex};
use crate::lang::phrase;
use crate::wire::records::{APPLICATION_DATA, HEADER, Record};
use crate::wire::{Label, Labels};

const CHANGE_CIPHER_SPEC: u8 = 20;

/// A record, without the bytes that it seals for the application.
pub fn unit(record: &Record) -> Unit {
    let sealed = record.sealed;
    let (head, body) = record.bytes.split_at(HEADER.min(record.bytes.len()));
    let (name, what, source) = name(&record.bytes);
    let mut parts = vec![header(head, what)];
    if sealed > 0 {
        parts.push(tls(
            &body[sealed..],
            "The content's type, encrypted, and a tag that nobody can forge who lacks the key.",
            "RFC 8446, section 5.2",
        ));
    } else if !body.is_empty() {
        parts.push(tls(body, what, source));
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
            phrase!("TLS record: %{name}", name = name)
        },
        parts,
        target: None,
        told: Vec::new(),
    }
}

fn header(head: &[u8], name: &'static str) -> Explained {
    let mut part = tls(head, "Record header, in the clear.", "RFC 8446, section 5.1");
    part.random = None;
    if let [kind, v1, v2, l1, l2] = *head {
        part.random = Some(3..5);
        part.details = vec![
            Detail::new(
                "type",
                kind.to_string(),
                if kind == APPLICATION_DATA {
                    "sealed: what, only the key tells"
                } else {
                    name
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

fn tls(bytes: &[u8], what: &'static str, source: &'static str) -> Explained {
    let mut labels = Labels::default();
    labels.add(Label::Tls, bytes.len() as u64);
    Explained {
        bytes: bytes.to_vec(),
        labels,
        what: what.into(),
        source,
        random: Some(0..bytes.len()),
        ..Explained::default()
    }
}

/// What a record is that seals nothing for the application: in a title, in a sentence, and its source.
fn name(record: &[u8]) -> (&'static str, &'static str, &'static str) {
    match (record.first(), record.get(HEADER)) {
        (Some(20), _) => (
            "change cipher spec",
            "change cipher spec: means nothing any more, but middleboxes expect it.",
            "RFC 8446, section D.4",
        ),
        (Some(21), _) => ("alert", "alert.", "RFC 8446, section 6"),
        (Some(22), Some(1)) => (
            "ClientHello",
            "ClientHello: the ciphers and versions that the client knows, and half of a key exchange.",
            "RFC 8446, section 4.1.2",
        ),
        (Some(22), Some(2)) => (
            "ServerHello",
            "ServerHello: the choice, and the other half; from here on all is sealed.",
            "RFC 8446, section 4.1.3",
        ),
        (Some(22), _) => ("handshake", "handshake.", "RFC 8446, section 4"),
        (Some(23), _) => (
            "sealed, and nothing the application said",
            "sealed, and nothing the application said: the rest of a handshake, a ticket, or a goodbye.",
            "RFC 8446, section 5.2",
        ),
        _ => (
            "no record that TLS knows, or one that was cut off",
            "no record that TLS knows, or one that was cut off.",
            "RFC 8446, section 5.1",
        ),
    }
}
