//! What became of a lesson: of its commands, and of what they were to show.

use serde::Serialize;
use serde_json::Value;

use crate::lesson::Expectation;
use crate::lesson::expression::Verdict;

/// Why a lesson was not played to its end.
pub enum Ended {
    /// Ctrl-C.
    Interrupted,
    /// It could not go on.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Ended {
    fn from(e: anyhow::Error) -> Ended {
        Ended::Failed(e)
    }
}

/// What became of a lesson.
#[derive(Debug, Serialize)]
pub struct Played {
    /// Its name.
    pub lesson: String,
    /// Whether its counter scenarios were played instead.
    pub counter: bool,
    /// Whether every run succeeded and every expectation held; of counter scenarios, whether each
    /// expectation failed in one.
    pub held: bool,
    /// How long its commands ran.
    pub took_ms: f64,
    /// Each command.
    pub runs: Vec<Ran>,
}

/// What became of a command.
#[derive(Debug, Serialize)]
pub struct Ran {
    /// Its words.
    pub argv: Vec<String>,
    /// Whether it is a counter scenario.
    pub counter: bool,
    /// Its exit code; `None` if a signal ended it.
    pub exit_code: Option<i32>,
    /// How long it ran.
    pub took_ms: f64,
    /// The verdicts.
    pub expectations: Vec<Judged>,
}

/// What became of an expectation.
#[derive(Debug, Serialize)]
pub struct Judged {
    /// The expression.
    pub that: String,
    /// Whether it was true.
    pub held: bool,
    /// Why it could not be decided, if it could not.
    pub fault: Option<String>,
    /// Its operands and what they came to.
    pub parts: Vec<Part>,
}

/// An operand.
#[derive(Debug, Serialize)]
pub struct Part {
    /// As it is written.
    pub of: String,
    /// What it came to; `None` if nothing.
    pub value: Value,
}

impl Judged {
    /// An expectation, and what came of it.
    pub fn new(expectation: &Expectation, verdict: Verdict) -> Judged {
        let parts = verdict.parts.into_iter().map(|(of, value)| Part { of, value });
        Judged {
            that: expectation.that.text().into(),
            held: verdict.held,
            fault: verdict.fault,
            parts: parts.collect(),
        }
    }
}
