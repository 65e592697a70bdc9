//! What a run measured and what was predicted for it, as plain data: the interface between `lab`, which
//! makes it, and `report`, which draws it. Serialised with serde it is the JSON contract: a key may be
//! added, none changes its meaning, and `schema` counts up when that cannot be avoided.
//!
//! What a platform cannot measure, or what does not exist for a technique, is `None` (JSON `null`),
//! never 0.

pub mod ablation;
pub mod advice;
mod balance;
mod bytes;
pub mod class;
mod cost;
mod envelope;
mod event;
mod file_name;
mod histogram;
mod http_version;
pub mod inspection;
mod log_place;
pub mod noise;
mod oddity;
pub mod plausible;
mod prediction;
pub mod prices;
mod proxy;
mod report;
mod retry;
mod run;
mod scenario;
mod server_clock;
mod slow;
pub mod storm;
pub mod sum;
pub mod sweep;
mod tabs;
mod trust;
pub mod vanish;
mod warning;

pub use balance::{Balance, Balanced, BalancedServer};
pub use bytes::{Labelled, Traffic};
pub use envelope::{Envelope, SCHEMA};
pub use event::{Attempt, Event, EventKind, EventSources, StateBytes};
pub use file_name::FileName;
pub use histogram::Histogram;
pub use http_version::HttpVersion;
pub use log_place::{LogPlace, NatsAddress, without_password};
pub use oddity::{Oddity, OddityKind};
pub use prediction::{PredictedLatency, PredictedRequests, PredictedTalk, Prediction};
pub use proxy::{BehindProxies, Coding, Proxied, Proxy, ProxySettings, Upgrade};
pub use report::{Absent, Environment, Report};
pub use retry::Retry;
pub use run::{
    BASELINE, Connection, Connections, Delivery, EachWay, Latency, Messages, Outcome, PerRun, Requests,
    Segments, ServerUse, Talk,
};
pub use scenario::{Arrivals, Block, Closer, Frames, Link, MOST_CLIENTS, Over, Scenario, SlowPolicy};
pub use server_clock::ServerClock;
pub use slow::{SlowReaders, Spread};
pub use tabs::TabQueue;
pub use trust::Trust;
pub use warning::{Concern, Warning};
