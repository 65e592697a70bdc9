//! A result that a view draws: printed, and kept.

use super::args::ResultArgs;
use super::failure::Failure;
use super::output::{plain_style, save, tell_written};
use crate::report::{self, Format, View};

/// Prints a result and keeps it, as was asked. `drawn`: `mailcall report` reads its JSON.
pub fn present(format: Format, view: &impl View, asked: &ResultArgs, drawn: bool) -> Result<(), Failure> {
    let output = asked.output.as_deref();
    report::publish(format, view, &plain_style(output), output).map_err(Failure::Run)?;
    tell_written(output, format, drawn);
    save(asked.save.as_deref(), || report::json_of(view), drawn)
}
