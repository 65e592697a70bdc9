//! What each server behind a balancer did, and the sentence about what a balancer tore apart or a kill cut.

use crate::lang::{list, t};
use crate::outcome::{Balance, Balanced, BalancedServer, Outcome, Report};
use crate::report::doc::{Column, Narrow, Row, Table};
use crate::report::notes::{Things, count, counted, duration, faults, named};
use crate::report::numbers::NOTHING;
use crate::terminal::printable;

/// The columns of every run, each with the order in which a narrow terminal leaves it out.
const HEADS: [(&str, &str, u8); 4] = [
    ("requests", "", 0),
    ("tunnels", "", 5),
    ("connections", "", 6),
    ("sent", "mails", 1),
];

/// Those of a run in which a server was killed.
const KILLED: [(&str, &str, u8); 3] = [
    ("requests", "before", 4),
    ("requests", "after", 3),
    ("cut", "", 2),
];

/// A row for each server of each technique; `None` with one server.
pub fn table(report: &Report) -> Option<Table> {
    let each = || {
        report
            .results
            .iter()
            .filter_map(|o| Some((o, o.balanced.as_ref()?)))
    };
    each().next()?;
    let killed = each().any(|(_, balanced)| balanced.killed());
    let further = KILLED.iter().filter(|_| killed);
    let rows = each().flat_map(|(o, balanced)| {
        let servers = balanced.servers.iter().enumerate();
        servers.map(move |(place, server)| row(o, place, server, killed))
    });
    Some(Table {
        title: t!("The servers behind the balancer"),
        columns: HEADS.iter().chain(further).map(column).collect(),
        rows: rows.collect(),
        narrow: Narrow::Drop,
        ..Table::default()
    })
}

fn column((title, unit, rank): &(&str, &'static str, u8)) -> Column {
    Column {
        rank: *rank,
        ..Column::numbers((title, unit))
    }
}

fn row(o: &Outcome, place: usize, server: &BalancedServer, killed: bool) -> Row {
    let known = |n: Option<u64>| n.map_or_else(|| NOTHING.into(), count);
    let before = server.requests_before;
    let cells = [
        count(server.requests),
        count(server.tunnels),
        count(server.connections),
        known(server.mails),
        known(before),
        known(before.map(|before| server.requests.saturating_sub(before))),
        known(server.cut),
    ];
    let shown = if killed { cells.len() } else { HEADS.len() };
    let name = format!("{} s{}", printable(&o.technique), place + 1);
    Row::plain(name, cells.into_iter().take(shown))
}

/// The notes on the table.
pub fn notes(report: &Report) -> Option<String> {
    let balanced = || report.results.iter().filter_map(|o| o.balanced.as_ref());
    balanced().next()?;
    let all = t!(
        "s1, s2, …: the servers. tunnels: WebSockets among the requests. connections: those that the balancer opened \
         to the server. What the bytes and requests above count is between clients and balancer."
    );
    let killed = balanced().any(Balanced::killed).then(|| {
        t!(
            "before, after: the moment when s1 was killed. cut: its requests and tunnels that were open then. What it \
             had sent is not known, because its counts died with it."
        )
    });
    Some(
        [Some(all), killed]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
    )
}

/// What a balancer did that the figures alone do not tell: sessions that it tore apart, or a kill that clients survived.
pub fn sentence(report: &Report) -> Option<String> {
    scattered(report).or_else(|| survived(report))
}

/// Techniques whose sessions are at one server, while their requests went to several.
fn scattered(report: &Report) -> Option<String> {
    let how = report.scenario.balance().filter(|how| *how != Balance::Sticky)?;
    let torn = |o: &&Outcome| o.balanced.as_ref().is_some_and(|b| b.unknown_sessions > 0);
    let torn: Vec<&Outcome> = report.results.iter().filter(torn).collect();
    let each = torn.iter().map(|o| {
        let refused = o
            .balanced
            .as_ref()
            .map_or(0, |balanced| balanced.unknown_sessions);
        let faults = faults(o);
        let refused = t!(
            "%{requests} refused",
            requests = counted(refused as f64, Things::Requests)
        );
        named(&o.technique, &[vec![refused], faults].concat().join(", "))
    });
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| {
        t!(
            "%{names}: a session is at the server that began it, and with --balance %{how} its next request went to \
             another one, which does not know it. With --balance sticky a client stays at one server.",
            names = list(&each),
            how = how.name()
        )
    })
}

/// A server was killed, and no mail was lost.
fn survived(report: &Report) -> Option<String> {
    let kill = report.scenario.kill_ms?;
    let balanced = || report.results.iter().filter_map(|o| o.balanced.as_ref());
    let whole = report.results.iter().all(Outcome::clean) && balanced().any(Balanced::killed);
    let cut: u64 = balanced().flat_map(|b| &b.servers).filter_map(|s| s.cut).sum();
    let failed: u64 = balanced().map(|b| b.failed).sum();
    let moved: u64 = balanced().map(|b| b.redispatched).sum();
    whole.then(|| {
        t!(
            "The first of %{n} servers was killed after %{time}, which cut %{cut} open requests and tunnels; %{failed} \
             requests failed, and %{moved} went to another server instead. Their clients came back there with their \
             cursors, so every mail came once and in order.",
            n = report.scenario.servers,
            time = duration(kill),
            cut = count(cut),
            failed = count(failed),
            moved = count(moved)
        )
    })
}
