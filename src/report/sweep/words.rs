//! What is said of a sweep in words.

use super::super::figures::figure;
use super::super::notes::{self, duration, rate};
use super::reached;
use crate::lang::list;
use crate::outcome::sweep::{Bracket, Crossover, Measure, Row, Stop, Sweep, Unit};
use crate::outcome::{Outcome, Report, cause};

/// What was turned, and what was not.
pub fn scenario(sweep: &Sweep) -> String {
    let knob = &sweep.knob;
    let settings: Vec<&str> = knob.stops.iter().map(|s| s.text.as_str()).collect();
    let mut text = format!(
        "--{}: {}",
        knob.name,
        super::super::printable(&settings.join(", "))
    );
    if let Some(first) = knob.stops.first() {
        text += &format!(". At the first: {}", notes::scenario(&report(sweep, first)));
    }
    if sweep.isolated {
        text += "; each server in a process of its own";
    }
    text
}

/// A setting's runs as a report of their own.
fn report(sweep: &Sweep, stop: &Stop) -> Report {
    Report {
        mailcall: sweep.mailcall.clone(),
        schema: sweep.schema,
        argv: sweep.argv.clone(),
        partial: false,
        environment: sweep.environment.clone(),
        scenario: stop.scenario.clone(),
        results: sweep.at(stop).filter_map(Row::outcome).cloned().collect(),
        absent: sweep.absent.clone(),
        remote: None,
    }
}

/// How the tables are to be read.
pub fn legend(sweep: &Sweep) -> String {
    let measured = sweep.results.iter().any(|r| r.outcome().is_some());
    let parts = [
        Some("*: the least, or no more than that beyond noise."),
        measured.then_some("predicted: what the model says of the same run."),
        (!measured).then_some("Nothing was run: all figures are what the model says."),
        Some(
            "overhead: every byte but payload; opening and ending a connection are shared out over the mails.",
        ),
        sweep.isolated.then_some(
            "processor time and memory are those of the server's process alone, its sockets' memory in the \
             kernel not included.",
        ),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Who overtakes whom, a sentence each.
pub fn crossovers(sweep: &Sweep) -> Vec<String> {
    if sweep.crossovers.is_empty() {
        let reached: Vec<&Stop> = reached(sweep).collect();
        let (Some(first), Some(last)) = (reached.first(), reached.last()) else {
            return Vec::new();
        };
        return vec![format!(
            "No technique overtakes another between --{} {} and {}.",
            sweep.knob.name, first.text, last.text
        )];
    }
    sweep.crossovers.iter().map(|c| sentence(sweep, c)).collect()
}

fn sentence(sweep: &Sweep, c: &Crossover) -> String {
    let knob = &sweep.knob;
    let value = |v: f64| written(knob.unit, v);
    let what = match c.figure {
        Measure::OverheadBytesPerDelivery => "sends fewer bytes of overhead per mail than",
        Measure::RequestsPerDelivery => "needs fewer requests per mail than",
        Measure::LatencyUs => "delivers sooner than",
        Measure::CpuUsPerDelivery => "costs the server less processor time per mail than",
    };
    let (above, below) = (&c.above, &c.below);
    let from = |at: f64| format!("From --{} {} on, {above} {what} {below}", knob.name, value(at));
    let measured = sweep.results.iter().any(|r| r.outcome().is_some());
    match (c.measured, c.predicted) {
        (Some(Bracket { from: a, to: b, at }), Some(predicted)) => format!(
            "{} (measured between {} and {}; predicted: {}).",
            from(at),
            value(a),
            value(b),
            value(predicted)
        ),
        (Some(Bracket { from: a, to: b, at }), None) => {
            let silent = match c.figure {
                Measure::CpuUsPerDelivery => "the model says nothing of processors",
                _ => "the model has it nowhere there",
            };
            format!(
                "{} (measured between {} and {}; {silent}).",
                from(at),
                value(a),
                value(b)
            )
        }
        (None, Some(predicted)) if measured => format!(
            "{}, says the model; measured, the two are not told apart on both sides of it.",
            from(predicted)
        ),
        (None, Some(predicted)) => format!("{} (predicted).", from(predicted)),
        (None, None) => String::new(),
    }
}

/// A number of a knob, with about three digits.
pub fn written(unit: Unit, v: f64) -> String {
    match unit {
        Unit::Number => figure(v),
        Unit::Bytes => format!("{} B", figure(v)),
        Unit::PerSecond => rate(v),
        Unit::Milliseconds => duration(v),
        Unit::BitPerSecond if v.is_infinite() => "no limit".into(),
        Unit::BitPerSecond => format!("{} kbit/s", figure(v / 1e3)),
        Unit::Fraction => format!("{} %", figure(v * 100.0)),
    }
}

/// Everything that must not be overlooked.
pub fn alarms(sweep: &Sweep) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(first) = sweep.knob.stops.first() {
        lines.extend(notes::absent(&report(sweep, first)));
    }
    lines.extend(grouped(sweep));
    if sweep.partial {
        let reached = reached(sweep).count();
        lines.push(format!(
            "PARTIAL: interrupted after {reached} of {} settings.",
            sweep.knob.stops.len()
        ));
    }
    lines
}

/// Alarms that differ only by figures are one, with the worst of them.
fn grouped(sweep: &Sweep) -> Vec<String> {
    let mut groups: Vec<(String, f64, String, Vec<&str>)> = Vec::new();
    for stop in reached(sweep) {
        for alarm in notes::alarms(&report(sweep, stop)) {
            let (words, worst) = cause(&alarm);
            match groups.iter_mut().find(|(known, ..)| *known == words) {
                Some((_, known, text, settings)) => {
                    if worst > *known {
                        (*known, *text) = (worst, alarm);
                    }
                    settings.push(&stop.text);
                }
                None => groups.push((words, worst, alarm, vec![&stop.text])),
            }
        }
    }
    let name = &sweep.knob.name;
    groups
        .into_iter()
        .map(|(_, _, alarm, settings)| format!("at --{name} {}: {alarm}", list(&settings)))
        .collect()
}

/// What a setting came to, on one line.
pub fn came(name: &str, stop: &Stop, rows: &[Row]) -> String {
    let each = rows.iter().filter_map(Row::outcome).map(told);
    let each: Vec<String> = each.collect();
    format!("--{name} {}: {}", stop.text, each.join(" · "))
}

fn told(o: &Outcome) -> String {
    let written = |v: Option<f64>| v.map_or("–".into(), figure);
    let latency = o.latency_us.as_ref().map(|l| l.mean / 1e3);
    format!(
        "{} {} ms, {} B",
        super::super::printable(&o.technique),
        written(latency),
        written(o.overhead_bytes_per_delivery)
    )
}
