//! Drawing an [`Advice`]: what each technique would cost one client and all of them, which one to take,
//! and why.

use anyhow::Result;
use clap::ValueEnum;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use unicode_width::UnicodeWidthStr;

use super::figures::{figure, scaled_to, speed, times};
use super::markdown::{command, escaped, fenced};
use super::table::Paint;
use super::{Style, notes, printable, wrap};
use crate::lang::{list, t, text};
use crate::outcome::advice::{Advice, Candidate, Check, Compared, Delay, Failing, Verification};
use crate::outcome::{Absent, Block, Report, Scenario};
use crate::technique;

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
        Format::Json => super::json_of(advice)?,
        Format::Markdown => markdown(advice),
    })
}

/// A table before it is laid out.
struct Sheet {
    title: String,
    parts: Vec<Part>,
    names: Vec<String>,
}

/// Columns that belong together: where a terminal is too narrow for all, each part is a table of its own.
struct Part {
    /// What is said behind the sheet's title when it stands by itself.
    about: String,
    heads: Vec<(&'static str, &'static str)>,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    /// All parts side by side.
    fn whole(&self) -> Part {
        let heads = self.parts.iter().flat_map(|part| part.heads.clone()).collect();
        let row = |i: usize| self.parts.iter().flat_map(|part| part.rows[i].clone()).collect();
        Part {
            about: String::new(),
            heads,
            rows: (0..self.names.len()).map(row).collect(),
        }
    }
}

fn sheets(advice: &Advice) -> Vec<Sheet> {
    let mut sheets = vec![per_client(advice), total(advice)];
    sheets.extend(advice.verification.as_ref().map(verification));
    sheets
}

fn names(advice: &Advice) -> Vec<String> {
    advice.results.iter().map(|c| printable(&c.technique)).collect()
}

fn per_client(advice: &Advice) -> Sheet {
    let spent = |c: &Candidate| {
        vec![
            figure(c.per_client.requests_per_s * DAY_S),
            bytes(c.per_client.bytes_per_day),
            bytes(c.per_client.overhead_bytes_per_day),
        ]
    };
    let talks = advice.scenario.talk_per_s.is_some();
    let late = |c: &Candidate| {
        let Delay { mean, worst, .. } = c.latency_ms;
        let mut row = vec![bound(mean), bound(worst), share(late_share(c))];
        if talks {
            row.insert(2, bound(c.talk_latency_ms.and_then(|d| d.worst)));
        }
        row.push(verdict(advice, c).into());
        row
    };
    let mut delays = vec![
        ("mean", "delay"),
        ("worst", "delay"),
        ("how often", "later"),
        ("", ""),
    ];
    if talks {
        delays.insert(2, ("worst", "up"));
    }
    Sheet {
        title: t!("One client"),
        names: names(advice),
        parts: vec![
            Part {
                about: t!("what it takes"),
                heads: vec![
                    ("requests", "per day"),
                    ("traffic", "per day"),
                    ("overhead", "per day"),
                ],
                rows: advice.results.iter().map(spent).collect(),
            },
            Part {
                about: t!("how late mail is"),
                heads: delays,
                rows: advice.results.iter().map(late).collect(),
            },
        ],
    }
}

/// The share of what a client hears, or says, that is later than was asked: the larger.
fn late_share(c: &Candidate) -> f64 {
    let talk = c.talk_latency_ms.map_or(0.0, |d| d.later_share);
    c.latency_ms.later_share.max(talk)
}

fn total(advice: &Advice) -> Sheet {
    let traffic = |c: &Candidate| {
        vec![
            figure(c.total.requests_per_s),
            bytes(c.total.bytes_per_day),
            speed(c.total.bytes_per_day * 8.0 / DAY_S),
        ]
    };
    let connections = |c: &Candidate| {
        vec![
            figure(whole_if_large(c.total.connections)),
            figure(c.total.opened_per_s),
            bytes(c.total.opening_bytes),
        ]
    };
    Sheet {
        title: t!("All %{n} together", n = figure(advice.scenario.clients as f64)),
        names: names(advice),
        parts: vec![
            Part {
                about: t!("traffic"),
                heads: vec![("requests", "per s"), ("traffic", "per day"), ("on the", "line")],
                rows: advice.results.iter().map(traffic).collect(),
            },
            Part {
                about: t!("connections"),
                heads: vec![
                    ("connections", "held"),
                    ("opened", "per s"),
                    ("to connect", "them all"),
                ],
                rows: advice.results.iter().map(connections).collect(),
            },
        ],
    }
}

/// Nobody holds a tenth of a connection, but a tenth of the time.
fn whole_if_large(n: f64) -> f64 {
    if n >= 10.0 { n.round() } else { n }
}

fn verification(v: &Verification) -> Sheet {
    let off = |c: &Compared| format!("{} %", figure((c.error.abs() * 1e3).round() / 10.0));
    let by_ms = |c: &Compared| {
        let ms = (c.predicted - c.measured).abs();
        format!("{} ms", figure((ms * 1e2).round() / 1e2))
    };
    let counts = |c: &Check| {
        vec![
            figure(c.requests.measured),
            off(&c.requests),
            bytes(c.bytes.measured),
            off(&c.bytes),
        ]
    };
    let rest = |c: &Check| {
        vec![
            c.connections.map_or("–".into(), |c| figure(c.measured)),
            c.connections.map_or("–".into(), |c| off(&c)),
            span(c.latency_ms.measured),
            by_ms(&c.latency_ms),
        ]
    };
    Sheet {
        title: match v.seconds > 0.0 {
            true => t!(
                "Measured in %{s} s with %{clients} clients, and how far off the prediction was",
                s = figure((v.seconds * 10.0).round() / 10.0),
                clients = v.scenario.clients
            ),
            false => t!("Measured, and how far off the prediction was"),
        },
        names: v.checks.iter().map(|c| printable(&c.technique)).collect(),
        parts: vec![
            Part {
                about: t!("traffic"),
                heads: vec![
                    ("requests", "measured"),
                    ("", "off by"),
                    ("traffic", "measured"),
                    ("", "off by"),
                ],
                rows: v.checks.iter().map(counts).collect(),
            },
            Part {
                about: t!("connections and delay"),
                heads: vec![
                    ("connections", "opened"),
                    ("", "off by"),
                    ("mean delay", "measured"),
                    ("", "off by"),
                ],
                rows: v.checks.iter().map(rest).collect(),
            },
        ],
    }
}

const DAY_S: f64 = 86_400.0;

fn verdict(advice: &Advice, c: &Candidate) -> &'static str {
    let is = |name: &Option<String>| name.as_ref() == Some(&c.technique);
    match c.fails.first() {
        Some(Failing::TooLate | Failing::HeardTooLate) => "too late",
        Some(Failing::Blocked) => "blocked",
        None if is(&advice.recommendation) => "recommended",
        None if is(&advice.runner_up) => "next best",
        None => "",
    }
}

/// `312 B`, `1.08 MB`: by powers of 1,000.
fn bytes(v: f64) -> String {
    scaled_to(v.round(), &BYTES)
}

const BYTES: [&str; 8] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB"];
/// A delay, which may have no end.
fn bound(ms: Option<f64>) -> String {
    ms.map_or_else(|| "∞".into(), span)
}

/// How often something happens: `never`, `12 %`, `1 in 2,000`.
fn share(share: f64) -> String {
    match share {
        s if s <= 0.0 => t!("never"),
        s if s >= 0.9995 => t!("always"),
        s if s >= 0.01 => format!("{} %", figure((s * 1e3).round() / 10.0)),
        s => t!("1 in %{n}", n = figure(round_to_two(1.0 / s))),
    }
}

/// To two digits.
fn round_to_two(n: f64) -> f64 {
    let digit = 10_f64.powf(n.log10().floor() - 1.0);
    (n / digit).round() * digit
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
        rate = notes::rate(s.rate_per_s),
        clients = clients,
        delay = span(advice.delay_ms)
    )];
    parts.extend(s.reply.then(|| t!("every mail answered")));
    parts.extend(
        s.talk_per_s
            .map(|t| t!("every client talks, %{rate}", rate = notes::rate(t))),
    );
    parts.extend(
        s.block
            .iter()
            .map(|b| t!("%{what} is blocked", what = blocked(*b))),
    );
    if s.attach > 0 {
        parts.push(t!(
            "each with an attachment of %{size} bytes",
            size = figure(s.attach as f64)
        ));
    }
    parts.extend(notes::transport(s));
    parts.extend(waits(s));
    if let Some(ms) = s.keep_alive_ms {
        parts.insert(0, format!("keep-alive {}", notes::duration(ms)));
    }
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
    let polled =
        |c: &Candidate| technique::named(&c.technique).is_some_and(|t| t.is_polled(&advice.scenario));
    let cannot = |a: &Absent| {
        t!(
            "%{name} cannot exist here: %{why}.",
            name = printable(&a.technique),
            why = t!(&a.why)
        )
    };
    said.extend(advice.absent.iter().map(cannot));
    if advice.interval_is_given {
        said.push(t!(
            "Polling asks every %{interval}, as --interval has it.",
            interval = span(advice.scenario.poll_interval_ms)
        ));
    } else if advice.results.iter().any(|c| c.fails.is_empty() && polled(c)) {
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
        merit = technique::named(&best.technique).map_or_else(String::new, |best| t!(best.merit))
    )
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
        Failing::TooLate => too_late(advice, &c.latency_ms),
        Failing::HeardTooLate => heard_too_late(advice, c),
        Failing::Blocked => t!("it is blocked on the way"),
    });
    let each: Vec<String> = each.collect();
    let name = printable(&c.technique);
    (!each.is_empty()).then(|| t!("Not %{name}: %{why}.", name = name, why = list(&each)))
}

/// How late mail can be, and how often it is later than it may be.
fn too_late(advice: &Advice, delay: &Delay) -> String {
    let asked = span(advice.delay_ms);
    let Some(worst) = delay.worst else {
        return t!("more mail comes than the line carries");
    };
    match delay.later_share > 0.0 {
        true => t!(
            "mail can be %{worst} late, and %{delay} is the most it may (later than that: %{often})",
            worst = span(worst),
            delay = asked,
            often = often(delay.later_share)
        ),
        false => t!(
            "mail can be %{worst} late, and %{delay} is the most it may",
            worst = span(worst),
            delay = asked
        ),
    }
}

fn heard_too_late(advice: &Advice, c: &Candidate) -> String {
    let delay = c.talk_latency_ms.unwrap_or_default();
    let Some(worst) = delay.worst else {
        return t!("clients say more than one request after the other can carry");
    };
    t!(
        "what a client says can be %{worst} late, and %{delay} is the most it may (later than that: %{often})",
        worst = span(worst),
        delay = span(advice.delay_ms),
        often = often(delay.later_share)
    )
}

/// A share in a sentence.
fn often(late: f64) -> String {
    if late > 0.0 { share(late) } else { t!("hardly any") }
}

/// How the verification went, a sentence each.
fn verified(v: &Verification) -> Vec<String> {
    let s = &v.scenario;
    let ran = t!(
        "Run was the nearest case that fits this machine (%{scaled}): %{mails} mails at %{rate} to %{clients} clients, \
         polling every %{interval}.",
        scaled = scaled(v),
        mails = figure(s.mails as f64),
        rate = notes::rate(s.rate_per_s),
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
        some(s.keep_alive).map(|n| {
            t!(
                "idle connections are kept %{n} times as long as that makes it",
                n = n
            )
        }),
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
        simulated: false,
        environment: Some(advice.environment.clone()),
        scenario: v.scenario.clone(),
        results: v.results.clone(),
        absent: Vec::new(),
        remote: None,
    })
}

const LEGEND: &str = text!(
    "Predicted for clients that stay, in the long run; nothing here depends on the seed. worst: no mail can be later: \
     one transit (half a round trip) when it is pushed, three with long polling (RFC 6202), the interval and one \
     transit with polling. later: than was asked for. keep-alive: how long the server keeps an idle connection. held: \
     connections open on average, idle ones among them. opened: by clients that stay. to connect: what it takes when \
     all connect again, besides what their mail takes."
);

/// What a bound is where there is none.
const CHANCE: &str = text!(
    "Where segments are lost, or have to wait for each other, no limit holds for all: worst is what fewer than one in \
     1,000 exceed, with one retransmission at least."
);

/// What is said of TLS.
const SESSIONS: &str = text!(
    "A connection that is opened again within 5 min resumes its TLS session; after that it takes a whole handshake, \
     as nginx and Apache have it."
);

fn legend(advice: &Advice) -> String {
    let s = &advice.scenario;
    let chance = s.link.loss_fraction > 0.0 || s.link.bandwidth_bit_s.is_some() || s.talk_per_s.is_some();
    let parts = [Some(LEGEND), chance.then_some(CHANCE), s.tls.then_some(SESSIONS)];
    let parts: Vec<String> = parts.into_iter().flatten().map(|part| t!(part)).collect();
    parts.join(" ")
}

/// A rule under the header.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

fn table(advice: &Advice, style: &Style) -> String {
    let width = style.columns().min(100);
    let paint = Paint(style.colour);
    let mut out = wrap(&case(advice), width, 2);
    for sheet in sheets(advice) {
        grid(&mut out, &sheet, style.columns(), &paint);
    }
    out.push('\n');
    out.push_str(&paint.dim(&wrap(&legend(advice), width, 0)));
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

/// Lays a sheet out; where the width does not suffice, each of its parts is a table of its own.
fn grid(out: &mut String, sheet: &Sheet, width: usize, paint: &Paint) {
    let whole = laid_out(&sheet.names, &sheet.whole(), GAP);
    if whole.lines().all(|l| l.width() <= width) {
        out.push('\n');
        out.push_str(&paint.strong(&wrap(&sheet.title, width, 2)));
        out.push_str(&whole);
        return;
    }
    for part in &sheet.parts {
        out.push('\n');
        let title = t!("%{title}: %{part}", title = sheet.title, part = part.about);
        out.push_str(&paint.strong(&wrap(&title, width, 2)));
        out.push_str(&in_columns(&sheet.names, part, width));
    }
}

/// A part as one table; where the width does not suffice, as two that share its columns evenly, so that
/// neither has one alone.
fn in_columns(names: &[String], part: &Part, width: usize) -> String {
    let fits = |table: &String| table.lines().all(|l| l.width() <= width);
    if let Some(table) = [GAP, 1]
        .map(|gap| laid_out(names, part, gap))
        .into_iter()
        .find(fits)
    {
        return table;
    }
    let columns = part.heads.len();
    if columns < 4 {
        return laid_out(names, part, 1);
    }
    let half = |from: usize, to: usize| Part {
        about: String::new(),
        heads: part.heads[from..to].to_vec(),
        rows: part.rows.iter().map(|row| row[from..to].to_vec()).collect(),
    };
    let [first, second] = [half(0, columns / 2), half(columns / 2, columns)];
    in_columns(names, &first, width) + "\n" + &in_columns(names, &second, width)
}

/// Columns between two of a table.
const GAP: u16 = 2;

fn laid_out(names: &[String], part: &Part, gap: u16) -> String {
    let mut table = Table::new();
    table
        .load_style(RULED)
        .set_content_arrangement(ContentArrangement::Disabled)
        .force_no_tty();
    let heads = part.heads.iter().map(|(head, unit)| format!("{head}\n{unit}"));
    table.set_header(std::iter::once(String::new()).chain(heads));
    for (name, row) in names.iter().zip(&part.rows) {
        table.add_row(std::iter::once(name).chain(row));
    }
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if i == 0 { 0 } else { gap }, 0));
        let is_words = i == 0 || part.heads[i - 1] == ("", "");
        if !is_words {
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
        let part = sheet.whole();
        let heads = part
            .heads
            .iter()
            .map(|(head, unit)| format!("{head} {unit}").trim().to_string());
        out += &bars(&std::iter::once(String::new()).chain(heads).collect::<Vec<_>>());
        let aligned = part.heads.iter().map(|_| "---:".to_string());
        out += &bars(
            &std::iter::once("---".to_string())
                .chain(aligned)
                .collect::<Vec<_>>(),
        );
        for (name, row) in sheet.names.iter().zip(&part.rows) {
            out += &bars(
                &std::iter::once(name)
                    .chain(row)
                    .map(|cell| escaped(cell))
                    .collect::<Vec<_>>(),
            );
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
    out += &format!("\n{}\n\nBy:\n\n", escaped(&legend(advice)));
    out += &fenced("sh", &format!("{}\n", command(&advice.argv)));
    out
}
