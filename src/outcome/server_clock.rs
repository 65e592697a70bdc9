//! What clients that visit a server on another machine know of its clock.

use serde::{Deserialize, Serialize};

/// The clock of a visited server, beside that of the clients' machine. Both count from when their machine started, so
/// their difference alone says nothing; what it is good for is to tell when the server's mail was due here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerClock {
    /// Whether both read one clock, because they are on one machine. The difference is then 0, and certain.
    pub same: bool,
    /// How far the server's clock is ahead of this machine's, microseconds; negative if it is behind.
    pub offset_us: f64,
    /// By how much that may be wrong at most, either way, microseconds: half the time that the server took to answer,
    /// and what the clocks drifted apart between the first and the last answer.
    pub uncertainty_us: f64,
    /// When the clients joined, microseconds after the start of the server's schedule, by its clock.
    pub joined_us: f64,
    /// When they were told to leave, by the same count.
    pub left_us: f64,
}
