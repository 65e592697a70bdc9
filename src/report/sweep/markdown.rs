//! GitHub-flavoured Markdown: the same tables, for a report or a README.

use anyhow::Result;

use super::super::markdown::{command, escaped, fenced};
use super::super::{Style, chart};
use super::{Sheet, pictures, sheets, words};
use crate::lang::text;
use crate::outcome::sweep::Sweep;

/// Pixels: what a repository's page has room for.
const WIDE: u32 = 880;

/// Writes the sweep as Markdown.
pub fn draw(sweep: &Sweep, style: &Style) -> String {
    let mut out = format!("{}.\n", escaped(&words::scenario(sweep)));
    for sheet in sheets(sweep) {
        out += &format!("\n**{}**, {}:\n\n", sheet.title, sheet.unit);
        table(&mut out, &sheet, &sweep.knob.name);
    }
    if let Some(stem) = &style.beside {
        for picture in pictures::of(sweep) {
            let target = file(stem, picture.name).replace(['<', '>', '\\'], "_");
            out += &format!("\n![{}](<{target}>)\n", escaped(&picture.desc));
        }
    }
    out.push('\n');
    for line in words::crossovers(sweep) {
        out += &format!("- {}\n", escaped(&line));
    }
    for line in words::alarms(sweep) {
        out += &format!("\n> **{}**\n", escaped(&line));
    }
    out += &format!(
        "\n{}\n\nBy:\n\n",
        escaped(&words::legend(
            sweep,
            text!("Bold: the least, or no more than that beyond noise.")
        ))
    );
    out += &fenced("sh", &format!("{}\n", command(&sweep.argv)));
    out
}

/// The charts that [`draw`] refers to: each file's name and its text.
///
/// # Errors
/// If one cannot be drawn.
pub fn beside(sweep: &Sweep, stem: &str) -> Result<Vec<(String, String)>> {
    let drawn = pictures::of(sweep).into_iter().map(|picture| {
        let svg = picture.svg(picture.name, WIDE)?;
        Ok((file(stem, picture.name), chart::file(&svg)))
    });
    drawn.collect()
}

fn file(stem: &str, name: &str) -> String {
    format!("{stem}-{name}.svg")
}

fn table(out: &mut String, sheet: &Sheet, knob: &str) {
    let names: Vec<String> = sheet.techniques.iter().map(|t| escaped(t)).collect();
    *out += &format!("| --{knob} | {} |\n", names.join(" | "));
    *out += &format!("| --- |{}\n", " ---: |".repeat(names.len()));
    for line in &sheet.lines {
        let cells = line.cells.iter().map(|c| match c.least {
            true => format!("**{}**", c.number),
            false => c.number.clone(),
        });
        let cells: Vec<String> = cells.collect();
        *out += &format!("| {} | {} |\n", escaped(&line.setting), cells.join(" | "));
        if let Some(predicted) = &line.predicted {
            let cells: Vec<String> = predicted.iter().map(|p| format!("*{p}*")).collect();
            *out += &format!("| *predicted* | {} |\n", cells.join(" | "));
        }
    }
}
