//! What happened when: the arrivals, and a lane for each client that is shown.

use super::chart::Fill;
use super::table::Table;

/// Lanes on one clock.
pub struct Lanes {
    /// What is seen first; `None` if no mail arrived while events were recorded.
    pub window: Option<Window>,
    /// When mail arrived: the same for all lanes.
    pub arrivals: Vec<f64>,
    /// From top to bottom.
    pub lanes: Vec<Lane>,
    /// The first and the last event, microseconds.
    pub ends: [f64; 2],
    /// What of the run is not shown, each in a sentence.
    pub left_out: Vec<String>,
    /// Whether there were more events than are recorded.
    pub is_truncated: bool,
    /// How long each of the first mails waited.
    pub waits: Option<Table>,
}

/// A span of time, microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Its first instant.
    pub start: f64,
    /// Its last.
    pub end: f64,
}

/// What one client did.
#[derive(Debug)]
pub struct Lane {
    /// Its technique, and its number where several are shown.
    pub name: String,
    /// The technique's colour.
    pub fill: Fill,
    /// When a request or a stream was open.
    pub spans: Vec<Span>,
    /// When mail reached the application.
    pub deliveries: Vec<Delivery>,
}

/// A mail that reached the application.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery {
    /// When.
    pub at: f64,
    /// When it had arrived, where that is known.
    pub due: Option<f64>,
}

/// Something open from here to there.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its begin.
    pub from: f64,
    /// `None`: still open when the recording ended.
    pub to: Option<f64>,
    /// Closed without having brought mail, where that can be said.
    pub empty: bool,
    /// Answered with an error, or not at all.
    pub failed: bool,
}

impl Lanes {
    /// Whether an answer failed.
    pub fn has_failed(&self) -> bool {
        self.lanes
            .iter()
            .flat_map(|lane| &lane.spans)
            .any(|span| span.failed)
    }
}
