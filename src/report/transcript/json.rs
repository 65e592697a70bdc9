//! The transcript for programs: every byte, as text if it is text, otherwise in hexadecimal; also read back.

use std::borrow::Cow;
use std::ops::Range;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::bytes::is_text;
use super::words::way;
use super::{scheme, state};
use crate::explain::{self, Detail, Explained, Knowledge, Unit, hex};
use crate::lang::Text;
use crate::outcome::inspection::{self, Inspected, Inspection};
use crate::outcome::{Envelope, Labelled, Scenario, Traffic};
use crate::wire::transcript::Transcript;
use crate::wire::{Direction, Labels};

#[derive(Serialize, Deserialize)]
pub struct Document<'a> {
    #[serde(flatten)]
    envelope: Envelope,
    technique: Cow<'a, str>,
    scenario: Cow<'a, Scenario>,
    url: Url<'a>,
    connections: Vec<Connection<'a>>,
    bytes: Traffic<u64>,
    raw: Sides,
    state: Vec<StateTotalJson<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Url<'a> {
    url: String,
    scheme: Cow<'a, str>,
    decides: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Sides {
    up: u64,
    down: u64,
}

#[derive(Serialize, Deserialize)]
struct Connection<'a> {
    client: String,
    opened_us: f64,
    closed_us: Option<f64>,
    units: Vec<Block<'a>>,
    bytes: Traffic<u64>,
    raw: Sides,
}

#[derive(Serialize, Deserialize)]
struct Block<'a> {
    direction: Cow<'a, str>,
    t_us: f64,
    title: Cow<'a, str>,
    size: u64,
    parts: Vec<Part<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Part<'a> {
    #[serde(flatten)]
    bytes: Written,
    size: usize,
    labels: Map<String, Value>,
    what: Cow<'a, str>,
    why: Option<Cow<'a, str>>,
    source: Cow<'a, str>,
    /// Offsets in this part of the bytes that differ in every run: from, to.
    random: Option<[usize; 2]>,
    details: Vec<Line<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Written {
    Text(String),
    Hex(String),
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
    what: Cow<'a, str>,
    random: bool,
}

/// The client's state, by name.
const KNOWLEDGE: [(&str, Knowledge); 3] = [
    ("cursor", Knowledge::Cursor),
    ("identity", Knowledge::Identity),
    ("head", Knowledge::Head),
];

#[derive(Serialize, Deserialize)]
struct StateTotalJson<'a> {
    what: Cow<'a, str>,
    times: u64,
    bytes: u64,
}

/// The inspection, for programs.
pub fn document<'a>(inspection: &'a Inspection, units: &'a [Vec<Unit>]) -> Document<'a> {
    let url = &inspection.url;
    Document {
        envelope: Envelope::new(Some("inspect"), inspection.argv.clone(), inspection.partial),
        technique: inspection.technique.as_str().into(),
        scenario: Cow::Borrowed(&inspection.scenario),
        url: Url {
            url: format!("{}://{}{}", url.scheme, url.authority, url.target),
            scheme: url.scheme.into(),
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
        state: state::totals(units).iter().map(state_total).collect(),
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

fn state_total(total: &state::StateTotal) -> StateTotalJson<'static> {
    let known = KNOWLEDGE.iter().find(|(_, what)| *what == total.what);
    StateTotalJson {
        what: known.map_or("", |(name, _)| name).into(),
        times: total.times,
        bytes: total.bytes,
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
        direction: way(unit.direction).into(),
        t_us: unit.at_us,
        title: (&*unit.title).into(),
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
            .map(|(label, n)| (label.name().into(), n.into()))
            .collect(),
        what: (&*part.what).into(),
        why: (!part.why.is_empty()).then(|| (&*part.why).into()),
        source: part.source.as_ref().into(),
        random: part.random.as_ref().map(|Range { start, end }| [*start, *end]),
        details: part.details.iter().map(line).collect(),
    }
}

fn line(detail: &Detail) -> Line<'_> {
    Line {
        name: detail.name.as_ref().into(),
        value: (&*detail.value).into(),
        what: (&*detail.what).into(),
        random: detail.random,
    }
}

impl Document<'_> {
    /// The saved inspection and its units.
    ///
    /// # Errors
    /// If it does not account for every byte.
    pub fn read(self) -> Result<(Inspection, Vec<Vec<Unit>>)> {
        let mut units = Vec::new();
        let mut connections = Vec::new();
        for connection in &self.connections {
            let read: Result<Vec<Unit>> = connection.units.iter().map(unit).collect();
            let read = read?;
            let mut labels = [Labels::default(); 2];
            for unit in &read {
                labels[unit.direction as usize] += unit.labels();
            }
            let raw = [connection.raw.up, connection.raw.down];
            ensure!(
                labels.map(|side| side.total()) == raw,
                "its parts do not account for every byte that crossed"
            );
            connections.push(Inspected {
                client: connection.client.parse().context("client")?,
                opened_us: connection.opened_us,
                closed_us: connection.closed_us,
                transcript: Transcript {
                    labels,
                    raw,
                    ..Transcript::default()
                },
            });
            units.push(read);
        }
        // The JSON has only totals of the client's state: entries are made up to match them.
        if let Some(first) = units.iter_mut().flatten().next() {
            first.state = self.state.iter().flat_map(entries).collect();
        }
        let inspection = Inspection {
            technique: self.technique.into(),
            argv: self.envelope.argv,
            scenario: self.scenario.into_owned(),
            url: self.url.read()?,
            connections,
            partial: self.envelope.partial,
        };
        Ok((inspection, units))
    }
}

impl Url<'_> {
    fn read(&self) -> Result<inspection::Url> {
        let scheme = scheme::named(&self.scheme).context("scheme")?;
        let (_, rest) = self.url.split_once("://").context("url")?;
        let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Ok(inspection::Url {
            scheme,
            authority: authority.parse().context("url")?,
            target: target.into(),
        })
    }
}

fn unit(block: &Block) -> Result<Unit> {
    let parts: Result<_> = block.parts.iter().map(explained).collect();
    Ok(Unit {
        direction: match &*block.direction {
            "up" => Direction::Up,
            _ => Direction::Down,
        },
        at_us: block.t_us,
        title: block.title.to_string().into(),
        parts: parts?,
        target: None,
        state: Vec::new(),
    })
}

fn explained(part: &Part) -> Result<Explained> {
    let bytes = match &part.bytes {
        Written::Text(text) => text.as_bytes().to_vec(),
        Written::Hex(hex) => unhex(hex).context("hex")?,
    };
    let labels: Labels = serde_json::from_value(Value::Object(part.labels.clone())).context("labels")?;
    ensure!(
        labels.total() == bytes.len() as u64,
        "the labels of a part do not sum to its bytes"
    );
    ensure!(
        part.random
            .is_none_or(|[from, to]| from <= to && to <= bytes.len()),
        "random is outside of its part"
    );
    let detail = |line: &Line| Detail {
        name: line.name.to_string().into(),
        value: line.value.to_string().into(),
        what: line.what.to_string().into(),
        random: line.random,
    };
    Ok(Explained {
        bytes,
        labels,
        what: part.what.to_string().into(),
        why: part.why.as_deref().unwrap_or_default().to_string().into(),
        source: part.source.to_string().into(),
        random: part.random.map(|[from, to]| from..to),
        details: part.details.iter().map(detail).collect(),
    })
}

/// Bytes that are written as pairs of digits.
fn unhex(text: &str) -> Result<Vec<u8>> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    ensure!(digits.len().is_multiple_of(2), "a byte has one digit");
    let byte = |pair: &[char]| Ok(u8::from_str_radix(&pair.iter().collect::<String>(), 16)?);
    digits.chunks(2).map(byte).collect()
}

/// As many entries as the saved total says.
fn entries(total: &StateTotalJson) -> Vec<explain::StateItem> {
    let known = KNOWLEDGE.iter().find(|(name, _)| *name == total.what);
    let entry = |what: Knowledge, i: u64| explain::StateItem {
        what,
        bytes: if i == 0 { total.bytes } else { 0 },
    };
    let times = total.times.min(MOST_ENTRIES);
    known.map_or(Vec::new(), |(_, what)| {
        (0..times).map(|i| entry(*what, i)).collect()
    })
}

/// The most entries: no inspected conversation has more.
const MOST_ENTRIES: u64 = 100_000;
