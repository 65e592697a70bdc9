//! The lab runs a technique in a scenario, which gives an [`Outcome`](crate::outcome::Outcome). Server, clients
//! and publisher have threads of their own; several techniques run at once, each with a mailbox of its own on
//! the same schedule.

mod ablate;
pub mod access;
pub mod advise;
mod awake;
mod behind;
mod busy;
mod clients;
#[cfg(unix)]
mod clumps;
mod collect;
mod compare;
pub mod descriptors;
mod entrance;
mod environment;
mod exchange;
mod gate;
mod half_open;
mod http1;
pub mod inspect;
pub mod isolate;
mod killing;
mod limits;
mod listener;
mod local_server;
mod log;
mod middlebox;
pub mod nat;
mod opening;
pub mod outages;
mod outlet;
mod own_nats;
mod pace;
mod predict;
mod publisher;
mod publishers;
mod real;
#[cfg(unix)]
mod relay;
mod repeat;
pub mod role;
mod run;
pub mod server;
mod server_handle;
mod server_record;
mod serving;
mod several;
mod simulated;
pub mod standalone;
pub mod storm;
mod streams;
pub mod sweep;
mod talk;
mod threads;
pub mod traffic;
mod trailers;
mod usage;
pub mod vanish;
#[cfg(unix)]
pub mod visit;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::link::tls::Identity;
use crate::link::{Cut, Recording, Vanish};
use crate::mail::{Cursor, Plan};
use crate::outcome::{Event, Scenario};
use crate::technique::{self, Headers, Tuning};

pub use environment::environment;
pub use gate::Gate;
pub use log::OpenLog;
pub use own_nats::OwnNats;
pub use run::Run;
pub use simulated::Simulated;

use access::Access;

/// The progress of a run.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The technique's name.
    pub technique: &'static str,
    /// Mails delivered, summed over clients.
    pub delivered: u64,
    /// Mails expected, summed over clients.
    pub expected: u64,
    /// HTTP requests so far.
    pub requests: u64,
    /// Bytes so far, in both directions.
    pub bytes: u64,
    /// Whether the run is over.
    pub done: bool,
    /// What happened lately, if it is asked for ([`Lab::recent`]) and recorded.
    pub recent: Option<Recent>,
}

/// The last part of a run: mail that arrived, and what the first client saw.
#[derive(Clone, Debug)]
pub struct Recent {
    /// The present, in microseconds since the schedule's start.
    pub now_us: f64,
    /// In order of time. They begin with what opened the request or stream that was open at that time.
    pub events: Vec<Event>,
}

/// The function that receives progress: called a few times a second, from several threads.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Sync);

/// Recordings of what crossed the wire, by technique; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Recordings(Arc<Mutex<BTreeMap<&'static str, Arc<Recording>>>>);

impl Recordings {
    /// A technique's recording; the first call starts it.
    pub fn of(&self, technique: &'static str) -> Arc<Recording> {
        let mut all = self.0.lock();
        all.entry(technique).or_default().clone()
    }
}

/// Everything that a comparison needs in addition to the techniques.
#[derive(Clone, Debug)]
pub struct Lab {
    /// The scenario of every run.
    pub scenario: Arc<Scenario>,
    /// The mail, drawn from the scenario.
    pub plan: Arc<Plan>,
    /// The header profile.
    pub headers: Arc<Headers>,
    /// The settings that layered protocols leave to a server.
    pub tuning: Tuning,
    /// Whose requests a standalone server answers.
    pub access: Access,
    /// Run one technique after the other.
    pub one_at_a_time: bool,
    /// Run each server in a process of its own, started from this executable.
    pub isolate: Option<PathBuf>,
    /// Warm up before the run, and keep the cores awake during it.
    pub steady: bool,
    /// Connections to break.
    pub cuts: Vec<Cut>,
    /// The cursor that clients start with, usually that of a client that knows no log.
    pub cursor: Cursor,
    /// The servers' certificate and key, where connections are encrypted.
    pub identity: Option<Identity>,
    /// Where to record what crosses the wire, if it is to be recorded.
    pub recordings: Option<Recordings>,
    /// Makes all connections vanish, if they are to.
    pub vanish: Option<Vanish>,
    /// What surrounds a simulated run; `None` in a real one.
    pub simulated: Option<Simulated>,
    /// How much of the run's last part its progress shows; `None` if nobody looks.
    pub recent: Option<Duration>,
    /// The NATS server of the lab's own, if the scenario's log is there; started when it is needed.
    pub own_nats: OwnNats,
    /// Cancelled to end early, with the results so far.
    pub interrupt: CancellationToken,
}

impl Lab {
    /// Draws the scenario's mail and loads its headers.
    ///
    /// # Errors
    /// If a file the scenario names cannot be used.
    pub fn new(scenario: Scenario) -> anyhow::Result<Lab> {
        let plan = Plan::draw(&scenario)?;
        technique::talk::check(&scenario, plan.span())?;
        killing::check(&scenario, plan.span())?;
        let headers = Headers::load(&scenario.headers)?.over(scenario.http);
        let encrypted = scenario.tls;
        // A replay has as many mails as its file.
        let scenario = Scenario {
            mails: plan.mails.len() as u64,
            replay_oddities: plan.oddities.clone(),
            ..scenario
        };
        Ok(Lab {
            scenario: Arc::new(scenario),
            plan: Arc::new(plan),
            headers: Arc::new(headers),
            tuning: Tuning::default(),
            access: Access::default(),
            one_at_a_time: false,
            isolate: None,
            steady: false,
            cuts: Vec::new(),
            cursor: Cursor::FIRST,
            identity: encrypted.then(|| Identity::make(None)).transpose()?,
            recordings: None,
            vanish: None,
            simulated: None,
            recent: None,
            own_nats: OwnNats::default(),
            interrupt: CancellationToken::new(),
        })
    }

    /// Where a run's server listens: on a free port, or at the simulation's address.
    fn address(&self) -> SocketAddr {
        let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
        self.simulated.as_ref().map_or(anywhere, |s| s.address)
    }
}
