//! Socket.IO's entry in the registry.

use super::super::blocked;
use super::super::contract::{self, Demand, Serve, Technique};
use super::super::flags;
use super::super::sequence::Step;
use super::names::{ENVELOPE, ROOM};
use super::{client, server};
use crate::lang::{t, text};
use crate::outcome::{HttpVersion, Outcome, Scenario};
use crate::theory::{Delivery, Liveness};

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "socketio",
    title: "Socket.IO",
    about: text!("Socket.IO: poll first, upgrade to WebSocket when it works; events with acknowledgements"),
    merit: text!("It begins with what always works, and changes to WebSocket where it can."),
    sequence: &[
        Step::Up("GET polling"),
        Step::Down("0{…}"),
        Step::Up("GET, Upgrade"),
        Step::Down("101"),
        Step::Mail,
        Step::Down("42[…]"),
    ],
    examples: "Examples:\n  mailcall socketio\n  mailcall socketio --block websocket\n  \
             mailcall socketio --reply --timeline\n  mailcall inspect socketio --mails 1",
    scheme: contract::http_scheme,
    demand: Demand::Session,
    holds: true,
    streams: true,
    usual: false,
    layered: Some(text!(
        "acknowledgements, rooms, and a start that needs no WebSocket"
    )),
    held_back: contract::never,
    cannot,
    flags: &[&flags::HEARTBEAT, &flags::FRAMES, &flags::CLOSER, &flags::BLOCK],
    answers: None,
    serve: Serve::Http(server::serve),
    client: |client| Box::pin(client::run(client)),
    formula: |scenario, _| match delivers(scenario) {
        Delivery::Duplex => contract::pushed(scenario),
        _ => None,
    },
    delivers,
    liveness: Liveness::Clocked {
        ping: 3,
        timeout_ms: 20_000,
    },
    lesson,
};

fn cannot(scenario: &Scenario) -> Option<&'static str> {
    match scenario.http {
        HttpVersion::Http10 => Some(text!(
            "its upgrade to WebSocket is a request of HTTP/1.1 or later"
        )),
        HttpVersion::Http11 => None,
        HttpVersion::Http2 => Some(text!("its clients upgrade connections of HTTP/1.1 only")),
    }
}

fn delivers(scenario: &Scenario) -> Delivery {
    match blocked::websocket(scenario) {
        Some(_) => Delivery::LongPolled,
        None => Delivery::Duplex,
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
