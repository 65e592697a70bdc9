//! Socket.IO: "give me what is after N and whatever comes after it, by whatever way there is": events with
//! names, acknowledgements, namespaces and rooms, over Engine.IO, which begins with HTTP long polling and
//! goes on to WebSocket where that gets through
//! (<https://github.com/socketio/socket.io-protocol>, revision 5).
//!
//! | | what it is | where its bytes are |
//! | --- | --- | --- |
//! | event | a message with a name and arguments: `mail`, `gap`, `read`, `say` | `42["mail",…]` |
//! | acknowledgement | the answer to one event, by its number: with `--reply` that a mail was read | `421["mail",…]`, `431[{"read":1}]` |
//! | namespace | a channel of its own on the same session: `/`, and with `--echo` `/custom` | `40/custom,` |
//! | room | whom a server means together: `inbox` has all who read the mailbox | nowhere: only the server knows |
//!
//! How the sessions come about is in [`client`] and [`websocket`], and why the library's own transports are
//! not used in [`engine`].

mod arguments;
mod client;
mod engine;
mod front;
mod server;
mod session;
mod websocket;

use std::time::Duration;

use super::{Demand, Serve, Technique, flags};
use crate::lang::{t, text};
use crate::outcome::{Block, HttpVersion, Outcome, Scenario};
use crate::theory::{Delivery, Liveness};

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "socketio",
    title: "Socket.IO",
    about: text!("Socket.IO: poll first, upgrade to WebSocket when it works; events with acknowledgements"),
    merit: text!("It begins with what always works, and changes to WebSocket where it can."),
    examples: "Examples:\n  mailcall socketio\n  mailcall socketio --block websocket\n  \
             mailcall socketio --reply --timeline\n  mailcall inspect socketio --mails 1",
    scheme: super::http_scheme,
    demand: Demand::Session,
    holds: true,
    streams: true,
    layered: Some(text!(
        "acknowledgements, rooms, and a start that needs no WebSocket"
    )),
    held_back: super::never,
    cannot,
    flags: &[&flags::HEARTBEAT, &flags::FRAMES, &flags::CLOSER, &flags::BLOCK],
    answers: None,
    serve: Serve::Http(server::serve),
    client: |client| Box::pin(client::run(client)),
    formula: |scenario, _| match delivers(scenario) {
        Delivery::Duplex => super::pushed(scenario),
        _ => None,
    },
    delivers,
    liveness: Liveness::Clocked {
        ping: 3,
        timeout_ms: 20_000,
    },
    lesson,
};

/// Where Socket.IO is spoken.
const PATH: &str = "/socket.io/";

/// Where Engine.IO alone is, with `--echo`.
const ENGINE: &str = "/engine.io/";

/// The room of those who read the mailbox.
const ROOM: &str = "inbox";

/// What a mail's packet has besides the mail: `42["mail",` and `]`.
const ENVELOPE: usize = 11;

/// What bodies are.
const TEXT: &str = "text/plain; charset=UTF-8";

/// How long clients that were told goodbye may take to leave.
const LEAVING: Duration = Duration::from_secs(1);

fn delivers(scenario: &Scenario) -> Delivery {
    match scenario.blocks(Block::Websocket) {
        true => Delivery::LongPolled,
        false => Delivery::Duplex,
    }
}

fn cannot(scenario: &Scenario) -> Option<&'static str> {
    match scenario.http {
        HttpVersion::Http10 => Some(text!(
            "its upgrade to WebSocket is a request of HTTP/1.1 or later"
        )),
        HttpVersion::Http11 => None,
        HttpVersion::Http2 => Some(text!("its clients upgrade connections of HTTP/1.1 only")),
    }
}

fn lesson(outcome: &Outcome) -> String {
    let before = outcome.attempts.iter().find(|a| a.transport == "polling");
    let first = before.map_or(0.0, |a| a.took_us / 1e3);
    let last = outcome.attempts.iter().rfind(|a| a.transport == "websocket");
    let acks = match outcome.mails.replies {
        Some(_) => t!(
            " Each mail was an event of the namespace /, for readers in the room %{room}, acknowledged by a number that its envelope has besides.",
            room = ROOM
        ),
        None => t!(
            " Each mail was an event of the namespace /, for readers in the room %{room}.",
            room = ROOM
        ),
    };
    let way = match last.map(|a| (a.t_us + a.took_us, &a.failed)) {
        Some((through, None)) => t!(
            "Polling worked at once: the session was there after %{first} ms, and was used while the WebSocket was \
             still being tried, which was through after %{through} ms; from then on a mail cost its frame and \
             %{envelope} bytes of envelope.",
            first = format!("{first:.1}"),
            through = format!("{:.1}", through / 1e3),
            envelope = ENVELOPE
        ),
        Some((through, Some(_))) => t!(
            "The WebSocket was refused after %{through} ms, and nothing was lost: the session was there after \
             %{first} ms by polling, and stayed there, at full headers for each answer.",
            first = format!("{first:.1}"),
            through = format!("{:.1}", through / 1e3)
        ),
        None => t!(
            "The session was there after %{first} ms by polling; no WebSocket was tried.",
            first = format!("{first:.1}")
        ),
    };
    way + &acks
}
