//! What the teacher does: the lesson's steps, its questions, and the votes on them.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::refused::Refused;
use crate::lang::{Both, phrase};

/// What a teacher can order.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub enum Order {
    /// A mail, with a text or without.
    Mail {
        /// Its text.
        #[serde(default)]
        text: Option<String>,
    },
    /// The lesson's next step.
    Next {},
    /// Stops listening for a while.
    Outage {},
    /// Whether clients wait a random time before they reconnect.
    Jitter {
        /// Whether they do.
        on: bool,
    },
    /// Hides a mail.
    Hide {
        /// Its number.
        id: u64,
    },
}

/// A student's vote.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vote {
    /// The index of a choice.
    Choice(usize),
    /// A number.
    Value(f64),
}

/// A question to the class, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// Its number in the lesson.
    pub id: u32,
    /// The question.
    pub ask: Both,
    /// The choices; `None` if a number is asked for.
    pub choices: Option<Vec<Both>>,
    /// Whether votes are taken.
    pub open: bool,
    /// What was measured, once the run is over.
    pub answer: Option<Answer>,
    /// The votes, by token.
    #[serde(skip)]
    pub votes: BTreeMap<String, Vote>,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The index of the right choice, or the figure; `None` if the lesson defines none.
    pub right: Option<f64>,
    /// The answer in words.
    pub text: Both,
}

/// The part of a step that the class is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Something is to be read.
    #[default]
    Say,
    /// A question is open.
    Ask,
    /// The step's command is running.
    Running,
    /// Its result is shown.
    Result,
}

/// What the board shows of the lesson.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Shown {
    /// The lesson's title.
    pub title: Both,
    /// What it is about.
    pub goal: Both,
    /// The step, from 1.
    pub step: usize,
    /// How many there are.
    pub steps: usize,
    /// What is to be read.
    pub say: Option<Both>,
    /// The part of the step.
    pub phase: Phase,
    /// The table of the step's run, as HTML.
    pub result: Option<String>,
}

/// The lesson and the open question.
#[derive(Debug, Default)]
pub struct Lead {
    orders: Mutex<Option<UnboundedSender<Order>>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    shown: Option<Shown>,
    question: Option<Asked>,
}

impl Lead {
    /// The orders for the lesson. The caller leads it from now on.
    pub fn orders(&self) -> UnboundedReceiver<Order> {
        let (orders, taken) = unbounded_channel();
        *self.orders.lock() = Some(orders);
        taken
    }

    /// Passes an order to the leader of the lesson; false if there is none.
    pub fn order(&self, order: Order) -> bool {
        let orders = self.orders.lock();
        orders.as_ref().is_some_and(|orders| orders.send(order).is_ok())
    }

    /// Shows a part of the lesson.
    pub fn show(&self, shown: Shown) {
        self.state.lock().shown = Some(shown);
    }

    /// Asks a question; an earlier one is gone, and its votes are returned.
    pub fn ask(&self, question: Option<Asked>) -> Option<Asked> {
        std::mem::replace(&mut self.state.lock().question, question)
    }

    /// Takes no more votes.
    pub fn close(&self) {
        if let Some(question) = &mut self.state.lock().question {
            question.open = false;
        }
    }

    /// Shows what was measured.
    pub fn answer(&self, answer: Answer) {
        if let Some(question) = &mut self.state.lock().question {
            question.open = false;
            question.answer = Some(answer);
        }
    }

    /// What is shown of the lesson.
    pub fn shown(&self) -> Option<Shown> {
        self.state.lock().shown.clone()
    }

    /// The question.
    pub fn question(&self) -> Option<Asked> {
        self.state.lock().question.clone()
    }

    /// Takes a vote. A student may vote again as long as the question is open.
    ///
    /// # Errors
    /// If there is no such question, it is closed, or the vote is none that it takes.
    pub fn vote(&self, token: &str, id: u32, vote: Vote) -> Result<(), Refused> {
        let mut state = self.state.lock();
        let question = state.question.as_mut().filter(|q| q.id == id && q.open);
        let Some(question) = question else {
            return Err(Refused::Bad(phrase!("this question takes no more votes")));
        };
        let fits = match (vote, &question.choices) {
            (Vote::Choice(n), Some(choices)) => n < choices.len(),
            (Vote::Value(x), None) => x.is_finite() && x.abs() <= 1e12,
            _ => false,
        };
        if !fits {
            return Err(Refused::Bad(phrase!(
                "this is no answer to the question: allowed is one of its choices, or a number"
            )));
        }
        question.votes.insert(token.into(), vote);
        Ok(())
    }
}

impl Asked {
    /// The votes without their voters: how many for each choice, or every number in ascending order.
    pub fn counted(&self) -> Vec<f64> {
        match &self.choices {
            Some(choices) => {
                let mut counts = vec![0.0; choices.len()];
                for vote in self.votes.values() {
                    if let Vote::Choice(n) = vote
                        && let Some(count) = counts.get_mut(*n)
                    {
                        *count += 1.0;
                    }
                }
                counts
            }
            None => {
                let values = self.votes.values().filter_map(|vote| match vote {
                    Vote::Value(x) => Some(*x),
                    Vote::Choice(_) => None,
                });
                let mut values: Vec<f64> = values.collect();
                values.sort_by(f64::total_cmp);
                values
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(choices: Option<usize>) -> Asked {
        Asked {
            id: 3,
            ask: Both::default(),
            choices: choices.map(|n| vec![Both::default(); n]),
            open: true,
            answer: None,
            votes: BTreeMap::new(),
        }
    }

    #[test]
    fn a_vote_counts_once_for_each_student_while_the_question_is_open() {
        let lead = Lead::default();
        assert!(lead.vote("a", 3, Vote::Choice(0)).is_err(), "no question");
        lead.ask(Some(asked(Some(2))));
        lead.vote("a", 3, Vote::Choice(0)).unwrap();
        lead.vote("b", 3, Vote::Choice(0)).unwrap();
        lead.vote("b", 3, Vote::Choice(1)).unwrap();
        for bad in [Vote::Choice(2), Vote::Value(1.0)] {
            assert!(matches!(lead.vote("c", 3, bad), Err(Refused::Bad(_))), "{bad:?}");
        }
        assert!(lead.vote("c", 4, Vote::Choice(1)).is_err(), "another question");
        assert_eq!(lead.question().unwrap().counted(), [1.0, 1.0]);
        lead.close();
        assert!(lead.vote("c", 3, Vote::Choice(1)).is_err());
    }

    #[test]
    fn numbers_are_finite_and_sorted() {
        let lead = Lead::default();
        lead.ask(Some(asked(None)));
        for (who, x) in [("a", 16.0), ("b", -2.5), ("c", 12.0)] {
            lead.vote(who, 3, Vote::Value(x)).unwrap();
        }
        for bad in [Vote::Value(f64::NAN), Vote::Value(1e300), Vote::Choice(0)] {
            assert!(lead.vote("d", 3, bad).is_err(), "{bad:?}");
        }
        assert_eq!(lead.question().unwrap().counted(), [-2.5, 12.0, 16.0]);
    }

    #[test]
    fn orders_are_those_of_the_board() {
        let read = |json: &str| serde_json::from_str::<Order>(json);
        assert_eq!(read(r#"{"do":"next"}"#).unwrap(), Order::Next {});
        assert_eq!(read(r#"{"do":"mail"}"#).unwrap(), Order::Mail { text: None });
        assert_eq!(
            read(r#"{"do":"jitter","on":true}"#).unwrap(),
            Order::Jitter { on: true }
        );
        assert!(read(r#"{"do":"halt"}"#).is_err() && read(r#"{"do":"next","x":1}"#).is_err());
    }
}
