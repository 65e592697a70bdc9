//! Why figures should not be believed as they stand, with what to change. A file has a warning twice: as a
//! sentence in `warnings`, and with its figures in `warning_kinds`.

use std::mem::discriminant;

use serde::{Deserialize, Serialize};

use crate::lang::{Text, phrase};

/// What speaks against the figures of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Warning {
    /// The machine was too busy to measure, and nothing more is known.
    BusyMachine,
    /// Mail arrived later than planned: 99th percentile.
    LateArrivals {
        /// Milliseconds.
        ms: f64,
    },
    /// What clients had to send reached them later than planned: 99th percentile.
    LateMessages {
        /// Milliseconds.
        ms: f64,
    },
    /// The clients' thread had little time to rest.
    BusyClients {
        /// Share of the time, 0 to 100.
        percent: f64,
    },
    /// The server came back with another log.
    Reset,
    /// Connections carried bytes that no rule of their protocol allows.
    Violations {
        /// How many connections.
        connections: u64,
    },
    /// Requests were refused because the session that they belong to is at another server.
    SessionElsewhere {
        /// How many.
        requests: u64,
    },
    /// Requests were refused because the server that had their session was killed.
    SessionGone {
        /// How many.
        requests: u64,
    },
    /// Fields of the header profile would have changed the run, and were left out.
    FieldsLeftOut,
    /// A visited server replays a file, so only it knows when mail was due.
    ReplayElsewhere,
    /// A visited server has another clock, so when its mail was due is not known.
    OtherClock,
    /// A visited server has another clock, with which this machine's was compared.
    ComparedClock {
        /// How far the comparison may be wrong, milliseconds.
        ms: f64,
    },
    /// A visited server did not say which mail had come from outside.
    OutsideUnknown,
    /// Mail that came from outside was never planned, and has no latency.
    FromOutside {
        /// How many mails.
        mails: u64,
    },
    /// Mail was due before all clients were there.
    DueEarly {
        /// How many mails.
        mails: u64,
    },
    /// Mail came several at once although it was due apart.
    Clumps {
        /// How often.
        times: usize,
        /// The most that mails of one clump were due apart, seconds.
        apart_s: f64,
    },
    /// A connection of a visit failed.
    ConnectionFailed {
        /// The error.
        why: String,
    },
    /// What another version of the program has written: only its words are known.
    Other {
        /// The sentence.
        text: String,
    },
}

/// What of a result a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// How long mail waited.
    Waits,
    /// How many bytes it took.
    Bytes,
    /// All of it.
    All,
}

impl Warning {
    /// What it is about.
    pub fn concern(&self) -> Concern {
        match self {
            Warning::BusyMachine
            | Warning::LateArrivals { .. }
            | Warning::LateMessages { .. }
            | Warning::BusyClients { .. }
            | Warning::ReplayElsewhere
            | Warning::OtherClock
            | Warning::ComparedClock { .. }
            | Warning::OutsideUnknown
            | Warning::FromOutside { .. }
            | Warning::DueEarly { .. }
            | Warning::Clumps { .. } => Concern::Waits,
            Warning::FieldsLeftOut | Warning::Violations { .. } => Concern::Bytes,
            Warning::SessionElsewhere { .. }
            | Warning::SessionGone { .. }
            | Warning::Reset
            | Warning::ConnectionFailed { .. }
            | Warning::Other { .. } => Concern::All,
        }
    }

    /// The sentence.
    pub fn text(&self) -> Text {
        match self {
            Warning::BusyMachine => phrase!("the machine was too busy to measure"),
            Warning::LateArrivals { ms } => phrase!(
                "arrivals were up to %{ms} ms late (99th percentile): the machine was busy; close other programs, \
                 or use fewer clients or --one-at-a-time",
                ms = format!("{ms:.1}")
            ),
            Warning::LateMessages { ms } => phrase!(
                "clients sent their messages up to %{ms} ms late (99th percentile): the machine was busy; use a lower \
                 --talk rate or fewer clients",
                ms = format!("{ms:.1}")
            ),
            Warning::BusyClients { percent } => phrase!(
                "the clients' thread was busy %{percent} % of the time, so latency is partly its own queue; use \
                 fewer --clients or a lower --rate",
                percent = format!("{percent:.0}")
            ),
            Warning::Reset => phrase!(
                "the server came back with another log (a reset), whose mails are numbered from 1 again: of mail \
                 that was only in the old one, nothing is known here"
            ),
            Warning::Violations { connections } => phrase!(
                "%{n} connections carried bytes that break their protocol",
                n = connections.to_string()
            ),
            Warning::SessionElsewhere { requests } => phrase!(
                "%{n} requests were refused because their session is at another server: --balance sticky keeps a \
                 client at one",
                n = requests.to_string()
            ),
            Warning::SessionGone { requests } => phrase!(
                "%{n} requests were refused because their session was at the server that was killed: their clients \
                 began new ones",
                n = requests.to_string()
            ),
            Warning::FieldsLeftOut => phrase!(
                "fields of the header profile that change how a connection is kept or framed, such as Connection: \
                 close, are left out of requests and answers"
            ),
            Warning::ReplayElsewhere
            | Warning::OtherClock
            | Warning::ComparedClock { .. }
            | Warning::OutsideUnknown
            | Warning::FromOutside { .. }
            | Warning::DueEarly { .. }
            | Warning::Clumps { .. }
            | Warning::ConnectionFailed { .. }
            | Warning::Other { .. } => self.of_a_visit(),
        }
    }

    /// The sentences about a server that is not ours.
    fn of_a_visit(&self) -> Text {
        match self {
            Warning::ReplayElsewhere => phrase!(
                "no latency: when the server's mail was due is not known here, because it replays a file that only \
                 its own end has read"
            ),
            Warning::OtherClock => phrase!(
                "no latency: when the server's mail was due is not known here, because its clock is not this \
                 machine's"
            ),
            Warning::ComparedClock { ms } => phrase!(
                "the server has another clock than this machine: when its mail was due is known to ±%{ms} ms, by the \
                 time that its answers took, and so is each latency",
                ms = format!("{ms:.2}")
            ),
            Warning::OutsideUnknown => phrase!(
                "no latency: when the server's mail was due is not known here, because in the end it did not say \
                 what had come from outside"
            ),
            Warning::FromOutside { mails } => phrase!(
                "%{n} of the mails came from outside (POST /mail): when they were due is not known, so they have no \
                 latency",
                n = mails.to_string()
            ),
            Warning::DueEarly { mails } => phrase!(
                "%{n} of the mails were due before all clients were connected: the latency includes that wait",
                n = mails.to_string()
            ),
            Warning::Clumps { times, apart_s } => phrase!(
                "mail came in clumps: %{times} times several at once that were due up to %{apart} s apart; something \
                 on the way collects the answer before it passes it on (a proxy that buffers or compresses), and \
                 causes most of the latency",
                times = times.to_string(),
                apart = format!("{apart_s:.1}")
            ),
            Warning::ConnectionFailed { why } => phrase!("a connection failed: %{why}", why = why.clone()),
            Warning::Other { text } => text.clone().into(),
            Warning::BusyMachine
            | Warning::LateArrivals { .. }
            | Warning::LateMessages { .. }
            | Warning::BusyClients { .. }
            | Warning::Reset
            | Warning::Violations { .. }
            | Warning::SessionElsewhere { .. }
            | Warning::SessionGone { .. }
            | Warning::FieldsLeftOut => Text::default(),
        }
    }

    /// How bad it is, beside others of its cause.
    fn figure(&self) -> f64 {
        match self {
            Warning::LateArrivals { ms } | Warning::LateMessages { ms } | Warning::ComparedClock { ms } => {
                *ms
            }
            Warning::BusyClients { percent } => *percent,
            Warning::Violations { connections: n }
            | Warning::SessionElsewhere { requests: n }
            | Warning::SessionGone { requests: n }
            | Warning::FromOutside { mails: n }
            | Warning::DueEarly { mails: n } => *n as f64,
            Warning::Clumps { apart_s, .. } => *apart_s,
            _ => 0.0,
        }
    }

    /// Whether both have the same cause, however bad each is.
    pub fn is_like(&self, other: &Warning) -> bool {
        match (self, other) {
            (Warning::ConnectionFailed { .. } | Warning::Other { .. }, _) => self == other,
            _ => discriminant(self) == discriminant(other),
        }
    }

    /// Whether it is worse than another of the same cause.
    pub fn is_worse_than(&self, other: &Warning) -> bool {
        self.figure() > other.figure()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_cause_one_is_worse() {
        let late = |ms| Warning::LateArrivals { ms };
        assert!(late(1.0).is_like(&late(2.0)) && late(2.0).is_worse_than(&late(1.0)));
        assert!(!late(1.0).is_like(&Warning::LateMessages { ms: 1.0 }));
        let failed = |why: &str| Warning::ConnectionFailed { why: why.into() };
        assert!(failed("a").is_like(&failed("a")) && !failed("a").is_like(&failed("b")));
        assert_eq!(
            &*late(17.26).text(),
            "arrivals were up to 17.3 ms late (99th percentile): the machine was busy; close other programs, or use \
             fewer clients or --one-at-a-time"
        );
    }
}
