//! SockJS: "give me what is after N and whatever comes after it, on whatever gets through": a WebSocket, or
//! what looks like one and is made of HTTP (<https://github.com/sockjs/sockjs-protocol>, the text that has no
//! version number; it came after 0.3.3).
//!
//! ```text
//! client                              server
//!   | GET /sockjs/info                  |      which transports? how long does that take?
//!   |---------------------------------->|
//!   | GET /sockjs/479/mf8gu_-b/websocket|      tried first …
//!   |-------------------> x             |      … and refused on the way
//!   | POST …/xhr_streaming              |      then one answer without end, which
//!   |---------------------------------->|      a proxy on the way may hold back:
//!   |                     x <-----------|      timed out
//!   | POST …/xhr                        |      then one answer for each message
//!   |---------------------------------->|
//!   |            o                      |      the session has begun
//!   |<----------------------------------|
//!   | POST …/xhr_send ["after=0."]      |      what the client says has requests of its own
//!   |---------------------------------->|
//!   | POST …/xhr                        |
//!   |---------------------------------->|
//!   |            a["{\"id\":1,…}"]      |  <- mail 1 arrives
//!   |<----------------------------------|
//! ```
//!
//! A session outlives its requests, but not its connection's breaking: whoever comes back begins another,
//! and says what it has seen. Mail travels as a JSON string, so every quote in its own JSON has a
//! backslash before it.

mod app;
mod carried;
mod client;
mod hixie;
mod http;
mod lesson;
mod receive;
mod server;
mod session;
mod socket;

use serde::Deserialize;
use serde_json::Value;

use super::service::Service;
use super::{Demand, Routes, Serve, Technique, flags};
use crate::lang::text;
use crate::mail::{Cursor, NotOne};
use crate::outcome::{Block, HttpVersion, Scenario};
use crate::theory::{Delivery, Liveness};
use crate::wire::sockjs::AFTER;

pub use app::mail;
pub use carried::Carried;
pub use client::connect;
pub use server::{App, Options, routes};
pub use session::{Closed, Message, Session};

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "sockjs",
    title: "SockJS",
    about: text!("A WebSocket, or what looks like one and is made of HTTP: whichever gets through"),
    merit: text!("It finds its way round what is blocked."),
    examples: "Examples:\n  mailcall sockjs\n  mailcall sockjs --block websocket\n  \
             mailcall sockjs --block websocket,streaming --reply\n  \
             mailcall compare --all --block streaming",
    scheme: super::http_scheme,
    demand: Demand::Transports,
    holds: true,
    streams: true,
    layered: Some(text!("a way through where WebSocket is blocked")),
    held_back: super::never,
    cannot: super::anywhere,
    flags: &[&flags::HEARTBEAT, &flags::CLOSER, &flags::BLOCK],
    answers: None,
    serve: Serve::Http(serve),
    client: |client| Box::pin(client::run(client)),
    formula: |scenario, _| match delivers(scenario) {
        Delivery::Duplex => super::pushed(scenario),
        _ => None,
    },
    delivers,
    liveness: Liveness::Written(Some(3)),
    lesson: lesson::lesson,
};

/// Where its services are.
const PREFIX: &str = "/sockjs";

/// What is tried, by the names that the original's client has for them.
const INFO: &str = "info";
const WEBSOCKET: &str = "websocket";
const XHR_STREAMING: &str = "xhr-streaming";
const XHR_POLLING: &str = "xhr-polling";

/// What a client says first: what it has seen, `after=7.k3f9`.
fn say_cursor(cursor: Cursor) -> String {
    format!("{AFTER}{cursor}")
}

/// The cursor that a client says, in that form or as JSON, `{"after":7}`; `None` if it says something else.
fn heard_cursor(text: &str) -> Option<Result<Cursor, NotOne>> {
    #[derive(Deserialize)]
    struct After {
        after: Value,
    }
    if let Some(cursor) = text.strip_prefix(AFTER) {
        return Some(cursor.parse());
    }
    let After { after } = serde_json::from_str(text).ok()?;
    Some(match after {
        Value::String(cursor) => cursor.parse(),
        other => other.to_string().parse(),
    })
}

/// How mail comes over what gets through.
pub fn delivers(scenario: &Scenario) -> Delivery {
    let upgrades = scenario.http != HttpVersion::Http10 && !scenario.blocks(Block::Websocket);
    match (upgrades, scenario.blocks(Block::Streaming)) {
        (true, _) => Delivery::Duplex,
        (false, false) => Delivery::Streamed,
        (false, true) => Delivery::LongPolled,
    }
}

fn serve(service: Service) -> Routes {
    let options = Options::of(&service);
    let mail = routes(PREFIX, service.clone(), options.clone(), app::mail);
    if !service.tuning.echo {
        return mail;
    }
    let without = Options {
        websocket: false,
        ..options.clone()
    };
    let with_cookie = Options {
        cookie_needed: true,
        ..options.clone()
    };
    mail.merge(routes("/echo", service.clone(), options.clone(), app::echo))
        .merge(routes("/close", service.clone(), options, app::close))
        .merge(routes(
            "/disabled_websocket_echo",
            service.clone(),
            without,
            app::echo,
        ))
        .merge(routes("/cookie_needed_echo", service, with_cookie, app::echo))
}
