//! From what server, clients and publisher recorded to an [`Outcome`].

use std::time::Instant;

use anyhow::bail;

use super::clients::{Finished, WATCHED};
use super::home::{Left, Used};
use crate::lang::figured;
use crate::link::{Closed, Totals};
use crate::outcome::{
    Attempt, Connection, Connections, Delivery, EachWay, Event, EventKind, EventSources, Labelled, Latency,
    Messages, Outcome, Prediction, Requests, Segments, ServerUse, Talk, Told, Traffic, Trust,
};
use crate::stats;
use crate::technique::talk;
use crate::technique::{Record, Setting, Technique};
use crate::wire::{Labels, Tally};

/// Arrivals shown in `events`.
pub const SHOWN_MAILS: usize = 500;

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
    /// What was predicted.
    pub predicted: Prediction,
    /// When its schedule started.
    pub start: Instant,
    /// When the clients were told to close.
    pub ended: Instant,
    /// What the clients saw.
    pub clients: Finished,
    /// What the server's side left, books and all.
    pub left: Left,
}

/// Draws it all together.
///
/// # Errors
/// If the labels of a connection don't sum to its raw count: then no figure may be believed.
pub fn outcome(mut run: Measured) -> anyhow::Result<Outcome> {
    let totals = &run.left.totals;
    if totals.unbalanced > 0 || run.left.open > 0 {
        bail!(
            "{}: the labels of {} connections don't sum to their bytes, {} are still open",
            run.technique.name,
            totals.unbalanced,
            run.left.open
        );
    }
    let mails = delivery(&run);
    let bytes = traffic(&totals.tally);
    let talk = talk(&run, mails.delivered);
    let overhead = bytes.up.total + bytes.down.total - bytes.up.payload - bytes.down.payload;
    let (events, events_truncated) = events(&run);
    let attempts = attempts(&run);
    let event_sources = EventSources::sum(run.clients.records.iter().map(|r| r.event_sources.as_ref()));
    let mut latencies: Vec<f64> = std::mem::take(&mut run.clients.records)
        .into_iter()
        .flat_map(|r| r.latencies_us)
        .collect();
    let predicted = std::mem::take(&mut run.predicted);
    Ok(Outcome {
        talk,
        technique: run.technique.name.into(),
        latency_us: stats::summarize(&mut latencies).map(Latency::from),
        latency_quantiles_us: stats::quantiles(&latencies),
        requests: Requests {
            total: totals.tally.requests,
            empty: predicted.requests.empty.map(|_| totals.tally.empty),
        },
        state: Told {
            times: totals.tally.told[0],
            bytes: totals.tally.told[1],
        },
        messages: messages(&totals.tally),
        connections: connections(&run.left),
        segments: segments(totals),
        server: run.left.used.map(|used| server_use(&used, mails.delivered)),
        bytes,
        overhead_bytes: overhead,
        overhead_bytes_per_delivery: (mails.delivered > 0).then(|| overhead as f64 / mails.delivered as f64),
        predicted,
        trust: trust(&run.left, &run.clients),
        events,
        events_truncated,
        attempts,
        event_sources,
        per_run: None,
        repeats: Vec::new(),
        samples_us: latencies,
        mails,
    })
}

fn delivery(run: &Measured) -> Delivery {
    let sum = |f: fn(&Record) -> u64| run.clients.records.iter().map(f).sum::<u64>();
    let expected = run.left.sent * run.clients.records.len() as u64;
    let (delivered, gap) = (sum(|r| r.delivered), sum(|r| r.gap));
    Delivery {
        sent: run.left.sent,
        expected,
        delivered,
        lost: expected.saturating_sub(delivered + gap),
        duplicated: sum(|r| r.duplicated),
        reordered: sum(|r| r.reordered),
        gap,
        replies: run.setting.scenario.reply.then_some(run.left.replies),
    }
}

/// Those of the clients that are watched.
fn attempts(run: &Measured) -> Vec<Attempt> {
    let watched = run.clients.records.iter().take(WATCHED);
    watched.flat_map(|r| r.attempts.iter().cloned()).collect()
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

fn connections(left: &Left) -> Connections {
    let one = |c: &Closed| Connection {
        port: c.port,
        requests: c.tally.requests,
        bytes: traffic(&c.tally),
    };
    Connections {
        opened: left.opened,
        peak: left.peak,
        each: left.totals.each.iter().map(one).collect(),
    }
}

fn segments(totals: &Totals) -> Segments {
    Segments {
        down: totals.kernel.map(|k| k.segments_out),
        up: totals.kernel.map(|k| k.segments_in),
    }
}

fn server_use(used: &Used, delivered: u64) -> ServerUse {
    ServerUse {
        cpu_us: used.cpu_us,
        cpu_us_per_delivery: (delivered > 0).then(|| used.cpu_us / delivered as f64),
        memory_bytes_per_connection: used.memory_bytes_per_connection,
    }
}

/// What belongs to messages was told apart when it crossed the wire; the rest was for the mail.
fn talk(run: &Measured, delivered: u64) -> Option<Talk> {
    let (known, setting) = (run.left.talk.as_ref()?, run.setting);
    let schedules = talk::schedules(setting.scenario, setting.plan.span());
    let ran = run.ended.saturating_duration_since(run.start);
    let sent = schedules.iter().flatten().filter(|due| **due <= ran).count() as u64;
    let tally = &run.left.totals.tally;
    let said = tally.said_up + tally.said_down + tally.up.framing;
    let besides_payload = |l: &Labels| l.head + l.framing + l.control;
    let rest = besides_payload(&tally.up) + besides_payload(&tally.down) - said;
    let each = |bytes: u64, of: u64| (of > 0).then(|| bytes as f64 / of as f64);
    let mut latencies = known.latencies_us.clone();
    Some(Talk {
        sent,
        heard: known.heard,
        lost: sent.saturating_sub(known.heard),
        duplicated: known.duplicated,
        latency_us: stats::summarize(&mut latencies).map(Latency::from),
        overhead_bytes: said,
        overhead_bytes_per_message: EachWay {
            up: each(said, known.heard),
            down: each(rest, delivered),
        },
        connections_per_client: run.left.opened as f64 / setting.scenario.clients as f64,
        samples_us: latencies,
    })
}

fn trust(left: &Left, clients: &Finished) -> Trust {
    let totals = &left.totals;
    let late_p99_us = left.late_us.as_ref().map(|s| s.p99);
    let too_late = late_p99_us.filter(|late| *late > LATE_US);
    let mut warnings = Vec::new();
    if let Some(late) = too_late {
        warnings.push(figured!(
            "arrivals were up to {:.1} ms late (99th percentile): the machine was busy; close other programs, \
             or use fewer clients or --one-at-a-time",
            late / 1e3
        ));
    }
    if let Some(late) = stats::summarize(&mut clients.late_us.clone()).filter(|s| s.p99 > LATE_US) {
        warnings.push(figured!(
            "what clients had to say reached them up to {:.1} ms late (99th percentile): the machine was busy; use \
             a lower --talk rate or fewer clients",
            late.p99 / 1e3
        ));
    }
    if let Some(busy) = clients.busy.filter(|b| *b > SATURATED) {
        warnings.push(figured!(
            "the clients' thread was busy {:.0} % of the time, so latency is partly its own queue; use fewer \
             --clients or a lower --rate",
            busy * 100.0
        ));
    }
    if totals.tally.violations > 0 {
        warnings.push(figured!(
            "{} connections carried bytes that break their protocol",
            totals.tally.violations
        ));
    }
    Trust {
        late_p99_us,
        starved: too_late.is_some(),
        warnings,
    }
}

fn events(run: &Measured) -> (Vec<Event>, bool) {
    let since_start = |at: Instant| match at.checked_duration_since(run.start) {
        Some(after) => after.as_secs_f64() * 1e6,
        None => -(run.start - at).as_secs_f64() * 1e6,
    };
    let sent = run.left.sent as usize;
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
        .clients
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
        || run.clients.records.len() > WATCHED
        || run
            .clients
            .records
            .iter()
            .any(|r| r.events.len() >= super::clients::MAX_EVENTS);
    (events, truncated)
}
