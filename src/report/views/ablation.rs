//! The view of `compare --ablate`: what each line of the usual remedies changed.

use anyhow::Result;
use serde_json::json;

use super::run::records;
use crate::lang::{list, t, text};
use crate::outcome::ablation::{Ablated, Ablation, Change, change};
use crate::outcome::{BehindProxies, Outcome};
use crate::report::csv::Records;
use crate::report::doc::{self, Block, Column, Doc, Narrow, Table};
use crate::report::json::json_of;
use crate::report::notes::{rate, transport};
use crate::report::numbers::{NOTHING, figure};
use crate::report::source::command;
use crate::report::view::View;
use crate::terminal::printable;

const HEADS: [(&str, &str); 5] = [
    ("first mail", "ms"),
    ("at once", "mails, mean"),
    ("at the end", "mails"),
    ("mean latency", "ms"),
    ("it changed", ""),
];

/// Which of them a narrow terminal leaves out: the highest first.
const RANKS: [u8; 5] = [2, 3, 4, 1, 0];

impl View for Ablation {
    fn doc(&self) -> Doc {
        let column = |(rank, head): (u8, &(&str, &'static str))| Column {
            rank,
            ..match head {
                ("it changed", _) => Column::words(*head),
                _ => Column::numbers(*head),
            }
        };
        let table = Table {
            label: t!("What each remedy changed"),
            columns: RANKS.into_iter().zip(&HEADS).map(column).collect(),
            narrow: Narrow::Drop,
            rows: self.results.iter().map(|row| cells(self, row)).collect(),
            ..Table::default()
        };
        let mut blocks = vec![
            Block::Scenario(scenario(self)),
            Block::Text(sentence(self)),
            Block::Table(table),
            Block::legend(t!(
                "first mail: from its arrival until the client has it. at once: mails that the client reads within \
                 5 ms of each other. at the end: mails that came only when the server ended the stream. Each line \
                 stands alone: the other settings are the proxy's own."
            )),
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
            or_nothing(behind.and_then(|b| b.first_us).map(|us| us / 1e3)),
            or_nothing(behind.and_then(BehindProxies::mails_per_clump)),
            or_nothing(o.mails.held_back.map(|n| n as f64)),
            or_nothing(latency(o)),
            changed.map_or(String::new(), |change| t!(words(change))),
        ],
    )
}

fn latency(o: &Outcome) -> Option<f64> {
    Some(o.latency_us.as_ref()?.mean / 1e3)
}

const fn words(change: Change) -> &'static str {
    match change {
        Change::Flows => text!("mail flows"),
        Change::Sooner => text!("sooner, still in clumps"),
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
            "Each of %{flows} alone lets mail come as it arrives.",
            flows = list(&flows)
        ),
        (false, false) => t!(
            "Each of %{flows} alone lets mail come as it arrives. %{nothing} changed nothing.",
            flows = list(&flows),
            nothing = list(&nothing)
        ),
    }
}
