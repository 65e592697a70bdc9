//! A document as GitHub-flavoured Markdown. Its charts are files beside it, because Markdown has no other
//! way to show one. What a reader needs last, how to read the tables and how to run it again, stands last.

use anyhow::Result;

use super::super::chart;
use super::super::doc::{Block, Doc, Table};
use crate::lang::text;
use crate::terminal::printable;

/// Pixels: what a repository's page has room for.
const WIDE: u32 = 880;

/// What is said of the mark of the best of a row.
const BEST: &str = text!("Bold: the least, or no more than that beyond noise.");

/// Draws it. `beside`: how the names of the charts' files begin; `None` leaves them out.
pub fn draw(doc: &Doc, beside: Option<&str>) -> String {
    let mut out = String::new();
    let mut in_list = false;
    for block in &doc.blocks {
        match block {
            Block::Scenario(text) => out += &format!("{}.\n", escaped(text)),
            Block::Heading(text) => out += &format!("\n## {}\n", escaped(text)),
            Block::Text(text) => out += &format!("\n{}\n", escaped(text)),
            Block::Items { lines, .. } => {
                let lines = lines.iter().map(|line| format!("- {}\n", escaped(line)));
                out += if in_list { "" } else { "\n" };
                out.extend(lines);
            }
            Block::Warning(text) => out += &format!("\n> **{}**\n", escaped(text)),
            Block::Table(table) => out += &drawn(table),
            Block::Chart(picture) => {
                if let Some(stem) = beside {
                    // A file's name may hold what a link's target may not (CommonMark, section 6.3).
                    let target = file(stem, picture.name).replace(['<', '>', '\\'], "_");
                    out += &format!("\n![{}](<{target}>)\n", escaped(&picture.desc));
                }
            }
            Block::Legend(_) => continue,
        }
        in_list = matches!(block, Block::Items { .. });
    }
    for legend in doc.legends() {
        out += &format!("\n{}\n", escaped(&doc.legend(legend, BEST)));
    }
    out + "\nBy:\n\n" + &fenced("sh", &format!("{}\n", doc.command))
}

/// The charts that [`draw`] refers to: each file's name and its text.
///
/// # Errors
/// If one cannot be drawn.
pub fn beside(doc: &Doc, stem: &str) -> Result<Vec<(String, String)>> {
    let drawn = doc.charts().map(|picture| {
        let svg = picture.svg(picture.name, WIDE)?;
        Ok((file(stem, picture.name), chart::file(&svg)))
    });
    drawn.collect()
}

/// What the file of a chart is called.
pub fn file(stem: &str, name: &str) -> String {
    format!("{stem}-{name}.svg")
}

/// A code block, its fence longer than any run of backticks within (CommonMark, section 4.5).
pub fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}{fence}\n")
}

/// Text that Markdown shall not read as markup, a table's bars above all.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text).chars() {
        if r"\|`*_<>[]&#".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn drawn(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let row = |name: String, cells: Vec<String>| line([vec![name], cells].concat());
    let mut out = match (table.title.as_str(), table.unit) {
        ("", _) => "\n".into(),
        (title, "") => format!("\n**{}**\n\n", escaped(title)),
        (title, unit) => format!("\n**{}**, {unit}:\n\n", escaped(title)),
    };
    out += &row(
        escaped(&table.corner),
        table.columns.iter().map(|c| escaped(&c.heading())).collect(),
    );
    out += &row("---".into(), vec!["---:".into(); table.columns.len()]);
    for r in &table.rows {
        let cells = r.cells.iter().map(|cell| match cell.best {
            Some(true) => format!("**{}**", escaped(&cell.text)),
            _ => escaped(&cell.text),
        });
        out += &row(escaped(&r.name), cells.collect());
        if let Some(predicted) = &r.predicted {
            let cells = predicted.iter().map(|p| format!("*{p}*"));
            out += &row("*predicted*".into(), cells.collect());
        }
    }
    out
}
