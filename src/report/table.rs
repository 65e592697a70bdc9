//! A table before it is laid out.

use super::chart::Fill;
use crate::lang::t;

/// A table before it is laid out: every row has one cell for each column.
#[derive(Clone, Default)]
pub struct Table {
    /// The title; empty if it needs none.
    pub title: String,
    /// Its name on a page if it has no title.
    pub label: String,
    /// The unit of all its figures, if they have the same.
    pub unit: &'static str,
    /// The heading of the rows' names; empty if they are techniques, for which a terminal needs none.
    pub corner: String,
    /// The columns, without the column of names.
    pub columns: Vec<Column>,
    /// The rows from top to bottom.
    pub rows: Vec<Row>,
    /// How to show the columns if a terminal is too narrow for all of them.
    pub narrow: Narrow,
    /// How the best of several is marked.
    pub mark: Mark,
    /// Whether a terminal shows it only on demand.
    pub more: bool,
}

/// The head of a column.
#[derive(Clone, Default)]
pub struct Column {
    /// The first line of the heading.
    pub title: String,
    /// The second line.
    pub unit: &'static str,
    /// The text between the two if they are on one line; `None` for a space.
    pub between: Option<&'static str>,
    /// Whether it holds words, which are left-aligned, instead of numbers, which are right-aligned.
    pub words: bool,
    /// The technique's colour and marker, if the column is about one.
    pub fill: Option<Fill>,
    /// The order in which columns are left out: the highest rank first.
    pub rank: u8,
    /// Whether a terminal shows it only on demand.
    pub more: bool,
}

/// A row.
#[derive(Clone, Default)]
pub struct Row {
    /// The row's name.
    pub name: String,
    /// The technique's colour, if the row is about one.
    pub fill: Option<Fill>,
    /// A cell for each column.
    pub cells: Vec<Cell>,
    /// The predicted value for each cell, if there are predictions.
    pub predicted: Option<Vec<String>>,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// A number, or words.
    pub text: String,
    /// Half the width of its confidence interval, like `±3.2`; otherwise empty.
    pub half_width: String,
    /// The multiple of another figure, like `×62`; otherwise empty.
    pub times: String,
    /// Whether it is the best; `None` in tables without marks.
    pub best: Option<bool>,
}

/// How the best of several is marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// With a sign, which the legend explains.
    #[default]
    Sign,
    /// With a word.
    Word,
}

/// How to show columns if a terminal is too narrow for all of them.
#[derive(Clone, Default)]
pub enum Narrow {
    /// The columns always fit.
    #[default]
    Fits,
    /// Each table gets as many columns as fit.
    Fill,
    /// Each group of columns gets its own table.
    Groups(Vec<Group>),
    /// The columns with the highest rank are left out.
    Drop,
    /// Columns become rows.
    Turn,
}

/// Columns that belong together.
#[derive(Clone)]
pub struct Group {
    /// The text after the table's title.
    pub about: String,
    /// The number of columns.
    pub columns: usize,
}

/// The items at the kept places.
fn kept<T: Clone>(items: &[T], keep: impl Fn(usize) -> bool) -> Vec<T> {
    let places = items.iter().enumerate().filter(|(i, _)| keep(*i));
    places.map(|(_, item)| item.clone()).collect()
}

impl Table {
    /// The part that a first reading needs: none of it, or the table without some columns, none of which is left out
    /// for want of room.
    pub fn brief(&self) -> Option<Table> {
        let needed: Vec<bool> = self.columns.iter().map(|column| !column.more).collect();
        let mut table = self.clone();
        let keep = |i: usize| needed[i];
        table.columns = kept(&self.columns, keep);
        for row in &mut table.rows {
            row.cells = kept(&row.cells, keep);
            row.predicted = row.predicted.as_ref().map(|cells| kept(cells, keep));
        }
        if matches!(table.narrow, Narrow::Drop) {
            table.narrow = Narrow::Fill;
        }
        (!self.more).then_some(table)
    }

    /// Its title, with the unit of its figures.
    pub fn caption(&self) -> String {
        match self.unit {
            "" => self.title.clone(),
            unit => format!("{}, {}", self.title, t!(unit)),
        }
    }

    /// Its name on a page.
    pub fn name(&self) -> String {
        match self.title.as_str() {
            "" => self.label.clone(),
            _ => self.caption(),
        }
    }

    /// The heading of the rows' names.
    pub fn names(&self) -> &str {
        match self.corner.as_str() {
            "" => "technique",
            corner => corner,
        }
    }

    /// Whether the best of each row, or column, is marked.
    pub fn is_marked(&self) -> bool {
        let mut cells = self.rows.iter().flat_map(|row| &row.cells);
        cells.any(|cell| cell.best.is_some() || !cell.times.is_empty())
    }

    /// Whether there are predictions.
    pub fn is_predicted(&self) -> bool {
        self.rows.iter().any(|row| row.predicted.is_some())
    }

    /// Whether figures have confidence intervals.
    pub fn is_repeated(&self) -> bool {
        let mut cells = self.rows.iter().flat_map(|row| &row.cells);
        cells.any(|cell| !cell.half_width.is_empty())
    }

    /// The table with columns and rows exchanged.
    pub fn turned(&self) -> Table {
        let row = |(i, column): (usize, &Column)| Row {
            name: column.heading(),
            cells: self.rows.iter().map(|row| row.cells[i].clone()).collect(),
            ..Row::default()
        };
        Table {
            columns: self
                .rows
                .iter()
                .map(|row| Column::numbers((&row.name, "")))
                .collect(),
            rows: self.columns.iter().enumerate().map(row).collect(),
            ..self.clone()
        }
    }
}

impl Row {
    /// A row of plain cells.
    pub fn plain(name: String, cells: impl IntoIterator<Item = String>) -> Row {
        Row {
            name,
            cells: cells.into_iter().map(Cell::from).collect(),
            ..Row::default()
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell {
            text,
            ..Cell::default()
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

    /// A column of figures in a unit.
    pub fn figures(head: (&str, &'static str)) -> Column {
        Column {
            between: Some(","),
            ..Column::numbers(head)
        }
    }

    /// A column of words.
    pub fn words((title, unit): (&str, &'static str)) -> Column {
        Column {
            words: true,
            ..Column::numbers((title, unit))
        }
    }

    /// Both lines of its heading as one.
    pub fn heading(&self) -> String {
        let between = self.between.filter(|_| !self.unit.is_empty());
        let head = [&self.title, between.unwrap_or_default(), " ", self.unit];
        head.concat().trim().into()
    }
}
