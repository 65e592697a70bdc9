//! A NAT on the way (RFC 5382): it maps a connection as long as packets pass, and forgets it after a silence. Neither
//! end is told.
//!
//! ```text
//! client                   NAT                    server
//!   |  open, and silent     |                       |
//!   |                   forgotten                   |
//!   |                       |         mail          |
//!   |                       | X <-------------------|    swallowed, and again, until the kernel gives up
//!   |       request         |                       |
//!   |---------------------->|  a new mapping        |
//!   |                       |---------------------->|    no such connection
//!   |        reset          |                       |
//!   |<----------------------|-----------------------|
//! ```

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::vanish::Vanish;

/// The mapping of one connection.
#[derive(Clone, Debug)]
pub(super) struct Nat {
    idle: Duration,
    last: Instant,
    over: CancellationToken,
}

impl Nat {
    /// The mapping of a connection that is opened now. What it has forgotten ends with `over`.
    pub(super) fn new(idle: Duration, now: Instant, over: CancellationToken) -> Nat {
        Nat {
            idle,
            last: now,
            over,
        }
    }

    /// A packet passes, either way. If the mapping was forgotten before, returns since when everything is swallowed.
    pub(super) fn pass(&mut self, now: Instant) -> Option<Vanish> {
        let forgotten = self.last + self.idle;
        if now > forgotten {
            return Some(Vanish::since_then(forgotten, self.over.clone()));
        }
        self.last = now;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_silent_for_longer_is_forgotten() {
        let (zero, idle) = (Instant::now(), Duration::from_secs(300));
        let mut nat = Nat::new(idle, zero, CancellationToken::new());
        assert!(nat.pass(zero + idle).is_none());
        assert!(nat.pass(zero + idle * 2).is_none(), "each packet counts");
        let vanish = nat.pass(zero + idle * 3 + Duration::from_millis(1)).unwrap();
        assert_eq!(vanish.since(), Some(zero + idle * 3));
    }
}
