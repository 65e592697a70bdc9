//! A sweep as a document: a table and a chart for each figure, and the crossovers in sentences.

use anyhow::Result;
use serde_json::{Value, json};

use super::{pictures, tables, words};
use crate::lang::t;
use crate::outcome::sweep::{Figures, Row, Sweep};
use crate::report::csv::Records;
use crate::report::doc::{Block, Doc};
use crate::report::json::json_of;
use crate::report::source::{command, place};
use crate::report::view::View;
use crate::report::views::run::records::paths;

impl View for Sweep {
    fn doc(&self) -> Doc {
        let cuts = words::cuts(self);
        let crossovers: Vec<String> = cuts.into_iter().chain(words::crossovers(self)).collect();
        let mut blocks = vec![Block::Scenario(words::scenario(self))];
        let headline = words::headline(self)
            .or_else(|| crossovers.first().cloned())
            .unwrap_or_default();
        blocks.extend(tables::of(self).into_iter().map(Block::Table));
        blocks.extend(pictures::of(self).into_iter().map(Block::Chart));
        blocks.push(Block::legend(words::legend(self)));
        blocks.push(Block::Items {
            title: t!("Who overtakes whom"),
            lines: crossovers,
        });
        blocks.extend(words::warnings(self).into_iter().map(Block::Warning));
        Doc {
            title: format!("mailcall sweep --{}: {headline}", self.knob.name),
            brand: t!("one knob, turned"),
            headline,
            place: measured_on(self),
            command: command(&self.envelope.argv),
            blocks,
            ..Doc::default()
        }
    }

    /// The columns of a comparison, after the swept setting and its value.
    fn records(&self) -> Result<Records> {
        let rows: Result<_> = self.results.iter().map(|row| value(row, self)).collect();
        Ok(Records {
            paths: paths(&["knob", "at"]),
            rows: rows?,
        })
    }

    fn json(&self) -> Result<String> {
        json_of(self)
    }
}

/// Where it was measured, if anything was.
fn measured_on(sweep: &Sweep) -> String {
    let run = sweep.results.iter().any(|r| r.outcome().is_some());
    let measured = run.then(|| place(&sweep.envelope.mailcall, sweep.environment.as_ref()));
    measured.unwrap_or_default()
}

fn value(row: &Row, sweep: &Sweep) -> Result<Value> {
    let mut value = match &row.figures {
        Figures::Measured(outcome) => serde_json::to_value(outcome)?,
        Figures::Predicted(f) => json!({
            "technique": f.technique,
            "mails": { "expected": f.expected },
            "predicted": f.predicted,
        }),
    };
    let stop = sweep.knob.stops.iter().find(|stop| stop.at == row.at);
    value["knob"] = json!(sweep.knob.name);
    value["at"] = json!(row.at.to_string());
    value["partial"] = json!(sweep.envelope.partial);
    value["scenario"] = serde_json::to_value(stop.map_or(&sweep.scenario, |s| &s.scenario))?;
    Ok(value)
}
