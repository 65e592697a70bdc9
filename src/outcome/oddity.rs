//! What was odd about a file of mail that was replayed.

use serde::{Deserialize, Serialize};

/// One kind of oddity: how often it occurred, and the first place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oddity {
    /// What it is.
    pub kind: OddityKind,
    /// How many lines or mails it concerns.
    pub count: u64,
    /// The line of the first place, counted from 1; for a mail, the line of its separator.
    pub line: u64,
    /// The start of that line, or the value of the mail's `Date` field if it has one.
    pub text: String,
}

/// What may be odd about a mailbox file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OddityKind {
    /// A line that may separate mails, but not certainly: it was left in the text.
    NotASeparator,
    /// A mail whose `Date` cannot be read: its separator's date counts.
    UnreadableDate,
    /// A mail whose `Date` is more than a day away from its separator's: the separator's date counts.
    OverruledDate,
    /// A mail without a date that can be read: it arrived together with the mail before it.
    NoDate,
}
