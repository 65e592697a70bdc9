//! GitHub-flavoured Markdown: the same tables, for a report or a README.

use super::super::markdown::{command, escaped, fenced};
use super::{Sheet, sheets, words};
use crate::outcome::sweep::Sweep;

/// Writes the sweep as Markdown.
pub fn draw(sweep: &Sweep) -> String {
    let mut out = format!("{}.\n", escaped(&words::scenario(sweep)));
    for sheet in sheets(sweep) {
        out += &format!("\n**{}**, {}:\n\n", sheet.title, sheet.unit);
        table(&mut out, &sheet, &sweep.knob.name);
    }
    out.push('\n');
    for line in words::crossovers(sweep) {
        out += &format!("- {}\n", escaped(&line));
    }
    for line in words::alarms(sweep) {
        out += &format!("\n> **{}**\n", escaped(&line));
    }
    out += &format!("\n{}\n\nBy:\n\n", escaped(&words::legend(sweep)));
    out += &fenced("sh", &format!("{}\n", command(&sweep.argv)));
    out
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
