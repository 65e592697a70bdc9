//! Reads a lesson's file, and names the first mistake with its line and key.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::expression::Expression;
use super::question::WrittenChoice;
use super::words;
use super::{Call, Choice, Expectation, Fault, Lesson, Place, Question, Run, Step, Words};
use crate::lang::t;
use crate::technique;

/// The commands that a lesson may run in addition to the techniques': they measure, and end by themselves.
const COMMANDS: &[&str] = &["compare", "inspect", "vanish", "storm", "sweep", "advise"];

/// Flags that write files, which a lesson must not do.
const WRITES: &[&str] = &["--output", "--pcap", "--save"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: Spanned<words::Written>,
    goal: Spanned<words::Written>,
    seconds: Option<u32>,
    chapter: Option<Spanned<String>>,
    step: Vec<Spanned<WrittenStep>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    say: Option<Spanned<words::Written>>,
    ask: Option<Spanned<words::Written>>,
    #[serde(default)]
    choices: Vec<Spanned<WrittenChoice>>,
    value: Option<Spanned<String>>,
    answer: Option<Spanned<words::Written>>,
    run: Option<Spanned<String>>,
    #[serde(default)]
    expect: Vec<Spanned<WrittenExpectation>>,
    #[serde(default)]
    counter: Vec<Spanned<String>>,
    #[serde(default)]
    fails: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenExpectation {
    that: Spanned<String>,
    because: Spanned<words::Written>,
}

impl Lesson {
    /// Reads a lesson's file.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn parse(name: &str, text: &str) -> Result<Lesson, Fault> {
        let file: File = toml::from_str(text).map_err(|e| unreadable(text, &e))?;
        let reader = Reader { text };
        let lesson = Lesson {
            name: name.into(),
            title: reader.words("title", file.title)?,
            goal: reader.words("goal", file.goal)?,
            seconds: file.seconds,
            chapter: file.chapter.map(|c| reader.chapter(c)).transpose()?,
            steps: reader.steps(file.step)?,
        };
        Ok(lesson)
    }
}

/// The TOML reader's error, with the key if the error names none.
fn unreadable(text: &str, error: &toml::de::Error) -> Fault {
    let at = error.span().map_or(0, |span| span.start);
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let source = text[start..].lines().next().unwrap_or_default();
    let key = source.split_once('=').map_or("", |(key, _)| key.trim());
    let says = error.message().trim().replace('\n', ", ");
    let names_the_key = ["missing", "unknown"].iter().any(|w| says.starts_with(w));
    Fault {
        place: Place {
            line: line_of(text, at),
            key: if names_the_key { "" } else { key }.into(),
        },
        what: says,
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at.min(text.len())].matches('\n').count() + 1
}

/// Turns what is written into a lesson that can be played.
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn fault(&self, key: &str, span: &Range<usize>, what: impl Into<String>) -> Fault {
        Fault {
            place: self.place(key, span),
            what: what.into(),
        }
    }

    fn place(&self, key: &str, span: &Range<usize>) -> Place {
        Place {
            line: line_of(self.text, span.start),
            key: key.into(),
        }
    }

    fn chapter(&self, written: Spanned<String>) -> Result<String, Fault> {
        let (span, name) = (written.span(), written.into_inner());
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        match !name.is_empty() && name.chars().all(is_name) {
            true => Ok(name),
            false => Err(self.fault(
                "chapter",
                &span,
                t!("a chapter is named as its file without `.md`: lower-case letters, digits and hyphens"),
            )),
        }
    }

    fn words(&self, key: &str, written: Spanned<words::Written>) -> Result<Words, Fault> {
        let span = written.span();
        let words = written.into_inner().read(span);
        words.map_err(|(span, what)| self.fault(key, &span, what))
    }

    fn steps(&self, written: Vec<Spanned<WrittenStep>>) -> Result<Vec<Step>, Fault> {
        let mut runs = 0;
        let mut steps = Vec::new();
        for (i, step) in written.into_iter().enumerate() {
            let span = step.span();
            let step = self.step(i + 1, step, runs)?;
            runs += usize::from(step.run.is_some());
            if step.say.is_none() && step.question.is_none() && step.run.is_none() {
                let what = t!("it does nothing: it needs `say`, `ask` or `run`");
                return Err(self.fault(&format!("step[{}]", i + 1), &span, what));
            }
            steps.push(step);
        }
        match runs {
            0 => Err(self.fault("step", &(0..0), t!("no step runs anything"))),
            _ => Ok(steps),
        }
    }

    /// Reads a step that comes after `runs` runs.
    fn step(&self, number: usize, step: Spanned<WrittenStep>, runs: usize) -> Result<Step, Fault> {
        let span = step.span();
        let step = step.into_inner();
        let key = |name: &str| format!("step[{number}].{name}");
        let has_run = step.run.is_some();
        let words = |name: &str, written: Option<Spanned<words::Written>>, runs: usize| {
            let Some(written) = written else {
                return Ok(None);
            };
            let span = written.span();
            let words = self.words(&key(name), written)?;
            self.can_be_said(&key(name), &span, &words, runs)
                .map(|()| Some(words))
        };
        let after = runs + usize::from(has_run);
        let say = words("say", step.say, runs)?;
        let question = match (
            words("ask", step.ask, runs)?,
            words("answer", step.answer, after)?,
        ) {
            (Some(ask), Some(answer)) => Some(Question {
                ask,
                choices: self.choices(number, step.choices, runs, after)?,
                value: step
                    .value
                    .map(|value| self.measured(&key("value"), &value, after))
                    .transpose()?,
                answer,
            }),
            (None, None) if step.choices.is_empty() && step.value.is_none() => None,
            (None, None) => {
                return Err(self.fault(
                    &key("ask"),
                    &span,
                    t!("`choices` and `value` need a question: `ask`"),
                ));
            }
            (Some(_), None) => {
                return Err(self.fault(&key("ask"), &span, t!("a question needs its `answer`")));
            }
            (None, Some(_)) => {
                return Err(self.fault(&key("answer"), &span, t!("an answer needs its question: `ask`")));
            }
        };
        let expects = !step.expect.is_empty() || !step.counter.is_empty() || step.fails;
        if expects && !has_run {
            return Err(self.fault(
                &key("run"),
                &span,
                t!("`expect`, `counter` and `fails` need a `run`"),
            ));
        }
        let run = step
            .run
            .map(|run| self.run(number, run, (step.expect, step.counter, step.fails), runs));
        Ok(Step {
            say,
            question,
            run: run.transpose()?,
        })
    }

    fn choices(
        &self,
        number: usize,
        written: Vec<Spanned<WrittenChoice>>,
        before: usize,
        after: usize,
    ) -> Result<Vec<Choice>, Fault> {
        let read = |(i, choice): (usize, Spanned<WrittenChoice>)| {
            let key = |name: &str| format!("step[{number}].choices[{}].{name}", i + 1);
            let WrittenChoice { text, when } = choice.into_inner();
            let span = text.span();
            let text = self.words(&key("text"), text)?;
            self.can_be_said(&key("text"), &span, &text, before)?;
            let when = self.measured(&key("when"), &when, after)?;
            Ok(Choice { text, when })
        };
        written.into_iter().enumerate().map(read).collect()
    }

    /// An expression over the JSON of a run before it.
    fn measured(&self, key: &str, text: &Spanned<String>, runs: usize) -> Result<Expression, Fault> {
        let expression =
            Expression::parse(text.get_ref()).map_err(|what| self.fault(key, &text.span(), &what))?;
        self.can_be_judged(key, &text.span(), &expression, runs)?;
        Ok(expression)
    }

    /// Checks that there is a run for each figure in a text.
    fn can_be_said(&self, key: &str, span: &Range<usize>, words: &Words, runs: usize) -> Result<(), Fault> {
        for expression in words.expressions().into_iter().flatten() {
            self.can_be_judged(key, span, expression, runs)?;
        }
        Ok(())
    }

    fn can_be_judged(
        &self,
        key: &str,
        span: &Range<usize>,
        expression: &Expression,
        runs: usize,
    ) -> Result<(), Fault> {
        let needed = 1 + usize::from(expression.looks_back());
        match runs < needed {
            true => {
                let what = t!(
                    "`%{expression}` needs %{needed} run(s) before it",
                    expression = expression.text(),
                    needed = needed
                );
                Err(self.fault(key, span, what))
            }
            false => Ok(()),
        }
    }

    fn run(
        &self,
        number: usize,
        run: Spanned<String>,
        (expect, counter, fails): (Vec<Spanned<WrittenExpectation>>, Vec<Spanned<String>>, bool),
        runs: usize,
    ) -> Result<Run, Fault> {
        let key = |name: &str| format!("step[{number}].{name}");
        let expect = expect
            .into_iter()
            .enumerate()
            .map(|(i, e)| self.expectation(&key(&format!("expect[{}]", i + 1)), e.into_inner(), runs + 1));
        let counter = counter.into_iter().map(|c| self.call(&key("counter"), c));
        Ok(Run {
            command: self.call(&key("run"), run)?,
            expect: expect.collect::<Result<_, _>>()?,
            counter: counter.collect::<Result<_, _>>()?,
            fails,
        })
    }

    fn expectation(&self, key: &str, written: WrittenExpectation, runs: usize) -> Result<Expectation, Fault> {
        let (that, because) = (format!("{key}.that"), format!("{key}.because"));
        let span = written.that.span();
        let expression =
            Expression::parse(written.that.get_ref()).map_err(|what| self.fault(&that, &span, what))?;
        self.can_be_judged(&that, &span, &expression, runs)?;
        let said = written.because.span();
        let words = self.words(&because, written.because)?;
        self.can_be_said(&because, &said, &words, runs)?;
        Ok(Expectation {
            that: expression,
            because: words,
        })
    }

    /// Reads a command line: words between spaces, for mailcall and without a shell.
    fn call(&self, key: &str, written: Spanned<String>) -> Result<Call, Fault> {
        let fault = |what: String| self.fault(key, &written.span(), what);
        let text = written.get_ref();
        if let Some(c) = text
            .chars()
            .find(|c| "\"'`|&;<>$(){}*?\\".contains(*c) || c.is_control())
        {
            return Err(fault(t!(
                "%{c} means something to a shell, and none runs this",
                c = format!("{c:?}")
            )));
        }
        let mut words = text.split_whitespace();
        if words.next() != Some("mailcall") {
            return Err(fault(t!("it must begin with `mailcall`")));
        }
        let args: Vec<String> = words.map(String::from).collect();
        let command = args.first().map(String::as_str).unwrap_or_default();
        let known = COMMANDS.contains(&command) || technique::named(command).is_some();
        if !known {
            return Err(fault(t!(
                "a lesson cannot run `mailcall %{command}`; allowed are the techniques and %{others}",
                command = command,
                others = COMMANDS.join(", ")
            )));
        }
        if let Some(flag) = args
            .iter()
            .find(|a| WRITES.iter().any(|w| a.split('=').next() == Some(w)))
        {
            return Err(fault(t!("a lesson writes no files: %{flag}", flag = flag)));
        }
        if let Some(url) = args.iter().find(|a| a.contains("://")) {
            return Err(fault(t!("a lesson starts its own servers: %{url}", url = url)));
        }
        Ok(Call {
            args,
            place: self.place(key, &written.span()),
        })
    }
}
