//! The result of `advise`: what each technique would cost in a user's case, which one to take, and why.
//! `lab` makes it, `report` draws it, and its JSON is of the same family as a run's.

use serde::{Deserialize, Serialize};

pub use super::cost::Cost;
use super::prices::{Monthly, Prices};
use super::{Absent, Envelope, Environment, Outcome, Scenario, ServerUse};

/// Everything one `mailcall advise` prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Advice {
    /// The fields that every result begins with.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The machine a verification was measured on.
    pub environment: Option<Environment>,
    /// The case; its `poll_interval_ms` is the interval that was found for it, its `mails` mean nothing.
    pub scenario: Scenario,
    /// The longest delay allowed for a mail.
    pub delay_ms: f64,
    /// Whether the user gave the polling interval; if not, it was chosen.
    #[serde(default)]
    pub interval_is_given: bool,
    /// How long a client's radio stays on after each packet; `None` in files older than this key.
    #[serde(default)]
    pub radio_tail_ms: Option<f64>,
    /// The share of clients behind a proxy that refuses upgrades and holds streams back; `None` if there is no proxy.
    #[serde(default)]
    pub blocked_share: Option<f64>,
    /// The prices that were given.
    #[serde(default)]
    pub prices: Option<Prices>,
    /// One candidate per technique.
    pub results: Vec<Candidate>,
    /// Techniques that were asked for and cannot exist in this case.
    #[serde(default)]
    pub absent: Vec<Absent>,
    /// The technique to take; `None` if none meets the requirements.
    pub recommendation: Option<String>,
    /// The second best.
    pub runner_up: Option<String>,
    /// How well the predictions held; `None` unless it was asked for.
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
    /// How the figures were found: `simulated`.
    pub method: String,
    /// For one client: the mean over those that get mail.
    pub per_client: Cost,
    /// For all of them.
    pub total: Cost,
    /// How many clients get no mail, because they are behind the proxy; `None` without a proxy.
    #[serde(default)]
    pub without_mail: Option<f64>,
    /// For one client behind the proxy; `None` if it gets no mail, and without a proxy.
    #[serde(default)]
    pub blocked_per_client: Option<Cost>,
    /// The radio of one client; `None` in files older than this key.
    #[serde(default)]
    pub radio: Option<RadioUse>,
    /// What the server used in the verification; `None` unless it ran in a process of its own (`--isolate`).
    #[serde(default)]
    pub server: Option<ServerUse>,
    /// What a month costs for all clients; `None` without prices.
    #[serde(default)]
    pub cost_per_month: Option<Monthly>,
    /// From the due instant until the client's application has the mail.
    pub latency_ms: Delay,
    /// For a client's message: from the due instant until the server's application has it; `None` if
    /// clients don't talk.
    #[serde(default)]
    pub talk_latency_ms: Option<Delay>,
    /// The requirements that it does not meet; empty if it could be taken.
    pub fails: Vec<Failing>,
}

/// How a client's radio is used, by the model in [`crate::theory::Radio`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RadioUse {
    /// How the figures were found: `modelled`.
    pub method: String,
    /// How often it is woken per hour; one that is on for longer than an hour counts as woken once an hour.
    pub wakeups_per_hour: f64,
    /// Seconds in which it is on, per hour.
    pub on_s_per_hour: f64,
}

/// A delay in milliseconds, in the long run and for any seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delay {
    /// The mean; `None` if more comes than the line can carry.
    pub mean: Option<f64>,
    /// The bound ([`crate::theory::Mail::bound`]); `None` if there is none, because more comes than the
    /// line can carry.
    pub worst: Option<f64>,
    /// The share of mails or messages that take longer than the case's `delay_ms`.
    #[serde(default)]
    pub later_share: f64,
    /// The largest share that may take longer than `worst`: 0, except with loss, or where lines or turns
    /// are shared.
    #[serde(default)]
    pub beyond_share: f64,
}

impl Delay {
    /// The delay if this share of clients has the other one.
    pub fn towards(self, other: Delay, share: f64) -> Delay {
        let between = |one: f64, two: f64| one + share * (two - one);
        let both = |one: Option<f64>, two: Option<f64>| one.zip(two);
        Delay {
            mean: both(self.mean, other.mean).map(|(one, two)| between(one, two)),
            worst: both(self.worst, other.worst).map(|(one, two)| one.max(two)),
            later_share: between(self.later_share, other.later_share),
            beyond_share: between(self.beyond_share, other.beyond_share),
        }
    }
}

/// A requirement that is not met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failing {
    /// Mail may come later than the case allows.
    TooLate,
    /// Something on the way blocks the technique.
    Blocked,
    /// Something on the way of some clients blocks the technique: they get no mail.
    PartlyBlocked,
    /// A client's message may come later than the case allows.
    HeardTooLate,
}

/// How well predictions held in the nearest case that this machine can run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verification {
    /// The scenario that was run.
    pub scenario: Scenario,
    /// How it differs from the case.
    pub scaled: Scaled,
    /// The time that the figures cover, from the schedule's start to the last mail; 0 in files older than
    /// this key.
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

/// How a case was scaled to fit the machine; a factor of 1 changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaled {
    /// The number of clients in the case.
    pub clients: u64,
    /// How many times as fast time runs: intervals, round trips, mail, talk.
    pub faster: f64,
    /// How many times as often mail comes as with `faster` alone.
    pub mail: f64,
    /// How many times as often clients talk as with `faster` alone; `None` if they don't.
    pub talk: Option<f64>,
    /// How many times as long long polls are held as with `faster` alone: the shortest waits are bounded.
    pub hold: f64,
    /// The same for heartbeats.
    pub heartbeat: f64,
    /// The same for idle connections; 1 in files older than this key.
    #[serde(default = "not_at_all")]
    pub keep_alive: f64,
}

fn not_at_all() -> f64 {
    1.0
}

/// One technique's predictions and measurements.
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
    /// The same for clients' messages, if they talk.
    #[serde(default)]
    pub talk_latency_ms: Option<Compared>,
    /// Connections opened by all clients; `None` for layered protocols, and where it depends on milliseconds.
    #[serde(default)]
    pub connections: Option<Compared>,
}

/// The largest error allowed for a count or a size, as a share.
pub const TOLERANCE: f64 = 0.1;

/// The error allowed for a latency instead, in milliseconds: a scheduler causes as much.
pub const TOLERANCE_MS: f64 = 2.0;

impl Check {
    /// Whether all predictions held.
    pub fn holds(&self) -> bool {
        self.off().next().is_none()
    }

    /// The figures whose prediction did not hold.
    pub fn off(&self) -> impl Iterator<Item = Checked> {
        let all = [
            (Checked::Requests, Some(self.requests), 0.0),
            (Checked::Traffic, Some(self.bytes), 0.0),
            (Checked::Connections, self.connections, 0.0),
            (Checked::Delay, Some(self.latency_ms), TOLERANCE_MS),
            (Checked::TalkDelay, self.talk_latency_ms, TOLERANCE_MS),
        ];
        let far = |c: Compared, by: f64| c.error.abs() > TOLERANCE && (c.measured - c.predicted).abs() > by;
        let off = move |(checked, compared, by): (Checked, Option<Compared>, f64)| {
            compared.filter(|c| far(*c, by)).map(|_| checked)
        };
        all.into_iter().filter_map(off)
    }
}

/// A figure that a verification checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The number of requests.
    Requests,
    /// Bytes both ways.
    Traffic,
    /// Connections opened.
    Connections,
    /// The mean latency of mail.
    Delay,
    /// The mean latency of what clients say.
    TalkDelay,
}

/// A prediction and its measurement.
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
    /// Compares a prediction with a measurement.
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
