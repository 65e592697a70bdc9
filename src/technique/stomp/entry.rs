//! STOMP's entry in the registry.

use super::super::contract::{self, Demand, Serve, Technique};
use super::super::sequence::Step;
use super::super::{blocked, flags, sockjs};
use super::agreed::{LEAST_OVERDUE, OVERDUE};
use super::{client, server};
use crate::lang::{t, text};
use crate::outcome::{HttpVersion, Outcome, Over, Scenario};
use crate::theory::{Delivery, Liveness};

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "stomp",
    title: "STOMP",
    about: text!("Topics over WebSocket or SockJS: subscribe by name, and a broker sends what is published"),
    merit: text!("It brings what an application would have to invent otherwise, such as topics."),
    sequence: &[
        Step::Up("CONNECT"),
        Step::Down("CONNECTED"),
        Step::Up("SUBSCRIBE"),
        Step::Mail,
        Step::Down("MESSAGE"),
    ],
    examples: "Examples:\n  mailcall stomp --publishers 2 --subscribers 5 --topics inbox,promotions\n  \
             mailcall stomp --attach 100000 --frames binary\n  mailcall stomp --over sockjs --block websocket\n  \
             mailcall inspect stomp --mails 1",
    scheme,
    demand: Demand::Broker,
    holds: true,
    streams: true,
    usual: false,
    layered: Some(text!("topics, receipts and acknowledgements")),
    held_back: contract::never,
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
        (Over::Ws, 0) => contract::pushed(scenario),
        _ => None,
    },
    delivers,
    liveness: Liveness::HeartBeats {
        beat: 3,
        times: OVERDUE,
        least_ms: LEAST_OVERDUE.as_millis() as u32,
    },
    lesson,
};

fn cannot(scenario: &Scenario) -> Option<&'static str> {
    match scenario.over {
        // One of SockJS's transports always works.
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
        Over::Ws => contract::websocket_scheme(scenario),
    }
}

fn delivers(scenario: &Scenario) -> Delivery {
    match scenario.over {
        Over::Sockjs => sockjs::delivers(scenario),
        Over::Ws => Delivery::Duplex,
    }
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
