//! What a server has taken out of its log for its clients, and not sent yet. A client's cursor takes no memory that
//! grows; what is on its way to the client does.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Counts what waits for all clients of a log. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Backlog(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    bytes: u64,
    mails: u64,
    most: Backlogged,
    /// Whether anybody counted.
    is_used: bool,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlogged {
    /// The most bytes of mail that waited at one instant, for all clients together.
    pub bytes: u64,
    /// The most mails.
    pub mails: u64,
    /// Mails that were dropped although their client had not got them.
    pub dropped: u64,
    /// How often a client was cut off because too much waited for it.
    pub cut_off: u64,
}

impl Backlogged {
    /// What waited at two servers, each of which counted by itself: their highest figures may be of different instants,
    /// so the sum is an upper bound.
    pub fn plus(self, other: Backlogged) -> Backlogged {
        Backlogged {
            bytes: self.bytes + other.bytes,
            mails: self.mails + other.mails,
            dropped: self.dropped + other.dropped,
            cut_off: self.cut_off + other.cut_off,
        }
    }
}

impl Backlog {
    /// What was counted so far; `None` if nobody counted.
    pub fn counted(&self) -> Option<Backlogged> {
        let counts = self.0.lock();
        counts.is_used.then_some(counts.most)
    }

    /// Counts dropped mails.
    pub fn dropped(&self, mails: u64) {
        self.0.lock().most.dropped += mails;
    }

    /// Counts a client that was cut off.
    pub fn cut_off(&self) {
        self.0.lock().most.cut_off += 1;
    }
}

/// What waits for one client.
#[derive(Debug, Default)]
pub struct Share {
    /// `None` if nobody wants to know.
    backlog: Option<Backlog>,
    bytes: u64,
    mails: u64,
}

impl Share {
    /// Nothing yet, to be counted in `backlog`.
    pub fn of(backlog: &Backlog) -> Share {
        backlog.0.lock().is_used = true;
        Share {
            backlog: Some(backlog.clone()),
            ..Share::default()
        }
    }

    /// Sets what waits now: a mail for each of these, with so many bytes.
    pub fn hold(&mut self, sizes: impl ExactSizeIterator<Item = usize>) {
        if self.backlog.is_some() {
            self.set(sizes.len(), sizes.sum());
        }
    }

    /// Sets what waits now: so many mails, with so many bytes.
    pub fn set(&mut self, mails: usize, bytes: usize) {
        let Some(backlog) = &self.backlog else { return };
        let (mails, bytes) = (mails as u64, bytes as u64);
        let counts = &mut *backlog.0.lock();
        counts.bytes = counts.bytes + bytes - self.bytes;
        counts.mails = counts.mails + mails - self.mails;
        counts.most.bytes = counts.most.bytes.max(counts.bytes);
        counts.most.mails = counts.most.mails.max(counts.mails);
        (self.mails, self.bytes) = (mails, bytes);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_of_all_clients_together_is_kept() {
        let backlog = Backlog::default();
        assert_eq!(backlog.counted(), None);
        let [mut one, mut two] = [Share::of(&backlog), Share::of(&backlog)];
        one.set(2, 200);
        two.set(1, 50);
        one.set(1, 100);
        drop(one);
        two.set(3, 120);
        let counted = backlog.counted().unwrap();
        assert_eq!((counted.mails, counted.bytes), (3, 250));
        backlog.dropped(4);
        backlog.cut_off();
        let counted = backlog.counted().unwrap();
        assert_eq!((counted.dropped, counted.cut_off), (4, 1));
    }
}
