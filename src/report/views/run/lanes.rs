//! The timeline of a run, from its own events: for each technique, when its requests or its stream were open
//! and when mail reached the application.

use super::colour::fill;
use crate::lang::t;
use crate::outcome::{Event, EventKind, Outcome, Report};
use crate::report::chart::Fill;
use crate::report::doc::{Column, Row, Table};
use crate::report::lanes::{Delivery, Lane, Lanes, Span, Wait, Window};
use crate::report::numbers::{NOTHING, waited};
use crate::terminal::printable;

/// How many mails can be shown one by one; a longer run shows only its beginning.
const MAILS: usize = 20;
/// The most lanes of a technique that runs alone with several clients.
const CLIENTS: usize = 4;
/// How many clients have their events recorded.
const WATCHED: usize = 8;
/// The most mails listed one by one.
const LISTED: u64 = 20;

/// The lanes of a report.
pub fn of(report: &Report) -> Lanes {
    let arrivals = arrivals(report);
    let window = window(report, &arrivals);
    let events = || report.results.iter().flat_map(|o| &o.events).map(|e| e.t_us);
    let within = |w: &Window| arrivals.iter().filter(|t| **t <= w.end).count();
    Lanes {
        lanes: lanes(report),
        ends: [
            events().fold(f64::INFINITY, f64::min),
            events().fold(f64::NEG_INFINITY, f64::max),
        ],
        left_out: left_out(report, window.as_ref().map_or(0, within)),
        is_truncated: report.results.iter().any(|o| o.events_truncated),
        waits: waits(report),
        window,
        arrivals,
    }
}

/// What the timeline does not show of the run, in sentences.
fn left_out(report: &Report, mails: usize) -> Vec<String> {
    let all = report
        .results
        .iter()
        .map(|o| o.repeats.first().unwrap_or(o).mails.sent as usize)
        .max()
        .unwrap_or(0);
    let mut parts = Vec::new();
    if mails < all {
        parts.push(t!("Shown: the first %{n} of %{all} mails.", n = mails, all = all));
    }
    if report.results.iter().any(|o| o.runs() > 1) {
        parts.push(t!("Shown: the first seed."));
    }
    let clients = report.scenario.clients;
    let shown = shown_clients(report).len();
    if shown < clients {
        parts.push(t!("Shown: %{n} of %{all} clients.", n = shown, all = clients));
    }
    parts
}

/// The clients that have lanes. Of a browser's tabs the last ones have to wait for a connection, and of clients that
/// read slowly the first do.
fn shown_clients(report: &Report) -> Vec<usize> {
    let (s, alone) = (&report.scenario, report.results.len() == 1);
    let queue = s.connections_per_host().filter(|most| *most < s.clients);
    let fast = Some(s.slow).filter(|slow| (1..s.clients.min(WATCHED)).contains(slow));
    match queue.or(fast) {
        Some(most) if alone && queue.is_some() => (0..s.clients.min(most + 2)).collect(),
        _ if alone => (0..s.clients.min(CLIENTS)).collect(),
        Some(other) => vec![0, other],
        None => vec![0],
    }
}

/// The window shown first.
fn window(report: &Report, arrivals: &[f64]) -> Option<Window> {
    let first = *arrivals.first()?;
    // A few more mails than fit comfortably are shown rather than cut off.
    let end = match arrivals.get(MAILS - 1).filter(|_| arrivals.len() > MAILS * 5 / 4) {
        Some(last) => delivered_by(report, MAILS as u64, *last, (last - first) / 4.0),
        None => ends(report, |o| o.events.last()).fold(first, f64::max),
    };
    let opened = ends(report, |o| o.events.first()).fold(first, f64::min);
    // The opening can take longer than the mail; a short part of it is enough.
    let start = opened.max(first.min(0.0) - 0.05 * (end - first));
    let end = end.max(start + 1e3);
    // The last instant must be within the last column, not on its edge.
    Some(Window {
        start,
        end: end + (end - start) * 1e-3,
    })
}

/// The time of one event of each outcome.
fn ends<'a>(report: &'a Report, which: fn(&Outcome) -> Option<&Event>) -> impl Iterator<Item = f64> + 'a {
    report.results.iter().filter_map(which).map(|e| e.t_us)
}

/// When every technique had delivered the mails up to `number`, limited by `patience` for late ones.
fn delivered_by(report: &Report, number: u64, arrived: f64, patience: f64) -> f64 {
    let events = report.results.iter().flat_map(|o| &o.events);
    let delivered = events.filter(|e| e.kind == EventKind::Delivered && e.mail.is_some_and(|n| n <= number));
    delivered
        .map(|e| e.t_us)
        .fold(arrived, f64::max)
        .min(arrived + patience)
}

/// When mail arrived. All techniques have the same schedule, so any outcome will do.
fn arrivals(report: &Report) -> Vec<f64> {
    let of = |o: &Outcome| {
        let arrived = o.events.iter().filter(|e| e.kind == EventKind::Arrived);
        arrived.map(|e| e.t_us).collect::<Vec<_>>()
    };
    report
        .results
        .iter()
        .map(of)
        .max_by_key(Vec::len)
        .unwrap_or_default()
}

/// The lane of each technique's first client.
pub fn each(report: &Report) -> impl Iterator<Item = (&Outcome, Lane)> {
    report.results.iter().map(|outcome| {
        let events = outcome.events.iter().filter(|e| e.client == Some(0));
        let name = printable(&outcome.technique);
        let lane = lane(name, fill(report, outcome), events, |mail| due(report, mail));
        (outcome, lane)
    })
}

/// The lanes of each technique.
fn lanes(report: &Report) -> Vec<Lane> {
    let clients = shown_clients(report);
    let of = |outcome: &Outcome| {
        let name = printable(&outcome.technique);
        let lane = |client: &usize| {
            let client = *client;
            let name = match clients.len() {
                0 | 1 => name.clone(),
                _ => format!("{name} {}", client + 1),
            };
            let events = outcome.events.iter().filter(|e| e.client == Some(client));
            lane(name, fill(report, outcome), events, |mail| due(report, mail))
        };
        clients.iter().map(lane).collect::<Vec<_>>()
    };
    report.results.iter().flat_map(of).collect()
}

/// A lane from one client's events; `due` returns when a mail had arrived.
pub fn lane<'a>(
    name: String,
    fill: Fill,
    events: impl Iterator<Item = &'a Event> + Clone,
    due: impl Fn(u64) -> Option<f64>,
) -> Lane {
    let (mut spans, mut deliveries) = (Vec::new(), Vec::new());
    let waits = waits_in_queue(events.clone());
    // Mail is decoded just after its answer is complete, so only the next request shows whether an answer was
    // empty.
    let mut brought = true;
    for event in events {
        match event.kind {
            EventKind::Requested | EventKind::Opened => {
                settle(&mut spans, brought);
                brought = event.kind == EventKind::Opened;
                spans.push(Span {
                    from: event.t_us,
                    to: None,
                    empty: false,
                    failed: false,
                });
            }
            EventKind::Answered | EventKind::Closed => {
                if let Some(open) = spans.last_mut().filter(|s| s.to.is_none()) {
                    open.to = Some(event.t_us);
                }
            }
            EventKind::Failed => {
                let at = event.t_us;
                match spans.last_mut().filter(|s| s.to.is_none()) {
                    Some(open) => (open.to, open.failed) = (Some(at), true),
                    None => {
                        settle(&mut spans, brought);
                        spans.push(Span {
                            from: at,
                            to: Some(at),
                            empty: false,
                            failed: true,
                        });
                    }
                }
            }
            EventKind::Delivered => {
                brought = true;
                deliveries.push(Delivery {
                    at: event.t_us,
                    due: event.mail.and_then(&due),
                });
            }
            EventKind::Arrived | EventKind::Queued | EventKind::Dequeued => {}
        }
    }
    settle(&mut spans, brought);
    for (asked, wait) in &waits {
        let request = spans.iter_mut().find(|span| Some(span.from) == *asked);
        if let Some((request, sent)) = request.zip(wait.to) {
            request.from = sent;
        }
    }
    Lane {
        name,
        fill,
        spans,
        queued: waits.into_iter().map(|(_, wait)| wait).collect(),
        deliveries,
    }
}

/// When requests waited for a free connection, each with the instant of the request, if that is drawn.
fn waits_in_queue<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<(Option<f64>, Wait)> {
    let mut waits: Vec<(Option<f64>, Wait)> = Vec::new();
    let mut asked = None;
    for Event { t_us: at, kind, .. } in events {
        match kind {
            EventKind::Queued => waits.push((asked, Wait { from: *at, to: None })),
            EventKind::Dequeued => {
                let first = waits.iter_mut().find(|(_, wait)| wait.to.is_none());
                first.into_iter().for_each(|(_, wait)| wait.to = Some(*at));
            }
            EventKind::Closed | EventKind::Failed => {
                let open = waits.iter_mut().filter(|(_, wait)| wait.to.is_none());
                open.for_each(|(_, wait)| wait.to = Some(*at));
            }
            _ => {}
        }
        asked = (*kind == EventKind::Requested).then_some(*at);
    }
    waits
}

fn settle(spans: &mut [Span], brought: bool) {
    if let Some(last) = spans.last_mut() {
        last.empty = !brought && !last.failed && last.to.is_some();
    }
}

/// When a mail arrived. Its number is its place among the arrivals.
fn due(report: &Report, mail: u64) -> Option<f64> {
    report
        .results
        .iter()
        .find_map(|o| at(o, EventKind::Arrived, mail))
}

/// When an event of this kind happened to a mail at the first client.
fn at(o: &Outcome, kind: EventKind, mail: u64) -> Option<f64> {
    let of = |e: &&Event| e.kind == kind && e.mail == Some(mail) && e.client.is_none_or(|c| c == 0);
    o.events.iter().find(of).map(|e| e.t_us)
}

/// When each of the first mails arrived, and how long the first client of each technique waited for it.
fn waits(report: &Report) -> Option<Table> {
    let row = |mail: u64| {
        let due = due(report, mail)?;
        let waited_for = |o: &Outcome| match at(o, EventKind::Delivered, mail) {
            Some(t) => waited((t - due) / 1e3),
            None => NOTHING.into(),
        };
        let waits = report.results.iter().map(waited_for);
        Some(Row::plain(
            mail.to_string(),
            [format!("{:.3} s", due / 1e6)].into_iter().chain(waits),
        ))
    };
    let rows: Vec<Row> = (1..=LISTED).map_while(row).collect();
    let names = report.results.iter().map(|o| printable(&o.technique));
    let heads = ["arrived at".to_string()].into_iter().chain(names);
    (!rows.is_empty()).then(|| Table {
        title: t!(
            "The first %{n} mails, one by one: how long each waited",
            n = rows.len()
        ),
        corner: "mail".into(),
        columns: heads.map(|head| Column::numbers((&head, ""))).collect(),
        rows,
        ..Table::default()
    })
}
