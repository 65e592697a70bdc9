//! Which mails of a log are not of the server's schedule.

use std::collections::VecDeque;

use parking_lot::{Mutex, MutexGuard};

/// How many mails from outside are remembered by number: the newest.
const REMEMBERED: usize = 10_000;

/// What has arrived in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// The number of the newest mail.
    pub newest: u64,
    /// How many mails are of the schedule of this server.
    pub planned: u64,
    /// The numbers of the others, after the one that was asked about: the newest 10,000 at most.
    pub outside: Vec<u64>,
}

/// Counts the mails from outside.
#[derive(Debug, Default)]
pub(super) struct Outside(Mutex<Counts>);

#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Mails that are not of the schedule.
    total: u64,
    numbers: VecDeque<u64>,
}

impl Outside {
    pub(super) fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock()
    }

    /// All mails up to this number are from outside.
    pub(super) fn begin_after(&self, number: u64) {
        self.lock().begin_after(number);
    }
}

impl Counts {
    pub(super) fn begin_after(&mut self, number: u64) {
        *self = Counts {
            total: number,
            numbers: VecDeque::new(),
        };
    }

    pub(super) fn add(&mut self, number: u64) {
        self.total += 1;
        self.numbers.push_back(number);
        if self.numbers.len() > REMEMBERED {
            self.numbers.pop_front();
        }
    }

    /// Counts mails that were deleted before they were seen.
    pub(super) fn skip(&mut self, mails: u64) {
        self.total += mails;
    }

    pub(super) fn arrivals(&self, newest: u64, after: u64) -> Arrivals {
        Arrivals {
            newest,
            planned: newest.saturating_sub(self.total),
            outside: self.numbers.iter().copied().filter(|n| *n > after).collect(),
        }
    }
}
