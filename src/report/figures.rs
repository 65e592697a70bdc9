//! What the tables show: which columns, how a number is written, and who is marked as best. The table
//! for terminals and the one for Markdown draw the same [`Sheet`]s.

use crate::outcome::{Labelled, Outcome, Report, Traffic};

/// A table before it is laid out: one entry per technique in `names` and in every column.
pub struct Sheet {
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
    pub mark: Mark,
}

/// How a number compares with the best of its column.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    None,
    Best,
    /// So many times the best.
    Times(f64),
}

impl Sheet {
    pub fn marked(&self) -> bool {
        self.columns
            .iter()
            .flat_map(|c| &c.measured)
            .any(|cell| cell.mark != Mark::None)
    }
}

impl Mark {
    pub fn text(&self) -> String {
        match self {
            Mark::None => String::new(),
            Mark::Best => "best".into(),
            Mark::Times(ratio) => times(*ratio),
        }
    }
}

/// How a column comes out of an outcome.
struct Spec {
    title: &'static str,
    unit: &'static str,
    rank: u8,
    /// Whether less is better, so that the best can be named.
    contest: bool,
    measured: fn(&Outcome) -> Option<f64>,
    /// `None` where the model says nothing.
    predicted: fn(&Outcome) -> Option<f64>,
}

/// What most columns are: nobody wins, and the model is silent.
const PLAIN: Spec = Spec {
    title: "",
    unit: "",
    rank: 0,
    contest: false,
    measured: |_| None,
    predicted: |_| None,
};

const COST: &[Spec] = &[
    Spec {
        title: "mean latency",
        unit: "ms",
        rank: 0,
        contest: true,
        measured: mean_ms,
        predicted: |o| Some(o.predicted.latency_us.mean / 1e3),
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
        contest: true,
        measured: |o| Some(o.requests.total as f64),
        predicted: |o| Some(o.predicted.requests.total),
        ..PLAIN
    },
    Spec {
        title: "empty",
        rank: 4,
        measured: |o| o.requests.empty.map(|n| n as f64),
        predicted: |o| o.predicted.requests.empty,
        ..PLAIN
    },
    Spec {
        title: "overhead",
        unit: "B per mail",
        rank: 2,
        contest: true,
        measured: |o| o.overhead_bytes_per_delivery,
        predicted: |o| a_mail(o.predicted.overhead_bytes, o.mails.expected),
    },
    Spec {
        title: "connections",
        rank: 7,
        measured: |o| Some(o.connections.opened as f64),
        ..PLAIN
    },
    Spec {
        title: "messages",
        unit: "down",
        rank: 8,
        measured: |o| o.messages.down.map(|n| n as f64),
        ..PLAIN
    },
    Spec {
        title: "messages",
        unit: "up",
        rank: 9,
        measured: |o| o.messages.up.map(|n| n as f64),
        ..PLAIN
    },
    Spec {
        title: "segments",
        rank: 10,
        measured: |o| Some((o.segments.down? + o.segments.up?) as f64),
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

/// What each technique cost.
pub fn cost(report: &Report) -> Sheet {
    let column = |spec: &Spec| {
        let measured: Vec<Option<f64>> = report.results.iter().map(spec.measured).collect();
        let marks = if spec.contest {
            contest(report, &measured)
        } else {
            no_marks(report)
        };
        Column {
            title: spec.title,
            unit: spec.unit,
            rank: spec.rank,
            measured: cells(&measured, marks),
            predicted: foreseen(report.results.iter().map(spec.predicted)),
        }
    };
    sheet("", COST.iter().map(column).collect(), report)
}

/// What each technique's bytes were for, per delivered mail.
pub fn bytes(report: &Report) -> Sheet {
    let column = |(title, rank, share): &(&'static str, u8, Share)| {
        let measured = report
            .results
            .iter()
            .map(|o| a_mail(share(&counted(&o.bytes)), o.mails.delivered));
        let predicted = report
            .results
            .iter()
            .map(|o| a_mail(share(&o.predicted.bytes), o.mails.expected));
        Column {
            title,
            unit: "",
            rank: *rank,
            measured: cells(&measured.collect::<Vec<_>>(), no_marks(report)),
            predicted: foreseen(predicted),
        }
    };
    let mut sheet = sheet(
        "Where the bytes went, in bytes per mail",
        BYTES.iter().map(column).collect(),
        report,
    );
    if !report.scenario.tls {
        sheet.columns.retain(|c| c.title != "tls");
    }
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
        predicted: !report.partial,
    }
}

fn cells(values: &[Option<f64>], marks: Vec<Mark>) -> Vec<Cell> {
    let cell = |(v, mark): (&Option<f64>, Mark)| Cell {
        number: v.map_or(NOTHING.into(), figure),
        mark,
    };
    values.iter().zip(marks).map(cell).collect()
}

fn foreseen(values: impl Iterator<Item = Option<f64>>) -> Vec<String> {
    values.map(|v| v.map_or(String::new(), figure)).collect()
}

fn no_marks(report: &Report) -> Vec<Mark> {
    vec![Mark::None; report.results.len()]
}

/// Who lost mail did less work and cannot win; nor can anybody in half a run.
fn contest(report: &Report, values: &[Option<f64>]) -> Vec<Mark> {
    let entered = |(o, v): (&Outcome, &Option<f64>)| v.filter(|_| o.clean() && !report.partial);
    marks(&report.results.iter().zip(values).map(entered).collect::<Vec<_>>())
}

/// What is written where a quantity was not measured or does not exist.
const NOTHING: &str = "–";

/// Two numbers closer than this are called equal.
const EQUAL: f64 = 1.02;

/// Marks the smallest value and how many times it the others are; nobody, if all are equal.
fn marks(values: &[Option<f64>]) -> Vec<Mark> {
    let known = || values.iter().flatten().copied();
    let (best, worst) = (known().fold(f64::INFINITY, f64::min), known().fold(0.0, f64::max));
    let contest = known().count() > 1 && worst > best * EQUAL;
    let mark = |v: &Option<f64>| match v {
        Some(v) if contest && *v <= best * EQUAL => Mark::Best,
        Some(v) if contest && best > 0.0 => Mark::Times(v / best),
        _ => Mark::None,
    };
    values.iter().map(mark).collect()
}

/// Mean latency in milliseconds.
pub fn mean_ms(o: &Outcome) -> Option<f64> {
    Some(o.latency_us.as_ref()?.mean / 1e3)
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

/// A ratio above 1: `×1.43`, `×8.3`, `×1,220`.
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
    fn the_best_is_marked_and_how_many_times_worse_the_others_are() {
        use Mark::{Best, None as Un, Times};
        assert_eq!(marks(&[Some(84.0), Some(1.0), None]), [Times(84.0), Best, Un]);
        assert_eq!(
            marks(&[Some(62.0), Some(1.0), Some(1.0)]),
            [Times(62.0), Best, Best],
            "a tie"
        );
        assert_eq!(
            marks(&[Some(101.0), Some(300.0), Some(100.0)]),
            [Best, Times(3.0), Best],
            "a near tie"
        );
        assert_eq!(marks(&[Some(100.0), Some(101.9)]), [Un, Un], "too close to call");
        assert_eq!(marks(&[Some(5.0)]), [Un], "nobody to compare with");
        assert_eq!(marks(&[Some(5.0), None]), [Un, Un]);
        assert_eq!(
            marks(&[Some(0.0), Some(3.0)]),
            [Best, Un],
            "nothing is a multiple of 0"
        );
        assert_eq!(marks(&[]), []);
    }

    #[test]
    fn who_lost_mail_cannot_win() {
        let marks = |report: &Report, name: &str| {
            let i = report.results.iter().position(|o| o.technique == name).unwrap();
            cost(report)
                .columns
                .iter()
                .map(|c| c.measured[i].mark.clone())
                .collect::<Vec<_>>()
        };
        assert!(marks(&fixture::typical(), "ws").contains(&Mark::Best));
        let lost = fixture::lost();
        assert!(
            marks(&lost, "sse").iter().all(|m| *m == Mark::None),
            "sse is the one that lost"
        );
        assert!(marks(&lost, "poll").iter().any(|m| *m != Mark::None));
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
    }
}
