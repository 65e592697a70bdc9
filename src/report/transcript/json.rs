//! The transcript for programs: every byte, as text where it is text, else in hexadecimal.

use std::ops::Range;

use serde::Serialize;
use serde_json::{Map, Value};

use super::bytes::is_text;
use super::words::{name, way};
use super::{scheme, state};
use crate::explain::{Detail, Explained, Knowledge, Unit, hex};
use crate::lang::Text;
use crate::outcome::inspection::{Inspected, Inspection};
use crate::outcome::{Envelope, Labelled, Scenario, Traffic};
use crate::wire::Labels;

#[derive(Serialize)]
pub struct Document<'a> {
    #[serde(flatten)]
    envelope: Envelope,
    technique: &'a str,
    scenario: &'a Scenario,
    url: Url,
    connections: Vec<Connection<'a>>,
    bytes: Traffic<u64>,
    raw: Sides,
    state: Vec<Told>,
}

#[derive(Serialize)]
struct Url {
    url: String,
    scheme: &'static str,
    decides: Vec<String>,
}

#[derive(Serialize)]
struct Sides {
    up: u64,
    down: u64,
}

#[derive(Serialize)]
struct Connection<'a> {
    client: String,
    opened_us: f64,
    closed_us: Option<f64>,
    units: Vec<Block<'a>>,
    bytes: Traffic<u64>,
    raw: Sides,
}

#[derive(Serialize)]
struct Block<'a> {
    direction: &'static str,
    t_us: f64,
    title: &'a str,
    size: u64,
    parts: Vec<Part<'a>>,
}

#[derive(Serialize)]
struct Part<'a> {
    #[serde(flatten)]
    bytes: Written,
    size: usize,
    labels: Map<String, Value>,
    what: &'a str,
    why: Option<&'a str>,
    source: &'static str,
    /// Offsets in this part of what another run has otherwise: from, to.
    random: Option<[usize; 2]>,
    details: Vec<Line<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Written {
    Text(String),
    Hex(String),
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    value: &'a str,
    what: &'a str,
    random: bool,
}

#[derive(Serialize)]
struct Told {
    what: &'static str,
    times: u64,
    bytes: u64,
}

/// The inspection, for programs.
pub fn document<'a>(inspection: &'a Inspection, units: &'a [Vec<Unit>]) -> Document<'a> {
    let url = &inspection.url;
    Document {
        envelope: Envelope::new(Some("inspect"), inspection.argv.clone(), inspection.partial),
        technique: &inspection.technique,
        scenario: &inspection.scenario,
        url: Url {
            url: format!("{}://{}{}", url.scheme, url.authority, url.target),
            scheme: url.scheme,
            decides: scheme::decides(url).iter().map(Text::to_string).collect(),
        },
        connections: inspection
            .connections
            .iter()
            .zip(units)
            .map(|(c, units)| connection(c, units))
            .collect(),
        bytes: traffic(inspection.labels()),
        raw: sides(inspection.raw()),
        state: state::told(units).iter().map(told).collect(),
    }
}

fn sides([up, down]: [u64; 2]) -> Sides {
    Sides { up, down }
}

fn traffic([up, down]: [Labels; 2]) -> Traffic<u64> {
    Traffic {
        up: Labelled::from(up),
        down: Labelled::from(down),
    }
}

fn told(told: &state::Told) -> Told {
    Told {
        what: match told.what {
            Knowledge::Cursor => "cursor",
            Knowledge::Identity => "identity",
            Knowledge::Head => "head",
        },
        times: told.times,
        bytes: told.bytes,
    }
}

fn connection<'a>(connection: &Inspected, units: &'a [Unit]) -> Connection<'a> {
    Connection {
        client: connection.client.to_string(),
        opened_us: connection.opened_us,
        closed_us: connection.closed_us,
        units: units.iter().map(block).collect(),
        bytes: traffic(connection.transcript.labels),
        raw: sides(connection.transcript.raw),
    }
}

fn block(unit: &Unit) -> Block<'_> {
    Block {
        direction: way(unit.direction),
        t_us: unit.at_us,
        title: &unit.title,
        size: unit.len(),
        parts: unit.parts.iter().map(part).collect(),
    }
}

fn part(part: &Explained) -> Part<'_> {
    let written = match std::str::from_utf8(&part.bytes) {
        Ok(text) if is_text(&part.bytes, part.random.as_ref()) => Written::Text(text.into()),
        _ => Written::Hex(hex(&part.bytes)),
    };
    Part {
        bytes: written,
        size: part.bytes.len(),
        labels: part
            .labels
            .each()
            .map(|(label, n)| (name(label).into(), n.into()))
            .collect(),
        what: &part.what,
        why: (!part.why.is_empty()).then_some(&part.why),
        source: part.source,
        random: part.random.as_ref().map(|Range { start, end }| [*start, *end]),
        details: part.details.iter().map(line).collect(),
    }
}

fn line(detail: &Detail) -> Line<'_> {
    Line {
        name: &detail.name,
        value: &detail.value,
        what: &detail.what,
        random: detail.random,
    }
}
