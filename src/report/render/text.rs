//! A document for a terminal.

use super::super::doc::{Block, Doc};
use super::super::prose::{Paint, wrap};
use super::super::style::Style;
use super::tables;
use crate::lang::text;
use crate::terminal::printable;

/// Prose is no wider, in columns.
const PROSE: usize = 100;

/// What is said of the mark behind the best of a row.
const BEST: &str = text!("*: the least, or no more than that beyond noise.");

/// Draws it.
pub fn draw(doc: &Doc, style: &Style) -> String {
    let width = style.columns();
    let paint = Paint(style.colour);
    let prose = |text: &str, indent| wrap(&printable(text), width.min(PROSE), indent);
    let mut out = String::new();
    for block in &doc.blocks {
        match block {
            Block::Scenario(text) => out += &prose(text, 2),
            Block::Heading(text) => out += &format!("\n{}", paint.strong(&prose(text, 0))),
            Block::Text(text) => out += &format!("\n{}", prose(text, 0)),
            Block::Items { lines, .. } => {
                let lines: String = lines.iter().map(|line| prose(line, 2)).collect();
                out += &format!("\n{lines}");
            }
            Block::Legend(text) => {
                let legend = prose(&doc.legend(text, BEST), 0);
                out += &format!("\n{}", paint.dim(&legend));
            }
            Block::Warning(text) => out += &paint.alarm(&prose(text, 2)),
            Block::Table(table) => tables::draw(&mut out, table, width, paint),
            Block::Chart(_) => {}
        }
    }
    out
}
