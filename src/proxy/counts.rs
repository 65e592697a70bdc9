//! What a proxy counts.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::outcome::Proxied;

/// Counters of one proxy, shared by everything that passes it.
#[derive(Debug, Default)]
pub struct Counts {
    pub(super) requests: Counter,
    pub(super) connections: Counter,
    pub(super) taken_bytes: Counter,
    pub(super) passed_bytes: Counter,
    pub(super) pieces: Counter,
    pub(super) idle: Counter,
    pub(super) too_long: Counter,
    pub(super) refused_upgrades: Counter,
    pub(super) tunnels: Counter,
}

impl Counts {
    /// What was counted so far.
    pub fn so_far(&self, proxy: &str) -> Proxied {
        Proxied {
            proxy: proxy.into(),
            requests: self.requests.get(),
            connections: self.connections.get(),
            taken_bytes: self.taken_bytes.get(),
            passed_bytes: self.passed_bytes.get(),
            pieces: self.pieces.get(),
            idle: self.idle.get(),
            too_long: self.too_long.get(),
            refused_upgrades: self.refused_upgrades.get(),
            tunnels: self.tunnels.get(),
        }
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
