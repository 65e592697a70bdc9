//! The tables for terminals. Techniques for which the width does not suffice have tables of their own
//! below: a number is never cut.

use unicode_width::UnicodeWidthStr;

use super::super::table::Paint;
use super::super::{Style, printable, wrap};
use super::{Cell, Sheet, sheets, words};
use crate::lang::text;
use crate::outcome::sweep::Sweep;

/// Columns between columns.
const GAP: usize = 2;

/// The row under a measured one.
const PREDICTED: &str = "  predicted";

/// Behind the least of a row, and in its place behind the others.
const LEAST: [&str; 2] = [" *", "  "];

/// Draws the sweep for a terminal.
pub fn draw(sweep: &Sweep, style: &Style) -> String {
    let width = style.columns();
    let prose = width.min(100);
    let paint = Paint(style.colour);
    let mut out = wrap(&words::scenario(sweep), prose, 2);
    for sheet in sheets(sweep) {
        out.push('\n');
        out.push_str(&paint.strong(&wrap(&format!("{}, {}", sheet.title, sheet.unit), width, 2)));
        for part in parts(&sheet, width) {
            grid(&mut out, &sheet, &sweep.knob.name, &part, paint);
        }
    }
    out.push('\n');
    out.push_str(&paint.dim(&wrap(
        &words::legend(sweep, text!("*: the least, or no more than that beyond noise.")),
        prose,
        0,
    )));
    out.push('\n');
    for line in words::crossovers(sweep) {
        out.push_str(&wrap(&printable(&line), prose, 2));
    }
    for line in words::alarms(sweep) {
        out.push_str(&paint.alarm(&wrap(&printable(&line), prose, 2)));
    }
    out
}

/// The width of the column of settings.
fn first(sheet: &Sheet, knob: &str) -> usize {
    let settings = sheet.lines.iter().map(|l| l.setting.width());
    let predicted = sheet.lines.iter().any(|l| l.predicted.is_some());
    let least = (knob.width() + 2).max(if predicted { PREDICTED.len() } else { 0 });
    settings.max().unwrap_or(0).max(least)
}

/// How wide a technique's column is, its mark included.
fn wide(sheet: &Sheet, i: usize) -> usize {
    let numbers = sheet.lines.iter().map(|l| l.cells[i].number.width());
    let predicted = sheet
        .lines
        .iter()
        .filter_map(|l| Some(l.predicted.as_ref()?[i].width()));
    let widest = numbers.chain(predicted).max().unwrap_or(0);
    widest.max(sheet.techniques[i].width()) + LEAST[0].len()
}

/// The techniques, in so many portions that each fits the width.
fn parts(sheet: &Sheet, width: usize) -> Vec<Vec<usize>> {
    let room = width.saturating_sub(first(sheet, ""));
    let (mut parts, mut used): (Vec<Vec<usize>>, usize) = (Vec::new(), usize::MAX);
    for i in 0..sheet.techniques.len() {
        let wide = GAP + wide(sheet, i);
        match parts.last_mut() {
            Some(part) if used + wide <= room => {
                part.push(i);
                used += wide;
            }
            _ => {
                parts.push(vec![i]);
                used = wide;
            }
        }
    }
    parts
}

fn grid(out: &mut String, sheet: &Sheet, knob: &str, part: &[usize], paint: Paint) {
    let first = first(sheet, knob);
    let row = |head: &str, cells: &dyn Fn(usize) -> (String, &'static str)| {
        let mut line = format!("{head}{}", " ".repeat(first.saturating_sub(head.width())));
        for i in part {
            let (number, mark) = cells(*i);
            let room = GAP + wide(sheet, *i) - LEAST[0].len();
            line += &" ".repeat(room.saturating_sub(number.width()));
            line += &number;
            line += mark;
        }
        line.truncate(line.trim_end().len());
        line
    };
    let heads = row(&format!("--{knob}"), &|i| (sheet.techniques[i].clone(), LEAST[1]));
    let rule: usize = first + part.iter().map(|i| GAP + wide(sheet, *i)).sum::<usize>();
    out.push_str(&paint.strong(&(heads + "\n")));
    out.push_str(&("─".repeat(rule) + "\n"));
    for line in &sheet.lines {
        let cell = |i: usize| {
            let Cell { number, least } = &line.cells[i];
            (number.clone(), LEAST[usize::from(!least)])
        };
        out.push_str(&(row(&line.setting, &cell) + "\n"));
        if let Some(predicted) = &line.predicted {
            let dim = row(PREDICTED, &|i| (predicted[i].clone(), LEAST[1]));
            out.push_str(&paint.dim(&(dim + "\n")));
        }
    }
}
