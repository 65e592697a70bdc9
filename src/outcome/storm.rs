//! The result of `storm`: a server went away and came back, and all its clients connected again. `lab` makes it,
//! `report` draws it, and its JSON is of the same family as a run's.

use serde::{Deserialize, Serialize};

use super::{Absent, Delivery, Envelope, Environment, Scenario, Traffic};

/// The length of an entry of [`Recovery::connects_per_100ms`], milliseconds.
pub const STEP_MS: f64 = 100.0;

/// The length of the window of [`Recovery::most_connects_in_500ms`], milliseconds.
pub const WINDOW_MS: f64 = 500.0;

/// Everything one `mailcall storm` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Storm {
    /// The fields that every result begins with.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The machine it ran on; `None` if nothing was measured.
    pub environment: Option<Environment>,
    /// The scenario. Its `mails` are those that arrived until the server came back.
    pub scenario: Scenario,
    /// Whether time and network were simulated: nothing was measured then.
    pub simulated: bool,
    /// How long the server was away.
    pub down_ms: f64,
    /// Whether it came back with a new, empty log.
    pub new_log: bool,
    /// The longest wait between two attempts.
    pub longest_wait_ms: f64,
    /// How many connects in the fullest 500 ms the formula expects of clients that open one connection each; `None`
    /// after an outage that is too short for it.
    pub formula_most_connects_in_500ms: Option<f64>,
    /// One row for each technique.
    pub results: Vec<Row>,
    /// Techniques that were asked for and are not possible in this scenario.
    #[serde(default)]
    pub absent: Vec<Absent>,
}

/// How the clients of one technique came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The technique's name in the registry.
    pub technique: String,
    /// What was measured, or simulated where all is.
    #[serde(flatten)]
    pub figures: Recovery,
    /// The same with simulated time and network; `None` in a simulated storm, and if that took too long.
    pub predicted: Option<Recovery>,
}

/// From the instant at which a server listens again, until all its clients have every mail. Times count from there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Connections that the server accepted.
    pub connects: u64,
    /// The same for each 100 ms, from the return to the last connect.
    pub connects_per_100ms: Vec<u64>,
    /// The most of them in any 500 ms.
    pub most_connects_in_500ms: u64,
    /// When the first came; `None` if none did.
    pub first_connect_ms: Option<f64>,
    /// When the last came.
    pub last_connect_ms: Option<f64>,
    /// When the last client had every mail; `None` if one had not when the run ended.
    pub recovered_ms: Option<f64>,
    /// HTTP requests.
    pub requests: u64,
    /// Every byte that crossed the sockets, until all had closed.
    pub bytes: Traffic<u64>,
    /// All of them but payload.
    pub overhead_bytes: u64,
    /// The mail of the whole run, also before the outage.
    pub mails: Delivery,
}

impl Row {
    /// Whether every mail came exactly once and in order, except for what a new log loses: the mail of the old one
    /// that a client had not seen.
    pub fn is_clean(&self, new_log: bool) -> bool {
        let m = &self.figures.mails;
        let lost = if new_log { 0 } else { m.lost + m.reset };
        lost + m.undelivered + m.duplicated + m.reordered + m.gap == 0 && m.delivered + m.lost == m.expected
    }
}

impl Storm {
    /// Whether every technique delivered all that it could.
    pub fn is_clean(&self) -> bool {
        self.results.iter().all(|row| row.is_clean(self.new_log))
    }
}
