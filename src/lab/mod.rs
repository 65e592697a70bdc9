//! One technique times one scenario gives an [`Outcome`]. Server, clients and publisher have threads
//! of their own; several techniques run at once, each with a mailbox of its own on the same schedule.

pub mod access;
pub mod advise;
mod awake;
mod busy;
mod clients;
#[cfg(unix)]
mod clumps;
mod collect;
pub mod descriptors;
mod gate;
mod half_open;
mod home;
pub mod inspect;
pub mod isolate;
mod middlebox;
mod opening;
mod pace;
mod predict;
mod publisher;
mod publishers;
#[cfg(unix)]
mod relay;
mod repeat;
mod role;
mod run;
pub mod server;
mod simulated;
pub mod standalone;
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
use crate::outcome::{Arrivals, Environment, Link, Outcome, Scenario};
use crate::technique::{self, Headers, Technique, Tuning};

pub use gate::Gate;
pub use run::Run;
pub use simulated::Simulated;

use access::Access;

/// How far apart techniques that run at once are shifted, so that they don't all want the processor
/// at the instant a mail arrives.
const SHIFT: Duration = Duration::from_millis(3);

/// How many simulated runs go on at once: each is one thread's work, and holds all its clients in memory.
const SIMULATED_AT_ONCE: usize = 2;

/// What a run says of itself while it goes on.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The technique's name.
    pub technique: &'static str,
    /// Mails delivered, summed over clients.
    pub delivered: u64,
    /// Mails expected, summed over clients.
    pub expected: u64,
    /// HTTP requests so far.
    pub requests: u64,
    /// Bytes so far, both ways.
    pub bytes: u64,
    /// Whether the run is over.
    pub done: bool,
}

/// Where progress goes: called a few times a second, from several threads.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Sync);

/// What crossed the wire, by technique; shared with whoever asked for it.
#[derive(Clone, Debug, Default)]
pub struct Recordings(Arc<Mutex<BTreeMap<&'static str, Arc<Recording>>>>);

impl Recordings {
    /// A technique's recording, begun with the first call.
    pub fn of(&self, technique: &'static str) -> Arc<Recording> {
        let mut all = self.0.lock();
        all.entry(technique).or_default().clone()
    }
}

/// Everything a comparison needs besides the techniques.
#[derive(Clone, Debug)]
pub struct Lab {
    /// What is asked for.
    pub scenario: Arc<Scenario>,
    /// The mail, drawn from the scenario.
    pub plan: Arc<Plan>,
    /// The header profile.
    pub headers: Arc<Headers>,
    /// What the protocols on top leave to a server's choice.
    pub tuning: Tuning,
    /// Whose requests a server answers that stands alone.
    pub access: Access,
    /// Run one technique after the other.
    pub one_at_a_time: bool,
    /// Run each server in a process of its own, started from this executable of ours.
    pub isolate: Option<PathBuf>,
    /// Before the run, warm up, and during it, keep the cores awake.
    pub steady: bool,
    /// Connections to break.
    pub cuts: Vec<Cut>,
    /// Where clients say they stand when they come: that of a client which knows no log is usual.
    pub cursor: Cursor,
    /// What servers prove who they are with, where connections are encrypted.
    pub identity: Option<Identity>,
    /// Where what crosses the wire is kept, if it is.
    pub recordings: Option<Recordings>,
    /// Has all connections vanish, if they are to.
    pub vanish: Option<Vanish>,
    /// What a simulated run has of the world; `None` in a real one.
    pub simulated: Option<Simulated>,
    /// Cancelled to end early with what there is.
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
        let headers = Headers::load(&scenario.headers)?.over(scenario.http);
        let encrypted = scenario.tls;
        // A replay brings as many mails as it has.
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
            interrupt: CancellationToken::new(),
        })
    }

    /// Runs the techniques against the same mail; outcomes come in the order of `techniques`.
    ///
    /// # Errors
    /// If descriptors don't suffice, a server or client cannot start, or a label sheet does not
    /// balance.
    pub fn compare(
        &self,
        techniques: &[&'static Technique],
        progress: OnProgress,
    ) -> anyhow::Result<Vec<Outcome>> {
        if self.simulated.is_some() {
            return self.simulate(techniques);
        }
        descriptors::for_run(
            &self.scenario,
            techniques.len(),
            self.one_at_a_time,
            self.isolate.is_some(),
        )?;
        let _awake = self.steady.then(awake::keep);
        if self.steady {
            self.warm_up(techniques)?;
        }
        if self.one_at_a_time {
            let each = techniques.iter().map(|t| {
                if self.interrupt.is_cancelled() {
                    return Ok(None);
                }
                Run::new(self, t, Duration::ZERO)
                    .go(&Gate::new(1), progress)
                    .map(Some)
            });
            return each.filter_map(Result::transpose).collect();
        }
        let gate = Gate::new(techniques.len());
        let runs = techniques.iter().enumerate().map(|(i, t)| {
            let place = (i as u64 + self.scenario.seed) % techniques.len() as u64;
            let run = Run::new(self, t, SHIFT * place as u32);
            let gate = &gate;
            (t.name, move || run.go(gate, progress))
        });
        threads::at_once(&gate, runs)
    }
}

impl Lab {
    /// Simulates each technique by itself: what others cost changes nothing for it.
    fn simulate(&self, techniques: &[&'static Technique]) -> anyhow::Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for some in techniques.chunks(SIMULATED_AT_ONCE) {
            if self.interrupt.is_cancelled() {
                break;
            }
            let runs = some
                .iter()
                .map(|t| (t.name, move || Run::new(self, t, Duration::ZERO).simulate()));
            outcomes.extend(threads::at_once(&Gate::new(some.len()), runs)?);
        }
        Ok(outcomes)
    }

    /// Where a run's server is to listen: on a free port, or where the simulation has it.
    fn address(&self) -> SocketAddr {
        let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
        self.simulated.as_ref().map_or(anywhere, |s| s.address)
    }

    /// A few mails through each technique that nobody counts: the first of everything is slower, from
    /// page faults to allocations.
    fn warm_up(&self, techniques: &[&'static Technique]) -> anyhow::Result<()> {
        let short = Scenario {
            mails: 4,
            rate_per_s: 200.0,
            arrivals: Arrivals::Steady,
            replay: None,
            clients: 1,
            poll_interval_ms: 5.0,
            repeat: 1,
            link: Link::default(),
            ..(*self.scenario).clone()
        };
        let lab = Lab {
            interrupt: self.interrupt.clone(),
            headers: self.headers.clone(),
            ..Lab::new(short)?
        };
        lab.compare(techniques, &|_| {}).map(drop)
    }
}

/// The machine the figures belong to.
pub fn environment() -> Environment {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_string())
    });
    Environment {
        os: std::env::consts::OS.into(),
        cpu,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}
