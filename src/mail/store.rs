//! What a log outside this process has to do: take mail, and say that it has it.

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{Letter, Mail, Note, Received};

/// A mail without a number: a store gives it one when it takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The text.
    pub letter: Letter,
    /// The attachment's own bytes; empty for none.
    pub attachment: Bytes,
    /// What its sender adds.
    pub note: Option<Note>,
}

impl Draft {
    /// The draft of a mail that has a number already.
    pub(super) fn of(mail: &Mail) -> Draft {
        // A mail's JSON was made from a letter, so it can be read.
        let letter = Received::from_text(&mail.json).map_or_else(|_| Letter::default(), |mail| mail.letter);
        Draft {
            letter,
            attachment: mail.attachment.clone(),
            note: None,
        }
    }
}

impl From<Letter> for Draft {
    fn from(letter: Letter) -> Draft {
        Draft {
            letter,
            ..Draft::default()
        }
    }
}

/// Why a store did not acknowledge a mail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// It was not sent to the store, or the store refused it: it is not in the log.
    #[error("the log does not take mail now: {0}")]
    Refused(String),
    /// It was sent, and no answer came: it may be in the log.
    #[error(
        "the log did not acknowledge the mail in time, so it may be there or not: sent again with the same \
         Idempotency-Key, it is kept once"
    )]
    Unknown,
}

/// Waits until a mail is kept.
pub type Keeping = BoxFuture<'static, Result<u64, NotKept>>;

/// A mail that was handed to the log.
pub enum Posting {
    /// The log has it, under this number.
    Kept(u64),
    /// A store has to acknowledge it.
    Sent(Keeping),
}

impl Posting {
    /// Its number.
    ///
    /// # Errors
    /// If the store did not acknowledge it.
    pub async fn number(self) -> Result<u64, NotKept> {
        match self {
            Posting::Kept(number) => Ok(number),
            Posting::Sent(keeping) => keeping.await,
        }
    }
}

impl fmt::Debug for Posting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Posting::Kept(number) => write!(f, "Kept({number})"),
            Posting::Sent(_) => f.write_str("Sent"),
        }
    }
}

/// A log outside this process. It fills the window of a mailbox by itself.
pub trait Store: fmt::Debug + Send + Sync {
    /// Keeps mails of a schedule, in this order, and after those that were handed over before. It returns at once, and
    /// repeats each until it is acknowledged.
    fn arrive(&self, drafts: Vec<Draft>);

    /// Whether there is a connection to it.
    fn is_reachable(&self) -> bool;

    /// Keeps one mail, once for all that have the same key.
    fn post(&self, draft: Draft, key: Option<&str>) -> Posting;
}
