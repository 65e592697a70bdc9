//! What a technique has to define: the struct that each technique's file fills in.

use futures_util::future::BoxFuture;

use super::blocked;
use super::client::Client;
use super::flags::{self, Flag};
use super::routes::Routes;
use super::sequence::Step;
use super::service::Service;
use super::stream::Stream;
use crate::mail::Plan;
use crate::outcome::{Outcome, Scenario};
use crate::theory::{self, Delivery, Latency, Liveness};
use crate::wire::Answer;

/// A technique: its texts, its properties, and its two halves.
#[derive(Debug)]
pub struct Technique {
    /// Its name, as subcommand, table row and JSON value.
    pub name: &'static str,
    /// Its full name.
    pub title: &'static str,
    /// What it does in one sentence, for the help.
    pub about: &'static str,
    /// Its advantage apart from the figures, in a sentence.
    pub merit: &'static str,
    /// Its exchanges in order, from the first request to a few mails, for a small diagram.
    pub sequence: &'static [Step],
    /// The examples under its `--help`.
    pub examples: &'static str,
    /// The scheme of the URL that its clients connect to (RFC 9110, section 4.2; RFC 6455, section 3).
    pub scheme: fn(&Scenario) -> &'static str,
    /// What it demands of the network and of the server.
    pub demand: Demand,
    /// Whether a waiting client keeps a request or connection open, so the server knows that it is there.
    pub holds: bool,
    /// Whether a stream stays open until one side ends it, instead of requests that come and go.
    pub streams: bool,
    /// Whether a comparison includes it by default; others must be named, or come with `--all`.
    pub usual: bool,
    /// For a protocol on top of others: what it adds to what it runs on.
    pub layered: Option<&'static str>,
    /// Whether an intermediary holds its stream back in a scenario, so that nothing arrives before the stream
    /// has ended.
    pub held_back: fn(&Scenario) -> bool,
    /// Why it cannot work in a scenario, if it cannot.
    pub cannot: fn(&Scenario) -> Option<&'static str>,
    /// The flags it has beyond those of every run.
    pub flags: &'static [&'static Flag],
    /// The path at which its clients ask for mail, and what the answers hold; `None` where no GET is answered
    /// with mail, or a protocol on top decides it.
    pub answers: Option<(&'static str, Answer)>,
    /// The server half, over one mailbox.
    pub serve: Serve,
    /// The client half: runs until its inbox is complete or it is stopped.
    pub client: fn(Client) -> BoxFuture<'static, anyhow::Result<()>>,
    /// Predicted latency of its mail by a formula of `theory`, in seconds, where a formula fits the scenario.
    pub formula: fn(&Scenario, &Plan) -> Option<Latency>,
    /// How mail is delivered in a scenario.
    pub delivers: fn(&Scenario) -> Delivery,
    /// How the server can notice that a client is gone.
    pub liveness: Liveness,
    /// The sentence above the table when it runs alone, made from its outcome.
    pub lesson: fn(&Outcome) -> String,
}

impl Technique {
    /// Whether clients can publish mail; otherwise it is appended at the server.
    pub fn has_publishers(&self) -> bool {
        self.takes(&flags::PUBLISHERS)
    }

    /// Whether its mail is sent to topics.
    pub fn has_topics(&self) -> bool {
        self.takes(&flags::TOPICS)
    }

    fn takes(&self, flag: &Flag) -> bool {
        let flag = (flag.arg)();
        self.flags.iter().any(|f| (f.arg)().get_id() == flag.get_id())
    }

    /// Whether mail waits until the client's next poll in a scenario.
    pub fn is_polled(&self, scenario: &Scenario) -> bool {
        (self.delivers)(scenario) == Delivery::Polled
    }

    /// Why it is useless in a scenario, if it is: it cannot work there, or delivers nothing before its end.
    pub fn useless(&self, scenario: &Scenario) -> Option<&'static str> {
        let held_back = || blocked::why_held_back(scenario).filter(|_| (self.held_back)(scenario));
        (self.cannot)(scenario).or_else(held_back)
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

/// What a technique demands of the network and of the server, in ascending order.
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
    /// A layered protocol that brings its own transports.
    Transports,
    /// A layered protocol that also has sessions and acknowledgements.
    Session,
    /// A layered protocol that needs a broker.
    Broker,
    /// A TCP port of its own.
    Port,
}

/// A technique's server half.
#[derive(Clone, Copy, Debug)]
pub enum Serve {
    /// Routes over HTTP.
    Http(fn(Service) -> Routes),
    /// A function that handles each accepted connection.
    Raw(fn(Service, Stream) -> BoxFuture<'static, ()>),
}

/// The predicted latency of pushed mail, on a link that only delays.
pub fn pushed(scenario: &Scenario) -> Option<Latency> {
    let path = scenario.link.path();
    path.only_delays().then(|| theory::push_latency(path.rtt))
}

/// `held_back` of a technique that uses no HTTP stream, or has a fallback.
pub fn never(_scenario: &Scenario) -> bool {
    false
}

/// The scheme of a technique that starts with HTTP requests.
pub fn http_scheme(scenario: &Scenario) -> &'static str {
    if scenario.tls { "https" } else { "http" }
}

/// The scheme of a technique that starts with a WebSocket.
pub fn websocket_scheme(scenario: &Scenario) -> &'static str {
    if scenario.tls { "wss" } else { "ws" }
}

/// `cannot` of a technique that works in every scenario.
pub fn anywhere(_scenario: &Scenario) -> Option<&'static str> {
    None
}
