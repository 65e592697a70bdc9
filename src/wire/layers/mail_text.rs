//! A mail as JSON text, or in binary.
//!
//! ```text
//! {"id":5,…  ,"attachment":"  iVBORw0K  "  }         payload, the key framing, base64, framing, payload
//! 00 00 00 2b  {"id":5,…}  89 50 4e 47               the JSON's length framing, the JSON and the bytes payload
//! ```
//!
//! The attachment begins at the first `,"attachment":"` and ends at the next `"`. JSON escapes the
//! quotes inside a string, so these bytes cannot occur in what a person wrote; a mail has no nested
//! objects, so they cannot occur in one either.

use std::sync::LazyLock;

use memchr::{memchr, memmem};

use super::super::{Kind, Label, Spans};

/// The last key of a mail with an attachment.
const KEY: &[u8] = br#","attachment":""#;

static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(KEY));

/// How far a mail's text has come. An event stream may cut it into lines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum MailText {
    /// In the JSON before the attachment's key, which has no line end in it.
    #[default]
    Json,
    /// In the base64, at this place in its group of four.
    Base64(u8),
    /// Behind the attachment.
    Rest,
}

impl MailText {
    /// What the next bytes consist of.
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
            // A remainder of four fits.
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

/// What a binary mail consists of: the length of the JSON, the JSON, the attachment.
pub(super) fn binary(mail: &[u8], spans: &mut Spans) {
    let (length, rest) = mail.split_at(mail.len().min(4));
    let json = length.try_into().map_or(0, u32::from_be_bytes);
    let json = rest.len().min(json as usize);
    spans.push(length.len(), Label::Framing, Kind::MailLength);
    spans.push(json, Label::Payload, Kind::Mail);
    spans.push(rest.len() - json, Label::Payload, Kind::Attachment);
    spans.mails += 1;
}
