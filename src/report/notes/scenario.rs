//! The scenario in words.

use super::amounts::{Things, count, counted, duration, mails, rate};
use super::waits::unusual;
use crate::lang::t;
use crate::outcome::{
    Arrivals, Balance, Frames, HttpVersion, Link, LogPlace, Outcome, Report, Scenario, SlowPolicy,
};
use crate::report::numbers::{figure, speed};
use crate::technique;
use crate::terminal::printable;

/// The scenario on one line, at the top of every report. Settings at their defaults are left out if they
/// teach nothing.
pub fn scenario(report: &Report) -> String {
    scenario_of(report, report.results.iter().map(|o| o.technique.as_str()))
}

/// The same, where the techniques that ran are not in the report.
pub fn scenario_of<'a>(report: &Report, mut techniques: impl Iterator<Item = &'a str>) -> String {
    let s = &report.scenario;
    let clients = match s.tabs {
        Some(_) => counted(s.clients as f64, Things::Tabs),
        None => counted(s.clients as f64, Things::Clients),
    };
    let mut parts = vec![mail(report), clients];
    if techniques.any(|name| is_polled(report, name)) {
        let interval = duration(s.poll_interval_ms);
        parts.push(t!("polling every %{interval}", interval = interval));
    }
    parts.extend(slow(s));
    parts.extend(knobs(s));
    parts.extend(log(report));
    parts.extend(transport(s));
    if let Some(url) = &report.remote {
        parts.insert(0, t!("the server at %{url}", url = printable(url)));
    }
    if report.simulated {
        parts.insert(0, t!("simulated, nothing was measured"));
    }
    parts.join("; ")
}

/// Whether a technique's mail waited until clients polled.
pub fn polled(report: &Report, outcome: &Outcome) -> bool {
    is_polled(report, &outcome.technique)
}

fn is_polled(report: &Report, technique: &str) -> bool {
    technique::named(technique).is_some_and(|t| t.is_polled(&report.scenario))
}

fn mail(report: &Report) -> String {
    let s = &report.scenario;
    if s.mails == 0 {
        return t!("mail from outside alone");
    }
    let mut text = match &s.replay {
        Some(file) => replayed(report, &file.lossy()),
        None => t!(
            "%{mails} of %{size} bytes, %{arrivals} at %{rate}, %{seeds}",
            mails = mails(s.mails),
            size = count(s.size as u64),
            arrivals = arrivals(s),
            rate = rate(s.rate_per_s),
            seeds = seeds(s)
        ),
    };
    if s.attach > 0 {
        text += &t!(
            ", each with an attachment of %{size} bytes",
            size = count(s.attach as u64)
        );
    }
    text
}

/// How mail arrives.
pub fn arrivals(s: &Scenario) -> String {
    match s.arrivals {
        Arrivals::Poisson => t!("at random (Poisson)"),
        Arrivals::Steady => t!("at a steady pace"),
        Arrivals::Burst(k) => t!("in bursts of %{k}", k = k),
    }
}

fn replayed(report: &Report, file: &str) -> String {
    let sent = report
        .results
        .iter()
        .map(|o| o.repeats.first().unwrap_or(o).mails.sent);
    let sent = sent.max().unwrap_or(0);
    let speed = match report.scenario.replay_speed {
        1.0 => t!("as fast as they came"),
        faster => t!("%{n} times as fast as they came", n = figure(faster)),
    };
    t!(
        "%{mails} replayed from %{file}, %{speed}, %{seeds}",
        mails = mails(sent),
        file = printable(file),
        speed = speed,
        seeds = seeds(&report.scenario)
    )
}

fn seeds(s: &Scenario) -> String {
    match s.repeat {
        0 | 1 => t!("seed %{seed}", seed = s.seed),
        n => t!(
            "seeds %{first} to %{last}",
            first = s.seed,
            last = s.seed.wrapping_add(u64::from(n) - 1)
        ),
    }
}

/// Settings that are named only if they differ from the default.
fn knobs(s: &Scenario) -> Vec<String> {
    let usual = Scenario::default();
    [
        s.reply.then(|| t!("every mail answered")),
        s.talk_per_s
            .map(|per_s| t!("every client talks, %{rate}", rate = rate(per_s))),
        (s.hold_ms != usual.hold_ms).then(|| held(s)),
        (s.heartbeat_ms != usual.heartbeat_ms)
            .then(|| t!("a heartbeat after %{pause}", pause = duration(s.heartbeat_ms))),
        unusual(&s.retry),
        (s.frames == Frames::Binary).then(|| t!("binary WebSocket frames")),
        (s.keep != usual.keep).then(|| t!("a log of %{mails}", mails = mails(s.keep as u64))),
        (s.keep_bytes != usual.keep_bytes)
            .then(|| t!("a log of at most %{bytes} B", bytes = count(s.keep_bytes))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where the log is, if not in memory.
fn log(report: &Report) -> Option<String> {
    match &report.scenario.log {
        LogPlace::Memory => None,
        _ if report.simulated => Some(t!("the log in memory, because no NATS server is simulated")),
        LogPlace::OwnNats => Some(t!("the log in a nats-server of its own")),
        LogPlace::Nats(address) => Some(t!("the log at %{place}", place = printable(&address.to_string()))),
    }
}

/// Clients that read slowly, and what the server does then.
fn slow(s: &Scenario) -> Vec<String> {
    let reading = s.read_bytes_s.map(|rate| {
        t!(
            "%{n} of them read %{rate} B/s",
            n = s.slow,
            rate = count(rate as u64)
        )
    });
    let policy = s.slow_policy.map(|policy| match policy {
        SlowPolicy::Buffer => t!("a queue for each client, which grows"),
        SlowPolicy::DropOldest => t!("a queue for each client, which drops its oldest mail when it is full"),
        SlowPolicy::Latest => t!("a queue for each client, which holds the newest mail alone"),
        SlowPolicy::Disconnect => t!("a queue for each client, who is cut off when it is full"),
    });
    reading.into_iter().chain(policy).collect()
}

/// How long a poll is held.
pub fn held(s: &Scenario) -> String {
    t!("long polls held %{hold}", hold = duration(s.hold_ms))
}

/// HTTP version, TLS, header profile and link, if they differ from the default.
pub fn transport(s: &Scenario) -> Vec<String> {
    let mut parts = Vec::new();
    if s.http != HttpVersion::default() {
        parts.push(format!("HTTP/{}", s.http));
    }
    if s.tls {
        parts.push("TLS".into());
    }
    match s.headers.lossy().as_str() {
        "lean" => {}
        "browser" => parts.push(t!("a browser's headers")),
        file => parts.push(t!("headers from %{file}", file = printable(file))),
    }
    if s.link != Link::default() {
        parts.push(link(&s.link));
    }
    parts.extend(servers(s));
    parts.extend((s.threads > 1).then(|| t!("%{n} threads for each server", n = s.threads)));
    if !s.proxy.is_empty() {
        let names: Vec<String> = s.proxy.iter().map(|proxy| printable(&proxy.name)).collect();
        parts.push(t!("through %{proxies}", proxies = names.join(", ")));
    }
    parts
}

/// How many servers, and which gets a request, if there are several.
fn servers(s: &Scenario) -> Option<String> {
    let how = match s.balance()? {
        Balance::RoundRobin => t!("each request to the next one"),
        Balance::Sticky => t!("a cookie keeps a client at one"),
        Balance::Least => t!("each request to the one with the fewest open"),
    };
    let killed = s
        .kill_ms
        .map(|after| t!(", the first killed after %{time}", time = duration(after)));
    Some(t!(
        "%{n} servers behind a balancer (%{how})%{killed}",
        n = s.servers,
        how = how,
        killed = killed.unwrap_or_default()
    ))
}

fn link(link: &Link) -> String {
    let mut parts = Vec::new();
    if link.rtt_ms > 0.0 || link.nat_ms.is_none() {
        parts.push(t!("%{rtt} round trip", rtt = duration(link.rtt_ms)));
    }
    if link.jitter_ms > 0.0 {
        parts.push(t!("%{jitter} jitter", jitter = duration(link.jitter_ms)));
    }
    if let Some(bits) = link.bandwidth_bit_s {
        parts.push(speed(bits));
    }
    if link.loss_fraction > 0.0 {
        parts.push(t!("%{n} % loss", n = figure(link.loss_fraction * 100.0)));
    }
    if let Some(ms) = link.nat_ms {
        parts.push(t!("a NAT that forgets after %{silence}", silence = duration(ms)));
    }
    t!("simulated link: %{parts}", parts = parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

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
            "1 mail of 300 bytes, in bursts of 5 at 1.5/min, seed 1, each with an attachment of 60,000 bytes; \
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
    fn seeds_are_named_and_replayed_mail_is_counted_once() {
        let mut report = fixture::five_seeds();
        assert!(scenario(&report).contains("at 2/s, seeds 1 to 5; 1 client"));
        report.scenario.replay = Some("a.mbox".into());
        assert!(scenario(&report).starts_with("20 mails replayed from a.mbox"));
    }

    #[test]
    fn a_client_alone_says_where_it_was_and_what_it_lacks() {
        let mut report = fixture::typical();
        report.remote = Some("https://127.0.0.1:8443\u{1b}".into());
        for o in &mut report.results {
            o.predicted = Default::default();
        }
        let opening = scenario(&report);
        assert!(
            opening.starts_with("the server at https://127.0.0.1:8443\u{fffd}; 20 mails"),
            "{opening}"
        );
        report.scenario.mails = 0;
        assert!(scenario(&report).contains("; mail from outside alone; 1 client"));
    }
}
