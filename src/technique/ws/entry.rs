//! WebSocket's entry in the registry.

use super::super::contract::{self, Demand, Serve, Technique};
use super::super::sequence::Step;
use super::super::{blocked, flags};
use super::socket::UNANSWERED;
use super::{client, scene, server};
use crate::lang::{t, text};
use crate::outcome::{HttpVersion, Outcome, Scenario};
use crate::theory::{Delivery, Liveness};

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "ws",
    title: "WebSocket",
    about: text!("Upgrade once: a connection on which either side sends frames whenever it likes"),
    merit: text!("One connection for both ways; to take up where it was cut is the application's affair."),
    sequence: &[
        Step::Up("GET, Upgrade"),
        Step::Down("101"),
        Step::Mail,
        Step::Down(text!("frame")),
        Step::Up(text!("frame")),
    ],
    examples: "Examples:\n  mailcall ws --reply\n  mailcall ws --attach 100000 --frames binary\n  \
             mailcall ws --closer server --format json\n  \
             mailcall ws wss://127.0.0.1:8443 --ca ca.pem --mails 10",
    scheme: contract::websocket_scheme,
    demand: Demand::Upgrade,
    holds: true,
    streams: true,
    usual: true,
    layered: None,
    held_back: contract::never,
    cannot,
    flags: &[
        &flags::HEARTBEAT,
        &flags::FRAMES,
        &flags::CLOSER,
        &flags::BLOCK,
        &flags::SLOW_POLICY,
    ],
    answers: None,
    serve: Serve::Http(server::serve),
    client: |client| Box::pin(client::run(client)),
    formula: |scenario, _| contract::pushed(scenario),
    delivers: |_| Delivery::Duplex,
    liveness: Liveness::Pinged {
        ping: 2,
        unanswered: UNANSWERED,
    },
    lesson,
};

/// WebSocket with a client that shows all kinds of frames.
pub const FRAMES: Technique = Technique {
    client: |client| Box::pin(scene::run(client)),
    ..TECHNIQUE
};

fn cannot(scenario: &Scenario) -> Option<&'static str> {
    let old = (scenario.http == HttpVersion::Http10).then_some(text!(
        "its opening handshake is a request of HTTP/1.1 or later (RFC 6455, section 4.1)"
    ));
    old.or_else(|| blocked::websocket(scenario))
}

fn lesson(outcome: &Outcome) -> String {
    let per_mail = outcome.bytes.down.framing as f64 / outcome.carried().max(1) as f64;
    let head = outcome.bytes.up.head + outcome.bytes.down.head;
    let opening = match outcome.connections.opened {
        1 => t!("%{head} bytes of HTTP opened the connection", head = head),
        _ => t!("%{head} bytes of HTTP opened the connections", head = head),
    };
    let reply = match outcome.mails.replies {
        Some(_) => t!(", and each reply went back on the same connection with a header of 6"),
        None => String::new(),
    };
    t!(
        "%{opening}; after that each mail cost %{framing} bytes of frame%{reply}.",
        opening = opening,
        framing = format!("{per_mail:.0}"),
        reply = reply
    )
}
