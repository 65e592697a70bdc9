//! A row for each seed and technique, where there are several seeds.

use super::tables::{mean_ms, overhead};
use crate::lang::t;
use crate::outcome::{Outcome, Report};
use crate::report::doc::{Column, Details, Row, Table};
use crate::report::numbers::known;
use crate::terminal::printable;

/// The rows, if there are several seeds.
pub fn of(report: &Report) -> Option<Details> {
    let row = |o: &Outcome, i: usize, one: &Outcome| {
        let cells = [
            report.scenario.seed.wrapping_add(i as u64).to_string(),
            known(mean_ms(one)),
            one.requests.total.to_string(),
            known(overhead(one)),
        ];
        Row::plain(printable(&o.technique), cells)
    };
    let each = |o: &Outcome| {
        let seeds = o.repeats.iter().enumerate();
        seeds.map(|(i, one)| row(o, i, one)).collect::<Vec<_>>()
    };
    let rows: Vec<Row> = report.results.iter().flat_map(each).collect();
    let columns = [
        ("seed", ""),
        ("mean latency", "ms"),
        ("requests", ""),
        ("overhead", "B per mail"),
    ];
    (!rows.is_empty()).then(|| Details {
        table: Table {
            title: t!("Seed by seed"),
            columns: columns.map(Column::figures).into(),
            rows,
            ..Table::default()
        },
        folded: true,
        drawing: None,
    })
}
