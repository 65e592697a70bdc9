//! Several runs side by side: the figures to compare.

use super::names::{Run, of_runs};
use crate::lang::{t, text};
use crate::outcome::Outcome;
use crate::report::chart::{self, Axis, Fill, Row, Scale, Segment, Spread};
use crate::report::doc::{self, Cell, Column, Mark, Narrow, Table};
use crate::report::numbers::{figure, known, plus, times, waited};
use crate::report::picture::Picture;
use crate::report::prose::clip;
use crate::report::views::run::colour::fill;
use crate::report::views::run::pictures::wait;
use crate::report::views::run::tables::{Figure, mean_ms, overhead, worst_ms};
use crate::terminal::printable;

/// The figures; of latencies the difference is shown, of others the multiple.
const FIGURES: [(&str, Figure, bool); 4] = [
    ("mean latency, ms", mean_ms, true),
    ("worst latency, ms", worst_ms, true),
    ("requests", requests, false),
    ("overhead, B per mail", overhead, false),
];

/// Latencies that differ by less, in ms, count as equal.
const SAME_MS: f64 = 1.0;

/// The requests of one run.
fn requests(o: &Outcome) -> Option<f64> {
    Some(o.requests.total as f64 / o.runs() as f64)
}

/// All techniques of all runs, in the order of first occurrence.
fn techniques<'a>(runs: &[Run<'a>]) -> Vec<&'a str> {
    let mut names = Vec::new();
    for outcome in runs.iter().flat_map(|r| &r.report.results) {
        if !names.contains(&outcome.technique.as_str()) {
            names.push(&outcome.technique);
        }
    }
    names
}

fn of<'a>(run: &Run<'a>, technique: &str) -> Option<&'a Outcome> {
    run.report.results.iter().find(|o| o.technique == technique)
}

/// The tables of compared figures, each with its multiple of the first run's.
pub fn tables(runs: &[Run]) -> Vec<Table> {
    let columns: Vec<Column> = of_runs(runs)
        .iter()
        .map(|name| Column::numbers((name, "")))
        .collect();
    let row = |name: &str, figure: Figure, is_latency: bool| {
        let values: Vec<Option<f64>> = runs.iter().map(|r| figure(of(r, name)?)).collect();
        let first = values.first().copied().flatten();
        let cells = (0..)
            .zip(&values)
            .map(|(i, v)| cell(*v, first.filter(|_| i > 0), is_latency));
        doc::Row {
            name: printable(name),
            cells: cells.collect(),
            ..doc::Row::default()
        }
    };
    let table = |(title, figure, is_latency): (&str, Figure, bool)| Table {
        label: title.into(),
        corner: title.into(),
        columns: columns.clone(),
        rows: techniques(runs)
            .into_iter()
            .map(|name| row(name, figure, is_latency))
            .collect(),
        narrow: Narrow::Turn,
        mark: Mark::Word,
        ..Table::default()
    };
    FIGURES.into_iter().map(table).collect()
}

/// A figure, with its difference from the first or its multiple of it, unless they are about the same.
fn cell(value: Option<f64>, first: Option<f64>, is_latency: bool) -> Cell {
    let both = first.zip(value);
    let beside = match is_latency {
        true => both
            .map(|(first, v)| v - first)
            .filter(|d| d.abs() > SAME_MS)
            .map(plus),
        false => {
            let positive = both.filter(|(first, v)| *first > 0.0 && *v > 0.0);
            let ratio = positive.map(|(first, v)| v / first);
            ratio.filter(|r| (r - 1.0).abs() > 0.02).map(times)
        }
    };
    Cell {
        times: beside.unwrap_or_default(),
        ..known(value).into()
    }
}

/// The charts that compare runs.
pub fn pictures(runs: &[Run]) -> Vec<Picture> {
    let bytes = (
        t!("Overhead, run by run"),
        text!("bytes of overhead for each delivered mail"),
    );
    let asked = (t!("Requests, run by run"), text!("requests in one run"));
    [
        latency(runs),
        cost(runs, NAMES[1], bytes, overhead),
        cost(runs, NAMES[2], asked, requests),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const NAMES: [&str; 3] = ["runs-latency", "runs-overhead", "runs-requests"];

/// Every technique's outcomes, run by run: the run's name, the colour, the outcome, and whether it is the
/// technique's first one.
fn each<'a>(runs: &[Run<'a>]) -> Vec<(String, Fill, &'a Outcome, bool)> {
    let names = of_runs(runs);
    let mut all = Vec::new();
    for technique in techniques(runs) {
        let there = runs
            .iter()
            .zip(&names)
            .filter_map(|(r, name)| Some((r, name, of(r, technique)?)));
        for (i, (run, name, outcome)) in there.enumerate() {
            let name = format!("{}, {}", printable(technique), clip(name, 32));
            all.push((name, fill(run.report, outcome), outcome, i == 0));
        }
    }
    all
}

fn latency(runs: &[Run]) -> Option<Picture> {
    let row = |(name, fill, o, _): (String, Fill, &Outcome, bool)| {
        let l = o.latency_us.as_ref()?;
        Some(Spread {
            name,
            fill,
            quantiles: o.latency_quantiles_us.iter().map(|us| us / 1e3).collect(),
            mean: l.mean / 1e3,
            predicted: Some(o.predicted.latency_us.mean / 1e3).filter(|ms| *ms > 0.0),
            note: format!("mean {}", waited(l.mean / 1e3)),
            brief: format!("mean {}", waited(l.mean / 1e3)),
        })
    };
    let rows: Vec<Spread> = each(runs).into_iter().filter_map(row).collect();
    let axis = wait();
    (!rows.is_empty()).then(|| Picture::new(
        NAMES[0],
        t!("How long mail waited, run by run"),
        t!(
                "Compare each technique with itself: where its rows lie under each other, what was changed does \
                 not matter to it."
            ),
        said(rows.iter().map(|r| (&r.name, &r.note))),
        move |about, width| chart::spread(about, &axis, &rows, width),
    ))
}

fn cost(
    runs: &[Run],
    name: &'static str,
    (title, unit): (String, &str),
    figure_of: Figure,
) -> Option<Picture> {
    let row = |(name, fill, o, first): (String, Fill, &Outcome, bool)| {
        let value = figure_of(o)?;
        Some(Row {
            name,
            segments: vec![Segment { value, fill }],
            predicted: None,
            note: figure(value),
            apart: first,
        })
    };
    let rows: Vec<Row> = each(runs).into_iter().filter_map(row).collect();
    let axis = Axis::new(&t!(unit), Scale::Linear, figure);
    (!rows.is_empty()).then(|| {
        Picture::new(
            name,
            title,
            t!("All bars have one scale. Compare a technique with itself first, then with the others."),
            said(rows.iter().map(|r| (&r.name, &r.note))),
            move |about, width| chart::bars(about, &axis, &[], &rows, width),
        )
    })
}

/// The rows as a description, for readers who cannot see the chart.
fn said<'a>(rows: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let each = rows.map(|(name, note)| format!("{name}: {note}"));
    each.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_figure_stands_beside_its_multiple_of_the_first() {
        let mut reports = [fixture::typical(), fixture::typical(), fixture::typical()];
        reports[1].results.remove(0);
        reports[2].results[0].requests.total *= 3;
        let runs: Vec<Run> = ["run0", "run1", "run2"]
            .into_iter()
            .zip(&reports)
            .map(|(file, report)| Run { file, report })
            .collect();
        let tables = tables(&runs);
        let requests = tables.iter().find(|t| t.corner == "requests").unwrap();
        let cells = |row: usize| {
            let cells = requests.rows[row].cells.iter();
            cells.map(|c| [&*c.text, &*c.times].join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(requests.rows[0].name, "poll");
        assert_eq!(cells(0), ["62 ", "– ", "186 ×3.0"]);
        assert_eq!(cells(1), ["21 ", "21 ", "21 "]);
        let latency = tables.iter().find(|t| t.corner == "mean latency, ms").unwrap();
        assert_eq!(latency.rows[0].cells[2].times, "", "about the same");
        let beside = |v, first| cell(Some(v), Some(first), true).times;
        assert_eq!(
            [beside(119.0, 2.0), beside(2.0, 119.0), beside(0.3, 0.9)],
            ["+117", "-117", ""]
        );
        assert!(tables.iter().all(|t| t.columns.len() == 3 && t.rows.len() == 4));
        let pictures = pictures(&runs);
        assert_eq!(pictures.iter().map(|p| p.name).collect::<Vec<_>>(), NAMES);
        assert!(pictures.iter().all(|p| p.svg("x", 900).contains("poll, run2")));
    }
}
