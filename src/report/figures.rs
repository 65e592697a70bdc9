//! What the tables show: which columns, how a number is written, and who is marked as best. The table
//! for terminals and the one for Markdown draw the same [`Sheet`]s.

use super::noise::Noise;
use crate::lang::text;
use crate::outcome::{Labelled, Outcome, PerRun, Report, Traffic};
use crate::stats::Interval;

/// A table before it is laid out: one entry per technique in `names` and in every column.
pub struct Sheet {
    /// A text to be looked up.
    pub title: &'static str,
    pub names: Vec<String>,
    pub columns: Vec<Column>,
    /// Whether predictions stand beside the measurements.
    pub predicted: bool,
}

/// One column, measured and predicted.
pub struct Column {
    pub title: &'static str,
    pub unit: &'static str,
    /// 0 is kept longest when the width is short.
    pub rank: u8,
    pub measured: Vec<Cell>,
    pub predicted: Vec<String>,
}

/// A measured number and how it compares.
#[derive(Debug, PartialEq)]
pub struct Cell {
    pub number: String,
    /// `±3.2`: half its 95 % interval, where there were several seeds.
    pub give: String,
    pub mark: Mark,
}

/// How a number compares with the others of its column.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mark {
    /// Nothing is better, beyond doubt or at all.
    pub best: bool,
    /// So many times the baseline's; where there is no baseline, the best's.
    pub times: Option<f64>,
}

impl Sheet {
    pub fn marked(&self) -> bool {
        self.columns
            .iter()
            .flat_map(|c| &c.measured)
            .any(|cell| cell.mark != Mark::NONE)
    }

    /// Whether intervals stand behind the means.
    pub fn repeated(&self) -> bool {
        let mut cells = self.columns.iter().flat_map(|c| &c.measured);
        cells.any(|cell| !cell.give.is_empty())
    }
}

impl Mark {
    pub const NONE: Mark = Mark {
        best: false,
        times: None,
    };

    pub fn text(&self) -> String {
        let parts = [self.times.map(times), self.best.then(|| "best".into())];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// How a column comes out of an outcome.
struct Spec {
    title: &'static str,
    unit: &'static str,
    rank: u8,
    /// How it is known that two of it differ, where less is better and the best can be named.
    contest: Option<Apart>,
    /// Whether it adds up over seeds, so that one run's share must be shown.
    adds_up: bool,
    /// Its mean over the seeds, in the column's unit.
    per_run: fn(&PerRun) -> Option<Interval>,
    measured: fn(&Outcome) -> Option<f64>,
    /// `None` where nothing is predicted.
    predicted: fn(&Outcome) -> Option<f64>,
}

/// Whether two outcomes differ by more than noise.
type Apart = fn(&Noise, &Outcome, &Outcome) -> bool;

/// What most columns are: nobody wins, and nothing is predicted.
const PLAIN: Spec = Spec {
    title: "",
    unit: "",
    rank: 0,
    contest: None,
    adds_up: false,
    per_run: |_| None,
    measured: |_| None,
    predicted: |_| None,
};

/// Columns that are shown only where something is in them.
const FAILED: &str = "failed";
const RECONNECTS: &str = "reconnects";

const COST: &[Spec] = &[
    Spec {
        title: "mean latency",
        unit: "ms",
        contest: Some(|noise, a, b| noise.late(a, b)),
        per_run: |p| {
            let us = p.latency_us?;
            Some(Interval {
                mean: us.mean / 1e3,
                half_width: us.half_width / 1e3,
            })
        },
        measured: mean_ms,
        predicted: |o| Some(o.predicted.latency_us.mean / 1e3),
        ..PLAIN
    },
    Spec {
        title: "p50",
        unit: "ms",
        rank: 5,
        measured: |o| Some(o.latency_us.as_ref()?.p50 / 1e3),
        ..PLAIN
    },
    Spec {
        title: "p99",
        unit: "ms",
        rank: 6,
        measured: |o| Some(o.latency_us.as_ref()?.p99 / 1e3),
        ..PLAIN
    },
    Spec {
        title: "worst",
        unit: "ms",
        rank: 3,
        measured: |o| Some(o.latency_us.as_ref()?.max / 1e3),
        predicted: |o| Some(o.predicted.latency_us.max / 1e3),
        ..PLAIN
    },
    Spec {
        title: "requests",
        rank: 1,
        contest: Some(|noise, a, b| noise.apart(a, b, requests)),
        adds_up: true,
        per_run: |p| p.requests,
        measured: requests,
        predicted: |o| Some(o.predicted.requests.total),
        ..PLAIN
    },
    Spec {
        title: "empty",
        rank: 4,
        adds_up: true,
        measured: |o| o.requests.empty.map(|n| n as f64),
        predicted: |o| o.predicted.requests.empty,
        ..PLAIN
    },
    Spec {
        title: FAILED,
        rank: 4,
        adds_up: true,
        measured: |o| o.requests.failed.map(|n| n as f64),
        ..PLAIN
    },
    Spec {
        title: RECONNECTS,
        rank: 4,
        adds_up: true,
        measured: |o| o.connections.reconnects.map(|n| n as f64),
        ..PLAIN
    },
    Spec {
        title: "overhead",
        unit: "B per mail",
        rank: 2,
        contest: Some(|noise, a, b| noise.apart(a, b, overhead)),
        per_run: |p| p.overhead_bytes_per_delivery,
        measured: overhead,
        predicted: |o| a_mail(o.predicted.overhead_bytes, o.mails.expected),
        ..PLAIN
    },
    Spec {
        title: "connections",
        rank: 7,
        adds_up: true,
        measured: |o| Some(o.connections.opened as f64),
        ..PLAIN
    },
    Spec {
        title: "messages",
        unit: "down",
        rank: 8,
        adds_up: true,
        measured: |o| o.messages.down.map(|n| n as f64),
        ..PLAIN
    },
    Spec {
        title: "messages",
        unit: "up",
        rank: 9,
        adds_up: true,
        measured: |o| o.messages.up.map(|n| n as f64),
        ..PLAIN
    },
    Spec {
        title: "segments",
        rank: 10,
        adds_up: true,
        measured: |o| Some((o.segments.down? + o.segments.up?) as f64),
        ..PLAIN
    },
    Spec {
        title: "cpu",
        unit: "µs per mail",
        rank: 2,
        measured: |o| o.server.as_ref()?.cpu_us_per_delivery,
        ..PLAIN
    },
    Spec {
        title: "memory",
        unit: "KiB per connection",
        rank: 2,
        measured: |o| Some(o.server.as_ref()?.memory_bytes_per_connection? / 1024.0),
        ..PLAIN
    },
];

/// Takes what a column of the byte table shows out of all bytes.
type Share = fn(&Traffic<f64>) -> f64;

/// Both directions of a label together, then each direction's total; with the columns' ranks.
const BYTES: &[(&str, u8, Share)] = &[
    ("payload", 3, |t| t.up.payload + t.down.payload),
    ("head", 0, |t| t.up.head + t.down.head),
    ("framing", 1, |t| t.up.framing + t.down.framing),
    ("control", 2, |t| t.up.control + t.down.control),
    ("tls", 4, |t| t.up.tls + t.down.tls),
    ("total", 5, |t| t.up.total + t.down.total),
    ("up", 6, |t| t.up.total),
    ("down", 7, |t| t.down.total),
];

/// What of it told the server again what it does not remember.
fn state(report: &Report) -> Column {
    let measured = report
        .results
        .iter()
        .map(|o| a_mail(o.state.bytes as f64, o.carried()));
    Column {
        title: "state",
        unit: "",
        rank: 8,
        measured: cells(&measured.collect::<Vec<_>>(), no_marks(report)),
        predicted: vec![String::new(); report.results.len()],
    }
}

/// What each technique cost.
pub fn cost(report: &Report) -> Sheet {
    let column = |spec: &Spec| {
        let results = report.results.iter();
        let intervals = results.clone().map(|o| (spec.per_run)(o.per_run.as_ref()?));
        let intervals: Vec<Option<Interval>> = intervals.collect();
        let share = |o: &Outcome, of: fn(&Outcome) -> Option<f64>| {
            Some(of(o)? / if spec.adds_up { o.runs() as f64 } else { 1.0 })
        };
        let measured = results
            .clone()
            .zip(&intervals)
            .map(|(o, i)| i.map(|i| i.mean).or_else(|| share(o, spec.measured)));
        let measured: Vec<Option<f64>> = measured.collect();
        let marks = match spec.contest {
            Some(apart) => contest(report, &measured, apart),
            None => no_marks(report),
        };
        let mut cells = cells(&measured, marks);
        for (cell, interval) in cells.iter_mut().zip(&intervals) {
            cell.give = interval.map_or(String::new(), |i| give(i.half_width));
        }
        Column {
            title: spec.title,
            unit: spec.unit,
            rank: spec.rank,
            measured: cells,
            predicted: foreseen(report, results.map(|o| share(o, spec.predicted))),
        }
    };
    let mut sheet = sheet("", COST.iter().map(column).collect(), report);
    let none = |cell: &Cell| cell.number == NOTHING || cell.number == figure(0.0);
    sheet
        .columns
        .retain(|c| ![FAILED, RECONNECTS].contains(&c.title) || !c.measured.iter().all(none));
    sheet
}

/// What the two ways cost, where clients talk.
const TALK: &[Spec] = &[
    Spec {
        title: "connections",
        unit: "per client",
        measured: |o| Some(o.talk.as_ref()?.connections_per_client),
        predicted: |o| Some(o.predicted.talk?.connections_per_client),
        ..PLAIN
    },
    Spec {
        title: "messages",
        unit: "up",
        rank: 5,
        adds_up: true,
        measured: |o| Some(o.talk.as_ref()?.heard as f64),
        predicted: |o| Some(o.talk.as_ref()?.sent as f64),
        ..PLAIN
    },
    Spec {
        title: "latency up",
        unit: "ms",
        rank: 2,
        measured: |o| Some(o.talk.as_ref()?.latency_us.as_ref()?.mean / 1e3),
        predicted: |o| Some(o.predicted.talk?.latency_us.mean / 1e3),
        ..PLAIN
    },
    Spec {
        title: "overhead up",
        unit: "B per message",
        rank: 1,
        measured: |o| o.talk.as_ref()?.overhead_bytes_per_message.up,
        predicted: |o| a_mail(o.predicted.talk?.overhead_bytes, o.talk.as_ref()?.sent),
        ..PLAIN
    },
    Spec {
        title: "latency down",
        unit: "ms",
        rank: 4,
        measured: mean_ms,
        predicted: |o| Some(o.predicted.latency_us.mean / 1e3),
        ..PLAIN
    },
    Spec {
        title: "overhead down",
        unit: "B per mail",
        rank: 3,
        measured: |o| o.talk.as_ref()?.overhead_bytes_per_message.down,
        predicted: |o| a_mail(predicted_rest(o)?, o.mails.expected),
        ..PLAIN
    },
];

/// Of the predicted overhead, what is neither for messages nor TLS's.
fn predicted_rest(o: &Outcome) -> Option<f64> {
    let tls = o.predicted.bytes.up.tls + o.predicted.bytes.down.tls;
    Some(o.predicted.overhead_bytes - tls - o.predicted.talk?.overhead_bytes)
}

/// Both ways side by side; `None` where clients don't talk.
pub fn talk(report: &Report) -> Option<Sheet> {
    report.results.iter().find(|o| o.talk.is_some())?;
    let column = |spec: &Spec| {
        let share = |o: &Outcome, of: fn(&Outcome) -> Option<f64>| {
            Some(of(o)? / if spec.adds_up { o.runs() as f64 } else { 1.0 })
        };
        let results = report.results.iter();
        let measured: Vec<Option<f64>> = results.clone().map(|o| share(o, spec.measured)).collect();
        // What TLS adds is overhead, too, but of no message in particular: without it the figure is another.
        let title = match (report.scenario.tls, spec.title) {
            (true, "overhead up") => "inside TLS up",
            (true, "overhead down") => "inside TLS down",
            (_, title) => title,
        };
        Column {
            title,
            unit: spec.unit,
            rank: spec.rank,
            measured: cells(&measured, no_marks(report)),
            predicted: foreseen(report, results.map(|o| share(o, spec.predicted))),
        }
    };
    let columns = TALK.iter().map(column).collect();
    Some(sheet(text!("Both ways at once"), columns, report))
}

/// What each technique's bytes were for, per delivered mail.
pub fn bytes(report: &Report) -> Sheet {
    let column = |(title, rank, share): &(&'static str, u8, Share)| {
        let measured = report
            .results
            .iter()
            .map(|o| a_mail(share(&counted(&o.bytes)), o.carried()));
        let predicted = report
            .results
            .iter()
            .map(|o| a_mail(share(&o.predicted.bytes), o.mails.expected));
        Column {
            title,
            unit: "",
            rank: *rank,
            measured: cells(&measured.collect::<Vec<_>>(), no_marks(report)),
            predicted: foreseen(report, predicted),
        }
    };
    let mut sheet = sheet(
        text!("Where the bytes went, in bytes per mail"),
        BYTES.iter().map(column).collect(),
        report,
    );
    if !report.scenario.tls {
        sheet.columns.retain(|c| c.title != "tls");
    }
    sheet.columns.push(state(report));
    sheet
}

fn sheet(title: &'static str, columns: Vec<Column>, report: &Report) -> Sheet {
    let something = |c: &Column| c.measured.iter().any(|cell| cell.number != NOTHING);
    Sheet {
        title,
        names: report
            .results
            .iter()
            .map(|o| super::printable(&o.technique))
            .collect(),
        // What no technique has (messages, when only polling runs) needs no column.
        columns: columns.into_iter().filter(something).collect(),
        // A prediction is of the whole run: beside half of one it would mislead.
        predicted: !report.cut_short() && report.results.iter().any(|o| o.predicted.was_made()),
    }
}

fn cells(values: &[Option<f64>], marks: Vec<Mark>) -> Vec<Cell> {
    let cell = |(v, mark): (&Option<f64>, Mark)| Cell {
        number: v.map_or(NOTHING.into(), figure),
        give: String::new(),
        mark,
    };
    values.iter().zip(marks).map(cell).collect()
}

/// What is predicted of each outcome: nothing of some figures, and of some runs nothing at all.
fn foreseen(report: &Report, values: impl Iterator<Item = Option<f64>>) -> Vec<String> {
    let cell = |(o, value): (&Outcome, Option<f64>)| match o.predicted.was_made() {
        true => value.map_or(String::new(), figure),
        false => NOTHING.into(),
    };
    report.results.iter().zip(values).map(cell).collect()
}

fn no_marks(report: &Report) -> Vec<Mark> {
    vec![Mark::NONE; report.results.len()]
}

/// Who lost mail did less work and cannot win; nor can anybody in half a run. The baseline does not
/// compete: where it has the figure at all, the others are read against it.
fn contest(report: &Report, values: &[Option<f64>], apart: Apart) -> Vec<Mark> {
    let noise = Noise::of(report);
    let results = &report.results;
    let apart = |i: usize, j: usize| apart(&noise, &results[i], &results[j]);
    let entered = |(o, v): (&Outcome, &Option<f64>)| v.filter(|_| o.clean() && !report.cut_short());
    let mut racing: Vec<Option<f64>> = results.iter().zip(values).map(entered).collect();
    let baseline = results.iter().position(Outcome::is_baseline);
    let least = baseline.and_then(|at| Some((at, racing[at].take().filter(|v| *v > 0.0)?)));
    let mut marks = marks(&racing, apart);
    if let Some((at, least)) = least {
        for (i, value) in racing.iter().enumerate() {
            marks[i].times = value.filter(|_| apart(i, at)).map(|v| v / least);
        }
    }
    marks
}

/// What is written where a quantity was not measured or does not exist.
const NOTHING: &str = "–";

/// Two numbers closer than this are called equal.
const EQUAL: f64 = 1.02;

/// Marks the smallest value and how many times it the others are. Whatever is not known to be larger
/// shares the first place, unless it is not known to be smaller than the others either: then its place
/// is unknown. Nobody is marked if nobody is behind.
fn marks(values: &[Option<f64>], apart: impl Fn(usize, usize) -> bool) -> Vec<Mark> {
    let known = || values.iter().enumerate().filter_map(|(i, v)| Some((i, (*v)?)));
    let Some((first, best)) = known().min_by(|a, b| a.1.total_cmp(&b.1)) else {
        return vec![Mark::NONE; values.len()];
    };
    let tied = |(i, v): (usize, f64)| v <= best * EQUAL || !apart(i, first);
    let behind: Vec<usize> = known().filter(|k| !tied(*k)).map(|(i, _)| i).collect();
    let mut marks = vec![Mark::NONE; values.len()];
    for (i, value) in known() {
        let ahead = || i == first || behind.iter().all(|other| apart(i, *other));
        if behind.contains(&i) {
            marks[i].times = (best > 0.0).then(|| value / best);
        } else {
            marks[i].best = !behind.is_empty() && ahead();
        }
    }
    marks
}

/// Mean latency in milliseconds.
pub fn mean_ms(o: &Outcome) -> Option<f64> {
    Some(o.latency_us.as_ref()?.mean / 1e3)
}

/// HTTP requests.
pub fn requests(o: &Outcome) -> Option<f64> {
    Some(o.requests.total as f64)
}

/// Bytes of overhead per delivered mail.
pub fn overhead(o: &Outcome) -> Option<f64> {
    o.overhead_bytes_per_delivery
}

fn a_mail(bytes: f64, mails: u64) -> Option<f64> {
    (mails > 0).then(|| bytes / mails as f64)
}

/// Counts as numbers, so that one column definition reads measurement and prediction alike.
fn counted(t: &Traffic<u64>) -> Traffic<f64> {
    let side = |l: &Labelled<u64>| Labelled {
        head: l.head as f64,
        framing: l.framing as f64,
        control: l.control as f64,
        payload: l.payload as f64,
        tls: l.tls as f64,
        total: l.total as f64,
    };
    Traffic {
        up: side(&t.up),
        down: side(&t.down),
    }
}

const BITS: [&str; 8] = [
    "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", "Pbit/s", "Ebit/s", "Zbit/s",
];

/// `56 kbit/s`, `2.41 Gbit/s`: bits per second, by powers of 1,000.
pub fn speed(bits: f64) -> String {
    scaled_to(bits, &BITS)
}

/// In the unit where it is at least 1.
pub fn scaled_to(v: f64, units: &[&str]) -> String {
    let (mut v, mut unit) = (v, 0);
    while v >= 999.5 && unit + 1 < units.len() {
        (v, unit) = (v / 1e3, unit + 1);
    }
    format!("{} {}", figure(v), units[unit])
}

/// A number with about three digits that mean something: `0.085`, `12.3`, `1,410`, `12.3M`. Whole
/// numbers stay whole.
pub fn figure(v: f64) -> String {
    if !v.is_finite() {
        return NOTHING.into();
    }
    let size = v.abs();
    match size {
        _ if size < 9_999_999.5 && (v - v.round()).abs() < 1e-9 * size.max(1.0) => thousands(v),
        _ if size < 0.01 => format!("{v:.4}"),
        _ if size < 0.9995 => format!("{v:.3}"),
        _ if size < 9.995 => format!("{v:.2}"),
        _ if size < 99.95 => format!("{v:.1}"),
        _ if size < 9_999_999.5 => thousands(v),
        _ if size < 999.5e6 => format!("{}M", figure((v / 1e4).round() / 1e2)),
        _ if size < 999.5e9 => format!("{}G", figure((v / 1e7).round() / 1e2)),
        _ => format!("{v:.2e}"),
    }
}

fn thousands(v: f64) -> String {
    let digits = format!("{:.0}", v.abs());
    let mut out = String::from(if v.round() < 0.0 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `±3.2`: two digits of a half-width are as many as are known.
pub fn give(half_width: f64) -> String {
    if !half_width.is_finite() {
        return String::new();
    }
    if half_width == 0.0 || half_width >= 99.5 {
        return format!("±{}", thousands(half_width));
    }
    let decimals = (1.0 - half_width.log10().floor()).clamp(0.0, 4.0) as usize;
    format!("±{half_width:.decimals$}")
}

/// A ratio: `×1.43`, `×8.3`, `×1,220`.
pub fn times(ratio: f64) -> String {
    match ratio {
        r if r < 1.995 => format!("×{r:.2}"),
        r if r < 9.95 => format!("×{r:.1}"),
        r => format!("×{}", figure(r.round())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::outcome::ServerUse;

    #[test]
    fn numbers_keep_three_digits_that_mean_something() {
        let cases = [
            (0.0, "0"),
            (0.00001, "0.0000"),
            (0.0085, "0.0085"),
            (0.0853, "0.085"),
            (0.9996, "1.00"),
            (1.0, "1"),
            (1.234, "1.23"),
            (9.996, "10.0"),
            (12.34, "12.3"),
            (99.96, "100"),
            (104.4, "104"),
            (999.6, "1,000"),
            (1_410.2, "1,410"),
            (1_234_567.0, "1,234,567"),
            (12_345_678.0, "12.3M"),
            (999_400_000.0, "999M"),
            (1_500_000_000.0, "1.50G"),
            (2e15, "2.00e15"),
            (-0.4, "-0.400"),
            (-1_500.0, "-1,500"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ];
        for (value, text) in cases {
            assert_eq!(figure(value), text, "{value}");
        }
        let ratios = [
            (1.03, "×1.03"),
            (1.996, "×2.0"),
            (8.34, "×8.3"),
            (9.96, "×10"),
            (1_220.4, "×1,220"),
        ];
        for (ratio, text) in ratios {
            assert_eq!(times(ratio), text);
        }
    }

    #[test]
    fn half_widths_keep_two_digits() {
        let cases = [
            (0.0, "±0"),
            (3.21, "±3.2"),
            (12.4, "±12"),
            (0.412, "±0.41"),
            (0.0047, "±0.0047"),
            (0.00047, "±0.0005"),
            (99.4, "±99"),
            (99.6, "±100"),
            (1_234.0, "±1,234"),
            (f64::NAN, ""),
        ];
        for (half_width, text) in cases {
            assert_eq!(give(half_width), text, "{half_width}");
        }
    }

    const BEST: Mark = Mark {
        best: true,
        times: None,
    };

    fn times_of(ratio: f64) -> Mark {
        Mark {
            best: false,
            times: Some(ratio),
        }
    }

    #[test]
    fn the_best_is_marked_and_how_many_times_worse_the_others_are() {
        const UN: Mark = Mark::NONE;
        let marks = |values: &[Option<f64>]| super::marks(values, |_, _| true);
        assert_eq!(marks(&[Some(84.0), Some(1.0), None]), [times_of(84.0), BEST, UN]);
        assert_eq!(
            marks(&[Some(62.0), Some(1.0), Some(1.0)]),
            [times_of(62.0), BEST, BEST],
            "a tie"
        );
        assert_eq!(
            marks(&[Some(101.0), Some(300.0), Some(100.0)]),
            [BEST, times_of(3.0), BEST],
            "a near tie"
        );
        assert_eq!(marks(&[Some(100.0), Some(101.9)]), [UN, UN], "too close to call");
        assert_eq!(marks(&[Some(5.0)]), [UN], "nobody to compare with");
        assert_eq!(marks(&[Some(5.0), None]), [UN, UN]);
        assert_eq!(
            marks(&[Some(0.0), Some(3.0)]),
            [BEST, UN],
            "nothing is a multiple of 0"
        );
        assert_eq!(marks(&[]), []);
    }

    #[test]
    fn what_cannot_be_told_apart_is_not_marked_against_each_other() {
        let values = [Some(1.0), Some(2.0), Some(4.0)];
        let with =
            |unknown: &[(usize, usize)]| marks(&values, |i, j| !unknown.contains(&(i.min(j), i.max(j))));
        assert_eq!(with(&[]), [BEST, times_of(2.0), times_of(4.0)]);
        assert_eq!(
            with(&[(0, 1)]),
            [BEST, BEST, times_of(4.0)],
            "two that are equal and one behind both"
        );
        assert_eq!(with(&[(0, 1), (0, 2), (1, 2)]), [Mark::NONE; 3]);
        assert_eq!(
            with(&[(0, 1), (1, 2)]),
            [BEST, Mark::NONE, times_of(4.0)],
            "the middle one's place is unknown"
        );
        assert_eq!(
            with(&[(0, 1), (0, 2)]),
            [Mark::NONE; 3],
            "the smallest beats nobody"
        );
    }

    fn marks_of(report: &Report, title: &str) -> Vec<String> {
        let sheet = cost(report);
        let column = sheet.columns.iter().find(|c| c.title == title).unwrap();
        column.measured.iter().map(|c| c.mark.text()).collect()
    }

    #[test]
    fn latencies_that_one_run_cannot_tell_apart_share_the_first_place() {
        let typical = fixture::typical();
        assert_eq!(
            marks_of(&typical, "mean latency"),
            ["×1,226", "best", "best", "best"]
        );
        assert_eq!(marks_of(&typical, "requests"), ["×62", "×21", "best", "best"]);
        let push = fixture::of(&[fixture::LONG_POLL, fixture::SSE, fixture::WS]);
        assert_eq!(
            marks_of(&push, "mean latency"),
            ["", "", ""],
            "on loopback push techniques look alike"
        );
    }

    #[test]
    fn the_baseline_does_not_compete_and_the_others_are_its_multiples() {
        let mut plain = vec![
            fixture::TCP,
            fixture::POLL,
            fixture::LONG_POLL,
            fixture::SSE,
            fixture::WS,
        ];
        let report = fixture::of(&plain);
        // Twice the baseline's spread is 0.117 ms.
        assert_eq!(
            marks_of(&report, "mean latency"),
            ["", "×1,286", "×5.1", "best", "best"],
            "sse and ws are as near to tcp as to each other"
        );
        assert_eq!(
            marks_of(&report, "overhead"),
            ["", "×141", "×55", "×9.6", "×5.1 best"]
        );
        assert_eq!(
            marks_of(&report, "requests"),
            ["", "×62", "×21", "best", "best"],
            "tcp has none: nothing is a multiple of 0"
        );
        plain.rotate_left(1);
        assert_eq!(
            marks_of(&fixture::of(&plain), "overhead")[4],
            "",
            "its place is its own"
        );
        let alone = fixture::of(&[fixture::WS, fixture::TCP]);
        assert_eq!(
            marks_of(&alone, "overhead"),
            ["×5.1", ""],
            "nobody to be better than"
        );
        assert_eq!(marks_of(&alone, "mean latency"), ["", ""]);
        let mut lost = fixture::of(&[fixture::POLL, fixture::WS, fixture::TCP]);
        lost.results[2].mails.lost = 1;
        assert_eq!(
            marks_of(&lost, "overhead"),
            ["×27", "best", ""],
            "a baseline that lost mail is no measure"
        );
    }

    #[test]
    fn five_seeds_show_means_and_mark_what_is_no_chance() {
        let report = fixture::five_seeds();
        let sheet = cost(&report);
        let column = |title: &str| sheet.columns.iter().find(|c| c.title == title).unwrap();
        let (latency, requests) = (column("mean latency"), column("requests"));
        assert_eq!(requests.measured[1].number, "62", "the mean of 60 to 64");
        assert_eq!(requests.measured[1].give, "±2.0");
        assert_eq!(requests.predicted[1], "60", "a prediction of one run");
        assert_eq!(
            (
                latency.measured[1].number.as_str(),
                latency.measured[1].give.as_str()
            ),
            ("104", "±4.8")
        );
        assert_eq!(column("connections").measured[4].number, "1", "of each run");
        assert_eq!(
            marks_of(&report, "mean latency"),
            ["", "×1,286", "×5.1", "best", "×1.07 best"],
            "sse was now before ws, now behind it, and so with tcp"
        );
        assert!(sheet.repeated() && !cost(&fixture::typical()).repeated());
    }

    #[test]
    fn seeds_that_were_complete_can_be_compared() {
        let mut report = fixture::five_seeds();
        report.envelope.partial = true;
        assert_eq!(marks_of(&report, "overhead")[4], "×5.1 best");
        assert!(cost(&report).predicted);
        for o in &mut report.results {
            o.repeats.clear();
        }
        assert_eq!(marks_of(&report, "overhead"), [""; 5]);
    }

    #[test]
    fn who_lost_mail_cannot_win() {
        let marks = |report: &Report, name: &str| {
            let i = report.results.iter().position(|o| o.technique == name).unwrap();
            cost(report)
                .columns
                .iter()
                .map(|c| c.measured[i].mark)
                .collect::<Vec<_>>()
        };
        assert!(marks(&fixture::typical(), "ws").contains(&BEST));
        let lost = fixture::lost();
        assert!(
            marks(&lost, "sse").iter().all(|m| *m == Mark::NONE),
            "sse is the one that lost"
        );
        assert!(marks(&lost, "poll").iter().any(|m| *m != Mark::NONE));
    }

    #[test]
    fn labels_and_directions_sum_to_the_total() {
        let sheet = bytes(&fixture::attachments());
        let of = |title: &str, i: usize| {
            let column = sheet.columns.iter().find(|c| c.title == title).unwrap();
            column.measured[i].number.replace(',', "").parse::<f64>().unwrap()
        };
        for i in 0..sheet.names.len() {
            let labels: f64 = ["payload", "head", "framing", "control"]
                .iter()
                .map(|t| of(t, i))
                .sum();
            assert!((labels / of("total", i) - 1.0).abs() < 0.01);
            assert!(((of("up", i) + of("down", i)) / of("total", i) - 1.0).abs() < 0.01);
        }
    }

    #[test]
    fn columns_nobody_has_are_left_out() {
        let titles = |report: &Report| cost(report).columns.iter().map(|c| c.title).collect::<Vec<_>>();
        let all = fixture::typical();
        assert!(titles(&all).contains(&"messages") && titles(&all).contains(&"empty"));
        assert!(!titles(&fixture::only(&all, "poll")).contains(&"messages"));
        assert!(!titles(&fixture::only(&all, "ws")).contains(&"empty"));
        assert!(!titles(&all).contains(&"cpu"));
        let mut apart = all;
        apart.results[0].server = Some(ServerUse {
            cpu_us_per_delivery: Some(12.5),
            ..ServerUse::default()
        });
        assert!(titles(&apart).contains(&"cpu") && !titles(&apart).contains(&"memory"));
    }

    #[test]
    fn both_ways_have_a_sheet_where_clients_talk() {
        assert!(talk(&fixture::typical()).is_none());
        let sheet = talk(&fixture::talking()).unwrap();
        let column = |title: &str| sheet.columns.iter().find(|c| c.title == title).unwrap();
        let measured = |title| {
            column(title)
                .measured
                .iter()
                .map(|c| c.number.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(measured("connections"), ["2", "1"]);
        assert_eq!(measured("messages"), ["40", "40"]);
        assert_eq!(measured("overhead up"), ["205", "6"]);
        // (8,501 + 527 + 19 - 40 * 205) / 20 and (358 + 320 + 12 - 40 * 6) / 20.
        assert_eq!(measured("overhead down"), ["42.4", "22.5"]);
        assert_eq!(column("overhead up").predicted, ["205", "6"]);
        let mut encrypted = fixture::talking();
        encrypted.scenario.tls = true;
        let titles: Vec<_> = talk(&encrypted)
            .unwrap()
            .columns
            .iter()
            .map(|c| c.title)
            .collect();
        assert!(titles.contains(&"inside TLS up") && titles.iter().all(|t| !t.contains("overhead")));
        let mut half = fixture::talking();
        half.envelope.partial = true;
        assert!(!talk(&half).unwrap().predicted);
    }
}
