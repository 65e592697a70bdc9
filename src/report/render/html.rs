//! A document as one page for a browser: nothing is loaded from elsewhere, it opens from disk and prints,
//! light or dark as the reader has it. A page shows what must not be overlooked first, then what is said,
//! the charts, and the tables.

use anyhow::Result;
use askama::Template;

use super::super::chart;
use super::super::doc::{Block, Doc, Table};
use super::super::html::{Figure, figure};
use crate::lang::{t, text};

/// What is said of the mark of the best of a row.
const BEST: &str = text!("least: no other has less beyond noise.");

#[derive(Template)]
#[template(path = "doc.html")]
struct Page<'a> {
    doc: &'a Doc,
    figures: Vec<Figure>,
    tables: Vec<Marked<'a>>,
    said: Said,
    /// Rules that turn charts dark.
    dark: String,
    /// The techniques' colours as CSS variables.
    inks: String,
}

/// A table, and for each column its technique's marker, to stand before its name; empty without.
struct Marked<'a> {
    table: &'a Table,
    markers: Vec<String>,
}

/// The words of the page itself, in the reader's language.
struct Said {
    language: String,
    skip: String,
    look: String,
    copy: String,
    copied: String,
    selected: String,
    warnings: String,
}

impl Page<'_> {
    fn legend(&self, text: &str) -> String {
        self.doc.legend(text, BEST)
    }

    /// Whether sentences say more than the headline.
    fn is_news(&self, lines: &[String]) -> bool {
        lines.iter().any(|line| *line != self.doc.headline)
    }
}

/// Draws the page.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn draw(doc: &Doc) -> Result<String> {
    let figures: Result<_> = doc.charts().map(|picture| figure(picture, 1)).collect();
    let tables: Result<_> = doc.tables().map(marked).collect();
    let page = Page {
        doc,
        figures: figures?,
        tables: tables?,
        said: Said {
            language: rust_i18n::locale().to_string(),
            skip: t!("Skip to the results"),
            look: t!("Look"),
            copy: t!("Copy"),
            copied: t!("Copied"),
            selected: t!("Selected"),
            warnings: t!("Warnings"),
        },
        dark: chart::dark(),
        inks: chart::variables(),
    };
    Ok(page.render()? + "\n")
}

fn marked(table: &Table) -> Result<Marked<'_>> {
    let marker = |fill: &Option<chart::Fill>| fill.map_or(Ok(String::new()), chart::sample);
    let markers: Result<_> = table.columns.iter().map(|c| marker(&c.fill)).collect();
    Ok(Marked {
        table,
        markers: markers?,
    })
}
