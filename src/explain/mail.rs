//! Mail, lists of mail, attachments, notices, and bytes that break a rule.

use std::sync::LazyLock;

use serde::Deserialize;

use super::table::{self, Keyed, Row, Rows};
use super::unit::{Detail, Explained, bytes, number, text};
use crate::wire::transcript::Piece;
use crate::wire::{Kind, Label};

/// The table of mail, also used by other protocols that carry mail.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| table::read(include_str!("mail.toml")));

/// The rows of `mail.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    mail: Row,
    last_brace: Row,
    attachment_key: Row,
    attachment_quote: Row,
    attachment_bytes: Row,
    attachment_base64: Row,
    json_length: Row,
    notice: Row,
    reply: Row,
    other_body: Row,
    coded: Row,
    unread: Row,
    pub cursor: Row,
    pub baseline_cursor: Row,
    pub baseline_length: Row,
    punctuation: Rows,
    notices: Keyed,
}

/// The explanation of a piece that is the same in every protocol that carries mail.
pub fn explain(piece: &Piece, in_frame: bool) -> Explained {
    let row = match piece.kind {
        Kind::Mail if piece.bytes == b"}" => &TABLE.last_brace,
        Kind::Mail => &TABLE.mail,
        Kind::ListPunctuation => TABLE.punctuation.of(&text(&piece.bytes)),
        Kind::AttachmentKey if piece.bytes == b"\"" => &TABLE.attachment_quote,
        Kind::AttachmentKey => &TABLE.attachment_key,
        Kind::Attachment => return attachment(piece, in_frame),
        Kind::MailLength => {
            let length = Detail::new("length", number(piece).to_string(), "bytes of JSON, big-endian");
            return TABLE.json_length.part(piece).with(vec![length]);
        }
        Kind::Notice => return notice(piece),
        Kind::Reply => &TABLE.reply,
        Kind::OtherBody => &TABLE.other_body,
        Kind::Coded => &TABLE.coded,
        _ => &TABLE.unread,
    };
    row.part(piece)
}

fn attachment(piece: &Piece, in_frame: bool) -> Explained {
    if in_frame && piece.labels.framing == 0 {
        return TABLE.attachment_bytes.part(piece);
    }
    let (payload, framing) = (piece.labels.payload, piece.labels.framing);
    TABLE.attachment_base64.part(piece).with(vec![
        Detail::new(name(Label::Payload), "", "as many as the attachment has").valued(bytes(payload)),
        Detail::new(
            name(Label::Framing),
            "",
            "what the encoding adds: every fourth character, and padding",
        )
        .valued(bytes(framing)),
    ])
}

/// A label's name.
pub fn name(label: Label) -> &'static str {
    match label {
        Label::Head => "head",
        Label::Framing => "framing",
        Label::Control => "control",
        Label::Payload => "payload",
        Label::Tls => "tls",
    }
}
/// A server's notices about its log. One piece may hold several.
fn notice(piece: &Piece) -> Explained {
    // In a JSON string each quote has a backslash before it.
    let said = text(&piece.bytes).replace('\\', "");
    let details = ["reset", "gap", "epoch"].into_iter().filter_map(|name| {
        let value = notice_value(&said, name)?;
        Some(Detail::new(name, value, TABLE.notices.get(name)?))
    });
    TABLE.notice.part(piece).with(details.collect())
}

/// The value of a notice in JSON or in a stream event.
fn notice_value(said: &str, name: &str) -> Option<String> {
    let value = match said.split_once(&format!("\"{name}\":")) {
        Some((_, value)) => value,
        None if said.contains(&format!("event: {name}")) => said.split_once("data:")?.1,
        None => return None,
    };
    let end = |c: char| matches!(c, ',' | '}' | '\r' | '\n');
    Some(value.split(end).next()?.trim_matches(['"', ' ']).to_owned())
}
