//! The command line: what was asked, who does it, how it ends.
//!
//! Exit codes: 0 clean; 1 the run failed, or mail was lost or undelivered; 2 bad usage; 129, 130 and 143 ended by SIGHUP,
//! Ctrl-C and SIGTERM, with what there was until then printed as partial.

/// Talk goes to stderr; where that is closed nobody wants to hear it.
macro_rules! tell {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let text = $crate::cli::told(&format!($($text)*));
        let _ = writeln!(std::io::stderr(), "{text}");
    }};
}

mod advise;
mod args;
mod bars;
mod demo;
mod help;
mod inspect;
mod interrupt;
mod manual;
mod saved;
mod serve;
mod sweep;
mod vanish;
#[cfg(unix)]
mod visit;

pub use saved::redraw;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::builder::PossibleValue;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, ValueEnum};
use unicode_width::UnicodeWidthStr;

use crate::lab::{self, Lab, Recordings, Simulated, descriptors, isolate};
use crate::lang::{self, Language};
use crate::link::Recorded;
use crate::outcome::{Absent, Envelope, Outcome, Report, Scenario};
use crate::report::pcap::{self, Epoch, Interface};
use crate::report::{self, Format, Run, Style, View};
use crate::technique::flags::Flag;
use crate::technique::{self, Headers, Technique, tcp};
use crate::{input, terminal};

use args::{Asked, ResultArgs};

/// Why a command did not succeed.
enum Failure {
    /// The call's words are off, or name something that cannot be used: exit code 2.
    Usage(anyhow::Error),
    /// It was tried and failed: exit code 1.
    Run(anyhow::Error),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // First of all: what help prints, too, may go to a file that must not grow.
    let listening = descriptors::ensure_some().and_then(|()| interrupt::listen());
    let matches = match args::command().try_get_matches_from(signed(std::env::args_os())) {
        Ok(matches) => matches,
        Err(e) => return explain(&e),
    };
    language(&matches).speak();
    match listening.map_err(Failure::Run).and_then(|()| dispatch(&matches)) {
        Ok(code) => code,
        Err(Failure::Usage(e)) => {
            complain(&e);
            ExitCode::from(2)
        }
        Err(Failure::Run(e)) => {
            complain(&e);
            ExitCode::FAILURE
        }
    }
}

/// Joins each flag and a number below zero behind it, `--rate -1/s` to `--rate=-1/s`: then it is a value, which
/// the flag refuses in its own words, and not a flag that nobody knows.
fn signed(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let starts = |word: &OsString, digit: bool| {
        let mut bytes = word.as_encoded_bytes().iter();
        let second = bytes
            .next()
            .zip(bytes.next())
            .filter(|(first, _)| **first == b'-');
        second.is_some_and(|(_, second)| match digit {
            true => second.is_ascii_digit() || *second == b'.',
            false => *second == b'-',
        })
    };
    let mut joined: Vec<OsString> = Vec::new();
    let mut flags = true;
    for word in words {
        flags &= word != "--";
        match joined.last_mut() {
            Some(flag)
                if flags
                    && starts(&word, true)
                    && starts(flag, false)
                    && !flag.as_encoded_bytes().contains(&b'=') =>
            {
                flag.push("=");
                flag.push(word);
            }
            _ => joined.push(word),
        }
    }
    joined
}

/// Whose flag it is that a technique does not have, and why not.
fn of_another(refused: &clap::Error, words: &[String]) -> Option<String> {
    let Some(ContextValue::String(given)) = refused.get(ContextKind::InvalidArg) else {
        return None;
    };
    let named = |t: &&&Technique| words.iter().any(|word| word == t.name);
    let technique = technique::ALL.iter().find(named)?;
    let is_given = |flag: &&&Flag| {
        (flag.arg)()
            .get_long()
            .is_some_and(|long| given == &format!("--{long}"))
    };
    let flag_of = |t: &&&Technique| t.flags.iter().find(is_given).copied();
    if refused.kind() != ErrorKind::UnknownArgument || flag_of(&technique).is_some() {
        return None;
    }
    let owners: Vec<String> = technique::ALL
        .iter()
        .filter(|t| flag_of(t).is_some())
        .map(|t| t.name.into())
        .collect();
    let flag = technique::ALL.iter().find_map(|t| flag_of(&t))?;
    let belong = format!("`{given}` belongs to {}", lang::list(&owners));
    Some(format!("{belong}; {} has no {}", technique.name, flag.lacking))
}

/// Prints help, or what is wrong with the words of the call.
fn explain(refused: &clap::Error) -> ExitCode {
    if let Some(why) = of_another(refused, &words()) {
        tell!("error: {why}");
        return ExitCode::from(2);
    }
    let styled = refused.render();
    let to_stderr = refused.use_stderr();
    let colour = match to_stderr {
        true => terminal::colour(&std::io::stderr()),
        false => terminal::colour(&std::io::stdout()),
    };
    // Help has no foreign words; an error may repeat what was typed, and with it a sequence that colours.
    let foreign = words().iter().any(|word| word.contains(char::is_control));
    let text = match colour && !foreign {
        true => styled.ansi().to_string(),
        false => terminal::plain(&styled.to_string()),
    };
    match to_stderr {
        true => {
            let _ = write!(std::io::stderr(), "{text}");
            ExitCode::from(2)
        }
        false => match report::deliver(&text, None) {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                complain(&e);
                ExitCode::FAILURE
            }
        },
    }
}

/// The words of the call, without the program's name; what is not UTF-8 is replaced.
fn words() -> Vec<String> {
    let words = std::env::args_os().skip(1);
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}

/// What the result of this call begins with; `command`: `None` for a run.
fn envelope(command: Option<&str>, partial: bool) -> Envelope {
    Envelope::new(command, words(), partial)
}

/// Says what went wrong.
fn complain(error: &anyhow::Error) {
    tell!("error: {}", terminal::causes(error));
}

/// A file's text, or that of stdin for `-`, if it is no larger than its kind can be: what never ends, as a
/// device may, must not eat all memory.
fn text_of(file: &Path, most: u64) -> anyhow::Result<String> {
    let bytes = match file.as_os_str() == "-" {
        true => input::read_from(std::io::stdin(), most)?,
        false => input::read(file, most)?,
    };
    Ok(input::text(&bytes)?.to_owned())
}

/// The one that was asked for, or the locale's.
fn language(matches: &ArgMatches) -> Language {
    let asked = matches.get_one("lang").copied();
    asked.unwrap_or_else(|| Language::of_locale(|name| std::env::var(name).ok()))
}

fn dispatch(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    match matches.subcommand() {
        None => print(&help::short(terminal_width())),
        Some(("completions", matches)) => print(&help::completions(matches)),
        Some((manual::COMMAND, matches)) => print(&manual::page(matches)?),
        Some((isolate::COMMAND, _)) => {
            isolate::serve(std::io::stdin(), std::io::stdout()).map_err(Failure::Run)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(("compare", matches)) => run(matches, &named(matches)),
        Some((sweep::COMMAND, matches)) => sweep::run(matches),
        Some((advise::COMMAND, matches)) => advise::run(matches),
        Some((serve::COMMAND, matches)) => serve::run(matches),
        Some((vanish::COMMAND, matches)) => vanish::run(matches),
        Some((inspect::COMMAND, matches)) => inspect::run(matches),
        Some((saved::COMMAND, matches)) => saved::run(matches),
        Some((demo::COMMAND, matches)) => demo::run(matches),
        #[cfg(unix)]
        Some((name, matches))
            if let (Some(technique), Some(url)) = (technique::named(name), visit::url(matches)) =>
        {
            visit::run(matches, technique, url)
        }
        Some((name, matches)) => run(matches, technique::named(name).as_slice()),
    }
}

/// The techniques that were named; if none was, all of them, or those that need no other.
fn named(matches: &ArgMatches) -> Vec<&'static Technique> {
    let named: Vec<&String> = matches.get_many("technique").unwrap_or_default().collect();
    let all = matches.try_get_one("all").ok().flatten() == Some(&true);
    let chosen = technique::ALL.iter().copied().filter(|t| match named.is_empty() {
        true => all || t.layered.is_none(),
        false => named.iter().any(|n| *n == t.name),
    });
    chosen.collect()
}

/// The techniques that can exist in a scenario, if any can, and those that cannot.
fn possible(
    techniques: &[&'static Technique],
    scenario: &Scenario,
) -> Result<(Vec<&'static Technique>, Vec<Absent>), Failure> {
    apart(techniques, |t| (t.cannot)(scenario))
}

/// The same where those are left out, too, that exist and bring nothing in time.
fn useful(
    techniques: &[&'static Technique],
    scenario: &Scenario,
) -> Result<(Vec<&'static Technique>, Vec<Absent>), Failure> {
    apart(techniques, |t| t.useless(scenario))
}

fn apart(
    techniques: &[&'static Technique],
    why: impl Fn(&Technique) -> Option<&'static str>,
) -> Result<(Vec<&'static Technique>, Vec<Absent>), Failure> {
    let (absent, possible): (Vec<_>, Vec<_>) = techniques
        .iter()
        .map(|t| (*t, why(t)))
        .partition(|(_, why)| why.is_some());
    let absent: Vec<Absent> = absent
        .into_iter()
        .filter_map(|(t, why)| {
            Some(Absent {
                technique: t.name.into(),
                why: why?.into(),
            })
        })
        .collect();
    if let (Some(Absent { technique, why }), true) = (absent.first(), possible.is_empty()) {
        return Err(Failure::Usage(anyhow!("{technique} cannot exist here: {why}")));
    }
    Ok((possible.into_iter().map(|(t, _)| t).collect(), absent))
}

fn print(text: &str) -> Result<ExitCode, Failure> {
    report::deliver(text, None).map_err(Failure::Run)?;
    Ok(ExitCode::SUCCESS)
}

fn run(matches: &ArgMatches, techniques: &[&'static Technique]) -> Result<ExitCode, Failure> {
    let asked = Asked::read(matches, techniques).map_err(Failure::Usage)?;
    let (mut techniques, absent) = possible(techniques, &asked.scenario)?;
    techniques.extend(asked.baseline.then_some(&tcp::TECHNIQUE));
    for output in asked.output.iter().chain(&asked.pcap).chain(&asked.save) {
        report::check_output(output).map_err(Failure::Usage)?;
    }
    let mut lab = Lab::new(asked.scenario.clone()).map_err(Failure::Usage)?;
    lab.one_at_a_time = asked.one_at_a_time;
    if asked.isolate {
        let ours = std::env::current_exe().context("--isolate has to start this program again");
        lab.isolate = Some(ours.map_err(Failure::Run)?);
    }
    lab.steady = true;
    lab.recordings = asked.pcap.as_ref().map(|_| Recordings::default());
    lab.simulated = asked.simulate.then(Simulated::default);
    announce(&lab);
    interrupt::ends(lab.interrupt.clone());
    let bars = bars::Bars::new(&techniques);
    let results = lab
        .repeat(&techniques, &|progress| bars.show(progress))
        .map_err(Failure::Run)?;
    bars.clear();
    if lab.interrupt.is_cancelled() && nothing_came(&results) && !asked.format.is_for_programs() {
        return Ok(ended_before_any_mail());
    }
    let report = Report {
        envelope: envelope(None, lab.interrupt.is_cancelled()),
        simulated: asked.simulate,
        environment: (!asked.simulate).then(lab::environment),
        scenario: (*lab.scenario).clone(),
        results,
        absent,
        remote: None,
    };
    let run = Run {
        file: String::new(),
        report,
    };
    publish(
        asked.format,
        std::slice::from_ref(&run),
        &style(&asked),
        asked.output.as_deref(),
    )?;
    save(asked.save.as_deref(), || report::json_of(&run.report), true)?;
    if let (Some(path), Some(recordings)) = (&asked.pcap, &lab.recordings) {
        write_pcap(path, recordings, &techniques, lab.simulated).map_err(Failure::Run)?;
        say_written(path, &format!(": `wireshark {}` opens it", quoted(path)));
    }
    Ok(verdict(&run.report))
}

/// Draws and writes. What a format has more of in a file, it says.
fn publish(format: Format, runs: &[Run], style: &Style, output: Option<&Path>) -> Result<(), Failure> {
    if format.has_charts_beside() && output.is_none() {
        tell!("hint: with --output FILE there are charts, too, as SVG files beside it");
    }
    report::publish_runs(format, runs, style, output).map_err(Failure::Run)?;
    tell_written(output, format, true);
    Ok(())
}

/// Prints a result and keeps it, as was asked. `drawn`: `mailcall report` reads its JSON.
fn present(format: Format, view: &impl View, asked: &ResultArgs, drawn: bool) -> Result<(), Failure> {
    let output = asked.output.as_deref();
    report::publish(format, view, &plain_style(output), output).map_err(Failure::Run)?;
    tell_written(output, format, drawn);
    save(asked.save.as_deref(), || report::json_of(view), drawn)
}

/// Keeps a result as JSON, if that was asked for. `drawn`: `mailcall report` reads it.
fn save(
    path: Option<&Path>,
    json: impl FnOnce() -> anyhow::Result<String>,
    drawn: bool,
) -> Result<(), Failure> {
    let Some(path) = path else {
        return Ok(());
    };
    json()
        .and_then(|text| report::deliver(&text, Some(path)))
        .map_err(Failure::Run)?;
    tell_written(Some(path), Format::Json, drawn);
    Ok(())
}

/// Says which file was written, and how to open it. `drawn`: `mailcall report` reads it if it is JSON.
fn tell_written(output: Option<&Path>, format: impl ValueEnum, drawn: bool) {
    let Some(path) = output else { return };
    let format = format.to_possible_value();
    let how = match format.as_ref().map(PossibleValue::get_name) {
        Some("html") => ": a browser opens it".into(),
        Some("csv") => ": a spreadsheet opens it".into(),
        Some("json") if drawn => format!(": `mailcall report {}` draws it", quoted(path)),
        _ => String::new(),
    };
    say_written(path, &how);
}

/// Pipes and devices have no file to open.
fn say_written(path: &Path, how: &str) {
    if report::is_file(path) {
        tell!("wrote {}{how}", path.display());
    }
}

/// A file's name as one word of a shell's command line.
fn quoted(path: &Path) -> String {
    let name = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=,@%".contains(c);
    match name.chars().all(plain) {
        true => name,
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

/// Whether these runs ended before any mail arrived: all their figures would be dashes.
fn nothing_came<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> bool {
    outcomes.into_iter().all(|outcome| outcome.mails.sent == 0)
}

/// What a run says that was interrupted so early.
fn ended_before_any_mail() -> ExitCode {
    tell!("interrupted before the first mail: there is nothing to show");
    interrupt::exit_code()
}

fn write_pcap(
    path: &Path,
    recordings: &Recordings,
    techniques: &[&Technique],
    simulated: Option<Simulated>,
) -> anyhow::Result<()> {
    let recorded: Vec<_> = techniques
        .iter()
        .map(|technique| {
            let recording = recordings.of(technique.name);
            if recording.dropped() > 0 {
                tell!(
                    "warning: {} bytes of {} were too many to record: the capture lacks them",
                    recording.dropped(),
                    technique.name
                );
            }
            (technique.name, recording.connections(), recording.secrets())
        })
        .collect();
    let interfaces: Vec<_> = recorded
        .iter()
        .map(|(name, connections, secrets)| Interface {
            name,
            connections,
            secrets,
            epoch: epoch(simulated, connections),
        })
        .collect();
    report::deliver_with(path, |to| pcap::write(to, &interfaces))
}

/// What date a recording has: today's, or that of the simulation, which begins with its first connection.
fn epoch(simulated: Option<Simulated>, connections: &[Recorded]) -> Epoch {
    let began = connections.iter().map(|c| c.opened).min();
    let dated = simulated.zip(began).map(|(simulated, instant)| Epoch {
        instant,
        time: simulated.date,
    });
    dated.unwrap_or_else(Epoch::now)
}

fn verdict(report: &Report) -> ExitCode {
    if report.envelope.partial {
        return interrupt::exit_code();
    }
    if report.results.iter().all(Outcome::clean) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn style(asked: &Asked) -> Style {
    Style {
        timeline: asked.timeline,
        lesson: |outcome| technique::named(&outcome.technique).map(|t| (t.lesson)(outcome)),
        buys: |name| technique::named(name)?.layered,
        ..plain_style(asked.output.as_deref())
    }
}

/// Colour and the terminal's own width where there is a terminal, and nobody has declined them.
fn plain_style(output: Option<&Path>) -> Style {
    let to_terminal = output.is_none() && std::io::stdout().is_terminal();
    let colour = output.is_none() && terminal::colour(&std::io::stdout());
    Style {
        width: to_terminal.then(terminal_width).flatten(),
        colour,
        ..Style::default()
    }
}

/// What is told, as stderr shows it: where that is a terminal, a line that is wider is broken between words.
fn told(text: &str) -> String {
    let text = terminal::plain(text);
    let Some(columns) = columns(comfy_table::Table::new().use_stderr()) else {
        return text;
    };
    let columns = columns.max(report::MIN_WIDTH);
    let broken = text.lines().map(|line| match line.width() <= columns {
        true => line.to_owned(),
        false => report::wrap(line, columns, 2).trim_end().to_owned(),
    });
    broken.collect::<Vec<_>>().join("\n")
}

/// `None` where stdout is no terminal.
fn terminal_width() -> Option<usize> {
    columns(&comfy_table::Table::new())
}

/// A terminal that has never been told its width says 0.
fn columns(drawn: &comfy_table::Table) -> Option<usize> {
    drawn.width().map(usize::from).filter(|columns| *columns > 0)
}

/// A run that takes long says so before it starts.
fn announce(lab: &Lab) {
    tell_left_out(&lab.headers);
    let span = lab.plan.span() * lab.scenario.repeat;
    let waits = lab.simulated.is_none() && span.as_secs() >= 60;
    if waits && std::io::stderr().is_terminal() {
        let rounded = std::time::Duration::from_secs(span.as_secs());
        let hint = if lab.scenario.replay.is_some() {
            "; --replay-speed shortens it"
        } else {
            ""
        };
        tell!(
            "mail arrives for {}{hint}; Ctrl-C ends with what there is",
            humantime::format_duration(rounded)
        );
    }
}

/// Names what a header profile holds that is not replayed.
fn tell_left_out(headers: &Headers) {
    let names: Vec<&str> = headers.left_out().iter().map(|name| name.as_str()).collect();
    if !names.is_empty() {
        tell!(
            "warning: {} of {} left out: that changes how a connection is kept or framed",
            names.join(", "),
            headers.name()
        );
    }
}
