//! Servers and runs over real sockets: limits, faults of the network, restarts, visits.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod carried;
#[cfg(unix)]
mod class;
mod crowd;
mod disturbed;
mod endless;
#[cfg(unix)]
mod engine;
mod epoch;
mod fanout;
mod held_back;
mod http2;
mod limits;
mod link;
mod proxy;
mod servers;
mod slow;
mod storm;
mod tabs;
mod threads;
mod visit;
