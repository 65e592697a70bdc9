//! The techniques: one file each, with its server half and its client half, and the contract they
//! keep. To add one, write its file and add the two lines marked below.
//!
//! A technique is one way to end the sentence "give me what is after N …". It is given a mailbox and
//! a client's cursor; it does not know that it is being measured.

mod aside;
pub mod blocked;
mod client;
mod event_source;
mod fields;
pub mod flags;
pub mod headers;
mod http;
pub mod limit;
mod list;
pub mod origin;
mod publish;
pub mod quantities;
mod routes;
mod service;
pub mod talk;

mod long_poll;
mod poll;
mod socketio;
pub mod sockjs;
mod sse;
pub mod stomp;
pub mod tcp;
pub mod ws; // a new technique: its module here …

use futures_util::future::BoxFuture;

use crate::mail::Plan;
use crate::outcome::{Outcome, Scenario};
use crate::theory::{self, Delivery, Latency, Liveness};
use crate::wire::Answer;

pub use client::{Client, Inbox, LEAD, Record, Start};
pub use headers::Headers;
pub use list::{After, reply_route};
pub use origin::{Network, Origin};
pub use poll::phase as poll_phase;
pub use publish::Outbox;
pub use routes::Routes;
pub use service::{BODY_TIMEOUT, MAX_BODY, Service, Speak, Stream, Subprotocol, Subprotocols, Tuning};
pub use ws::FRAMES;

use flags::Flag;

/// Every technique, in the order tables show them.
pub const ALL: &[&Technique] = &[
    &poll::TECHNIQUE,
    &long_poll::TECHNIQUE,
    &sse::TECHNIQUE,
    &ws::TECHNIQUE, // … and its entry here
    &stomp::TECHNIQUE,
    &sockjs::TECHNIQUE,
    &socketio::TECHNIQUE,
];

/// What a technique must bring.
#[derive(Debug)]
pub struct Technique {
    /// Its name as subcommand, table row and JSON value.
    pub name: &'static str,
    /// One line for the help.
    pub about: &'static str,
    /// Whether a waiting client occupies the server, which then knows that it is there.
    pub holds: bool,
    /// Whether a stream stays open until one side ends it, rather than requests that come and go.
    pub streams: bool,
    /// What it buys above what it runs on, if it is a protocol on top of others: a comparison has those when
    /// they are named, or with `--all`.
    pub layered: Option<&'static str>,
    /// Whether something on the way holds its stream back in a scenario, so that nothing arrives before the
    /// stream has ended.
    pub held_back: fn(&Scenario) -> bool,
    /// Why it cannot exist in a scenario, if it cannot.
    pub cannot: fn(&Scenario) -> Option<&'static str>,
    /// The flags it has beyond those of every run.
    pub flags: &'static [&'static Flag],
    /// The path that its clients ask for mail at, and what the answers hold; `None` where no GET is answered
    /// with mail, or a protocol on top says it.
    pub answers: Option<(&'static str, Answer)>,
    /// The server half, over one mailbox.
    pub serve: Serve,
    /// The client half: runs until its inbox is complete or it is stopped.
    pub client: fn(Client) -> BoxFuture<'static, anyhow::Result<()>>,
    /// How late its mail is by a formula of `theory`, in seconds, where a scenario has one.
    pub formula: fn(&Scenario, &Plan) -> Option<Latency>,
    /// How it brings mail in a scenario.
    pub delivers: fn(&Scenario) -> Delivery,
    /// What its server waits for, and so can miss when a client is gone.
    pub liveness: Liveness,
    /// The sentence under the table when it runs alone, made from its outcome.
    pub lesson: fn(&Outcome) -> String,
}

impl Technique {
    /// Whether clients can publish mail, rather than that it arrives at the server.
    pub fn has_publishers(&self) -> bool {
        let flag = (flags::PUBLISHERS.arg)();
        self.flags.iter().any(|f| (f.arg)().get_id() == flag.get_id())
    }

    /// Why it is of no use in a scenario, if it is not: it cannot exist, or brings nothing before its end.
    pub fn useless(&self, scenario: &Scenario) -> Option<&'static str> {
        let held_back = (self.held_back)(scenario).then_some(blocked::STREAMING);
        (self.cannot)(scenario).or(held_back)
    }

    /// How many clients publish the mail of a scenario.
    pub fn publishers(&self, scenario: &Scenario) -> usize {
        if self.has_publishers() {
            scenario.publishers
        } else {
            0
        }
    }
}

/// A technique's server half.
#[derive(Clone, Copy, Debug)]
pub enum Serve {
    /// Routes over HTTP.
    Http(fn(Service) -> Routes),
    /// What to do with each accepted connection.
    Raw(fn(Service, Stream) -> BoxFuture<'static, ()>),
}

/// How late mail is that is pushed, on a link that only delays.
fn pushed(scenario: &Scenario) -> Option<Latency> {
    let path = scenario.link.path();
    path.only_delays().then(|| theory::push_latency(path.rtt))
}

/// For a technique that no stream of HTTP's carries, or that goes over to something else.
fn never(_scenario: &Scenario) -> bool {
    false
}

/// For a technique that can exist anywhere.
fn anywhere(_scenario: &Scenario) -> Option<&'static str> {
    None
}

/// What the answer to a GET of this target holds, as the technique that it belongs to has it: a profile may
/// have replaced its `Content-Type`.
pub fn answers(target: &[u8]) -> Option<Answer> {
    let path = target.split(|b| *b == b'?').next().unwrap_or_default();
    let mut known = ALL.iter().filter_map(|t| t.answers);
    known
        .find(|(route, _)| route.as_bytes() == path)
        .map(|(_, answer)| answer)
}

/// Finds a technique, or the baseline, by its name.
pub fn named(name: &str) -> Option<&'static Technique> {
    ALL.iter()
        .copied()
        .chain([&tcp::TECHNIQUE])
        .find(|t| t.name == name)
}
