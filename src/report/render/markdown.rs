//! A document as GitHub-flavoured Markdown. Its charts are files beside it, because Markdown cannot contain
//! them. How to read the tables and how to run it again, which readers need last, is at the end.

use anyhow::Result;

use super::super::chart;
use super::super::doc::{Block, Cell, Doc, Part, Table};
use super::super::picture::Picture;
use super::super::style::Style;
use super::lanes::{characters, svg::Drawn};
use crate::lang::{t, text};
use crate::terminal::printable;

/// The width of charts in pixels, which fits a repository's page.
const WIDE: u32 = 880;

/// The width of drawings made of characters, in columns.
const COLUMNS: usize = 100;

/// The explanation of the mark of the best in a row.
const BEST: &str = text!("Bold: the least, or no more than that beyond noise.");

/// Draws the document.
pub fn draw(doc: &Doc, style: &Style) -> String {
    let mut out = String::new();
    let mut in_list = false;
    for block in &doc.blocks {
        match block {
            Block::Scenario(text) => out += &format!("{}.\n{}", escaped(text), index(doc)),
            Block::Heading(text) => out += &format!("\n## {}\n", escaped(text)),
            Block::Text(text) => out += &format!("\n{}\n", escaped(text)),
            Block::Absent(text) => out += &format!("\n{}.\n", escaped(text)),
            Block::Items { lines, .. } => {
                let lines = lines.iter().map(|line| format!("- {}\n", escaped(line)));
                out += if in_list { "" } else { "\n" };
                out.extend(lines);
            }
            Block::Warning(text) => out += &format!("\n> **{}**\n", escaped(text)),
            Block::Table(table) => out += &drawn(table),
            Block::Details(details) => out += &drawn(&details.table),
            Block::Lanes(lanes) if style.timeline => {
                out += &format!("\n{}", fenced("text", &characters::draw(lanes, COLUMNS)));
            }
            Block::Fenced(drawing) | Block::TextChart(drawing) => {
                out += &format!("\n{}", fenced("text", &drawing.draw(COLUMNS)))
            }
            Block::Legend(_) | Block::Cards(_) | Block::Chart(_) | Block::Lanes(_) | Block::Glossary(_) => {}
        }
        if let (Some(stem), Some(chart)) = (&style.beside, Chart::of(block)) {
            out += &chart.shown(stem);
        }
        in_list = matches!(block, Block::Items { .. });
    }
    for block in &doc.blocks {
        if let Block::Legend(notes) = block {
            out += &format!("\n{}\n", escaped(&doc.legend(notes, BEST, &doc.columns())));
        }
    }
    if !doc.command.is_empty() {
        let place = if doc.place.is_empty() { "By:" } else { &doc.place };
        let command = fenced("sh", &format!("{}\n", doc.command));
        out += &format!("\n{}\n\n{command}", escaped(place));
    }
    for (n, part) in (1..).zip(&doc.parts) {
        let style = Style {
            beside: style.beside.as_ref().map(|stem| format!("{stem}-{n}")),
            ..style.clone()
        };
        out += &format!("\n## {}\n\n{}", escaped(&part.name), draw(&part.doc, &style));
    }
    out
}

/// The charts that [`draw`] refers to: each file's name and its text.
///
/// # Errors
/// If one cannot be drawn.
pub fn beside(doc: &Doc, stem: &str) -> Result<Vec<(String, String)>> {
    let charts = doc.blocks.iter().filter_map(Chart::of);
    let mut files = charts
        .map(|chart| Ok((file(stem, chart.name()), chart.svg()?)))
        .collect::<Result<Vec<_>>>()?;
    for (n, part) in (1..).zip(&doc.parts) {
        files.extend(beside(&part.doc, &format!("{stem}-{n}"))?);
    }
    Ok(files)
}

/// A chart in a file beside the document.
enum Chart<'a> {
    Picture(&'a Picture),
    Lanes(Box<Drawn>),
}

impl Chart<'_> {
    fn of(block: &Block) -> Option<Chart<'_>> {
        match block {
            Block::Chart(picture) => Some(Chart::Picture(picture)),
            Block::Lanes(lanes) => Drawn::of(lanes, 1).map(|drawn| Chart::Lanes(Box::new(drawn))),
            _ => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Chart::Picture(picture) => picture.name,
            Chart::Lanes(_) => "timeline",
        }
    }

    fn svg(&self) -> Result<String> {
        match self {
            Chart::Picture(picture) => Ok(chart::file(&picture.svg(picture.name, WIDE))),
            Chart::Lanes(lanes) => lanes.file(),
        }
    }

    /// An image link to the file, with the chart's texts. Characters of a file name that a link target may
    /// not contain are escaped (CommonMark, section 6.3).
    fn shown(&self, stem: &str) -> String {
        let words = match self {
            Chart::Picture(p) => [&p.title, &p.desc, &p.look, &p.why],
            Chart::Lanes(lanes) => [&lanes.title, &lanes.desc, &lanes.look, &lanes.why],
        };
        let [title, desc, look, why] = words.map(|text| escaped(text));
        let target = file(stem, self.name()).replace(['<', '>', '\\'], "_");
        let mut out = format!("\n### {title}\n\n![{title}. {desc}](<{target}>)\n");
        for words in [look, why].iter().filter(|words| !words.is_empty()) {
            out += &format!("\n{words}\n");
        }
        out
    }
}

/// The name of a chart's file.
fn file(stem: &str, name: &str) -> String {
    format!("{stem}-{name}.svg")
}

/// A list of the documents that this one combines.
fn index(doc: &Doc) -> String {
    let item = |part: &Part| format!("- **{}** ({})\n", escaped(&part.name), escaped(&part.file));
    let items: String = doc.parts.iter().map(item).collect();
    if items.is_empty() {
        items
    } else {
        format!("\n{items}")
    }
}

/// A code block whose fence is longer than any run of backticks in the text (CommonMark, section 4.5).
fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}{fence}\n")
}

/// Escapes what Markdown would read as markup, above all the bars of a table.
fn escaped(text: &str) -> String {
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
    let line = |name: String, cells: Vec<String>| format!("| {name} | {} |\n", cells.join(" | "));
    let mut out = match (table.title.as_str(), table.unit) {
        ("", _) => "\n".into(),
        (title, "") => format!("\n**{}**\n\n", escaped(title)),
        (title, unit) => format!("\n**{}**, {}:\n\n", escaped(title), t!(unit)),
    };
    let heads = table.columns.iter().map(|c| escaped(&c.heading()));
    out += &line(escaped(table.names()), heads.collect());
    out += &line("---".into(), vec!["---:".into(); table.columns.len()]);
    for row in &table.rows {
        out += &line(escaped(&row.name), row.cells.iter().map(measured).collect());
        if let Some(predicted) = &row.predicted {
            let cell = |text: &String| match text.as_str() {
                "" => String::new(),
                text => format!("*{text}*"),
            };
            out += &line("*predicted*".into(), predicted.iter().map(cell).collect());
        }
    }
    out
}

/// A number, bold if it is the best, with the marks after it.
fn measured(cell: &Cell) -> String {
    let mut out = escaped(&cell.text);
    if cell.best == Some(true) {
        out = format!("**{out}**");
    }
    if !cell.half_width.is_empty() {
        out += &format!(" {}", cell.half_width);
    }
    if !cell.times.is_empty() {
        out += &format!(" ({})", cell.times);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Report;
    use crate::report::fixture;
    use crate::report::format::Format;
    use crate::report::source::command;
    use crate::report::view::View;
    use crate::report::views::run::sentence;
    use crate::report::views::saved::{Saved, Several};

    fn written(report: &Report) -> String {
        let style = Style {
            timeline: true,
            ..Style::default()
        };
        draw(&report.doc(), &style)
    }

    /// The number of bars that separate cells: those without a backslash before them.
    fn bars(line: &str) -> usize {
        line.matches('|').count() - line.matches(r"\|").count()
    }

    #[test]
    fn every_row_of_a_table_has_as_many_cells_as_its_head() {
        let mut report = fixture::with_events();
        report.results[0].technique = "a|b `c` *d* \\".into();
        let text = written(&report);
        let outside_code = text.split("```").step_by(2).collect::<String>();
        let rows: Vec<&str> = outside_code.lines().filter(|l| l.starts_with('|')).collect();
        assert_eq!(rows.len(), 2 * (2 + 2 * 4));
        for table in rows.chunks(2 + 2 * 4) {
            assert!(table.iter().all(|row| bars(row) == bars(table[0])), "{text}");
        }
        assert!(text.contains(r"| a\|b \`c\` \*d\* \\ |"), "{text}");
    }

    #[test]
    fn has_what_the_terminal_has() {
        let report = fixture::lost();
        let text = written(&report);
        for part in [
            "20 mails of 300 bytes",
            "| *predicted* |",
            "mean latency, ms",
            "overhead, B per mail",
            "> **sse: delivered 18 of 20: 2 lost**",
            "on linux, Example CPU, 2 cores, with mailcall 0.1.0",
            "```sh\nmailcall compare\n```",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(
            written(&fixture::typical()).contains(&escaped(&sentence::notice(&fixture::typical(), |_| None)))
        );
    }

    #[test]
    fn several_seeds_show_their_intervals() {
        let text = written(&fixture::five_seeds());
        for cell in [
            "| 104 ±4.8 (+104) |",
            "| **0.09** ±0.004 (+0.006) |",
            "| 62 ±2.0 (×62) |",
        ] {
            assert!(text.contains(cell), "{cell}\n{text}");
        }
    }

    #[test]
    fn every_chart_it_shows_is_beside_it() {
        let run = |rtt: f64| {
            let mut report = fixture::with_events();
            report.scenario.link.rtt_ms = rtt;
            ("saved.json".to_string(), Saved::Run(Box::new(report)))
        };
        for (all, charts) in [(vec![run(0.0)], 6), (vec![run(0.0), run(50.0)], 15)] {
            let style = Style {
                beside: Some("my <b> report".into()),
                ..Style::default()
            };
            let several = Several::new(all, Format::Markdown).unwrap();
            let text = draw(&several.doc(), &style);
            let shown: Vec<&str> = text
                .split("](<")
                .skip(1)
                .filter_map(|t| t.split(">)").next())
                .collect();
            let files = beside(&several.doc(), "my _b_ report").unwrap();
            let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(shown, names);
            assert_eq!(names.len(), charts);
            for (name, svg) in &files {
                let whole = svg.starts_with("<svg xmlns=") && svg.trim_end().ends_with("</svg>");
                assert!(
                    whole && svg.contains("prefers-color-scheme") && !svg.contains("var("),
                    "{name}"
                );
            }
        }
        let alone = draw(&fixture::with_events().doc(), &Style::default());
        assert!(!alone.contains("!["));
    }

    #[test]
    fn the_command_can_be_pasted() {
        let mut report = fixture::typical();
        report.envelope.argv = ["compare", "--replay", "it's ```mine.mbox", "--rate", "2/s", ""]
            .map(String::from)
            .to_vec();
        assert_eq!(
            command(&report.envelope.argv),
            r"mailcall compare --replay 'it'\''s ```mine.mbox' --rate 2/s ''"
        );
        let text = written(&report);
        assert!(
            text.contains("````sh\nmailcall compare") && text.ends_with("````\n"),
            "{text}"
        );
    }
}
