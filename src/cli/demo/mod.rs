//! `mailcall demo`: lists, plays and checks lessons.

mod paper;
mod play;
mod played;
mod stage;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::builder::{OsStringValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::subcommand::{Subcommand, Whole};
use super::{interrupt, refused};
use crate::lang::t;
use crate::lesson::{self, Fault, Lesson};
use crate::report;

use paper::{Paper, Sheet};
use play::Player;
pub use play::patiently;
use played::Ended;
pub use stage::number as figure_of;
use stage::{Pace, Stage};

/// The command.
pub const COMMAND: Subcommand = Subcommand {
    name: "demo",
    define,
    examples: "Examples:\n  mailcall demo\n  mailcall demo wasted-polls\n  mailcall demo 1 --lang ko\n  \
             mailcall demo all --auto\n  mailcall demo all --auto --simulate\n  mailcall demo own.toml --auto --pace 1.5\n  \
             mailcall demo wasted-polls --simulate --worksheet=html\n  mailcall demo wasted-polls --simulate --slides\n  mailcall demo check own.toml",
    run,
};

/// The largest file of a lesson, in bytes.
const LARGEST: u64 = 1 << 20;

/// The name that stands for all lessons.
const ALL: &str = "all";

#[derive(Debug, Args)]
struct DemoArgs {
    /// A lesson's name or number, `all`, or the FILE.toml of your own [default: list them]
    #[arg(value_name = "LESSON", value_parser = OneOfMany, hide_possible_values = true)]
    lesson: Option<OsString>,
    /// Don't wait for Enter
    #[arg(long)]
    auto: bool,
    /// Take time to read and to type, at this speed: 1 is calm, 2 twice as fast
    #[arg(long, value_name = "FACTOR", value_parser = pace)]
    pace: Option<f64>,
    /// Instead of the lesson, run its counter scenarios, where its expectations must fail
    #[arg(long, requires = "lesson")]
    counter: bool,
    /// Don't wait for mail either: simulate each run whose figures need no real machine
    #[arg(long, requires = "lesson")]
    simulate: bool,
    /// Print a worksheet instead: predict, measured, why, with the key on a page of its own. The lesson is
    /// played for the key's figures
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true,
        default_missing_value = "markdown", requires = "lesson", conflicts_with_all = ["counter", "slides"])]
    worksheet: Option<Paper>,
    /// Print slides instead, in Markdown for Marp; the lesson is played for their figures
    #[arg(long, requires = "lesson", conflicts_with = "counter")]
    slides: bool,
    /// Also show the expressions (jq) by which expectations are judged
    #[arg(long, requires = "lesson")]
    verbose: bool,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", conflicts_with_all = ["worksheet", "slides"])]
    format: Format,
}

impl DemoArgs {
    /// Whether the lesson is printed as a worksheet or slides.
    fn on_paper(&self) -> bool {
        self.slides || self.worksheet.is_some()
    }
}

/// A value of `demo --format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For reading in a terminal
    Text,
    /// The verdict on each expectation, for programs; plays as with --auto
    Json,
}

fn define(command: Command) -> Command {
    DemoArgs::augment_args(command)
        .about("Play a lesson: words, questions, and runs that must come out as told")
        .args_conflicts_with_subcommands(true)
        .subcommand(
            Command::new("check")
                .about("Read lessons of your own without running anything")
                .arg(
                    Arg::new("file")
                        .value_name("FILE")
                        .required(true)
                        .num_args(1..)
                        .value_parser(clap::value_parser!(PathBuf)),
                ),
        )
}

/// Accepts any text, because a lesson may be a file, and offers the built-in lessons to a shell that completes.
#[derive(Clone)]
struct OneOfMany;

impl TypedValueParser for OneOfMany {
    type Value = OsString;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<OsString, clap::Error> {
        OsStringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = lesson::SHELF.iter().map(|(name, _)| *name);
        Some(Box::new(names.chain([ALL]).map(PossibleValue::new)))
    }
}

fn pace(text: &str) -> Result<f64, String> {
    let factor: Option<f64> = text.strip_suffix('x').unwrap_or(text).parse().ok();
    factor
        .filter(|f| (0.1..=100.0).contains(f))
        .ok_or_else(|| t!("allowed is 0.1 to 100; 2 is twice as fast as 1"))
}

/// Lists, plays or checks lessons.
fn run(matches: &ArgMatches, whole: Whole) -> Result<ExitCode, Failure> {
    if let Some(("check", matches)) = matches.subcommand() {
        return check(matches, whole);
    }
    let args = DemoArgs::from_arg_matches(matches).map_err(|e| Failure::Usage(e.into()))?;
    match &args.lesson {
        None => list(args.format),
        Some(wanted) => play(&args, find(wanted, whole)?),
    }
}

/// A lesson, and the folder that file names in it are relative to.
pub type Found = (Lesson, PathBuf);

/// The lessons that a name, a number, `all` or a path stands for.
pub fn find(file: &OsStr, whole: Whole) -> Result<Vec<Found>, Failure> {
    let wanted: &str = &file.to_string_lossy();
    let here = |lesson| (lesson, PathBuf::from("."));
    if wanted == ALL {
        let all = lesson::built_in().map_err(broken)?;
        return Ok(all.into_iter().map(here).collect());
    }
    if let Some((name, text)) = lesson::named(wanted) {
        return Ok(vec![here(Lesson::parse(name, text).map_err(broken)?)]);
    }
    let path = Path::new(file);
    if path.extension().is_none() && !path.exists() {
        let meant = lesson::nearest(wanted).map_or_else(
            || t!(";"),
            |name| t!("; did you mean %{name}?", name = format!("{name:?}")),
        );
        return Err(Failure::Usage(anyhow!(t!(
            "there is no lesson %{wanted}%{meant} `mailcall demo` lists them, and your own is named by its file: own.toml",
            wanted = format!("{wanted:?}"),
            meant = meant
        ))));
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).to_path_buf();
    Ok(vec![(read(path, whole)?, folder)])
}

/// The error for a built-in lesson that cannot be read, which is not the caller's mistake.
fn broken(fault: Fault) -> Failure {
    Failure::Run(anyhow!(t!(
        "a built-in lesson is broken: %{fault}",
        fault = fault
    )))
}

/// Reads a teacher's own lesson, and checks it as far as possible without running it.
fn read(path: &Path, whole: Whole) -> Result<Lesson, Failure> {
    let name = path.display();
    let text = super::output::text_of(path, LARGEST)
        .with_context(|| t!("cannot read the lesson %{name}", name = name))
        .map_err(Failure::Usage)?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let lesson = Lesson::parse(&report::printable(&stem), &text);
    let lesson = lesson.and_then(|lesson| {
        can_be_run(&lesson, whole)?;
        Ok(lesson)
    });
    lesson.map_err(|fault| Failure::Usage(anyhow!("{name}: {fault}")))
}

/// Checks that the command line's own parser accepts every command of the lesson.
fn can_be_run(lesson: &Lesson, whole: Whole) -> Result<(), Fault> {
    for call in lesson.calls() {
        let words = ["mailcall"]
            .into_iter()
            .chain(call.args.iter().map(String::as_str));
        if let Err(e) = whole().try_get_matches_from(words) {
            let said = refused::in_short(&e);
            let first = said.lines().next().unwrap_or_default();
            return Err(Fault {
                place: call.place.clone(),
                what: match e.use_stderr() {
                    true => first.into(),
                    false => t!("`%{call}` measures nothing: it only prints help", call = call),
                },
            });
        }
    }
    Ok(())
}

fn check(matches: &ArgMatches, whole: Whole) -> Result<ExitCode, Failure> {
    for path in matches.get_many::<PathBuf>("file").unwrap_or_default() {
        let lesson = read(path, whole)?;
        let runs: Vec<_> = lesson.steps.iter().filter_map(|s| s.run.as_ref()).collect();
        let expectations: usize = runs.iter().map(|r| r.expect.len()).sum();
        let untested = runs.iter().filter(|r| r.counter.is_empty());
        let untested: usize = untested.map(|r| r.expect.len()).sum();
        let mut said = t!(
            "%{file}: steps %{steps}, runs %{runs}, expectations %{expectations}",
            file = report::printable(&path.display().to_string()),
            steps = lesson.steps.len(),
            runs = runs.len(),
            expectations = expectations
        );
        if untested > 0 {
            said += &t!(", %{n} of them without a counter scenario", n = untested);
        }
        super::output::print(&(said + "\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(format: Format) -> Result<ExitCode, Failure> {
    let lessons = lesson::built_in().map_err(broken)?;
    if format == Format::Json {
        let results: Vec<_> = lessons.iter().enumerate().map(listed).collect();
        return print_json("results", &results);
    }
    let style = super::output::plain_style(None);
    super::output::print(&stage::contents(&lessons, &style))
}

fn listed((i, lesson): (usize, &Lesson)) -> serde_json::Value {
    json!({
        "number": i + 1,
        "lesson": lesson.name,
        "title": stage::words(&lesson.title),
        "goal": stage::words(&lesson.goal),
        "seconds": lesson.seconds,
        "class_minutes": lesson.minutes(),
        "chapter": lesson.chapter,
    })
}

/// Prints the fields that every command's JSON begins with, and then the results.
fn print_json(key: &str, results: &impl Serialize) -> Result<ExitCode, Failure> {
    let mut document = json!(super::output::envelope(Some(COMMAND.name), false));
    document["environment"] = json!(crate::lab::environment());
    document[key] = json!(results);
    let text = report::json_of(&document).context(t!("cannot write the verdict as JSON"));
    super::output::print(&text.map_err(Failure::Run)?)
}

fn play(args: &DemoArgs, lessons: Vec<Found>) -> Result<ExitCode, Failure> {
    let silent = args.format == Format::Json || args.on_paper();
    let by_itself = args.auto || silent || args.counter;
    if !by_itself && !std::io::stdin().is_terminal() {
        tell!(
            "{}",
            t!("stdin is no terminal, where Enter could be pressed: playing as with --auto")
        );
    }
    let interrupt = CancellationToken::new();
    interrupt::ends(interrupt.clone());
    let mut player = Player {
        stage: Stage::new(silent, args.verbose, Pace::new(args.pace, by_itself), interrupt),
        program: std::env::current_exe()
            .context(t!("a lesson has to start this program again"))
            .map_err(Failure::Run)?,
        counter: args.counter,
        simulate: args.simulate,
        explained: BTreeSet::new(),
    };
    let mut played = Vec::new();
    for (i, (lesson, folder)) in lessons.iter().enumerate() {
        let before = if i > 0 { player.stage.pause() } else { Ok(()) };
        match before.and_then(|()| player.play(lesson, folder)) {
            Ok(one) => {
                written(args, lesson, &player.stage)?;
                played.push(one);
            }
            Err(Ended::Interrupted) => return Ok(interrupt::exit_code()),
            Err(Ended::Left) => return Ok(ExitCode::SUCCESS),
            Err(Ended::Failed(e)) => return Err(Failure::Run(e)),
        }
        shown(&player.stage)?;
    }
    if args.format == Format::Json {
        print_json("results", &played)?;
    } else if !silent && played.len() > 1 {
        player.stage.summary(&played);
        shown(&player.stage)?;
    }
    Ok(match played.iter().all(|p| p.held) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Prints a lesson that was played as a worksheet or as slides, if they are asked for.
fn written(args: &DemoArgs, lesson: &Lesson, stage: &Stage) -> Result<(), Failure> {
    let sheet = Sheet::new(lesson, stage.cues());
    let text = match (args.worksheet, args.slides) {
        (Some(paper), _) => sheet.worksheet(paper),
        (None, true) => sheet.slides(),
        (None, false) => return Ok(()),
    };
    super::output::print(&text.map_err(Failure::Run)?).map(|_| ())
}

/// Fails if the stage could not write what it had to show.
fn shown(stage: &Stage) -> Result<(), Failure> {
    let unwritable = stage
        .unwritable()
        .map(|e| anyhow!(e).context(t!("cannot write to stdout")));
    unwritable.map_or(Ok(()), |e| Err(Failure::Run(e)))
}
