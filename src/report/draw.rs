//! Draws a result in a format, and writes it to its destination.

use crate::lang::t;
use std::path::Path;

use anyhow::{Context, Result};

use super::csv;
use super::format::Format;
use super::output::{deliver, stem};
use super::render::{html, markdown, text};
use super::style::Style;
use super::view::View;

/// Draws a result; the text ends in a newline.
///
/// # Errors
/// If the format cannot express it.
pub fn draw(format: Format, view: &dyn View, style: &Style) -> Result<String> {
    if let Some(own) = view.own(format, style) {
        return own;
    }
    let drawn = match format {
        Format::Table => Ok(text::draw(&view.doc(), style)),
        Format::Json => view.json(),
        Format::Csv if style.events => view.events().and_then(|events| csv::written(&events)),
        Format::Csv => view.records().and_then(|records| csv::written(&records)),
        Format::Markdown => Ok(markdown::draw(&view.doc(), style)),
        Format::Html => {
            // A page brings along what it was drawn from.
            let events = view.events().and_then(|events| csv::written(&events)).ok();
            html::draw(&view.doc(), events.as_deref())
        }
    };
    drawn.with_context(|| t!("could not write the result as %{name}", name = format.name()))
}

/// Draws a result and writes it to the file, or to stdout. Charts beside the file are written first, each
/// whole or not at all, so the result never refers to a missing chart.
///
/// # Errors
/// If it cannot be drawn or written.
pub fn publish(format: Format, view: &dyn View, style: &Style, output: Option<&Path>) -> Result<()> {
    let mut style = style.clone();
    if let (true, Some((folder, stem))) = (format.has_charts_beside(), output.and_then(stem)) {
        for (name, text) in markdown::beside(&view.doc(), &stem)? {
            deliver(&text, Some(&folder.join(name)))?;
        }
        style.beside = Some(stem);
    }
    deliver(&draw(format, view, &style)?, output)
}
#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::super::fixture;
    use super::super::views::saved::{Saved, Several};
    use super::*;
    use crate::outcome::Report;

    fn named(name: &str) -> Format {
        Format::from_str(name, false).unwrap()
    }

    fn several(reports: &[Report], format: Format) -> Result<Several> {
        let saved = reports
            .iter()
            .map(|report| ("x.json".into(), Saved::Run(Box::new(report.clone()))));
        Several::new(saved.collect(), format)
    }

    #[test]
    fn every_format_ends_its_text() {
        for format in Format::value_variants() {
            for report in [fixture::typical(), fixture::lost(), fixture::empty()] {
                let text = draw(*format, &report, &Style::default()).unwrap();
                assert!(
                    text.ends_with('\n') && !text.contains("NaN") && !text.contains("inf"),
                    "{format:?}"
                );
            }
        }
    }

    #[test]
    fn events_are_rows_and_come_with_a_page() {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let report = fixture::with_events();
        let style = Style {
            events: true,
            ..Style::default()
        };
        let rows = draw(named("csv"), &report, &style).unwrap();
        let events: usize = report.results.iter().map(|o| o.events.len()).sum();
        assert_eq!(rows.lines().count(), 1 + events);
        assert!(rows.starts_with("technique,t_us,client,kind,mail\n"), "{rows}");
        assert!(rows.contains(",delivered,"), "{rows}");
        let page = draw(named("html"), &report, &Style::default()).unwrap();
        let (_, rest) = page.split_once("href=\"data:text/csv;base64,").unwrap();
        let (encoded, _) = rest.split_once('"').unwrap();
        assert_eq!(STANDARD.decode(encoded).unwrap(), rows.as_bytes());
        // Only a run has events, and only of one it is clear whose they are.
        let both = several(&[report.clone(), report], named("csv")).unwrap();
        assert!(draw(named("csv"), &both, &style).is_err());
    }

    #[test]
    fn charts_lie_beside_a_file_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let report = fixture::with_events();
        let written = |name: &str| {
            let file = dir.path().join(format!("my.{name}"));
            publish(named(name), &report, &Style::default(), Some(&file)).unwrap();
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
        let charts = [
            "bytes",
            "distribution",
            "latency",
            "model",
            "over-time",
            "timeline",
        ]
        .map(|c| format!("my-{c}.svg"));
        assert_eq!(written("markdown")[..6], charts);
        publish(
            named("markdown"),
            &report,
            &Style::default(),
            Some(Path::new("/dev/null")),
        )
        .unwrap();
        assert!(!Path::new("/dev/null-latency.svg").exists());
    }

    #[test]
    fn several_runs_in_every_format_that_has_room_for_them() {
        let run = |seed: u64| {
            let mut report = fixture::typical();
            report.scenario.seed = seed;
            report
        };
        let runs = [run(1), run(2)];
        for format in Format::value_variants() {
            let both = several(&runs, *format);
            assert_eq!(both.is_ok(), *format != Format::Json, "{format:?}");
            let Ok(both) = both else { continue };
            let text = draw(*format, &both, &Style::default()).unwrap();
            assert!(
                text.contains("--seed 1") && text.contains("--seed 2"),
                "{format:?}"
            );
            let alone = several(&runs[..1], *format).unwrap();
            assert_eq!(
                draw(*format, &alone, &Style::default()).unwrap(),
                draw(*format, &runs[0], &Style::default()).unwrap()
            );
        }
    }
}
