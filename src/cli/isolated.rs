//! The server's end of `--isolate`: this program, started again for one technique's server.

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::failure::Failure;
use super::subcommand::{Subcommand, Whole};
use crate::lab::isolate;

/// The command. Only `--isolate` uses it.
pub const COMMAND: Subcommand = Subcommand {
    name: isolate::COMMAND,
    define,
    examples: "",
    run,
};

fn define(command: Command) -> Command {
    command.hide(true)
}

fn run(_: &ArgMatches, _: Whole) -> Result<ExitCode, Failure> {
    isolate::serve(std::io::stdin(), std::io::stdout()).map_err(Failure::Run)?;
    Ok(ExitCode::SUCCESS)
}
