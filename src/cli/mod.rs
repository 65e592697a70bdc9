//! The command line: its flags, the commands, and the exit code. Each command is a file, and an entry of
//! the table in `commands`.
//!
//! Exit codes: 0 clean; 1 the run failed, mail did not come once and in order, or an `--expect` does not hold
//! (`output::verdict`); 2 bad usage; 129, 130 and 143 ended by SIGHUP, Ctrl-C and SIGTERM, with the results so far
//! printed as partial.

#[macro_use]
mod tell;

mod ablate;
mod advise;
mod args;
mod bars;
mod choice;
mod class;
mod commands;
mod compare;
mod completions;
mod demo;
mod entry;
mod expect;
mod failure;
mod flags;
mod help;
mod inspect;
mod interrupt;
mod isolated;
mod listen;
mod manual;
mod output;
mod overview;
mod present;
mod refused;
mod report;
mod serve;
mod storm;
mod subcommand;
mod sum;
mod sweep;
mod vanish;
#[cfg(unix)]
mod visit;

pub use entry::main;
pub use report::redraw;

/// Every English text that `--help` has, of every command.
#[doc(hidden)]
pub fn help_texts() -> Vec<String> {
    help::texts(commands::whole())
}
