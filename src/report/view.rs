//! What a result has to say of itself to have every format: see `views/` for who does, `render/` for the
//! formats.

use anyhow::Result;
use serde::Serialize;

use super::csv::Records;
use super::doc::Doc;

/// A result that can be drawn in every format. Its JSON is its own.
pub trait View: Serialize {
    /// As a document, for people.
    fn doc(&self) -> Doc;

    /// As rows, for a spreadsheet.
    ///
    /// # Errors
    /// If it has no JSON.
    fn records(&self) -> Result<Records>;
}
