//! The tables of a sweep: one per figure, with a row per setting and a column per technique, so that readers
//! can follow a technique down its column.

use crate::lang::{t, text};
use crate::outcome::sweep::{Measure, Row, Stop, Sweep};
use crate::outcome::{BASELINE, Outcome, noise};
use crate::report::chart::Fill;
use crate::report::doc::{Cell, Column, Narrow, Row as Line, Table};
use crate::report::numbers::{NOTHING, known};
use crate::terminal::printable;

/// The definition of a table's figures.
pub struct Spec {
    /// Part of a chart's file name.
    pub name: &'static str,
    pub title: &'static str,
    pub unit: &'static str,
    /// One of this unit, in the measure's own unit.
    pub per: f64,
    pub measure: Option<Measure>,
    of: fn(&Outcome) -> Option<f64>,
}

impl Spec {
    /// Its title: a label stays as it is, words are in the reader's language.
    pub fn title(&self) -> String {
        match self.title.starts_with("the ") {
            true => t!(self.title),
            false => self.title.into(),
        }
    }
}

pub const SPECS: &[Spec] = &[
    Spec {
        name: "overhead",
        title: "overhead",
        unit: text!("bytes per mail"),
        per: 1.0,
        measure: Some(Measure::OverheadBytesPerDelivery),
        of: |_| None,
    },
    Spec {
        name: "requests",
        title: "requests",
        unit: text!("per mail"),
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
        title: text!("the server's processor time"),
        unit: text!("µs per mail"),
        per: 1.0,
        measure: Some(Measure::CpuUsPerDelivery),
        of: |_| None,
    },
    Spec {
        name: "memory",
        title: text!("the server's memory"),
        unit: text!("KiB per connection"),
        per: 1024.0,
        measure: None,
        of: |o| o.server.as_ref()?.memory_bytes_per_connection,
    },
    Spec {
        name: "connections",
        title: "connections",
        unit: text!("open at a time"),
        per: 1.0,
        measure: None,
        // The server's cost is shown together with the number of connections that it holds.
        of: |o| o.server.as_ref().map(|_| o.connections.peak as f64),
    },
];

/// The tables that have values.
pub fn of(sweep: &Sweep) -> Vec<Table> {
    let techniques = sweep.techniques();
    let column = |(n, name): (usize, &&str)| Column {
        title: printable(name),
        fill: Some(fill(n, name)),
        ..Column::default()
    };
    let table = |spec: &Spec| Table {
        title: spec.title(),
        unit: spec.unit,
        corner: format!("--{}", sweep.knob.name),
        columns: techniques.iter().enumerate().map(column).collect(),
        rows: reached(sweep)
            .map(|stop| line(sweep, stop, &techniques, spec))
            .collect(),
        narrow: Narrow::Fill,
        ..Table::default()
    };
    let something = |t: &Table| t.rows.iter().flat_map(|r| &r.cells).any(|c| c.text != NOTHING);
    SPECS.iter().map(table).filter(something).collect()
}

/// A technique's colour, by its index.
pub fn fill(n: usize, technique: &str) -> Fill {
    match technique {
        BASELINE => Fill::Baseline,
        _ => Fill::Technique(n),
    }
}

/// The settings that have results.
pub fn reached(sweep: &Sweep) -> impl Iterator<Item = &Stop> {
    let stops = sweep.knob.stops.iter();
    stops.filter(|stop| sweep.at(stop).next().is_some())
}

fn line(sweep: &Sweep, stop: &Stop, techniques: &[&str], spec: &Spec) -> Line {
    let row = |name: &&str| sweep.at(stop).find(|r| r.technique() == *name);
    let rows: Vec<Option<&Row>> = techniques.iter().map(row).collect();
    let predicted_value =
        |row: &Option<&Row>| Some(spec.measure?.predicted(row.as_ref()?.predicted())? / spec.per);
    let measured = rows.iter().flatten().any(|r| r.outcome().is_some());
    let least = least(&rows, spec);
    let cells = rows.iter().zip(least).map(|(row, least)| Cell {
        text: known(match measured {
            true => row.and_then(|r| value(r.outcome()?, spec)).map(|v| v / spec.per),
            false => predicted_value(row),
        }),
        best: Some(least),
        ..Cell::default()
    });
    let predicted: Vec<Option<f64>> = rows.iter().map(predicted_value).collect();
    Line {
        name: printable(&stop.text),
        cells: cells.collect(),
        predicted: (measured && predicted.iter().any(Option::is_some))
            .then(|| predicted.into_iter().map(known).collect()),
        ..Line::default()
    }
}

pub fn value(o: &Outcome, spec: &Spec) -> Option<f64> {
    match spec.measure {
        Some(measure) => measure.of(o),
        None => (spec.of)(o),
    }
}

/// Which techniques have the smallest figure, or do not exceed it significantly; none if that is all of them.
/// A technique that lost mail did less work and is excluded.
fn least(rows: &[Option<&Row>], spec: &Spec) -> Vec<bool> {
    let Some(measure) = spec.measure else {
        return vec![false; rows.len()];
    };
    let entered = |row: &&Row| row.technique() != BASELINE && row.outcome().is_none_or(Outcome::clean);
    let figure = |row: &Row| match row.outcome() {
        Some(o) => measure.of(o),
        None => measure.predicted(row.predicted()),
    };
    let compared: Vec<Option<(&Row, f64)>> = rows
        .iter()
        .map(|row| row.filter(entered).and_then(|r| Some((r, figure(r)?))))
        .collect();
    let Some(best) = compared.iter().flatten().min_by(|a, b| a.1.total_cmp(&b.1)) else {
        return vec![false; rows.len()];
    };
    let differs = |(row, v): &(&Row, f64)| match (row.outcome(), best.0.outcome()) {
        (Some(a), Some(b)) => measure.differs(a, b),
        _ => *v > best.1 * noise::EQUAL,
    };
    let behind = |entry: &Option<(&Row, f64)>| entry.as_ref().is_some_and(differs);
    let any_behind = compared.iter().any(behind);
    let first = |entry: &Option<(&Row, f64)>| any_behind && entry.is_some() && !behind(entry);
    compared.iter().map(first).collect()
}
