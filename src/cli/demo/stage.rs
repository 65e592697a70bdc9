//! Shows a lesson: text wrapped to the terminal, pauses until Enter, and marks at the ends that a recorder
//! can wait for (they are the same in every language).

use std::cell::{Cell, RefCell};
use std::io::{BufRead, Error, ErrorKind, IsTerminal, Write, stdin, stdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::played::{Ended, Judged, Played, end_of_all};
use crate::lang::{settle, t};
use crate::lesson::expression::Results;
use crate::lesson::{Call, Lesson, Words};
use crate::report::{Style, figure, printable, wrap};
use crate::terminal;

/// The greatest length of a line of prose, however wide the terminal is.
const WIDEST: usize = 88;

/// How often a wait checks whether it was interrupted.
const TICK: Duration = Duration::from_millis(50);

/// How long a calm reader takes for a column of text: about 200 words a minute.
const PER_COLUMN: Duration = Duration::from_millis(50);

/// How long it takes to type a letter.
const PER_LETTER: Duration = Duration::from_millis(40);

/// What a wait for Enter shows.
const ENTER: &str = "[Enter]";

/// The pace of a lesson.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The speed of reading and typing; `None` shows everything at once.
    speed: Option<f64>,
    /// Whether it goes on without Enter.
    by_itself: bool,
}

impl Pace {
    /// With a speed, if one is asked for, and with or without waiting for Enter.
    pub fn new(speed: Option<f64>, by_itself: bool) -> Pace {
        Pace { speed, by_itself }
    }
}

/// What a lesson shows while it is played.
pub enum Cue {
    /// A step begins.
    Step,
    /// Text to read.
    Say(String),
    /// A question.
    Ask(String),
    /// A command.
    Command(String),
    /// The verdict on an expectation.
    Verdict {
        /// Whether it held.
        held: bool,
        /// What it means.
        because: String,
    },
    /// The question's answer.
    Answer(String),
}

/// Where a lesson is shown.
pub struct Stage {
    silent: bool,
    /// What was shown so far, for paper.
    cues: RefCell<Vec<Cue>>,
    style: Style,
    pace: Pace,
    /// Receives each line that is entered; `None` if the lesson does not wait for Enter.
    enter: Option<Receiver<String>>,
    /// Whether to show the expressions by which expectations are judged.
    verbose: bool,
    /// Whether it was said how to go on and how to leave.
    guided: Cell<bool>,
    interrupt: CancellationToken,
    /// The first error of writing to stdout.
    unwritable: RefCell<Option<Error>>,
}

impl Stage {
    /// A stage on stdout, or one that shows nothing.
    pub fn new(silent: bool, verbose: bool, pace: Pace, interrupt: CancellationToken) -> Stage {
        let waits = !pace.by_itself && stdin().is_terminal();
        Stage {
            silent,
            cues: RefCell::default(),
            style: crate::cli::output::plain_style(None),
            pace,
            enter: waits.then(listen),
            verbose,
            guided: Cell::new(false),
            interrupt,
            unwritable: RefCell::default(),
        }
    }

    /// Why the output could not be written, if so. A reader that has stopped reading is no error.
    pub fn unwritable(&self) -> Option<Error> {
        let first = self.unwritable.take();
        first.filter(|e| e.kind() != ErrorKind::BrokenPipe)
    }

    /// What was shown since the last call.
    pub fn cues(&self) -> Vec<Cue> {
        self.cues.take()
    }

    /// Begins a step.
    pub fn step(&self) {
        self.cue(Cue::Step);
    }

    fn cue(&self, cue: Cue) {
        self.cues.borrow_mut().push(cue);
    }

    /// Whether nothing is shown.
    pub fn is_silent(&self) -> bool {
        self.silent
    }

    /// Whether Ctrl-C was pressed.
    pub fn interrupted(&self) -> bool {
        self.interrupt.is_cancelled()
    }

    /// Begins a lesson.
    pub fn open(&self, lesson: &Lesson) {
        self.print(&(t!("== lesson %{name} ==", name = lesson.name) + "\n\n"));
        self.print(&self.bold(&self.prose(&words(&lesson.title))));
        self.print(&self.prose(&words(&lesson.goal)));
        let long = t!("It takes about %{n} minutes with a class.", n = lesson.minutes());
        self.print(&self.dim(&self.prose(&long)));
        self.print("\n");
    }

    /// Ends a lesson: where to read more, and how it went.
    pub fn close(&self, lesson: &Lesson, played: &Played) {
        if let Some(more) = more(lesson) {
            self.print(&(self.prose(&more) + "\n"));
        }
        let verdict = match (played.counter, played.held) {
            (false, held) => verdict(held),
            (true, true) => t!("each expectation can fail"),
            (true, false) => t!("an expectation never fails"),
        };
        self.print(&(played.end(&verdict) + "\n"));
    }

    /// Sums up several lessons.
    pub fn summary(&self, played: &[Played]) {
        self.print("\n");
        for one in played {
            let line = format!(
                "{}  {:>5.1} s  {}",
                self.mark(one.held),
                one.took_ms / 1e3,
                one.lesson
            );
            self.print(&(line + "\n"));
        }
        self.print(&(end_of_all(played) + "\n"));
    }

    /// Shows text to read.
    pub fn say(&self, text: &str) -> Result<(), Ended> {
        self.cue(Cue::Say(text.into()));
        self.print(&(self.prose(text) + "\n"));
        self.read(text)
    }

    /// Asks a question, and gives time to think; returns the guess, if one was typed.
    pub fn ask(&self, text: &str, choices: &[String]) -> Result<Option<String>, Ended> {
        let listed = choices
            .iter()
            .zip('a'..)
            .map(|(choice, letter)| format!("  {letter}) {choice}"));
        let text = [text.to_string()]
            .into_iter()
            .chain(listed)
            .collect::<Vec<_>>()
            .join("\n");
        self.cue(Cue::Ask(text.clone()));
        let question = self.bold(&self.prose(&format!("{} {text}", t!("Question:"))));
        self.print(&(question + "\n"));
        self.read(&text)?;
        let guess = self.entered()?;
        Ok(Some(guess.trim().to_string()).filter(|guess| !guess.is_empty()))
    }

    /// Shows the question's answer.
    pub fn answer(&self, text: &str) {
        self.cue(Cue::Answer(text.into()));
        self.print(&(self.prose(&format!("{} {text}", t!("Answer:"))) + "\n"));
    }

    /// Shows a command as if it was typed.
    pub fn command(&self, call: &Call) -> Result<(), Ended> {
        let call = printable(&call.to_string());
        self.cue(Cue::Command(call.clone()));
        self.print("$ ");
        match self.pace.speed {
            Some(speed) if !self.silent => {
                for letter in call.chars() {
                    self.print(&self.bold(&letter.to_string()));
                    self.wait(PER_LETTER.div_f64(speed))?;
                }
            }
            _ => self.print(&self.bold(&call)),
        }
        self.print("\n");
        Ok(())
    }

    /// Ends a run and its verdicts.
    pub fn end_of_run(&self) {
        self.print("\n");
    }

    /// Says that something went wrong.
    pub fn note(&self, text: &str) {
        self.print(&(self.prose(text) + "\n"));
    }

    /// Shows the verdict on an expectation: its meaning, its figures, and, if it did not hold, the
    /// expression. `good` decides on the mark.
    pub fn judged(&self, judged: &Judged, because: &str, good: bool) {
        self.cue(Cue::Verdict {
            held: judged.held,
            because: because.into(),
        });
        let columns = self.columns();
        self.print("\n");
        let said = wrap(
            &printable(&format!("{}: {because}", verdict(judged.held))),
            columns - 2,
            0,
        );
        let mark = self.mark(good);
        self.print(&format!("{mark} {}", said.trim_end().replace('\n', "\n  ")));
        self.print("\n");
        let mut lines: Vec<String> = Vec::new();
        if !judged.held {
            lines.push(judged.that.clone());
            lines.extend(judged.fault.clone());
        }
        let parts = judged.parts.iter().filter(|p| p.of != judged.that);
        lines.extend(parts.map(|part| format!("{} = {}", part.of, number(&part.value))));
        if judged.simulated {
            lines.push(t!(
                "judged by the simulated run, which other programs on this machine do not disturb"
            ));
        }
        if !self.verbose {
            lines = match (judged.held, &judged.fault) {
                (true, _) => Vec::new(),
                (false, Some(fault)) => vec![fault.clone()],
                (false, None) => vec![t!("Use --verbose to see the figures.")],
            };
        }
        for line in lines {
            let line = wrap(&printable(&line), columns - 4, 2);
            self.print(&self.dim(&format!("    {}\n", line.trim_end().replace('\n', "\n    "))));
        }
    }

    /// Waits for Enter, if the lesson does.
    pub fn pause(&self) -> Result<(), Ended> {
        self.entered().map(|_| ())
    }

    /// Waits for a line, if the lesson waits for Enter, and returns it.
    fn entered(&self) -> Result<String, Ended> {
        let Some(enter) = &self.enter else {
            return Ok(String::new());
        };
        // Lines that were entered while a command ran don't count.
        while enter.try_recv().is_ok() {}
        if !self.guided.replace(true) {
            let how = t!("Press Enter to go on; you can type a guess first. q or Ctrl-C leaves.");
            self.print(&self.dim(&self.prose(&how)));
        }
        self.print(&self.dim(ENTER));
        let mut line = String::new();
        loop {
            match enter.recv_timeout(TICK) {
                Ok(entered) if ["q", "Q"].contains(&entered.trim()) => {
                    self.print("\n");
                    return Err(Ended::Left);
                }
                Ok(entered) => {
                    line = entered;
                    break;
                }
                Err(RecvTimeoutError::Timeout) if self.interrupted() => {
                    self.print("\n");
                    return Err(Ended::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.print("\n");
                    break;
                }
            }
        }
        self.print("\n");
        Ok(line)
    }

    /// Gives time to read a text if the lesson does not wait for Enter.
    fn read(&self, text: &str) -> Result<(), Ended> {
        match self.pace.speed {
            Some(speed) if self.enter.is_none() && !self.silent => {
                let columns = unicode_width::UnicodeWidthStr::width(text) as u32;
                self.wait((PER_COLUMN * columns).div_f64(speed))
            }
            _ => Ok(()),
        }
    }

    fn wait(&self, time: Duration) -> Result<(), Ended> {
        let end = Instant::now() + time;
        loop {
            if self.interrupted() {
                return Err(Ended::Interrupted);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(TICK));
        }
    }

    fn columns(&self) -> usize {
        self.style.columns().min(WIDEST)
    }

    fn prose(&self, text: &str) -> String {
        prose(text, self.columns())
    }

    fn mark(&self, held: bool) -> String {
        match held {
            true => self.colour("32", "✓"),
            false => self.colour("31", "✗"),
        }
    }

    fn bold(&self, text: &str) -> String {
        self.colour("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.colour("2", text)
    }

    fn colour(&self, code: &str, text: &str) -> String {
        match self.style.colour {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.into(),
        }
    }

    /// Prints a text. If its reader has gone, the lesson goes on: the verdict still counts.
    fn print(&self, text: &str) {
        if !self.silent {
            let text = match self.style.colour {
                true => terminal::shown(text),
                false => terminal::plain(text),
            };
            let mut out = stdout().lock();
            if let Err(e) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
                self.unwritable.borrow_mut().get_or_insert(e);
            }
        }
    }
}

/// Sends each line that is entered, so that a wait for one can be interrupted.
fn listen() -> Receiver<String> {
    let (entered, enter) = channel();
    let thread = std::thread::Builder::new().name("enter".into());
    // Without a thread nobody waits for Enter: the lesson plays by itself.
    let _ = thread.spawn(move || {
        for line in stdin().lock().lines() {
            let Ok(line) = line else { break };
            if entered.send(line).is_err() {
                break;
            }
        }
    });
    enter
}

/// Says which chapter of the tutorial has more, in the reader's language.
pub fn more(lesson: &Lesson) -> Option<String> {
    let page = lesson.page(&*rust_i18n::locale() == "ko")?;
    Some(t!("More: %{page}", page = page))
}

/// A verdict, the same in every language, for programs that wait for it.
fn verdict(held: bool) -> String {
    if held {
        t!("as expected")
    } else {
        t!("not as expected")
    }
}

/// A text without figures, in the reader's language.
pub fn words(words: &Words) -> String {
    filled(words, None).unwrap_or_default()
}

/// A text in the reader's language, with the figures of a run.
pub fn filled(words: &Words, results: Option<&Results>) -> Result<String, String> {
    let korean = &*rust_i18n::locale() == "ko";
    let text = words.say(korean, results, number)?;
    Ok(settle(text.into()))
}

/// A value of a run, in words.
pub fn number(value: &Value) -> String {
    match value {
        Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), figure),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Wraps paragraphs; lines that begin with spaces stay as they are, for drawings and bytes.
fn prose(text: &str, columns: usize) -> String {
    let mut out = String::new();
    let mut paragraph = String::new();
    for line in text.lines().chain([""]) {
        let drawn = line.starts_with("  ");
        if !drawn && !line.trim().is_empty() {
            paragraph = paragraph + line.trim() + " ";
            continue;
        }
        if !paragraph.is_empty() {
            out += &wrap(&printable(&std::mem::take(&mut paragraph)), columns, 0);
        }
        match drawn {
            true => out += &(printable(line) + "\n"),
            false => out += "\n",
        }
    }
    out.trim_end().to_string() + "\n"
}

/// The list of lessons.
pub fn contents(lessons: &[Lesson], style: &Style) -> String {
    let columns = style.columns().min(WIDEST);
    let mut out = wrap(
        &t!("Lessons: `mailcall demo NAME`, or its number, plays one; Enter goes on."),
        columns,
        0,
    );
    for (i, lesson) in lessons.iter().enumerate() {
        let minutes = lesson.minutes();
        let seconds = match lesson.seconds {
            Some(s) => t!(" (%{s} s; about %{n} minutes with a class)", s = s, n = minutes),
            None => t!(" (about %{n} minutes with a class)", n = minutes),
        };
        let name = match style.colour {
            true => format!("\u{1b}[1m{}\u{1b}[0m", lesson.name),
            false => lesson.name.clone(),
        };
        out += &format!("\n{:>2}  {name}{seconds}\n", i + 1);
        let texts = [&lesson.title, &lesson.goal].map(words);
        for text in texts.into_iter().chain(more(lesson)) {
            let text = wrap(&printable(&text), columns - 4, 0);
            out += &format!("    {}\n", text.trim_end().replace('\n', "\n    "));
        }
    }
    let total: u32 = lessons.iter().filter_map(|l| l.seconds).sum();
    out.push('\n');
    out += &wrap(
        &t!(
            "In brackets: how long its runs take, and how long a class does. `mailcall demo all --auto` plays and checks all, in about %{n} s.",
            n = total
        ),
        columns,
        0,
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_and_drawings_are_not() {
        let text = "one two\nthree\n\n  a   b\n  c\nfour";
        assert_eq!(prose(text, 9), "one two\nthree\n\n  a   b\n  c\nfour\n");
        assert_eq!(prose("\nx\n", 9).trim(), "x");
        assert_eq!(prose("a\u{1b}[2Jb", 40), "a\u{fffd}[2Jb\n");
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(number(&serde_json::json!(12.345)), "12.3");
        assert_eq!(number(&serde_json::json!(52)), "52");
        assert_eq!(number(&serde_json::json!("ws")), "ws");
    }
}
