//! Tables for a terminal. They fit any width by dividing columns over several tables, never by breaking a
//! number.

use unicode_width::UnicodeWidthStr;

use super::super::doc::{Column, Group, Narrow, Row, Table};
use super::super::prose::{Paint, wrap};
use crate::lang::t;

/// Columns between two of a table; where room is short, one.
const GAP: usize = 2;

/// The row under a measured one.
const PREDICTED: &str = "  predicted";

/// Behind the best of a row, and in its place behind the others.
const BEST: [&str; 2] = [" *", "  "];

/// Draws a table below a blank line.
pub fn draw(out: &mut String, table: &Table, width: usize, paint: Paint) {
    let all: Vec<usize> = (0..table.columns.len()).collect();
    let layout = Layout { table, width, paint };
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
        narrow => {
            layout.title(out, &table.caption());
            let parts = match narrow {
                Narrow::Fill => layout.portions(),
                _ => vec![all],
            };
            parts.iter().for_each(|part| layout.lay(out, part, GAP));
        }
    }
}

/// A table, and what there is to draw it in.
struct Layout<'a> {
    table: &'a Table,
    width: usize,
    paint: Paint,
}

impl Layout<'_> {
    /// Below a blank line.
    fn title(&self, out: &mut String, title: &str) {
        out.push('\n');
        if !title.is_empty() {
            *out += &self.paint.strong(&wrap(title, self.width, 2));
        }
    }

    /// The width of the column of names.
    fn first(&self) -> usize {
        let names = self.table.rows.iter().map(|row| row.name.width());
        let predicted = if self.table.is_predicted() {
            PREDICTED.len()
        } else {
            0
        };
        names.fold(predicted.max(self.table.corner.width()), usize::max)
    }

    /// The width of a column's numbers and its head, without marks.
    fn column(&self, i: usize) -> usize {
        let Column { title, unit, .. } = &self.table.columns[i];
        let cell = |row: &Row| {
            let predicted = row.predicted.as_ref().map_or(0, |p| p[i].width());
            row.cells[i].text.width().max(predicted)
        };
        let cells = self.table.rows.iter().map(cell);
        cells.fold(title.width().max(unit.width()), usize::max)
    }

    /// The room behind each number.
    fn mark(&self) -> usize {
        if self.table.is_marked() { BEST[0].len() } else { 0 }
    }

    /// The width of a table with these columns.
    fn wide(&self, columns: &[usize], gap: usize) -> usize {
        let each = columns.iter().map(|i| gap + self.column(*i) + self.mark());
        self.first() + each.sum::<usize>()
    }

    /// The columns, in so many portions that each fits the width.
    fn portions(&self) -> Vec<Vec<usize>> {
        let mut parts: Vec<Vec<usize>> = Vec::new();
        for i in 0..self.table.columns.len() {
            match parts.last_mut() {
                Some(part) if self.wide(&[part.as_slice(), &[i]].concat(), GAP) <= self.width => part.push(i),
                _ => parts.push(vec![i]),
            }
        }
        parts
    }

    /// These columns as one table; where the width does not suffice, as two that share them evenly, so that
    /// neither has one alone.
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
        let head = |name: &str, line: &dyn Fn(&Column) -> String| {
            let cell = |i: usize| (line(&self.table.columns[i]), false);
            self.paint.strong(&self.line(name, columns, gap, &cell))
        };
        *out += &head(&self.table.corner, &|c| c.title.clone());
        if columns.iter().any(|i| !self.table.columns[*i].unit.is_empty()) {
            *out += &head("", &|c| c.unit.into());
        }
        *out += &("─".repeat(self.wide(columns, gap)) + "\n");
        for row in &self.table.rows {
            let cell = |i: usize| (row.cells[i].text.clone(), row.cells[i].best == Some(true));
            *out += &self.line(&row.name, columns, gap, &cell);
            if let Some(predicted) = &row.predicted {
                let cell = |i: usize| (predicted[i].clone(), false);
                *out += &self.paint.dim(&self.line(PREDICTED, columns, gap, &cell));
            }
        }
    }

    fn line(
        &self,
        name: &str,
        columns: &[usize],
        gap: usize,
        cell: &dyn Fn(usize) -> (String, bool),
    ) -> String {
        let mut line = format!("{name}{}", " ".repeat(self.first() - name.width()));
        for i in columns {
            let (text, best) = cell(*i);
            let room = " ".repeat(self.column(*i) - text.width());
            line += &" ".repeat(gap);
            line += &match self.table.columns[*i].words {
                true => text + &room,
                false => room + &text,
            };
            if self.mark() > 0 {
                line += BEST[usize::from(!best)];
            }
        }
        line.trim_end().to_string() + "\n"
    }
}
