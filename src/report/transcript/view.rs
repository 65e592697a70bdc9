//! The transcript as a document, for Markdown, and as rows, for a spreadsheet: each part is a row.

use serde_json::{Value, json};

use super::bytes::{line, mark, write};
use super::text::{CHECK, LEGEND, PARTIAL, ms, rows};
use super::words::{Extent, Running, arrow, cited, sum, way};
use super::{scheme, state};
use crate::explain::{Explained, Unit};
use crate::lang::{Text, t};
use crate::outcome::inspection::{Inspected, Inspection};
use crate::report::csv::Records;
use crate::report::doc::{Block, Column, Doc, Row, Table};
use crate::report::source::command;

/// Paths into a row.
const PATHS: [&str; 15] = [
    "connection",
    "direction",
    "t_us",
    "title",
    "size",
    "labels.head",
    "labels.framing",
    "labels.control",
    "labels.payload",
    "labels.tls",
    "text",
    "hex",
    "what",
    "why",
    "source",
];

/// The document.
pub fn doc(inspection: &Inspection, units: &[Vec<Unit>], extent: Extent) -> Doc {
    let url = scheme::url(&inspection.url);
    let mut blocks = vec![
        Block::Scenario(url.clone()),
        Block::Items {
            title: String::new(),
            lines: scheme::decides(&inspection.url)
                .iter()
                .map(Text::spoken)
                .collect(),
        },
    ];
    for (number, (each, units)) in (1..).zip(inspection.connections.iter().zip(units)) {
        connection(&mut blocks, number, each, units, extent);
    }
    blocks.push(Block::Table(totals(inspection)));
    blocks.push(Block::Text(t!(CHECK)));
    blocks.push(Block::Text(state::sentence(units)));
    blocks.extend(inspection.partial.then(|| Block::Warning(t!(PARTIAL))));
    blocks.push(Block::legend(t!(LEGEND)));
    Doc {
        title: ["mailcall", "inspect", &inspection.technique].join(" "),
        headline: url,
        command: command(&inspection.argv),
        blocks,
        ..Doc::default()
    }
}

fn connection(
    blocks: &mut Vec<Block>,
    number: usize,
    connection: &Inspected,
    units: &[Unit],
    extent: Extent,
) {
    blocks.push(Block::Heading(t!(
        "connection %{number} opened at %{time} by port %{port} of the client",
        number = number,
        time = ms(connection.opened_us),
        port = mark(&connection.client.port().to_string(), true)
    )));
    let mut running = Running::default();
    for unit in units {
        running.add(unit);
        let title = format!(
            "{} {}, {}: {}",
            arrow(unit.direction),
            way(unit.direction),
            ms(unit.at_us),
            unit.title.spoken()
        );
        if unit.is_empty() {
            blocks.push(Block::Text(title));
            continue;
        }
        blocks.push(Block::Table(parts(unit, title, extent)));
        blocks.push(Block::Text(t!("so far: %{sums}", sums = running.say())));
    }
    blocks.extend(connection.closed_us.map(|at| {
        Block::Text(t!(
            "connection %{number} closed at %{time}",
            number = number,
            time = ms(at)
        ))
    }));
}

fn parts(unit: &Unit, title: String, extent: Extent) -> Table {
    let row = |part: &Explained| {
        let bytes = line(&write(&part.bytes, part.random.as_ref(), extent.whole));
        let what = format!(
            "{} {} [{}]",
            part.what.spoken(),
            part.why.spoken(),
            cited(&part.source)
        );
        Row::plain(bytes, [sum(&part.labels), what])
    };
    Table {
        title,
        corner: t!("bytes"),
        columns: ["", ""].map(|head| Column::words((head, ""))).into(),
        rows: unit.parts.iter().map(row).collect(),
        ..Table::default()
    }
}

fn totals(inspection: &Inspection) -> Table {
    let row = |row: &super::text::Row| {
        Row::plain(
            row.name.into(),
            [row.up, row.down, row.both].map(|n| n.to_string()),
        )
    };
    Table {
        title: t!("Every byte, by label"),
        corner: "label".into(),
        columns: ["up", "down", "both"]
            .map(|head| Column::numbers((head, "")))
            .into(),
        rows: rows(inspection).iter().map(row).collect(),
        ..Table::default()
    }
}

/// The rows: each part, with its connection and unit. `inspection` is its JSON.
pub fn records(inspection: &Value) -> Records {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for (number, connection) in (1..).zip(list(inspection, "connections")) {
        for unit in list(&connection, "units") {
            for mut part in list(&unit, "parts") {
                part["connection"] = json!(number);
                for key in ["direction", "t_us", "title"] {
                    part[key] = unit[key].clone();
                }
                rows.push(part);
            }
        }
    }
    Records {
        paths: PATHS.to_vec(),
        rows,
    }
}
