//! Decodes a mail of an mbox: with mail-parser, and with what real archives need in addition.

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::{Addr, Encoding, HeaderName, Message, MessageParser, MimeHeaders, PartType};

use super::mbox::Raw;
use crate::mail::Letter;

/// The most parts that a mail may declare: mail-parser nests, and frees, one message within another by
/// recursion, so some thousands would overflow the stack.
pub(super) const MAX_PARTS: usize = 500;

/// Decodes mails.
pub struct Decoder(MessageParser);

impl Decoder {
    /// A decoder for any number of mails.
    pub fn new() -> Decoder {
        let parser = MessageParser::new()
            .with_mime_headers()
            .header_raw(HeaderName::Date)
            .header_text(HeaderName::Subject)
            .header_address(HeaderName::From)
            .default_header_ignore();
        Decoder(parser)
    }

    /// Returns the letter, and its `Date` field as it was written. What a mail lacks is empty.
    pub fn decode(&self, mail: &Raw) -> (Letter, Option<String>) {
        let raw = unquoted(mail);
        let message = parse(&self.0, &raw);
        let date = message.as_ref().and_then(|m| m.header_raw(HeaderName::Date));
        let date = date.map(|text| text.trim().to_owned());
        (message.as_ref().map(letter).unwrap_or_default(), date)
    }
}

/// A copy for the parser: in the body, one `>` less before `From `; in the head, lines that are not UTF-8
/// read as Windows-1252; and a line end at the end, which a mail that is only a head needs.
fn unquoted(mail: &Raw) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.bytes.len() + 1);
    let mut in_head = true;
    for line in mail.bytes.split_inclusive(|b| *b == b'\n') {
        in_head &= !line.trim_ascii().is_empty();
        let depth = line.iter().take_while(|b| **b == b'>').count();
        let quoted = !mail.verbatim && depth > 0 && line[depth..].starts_with(b"From ");
        match std::str::from_utf8(line) {
            Err(_) if in_head => out.extend(western(line).bytes()),
            _ => out.extend(&line[usize::from(quoted && !in_head)..]),
        }
    }
    out.push(b'\n');
    out
}

/// Decodes a mail, or only its head if it has too many parts.
fn parse<'m>(parser: &MessageParser, raw: &'m [u8]) -> Option<Message<'m>> {
    // mail-parser ignores white space within a field's name.
    let declares = |line: &&[u8]| {
        let name = line
            .iter()
            .filter(|b| !b.is_ascii_whitespace())
            .map(u8::to_ascii_lowercase);
        name.take(13).eq(*b"content-type:")
    };
    match raw.split(|b| *b == b'\n').filter(declares).nth(MAX_PARTS) {
        None => parser.parse(raw),
        Some(_) => parser.parse_headers(raw),
    }
}

fn letter(message: &Message) -> Letter {
    let from = message.from().and_then(|a| a.first()).map(written);
    let body = body(message).unwrap_or_default().replace("\r\n", "\n");
    Letter {
        from: from.unwrap_or_default(),
        subject: message.subject().unwrap_or_default().to_owned(),
        body: body.trim_end_matches('\n').to_owned(),
    }
}

/// A sender as one text. An obfuscated address (`user at host.org (Name)`) is parsed as a name without an address.
fn written(from: &Addr) -> String {
    match (from.name(), from.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => name.or(address).unwrap_or_default().to_owned(),
    }
}

/// The first text part. mail-parser reads bytes of no declared charset as UTF-8; if they are not UTF-8,
/// they are read in the charset that such mail mostly had.
fn body<'m>(message: &'m Message) -> Option<Cow<'m, str>> {
    let text = message.body_text(0)?;
    let part = message.text_part(0)?;
    let charset = part.content_type().and_then(|t| t.attribute("charset"));
    let undeclared = charset.is_none_or(|c| charset_decoder(c.as_bytes()).is_none());
    let raw = message
        .raw_message
        .get(part.offset_body as usize..part.offset_end as usize);
    match (&part.body, raw) {
        (PartType::Text(_), Some(raw))
            if undeclared && part.encoding == Encoding::None && std::str::from_utf8(raw).is_err() =>
        {
            Some(western(raw).into())
        }
        _ => Some(text),
    }
}

/// Decodes Windows-1252, which contains ISO 8859-1's printable characters.
fn western(bytes: &[u8]) -> String {
    let decode = charset_decoder(b"windows-1252");
    decode.map_or_else(
        || String::from_utf8_lossy(bytes).into_owned(),
        |decode| decode(bytes),
    )
}
