//! Makes an [`Outcome`] from what server, clients and publisher recorded.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::behind::behind;
use super::clients::{Finished, WATCHED};
use super::server_record::{ServerRecord, Used};
use crate::link::{Closed, Totals};
use crate::mail::Plan;
use crate::outcome::{
    Attempt, Balance, Balanced, Connection, Connections, Delivery, EachWay, Event, EventKind, EventSources,
    Histogram, HttpVersion, Labelled, Latency, Messages, Outcome, Prediction, Requests, Scenario, Segments,
    ServerUse, SlowReaders, StateBytes, TabQueue, Talk, Traffic, Trust, Warning,
};
use crate::stats;
use crate::technique::talk;
use crate::technique::{Headers, Record, Serve, Technique};
use crate::wire::{Answer, Label, Tally};

/// How many arrivals `events` shows.
pub const SHOWN_MAILS: usize = 500;

/// Arrivals later than this at the 99th percentile, in microseconds, mean that the machine was too busy.
const LATE_US: f64 = 1_000.0;

/// A thread that is busy for more than this share of the time adds queueing delay.
pub const SATURATED: f64 = 0.8;

/// What a run leaves behind.
#[derive(Debug)]
pub struct Measured<'a> {
    /// The technique that ran.
    pub technique: &'static Technique,
    /// What was asked for.
    pub scenario: &'a Scenario,
    /// The mail.
    pub plan: &'a Plan,
    /// The header profile.
    pub headers: &'a Headers,
    /// What was predicted.
    pub predicted: Prediction,
    /// When its schedule started.
    pub start: Instant,
    /// When the clients were told to close.
    pub ended: Instant,
    /// What the clients saw.
    pub clients: Finished,
    /// What the server's side recorded, with its byte counts.
    pub server: ServerRecord,
    /// How many mails came only when the server ended the stream, if something on the way holds streams back.
    pub held_back: Option<u64>,
    /// Whether the clients joined a server that keeps running when they leave.
    pub joined: bool,
}

/// Computes a run's outcome.
///
/// # Errors
/// If the labels of a connection don't sum to its raw count: then no figure can be trusted.
pub fn outcome(mut run: Measured) -> anyhow::Result<Outcome> {
    balanced(&run)?;
    payload_arrived(&run)?;
    let totals = &run.server.totals;
    let mails = delivery(&run);
    let carried = mails.carried.unwrap_or(mails.delivered);
    let bytes = traffic(&totals.tally);
    let talk = talk(&run, carried);
    let overhead = bytes.total() - bytes.both(Label::Payload);
    let (events, events_truncated) = events(&run);
    let attempts = attempts(&run);
    let event_sources = EventSources::sum(run.clients.records.iter().map(|r| r.event_sources.as_ref()));
    let slow = slow(&run);
    let records = run.clients.records.iter_mut();
    let mut latencies: Vec<f64> = records
        .flat_map(|r| std::mem::take(&mut r.latencies_us))
        .collect();
    let predicted = std::mem::take(&mut run.predicted);
    let proxies = std::mem::take(&mut run.server.proxies);
    let balanced = behind_balancer(&run);
    let first_due = run.start + run.plan.mails.first().map_or(Duration::ZERO, |mail| mail.due);
    let asks = matches!(run.technique.answers, Some((_, Answer::List))) || totals.tally.empty > 0;
    Ok(Outcome {
        talk,
        technique: run.technique.name.into(),
        latency_us: stats::summarize(&mut latencies).map(Latency::from),
        latency_quantiles_us: stats::quantiles(&latencies),
        latency_histogram: Histogram::default(),
        requests: Requests {
            total: totals.tally.requests,
            empty: asks.then_some(totals.tally.empty),
            failed: failed(&run),
        },
        state: StateBytes {
            times: totals.tally.client_state[0],
            bytes: totals.tally.client_state[1],
        },
        messages: messages(&run),
        connections: connections(&run),
        tabs: tabs(&run),
        slow,
        segments: segments(totals),
        server: run.server.used.map(|used| server_use(&used, carried)),
        bytes,
        overhead_bytes: overhead,
        overhead_bytes_per_delivery: (carried > 0).then(|| overhead as f64 / carried as f64),
        predicted,
        trust: trust(&run),
        events,
        events_truncated,
        attempts,
        event_sources,
        behind_proxies: behind(&run.clients.records, first_due, proxies),
        balanced,
        per_run: None,
        repeats: Vec::new(),
        samples_us: latencies,
        mails,
    })
}

/// Computes only what became of the mail, and checks the labels as [`outcome`] does.
///
/// # Errors
/// As for [`outcome`].
pub fn checked_delivery(run: &Measured) -> anyhow::Result<Delivery> {
    balanced(run)?;
    payload_arrived(run)?;
    Ok(delivery(run))
}

/// Checks that every byte has a label.
fn balanced(run: &Measured) -> anyhow::Result<()> {
    let (unbalanced, open) = (run.server.totals.unbalanced, run.server.open);
    if unbalanced > 0 || open > 0 {
        bail!(
            "{}: the labels of {unbalanced} connections don't sum to their bytes, {open} are still open",
            run.technique.name
        );
    }
    Ok(())
}

/// Checks that bytes were labelled as mail exactly where clients found mail.
///
/// A client decodes only what has crossed the wire. The reverse need not hold: a cut may stop mail that has
/// crossed, and a server that keeps running has sent more by the time its clients are gone. So the sums
/// must be equal only where none of that happened and every mail came.
fn payload_arrived(run: &Measured) -> anyhow::Result<()> {
    let (tally, records) = (&run.server.totals.tally, &run.clients.records);
    let sum = |f: fn(&Record) -> u64| records.iter().map(f).sum::<u64>();
    let (labelled, decoded) = (tally.down.payload, sum(|r| r.payload));
    let whole = |r: &Record| r.opened < 2 && r.troubles == 0 && r.duplicated == 0;
    let all_came = |r: &Record| r.missing(run.server.sent) == (0, 0);
    if tally.coded > 0 {
        // What a compressed body holds was not read on the wire.
        return Ok(());
    }
    let exact = !run.joined && records.iter().all(|r| whole(r) && all_came(r));
    match tally.violations {
        0 => agree(labelled, decoded, exact).context(run.technique.name),
        _ => Ok(()),
    }
}

/// Checks the bytes labelled as mail: they must not be fewer than clients decoded, and if the comparison is
/// exact, not more.
fn agree(labelled: u64, decoded: u64, exact: bool) -> anyhow::Result<()> {
    if decoded > labelled || exact && decoded < labelled {
        bail!("{labelled} bytes were labelled as mail, but the mail that arrived has {decoded}");
    }
    Ok(())
}

/// Requests that failed or were not answered. The baseline makes none.
fn failed(run: &Measured) -> Option<u64> {
    let unanswered = run.clients.records.iter().map(|r| r.unanswered).sum::<u64>();
    over_http(run).then(|| run.server.totals.tally.failed + unanswered)
}

fn over_http(run: &Measured) -> bool {
    matches!(run.technique.serve, Serve::Http(_))
}

/// How often streams and sessions were opened again. Without streams, a client has one connection for its
/// requests, and a second for its messages; where idle connections are closed on purpose, lost ones cannot
/// be told apart.
fn reconnects(run: &Measured) -> Option<u64> {
    let (records, scenario) = (&run.clients.records, run.scenario);
    let again = || {
        records
            .iter()
            .map(|r| r.opened.max(r.begun).saturating_sub(1))
            .sum()
    };
    if run.technique.streams {
        return Some(again());
    }
    let at_once = if scenario.speaks() { 2 } else { 1 };
    let kept = (records.len() as u64 * at_once).max(run.server.peak);
    let stays = scenario.http != HttpVersion::Http10 && scenario.keep_alive_ms.is_none();
    stays.then(|| run.server.opened.saturating_sub(kept))
}

fn delivery(run: &Measured) -> Delivery {
    let sum = |f: fn(&Record) -> u64| run.clients.records.iter().map(f).sum::<u64>();
    let expected = run.server.sent * run.clients.records.len() as u64;
    let missing = run.clients.records.iter().map(|r| r.missing(run.server.sent));
    let (lost, undelivered) = missing.fold((0, 0), |(lost, un), (l, u)| (lost + l, un + u));
    Delivery {
        sent: run.server.sent,
        expected,
        delivered: sum(|r| r.delivered),
        lost,
        undelivered,
        duplicated: sum(|r| r.duplicated),
        reordered: sum(|r| r.reordered),
        gap: sum(|r| r.gap),
        reset: sum(|r| r.reset),
        // The baseline's messages don't say which of them are mail.
        carried: Some(match over_http(run) && run.server.totals.tally.coded == 0 {
            true => run.server.totals.tally.mails,
            false => sum(|r| r.decoded),
        }),
        held_back: run.held_back,
        replies: run.scenario.reply.then_some(run.server.replies),
    }
}

/// The connection attempts of the clients that are watched.
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

/// Counts messages. A technique that never upgraded and streamed no event has none to count.
fn messages(run: &Measured) -> Messages {
    let tally = &run.server.totals.tally;
    let first = run.clients.records.iter().filter_map(|r| r.first_mail).max();
    let exist = tally.upgraded > 0;
    Messages {
        down: (exist || tally.messages_down > 0).then_some(tally.messages_down),
        up: exist.then_some(tally.messages_up),
        first_us: first.map(|d| d.as_secs_f64() * 1e6),
    }
}

fn connections(run: &Measured) -> Connections {
    let server = &run.server;
    let one = |c: &Closed| Connection {
        port: c.port,
        requests: c.tally.requests,
        bytes: traffic(&c.tally),
    };
    Connections {
        opened: server.opened,
        peak: server.peak,
        reconnects: reconnects(run),
        each: server.totals.each.iter().map(one).collect(),
    }
}

/// How tabs waited for connections. What a tab with an unserved request lacks, it lacks for want of one.
fn tabs(run: &Measured) -> Option<TabQueue> {
    run.scenario.tabs?;
    let records = &run.clients.records;
    let waits = stats::summarize(
        &mut records
            .iter()
            .flat_map(|r| &r.waits.us)
            .copied()
            .collect::<Vec<_>>(),
    );
    let starved = || records.iter().filter(|r| r.waits.unserved > 0);
    Some(TabQueue {
        limit: run.scenario.connections_per_host().map(|most| most as u64),
        queued: waits.as_ref().map_or(0, |w| w.count),
        unserved: records.iter().map(|r| r.waits.unserved).sum(),
        starved: starved().count() as u64,
        undelivered: starved().map(|r| r.missing(run.server.sent).1).sum(),
        wait_mean_us: waits.as_ref().map(|w| w.mean),
        wait_max_us: waits.as_ref().map(|w| w.max),
    })
}

/// What the slow clients cost: they are the first ones.
fn slow(run: &Measured) -> Option<SlowReaders> {
    let clients = run.scenario.slow;
    let (slow, others) = run.clients.records.split_at_checked(clients)?;
    let waited = |records: &[Record]| records.iter().flat_map(|r| &r.latencies_us).copied().collect();
    let counted = run.server.backlogged;
    let at_server = counted.unwrap_or_default();
    let counts = SlowReaders {
        clients: clients as u64,
        waiting_bytes: counted.map(|c| c.bytes),
        waiting_mails: counted.map(|c| c.mails),
        behind_mails: slow.iter().map(|r| r.behind).max().unwrap_or(0),
        dropped: at_server.dropped,
        cut_off: at_server.cut_off,
        ..SlowReaders::default()
    };
    (clients > 0).then(|| counts.with([waited(slow), waited(others)]))
}

fn segments(totals: &Totals) -> Segments {
    Segments {
        down: totals.kernel.map(|k| k.segments_out),
        up: totals.kernel.map(|k| k.segments_in),
    }
}

fn server_use(used: &Used, carried: u64) -> ServerUse {
    ServerUse {
        cpu_us: used.cpu_us,
        cpu_us_per_delivery: (carried > 0).then(|| used.cpu_us / carried as f64),
        memory_bytes_per_connection: used.memory_bytes_per_connection,
    }
}

/// The cost of clients' messages. Their bytes were counted apart as they crossed the wire; the rest was for mail.
fn talk(run: &Measured, carried: u64) -> Option<Talk> {
    let known = run.server.talk.as_ref()?;
    let schedules = talk::schedules(run.scenario, run.plan.span());
    let ran = run.ended.saturating_duration_since(run.start);
    let sent = schedules.iter().flatten().filter(|due| **due <= ran).count() as u64;
    let tally = &run.server.totals.tally;
    let said = tally.message_heads_up + tally.message_heads_down + tally.up.framing;
    let all = tally.up + tally.down;
    let rest = all.total() - all.payload - all.tls - said;
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
            down: each(rest, carried),
        },
        connections_per_client: run.server.opened as f64 / run.scenario.clients as f64,
        samples_us: latencies,
    })
}

fn trust(run: &Measured) -> Trust {
    let (server, clients) = (&run.server, &run.clients);
    let totals = &server.totals;
    let late_p99_us = server.late_us.as_ref().map(|s| s.p99);
    let too_late = late_p99_us.filter(|late| *late > LATE_US);
    let late_messages = stats::summarize(&mut clients.late_us.clone()).filter(|s| s.p99 > LATE_US);
    let violations = totals.tally.violations;
    let found = [
        too_late.map(|late| Warning::LateArrivals { ms: late / 1e3 }),
        late_messages.map(|late| Warning::LateMessages { ms: late.p99 / 1e3 }),
        clients
            .busy
            .filter(|busy| *busy > SATURATED)
            .map(|busy| Warning::BusyClients {
                percent: busy * 100.0,
            }),
        clients
            .records
            .iter()
            .any(|r| r.reset > 0)
            .then_some(Warning::Reset),
        (violations > 0).then_some(Warning::Violations {
            connections: violations,
        }),
        unknown_sessions(run),
        (!run.headers.left_out().is_empty()).then_some(Warning::FieldsLeftOut),
    ];
    Trust {
        late_p99_us,
        starved: too_late.is_some(),
        warnings: found.into_iter().flatten().collect(),
    }
}

/// What the servers behind a balancer did, with what their clients say of it.
fn behind_balancer(run: &Measured) -> Option<Balanced> {
    let unknown_sessions = run.clients.records.iter().map(|r| r.unknown_sessions).sum();
    run.server.balanced.clone().map(|balanced| Balanced {
        unknown_sessions,
        ..balanced
    })
}

/// Sessions that a balancer tore apart, or that a killed server took along.
fn unknown_sessions(run: &Measured) -> Option<Warning> {
    let requests = run.clients.records.iter().map(|r| r.unknown_sessions).sum();
    let how = run.scenario.balance().filter(|_| requests > 0)?;
    Some(match how {
        Balance::Sticky => Warning::SessionGone { requests },
        Balance::RoundRobin | Balance::Least => Warning::SessionElsewhere { requests },
    })
}

/// From an instant to another, in microseconds; negative if the other is before it.
pub fn micros_between(start: Instant, at: Instant) -> f64 {
    match at.checked_duration_since(start) {
        Some(after) => after.as_secs_f64() * 1e6,
        None => -(start - at).as_secs_f64() * 1e6,
    }
}

fn events(run: &Measured) -> (Vec<Event>, bool) {
    let since_start = |at| micros_between(run.start, at);
    let sent = run.server.sent as usize;
    let arrived = run
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

#[cfg(test)]
mod tests {
    use super::agree;

    #[test]
    fn labelled_and_decoded_mail_must_agree() {
        assert!(agree(300, 300, true).is_ok());
        assert!(
            agree(0, 300, false).is_err(),
            "mail that was labelled as something else"
        );
        assert!(agree(600, 300, true).is_err());
        assert!(agree(600, 300, false).is_ok(), "a cut lost what had crossed");
    }
}
