//! What a report says, before anybody knows in which format: a [`Doc`] is a list of blocks. A view makes
//! one from an outcome, a renderer draws it.

use super::chart::Fill;
use super::lanes::Lanes;
use super::picture::Picture;
pub use super::table::{Cell, Column, Group, Mark, Narrow, Row, Table};
use crate::lang::t;

/// A document.
#[derive(Default)]
pub struct Doc {
    /// The title of a page.
    pub title: String,
    /// What the command is about, above a page's headline.
    pub brand: String,
    /// The one sentence that a page begins with.
    pub headline: String,
    /// Where it was measured, up to the command that follows; empty if that is not told.
    pub place: String,
    /// The command that reproduces it; empty if there is none.
    pub command: String,
    /// What it says, in the order of reading.
    pub blocks: Vec<Block>,
    /// The documents that it puts together, which follow.
    pub parts: Vec<Part>,
}

/// A document among others.
pub struct Part {
    /// What sets it apart from the others.
    pub name: String,
    /// The file that it is from.
    pub file: String,
    /// What it says.
    pub doc: Doc,
}

/// A part of a document.
pub enum Block {
    /// What was asked for: one sentence, without its full stop.
    Scenario(String),
    /// What the blocks behind it are about.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// Sentences that stand on a line each.
    Items {
        /// What they are about.
        title: String,
        /// The sentences.
        lines: Vec<String>,
    },
    /// How to read the tables.
    Legend(Vec<Note>),
    /// What is not in the table above, and why.
    Absent(String),
    /// What must not be overlooked.
    Warning(String),
    /// The figures that are most asked for: a page has them.
    Cards(Vec<Card>),
    /// Figures.
    Table(Table),
    /// Figures one by one: a terminal has no room for them.
    Details(Details),
    /// A chart: Markdown and HTML have it.
    Chart(Picture),
    /// What happened when.
    Lanes(Box<Lanes>),
    /// A picture made of characters.
    Fenced(Drawing),
    /// What the words of the tables mean: a page has it.
    Glossary(Vec<(&'static str, String)>),
}

/// What has to be known to read a table.
pub struct Note {
    /// The column that it is about: it is left out with that. `None` if it is about all of them.
    pub column: Option<&'static str>,
    /// A sentence.
    pub text: String,
}

/// A picture made of characters, drawn in so many columns.
pub struct Drawing(Box<dyn Fn(usize) -> String>);

/// A table that a page has room for.
pub struct Details {
    /// The figures.
    pub table: Table,
    /// Whether a page shows them only to who asks.
    pub folded: bool,
    /// What a terminal has in their place.
    pub drawing: Option<Drawing>,
}

/// The figures of a technique that are most asked for.
pub struct Card {
    /// Whose.
    pub name: String,
    /// Its colour.
    pub fill: Fill,
    /// The figures.
    pub facts: Vec<Fact>,
}

/// A figure.
pub struct Fact {
    /// The figure.
    pub value: String,
    /// What it is in.
    pub unit: &'static str,
    /// What it is of, and what was predicted of it.
    pub of: String,
}

impl Doc {
    /// Whether it has charts.
    pub fn has_charts(&self) -> bool {
        let is_chart = |block: &Block| matches!(block, Block::Chart(_));
        self.blocks.iter().any(is_chart) || self.parts.iter().any(|part| part.doc.has_charts())
    }

    /// The tables.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Table(table) => Some(table),
            _ => None,
        })
    }

    /// What has to be known to read the tables, of which these columns are shown, as one paragraph; `sign` says
    /// what marks the best of several, where that is no word.
    pub fn legend(&self, notes: &[Note], sign: &str, shown: &[String]) -> String {
        let mut tables = self.tables();
        let signed = tables.any(|t| t.mark == Mark::Sign && t.columns.len() > 1 && t.is_marked());
        let is_shown = |note: &&Note| note.column.is_none_or(|name| shown.iter().any(|s| s == name));
        let notes = notes.iter().filter(is_shown).map(|note| note.text.clone());
        let sentences = signed.then(|| t!(sign)).into_iter().chain(notes);
        sentences.collect::<Vec<_>>().join(" ")
    }

    /// The titles of all columns.
    pub fn columns(&self) -> Vec<String> {
        let columns = self.tables().flat_map(|table| &table.columns);
        columns.map(|column| column.title.clone()).collect()
    }
}

impl Block {
    /// A legend of sentences about all columns.
    pub fn legend(text: String) -> Block {
        Block::Legend(vec![Note { column: None, text }])
    }
}

impl Drawing {
    /// One that `draw` makes for any number of columns.
    pub fn new(draw: impl Fn(usize) -> String + 'static) -> Drawing {
        Drawing(Box::new(draw))
    }

    /// Draws it in so many columns.
    pub fn draw(&self, width: usize) -> String {
        (self.0)(width)
    }
}
