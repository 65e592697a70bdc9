//! What else a technique costs: the client's radio, the server's processor and memory, and money.

use super::table::{Head, table};
use super::words::{bytes, spoken_count, spoken_span};
use crate::lang::t;
use crate::outcome::advice::{Advice, Candidate};
use crate::outcome::prices::Monthly;
use crate::report::doc::Table;
use crate::report::numbers::{NOTHING, known};
use crate::terminal::printable;

/// The tables of what is known.
pub fn tables(advice: &Advice) -> Vec<Table> {
    [radio(advice), server(advice), month(advice)]
        .into_iter()
        .flatten()
        .collect()
}

/// How the radio of one client is used.
fn radio(advice: &Advice) -> Option<Table> {
    let title = t!(
        "One client's radio, modelled with a tail of %{tail}",
        tail = spoken_span(advice.radio_tail_ms?)
    );
    let row = |c: &Candidate| {
        let radio = c.radio.as_ref();
        let cells = vec![
            known(radio.map(|r| r.wakeups_per_hour)),
            known(radio.map(|r| r.on_s_per_hour)),
        ];
        (c.technique.clone(), cells)
    };
    let heads = [("wake-ups", "per hour"), ("on", "s per hour")];
    Some(table(
        title,
        [(String::new(), &heads)],
        advice.results.iter().map(row),
    ))
}

/// What the servers used, if each ran in a process of its own.
fn server(advice: &Advice) -> Option<Table> {
    let row = |c: &Candidate| {
        let used = c.server?;
        let each = used.memory_bytes_per_connection;
        let size = |n: Option<f64>| n.map_or(NOTHING.into(), bytes);
        let cells = vec![
            known(used.cpu_us_per_delivery),
            size(each),
            size(each.map(|each| each * c.total.connections)),
        ];
        Some((c.technique.clone(), cells))
    };
    let rows: Vec<_> = advice.results.iter().filter_map(row).collect();
    let heads = [
        ("processor", "µs per mail"),
        ("memory", "each"),
        ("memory", "all"),
    ];
    let title = t!("Each server in a process of its own, measured");
    (!rows.is_empty()).then(|| table(title, [(String::new(), &heads)], rows.into_iter()))
}

type Amount = fn(&Monthly) -> Option<f64>;

/// What can have a price.
const PRICED: [(Head, Amount); 5] = [
    (("requests", ""), |m| m.requests),
    (("messages", ""), |m| m.messages),
    (("connections", ""), |m| m.connection_minutes),
    (("traffic", "down"), |m| m.down),
    (("traffic", "up"), |m| m.up),
];

/// What a month costs, if there are prices.
fn month(advice: &Advice) -> Option<Table> {
    let prices = advice.prices.as_ref()?;
    let title = t!(
        "A month for all %{n}, in %{currency}",
        n = spoken_count(advice.scenario.clients),
        currency = printable(&prices.currency)
    );
    let months = || advice.results.iter().filter_map(|c| c.cost_per_month.as_ref());
    let priced = PRICED
        .into_iter()
        .filter(|(_, of)| months().any(|m| of(m).is_some()));
    let priced: Vec<(Head, Amount)> = priced.collect();
    let row = |c: &Candidate| {
        let month = c.cost_per_month.as_ref();
        let each = priced.iter().map(|(_, of)| known(month.and_then(of)));
        let cells = each.chain([known(month.map(|m| m.total))]).collect();
        (c.technique.clone(), cells)
    };
    let heads: Vec<Head> = priced
        .iter()
        .map(|(head, _)| *head)
        .chain([("in all", "")])
        .collect();
    Some(table(
        title,
        [(String::new(), &heads)],
        advice.results.iter().map(row),
    ))
}
