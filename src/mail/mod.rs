//! Mail, the log that keeps it, and when it arrives.
//!
//! A mailbox is an append-only log of mails numbered 1, 2, 3 … under an epoch, the log's name. A client is
//! a cursor: the epoch, and the number of the last mail it has seen. Nothing outside this folder knows
//! where mail lives.

mod arrivals;
mod backlog;
mod cursor;
mod entry;
mod mailbox;
mod nats;
mod note;
mod outside;
mod position;
pub mod replay;
mod schedule;
mod store;

use bytes::{BufMut, Bytes, BytesMut};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

pub use arrivals::{Plan, Planned};
pub use backlog::{Backlog, Backlogged, Share};
pub use cursor::{Cursor, Epoch, Log, NotOne, Notice, random_name};
pub use entry::LogEntry;
pub use mailbox::{BATCH_BYTES, BATCH_MAILS, BATCH_TEXT, Mailbox, Watch};
#[cfg(unix)]
pub use nats::PrivateServer;
pub use nats::{LogAt, Place, open, remove};
pub use note::Note;
pub use outside::Arrivals;
pub use position::{Batch, Position};
pub use schedule::Schedule;
pub use store::{Draft, NotKept, Posting};

/// The smallest `--size`: room for the JSON's own keys and a number of any length.
pub const MIN_SIZE: usize = 64;

/// A mail before it has a number: what its sender wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Who wrote it.
    pub from: String,
    /// What it is about.
    pub subject: String,
    /// The text.
    pub body: String,
}

/// A numbered mail: its JSON text and its attachment, the two things that count as payload.
///
/// The text is `{"id":1,"from":"…","subject":"…","body":"…"}`, without white space or line ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The JSON text.
    pub json: Bytes,
    /// The attachment's own bytes; empty for none.
    pub attachment: Bytes,
}

#[derive(Serialize)]
struct Numbered<'a> {
    id: u64,
    #[serde(flatten)]
    letter: &'a Letter,
}

impl Mail {
    /// Gives a letter its number.
    pub fn new(id: u64, letter: &Letter, attachment: Bytes) -> Mail {
        // Strings and integers always serialise; an empty text would only shorten the payload.
        let json = serde_json::to_vec(&Numbered { id, letter }).unwrap_or_default();
        Mail {
            json: json.into(),
            attachment,
        }
    }

    /// Makes up a mail whose JSON text is exactly `size` bytes (at least [`MIN_SIZE`]).
    pub fn made_up(id: u64, size: usize, attachment: Bytes, rng: &mut impl Rng) -> Mail {
        let mut letter = Letter::default();
        let spare = |l: &Letter| size.saturating_sub(Mail::new(id, l, Bytes::new()).json.len());
        let room = spare(&letter);
        for (field, text) in [
            (&mut letter.from, SENDERS[rng.random_range(0..SENDERS.len())]),
            (&mut letter.subject, SUBJECTS[rng.random_range(0..SUBJECTS.len())]),
        ] {
            field.extend(text.chars().take(room / 4));
        }
        let room = spare(&letter);
        while letter.body.len() < room {
            letter.body.push_str(WORDS[rng.random_range(0..WORDS.len())]);
            letter.body.push(' ');
        }
        letter.body.truncate(room);
        Mail::new(id, &letter, attachment)
    }

    /// The same mail with another number. A mail that cannot be read keeps its own.
    pub fn numbered(&self, id: u64) -> Mail {
        match Received::from_text(&self.json) {
            Ok(mail) if mail.id != id => Mail::new(id, &mail.letter, self.attachment.clone()),
            _ => self.clone(),
        }
    }

    /// The form for text transports: the JSON, with an attachment as base64 in a last key.
    pub fn text(&self) -> Bytes {
        if self.attachment.is_empty() {
            return self.json.clone();
        }
        let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &self.attachment);
        let mut out = BytesMut::with_capacity(self.json.len() + ATTACHMENT_KEY.len() + encoded.len() + 2);
        out.put_slice(&self.json[..self.json.len() - 1]);
        out.put_slice(ATTACHMENT_KEY);
        out.put_slice(encoded.as_bytes());
        out.put_slice(b"\"}");
        out.freeze()
    }

    /// The length of [`Mail::text`], bytes.
    pub fn text_len(&self) -> usize {
        match self.attachment.len() {
            0 => self.json.len(),
            n => self.json.len() + ATTACHMENT_KEY.len() + n.div_ceil(3) * 4 + 1,
        }
    }

    /// The form for binary frames: the JSON's length (4 bytes, big-endian), the JSON, the
    /// attachment's own bytes.
    pub fn binary(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(4 + self.json.len() + self.attachment.len());
        out.put_u32(self.json.len() as u32);
        out.put_slice(&self.json);
        out.put_slice(&self.attachment);
        out.freeze()
    }
}

const ATTACHMENT_KEY: &[u8] = br#","attachment":""#;

/// A mail as a client's application holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its number.
    pub id: u64,
    /// The letter.
    pub letter: Letter,
    /// The attachment, decoded.
    pub attachment: Vec<u8>,
    /// Bytes of its JSON text, without the key that carries an attachment.
    pub json: usize,
}

/// The keys of a mail's text: `serde(flatten)` on [`Letter`] would read them all twice.
#[derive(Deserialize)]
struct Keys {
    id: u64,
    from: String,
    subject: String,
    body: String,
    #[serde(default)]
    attachment: String,
}

impl Received {
    /// Reads [`Mail::text`].
    ///
    /// # Errors
    /// If it is not a mail's JSON, or its attachment is not base64.
    pub fn from_text(text: &[u8]) -> anyhow::Result<Received> {
        let Keys {
            id,
            from,
            subject,
            body,
            attachment,
        } = serde_json::from_slice(text)?;
        Ok(Received {
            id,
            letter: Letter { from, subject, body },
            json: text.len() - carrier(text),
            attachment: base64::Engine::decode(&base64::prelude::BASE64_STANDARD, attachment)?,
        })
    }

    /// Bytes of the mail as its sender made it: the JSON and the attachment's own.
    pub fn payload(&self) -> u64 {
        (self.json + self.attachment.len()) as u64
    }

    /// Reads [`Mail::binary`].
    ///
    /// # Errors
    /// If the length does not fit the bytes, or the text is not a mail's JSON.
    pub fn from_binary(bytes: &[u8]) -> anyhow::Result<Received> {
        let parts = bytes
            .split_first_chunk::<4>()
            .and_then(|(n, rest)| rest.split_at_checked(u32::from_be_bytes(*n) as usize));
        let (json, attachment) = parts.ok_or_else(|| {
            anyhow::anyhow!("a binary mail of {} bytes is shorter than it says", bytes.len())
        })?;
        Ok(Received {
            attachment: attachment.to_vec(),
            json: json.len(),
            ..Received::from_text(json)?
        })
    }
}

/// The bytes in a mail's text that carry an attachment: its key, the base64 and the quote after that; 0
/// without an attachment.
fn carrier(text: &[u8]) -> usize {
    let key = memchr::memmem::find(text, ATTACHMENT_KEY);
    key.map_or(0, |at| {
        let base64 = &text[at + ATTACHMENT_KEY.len()..];
        ATTACHMENT_KEY.len() + memchr::memchr(b'"', base64).map_or(base64.len(), |n| n + 1)
    })
}

const SENDERS: &[&str] = &[
    "alerts@example.org",
    "billing@example.com",
    "build@example.net",
    "library@example.edu",
    "news@example.org",
    "notes@example.com",
];
const SUBJECTS: &[&str] = &[
    "Your order has shipped",
    "Build finished",
    "Minutes of the meeting",
    "Re: draft for review",
    "Reminder: due tomorrow",
    "Weekly digest",
];
const WORDS: &[&str] = &[
    "the", "and", "with", "about", "after", "before", "please", "thanks", "report", "figure", "table",
    "draft", "meeting", "review", "tomorrow", "server", "client", "message", "deadline", "question",
    "answer", "network", "attached", "version", "update", "agree", "change", "measure", "result", "reply",
];

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_made_up_mail_has_exactly_the_size_asked_for() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for size in [MIN_SIZE, 65, 99, 100, 300, 4_096, 70_000] {
            for id in [1, 99, u64::MAX] {
                let mail = Mail::made_up(id, size, Bytes::new(), &mut rng);
                assert_eq!(mail.json.len(), size);
                assert_eq!(Received::from_text(&mail.text()).unwrap().id, id);
            }
        }
    }

    #[test]
    fn both_forms_give_back_the_attachment() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for n in [0, 1, 2, 3, 1_000] {
            let mail = Mail::made_up(7, 100, vec![0xA5; n].into(), &mut rng);
            let text = Received::from_text(&mail.text()).unwrap();
            assert_eq!(text, Received::from_binary(&mail.binary()).unwrap());
            assert_eq!(text.attachment, vec![0xA5; n]);
        }
        assert!(Received::from_binary(&[0, 0, 1]).is_err());
        assert!(Received::from_binary(&[0, 0, 0, 9, b'{']).is_err());
    }
}
