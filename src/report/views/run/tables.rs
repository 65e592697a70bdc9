//! The tables of a run: their columns, and their cells.

use super::colour::fill;
use super::marks::{Significance, compare_all};
use crate::lang::t;
use crate::outcome::{Outcome, PerRun, Report, SlowReaders, Traffic};
use crate::report::chart::SHOWN;
use crate::report::doc::{Cell, Column, Mark, Narrow, Row, Table};
use crate::report::numbers::{NOTHING, figure, half_width, known, plus, times};
use crate::stats::Interval;
use crate::terminal::printable;
use crate::wire::Label;

/// A figure of an outcome; `None` if it has none.
pub type Figure = fn(&Outcome) -> Option<f64>;

/// The definition of a column.
struct Spec {
    title: &'static str,
    unit: &'static str,
    /// The order of removal if the width is short: 0 is kept longest.
    rank: u8,
    /// The significance test between two of its values, if less is better and the best is marked.
    significance: Option<Significance>,
    /// Whether it is a sum over seeds, so that one run's share has to be shown.
    adds_up: bool,
    /// Whether others are compared with the best by their difference, not by their multiple of it: where the best is
    /// near 0, a multiple says nothing.
    by_difference: bool,
    /// Its standard error in a single run, in the column's unit.
    standard_error: Figure,
    /// Whether a terminal shows it only on demand.
    more: bool,
    /// Its mean over the seeds, in the column's unit.
    per_run: fn(&PerRun) -> Option<Interval>,
    measured: Figure,
    predicted: Figure,
}

/// A column without a winner and without predictions.
const fn spec(title: &'static str, unit: &'static str, rank: u8, measured: Figure) -> Spec {
    Spec {
        title,
        unit,
        rank,
        significance: None,
        adds_up: false,
        by_difference: false,
        standard_error: |_| None,
        more: false,
        per_run: |_| None,
        measured,
        predicted: |_| None,
    }
}

/// A column of sums over seeds.
const fn count(title: &'static str, unit: &'static str, rank: u8, measured: Figure) -> Spec {
    Spec {
        adds_up: true,
        ..spec(title, unit, rank, measured)
    }
}

impl Spec {
    /// On a terminal only on demand.
    const fn more(self) -> Spec {
        Spec { more: true, ..self }
    }

    /// Shows its standard error, and differences.
    const fn scattered(self, standard_error: Figure) -> Spec {
        Spec {
            standard_error,
            by_difference: true,
            ..self
        }
    }

    /// Adds a prediction.
    const fn predicted(self, predicted: Figure) -> Spec {
        Spec { predicted, ..self }
    }

    /// Marks the smallest value as the best.
    const fn ranked(self, significance: Significance, per_run: fn(&PerRun) -> Option<Interval>) -> Spec {
        Spec {
            significance: Some(significance),
            per_run,
            ..self
        }
    }
}

/// Columns that are shown only if they have values.
const RARE: [&str; 5] = ["failed", "reconnects", "cut", "dropped", "cut off"];

const COST: &[Spec] = &[
    spec("mean latency", "ms", 0, mean_ms)
        .predicted(|o| Some(o.predicted.latency_us.mean / 1e3))
        .ranked(|noise, a, b| noise.late(a, b), |p| p.latency_us.map(thousandth))
        .scattered(|o| Some(o.latency_us.as_ref()?.standard_error() / 1e3)),
    spec("p50", "ms", 5, |o| Some(o.latency_us.as_ref()?.p50 / 1e3)).more(),
    spec("p99", "ms", 6, |o| Some(o.latency_us.as_ref()?.p99 / 1e3)).more(),
    spec("worst", "ms", 3, worst_ms)
        .predicted(|o| Some(o.predicted.latency_us.max / 1e3))
        .more(),
    count("requests", "", 1, requests)
        .predicted(|o| Some(o.predicted.requests.total))
        .ranked(|noise, a, b| noise.differs(a, b, requests), |p| p.requests),
    count("empty", "", 4, |o| Some(o.requests.empty? as f64)).predicted(|o| o.predicted.requests.empty),
    count(RARE[0], "", 4, |o| Some(o.requests.failed? as f64)),
    count(RARE[1], "", 4, |o| Some(o.connections.reconnects? as f64)),
    spec("overhead", "B per mail", 2, overhead)
        .predicted(|o| a_mail(o.predicted.overhead_bytes, o.predicted_mails()))
        .ranked(
            |noise, a, b| noise.differs(a, b, overhead),
            |p| p.overhead_bytes_per_delivery,
        ),
    count("connections", "", 7, |o| Some(o.connections.opened as f64)).more(),
    count("messages", "down", 8, |o| Some(o.messages.down? as f64)).more(),
    count("messages", "up", 9, |o| Some(o.messages.up? as f64)).more(),
    count("segments", "", 10, |o| {
        Some((o.segments.down? + o.segments.up?) as f64)
    })
    .more(),
    spec("cpu", "µs per mail", 2, |o| {
        o.server.as_ref()?.cpu_us_per_delivery
    }),
    spec("memory", "KiB per connection", 2, |o| {
        Some(o.server.as_ref()?.memory_bytes_per_connection? / 1024.0)
    }),
];

/// The columns of both directions, if clients send messages.
const TALK: &[Spec] = &[
    spec("connections", "per client", 0, |o| {
        Some(o.talk.as_ref()?.connections_per_client)
    })
    .predicted(|o| Some(o.predicted.talk?.connections_per_client)),
    count("messages", "up", 5, |o| Some(o.talk.as_ref()?.heard as f64))
        .predicted(|o| Some(o.talk.as_ref()?.sent as f64))
        .more(),
    spec("latency up", "ms", 2, |o| {
        Some(o.talk.as_ref()?.latency_us.as_ref()?.mean / 1e3)
    })
    .predicted(|o| Some(o.predicted.talk?.latency_us.mean / 1e3)),
    spec("overhead up", "B per message", 1, |o| {
        o.talk.as_ref()?.overhead_bytes_per_message.up
    })
    .predicted(|o| a_mail(o.predicted.talk?.overhead_bytes, o.talk.as_ref()?.sent)),
    spec("latency down", "ms", 4, mean_ms).predicted(|o| Some(o.predicted.latency_us.mean / 1e3)),
    spec("overhead down", "B per mail", 3, |o| {
        o.talk.as_ref()?.overhead_bytes_per_message.down
    })
    .predicted(|o| a_mail(predicted_rest(o)?, o.predicted_mails())),
];

/// The columns of what a browser's tabs share.
const TABS: &[Spec] = &[
    spec("connections", "at once", 4, |o| {
        o.tabs.as_ref()?;
        Some(o.connections.peak as f64)
    }),
    count("queued", "requests", 0, |o| Some(o.tabs.as_ref()?.queued as f64))
        .predicted(|o| Some(o.predicted.tabs.as_ref()?.queued as f64)),
    spec("mean wait", "ms", 3, |o| {
        Some(o.tabs.as_ref()?.wait_mean_us? / 1e3)
    })
    .predicted(|o| Some(o.predicted.tabs.as_ref()?.wait_mean_us? / 1e3)),
    spec("longest wait", "ms", 2, |o| {
        Some(o.tabs.as_ref()?.wait_max_us? / 1e3)
    })
    .predicted(|o| Some(o.predicted.tabs.as_ref()?.wait_max_us? / 1e3)),
    count("unserved", "requests", 1, |o| {
        Some(o.tabs.as_ref()?.unserved as f64)
    })
    .predicted(|o| Some(o.predicted.tabs.as_ref()?.unserved as f64)),
    count("undelivered", "mails", 5, |o| {
        Some(o.tabs.as_ref()?.undelivered as f64)
    })
    .predicted(|o| Some(o.predicted.tabs.as_ref()?.undelivered as f64)),
];

/// The columns of how mail comes out of the proxies on the way.
const BEHIND: &[Spec] = &[
    spec("first mail", "ms", 0, |o| {
        Some(o.behind_proxies.as_ref()?.first_us? / 1e3)
    })
    .predicted(|o| Some(o.predicted.behind_proxies.as_ref()?.first_us? / 1e3)),
    spec("at once", "mails, mean", 1, |o| {
        o.behind_proxies.as_ref()?.mails_per_clump()
    })
    .predicted(|o| o.predicted.behind_proxies.as_ref()?.mails_per_clump()),
    spec("at once", "mails, most", 2, |o| {
        Some(o.behind_proxies.as_ref()?.largest_clump as f64)
    })
    .predicted(|o| Some(o.predicted.behind_proxies.as_ref()?.largest_clump as f64)),
    count("at the end", "mails", 3, |o| Some(o.mails.held_back? as f64)),
    count(RARE[2], "", 4, |o| Some(o.behind_proxies.as_ref()?.cuts() as f64))
        .predicted(|o| Some(o.predicted.behind_proxies.as_ref()?.cuts() as f64)),
];

/// The columns of slow clients and the others.
const SLOW: &[Spec] = &[
    spec("slow p50", "ms", 2, |o| Some(slow(o)?.latency_us?.p50 / 1e3))
        .predicted(|o| Some(predicted_slow(o)?.latency_us?.p50 / 1e3)),
    spec("slow p99", "ms", 4, |o| Some(slow(o)?.latency_us?.p99 / 1e3))
        .predicted(|o| Some(predicted_slow(o)?.latency_us?.p99 / 1e3)),
    spec("others p50", "ms", 5, |o| {
        Some(slow(o)?.others_latency_us?.p50 / 1e3)
    })
    .predicted(|o| Some(predicted_slow(o)?.others_latency_us?.p50 / 1e3)),
    spec("others p99", "ms", 3, |o| {
        Some(slow(o)?.others_latency_us?.p99 / 1e3)
    })
    .predicted(|o| Some(predicted_slow(o)?.others_latency_us?.p99 / 1e3)),
    spec("behind", "mails", 1, |o| Some(slow(o)?.behind_mails as f64))
        .predicted(|o| Some(predicted_slow(o)?.behind_mails as f64)),
    spec("waiting", "KiB", 0, |o| {
        Some(slow(o)?.waiting_bytes? as f64 / 1024.0)
    })
    .predicted(|o| Some(predicted_slow(o)?.waiting_bytes? as f64 / 1024.0)),
    count(RARE[3], "mails", 6, |o| Some(slow(o)?.dropped as f64))
        .predicted(|o| Some(predicted_slow(o)?.dropped as f64)),
    count(RARE[4], "times", 7, |o| Some(slow(o)?.cut_off as f64))
        .predicted(|o| Some(predicted_slow(o)?.cut_off as f64)),
];

fn slow(o: &Outcome) -> Option<&SlowReaders> {
    o.slow.as_ref()
}

fn predicted_slow(o: &Outcome) -> Option<&SlowReaders> {
    o.predicted.slow.as_ref()
}

/// The predicted overhead without that of messages and TLS.
fn predicted_rest(o: &Outcome) -> Option<f64> {
    let tls = o.predicted.bytes.both(Label::Tls);
    Some(o.predicted.overhead_bytes - tls - o.predicted.talk?.overhead_bytes)
}

/// What a column of the byte table shows.
#[derive(Clone, Copy)]
enum Share {
    /// A label's bytes, both directions together.
    Of(Label),
    Total,
    Up,
    Down,
}

impl Share {
    /// The columns in their order. TLS has none where nothing was encrypted.
    fn shown(tls: bool) -> impl Iterator<Item = Share> {
        let labels = SHOWN.into_iter().filter(move |label| tls || *label != Label::Tls);
        labels
            .map(Share::Of)
            .chain([Share::Total, Share::Up, Share::Down])
    }

    /// Its title, and its rank: a narrow terminal leaves out the highest first.
    fn head(self) -> (&'static str, u8) {
        let labels = Label::ALL.len() as u8;
        match self {
            Share::Of(label) => (label.name(), label as u8),
            Share::Total => ("total", labels),
            Share::Up => ("up", labels + 1),
            Share::Down => ("down", labels + 2),
        }
    }

    fn of(self, traffic: &Traffic<f64>) -> f64 {
        match self {
            Share::Of(label) => traffic.both(label),
            Share::Total => traffic.total(),
            Share::Up => traffic.up.total,
            Share::Down => traffic.down.total,
        }
    }
}

/// A column with its cells from top to bottom.
struct Filled {
    column: Column,
    cells: Vec<Cell>,
    predicted: Vec<String>,
}

/// The cost of each technique.
pub fn cost(report: &Report) -> Table {
    let columns = somewhere(COST.iter().map(|spec| filled(report, spec)));
    let mut table = Table {
        label: t!("What each technique cost"),
        ..table(report, columns)
    };
    if table.columns.is_empty() {
        // Nothing is possible.
        table.columns.push(head("mean latency", "ms", 0));
    }
    let empty = vec![Cell::default(); table.columns.len() - 1];
    table.rows.extend(report.absent.iter().map(|absent| {
        Row {
            name: printable(&absent.technique),
            fill: None,
            cells: [Cell::from(t!("not possible here"))]
                .into_iter()
                .chain(empty.clone())
                .collect(),
            predicted: None,
        }
    }));
    table
}

/// How mail came out of the proxies on the way; `None` without any.
pub fn behind(report: &Report) -> Option<Table> {
    report.results.iter().find(|o| o.behind_proxies.is_some())?;
    Some(Table {
        title: t!("Behind the proxies"),
        ..table(report, somewhere(BEHIND.iter().map(|spec| filled(report, spec))))
    })
}

/// Both directions side by side; `None` if clients send no messages.
pub fn talk(report: &Report) -> Option<Table> {
    report.results.iter().find(|o| o.talk.is_some())?;
    let column = |spec: &Spec| {
        let mut filled = filled(report, spec);
        // TLS is overhead too, but of no particular message: without it the figure has another name.
        if report.scenario.tls {
            filled.column.title = filled.column.title.replace("overhead", "inside TLS");
        }
        filled
    };
    Some(Table {
        title: t!("Both ways at once"),
        ..table(report, somewhere(TALK.iter().map(column)))
    })
}

/// How the requests of a browser's tabs waited for its connections; `None` if clients are no tabs.
pub fn tabs(report: &Report) -> Option<Table> {
    report.results.iter().find(|o| o.tabs.is_some())?;
    Some(Table {
        title: t!("The queue for the browser's connections"),
        ..table(report, somewhere(TABS.iter().map(|spec| filled(report, spec))))
    })
}

/// The slow clients beside the others; `None` if none read slowly.
pub fn slow_clients(report: &Report) -> Option<Table> {
    report.results.iter().find(|o| o.slow.is_some())?;
    Some(Table {
        title: t!("Slow clients and the others"),
        ..table(report, somewhere(SLOW.iter().map(|spec| filled(report, spec))))
    })
}

/// The labels of each technique's bytes, per delivered mail.
pub fn bytes(report: &Report) -> Table {
    let column = |share: Share| {
        let measured = |o: &Outcome| a_mail(share.of(&o.bytes.map(|n| n as f64)), o.carried());
        let predicted = |o: &Outcome| a_mail(share.of(&o.predicted.bytes), o.predicted_mails());
        let (title, rank) = share.head();
        Filled {
            column: head(title, "", rank),
            cells: report.results.iter().map(|o| known(measured(o)).into()).collect(),
            predicted: foreseen(report, predicted),
        }
    };
    let mut columns = somewhere(Share::shown(report.scenario.tls).map(column));
    // What of it told the server again what it does not remember.
    let state = |o: &Outcome| a_mail(o.state.bytes as f64, o.carried());
    columns.push(Filled {
        column: head("state", "", Label::ALL.len() as u8 + 3),
        cells: report.results.iter().map(|o| known(state(o)).into()).collect(),
        predicted: vec![String::new(); report.results.len()],
    });
    Table {
        more: true,
        title: t!("Where the bytes went, in bytes per mail"),
        ..table(report, columns)
    }
}

fn head(title: &str, unit: &'static str, rank: u8) -> Column {
    Column {
        rank,
        ..Column::figures((title, unit))
    }
}

/// A standard error below this, in milliseconds, is not shown.
const LEAST: f64 = 0.01;

fn filled(report: &Report, spec: &Spec) -> Filled {
    let share = |o: &Outcome, of: Figure| Some(of(o)? / if spec.adds_up { o.runs() as f64 } else { 1.0 });
    let interval = |o: &Outcome| (spec.per_run)(o.per_run.as_ref()?);
    let measured = |o: &Outcome| {
        let mean = interval(o).map(|i| i.mean);
        mean.or_else(|| share(o, spec.measured))
    };
    let values: Vec<Option<f64>> = report.results.iter().map(measured).collect();
    let mut cells: Vec<Cell> = values.iter().map(|v| known(*v).into()).collect();
    for (cell, outcome) in cells.iter_mut().zip(&report.results) {
        let scatter =
            (spec.standard_error)(outcome).filter(|error| outcome.per_run.is_none() && *error > LEAST);
        let half = interval(outcome).map(|i| i.half_width).or(scatter);
        cell.half_width = half.map_or(String::new(), half_width);
    }
    if let Some(significance) = spec.significance {
        for (cell, standing) in cells.iter_mut().zip(compare_all(report, &values, significance)) {
            cell.best = standing.best.then_some(true);
            cell.times = match spec.by_difference {
                true => standing.more.map_or(String::new(), plus),
                false => standing.times.map_or(String::new(), times),
            };
        }
    }
    Filled {
        column: Column {
            more: spec.more,
            ..head(spec.title, spec.unit, spec.rank)
        },
        cells,
        predicted: foreseen(report, |o| share(o, spec.predicted)),
    }
}

/// The predictions for each outcome; some figures, and some runs, have none.
fn foreseen(report: &Report, of: impl Fn(&Outcome) -> Option<f64>) -> Vec<String> {
    let cell = |o: &Outcome| match o.predicted.was_made() {
        true => of(o).map_or(String::new(), figure),
        false => NOTHING.into(),
    };
    report.results.iter().map(cell).collect()
}

/// The columns that have values: one that no technique has (messages, if only polling runs) is left out, and a rare
/// one that is 0 everywhere.
fn somewhere(columns: impl Iterator<Item = Filled>) -> Vec<Filled> {
    let something = |c: &Filled| {
        let is_rare = RARE.contains(&c.column.title.as_str());
        let says = |cell: &Cell| cell.text != NOTHING && !(is_rare && cell.text == figure(0.0));
        c.cells.iter().any(says)
    };
    columns.filter(something).collect()
}

/// A row for each outcome.
fn table(report: &Report, columns: Vec<Filled>) -> Table {
    // A prediction is for the whole run, so it would mislead beside half a run.
    let predicted = !report.cut_short() && report.results.iter().any(|o| o.predicted.was_made());
    let row = |(i, o): (usize, &Outcome)| Row {
        name: printable(&o.technique),
        fill: Some(fill(report, o)),
        cells: columns.iter().map(|c| c.cells[i].clone()).collect(),
        predicted: predicted.then(|| columns.iter().map(|c| c.predicted[i].clone()).collect()),
    };
    Table {
        rows: report.results.iter().enumerate().map(row).collect(),
        columns: columns.into_iter().map(|c| c.column).collect(),
        narrow: Narrow::Drop,
        mark: Mark::Word,
        ..Table::default()
    }
}

/// Mean latency in milliseconds.
pub fn mean_ms(o: &Outcome) -> Option<f64> {
    Some(o.latency_us.as_ref()?.mean / 1e3)
}

/// The longest latency in milliseconds.
pub fn worst_ms(o: &Outcome) -> Option<f64> {
    Some(o.latency_us.as_ref()?.max / 1e3)
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

fn thousandth(i: Interval) -> Interval {
    Interval {
        mean: i.mean / 1e3,
        half_width: i.half_width / 1e3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::ServerUse;
    use crate::report::fixture;

    fn at(table: &Table, title: &str) -> usize {
        table.columns.iter().position(|c| c.title == title).unwrap()
    }

    fn column(table: &Table, title: &str) -> Vec<Cell> {
        let i = at(table, title);
        table.rows.iter().map(|row| row.cells[i].clone()).collect()
    }

    fn texts(table: &Table, title: &str) -> Vec<String> {
        column(table, title).into_iter().map(|cell| cell.text).collect()
    }

    fn predictions(table: &Table, title: &str) -> Vec<String> {
        let i = at(table, title);
        let rows = table.rows.iter().filter_map(|row| row.predicted.as_ref());
        rows.map(|predicted| predicted[i].clone()).collect()
    }

    fn marks_of(report: &Report, title: &str) -> Vec<String> {
        let cells = column(&cost(report), title);
        let mark = |cell: &Cell| {
            let best = if cell.best.is_some() { "best" } else { "" };
            [&*cell.times, best].join(" ").trim().to_string()
        };
        cells.iter().map(mark).collect()
    }

    #[test]
    fn latencies_that_one_run_cannot_tell_apart_share_the_first_place() {
        let typical = fixture::typical();
        assert_eq!(
            marks_of(&typical, "mean latency"),
            ["+104", "best", "best", "best"]
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
            ["", "+104", "+0.3", "best", "best"],
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
        let table = cost(&report);
        let (latency, requests) = (&column(&table, "mean latency")[1], &column(&table, "requests")[1]);
        assert_eq!(requests.text, "62", "the mean of 60 to 64");
        assert_eq!(requests.half_width, "±2.0");
        assert_eq!(
            predictions(&table, "requests")[1],
            "60",
            "a prediction of one run"
        );
        assert_eq!((&*latency.text, &*latency.half_width), ("104", "±4.8"));
        assert_eq!(texts(&table, "connections")[4], "1", "of each run");
        assert_eq!(
            marks_of(&report, "mean latency"),
            ["", "+104", "+0.3", "best", "+0.006 best"],
            "sse was now before ws, now behind it, and so with tcp"
        );
        // Of a single run the standard error is shown.
        let single = &column(&cost(&fixture::typical()), "mean latency")[0];
        assert_eq!((&*single.text, &*single.half_width), ("104", "±14"));
    }

    #[test]
    fn seeds_that_were_complete_can_be_compared() {
        let mut report = fixture::five_seeds();
        report.envelope.partial = true;
        assert_eq!(marks_of(&report, "overhead")[4], "×5.1 best");
        assert!(cost(&report).is_predicted());
        for o in &mut report.results {
            o.repeats.clear();
        }
        assert_eq!(marks_of(&report, "overhead"), [""; 5]);
    }

    #[test]
    fn who_lost_mail_cannot_win() {
        let marks = |report: &Report, name: &str| {
            let rows = cost(report).rows;
            let row = rows.into_iter().find(|row| row.name == name).unwrap();
            let marks = row.cells.into_iter().map(|cell| (cell.best, cell.times));
            marks.collect::<Vec<_>>()
        };
        assert!(
            marks(&fixture::typical(), "ws")
                .iter()
                .any(|mark| mark.0.is_some())
        );
        let lost = fixture::lost();
        assert!(
            marks(&lost, "sse").iter().all(|m| *m == Default::default()),
            "sse is the one that lost"
        );
        assert!(marks(&lost, "poll").iter().any(|m| *m != Default::default()));
    }

    #[test]
    fn labels_and_directions_sum_to_the_total() {
        let table = bytes(&fixture::attachments());
        let of = |title: &str, i: usize| {
            let text = texts(&table, title)[i].replace(',', "");
            text.parse::<f64>().unwrap()
        };
        for i in 0..table.rows.len() {
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
        let has = |report: &Report, title: &str| cost(report).columns.iter().any(|c| c.title == title);
        let all = fixture::typical();
        assert!(has(&all, "messages") && has(&all, "empty"));
        assert!(!has(&fixture::only(&all, "poll"), "messages"));
        assert!(!has(&fixture::only(&all, "ws"), "empty"));
        assert!(!has(&all, "cpu"));
        let mut apart = all;
        apart.results[0].server = Some(ServerUse {
            cpu_us_per_delivery: Some(12.5),
            ..ServerUse::default()
        });
        assert!(has(&apart, "cpu") && !has(&apart, "memory"));
    }

    #[test]
    fn both_ways_have_a_sheet_where_clients_talk() {
        assert!(talk(&fixture::typical()).is_none());
        let table = talk(&fixture::talking()).unwrap();
        assert_eq!(texts(&table, "connections"), ["2", "1"]);
        assert_eq!(texts(&table, "messages"), ["40", "40"]);
        assert_eq!(texts(&table, "overhead up"), ["205", "6"]);
        // (8,501 + 527 + 19 - 40 * 205) / 20 and (358 + 320 + 12 - 40 * 6) / 20.
        assert_eq!(texts(&table, "overhead down"), ["42.4", "22.5"]);
        assert_eq!(predictions(&table, "overhead up"), ["205", "6"]);
        let mut encrypted = fixture::talking();
        encrypted.scenario.tls = true;
        let titles: Vec<String> = talk(&encrypted)
            .unwrap()
            .columns
            .into_iter()
            .map(|c| c.title)
            .collect();
        assert!(
            titles.iter().any(|t| t == "inside TLS up") && titles.iter().all(|t| !t.contains("overhead"))
        );
        let mut half = fixture::talking();
        half.envelope.partial = true;
        assert!(!talk(&half).unwrap().is_predicted());
    }
}
