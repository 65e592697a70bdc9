//! Drawing an [`Advice`]: what each technique would cost one client and all of them, which one to take,
//! and why.

use anyhow::Result;
use clap::ValueEnum;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::figures::{figure, times};
use super::markdown::{command, escaped, fenced};
use super::table::Paint;
use super::{Style, notes, printable, wrap};
use crate::lang::{list, t, text};
use crate::outcome::advice::{Advice, Candidate, Check, Compared, Failing, Verification};
use crate::outcome::{Absent, Block, Report, Scenario};

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

/// `0 ms`, `12.5 ms`, `1.5 s`, `10 min`, `1 h`, `2 days`: in the unit where it is at least 1.
fn span(ms: f64) -> String {
    let (value, unit) = match ms {
        ms if ms < 1e3 => (ms, "ms"),
        ms if ms < 60e3 => (ms / 1e3, "s"),
        ms if ms < 3_600e3 => (ms / 60e3, "min"),
        ms if ms < 48.0 * 3_600e3 => (ms / 3_600e3, "h"),
        ms => (ms / 86_400e3, "days"),
    };
    // What is below this is no delay that anybody will see.
    let value = (value * 1e3).round() / 1e3;
    format!("{} {unit}", figure(value))
}

/// The case in words.
fn case(advice: &Advice) -> String {
    let s = &advice.scenario;
    let clients = match s.clients {
        1 => t!("1 client"),
        n => t!("each of %{n} clients", n = figure(n as f64)),
    };
    let mut parts = vec![t!(
        "mail of %{size} bytes, %{rate} to %{clients}, none later than %{delay}",
        size = figure(s.size as f64),
        rate = rate(s.rate_per_s),
        clients = clients,
        delay = span(advice.delay_ms)
    )];
    parts.extend(s.reply.then(|| t!("every mail answered")));
    parts.extend(
        s.talk_per_s
            .map(|t| t!("every client talks, %{rate}", rate = rate(t))),
    );
    parts.extend(
        s.block
            .iter()
            .map(|b| t!("%{what} is blocked", what = blocked(*b))),
    );
    parts.extend(notes::transport(s));
    parts.extend(waits(s));
    parts.join("; ")
}

fn blocked(what: Block) -> &'static str {
    match what {
        Block::Websocket => "websocket",
        Block::Streaming => "streaming",
    }
}

fn waits(s: &Scenario) -> Vec<String> {
    let usual = Scenario::default();
    let mut parts = Vec::new();
    if s.hold_ms != usual.hold_ms {
        parts.push(t!("long polls held %{hold}", hold = span(s.hold_ms)));
    }
    if s.heartbeat_ms != usual.heartbeat_ms {
        parts.push(t!("a heartbeat after %{pause}", pause = span(s.heartbeat_ms)));
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
    let cannot = |a: &Absent| {
        t!(
            "%{name} cannot exist here: %{why}.",
            name = printable(&a.technique),
            why = t!(&a.why)
        )
    };
    said.extend(advice.absent.iter().map(cannot));
    if advice.candidate("poll").is_some_and(|c| c.fails.is_empty()) {
        said.push(t!(
            "Polling is taken to ask every %{interval}, the longest with which no mail is later than %{delay}.",
            interval = span(advice.scenario.poll_interval_ms),
            delay = span(advice.delay_ms)
        ));
    }
    said
}

fn recommendation(advice: &Advice, best: &Candidate) -> String {
    let fit = advice.results.iter().filter(|c| c.fails.is_empty());
    let daily = |c: &Candidate| c.per_client.bytes_per_day;
    let cheapest = fit.min_by(|a, b| daily(a).total_cmp(&daily(b)));
    let name = printable(&best.technique);
    let why = match cheapest.filter(|c| c.technique != best.technique) {
        None => t!(
            "Of those that meet what is asked it sends the fewest bytes, %{bytes} a day to and from a client.",
            bytes = bytes(daily(best))
        ),
        Some(cheapest) => t!(
            "It sends %{more} % more bytes than %{cheapest}, which hardly matters, and demands less of all that is in \
             between.",
            more = figure(((daily(best) / daily(cheapest) - 1.0) * 100.0).max(0.1).ceil()),
            cheapest = printable(&cheapest.technique)
        ),
    };
    t!(
        "Recommended: %{name}. %{why} %{merit}",
        name = name,
        why = why,
        merit = t!(merit(&best.technique))
    )
}

/// What speaks for a technique besides figures.
fn merit(technique: &str) -> &'static str {
    match technique {
        "poll" => text!(
            "A request now and then: no client occupies the server in between, and any server, proxy and cache will do."
        ),
        "long-poll" => text!(
            "Plain HTTP that answers at once, even through what holds streams back; each mail costs a request."
        ),
        "sse" => text!(
            "Plain HTTP: one response that stays open, and a browser takes it up again by itself where it was cut."
        ),
        "ws" => {
            text!("One connection for both ways; to take up where it was cut is the application's affair.")
        }
        "sockjs" => text!("It finds its way round what is blocked."),
        "socketio" => text!("It begins with what always works, and changes to WebSocket where it can."),
        _ => text!("It brings what an application would have to invent otherwise, such as topics."),
    }
}

fn nothing(advice: &Advice) -> String {
    let transit = advice.scenario.link.rtt_ms / 2.0;
    if transit > advice.delay_ms {
        return t!(
            "Nothing is recommended: half a round trip is %{transit}, and no technique brings mail sooner.",
            transit = span(transit)
        );
    }
    t!("Nothing is recommended: none of these meets what is asked.")
}

fn runner_up(best: &Candidate, next: &Candidate) -> String {
    let (a, b) = (&next.per_client, &best.per_client);
    let bytes = match a.bytes_per_day / b.bytes_per_day {
        r if r < 0.995 => t!("%{n} % fewer bytes", n = figure(((1.0 - r) * 100.0).round())),
        r if r < 1.005 => t!("as many bytes"),
        r => t!("%{times} the bytes", times = times(r)),
    };
    let daily = |c: &Candidate| figure(c.per_client.requests_per_s * DAY_S);
    let name = printable(&next.technique);
    if daily(next) == daily(best) {
        return t!("Next best: %{name}, with %{bytes}.", name = name, bytes = bytes);
    }
    t!(
        "Next best: %{name}, with %{bytes}, and %{requests} requests a day instead of %{fewer}.",
        name = name,
        bytes = bytes,
        requests = daily(next),
        fewer = daily(best)
    )
}

fn failing(advice: &Advice, c: &Candidate) -> Option<String> {
    let each = c.fails.iter().map(|f| match f {
        Failing::TooLate => t!(
            "mail can be %{worst} late, and %{delay} is the most it may",
            worst = span(c.latency_ms.worst),
            delay = span(advice.delay_ms)
        ),
        Failing::Blocked => t!("it is blocked on the way"),
    });
    let each: Vec<String> = each.collect();
    let name = printable(&c.technique);
    (!each.is_empty()).then(|| t!("Not %{name}: %{why}.", name = name, why = list(&each)))
}

/// How the verification went, a sentence each.
fn verified(v: &Verification) -> Vec<String> {
    let s = &v.scenario;
    let ran = t!(
        "Run was the nearest case that fits this machine (%{scaled}): %{mails} mails at %{rate} to %{clients} clients, \
         polling every %{interval}.",
        scaled = scaled(v),
        mails = figure(s.mails as f64),
        rate = rate(s.rate_per_s),
        clients = s.clients,
        interval = span(s.poll_interval_ms)
    );
    let off: Vec<String> = v
        .checks
        .iter()
        .filter(|c| !c.holds())
        .map(|c| printable(&c.technique))
        .collect();
    let held = match off.as_slice() {
        [] => t!("All predictions for it are within 10 % of what was measured, or within 2 ms for a delay."),
        off => t!(
            "Of %{names} a prediction is off by more than 10 %, and by more than 2 ms if it is a delay.",
            names = list(off)
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
    let differs = |f: &f64| (f - 1.0).abs() > 1e-3;
    let some = |f: f64| Some(f).filter(differs).map(factor);
    let parts = [
        (s.clients != v.scenario.clients as u64).then(|| {
            t!(
                "%{n} clients instead of %{asked}",
                n = v.scenario.clients,
                asked = figure(s.clients as f64)
            )
        }),
        some(s.faster).map(|n| t!("time runs %{n} times as fast", n = n)),
        some(s.mail).map(|n| t!("mail comes %{n} times as often as that makes it", n = n)),
        s.talk
            .and_then(some)
            .map(|n| t!("clients talk %{n} times as often as that makes them", n = n)),
        some(s.hold).map(|n| t!("long polls are held %{n} times as long as that makes it", n = n)),
        some(s.heartbeat).map(|n| t!("heartbeats wait %{n} times as long as that makes them", n = n)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => t!("just as it is"),
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

const LEGEND: &str = text!(
    "Predicted for clients that stay, in the long run. held: connections that a waiting client occupies; one that \
     idles between two polls may be dropped. to connect: what it takes when all connect anew, besides what \
     their mail takes."
);

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
    out.push_str(&paint.dim(&wrap(&t!(LEGEND), width, 0)));
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
    out += &format!("\n{}\n\nBy:\n\n", escaped(&t!(LEGEND)));
    out += &fenced("sh", &format!("{}\n", command(&advice.argv)));
    out
}
