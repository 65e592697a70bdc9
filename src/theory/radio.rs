//! A phone's radio: how often a client's packets wake it, and how long they keep it on.
//!
//! The radio of a cellular network is off until a packet crosses. Then it is on, and stays on for a tail t
//! after the last packet, because the network expects more:
//!
//! ```text
//!   packet   packet                  packet
//!  ──●────────●───────────────────────●──────────────▶ time
//!    ◀──────────── on ────────▶       ◀──── on ─────▶
//!             ◀────── t ──────▶       ◀────── t ─────▶
//!    woken                            woken
//! ```
//!
//! The network decides how long the tail is: it releases the radio connection (3GPP TS 36.331, section 5.3.8)
//! when a timer of its own has run out. N. Balasubramanian et al., "Energy consumption in mobile phones: a
//! measurement study and implications for network applications" (IMC 2009), measured 12.5 s in 3G and 6 s in GSM;
//! J. Huang et al., "A close examination of performance and power characteristics of 4G LTE networks" (MobiSys
//! 2012), 11.6 s in LTE. Both found that it takes a large part of the energy of small transfers. Android's battery
//! statistics count 10 s for LTE. This model has two states, on and off: it leaves out how long waking up takes,
//! and that a radio in its tail may doze.
//!
//! A packet wakes the radio if the gap before it is longer than t. Of a gap g the radio is on for min(g, t). So
//! the instants of packets say everything ([`Radio::of`]): packets every T wake it 1/T times per second if T > t,
//! and otherwise never.
//!
//! Messages at random instants, L per second (Poisson), are too rare or too frequent to be listed. A message is a
//! request and, d later, its answer: two packets, so the radio is on for w = t + min(d, t) after its beginning. If
//! its connection is closed when it was idle for K, that is another packet, d + K after the last message. Look at a
//! random instant. The last message began a time A ago, with P(A > a) = e^(-L a). The radio is off if A > w, but not
//! if A is between d + K and d + K + t, so it is off with probability
//!
//! ```text
//!   p = e^(-L w) - e^(-L max(w, d + K)) + e^(-L max(w, d + K + t))
//! ```
//!
//! Poisson messages see what a random instant sees, so they wake it L p times per second, and their answers as
//! often if d > t. A closing wakes it if K > t, L e^(-L (d + K)) times per second ([`Messages::radio`]).
//!
//! Two independent sources of packets keep a radio off only if both do: the probabilities multiply. A packet of one
//! that would wake the radio wakes it only if the other lets it be off ([`Radio::shared_with`]).

/// How a radio is used in the long run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Radio {
    /// How often it is woken, per second.
    pub woken_per_s: f64,
    /// The share of the time in which it is off.
    pub off: f64,
}

/// Seconds of an hour.
const HOUR: f64 = 3_600.0;

impl Radio {
    /// The radio of a client whose packets cross at these instants, in seconds and in order, from the first to
    /// the last; it stays on for `tail` seconds after each. Off if there are not two instants.
    pub fn of(packets: &[f64], tail: f64) -> Radio {
        let gaps = || packets.windows(2).map(|two| two[1] - two[0]);
        let span: f64 = gaps().sum();
        if span <= 0.0 {
            return Radio {
                woken_per_s: 0.0,
                off: 1.0,
            };
        }
        // Simulated instants are rounded to nanoseconds, so a gap may be that much longer than it should be.
        let longer = gaps().filter(|gap| *gap > tail + 1e-6);
        let (woken, off) = longer.fold((0.0, 0.0), |(n, off), gap| (n + 1.0, off + gap - tail));
        Radio {
            woken_per_s: woken / span,
            off: off / span,
        }
    }

    /// The same radio if it also carries the packets of another, independent source.
    pub fn shared_with(self, other: Radio) -> Radio {
        Radio {
            woken_per_s: self.woken_per_s * other.off + other.woken_per_s * self.off,
            off: self.off * other.off,
        }
    }

    /// On the straight line from this radio to another: this one for 0, the other for 1. It is the mean of two
    /// kinds of client; and where something happens so rarely that each time adds the same, the line leads from
    /// one rate of it to another.
    pub fn towards(self, other: Radio, share: f64) -> Radio {
        let between = |from: f64, to: f64| from + share * (to - from);
        Radio {
            woken_per_s: between(self.woken_per_s, other.woken_per_s).max(0.0),
            off: between(self.off, other.off).clamp(0.0, 1.0),
        }
    }

    /// Seconds in which it is on, per hour.
    pub fn on_s_per_hour(&self) -> f64 {
        (1.0 - self.off) * HOUR
    }

    /// How often it is woken per hour. One that is on for longer than an hour counts as woken once an hour:
    /// otherwise the figure of a radio that never goes off would be that of one that never goes on.
    pub fn woken_per_hour(&self) -> f64 {
        (self.woken_per_s * HOUR).max(1.0 - self.off)
    }
}

/// A client's messages at random instants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Messages {
    /// Messages per second.
    pub rate: f64,
    /// From a message to its answer, in seconds; 0 if it has none.
    pub round: f64,
    /// How long their connection is kept after the answer, in seconds; infinite if other traffic keeps it.
    pub keep_alive: f64,
}

impl Messages {
    /// The radio of a client that has no other traffic; it stays on for `tail` seconds after each packet.
    pub fn radio(&self, tail: f64) -> Radio {
        let Messages {
            rate,
            round,
            keep_alive,
        } = *self;
        // No message for this long.
        let silent = |seconds: f64| (-rate * seconds).exp();
        let kept_on = tail + round.min(tail);
        let closed = round + keep_alive;
        let off = silent(kept_on) - silent(kept_on.max(closed)) + silent(kept_on.max(closed + tail));
        let packets = if round > tail { 2.0 } else { 1.0 };
        let closings = if keep_alive > tail { silent(closed) } else { 0.0 };
        Radio {
            woken_per_s: rate * (packets * off + closings),
            off,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Exp};

    fn every(interval: f64, count: u32) -> Vec<f64> {
        (0..=count).map(|i| f64::from(i) * interval).collect()
    }

    #[test]
    fn a_gap_that_is_longer_than_the_tail_wakes_it() {
        let per_hour = |interval: f64, tail: f64| {
            let radio = Radio::of(&every(interval, 1_000), tail);
            (radio.woken_per_hour().round(), radio.on_s_per_hour().round())
        };
        // A poll every 5 s: it wakes once and stays on.
        assert_eq!(per_hour(5.0, 10.0), (1.0, 3_600.0));
        // A heartbeat every 60 s: 60 times 10 s.
        assert_eq!(per_hour(60.0, 10.0), (60.0, 600.0));
        assert_eq!(per_hour(15.0, 10.0), (240.0, 2_400.0));
        assert_eq!(per_hour(15.0, 11.576), (240.0, 2_778.0));
        // Just as long is not longer.
        assert_eq!(per_hour(10.0, 10.0), (1.0, 3_600.0));
        // 0 and 12 s apart, in turn: each pair wakes it once, and keeps it on for 1 + 10 s of 13.
        let pairs: Vec<f64> = (0..100)
            .flat_map(|i| [f64::from(i) * 13.0, f64::from(i) * 13.0 + 1.0])
            .collect();
        let radio = Radio::of(&pairs[..199], 10.0);
        assert!((radio.woken_per_s - 1.0 / 13.0).abs() < 1e-9, "{radio:?}");
        assert!((radio.off - 2.0 / 13.0).abs() < 1e-9, "{radio:?}");
        let none = Radio {
            woken_per_s: 0.0,
            off: 1.0,
        };
        assert_eq!([Radio::of(&[], 1.0), Radio::of(&[7.0], 1.0)], [none; 2]);
        assert_eq!((none.woken_per_hour(), none.on_s_per_hour()), (0.0, 0.0));
    }

    /// Random instants until `until`, `rate` per second.
    fn random(rate: f64, until: f64, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let gaps = Exp::new(rate).unwrap();
        let mut at = 0.0;
        let instants = std::iter::from_fn(|| {
            at += gaps.sample(&mut rng);
            Some(at).filter(|at| *at < until)
        });
        instants.collect()
    }

    /// The packets of messages, one by one.
    fn listed(messages: &Messages, until: f64) -> Vec<f64> {
        let begun = random(messages.rate, until, 7);
        let mut packets = Vec::new();
        for (i, at) in begun.iter().enumerate() {
            packets.extend([*at, at + messages.round]);
            let closed = at + messages.round + messages.keep_alive;
            packets.extend(Some(closed).filter(|closed| begun.get(i + 1).is_some_and(|next| closed < next)));
        }
        packets.sort_by(f64::total_cmp);
        packets
    }

    fn near(found: Radio, formula: Radio, by: f64) {
        assert!((found.off - formula.off).abs() < by, "{found:?} {formula:?}");
        assert!(
            (found.woken_per_s - formula.woken_per_s).abs() < by,
            "{found:?} {formula:?}"
        );
    }

    #[test]
    fn messages_use_it_as_their_packets_do_one_by_one() {
        for (rate, round, keep_alive, tail) in [
            (0.05, 0.0, f64::INFINITY, 10.0),
            (0.5, 0.2, f64::INFINITY, 3.0),
            (0.02, 0.1, 75.0, 10.0),
            (0.02, 0.1, 5.0, 10.0),
            (0.1, 2.0, 8.0, 1.0),
            (0.3, 0.05, 0.0, 0.5),
        ] {
            let messages = Messages {
                rate,
                round,
                keep_alive,
            };
            let found = Radio::of(&listed(&messages, 400_000.0), tail);
            near(found, messages.radio(tail), 0.01);
        }
    }

    #[test]
    fn two_sources_share_it() {
        let (until, tail) = (400_000.0, 10.0);
        for (interval, rate) in [(60.0, 0.01), (15.0, 0.05), (5.0, 0.3), (300.0, 0.002)] {
            let beats = every(interval, (until / interval) as u32);
            let messages = Messages {
                rate,
                round: 0.0,
                keep_alive: f64::INFINITY,
            };
            let mut all = [beats.clone(), listed(&messages, until)].concat();
            all.sort_by(f64::total_cmp);
            let formula = Radio::of(&beats, tail).shared_with(messages.radio(tail));
            near(Radio::of(&all, tail), formula, 0.005);
        }
    }

    #[test]
    fn what_happens_rarely_adds_the_same_each_time() {
        let silence = Radio {
            woken_per_s: 0.1,
            off: 0.8,
        };
        let often = Radio {
            woken_per_s: 0.3,
            off: 0.4,
        };
        near(silence.towards(often, 0.0), silence, 1e-12);
        near(silence.towards(often, 1.0), often, 1e-12);
        near(
            silence.towards(often, 0.5),
            Radio {
                woken_per_s: 0.2,
                off: 0.6,
            },
            1e-12,
        );
    }

    /// Mail at random instants, and a heartbeat after each silence: a gap is the shorter of the two.
    #[test]
    fn pushed_mail_and_heartbeats_have_a_formula() {
        let (rate, heartbeat, tail) = (1.0 / 60.0, 15.0, 10.0);
        let mut packets = vec![0.0];
        for at in random(rate, 400_000.0, 9) {
            while let Some(beat) = packets
                .last()
                .map(|last| last + heartbeat)
                .filter(|beat| *beat < at)
            {
                packets.push(beat);
            }
            packets.push(at);
        }
        let gone = |seconds: f64| 1.0 - f64::exp(-rate * seconds);
        let formula = Radio {
            woken_per_s: rate * f64::exp(-rate * tail) / gone(heartbeat),
            off: 1.0 - gone(tail) / gone(heartbeat),
        };
        near(Radio::of(&packets, tail), formula, 0.005);
    }
}
