//! Engine.IO: polls first, tries a WebSocket meanwhile, and goes on there if it gets through.
//!
//! What polls cost is long polling's story: while one is held mail leaves at once, and between an answer
//! and the next request it waits for a round trip R. The WebSocket takes four and a half of them, from the
//! answer to the first poll on:
//!
//! ```text
//!  client  ──●P1──────────●dial─────────●GET───●2probe──────●5────────●───▶
//!             ╲          ╱ ╲  TCP      ╱ ╲    ╱ ╲          ╱ ╲       ╱
//!  server  ────●40───────────●────────────●101───●6, 3probe────●mail────▶
//!                                               │   mail waits  │
//! ```
//!
//! From the probe on polls end at once with nothing (`6`), and mail waits for the `5`. So it is carried by
//! polls until 4 R after the namespace was asked for, waits until 5 R, and is pushed from then on. Where
//! WebSocket does not get through, it is polled for to the end.

use std::cell::RefCell;

use super::trial::{Line, Trial};
use super::{Acted, Exchange};

/// What is acted out, besides the mail: sizes in bytes, times in seconds.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// From when all clients have asked for their namespace to the schedule's start.
    pub lead: f64,
    /// From ping to ping, counted from the session's beginning.
    pub interval: f64,
    /// Whether a WebSocket gets through.
    pub upgrades: bool,
    /// A GET that polls.
    pub request: usize,
    /// The answer to one that asked with this cursor, holding mail up to the second.
    pub answer: &'a dyn Fn(u64, u64) -> usize,
    /// Of the mails above a cursor, up to the second number, those that share an answer, to a poll that is
    /// held or not: the last of them.
    pub share: &'a dyn Fn(u64, u64, bool) -> u64,
    /// The request for a WebSocket, and the answer.
    pub handshake: [usize; 2],
    /// A mail's message there.
    pub message: &'a dyn Fn(u64) -> usize,
}

/// What came out of it, per client.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Carried {
    /// The latency of all mail, and what polls brought, pings and noops among them as exchanges without
    /// mail; but for the first.
    pub acted: Acted,
    /// What the poll brought that brought the namespace, too.
    pub first: Vec<Exchange>,
    /// How many pings there were.
    pub pings: f64,
    /// How many of them came by polls of their own.
    pub polled_pings: f64,
}

/// A probe, and its answer.
const PROBE: usize = 12;

/// One client's session under way.
struct Way<'a, 'b> {
    trial: &'a Trial<'a>,
    session: &'a Session<'b>,
    cursor: u64,
    /// When the next ping is due.
    ping: f64,
    pings: f64,
    polled_pings: f64,
}

impl Trial<'_> {
    /// Engine.IO with Socket.IO in it, as `session` describes it.
    pub fn engine_io(&self, session: &Session) -> Carried {
        let told: RefCell<Carried> = RefCell::default();
        let acted = self.act(|number, seen| {
            let mut way = Way::new(self, session);
            let mut line = Line::open_before_start(self, number);
            let asked = line.ask(way.connected(), session.request);
            let upto = way.upto(asked, false);
            let mut now = line.answer(asked, (session.answer)(0, upto));
            seen.mails(way.take(upto), now);
            let mut told = told.borrow_mut();
            match told.first.iter_mut().find(|e| e.upto == upto) {
                Some(alike) => alike.weight += 1.0,
                None => told.first.push(Exchange {
                    after: 0,
                    upto,
                    weight: 1.0,
                }),
            }
            let mut other = Line::after(self, number, 1);
            let mut probed = f64::INFINITY;
            let mut ponged = f64::INFINITY;
            if session.upgrades {
                let answered = other.ask(now, session.handshake[0]);
                let opened = other.answer(answered, session.handshake[1]);
                probed = other.ask(opened, PROBE);
                ponged = other.answer(probed, PROBE);
            }
            let mut held = true;
            while way.is_waiting() {
                let asked = line.ask(now, session.request);
                let at = way.answered(asked).min(probed.max(asked));
                let (after, upto) = match at < probed {
                    true => (way.cursor, way.upto(at, at > asked)),
                    false => (way.cursor, way.cursor),
                };
                way.note_pings(at, upto == after && at < probed);
                now = line.answer(at, (session.answer)(after, upto));
                seen.exchange(after, upto, 1.0);
                seen.mails(way.take(upto), now);
                if at >= probed {
                    held = false;
                    let upgraded = other.ask(now.max(ponged), 1);
                    way.push(&mut other, upgraded, |due, at| seen.mails(due, at));
                }
            }
            if held {
                // The one that is held when all mail is there.
                seen.exchange(way.cursor, way.cursor, 1.0);
            }
            told.pings += way.pings;
            told.polled_pings += way.polled_pings;
            line.work + other.work
        });
        let clients = acted.clients.max(1) as f64;
        let told = told.into_inner();
        let share = |e: &Exchange| Exchange {
            weight: e.weight / clients,
            ..*e
        };
        Carried {
            acted,
            first: told.first.iter().map(share).collect(),
            pings: told.pings / clients,
            polled_pings: told.polled_pings / clients,
        }
    }
}

impl<'a, 'b> Way<'a, 'b> {
    fn new(trial: &'a Trial<'a>, session: &'a Session<'b>) -> Way<'a, 'b> {
        // It began a round trip before the namespace was asked for.
        let began = -session.lead - trial.path.rtt;
        Way {
            trial,
            session,
            cursor: 0,
            ping: began + session.interval,
            pings: 0.0,
            polled_pings: 0.0,
        }
    }

    /// When the client knows that it may poll for what the namespace brings.
    fn connected(&self) -> f64 {
        -self.session.lead + self.trial.path.rtt / 2.0
    }

    fn is_waiting(&self) -> bool {
        (self.cursor as usize) < self.trial.due.len()
    }

    /// When a poll that is there at an instant is answered: with mail, or a ping.
    fn answered(&self, asked: f64) -> f64 {
        let next = self.trial.due[self.cursor as usize];
        next.min(self.ping).max(asked)
    }

    /// The last mail that an answer at this instant brings.
    fn upto(&self, at: f64, held: bool) -> u64 {
        let newest = self.trial.newest(self.cursor, at);
        match newest > self.cursor {
            true => (self.session.share)(self.cursor, newest, held),
            false => self.cursor,
        }
    }

    /// Counts the pings that are due by an instant.
    fn note_pings(&mut self, at: f64, alone: bool) {
        while self.ping <= at {
            self.ping += self.session.interval;
            self.pings += 1.0;
            self.polled_pings += f64::from(u8::from(alone));
        }
    }

    /// When the mails were due that come now.
    fn take(&mut self, upto: u64) -> &'a [f64] {
        let due = &self.trial.due[self.cursor as usize..upto as usize];
        self.cursor = upto;
        due
    }

    /// Pushes all the rest from an instant on.
    fn push(&mut self, line: &mut Line, from: f64, mut seen: impl FnMut(&[f64], f64)) {
        let all = self.trial.due.len() as u64;
        while self.is_waiting() {
            let due = self.trial.due[self.cursor as usize];
            let at = due.max(from);
            self.note_pings(at, false);
            let arrived = line.answer(at, (self.session.message)(self.cursor + 1));
            seen(&[due], arrived);
            self.cursor += 1;
        }
        debug_assert_eq!(self.cursor, all);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Path, long_poll_exchanges, long_poll_latency, push_latency};
    use super::*;

    const FOREVER: f64 = 1e9;

    fn session(upgrades: bool, interval: f64) -> Session<'static> {
        Session {
            lead: 0.0,
            interval,
            upgrades,
            request: 100,
            answer: &|_, _| 100,
            share: &|_, upto, _| upto,
            handshake: [100, 100],
            message: &|_| 100,
        }
    }

    fn trial(due: &[f64], rtt: f64) -> Trial<'_> {
        Trial {
            due,
            path: Path {
                rtt,
                ..Path::default()
            },
            seed: 1,
            clients: 1,
            fresh: false,
            handshakes: None,
        }
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn without_delays_it_has_upgraded_before_mail_comes() {
        let carried = trial(&[0.5, 1.0, 1.0], 0.0).engine_io(&session(true, FOREVER));
        let polls: Vec<_> = carried
            .acted
            .exchanges
            .iter()
            .map(|e| (e.after, e.upto))
            .collect();
        assert_eq!((polls, carried.acted.latency), (vec![(0, 0)], push_latency(0.0)));
    }

    #[test]
    fn mail_is_polled_for_waits_and_is_pushed() {
        // R = 1: the first poll is there at 1, the second at 2, the probe at 4, and the 5 at 5.
        for (due, latency, polled) in [
            (0.5, 1.0, 1), // with the first
            (1.5, 1.0, 1), // with the second, for which it waits
            (2.5, 0.5, 1), // which is held
            (3.5, 0.5, 1),
            (4.5, 1.0, 0), // for the 5
            (9.0, 0.5, 0),
        ] {
            let carried = trial(&[due], 1.0).engine_io(&session(true, FOREVER));
            assert!(near(carried.acted.latency.mean, latency), "{due}: {carried:?}");
            let brought = carried.first.iter().chain(&carried.acted.exchanges);
            let brought: f64 = brought.filter(|e| !e.is_empty()).map(|e| e.weight).sum();
            assert_eq!(brought, f64::from(polled), "{due}");
        }
        // A poll that finds itself between two answers when the probe comes ends when it is there.
        let carried = trial(&[3.8, 9.0], 1.0).engine_io(&session(true, FOREVER));
        let polls: Vec<_> = carried
            .acted
            .exchanges
            .iter()
            .map(|e| (e.after, e.upto))
            .collect();
        assert_eq!(polls, [(0, 1), (1, 1)]);
    }

    #[test]
    fn where_websocket_does_not_get_through_it_is_long_polling() {
        let due = [4.0, 4.1, 6.0, 9.5, 9.5];
        for rtt in [0.0, 0.3, 1.0] {
            let carried = trial(&due, rtt).engine_io(&session(false, FOREVER));
            let polled = long_poll_latency(&due, FOREVER, rtt);
            assert!(
                near(carried.acted.latency.mean, polled.mean),
                "{rtt}: {carried:?}"
            );
            let brought = |exchanges: &[Exchange]| -> Vec<(u64, u64)> {
                let full = exchanges.iter().filter(|e| !e.is_empty());
                full.map(|e| (e.after, e.upto)).collect()
            };
            let formula = long_poll_exchanges(&due, FOREVER, rtt);
            assert_eq!(brought(&carried.acted.exchanges), brought(&formula));
            // One is held at the end.
            assert_eq!(
                carried.acted.exchanges.last().map(|e| (e.after, e.weight)),
                Some((5, 1.0))
            );
        }
    }

    #[test]
    fn pings_keep_their_cadence_whatever_comes_between() {
        let due = [0.55, 1.25];
        for upgrades in [false, true] {
            let carried = trial(&due, 0.0).engine_io(&session(upgrades, 0.25));
            // At 0.25, 0.5, 0.75, 1 and, with the last mail, 1.25.
            let alone = if upgrades { 0.0 } else { 4.0 };
            assert_eq!((carried.pings, carried.polled_pings), (5.0, alone), "{upgrades}");
        }
    }

    #[test]
    fn what_is_too_large_for_one_answer_takes_more() {
        let session = Session {
            share: &|after, upto, held| upto.min(after + 2 + u64::from(held)),
            ..session(false, FOREVER)
        };
        let carried = trial(&[1.0; 5], 0.0).engine_io(&session);
        let polls: Vec<_> = carried
            .acted
            .exchanges
            .iter()
            .map(|e| (e.after, e.upto))
            .collect();
        assert_eq!(polls, [(0, 3), (3, 5), (5, 5)]);
    }
}
