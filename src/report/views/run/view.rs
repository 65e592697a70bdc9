//! A run as a document: the cost of each technique, in tables and charts, and the main observation.

use anyhow::Result;

use super::{
    attempts, cards, headline, lanes, legend, pictures, records, seeds, sentence, servers, tables, topics,
};
use crate::lang::t;
use crate::outcome::Report;
use crate::report::csv::Records;
use crate::report::doc::{Block, Doc};
use crate::report::json::json_of;
use crate::report::notes;
use crate::report::source::{command, place};
use crate::report::view::View;
use crate::terminal::printable;

impl View for Report {
    fn doc(&self) -> Doc {
        let notice = printable(&sentence::notice(self, sentence::own));
        let headline = headline::of(self);
        Doc {
            title: headline.clone(),
            brand: t!("what it costs to tell a client that mail has come"),
            place: place(&self.envelope.mailcall, self.environment.as_ref()),
            command: command(&self.envelope.argv),
            blocks: blocks(self, &notice),
            headline,
            parts: Vec::new(),
        }
    }

    fn records(&self) -> Result<Records> {
        records::of(self)
    }

    fn events(&self) -> Result<Records> {
        records::events(self)
    }

    fn json(&self) -> Result<String> {
        json_of(self)
    }
}

fn blocks(report: &Report, notice: &str) -> Vec<Block> {
    let cost = tables::cost(report);
    let notes = legend::of(report, &cost);
    let absent = notes::absent(report);
    let details = [attempts::of(report), seeds::of(report)];
    let mut charts = pictures::of(report).into_iter().map(Block::Chart);
    let mut blocks = vec![
        Block::Scenario(notes::scenario(report)),
        Block::Text(notice.into()),
    ];
    blocks.extend(sentence::layers(report).map(Block::Text));
    blocks.push(Block::Table(cost));
    blocks.extend(absent.into_iter().map(Block::Absent));
    blocks.extend(tables::behind(report).map(Block::Table));
    blocks.extend(servers::table(report).map(Block::Table));
    blocks.extend(tables::talk(report).map(Block::Table));
    blocks.extend(tables::tabs(report).map(Block::Table));
    blocks.extend(tables::slow_clients(report).map(Block::Table));
    blocks.push(Block::Table(tables::bytes(report)));
    blocks.extend(details.into_iter().flatten().map(Block::Details));
    blocks.push(Block::Legend(notes));
    blocks.push(Block::Cards(cards::of(report)));
    blocks.extend(charts.next());
    blocks.push(Block::Lanes(Box::new(lanes::of(report))));
    blocks.extend(charts);
    blocks.extend(topics::of(report).map(Block::Fenced));
    blocks.extend(notes::warnings(report).into_iter().map(Block::Warning));
    blocks.push(Block::Glossary(glossary()));
    blocks
}

/// The terms in the tables.
fn glossary() -> Vec<(&'static str, String)> {
    vec![
        (
            "payload",
            t!("the mail as its sender made it, and what the client's application says in return"),
        ),
        (
            "head",
            t!("request lines, status lines, header fields; in HTTP/2 HEADERS frames, whole"),
        ),
        (
            "framing",
            t!("every other byte round a message: chunk sizes, event field names, frame headers, masks"),
        ),
        (
            "control",
            t!("what carries no message: pings, comments, close frames, settings, acknowledgements"),
        ),
        ("tls", t!("what encryption adds: handshake, records, tickets")),
        ("overhead", t!("every byte but payload")),
        (
            "latency",
            t!("from the instant a mail was due until the client's application holds it"),
        ),
        ("empty", t!("a request that was answered without mail")),
        (
            "failed",
            t!("a request that was answered with an error (a status of 400 or above), or not to the end"),
        ),
        (
            "reconnects",
            t!("how often clients had to open again what they keep open"),
        ),
        (
            "lost",
            t!("a mail that the client's cursor has passed without it"),
        ),
        (
            "undelivered",
            t!("a mail that the client's cursor had not reached when the run ended"),
        ),
    ]
}
