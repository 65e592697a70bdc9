//! Idle connections: how often a client opens one, and how many are open on average, if the server closes
//! each that was idle for K (RFC 9112, section 9.5, leaves the time to the server).
//!
//! ```text
//!   used        used              closed      opened, used
//!  ──●───────────●───────────────────×- - - - - -●──▶ time
//!    ◀── < K ──▶ ◀─────── K ───────▶
//! ```
//!
//! A client uses its connection every T (its polls), and also at random instants, L of them per second (its
//! messages, Poisson). Its connection is closed when nothing happened in the last K. Look at a random
//! instant: the last poll was a time uniform in [0, T) ago, so it is more than K ago with probability c =
//! max(0, 1 - K/T); and no message came in the last K with probability e^(-L K), whatever the polls do. So
//! the connection is
//!
//! - open with probability 1 - c e^(-L K);
//! - opened by a message L c e^(-L K) times per second, because Poisson messages see what a random instant
//!   sees (R. W. Wolff, "Poisson arrivals see time averages", Operations Research 30, 1982);
//! - opened by a poll e^(-L K) / T times per second if T ≥ K, and otherwise never.
//!
//! A run is short, begins without a connection, and is a sample. [`Pool`] counts what a run opens, request
//! by request, from the instants of its own requests.

/// How a connection is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Use {
    /// From poll to poll, seconds; infinite if nobody polls on it.
    pub interval: f64,
    /// Messages at random instants, per second.
    pub rate: f64,
}

/// The long-run figures of a connection.
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
    /// The long-run figures of a connection that is closed when it was idle for `keep_alive` seconds.
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

/// How a client's connections carry its requests in HTTP/1.1: each carries one request at a time, the one
/// that became idle last is used first, and one that was idle for longer than `keep_alive` is closed.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// The time from a request to the end of its answer, in seconds: until then its connection is not idle.
    pub round: f64,
    /// How long it takes to open a connection, in seconds.
    pub opening: f64,
    /// How long an idle connection is kept, in seconds.
    pub keep_alive: f64,
}

impl Pool {
    /// How many connections are opened for requests that are due at these instants, in seconds and in order. Each
    /// list has one request on its way at a time: a request that is due meanwhile waits for the answer.
    pub fn opened(&self, lists: &[&[f64]]) -> u64 {
        let mut lists: Vec<(f64, &[f64])> = lists.iter().map(|due| (f64::NEG_INFINITY, *due)).collect();
        // Since when each connection has been idle; for one that is in use, this is in the future.
        let mut idle: Vec<f64> = Vec::new();
        let mut opened = 0;
        let starts = |(free, due): &(f64, &[f64])| due.first().map(|at| at.max(*free));
        loop {
            let next = lists.iter_mut().filter_map(|list| Some((starts(list)?, list)));
            let Some((now, list)) = next.min_by(|(a, _), (b, _)| a.total_cmp(b)) else {
                return opened;
            };
            idle.retain(|since| now - since <= self.keep_alive);
            let newest = (0..idle.len())
                .filter(|i| idle[*i] <= now + 1e-9)
                .max_by(|a, b| idle[*a].total_cmp(&idle[*b]));
            let begins = match newest {
                Some(i) => {
                    idle.swap_remove(i);
                    now
                }
                None => {
                    opened += 1;
                    now + self.opening
                }
            };
            list.0 = begins + self.round;
            list.1 = &list.1[1..];
            idle.push(list.0);
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

    #[test]
    fn a_pool_opens_where_nothing_is_idle() {
        let pool = Pool {
            round: 1.0,
            opening: 2.0,
            keep_alive: 10.0,
        };
        assert_eq!(pool.opened(&[]), 0);
        assert_eq!(pool.opened(&[&[], &[5.0]]), 1);
        // Idle time counts from the end of the answer: at 3 for the first, which had to open, at 14 for the next.
        assert_eq!(pool.opened(&[&[0.0, 13.0, 24.0]]), 1);
        assert_eq!(pool.opened(&[&[0.0, 13.1, 26.0]]), 2);
        // A request that waits for the answer before it needs no connection of its own, ...
        assert_eq!(pool.opened(&[&[0.0, 0.1, 0.2]]), 1);
        // ... but one that does not wait opens one, once: then there are two.
        assert_eq!(pool.opened(&[&[0.0, 5.0, 9.0], &[5.5, 9.5]]), 2);
        assert_eq!(pool.opened(&[&[0.0, 6.0, 9.0], &[4.5, 12.0]]), 1);
        // The one that became idle last is used first, so the other is gone after a while.
        let polls: Vec<f64> = (0..20).map(f64::from).map(|i| 4.0 * i).collect();
        assert_eq!(pool.opened(&[&polls, &[8.5, 15.5]]), 2);
        assert_eq!(pool.opened(&[&polls, &[8.5, 40.5]]), 3);
    }

    /// Compares what a run opens with the long-run formulas: neither uses the other.
    #[test]
    fn in_the_long_run_a_pool_opens_as_the_formulas_have_it() {
        let pool = Pool {
            round: 0.0,
            opening: 0.0,
            keep_alive: 1.0,
        };
        for (interval, rate) in [
            (f64::INFINITY, 0.5),
            (f64::INFINITY, 3.0),
            (4.0, 0.7),
            (1.5, 0.2),
            (0.9, 5.0),
        ] {
            let until = 50_000.0;
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let gaps = Exp::new(rate).unwrap();
            let mut at = 0.0;
            let messages = std::iter::from_fn(|| {
                at += gaps.sample(&mut rng);
                Some(at).filter(|at| *at < until)
            });
            let messages: Vec<f64> = messages.collect();
            let polls: Vec<f64> = (0..)
                .map(|i| (f64::from(i) + 0.5) * interval)
                .take_while(|at| *at < until)
                .collect();
            let opened = pool.opened(&[&polls, &messages]) as f64 / until;
            let formula = Use { interval, rate }.kept(pool.keep_alive).opened_per_s;
            assert!(
                (opened - formula).abs() < 0.01,
                "T = {interval}, L = {rate}: {opened}, {formula}"
            );
        }
    }
    /// Simulates the events, without using the formulas.
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
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let gaps = Exp::new(rate).unwrap();
            let (mut poll, mut message) = (interval * rng.random::<f64>(), gaps.sample(&mut rng));
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
                    message += gaps.sample(&mut rng);
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
