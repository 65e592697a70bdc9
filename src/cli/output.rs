//! How a command ends: it prints and saves its result, says so, and returns an exit code.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use super::failure::Failure;
use super::interrupt;
use super::tell::terminal_width;
use crate::lang::t;
use crate::outcome::{Envelope, Outcome, Report, without_password};
use crate::report::{self, Style};
use crate::{input, terminal};

/// The arguments of the call, without the program's name and without passwords in addresses; bytes that are not UTF-8 are
/// replaced.
pub fn words() -> Vec<String> {
    let words = std::env::args_os().skip(1);
    words
        .map(|word| without_password(&word.to_string_lossy()))
        .collect()
}

/// The envelope of this call's result; `command` is `None` for a run.
pub fn envelope(command: Option<&str>, partial: bool) -> Envelope {
    Envelope::new(command, words(), partial)
}

/// The text of a file, or of stdin for `-`, if it has at most `most` bytes: an endless input, such as a
/// device, must not use up all memory.
pub fn text_of(file: &Path, most: u64) -> anyhow::Result<String> {
    let bytes = match file.as_os_str() == "-" {
        true => input::read_from(std::io::stdin(), most)?,
        false => input::read(file, most)?,
    };
    Ok(input::text(&bytes)?.to_owned())
}

pub fn print(text: &str) -> Result<ExitCode, Failure> {
    report::deliver(text, None).map_err(Failure::Run)?;
    Ok(ExitCode::SUCCESS)
}

/// Set for a lesson's runs, which save a file that nobody is to open: `new`, or `explained` if a run of the lesson has
/// explained its tables already.
pub const LESSON: &str = "MAILCALL_LESSON";

/// Tells which file was written. Pipes and devices are no files that one could open.
pub fn say_written(path: &Path, how: &str) {
    if report::is_file(path) && std::env::var_os(LESSON).is_none() {
        tell!("{}", t!("wrote %{path}%{how}", path = path.display(), how = how));
    }
}

/// A file's name as one word of a shell's command line.
pub fn quoted(path: &Path) -> String {
    let name = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=,@%".contains(c);
    match name.chars().all(plain) {
        true => name,
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

/// Whether these runs ended before any mail arrived: all their figures would be dashes.
pub fn nothing_came<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> bool {
    outcomes.into_iter().all(|outcome| outcome.mails.sent == 0)
}

/// The end of a run that was interrupted that early.
pub fn ended_before_any_mail() -> ExitCode {
    tell!(
        "{}",
        t!("interrupted before the first mail: there is nothing to show")
    );
    interrupt::exit_code()
}

/// The exit code of a run. `met` says whether its expectations were met.
pub fn verdict(report: &Report, met: bool) -> ExitCode {
    if report.envelope.partial {
        return interrupt::exit_code();
    }
    if met && report.results.iter().all(Outcome::clean) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Colour and the terminal's own width, if stdout is a terminal and the user has not declined them.
pub fn plain_style(output: Option<&Path>) -> Style {
    let to_terminal = output.is_none() && std::io::stdout().is_terminal();
    let colour = output.is_none() && terminal::colour(&std::io::stdout());
    Style {
        no_legend: std::env::var_os(LESSON).is_some_and(|of| of == "explained"),
        width: to_terminal.then(terminal_width).flatten(),
        colour,
        ..Style::default()
    }
}
