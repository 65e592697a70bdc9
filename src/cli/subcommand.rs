//! A subcommand: its name, its definition, its examples and its function.

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::failure::Failure;

/// A subcommand of `mailcall`.
pub struct Subcommand {
    /// Its name on the command line and in JSON.
    pub name: &'static str,
    /// Adds a description and flags to a command of that name.
    pub define: fn(Command) -> Command,
    /// The text under its `--help`.
    pub examples: &'static str,
    /// Runs it.
    pub run: fn(&ArgMatches, Whole) -> Result<ExitCode, Failure>,
}

/// The whole command line, for commands that read or show others: a lesson's, a sweep's, the manual's.
pub type Whole = fn() -> Command;

impl Subcommand {
    /// The command for clap.
    pub fn defined(&self) -> Command {
        let command = (self.define)(Command::new(self.name));
        match self.examples {
            "" => command,
            examples => command.after_help(examples),
        }
    }
}
