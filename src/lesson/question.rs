//! A lesson's question: what is asked, what may be guessed, and the answer.

use serde::Deserialize;
use toml::Spanned;

use super::expression::Expression;
use super::words::{Words, Written};

/// A question to a class.
#[derive(Clone, Debug)]
pub struct Question {
    /// The question.
    pub ask: Words,
    /// The answers to choose from; none if any guess is taken.
    pub choices: Vec<Choice>,
    /// The figure that is asked for, so that a typed guess can be compared with it.
    pub value: Option<Expression>,
    /// The answer, which is shown after the run.
    pub answer: Words,
}

/// An answer to choose.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Its text.
    pub text: Words,
    /// Whether it is the right one, over the JSON of the step's run.
    pub when: Expression,
}

/// A choice as it is written in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenChoice {
    pub text: Spanned<Written>,
    pub when: Spanned<String>,
}

impl Question {
    /// Its texts that need no run after the question.
    pub fn asked(&self) -> impl Iterator<Item = &Words> {
        [&self.ask]
            .into_iter()
            .chain(self.choices.iter().map(|choice| &choice.text))
    }

    /// What a guess is compared with.
    pub fn measured(&self) -> impl Iterator<Item = &Expression> {
        self.value
            .iter()
            .chain(self.choices.iter().map(|choice| &choice.when))
    }
}
