//! A student: a token, a number, a colour, and what the meter says of the phone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::rate::{Limit, Rate};
use crate::link::{Account, Conditions, Owner};
use crate::wire::Tally;

/// The colours of students, after Okabe and Ito (Color Universal Design, 2008), each darker or paler in turn. With
/// more students they repeat; the number does not.
const COLOURS: [&str; 12] = [
    "#d05a00", "#0068a8", "#00805f", "#a8447f", "#9a7400", "#6a5acd", "#7a2e1d", "#1f8cb4", "#5a7d00",
    "#c2185b", "#455a64", "#00796b",
];

/// How long a student counts as here after the page asked last.
pub const HERE: Duration = Duration::from_secs(12);

/// How far away a student is who asked to be.
pub const AWAY: Duration = Duration::from_millis(200);

/// How long the board shows a delivery.
pub const SHOWN: Duration = Duration::from_secs(15);

/// The most deliveries that are kept for the board, of one lane.
const KEPT: usize = 400;

/// Requests on the lanes: polling every 200 ms, and reconnecting, take a tenth of it.
const REQUESTS: Limit = Limit {
    burst: 200.0,
    per_s: 50.0,
};

/// Questions of the page about the class, and what it does there.
const CALLS: Limit = Limit {
    burst: 40.0,
    per_s: 8.0,
};

/// Mails that a student may send.
const MAILS: Limit = Limit {
    burst: 5.0,
    per_s: 0.5,
};

/// A student of the class.
#[derive(Debug)]
pub struct Student {
    /// What the phone identifies itself by.
    pub token: String,
    /// From 1, in the order of joining.
    pub number: u32,
    /// Whether it is one of the program's own.
    pub simulated: bool,
    /// One for each technique, in the order of the room's.
    pub lanes: Vec<Arc<Account>>,
    /// Everything else of the phone.
    pub page: Arc<Account>,
    /// The network conditions of the lanes.
    pub conditions: Arc<Conditions>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    seen: Instant,
    blocked: bool,
    lanes: Vec<Received>,
    requests: Rate,
    calls: Rate,
    mails: Rate,
}

/// What a phone says that it has received on a lane.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// How many mails.
    pub mails: u64,
    /// The sum of their delays, milliseconds.
    pub delay_ms: f64,
    /// The number of the newest.
    pub newest: u64,
    /// The last ones: number, and when it was received, milliseconds on the room's clock.
    pub recent: VecDeque<(u64, f64)>,
}

impl Student {
    /// A student who has just joined.
    ///
    /// `newest` is the number of the newest mail: what came before is not received.
    pub fn new(
        token: String,
        number: u32,
        lanes: usize,
        simulated: bool,
        newest: u64,
        now: Instant,
    ) -> Student {
        let received = Received {
            newest,
            ..Received::default()
        };
        Student {
            token,
            number,
            simulated,
            lanes: (0..lanes).map(|_| Arc::new(Account::with_exchange())).collect(),
            page: Arc::default(),
            conditions: Arc::default(),
            state: Mutex::new(State {
                seen: now,
                blocked: false,
                lanes: vec![received; lanes],
                requests: Rate::new(REQUESTS, now),
                calls: Rate::new(CALLS, now),
                mails: Rate::new(MAILS, now),
            }),
        }
    }

    /// Its colour, for CSS.
    pub fn colour(&self) -> &'static str {
        COLOURS[(self.number as usize).saturating_sub(1) % COLOURS.len()]
    }

    /// The owner of a request: of a lane, or of anything else.
    pub fn owner(&self, lane: Option<usize>) -> Owner {
        let account = lane.and_then(|lane| self.lanes.get(lane));
        Owner {
            account: account.unwrap_or(&self.page).clone(),
            rest: self.page.clone(),
            conditions: account.map(|_| self.conditions.clone()),
        }
    }

    /// The page has asked now.
    pub fn seen(&self, now: Instant) {
        self.state.lock().seen = now;
    }

    /// Whether the page has asked lately.
    pub fn is_here(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.state.lock().seen) < HERE
    }

    /// How long ago the page asked last.
    pub fn silent(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.state.lock().seen)
    }

    /// Whether WebSocket upgrades are refused.
    pub fn is_blocked(&self) -> bool {
        self.state.lock().blocked
    }

    /// Refuses WebSocket upgrades, or no longer does.
    pub fn set_blocked(&self, blocked: bool) {
        self.state.lock().blocked = blocked;
    }

    /// Whether one more request on a lane is within the limit.
    pub fn may_request(&self, now: Instant) -> bool {
        self.state.lock().requests.take(now)
    }

    /// The same for a call of the page.
    pub fn may_call(&self, now: Instant) -> bool {
        self.state.lock().calls.take(now)
    }

    /// The same for a mail.
    pub fn may_mail(&self, now: Instant) -> bool {
        self.state.lock().mails.take(now)
    }

    /// The phone has received a mail on a lane, at an instant in milliseconds on the room's clock. A mail that is
    /// not newer than those before it is not counted again.
    pub fn received(&self, lane: usize, id: u64, delay_ms: f64, at_ms: f64) {
        let mut state = self.state.lock();
        let Some(received) = state.lanes.get_mut(lane).filter(|r| id > r.newest) else {
            return;
        };
        received.newest = id;
        received.mails += 1;
        received.delay_ms += delay_ms;
        received.recent.push_back((id, at_ms));
        if received.recent.len() > KEPT {
            received.recent.pop_front();
        }
    }

    /// What the phone has received, lane by lane.
    pub fn receipts(&self) -> Vec<Received> {
        self.state.lock().lanes.clone()
    }

    /// Everything that crossed for this student.
    pub fn total(&self) -> Tally {
        let mut total = self.page.tally();
        for lane in &self.lanes {
            total += lane.tally();
        }
        total
    }
}
