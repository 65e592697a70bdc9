//! A NAT on the way: which silence lets it forget a connection, and which mail then disappears. All of it is simulated,
//! because it is about minutes.

use std::time::Duration;

use super::run::Run;
use super::{Lab, Simulated, threads};
use crate::outcome::vanish::Remembered;
use crate::outcome::{Arrivals, EventKind, Link, Outcome, Scenario};
use crate::technique::Technique;

/// Shares of the NAT's patience after which a technique says something again: far below, just below, just above, far
/// above.
const SHARES: [f64; 5] = [0.1, 0.5, 0.9, 1.1, 2.0];

/// How many mails are sent. Between two of them the NAT's patience passes twice.
const MAILS: u64 = 6;

/// A scenario with a NAT on the way and mail that is rare.
pub fn behind(scenario: &Scenario, nat: Duration) -> Scenario {
    Scenario {
        mails: MAILS,
        rate_per_s: 1.0 / (2.0 * nat.as_secs_f64()),
        arrivals: Arrivals::Steady,
        link: Link {
            nat_ms: Some(nat.as_secs_f64() * 1e3),
            ..scenario.link.clone()
        },
        ..scenario.clone()
    }
}

/// Sets a time in milliseconds.
type Set = fn(&mut Scenario, f64);

/// The time after which a technique says something again, if it keeps anything open: its flag, and how it is set.
fn silence(technique: &Technique) -> Option<(&'static str, Set)> {
    let has = |id: &str| technique.flags.iter().any(|flag| (flag.arg)().get_id() == id);
    if has("hold") {
        Some(("hold", |s, ms| s.hold_ms = ms))
    } else if has("heartbeat") {
        Some(("heartbeat", |s, ms| s.heartbeat_ms = ms))
    } else if has("interval") {
        Some(("interval", |s, ms| s.poll_interval_ms = ms))
    } else {
        None
    }
}

/// Simulates every technique behind a NAT, with each share of its patience.
///
/// # Errors
/// As [`Run::simulate`].
pub fn remembered(scenario: &Scenario, techniques: &[&'static Technique]) -> anyhow::Result<Vec<Remembered>> {
    let nat_ms = scenario.link.nat_ms.unwrap_or_default();
    let mut cases = Vec::new();
    for technique in techniques {
        let Some((flag, set)) = silence(technique) else {
            continue;
        };
        for share in SHARES {
            let mut scenario = scenario.clone();
            set(&mut scenario, nat_ms * share);
            cases.push((*technique, flag, nat_ms * share, scenario));
        }
    }
    let rows = threads::on_all_cores(&cases, |(technique, flag, every_ms, scenario)| {
        let lab = Lab {
            simulated: Some(Simulated::default()),
            ..Lab::new(scenario.clone())?
        };
        let outcome = Run::new(&lab, technique, Duration::ZERO).simulate()?;
        Ok(Remembered {
            technique: technique.name.into(),
            flag: (*flag).into(),
            every_ms: *every_ms,
            expected: outcome.mails.expected,
            delivered: outcome.mails.delivered,
            first_missing: first_missing(&outcome),
            reconnects: outcome.reconnects(),
        })
    });
    rows.into_iter().collect()
}

/// The number of the first mail that the first client did not get.
fn first_missing(outcome: &Outcome) -> Option<u64> {
    let got = |number: u64| {
        let delivered = outcome
            .events
            .iter()
            .filter(|e| e.kind == EventKind::Delivered && e.client == Some(0));
        delivered.filter_map(|e| e.mail).any(|mail| mail == number)
    };
    (1..=outcome.mails.sent).find(|number| !got(*number))
}
