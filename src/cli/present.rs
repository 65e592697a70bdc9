//! A result that a view draws: printed, and kept.

use std::path::Path;

use super::failure::Failure;
use super::output::{save, tell_written};
use crate::report::{self, Format, Style, View};

/// Prints a result to the first path, or to stdout, and keeps it as JSON at the second, as was asked. What a
/// format has more of in a file, it says.
pub fn present(
    format: Format,
    view: &dyn View,
    style: &Style,
    [output, kept]: [Option<&Path>; 2],
) -> Result<(), Failure> {
    if format.has_charts_beside() && output.is_none() && view.doc().has_charts() {
        tell!("hint: with --output FILE there are charts, too, as SVG files beside it");
    }
    report::publish(format, view, style, output).map_err(Failure::Run)?;
    tell_written(output, format, true);
    save(kept, || view.json(), true)
}
