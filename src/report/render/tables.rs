//! Tables for a terminal. They fit any width by dividing columns over several tables, leaving some out, or
//! turning them into rows, but never by breaking a number; a number and its mark share a column.

use comfy_table::{Attribute, Cell as DrawnCell, Color, ContentArrangement, LineStyle, TableStyle};
use unicode_width::UnicodeWidthStr;

use super::super::doc::{Cell, Column, Group, Mark, Narrow, Row, Table};
use super::super::prose::{Paint, clip, pad, wrap};
use crate::lang::t;

/// The space between two columns of a table; one column if room is short.
const GAP: usize = 2;

/// Only a line under the header, because more lines would distract from the numbers.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// The name of the row below a measured one.
const PREDICTED: &str = "  predicted";

/// Draws a table after a blank line; returns the titles of the columns that fit.
pub fn draw(out: &mut String, table: &Table, width: usize, paint: Paint) -> Vec<String> {
    let layout = Layout::of(table, width, paint);
    let all: Vec<usize> = (0..table.columns.len()).collect();
    let mut shown = all.clone();
    match &table.narrow {
        Narrow::Groups(groups) if layout.wide(&all, GAP) > width => {
            let mut from = 0;
            for Group { about, columns } in groups {
                let title = t!("%{title}: %{part}", title = table.title, part = about);
                layout.title(out, &title);
                layout.halved(out, &all[from..from + columns]);
                from += columns;
            }
        }
        Narrow::Turn if layout.wide(&all, GAP) > width => {
            let mut table = table.clone();
            for column in &mut table.columns {
                column.title = clip(&column.title, (width / 2).saturating_sub(GAP));
            }
            let turned = table.turned();
            let layout = Layout::of(&table, width, paint);
            let sideways = Layout::of(&turned, width, paint);
            let across: Vec<usize> = (0..turned.columns.len()).collect();
            match sideways.wide(&across, GAP) < layout.wide(&all, GAP) {
                true => sideways.portioned(out),
                false => layout.portioned(out),
            }
        }
        Narrow::Fill => layout.portioned(out),
        Narrow::Drop => {
            shown = layout.fitting();
            layout.titled(out, &shown);
            let missing = all.iter().filter(|i| !shown.contains(i));
            let mut left: Vec<&str> = missing.map(|i| table.columns[*i].title.as_str()).collect();
            left.dedup();
            if !left.is_empty() {
                let word = t!(
                    "Not shown, because the terminal is narrow: %{columns}.",
                    columns = left.join(", ")
                );
                *out += &paint.dim(&wrap(&word, width, 0));
            }
        }
        Narrow::Fits | Narrow::Groups(_) | Narrow::Turn => layout.titled(out, &all),
    }
    let title = |i: usize| table.columns[i].title.clone();
    shown.into_iter().map(title).collect()
}

/// A table and the room for it.
struct Layout<'a> {
    table: &'a Table,
    width: usize,
    paint: Paint,
    names: Vec<String>,
    /// The width of the column of names.
    first: usize,
    columns: Vec<Widths>,
}

/// The widths of a column's parts: numbers are right-aligned, marks left-aligned.
struct Widths {
    /// From the left edge to the end of the numbers.
    number: usize,
    /// Half-widths and the space before them; 0 if there are none.
    half_width: usize,
    /// Marks and the space before them; 0 if there are none.
    mark: usize,
}

impl Widths {
    fn of(table: &Table, i: usize) -> Widths {
        let Column { title, unit, .. } = &table.columns[i];
        let cells = || table.rows.iter().map(|row| &row.cells[i]);
        let widest = |text: &dyn Fn(&Cell) -> String| {
            let widths = cells().map(|cell| text(cell).width()).filter(|width| *width > 0);
            widths.max().map_or(0, |width| width + 1)
        };
        let half_width = widest(&|cell| cell.half_width.clone());
        let mark = match table.mark {
            Mark::Word => widest(&|cell| marks(table, cell)),
            Mark::Sign if table.is_marked() => " *".len(),
            Mark::Sign => 0,
        };
        let predicted = table.rows.iter().filter_map(|row| row.predicted.as_ref());
        let numbers = cells().map(|cell| cell.text.width());
        let number = numbers.chain(predicted.map(|p| p[i].width())).fold(0, usize::max);
        // A heading may extend over marks that are words.
        let above = if table.mark == Mark::Word {
            half_width + mark
        } else {
            0
        };
        let head = title.width().max(unit.width());
        Widths {
            number: number.max(head.saturating_sub(above)),
            half_width,
            mark,
        }
    }

    fn whole(&self) -> usize {
        self.number + self.half_width + self.mark
    }
}

/// The marks after a number.
fn marks(table: &Table, cell: &Cell) -> String {
    let best = match table.mark {
        Mark::Sign => "*",
        Mark::Word => "best",
    };
    let best = if cell.best == Some(true) { best } else { "" };
    [cell.times.as_str(), best].join(" ").trim().into()
}

impl<'a> Layout<'a> {
    fn of(table: &'a Table, width: usize, paint: Paint) -> Layout<'a> {
        let room = match table.narrow {
            Narrow::Drop => width / 3,
            _ => width / 2,
        };
        let names: Vec<String> = table.rows.iter().map(|row| clip(&row.name, room)).collect();
        let predicted = if table.is_predicted() { PREDICTED.len() } else { 0 };
        let widest = names.iter().map(|name| name.width());
        Layout {
            first: widest.fold(predicted.max(table.corner.width()), usize::max),
            columns: (0..table.columns.len()).map(|i| Widths::of(table, i)).collect(),
            names,
            table,
            width,
            paint,
        }
    }

    /// The title, after a blank line.
    fn title(&self, out: &mut String, title: &str) {
        out.push('\n');
        if !title.is_empty() {
            *out += &self.paint.strong(&wrap(title, self.width, 2));
        }
    }

    /// One table with its title.
    fn titled(&self, out: &mut String, columns: &[usize]) {
        self.title(out, &self.table.caption());
        self.lay(out, columns, GAP);
    }

    /// The width of a table with these columns.
    fn wide(&self, columns: &[usize], gap: usize) -> usize {
        let each = columns.iter().map(|i| gap + self.columns[*i].whole());
        self.first + each.sum::<usize>()
    }

    /// The columns that fit, without the least important; at least one is drawn.
    fn fitting(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = (0..self.columns.len()).collect();
        while columns.len() > 1 && self.wide(&columns, GAP) > self.width {
            let rank = |at: &usize| self.table.columns[columns[*at]].rank;
            let Some(least) = (0..columns.len()).max_by_key(rank) else {
                break;
            };
            columns.remove(least);
        }
        columns
    }

    /// All columns, divided over as many tables as the width requires.
    fn portioned(&self, out: &mut String) {
        let mut parts: Vec<Vec<usize>> = Vec::new();
        for i in 0..self.columns.len() {
            match parts.last_mut() {
                Some(part) if self.wide(&[part.as_slice(), &[i]].concat(), GAP) <= self.width => part.push(i),
                _ => parts.push(vec![i]),
            }
        }
        self.title(out, &self.table.caption());
        parts.iter().for_each(|part| self.lay(out, part, GAP));
    }

    /// These columns as one table; if they do not fit, as two tables with an even share each, so that neither
    /// has a single column.
    fn halved(&self, out: &mut String, columns: &[usize]) {
        let fits = |gap: &usize| self.wide(columns, *gap) <= self.width;
        match [GAP, 1].into_iter().find(fits) {
            Some(gap) => self.lay(out, columns, gap),
            None if columns.len() < 4 => self.lay(out, columns, 1),
            None => {
                let (first, second) = columns.split_at(columns.len() / 2);
                self.halved(out, first);
                out.push('\n');
                self.halved(out, second);
            }
        }
    }

    /// Lays one table out.
    fn lay(&self, out: &mut String, columns: &[usize], gap: usize) {
        let mut drawn = comfy_table::Table::new();
        drawn
            .load_style(RULED)
            .set_content_arrangement(ContentArrangement::Disabled);
        match self.paint.0 {
            true => drawn.enforce_styling(),
            false => drawn.force_no_tty(),
        };
        let has_units = columns.iter().any(|i| !self.table.columns[*i].unit.is_empty());
        drawn.set_header(self.line(&self.table.corner, columns, |i| {
            let Column { title, unit, .. } = &self.table.columns[i];
            let unit = if has_units {
                format!("\n{}", self.head(i, unit))
            } else {
                String::new()
            };
            bold(self.head(i, title) + &unit)
        }));
        for (row, name) in self.table.rows.iter().zip(&self.names) {
            let is_best = |i: usize| self.table.mark == Mark::Word && row.cells[i].best == Some(true);
            drawn.add_row(self.line(name, columns, |i| {
                let cell = DrawnCell::new(self.measured(row, i));
                if is_best(i) { cell.fg(Color::Green) } else { cell }
            }));
            if let Some(predicted) = &row.predicted {
                let cells = self.line(PREDICTED, columns, |i| {
                    DrawnCell::new(self.number(i, &predicted[i]))
                });
                drawn.add_row(cells.into_iter().map(|cell| cell.add_attribute(Attribute::Dim)));
            }
        }
        for (i, column) in drawn.column_iter_mut().enumerate() {
            column.set_padding((if i == 0 { 0 } else { gap as u16 }, 0));
        }
        for line in drawn.lines() {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }

    /// Title and unit end where the numbers end if possible, otherwise further right.
    fn head(&self, i: usize, text: &str) -> String {
        let end = self.columns[i].number.max(text.width());
        match self.table.columns[i].words {
            true => text.into(),
            false => " ".repeat(end - text.width()) + text,
        }
    }

    fn measured(&self, row: &Row, i: usize) -> String {
        let cell = &row.cells[i];
        let behind = |text: &str, width: usize| match text {
            "" => " ".repeat(width),
            text => pad(&format!(" {text}"), width),
        };
        let half_width = behind(&cell.half_width, self.columns[i].half_width);
        let text = self.number(i, &cell.text) + &half_width + &behind(&marks(self.table, cell), 0);
        pad(&text, self.columns[i].whole())
    }

    fn number(&self, i: usize, text: &str) -> String {
        let room = " ".repeat(self.columns[i].number - text.width());
        match self.table.columns[i].words {
            true => text.to_string() + &room,
            false => room + text,
        }
    }

    /// A name, and a cell for each column, which is as wide as the column.
    fn line(&self, name: &str, columns: &[usize], cell: impl Fn(usize) -> DrawnCell) -> Vec<DrawnCell> {
        let name = DrawnCell::new(pad(name, self.first));
        std::iter::once(name)
            .chain(columns.iter().map(|i| cell(*i)))
            .collect()
    }
}

fn bold(text: String) -> DrawnCell {
    DrawnCell::new(text).add_attribute(Attribute::Bold)
}
