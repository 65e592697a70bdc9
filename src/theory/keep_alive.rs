//! Connections on which nothing goes on: how often one is opened, and how many are open on average,
//! where the server closes each that was idle for K (RFC 9112, section 9.5, leaves the time to the server).
//!
//! ```text
//!   used        used              closed      opened, used
//!  ──●───────────●───────────────────×- - - - - -●──▶ time
//!    ◀── < K ──▶ ◀─────── K ───────▶
//! ```
//!
//! A client uses its connection every T (its polls), and besides at random instants, L of them per second
//! (its messages, Poisson). Its connection is closed when nothing happened for the last K. Look at a random
//! instant: the last poll is uniform in [0, T) ago, so it is more than K ago with chance c = max(0, 1 - K/T);
//! and no message came in the last K with chance e^(-L K), whatever the polls do. So it is
//!
//! - open with chance 1 - c e^(-L K);
//! - opened by a message L c e^(-L K) times per second, because Poisson messages see what a random instant
//!   sees (R. W. Wolff, "Poisson arrivals see time averages", Operations Research 30, 1982);
//! - opened by a poll e^(-L K) / T times per second if T ≥ K, and else never.

/// How a connection is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Use {
    /// From poll to poll, seconds; infinite if nobody polls on it.
    pub interval: f64,
    /// Messages at random instants, per second.
    pub rate: f64,
}

/// What becomes of it in the long run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kept {
    /// How often it is opened, per second.
    pub opened_per_s: f64,
    /// The share of the time in which it is open.
    pub open: f64,
    /// The share of the messages that have to open it.
    pub opening_messages: f64,
}

impl Use {
    /// What becomes of a connection that is closed when it was idle for `keep_alive` seconds.
    pub fn kept(self, keep_alive: f64) -> Kept {
        let silent = if self.rate > 0.0 {
            (-self.rate * keep_alive).exp()
        } else {
            1.0
        };
        let unpolled = (1.0 - keep_alive / self.interval).max(0.0);
        let by_polls = match self.interval >= keep_alive {
            true => silent / self.interval,
            false => 0.0,
        };
        Kept {
            opened_per_s: by_polls + self.rate * unpolled * silent,
            open: 1.0 - unpolled * silent,
            opening_messages: unpolled * silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Exp};

    #[test]
    fn who_polls_more_often_than_a_connection_is_kept_holds_it() {
        let polls = |interval| Use { interval, rate: 0.0 }.kept(75.0);
        assert_eq!((polls(0.98).opened_per_s, polls(0.98).open), (0.0, 1.0));
        assert_eq!((polls(74.9).opened_per_s, polls(74.9).open), (0.0, 1.0));
        assert_eq!(polls(100.0).opened_per_s, 0.01);
        assert_eq!(polls(100.0).open, 0.75);
        assert!((polls(3_600.0).open - 75.0 / 3_600.0).abs() < 1e-12);
        // Nobody uses it: it is never opened.
        assert_eq!(
            polls(f64::INFINITY),
            Kept {
                opening_messages: 1.0,
                ..Kept::default()
            }
        );
    }

    /// Acts it out: the formulas are not used.
    #[test]
    fn in_the_long_run_it_is_as_the_formulas_have_it() {
        let keep = 1.0;
        for (interval, rate) in [
            (f64::INFINITY, 0.5),
            (f64::INFINITY, 3.0),
            (4.0, 0.7),
            (1.5, 0.2),
            (0.9, 5.0),
        ] {
            let mut luck = ChaCha8Rng::seed_from_u64(5);
            let gaps = Exp::new(rate).unwrap();
            let (mut poll, mut message) = (interval * luck.random::<f64>(), gaps.sample(&mut luck));
            let (mut until, mut now) = (f64::NEG_INFINITY, 0.0);
            let (mut opened, mut open, mut messages, mut openers) = (0.0, 0.0, 0.0, 0.0);
            while now < 200_000.0 {
                let is_message = message < poll;
                let next = f64::min(message, poll);
                open += (until.min(next) - now).max(0.0);
                now = next;
                let fresh = f64::from(u8::from(now >= until));
                opened += fresh;
                until = now + keep;
                if is_message {
                    messages += 1.0;
                    openers += fresh;
                    message += gaps.sample(&mut luck);
                } else {
                    poll += interval;
                }
            }
            let kept = Use { interval, rate }.kept(keep);
            for (acted, formula) in [
                (opened / now, kept.opened_per_s),
                (open / now, kept.open),
                (openers / messages, kept.opening_messages),
            ] {
                assert!(
                    (acted - formula).abs() < 0.01,
                    "T = {interval}, L = {rate}: {acted}, {formula}"
                );
            }
        }
    }
}
