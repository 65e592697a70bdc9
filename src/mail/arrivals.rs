//! When mail arrives: a schedule fixed before the run, so that a slow client never delays the next
//! mail (open loop).

use std::time::Duration;

use bytes::Bytes;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};

use super::schedule::{Content, Schedule};
use super::{Mail, replay};
use crate::outcome::{Arrivals, Oddity, Scenario};

/// All mail of a run, in order of arrival; the mail at index `i` has number `i + 1`.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The mails.
    pub mails: Vec<Planned>,
    /// What was odd about the file that they were read from.
    pub oddities: Vec<Oddity>,
}

/// A mail and when it is due, counted from the schedule's start.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When it is due.
    pub due: Duration,
    /// The mail.
    pub mail: Mail,
}

impl Plan {
    /// Draws the scenario's mail: the same seed gives the same mail at the same instants.
    ///
    /// # Errors
    /// If a replay file cannot be read or holds no arrivals.
    pub fn draw(scenario: &Scenario) -> anyhow::Result<Plan> {
        let mut rng = ChaCha8Rng::seed_from_u64(scenario.seed);
        let schedule = match &scenario.replay {
            Some(file) => replay::read(file.as_ref())?.faster(scenario.replay_speed),
            None => synthetic(scenario, &mut rng),
        };
        let mut attachment = vec![0; scenario.attach];
        rng.fill_bytes(&mut attachment);
        let attachment = Bytes::from(attachment);
        let oddities = schedule.oddities;
        let limit = usize::try_from(scenario.mails).unwrap_or(usize::MAX);
        let mails = schedule
            .letters
            .into_iter()
            .take(limit)
            .zip(1..)
            .map(|((due, content), id)| Planned {
                due,
                mail: match content {
                    Content::Letter(letter) => Mail::new(id, &letter, attachment.clone()),
                    Content::Size(size) => Mail::made_up(id, size, attachment.clone(), &mut rng),
                },
            });
        Ok(Plan {
            mails: mails.collect(),
            oddities,
        })
    }

    /// When the scenario's mail is due, without the mail; empty if the mail is in a file.
    pub fn instants(scenario: &Scenario) -> Vec<Duration> {
        if scenario.replay.is_some() {
            return Vec::new();
        }
        let mut rng = ChaCha8Rng::seed_from_u64(scenario.seed);
        let drawn = synthetic(scenario, &mut rng);
        drawn.letters.into_iter().map(|(due, _)| due).collect()
    }

    /// When each mail is due, in seconds from the schedule's start.
    pub fn seconds(&self) -> Vec<f64> {
        self.mails.iter().map(|m| m.due.as_secs_f64()).collect()
    }

    /// When the last mail is due.
    pub fn span(&self) -> Duration {
        self.mails.last().map(|m| m.due).unwrap_or_default()
    }
}

fn synthetic(scenario: &Scenario, rng: &mut ChaCha8Rng) -> Schedule {
    let rate = scenario.rate_per_s;
    let group = match scenario.arrivals {
        Arrivals::Burst(k) => u64::from(k),
        _ => 1,
    };
    let gap = Exp::new(rate / group as f64).ok();
    let mut due = 0.0;
    let letters = (0..scenario.mails).map(|i| {
        if i % group == 0 {
            due += match (scenario.arrivals, &gap) {
                (Arrivals::Poisson | Arrivals::Burst(_), Some(exponential)) => exponential.sample(rng),
                _ => 1.0 / rate,
            };
        }
        (Duration::from_secs_f64(due), Content::Size(scenario.size))
    });
    Schedule {
        letters: letters.collect(),
        oddities: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arrivals: Arrivals, mails: u64, seed: u64) -> Plan {
        Plan::draw(&Scenario {
            arrivals,
            mails,
            seed,
            rate_per_s: 10.0,
            ..Scenario::default()
        })
        .unwrap()
    }

    #[test]
    fn the_seed_decides() {
        let same = |a: &Plan, b: &Plan| {
            a.mails
                .iter()
                .zip(&b.mails)
                .all(|(a, b)| a.due == b.due && a.mail == b.mail)
        };
        let first = plan(Arrivals::Poisson, 50, 1);
        assert!(same(&first, &plan(Arrivals::Poisson, 50, 1)));
        assert!(!same(&first, &plan(Arrivals::Poisson, 50, 2)));
    }

    #[test]
    fn the_instants_are_those_of_the_mail() {
        for arrivals in [Arrivals::Poisson, Arrivals::Steady, Arrivals::Burst(3)] {
            let scenario = Scenario {
                arrivals,
                attach: 10,
                seed: 7,
                ..Scenario::default()
            };
            let drawn = Plan::draw(&scenario).unwrap().mails;
            let due: Vec<_> = drawn.iter().map(|m| m.due).collect();
            assert_eq!(Plan::instants(&scenario), due, "{arrivals}");
        }
    }

    #[test]
    fn every_arrival_process_keeps_the_mean_rate() {
        for arrivals in [Arrivals::Poisson, Arrivals::Steady, Arrivals::Burst(5)] {
            let span = plan(arrivals, 20_000, 3).span().as_secs_f64();
            assert!((span / 2_000.0 - 1.0).abs() < 0.05, "{arrivals}: {span} s");
        }
    }

    #[test]
    fn a_burst_arrives_at_one_instant() {
        let plan = plan(Arrivals::Burst(4), 10, 1);
        let mut instants: Vec<_> = plan.mails.iter().map(|m| m.due).collect();
        instants.dedup();
        assert_eq!(instants.len(), 3);
    }
}
