//! Network conditions that change while connections are open: a student's switches. They follow the request: a
//! connection that carries a request of a lane has the lane's conditions until its next request.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::vanish::Vanish;

/// The conditions of some connections, shared between the link and the code that changes them.
#[derive(Debug, Default)]
pub struct Conditions {
    now: Mutex<Now>,
    connections: Mutex<Vec<Weak<Mutex<dyn Conditioned>>>>,
}

/// What holds at the moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Now {
    /// Added to the round trip of the network.
    pub away: Duration,
    /// Set while nothing arrives.
    pub lost: Option<Vanish>,
    /// Whether the connection ends at once.
    pub refused: bool,
}

/// The most connections that are kept although nothing arrives on them: a browser opens six.
const MOST_LOST: usize = 32;

/// A connection whose conditions can change.
pub(super) trait Conditioned: Debug + Send {
    /// Takes over the conditions.
    fn obey(&mut self, now: &Now);

    /// Ends the connection.
    fn break_off(&mut self);
}

impl Conditions {
    /// Adds this to the round trip of every byte that is sent from now on.
    pub fn set_away(&self, away: Duration) {
        self.now.lock().away = away;
        self.tell(|connection, now| connection.obey(now));
    }

    /// Whether nothing arrives.
    pub fn is_lost(&self) -> bool {
        self.now.lock().lost.is_some()
    }

    /// What is added to the round trip.
    pub fn away(&self) -> Duration {
        self.now.lock().away
    }

    /// From now on nothing arrives at either end, and neither is told.
    pub fn lose(&self) {
        let vanish = Vanish::default();
        vanish.now();
        self.now.lock().lost.get_or_insert(vanish);
        self.tell(|connection, now| connection.obey(now));
    }

    /// Lets new connections work again. Those that were lost break, and their clients are told.
    pub fn find_again(&self) {
        let lost = self.now.lock().lost.take();
        if let Some(vanish) = lost {
            vanish.end();
            // A connection that is kept there keeps it.
            vanish.forget();
            self.connections.lock().clear();
        }
    }

    /// Ends every connection that carries a request of these conditions.
    pub fn break_off(&self) {
        self.tell(|connection, _| connection.break_off());
        self.connections.lock().clear();
    }

    fn tell(&self, what: impl Fn(&mut dyn Conditioned, &Now)) {
        let now = self.now.lock().clone();
        let all: Vec<_> = self.connections.lock().iter().filter_map(Weak::upgrade).collect();
        for connection in all {
            what(&mut *connection.lock(), &now);
        }
    }

    /// Adds a connection, which has to obey what is returned.
    pub(super) fn enter(&self, connection: Weak<Mutex<dyn Conditioned>>) -> Now {
        let mut connections = self.connections.lock();
        connections.retain(|known| known.strong_count() > 0 && !known.ptr_eq(&connection));
        let now = self.now.lock().clone();
        let refused = now.lost.is_some() && connections.len() >= MOST_LOST;
        if !refused {
            connections.push(connection);
        }
        Now { refused, ..now }
    }

    /// Removes a connection.
    pub(super) fn leave(&self, connection: &Weak<Mutex<dyn Conditioned>>) {
        self.connections.lock().retain(|known| !known.ptr_eq(connection));
    }
}

/// The conditions that the current request of a connection has: written by the meter, which reads the request,
/// and read by the link.
#[derive(Debug, Default)]
pub(super) struct Assigned {
    conditions: Mutex<Option<Arc<Conditions>>>,
    refused: AtomicBool,
}

impl Assigned {
    pub fn assign(&self, conditions: Option<Arc<Conditions>>) {
        *self.conditions.lock() = conditions;
    }

    pub fn now(&self) -> Option<Arc<Conditions>> {
        self.conditions.lock().clone()
    }

    /// Ends the connection, whose requests cannot be told apart.
    pub fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    pub fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
}
