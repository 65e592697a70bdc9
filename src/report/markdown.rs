//! GitHub-flavoured Markdown: the table's content, all columns of it, for a report or a README. Its charts
//! are files beside it, because Markdown has no other way to show one.

use std::fmt::Write;

use anyhow::Result;

use super::figures::{self, Cell, Sheet};
use super::html::{self, Plain};
use super::pictures::{self, Picture};
use super::render::markdown::{escaped, fenced, file};
use super::runs::{self, Run};
use super::source::{command, place};
use super::{Style, chart, notes, sentence, timeline};
use crate::lang::t;
use crate::outcome::Report;

/// Pixels: what a repository's page has room for.
const WIDE: u32 = 880;

/// Writes the report as Markdown.
pub fn draw(report: &Report, style: &Style) -> Result<String> {
    let mut out = format!("{}.\n", escaped(&notes::scenario(report)));
    let cost = figures::cost(report);
    table(&mut out, &cost)?;
    for absent in notes::absent(report) {
        writeln!(out, "\n{}.", escaped(&absent))?;
    }
    if let Some(talk) = figures::talk(report) {
        table(&mut out, &talk)?;
    }
    table(&mut out, &figures::bytes(report))?;
    for text in [html::attempts(report), html::seeds(report)]
        .into_iter()
        .flatten()
    {
        plain(&mut out, &text)?;
    }
    if style.timeline {
        write!(out, "\n{}", fenced("text", &timeline::draw(report, 100)))?;
    }
    if let Some(stem) = &style.beside {
        out += &shown(&charts(report), stem)?;
    }
    writeln!(out, "\n{}", escaped(&sentence::notice(report, sentence::own)))?;
    if let Some(layers) = sentence::layers(report) {
        writeln!(out, "\n{}", escaped(&layers))?;
    }
    for alarm in notes::alarms(report) {
        writeln!(out, "\n> **{}**", escaped(&alarm))?;
    }
    writeln!(
        out,
        "\n{}",
        escaped(&notes::legend(report, &cost, &["p99", "state"]))
    )?;
    writeln!(out, "\n{}", escaped(&place(report)))?;
    write!(
        out,
        "\n{}",
        fenced("sh", &format!("{}\n", command(&report.envelope.argv)))
    )?;
    Ok(out)
}

/// Several runs side by side, then each.
pub fn draw_runs(all: &[Run], style: &Style) -> Result<String> {
    let names = runs::names(all);
    let mut out = format!("{} runs side by side:\n\n", all.len());
    for (run, name) in all.iter().zip(&names) {
        writeln!(out, "- **{}** ({})", escaped(name), escaped(&run.file))?;
    }
    for grid in runs::grids(all) {
        let heads = [grid.title.to_string()].into_iter().chain(grid.heads).collect();
        let rows = grid
            .rows
            .into_iter()
            .map(|(name, cells)| [name].into_iter().chain(cells).collect());
        let caption = String::new();
        plain(
            &mut out,
            &Plain {
                caption,
                heads,
                rows: rows.collect(),
            },
        )?;
    }
    if let Some(stem) = &style.beside {
        let compared: Vec<Chart> = runs::pictures(all).into_iter().map(Chart::Picture).collect();
        out += &shown(&compared, stem)?;
    }
    for (n, (run, name)) in (1..).zip(all.iter().zip(&names)) {
        let style = Style {
            beside: style.beside.as_ref().map(|stem| format!("{stem}-{n}")),
            ..style.clone()
        };
        write!(out, "\n## {}\n\n{}", escaped(name), draw(&run.report, &style)?)?;
    }
    Ok(out)
}

/// What is drawn into a file beside the report.
enum Chart {
    Picture(Picture),
    Timeline(Box<html::Lanes>),
}

impl Chart {
    fn name(&self) -> &'static str {
        match self {
            Chart::Picture(picture) => picture.name,
            Chart::Timeline(_) => TIMELINE,
        }
    }

    fn svg(&self) -> Result<String> {
        match self {
            Chart::Picture(picture) => Ok(chart::file(&picture.svg(picture.name, WIDE)?)),
            Chart::Timeline(lanes) => lanes.file(),
        }
    }

    /// Title, description and words.
    fn words(&self) -> [&str; 4] {
        match self {
            Chart::Picture(p) => [&p.title, &p.desc, &p.look, &p.why],
            Chart::Timeline(lanes) => [&lanes.title, &lanes.desc, &lanes.look, &lanes.why],
        }
    }
}

const TIMELINE: &str = "timeline";

fn charts(report: &Report) -> Vec<Chart> {
    let mut charts: Vec<Chart> = pictures::of(report).into_iter().map(Chart::Picture).collect();
    let timeline = html::Lanes::of(report, 1).map(|lanes| Chart::Timeline(Box::new(lanes)));
    let after_latency = charts.len().min(1);
    charts.splice(after_latency..after_latency, timeline);
    charts
}

/// The charts that [`draw`], or [`draw_runs`], refers to: each file's name and its text.
pub fn beside(all: &[Run], stem: &str) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    let mut add = |stem: &str, charts: &[Chart]| -> Result<()> {
        for chart in charts {
            files.push((file(stem, chart.name()), chart.svg()?));
        }
        Ok(())
    };
    if let [only] = all {
        add(stem, &charts(&only.report))?;
        return Ok(files);
    }
    let compared: Vec<Chart> = runs::pictures(all).into_iter().map(Chart::Picture).collect();
    add(stem, &compared)?;
    for (n, run) in (1..).zip(all) {
        add(&format!("{stem}-{n}"), &charts(&run.report))?;
    }
    Ok(files)
}

/// Charts with their words. A file's name may hold what a link's target may not (CommonMark, section 6.3).
fn shown(charts: &[Chart], stem: &str) -> Result<String> {
    let mut out = String::new();
    for chart in charts {
        let [title, desc, look, why] = chart.words().map(escaped);
        let target = file(stem, chart.name()).replace(['<', '>', '\\'], "_");
        write!(out, "\n### {title}\n\n![{title}. {desc}](<{target}>)\n\n{look}\n")?;
        if !why.is_empty() {
            writeln!(out, "\n{why}")?;
        }
    }
    Ok(out)
}

/// A table of texts.
fn plain(out: &mut String, text: &Plain) -> Result<()> {
    let line = |cells: &[String]| cells.iter().map(|c| escaped(c)).collect::<Vec<_>>().join(" | ");
    if !text.caption.is_empty() {
        writeln!(out, "\n{}:", escaped(&text.caption))?;
    }
    writeln!(out, "\n| {} |", line(&text.heads))?;
    writeln!(
        out,
        "| --- |{}",
        " ---: |".repeat(text.heads.len().saturating_sub(1))
    )?;
    for row in &text.rows {
        writeln!(out, "| {} |", line(row))?;
    }
    Ok(())
}

fn table(out: &mut String, sheet: &Sheet) -> Result<()> {
    if !sheet.title.is_empty() {
        writeln!(out, "\n{}:", t!(sheet.title))?;
    }
    let heads = sheet.columns.iter().map(|c| match c.unit {
        "" => c.title.to_string(),
        unit => format!("{}, {unit}", c.title),
    });
    writeln!(out, "\n| technique | {} |", heads.collect::<Vec<_>>().join(" | "))?;
    writeln!(out, "| --- |{}", " ---: |".repeat(sheet.columns.len()))?;
    for (i, name) in sheet.names.iter().enumerate() {
        let cells = sheet.columns.iter().map(|c| measured(&c.measured[i]));
        writeln!(
            out,
            "| {} | {} |",
            escaped(name),
            cells.collect::<Vec<_>>().join(" | ")
        )?;
        if sheet.predicted {
            let cells = sheet.columns.iter().map(|c| match c.predicted[i].as_str() {
                "" => String::new(),
                number => format!("*{number}*"),
            });
            writeln!(out, "| *predicted* | {} |", cells.collect::<Vec<_>>().join(" | "))?;
        }
    }
    Ok(())
}

/// A number, bold if it is the best, with what stands behind it.
fn measured(cell: &Cell) -> String {
    let mut text = match cell.mark.best {
        true => format!("**{}**", cell.number),
        false => cell.number.clone(),
    };
    if !cell.give.is_empty() {
        text += &format!(" {}", cell.give);
    }
    if let Some(ratio) = cell.mark.times {
        text += &format!(" ({})", figures::times(ratio));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn written(report: &Report) -> String {
        draw(
            report,
            &Style {
                timeline: true,
                ..Style::default()
            },
        )
        .unwrap()
    }

    /// Bars that part cells: those without a backslash before them.
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
            "| 104 ±4.8 (×1,286) |",
            "| **0.087** ±0.0040 (×1.07) |",
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
            Run {
                file: "saved.json".into(),
                report,
            }
        };
        for all in [vec![run(0.0)], vec![run(0.0), run(50.0)]] {
            let style = Style {
                beside: Some("my <b> report".into()),
                ..Style::default()
            };
            let text = super::super::render_runs(markdown(), &all, &style).unwrap();
            let shown: Vec<&str> = text
                .split("](<")
                .skip(1)
                .filter_map(|t| t.split(">)").next())
                .collect();
            let files = beside(&all, "my _b_ report").unwrap();
            let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(shown, names);
            assert_eq!(names.len(), [5, 13][all.len() - 1]);
            for (name, svg) in &files {
                let whole = svg.starts_with("<svg xmlns=") && svg.trim_end().ends_with("</svg>");
                assert!(
                    whole && svg.contains("prefers-color-scheme") && !svg.contains("var("),
                    "{name}"
                );
            }
        }
        assert!(
            !draw(&fixture::with_events(), &Style::default())
                .unwrap()
                .contains("![")
        );
    }

    fn markdown() -> super::super::Format {
        clap::ValueEnum::from_str("markdown", false).unwrap()
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
