//! A lesson on paper: a worksheet (predict, measured, why, and the key on a page of its own), and slides.
//! Both are made from what a lesson shows when it is played, so that their figures are those of its runs.

use askama::Template;
use clap::ValueEnum;

use super::stage::{self, Cue};
use crate::lang::t;
use crate::lesson::Lesson;

/// A value of `demo --worksheet`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Paper {
    /// Markdown
    Markdown,
    /// A page for a browser to print
    Html,
}

/// A lesson that was played, ready for paper.
pub struct Sheet {
    title: String,
    goal: Vec<Piece>,
    /// Which chapter of the tutorial says more.
    more: Option<String>,
    parts: Vec<Part>,
}

/// A step of the lesson.
#[derive(Default)]
struct Part {
    say: Vec<Piece>,
    /// A question with its number, from 1.
    ask: Option<(usize, String)>,
    command: Option<String>,
    /// The verdicts on its expectations.
    verdicts: Vec<Came>,
    answer: Option<String>,
}

/// What an expectation means, and whether it held.
struct Came {
    held: bool,
    because: String,
}

/// Text, or a drawing whose lines stay as they are.
enum Piece {
    Words(String),
    Drawing(String),
}

/// The headings, in the reader's language.
struct Headings {
    language: String,
    worksheet: String,
    name: String,
    question: String,
    predict: String,
    measured: String,
    why: String,
    run: String,
    key: String,
    not_held: String,
    answer: String,
}

impl Headings {
    fn new() -> Headings {
        Headings {
            language: rust_i18n::locale().to_string(),
            worksheet: t!("Worksheet"),
            name: t!("Name and date"),
            question: t!("Question"),
            predict: t!("I predict"),
            measured: t!("It came out"),
            why: t!("Why"),
            run: t!("Run"),
            key: t!("Key"),
            not_held: t!("did not come out"),
            answer: t!("Answer"),
        }
    }
}

#[derive(Template)]
#[template(path = "worksheet.md", escape = "none")]
struct MarkdownSheet<'a> {
    sheet: &'a Sheet,
    said: Headings,
}

#[derive(Template)]
#[template(path = "worksheet.html")]
struct HtmlSheet<'a> {
    sheet: &'a Sheet,
    said: Headings,
}

#[derive(Template)]
#[template(path = "slides.md", escape = "none")]
struct Slides<'a> {
    sheet: &'a Sheet,
    said: Headings,
}

impl Sheet {
    /// From a lesson and what it showed when it was played.
    pub fn new(lesson: &Lesson, cues: Vec<Cue>) -> Sheet {
        let mut parts: Vec<Part> = Vec::new();
        let mut questions = 0;
        for cue in cues {
            if matches!(cue, Cue::Step) || parts.is_empty() {
                parts.push(Part::default());
            }
            let Some(part) = parts.last_mut() else { continue };
            match cue {
                Cue::Step => {}
                Cue::Say(text) => part.say = pieces(&text),
                Cue::Ask(text) => {
                    questions += 1;
                    part.ask = Some((questions, joined(&text)));
                }
                Cue::Command(text) => part.command = Some(text),
                Cue::Verdict { held, because } => part.verdicts.push(Came { held, because }),
                Cue::Answer(text) => part.answer = Some(joined(&text)),
            }
        }
        Sheet {
            title: stage::words(&lesson.title),
            goal: pieces(&stage::words(&lesson.goal)),
            more: stage::more(lesson),
            parts,
        }
    }

    /// The worksheet.
    ///
    /// # Errors
    /// If the template cannot be filled in.
    pub fn worksheet(&self, paper: Paper) -> anyhow::Result<String> {
        let (sheet, said) = (self, Headings::new());
        Ok(match paper {
            Paper::Markdown => MarkdownSheet { sheet, said }.render()?,
            Paper::Html => HtmlSheet { sheet, said }.render()?,
        })
    }

    /// Slides for Marp (<https://marp.app>): Markdown, with `---` between two slides.
    ///
    /// # Errors
    /// If the template cannot be filled in.
    pub fn slides(&self) -> anyhow::Result<String> {
        let (sheet, said) = (self, Headings::new());
        Ok(Slides { sheet, said }.render()?)
    }
}

/// A paragraph as one line.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Splits a text into paragraphs and drawings; the lines of a drawing begin with two spaces.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for paragraph in text.split("\n\n").filter(|p| !p.trim().is_empty()) {
        pieces.push(match paragraph.starts_with("  ") {
            true => Piece::Drawing(paragraph.trim_end().into()),
            false => Piece::Words(joined(paragraph)),
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_are_told_from_words() {
        let pieces = pieces("one\ntwo\n\n  a  b\n  c\n\nthree");
        assert!(matches!(&pieces[0], Piece::Words(w) if w == "one two"));
        assert!(matches!(&pieces[1], Piece::Drawing(d) if d == "  a  b\n  c"));
        assert!(matches!(&pieces[2], Piece::Words(w) if w == "three"));
    }
}
