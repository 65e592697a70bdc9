//! What is said in words above and below the tables: the scenario, the delivery sheet, the warnings.

use super::figures::figure;
use super::printable;
use crate::outcome::{Arrivals, Frames, Link, Outcome, Report, Scenario};

/// The scenario on one line: what every report opens with. What is at its default and would teach
/// nothing is left out.
pub fn scenario(report: &Report) -> String {
    let s = &report.scenario;
    let clients = if s.clients == 1 {
        "1 client".into()
    } else {
        format!("{} clients", count(s.clients as u64))
    };
    let mut parts = vec![mail(report), clients];
    if report.results.iter().any(|o| o.technique == "poll") {
        parts.push(format!("polling every {}", duration(s.poll_interval_ms)));
    }
    parts.extend(knobs(s));
    parts.extend(transport(s));
    parts.join("; ")
}

fn mail(report: &Report) -> String {
    let s = &report.scenario;
    let mut text = match &s.replay {
        Some(file) => replayed(report, file),
        None => {
            let arrivals = match s.arrivals {
                Arrivals::Poisson => "at random (Poisson)".into(),
                Arrivals::Steady => "at a steady pace".into(),
                Arrivals::Burst(k) => format!("in bursts of {k}"),
            };
            let rate = rate(s.rate_per_s);
            format!(
                "{} of {} bytes, {arrivals} at {rate}, seed {}",
                mails(s.mails),
                count(s.size as u64),
                s.seed
            )
        }
    };
    if s.attach > 0 {
        text.push_str(&format!(
            ", each with an attachment of {} bytes",
            count(s.attach as u64)
        ));
    }
    text
}

fn replayed(report: &Report, file: &str) -> String {
    let sent = report.results.iter().map(|o| o.mails.sent).max().unwrap_or(0);
    let speed = match report.scenario.replay_speed {
        1.0 => "as fast as they came".into(),
        faster => format!("{} times as fast as they came", figure(faster)),
    };
    format!(
        "{} replayed from {}, {speed}, seed {}",
        mails(sent),
        printable(file),
        report.scenario.seed
    )
}

/// Settings that are named only where they differ from the default.
fn knobs(s: &Scenario) -> Vec<String> {
    let usual = Scenario::default();
    [
        (s.reply, "every mail answered".to_string()),
        (
            s.hold_ms != usual.hold_ms,
            format!("long polls held {}", duration(s.hold_ms)),
        ),
        (
            s.heartbeat_ms != usual.heartbeat_ms,
            format!("a heartbeat after {}", duration(s.heartbeat_ms)),
        ),
        (s.frames == Frames::Binary, "binary WebSocket frames".to_string()),
        (s.keep != usual.keep, format!("a log of {}", mails(s.keep as u64))),
        (s.repeat > 1, format!("{} seeds", s.repeat)),
    ]
    .into_iter()
    .filter_map(|(said, text)| said.then_some(text))
    .collect()
}

fn transport(s: &Scenario) -> Vec<String> {
    let mut parts = Vec::new();
    if s.http != "1.1" {
        parts.push(format!("HTTP/{}", printable(&s.http)));
    }
    if s.tls {
        parts.push("TLS".into());
    }
    match s.headers.as_str() {
        "lean" => {}
        "browser" => parts.push("a browser's headers".into()),
        file => parts.push(format!("headers from {}", printable(file))),
    }
    if s.link != Link::default() {
        parts.push(link(&s.link));
    }
    parts
}

fn link(link: &Link) -> String {
    let mut parts = vec![format!("{} round trip", duration(link.rtt_ms))];
    if link.jitter_ms > 0.0 {
        parts.push(format!("{} jitter", duration(link.jitter_ms)));
    }
    if let Some(bits) = link.bandwidth_bit_s {
        parts.push(format!("{} kbit/s", figure(bits / 1e3)));
    }
    if link.loss_fraction > 0.0 {
        parts.push(format!("{} % loss", figure(link.loss_fraction * 100.0)));
    }
    format!("simulated link: {}", parts.join(", "))
}

/// How the columns are to be read.
pub fn legend(report: &Report, marks: bool, percentiles: bool) -> String {
    let samples = report
        .results
        .iter()
        .filter_map(|o| o.latency_us.as_ref())
        .map(|l| l.count)
        .min();
    let few = samples.filter(|n| percentiles && *n < 100);
    let parts = [
        marks.then(|| "×3: three times the best.".to_string()),
        (!report.partial).then(|| "predicted: what the model says of the same run.".into()),
        Some(overhead_is(report).into()),
        few.map(|n| format!("p99 of {n} is the largest.")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn overhead_is(report: &Report) -> &'static str {
    if report.scenario.tls {
        "overhead: every byte but payload, that is head + framing + control + tls."
    } else {
        "overhead: every byte but payload, that is head + framing + control."
    }
}

/// Everything that must not be overlooked, each on a line of its own: mail that did not come once and
/// in order, figures not to believe, an interruption.
pub fn alarms(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = report.results.iter().filter_map(delivery).collect();
    lines.extend(warnings(report));
    if report.partial {
        lines.push("PARTIAL: interrupted; these figures cover only what had happened by then.".into());
    }
    lines
}

/// What is wrong with an outcome's delivery sheet, if anything is.
fn delivery(o: &Outcome) -> Option<String> {
    let m = &o.mails;
    let name = printable(&o.technique);
    (!o.clean()).then(|| {
        format!(
            "{name}: delivered {} of {}: {}",
            count(m.delivered),
            count(m.expected),
            faults(o).join(", ")
        )
    })
}

/// The entries of a delivery sheet that should be 0.
pub fn faults(o: &Outcome) -> Vec<String> {
    let m = &o.mails;
    let missing = m.replies.map_or(0, |r| m.expected.saturating_sub(r));
    let unasked = m.replies.map_or(0, |r| r.saturating_sub(m.expected));
    let unaccounted = m.expected.saturating_sub(m.delivered + m.lost + m.gap);
    [
        (m.lost, "lost"),
        (m.gap, "no longer in the log (a gap was told)"),
        (m.duplicated, "delivered twice"),
        (m.reordered, "out of order"),
        (missing, "never answered"),
        (unasked, "answered twice"),
        (unaccounted, "not accounted for"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{} {what}", count(n)))
    .collect()
}

/// Warnings that several techniques share (they ran at once) are given once, with all their names.
fn warnings(report: &Report) -> Vec<String> {
    let mut said: Vec<(&str, Vec<String>)> = Vec::new();
    for o in &report.results {
        let busy = (o.trust.starved && o.trust.warnings.is_empty()).then_some(BUSY);
        for warning in o.trust.warnings.iter().map(String::as_str).chain(busy) {
            match said.iter_mut().find(|(text, _)| *text == warning) {
                Some((_, names)) => names.push(printable(&o.technique)),
                None => said.push((warning, vec![printable(&o.technique)])),
            }
        }
    }
    said.into_iter()
        .map(|(text, names)| format!("warning: {}: {}", names.join(", "), printable(text)))
        .collect()
}

const BUSY: &str = "the machine was too busy to measure";

/// With several seeds: how far the mean latency and the overhead moved from seed to seed.
pub fn repeats(report: &Report) -> Option<String> {
    let range = |o: &Outcome, of: fn(&Outcome) -> Option<f64>| {
        let values: Vec<f64> = o.repeats.iter().filter_map(of).collect();
        let low = values.iter().copied().reduce(f64::min)?;
        let high = values.iter().copied().reduce(f64::max)?;
        Some(format!("{} to {}", figure(low), figure(high)))
    };
    let each = report.results.iter().filter_map(|o| {
        let latency = range(o, super::figures::mean_ms)?;
        let overhead = range(o, |o| o.overhead_bytes_per_delivery)?;
        Some(format!(
            "{} {latency} ms and {overhead} B",
            printable(&o.technique)
        ))
    });
    let each: Vec<String> = each.collect();
    let seeds = report.results.iter().map(|o| o.repeats.len()).max()?;
    (!each.is_empty()).then(|| {
        format!(
            "Over {seeds} seeds mean latency and overhead went from … to …: {}.",
            each.join("; ")
        )
    })
}

fn mails(n: u64) -> String {
    if n == 1 {
        "1 mail".into()
    } else {
        format!("{} mails", count(n))
    }
}

fn count(n: u64) -> String {
    figure(n as f64)
}

/// `2/s`, `30/min`, `1.5/h`: in the unit where it is at least 1, as on the command line.
fn rate(per_s: f64) -> String {
    let (value, unit) = match per_s {
        r if r >= 1.0 => (r, "s"),
        r if r * 60.0 >= 1.0 => (r * 60.0, "min"),
        r => (r * 3600.0, "h"),
    };
    format!("{}/{unit}", figure(value))
}

/// `200 ms`, `25 s`.
pub fn duration(ms: f64) -> String {
    if ms < 1_000.0 {
        format!("{} ms", figure(ms))
    } else {
        format!("{} s", figure(ms / 1e3))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn the_scenario_in_words() {
        let mut report = fixture::typical();
        let usual =
            "20 mails of 300 bytes, at random (Poisson) at 2/s, seed 1; 1 client; polling every 200 ms";
        assert_eq!(scenario(&report), usual);
        report.results.remove(0);
        report.scenario = Scenario {
            mails: 1,
            attach: 60_000,
            arrivals: Arrivals::Burst(5),
            rate_per_s: 1.0 / 40.0,
            clients: 1_000,
            reply: true,
            hold_ms: 5_000.0,
            frames: Frames::Binary,
            headers: "browser".into(),
            link: Link {
                rtt_ms: 100.0,
                loss_fraction: 0.01,
                ..Link::default()
            },
            ..Scenario::default()
        };
        assert_eq!(
            scenario(&report),
            "1 mail of 300 bytes, in bursts of 5 at 1.50/min, seed 1, each with an attachment of 60,000 bytes; \
             1,000 clients; every mail answered; long polls held 5 s; binary WebSocket frames; \
             a browser's headers; simulated link: 100 ms round trip, 1 % loss"
        );
        report.scenario = Scenario {
            replay: Some("메일\u{1b}.mbox".into()),
            replay_speed: 8640.0,
            headers: "my.txt".into(),
            ..Scenario::default()
        };
        assert_eq!(
            scenario(&report),
            "20 mails replayed from 메일\u{fffd}.mbox, 8,640 times as fast as they came, seed 1; 1 client; \
             headers from my.txt"
        );
    }

    #[test]
    fn an_unclean_sheet_is_spelled_out() {
        assert_eq!(alarms(&fixture::typical()), Vec::<String>::new());
        assert_eq!(
            alarms(&fixture::lost()),
            [
                "sse: delivered 18 of 20: 2 lost",
                "ws: delivered 20 of 20: 1 out of order, 1 never answered"
            ]
        );
        let mut gap = fixture::typical();
        gap.results[0].mails = crate::outcome::Delivery {
            expected: 20,
            delivered: 16,
            gap: 3,
            duplicated: 2,
            ..Default::default()
        };
        assert_eq!(
            alarms(&gap),
            [
                "poll: delivered 16 of 20: 3 no longer in the log (a gap was told), 2 delivered twice, \
              1 not accounted for"
            ]
        );
    }

    #[test]
    fn warnings_are_given_once_and_an_interruption_last() {
        let mut report = fixture::typical();
        report.partial = true;
        for i in [0, 3] {
            report.results[i].trust.warnings = vec!["arrivals were late".into()];
        }
        report.results[1].trust.starved = true;
        assert_eq!(
            alarms(&report),
            [
                "warning: poll, ws: arrivals were late",
                "warning: long-poll: the machine was too busy to measure",
                "PARTIAL: interrupted; these figures cover only what had happened by then."
            ]
        );
        assert!(!legend(&report, true, false).contains("predicted"));
    }

    #[test]
    fn repeats_show_their_range() {
        let mut report = fixture::only(&fixture::typical(), "ws");
        assert_eq!(repeats(&report), None);
        let (mut slow, fast) = (report.results[0].clone(), report.results[0].clone());
        slow.latency_us.as_mut().unwrap().mean = 200.0;
        report.results[0].repeats = vec![slow, fast];
        let text = repeats(&report).unwrap();
        assert!(
            text.contains("Over 2 seeds") && text.contains("ws 0.085 to 0.200 ms and 22.5 to 22.5 B"),
            "{text}"
        );
    }

    #[test]
    fn the_legend_says_what_a_small_sample_means() {
        let report = fixture::typical();
        assert!(legend(&report, true, true).contains("p99 of 20 is the largest"));
        assert!(!legend(&report, true, false).contains("p99"));
        assert!(!legend(&fixture::ws_loses(), true, true).contains("p99"));
        assert!(!legend(&report, false, true).contains('×'));
    }
}
