//! The view of clients that vanished without closing: how long each server kept them.

use anyhow::Result;

use crate::lang::{list, t, text};
use crate::outcome::vanish::{Row, Vanishing};
use crate::outcome::{HttpVersion, Scenario};
use crate::report::csv::Records;
use crate::report::doc::{self, Block, Column, Doc, Table};
use crate::report::json::json_of;
use crate::report::notes::{arrivals, cannot_be, count, duration, held, rate, transport};
use crate::report::numbers::figure;
use crate::report::source::command;
use crate::report::view::View;
use crate::terminal::printable;
use crate::theory::Cause;

const HEADS: [(&str, &str); 6] = [
    ("heartbeat", "every"),
    ("noticed", "after"),
    ("predicted", ""),
    ("by", ""),
    ("held", "conn."),
    ("unacked", "bytes"),
];

/// Paths into a row.
const PATHS: &str = "
    technique heartbeat_ms noticed_ms first_noticed_ms by connections.held connections.let_go mails.delivered
    mails.arrived_since buffered_bytes lost_up_bytes predicted.earliest_ms predicted.latest_ms predicted.by
";

impl View for Vanishing {
    fn doc(&self) -> Doc {
        let column = |head: &(&str, &'static str)| match head {
            ("by", _) => Column::words(*head),
            _ => Column::numbers(*head),
        };
        let row = |row: &Row| doc::Row::plain(printable(&row.technique), cells(self, row));
        let table = Table {
            columns: HEADS.iter().map(column).collect(),
            rows: self.results.iter().map(row).collect(),
            ..Table::default()
        };
        let mut blocks = vec![
            Block::Scenario(scenario(self)),
            Block::Table(table),
            Block::legend(legend(self)),
            Block::Text(lesson(self)),
        ];
        blocks.extend(warnings(self).into_iter().map(Block::Warning));
        let question = t!("Clients die without a word: how long until each server knows?");
        Doc::answering(question, "vanish", command(&self.envelope.argv), blocks)
    }

    fn records(&self) -> Result<Records> {
        Records::of(PATHS, &self.results)
    }

    fn json(&self) -> Result<String> {
        json_of(self)
    }
}

fn cells(v: &Vanishing, row: &Row) -> [String; 6] {
    let never = || format!("not in {}", duration(v.patience_ms));
    [
        row.heartbeat_ms.map_or_else(|| "–".into(), duration),
        match row.noticed_ms {
            Some(ms) => seconds(ms),
            None if row.connections.held == 0 => "–".into(),
            None if v.envelope.partial => "not yet".into(),
            None => never(),
        },
        match row.predicted {
            None if row.connections.held == 0 => "–".into(),
            None => never(),
            Some(p) if seconds(p.earliest_ms) == seconds(p.latest_ms) => seconds(p.latest_ms),
            Some(p) => format!("{}–{}", bare(p.earliest_ms), seconds(p.latest_ms)),
        },
        row.by.map_or("–", word).into(),
        count(row.connections.held),
        count(row.buffered_bytes),
    ]
}

fn seconds(ms: f64) -> String {
    format!("{} s", bare(ms))
}

fn bare(ms: f64) -> String {
    format!("{:.1}", ms / 1e3)
}

/// The word for a cause in the table.
fn word(cause: Cause) -> &'static str {
    match cause {
        Cause::PingUnanswered => "no pong",
        Cause::HeartBeatMissed => "no beat",
        Cause::Stalled => "buffer full",
        Cause::RetransmissionTimeout => "no ack",
        Cause::Idle => "no request",
        Cause::Answered => "answered",
    }
}

/// The meaning of a word in the table.
fn meaning(cause: Cause) -> String {
    match cause {
        Cause::PingUnanswered => t!("no pong: pings stayed without an answer, one after the other."),
        Cause::HeartBeatMissed => {
            t!("no beat: the client's heart-beats did not come, for twice as long as was agreed on.")
        }
        Cause::Stalled => t!("buffer full: the server could not write, for longer than it puts up with."),
        Cause::RetransmissionTimeout => t!("no ack: the kernel gave up sending again."),
        Cause::Idle => t!("no request: none came, for longer than an idle connection is kept."),
        Cause::Answered => t!("answered: the connection was for one request, and that had its answer."),
    }
}

fn scenario(v: &Vanishing) -> String {
    let s = &v.scenario;
    let clients = match s.clients {
        1 => t!("1 client dies without a word"),
        n => t!("%{n} clients die without a word", n = count(n as u64)),
    };
    let mut parts = vec![
        clients,
        t!(
            "mail of %{size} bytes, %{arrivals} at %{rate}, seed %{seed}",
            size = count(s.size as u64),
            arrivals = arrivals(s),
            rate = rate(s.rate_per_s),
            seed = s.seed
        ),
        t!("watched for %{patience}", patience = duration(v.patience_ms)),
    ];
    parts.extend(usual(s));
    parts.extend(transport(s));
    parts.join("; ")
}

fn usual(s: &Scenario) -> Option<String> {
    let usual = Scenario::default();
    (s.hold_ms != usual.hold_ms).then(|| held(s))
}

fn legend(v: &Vanishing) -> String {
    let m = &v.modelled;
    let mut causes: Vec<Cause> = Vec::new();
    for cause in v.results.iter().filter_map(|r| r.by) {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    let mut parts: Vec<String> = causes.into_iter().map(meaning).collect();
    parts.push(match v.scenario.http {
        HttpVersion::Http2 => {
            t!("held: connections that the server kept until then (a stream on one may be over before).")
        }
        _ => t!("held: connections that the server kept until then."),
    });
    parts.push(t!(
        "unacked: what it wrote since, which nobody gets. Modelled after Linux, not measured: a send buffer of \
         %{buffer} bytes, sent again after %{timeout}, then twice as long each time, given up after %{given_up} s.",
        buffer = count(m.send_buffer_bytes as u64),
        timeout = duration(m.retransmission_timeout_ms),
        given_up = figure(m.gives_up_after_ms.round() / 1e3)
    ));
    parts.join(" ")
}

/// The main observation.
fn lesson(v: &Vanishing) -> String {
    let by = |cause: Cause| names(v, |r| r.by == Some(cause));
    let silent = |r: &Row| r.noticed_ms.is_none() && r.connections.held > 0;
    let crowded = |r: &Row| silent(r) && r.heartbeat_ms.is_some_and(|ms| v.scenario.rate_per_s * ms >= 1e3);
    let end = match v.envelope.partial {
        true => t!("by then"),
        false => t!("after %{time}", time = duration(v.patience_ms)),
    };
    [
        (
            by(Cause::PingUnanswered),
            text!("%{names} noticed by asking: a ping wants an answer, and none came."),
        ),
        (
            by(Cause::HeartBeatMissed),
            text!("%{names} noticed by listening: the client had promised heart-beats, and none came."),
        ),
        (
            by(Cause::Idle),
            text!(
                "%{names} let go without having noticed anything: a limit on idle connections ran out, as it would \
                 have on a client that is merely quiet."
            ),
        ),
        (
            by(Cause::Stalled),
            text!("%{names} noticed only because so much mail came that the send buffer was full."),
        ),
        (
            names(v, |r| silent(r) && r.buffered_bytes > 0),
            text!(
                "%{names} had not noticed %{end}: what is written lies in the send buffer, as if it were on its way. \
                 Writing is not delivering; only what a client says proves that it is there."
            ),
        ),
        (
            names(v, |r| silent(r) && r.buffered_bytes == 0),
            text!(
                "%{names} had not noticed %{end}, and had written nothing: where nothing is sent, nothing can fail."
            ),
        ),
        (
            names(v, crowded),
            text!("%{names} hardly sent one: a heartbeat breaks a silence, and mail came more often than that."),
        ),
        (
            names(v, |r| r.connections.held == 0),
            text!("%{names} had no connection open, and so nothing to miss."),
        ),
    ]
    .into_iter()
    .filter_map(|(names, what)| Some(t!(what, names = names?, end = end)))
    .collect::<Vec<_>>()
    .join(" ")
}

/// The names of the rows that match a condition.
fn names(v: &Vanishing, so: impl Fn(&Row) -> bool) -> Option<String> {
    let named = |r: &Row| {
        let twin = |o: &&Row| o.technique == r.technique && o.heartbeat_ms != r.heartbeat_ms;
        match (r.heartbeat_ms, v.results.iter().any(|o| twin(&o))) {
            (Some(_), true) => t!("%{name} with heartbeats", name = r.technique),
            (None, true) => t!("%{name} without", name = r.technique),
            _ => r.technique.clone(),
        }
    };
    let names: Vec<String> = v.results.iter().filter(|r| so(r)).map(named).collect();
    (!names.is_empty()).then(|| list(&names))
}

fn warnings(v: &Vanishing) -> Vec<String> {
    let mut lines = cannot_be(&v.absent);
    if v.envelope.partial {
        lines.push(t!(
            "PARTIAL: interrupted; what was not noticed by then may have been later."
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::vanish::{Kept, MailCounts, Modelled, PredictedNotice};
    use crate::outcome::{Absent, Envelope, Environment};
    use crate::report::{Format, Style, draw};

    fn row(technique: &str, heartbeat_ms: Option<f64>, noticed: Option<(f64, Cause)>) -> Row {
        Row {
            technique: technique.into(),
            heartbeat_ms,
            noticed_ms: noticed.map(|(ms, _)| ms),
            first_noticed_ms: noticed.map(|(ms, _)| ms),
            by: noticed.map(|(_, cause)| cause),
            connections: Kept {
                held: 1,
                let_go: noticed.is_some().into(),
            },
            mails: MailCounts::default(),
            buffered_bytes: 1_234,
            lost_up_bytes: 0,
            predicted: noticed.map(|(ms, by)| PredictedNotice {
                earliest_ms: ms - 500.0,
                latest_ms: ms,
                by,
            }),
        }
    }

    fn vanishing() -> Vanishing {
        Vanishing {
            envelope: Envelope::new(Some("vanish"), vec!["vanish".into()], false),
            environment: Environment {
                os: "linux".into(),
                cpu: None,
                cores: 2,
                ..Environment::default()
            },
            scenario: Scenario {
                rate_per_s: 0.1,
                ..Scenario::default()
            },
            patience_ms: 60e3,
            modelled: Modelled {
                send_buffer_bytes: 69_120,
                retransmission_timeout_ms: 200.0,
                gives_up_after_ms: 924_600.0,
            },
            results: vec![
                row("poll", None, Some((29_900.0, Cause::Idle))),
                row("sse", Some(5e3), None),
                row("sse", None, None),
                row("ws", Some(5e3), Some((14_250.0, Cause::PingUnanswered))),
                row("ws", None, None),
            ],
            absent: Vec::new(),
        }
    }

    fn drawn(v: &Vanishing, format: Format) -> String {
        draw(format, v, &Style::default()).unwrap()
    }

    #[test]
    fn the_table_says_who_noticed_by_what_and_who_did_not() {
        let text = drawn(&vanishing(), Format::Table);
        let row = |start: &str| {
            let line = text.lines().find(|l| l.starts_with(start)).unwrap();
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(row("poll"), "poll – 29.9 s 29.4–29.9 s no request 1 1,234");
        assert_eq!(row("ws "), "ws 5 s 14.2 s 13.8–14.2 s no pong 1 1,234");
        assert_eq!(row("sse"), "sse 5 s not in 60 s not in 60 s – 1 1,234");
        assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for said in [
            "1 client dies without a word; mail of 300 bytes, at random (Poisson) at 6/min, seed 1; watched for 60 s",
            "ws with heartbeats noticed by asking",
            "sse with heartbeats, sse without and ws without had not noticed after 60 s: what is written",
            "poll let go without having noticed anything",
            "given up after 925 s",
            "Modelled after Linux, not measured",
        ] {
            assert!(flat.contains(said), "{said}\n{text}");
        }
        assert!(!text.contains("PARTIAL") && !text.contains("buffer full"));
    }

    #[test]
    fn heartbeats_that_had_no_silence_to_break_are_named() {
        let mut v = vanishing();
        let said = |v: &Vanishing| lesson(v).contains("sse with heartbeats hardly sent one");
        assert!(!said(&v), "a mail every 10 s, a heartbeat every 5");
        v.scenario.rate_per_s = 2.0;
        assert!(said(&v), "{}", lesson(&v));
    }

    #[test]
    fn what_is_cut_short_or_cannot_be_is_said() {
        let mut v = vanishing();
        v.envelope.partial = true;
        v.scenario.http = HttpVersion::Http10;
        v.absent = vec![Absent {
            technique: "ws".into(),
            why: "it needs HTTP/1.1".into(),
        }];
        v.results[0] = Row {
            connections: Kept::default(),
            ..row("poll", None, None)
        };
        for format in [Format::Table, Format::Markdown] {
            let text = drawn(&v, format);
            assert!(text.contains("PARTIAL") && text.contains("not yet"), "{text}");
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains("ws: not possible here: it needs HTTP/1.1"));
            assert!(text.contains("poll had no connection open"), "{text}");
            assert!(text.contains("ws without had not noticed by then"), "{text}");
        }
    }

    #[test]
    fn json_has_null_for_what_was_not_noticed_and_is_read_back() {
        let v = vanishing();
        let text = drawn(&v, Format::Json);
        assert_eq!(serde_json::from_str::<Vanishing>(&text).unwrap(), v);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["command"], "vanish");
        assert!(json["results"][1]["noticed_ms"].is_null() && json["results"][1]["predicted"].is_null());
        assert_eq!(json["results"][3]["by"], "ping-unanswered");
        assert_eq!(json["modelled"]["send_buffer_bytes"], 69_120);
    }

    #[test]
    fn markdown_has_the_same_cells() {
        let text = drawn(&vanishing(), Format::Markdown);
        assert!(
            text.contains("| ws | 5 s | 14.2 s | 13.8–14.2 s | no pong | 1 | 1,234 |"),
            "{text}"
        );
    }

    #[test]
    fn a_spreadsheet_has_a_row_for_each_and_nothing_where_nothing_was_noticed() {
        let text = drawn(&vanishing(), Format::Csv);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "technique,heartbeat_ms,noticed_ms,first_noticed_ms,by,connections_held,connections_let_go,\
             mails_delivered,mails_arrived_since,buffered_bytes,lost_up_bytes,predicted_earliest_ms,\
             predicted_latest_ms,predicted_by"
        );
        assert_eq!(lines[2], "sse,5000.0,,,,1,0,0,0,1234,0,,,");
        assert_eq!(
            lines[4],
            "ws,5000.0,14250.0,14250.0,ping-unanswered,1,1,0,0,1234,0,13750.0,14250.0,ping-unanswered"
        );
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn a_page_has_the_same_cells_and_what_to_notice() {
        let mut v = vanishing();
        v.results[0].technique = "<b>poll".into();
        v.envelope.partial = true;
        let text = drawn(&v, Format::Html);
        for part in [
            "<td><span>13.8–14.2 s</span></td>",
            "<td class=\"words\"><span>no pong</span></td>",
            "ws with heartbeats noticed by asking",
            "<code>mailcall vanish</code>",
            "PARTIAL: interrupted",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("<b>"), "{text}");
    }
}
