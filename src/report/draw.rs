//! From a result to text, in a format, and to where it goes.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::format::Format;
use super::output::{deliver, stem};
use super::runs::Run;
use super::style::Style;
use super::view::View;
use super::{csv, html, json, markdown, table};
use crate::outcome::Report;

/// Draws a result; the text ends in a newline.
///
/// # Errors
/// If the format cannot express it.
pub fn draw(format: Format, view: &impl View, style: &Style) -> Result<String> {
    match format {
        Format::Table => Ok(super::render::text::draw(&view.doc(), style)),
        Format::Json => json::json_of(view),
        Format::Csv => csv::written(&view.records()?),
        Format::Markdown => Ok(super::render::markdown::draw(
            &view.doc(),
            style.beside.as_deref(),
        )),
        Format::Html => super::render::html::draw(&view.doc()),
    }
}

/// Draws a result and writes it to the file, or to stdout. Charts that belong beside a file are written
/// first, each whole or not at all: so the result never refers to one that is not there.
///
/// # Errors
/// If it cannot be drawn, or not be written.
pub fn publish(format: Format, view: &impl View, style: &Style, output: Option<&Path>) -> Result<()> {
    let charts = |stem: &str| super::render::markdown::beside(&view.doc(), stem);
    let style = with_charts(format, style, output, charts)?;
    deliver(&draw(format, view, &style)?, output)
}

/// Draws `report` in `format`; the text ends in a newline.
///
/// # Errors
/// If a format cannot express the report.
pub fn render(format: Format, report: &Report, style: &Style) -> Result<String> {
    let drawn = match format {
        Format::Table => table::draw(report, style),
        Format::Json => json::json_of(report),
        Format::Csv => csv::draw(report),
        Format::Markdown => markdown::draw(report, style),
        Format::Html => html::draw(report, style),
    };
    drawn.with_context(|| format!("could not write the report as {}", format.name()))
}

/// Draws several runs side by side; a single one as [`render`] does.
///
/// # Errors
/// If a format cannot.
pub fn render_runs(format: Format, runs: &[Run], style: &Style) -> Result<String> {
    let drawn = match (runs, format) {
        ([only], _) => return render(format, &only.report, style),
        (_, Format::Table) => table::draw_runs(runs, style),
        (_, Format::Json) => bail!("json cannot hold several runs"),
        (_, Format::Csv) => csv::draw_runs(runs),
        (_, Format::Markdown) => markdown::draw_runs(runs, style),
        (_, Format::Html) => html::draw_runs(runs, style),
    };
    drawn.with_context(|| format!("could not write the runs as {}", format.name()))
}

/// The same as [`publish`] for runs.
///
/// # Errors
/// If they cannot be drawn, or not be written.
pub fn publish_runs(format: Format, runs: &[Run], style: &Style, output: Option<&Path>) -> Result<()> {
    let style = with_charts(format, style, output, |stem| markdown::beside(runs, stem))?;
    deliver(&render_runs(format, runs, &style)?, output)
}

/// Writes the charts that `draw` names and draws, if they belong beside the output; a style that refers to
/// them.
fn with_charts(
    format: Format,
    style: &Style,
    output: Option<&Path>,
    draw: impl FnOnce(&str) -> Result<Vec<(String, String)>>,
) -> Result<Style> {
    let mut style = style.clone();
    if let (true, Some((folder, stem))) = (format.has_charts_beside(), output.and_then(stem)) {
        for (name, text) in draw(&stem)? {
            deliver(&text, Some(&folder.join(name)))?;
        }
        style.beside = Some(stem);
    }
    Ok(style)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::super::fixture;
    use super::*;

    #[test]
    fn every_format_ends_its_text() {
        for format in Format::value_variants() {
            for report in [fixture::typical(), fixture::lost(), fixture::empty()] {
                let text = render(*format, &report, &Style::default()).unwrap();
                assert!(
                    text.ends_with('\n') && !text.contains("NaN") && !text.contains("inf"),
                    "{format:?}"
                );
            }
        }
    }

    #[test]
    fn charts_lie_beside_a_file_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let run = Run {
            file: String::new(),
            report: fixture::with_events(),
        };
        let written = |name: &str| {
            let format = Format::from_str(name, false).unwrap();
            let file = dir.path().join(format!("my.{name}"));
            publish_runs(format, std::slice::from_ref(&run), &Style::default(), Some(&file)).unwrap();
            let mut names: Vec<_> = std::fs::read_dir(dir.path())
                .unwrap()
                .map(|f| f.unwrap().file_name())
                .collect();
            names.sort();
            names
                .into_iter()
                .map(|n| n.into_string().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(written("html"), ["my.html"]);
        let charts = ["bytes", "distribution", "latency", "model", "timeline"].map(|c| format!("my-{c}.svg"));
        assert_eq!(written("markdown")[..5], charts);
        let markdown = Format::from_str("markdown", false).unwrap();
        publish_runs(markdown, &[run], &Style::default(), Some(Path::new("/dev/null"))).unwrap();
        assert!(!Path::new("/dev/null-latency.svg").exists());
    }

    #[test]
    fn several_runs_in_every_format_that_has_room_for_them() {
        let run = |seed: u64| {
            let mut report = fixture::typical();
            report.scenario.seed = seed;
            Run {
                file: "x.json".into(),
                report,
            }
        };
        let runs = [run(1), run(2)];
        for format in Format::value_variants() {
            let drawn = render_runs(*format, &runs, &Style::default());
            assert_eq!(drawn.is_ok(), format.holds_runs(), "{format:?}");
            let Ok(text) = drawn else { continue };
            assert!(
                text.contains("--seed 1") && text.contains("--seed 2"),
                "{format:?}"
            );
            assert_eq!(
                render_runs(*format, &runs[..1], &Style::default()).unwrap(),
                render(*format, &runs[0].report, &Style::default()).unwrap()
            );
        }
        assert!(!Format::from_str("json", false).unwrap().holds_runs());
    }
}
