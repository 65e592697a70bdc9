//! The flags that fill in a scenario, each written once. A command takes those that it has, and changes a default or a
//! help text with `mut_arg` where it needs another. Flags that only some techniques have are in
//! `technique/flags.rs`.

use std::ffi::OsString;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::lang::t;
use crate::mail::MIN_SIZE;
use crate::outcome::{
    Arrivals, Balance, FileName, HttpVersion, LogPlace, MOST_CLIENTS, Proxy, Scenario, SlowPolicy,
};
use crate::proxy;
use crate::technique::Technique;
use crate::technique::flags::{Flag, duration};
use crate::technique::quantities::{bandwidth, bytes, count, rate, read_rate, seed};

/// The largest attachment, bytes.
pub const MAX_ATTACH: u64 = 16 << 20;

/// The most tabs: with a reply on its way from each, they fill no connection of HTTP/2, which has 200 streams here and a
/// hundred at least elsewhere (RFC 9113, section 6.5.2), and stay below Chromium's 255 WebSockets.
const MOST_TABS: u64 = 100;

/// How fast a slow client reads if the user does not say it, bytes per second.
const READ_RATE_BYTES_S: f64 = 10_000.0;

/// A flag of every technique: its name, the block of the help that it stands in, its help, the rest of clap's
/// definition, and what its value sets.
macro_rules! flag {
    ($id:literal in $block:literal: $help:literal, |$arg:ident| $define:expr, |$value:ident: $kind:ty, $scenario:ident| $set:expr) => {
        Flag {
            arg: || {
                let $arg = Arg::new($id).long($id).help($help).help_heading($block);
                $define
            },
            apply: |matches, $scenario| {
                if let Some($value) = given::<$kind>(matches, $id) {
                    $set
                }
            },
            lacking: "",
        }
    };
}

/// A flag's value, if the command has the flag.
fn given<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, id: &str) -> Option<T> {
    matches.try_get_one::<T>(id).ok().flatten().cloned()
}

pub const MAILS: Flag = Flag {
    arg: || {
        Arg::new("mails")
            .long("mails")
            .value_name("N")
            .help("How many mails arrive [default: 20; with --replay, all in the file]")
            .help_heading("Mail")
            .value_parser(count(1, 10_000_000))
    },
    apply: |matches, scenario| {
        scenario.mails = match given(matches, "mails") {
            Some(mails) => mails,
            None if given::<OsString>(matches, "replay").is_some() => u64::MAX,
            None => 20,
        }
    },
    lacking: "",
};

pub const RATE: Flag = flag!(
    "rate" in "Mail": "Mean arrival rate: 2/s, 30/min, 1/40s; a bare number is per second",
    |arg| arg.value_name("RATE").default_value("2/s").value_parser(rate),
    |rate: f64, scenario| scenario.rate_per_s = rate
);

pub const ARRIVALS: Flag = flag!(
    "arrivals" in "Mail": "How arrivals are spread: poisson, steady or burst:K (K at one instant)",
    |arg| arg.value_name("HOW").default_value("poisson").value_parser(value_parser!(Arrivals)),
    |arrivals: Arrivals, scenario| scenario.arrivals = arrivals
);

pub const SIZE: Flag = flag!(
    "size" in "Mail": "Bytes of each mail's JSON text",
    |arg| arg.value_name("BYTES").default_value("300").value_parser(bytes(MIN_SIZE as u64, 1 << 20)),
    |size: u64, scenario| scenario.size = size as usize
);

pub const ATTACH: Flag = flag!(
    "attach" in "Mail": "Bytes of a binary attachment for each mail; a photo has some 100000",
    |arg| arg.value_name("BYTES").default_value("0").value_parser(bytes(0, MAX_ATTACH)),
    |attach: u64, scenario| scenario.attach = attach as usize
);

pub const SEED: Flag = flag!(
    "seed" in "Mail": "Seeds mail, arrivals and phases: the same seed gives the same mail",
    |arg| arg.value_name("N").default_value("1").value_parser(seed),
    |seed: u64, scenario| scenario.seed = seed
);

pub const REPLAY: Flag = flag!(
    "replay" in "Mail": "Real arrivals instead: an mbox, or a CSV of offset_s,bytes",
    |arg| arg
        .value_name("FILE")
        .value_parser(value_parser!(OsString))
        .conflicts_with_all(["rate", "arrivals", "size"]),
    |file: OsString, scenario| scenario.replay = Some(FileName::from(file))
);

pub const REPLAY_SPEED: Flag = flag!(
    "replay-speed" in "Mail": "How many times faster than recorded, like 8640x",
    |arg| arg.value_name("FACTOR").default_value("1x").value_parser(speed).requires("replay"),
    |speed: f64, scenario| scenario.replay_speed = speed
);

pub const KEEP: Flag = flag!(
    "keep" in "Mail": "How many mails the mailbox keeps; a client with an older cursor gets a notice of the gap",
    |arg| arg.value_name("N").default_value("10000").value_parser(count(1, 10_000_000)),
    |keep: u64, scenario| scenario.keep = keep as usize
);

pub const KEEP_BYTES: Flag = flag!(
    "keep-bytes" in "Mail":
    "How many bytes they may take, with the forms in which they are sent; the newest is always kept",
    |arg| arg.value_name("SIZE").default_value("64MiB").value_parser(bytes(1, 1 << 40)),
    |keep: u64, scenario| scenario.keep_bytes = keep
);

pub const LOG: Flag = flag!(
    "log" in "Mail":
    "Where the mailbox keeps them: memory; nats, a stream in a nats-server that is started for it; or nats://HOST:PORT, \
     a stream in one that runs, for several servers. A simulated run has it in memory",
    |arg| arg.value_name("WHERE").default_value("memory").value_parser(value_parser!(LogPlace)),
    |log: LogPlace, scenario| scenario.log = log
);

pub const CLIENTS: Flag = flag!(
    "clients" in "Clients": "Clients of each technique",
    |arg| arg.value_name("N").default_value("1").value_parser(count(1, MOST_CLIENTS)),
    |clients: u64, scenario| scenario.clients = usize::try_from(clients).unwrap_or(usize::MAX)
);

pub const TABS: Flag = flag!(
    "tabs" in "Clients":
    "The clients are so many tabs of one browser: it opens six HTTP/1 connections to a host, and one for HTTP/2",
    |arg| arg.value_name("N").value_parser(count(1, MOST_TABS)).conflicts_with("clients"),
    |tabs: u64, scenario| {
        scenario.clients = tabs as usize;
        scenario.tabs = Some(scenario.clients);
    }
);

pub const SLOW: Flag = flag!(
    "slow" in "Clients": "So many of the clients, the first ones, read slowly",
    |arg| arg.value_name("N").default_value("0").hide_default_value(true).value_parser(count(0, MOST_CLIENTS)),
    |slow: u64, scenario| scenario.slow = usize::try_from(slow).unwrap_or(usize::MAX)
);

pub const READ_RATE: Flag = Flag {
    arg: || {
        Arg::new("read-rate")
            .long("read-rate")
            .value_name("RATE")
            .help("How fast these read: 10kB/s, 64KiB/s [default: 10kB/s]")
            .help_heading("Clients")
            .value_parser(read_rate)
            .requires("slow")
    },
    apply: |matches, scenario| {
        let rate = given(matches, "read-rate").unwrap_or(READ_RATE_BYTES_S);
        scenario.read_bytes_s = (scenario.slow > 0).then_some(rate);
    },
    lacking: "",
};

pub const REPLY: Flag = flag!(
    "reply" in "Clients": "Each client answers each mail (\"read\")",
    |arg| arg.action(ArgAction::SetTrue),
    |reply: bool, scenario| scenario.reply = reply
);

pub const TALK: Flag = flag!(
    "talk" in "Clients": "Each client says something this often, while mail keeps arriving: 10/s, 30/min",
    |arg| arg.value_name("RATE").value_parser(rate).conflicts_with("reply"),
    |rate: f64, scenario| scenario.talk_per_s = Some(rate)
);

pub const GRACE: Flag = flag!(
    "grace" in "Clients": "How long after the last arrival to wait for missing mail",
    |arg| arg
        .value_name("DURATION")
        .default_value("5s")
        .value_parser(duration(Duration::ZERO, Duration::from_secs(3_600))),
    |grace: Duration, scenario| scenario.grace_ms = grace.as_secs_f64() * 1e3
);

pub const RETRY: Flag = flag!(
    "retry" in "Clients":
    "How long clients wait before they connect again, half of it at random; the SSE server sends it as `retry` \
     [default: 100ms, with SSE and NDJSON 200ms]",
    |arg| arg.value_name("DURATION").value_parser(duration(Duration::from_millis(1), Duration::from_secs(3_600))),
    |retry: Duration, scenario| scenario.retry.first_ms = Some(retry.as_secs_f64() * 1e3)
);

pub const BACKOFF: Flag = flag!(
    "backoff" in "Clients": "What each failed attempt multiplies this wait by, up to 5s; 1x is constant",
    |arg| arg.value_name("FACTOR").default_value("2x").value_parser(backoff),
    |factor: f64, scenario| scenario.retry.factor = factor
);

pub const HEADERS: Flag = flag!(
    "headers" in "Clients": "What requests carry: lean, browser, or the FILE of a captured exchange",
    |arg| arg.value_name("PROFILE").default_value("lean").value_parser(value_parser!(OsString)),
    |profile: OsString, scenario| scenario.headers = profile.into()
);

pub const HTTP: Flag = flag!(
    "http" in "Transport": "Which HTTP: 1.0 (a connection for each request), 1.1, or 2",
    |arg| arg.value_name("VERSION").default_value("1.1").value_parser(value_parser!(HttpVersion)),
    |http: HttpVersion, scenario| scenario.http = http
);

pub const TLS: Flag = flag!(
    "tls" in "Transport": "Encrypt: https and wss, with a certificate authority made on the spot",
    |arg| arg.action(ArgAction::SetTrue),
    |tls: bool, scenario| scenario.tls = tls
);

pub const REPEAT: Flag = flag!(
    "repeat" in "Run": "Runs so many seeds, the first --seed, and gives means with their 95 % intervals",
    |arg| arg.value_name("N").default_value("1").value_parser(count(1, 1_000)),
    |repeat: u64, scenario| scenario.repeat = repeat as u32
);

/// The longest round trip and jitter.
const FARTHEST: Duration = Duration::from_secs(10);

pub const RTT: Flag = flag!(
    "rtt" in "Link": "Round trip of the link. A new connection costs one more; there is no slow start",
    |arg| arg.value_name("DURATION").default_value("0ms").value_parser(duration(Duration::ZERO, FARTHEST)),
    |rtt: Duration, scenario| scenario.link.rtt_ms = rtt.as_secs_f64() * 1e3
);

pub const JITTER: Flag = flag!(
    "jitter" in "Link": "Up to so much more for each segment, at random, each way; the order is kept",
    |arg| arg.value_name("DURATION").default_value("0ms").value_parser(duration(Duration::ZERO, FARTHEST)),
    |jitter: Duration, scenario| scenario.link.jitter_ms = jitter.as_secs_f64() * 1e3
);

pub const BANDWIDTH: Flag = flag!(
    "bandwidth" in "Link": "Bits per second of each connection, each way: 1mbit, 56kbit [default: no limit]",
    |arg| arg.value_name("RATE").value_parser(bandwidth),
    |rate: f64, scenario| scenario.link.bandwidth_bit_s = Some(rate)
);

pub const LOSS: Flag = flag!(
    "loss" in "Link": "Chance that a segment is lost; what follows it waits for max(200ms, 2 round trips)",
    |arg| arg.value_name("PERCENT").default_value("0%").value_parser(loss),
    |loss: f64, scenario| scenario.link.loss_fraction = loss
);

pub const PROXY: Flag = Flag {
    arg: || {
        Arg::new("proxy")
            .long("proxy")
            .value_name("NAME")
            .help(
                "A proxy on the way; several stand in order from the client: nginx, nginx-hinted, nginx-tuned, \
                 load-balancer, corporate, gzip, http10, or a FILE.toml of settings",
            )
            .help_heading("Link")
            .action(ArgAction::Append)
            .value_parser(proxy::find)
    },
    apply: |matches, scenario| {
        let all = matches.try_get_many::<Proxy>("proxy").ok().flatten();
        scenario.proxy = all.unwrap_or_default().cloned().collect();
    },
    lacking: "",
};

/// The most servers behind a balancer.
const MOST_SERVERS: u64 = 16;

/// The latest instant at which a server is killed.
const LATEST: Duration = Duration::from_secs(86_400);

pub const SERVERS: Flag = flag!(
    "servers" in "Servers": "So many servers behind a balancer, each with the same log; in a real run each is a process",
    |arg| arg.value_name("N").default_value("1").hide_default_value(true).value_parser(count(1, MOST_SERVERS)),
    |servers: u64, scenario| scenario.servers = servers as usize
);

pub const BALANCE: Flag = Flag {
    arg: || {
        Arg::new("balance")
            .long("balance")
            .value_name("HOW")
            .help(
                "Which of them gets a request: the next one (round-robin), the one that a cookie names (sticky), the one \
                 with the fewest open requests (least) [default: round-robin]",
            )
            .help_heading("Servers")
            .value_parser(value_parser!(Balance))
            .requires("servers")
    },
    apply: |matches, scenario| {
        scenario.balance = given(matches, "balance").or(scenario.balance());
    },
    lacking: "",
};

pub const KILL: Flag = flag!(
    "kill" in "Servers": "So long after the start the first server is killed; its clients come back at another",
    |arg| arg
        .value_name("DURATION")
        .value_parser(duration(Duration::ZERO, LATEST))
        .requires("servers"),
    |after: Duration, scenario| scenario.kill_ms = Some(after.as_secs_f64() * 1e3)
);

/// The most threads of a server.
const MOST_THREADS: u64 = 64;

pub const THREADS: Flag = flag!(
    "threads" in "Servers":
    "Threads of each server, and of the balancer: with several, what a server can do depends on the machine's cores",
    |arg| arg.value_name("N").default_value("1").value_parser(count(1, MOST_THREADS)),
    |threads: u64, scenario| scenario.threads = threads as usize
);

/// The same for a server alone.
pub const SERVER_THREADS: Flag = Flag {
    arg: || {
        Arg::new("threads")
            .long("threads")
            .value_name("N")
            .help("Threads of the server [default: as many as there are cores; 1 where each client has a queue]")
            .help_heading("Server")
            .value_parser(count(1, MOST_THREADS))
    },
    apply: |matches, scenario| {
        let cores = || available_parallelism().map_or(1, |cores| MOST_THREADS.min(cores.get() as u64));
        let has_queues = given::<SlowPolicy>(matches, "slow-policy").is_some();
        let threads = given(matches, "threads").unwrap_or_else(|| if has_queues { 1 } else { cores() });
        scenario.threads = threads as usize;
    },
    lacking: "",
};

/// What mail arrives, and what of it is kept.
pub const MAIL: &[&Flag] = &[
    &MAILS,
    &RATE,
    &ARRIVALS,
    &SIZE,
    &ATTACH,
    &SEED,
    &REPLAY,
    &REPLAY_SPEED,
    &KEEP,
    &KEEP_BYTES,
];

/// What HTTP is spoken, and whether in the clear.
pub const TRANSPORT: &[&Flag] = &[&HTTP, &TLS];

/// What lies between client and server.
pub const LINK: &[&Flag] = &[&RTT, &JITTER, &BANDWIDTH, &LOSS, &PROXY];

/// How many servers there are, and what stands in front of them.
pub const BALANCED: &[&Flag] = &[&SERVERS, &BALANCE, &KILL];

/// What all runs have, in the order of their help.
pub const RUN: &[&[&Flag]] = &[
    MAIL,
    &[&LOG],
    &[
        &CLIENTS, &TABS, &SLOW, &READ_RATE, &REPLY, &TALK, &GRACE, &RETRY, &BACKOFF, &HEADERS,
    ],
    TRANSPORT,
    BALANCED,
    &[&THREADS, &REPEAT],
    LINK,
];

/// The command with these flags.
pub fn with(command: Command, flags: &[&[&Flag]]) -> Command {
    let flags = flags.iter().flat_map(|group| group.iter());
    flags.fold(command, |command, flag| command.arg((flag.arg)()))
}

/// The scenario with what was asked for by these flags.
pub fn fill<'a>(
    mut scenario: Scenario,
    matches: &ArgMatches,
    flags: impl IntoIterator<Item = &'a &'a [&'a Flag]>,
) -> Scenario {
    let flags = flags.into_iter().flat_map(|group| group.iter());
    flags.for_each(|flag| (flag.apply)(matches, &mut scenario));
    scenario
}

/// The techniques' own flags, each once.
pub fn of_techniques(techniques: &[&Technique]) -> Vec<&'static Flag> {
    let mut flags: Vec<&'static Flag> = Vec::new();
    for flag in techniques.iter().flat_map(|t| t.flags) {
        let id = |flag: &Flag| (flag.arg)().get_id().clone();
        if flags.iter().all(|known| id(known) != id(flag)) {
            flags.push(flag);
        }
    }
    flags
}

/// The command with the techniques' own flags.
pub fn with_techniques(command: Command, techniques: &[&Technique]) -> Command {
    let flags = of_techniques(techniques).into_iter();
    flags.fold(command, |c, flag| c.arg((flag.arg)().help_heading("Technique")))
}

/// Parses a share of a link's segments.
fn loss(text: &str) -> Result<f64, String> {
    percent(text, 50.0)
}

/// Parses `1%` into 0.01; `most` is in percent.
///
/// # Errors
/// If it is no percentage, or above `most`.
pub fn percent(text: &str, most: f64) -> Result<f64, String> {
    let percent: Option<f64> = text.strip_suffix('%').and_then(|p| p.trim_end().parse().ok());
    percent
        .filter(|p| (0.0..=most).contains(p))
        .map(|p| p / 100.0)
        .ok_or_else(|| t!("allowed is 0% to %{most}%, written like 1% or 0.5%", most = most))
}

/// Parses `2x` or `2`.
fn backoff(text: &str) -> Result<f64, String> {
    let factor: Option<f64> = text.strip_suffix('x').unwrap_or(text).parse().ok();
    factor
        .filter(|f| (1.0..=10.0).contains(f))
        .ok_or_else(|| t!("allowed is 1x to 10x, like 2x: each wait is twice as long as the one before"))
}

/// Parses `8640x` or `8640`.
fn speed(text: &str) -> Result<f64, String> {
    let factor: Option<f64> = text.strip_suffix('x').unwrap_or(text).parse().ok();
    factor
        .filter(|f| (0.001..=1e9).contains(f))
        .ok_or_else(|| t!("allowed is 0.001x to 1000000000x, like 8640x: a day in ten seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_shipped_proxy() {
        let help = (PROXY.arg)().get_help().unwrap().to_string();
        for (name, _) in proxy::SHIPPED {
            assert!(help.contains(name), "{name}");
        }
    }

    #[test]
    fn losses_are_percentages() {
        assert_eq!(loss("0%"), Ok(0.0));
        assert_eq!(loss("1%"), Ok(0.01));
        assert_eq!(loss("0.5 %"), Ok(0.005));
        for bad in ["1", "", "%", "-1%", "51%", "nan%", "0.01"] {
            assert!(loss(bad).is_err(), "{bad}");
        }
        assert_eq!(percent("100%", 100.0), Ok(1.0));
        assert!(percent("100.1%", 100.0).unwrap_err().contains("0% to 100%"));
    }

    #[test]
    fn without_flags_a_scenario_is_the_usual_one() {
        let matches = with(Command::new("run"), RUN).get_matches_from(["run"]);
        let odd = Scenario {
            size: 1,
            clients: 9,
            link: crate::outcome::Link {
                rtt_ms: 7.0,
                ..Default::default()
            },
            ..Scenario::default()
        };
        assert_eq!(fill(odd, &matches, RUN), Scenario::default());
    }
}
