//! The view of a server that went away and came back: how many clients came at once, and when all had their mail.

use anyhow::Result;

use crate::lang::{list, t, text};
use crate::outcome::Delivery;
use crate::outcome::storm::{Recovery, Row, STEP_MS, Storm};
use crate::report::chart::{self, Axis, Fill, Line, Scale};
use crate::report::csv::Records;
use crate::report::doc::{self, Block, Column, Doc, Drawing, Narrow, Table};
use crate::report::json::json_of;
use crate::report::notes::{
    Things, all_waits, arrivals, cannot_be, count, counted, duration, rate, transport,
};
use crate::report::numbers::{NOTHING, figure};
use crate::report::picture::Picture;
use crate::report::prose::{pad, wrap};
use crate::report::source::{command, place};
use crate::report::view::View;
use crate::technique;
use crate::terminal::printable;
use crate::theory::Jitter;

const HEADS: [(&str, &str); 6] = [
    ("in 0.5 s", "connects"),
    ("last", "connect"),
    ("all mail", "after"),
    ("handshakes", "per client"),
    ("overhead", "B/client"),
    ("TLS", "B/client"),
];

const MAIL: [(&str, &str); 6] = [
    ("expected", ""),
    ("delivered", ""),
    ("lost", ""),
    ("undelivered", ""),
    ("duplicated", ""),
    ("reset", ""),
];

/// The share of clients from which on they are said to come together.
const ALL: f64 = 0.9;

/// Paths into a row.
const PATHS: &str = "
    technique connects most_connects_in_500ms first_connect_ms last_connect_ms recovered_ms requests overhead_bytes
    bytes.up.total bytes.down.total bytes.up.tls bytes.down.tls mails.expected mails.delivered mails.lost
    mails.undelivered mails.duplicated mails.reordered mails.gap mails.reset predicted.connects
    predicted.most_connects_in_500ms predicted.last_connect_ms predicted.recovered_ms predicted.overhead_bytes
";

impl View for Storm {
    fn doc(&self) -> Doc {
        let mut blocks = vec![
            Block::Scenario(scenario(self)),
            Block::Text(sentence(self)),
            Block::Table(recoveries(self)),
        ];
        let came = self.results.iter().any(|row| row.figures.connects > 0);
        blocks.extend(came.then(|| Block::TextChart(drawing(self))));
        blocks.push(Block::Table(mail(self)));
        blocks.push(Block::legend(legend(self)));
        blocks.push(Block::Text(delivery(self)));
        blocks.extend(came.then(|| Block::Chart(picture(self))));
        blocks.extend(faults(self).into_iter().map(Block::Warning));
        blocks.extend(cannot_be(&self.absent).into_iter().map(Block::Absent));
        let question = t!("A server goes away and comes back: how do all its clients return?");
        Doc {
            place: place(&self.envelope.mailcall, self.environment.as_ref()),
            ..Doc::answering(question, "storm", command(&self.envelope.argv), blocks)
        }
    }

    fn records(&self) -> Result<Records> {
        Records::of(PATHS, &self.results)
    }

    fn json(&self) -> Result<String> {
        json_of(self)
    }
}

fn scenario(storm: &Storm) -> String {
    let s = &storm.scenario;
    let down = duration(storm.down_ms);
    let mut parts = vec![
        counted(s.clients as f64, Things::Clients),
        t!(
            "mail of %{size} bytes, %{arrivals} at %{rate}, seed %{seed}",
            size = count(s.size as u64),
            arrivals = arrivals(s),
            rate = rate(s.rate_per_s),
            seed = s.seed
        ),
        match storm.new_log {
            true => t!(
                "the server is away for %{down} and comes back with a new log",
                down = down
            ),
            false => t!(
                "the server is away for %{down} and comes back with its log",
                down = down
            ),
        },
        all_waits(&s.retry, storm.longest_wait_ms),
    ];
    parts.extend(transport(s));
    if storm.simulated {
        parts.insert(0, t!("simulated, nothing was measured"));
    }
    parts.join("; ")
}

/// What to notice first.
fn sentence(storm: &Storm) -> String {
    let clients = count(storm.scenario.clients as u64);
    let busiest = storm
        .results
        .iter()
        .max_by_key(|row| row.figures.most_connects_in_500ms);
    let Some(row) = busiest.filter(|row| row.figures.connects > 0) else {
        return t!("No client came back.");
    };
    let name = printable(&row.technique);
    let most = count(row.figures.most_connects_in_500ms);
    let together = match storm.scenario.retry.jitter {
        Jitter::None if (row.figures.most_connects_in_500ms as f64) < ALL * storm.scenario.clients as f64 => {
            t!(
                "Without jitter all clients wait equally long, and only what else sets them apart spreads them: within \
             half a second the server of %{name} got at most %{most} connections from %{clients} clients.",
                name = name,
                most = most,
                clients = clients
            )
        }
        Jitter::None => t!(
            "Without jitter all clients wait equally long and stay together: within half a second the server of \
             %{name} got %{most} connections from %{clients} clients.",
            name = name,
            most = most,
            clients = clients
        ),
        Jitter::Equal | Jitter::Full => t!(
            "Jitter spreads the clients: within half a second the server of %{name} got at most %{most} connections \
             from %{clients} clients.",
            name = name,
            most = most,
            clients = clients
        ),
    };
    let slowest = storm
        .results
        .iter()
        .filter_map(|row| Some((row.figures.recovered_ms?, row)));
    let slowest = slowest.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(ms, row)| {
        t!(
            "The last client had every mail %{after} after the server was back (%{name}).",
            after = seconds(ms),
            name = printable(&row.technique)
        )
    });
    let formula = storm
        .formula_most_connects_in_500ms
        .filter(|_| storm.scenario.retry.jitter != Jitter::None)
        .map(|most| {
            t!(
                "The formula for long outages expects %{most} clients in the fullest half second.",
                most = figure(most.round())
            )
        });
    let sentences = [Some(together), slowest, formula];
    sentences.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn recoveries(storm: &Storm) -> Table {
    let shown = if storm.scenario.tls {
        HEADS.len()
    } else {
        HEADS.len() - 1
    };
    let cells = |r: &Recovery| {
        let mut cells = recovery(storm, r);
        cells.truncate(shown);
        cells
    };
    let row = |row: &Row| doc::Row {
        predicted: row.predicted.as_ref().map(&cells),
        ..doc::Row::plain(printable(&row.technique), cells(&row.figures))
    };
    Table {
        columns: HEADS[..shown].iter().map(|head| Column::numbers(*head)).collect(),
        rows: storm.results.iter().map(row).collect(),
        narrow: Narrow::Fill,
        ..Table::default()
    }
}

fn recovery(storm: &Storm, r: &Recovery) -> Vec<String> {
    let clients = storm.scenario.clients.max(1) as f64;
    let time = |ms: Option<f64>| ms.map_or_else(|| NOTHING.into(), seconds);
    vec![
        count(r.most_connects_in_500ms),
        time(r.last_connect_ms),
        time(r.recovered_ms),
        format!("{:.1}", r.connects as f64 / clients),
        figure((r.overhead_bytes as f64 / clients).round()),
        figure(((r.bytes.up.labels.tls + r.bytes.down.labels.tls) as f64 / clients).round()),
    ]
}

fn mail(storm: &Storm) -> Table {
    let row = |row: &Row| {
        let m: &Delivery = &row.figures.mails;
        let counts = [
            m.expected,
            m.delivered,
            m.lost,
            m.undelivered,
            m.duplicated,
            m.reset,
        ];
        doc::Row::plain(printable(&row.technique), counts.map(count))
    };
    Table {
        title: t!("The mail, over all clients"),
        columns: MAIL.iter().map(|head| Column::numbers(*head)).collect(),
        rows: storm.results.iter().map(row).collect(),
        narrow: Narrow::Fill,
        ..Table::default()
    }
}

fn legend(storm: &Storm) -> String {
    let mut parts = vec![
        t!(
            "All times count from the server's return. in 0.5 s: the most connections that it accepted in any half \
             second. all mail: when the last client had every mail. handshakes: connections since the return. \
             overhead: all bytes since the return but the mail itself."
        ),
        t!(
            "The server ends like a killed process: its connections end without a closing handshake, and clients that \
             come meanwhile are refused."
        ),
    ];
    if storm.scenario.tls {
        parts.push(t!(
            "TLS: the part of it that encryption adds. The process that comes back has new keys, so no TLS session is \
             resumed: each handshake is a full one."
        ));
    }
    let polled = storm
        .results
        .iter()
        .any(|row| technique::named(&row.technique).is_some_and(|t| t.is_polled(&storm.scenario)));
    if polled {
        parts.push(t!(
            "Clients that poll are spread by their random phases, even without jitter."
        ));
    }
    parts.join(" ")
}

/// What became of the mail.
fn delivery(storm: &Storm) -> String {
    let all = || storm.results.iter().map(|row| &row.figures.mails);
    let sum = |f: fn(&Delivery) -> u64| count(all().map(f).sum());
    match (storm.new_log, storm.is_clean()) {
        (_, false) => String::new(),
        (false, true) => t!(
            "Every mail came once and in order, also what arrived meanwhile: the log outlived the server, and each \
             client asked for what comes after its cursor."
        ),
        (true, true) if all().all(|m| m.lost == 0) => t!(
            "The new log knows nothing of the old one: clients were told so %{reset} times (reset). Nothing is lost, \
             because they had seen all mail of the old log.",
            reset = sum(|m| m.reset)
        ),
        (true, true) => t!(
            "The new log knows nothing of the old one: clients were told so %{reset} times (reset), and mail of the \
             old log that a client had not seen is lost: %{lost} deliveries.",
            reset = sum(|m| m.reset),
            lost = sum(|m| m.lost)
        ),
    }
}

/// What should not have happened.
fn faults(storm: &Storm) -> Vec<String> {
    let unclean = storm.results.iter().filter(|row| !row.is_clean(storm.new_log));
    let faults = unclean.map(|row| {
        let m = &row.figures.mails;
        let counted = [
            (m.lost, text!("%{n} lost")),
            (m.undelivered, text!("%{n} undelivered")),
            (m.duplicated, text!("%{n} duplicated")),
            (m.reordered, text!("%{n} reordered")),
            (m.gap, text!("%{n} missed")),
            (m.reset, text!("%{n} reset")),
        ];
        let some = counted.into_iter().filter(|(n, _)| *n > 0);
        let some: Vec<String> = some.map(|(n, words)| t!(words, n = count(n))).collect();
        format!("{}: {}", printable(&row.technique), list(&some))
    });
    let partial = storm
        .envelope
        .partial
        .then(|| t!("PARTIAL: interrupted; techniques whose server was not back yet are missing."));
    faults.chain(partial).collect()
}

fn seconds(ms: f64) -> String {
    format!("{:.1} s", ms / 1e3)
}

/// The names and connects of all charts' lines: each technique measured, and predicted.
fn series(storm: &Storm) -> Vec<(String, Vec<u64>)> {
    let lines = storm.results.iter().flat_map(|row| {
        let name = printable(&row.technique);
        let predicted = row.predicted.as_ref();
        let predicted = predicted.map(|p| ("  predicted".to_owned(), p.connects_per_100ms.clone()));
        [(name, row.figures.connects_per_100ms.clone())]
            .into_iter()
            .chain(predicted)
    });
    lines.collect()
}

/// The connects over time in characters, each of which stands for as many steps as make all fit.
fn drawing(storm: &Storm) -> Drawing {
    let series = series(storm);
    Drawing::new(move |width| drawn(&series, width))
}

fn drawn(series: &[(String, Vec<u64>)], width: usize) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let names = series
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let room = width.saturating_sub(names + 2).clamp(10, 100);
    let steps = series.iter().map(|(_, steps)| steps.len()).max().unwrap_or(0);
    let each = steps.div_ceil(room).max(1);
    let sum = |chunk: &[u64]| chunk.iter().map(|n| *n as f64).sum::<f64>();
    let summed = |steps: &[u64]| steps.chunks(each).map(sum).collect::<Vec<f64>>();
    let most = series
        .iter()
        .flat_map(|(_, steps)| summed(steps))
        .fold(1.0, f64::max);
    let caption = t!(
        "connects after the server's return, a character for %{step}; the highest is %{most}",
        step = duration(STEP_MS * each as f64),
        most = figure(most)
    );
    let mut out = wrap(&caption, width, 0);
    for (name, steps) in series {
        let drawn: String = summed(steps)
            .into_iter()
            .map(|n| match (n / most * 8.0).ceil() as usize {
                0 => ' ',
                level => LEVELS[level.min(8) - 1],
            })
            .collect();
        out += format!("{}  {drawn}", pad(name, names)).trim_end();
        out.push('\n');
    }
    out
}

/// The same as a chart.
fn picture(storm: &Storm) -> Picture {
    let points = |steps: &[u64]| {
        let at = |i: usize| i as f64 * STEP_MS / 1e3;
        let steps = steps.iter().enumerate();
        steps.map(|(i, n)| (at(i), *n as f64)).collect::<Vec<_>>()
    };
    let lines: Vec<Line> = storm
        .results
        .iter()
        .enumerate()
        .flat_map(|(i, row)| {
            let line = |recovery: &Recovery, dashed| Line {
                name: printable(&row.technique),
                fill: Fill::Technique(i),
                points: points(&recovery.connects_per_100ms),
                dashed,
                steps: true,
            };
            let predicted = row.predicted.as_ref().map(|p| line(p, true));
            [line(&row.figures, false)].into_iter().chain(predicted)
        })
        .collect();
    let x = Axis::new(&t!("s after the server's return"), Scale::Linear, figure);
    let y = Axis::new(&t!("connects per 100 ms"), Scale::Linear, figure);
    Picture::new(
        "storm",
        t!("How the clients come back"),
        t!("The lower and the wider, the better for the server."),
        sentence(storm),
        move |about, width| chart::lines(about, &x, &y, &lines, &[], width),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Envelope, Environment, Retry, Scenario};
    use crate::report::draw::draw;
    use crate::report::format::Format;
    use crate::report::style::Style;

    fn recovery(most: u64) -> Recovery {
        Recovery {
            connects: 500,
            connects_per_100ms: vec![0, 30, 70, 0, 400],
            most_connects_in_500ms: most,
            first_connect_ms: Some(101.0),
            last_connect_ms: Some(450.0),
            recovered_ms: Some(2_050.0),
            requests: 500,
            overhead_bytes: 100_000,
            mails: Delivery {
                sent: 10,
                expected: 5_000,
                delivered: 5_000,
                ..Delivery::default()
            },
            ..Recovery::default()
        }
    }

    fn storm() -> Storm {
        Storm {
            envelope: Envelope::new(Some("storm"), vec!["storm".into()], false),
            environment: Some(Environment::default()),
            scenario: Scenario {
                clients: 500,
                retry: Retry {
                    first_ms: Some(1_000.0),
                    jitter: Jitter::None,
                    ..Retry::default()
                },
                ..Scenario::default()
            },
            simulated: false,
            down_ms: 5_000.0,
            new_log: false,
            longest_wait_ms: 5_000.0,
            formula_most_connects_in_500ms: Some(500.0),
            results: vec![Row {
                technique: "ws".into(),
                figures: recovery(500),
                predicted: Some(recovery(480)),
            }],
            absent: Vec::new(),
        }
    }

    fn said(storm: &Storm, format: Format) -> String {
        let style = Style {
            width: Some(80),
            ..Style::default()
        };
        draw(format, storm, &style).unwrap()
    }

    fn flat(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_table_says_how_they_came_and_that_every_mail_did() {
        let text = said(&storm(), Format::Table);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let text = flat(&text);
        for said in [
            "500 clients; mail of 300 bytes",
            "the server is away for 5 s and comes back with its log",
            "first wait 1 s, times 2 after each failure up to 5 s, no jitter",
            "got 500 connections from 500 clients",
            "2.0 s after the server was back (ws)",
            "ws 500 0.5 s 2.0 s 1.0 200 predicted 480 0.5 s 2.0 s 1.0 200",
            "ws 5,000 5,000 0 0 0 0",
            "Every mail came once and in order",
        ] {
            assert!(text.contains(said), "{said}\n{text}");
        }
        assert!(!text.contains("TLS"), "{text}");
    }

    #[test]
    fn clients_that_something_else_spreads_are_not_said_to_come_together() {
        let mut storm = storm();
        storm.results[0].figures.most_connects_in_500ms = 130;
        let text = flat(&said(&storm, Format::Table));
        assert!(
            text.contains("what else sets them apart") && !text.contains("stay together"),
            "{text}"
        );
    }

    #[test]
    fn connects_are_drawn_at_any_width() {
        let series = series(&storm());
        let wide = drawn(&series, 80);
        assert_eq!(wide.lines().nth(1), Some("ws            ▁▂ █"), "{wide}");
        assert!(
            wide.starts_with(
                "connects after the server's return, a character for 100 ms; the highest is 400"
            )
        );
        let long = vec![("ws".to_owned(), vec![1; 1_000])];
        let narrow = drawn(&long, 50);
        assert!(narrow.lines().all(|line| line.chars().count() <= 50), "{narrow}");
        assert!(narrow.lines().last().unwrap().starts_with("ws  █"), "{narrow}");
    }

    #[test]
    fn what_is_lost_is_said_and_a_new_log_may_lose() {
        let mut storm = storm();
        let mails = &mut storm.results[0].figures.mails;
        (mails.delivered, mails.lost) = (4_990, 10);
        assert!(!storm.is_clean());
        assert!(flat(&said(&storm, Format::Table)).contains("ws: 10 lost"));
        storm.new_log = true;
        storm.results[0].figures.mails.reset = 500;
        assert!(storm.is_clean());
        let text = flat(&said(&storm, Format::Table));
        assert!(
            text.contains("told so 500 times (reset)") && text.contains("lost: 10 deliveries"),
            "{text}"
        );
        storm.results[0].figures.mails.undelivered = 1;
        assert!(!storm.is_clean());
    }

    #[test]
    fn every_format_draws_it_and_json_is_read_back() {
        let mut storm = storm();
        storm.scenario.tls = true;
        storm.results[0].figures.bytes.down.labels.tls = 500_000;
        assert!(flat(&said(&storm, Format::Table)).contains("1,000"));
        let csv = said(&storm, Format::Csv);
        assert!(
            csv.starts_with("technique,connects,most_connects_in_500ms,"),
            "{csv}"
        );
        let page = said(&storm, Format::Html);
        assert!(
            page.contains("<svg") && page.contains("How the clients come back"),
            "{page}"
        );
        assert!(said(&storm, Format::Markdown).contains("| ws |"));
        let json = said(&storm, Format::Json);
        assert_eq!(serde_json::from_str::<Storm>(&json).unwrap(), storm);
    }
}
