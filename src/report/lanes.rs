//! A timeline: the arrivals, and a lane for each client that is shown.

use super::chart::Fill;
use super::table::Table;

/// Lanes with a common time axis.
pub struct Lanes {
    /// The window shown first; `None` if no mail arrived while events were recorded.
    pub window: Option<Window>,
    /// The instants at which mail arrived, which are the same for all lanes.
    pub arrivals: Vec<f64>,
    /// The lanes from top to bottom.
    pub lanes: Vec<Lane>,
    /// The instants of the first and the last event, microseconds.
    pub ends: [f64; 2],
    /// What the timeline does not show of the run, in sentences.
    pub left_out: Vec<String>,
    /// Whether there were more events than are recorded.
    pub is_truncated: bool,
    /// How long each of the first mails waited.
    pub waits: Option<Table>,
}

/// A span of time, microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The first instant.
    pub start: f64,
    /// The last instant.
    pub end: f64,
}

/// The events of one client.
#[derive(Debug)]
pub struct Lane {
    /// The technique, and the client's number if several are shown.
    pub name: String,
    /// The technique's colour.
    pub fill: Fill,
    /// When requests and streams were open.
    pub spans: Vec<Span>,
    /// When requests waited for a free connection.
    pub queued: Vec<Wait>,
    /// When mail reached the application.
    pub deliveries: Vec<Delivery>,
}

/// A mail that reached the application.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery {
    /// When it reached the application.
    pub at: f64,
    /// When it had arrived at the server, if known.
    pub due: Option<f64>,
}

/// The time during which a request or stream was open.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its start.
    pub from: f64,
    /// Its end; `None` if it was still open when the recording ended.
    pub to: Option<f64>,
    /// Whether it ended without mail, where that is known.
    pub empty: bool,
    /// Whether it was answered with an error, or not at all.
    pub failed: bool,
}

/// The time during which a request waited for a free connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wait {
    /// Its start.
    pub from: f64,
    /// Its end; `None` if it still waited when the recording ended.
    pub to: Option<f64>,
}

impl Lanes {
    /// Whether a request waited.
    pub fn has_queued(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.queued.is_empty())
    }

    /// Whether an answer failed.
    pub fn has_failed(&self) -> bool {
        self.lanes
            .iter()
            .flat_map(|lane| &lane.spans)
            .any(|span| span.failed)
    }
}
