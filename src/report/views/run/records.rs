//! A run as rows, one per technique. A column's name is its path in the JSON, including units, with `_`
//! between the steps: `latency_us_mean`, `bytes_up_head`, `predicted_requests_total`. A `null` in the JSON is
//! an empty cell.

use anyhow::Result;
use serde_json::{Value, json};

use crate::outcome::{Outcome, Report, Scenario};
use crate::report::csv::Records;

/// Paths into an outcome, then into what all rows share. Only lists are left out.
const PATHS: &str = "
    technique
    mails.sent mails.expected mails.delivered mails.lost mails.undelivered mails.duplicated mails.reordered mails.gap
    mails.reset mails.carried mails.held_back mails.replies
    latency_us.count latency_us.min latency_us.mean latency_us.p50 latency_us.p90 latency_us.p95 latency_us.p99 latency_us.max
    latency_us.stdev
    talk.sent talk.heard talk.lost talk.duplicated
    talk.latency_us.count talk.latency_us.min talk.latency_us.mean talk.latency_us.p50 talk.latency_us.p90 talk.latency_us.p95
    talk.latency_us.p99 talk.latency_us.max talk.latency_us.stdev
    talk.overhead_bytes talk.overhead_bytes_per_message.up talk.overhead_bytes_per_message.down
    talk.connections_per_client
    requests.total requests.empty requests.failed state.times state.bytes
    messages.down messages.up messages.first_us connections.opened connections.peak connections.reconnects
    tabs.limit tabs.queued tabs.unserved tabs.starved tabs.undelivered tabs.wait_mean_us tabs.wait_max_us
    slow.clients slow.waiting_bytes slow.waiting_mails slow.behind_mails slow.dropped slow.cut_off
    slow.latency_us.mean slow.latency_us.p50 slow.latency_us.p99 slow.latency_us.max
    slow.others_latency_us.mean slow.others_latency_us.p50 slow.others_latency_us.p99 slow.others_latency_us.max
    event_sources.restarted event_sources.ended event_sources.why segments.down segments.up
    server.cpu_us server.cpu_us_per_delivery server.memory_bytes_per_connection
    bytes.up.head bytes.up.framing bytes.up.control bytes.up.payload bytes.up.tls bytes.up.total
    bytes.down.head bytes.down.framing bytes.down.control bytes.down.payload bytes.down.tls bytes.down.total
    overhead_bytes overhead_bytes_per_delivery
    predicted.method predicted.latency_us.mean predicted.latency_us.max
    predicted.formula_us.mean predicted.formula_us.max
    predicted.talk.latency_us.mean predicted.talk.latency_us.max predicted.talk.overhead_bytes
    predicted.talk.connections_per_client
    predicted.requests.total predicted.requests.empty
    predicted.tabs.limit predicted.tabs.queued predicted.tabs.unserved predicted.tabs.starved predicted.tabs.undelivered
    predicted.tabs.wait_mean_us predicted.tabs.wait_max_us
    predicted.slow.clients predicted.slow.waiting_bytes predicted.slow.waiting_mails predicted.slow.behind_mails
    predicted.slow.dropped predicted.slow.cut_off
    predicted.slow.latency_us.mean predicted.slow.latency_us.p50 predicted.slow.latency_us.p99
    predicted.slow.latency_us.max
    predicted.slow.others_latency_us.mean predicted.slow.others_latency_us.p50 predicted.slow.others_latency_us.p99
    predicted.slow.others_latency_us.max
    predicted.bytes.up.head predicted.bytes.up.framing predicted.bytes.up.control predicted.bytes.up.payload
    predicted.bytes.up.tls predicted.bytes.up.total
    predicted.bytes.down.head predicted.bytes.down.framing predicted.bytes.down.control
    predicted.bytes.down.payload predicted.bytes.down.tls predicted.bytes.down.total
    predicted.overhead_bytes
    behind_proxies.first_us behind_proxies.clumps behind_proxies.mails_in_clumps behind_proxies.largest_clump
    predicted.behind_proxies.first_us predicted.behind_proxies.clumps predicted.behind_proxies.mails_in_clumps
    predicted.behind_proxies.largest_clump
    balanced.redispatched balanced.failed balanced.unknown_sessions balanced.killed_us
    per_run.seeds per_run.latency_us.mean per_run.latency_us.half_width
    per_run.requests.mean per_run.requests.half_width
    per_run.overhead_bytes_per_delivery.mean per_run.overhead_bytes_per_delivery.half_width
    trust.late_p99_us trust.starved events_truncated
    partial simulated
    scenario.mails scenario.size scenario.attach scenario.arrivals scenario.rate_per_s scenario.replay
    scenario.replay_speed scenario.seed scenario.clients scenario.reply scenario.talk_per_s
    scenario.grace_ms
    scenario.poll_interval_ms scenario.hold_ms scenario.heartbeat_ms scenario.frames scenario.closer
    scenario.keep scenario.keep_bytes scenario.http scenario.tls scenario.headers scenario.over scenario.publishers scenario.repeat
    scenario.link.rtt_ms scenario.link.jitter_ms scenario.link.bandwidth_bit_s scenario.link.loss_fraction
";

/// The columns of outcomes, after these.
pub fn paths(front: &[&'static str]) -> Vec<&'static str> {
    front.iter().copied().chain(PATHS.split_whitespace()).collect()
}

/// A row for each outcome.
///
/// # Errors
/// If an outcome cannot be serialised as JSON.
pub fn of(report: &Report) -> Result<Records> {
    let partial = report.envelope.partial;
    let row = |o: &Outcome| row(o, &report.scenario, report.simulated, partial);
    let rows: Result<_> = report.results.iter().map(row).collect();
    Ok(Records {
        paths: paths(&[]),
        rows: rows?,
    })
}

/// A row for each event of each outcome, in order of time.
///
/// # Errors
/// If an event cannot be serialised as JSON.
pub fn events(report: &Report) -> Result<Records> {
    let mut rows = Vec::new();
    for outcome in &report.results {
        for event in &outcome.events {
            let mut row = serde_json::to_value(event)?;
            // To the nanosecond: a saved file's times differ from the live ones in the last binary digit.
            row["t_us"] = json!((event.t_us * 1e3).round() / 1e3);
            row["technique"] = json!(outcome.technique);
            rows.push(row);
        }
    }
    Ok(Records {
        paths: vec!["technique", "t_us", "client", "kind", "mail"],
        rows,
    })
}

/// An outcome's row.
///
/// # Errors
/// If it cannot be serialised as JSON.
pub fn row(outcome: &Outcome, scenario: &Scenario, simulated: bool, partial: bool) -> Result<Value> {
    let mut row = serde_json::to_value(outcome)?;
    row["partial"] = json!(partial);
    row["simulated"] = json!(simulated);
    row["scenario"] = serde_json::to_value(scenario)?;
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::csv::written;
    use crate::report::fixture;
    use std::collections::{BTreeSet, HashMap};

    fn read(report: &Report) -> Vec<HashMap<String, String>> {
        let text = written(&of(report).unwrap()).unwrap();
        csv::Reader::from_reader(text.as_bytes())
            .deserialize()
            .map(Result::unwrap)
            .collect()
    }

    #[test]
    fn is_read_back_row_by_row() {
        let mut report = fixture::typical();
        report.scenario.replay = Some("a \"quoted\", 메일.mbox".into());
        let rows = read(&report);
        assert_eq!(rows.len(), 4);
        let poll = &rows[0];
        for (name, value) in [
            ("technique", "poll"),
            ("latency_us_mean", "104200.0"),
            ("requests_empty", "43"),
            ("bytes_up_head", "4924"),
            ("predicted_requests_total", "62.0"),
            ("scenario_poll_interval_ms", "200.0"),
            ("scenario_replay", "a \"quoted\", 메일.mbox"),
            ("partial", "false"),
        ] {
            assert_eq!(poll[name], value, "{name}");
        }
        assert_eq!(rows[3]["requests_empty"], "", "ws has no empty answers");
        assert_eq!(
            read(&fixture::empty())[0]["latency_us_mean"],
            "",
            "nothing was delivered"
        );
    }

    #[test]
    fn several_seeds_have_their_intervals() {
        let rows = read(&fixture::five_seeds());
        assert_eq!(rows[1]["per_run_seeds"], "5");
        assert_eq!(rows[1]["per_run_requests_mean"], "62.0");
        assert!(
            rows[1]["per_run_requests_half_width"].starts_with("1.96"),
            "{:?}",
            rows[1]
        );
        assert_eq!(read(&fixture::typical())[0]["per_run_seeds"], "");
    }

    /// A figure added to the JSON must also be added here, or be a list.
    #[test]
    fn every_single_value_of_the_json_has_a_column() {
        fn leaves(value: &Value, path: String, out: &mut BTreeSet<String>) {
            match value {
                Value::Object(map) => {
                    let dot = if path.is_empty() { "" } else { "." };
                    map.iter()
                        .for_each(|(key, value)| leaves(value, format!("{path}{dot}{key}"), out));
                }
                Value::Array(_) => {}
                _ => drop(out.insert(path)),
            }
        }
        let mut report = fixture::five_seeds();
        let talking = fixture::talking().results.remove(0);
        report.results[0].server = Some(Default::default());
        report.results[0].event_sources = Some(Default::default());
        report.results[0].talk = talking.talk;
        report.results[0].predicted.talk = talking.predicted.talk;
        report.results[0].predicted.formula_us = Some(Default::default());
        report.results[0].behind_proxies = Some(Default::default());
        report.results[0].balanced = Some(Default::default());
        report.results[0].predicted.behind_proxies = Some(Default::default());
        report.results[0].tabs = Some(Default::default());
        report.results[0].predicted.tabs = Some(Default::default());
        let slow = Default::default();
        let slow = crate::outcome::SlowReaders::with(slow, [vec![1.0], vec![1.0]]);
        (report.results[0].slow, report.results[0].predicted.slow) = (Some(slow.clone()), Some(slow));
        let mut found = BTreeSet::new();
        leaves(
            &row(&report.results[0], &report.scenario, report.simulated, false).unwrap(),
            String::new(),
            &mut found,
        );
        assert_eq!(found, paths(&[]).into_iter().map(String::from).collect());
        assert_eq!(found.len(), paths(&[]).len(), "a column is named twice");
    }
}
