//! Plays a lesson: its steps in order, its commands with this program in processes of their own, and its
//! expectations over the JSON that these save.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};

use super::played::{Ended, Judged, Played, Ran};
use super::stage::{self, Stage};
use crate::cli::interrupt;
use crate::cli::output::LESSON;
use crate::lang::t;
use crate::lesson::expression::{Expression, Results};
use crate::lesson::{Call, Expectation, Lesson, Question, Run, Step};
use crate::report::{figure, printable};
use crate::scratch;
use crate::technique;

/// Plays lessons.
pub struct Player {
    /// Where lessons are shown.
    pub stage: Stage,
    /// This program.
    pub program: PathBuf,
    /// Whether the counter scenarios are played instead.
    pub counter: bool,
    /// Whether runs that need no real machine are simulated.
    pub simulate: bool,
    /// The kinds of result whose legend this lesson has shown.
    pub explained: BTreeSet<String>,
}

/// The folder in which a step's commands run, and whether they may be simulated.
#[derive(Clone, Copy)]
struct How<'a> {
    folder: &'a Path,
    simulate: bool,
}

/// The JSON of the last two runs, and the command of the last one.
#[derive(Default)]
struct LastRuns {
    last: Option<Vec<u8>>,
    previous: Option<Vec<u8>>,
    command: Option<Call>,
}

/// Keys of results that depend on how busy the machine is: what is expected of them is judged by simulated runs.
const TIMES: &[&str] = &["latency_us"];

impl LastRuns {
    fn push(&mut self, json: Vec<u8>) {
        self.previous = self.last.replace(json);
    }

    fn results(&self) -> anyhow::Result<Option<Results>> {
        let read = |last: &Vec<u8>| Results::read(last, self.previous.as_deref());
        let results = self.last.as_ref().map(read).transpose();
        results.map_err(|e| anyhow!(t!("a run's JSON cannot be read: %{e}", e = e)))
    }
}

impl Player {
    /// Plays one lesson.
    pub fn play(&mut self, lesson: &Lesson, folder: &Path) -> Result<Played, Ended> {
        self.stage.open(lesson);
        self.explained.clear();
        let mut played = Played {
            lesson: lesson.name.clone(),
            counter: self.counter,
            held: true,
            took_ms: 0.0,
            runs: Vec::new(),
        };
        let mut last_runs = LastRuns::default();
        for (i, step) in lesson.steps.iter().enumerate() {
            let how = How {
                folder,
                simulate: self.simulate && !lesson.needs_machine(i),
            };
            if self.counter {
                self.countered(step, &lesson.steps[i + 1..], how, &mut last_runs, &mut played)?;
            } else {
                let last = i + 1 == lesson.steps.len();
                self.step(step, last, how, &mut last_runs, &mut played)?;
            }
        }
        played.took_ms = played.runs.iter().map(|r| r.took_ms).sum();
        self.stage.close(lesson, &played);
        Ok(played)
    }

    fn step(
        &mut self,
        step: &Step,
        last: bool,
        how: How,
        last_runs: &mut LastRuns,
        played: &mut Played,
    ) -> Result<(), Ended> {
        self.stage.step();
        let results = last_runs.results()?;
        if let Some(say) = &step.say {
            self.stage.say(&filled(say, results.as_ref())?)?;
        }
        let mut guess = None;
        if let Some(question) = &step.question {
            let choices = question.choices.iter().map(|c| filled(&c.text, results.as_ref()));
            let choices: Vec<String> = choices.collect::<Result<_, _>>()?;
            guess = self
                .stage
                .ask(&filled(&question.ask, results.as_ref())?, &choices)?;
        }
        if let Some(run) = &step.run {
            let judged = self.perform(run, step.question.is_some(), how, last_runs, played)?;
            played.held &= judged;
        }
        if let Some(question) = &step.question {
            let results = last_runs.results()?;
            let measured = results.as_ref().map(|results| measured(question, results));
            let compared = guess.zip(measured.transpose()?.flatten());
            if let Some((guess, measured)) = compared {
                self.stage.note(&compare(&guess, &measured));
            }
            self.stage.answer(&filled(&question.answer, results.as_ref())?);
        }
        if !last {
            self.stage.pause()?;
        }
        Ok(())
    }

    /// Runs a command and checks its expectations; if a question was asked, not before the reader has looked at the
    /// figures.
    fn perform(
        &mut self,
        run: &Run,
        asked: bool,
        how: How,
        last_runs: &mut LastRuns,
        played: &mut Played,
    ) -> Result<bool, Ended> {
        let (mut ran, json) = self.call(&run.command, how, false)?;
        let simulated = self.simulated(run, how, last_runs.command.as_ref())?;
        last_runs.push(json);
        last_runs.command = Some(run.command.clone());
        let results = last_runs
            .results()?
            .ok_or_else(|| anyhow!(t!("a run left no JSON")))?;
        let clean = ran.exit_code == Some(i32::from(run.fails));
        if !clean {
            self.stage.note(&match run.fails {
                true => t!("the run itself did not fail, although mail should not have come"),
                false => t!("the run itself failed: mail was lost, or worse"),
            });
        }
        if asked {
            self.stage.pause()?;
        }
        for expectation in &run.expect {
            let undisturbed = simulated.as_ref().filter(|_| expectation.that.names(TIMES));
            let judged = Judged {
                simulated: undisturbed.is_some(),
                ..judge(expectation, undisturbed.unwrap_or(&results))
            };
            let because = filled(&expectation.because, Some(&results));
            // If the expectation cannot be decided, figures of its text may be missing, too.
            self.stage
                .judged(&judged, &because.unwrap_or_default(), judged.held);
            ran.expectations.push(judged);
        }
        self.stage.end_of_run();
        let held = clean && ran.expectations.iter().all(|j| j.held);
        played.runs.push(ran);
        Ok(held)
    }

    /// The results of the same run, and of the one before it, in simulated time, if something is expected of times:
    /// other programs on this machine do not change these. `None` if nothing is, or the run cannot be simulated.
    fn simulated(&self, run: &Run, how: How, before: Option<&Call>) -> Result<Option<Results>, Ended> {
        let timed: Vec<&Expectation> = run.expect.iter().filter(|e| e.that.names(TIMES)).collect();
        let looks_back = timed.iter().any(|e| e.that.looks_back());
        if timed.is_empty() || run.command.is_simulated() || !run.command.simulated().is_simulated() {
            return Ok(None);
        }
        let before = before.filter(|_| looks_back);
        if before.is_some_and(|call| !call.simulated().is_simulated()) {
            return Ok(None);
        }
        let last = self.alone(&run.command.simulated(), how)?;
        let previous = before
            .map(|call| self.alone(&call.simulated(), how))
            .transpose()?;
        let read = Results::read(&last, previous.as_deref());
        Ok(Some(read.map_err(|e| {
            anyhow!(t!("a run's JSON cannot be read: %{e}", e = e))
        })?))
    }

    /// Runs a command that nobody sees, and returns its JSON.
    fn alone(&self, call: &Call, how: How) -> Result<Vec<u8>, Ended> {
        let scratch = tempfile::tempdir().context(t!("no place to keep a run's JSON"))?;
        let _tracked = scratch::track(scratch.path());
        let file = scratch.path().join("run.json");
        let mut command = self.command(call, how);
        command.env(LESSON, "explained").arg("--save").arg(&file);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.with_context(|| t!("cannot run %{call}", call = call))?;
        let status = self
            .wait(child)
            .with_context(|| t!("cannot wait for %{call}", call = call))?;
        if self.stage.interrupted() {
            return Err(Ended::Interrupted);
        }
        Ok(std::fs::read(&file).map_err(|_| nothing(call, status))?)
    }

    /// This program with a command of the lesson.
    fn command(&self, call: &Call, how: How) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["--lang", &rust_i18n::locale()])
            .args(&call.args)
            .current_dir(how.folder)
            .stdin(Stdio::null());
        command
    }

    /// Runs a step's counter scenarios: each expectation has to fail in one of them. The step itself is run
    /// only if the next run is compared with it.
    fn countered(
        &mut self,
        step: &Step,
        later: &[Step],
        how: How,
        last_runs: &mut LastRuns,
        played: &mut Played,
    ) -> Result<(), Ended> {
        let Some(run) = &step.run else {
            return Ok(());
        };
        let mut failed = vec![run.counter.is_empty(); run.expect.len()];
        for call in &run.counter {
            let (mut ran, json) = self.call(call, how, true)?;
            let results = Results::read(&json, last_runs.last.as_deref()).map_err(|e| anyhow!(e))?;
            for (expectation, failed) in run.expect.iter().zip(&mut failed) {
                let judged = judge(expectation, &results);
                // An expectation that cannot be decided proves nothing.
                *failed |= !judged.held && judged.fault.is_none();
                let because = filled(&expectation.because, Some(&results)).unwrap_or_default();
                self.stage.judged(&judged, &because, !judged.held);
                ran.expectations.push(judged);
            }
            self.stage.end_of_run();
            played.runs.push(ran);
        }
        played.held &= failed.iter().all(|f| *f);
        let next = later.iter().find_map(|s| s.run.as_ref());
        if next.is_some_and(|next| next.expect.iter().any(|e| e.that.looks_back())) {
            let (ran, json) = self.call(&run.command, how, false)?;
            self.stage.end_of_run();
            last_runs.push(json);
            played.runs.push(ran);
        }
        Ok(())
    }

    /// Waits for a command's end. Ctrl-C in a terminal reaches the command as well, but a signal to this
    /// process alone does not; so a command that has not ended some time after it gets the same signal.
    fn wait(&self, mut child: Child) -> std::io::Result<ExitStatus> {
        let mut interrupted: Option<Instant> = None;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if self.stage.interrupted() && interrupted.is_none_or(|since| since.elapsed() > FORWARD) {
                if interrupted.is_some() {
                    interrupt::forward(&child);
                }
                interrupted = Some(Instant::now());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Runs a command as its reader would, and also saves its JSON.
    fn call(&mut self, call: &Call, how: How, counter: bool) -> Result<(Ran, Vec<u8>), Ended> {
        let call = &match how.simulate {
            true => call.simulated(),
            false => call.clone(),
        };
        self.stage.command(call)?;
        if self.simulate && !call.is_simulated() {
            self.stage.note(&t!(
                "run for real: its figures need a machine, or its command cannot be simulated"
            ));
        }
        let scratch = tempfile::tempdir().context(t!("no place to keep a run's JSON"))?;
        let _tracked = scratch::track(scratch.path());
        let file = scratch.path().join("run.json");
        let is_new = self.explained.insert(kind(call));
        let start = Instant::now();
        let child = self
            .command(call, how)
            .env(LESSON, if is_new { "new" } else { "explained" })
            .arg("--save")
            .arg(&file)
            .stdout(match self.stage.is_silent() {
                true => Stdio::null(),
                false => Stdio::inherit(),
            })
            .spawn()
            .with_context(|| t!("cannot run %{call}", call = call))?;
        let status = self
            .wait(child)
            .with_context(|| t!("cannot wait for %{call}", call = call))?;
        let took_ms = start.elapsed().as_secs_f64() * 1e3;
        if self.stage.interrupted() || status.code().is_some_and(|code| interrupt::CODES.contains(&code)) {
            return Err(Ended::Interrupted);
        }
        let json = std::fs::read(&file).map_err(|_| nothing(call, status))?;
        let ran = Ran {
            argv: call.args.clone(),
            counter,
            exit_code: status.code(),
            took_ms,
            expectations: Vec::new(),
        };
        Ok((ran, json))
    }
}

/// The measured answer to a question: a figure, or the letter of the right choice; `None` if the lesson defines none.
///
/// # Errors
/// If the figure has no value, or not exactly one choice is right.
fn measured(question: &Question, results: &Results) -> anyhow::Result<Option<String>> {
    let value = |of: &Expression| {
        let what = format!("`{}`", printable(of.text()));
        patiently(&what, || of.value(results)).map_err(|e| anyhow!("{what}: {e}"))
    };
    if let Some(of) = &question.value {
        return Ok(Some(stage::number(&value(of)?)));
    }
    let mut right = Vec::new();
    for (letter, choice) in ('a'..).zip(&question.choices) {
        if value(&choice.when)? == true {
            right.push(letter.to_string());
        }
    }
    match right.as_slice() {
        _ if question.choices.is_empty() => Ok(None),
        [one] => Ok(Some(one.clone())),
        several => bail!(t!(
            "%{several} of a question's choices are right, not one",
            several = several.len()
        )),
    }
}

/// A guess beside what was measured.
fn compare(guess: &str, measured: &str) -> String {
    let number = guess.replace(',', "").parse().map(figure);
    let guess = printable(guess);
    match guess.to_lowercase() == measured || number.is_ok_and(|n| n == measured) {
        true => t!("You said %{guess}, and that is right.", guess = guess),
        false => t!("You said %{guess}; it was %{was}.", guess = guess, was = measured),
    }
}

/// Commands whose results are explained by the same legend.
fn kind(call: &Call) -> String {
    let command = call.args.first().cloned().unwrap_or_default();
    match technique::named(&command) {
        Some(_) => "compare".into(),
        None => command,
    }
}

fn nothing(call: &Call, status: ExitStatus) -> anyhow::Error {
    anyhow!(t!(
        "`%{call}` measured nothing (%{status})",
        call = call,
        status = status
    ))
}

/// How often it checks whether a command has ended.
const LOOK: Duration = Duration::from_millis(5);

/// How long a command may take to end by itself after an interrupt.
const FORWARD: Duration = Duration::from_secs(1);

/// How long an expression may take; those of the lessons take milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Evaluates expressions. jq may run for ever, and nothing stops it from outside: then this program ends.
pub fn patiently<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (done, waits) = channel::<()>();
    let what = what.to_string();
    let watch = move || {
        if waits.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let seconds = PATIENCE.as_secs();
            crate::cli::tell::complain(&anyhow!(t!(
                "%{what} has no value after %{seconds} s: does it ever end?",
                what = what,
                seconds = seconds
            )));
            std::process::exit(1);
        }
    };
    // Without a thread to watch it, the evaluation has no time limit.
    let _ = std::thread::Builder::new().name("patience".into()).spawn(watch);
    let value = work();
    drop(done);
    value
}

fn judge(expectation: &Expectation, results: &Results) -> Judged {
    let what = format!("`{}`", printable(expectation.that.text()));
    Judged::new(expectation, patiently(&what, || expectation.that.judge(results)))
}

fn filled(words: &crate::lesson::Words, results: Option<&Results>) -> anyhow::Result<String> {
    patiently("a figure in a text", || stage::filled(words, results))
        .map_err(|e| anyhow!(t!("a text cannot be filled in: %{e}", e = e)))
}
