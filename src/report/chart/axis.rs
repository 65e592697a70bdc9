//! The texts of a chart, and its axes.

/// The texts of a chart.
#[derive(Clone, Debug)]
pub struct About {
    /// Unique on its page; consists of letters, digits and hyphens.
    pub id: String,
    /// Its name.
    pub title: String,
    /// A description for readers who cannot see it.
    pub desc: String,
}

/// The scale of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Linear, from 0 or from a negative value.
    Linear,
    /// Logarithmic; values of 0 and below are not shown.
    Log,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The quantity, with its unit.
    pub title: String,
    /// Its scale.
    pub scale: Scale,
    /// Formats a tick's value.
    pub write: fn(f64) -> String,
    /// The range; `None` derives it from the data.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// An axis whose range comes from the data.
    pub fn new(title: &str, scale: Scale, write: fn(f64) -> String) -> Axis {
        Axis {
            title: title.into(),
            scale,
            write,
            range: None,
        }
    }
}
