//! Drawing a [`Sweep`]: one table per figure, a row per setting and a column per technique, so that the
//! eye follows a technique down its column; a chart for each; and in words who overtakes whom.

mod csv;
mod html;
mod markdown;
mod pictures;
mod table;
mod words;

use std::path::Path;

use anyhow::{Result, bail};

use super::figures::figure;
use super::{Format, Style};
use crate::outcome::noise;
use crate::outcome::sweep::{Measure, Row, Stop, Sweep};
use crate::outcome::{BASELINE, Outcome};

pub use words::came;

/// Draws it in a format; the text ends in a newline.
///
/// # Errors
/// If the format cannot express it.
pub fn render(format: Format, sweep: &Sweep, style: &Style) -> Result<String> {
    Ok(match format.name {
        "table" => table::draw(sweep, style),
        "json" => json(sweep)?,
        "csv" => csv::draw(sweep)?,
        "markdown" => markdown::draw(sweep, style),
        "html" => html::draw(sweep)?,
        other => bail!("a sweep cannot be drawn as {other}"),
    })
}

/// Draws it and writes it to the file, or to stdout; charts that belong beside a file are written first.
///
/// # Errors
/// If it cannot be drawn, or not be written.
pub fn publish(format: Format, sweep: &Sweep, style: &Style, output: Option<&Path>) -> Result<()> {
    let mut style = style.clone();
    if let (true, Some((folder, stem))) = (format.has_charts_beside(), output.and_then(super::stem)) {
        for (name, text) in markdown::beside(sweep, &stem)? {
            super::deliver(&text, Some(&folder.join(name)))?;
        }
        style.beside = Some(stem);
    }
    super::deliver(&render(format, sweep, &style)?, output)
}

/// Everything, as JSON.
///
/// # Errors
/// If it cannot be written as that.
pub fn json(sweep: &Sweep) -> Result<String> {
    super::json_of(sweep)
}

/// One figure of every technique at every setting.
struct Sheet {
    title: &'static str,
    unit: &'static str,
    techniques: Vec<String>,
    lines: Vec<Line>,
}

/// The figure of every technique at one setting.
struct Line {
    setting: String,
    cells: Vec<Cell>,
    /// What is predicted of each, if anything is.
    predicted: Option<Vec<String>>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq)]
struct Cell {
    number: String,
    /// Whether nobody has less, and somebody has more.
    least: bool,
}

/// How a sheet's figures come out of a row.
struct Spec {
    /// Part of a chart's file name.
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    /// One of this unit, in the measure's own.
    per: f64,
    measure: Option<Measure>,
    of: fn(&Outcome) -> Option<f64>,
}

const SPECS: &[Spec] = &[
    Spec {
        name: "overhead",
        title: "overhead",
        unit: "bytes per mail",
        per: 1.0,
        measure: Some(Measure::OverheadBytesPerDelivery),
        of: |_| None,
    },
    Spec {
        name: "requests",
        title: "requests",
        unit: "per mail",
        per: 1.0,
        measure: Some(Measure::RequestsPerDelivery),
        of: |_| None,
    },
    Spec {
        name: "latency",
        title: "mean latency",
        unit: "ms",
        per: 1e3,
        measure: Some(Measure::LatencyUs),
        of: |_| None,
    },
    Spec {
        name: "processor",
        title: "the server's processor time",
        unit: "µs per mail",
        per: 1.0,
        measure: Some(Measure::CpuUsPerDelivery),
        of: |_| None,
    },
    Spec {
        name: "memory",
        title: "the server's memory",
        unit: "KiB per connection",
        per: 1024.0,
        measure: None,
        of: |o| o.server.as_ref()?.memory_bytes_per_connection,
    },
    Spec {
        name: "connections",
        title: "connections",
        unit: "open at a time",
        per: 1.0,
        measure: None,
        // What the server is seen to cost is read against how much it holds.
        of: |o| o.server.as_ref().map(|_| o.connections.peak as f64),
    },
];

/// The sheets that have something on them.
fn sheets(sweep: &Sweep) -> Vec<Sheet> {
    let techniques = sweep.techniques();
    let sheet = |spec: &Spec| Sheet {
        title: spec.title,
        unit: spec.unit,
        techniques: techniques.iter().map(|t| super::printable(t)).collect(),
        lines: reached(sweep)
            .map(|stop| line(sweep, stop, &techniques, spec))
            .collect(),
    };
    let something = |s: &Sheet| s.lines.iter().flat_map(|l| &l.cells).any(|c| c.number != NOTHING);
    SPECS.iter().map(sheet).filter(something).collect()
}

/// The settings that were reached.
fn reached(sweep: &Sweep) -> impl Iterator<Item = &Stop> {
    let stops = sweep.knob.stops.iter();
    stops.filter(|stop| sweep.at(stop).next().is_some())
}

fn line(sweep: &Sweep, stop: &Stop, techniques: &[&str], spec: &Spec) -> Line {
    let row = |name: &&str| sweep.at(stop).find(|r| r.technique() == *name);
    let rows: Vec<Option<&Row>> = techniques.iter().map(row).collect();
    let foreseen = |row: &Option<&Row>| Some(spec.measure?.foreseen(row.as_ref()?.predicted())? / spec.per);
    let written = |v: Option<f64>| v.map_or(NOTHING.into(), figure);
    let measured = rows.iter().flatten().any(|r| r.outcome().is_some());
    let least = least(&rows, spec);
    let cells = rows.iter().zip(least).map(|(row, least)| Cell {
        number: written(match measured {
            true => row.and_then(|r| value(r.outcome()?, spec)).map(|v| v / spec.per),
            false => foreseen(row),
        }),
        least,
    });
    let predicted: Vec<Option<f64>> = rows.iter().map(foreseen).collect();
    Line {
        setting: super::printable(&stop.text),
        cells: cells.collect(),
        predicted: (measured && predicted.iter().any(Option::is_some))
            .then(|| predicted.into_iter().map(written).collect()),
    }
}

/// What is written where a quantity was not measured or does not exist.
const NOTHING: &str = "–";

fn value(o: &Outcome, spec: &Spec) -> Option<f64> {
    match spec.measure {
        Some(measure) => measure.of(o),
        None => (spec.of)(o),
    }
}

/// Who has the least of it, or no more than the least beyond noise; nobody if that is everybody. Who lost
/// mail did less work and cannot be.
fn least(rows: &[Option<&Row>], spec: &Spec) -> Vec<bool> {
    let Some(measure) = spec.measure else {
        return vec![false; rows.len()];
    };
    let entered = |row: &&Row| row.technique() != BASELINE && row.outcome().is_none_or(Outcome::clean);
    let figure = |row: &Row| match row.outcome() {
        Some(o) => measure.of(o),
        None => measure.foreseen(row.predicted()),
    };
    let racing: Vec<Option<(&Row, f64)>> = rows
        .iter()
        .map(|row| row.filter(entered).and_then(|r| Some((r, figure(r)?))))
        .collect();
    let Some(best) = racing.iter().flatten().min_by(|a, b| a.1.total_cmp(&b.1)) else {
        return vec![false; rows.len()];
    };
    let apart = |(row, v): &(&Row, f64)| match (row.outcome(), best.0.outcome()) {
        (Some(a), Some(b)) => measure.apart(a, b),
        _ => *v > best.1 * noise::EQUAL,
    };
    let behind = |entry: &Option<(&Row, f64)>| entry.as_ref().is_some_and(apart);
    let contested = racing.iter().any(behind);
    let first = |entry: &Option<(&Row, f64)>| contested && entry.is_some() && !behind(entry);
    racing.iter().map(first).collect()
}
