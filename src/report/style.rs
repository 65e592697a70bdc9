//! How a report should look.

/// How a report should look. Formats for machines ignore it.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// The terminal's columns; `None` where there is no terminal, which is drawn as 80.
    pub width: Option<usize>,
    /// Whether ANSI colours may be used, in addition to what is readable without.
    pub colour: bool,
    /// Whether to draw the run's events as lanes.
    pub timeline: bool,
    /// How the names of charts beside the report begin; `None` leaves them out. [`publish`](super::publish) sets it.
    pub beside: Option<String>,
}

impl Style {
    /// The columns to draw in.
    pub fn columns(&self) -> usize {
        self.width.unwrap_or(80).max(MIN_WIDTH)
    }
}

/// The narrowest terminal that is drawn for; below it lines run over the edge.
pub const MIN_WIDTH: usize = 40;
