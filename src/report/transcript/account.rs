//! An inspection with its explained units: the input of all formats.

use anyhow::{Result, ensure};

use super::words::Extent;
use super::{html, json, text, view};
use crate::explain::{self, Unit};
use crate::outcome::inspection::Inspection;
use crate::report::csv::Records;
use crate::report::doc::Doc;
use crate::report::format::Format;
use crate::report::json::json_of;
use crate::report::style::Style;
use crate::report::view::View;

/// A conversation with every byte explained.
#[derive(Debug)]
pub struct Account {
    inspection: Inspection,
    units: Vec<Vec<Unit>>,
    extent: Extent,
}

impl Account {
    /// Explains an inspection.
    ///
    /// # Errors
    /// If it does not account for every byte, so that nothing in it can be trusted.
    pub fn of(inspection: Inspection, extent: Extent) -> Result<Account> {
        ensure!(
            inspection.is_complete(),
            "the transcript does not account for every byte that crossed"
        );
        let connections = inspection.connections.iter();
        let units: Vec<Vec<Unit>> = connections.map(|c| explain::units(&c.transcript)).collect();
        ensure!(
            units.iter().flatten().map(Unit::len).sum::<u64>() == inspection.raw().iter().sum::<u64>(),
            "the explanations do not account for every byte that crossed"
        );
        Ok(Account {
            inspection,
            units,
            extent,
        })
    }

    /// Reads an inspection saved as JSON. Its explanations are in English.
    ///
    /// # Errors
    /// If the text is not such JSON, or does not account for every byte.
    pub fn read(text: &str) -> Result<Account> {
        let (inspection, units) = serde_json::from_str::<json::Document>(text)?.read()?;
        Ok(Account {
            inspection,
            units,
            extent: Extent::default(),
        })
    }
}

impl View for Account {
    fn doc(&self) -> Doc {
        view::doc(&self.inspection, &self.units, self.extent)
    }

    fn records(&self) -> Result<Records> {
        let document = json::document(&self.inspection, &self.units);
        Ok(view::records(&serde_json::to_value(document)?))
    }

    fn json(&self) -> Result<String> {
        json_of(&json::document(&self.inspection, &self.units))
    }

    /// Bytes are shown beside their explanations, which a document's tables cannot do.
    fn own(&self, format: Format, style: &Style) -> Option<Result<String>> {
        let Account {
            inspection,
            units,
            extent,
        } = self;
        match format {
            Format::Table => Some(Ok(text::draw(inspection, units, style, *extent))),
            Format::Html => Some(html::draw(inspection, units, *extent)),
            _ => None,
        }
    }
}
