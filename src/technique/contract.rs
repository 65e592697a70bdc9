//! What a technique is: the contract that each one's file fulfils.

use futures_util::future::BoxFuture;

use super::blocked;
use super::client::Client;
use super::flags::{self, Flag};
use super::routes::Routes;
use super::service::Service;
use super::stream::Stream;
use crate::mail::Plan;
use crate::outcome::{Outcome, Scenario};
use crate::theory::{self, Delivery, Latency, Liveness};
use crate::wire::Answer;

/// What a technique must bring.
#[derive(Debug)]
pub struct Technique {
    /// Its name as subcommand, table row and JSON value.
    pub name: &'static str,
    /// Its name spelled out.
    pub title: &'static str,
    /// What it does in one sentence, for the help.
    pub about: &'static str,
    /// What speaks for it besides figures, in a sentence.
    pub merit: &'static str,
    /// What stands under its `--help`.
    pub examples: &'static str,
    /// The scheme of the URL that its clients connect to (RFC 9110, section 4.2; RFC 6455, section 3).
    pub scheme: fn(&Scenario) -> &'static str,
    /// What it demands of the network and of the server.
    pub demand: Demand,
    /// Whether a waiting client occupies the server, which then knows that it is there.
    pub holds: bool,
    /// Whether a stream stays open until one side ends it, rather than requests that come and go.
    pub streams: bool,
    /// Whether a comparison has it without being told to; the others when they are named, or with `--all`.
    pub usual: bool,
    /// What it buys above what it runs on, if it is a protocol on top of others.
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
        self.takes(&flags::PUBLISHERS)
    }

    /// Whether its mail goes to topics.
    pub fn has_topics(&self) -> bool {
        self.takes(&flags::TOPICS)
    }

    fn takes(&self, flag: &Flag) -> bool {
        let flag = (flag.arg)();
        self.flags.iter().any(|f| (f.arg)().get_id() == flag.get_id())
    }

    /// Whether mail waits in a scenario until a client asks, which it does at intervals.
    pub fn is_polled(&self, scenario: &Scenario) -> bool {
        (self.delivers)(scenario) == Delivery::Polled
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

/// What a technique demands of the network and of the server, the least demanding first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    /// A request now and then.
    Requests,
    /// One response that does not end, still plain HTTP.
    Stream,
    /// Another protocol on the connection.
    Upgrade,
    /// Requests without end, each kept until there is mail.
    HeldRequests,
    /// A protocol on top that brings its own transports.
    Transports,
    /// One that brings sessions and acknowledgements, too.
    Session,
    /// One that needs a broker.
    Broker,
    /// A port of its own.
    Port,
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
pub fn pushed(scenario: &Scenario) -> Option<Latency> {
    let path = scenario.link.path();
    path.only_delays().then(|| theory::push_latency(path.rtt))
}

/// For a technique that no stream of HTTP's carries, or that goes over to something else.
pub fn never(_scenario: &Scenario) -> bool {
    false
}

/// The scheme of a technique that begins with requests of HTTP.
pub fn http_scheme(scenario: &Scenario) -> &'static str {
    if scenario.tls { "https" } else { "http" }
}

/// The scheme of one that begins with a WebSocket.
pub fn websocket_scheme(scenario: &Scenario) -> &'static str {
    if scenario.tls { "wss" } else { "ws" }
}

/// For a technique that can exist anywhere.
pub fn anywhere(_scenario: &Scenario) -> Option<&'static str> {
    None
}
