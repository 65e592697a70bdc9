//! The results of a lesson: of its commands, and of its expectations.

use serde::Serialize;
use serde_json::Value;

use crate::lang::t;
use crate::lesson::Expectation;
use crate::lesson::expression::Verdict;

/// Why a lesson was not played to its end.
pub enum Ended {
    /// Ctrl-C was pressed.
    Interrupted,
    /// The reader has left.
    Left,
    /// It could not go on.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Ended {
    fn from(e: anyhow::Error) -> Ended {
        Ended::Failed(e)
    }
}

/// The result of a lesson.
#[derive(Debug, Serialize)]
pub struct Played {
    /// Its name.
    pub lesson: String,
    /// Whether its counter scenarios were played instead.
    pub counter: bool,
    /// Whether every run succeeded and every expectation held; with counter scenarios, whether each
    /// expectation failed in one of them.
    pub held: bool,
    /// How long its commands ran.
    pub took_ms: f64,
    /// Its commands.
    pub runs: Vec<Ran>,
}

impl Played {
    /// What is said at its end.
    pub fn end(&self, verdict: &str) -> String {
        t!(
            "== end of lesson %{name}: %{verdict} ==",
            name = self.lesson,
            verdict = verdict
        )
    }
}

/// What is said at the end of several lessons.
pub fn end_of_all(played: &[Played]) -> String {
    let total: f64 = played.iter().map(|p| p.took_ms).sum();
    t!(
        "== end of demo: %{held} of %{all} as expected, %{s} s ==",
        held = played.iter().filter(|p| p.held).count(),
        all = played.len(),
        s = format!("{:.0}", total / 1e3)
    )
}

/// The result of a command.
#[derive(Debug, Serialize)]
pub struct Ran {
    /// Its arguments.
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

/// The verdict on an expectation.
#[derive(Debug, Serialize)]
pub struct Judged {
    /// The expression.
    pub that: String,
    /// Whether it was true.
    pub held: bool,
    /// Whether the simulated run was judged, because it is about times.
    pub simulated: bool,
    /// Why it could not be decided, if it could not.
    pub fault: Option<String>,
    /// Its operands and their values.
    pub parts: Vec<Part>,
}

/// An operand.
#[derive(Debug, Serialize)]
pub struct Part {
    /// The operand as it is written.
    pub of: String,
    /// Its value; `null` if it has none.
    pub value: Value,
}

impl Judged {
    /// From an expectation and its verdict.
    pub fn new(expectation: &Expectation, verdict: Verdict) -> Judged {
        let parts = verdict.parts.into_iter().map(|(of, value)| Part { of, value });
        Judged {
            that: expectation.that.text().into(),
            held: verdict.held,
            simulated: false,
            fault: verdict.fault,
            parts: parts.collect(),
        }
    }
}
