//! From an inspection to text, in a format.

use anyhow::{Result, ensure};

use super::words::Extent;
use super::{html, json, text, view};
use crate::explain::{self, Unit};
use crate::outcome::inspection::Inspection;
use crate::report::csv;
use crate::report::format::Format;
use crate::report::json::json_of;
use crate::report::render::markdown;
use crate::report::style::Style;

/// Draws an inspection; the text ends in a newline.
///
/// # Errors
/// If it does not account for every byte: then nothing in it may be believed.
pub fn render(format: Format, inspection: &Inspection, style: &Style, extent: Extent) -> Result<String> {
    ensure!(
        inspection.is_complete(),
        "the transcript does not account for every byte that crossed"
    );
    let units: Vec<Vec<Unit>> = inspection
        .connections
        .iter()
        .map(|connection| explain::units(&connection.transcript))
        .collect();
    ensure!(
        units.iter().flatten().map(Unit::len).sum::<u64>() == inspection.raw().iter().sum::<u64>(),
        "the explanations do not account for every byte that crossed"
    );
    match format {
        Format::Table => Ok(text::draw(inspection, &units, style, extent)),
        Format::Json => json_of(&json::document(inspection, &units)),
        Format::Csv => csv::written(&view::records(&serde_json::to_value(json::document(
            inspection, &units,
        ))?)),
        Format::Markdown => Ok(markdown::draw(&view::doc(inspection, &units, extent), style)),
        Format::Html => html::draw(inspection, &units, extent),
    }
}
