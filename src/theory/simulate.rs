//! A simulation of the same model. The formulas are tested against it, and it uses none of them. Client,
//! server and mail pass events through a queue in order of time, and each receiver does what the technique
//! would do. Times are whole ticks, so nothing is ever rounded.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What client and server do.
#[derive(Clone, Copy)]
pub enum Technique {
    Poll { interval: i64, phase: i64 },
    LongPoll { hold: i64 },
    Push { heartbeat: i64, lead: i64 },
}
use Technique::{LongPoll, Poll, Push};

/// What happened.
#[derive(Default)]
pub struct Run {
    /// The cursor of each answered request and the last mail of its answer.
    pub exchanges: Vec<(u64, u64)>,
    /// One per mail.
    pub latencies: Vec<i64>,
    pub heartbeats: u64,
}

/// In the order in which events of one instant happen: a hold that ends just when mail comes ends before
/// it, and a request that arrives with the mail finds it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// At the server: the timer with this number rings.
    Timer(u64),
    /// At the server: the log has grown to this number.
    Mail(u64),
    /// At the server: a request for the mails after this number.
    Request(u64),
    /// At the client: the mails after the first number, up to the second.
    Answer(u64, u64),
    /// At the client: time to poll.
    Ask,
}

struct World<'a> {
    due: &'a [i64],
    technique: Technique,
    transit: i64,
    now: i64,
    queue: BinaryHeap<Reverse<(i64, Event)>>,
    /// The server's state: the newest mail, the request it holds, and the number of its current timer.
    newest: u64,
    held: Option<u64>,
    timer: u64,
    /// The client's state.
    cursor: u64,
    run: Run,
}

/// Simulates a run; `rtt` must be even.
pub fn run(due: &[i64], technique: Technique, rtt: i64) -> Run {
    let (transit, queue) = (rtt / 2, BinaryHeap::new());
    let run = Run::default();
    let mut world = World {
        due,
        technique,
        transit,
        now: 0,
        queue,
        newest: 0,
        held: None,
        timer: 0,
        cursor: 0,
        run,
    };
    for (i, &a) in due.iter().enumerate() {
        // Mails of one instant are appended together.
        if due.get(i + 1) != Some(&a) {
            world.after(a, Event::Mail(i as u64 + 1));
        }
    }
    match technique {
        Poll { phase, .. } => world.after(phase, Event::Ask),
        LongPoll { .. } => world.after(0, Event::Request(0)),
        Push { heartbeat, lead } => world.after(heartbeat - lead, Event::Timer(0)),
    }
    while world.cursor < due.len() as u64 {
        let Some(Reverse((now, event))) = world.queue.pop() else {
            panic!("the client waits for ever")
        };
        world.now = now;
        world.happen(event);
    }
    world.run
}

impl World<'_> {
    fn after(&mut self, delay: i64, event: Event) {
        self.queue.push(Reverse((self.now + delay, event)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Timer(timer) => self.ring(timer),
            Event::Mail(number) => self.mail(number),
            Event::Request(after) => self.request(after),
            Event::Answer(after, upto) => self.receive(after, upto),
            Event::Ask => self.after(self.transit, Event::Request(self.cursor)),
        }
    }

    fn restart_timer(&mut self, delay: i64) {
        self.timer += 1;
        self.after(delay, Event::Timer(self.timer));
    }

    fn ring(&mut self, timer: u64) {
        match self.technique {
            _ if timer != self.timer => {}
            LongPoll { .. } => {
                if let Some(after) = self.held.take() {
                    self.answer(after);
                }
            }
            Push { heartbeat, .. } => {
                self.run.heartbeats += 1;
                self.restart_timer(heartbeat);
            }
            Poll { .. } => {}
        }
    }

    fn mail(&mut self, number: u64) {
        let before = std::mem::replace(&mut self.newest, number);
        if let Push { heartbeat, .. } = self.technique {
            for n in before..number {
                self.after(self.transit, Event::Answer(n, n + 1));
            }
            self.restart_timer(heartbeat);
        } else if let Some(after) = self.held.take() {
            self.answer(after);
        }
    }

    fn request(&mut self, after: u64) {
        match self.technique {
            LongPoll { hold } if self.newest == after => {
                self.held = Some(after);
                self.restart_timer(hold);
            }
            _ => self.answer(after),
        }
    }

    fn answer(&mut self, after: u64) {
        self.run.exchanges.push((after, self.newest));
        self.after(self.transit, Event::Answer(after, self.newest));
    }

    fn receive(&mut self, after: u64, upto: u64) {
        assert_eq!(after, self.cursor, "an answer out of turn");
        self.cursor = upto;
        self.run.latencies.extend(
            self.due[after as usize..upto as usize]
                .iter()
                .map(|a| self.now - a),
        );
        match self.technique {
            LongPoll { .. } => self.after(self.transit, Event::Request(upto)),
            Poll { interval, .. } => {
                // It asked one round trip ago.
                self.after((interval - 2 * self.transit).max(0), Event::Ask);
            }
            Push { .. } => {}
        }
    }
}
