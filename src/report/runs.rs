//! Several saved runs side by side: what each is called, and what of their figures is compared.

use serde_json::Value;

use super::chart::{self, Axis, Fill, Row, Scale, Segment, Spread};
use super::figures::{self, figure, mean_ms, overhead};
use super::pictures::{Picture, fill, waited};
use super::{notes, printable};
use crate::lang::t;
use crate::outcome::{Outcome, Report};

/// A saved run and what it is called.
#[derive(Clone, Debug)]
pub struct Run {
    /// Where it came from.
    pub file: String,
    /// What it is.
    pub report: Report,
}

/// A name for each run: what differs between their scenarios, in the words of the command line; or their
/// files, if that is nothing, or more than a name can hold.
pub fn names(runs: &[Run]) -> Vec<String> {
    let differing = differing(runs);
    let name = |run: &Run| {
        let flat = flat(&run.report);
        let values = flat.iter().filter(|(path, _)| differing.contains(path));
        values
            .map(|(path, value)| flag(path, value))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let names: Vec<String> = runs.iter().map(name).collect();
    let distinct = |names: &[String]| (1..names.len()).all(|i| !names[..i].contains(&names[i]));
    if (1..=MOST).contains(&differing.len()) && distinct(&names) {
        return names;
    }
    let files: Vec<String> = runs.iter().map(|r| stem(&r.file)).collect();
    if distinct(&files) {
        return files;
    }
    (1..).zip(files).map(|(n, file)| format!("{n}: {file}")).collect()
}

/// So many differences still make a name.
const MOST: usize = 3;

fn stem(file: &str) -> String {
    let path = std::path::Path::new(file);
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    printable(&stem.to_string_lossy())
}

/// The places of a report that are not the same in all runs.
fn differing(runs: &[Run]) -> Vec<String> {
    let all: Vec<Vec<(String, Value)>> = runs.iter().map(|r| flat(&r.report)).collect();
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

/// The values of a report's scenario by their paths, in the order of the JSON contract, and whether it is simulated.
fn flat(report: &Report) -> Vec<(String, Value)> {
    let mut out = vec![("simulate".into(), report.simulated.into())];
    // A scenario is a plain struct, which always has a JSON.
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

/// As the command line has it.
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
        "bandwidth_bit_s" => figures::speed(v).replace(' ', ""),
        "loss_fraction" => format!("{}%", figure(v * 100.0)),
        _ => figure(v),
    }
}

/// One figure of every technique in every run.
#[derive(Clone)]
pub struct Grid {
    pub title: &'static str,
    pub heads: Vec<String>,
    pub rows: Vec<(String, Vec<String>)>,
}

impl Grid {
    /// With the runs as rows.
    pub fn turned(self) -> Grid {
        let row = |(i, head): (usize, String)| {
            let cells = self.rows.iter().map(|(_, cells)| cells[i].clone());
            (head, cells.collect())
        };
        Grid {
            title: self.title,
            heads: self.rows.iter().map(|(name, _)| name.clone()).collect(),
            rows: self.heads.into_iter().enumerate().map(row).collect(),
        }
    }
}

type Figure = fn(&Outcome) -> Option<f64>;

const FIGURES: [(&str, Figure); 4] = [
    ("mean latency, ms", mean_ms),
    ("worst latency, ms", |o| Some(o.latency_us.as_ref()?.max / 1e3)),
    ("requests", |o| Some(o.requests.total as f64 / o.runs() as f64)),
    ("overhead, B per mail", overhead),
];

/// Every technique that is in any run, in the order in which they first come.
fn techniques(runs: &[Run]) -> Vec<&str> {
    let mut names = Vec::new();
    for outcome in runs.iter().flat_map(|r| &r.report.results) {
        if !names.contains(&outcome.technique.as_str()) {
            names.push(&outcome.technique);
        }
    }
    names
}

fn of<'a>(run: &'a Run, technique: &str) -> Option<&'a Outcome> {
    run.report.results.iter().find(|o| o.technique == technique)
}

/// The figures that are compared, each with its multiple of the first run's.
pub fn grids(runs: &[Run]) -> Vec<Grid> {
    let heads = names(runs);
    let row = |name: &str, figure: Figure| {
        let values: Vec<Option<f64>> = runs.iter().map(|r| figure(of(r, name)?)).collect();
        let first = values.first().copied().flatten();
        let cells = values
            .iter()
            .enumerate()
            .map(|(i, v)| cell(*v, first.filter(|_| i > 0)));
        (printable(name), cells.collect())
    };
    let grid = |(title, figure): (&'static str, Figure)| Grid {
        title,
        heads: heads.clone(),
        rows: techniques(runs)
            .into_iter()
            .map(|name| row(name, figure))
            .collect(),
    };
    FIGURES.into_iter().map(grid).collect()
}

fn cell(value: Option<f64>, first: Option<f64>) -> String {
    let Some(v) = value else { return "–".into() };
    let times = first.filter(|f| *f > 0.0 && v > 0.0).map(|f| v / f);
    match times.filter(|t| (t - 1.0).abs() > 0.02) {
        Some(times) => format!("{} ({})", figure(v), figures::times(times)),
        None => figure(v),
    }
}

/// The charts that compare runs.
pub fn pictures(runs: &[Run]) -> Vec<Picture> {
    [latency(runs), cost(runs, "overhead"), cost(runs, "requests")]
        .into_iter()
        .flatten()
        .collect()
}

const NAMES: [&str; 3] = ["runs-latency", "runs-overhead", "runs-requests"];

/// Every technique's outcomes, run by run: the run's name, the colour, the outcome, and whether it is the
/// technique's first.
fn each(runs: &[Run]) -> Vec<(String, Fill, &Outcome, bool)> {
    let names = names(runs);
    let mut all = Vec::new();
    for technique in techniques(runs) {
        let there = runs
            .iter()
            .zip(&names)
            .filter_map(|(r, name)| Some((r, name, of(r, technique)?)));
        for (i, (run, name, outcome)) in there.enumerate() {
            let name = format!("{}, {}", printable(technique), super::prose::clip(name, 32));
            all.push((name, fill(&run.report, outcome), outcome, i == 0));
        }
    }
    all
}

fn latency(runs: &[Run]) -> Option<Picture> {
    let row = |(name, fill, o, _): (String, Fill, &Outcome, bool)| {
        let l = o.latency_us.as_ref()?;
        Some(Spread {
            name,
            fill,
            quantiles: o.latency_quantiles_us.iter().map(|us| us / 1e3).collect(),
            mean: l.mean / 1e3,
            predicted: Some(o.predicted.latency_us.mean / 1e3).filter(|ms| *ms > 0.0),
            note: format!("mean {}", waited(l.mean / 1e3)),
        })
    };
    let rows: Vec<Spread> = each(runs).into_iter().filter_map(row).collect();
    let axis = Axis {
        title: "from arrival to the client, logarithmic".into(),
        scale: Scale::Log,
        write: super::pictures::ms,
        range: None,
    };
    (!rows.is_empty()).then(|| Picture::new(
        NAMES[0],
        t!("How long mail waited, run by run"),
        t!(
                "Compare each technique with itself: where its rows lie under each other, what was changed does \
                 not matter to it."
            ),
        rows.iter().map(|r| format!("{}: {}", r.name, r.note)).collect::<Vec<_>>().join("; "),
        move |about, width| chart::spread(about, &axis, &rows, width),
    ))
}

fn cost(runs: &[Run], which: &str) -> Option<Picture> {
    let (name, title, unit, of): (_, _, _, Figure) = match which {
        "overhead" => (
            NAMES[1],
            t!("Overhead, run by run"),
            "bytes of overhead for each delivered mail",
            overhead,
        ),
        _ => (
            NAMES[2],
            t!("Requests, run by run"),
            "requests in one run",
            FIGURES[2].1,
        ),
    };
    let row = |(name, fill, o, first): (String, Fill, &Outcome, bool)| {
        let value = of(o)?;
        Some(Row {
            name,
            segments: vec![Segment { value, fill }],
            predicted: None,
            note: figure(value),
            apart: first,
        })
    };
    let rows: Vec<Row> = each(runs).into_iter().filter_map(row).collect();
    let axis = Axis {
        title: unit.into(),
        scale: Scale::Linear,
        write: figure,
        range: None,
    };
    (!rows.is_empty()).then(|| {
        Picture::new(
            name,
            title,
            t!("All bars have one scale. Compare a technique with itself first, then with the others."),
            rows.iter()
                .map(|r| format!("{}: {}", r.name, r.note))
                .collect::<Vec<_>>()
                .join("; "),
            move |about, width| chart::bars(about, &axis, &[], &rows, width),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn runs(change: impl Fn(usize, &mut Report)) -> Vec<Run> {
        let run = |i: usize| {
            let mut report = fixture::typical();
            change(i, &mut report);
            Run {
                file: format!("dir/run{i}.json"),
                report,
            }
        };
        (0..3).map(run).collect()
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
        same.iter_mut().for_each(|r| r.file = "-".into());
        assert_eq!(names(&same), ["1: -", "2: -", "3: -"]);
    }

    #[test]
    fn a_figure_stands_beside_its_multiple_of_the_first() {
        let mut runs = runs(|_, _| {});
        runs[1].report.results.remove(0);
        runs[2].report.results[0].requests.total *= 3;
        let grids = grids(&runs);
        let requests = grids.iter().find(|g| g.title == "requests").unwrap();
        assert_eq!(
            requests.rows[0],
            ("poll".into(), vec!["62".into(), "–".into(), "186 (×3.0)".into()])
        );
        assert_eq!(requests.rows[1].1, ["21", "21", "21"]);
        assert!(grids.iter().all(|g| g.heads.len() == 3 && g.rows.len() == 4));
        let pictures = pictures(&runs);
        assert_eq!(pictures.iter().map(|p| p.name).collect::<Vec<_>>(), NAMES);
        assert!(
            pictures
                .iter()
                .all(|p| p.svg("x", 900).unwrap().contains("poll, run2"))
        );
    }
}
