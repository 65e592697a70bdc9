//! The transports that were tried before one worked: as a table, and after failures as a drawing to scale
//! with characters: how long each failure took, what was lost meanwhile, and what the fallback costs.

use unicode_width::UnicodeWidthStr;

use crate::lang::t;
use crate::outcome::{Attempt, Outcome, Report};
use crate::report::doc::{Column, Details, Drawing, Row, Table};
use crate::report::numbers::{figure, waited};
use crate::report::prose::{clip, pad, wrap};
use crate::terminal::printable;

/// Columns of the bars, if there is room.
const BARS: usize = 24;
/// Columns between columns.
const GAP: usize = 2;
/// The least width of a result beside a bar.
const RESULT: usize = 24;

/// The transports that the clients of a report tried, if they had a choice.
pub fn of(report: &Report) -> Option<Details> {
    let rows = report
        .results
        .iter()
        .flat_map(|o| o.attempts.iter().map(|a| row(o, a)));
    let rows: Vec<Row> = rows.collect();
    let columns = [
        Column::numbers(("client", "")),
        Column::words(("transport", "")),
        Column::numbers(("began after", "")),
        Column::numbers(("took", "")),
        Column::words(("result", "")),
    ];
    let cascades: Vec<Cascade> = report.results.iter().filter_map(Cascade::of).collect();
    (!rows.is_empty()).then(|| Details {
        table: Table {
            title: t!("Which transports were tried"),
            columns: columns.into(),
            rows,
            ..Table::default()
        },
        folded: false,
        drawing: (!cascades.is_empty()).then(|| {
            Drawing::new(move |width| {
                let drawn = cascades.iter().map(|cascade| cascade.draw(width));
                drawn.collect::<Vec<_>>().join("\n")
            })
        }),
    })
}

fn row(o: &Outcome, a: &Attempt) -> Row {
    let cells = [
        (a.client + 1).to_string(),
        printable(&a.transport),
        waited(a.t_us / 1e3),
        waited(a.took_us / 1e3),
        result(a),
    ];
    Row::plain(printable(&o.technique), cells)
}

fn result(a: &Attempt) -> String {
    match &a.failed {
        None => t!("works"),
        Some(why) => t!("failed: %{why}", why = printable(why)),
    }
}

/// The attempts of a technique's first client, if one failed.
struct Cascade {
    title: String,
    tried: Vec<Attempt>,
    sum: String,
}

impl Cascade {
    fn of(o: &Outcome) -> Option<Cascade> {
        let tried = session(o, 0);
        tried.iter().any(|a| a.failed.is_some()).then(|| Cascade {
            title: t!(
                "What %{name} tried, one after the other",
                name = printable(&o.technique)
            ),
            sum: sum(o, tried),
            tried: tried.to_vec(),
        })
    }

    fn draw(&self, width: usize) -> String {
        let mut out = wrap(&self.title, width, 2);
        for line in lines(&self.tried, width) {
            out += line.trim_end();
            out.push('\n');
        }
        out + &wrap(&self.sum, width, 2)
    }
}

/// A client's attempts until the first success.
fn session(o: &Outcome, client: usize) -> &[Attempt] {
    // A client's attempts are consecutive and in order.
    let from = o
        .attempts
        .iter()
        .position(|a| a.client == client)
        .unwrap_or(o.attempts.len());
    let all = &o.attempts[from..];
    let until = all.iter().position(|a| a.client != client).unwrap_or(all.len());
    let last_failure = all[..until].iter().position(|a| a.failed.is_some());
    let works = last_failure.and_then(|n| Some(n + all[n..until].iter().position(|a| a.failed.is_none())?));
    &all[..works.map_or(until, |n| n + 1)]
}

fn lines(tried: &[Attempt], width: usize) -> Vec<String> {
    let names: Vec<String> = tried
        .iter()
        .map(|a| clip(&printable(&a.transport), width / 3))
        .collect();
    let took: Vec<String> = tried.iter().map(|a| waited(a.took_us / 1e3)).collect();
    let widest = |texts: &[String]| texts.iter().map(|t| t.width()).max().unwrap_or(0);
    let (name, time) = (widest(&names), widest(&took));
    let bars = match width >= name + GAP + BARS + GAP + time + GAP + RESULT {
        true => BARS,
        false => 0,
    };
    let end = tried.last().map_or(1.0, |a| (a.t_us + a.took_us).max(1.0));
    let mut lines = Vec::new();
    for ((attempt, name_), took) in tried.iter().zip(&names).zip(&took) {
        let mut line = pad(name_, name);
        if bars > 0 {
            line += &format!("{:GAP$}{}", "", pad(&bar(attempt, end, bars), bars));
        }
        line += &format!("{:GAP$}{}{took}", "", " ".repeat(time - took.width()));
        let result = result(attempt);
        match line.width() + GAP + result.width() <= width {
            true => lines.push(format!("{line}{:GAP$}{result}", "")),
            false => {
                lines.push(line);
                lines.extend(
                    wrap(&result, width.saturating_sub(GAP), 0)
                        .lines()
                        .map(|l| format!("{:GAP$}{l}", "")),
                );
            }
        }
    }
    lines
}

/// A bar from an attempt's beginning to its end, in eighths of a column.
fn bar(attempt: &Attempt, end: f64, columns: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let scale = (columns * 8) as f64 / end;
    let from = ((attempt.t_us * scale / 8.0) as usize).min(columns - 1);
    let length = (attempt.took_us * scale).round().max(1.0) as usize;
    let (whole, rest) = (length / 8, EIGHTHS[length % 8]);
    let bar = format!("{}{}{rest}", " ".repeat(from), "█".repeat(whole));
    bar.chars().take(columns).collect()
}

fn sum(o: &Outcome, first: &[Attempt]) -> String {
    let vain: f64 = first
        .iter()
        .filter(|a| a.failed.is_some())
        .map(|a| a.took_us)
        .sum();
    let lost = match o.mails.lost {
        0 => t!("nothing"),
        n => t!("%{n} mails", n = n),
    };
    let others = (1..=o.attempts.iter().map(|a| a.client).max().unwrap_or(0))
        .filter(|client| same(session(o, *client), first))
        .count();
    let others = match others {
        0 => String::new(),
        n => t!(" %{n} more clients went the same way.", n = n),
    };
    let cost = o.overhead_bytes_per_delivery.map_or(String::new(), |bytes| {
        t!(
            " In all, a mail then cost %{bytes} bytes besides itself.",
            bytes = figure(bytes)
        )
    });
    t!(
        "In vain: %{time}; lost meanwhile: %{lost}.%{others}%{cost}",
        time = waited(vain / 1e3),
        lost = lost,
        others = others,
        cost = cost
    )
}

fn same(a: &[Attempt], b: &[Attempt]) -> bool {
    let way = |tried: &[Attempt]| -> Vec<(String, bool)> {
        tried
            .iter()
            .map(|a| (a.transport.clone(), a.failed.is_some()))
            .collect()
    };
    way(a) == way(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    /// The drawing after a blank line.
    fn draw(report: &Report, width: usize) -> String {
        let drawing = of(report).and_then(|details| details.drawing);
        drawing.map_or(String::new(), |drawing| format!("\n{}", drawing.draw(width)))
    }

    fn attempt(client: usize, transport: &str, t_ms: f64, took_ms: f64, failed: Option<&str>) -> Attempt {
        Attempt {
            client,
            transport: transport.into(),
            t_us: t_ms * 1e3,
            took_us: took_ms * 1e3,
            failed: failed.map(Into::into),
        }
    }

    fn blocked() -> Report {
        let mut report = fixture::typical();
        let o = &mut report.results[0];
        o.technique = "sockjs".into();
        for client in 0..3 {
            o.attempts.extend([
                attempt(client, "info", 0.0, 1.5, None),
                attempt(
                    client,
                    "websocket",
                    1.5,
                    0.5,
                    Some("the server answered 403 Forbidden"),
                ),
                attempt(
                    client,
                    "xhr-streaming",
                    2.0,
                    602.0,
                    Some("timed out after 602 ms"),
                ),
                attempt(client, "xhr-polling", 604.0, 1.2, None),
                // After a cut it starts again, which is not drawn.
                attempt(client, "info", 900.0, 1.2, None),
                attempt(
                    client,
                    "websocket",
                    901.0,
                    1.2,
                    Some("the server answered 403 Forbidden"),
                ),
            ]);
        }
        report
    }

    #[test]
    fn failures_are_drawn_to_scale_and_summed_up() {
        let drawn = draw(&blocked(), 96);
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines[1], "What sockjs tried, one after the other");
        assert_eq!(
            lines[2..6],
            [
                "info           ▏                         1.5 ms  works",
                "websocket      ▏                         0.5 ms  failed: the server answered 403 Forbidden",
                "xhr-streaming  ███████████████████████▉  602 ms  failed: timed out after 602 ms",
                "xhr-polling                           ▏  1.2 ms  works",
            ]
        );
        let sum = lines[6..].join(" ");
        assert!(
            sum.starts_with("In vain: 602 ms; lost meanwhile: nothing. 2 more clients went the same way."),
            "{sum}"
        );
        assert!(sum.contains("bytes besides itself"), "{sum}");
    }

    #[test]
    fn it_fits_any_width() {
        for width in 40..=200 {
            let drawn = draw(&blocked(), width);
            assert!(drawn.lines().all(|l| l.width() <= width), "{width}:\n{drawn}");
            assert!(drawn.contains("403") && drawn.contains("xhr-polling"), "{drawn}");
        }
    }

    #[test]
    fn without_failure_there_is_nothing_to_draw() {
        let mut report = blocked();
        assert_eq!(draw(&fixture::typical(), 80), "");
        for a in &mut report.results[0].attempts {
            a.failed = None;
        }
        assert_eq!(draw(&report, 80), "");
    }
}
