//! The result of `class`: what the class guessed, what was measured, and what everyone's lanes cost together. It
//! says nothing of who voted how.

use serde::{Deserialize, Serialize};

use super::{Envelope, Environment, Scenario};
use crate::lang::Both;

/// Everything that one `mailcall class` records.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Class {
    /// The fields that every result begins with.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The machine of the server.
    pub environment: Environment,
    /// The server's scenario.
    pub scenario: Scenario,
    /// The lesson's title, if there was one.
    pub lesson: Option<Both>,
    /// How many students joined, those of the program itself included.
    pub students: u64,
    /// How many of these were the program's own.
    pub simulated: u64,
    /// How many mails arrived.
    pub mails: u64,
    /// One row for each technique.
    pub results: Vec<Lane>,
    /// The questions in the order in which they were asked.
    pub questions: Vec<Question>,
}

/// A technique over all students.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lane {
    /// Its name.
    pub technique: String,
    /// Students whose pages used it.
    pub students: u64,
    /// Mails that the server sent to them.
    pub delivered: u64,
    /// How long mail took from the server's log to a page, mean, milliseconds, by the pages' estimate of the server's
    /// clock; `None` if no page reported any.
    pub wait_ms: Option<f64>,
    /// Requests.
    pub requests: u64,
    /// Requests that brought no mail.
    pub empty: u64,
    /// Bytes that were no payload, for each delivery; `None` if there was none.
    pub overhead_per_mail: Option<f64>,
}

/// A question to the class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    /// What was asked.
    pub ask: Both,
    /// The choices; `None` if a number was asked for.
    pub choices: Option<Vec<Both>>,
    /// How many voted for each choice, or every number in ascending order.
    pub votes: Vec<f64>,
    /// The index of the right choice, or the figure that was measured; `None` if the lesson defines none or its run
    /// did not end.
    pub right: Option<f64>,
    /// The answer in words.
    pub answer: Option<Both>,
}

impl Question {
    /// How many voted.
    pub fn voters(&self) -> f64 {
        match self.choices {
            Some(_) => self.votes.iter().sum(),
            None => self.votes.len() as f64,
        }
    }
}
