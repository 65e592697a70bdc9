//! The view of a class: the lanes of all students together, and what the class guessed.

use anyhow::Result;

use crate::lang::t;
use crate::outcome::class::{Class, Lane, Question};
use crate::report::csv::Records;
use crate::report::doc::{self, Block, Column, Doc, Table};
use crate::report::json::json_of;
use crate::report::notes::count;
use crate::report::numbers::figure;
use crate::report::source::command;
use crate::report::view::View;
use crate::terminal::printable;

const HEADS: [(&str, &str); 6] = [
    ("students", ""),
    ("wait", "mean ms"),
    ("requests", ""),
    ("empty", ""),
    ("overhead", "B/mail"),
    ("delivered", "mails"),
];

/// Paths into a row of the CSV.
const PATHS: &str = "question answer votes right asked";

/// A vote, or a number that was voted, as a row.
#[derive(serde::Serialize)]
struct Row {
    question: usize,
    answer: String,
    votes: String,
    right: bool,
    asked: String,
}

impl View for Class {
    fn doc(&self) -> Doc {
        let mut blocks = vec![Block::Scenario(scenario(self)), Block::Table(lanes(self))];
        blocks.push(Block::legend(t!(
            "wait: from the server's log to the page, by the page's estimate of the server's clock. requests, empty and \
             overhead: as the server's meter counted them."
        )));
        for (i, question) in self.questions.iter().enumerate() {
            blocks.push(Block::Heading(t!("Question %{n}", n = i + 1)));
            blocks.push(Block::Text(printable(question.ask.spoken())));
            blocks.push(Block::Table(votes(question)));
            if let Some(answer) = &question.answer {
                blocks.push(Block::Text(printable(answer.spoken())));
            }
        }
        if self.envelope.partial {
            blocks.push(Block::Warning(t!(
                "PARTIAL: the lesson was not played to its end."
            )));
        }
        let headline = match &self.lesson {
            Some(lesson) => printable(lesson.spoken()),
            None => t!("What everyone's lanes cost together"),
        };
        Doc {
            title: format!("mailcall class: {headline}"),
            brand: "class".into(),
            headline,
            command: command(&self.envelope.argv),
            blocks,
            ..Doc::default()
        }
    }

    fn records(&self) -> Result<Records> {
        let rows: Vec<Row> = self
            .questions
            .iter()
            .enumerate()
            .flat_map(|(i, question)| rows(i + 1, question))
            .collect();
        Records::of(PATHS, &rows)
    }

    fn json(&self) -> Result<String> {
        json_of(self)
    }
}

fn scenario(class: &Class) -> String {
    let students = match class.students {
        1 => t!("1 student"),
        n => t!("%{n} students", n = count(n)),
    };
    let simulated = (class.simulated > 0).then(|| t!("%{n} of them simulated", n = count(class.simulated)));
    let mails = t!("%{n} mails", n = count(class.mails));
    [Some(students), simulated, Some(mails)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ")
}

fn lanes(class: &Class) -> Table {
    let row = |lane: &Lane| {
        let or_dash = |x: Option<f64>| x.map_or_else(|| "–".into(), |x| format!("{x:.1}"));
        doc::Row::plain(
            printable(&lane.technique),
            [
                count(lane.students),
                or_dash(lane.wait_ms),
                count(lane.requests),
                count(lane.empty),
                or_dash(lane.overhead_per_mail),
                count(lane.delivered),
            ],
        )
    };
    Table {
        columns: HEADS.iter().map(|head| Column::numbers(*head)).collect(),
        rows: class.results.iter().map(row).collect(),
        ..Table::default()
    }
}

/// How many gave each answer; the right one is marked.
fn votes(question: &Question) -> Table {
    let rows = answers(question).into_iter().map(|(answer, votes, right)| {
        let mark = if right { t!("right") } else { String::new() };
        doc::Row::plain(printable(&answer), [figure(votes), mark])
    });
    Table {
        columns: vec![Column::numbers(("votes", "")), Column::words(("", ""))],
        rows: rows.collect(),
        ..Table::default()
    }
}

/// Each answer, how many gave it, and whether it is right: of numbers, each that was given.
fn answers(question: &Question) -> Vec<(String, f64, bool)> {
    if let Some(choices) = &question.choices {
        let votes = question.votes.iter().chain(std::iter::repeat(&0.0));
        return choices
            .iter()
            .zip(votes)
            .enumerate()
            .map(|(i, (choice, votes))| {
                (
                    choice.spoken().to_owned(),
                    *votes,
                    question.right == Some(i as f64),
                )
            })
            .collect();
    }
    let mut found: Vec<(f64, f64)> = Vec::new();
    for value in &question.votes {
        match found.last_mut().filter(|(last, _)| last == value) {
            Some((_, votes)) => *votes += 1.0,
            None => found.push((*value, 1.0)),
        }
    }
    let right = question.right.filter(|right| !question.votes.contains(right));
    found.extend(right.map(|right| (right, 0.0)));
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found
        .into_iter()
        .map(|(value, votes)| (figure(value), votes, question.right == Some(value)))
        .collect()
}

fn rows(number: usize, question: &Question) -> Vec<Row> {
    let asked = question.ask.spoken();
    answers(question)
        .into_iter()
        .map(|(answer, votes, right)| Row {
            question: number,
            answer,
            votes: figure(votes),
            right,
            asked: asked.into(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Both;
    use crate::outcome::{Envelope, Environment, Scenario};
    use crate::report::{Format, Style, draw};

    fn class() -> Class {
        let both = |text: &str| Both {
            en: text.into(),
            ko: text.into(),
        };
        Class {
            envelope: Envelope::new(Some("class"), vec!["mailcall".into(), "class".into()], false),
            environment: Environment::default(),
            scenario: Scenario::default(),
            lesson: Some(both("Wasted polls")),
            students: 23,
            simulated: 3,
            mails: 12,
            results: vec![Lane {
                technique: "poll".into(),
                students: 23,
                delivered: 276,
                wait_ms: Some(104.26),
                requests: 5_000,
                empty: 4_724,
                overhead_per_mail: None,
            }],
            questions: vec![
                Question {
                    ask: both("Which?"),
                    choices: Some(vec![both("this"), both("that")]),
                    votes: vec![4.0, 9.0],
                    right: Some(1.0),
                    answer: Some(both("That one.")),
                },
                Question {
                    ask: both("How many?"),
                    choices: None,
                    votes: vec![12.0, 12.0, 40.0],
                    right: Some(16.0),
                    answer: None,
                },
            ],
        }
    }

    #[test]
    fn votes_stand_beside_what_was_measured() {
        let text = draw(Format::Markdown, &class(), &Style::default()).unwrap();
        for shown in [
            "23 students; 3 of them simulated; 12 mails",
            "104.3",
            "4,724",
            "That one.",
            "Question 2",
        ] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        let of = |question: usize| answers(&class().questions[question]);
        assert_eq!(of(0), [("this".into(), 4.0, false), ("that".into(), 9.0, true)]);
        let numbers = [
            ("12".into(), 2.0, false),
            ("16".into(), 0.0, true),
            ("40".into(), 1.0, false),
        ];
        assert_eq!(of(1), numbers);
        assert_eq!(class().questions[1].voters(), 3.0);
    }

    #[test]
    fn a_spreadsheet_gets_a_row_for_each_answer() {
        let csv = draw(Format::Csv, &class(), &Style::default()).unwrap();
        assert_eq!(csv.lines().count(), 1 + 2 + 3, "{csv}");
        assert!(csv.contains("1,that,9,true,Which?"), "{csv}");
    }
}
