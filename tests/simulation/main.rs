//! Simulated runs: what needs no socket, kernel or foreign peer.

#[path = "../support/mod.rs"]
mod support;

mod advise;
mod conditions;
mod costs;
mod registry;
mod repeatable;
mod resume;
mod servers;
mod simulated;
mod slow;
mod storm;
mod sweep;
mod tabs;
mod talk;
mod transports;
mod vanish;
