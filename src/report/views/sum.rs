//! The view of `report --sum`: what clients on several machines got from one server.

use anyhow::Result;

use crate::lang::t;
use crate::outcome::ServerClock;
use crate::outcome::sum::{Machine, Sum};
use crate::report::csv::Records;
use crate::report::doc::{Block, Column, Doc, Narrow, Row, Table};
use crate::report::json::json_of;
use crate::report::notes::{Things, count, counted};
use crate::report::numbers::{NOTHING, figure};
use crate::report::source::command;
use crate::report::view::View;
use crate::terminal::printable;

/// The columns of the sum.
const SUM: [(&str, &str); 9] = [
    ("mean latency", "ms"),
    ("p50", "ms"),
    ("p99", "ms"),
    ("max", "ms"),
    ("delivered", "mails"),
    ("requests", ""),
    ("failed", ""),
    ("connections", "at most"),
    ("overhead", "B per mail"),
];

/// The columns of the machines.
const MACHINES: [(&str, &str); 6] = [
    ("clients", ""),
    ("delivered", "mails"),
    ("of", "mails"),
    ("mean latency", "ms"),
    ("clock ahead", "s"),
    ("±", "ms"),
];

/// Paths into a machine.
const PATHS: &str = "
    file clients expected delivered latency_us.count latency_us.mean latency_us.max partial server_clock.same
    server_clock.offset_us server_clock.uncertainty_us server_clock.joined_us server_clock.left_us
";

impl View for Sum {
    fn doc(&self) -> Doc {
        let question = t!(
            "%{clients} on %{n} machines at %{url}",
            clients = counted(self.scenario.clients as f64, Things::Clients),
            n = self.machines.len(),
            url = printable(&self.remote)
        );
        let mut blocks = vec![
            Block::Scenario(format!("{}; {question}", printable(&self.technique))),
            Block::Text(sentence(self)),
            Block::Table(sum(self)),
            Block::Table(machines(self)),
            Block::legend(t!(
                "clock ahead: how far the server's clock is ahead of the machine's; both count from when their machine \
                 started. ±: by how much that, and so the machine's mean latency, may be wrong. connections: the sum \
                 of each machine's most, which may be of different instants. Percentiles are at most 1 % too high."
            )),
        ];
        blocks.extend(warnings(self).into_iter().map(Block::Warning));
        Doc::answering(question, "report --sum", command(&self.envelope.argv), blocks)
    }

    fn records(&self) -> Result<Records> {
        Records::of(PATHS, &self.machines)
    }

    fn json(&self) -> Result<String> {
        json_of(self)
    }
}

fn ms(us: Option<f64>) -> String {
    us.map_or_else(|| NOTHING.into(), |us| figure(us / 1e3))
}

/// Columns, of which a narrow terminal leaves out the last.
fn columns(heads: &[(&str, &'static str)]) -> Vec<Column> {
    let column = |(rank, head): (u8, &(&str, &'static str))| Column {
        rank,
        ..Column::numbers(*head)
    };
    (0..).zip(heads).map(column).collect()
}

fn sum(sum: &Sum) -> Table {
    let l = sum.latency_us;
    let cells = [
        ms(l.map(|l| l.mean)),
        ms(l.and_then(|l| l.p50)),
        ms(l.and_then(|l| l.p99)),
        ms(l.map(|l| l.max)),
        count(sum.mails.delivered),
        count(sum.requests),
        sum.failed.map_or_else(|| NOTHING.into(), count),
        count(sum.peak_at_most),
        sum.overhead_bytes_per_delivery
            .map_or_else(|| NOTHING.into(), figure),
    ];
    Table {
        label: t!("All machines together"),
        columns: columns(&SUM),
        narrow: Narrow::Drop,
        rows: vec![Row::plain(printable(&sum.technique), cells)],
        ..Table::default()
    }
}

fn machines(sum: &Sum) -> Table {
    let row = |m: &Machine| {
        let clock =
            |of: fn(&ServerClock) -> String| m.server_clock.as_ref().map_or_else(|| NOTHING.into(), of);
        Row::plain(
            printable(&m.file),
            [
                count(m.clients),
                count(m.delivered),
                count(m.expected),
                ms(m.latency_us.as_ref().map(|l| l.mean)),
                clock(|c| figure(c.offset_us / 1e6)),
                clock(|c| figure(c.uncertainty_us / 1e3)),
            ],
        )
    };
    Table {
        title: t!("The machines"),
        columns: columns(&MACHINES),
        narrow: Narrow::Drop,
        rows: sum.machines.iter().map(row).collect(),
        ..Table::default()
    }
}

fn sentence(sum: &Sum) -> String {
    let mails = t!(
        "%{delivered} of %{expected} deliveries came",
        delivered = count(sum.mails.delivered),
        expected = count(sum.mails.expected)
    );
    let waited = match (sum.latency_us, sum.uncertainty_us) {
        (Some(l), Some(us)) => t!(
            ", and mail waited %{wait} ms on average, ±%{uncertain} ms because the machines' clocks are only compared \
             with the server's",
            wait = figure(l.mean / 1e3),
            uncertain = figure(us / 1e3)
        ),
        (Some(l), None) => t!(
            ", and mail waited %{wait} ms on average",
            wait = figure(l.mean / 1e3)
        ),
        (None, _) => String::new(),
    };
    format!("{mails}{waited}.")
}

/// What speaks against the figures.
fn warnings(sum: &Sum) -> Vec<String> {
    let latency = sum.latency_us;
    let missing = sum.mails.lost + sum.mails.undelivered;
    let found = [
        (missing > 0).then(|| {
            t!(
                "%{lost} lost, %{undelivered} undelivered when the runs ended",
                lost = count(sum.mails.lost),
                undelivered = count(sum.mails.undelivered)
            )
        }),
        latency.is_none().then(|| {
            t!("no latency: a machine that got mail does not know when it was due")
        }),
        latency.is_some_and(|l| l.p50.is_none()).then(|| {
            t!(
                "no percentiles: a file has no latency_histogram (an older version wrote it), and percentiles cannot be \
                 computed from percentiles"
            )
        }),
        (sum.together_us == Some(0.0))
            .then(|| t!("the machines were not there at the same time: this is not the load of all their clients")),
        sum.machines
            .iter()
            .any(|m| m.partial)
            .then(|| t!("a machine's run was interrupted: its figures cover a part of it")),
    ];
    let found = found.into_iter().flatten();
    found.map(|text| t!("warning: %{text}", text = text)).collect()
}
