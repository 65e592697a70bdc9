//! The view of `vanish --nat`: which silence lets a NAT forget a connection.

use anyhow::Result;

use crate::lang::t;
use crate::outcome::vanish::{Forgetting, Remembered};
use crate::report::csv::Records;
use crate::report::doc::{self, Block, Column, Doc, Table};
use crate::report::json::json_of;
use crate::report::notes::{cannot_be, transport};
use crate::report::numbers::{NOTHING, figure};
use crate::report::source::command;
use crate::report::view::View;
use crate::terminal::printable;

const HEADS: [(&str, &str); 5] = [
    ("says something", "every"),
    ("sent", "mails"),
    ("delivered", "mails"),
    ("missing", "from mail"),
    ("reconnects", ""),
];

/// Paths into a row.
const PATHS: &str = "technique flag every_ms expected delivered first_missing reconnects";

impl View for Forgetting {
    fn doc(&self) -> Doc {
        let table = Table {
            columns: HEADS.iter().map(|head| Column::numbers(*head)).collect(),
            rows: self.results.iter().map(row).collect(),
            ..Table::default()
        };
        let mut blocks = vec![
            Block::Scenario(scenario(self)),
            Block::Text(sentence(self)),
            Block::Table(table),
            Block::legend(t!(
                "says something: with --heartbeat the server does, with --hold its answer, with --interval the client. \
                 missing: what the server sent after the NAT had forgotten the connection; neither side was told. A \
                 client that says something itself finds out, and connects again. Nothing was measured: all figures \
                 are of simulated runs."
            )),
        ];
        blocks.extend(cannot_be(&self.absent).into_iter().map(Block::Absent));
        let question = t!("A NAT forgets what is silent: which mail disappears?");
        Doc::answering(question, "vanish --nat", command(&self.envelope.argv), blocks)
    }

    fn records(&self) -> Result<Records> {
        Records::of(PATHS, &self.results)
    }

    fn json(&self) -> Result<String> {
        json_of(self)
    }
}

/// A time as people say it: `4m 30s`.
fn spoken(ms: f64) -> String {
    let time = std::time::Duration::from_millis(ms.round().max(0.0) as u64);
    humantime::format_duration(time).to_string()
}

fn scenario(forgetting: &Forgetting) -> String {
    let s = &forgetting.scenario;
    let mut parts = vec![
        t!("simulated, nothing was measured"),
        t!(
            "%{mails} mails, one every %{pause}",
            mails = s.mails,
            pause = spoken(1e3 / s.rate_per_s)
        ),
    ];
    parts.extend(transport(s));
    parts.join("; ")
}

fn row(row: &Remembered) -> doc::Row {
    doc::Row::plain(
        printable(&row.technique),
        [
            spoken(row.every_ms),
            figure(row.expected as f64),
            figure(row.delivered as f64),
            row.first_missing
                .map_or_else(|| NOTHING.into(), |n| figure(n as f64)),
            figure(row.reconnects as f64),
        ],
    )
}

/// The main observation, technique by technique: up to which silence all mail comes.
fn sentence(forgetting: &Forgetting) -> String {
    let nat = spoken(forgetting.scenario.link.nat_ms.unwrap_or_default());
    let mut lost: Vec<&Remembered> = forgetting
        .results
        .iter()
        .filter(|r| r.first_missing.is_some())
        .collect();
    lost.sort_by(|a, b| a.every_ms.total_cmp(&b.every_ms));
    let Some(first) = lost.first() else {
        return t!(
            "All mail comes: whoever is silent for longer than %{nat} here asks again by itself, on a new connection.",
            nat = nat
        );
    };
    let kept = forgetting.results.iter().filter(|r| {
        r.technique == first.technique && r.first_missing.is_none() && r.every_ms < first.every_ms
    });
    let kept = kept.map(|r| r.every_ms).fold(0.0, f64::max);
    t!(
        "The NAT forgets a connection after %{nat} of silence. %{technique} with --%{flag} %{kept} keeps it; with \
         --%{flag} %{every} mail %{mail} disappears, and every one after it, and neither side is told.",
        nat = nat,
        technique = first.technique,
        flag = first.flag,
        kept = spoken(kept),
        every = spoken(first.every_ms),
        mail = first.first_missing.unwrap_or(0)
    )
}
