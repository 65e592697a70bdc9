//! The contents of a report, independent of the format: a [`Doc`] is a list of blocks. A view makes a
//! document from an outcome, and a renderer draws it.

use super::chart::{About, Crossing, Fill, sequence};
use super::lanes::Lanes;
use super::picture::Picture;
pub use super::table::{Cell, Column, Group, Mark, Narrow, Row, Table};
use crate::lang::t;

/// A document.
#[derive(Default)]
pub struct Doc {
    /// The title of a page.
    pub title: String,
    /// The subject of the command, above a page's headline.
    pub brand: String,
    /// The sentence at the start of a page.
    pub headline: String,
    /// Where it was measured; on a page the command follows. Empty if this is not shown.
    pub place: String,
    /// The command that reproduces it; empty if there is none.
    pub command: String,
    /// The blocks, in reading order.
    pub blocks: Vec<Block>,
    /// The documents that it combines, which follow.
    pub parts: Vec<Part>,
}

/// A document within another.
pub struct Part {
    /// Its name, which distinguishes it from the others.
    pub name: String,
    /// The file that it is from.
    pub file: String,
    /// Its content.
    pub doc: Doc,
}

/// A part of a document.
pub enum Block {
    /// The scenario: one sentence, without its full stop.
    Scenario(String),
    /// The heading of the next blocks.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// Sentences, each on its own line.
    Items {
        /// Their title.
        title: String,
        /// The sentences.
        lines: Vec<String>,
    },
    /// How to read the tables.
    Legend(Vec<Note>),
    /// What is missing in the table above, and why.
    Absent(String),
    /// Something that readers must not miss.
    Warning(String),
    /// The most important figures: only on pages.
    Cards(Vec<Card>),
    /// A table of figures.
    Table(Table),
    /// A table of single figures: a terminal has no room for it.
    Details(Details),
    /// A chart: only in Markdown and HTML.
    Chart(Picture),
    /// A timeline of events.
    Lanes(Box<Lanes>),
    /// A picture made of characters.
    Fenced(Drawing),
    /// A chart of the same document, made of characters: not on pages.
    TextChart(Drawing),
    /// The terms in the tables: only on pages.
    Glossary(Vec<(&'static str, String)>),
}

/// A sentence that is needed to read a table.
pub struct Note {
    /// The column that it is about: without that column it is left out. `None` if it is about all columns.
    pub column: Option<&'static str>,
    /// A sentence.
    pub text: String,
}

/// A picture made of characters, which can be drawn at any width in columns.
pub struct Drawing(Box<dyn Fn(usize) -> String>);

/// A table that a page has room for.
pub struct Details {
    /// The figures.
    pub table: Table,
    /// Whether a page shows them only on demand.
    pub folded: bool,
    /// The picture that replaces them on a terminal.
    pub drawing: Option<Drawing>,
}

/// The most important figures of a technique.
pub struct Card {
    /// The technique's name.
    pub name: String,
    /// Its full name; empty if it is not known here.
    pub title: String,
    /// Its exchanges; `None` if they are not known here.
    pub sketch: Option<Sketch>,
    /// Its colour.
    pub fill: Fill,
    /// The figures.
    pub facts: Vec<Fact>,
}

/// A technique's exchanges as a small diagram.
pub struct Sketch {
    /// What it does, in a sentence.
    pub about: String,
    /// The names of client and server.
    pub sides: [String; 2],
    /// What crosses between them.
    pub crossings: Vec<Crossing>,
}

/// A figure with its unit.
pub struct Fact {
    /// The figure.
    pub value: String,
    /// Its unit.
    pub unit: &'static str,
    /// The quantity, and its prediction.
    pub of: String,
}

impl Card {
    /// Its diagram, for a page on which `id` is unique.
    pub fn diagram(&self, id: &str) -> Option<String> {
        let sketch = self.sketch.as_ref()?;
        let about = About {
            id: id.into(),
            title: self.title.clone(),
            desc: sketch.about.clone(),
        };
        Some(sequence(&about, &sketch.sides, &sketch.crossings, self.fill))
    }
}

impl Doc {
    /// The document of a command that answers one question.
    pub fn answering(question: String, brand: &str, command: String, blocks: Vec<Block>) -> Doc {
        Doc {
            title: format!("mailcall {brand}: {question}"),
            brand: brand.into(),
            headline: question,
            command,
            blocks,
            ..Doc::default()
        }
    }

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

    /// The notes for the tables whose columns `shown` are shown, as one paragraph; `sign` explains the mark
    /// of the best of several, where that is a sign.
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
    /// A picture that `draw` makes for any number of columns.
    pub fn new(draw: impl Fn(usize) -> String + 'static) -> Drawing {
        Drawing(Box::new(draw))
    }

    /// Draws it in this many columns.
    pub fn draw(&self, width: usize) -> String {
        (self.0)(width)
    }
}
