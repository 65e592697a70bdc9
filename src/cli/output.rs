//! How a command ends: what it prints and keeps, what it says of that, and its exit code.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use super::failure::Failure;
use super::interrupt;
use super::tell::terminal_width;
use crate::outcome::{Envelope, Outcome, Report};
use crate::report::{self, Style};
use crate::{input, terminal};

/// The words of the call, without the program's name; what is not UTF-8 is replaced.
pub fn words() -> Vec<String> {
    let words = std::env::args_os().skip(1);
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}

/// What the result of this call begins with; `command`: `None` for a run.
pub fn envelope(command: Option<&str>, partial: bool) -> Envelope {
    Envelope::new(command, words(), partial)
}

/// A file's text, or that of stdin for `-`, if it is no larger than its kind can be: what never ends, as a
/// device may, must not eat all memory.
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

/// Pipes and devices have no file to open.
pub fn say_written(path: &Path, how: &str) {
    if report::is_file(path) {
        tell!("wrote {}{how}", path.display());
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

/// What a run says that was interrupted so early.
pub fn ended_before_any_mail() -> ExitCode {
    tell!("interrupted before the first mail: there is nothing to show");
    interrupt::exit_code()
}

/// The exit code of a run that came to its end, or not. `met`: it kept to what was expected of it.
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

/// Colour and the terminal's own width where there is a terminal, and nobody has declined them.
pub fn plain_style(output: Option<&Path>) -> Style {
    let to_terminal = output.is_none() && std::io::stdout().is_terminal();
    let colour = output.is_none() && terminal::colour(&std::io::stdout());
    Style {
        width: to_terminal.then(terminal_width).flatten(),
        colour,
        ..Style::default()
    }
}
