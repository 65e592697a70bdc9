//! The server's end of `--isolate`: this program, started again for one technique's server.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgMatches, Command};

use super::failure::Failure;
use super::subcommand::{Subcommand, Whole};
use crate::lab::isolate;
use crate::lang::t;

/// The command. Only `--isolate` uses it.
pub const COMMAND: Subcommand = Subcommand {
    name: isolate::COMMAND,
    define,
    examples: "",
    run,
};

/// The executable that is started again, where each server is to have a process of its own.
///
/// # Errors
/// If the system does not say where it is.
pub fn executable(isolate: bool) -> anyhow::Result<Option<PathBuf>> {
    let ours = isolate.then(std::env::current_exe).transpose();
    ours.context(t!("--isolate has to start this program again"))
}

fn define(command: Command) -> Command {
    command.hide(true)
}

fn run(_: &ArgMatches, _: Whole) -> Result<ExitCode, Failure> {
    isolate::serve(std::io::stdin(), std::io::stdout()).map_err(Failure::Run)?;
    Ok(ExitCode::SUCCESS)
}
