//! What a report says, before anybody knows in which format: a [`Doc`] is a list of blocks. A view makes
//! one from an outcome, a renderer draws it.

use super::chart::Fill;
use super::pictures::Picture;
use crate::lang::t;

/// A document.
pub struct Doc {
    /// The title of a page.
    pub title: String,
    /// What the command is about, above a page's headline.
    pub brand: String,
    /// The one sentence that a page begins with.
    pub headline: String,
    /// Where it was measured; empty if it was not.
    pub place: String,
    /// The command that reproduces it.
    pub command: String,
    /// What it says, in the order of reading.
    pub blocks: Vec<Block>,
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
    Legend(String),
    /// What must not be overlooked.
    Warning(String),
    /// Figures.
    Table(Table),
    /// A chart: Markdown and HTML have it.
    Chart(Picture),
}

/// A table before it is laid out: every row has one cell for each column.
pub struct Table {
    /// Empty if it needs none.
    pub title: String,
    /// What all its figures are in, where that is one unit.
    pub unit: &'static str,
    /// What stands above the rows' names.
    pub corner: String,
    /// All but the column of names.
    pub columns: Vec<Column>,
    /// From top to bottom.
    pub rows: Vec<Row>,
    /// How the columns are divided where a terminal is too narrow for all of them.
    pub narrow: Narrow,
}

/// The head of a column.
#[derive(Default)]
pub struct Column {
    /// The first line.
    pub title: String,
    /// The second.
    pub unit: &'static str,
    /// Whether it holds words, which begin on one line, and not numbers, which end on one.
    pub words: bool,
    /// The technique's colour and marker, if the column is about one.
    pub fill: Option<Fill>,
}

/// A row.
pub struct Row {
    /// Whose it is.
    pub name: String,
    /// One for each column.
    pub cells: Vec<Cell>,
    /// What was predicted of each, if anything was.
    pub predicted: Option<Vec<String>>,
}

/// What stands in one place of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// A number, or words.
    pub text: String,
    /// `Some` in a table in which the best is marked: whether it is this.
    pub best: Option<bool>,
}

/// How columns are divided where a terminal is too narrow for all of them.
pub enum Narrow {
    /// They are not: what is shown fits.
    Fits,
    /// So many columns stand in a table together as there is room for.
    Fill,
    /// Columns that belong together stand in a table of their own.
    Groups(Vec<Group>),
}

/// Columns that belong together.
pub struct Group {
    /// What is said behind the table's title.
    pub about: String,
    /// How many columns.
    pub columns: usize,
}

impl Doc {
    /// What must not be overlooked.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Warning(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The charts.
    pub fn charts(&self) -> impl Iterator<Item = &Picture> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Chart(picture) => Some(picture),
            _ => None,
        })
    }

    /// The tables.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Table(table) => Some(table),
            _ => None,
        })
    }

    /// How to read the tables.
    pub fn legends(&self) -> impl Iterator<Item = &str> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Legend(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// How to read the tables; `best` says what marks the best of several, where one is marked.
    pub fn legend(&self, text: &str, best: &str) -> String {
        let mut tables = self.tables();
        match tables.any(|table| table.columns.len() > 1 && table.is_marked()) {
            true => format!("{} {text}", t!(best)),
            false => text.into(),
        }
    }
}

impl Table {
    /// Its title, with what its figures are in.
    pub fn caption(&self) -> String {
        match self.unit {
            "" => self.title.clone(),
            unit => format!("{}, {unit}", self.title),
        }
    }

    /// Whether the best of each row is marked.
    pub fn is_marked(&self) -> bool {
        let mut cells = self.rows.iter().flat_map(|row| &row.cells);
        cells.any(|cell| cell.best.is_some())
    }

    /// Whether something is predicted.
    pub fn is_predicted(&self) -> bool {
        self.rows.iter().any(|row| row.predicted.is_some())
    }
}

impl Row {
    /// A row of plain cells.
    pub fn plain(name: String, cells: impl IntoIterator<Item = String>) -> Row {
        let cell = |text| Cell { text, best: None };
        Row {
            name,
            cells: cells.into_iter().map(cell).collect(),
            predicted: None,
        }
    }
}

impl Column {
    /// A column of numbers.
    pub fn numbers((title, unit): (&str, &'static str)) -> Column {
        Column {
            title: title.into(),
            unit,
            ..Column::default()
        }
    }

    /// A column of words.
    pub fn words((title, unit): (&str, &'static str)) -> Column {
        Column {
            words: true,
            ..Column::numbers((title, unit))
        }
    }

    /// Both lines of its head as one.
    pub fn heading(&self) -> String {
        format!("{} {}", self.title, self.unit).trim().into()
    }
}
