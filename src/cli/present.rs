//! Prints and saves a result that a view draws.

use std::path::Path;

use super::failure::Failure;
use super::output::{quoted, say_written};
use crate::lang::t;
use crate::report::{self, Format, Style, View};

/// Prints a result to the first path, or to stdout, and saves it as JSON to the second, if there is one. It
/// gives a hint if the format has more in a file.
pub fn present(
    format: Format,
    view: &dyn View,
    style: &Style,
    [output, kept]: [Option<&Path>; 2],
) -> Result<(), Failure> {
    if format.has_charts_beside() && output.is_none() && view.doc().has_charts() {
        tell!(
            "{}",
            t!("hint: with --output FILE there are charts, too, as SVG files beside it")
        );
    }
    report::publish(format, view, style, output).map_err(Failure::Run)?;
    tell_written(output, format);
    if kept.is_some() {
        report::publish(Format::Json, view, style, kept).map_err(Failure::Run)?;
        tell_written(kept, Format::Json);
    }
    Ok(())
}

/// Tells which file was written, and how to open it.
fn tell_written(path: Option<&Path>, format: Format) {
    let Some(path) = path else { return };
    let how = match format {
        Format::Html => t!(": a browser opens it"),
        Format::Csv => t!(": a spreadsheet opens it"),
        Format::Json => t!(": `mailcall report %{path}` draws it", path = quoted(path)),
        Format::Table | Format::Markdown => String::new(),
    };
    say_written(path, &how);
}
