//! A lesson: text to read, questions to a class, commands that are run for real, and what must come out of
//! them. One lesson is one TOML file:
//!
//! ```toml
//! title.en = "Wasted polls"
//! goal.en = "How many questions bring nothing?"
//! seconds = 5                       # of machine time, for the list
//! chapter = "01-polling"            # of the tutorial, where one can read more
//!
//! [[step]]
//! say.en = "A server only ever answers."
//!
//! [[step]]
//! ask.en = "How many of the requests will bring mail?"
//! run = "mailcall poll --mails 8 --interval 100ms"
//! expect = [{ that = 'of("poll").requests.empty > 8', because.en = "most of them brought nothing" }]
//! counter = ["mailcall poll --mails 8 --arrivals burst:8 --interval 2s"]
//! value = 'of("poll").requests.total - of("poll").requests.empty'  # a typed guess is compared with it
//! answer.en = 'Few: {of("poll").requests.empty} of {of("poll").requests.total} were in vain.'
//! ```
//!
//! Instead of a `value`, a question may have `choices = [{ text.en = "…", when = 'JQ' }, …]`; the first whose `when` is
//! true is right. A step says, asks, waits, runs, checks, and answers, in this order, and may leave out any of these. An
//! expectation is written as [`expression`] describes, and each must fail in one of the step's counter
//! scenarios, so that none is always true. This module reads and judges lessons; `cli::demo` plays them.

pub mod expression;
mod question;
mod reader;
mod shelf;
mod words;

use std::fmt;

use crate::lang::t;
use crate::technique;
use expression::Expression;

pub use question::{Choice, Question};
pub use shelf::{SHELF, Shelved, built_in, named, nearest};
pub use words::Words;

/// A lesson that can be played.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// Its name on the command line.
    pub name: String,
    /// Its title.
    pub title: Words,
    /// What it shows.
    pub goal: Words,
    /// How many seconds of machine time its runs take, by its author; `None` if not said.
    pub seconds: Option<u32>,
    /// The tutorial's chapter on the same subject: the name of its file, without `.md`.
    pub chapter: Option<String>,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// A step of a lesson.
#[derive(Clone, Debug)]
pub struct Step {
    /// Text to read.
    pub say: Option<Words>,
    /// A question, whose answer is shown after the run.
    pub question: Option<Question>,
    /// The run between the two.
    pub run: Option<Run>,
}

/// A run and what is expected of it.
#[derive(Clone, Debug)]
pub struct Run {
    /// The command.
    pub command: Call,
    /// What must come out.
    pub expect: Vec<Expectation>,
    /// Other scenarios: each expectation fails in one of them.
    pub counter: Vec<Call>,
    /// Whether it has to end with exit code 1: mail that does not come is what it shows.
    pub fails: bool,
}

/// A command line of mailcall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The arguments after `mailcall`.
    pub args: Vec<String>,
    /// Its place in the file.
    pub place: Place,
}

impl Call {
    /// The same call as a simulated run, if it can be one.
    pub fn simulated(&self) -> Call {
        let runs =
            |name: &String| ["compare", "storm"].contains(&&**name) || technique::named(name).is_some();
        let real = |arg: &String| arg == "--isolate" || arg.contains("://");
        let mut call = self.clone();
        if self.args.first().is_some_and(runs) && !self.args.iter().any(real) && !self.is_simulated() {
            call.args.push(SIMULATE.into());
        }
        call
    }

    /// Whether it is a simulated run.
    pub fn is_simulated(&self) -> bool {
        self.args.iter().any(|arg| arg == SIMULATE)
    }
}

/// An expectation of a run.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The expression that must be true.
    pub that: Expression,
    /// What it means.
    pub because: Words,
}

/// A place in a lesson's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The key with its path: `step[2].run`.
    pub key: String,
}

impl Step {
    /// The expectations of its run.
    fn expected(&self) -> impl Iterator<Item = &Expression> {
        let expect = self.run.iter().flat_map(|run| &run.expect);
        expect.map(|expectation| &expectation.that)
    }

    /// The expectations of its run, and the figures in its answer.
    fn all_of_its_run(&self) -> impl Iterator<Item = &Expression> {
        let answer = self.question.iter().map(|question| &question.answer);
        let measured = self.question.iter().flat_map(Question::measured);
        self.expected()
            .chain(answer.flat_map(Words::expressions).flatten())
            .chain(measured)
    }
}

/// What is wrong with a lesson's file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// Where it is.
    pub place: Place,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, key } = &self.place;
        match key.is_empty() {
            true => f.write_str(&t!("line %{number}: %{line}", number = line, line = self.what)),
            false => f.write_str(&t!(
                "line %{number}: %{key}: %{what}",
                number = line,
                key = key,
                what = self.what
            )),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mailcall {}", self.args.join(" "))
    }
}
/// Keys of results that are `null` in a simulated run.
const ONLY_MEASURED: &[&str] = &["environment", "predicted", "segments", "server"];

/// The flag that makes a run a simulated one.
const SIMULATE: &str = "--simulate";

impl Lesson {
    /// The path of its chapter from the project's folder, in English or in Korean.
    pub fn page(&self, korean: bool) -> Option<String> {
        let folder = if korean { "tutorial.ko" } else { "tutorial" };
        let chapter = self.chapter.as_ref()?;
        Some(format!("docs/{folder}/{chapter}.md"))
    }

    /// Every command that it may run, counter scenarios included.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        let runs = self.steps.iter().filter_map(|s| s.run.as_ref());
        runs.flat_map(|run| [&run.command].into_iter().chain(&run.counter))
    }

    /// Whether a step's expectations and texts use figures that only a real run has.
    pub fn needs_machine(&self, step: usize) -> bool {
        let (Some(at), later) = (self.steps.get(step), self.steps.get(step + 1..)) else {
            return false;
        };
        let later = later.unwrap_or_default();
        let next = later.iter().position(|s| s.run.is_some());
        let answer = at.question.iter().map(|question| &question.answer);
        let told = later.iter().take(next.map_or(later.len(), |next| next + 1));
        let told = told.flat_map(|s| s.say.iter().chain(s.question.iter().flat_map(Question::asked)));
        let own = answer.chain(told).flat_map(Words::expressions).flatten();
        let measured = at.question.iter().flat_map(Question::measured);
        let own = own.chain(at.expected()).chain(measured);
        let next = next.into_iter().flat_map(|next| later[next].all_of_its_run());
        let back = next.filter(|e| e.looks_back());
        own.chain(back).any(|e| e.names(ONLY_MEASURED))
    }

    /// How many minutes a class takes: to read it aloud, two for a question, one to look at a run; in steps of five.
    pub fn minutes(&self) -> u32 {
        let questions = self.steps.iter().filter(|step| step.question.is_some()).count();
        let runs = self.steps.iter().filter(|step| step.run.is_some()).count();
        let aloud: f64 = self.words().map(Words::minutes).sum();
        let minutes = aloud + 2.0 * questions as f64 + runs as f64;
        (minutes / 5.0).ceil() as u32 * 5
    }

    /// Its texts.
    pub fn words(&self) -> impl Iterator<Item = &Words> {
        let steps = self.steps.iter().flat_map(|step| {
            let question = step.question.iter().flat_map(|q| q.asked().chain([&q.answer]));
            let because = step
                .run
                .iter()
                .flat_map(|run| run.expect.iter().map(|e| &e.because));
            step.say.iter().chain(question).chain(because)
        });
        [&self.title, &self.goal].into_iter().chain(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "[[step]]\nrun = \"mailcall poll\"\n";
    const HEAD: &str = "title.en = \"T\"\ngoal.en = \"G\"\n";

    fn parse(steps: &str) -> Result<Lesson, Fault> {
        Lesson::parse("own", &format!("{HEAD}{steps}"))
    }

    #[test]
    fn a_lesson_is_read() {
        let lesson = parse(
            r#"
            seconds = 3
            [[step]]
            say = { en = "first", ko = "먼저" }
            [[step]]
            ask.en = "how many?"
            answer.en = "{.results | length}"
            run = "mailcall compare  poll sse --mails 2"
            expect = [{ that = ".results | length == 2", because.en = "two rows" }]
            counter = ["mailcall poll --mails 2"]
            [[step]]
            run = "mailcall poll"
            expect = [{ that = "($before.results | length) > (.results | length)", because.en = "fewer" }]
            "#,
        )
        .unwrap();
        assert_eq!((lesson.steps.len(), lesson.seconds), (3, Some(3)));
        let calls: Vec<String> = lesson.calls().map(Call::to_string).collect();
        assert_eq!(
            calls,
            [
                "mailcall compare poll sse --mails 2",
                "mailcall poll --mails 2",
                "mailcall poll"
            ]
        );
        assert_eq!(
            lesson.calls().next().unwrap().place,
            Place {
                line: 10,
                key: "step[2].run".into()
            }
        );
        assert_eq!(lesson.words().count(), 7);
        assert!(lesson.words().nth(2).unwrap().in_both());
        assert_eq!(lesson.page(false), None);
        let lesson = parse(&format!("chapter = \"01-polling\"\n{RUN}")).unwrap();
        assert_eq!(lesson.page(false).unwrap(), "docs/tutorial/01-polling.md");
        assert_eq!(lesson.page(true).unwrap(), "docs/tutorial.ko/01-polling.md");
    }

    #[test]
    fn what_is_wrong_is_named_with_line_and_key() {
        let run = RUN;
        for (steps, line, said) in [
            ("[[step]]\nsya.en = \"x\"\n", 4, "unknown field `sya`"),
            ("[[step]]\nsay = 3\n", 4, "say: "),
            ("[[step]]\nsay.de = \"x\"\n", 4, "`de`"),
            ("[[step]]\nsay = {}\n", 4, "step[1].say: it has neither"),
            ("[[step]]\nsay.en = \"\"\n", 4, "step[1].say: it is empty"),
            (
                &format!("chapter = \"../one\"\n{RUN}"),
                3,
                "chapter: a chapter is named as its file",
            ),
            ("[[step]\n", 3, "]"),
            ("step = []\n", 1, "no step runs anything"),
            ("[[step]]\n", 3, "step[1]: it does nothing"),
            (
                "[[step]]\nask.en = \"x\"\n",
                3,
                "step[1].ask: a question needs its `answer`",
            ),
            (
                "[[step]]\nanswer.en = \"x\"\n",
                3,
                "step[1].answer: an answer needs its question",
            ),
            (
                "[[step]]\nsay.en = \"{.n}\"\n",
                4,
                "step[1].say: `.n` needs 1 run(s)",
            ),
            ("[[step]]\ncounter = [\"mailcall poll\"]\n", 3, "need a `run`"),
            (
                "[[step]]\nrun = \"rm -r /\"\n",
                4,
                "step[1].run: it must begin with `mailcall`",
            ),
            ("[[step]]\nrun = \"mailcall poll; reboot\"\n", 4, "no"),
            (
                "[[step]]\nrun = \"mailcall serve\"\n",
                4,
                "cannot run `mailcall serve`",
            ),
            (
                "[[step]]\nrun = \"mailcall poll --output=x\"\n",
                4,
                "writes no files",
            ),
            (
                "[[step]]\nrun = \"mailcall poll http://h:1\"\n",
                4,
                "its own servers",
            ),
            (
                &format!("{run}expect = [{{ that = \"1 +\", because.en = \"x\" }}]\n"),
                5,
                "step[1].expect[1].that: ",
            ),
            (
                &format!("{run}expect = [{{ that = \"true\" }}]\n"),
                5,
                "missing field `because`",
            ),
            (
                &format!("{run}expect = [{{ that = \"$before.n > 1\", because.en = \"x\" }}]\n"),
                5,
                "2 run(s)",
            ),
            (
                &format!("{run}counter = [\"mailcall demo all\"]\n"),
                5,
                "step[1].counter: a lesson cannot run",
            ),
        ] {
            let fault = parse(steps).unwrap_err();
            assert_eq!(fault.place.line, line, "{steps}\n{fault}");
            assert!(fault.to_string().contains(said), "{steps}\n{fault}");
        }
        let missing = Lesson::parse("own", "goal.en = \"G\"\n").unwrap_err();
        assert!(missing.to_string().contains("`title`"), "{missing}");
    }
}
