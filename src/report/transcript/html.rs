//! The transcript as one page for a browser: it loads nothing from elsewhere, is light or dark as the reader
//! prefers, and is readable without mouse or colour, and with a screen reader.

use std::collections::HashSet;

use anyhow::Result;
use askama::Template;

use super::bytes::{self, Kind, mark, write};
use super::text::{CHECK, LEGEND, Row, ms, rows};
use super::words::{Extent, Running, arrow, cited, sum, way};
use super::{scheme, state};
use crate::explain::{Explained, Unit};
use crate::lang::{Language, Text, t};
use crate::outcome::inspection::{Inspected, Inspection};

#[derive(Template)]
#[template(path = "transcript.html")]
struct Page<'a> {
    language: &'static str,
    technique: &'a str,
    words: Words,
    url: Vec<Span>,
    decides: Vec<String>,
    legend: String,
    connections: Vec<Connection<'a>>,
    totals: Vec<Row>,
    check: String,
    state: String,
}

/// The page's own texts.
struct Words {
    title: String,
    skip: String,
    totals: String,
    bytes: String,
    state: String,
}

struct Span {
    text: String,
    class: &'static str,
}

struct Connection<'a> {
    number: usize,
    heading: String,
    closed: Option<String>,
    units: Vec<Block<'a>>,
}

struct Block<'a> {
    way: &'static str,
    arrow: &'static str,
    at: String,
    title: String,
    size: String,
    running: String,
    parts: Vec<Part<'a>>,
}

struct Part<'a> {
    bytes: Vec<Span>,
    labels: Vec<String>,
    what: String,
    why: String,
    source: String,
    summary: String,
    details: Vec<Line<'a>>,
    /// Whether the details are open at first: only at their first occurrence.
    open: bool,
}

struct Line<'a> {
    name: &'a str,
    value: String,
    what: String,
    random: bool,
}

/// Draws the page.
pub fn draw(inspection: &Inspection, units: &[Vec<Unit>], extent: Extent) -> Result<String> {
    let mut seen = HashSet::new();
    let page = Page {
        language: Language::spoken().tag(),
        technique: &inspection.technique,
        words: Words {
            title: t!(
                "%{name}: every byte | mailcall inspect",
                name = inspection.technique
            ),
            skip: t!("Skip to the totals"),
            totals: t!("Every byte, by label"),
            bytes: t!("bytes"),
            state: t!("State"),
        },
        url: url(inspection),
        decides: scheme::decides(&inspection.url)
            .iter()
            .map(Text::spoken)
            .collect(),
        legend: t!(LEGEND),
        connections: (1..)
            .zip(inspection.connections.iter().zip(units))
            .map(|(number, (c, units))| connection(number, c, units, extent, &mut seen))
            .collect(),
        totals: rows(inspection),
        check: t!(CHECK),
        state: state::sentence(units),
    };
    Ok(page.render()? + "\n")
}

fn url(inspection: &Inspection) -> Vec<Span> {
    let whole = scheme::url(&inspection.url);
    let (open, close) = bytes::RANDOM;
    let random = whole
        .find(open)
        .zip(whole.find(close).map(|at| at + close.len_utf8()));
    let (from, to) = random.unwrap_or((whole.len(), whole.len()));
    [
        (&whole[..from], ""),
        (&whole[from..to], "random"),
        (&whole[to..], ""),
    ]
    .map(|(text, class)| Span {
        text: text.into(),
        class,
    })
    .into()
}

fn connection<'a>(
    number: usize,
    connection: &Inspected,
    units: &'a [Unit],
    extent: Extent,
    seen: &mut HashSet<&'a str>,
) -> Connection<'a> {
    let mut running = Running::default();
    let units = units.iter().map(|unit| {
        running.add(unit);
        block(unit, &running, extent, seen)
    });
    Connection {
        number,
        heading: t!(
            "Connection %{number}, opened at %{time}",
            number = number,
            time = ms(connection.opened_us)
        ),
        units: units.collect(),
        closed: connection.closed_us.map(|at| {
            t!(
                "Connection %{number} closed at %{time}.",
                number = number,
                time = ms(at)
            )
        }),
    }
}

fn block<'a>(unit: &'a Unit, running: &Running, extent: Extent, seen: &mut HashSet<&'a str>) -> Block<'a> {
    Block {
        way: way(unit.direction),
        arrow: arrow(unit.direction),
        at: ms(unit.at_us),
        title: unit.title.spoken(),
        size: t!(
            "%{n} bytes: %{labels}",
            n = unit.len(),
            labels = sum(&unit.labels())
        ),
        running: t!("So far: %{sums}", sums = running.say()),
        parts: unit.parts.iter().map(|p| part(p, extent, seen)).collect(),
    }
}

fn part<'a>(part: &'a Explained, extent: Extent, seen: &mut HashSet<&'a str>) -> Part<'a> {
    let news = part.details.iter().filter(|d| seen.insert(&d.what)).count();
    Part {
        bytes: spans(part, extent),
        labels: part
            .labels
            .each()
            .map(|(label, n)| format!("{} {n}", label.name()))
            .collect(),
        what: part.what.spoken(),
        why: part.why.spoken(),
        source: cited(&part.source),
        summary: match part.details.len() {
            1 => t!("1 detail"),
            n => t!("%{n} details", n = n),
        },
        details: part
            .details
            .iter()
            .map(|detail| Line {
                name: &detail.name,
                value: mark(
                    &bytes::line(&write(detail.value.spoken().as_bytes(), None, extent.whole)),
                    detail.random,
                ),
                what: detail.what.spoken(),
                random: detail.random,
            })
            .collect(),
        open: news > 0,
    }
}

fn spans(part: &Explained, extent: Extent) -> Vec<Span> {
    let written = write(&part.bytes, part.random.as_ref(), extent.whole);
    let mut spans: Vec<Span> = Vec::new();
    for piece in written {
        let separate = matches!(piece.kind, Kind::Hex | Kind::Omitted) && !spans.is_empty();
        let class = match (piece.random, piece.kind) {
            (true, _) => "random",
            (_, Kind::Escape) => "escape",
            (_, Kind::Omitted) => "omitted",
            _ => "",
        };
        let text = mark(&piece.text, piece.random);
        spans.push(Span {
            text: if separate { format!(" {text}") } else { text },
            class,
        });
    }
    spans
}
