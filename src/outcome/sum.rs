//! Results of several machines whose clients visited one server at the same time, added up (`report --sum`).

use serde::{Deserialize, Serialize};

use super::bytes::Traffic;
use super::envelope::Envelope;
use super::histogram::Histogram;
use super::report::{Environment, Report};
use super::run::{Delivery, Latency, Outcome};
use super::scenario::Scenario;
use super::server_clock::ServerClock;
use crate::wire::Label;

/// The command whose JSON it is.
pub const COMMAND: &str = "report --sum";

/// Results of several machines, added up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sum {
    /// The fields that every result begins with.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The technique.
    pub technique: String,
    /// The URL of the server.
    pub remote: String,
    /// The scenario, with the clients of all machines.
    pub scenario: Scenario,
    /// The machines, in the order of their files.
    pub machines: Vec<Machine>,
    /// Deliveries, added up; `sent` is the most that one of them was sent.
    pub mails: Delivery,
    /// HTTP requests, added up.
    pub requests: u64,
    /// Those that failed; `None` if a machine does not know.
    pub failed: Option<u64>,
    /// Connections that were opened, added up.
    pub connections: u64,
    /// The most that were open at one instant, at most: the sum of each machine's most, which may be of different
    /// instants.
    pub peak_at_most: u64,
    /// Bytes, added up.
    pub bytes: Traffic<u64>,
    /// All bytes except payload.
    pub overhead_bytes: u64,
    /// The same for each mail that the bytes carried; `None` if they carried none.
    pub overhead_bytes_per_delivery: Option<f64>,
    /// Latency over all deliveries; `None` if a machine that delivered mail does not know it.
    pub latency_us: Option<SumLatency>,
    /// By how much the mean latency may be wrong because the clocks are only compared, microseconds: the uncertainties
    /// of the machines, weighted by their deliveries. A percentile may be wrong by as much as the largest of them.
    /// `None` if that of a machine is not known.
    pub uncertainty_us: Option<f64>,
    /// For how long all machines were there together, microseconds by the server's clock; `None` if that is not known.
    pub together_us: Option<f64>,
}

/// Latency over the deliveries of several machines, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SumLatency {
    /// Deliveries.
    pub count: u64,
    /// The smallest.
    pub min: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The largest.
    pub max: f64,
    /// The standard deviation (n - 1).
    pub stdev: f64,
    /// The median, at most one per cent too high, like the other percentiles; `None` if a file has no histogram, because
    /// percentiles cannot be computed from percentiles.
    pub p50: Option<f64>,
    /// The 90th percentile.
    pub p90: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
}

/// One machine's part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Its file.
    pub file: String,
    /// The machine, and when it measured.
    pub environment: Option<Environment>,
    /// How many clients it had.
    pub clients: u64,
    /// Mails that its clients expected.
    pub expected: u64,
    /// Mails that they got.
    pub delivered: u64,
    /// Their latency.
    pub latency_us: Option<Latency>,
    /// Whether its run was interrupted.
    pub partial: bool,
    /// What it knows of the server's clock; `None` in a file of an older version.
    pub server_clock: Option<ServerClock>,
}

/// Why results cannot be added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlike {
    /// There are fewer than two.
    Few,
    /// A file is not of clients that visited a server.
    NoVisit(String),
    /// A file has several techniques or seeds.
    NotOne(String),
    /// Two files hold the same result.
    Same(String, String),
    /// Two files differ in something that has to be equal: its name, and what it is in each.
    Differ {
        /// The first file and its value.
        first: (String, String),
        /// The other file and its value.
        other: (String, String),
        /// What differs.
        what: String,
    },
}

impl Sum {
    /// Adds up results, each with the name of its file.
    ///
    /// # Errors
    /// If they are not of one visit of several machines.
    pub fn of(envelope: Envelope, results: &[(String, Report)]) -> Result<Sum, Unlike> {
        check(results)?;
        let [(_, first), ..] = results else {
            return Err(Unlike::Few);
        };
        let outcomes: Vec<&Outcome> = results.iter().flat_map(|(_, r)| &r.results).collect();
        let total = |of: fn(&Outcome) -> u64| outcomes.iter().map(|o| of(o)).sum::<u64>();
        let bytes = outcomes.iter().fold(Traffic::default(), |sum, o| sum + o.bytes);
        let carried = total(Outcome::carried);
        let overhead = bytes.total() - bytes.both(Label::Payload);
        let machines: Vec<Machine> = results.iter().filter_map(machine).collect();
        Ok(Sum {
            envelope,
            technique: outcomes.first().map(|o| o.technique.clone()).unwrap_or_default(),
            remote: first.remote.clone().unwrap_or_default(),
            scenario: Scenario {
                clients: results.iter().map(|(_, r)| r.scenario.clients).sum(),
                ..first.scenario.clone()
            },
            mails: delivery(&outcomes),
            requests: total(|o| o.requests.total),
            failed: outcomes.iter().map(|o| o.requests.failed).sum(),
            connections: total(|o| o.connections.opened),
            peak_at_most: total(|o| o.connections.peak),
            bytes,
            overhead_bytes: overhead,
            overhead_bytes_per_delivery: (carried > 0).then(|| overhead as f64 / carried as f64),
            latency_us: latency(&outcomes),
            uncertainty_us: uncertainty(&machines),
            together_us: together(&machines),
            machines,
        })
    }

    /// Whether every mail came exactly once and in order.
    pub fn clean(&self) -> bool {
        let m = &self.mails;
        m.delivered == m.expected
            && m.lost + m.undelivered + m.duplicated + m.reordered + m.gap + m.reset == 0
    }

    /// The largest uncertainty of a machine's comparison with the server's clock, microseconds.
    pub fn worst_uncertainty_us(&self) -> Option<f64> {
        let each = self.machines.iter().map(|m| Some(m.server_clock?.uncertainty_us));
        each.reduce(|a, b| Some(a?.max(b?))).flatten()
    }
}

/// Checks that results are of one visit of several machines.
fn check(results: &[(String, Report)]) -> Result<(), Unlike> {
    let [(file, first), others @ ..] = results else {
        return Err(Unlike::Few);
    };
    if others.is_empty() {
        return Err(Unlike::Few);
    }
    for (file, report) in results {
        if report.simulated || report.remote.is_none() {
            return Err(Unlike::NoVisit(file.clone()));
        }
        if report.results.len() != 1 || report.results.iter().any(|o| !o.repeats.is_empty()) {
            return Err(Unlike::NotOne(file.clone()));
        }
    }
    for (i, (file, report)) in results.iter().enumerate() {
        let same = |(_, other): &&(String, Report)| is_same(report, other);
        if let Some((twin, _)) = results[..i].iter().find(same) {
            return Err(Unlike::Same(twin.clone(), file.clone()));
        }
    }
    for (other, report) in others {
        let (ours, theirs) = (settings(first), settings(report));
        // A value at its default may be left out of a file, so the names of both are looked at.
        let mut names = ours.iter().chain(&theirs).map(|(name, _)| name);
        if let Some(what) = names.find(|what| value(&ours, what) != value(&theirs, what)) {
            return Err(Unlike::Differ {
                first: (file.clone(), value(&ours, what)),
                other: (other.clone(), value(&theirs, what)),
                what: what.clone(),
            });
        }
    }
    Ok(())
}

/// Whether two files hold one result.
fn is_same(a: &Report, b: &Report) -> bool {
    let whole = |report: &Report| serde_json::to_value(report).ok();
    whole(a) == whole(b)
}

/// What has to be equal, with its name: all but how many clients there were.
fn settings(report: &Report) -> Vec<(String, String)> {
    let scenario = serde_json::to_value(&report.scenario).unwrap_or_default();
    let scenario = scenario.as_object().cloned().unwrap_or_default();
    let scenario = scenario.into_iter().filter(|(key, _)| key != "clients");
    let technique = report.results.first().map(|o| o.technique.clone());
    let ours = [
        ("technique".to_owned(), technique.unwrap_or_default()),
        ("remote".to_owned(), report.remote.clone().unwrap_or_default()),
    ];
    let named = scenario.map(|(key, value)| (format!("scenario.{key}"), value.to_string()));
    ours.into_iter().chain(named).collect()
}

/// A setting by its name; empty if a file does not have it.
fn value(settings: &[(String, String)], name: &str) -> String {
    let known = settings.iter().find(|(known, _)| known == name);
    known.map(|(_, value)| value.clone()).unwrap_or_default()
}

fn machine((file, report): &(String, Report)) -> Option<Machine> {
    let o = report.results.first()?;
    Some(Machine {
        file: file.clone(),
        environment: report.environment.clone(),
        clients: report.scenario.clients as u64,
        expected: o.mails.expected,
        delivered: o.mails.delivered,
        latency_us: o.latency_us.clone(),
        partial: report.envelope.partial,
        server_clock: report.server_clock,
    })
}

fn delivery(outcomes: &[&Outcome]) -> Delivery {
    let total = |of: fn(&Delivery) -> u64| outcomes.iter().map(|o| of(&o.mails)).sum::<u64>();
    Delivery {
        sent: outcomes.iter().map(|o| o.mails.sent).max().unwrap_or(0),
        expected: total(|m| m.expected),
        delivered: total(|m| m.delivered),
        lost: total(|m| m.lost),
        undelivered: total(|m| m.undelivered),
        duplicated: total(|m| m.duplicated),
        reordered: total(|m| m.reordered),
        gap: total(|m| m.gap),
        reset: total(|m| m.reset),
        carried: outcomes.iter().map(|o| o.mails.carried).sum(),
        held_back: None,
        replies: None,
    }
}

/// Pools the latencies. Mean and deviation follow from those of the parts: the squares of all deviations from the common
/// mean are those from each part's mean, and those of the parts' means from the common one.
fn latency(outcomes: &[&Outcome]) -> Option<SumLatency> {
    let who_got_mail = || outcomes.iter().filter(|o| o.mails.delivered > 0);
    let parts: Vec<&Latency> = who_got_mail()
        .map(|o| o.latency_us.as_ref())
        .collect::<Option<_>>()?;
    let count: u64 = parts.iter().map(|l| l.count).sum();
    let n = count as f64;
    let mean = parts.iter().map(|l| l.mean * l.count as f64).sum::<f64>() / n;
    let squares = parts.iter().map(|l| {
        let of_part = l.stdev.powi(2) * l.count.saturating_sub(1) as f64;
        of_part + (l.mean - mean).powi(2) * l.count as f64
    });
    let histograms = who_got_mail().map(|o| {
        let whole = o
            .latency_us
            .as_ref()
            .is_some_and(|l| l.count == o.latency_histogram.count());
        whole.then(|| o.latency_histogram.clone())
    });
    let histogram = histograms
        .reduce(|a, b| Some(Histogram::plus(&a?, &b?)))
        .flatten();
    let max = parts.iter().map(|l| l.max).fold(f64::MIN, f64::max);
    let percentile = |percent| histogram.as_ref()?.percentile(percent).map(|us| us.min(max));
    (count > 0).then(|| SumLatency {
        count,
        min: parts.iter().map(|l| l.min).fold(f64::MAX, f64::min),
        mean,
        max,
        stdev: if count > 1 {
            (squares.sum::<f64>() / (n - 1.0)).sqrt()
        } else {
            0.0
        },
        p50: percentile(50),
        p90: percentile(90),
        p95: percentile(95),
        p99: percentile(99),
    })
}

/// By how much the common mean may be wrong: each machine's error is the same for all of its mails.
fn uncertainty(machines: &[Machine]) -> Option<f64> {
    let dated = |m: &Machine| m.latency_us.as_ref().map_or(0, |l| l.count) as f64;
    let each: Vec<(f64, f64)> = machines
        .iter()
        .map(|m| Some((m.server_clock?.uncertainty_us, dated(m))))
        .collect::<Option<_>>()?;
    let all: f64 = each.iter().map(|(_, n)| n).sum();
    (all > 0.0).then(|| each.iter().map(|(us, n)| us * n).sum::<f64>() / all)
}

/// For how long all of them were there.
fn together(machines: &[Machine]) -> Option<f64> {
    let clocks: Vec<ServerClock> = machines.iter().map(|m| m.server_clock).collect::<Option<_>>()?;
    let last_joined = clocks.iter().map(|c| c.joined_us).reduce(f64::max)?;
    let first_left = clocks.iter().map(|c| c.left_us).reduce(f64::min)?;
    Some((first_left - last_joined).max(0.0))
}
