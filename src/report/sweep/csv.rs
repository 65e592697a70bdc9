//! One row per setting and technique (RFC 4180): the columns of a comparison behind the knob and where it
//! was. What was not measured is empty.

use anyhow::Result;
use serde_json::json;

use super::super::csv::{at, field, paths};
use super::super::printable;
use crate::outcome::sweep::{Figures, Row, Sweep};

/// Writes the sweep as CSV.
pub fn draw(sweep: &Sweep) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = paths().map(|path| path.replace('.', "_"));
    writer.write_record(["knob".into(), "at".into()].into_iter().chain(names))?;
    for row in &sweep.results {
        let value = value(row, sweep)?;
        let behind = paths().map(|path| field(at(&value, path)));
        let front = [printable(&sweep.knob.name), row.at.to_string()];
        writer.write_record(front.into_iter().chain(behind))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn value(row: &Row, sweep: &Sweep) -> Result<serde_json::Value> {
    let mut value = match &row.figures {
        Figures::Measured(outcome) => serde_json::to_value(outcome)?,
        Figures::Foreseen(f) => json!({
            "technique": f.technique,
            "mails": { "expected": f.expected },
            "predicted": f.predicted,
        }),
    };
    let stop = sweep.knob.stops.iter().find(|stop| stop.at == row.at);
    value["partial"] = json!(sweep.partial);
    value["scenario"] = serde_json::to_value(stop.map_or(&sweep.scenario, |s| &s.scenario))?;
    Ok(value)
}
