//! The common start of runs that take place at once.

use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::clock;
use crate::technique::LEAD;

/// Lets runs that take place at once start their mail together.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug)]
struct Waiting {
    missing: usize,
    start: Option<Instant>,
}

/// A run's place at the gate. If it is dropped before it has passed, the others no longer wait for it.
#[derive(Debug)]
pub struct Place<'a> {
    gate: &'a Gate,
    arrived: bool,
}

impl Gate {
    /// A gate that opens when `runs` have come.
    pub fn new(runs: usize) -> Gate {
        Gate {
            state: Mutex::new(Waiting {
                missing: runs,
                start: None,
            }),
            changed: Condvar::new(),
        }
    }

    /// Takes a place for one run.
    pub fn place(&self) -> Place<'_> {
        Place {
            gate: self,
            arrived: false,
        }
    }

    fn come(&self) {
        let mut state = self.state.lock();
        state.missing -= 1;
        if state.missing == 0 {
            state.start = Some(clock::now() + LEAD);
            self.changed.notify_all();
        }
    }
}

impl Place<'_> {
    /// Waits for all other runs; returns the common start.
    pub fn pass(mut self) -> Instant {
        self.arrived = true;
        self.gate.come();
        let mut state = self.gate.state.lock();
        loop {
            if let Some(start) = state.start {
                return start;
            }
            self.gate.changed.wait(&mut state);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.arrived {
            self.gate.come();
        }
    }
}
