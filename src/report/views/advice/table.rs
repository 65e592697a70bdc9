//! A table of groups of columns: where a terminal is too narrow for all, each group is a table of its own.

use crate::report::doc::{Column, Group, Narrow, Row, Table};
use crate::terminal::printable;

/// The two lines of a column's heading.
pub type Head = (&'static str, &'static str);

/// A table of groups of columns, each with what it is about. A column without a heading holds words.
pub fn table<const N: usize>(
    title: String,
    groups: [(String, &[Head]); N],
    rows: impl Iterator<Item = (String, Vec<String>)>,
) -> Table {
    let column = |head: &Head| match head {
        ("", "") => Column::words(*head),
        _ => Column::numbers(*head),
    };
    let columns = groups.iter().flat_map(|(_, heads)| heads.iter().map(column));
    Table {
        title,
        columns: columns.collect(),
        rows: rows
            .map(|(name, cells)| Row::plain(printable(&name), cells))
            .collect(),
        narrow: Narrow::Groups(
            groups
                .map(|(about, heads)| Group {
                    about,
                    columns: heads.len(),
                })
                .into(),
        ),
        ..Table::default()
    }
}
