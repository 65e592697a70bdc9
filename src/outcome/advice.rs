//! What `advise` says: what each technique would cost somebody's case, which one to take, and why. Filled
//! in by `lab`, drawn by `report`, and as JSON of the same family as a run's.

use serde::{Deserialize, Serialize};

use super::{Absent, Envelope, Environment, Outcome, Scenario};

/// Everything one `mailcall advise` prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Advice {
    /// What every result begins with.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The machine a verification was measured on.
    pub environment: Environment,
    /// The case; its `poll_interval_ms` is the one that was chosen for it, its `mails` mean nothing.
    pub scenario: Scenario,
    /// The most that a mail may wait.
    pub delay_ms: f64,
    /// Whether polling's interval was asked for, rather than chosen.
    #[serde(default)]
    pub interval_is_given: bool,
    /// One per technique.
    pub results: Vec<Candidate>,
    /// Techniques that were asked for and cannot exist in this case.
    #[serde(default)]
    pub absent: Vec<Absent>,
    /// Which one to take; `None` if none meets what is required.
    pub recommendation: Option<String>,
    /// The next best.
    pub runner_up: Option<String>,
    /// How the predictions held; `None` unless it was asked for.
    pub verification: Option<Verification>,
}

impl Advice {
    /// A candidate by name.
    pub fn candidate(&self, name: &str) -> Option<&Candidate> {
        self.results.iter().find(|c| c.technique == name)
    }
}

/// What one technique would cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub technique: String,
    /// `simulated`: how that was come by.
    pub method: String,
    /// For one client.
    pub per_client: Cost,
    /// For all of them.
    pub total: Cost,
    /// From due to held by the client's application.
    pub latency_ms: Delay,
    /// Of a message of a client: from due to heard by the server's application; `None` if
    /// clients don't talk.
    #[serde(default)]
    pub talk_latency_ms: Option<Delay>,
    /// What it does not meet; empty for one that could be taken.
    pub fails: Vec<Failing>,
}

/// What is spent in the long run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// HTTP requests.
    pub requests_per_s: f64,
    /// All bytes, both ways.
    pub bytes_per_day: f64,
    /// All bytes but payload.
    pub overhead_bytes_per_day: f64,
    /// Connections that are open on average, idle ones among them until `scenario.keep_alive_ms` is over.
    pub connections: f64,
    /// Connections that a client opens which stays: again, or for what it says.
    #[serde(default)]
    pub opened_per_s: f64,
    /// Bytes that opening and ending a connection cost, each time.
    pub opening_bytes: f64,
    /// Requests that it takes besides.
    pub opening_requests: f64,
}

impl Cost {
    /// The same for so many clients.
    pub fn times(self, clients: f64) -> Cost {
        Cost {
            requests_per_s: self.requests_per_s * clients,
            bytes_per_day: self.bytes_per_day * clients,
            overhead_bytes_per_day: self.overhead_bytes_per_day * clients,
            connections: self.connections * clients,
            opened_per_s: self.opened_per_s * clients,
            opening_bytes: self.opening_bytes * clients,
            opening_requests: self.opening_requests * clients,
        }
    }
}

/// How long something takes, milliseconds, in the long run and whatever the seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delay {
    /// On average; `None` if more comes than the line carries.
    pub mean: Option<f64>,
    /// The bound ([`crate::theory::Mail::bound`]); `None` if there is none, because more comes than the line
    /// carries.
    pub worst: Option<f64>,
    /// The share of what comes that takes longer than the case's `delay_ms`.
    #[serde(default)]
    pub later_share: f64,
    /// The share that takes longer than `worst`, at most: 0 but for loss, and for lines and turns that are
    /// shared.
    #[serde(default)]
    pub beyond_share: f64,
}

/// A requirement that is not met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failing {
    /// Mail may wait longer than is tolerable.
    TooLate,
    /// Something on the way does not let it through.
    Blocked,
    /// What a client says may be heard later than is tolerable.
    HeardTooLate,
}

/// How predictions held in the nearest case that this machine can run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verification {
    /// What was run.
    pub scenario: Scenario,
    /// How far it is from what was asked.
    pub scaled: Scaled,
    /// Over how long the figures are, from the schedule's start to the last mail; 0 in files older than this
    /// key.
    #[serde(default)]
    pub seconds: f64,
    /// Each technique's figures.
    pub checks: Vec<Check>,
    /// The runs themselves, without their events.
    pub results: Vec<Outcome>,
}

impl Verification {
    /// Whether all predictions held.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(Check::holds)
    }
}

/// How a case was scaled to fit the machine; 1 is not at all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaled {
    /// How many clients were asked for.
    pub clients: u64,
    /// How many times as fast time runs: intervals, round trip, mail, talk.
    pub faster: f64,
    /// How many times as often mail comes as that makes it.
    pub mail: f64,
    /// How many times as often clients talk as that makes them; `None` if they don't.
    pub talk: Option<f64>,
    /// How many times as long long polls are held as that makes it: the shortest waits are bounded.
    pub hold: f64,
    /// The same of heartbeats.
    pub heartbeat: f64,
    /// The same of idle connections; 1 in files older than this key.
    #[serde(default = "not_at_all")]
    pub keep_alive: f64,
}

fn not_at_all() -> f64 {
    1.0
}

/// One technique's predictions beside what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Its name.
    pub technique: String,
    /// HTTP requests of all clients.
    pub requests: Compared,
    /// Bytes of all clients, both ways.
    pub bytes: Compared,
    /// Mean latency, milliseconds.
    pub latency_ms: Compared,
    /// The same of what clients say, if they talk.
    #[serde(default)]
    pub talk_latency_ms: Option<Compared>,
    /// Connections opened by all clients; `None` for protocols on top, and where it depends on milliseconds.
    #[serde(default)]
    pub connections: Option<Compared>,
}

/// The error that a count or a size may have.
pub const TOLERANCE: f64 = 0.1;

/// A latency may be off by as much as this instead, milliseconds: what a scheduler does to it.
pub const TOLERANCE_MS: f64 = 2.0;

impl Check {
    /// Whether all of them held.
    pub fn holds(&self) -> bool {
        let near =
            |c: &Compared, by: f64| c.error.abs() <= TOLERANCE || (c.measured - c.predicted).abs() <= by;
        near(&self.requests, 0.0)
            && near(&self.bytes, 0.0)
            && near(&self.latency_ms, TOLERANCE_MS)
            && self.talk_latency_ms.is_none_or(|c| near(&c, TOLERANCE_MS))
            && self.connections.is_none_or(|c| near(&c, 0.0))
    }
}

/// A prediction and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// What was predicted.
    pub predicted: f64,
    /// What was measured.
    pub measured: f64,
    /// How far the prediction was off, as a share of what was measured.
    pub error: f64,
}

impl Compared {
    /// Puts a prediction beside a measurement.
    pub fn new(predicted: f64, measured: f64) -> Compared {
        let error = match predicted == measured {
            true => 0.0,
            false => (predicted - measured) / measured.abs().max(f64::MIN_POSITIVE),
        };
        Compared {
            predicted,
            measured,
            error: error.clamp(-1e9, 1e9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(requests: (f64, f64), bytes: (f64, f64), latency: (f64, f64)) -> Check {
        let compared = |(predicted, measured)| Compared::new(predicted, measured);
        Check {
            technique: "poll".into(),
            requests: compared(requests),
            bytes: compared(bytes),
            latency_ms: compared(latency),
            talk_latency_ms: None,
            connections: None,
        }
    }

    #[test]
    fn a_tenth_is_tolerated_and_of_latency_two_milliseconds() {
        let exact = (10.0, 10.0);
        assert!(check(exact, exact, exact).holds());
        assert!(check((9.1, 10.0), (10.9, 10.0), exact).holds());
        assert!(!check((8.9, 10.0), exact, exact).holds());
        assert!(!check(exact, (11.1, 10.0), exact).holds());
        assert!(check(exact, exact, (0.0, 1.9)).holds());
        assert!(!check(exact, exact, (0.0, 2.1)).holds());
        assert!(check(exact, exact, (91.0, 100.0)).holds());
        assert!(!check(exact, exact, (89.0, 100.0)).holds());
    }

    #[test]
    fn an_error_is_finite_where_nothing_was_measured() {
        assert_eq!(Compared::new(0.0, 0.0).error, 0.0);
        assert_eq!(Compared::new(1.0, 0.0).error, 1e9);
        assert_eq!(Compared::new(90.0, 100.0).error, -0.1);
    }
}
