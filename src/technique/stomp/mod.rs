//! STOMP: "give me what is after N of these topics, and whatever is published there later", over a
//! WebSocket or SockJS (STOMP Protocol Specification, Version 1.2).
//!
//! ```text
//! publisher            broker                            subscriber
//!     |                   | GET /stomp, Upgrade              |
//!     |                   |   Sec-WebSocket-Protocol: v12.stomp, …
//!     |                   |<---------------------------------|
//!     |                   | CONNECT  accept-version, heart-beat
//!     |                   |<=================================|
//!     |                   |            CONNECTED  version    |
//!     |                   |=================================>|
//!     |                   | SUBSCRIBE  id, destination, after|
//!     |                   |<=================================|
//!     | SEND  /topic/inbox|                                  |
//!     |==================>|            MESSAGE  subscription, message-id
//!     |                   |=================================>|
//!     |                   | SEND  /app/read                  |
//!     |                   |<=================================|
//!     |                   |            (end of line)         |  <- after a silence, either way
//!     |                   |=================================>|
//!     |                   | DISCONNECT  receipt              |
//!     |                   |<=================================|
//!     |                   |            RECEIPT               |
//!     |                   |=================================>|
//! ```
//!
//! WebSocket leaves open what a message means; this is one answer, and brokers give it: who sends need not
//! know who reads. Mail topics are the mailbox, so `after` resumes them; other topics and queues are there
//! for whoever speaks STOMP.

mod broker;
mod client;
pub mod connection;
mod frames;
mod server;
mod session;

use std::time::Duration;

use super::limit::MAX_MESSAGE;
use super::{Demand, Serve, Technique, Tuning, blocked, flags, sockjs};
use crate::lang::{t, text};
use crate::outcome::{Frames, HttpVersion, Outcome, Over, Scenario};
use crate::theory::{Delivery, Liveness};
use crate::wire::stomp::Limits;

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "stomp",
    title: "STOMP",
    about: text!("Topics over WebSocket or SockJS: subscribe by name, and a broker sends what is published"),
    merit: text!("It brings what an application would have to invent otherwise, such as topics."),
    examples: "Examples:\n  mailcall stomp --publishers 2 --subscribers 5 --topics inbox,promotions\n  \
             mailcall stomp --attach 100000 --frames binary\n  mailcall stomp --over sockjs --block websocket\n  \
             mailcall inspect stomp --mails 1",
    scheme: scheme,
    demand: Demand::Broker,
    holds: true,
    streams: true,
    layered: Some(text!("topics, receipts and acknowledgements")),
    held_back: super::never,
    cannot,
    flags: &[
        &flags::HEARTBEAT,
        &flags::FRAMES,
        &flags::CLOSER,
        &flags::OVER,
        &flags::BLOCK,
        &flags::PUBLISHERS,
        &flags::TOPICS,
    ],
    answers: None,
    serve: Serve::Http(server::serve),
    client: |client| Box::pin(client::run(client)),
    formula: |scenario, _| match (scenario.over, scenario.publishers) {
        (Over::Ws, 0) => super::pushed(scenario),
        _ => None,
    },
    delivers,
    liveness: Liveness::Heard {
        beat: 3,
        times: OVERDUE,
        least_ms: LEAST_OVERDUE.as_millis() as u32,
    },
    lesson,
};

fn cannot(scenario: &Scenario) -> Option<&'static str> {
    match scenario.over {
        // Something always gets through.
        Over::Sockjs => None,
        Over::Ws if scenario.http == HttpVersion::Http10 => Some(text!(
            "its opening handshake is a request of HTTP/1.1 or later (RFC 6455, section 4.1)"
        )),
        Over::Ws => blocked::websocket(scenario),
    }
}

fn scheme(scenario: &Scenario) -> &'static str {
    match scenario.over {
        Over::Sockjs => (sockjs::TECHNIQUE.scheme)(scenario),
        Over::Ws => super::websocket_scheme(scenario),
    }
}

fn delivers(scenario: &Scenario) -> Delivery {
    match scenario.over {
        Over::Sockjs => sockjs::delivers(scenario),
        Over::Ws => Delivery::Duplex,
    }
}

/// Where it is spoken over a WebSocket of its own.
const PATH: &str = "/stomp";

/// Where over SockJS.
const SOCKJS_PATH: &str = "/stomp-sockjs";

/// STOMP's heart-beats keep SockJS's away, for those who want any.
fn sockjs_heartbeat(scenario: &Scenario) -> Duration {
    scenario.heartbeat().saturating_mul(3)
}

/// How mail stands in bodies: SockJS carries text only.
fn frames_of(scenario: &Scenario) -> Frames {
    match scenario.over {
        Over::Ws => scenario.frames,
        Over::Sockjs => Frames::Text,
    }
}

/// The largest body that the broker takes: what a browser's client sends at once has less.
const MAX_BODY: usize = 1 << 20;

/// What the broker puts up with in a frame.
fn limits(tuning: &Tuning) -> Limits {
    Limits {
        headers: 64,
        line: 8 * 1024,
        body: tuning.max_payload.unwrap_or(MAX_BODY),
    }
}

/// The largest WebSocket message it takes: such a frame.
fn max_message(tuning: &Tuning) -> usize {
    limits(tuning).body + 64 * 1024
}

/// What a client puts up with.
const CLIENT_LIMITS: Limits = Limits {
    headers: 256,
    line: 64 * 1024,
    body: MAX_MESSAGE,
};

/// Heart-beats are taken for missing when none came for so many times what was agreed on, since timers
/// and networks are late (section "Heart-beating"), and for so long.
const OVERDUE: u32 = 2;
const LEAST_OVERDUE: Duration = Duration::from_secs(1);

fn overdue(every: Duration) -> Duration {
    (every * OVERDUE).max(LEAST_OVERDUE)
}

fn lesson(outcome: &Outcome) -> String {
    let control = outcome.bytes.up.control + outcome.bytes.down.control;
    let per_mail = outcome.bytes.down.framing as f64 / outcome.carried().max(1) as f64;
    t!(
        "CONNECT, SUBSCRIBE, DISCONNECT and what the broker answers were %{control} bytes; after that each mail cost \
         %{framing} bytes of framing, nearly all of it header text that says what it is and whom it is for.",
        control = control,
        framing = format!("{per_mail:.0}")
    )
}
