//! Parses the arguments, runs, prints an error once, and sets the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    mailcall::cli::main()
}
