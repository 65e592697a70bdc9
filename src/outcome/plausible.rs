//! Checks that a saved result is plausible: its figures are in the range of what can be measured, and its sums add
//! up. A file that was edited, or made by another program, is refused here, before anything is drawn.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::advice::Advice;
use super::storm::Storm;
use super::sweep::{Figures, Sweep};
use super::vanish::Vanishing;
use super::{Event, Latency, MOST_CLIENTS, Outcome, Prediction, Report, Scenario, Traffic};
use crate::lang::t;
use crate::wire::Label;

/// The largest figure of a run: up to here, a 64-bit floating-point number holds every whole number.
const MOST: f64 = 9_007_199_254_740_992.0;

/// The largest figure of advice, which multiplies the cost of one client by up to ten thousand million.
const MOST_ADVISED: f64 = 1e30;

/// How far below 0 rounding may bring a figure that cannot be negative.
const ROUNDED: f64 = 1e-6;

/// Seconds of an hour.
const HOUR_S: f64 = 3_600.0;

/// The most seeds of `--repeat`, and the most entries of [`Outcome::latency_quantiles_us`].
const MOST_SEEDS: usize = 1_000;
const MOST_QUANTILES: usize = 101;

/// Checks each number of a saved result on its own.
///
/// # Errors
/// If one is larger than any that can be measured, or negative where that is not possible. The message names it.
pub fn figures(saved: &Value) -> Result<()> {
    let most = match saved["command"].as_str() {
        Some("advise") => MOST_ADVISED,
        _ => MOST,
    };
    each(saved, most, &mut Vec::new())
}

fn each(value: &Value, most: f64, path: &mut Vec<String>) -> Result<()> {
    let mut within = |key: String, value: &Value| {
        path.push(key);
        each(value, most, path)?;
        path.pop();
        Ok::<_, anyhow::Error>(())
    };
    match value {
        Value::Array(all) => all
            .iter()
            .enumerate()
            .try_for_each(|(i, value)| within(i.to_string(), value)),
        Value::Object(all) => all.iter().try_for_each(|(key, value)| within(key.clone(), value)),
        Value::Number(number) => {
            let n = number.as_f64().unwrap_or(f64::NAN);
            let key = path.last().map_or("", String::as_str);
            // A seed may be any number, and so may the mails of a replay, which are as many as its file has.
            let least = match key {
                "t_us" | "error" | "offset_us" | "joined_us" | "left_us" => -most,
                _ => -ROUNDED,
            };
            let fits = ["seed", "mails"].contains(&key) || (least..=most).contains(&n);
            ensure!(
                fits,
                t!(
                    "%{path} is %{number}, which mailcall never measures",
                    path = path.join("."),
                    number = number
                )
            );
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Checks the sums of a run.
///
/// # Errors
/// If figures that belong together contradict each other. The message names them.
pub fn report(report: &Report) -> Result<()> {
    scenario(&report.scenario)?;
    // A client that joins a server knows only a part of what it did.
    outcomes(&report.results, report.remote.is_some())
}

/// The same for a sweep.
///
/// # Errors
/// As [`report()`].
pub fn sweep(sweep: &Sweep) -> Result<()> {
    let stops = &sweep.knob.stops;
    stops.iter().try_for_each(|stop| scenario(&stop.scenario))?;
    sweep.results.iter().try_for_each(|row| match &row.figures {
        Figures::Measured(o) => outcome(o, false).context(o.technique.clone()),
        Figures::Predicted(f) => prediction(&f.predicted).context(f.technique.clone()),
    })
}

/// The same for advice.
///
/// # Errors
/// As [`report()`].
pub fn advice(advice: &Advice) -> Result<()> {
    let share = advice.blocked_share.unwrap_or(0.0);
    ensure!(
        share <= 1.0,
        t!("blocked_share is %{share}; at most 1 is possible", share = share)
    );
    for c in &advice.results {
        let on = c.radio.as_ref().map_or(0.0, |radio| radio.on_s_per_hour);
        ensure!(
            on <= HOUR_S * (1.0 + ROUNDED),
            t!(
                "%{name}: the radio is on for %{on} s of an hour",
                name = c.technique,
                on = on
            )
        );
    }
    match &advice.verification {
        Some(verification) => outcomes(&verification.results, false),
        None => Ok(()),
    }
}

/// The same for a server that came back.
///
/// # Errors
/// As for [`vanishing`].
pub fn storm(storm: &Storm) -> Result<()> {
    ensure!(
        !storm.results.is_empty() || !storm.absent.is_empty(),
        t!("there is no result in it")
    );
    scenario(&storm.scenario)
}

/// The same for clients that vanished.
///
/// # Errors
/// As [`report()`].
pub fn vanishing(vanishing: &Vanishing) -> Result<()> {
    ensure!(!vanishing.results.is_empty(), t!("there is no result in it"));
    scenario(&vanishing.scenario)
}

fn scenario(s: &Scenario) -> Result<()> {
    for (name, n) in [("clients", s.clients), ("publishers", s.publishers)] {
        ensure!(
            n as u64 <= MOST_CLIENTS,
            t!(
                "scenario.%{name} is %{n}; at most %{most_clients} can be run",
                name = name,
                n = n,
                most_clients = MOST_CLIENTS
            )
        );
    }
    Ok(())
}

fn outcomes(results: &[Outcome], joined: bool) -> Result<()> {
    results
        .iter()
        .try_for_each(|o| outcome(o, joined).context(o.technique.clone()))
}

fn outcome(o: &Outcome, joined: bool) -> Result<()> {
    traffic(&o.bytes).context("bytes")?;
    let overhead = o.bytes.up.total + o.bytes.down.total - o.bytes.up.payload - o.bytes.down.payload;
    ensure!(
        o.overhead_bytes == overhead,
        t!(
            "overhead_bytes is %{overhead_bytes}, but all bytes without payload are %{overhead}",
            overhead_bytes = o.overhead_bytes,
            overhead = overhead
        )
    );
    if let Some(each) = o.overhead_bytes_per_delivery {
        let mails = o.carried() as f64;
        ensure!(
            near(each * mails, overhead as f64),
            t!(
                "overhead_bytes_per_delivery is %{each}, but %{overhead} bytes were for %{mails} mails",
                each = each,
                overhead = overhead,
                mails = mails
            )
        );
    }
    delivery(o, joined)?;
    latency(o)?;
    prediction(&o.predicted)?;
    ensure!(
        o.events.is_sorted_by_key(|Event { t_us, .. }| *t_us),
        t!("events are not in order of time")
    );
    for connection in &o.connections.each {
        traffic(&connection.bytes).context("connections.each")?;
    }
    seeds(o, joined)
}

fn delivery(o: &Outcome, joined: bool) -> Result<()> {
    let m = &o.mails;
    let known = m.delivered + m.lost + m.undelivered;
    ensure!(
        joined || m.gap + m.reset > 0 || known == m.expected,
        t!(
            "mails: %{expected} expected, but delivered, lost and undelivered are %{known} together",
            expected = m.expected,
            known = known
        )
    );
    Ok(())
}

fn latency(o: &Outcome) -> Result<()> {
    if let Some(l) = &o.latency_us {
        summary(l).context("latency_us")?;
        ensure!(
            l.count <= o.mails.delivered,
            t!(
                "latency_us.count is %{count}, but %{delivered} mails were delivered",
                count = l.count,
                delivered = o.mails.delivered
            )
        );
    }
    if let Some(l) = o.talk.as_ref().and_then(|talk| talk.latency_us.as_ref()) {
        summary(l).context("talk.latency_us")?;
    }
    let histogram = &o.latency_histogram;
    ensure!(
        histogram.is_plausible() && histogram.count() <= o.mails.delivered,
        t!("latency_histogram has bins that are not in order, or more latencies than mails")
    );
    let quantiles = &o.latency_quantiles_us;
    ensure!(
        quantiles.len() <= MOST_QUANTILES && quantiles.is_sorted(),
        t!(
            "latency_quantiles_us are not at most %{most_quantiles}, ascending",
            most_quantiles = MOST_QUANTILES
        )
    );
    Ok(())
}

fn summary(l: &Latency) -> Result<()> {
    ensure!(
        [l.min, l.p50, l.p90, l.p95.unwrap_or(l.p90), l.p99, l.max].is_sorted(),
        t!("min, p50, p90, p95, p99 and max are not in this order")
    );
    let room = ROUNDED * l.max;
    ensure!(
        l.min - room <= l.mean && l.mean <= l.max + room,
        t!("the mean is outside of min and max")
    );
    Ok(())
}

fn prediction(p: &Prediction) -> Result<()> {
    let bytes = &p.bytes;
    for (name, l) in [("up", &bytes.up), ("down", &bytes.down)] {
        let sum = l.labels.total();
        ensure!(
            near(sum, l.total),
            t!(
                "predicted.bytes.%{name}: the labels sum to %{sum}, the total is %{total}",
                name = name,
                sum = sum,
                total = l.total
            )
        );
    }
    let overhead = bytes.total() - bytes.both(Label::Payload);
    ensure!(
        near(overhead, p.overhead_bytes),
        t!(
            "predicted.overhead_bytes is %{overhead_bytes}, but all bytes without payload are %{overhead}",
            overhead_bytes = p.overhead_bytes,
            overhead = overhead
        )
    );
    Ok(())
}

fn traffic(bytes: &Traffic<u64>) -> Result<()> {
    for (name, l) in [("up", &bytes.up), ("down", &bytes.down)] {
        let (sum, total) = (l.labels.total(), l.total);
        ensure!(
            sum == total,
            t!(
                "%{name}: the labels sum to %{sum}, the total is %{total}",
                name = name,
                sum = sum,
                total = total
            )
        );
    }
    Ok(())
}

type Count = fn(&Outcome) -> u64;

/// Checks the seeds of `--repeat` one by one, and their sums.
fn seeds(o: &Outcome, joined: bool) -> Result<()> {
    ensure!(
        o.repeats.len() <= MOST_SEEDS && o.repeats.iter().all(|seed| seed.repeats.is_empty()),
        t!(
            "repeats are not at most %{most_seeds} single runs",
            most_seeds = MOST_SEEDS
        )
    );
    if o.repeats.is_empty() {
        return Ok(());
    }
    outcomes(&o.repeats, joined).context("repeats")?;
    let counts: [(&str, Count); 4] = [
        ("mails.delivered", |o| o.mails.delivered),
        ("requests.total", |o| o.requests.total),
        ("bytes.up.total", |o| o.bytes.up.total),
        ("bytes.down.total", |o| o.bytes.down.total),
    ];
    for (name, of) in counts {
        let sum = o.repeats.iter().map(of).sum::<u64>();
        ensure!(
            sum == of(o),
            t!(
                "%{name} is %{total}, but that of the repeats is %{sum} together",
                name = name,
                total = of(o),
                sum = sum
            )
        );
    }
    Ok(())
}

/// Whether two figures are the same except for rounding.
fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= ROUNDED * a.abs().max(b.abs()).max(1.0)
}
