//! The names of several saved results.

use serde_json::Value;

use crate::outcome::Report;
use crate::report::notes;
use crate::report::numbers::{figure, speed};
use crate::terminal::printable;

/// A saved run.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The file that it came from.
    pub file: &'a str,
    /// The run.
    pub report: &'a Report,
}

/// A name for each run: the differences between their scenarios, in the words of the command line; or the
/// files' names, if there are no differences or too many.
pub fn of_runs(runs: &[Run]) -> Vec<String> {
    let differing = differing(runs);
    let name = |run: &Run| {
        let flat = flat(run.report);
        let values = flat.iter().filter(|(path, _)| differing.contains(path));
        values
            .map(|(path, value)| flag(path, value))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let names: Vec<String> = runs.iter().map(name).collect();
    if (1..=MOST).contains(&differing.len()) && distinct(&names) {
        return names;
    }
    of_files(&runs.iter().map(|r| r.file).collect::<Vec<_>>())
}

/// A name for each file, with a number if names are equal.
pub fn of_files(files: &[&str]) -> Vec<String> {
    let files: Vec<String> = files.iter().map(|file| stem(file)).collect();
    match distinct(&files) {
        true => files,
        false => (1..).zip(files).map(|(n, file)| format!("{n}: {file}")).collect(),
    }
}

fn distinct(names: &[String]) -> bool {
    (1..names.len()).all(|i| !names[..i].contains(&names[i]))
}

/// The most differences in a name.
const MOST: usize = 3;

fn stem(file: &str) -> String {
    let path = std::path::Path::new(file);
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    printable(&stem.to_string_lossy())
}

/// The paths of a report's values that differ between the runs.
fn differing(runs: &[Run]) -> Vec<String> {
    let all: Vec<Vec<(String, Value)>> = runs.iter().map(|r| flat(r.report)).collect();
    let Some((first, others)) = all.split_first() else {
        return Vec::new();
    };
    let same = |(path, value): &(String, Value)| {
        others
            .iter()
            .all(|o| o.iter().any(|(p, v)| p == path && v == value))
    };
    first
        .iter()
        .filter(|entry| !same(entry))
        .map(|(path, _)| path.clone())
        .collect()
}

/// The values of a report's scenario by path, in the order of the JSON contract, and whether it is simulated.
fn flat(report: &Report) -> Vec<(String, Value)> {
    let mut out = vec![("simulate".into(), report.simulated.into())];
    // A scenario is a plain struct, which can always be serialised.
    let value = serde_json::to_value(&report.scenario).unwrap_or_default();
    let mut add = |prefix: &str, object: &serde_json::Map<String, Value>| {
        out.extend(
            object
                .iter()
                .map(|(key, value)| (format!("{prefix}{key}"), value.clone())),
        );
    };
    if let Value::Object(object) = &value {
        let (link, rest): (Vec<_>, Vec<_>) = object.clone().into_iter().partition(|(key, _)| key == "link");
        add("", &rest.into_iter().collect());
        for (_, link) in link {
            add("", link.as_object().unwrap_or(&serde_json::Map::new()));
        }
    }
    out
}

/// A value as written on the command line.
fn flag(path: &str, value: &Value) -> String {
    let name = match path {
        "poll_interval_ms" => "interval",
        "rate_per_s" => "rate",
        "talk_per_s" => "talk",
        "bandwidth_bit_s" => "bandwidth",
        "loss_fraction" => "loss",
        path => path.trim_end_matches("_ms"),
    }
    .replace('_', "-");
    let text = match (path, value) {
        (_, Value::Null | Value::Bool(false)) => return format!("without --{name}"),
        (_, Value::Bool(true)) => return format!("--{name}"),
        (_, Value::String(text)) => printable(text),
        (_, Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(","),
        (path, number) => quantity(path, number.as_f64().unwrap_or(f64::NAN)),
    };
    format!("--{name} {text}")
}

fn quantity(path: &str, v: f64) -> String {
    match path {
        path if path.ends_with("_ms") => notes::duration(v).replace(' ', ""),
        path if path.ends_with("_per_s") => notes::rate(v),
        "bandwidth_bit_s" => speed(v).replace(' ', ""),
        "loss_fraction" => format!("{}%", figure(v * 100.0)),
        _ => figure(v),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn runs(change: impl Fn(usize, &mut Report)) -> Vec<(String, Report)> {
        let run = |i: usize| {
            let mut report = fixture::typical();
            change(i, &mut report);
            (format!("dir/run{i}.json"), report)
        };
        (0..3).map(run).collect()
    }

    fn names(runs: &[(String, Report)]) -> Vec<String> {
        let runs = runs.iter().map(|(file, report)| Run { file, report });
        of_runs(&runs.collect::<Vec<_>>())
    }

    #[test]
    fn a_run_is_called_after_what_is_different() {
        let by_link = runs(|i, r| r.scenario.link.rtt_ms = 50.0 * i as f64);
        assert_eq!(names(&by_link), ["--rtt 0ms", "--rtt 50ms", "--rtt 100ms"]);
        let two = runs(|i, r| {
            r.scenario.tls = i > 0;
            r.scenario.rate_per_s = if i > 1 { 20.0 } else { 2.0 };
        });
        let expected = [
            "--rate 2/s without --tls",
            "--rate 2/s --tls",
            "--rate 20/s --tls",
        ];
        assert_eq!(names(&two), expected);
        assert_eq!(names(&runs(|_, _| {})), ["run0", "run1", "run2"]);
        let many = runs(|i, r| {
            let s = &mut r.scenario;
            (s.seed, s.size, s.clients, s.keep) = (i as u64, i, i, i);
        });
        assert_eq!(names(&many), ["run0", "run1", "run2"]);
        let mut same = runs(|_, _| {});
        same.iter_mut().for_each(|r| r.0 = "-".into());
        assert_eq!(names(&same), ["1: -", "2: -", "3: -"]);
    }
}
