//! Everything that one invocation prints, and the machine it ran on.

use serde::{Deserialize, Serialize};

use super::envelope::Envelope;
use super::run::Outcome;
use super::scenario::Scenario;
use super::server_clock::ServerClock;

/// Everything one invocation prints: the scenario and one outcome per technique.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The fields that every result begins with.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Whether time and network were simulated: then nothing was measured, and the figures are what the
    /// protocols cost by themselves.
    #[serde(default)]
    pub simulated: bool,
    /// The machine that the figures belong to; `None` for simulated runs, whose figures belong to no machine.
    pub environment: Option<Environment>,
    /// The scenario that was run.
    pub scenario: Scenario,
    /// One outcome per technique, in the order they were named.
    pub results: Vec<Outcome>,
    /// Techniques that were asked for and cannot exist in this scenario.
    #[serde(default)]
    pub absent: Vec<Absent>,
    /// The URL of the server, if another program ran it: then the figures are the client's.
    #[serde(default)]
    pub remote: Option<String>,
    /// What is known of that server's clock; `None` without one, and in files older than this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_clock: Option<ServerClock>,
}

impl Report {
    /// Whether the figures cover only a part of a run. After an interrupt between seeds, they cover whole runs.
    pub fn cut_short(&self) -> bool {
        self.envelope.partial && self.results.iter().all(|o| o.repeats.is_empty())
    }

    /// The row that the others are compared with, if there is one.
    pub fn baseline(&self) -> Option<&Outcome> {
        self.results.iter().find(|o| o.is_baseline())
    }
}

/// A technique that cannot exist in a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// Its name.
    pub technique: String,
    /// Why it cannot.
    pub why: String,
}

/// The machine a report was measured on, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Operating system, as in [`std::env::consts::OS`].
    pub os: String,
    /// The processor's model name, where the system reports it.
    pub cpu: Option<String>,
    /// Logical processors available to the process.
    pub cores: usize,
    /// The processor's architecture, as in [`std::env::consts::ARCH`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The kernel's release, where the system reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The machine's memory in bytes, where the system reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// When it was measured, in UTC (RFC 3339); `None` if nothing was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_at: Option<String>,
    /// The commit that the program was built from, in a release build from a checkout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}
