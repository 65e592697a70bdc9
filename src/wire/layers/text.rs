//! The messages inside protocols on top.

use super::super::notice::is_notice;
use super::super::sockjs::AFTER;
use super::super::{Direction, Kind, Label, Spans};
use super::mail_text::MailText;

/// Labels an application's message: a mail or a notice from the server, a cursor or anything else from the
/// client.
pub(in super::super) fn message(text: &[u8], sender: Direction, spans: &mut Spans) {
    match sender {
        _ if text.is_empty() => {}
        Direction::Up if is_cursor(text) => spans.push(text.len(), Label::Control, Kind::Cursor),
        Direction::Up => spans.push(text.len(), Label::Payload, Kind::Reply),
        Direction::Down if is_notice(text) => spans.push(text.len(), Label::Control, Kind::Notice),
        Direction::Down => {
            MailText::default().label(text, spans);
            spans.mails += 1;
        }
    }
}

/// Whether it is just `after=7.k3f9`, `{"after":7}` or `{"at":"7.k3f9"}`, with any white space.
fn is_cursor(text: &[u8]) -> bool {
    let inside = |text: &[u8]| -> Option<bool> {
        let text = text.trim_ascii().strip_prefix(b"{")?.trim_ascii_start();
        let text = text
            .strip_prefix(br#""after""#)
            .or(text.strip_prefix(br#""at""#))?;
        let value = text
            .trim_ascii_start()
            .strip_prefix(b":")?
            .strip_suffix(b"}")?
            .trim_ascii();
        let text = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\""));
        Some(is_place(text.unwrap_or(value)))
    };
    match text.strip_prefix(AFTER.as_bytes()) {
        Some(place) => is_place(place),
        None => inside(text).unwrap_or(false),
    }
}

/// Whether it is a cursor: `7`, `7.` or `7.k3f9`.
fn is_place(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    digits > 0
        && match &text[digits..] {
            [] | [b'.'] => true,
            [b'.', epoch @ ..] => epoch.len() == 4 && epoch.iter().all(u8::is_ascii_alphanumeric),
            _ => false,
        }
}
