//! A mail as JSON text or in binary form.
//!
//! ```text
//! {"id":5,…  ,"attachment":"  iVBORw0K  "  }         payload, framing (the key), base64, framing, payload
//! 00 00 00 2b  {"id":5,…}  89 50 4e 47               framing (the JSON's length), payload (JSON and bytes)
//! ```
//!
//! The attachment begins at the first `,"attachment":"` and ends at the next `"`. JSON escapes the quotes
//! inside a string, so a person's text cannot contain these bytes; a mail has no nested objects, so they
//! cannot contain them either.

use std::sync::LazyLock;

use memchr::{memchr, memmem};

use super::super::{Kind, Label, Spans};

/// The last key of a mail with an attachment.
const KEY: &[u8] = br#","attachment":""#;

static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(KEY));

/// The position in a mail's text. An event stream may split it into lines.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum MailText {
    /// In the JSON before the attachment's key. The key contains no line end.
    #[default]
    Json,
    /// In the base64, at this position in its group of four.
    Base64(u8),
    /// After the attachment.
    Rest,
}

impl MailText {
    /// Labels the next bytes.
    pub fn label(&mut self, mut text: &[u8], spans: &mut Spans) {
        if let MailText::Json = self
            && let Some(n) = FINDER.find(text)
        {
            spans.push(n, Label::Payload, Kind::Mail);
            spans.push(KEY.len(), Label::Framing, Kind::AttachmentKey);
            text = &text[n + KEY.len()..];
            *self = MailText::Base64(0);
        }
        if let MailText::Base64(place) = *self {
            let quote = memchr(b'"', text);
            let n = quote.unwrap_or(text.len());
            spans.push_base64(n, place, Kind::Attachment);
            text = &text[n..];
            // A remainder of 4 fits in a byte.
            *self = MailText::Base64(((usize::from(place) + n) % 4) as u8);
            if quote.is_some() {
                spans.push(1, Label::Framing, Kind::AttachmentKey);
                text = &text[1..];
                *self = MailText::Rest;
            }
        }
        spans.push(text.len(), Label::Payload, Kind::Mail);
    }
}

/// Labels a binary mail: the length of the JSON, the JSON, the attachment.
pub(super) fn binary(mail: &[u8], spans: &mut Spans) {
    let (length, rest) = mail.split_at(mail.len().min(4));
    let json = length.try_into().map_or(0, u32::from_be_bytes);
    let json = rest.len().min(json as usize);
    spans.push(length.len(), Label::Framing, Kind::MailLength);
    spans.push(json, Label::Payload, Kind::Mail);
    spans.push(rest.len() - json, Label::Payload, Kind::Attachment);
    spans.mails += 1;
}
