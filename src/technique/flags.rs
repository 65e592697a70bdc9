//! The flags that only some techniques have. Each is defined once, has one meaning, and is listed in the
//! contract of every technique that has it.

use std::time::Duration;

use clap::{Arg, ArgMatches, builder::ValueParser, value_parser};

use super::quantities::count;
use crate::lang::{Language, t, text};
use crate::outcome::{Block, Closer, Frames, Over, Scenario, SlowPolicy};

/// A command-line flag and what it sets.
#[derive(Debug)]
pub struct Flag {
    /// clap's definition; its id identifies the flag.
    pub arg: fn() -> Arg,
    /// Copies the value into the scenario.
    pub apply: fn(&ArgMatches, &mut Scenario),
    /// What a technique without the flag lacks, to complete "poll has no …".
    pub lacking: &'static str,
}

/// `--interval`: the time between two polls.
pub const INTERVAL: Flag = Flag {
    arg: || {
        Arg::new("interval")
            .long("interval")
            .value_name("DURATION")
            .help("Poll: time from request to request; each client starts at a random phase")
            .default_value("200ms")
            .value_parser(interval())
    },
    apply: |m, s| set_ms(m, "interval", &mut s.poll_interval_ms),
    lacking: text!("interval from request to request"),
};

/// The allowed range of an interval.
pub fn interval() -> ValueParser {
    duration(Duration::from_millis(1), Duration::from_secs(86_400))
}

/// `--hold`: how long the server holds a long poll.
pub const HOLD: Flag = Flag {
    arg: || {
        Arg::new("hold")
            .long("hold")
            .value_name("DURATION")
            .help("Long-poll: how long the server keeps a request before it answers that there is nothing")
            .default_value("25s")
            .value_parser(duration(Duration::from_millis(10), Duration::from_secs(3_600)))
    },
    apply: |m, s| set_ms(m, "hold", &mut s.hold_ms),
    lacking: text!("request that waits for mail"),
};

/// `--heartbeat`: the length of a silence after which a heartbeat is sent.
pub const HEARTBEAT: Flag = Flag {
    arg: || {
        Arg::new("heartbeat")
            .long("heartbeat")
            .value_name("DURATION")
            .help("SSE, WebSocket: silence after which the server sends a comment or a ping")
            .default_value("15s")
            .value_parser(duration(Duration::from_millis(10), Duration::from_secs(3_600)))
    },
    apply: |m, s| set_ms(m, "heartbeat", &mut s.heartbeat_ms),
    lacking: text!("connection to keep alive"),
};

/// `--frames`: text or binary data frames.
pub const FRAMES: Flag = Flag {
    arg: || {
        Arg::new("frames")
            .long("frames")
            .value_name("KIND")
            .help("WebSocket: text frames carry an attachment as base64, binary frames as it is")
            .default_value("text")
            .value_parser(value_parser!(Frames))
    },
    apply: |m, s| {
        if let Some(frames) = m.get_one("frames") {
            s.frames = *frames;
        }
    },
    lacking: text!("WebSocket frames"),
};

/// `--closer`: the side that closes.
pub const CLOSER: Flag = Flag {
    arg: || {
        Arg::new("closer")
            .long("closer")
            .value_name("SIDE")
            .help("SSE, WebSocket: which side ends the connection")
            .default_value("client")
            .value_parser(value_parser!(Closer))
    },
    apply: |m, s| {
        if let Some(closer) = m.get_one("closer") {
            s.closer = *closer;
        }
    },
    lacking: text!("stream to close"),
};

/// `--block`: what the middlebox between client and server blocks.
pub const BLOCK: Flag = Flag {
    arg: || {
        Arg::new("block")
            .long("block")
            .value_name("WHAT")
            .help("A middlebox that refuses upgrades (websocket), or holds answers back until they are over (streaming)")
            .value_delimiter(',')
            .value_parser(value_parser!(Block))
    },
    apply: |m, s| s.block = m.get_many("block").unwrap_or_default().copied().collect(),
    lacking: text!("use for a middlebox"),
};

/// `--slow-policy`: a queue for each client, and what becomes of it.
pub const SLOW_POLICY: Flag = Flag {
    arg: || {
        Arg::new("slow-policy")
            .long("slow-policy")
            .value_name("POLICY")
            .help(
                "SSE, WebSocket: a queue for each client instead of a cursor in the log, and what becomes of it if the \
                 client reads too slowly",
            )
            .value_parser(value_parser!(SlowPolicy))
    },
    apply: |m, s| s.slow_policy = m.get_one("slow-policy").copied(),
    lacking: text!("queue for each client"),
};

/// `--over`: the transport below STOMP.
pub const OVER: Flag = Flag {
    arg: || {
        Arg::new("over")
            .long("over")
            .value_name("CARRIER")
            .help("STOMP: what its frames run over")
            .default_value("ws")
            .value_parser(value_parser!(Over))
    },
    apply: |m, s| {
        if let Some(over) = m.get_one("over") {
            s.over = *over;
        }
    },
    lacking: text!("choice of what it runs over"),
};

/// `--publishers`: the clients that publish.
pub const PUBLISHERS: Flag = Flag {
    arg: || {
        Arg::new("publishers")
            .long("publishers")
            .value_name("N")
            .help("STOMP: so many clients send the mail, in turn, to the broker [default: 0, it arrives at the server]")
            .default_value("0")
            .hide_default_value(true)
            .value_parser(count(0, 1_000))
    },
    apply: |m, s| {
        if let Some(publishers) = m.get_one::<u64>("publishers") {
            s.publishers = *publishers as usize;
        }
    },
    lacking: text!("clients that publish"),
};

/// `--topics`: the topics that mail is published to.
pub const TOPICS: Flag = Flag {
    arg: || {
        Arg::new("topics")
            .long("topics")
            .value_name("NAMES")
            .help("STOMP: where mail is published, in turn; every subscriber subscribes to all of them")
            .default_value("inbox")
            .value_delimiter(',')
            .value_parser(topic)
    },
    apply: |m, s| s.topics = m.get_many("topics").unwrap_or_default().cloned().collect(),
    lacking: text!("topics to publish to"),
};

/// Parses a topic's name, the part after `/topic/`.
fn topic(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match (1..=64).contains(&text.len()) && text.chars().all(fits) {
        true => Ok(text.into()),
        false => Err(t!(
            "allowed are 1 to 64 letters, digits, dots, dashes and underscores"
        )),
    }
}

fn set_ms(matches: &ArgMatches, id: &str, field: &mut f64) {
    if let Some(duration) = matches.get_one::<Duration>(id) {
        *field = duration.as_secs_f64() * 1e3;
    }
}

/// Parses `200ms`, `5s`, `1m 30s`; the error for a value outside `least..=most` names both limits.
pub fn duration(least: Duration, most: Duration) -> ValueParser {
    ValueParser::from(move |text: &str| -> Result<Duration, String> {
        let allowed = || {
            t!(
                "allowed is %{least} to %{most}, written like 200ms, 5s or 2min",
                least = humantime::format_duration(least),
                most = humantime::format_duration(most)
            )
        };
        let duration = humantime::parse_duration(text).map_err(|e| match Language::spoken() {
            // Its own words are English.
            Language::En => format!("{e}; {}", allowed()),
            Language::Ko => allowed(),
        })?;
        if (least..=most).contains(&duration) {
            Ok(duration)
        } else {
            Err(allowed())
        }
    })
}
