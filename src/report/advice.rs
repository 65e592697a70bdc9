//! Drawing an [`Advice`]: what each technique would cost one client and all of them, which one to take,
//! and why.

use anyhow::Result;
use clap::ValueEnum;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::figures::{figure, times};
use super::markdown::{command, escaped, fenced};
use super::table::Paint;
use super::{Style, notes, printable, wrap};
use crate::outcome::advice::{Advice, Candidate, Check, Compared, Failing, Verification};
use crate::outcome::{Block, Report, Scenario};

/// A value of `advise --format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For reading in a terminal
    #[default]
    Table,
    /// Everything that was predicted, and measured
    Json,
    /// For a report or a README
    Markdown,
}

/// Draws it; the text ends in a newline.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn render(format: Format, advice: &Advice, style: &Style) -> Result<String> {
    Ok(match format {
        Format::Table => table(advice, style),
        Format::Json => serde_json::to_string_pretty(advice)? + "\n",
        Format::Markdown => markdown(advice),
    })
}

/// A table before it is laid out.
struct Sheet {
    title: String,
    heads: Vec<(&'static str, &'static str)>,
    rows: Vec<Vec<String>>,
}

fn sheets(advice: &Advice) -> Vec<Sheet> {
    let mut sheets = vec![per_client(advice), total(advice)];
    sheets.extend(advice.verification.as_ref().map(verification));
    sheets
}

fn per_client(advice: &Advice) -> Sheet {
    let row = |c: &Candidate| {
        vec![
            printable(&c.technique),
            figure(c.per_client.requests_per_s * DAY_S),
            bytes(c.per_client.bytes_per_day),
            bytes(c.per_client.overhead_bytes_per_day),
            span(c.latency_ms.mean),
            span(c.latency_ms.worst),
            verdict(advice, c).into(),
        ]
    };
    Sheet {
        title: "One client".into(),
        heads: vec![
            ("", ""),
            ("requests", "per day"),
            ("traffic", "per day"),
            ("overhead", "per day"),
            ("mean", "delay"),
            ("worst", "delay"),
            ("", ""),
        ],
        rows: advice.results.iter().map(row).collect(),
    }
}

fn total(advice: &Advice) -> Sheet {
    let row = |c: &Candidate| {
        vec![
            printable(&c.technique),
            figure(c.total.requests_per_s),
            bytes(c.total.bytes_per_day),
            figure(c.total.bytes_per_day * 8.0 / DAY_S / 1e6),
            figure(c.total.connections),
            bytes(c.total.opening_bytes),
        ]
    };
    Sheet {
        title: format!("All {} together", figure(advice.scenario.clients as f64)),
        heads: vec![
            ("", ""),
            ("requests", "per s"),
            ("traffic", "per day"),
            ("on the line", "Mbit/s"),
            ("connections", "held"),
            ("to connect", "them all"),
        ],
        rows: advice.results.iter().map(row).collect(),
    }
}

fn verification(v: &Verification) -> Sheet {
    let row = |c: &Check| {
        let share = |c: &Compared| format!("{} %", figure((c.error.abs() * 1e3).round() / 10.0));
        let late = (c.latency_ms.predicted - c.latency_ms.measured).abs();
        vec![
            printable(&c.technique),
            figure(c.requests.measured),
            share(&c.requests),
            bytes(c.bytes.measured),
            share(&c.bytes),
            span(c.latency_ms.measured),
            format!("{} ms", figure((late * 1e2).round() / 1e2)),
        ]
    };
    Sheet {
        title: "Measured, and how far off the prediction was".into(),
        heads: vec![
            ("", ""),
            ("requests", "measured"),
            ("", "off by"),
            ("traffic", "measured"),
            ("", "off by"),
            ("mean delay", "measured"),
            ("", "off by"),
        ],
        rows: v.checks.iter().map(row).collect(),
    }
}

const DAY_S: f64 = 86_400.0;

fn verdict(advice: &Advice, c: &Candidate) -> &'static str {
    let is = |name: &Option<String>| name.as_ref() == Some(&c.technique);
    match c.fails.first() {
        Some(Failing::TooLate) => "too late",
        Some(Failing::Blocked) => "blocked",
        None if is(&advice.recommendation) => "recommended",
        None if is(&advice.runner_up) => "next best",
        None => "",
    }
}

/// `312 B`, `1.08 MB`: by powers of 1,000.
fn bytes(v: f64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut v, mut unit) = (v.round(), 0);
    while v >= 999.5 && unit + 1 < UNITS.len() {
        (v, unit) = (v / 1e3, unit + 1);
    }
    format!("{} {}", figure(v), UNITS[unit])
}

/// `2/s`, `30/min`, `1/day`.
fn rate(per_s: f64) -> String {
    let per_day = per_s * DAY_S;
    match per_day < 23.99 {
        true => format!("{}/day", figure((per_day * 1e6).round() / 1e6)),
        false => notes::rate(per_s),
    }
}

/// `0 ms`, `12.5 ms`, `1.5 s`, `10 min`, `1 h`: in the unit where it is at least 1.
fn span(ms: f64) -> String {
    let (value, unit) = match ms {
        ms if ms < 1e3 => (ms, "ms"),
        ms if ms < 60e3 => (ms / 1e3, "s"),
        ms if ms < 3_600e3 => (ms / 60e3, "min"),
        ms => (ms / 3_600e3, "h"),
    };
    // What is below this is no delay that anybody will see.
    let value = (value * 1e3).round() / 1e3;
    format!("{} {unit}", figure(value))
}

/// The case in words.
fn case(advice: &Advice) -> String {
    let s = &advice.scenario;
    let clients = match s.clients {
        1 => "1 client".into(),
        n => format!("each of {} clients", figure(n as f64)),
    };
    let mut parts = vec![format!(
        "mail of {} bytes, {} to {clients}, none later than {}",
        figure(s.size as f64),
        rate(s.rate_per_s),
        span(advice.delay_ms)
    )];
    parts.extend(s.reply.then(|| "every mail answered".into()));
    parts.extend(s.talk_per_s.map(|t| format!("every client talks, {}", rate(t))));
    parts.extend(s.block.iter().map(|b| format!("{} blocked", blocked(*b))));
    parts.extend(notes::transport(s));
    parts.extend(waits(s));
    parts.join("; ")
}

fn blocked(what: Block) -> &'static str {
    match what {
        Block::Websocket => "WebSocket",
        Block::Streaming => "streaming",
    }
}

fn waits(s: &Scenario) -> Vec<String> {
    let usual = Scenario::default();
    let mut parts = Vec::new();
    if s.hold_ms != usual.hold_ms {
        parts.push(format!("long polls held {}", span(s.hold_ms)));
    }
    if s.heartbeat_ms != usual.heartbeat_ms {
        parts.push(format!("a heartbeat after {}", span(s.heartbeat_ms)));
    }
    parts
}

/// Which one, and why, a sentence each.
fn reasons(advice: &Advice) -> Vec<String> {
    let recommended = advice
        .recommendation
        .as_ref()
        .and_then(|name| advice.candidate(name));
    let mut said = match recommended {
        Some(best) => vec![recommendation(advice, best)],
        None => vec![nothing(advice)],
    };
    let next = advice.runner_up.as_ref().and_then(|name| advice.candidate(name));
    if let (Some(best), Some(next)) = (recommended, next) {
        said.push(runner_up(best, next));
    }
    said.extend(advice.results.iter().filter_map(|c| failing(advice, c)));
    said.extend(
        advice
            .absent
            .iter()
            .map(|a| format!("{} cannot exist here: {}.", a.technique, a.why)),
    );
    if advice.results.iter().any(|c| c.technique == "poll") {
        said.push(format!(
            "Polling is taken to ask every {}, the longest with which no mail is later than {}.",
            span(advice.scenario.poll_interval_ms),
            span(advice.delay_ms)
        ));
    }
    said
}

fn recommendation(advice: &Advice, best: &Candidate) -> String {
    let fit = advice.results.iter().filter(|c| c.fails.is_empty());
    let daily = |c: &Candidate| c.per_client.bytes_per_day;
    let cheapest = fit.min_by(|a, b| daily(a).total_cmp(&daily(b)));
    let name = printable(&best.technique);
    match cheapest.filter(|c| c.technique != best.technique) {
        None => format!(
            "Recommended: {name}. Of those that meet what is asked it sends the fewest bytes, {} a day to and from \
             a client. {}",
            bytes(daily(best)),
            merit(&best.technique)
        ),
        Some(cheapest) => format!(
            "Recommended: {name}. It sends {} % more bytes than {}, which hardly matters, and asks less of all \
             that is in between. {}",
            figure(((daily(best) / daily(cheapest) - 1.0) * 100.0).max(0.1).ceil()),
            printable(&cheapest.technique),
            merit(&best.technique)
        ),
    }
}

/// What speaks for a technique besides figures.
fn merit(technique: &str) -> &'static str {
    match technique {
        "poll" => {
            "A request now and then: no client occupies the server in between, and any server, proxy and cache will do."
        }
        "long-poll" => {
            "Plain HTTP that answers at once, even through what holds streams back; each mail costs a request."
        }
        "sse" => {
            "Plain HTTP: one response that stays open, and a browser takes it up again by itself where it was cut."
        }
        "ws" => {
            "One connection for both ways; to take up where it was cut, and to know that the other is still there, is the application's affair."
        }
        "sockjs" => "It finds its way round what is blocked.",
        "socketio" => "It begins with what always works, and changes to WebSocket where it can.",
        "stomp" => "Whoever wants topics and acknowledgements would have to invent them otherwise.",
        _ => "",
    }
}

fn nothing(advice: &Advice) -> String {
    let transit = advice.scenario.link.rtt_ms / 2.0;
    if transit > advice.delay_ms {
        return format!(
            "Nothing is recommended: half a round trip is {}, and no technique brings mail sooner.",
            span(transit)
        );
    }
    "Nothing is recommended: none of these meets what is asked.".into()
}

fn runner_up(best: &Candidate, next: &Candidate) -> String {
    let (a, b) = (&next.per_client, &best.per_client);
    let bytes = match a.bytes_per_day / b.bytes_per_day {
        r if r < 0.995 => format!("{} % fewer bytes", figure(((1.0 - r) * 100.0).round())),
        r if r < 1.005 => "as many bytes".into(),
        r => format!("{} the bytes", times(r)),
    };
    let daily = |c: &Candidate| figure(c.per_client.requests_per_s * DAY_S);
    let requests = match daily(next) == daily(best) {
        true => String::new(),
        false => format!(", and {} requests a day instead of {}", daily(next), daily(best)),
    };
    format!(
        "Next best: {}, with {bytes}{requests}.",
        printable(&next.technique)
    )
}

fn failing(advice: &Advice, c: &Candidate) -> Option<String> {
    let name = printable(&c.technique);
    let each = c.fails.iter().map(|f| match f {
        Failing::TooLate => format!(
            "mail can be {} late, and {} is the most it may",
            span(c.latency_ms.worst),
            span(advice.delay_ms)
        ),
        Failing::Blocked => "it is blocked on the way".into(),
    });
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| format!("Not {name}: {}.", each.join(", and ")))
}

/// How the verification went, a sentence each.
fn verified(v: &Verification) -> Vec<String> {
    let s = &v.scenario;
    let scaled = scaled(v);
    let ran = format!(
        "Run was the nearest case that fits this machine ({scaled}): {} mails at {} to {} clients, polling every {}.",
        figure(s.mails as f64),
        rate(s.rate_per_s),
        s.clients,
        span(s.poll_interval_ms)
    );
    let off: Vec<String> = v
        .checks
        .iter()
        .filter(|c| !c.holds())
        .map(|c| printable(&c.technique))
        .collect();
    let held = match off.as_slice() {
        [] => {
            "All predictions for it are within 10 % of what was measured, or within 2 ms for a delay.".into()
        }
        off => format!(
            "Of {} a prediction is more than 10 % off, and more than 2 ms for a delay.",
            off.join(" and ")
        ),
    };
    vec![ran, held]
}

/// How the case was changed for it.
fn scaled(v: &Verification) -> String {
    let s = &v.scaled;
    let factor = |f: f64| match f {
        f if f >= 1.0 => figure((f * 100.0).round() / 100.0),
        f => format!("1/{}", figure((1.0 / f).round())),
    };
    let differs = |f: f64| (f - 1.0).abs() > 1e-3;
    let parts = [
        (s.clients != v.scenario.clients as u64).then(|| {
            format!(
                "{} clients instead of {}",
                v.scenario.clients,
                figure(s.clients as f64)
            )
        }),
        differs(s.faster).then(|| format!("time runs {} times as fast", factor(s.faster))),
        differs(s.mail).then(|| format!("mail comes {} times as often as that makes it", factor(s.mail))),
        s.talk
            .filter(|f| differs(*f))
            .map(|f| format!("clients talk {} times as often as that makes them", factor(f))),
        differs(s.hold).then(|| format!("long polls are held {} times as long", factor(s.hold))),
        differs(s.heartbeat).then(|| format!("heartbeats come {} times as late", factor(s.heartbeat))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => "just as it is".into(),
        false => parts.join("; "),
    }
}

fn alarms(advice: &Advice) -> Vec<String> {
    let Some(v) = &advice.verification else {
        return Vec::new();
    };
    notes::alarms(&Report {
        mailcall: advice.mailcall.clone(),
        schema: advice.schema,
        argv: advice.argv.clone(),
        partial: advice.partial,
        environment: advice.environment.clone(),
        scenario: v.scenario.clone(),
        results: v.results.clone(),
        absent: Vec::new(),
        remote: None,
    })
}

const LEGEND: &str = "Predicted for clients that stay, in the long run. held: connections that a waiting client \
                      occupies; one that idles between two polls may be dropped. to connect: what it takes when \
                      all connect anew.";

/// A rule under the header.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

fn table(advice: &Advice, style: &Style) -> String {
    let width = style.columns().min(100);
    let paint = Paint(style.colour);
    let mut out = wrap(&case(advice), width, 2);
    for sheet in sheets(advice) {
        out.push('\n');
        out.push_str(&paint.strong(&format!("{}\n", sheet.title)));
        grid(&mut out, &sheet, style.columns());
    }
    out.push('\n');
    out.push_str(&paint.dim(&wrap(LEGEND, width, 0)));
    for paragraph in [
        reasons(advice),
        advice.verification.as_ref().map(verified).unwrap_or_default(),
    ] {
        if !paragraph.is_empty() {
            out.push('\n');
        }
        for line in paragraph {
            out.push_str(&wrap(&printable(&line), width, 2));
        }
    }
    for line in alarms(advice) {
        out.push_str(&paint.alarm(&wrap(&printable(&line), width, 2)));
    }
    out
}

/// Lays a sheet out; where the width does not suffice, the columns that do not fit come below, behind the
/// names once more.
fn grid(out: &mut String, sheet: &Sheet, width: usize) {
    let mut from = 1;
    while from < sheet.heads.len() {
        let mut upto = sheet.heads.len();
        let mut text = laid_out(sheet, from, upto);
        while upto > from + 1 && text.lines().any(|l| l.chars().count() > width) {
            upto -= 1;
            text = laid_out(sheet, from, upto);
        }
        out.push_str(&text);
        from = upto;
    }
}

fn laid_out(sheet: &Sheet, from: usize, upto: usize) -> String {
    let shown = |i: &usize| *i == 0 || (from..upto).contains(i);
    let mut table = Table::new();
    table
        .load_style(RULED)
        .set_content_arrangement(ContentArrangement::Disabled)
        .force_no_tty();
    let heads = sheet.heads.iter().enumerate().filter(|(i, _)| shown(i));
    table.set_header(heads.map(|(_, (head, unit))| format!("{head}\n{unit}")));
    for row in &sheet.rows {
        let cells = row.iter().enumerate().filter(|(i, _)| shown(i));
        table.add_row(cells.map(|(_, cell)| cell));
    }
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if i == 0 { 0 } else { 2 }, 0));
        let words = sheet
            .heads
            .get(from + i - usize::from(i > 0))
            .is_some_and(|h| h.0.is_empty() && h.1.is_empty());
        if i > 0 && !words {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
        .lines()
        .map(|line| line.trim_end().to_string() + "\n")
        .collect()
}

fn markdown(advice: &Advice) -> String {
    let bars = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut out = format!("{}.\n", escaped(&case(advice)));
    for sheet in sheets(advice) {
        out += &format!("\n**{}**\n\n", escaped(&sheet.title));
        let heads = sheet
            .heads
            .iter()
            .map(|(head, unit)| format!("{head} {unit}").trim().to_string());
        out += &bars(&heads.collect::<Vec<_>>());
        let aligned = (0..sheet.heads.len()).map(|i| if i == 0 { "---" } else { "---:" }.to_string());
        out += &bars(&aligned.collect::<Vec<_>>());
        for row in &sheet.rows {
            out += &bars(&row.iter().map(|cell| escaped(cell)).collect::<Vec<_>>());
        }
    }
    out.push('\n');
    let verified = advice.verification.as_ref().map(verified).unwrap_or_default();
    for line in reasons(advice).into_iter().chain(verified) {
        out += &format!("- {}\n", escaped(&line));
    }
    for line in alarms(advice) {
        out += &format!("\n> **{}**\n", escaped(&line));
    }
    out += &format!("\n{}\n\nBy:\n\n", escaped(LEGEND));
    out += &fenced("sh", &format!("{}\n", command(&advice.argv)));
    out
}
