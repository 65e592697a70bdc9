//! A mail as a message in the stream: the letter's JSON without a number, after it the attachment's own bytes.

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;
use bytes::{Bytes, BytesMut};

use crate::mail::store::Draft;
use crate::mail::{Letter, Mail, Note};

/// How many of the last bytes are the attachment; absent without one.
const ATTACHMENT: &str = "Mailcall-Attachment";

/// What the sender added, as JSON; absent if nothing.
const NOTE: &str = "Mailcall-Note";

/// The message for a mail.
pub(super) fn write(draft: &Draft, id: &str) -> PublishMessage {
    let letter = serde_json::to_vec(&draft.letter).unwrap_or_default();
    let message = PublishMessage::build().message_id(id);
    let message = match &draft.note {
        Some(note) => message.header(NOTE, serde_json::to_string(note).unwrap_or_default().as_str()),
        None => message,
    };
    if draft.attachment.is_empty() {
        return message.payload(letter.into());
    }
    let mut bytes = BytesMut::with_capacity(letter.len() + draft.attachment.len());
    bytes.extend_from_slice(&letter);
    bytes.extend_from_slice(&draft.attachment);
    message
        .header(ATTACHMENT, draft.attachment.len().to_string().as_str())
        .payload(bytes.freeze())
}

/// The mail of a message with this number. A message that another program wrote becomes a mail's text.
pub(super) fn read(number: u64, headers: Option<&HeaderMap>, payload: &Bytes) -> (Mail, Option<Note>) {
    let header = |name| {
        headers
            .and_then(|headers| headers.get(name))
            .map(|value| value.as_str())
    };
    let attached = header(ATTACHMENT).and_then(|n| n.parse().ok()).unwrap_or(0);
    let at = payload.len().saturating_sub(attached);
    let letter = serde_json::from_slice(&payload[..at]).unwrap_or_else(|_| Letter {
        body: String::from_utf8_lossy(&payload[..at]).into_owned(),
        ..Letter::default()
    });
    let note = header(NOTE).and_then(|note| serde_json::from_str(note).ok());
    (Mail::new(number, &letter, payload.slice(at..)), note)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            from: "a@example.org".into(),
            subject: "점심?".into(),
            body: "line\r\nline \"quoted\"".into(),
        }
    }

    #[test]
    fn a_mail_is_read_as_it_was_written() {
        let note = Note {
            topic: 3,
            headers: vec![("a:b".into(), "c\r\nd".into()), ("이름".into(), "값".into())],
        };
        for (attachment, note) in [
            (Bytes::new(), None),
            (Bytes::from_static(&[0, 255, b'}']), None),
            (Bytes::from_static(b"x"), Some(note)),
        ] {
            let draft = Draft {
                letter: letter(),
                attachment: attachment.clone(),
                note: note.clone(),
            };
            let message = write(&draft, "id").outbound_message("subject");
            let (mail, noted) = read(7, message.headers.as_ref(), &message.payload);
            assert_eq!(mail, Mail::new(7, &letter(), attachment));
            assert_eq!(noted, note);
        }
    }

    #[test]
    fn what_another_program_wrote_is_a_text() {
        for text in ["Lunch?", "", "{", "[1]", "12"] {
            let (mail, note) = read(1, None, &Bytes::from_static(text.as_bytes()));
            let body = text.into();
            let letter = Letter {
                body,
                ..Letter::default()
            };
            assert_eq!((mail, note), (Mail::new(1, &letter, Bytes::new()), None));
        }
        let mut headers = HeaderMap::new();
        headers.insert(ATTACHMENT, "99999999999");
        assert_eq!(
            read(1, Some(&headers), &Bytes::from_static(b"ab"))
                .0
                .attachment
                .len(),
            2
        );
    }
}
