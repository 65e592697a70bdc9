//! SockJS's entry in the registry.

use super::super::blocked;
use super::super::contract::{self, Demand, Serve, Technique};
use super::super::flags;
use super::super::routes::Routes;
use super::super::sequence::Step;
use super::super::service::Service;
use super::names::PREFIX;
use super::server::Options;
use super::service::routes;
use super::{app, client, lesson};
use crate::lang::text;
use crate::outcome::{HttpVersion, Scenario};
use crate::theory::{Delivery, Liveness};

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "sockjs",
    title: "SockJS",
    about: text!("A WebSocket, or what looks like one and is made of HTTP: whichever gets through"),
    merit: text!("It finds its way round what is blocked."),
    sequence: &[
        Step::Up("GET /info"),
        Step::Up("GET, Upgrade"),
        Step::Down("o"),
        Step::Mail,
        Step::Down("a[…]"),
    ],
    examples: "Examples:\n  mailcall sockjs\n  mailcall sockjs --block websocket\n  \
             mailcall sockjs --block websocket,streaming --reply\n  \
             mailcall compare --all --block streaming",
    scheme: contract::http_scheme,
    demand: Demand::Transports,
    holds: true,
    streams: true,
    usual: false,
    layered: Some(text!("a way through where WebSocket is blocked")),
    held_back: contract::never,
    cannot: contract::anywhere,
    flags: &[&flags::HEARTBEAT, &flags::CLOSER, &flags::BLOCK],
    answers: None,
    serve: Serve::Http(serve),
    client: |client| Box::pin(client::run(client)),
    formula: |scenario, _| match delivers(scenario) {
        Delivery::Duplex => contract::pushed(scenario),
        _ => None,
    },
    delivers,
    liveness: Liveness::Written(Some(3)),
    lesson: lesson::lesson,
};

/// How mail is delivered over the transport that works.
pub fn delivers(scenario: &Scenario) -> Delivery {
    let upgrades = scenario.http != HttpVersion::Http10 && blocked::websocket(scenario).is_none();
    match (upgrades, blocked::streaming(scenario)) {
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
