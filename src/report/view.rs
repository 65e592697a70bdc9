//! The trait of a result that can be drawn in every format: `views/` implements it, `render/` has the
//! formats.

use anyhow::{Result, bail};

use super::csv::Records;
use super::doc::Doc;
use super::format::Format;
use super::style::Style;
use crate::lang::t;

/// A result that can be drawn in every format.
pub trait View {
    /// The result as a document, for people.
    fn doc(&self) -> Doc;

    /// The result as rows, for a spreadsheet.
    ///
    /// # Errors
    /// If it has no rows.
    fn records(&self) -> Result<Records>;

    /// Its events as rows: what happened when.
    ///
    /// # Errors
    /// If it is no run, which alone has events.
    fn events(&self) -> Result<Records> {
        bail!(t!(
            "--events is for the result of a run: this result has no events"
        ));
    }

    /// The result as JSON, for programs.
    ///
    /// # Errors
    /// If it has no JSON.
    fn json(&self) -> Result<String>;

    /// Its own drawing, in a format for which its document is not suitable.
    fn own(&self, _: Format, _: &Style) -> Option<Result<String>> {
        None
    }
}
