//! What is recorded of a class.

use super::teach::Taught;
use crate::class::{Asked, Room};
use crate::lab::{self, Lab};
use crate::outcome::class::{Class, Lane, Question};

/// The record of a class. It holds no token, colour or number of a student.
pub fn of(command: &str, room: &Room, lab: &Lab, taught: Option<Taught>) -> Class {
    let students = room.students();
    let is_partial = taught.as_ref().is_some_and(|taught| !taught.is_over);
    let (lesson, questions) = taught.map_or((None, Vec::new()), |taught| {
        (Some(taught.title), taught.questions)
    });
    Class {
        envelope: crate::cli::output::envelope(Some(command), is_partial),
        environment: lab::environment(),
        scenario: lab.scenario.as_ref().clone(),
        lesson,
        students: room.joined().into(),
        simulated: students.iter().filter(|student| student.simulated).count() as u64,
        mails: room.mails.post().mailbox().newest(),
        results: room
            .sums()
            .into_iter()
            .map(|sum| Lane {
                technique: sum.technique.name.into(),
                students: sum.students,
                delivered: sum.delivered,
                wait_ms: sum.wait_ms,
                requests: sum.requests,
                empty: sum.empty,
                overhead_per_mail: sum.overhead_per_mail,
            })
            .collect(),
        questions: questions.into_iter().map(question).collect(),
    }
}

fn question(asked: Asked) -> Question {
    Question {
        votes: asked.counted(),
        right: asked.answer.as_ref().and_then(|answer| answer.right),
        answer: asked.answer.map(|answer| answer.text),
        ask: asked.ask,
        choices: asked.choices,
    }
}
