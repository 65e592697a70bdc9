//! Reconnecting: how long a client waits before it tries again, and how many clients then come at once.
//!
//! A server that goes away ends all its connections at one instant. Each client waits, tries, and if nobody answers
//! waits longer: the wait is multiplied after each failure, up to a limit D. That is backoff. If all clients wait
//! equally long they stay together, and the server that comes back gets all of them at the same instant. So each draws
//! its wait at random, which is called jitter. The kinds have the names of M. Brooker, "Exponential Backoff And
//! Jitter" (AWS Architecture Blog, 2015):
//!
//! ```text
//!   none    the wait D itself
//!   equal   half of D, and up to another half       uniform in D/2 … D
//!   full    anything up to D                        uniform in 0 … D
//! ```
//!
//! After a long outage every wait has reached its limit D. The server comes back at a random instant of each client's
//! wait, so what is left of it is the residual of a renewal process (W. Feller, "An Introduction to Probability Theory
//! and Its Applications", volume II, chapter XI): with waits distributed as F, of mean m, it has the density
//! (1 − F(t)) / m. That is greatest at 0, so most clients come right after the server: in a window w of N clients
//!
//! ```text
//!   none    N                            they are at the same instant of their waits
//!   full    N (2w/D − w²/D²)             F(t) = t/D, m = D/2
//!   equal   N 4w/(3D)      for w ≤ D/2   m = 3D/4
//! ```

use serde::{Deserialize, Serialize};

/// How a wait is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Jitter {
    /// Not at all: every client waits equally long.
    None,
    /// Half of the wait is fixed, half is random.
    #[default]
    Equal,
    /// All of it is random, from 0.
    Full,
}

/// The waits of a client, in the unit of its arguments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The first wait.
    pub first: f64,
    /// What each failure multiplies it by.
    pub factor: f64,
    /// The longest.
    pub most: f64,
    /// How each is drawn.
    pub jitter: Jitter,
}

impl Backoff {
    /// The wait after so many failures, before it is drawn.
    fn limit(&self, failures: u32) -> f64 {
        let exponent = i32::try_from(failures).unwrap_or(i32::MAX);
        (self.first * self.factor.powi(exponent)).min(self.most)
    }

    /// How long to wait after so many failures; `drawn` is a random number from 0 to 1.
    pub fn wait(&self, failures: u32, drawn: f64) -> f64 {
        let limit = self.limit(failures);
        match self.jitter {
            Jitter::None => limit,
            Jitter::Equal => limit / 2.0 * (1.0 + drawn),
            Jitter::Full => limit * drawn,
        }
    }

    /// The longest that a client can wait after so many failures in a row, all waits together.
    pub fn longest(&self, failures: u32) -> f64 {
        (0..failures).map(|n| self.limit(n)).sum()
    }

    /// How many of `clients` are expected in the fullest window of this length after the server has come back, if it
    /// was away for `down`; `None` if that is too short for the formula: each client has to have waited its longest wait
    /// twice.
    pub fn most_connects(&self, clients: f64, window: f64, down: f64) -> Option<f64> {
        if self.jitter == Jitter::None {
            return Some(clients);
        }
        let steps = (0..64).take_while(|n| self.limit(*n) < self.limit(64)).count() as u32;
        let longest = self.limit(64);
        let settled = down >= self.longest(steps) + 2.0 * longest;
        let share = (window / longest).min(1.0);
        let expected = match self.jitter {
            Jitter::None => 1.0,
            Jitter::Full => share * (2.0 - share),
            Jitter::Equal if share <= 0.5 => share * 4.0 / 3.0,
            Jitter::Equal => (2.0 * share - share * share - 0.25) * 4.0 / 3.0,
        };
        settled.then_some(clients * expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(jitter: Jitter) -> Backoff {
        Backoff {
            first: 1.0,
            factor: 2.0,
            most: 5.0,
            jitter,
        }
    }

    #[test]
    fn waits_double_up_to_the_limit_and_are_drawn_below_it() {
        let waits = |jitter, drawn| [0, 1, 2, 3, 4_000_000_000].map(|n| backoff(jitter).wait(n, drawn));
        assert_eq!(waits(Jitter::None, 0.3), [1.0, 2.0, 4.0, 5.0, 5.0]);
        assert_eq!(waits(Jitter::Equal, 0.0), [0.5, 1.0, 2.0, 2.5, 2.5]);
        assert_eq!(waits(Jitter::Equal, 1.0), [1.0, 2.0, 4.0, 5.0, 5.0]);
        assert_eq!(waits(Jitter::Full, 0.5), [0.5, 1.0, 2.0, 2.5, 2.5]);
        let constant = Backoff {
            factor: 1.0,
            ..backoff(Jitter::None)
        };
        assert_eq!(constant.wait(9, 0.0), 1.0);
        assert_eq!(backoff(Jitter::Full).longest(4), 12.0);
    }

    /// Each client's waits one after the other, and how many come in the fullest window after the outage.
    fn counted(backoff: &Backoff, clients: u32, window: f64, down: f64) -> f64 {
        let mut seed = 1_u64;
        let mut draw = || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut came: Vec<f64> = (0..clients)
            .map(|_| {
                let (mut at, mut failures) = (0.0, 0);
                while at < down {
                    at += backoff.wait(failures, draw());
                    failures += 1;
                }
                at - down
            })
            .collect();
        came.sort_by(f64::total_cmp);
        let within = |from: &f64| {
            came.iter()
                .filter(|at| (*from..=from + window).contains(*at))
                .count()
        };
        came.iter().map(within).max().unwrap_or(0) as f64
    }

    #[test]
    fn the_fullest_window_is_as_the_formulas_say() {
        for (jitter, window) in [
            (Jitter::None, 0.5),
            (Jitter::Full, 0.5),
            (Jitter::Full, 2.0),
            (Jitter::Equal, 0.5),
            (Jitter::Equal, 4.0),
        ] {
            let backoff = backoff(jitter);
            let expected = backoff.most_connects(4_000.0, window, 60.0).unwrap();
            let counted = counted(&backoff, 4_000, window, 60.0);
            assert!(
                (counted / expected - 1.0).abs() < 0.1,
                "{jitter:?} {window}: {counted} are not {expected}"
            );
        }
    }

    #[test]
    fn after_a_short_outage_there_is_no_formula() {
        assert_eq!(backoff(Jitter::Full).most_connects(500.0, 0.5, 16.9), None);
        assert!(backoff(Jitter::Full).most_connects(500.0, 0.5, 17.0).is_some());
        assert_eq!(backoff(Jitter::None).most_connects(500.0, 0.5, 0.1), Some(500.0));
        let constant = Backoff {
            factor: 1.0,
            ..backoff(Jitter::Full)
        };
        assert_eq!(constant.most_connects(500.0, 0.5, 2.0), Some(375.0));
    }
}
