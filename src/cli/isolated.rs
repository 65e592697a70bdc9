//! The server's end of `--isolate`: this program, started again for one technique's server.

use std::io;
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
    match isolate::serve(io::stdin(), io::stdout()) {
        // The program that started it is gone: there is no one to read a message.
        Err(e) if is_unread(&e) => Ok(ExitCode::FAILURE),
        ended => ended.map(|()| ExitCode::SUCCESS).map_err(Failure::Run),
    }
}

fn is_unread(e: &anyhow::Error) -> bool {
    e.downcast_ref::<io::Error>()
        .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}
