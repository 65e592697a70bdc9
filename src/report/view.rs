//! What a result has to say of itself to have every format: see `views/` for who does, `render/` for the
//! formats.

use anyhow::Result;

use super::csv::Records;
use super::doc::Doc;
use super::format::Format;
use super::style::Style;

/// A result that can be drawn in every format.
pub trait View {
    /// As a document, for people.
    fn doc(&self) -> Doc;

    /// As rows, for a spreadsheet.
    ///
    /// # Errors
    /// If there are none.
    fn records(&self) -> Result<Records>;

    /// As JSON, for programs.
    ///
    /// # Errors
    /// If there is none.
    fn json(&self) -> Result<String>;

    /// A drawing of its own, in a format that its document does not suit.
    fn own(&self, _: Format, _: &Style) -> Option<Result<String>> {
        None
    }
}
