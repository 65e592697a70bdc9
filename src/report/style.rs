//! How a report should look.

use crate::outcome::Outcome;

/// How a report should look. Formats for machines ignore it.
#[derive(Clone, Debug)]
pub struct Style {
    /// The terminal's columns; `None` where there is no terminal, which is drawn as 80.
    pub width: Option<usize>,
    /// Whether ANSI colours may be used, in addition to what is readable without.
    pub colour: bool,
    /// Whether to draw the run's events as lanes.
    pub timeline: bool,
    /// A technique's own sentence, put under the table when it runs alone.
    pub lesson: fn(&Outcome) -> Option<String>,
    /// What a technique of this name buys above what it runs on, if it is on top of another.
    pub buys: fn(&str) -> Option<&'static str>,
    /// How the names of charts beside the report begin; `None` leaves them out. [`publish`] sets it.
    pub beside: Option<String>,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            width: None,
            colour: false,
            timeline: false,
            lesson: |_| None,
            buys: |_| None,
            beside: None,
        }
    }
}

impl Style {
    /// The columns to draw in.
    pub fn columns(&self) -> usize {
        self.width.unwrap_or(80).max(MIN_WIDTH)
    }
}

/// The narrowest terminal that is drawn for; below it lines run over the edge.
pub const MIN_WIDTH: usize = 40;
