//! Advice as a document: tables for one client, for all clients and for the measured run, and the reasons.

use anyhow::Result;

use super::table::table;
use super::usage;
use super::verified::verified;
use super::words::{DAY_S, bound, bytes, case, legend, reasons, share, span, spoken_count, warnings};
use crate::lang::t;
use crate::outcome::advice::{Advice, Candidate, Check, Compared, Delay, Failing, Verification};
use crate::report::csv::Records;
use crate::report::doc::{Block, Doc, Table};
use crate::report::json::json_of;
use crate::report::numbers::{figure, percent, speed};
use crate::report::source::command;
use crate::report::view::View;

/// Paths into a candidate.
const PATHS: &str = "
    technique method
    per_client.requests_per_s per_client.bytes_per_day per_client.overhead_bytes_per_day per_client.connections
    per_client.opened_per_s per_client.opening_bytes
    total.requests_per_s total.bytes_per_day total.overhead_bytes_per_day total.connections total.opened_per_s
    total.opening_bytes
    latency_ms.mean latency_ms.worst latency_ms.later_share latency_ms.beyond_share
    per_client.opening_requests total.opening_requests
    talk_latency_ms.mean talk_latency_ms.worst talk_latency_ms.later_share
    talk_latency_ms.beyond_share
    per_client.messages_per_s per_client.bytes_up_per_day per_client.bytes_down_per_day
    total.messages_per_s total.bytes_up_per_day total.bytes_down_per_day
    radio.method radio.wakeups_per_hour radio.on_s_per_hour
    server.cpu_us server.cpu_us_per_delivery server.memory_bytes_per_connection
    without_mail
    blocked_per_client.requests_per_s blocked_per_client.messages_per_s blocked_per_client.bytes_per_day blocked_per_client.bytes_up_per_day blocked_per_client.bytes_down_per_day
    blocked_per_client.overhead_bytes_per_day blocked_per_client.connections blocked_per_client.opened_per_s blocked_per_client.opening_bytes blocked_per_client.opening_requests
    cost_per_month.requests cost_per_month.messages cost_per_month.connection_minutes cost_per_month.down
    cost_per_month.up cost_per_month.total
";

impl View for Advice {
    fn doc(&self) -> Doc {
        let mut blocks = vec![Block::Scenario(case(self))];
        blocks.extend([per_client(self), total(self)].map(Block::Table));
        blocks.extend(usage::tables(self).into_iter().map(Block::Table));
        blocks.extend(self.verification.as_ref().map(verification).map(Block::Table));
        blocks.push(Block::legend(legend(self)));
        let reasons = reasons(self);
        let headline = reasons.first().cloned().unwrap_or_default();
        blocks.push(Block::Items {
            title: t!("Why"),
            lines: reasons,
        });
        blocks.extend(self.verification.as_ref().map(|v| Block::Items {
            title: t!("Prediction and measurement"),
            lines: verified(v),
        }));
        blocks.extend(warnings(self).into_iter().map(Block::Warning));
        Doc {
            title: format!("mailcall advise: {headline}"),
            brand: t!("Which technique for this case? What each would cost, a recommendation, and why"),
            headline,
            command: command(&self.envelope.argv),
            blocks,
            ..Doc::default()
        }
    }

    fn records(&self) -> Result<Records> {
        Records::of(PATHS, &self.results)
    }

    fn json(&self) -> Result<String> {
        json_of(self)
    }
}

fn per_client(advice: &Advice) -> Table {
    let talks = advice.scenario.talk_per_s.is_some();
    let row = |c: &Candidate| {
        let Delay { mean, worst, .. } = c.latency_ms;
        let mut row = vec![
            figure(c.per_client.requests_per_s * DAY_S),
            bytes(c.per_client.bytes_per_day),
            bytes(c.per_client.overhead_bytes_per_day),
            bound(mean),
            bound(worst),
        ];
        row.extend(talks.then(|| bound(c.talk_latency_ms.and_then(|d| d.worst))));
        row.extend([share(late_share(c)), verdict(advice, c).into()]);
        (c.technique.clone(), row)
    };
    let mut delays = vec![
        ("mean", "delay"),
        ("worst", "delay"),
        ("how often", "later"),
        ("", ""),
    ];
    if talks {
        delays.insert(2, ("worst", "up"));
    }
    let spent = [
        ("requests", "per day"),
        ("traffic", "per day"),
        ("overhead", "per day"),
    ];
    table(
        t!("One client"),
        [(t!("what it takes"), &spent), (t!("how late mail is"), &delays)],
        advice.results.iter().map(row),
    )
}

/// The share of mail, or of clients' messages, later than required: the larger of the two.
fn late_share(c: &Candidate) -> f64 {
    let talk = c.talk_latency_ms.map_or(0.0, |d| d.later_share);
    c.latency_ms.later_share.max(talk)
}

fn total(advice: &Advice) -> Table {
    let row = |c: &Candidate| {
        let row = vec![
            figure(c.total.requests_per_s),
            bytes(c.total.bytes_per_day),
            speed(c.total.bytes_per_day * 8.0 / DAY_S),
            figure(whole_if_large(c.total.connections)),
            figure(c.total.opened_per_s),
            bytes(c.total.opening_bytes),
        ];
        (c.technique.clone(), row)
    };
    let traffic = [("requests", "per s"), ("traffic", "per day"), ("on the", "line")];
    let connections = [
        ("connections", "held"),
        ("opened", "per s"),
        ("to connect", "them all"),
    ];
    table(
        t!("All %{n} together", n = spoken_count(advice.scenario.clients)),
        [(t!("traffic"), &traffic), (t!("connections"), &connections)],
        advice.results.iter().map(row),
    )
}

/// Rounds numbers from 10 on. 0.1 connections means one that is open a tenth of the time.
fn whole_if_large(n: f64) -> f64 {
    if n >= 10.0 { n.round() } else { n }
}

fn verification(v: &Verification) -> Table {
    let off = |c: &Compared| percent(figure((c.error.abs() * 1e3).round() / 10.0));
    let by_ms = |c: &Compared| {
        let ms = (c.predicted - c.measured).abs();
        format!("{} ms", figure((ms * 1e2).round() / 1e2))
    };
    let row = |c: &Check| {
        let row = vec![
            figure(c.requests.measured),
            off(&c.requests),
            bytes(c.bytes.measured),
            off(&c.bytes),
            c.connections.map_or("–".into(), |c| figure(c.measured)),
            c.connections.map_or("–".into(), |c| off(&c)),
            span(c.latency_ms.measured),
            by_ms(&c.latency_ms),
        ];
        (c.technique.clone(), row)
    };
    let title = match v.seconds > 0.0 {
        true => t!(
            "Measured in %{s} s with %{clients} clients, and how far off the prediction was",
            s = figure((v.seconds * 10.0).round() / 10.0),
            clients = v.scenario.clients
        ),
        false => t!("Measured, and how far off the prediction was"),
    };
    let off_by = ("", "off by");
    let traffic = [("requests", "measured"), off_by, ("traffic", "measured"), off_by];
    let rest = [
        ("connections", "opened"),
        off_by,
        ("mean delay", "measured"),
        off_by,
    ];
    table(
        title,
        [(t!("traffic"), &traffic), (t!("connections and delay"), &rest)],
        v.checks.iter().map(row),
    )
}

fn verdict(advice: &Advice, c: &Candidate) -> &'static str {
    let is = |name: &Option<String>| name.as_ref() == Some(&c.technique);
    match c.fails.first() {
        Some(Failing::TooLate | Failing::HeardTooLate) => "too late",
        Some(Failing::Blocked) => "blocked",
        Some(Failing::PartlyBlocked) => "partly blocked",
        None if is(&advice.recommendation) => "recommended",
        None if is(&advice.runner_up) => "next best",
        None => "",
    }
}
