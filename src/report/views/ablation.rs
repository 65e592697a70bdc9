//! The view of `compare --ablate`: what each line of the usual remedies changed.

use anyhow::Result;
use serde_json::json;

use super::run::legend::{AT_THE_END, CLUMPS};
use super::run::records;
use crate::lang::{list, t, text};
use crate::outcome::ablation::{Ablated, Ablation, Change, change};
use crate::outcome::{BehindProxies, Outcome};
use crate::report::csv::Records;
use crate::report::doc::{self, Block, Column, Doc, Narrow, Note, Table};
use crate::report::json::json_of;
use crate::report::notes::{rate, transport};
use crate::report::numbers::{NOTHING, figure};
use crate::report::source::command;
use crate::report::view::View;
use crate::terminal::printable;

/// The columns; the first reading is spared the last.
const HEADS: [(&str, &str); 5] = [
    ("it changed", ""),
    ("mean latency", "ms"),
    ("first mail", "ms"),
    ("at once", "mean"),
    ("at the end", "mails"),
];

/// What a row is.
const ALONE: &str = text!("Each row has one line alone; the other settings are the proxy's own.");

/// Which of them a narrow terminal leaves out: the highest first.
const RANKS: [u8; 5] = [0, 1, 2, 3, 4];

impl View for Ablation {
    fn doc(&self) -> Doc {
        let column = |(rank, head): (u8, &(&str, &'static str))| Column {
            rank,
            more: *head == HEADS[4],
            ..match head {
                ("it changed", _) => Column::words(*head),
                _ => Column::figures(*head),
            }
        };
        let table = Table {
            label: t!("What each remedy changed"),
            corner: t!("line"),
            columns: RANKS.into_iter().zip(&HEADS).map(column).collect(),
            narrow: Narrow::Drop,
            rows: self.results.iter().map(|row| cells(self, row)).collect(),
            ..Table::default()
        };
        let mut blocks = vec![
            Block::Scenario(scenario(self)),
            Block::Text(sentence(self)),
            Block::Table(table),
            Block::Legend(vec![
                Note {
                    column: None,
                    text: format!("{} {}", t!(ALONE), t!(CLUMPS)),
                },
                Note {
                    column: Some(HEADS[4].0),
                    text: t!(AT_THE_END),
                },
            ]),
        ];
        if self.envelope.partial {
            blocks.push(Block::Warning(t!(
                "PARTIAL: interrupted; these figures cover only what had happened by then."
            )));
        }
        let headline = t!("Which line matters?");
        Doc {
            title: format!("mailcall compare --ablate: {headline}"),
            brand: "ablate".into(),
            headline,
            command: command(&self.envelope.argv),
            blocks,
            ..Doc::default()
        }
    }

    fn records(&self) -> Result<Records> {
        let row = |ablated: &Ablated| {
            let partial = self.envelope.partial;
            let mut row = records::row(&ablated.outcome, &self.scenario, self.simulated, partial)?;
            row["remedy"] = json!(ablated.remedy);
            Ok(row)
        };
        let rows: Result<_> = self.results.iter().map(row).collect();
        Ok(Records {
            paths: records::paths(&["remedy"]),
            rows: rows?,
        })
    }

    fn json(&self) -> Result<String> {
        json_of(self)
    }
}

fn scenario(ablation: &Ablation) -> String {
    let s = &ablation.scenario;
    let technique = ablation.before().map_or("", |o| &o.technique);
    let mut parts = vec![t!(
        "%{technique}, %{mails} mails at %{rate}",
        technique = technique,
        mails = s.mails,
        rate = rate(s.rate_per_s)
    )];
    parts.extend(transport(s));
    if ablation.simulated {
        parts.insert(0, t!("simulated, nothing was measured"));
    }
    parts.join("; ")
}

fn cells(ablation: &Ablation, row: &Ablated) -> doc::Row {
    let o = &row.outcome;
    let behind = o.behind_proxies.as_ref();
    let name = match &row.remedy {
        Some(line) => printable(line),
        None => t!("(none)"),
    };
    let or_nothing = |x: Option<f64>| x.map_or_else(|| NOTHING.into(), figure);
    let changed = ablation
        .before()
        .filter(|_| row.remedy.is_some())
        .map(|before| change(before, o));
    doc::Row::plain(
        name,
        [
            changed.map_or(String::new(), |change| t!(words(change))),
            or_nothing(latency(o)),
            or_nothing(behind.and_then(|b| b.first_us).map(|us| us / 1e3)),
            or_nothing(behind.and_then(BehindProxies::mails_per_clump)),
            or_nothing(o.mails.held_back.map(|n| n as f64)),
        ],
    )
}

fn latency(o: &Outcome) -> Option<f64> {
    Some(o.latency_us.as_ref()?.mean / 1e3)
}

const fn words(change: Change) -> &'static str {
    match change {
        Change::Flows => text!("mail flows"),
        Change::Sooner => text!("sooner, in clumps"),
        Change::Later => text!("later"),
        Change::Nothing => text!("nothing"),
    }
}

/// The main observation.
fn sentence(ablation: &Ablation) -> String {
    let Some(before) = ablation.before() else {
        return t!("The run was interrupted before there was anything to compare.");
    };
    let with = |wanted: Change| -> Vec<String> {
        let lines = ablation.results.iter().filter_map(|row| {
            let line = row.remedy.as_ref()?;
            (change(before, &row.outcome) == wanted).then(|| format!("`{}`", printable(line)))
        });
        lines.collect()
    };
    let (flows, nothing) = (with(Change::Flows), with(Change::Nothing));
    match (flows.is_empty(), nothing.is_empty()) {
        (true, _) => t!(
            "No line alone changed how mail comes: without any it waits %{wait} ms on average.",
            wait = figure(latency(before).unwrap_or(0.0))
        ),
        (false, true) => t!(
            "One line alone is enough for mail to come as it arrives: %{flows}.",
            flows = flows.join(", ")
        ),
        (false, false) => t!(
            "One line alone is enough for mail to come as it arrives: %{flows}. Nothing changes with %{nothing}.",
            flows = flows.join(", "),
            nothing = list(&nothing)
        ),
    }
}
