//! From what server, clients and publisher recorded to an [`Outcome`].

use std::time::Instant;

use anyhow::bail;

use super::clients::WATCHED;
use crate::link::{Closed, Ledger, Totals};
use crate::outcome::{
    Connection, Connections, Delivery, Event, EventKind, Labelled, Latency, Messages, Outcome, Requests,
    Segments, Traffic, Trust,
};
use crate::stats;
use crate::technique::{Record, Setting, Technique};
use crate::wire::Tally;

/// Arrivals shown in `events`.
const SHOWN_MAILS: usize = 500;

/// Arrivals later than this, at the 99th percentile, say that the machine was too busy.
const LATE_US: f64 = 1_000.0;

/// A thread busier than this adds waiting of its own.
const SATURATED: f64 = 0.8;

/// What a run leaves behind.
#[derive(Debug)]
pub struct Measured<'a> {
    /// The technique that ran.
    pub technique: &'static Technique,
    /// What it was predicted from.
    pub setting: &'a Setting<'a>,
    /// When its schedule started.
    pub start: Instant,
    /// Mails appended.
    pub sent: u64,
    /// Replies that reached the server.
    pub replies: u64,
    /// How late each arrival was, microseconds.
    pub late_us: Vec<f64>,
    /// What each client saw.
    pub records: Vec<Record>,
    /// How busy the clients' thread was, 0 to 1.
    pub clients_busy: Option<f64>,
    /// What crossed the sockets, all of which are closed.
    pub ledger: &'a Ledger,
}

/// Draws it all together.
///
/// # Errors
/// If the labels of a connection don't sum to its raw count: then no figure may be believed.
pub fn outcome(mut run: Measured) -> anyhow::Result<Outcome> {
    let totals = run.ledger.totals();
    if totals.unbalanced > 0 || run.ledger.open() > 0 {
        bail!(
            "{}: the labels of {} connections don't sum to their bytes, {} are still open",
            run.technique.name,
            totals.unbalanced,
            run.ledger.open()
        );
    }
    let mails = delivery(&run);
    let bytes = traffic(&totals.tally);
    let overhead = bytes.up.total + bytes.down.total - bytes.up.payload - bytes.down.payload;
    let (events, events_truncated) = events(&run);
    let mut latencies: Vec<f64> = std::mem::take(&mut run.records)
        .into_iter()
        .flat_map(|r| r.latencies_us)
        .collect();
    let predicted = (run.technique.predict)(run.setting);
    Ok(Outcome {
        technique: run.technique.name.into(),
        latency_us: stats::summarize(&mut latencies).map(Latency::from),
        requests: Requests {
            total: totals.tally.requests,
            empty: predicted.requests.empty.map(|_| totals.tally.empty),
        },
        messages: messages(&totals.tally),
        connections: connections(run.ledger, &totals),
        segments: segments(&totals),
        bytes,
        overhead_bytes: overhead,
        overhead_bytes_per_delivery: (mails.delivered > 0).then(|| overhead as f64 / mails.delivered as f64),
        predicted,
        trust: trust(&mut run.late_us, run.clients_busy, &totals),
        events,
        events_truncated,
        repeats: Vec::new(),
        mails,
    })
}

fn delivery(run: &Measured) -> Delivery {
    let sum = |f: fn(&Record) -> u64| run.records.iter().map(f).sum::<u64>();
    let expected = run.sent * run.records.len() as u64;
    let (delivered, gap) = (sum(|r| r.latencies_us.len() as u64), sum(|r| r.gap));
    Delivery {
        sent: run.sent,
        expected,
        delivered,
        lost: expected.saturating_sub(delivered + gap),
        duplicated: sum(|r| r.duplicated),
        reordered: sum(|r| r.reordered),
        gap,
        replies: run.setting.scenario.reply.then_some(run.replies),
    }
}

fn traffic(tally: &Tally) -> Traffic<u64> {
    Traffic {
        up: Labelled::from(tally.up),
        down: Labelled::from(tally.down),
    }
}

/// A technique that never upgraded and streamed no event has no messages to count.
fn messages(tally: &Tally) -> Messages {
    let exist = tally.upgraded > 0;
    Messages {
        down: (exist || tally.messages_down > 0).then_some(tally.messages_down),
        up: exist.then_some(tally.messages_up),
    }
}

fn connections(ledger: &Ledger, totals: &Totals) -> Connections {
    let one = |c: &Closed| Connection {
        port: c.port,
        requests: c.tally.requests,
        bytes: traffic(&c.tally),
    };
    Connections {
        opened: ledger.opened(),
        peak: ledger.peak(),
        each: totals.each.iter().map(one).collect(),
    }
}

fn segments(totals: &Totals) -> Segments {
    Segments {
        down: totals.kernel.map(|k| k.segments_out),
        up: totals.kernel.map(|k| k.segments_in),
    }
}

fn trust(late_us: &mut [f64], clients_busy: Option<f64>, totals: &Totals) -> Trust {
    let late_p99_us = stats::summarize(late_us).map_or(0.0, |s| s.p99);
    let starved = late_p99_us > LATE_US;
    let mut warnings = Vec::new();
    if starved {
        warnings.push(format!(
            "arrivals were up to {:.1} ms late (99th percentile): the machine was busy; close other programs, \
             or use fewer clients or --one-at-a-time",
            late_p99_us / 1e3
        ));
    }
    if let Some(busy) = clients_busy.filter(|b| *b > SATURATED) {
        warnings.push(format!(
            "the clients' thread was busy {:.0} % of the time, so latency is partly its own queue; use fewer \
             --clients or a lower --rate",
            busy * 100.0
        ));
    }
    if totals.tally.violations > 0 {
        warnings.push(format!(
            "{} connections carried bytes that break their protocol",
            totals.tally.violations
        ));
    }
    Trust {
        late_p99_us,
        starved,
        warnings,
    }
}

fn events(run: &Measured) -> (Vec<Event>, bool) {
    let since_start = |at: Instant| match at.checked_duration_since(run.start) {
        Some(after) => after.as_secs_f64() * 1e6,
        None => -(run.start - at).as_secs_f64() * 1e6,
    };
    let sent = run.sent as usize;
    let arrived = run
        .setting
        .plan
        .mails
        .iter()
        .zip(1..)
        .take(sent.min(SHOWN_MAILS))
        .map(|(planned, number)| Event {
            t_us: planned.due.as_secs_f64() * 1e6,
            client: None,
            kind: EventKind::Arrived,
            mail: Some(number),
        });
    let seen = run
        .records
        .iter()
        .take(WATCHED)
        .enumerate()
        .flat_map(|(client, record)| {
            record
                .events
                .iter()
                .map(move |(at, kind, mail)| (client, *at, *kind, *mail))
        });
    let last = run
        .setting
        .plan
        .mails
        .get(SHOWN_MAILS)
        .map_or(f64::INFINITY, |m| m.due.as_secs_f64() * 1e6);
    let seen = seen
        .map(|(client, at, kind, mail)| Event {
            t_us: since_start(at),
            client: Some(client),
            kind,
            mail,
        })
        .filter(|e| e.t_us < last);
    let mut events: Vec<Event> = arrived.chain(seen).collect();
    events.sort_by(|a, b| a.t_us.total_cmp(&b.t_us));
    let truncated = sent > SHOWN_MAILS
        || run.records.len() > WATCHED
        || run
            .records
            .iter()
            .any(|r| r.events.len() >= super::clients::MAX_EVENTS);
    (events, truncated)
}
