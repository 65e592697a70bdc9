//! `mailcall report --sum`: adds up what clients on several machines got from one server.

use std::process::ExitCode;

use anyhow::{Error, anyhow};

use super::failure::Failure;
use super::output::envelope;
use super::present::present;
use crate::lang::t;
use crate::outcome::Report;
use crate::outcome::sum::{self, Sum, Unlike};
use crate::report::{Format, Saved, Style};

/// Adds up saved results, and draws the sum. The exit code is 1 if mail is missing.
///
/// # Errors
/// If they are not of clients on several machines that visited one server.
pub fn run(
    saved: Vec<(String, Saved)>,
    format: Format,
    style: &Style,
    output: Option<&std::path::Path>,
) -> Result<ExitCode, Failure> {
    let runs = saved.into_iter().map(|(file, saved)| match saved {
        Saved::Run(report) => Ok((file, *report)),
        _ => Err(explained(Unlike::NoVisit(file))),
    });
    let runs: Vec<(String, Report)> = runs.collect::<Result<_, _>>().map_err(Failure::Usage)?;
    let partial = runs.iter().any(|(_, report)| report.envelope.partial);
    let envelope = envelope(Some(sum::COMMAND), partial);
    let sum = Sum::of(envelope, &runs).map_err(|why| Failure::Usage(explained(why)))?;
    present(format, &sum, style, [output, None])?;
    Ok(match sum.clean() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn explained(why: Unlike) -> Error {
    anyhow!(match why {
        Unlike::Few => t!("--sum adds up at least two results: name two files or more"),
        Unlike::NoVisit(file) => t!(
            "%{file} is not of clients that measured at a server elsewhere: `mailcall ws URL --save FILE` writes such a result",
            file = file
        ),
        Unlike::NotOne(file) => t!("%{file} is not of one technique and one seed", file = file),
        Unlike::Same(first, other) => t!(
            "%{first} and %{other} hold the same result: it would be counted twice",
            first = first,
            other = other
        ),
        Unlike::Differ { first, other, what } => t!(
            "the results differ in %{what}: %{a} has %{value}, %{b} has %{other}; only what is equal can be added up",
            what = what,
            a = first.0,
            value = first.1,
            b = other.0,
            other = other.1
        ),
    })
}
