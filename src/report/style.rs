//! The appearance of a report.

/// The appearance of a report. Formats for programs ignore it.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// The terminal's columns; `None` without a terminal, which means 80.
    pub width: Option<usize>,
    /// Whether to use ANSI colours, in addition to a text that is readable without them.
    pub colour: bool,
    /// Whether a terminal gets all tables and columns, not only those that a first reading needs.
    pub bytes: bool,
    /// Whether to leave out how to read the tables, because it was said before.
    pub no_legend: bool,
    /// Whether to draw the run's events as lanes.
    pub timeline: bool,
    /// Whether CSV has a row for each event instead of one for each technique.
    pub events: bool,
    /// Prefix of the names of charts beside the report, set by [`publish`](super::publish); `None`: no charts.
    pub beside: Option<String>,
}

impl Style {
    /// The columns to draw in.
    pub fn columns(&self) -> usize {
        self.width.unwrap_or(80).max(MIN_WIDTH)
    }
}

/// The narrowest supported terminal; on a narrower one lines are too long.
pub const MIN_WIDTH: usize = 40;
