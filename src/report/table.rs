//! A table before it is laid out.

use super::chart::Fill;

/// A table before it is laid out: every row has one cell for each column.
#[derive(Clone, Default)]
pub struct Table {
    /// Empty if it needs none.
    pub title: String,
    /// What a page calls it if it has no title.
    pub label: String,
    /// What all its figures are in, where that is one unit.
    pub unit: &'static str,
    /// What stands above the rows' names; empty if they are techniques, which a terminal need not be told.
    pub corner: String,
    /// All but the column of names.
    pub columns: Vec<Column>,
    /// From top to bottom.
    pub rows: Vec<Row>,
    /// What becomes of the columns where a terminal is too narrow for all of them.
    pub narrow: Narrow,
    /// How the best of several is marked.
    pub mark: Mark,
}

/// The head of a column.
#[derive(Clone, Default)]
pub struct Column {
    /// The first line.
    pub title: String,
    /// The second.
    pub unit: &'static str,
    /// What is between both where they stand on one line; `None` for a space.
    pub between: Option<&'static str>,
    /// Whether it holds words, which begin on one line, and not numbers, which end on one.
    pub words: bool,
    /// The technique's colour and marker, if the column is about one.
    pub fill: Option<Fill>,
    /// Where columns are left out, those of the highest rank go first.
    pub rank: u8,
}

/// A row.
#[derive(Clone, Default)]
pub struct Row {
    /// Whose it is.
    pub name: String,
    /// The technique's colour, if the row is about one.
    pub fill: Option<Fill>,
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
    /// Half of its confidence interval, as `±3.2`; empty without.
    pub half_width: String,
    /// So many times another figure, as `×62`; empty without.
    pub times: String,
    /// `Some` in a table in which the best is marked: whether it is this.
    pub best: Option<bool>,
}

/// How the best of several is marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// By a sign, which the legend explains.
    #[default]
    Sign,
    /// By a word.
    Word,
}

/// What becomes of columns where a terminal is too narrow for all of them.
#[derive(Clone, Default)]
pub enum Narrow {
    /// Nothing: what is shown fits.
    #[default]
    Fits,
    /// So many columns stand in a table together as there is room for.
    Fill,
    /// Columns that belong together stand in a table of their own.
    Groups(Vec<Group>),
    /// Those of the highest rank are left out.
    Drop,
    /// They become rows.
    Turn,
}

/// Columns that belong together.
#[derive(Clone)]
pub struct Group {
    /// What is said behind the table's title.
    pub about: String,
    /// How many columns.
    pub columns: usize,
}

impl Table {
    /// Its title, with what its figures are in.
    pub fn caption(&self) -> String {
        match self.unit {
            "" => self.title.clone(),
            unit => format!("{}, {unit}", self.title),
        }
    }

    /// What a page calls it.
    pub fn name(&self) -> String {
        match self.title.as_str() {
            "" => self.label.clone(),
            _ => self.caption(),
        }
    }

    /// What the rows' names are.
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

    /// Whether something is predicted.
    pub fn is_predicted(&self) -> bool {
        self.rows.iter().any(|row| row.predicted.is_some())
    }

    /// Whether intervals stand behind the figures.
    pub fn is_repeated(&self) -> bool {
        let mut cells = self.rows.iter().flat_map(|row| &row.cells);
        cells.any(|cell| !cell.half_width.is_empty())
    }

    /// With its columns as rows.
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

    /// Both lines of its head as one.
    pub fn heading(&self) -> String {
        let between = self.between.filter(|_| !self.unit.is_empty());
        let head = [&self.title, between.unwrap_or_default(), " ", self.unit];
        head.concat().trim().into()
    }
}
