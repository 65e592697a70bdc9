//! The techniques: one file each, with its server half and its client half, and the contract they
//! keep. To add one, write its file and add the two lines marked below.
//!
//! A technique is one way to end the sentence "give me what is after N …". It is given a mailbox and
//! a client's cursor; it does not know that it is being measured.

mod aside;
mod bill;
pub mod blocked;
mod client;
mod event_source;
mod fields;
pub mod flags;
pub mod headers;
mod heads;
mod list;
pub mod origin;
mod publish;
mod service;
pub mod talk;

mod long_poll;
mod poll;
mod socketio;
pub mod sockjs;
mod sse;
pub mod stomp;
pub mod tcp;
mod ws; // a new technique: its module here …

use axum::Router;
use futures_util::future::BoxFuture;

use crate::mail::Plan;
use crate::outcome::{HttpVersion, Outcome, Prediction, Scenario};
use crate::theory::{self, Handshake, Liveness, Trial};

pub use client::{Client, Inbox, LEAD, Record, Start};
pub use headers::Headers;
pub use list::{After, reply_route};
pub use origin::Origin;
pub use publish::Outbox;
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
    /// Why it cannot exist in a scenario, if it cannot.
    pub cannot: fn(&Scenario) -> Option<&'static str>,
    /// The flags it has beyond those of every run.
    pub flags: &'static [&'static Flag],
    /// The server half, over one mailbox.
    pub serve: Serve,
    /// The client half: runs until its inbox is complete or it is stopped.
    pub client: fn(Client) -> BoxFuture<'static, anyhow::Result<()>>,
    /// What `theory` says the scenario will cost all clients together.
    pub predict: fn(&Setting) -> Prediction,
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
    Http(fn(Service) -> Router),
    /// What to do with each accepted connection.
    Raw(fn(Service, Stream) -> BoxFuture<'static, ()>),
}

/// What a prediction is made from: nothing here was measured.
#[derive(Debug)]
pub struct Setting<'a> {
    /// What was asked for.
    pub scenario: &'a Scenario,
    /// The mail.
    pub plan: &'a Plan,
    /// The header profile.
    pub headers: &'a Headers,
    /// Where the server is: the port's digits cross the wire.
    pub origin: &'a Origin,
    /// What TLS handshakes weigh: a client's first, and one that resumes it.
    pub handshakes: Option<[Handshake; 2]>,
}

impl Setting<'_> {
    /// When each mail is due, in seconds from the schedule's start.
    pub fn due(&self) -> Vec<f64> {
        self.plan.mails.iter().map(|m| m.due.as_secs_f64()).collect()
    }

    /// The run, to be acted out.
    fn trial<'d>(&self, due: &'d [f64]) -> Trial<'d> {
        Trial {
            due,
            path: self.scenario.link.path(),
            seed: self.scenario.seed,
            clients: self.scenario.clients,
            fresh: self.scenario.http == HttpVersion::Http10,
            handshakes: self.handshakes,
        }
    }

    /// Whether asking is as the formulas have it: on a link that only delays, over a connection that is
    /// opened once, in one round trip.
    fn has_formula(&self) -> bool {
        let path = self.scenario.link.path();
        let opens_plainly = self.scenario.http != HttpVersion::Http10 && self.handshakes.is_none();
        path.only_delays() && (path.rtt == 0.0 || opens_plainly)
    }

    /// How often the second is another when a mail comes, or a silence of `pause` is broken, than the time
    /// before: with the length of the gap as its chance.
    fn seconds(&self, pause: f64) -> f64 {
        let due = self.due();
        let gaps = due.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.map(|gap| {
            let whole = (gap / pause).floor();
            let rest = if whole > 0.0 { gap - whole * pause } else { gap };
            whole * pause.min(1.0) + rest.min(1.0)
        })
        .sum()
    }

    /// What TLS, where there is any, adds to so many bytes that are written at once.
    fn tls_framing(&self, len: u64) -> u64 {
        match self.handshakes {
            Some(_) => theory::tls_framing(len),
            None => 0,
        }
    }
}

/// For a technique that can exist anywhere.
fn anywhere(_scenario: &Scenario) -> Option<&'static str> {
    None
}

/// Finds a technique, or the baseline, by its name.
pub fn named(name: &str) -> Option<&'static Technique> {
    ALL.iter()
        .copied()
        .chain([&tcp::TECHNIQUE])
        .find(|t| t.name == name)
}
