//! Advice in sentences, and its formats of quantities.

use crate::lang::{Language, list, t, text};
use crate::outcome::advice::{Advice, Candidate, Delay, Failing};
use crate::outcome::{Absent, Block, Report, Scenario};
use crate::report::notes;
use crate::report::numbers::{figure, percent, scaled_to, times};
use crate::technique;
use crate::terminal::printable;

/// Seconds of a day.
pub const DAY_S: f64 = 86_400.0;

/// `312 B`, `1.08 MB`: by powers of 1,000.
pub fn bytes(v: f64) -> String {
    scaled_to(v.round(), &BYTES)
}

const BYTES: [&str; 8] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB"];
/// A delay, or infinity.
pub fn bound(ms: Option<f64>) -> String {
    ms.map_or_else(|| "∞".into(), span)
}

/// How often something happens: `never`, `12 %`, `1 in 2,000`.
pub fn share(share: f64) -> String {
    match share {
        s if s <= 0.0 => t!("never"),
        s if s >= 0.9995 => t!("always"),
        s if s >= 0.01 => percent(figure((s * 1e3).round() / 10.0)),
        s => t!("1 in %{n}", n = figure(round_to_two(1.0 / s))),
    }
}

/// Rounds to two digits.
fn round_to_two(n: f64) -> f64 {
    let digit = 10_f64.powf(n.log10().floor() - 1.0);
    (n / digit).round() * digit
}

/// `0 ms`, `12.5 ms`, `1.5 s`, `10 min`, `1 h`, `2 days`: in the largest unit that makes it at least 1.
pub fn span(ms: f64) -> String {
    let (value, unit) = match ms {
        ms if ms < 1e3 => (ms, "ms"),
        ms if ms < 60e3 => (ms / 1e3, "s"),
        ms if ms < 3_600e3 => (ms / 60e3, "min"),
        ms if ms < 48.0 * 3_600e3 => (ms / 3_600e3, "h"),
        ms => (ms / 86_400e3, "days"),
    };
    // Smaller differences cannot be noticed.
    let value = (value * 1e3).round() / 1e3;
    format!("{} {unit}", figure(value))
}

/// A span in a sentence: in Korean with its unit in Korean (`1시간`).
pub fn spoken_span(ms: f64) -> String {
    let span = span(ms);
    match span.split_once(' ') {
        Some((n, "s")) => t!("%{n} s", n = n),
        Some((n, "min")) => t!("%{n} min", n = n),
        Some((n, "h")) => t!("%{n} h", n = n),
        Some((n, "days")) => t!("%{n} days", n = n),
        _ => span,
    }
}

/// How often mail comes, in a sentence: `1/day`, in Korean `하루 1통씩`.
fn spoken_rate(per_s: f64) -> String {
    let rate = notes::rate(per_s);
    match rate.split_once('/') {
        Some((n, "s")) => t!("%{n}/s", n = n),
        Some((n, "min")) => t!("%{n}/min", n = n),
        Some((n, "h")) => t!("%{n}/h", n = n),
        Some((n, "day")) => t!("%{n}/day", n = n),
        _ => rate,
    }
}

/// How many clients, in a sentence: in Korean by ten thousands where that is whole (`1,000만 `).
pub fn spoken_count(n: usize) -> String {
    const UNITS: [(usize, &str); 2] = [(100_000_000, "억"), (10_000, "만")];
    let unit = UNITS
        .into_iter()
        .find(|(unit, _)| n >= *unit && n.is_multiple_of(*unit));
    match unit {
        Some((unit, name)) if Language::spoken() == Language::Ko => {
            format!("{}{name} ", figure((n / unit) as f64))
        }
        _ => figure(n as f64),
    }
}

/// The case in words.
pub fn case(advice: &Advice) -> String {
    let s = &advice.scenario;
    let clients = match s.clients {
        1 => t!("1 client"),
        n => t!("each of %{n} clients", n = spoken_count(n)),
    };
    let mut parts = vec![t!(
        "mail of %{size} bytes, %{rate} to %{clients}, none later than %{delay}",
        size = figure(s.size as f64),
        rate = spoken_rate(s.rate_per_s),
        clients = clients,
        delay = spoken_span(advice.delay_ms)
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
    parts.extend(advice.blocked_share.map(|share| {
        t!(
            "%{share} % of the clients behind a proxy that blocks websocket and streaming",
            share = figure(share * 100.0)
        )
    }));
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
        parts.push(t!("long polls held %{hold}", hold = spoken_span(s.hold_ms)));
    }
    if s.heartbeat_ms != usual.heartbeat_ms {
        parts.push(t!(
            "a heartbeat after %{pause}",
            pause = spoken_span(s.heartbeat_ms)
        ));
    }
    parts
}

/// The recommendation and its reasons, as sentences.
pub fn reasons(advice: &Advice) -> Vec<String> {
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
    said.extend(cheapest(advice));
    said.extend(advice.results.iter().filter_map(|c| failing(advice, c)));
    said.extend(advice.results.iter().filter_map(fallback));
    let polled =
        |c: &Candidate| technique::named(&c.technique).is_some_and(|t| t.is_polled(&advice.scenario));
    let cannot = |a: &Absent| {
        t!(
            "%{name} is not possible here: %{why}.",
            name = printable(&a.technique),
            why = t!(&a.why)
        )
    };
    said.extend(advice.absent.iter().map(cannot));
    if advice.interval_is_given {
        said.push(t!(
            "Polling asks every %{interval}, as --interval has it.",
            interval = spoken_span(advice.scenario.poll_interval_ms)
        ));
    } else if advice.results.iter().any(|c| c.fails.is_empty() && polled(c)) {
        said.push(t!(
            "Polling is taken to ask every %{interval}, the longest with which no mail is later than %{delay}.",
            interval = spoken_span(advice.scenario.poll_interval_ms),
            delay = spoken_span(advice.delay_ms)
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
            transit = spoken_span(transit)
        );
    }
    t!("Nothing is recommended: none of these meets what is asked.")
}

fn runner_up(best: &Candidate, next: &Candidate) -> String {
    let (a, b) = (&next.per_client, &best.per_client);
    let bytes = match a.bytes_per_day / b.bytes_per_day {
        r if r < 0.995 => t!("%{n} % fewer bytes", n = figure(((1.0 - r) * 100.0).round())),
        r if r < 1.005 => t!("as many bytes"),
        r => t!("×%{n} the bytes", n = times(r).trim_start_matches('×').to_owned()),
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

/// Which technique costs the least money, if there are prices.
fn cheapest(advice: &Advice) -> Option<String> {
    let currency = printable(&advice.prices.as_ref()?.currency);
    let fit = advice.results.iter().filter(|c| c.fails.is_empty());
    let cheapest = fit
        .filter_map(|c| Some((c, c.cost_per_month?.total)))
        .min_by(|(_, a), (_, b)| a.total_cmp(b));
    let (cheapest, cost) = cheapest?;
    Some(t!(
        "By these prices %{name} is the cheapest of those that meet what is asked: %{cost} %{currency} a month for all.",
        name = printable(&cheapest.technique),
        cost = figure(cost),
        currency = currency
    ))
}

/// What a client behind the proxy costs, if that is not what others cost.
fn fallback(c: &Candidate) -> Option<String> {
    let (other, mean) = (c.blocked_per_client?, &c.per_client);
    let differs = (other.bytes_per_day - mean.bytes_per_day).abs() > 1e-6 * mean.bytes_per_day;
    differs.then(|| {
        t!(
            "Behind the proxy a client of %{name} takes another way: %{requests} requests and %{bytes} a day; the mean of \
             all clients is %{mean_requests} and %{mean_bytes}.",
            name = printable(&c.technique),
            requests = figure(other.requests_per_s * DAY_S),
            bytes = bytes(other.bytes_per_day),
            mean_requests = figure(mean.requests_per_s * DAY_S),
            mean_bytes = bytes(mean.bytes_per_day)
        )
    })
}

fn failing(advice: &Advice, c: &Candidate) -> Option<String> {
    let each = c.fails.iter().map(|f| match f {
        Failing::TooLate => too_late(advice, &c.latency_ms),
        Failing::HeardTooLate => heard_too_late(advice, c),
        Failing::Blocked => t!("it is blocked on the way"),
        Failing::PartlyBlocked => t!(
            "%{n} of %{clients} clients get no mail, because they are behind the proxy",
            n = figure(c.without_mail.unwrap_or_default()),
            clients = figure(advice.scenario.clients as f64)
        ),
    });
    let each: Vec<String> = each.collect();
    let name = printable(&c.technique);
    (!each.is_empty()).then(|| t!("Not %{name}: %{why}.", name = name, why = list(&each)))
}

/// How late mail can be, and how often it is later than allowed.
fn too_late(advice: &Advice, delay: &Delay) -> String {
    let asked = spoken_span(advice.delay_ms);
    let Some(worst) = delay.worst else {
        return t!("more mail comes than the line carries");
    };
    match delay.later_share > 0.0 {
        true => t!(
            "mail can be %{worst} late, and %{delay} is the most it may (later than that: %{often})",
            worst = spoken_span(worst),
            delay = asked,
            often = often(delay.later_share)
        ),
        false => t!(
            "mail can be %{worst} late, and %{delay} is the most it may",
            worst = spoken_span(worst),
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
        worst = spoken_span(worst),
        delay = spoken_span(advice.delay_ms),
        often = often(delay.later_share)
    )
}

/// A share in a sentence.
fn often(late: f64) -> String {
    if late > 0.0 { share(late) } else { t!("hardly any") }
}

pub fn warnings(advice: &Advice) -> Vec<String> {
    let Some(v) = &advice.verification else {
        return Vec::new();
    };
    notes::warnings(&Report {
        envelope: advice.envelope.clone(),
        simulated: false,
        environment: advice.environment.clone(),
        scenario: v.scenario.clone(),
        results: v.results.clone(),
        absent: Vec::new(),
        remote: None,
        server_clock: None,
    })
}

const LEGEND: &str = text!(
    "Predicted for clients that stay, in the long run; nothing here depends on the seed. worst: no mail can be later: \
     one transit (half a round trip) when it is pushed, three with long polling (RFC 6202), the interval and one \
     transit with polling. later: than was asked for. keep-alive: how long the server keeps an idle connection. held: \
     connections open on average, idle ones among them. opened: by clients that stay. to connect: what it takes when \
     all connect again, besides what their mail takes."
);

/// The meaning of "worst" if there is no limit.
const CHANCE: &str = text!(
    "Where segments are lost, or have to wait for each other, no limit holds for all: worst is what fewer than one in \
     1,000 exceed, with one retransmission at least."
);

/// The note on TLS.
const SESSIONS: &str = text!(
    "A connection that is opened again within 5 min resumes its TLS session; after that it takes a whole handshake, \
     as nginx and Apache have it."
);

/// The note on the radio.
const RADIO: &str = text!(
    "radio: modelled, not measured. A packet wakes it if it is off, and it stays on for the tail after the last packet \
     (--radio-tail). One that never goes off counts as woken once an hour."
);

/// The note on clients behind a proxy.
const PROXY: &str = text!(
    "partly blocked: the clients behind the proxy get no mail. All other figures are of the clients that get mail, and \
     figures of one client are their mean."
);

/// The note on the server's own process.
const SERVER: &str = text!(
    "processor, memory: of the run that was measured. each: for each connection. all: as much for each that is held."
);

/// The note on prices.
const PRICES: &str = text!(
    "A month has 30 days. Prices are those of the file; a GB is 1,000,000,000 bytes, without TCP/IP headers. What it \
     takes to connect is not in it."
);

pub fn legend(advice: &Advice) -> String {
    let s = &advice.scenario;
    let chance = s.link.loss_fraction > 0.0 || s.link.bandwidth_bit_s.is_some() || s.talk_per_s.is_some();
    let isolated = advice.results.iter().any(|c| c.server.is_some());
    let parts = [
        Some(LEGEND),
        chance.then_some(CHANCE),
        s.tls.then_some(SESSIONS),
        advice.radio_tail_ms.map(|_| RADIO),
        advice.blocked_share.map(|_| PROXY),
        isolated.then_some(SERVER),
        advice.prices.as_ref().map(|_| PRICES),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().map(|part| t!(part)).collect();
    parts.join(" ")
}
