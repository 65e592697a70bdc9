//! Leads a class through a lesson: shows its text, opens its questions, runs its commands, and shows what was measured
//! beside what the class guessed. The teacher decides when to go on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use crate::class::{Answer, Asked, Order, Phase, Room, Shown};
use crate::cli::demo::{figure_of, patiently};
use crate::cli::output::LESSON;
use crate::lang::{Both, t};
use crate::lesson::expression::{Expression, Results};
use crate::lesson::{Lesson, Question, Run, Step, Words};
use crate::scratch;

/// How often it checks whether the class is over while a command runs.
const LOOK: std::time::Duration = std::time::Duration::from_millis(20);

/// Leads the lesson on a thread of its own.
pub struct Teacher {
    thread: JoinHandle<Taught>,
}

/// What came of a lesson.
#[derive(Debug, Default)]
pub struct Taught {
    /// Its title.
    pub title: Both,
    /// Its questions, as far as they were asked.
    pub questions: Vec<Asked>,
    /// Whether it came to its end.
    pub is_over: bool,
}

impl Teacher {
    /// Begins a lesson.
    ///
    /// # Errors
    /// If there is no thread.
    pub fn start(
        room: Arc<Room>,
        lesson: Lesson,
        folder: PathBuf,
        simulate: bool,
        stop: CancellationToken,
    ) -> anyhow::Result<Teacher> {
        let thread = std::thread::Builder::new().name("lesson".into()).spawn(move || {
            let orders = room.lead.orders();
            let mut leading = Leading {
                room: &room,
                folder: &folder,
                orders,
                simulate,
                stop,
                last: None,
                previous: None,
                taught: Taught {
                    title: said(&lesson.title, None).unwrap_or_default(),
                    ..Taught::default()
                },
            };
            if let Err(e) = leading.lead(&lesson) {
                crate::cli::tell::complain(&e);
            }
            leading.keep_question();
            leading.taught
        });
        Ok(Teacher {
            thread: thread.context(t!("cannot start a thread for the lesson"))?,
        })
    }

    /// Waits until it has ended, which it does when the class is interrupted.
    pub fn stop(self) -> Taught {
        self.thread.join().unwrap_or_default()
    }
}

struct Leading<'a> {
    room: &'a Room,
    folder: &'a Path,
    orders: UnboundedReceiver<Order>,
    /// Whether runs that can be simulated are.
    simulate: bool,
    stop: CancellationToken,
    /// The JSON of the last two runs.
    last: Option<Vec<u8>>,
    previous: Option<Vec<u8>>,
    taught: Taught,
}

impl Leading<'_> {
    fn lead(&mut self, lesson: &Lesson) -> anyhow::Result<()> {
        let frame = Shown {
            title: said(&lesson.title, None)?,
            goal: said(&lesson.goal, None)?,
            steps: lesson.steps.len(),
            ..Shown::default()
        };
        for (i, step) in lesson.steps.iter().enumerate() {
            let frame = Shown {
                step: i + 1,
                ..frame.clone()
            };
            if !self.step(step, frame)? {
                return Ok(());
            }
        }
        self.keep_question();
        self.taught.is_over = true;
        tell!("{}", t!("the lesson is over; the class goes on until Ctrl-C"));
        Ok(())
    }

    /// Takes the class through a step; false if the class ends before.
    fn step(&mut self, step: &Step, frame: Shown) -> anyhow::Result<bool> {
        self.keep_question();
        let results = self.results()?;
        let say = step
            .say
            .as_ref()
            .map(|words| said(words, results.as_ref()))
            .transpose()?;
        let mut shown = Shown { say, ..frame };
        tell!(
            "{}",
            t!("step %{step} of %{steps}", step = shown.step, steps = shown.steps)
        );
        if let Some(question) = &step.question {
            let asked = asked(question, results.as_ref(), shown.step as u32)?;
            tell!("  {}", asked.ask.spoken());
            self.room.lead.ask(Some(asked));
            shown.phase = Phase::Ask;
        }
        self.room.lead.show(shown.clone());
        if !self.wait() {
            return Ok(false);
        }
        self.room.lead.close();
        if let Some(run) = &step.run {
            shown.phase = Phase::Running;
            self.room.lead.show(shown.clone());
            tell!("  $ {}", run.command);
            let printed = match self.perform(run) {
                Ok(Some(table)) => table,
                Ok(None) => return Ok(false),
                Err(e) => self.failed(&e),
            };
            shown.phase = Phase::Result;
            shown.result = Some(format!("<pre>{}</pre>", escaped(&printed)));
        }
        if let Some(question) = &step.question {
            match self
                .results()
                .and_then(|results| answered(question, results.as_ref()))
            {
                Ok(answer) => {
                    tell!("  {}", answer.text.spoken());
                    self.room.lead.answer(answer);
                }
                Err(e) => {
                    let why = self.failed(&e);
                    shown
                        .result
                        .get_or_insert_with(|| format!("<pre>{}</pre>", escaped(&why)));
                }
            }
        }
        if step.run.is_none() && step.question.is_none() {
            return Ok(true);
        }
        self.room.lead.show(shown);
        Ok(self.wait())
    }

    /// The question that was asked last goes into the record.
    fn keep_question(&mut self) {
        let last = self.room.lead.ask(None);
        self.taught.questions.extend(last);
    }

    /// Tells the teacher what went wrong, and returns it for the board: the lesson goes on.
    fn failed(&self, error: &anyhow::Error) -> String {
        crate::cli::tell::complain(error);
        format!("{error:#}")
    }

    /// Waits for the order to go on; false if the class ends before. What was ordered while something ran does not
    /// count: nobody could see yet what it would skip.
    fn wait(&mut self) -> bool {
        while self.orders.try_recv().is_ok() {}
        loop {
            match self.orders.try_recv() {
                Ok(Order::Next {}) => return true,
                Ok(_) => {}
                Err(_) if self.stop.is_cancelled() => return false,
                Err(_) => std::thread::sleep(LOOK),
            }
        }
    }

    fn results(&self) -> anyhow::Result<Option<Results>> {
        let read = |last: &Vec<u8>| Results::read(last, self.previous.as_deref());
        let results = self.last.as_ref().map(read).transpose();
        results.map_err(|e| anyhow!(t!("a run's JSON cannot be read: %{e}", e = e)))
    }

    /// Runs a command of the lesson on this machine; returns what it printed, or `None` if the class ended.
    fn perform(&mut self, run: &Run) -> anyhow::Result<Option<String>> {
        let scratch = tempfile::tempdir().context(t!("no place to keep a run's JSON"))?;
        let _tracked = scratch::track(scratch.path());
        let [file, table, errors] =
            ["run.json", "run.txt", "errors.txt"].map(|name| scratch.path().join(name));
        let call = &match self.simulate {
            true => run.command.simulated(),
            false => run.command.clone(),
        };
        let create = |path| std::fs::File::create(path).context(t!("no place to keep a run's JSON"));
        let (printed, complained) = (create(&table)?, create(&errors)?);
        let mut child =
            Command::new(std::env::current_exe().context(t!("a lesson has to start this program again"))?)
                .args(["--lang", &rust_i18n::locale()])
                .args(&call.args)
                .env(LESSON, "explained")
                .env("COLUMNS", "72")
                .arg("--save")
                .arg(&file)
                .current_dir(self.folder)
                .stdin(Stdio::null())
                .stdout(printed)
                .stderr(complained)
                .spawn()
                .with_context(|| t!("cannot run %{call}", call = call))?;
        while child.try_wait()?.is_none() {
            if self.stop.is_cancelled() {
                super::super::interrupt::forward(&child);
                let _ = child.wait();
                return Ok(None);
            }
            std::thread::sleep(LOOK);
        }
        let Ok(json) = std::fs::read(&file) else {
            let said = std::fs::read_to_string(&errors).unwrap_or_default();
            return Err(
                anyhow!(said.trim().to_owned()).context(t!("`%{call}` measured nothing", call = call))
            );
        };
        self.previous = self.last.replace(json);
        Ok(Some(std::fs::read_to_string(&table).unwrap_or_default()))
    }
}

/// A text in both languages.
fn said(words: &Words, results: Option<&Results>) -> anyhow::Result<Both> {
    let say = |korean: bool| {
        let text = patiently("a figure in a text", || words.say(korean, results, figure_of));
        text.map_err(|e| anyhow!(t!("a text cannot be filled in: %{e}", e = e)))
    };
    Ok(Both {
        en: folded(&say(false)?),
        ko: folded(&crate::lang::particles(&say(true)?)),
    })
}

/// A text in one line for each paragraph: the lines of a lesson's file are no wider than a terminal.
fn folded(text: &str) -> String {
    let mut out = String::new();
    for line in text.trim().lines() {
        let joins =
            !out.is_empty() && !out.ends_with('\n') && !line.trim().is_empty() && !line.starts_with("  ");
        out.push_str(if out.is_empty() {
            ""
        } else if joins {
            " "
        } else {
            "\n"
        });
        out.push_str(line.trim_end());
    }
    out
}

fn asked(question: &Question, results: Option<&Results>, id: u32) -> anyhow::Result<Asked> {
    let choices = question.choices.iter().map(|choice| said(&choice.text, results));
    let choices: Vec<Both> = choices.collect::<anyhow::Result<_>>()?;
    Ok(Asked {
        id,
        ask: said(&question.ask, results)?,
        choices: (!choices.is_empty()).then_some(choices),
        open: true,
        answer: None,
        votes: Default::default(),
    })
}

fn answered(question: &Question, results: Option<&Results>) -> anyhow::Result<Answer> {
    let right = results.and_then(|results| {
        let value = |of: &Expression| patiently("an answer", || of.value(results).ok());
        match &question.value {
            Some(of) => value(of)?.as_f64(),
            None => {
                let mut choices = question.choices.iter();
                choices
                    .position(|choice| value(&choice.when) == Some(true.into()))
                    .map(|n| n as f64)
            }
        }
    });
    Ok(Answer {
        right,
        text: said(&question.answer, results)?,
    })
}

/// Text inside HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_text_on_the_board() {
        assert_eq!(escaped("a < b & c > d"), "a &lt; b &amp; c &gt; d");
    }

    #[test]
    fn a_paragraph_is_one_line_and_a_drawing_is_not() {
        assert_eq!(folded("one\ntwo\n\nthree\n"), "one two\n\nthree");
        assert_eq!(folded("so:\n  a\n  b"), "so:\n  a\n  b");
    }
}
