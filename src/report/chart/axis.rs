//! What a chart is about, and its axes.

/// What a chart is about.
#[derive(Clone, Debug)]
pub struct About {
    /// Unique on its page; of letters, digits and hyphens.
    pub id: String,
    /// Its name.
    pub title: String,
    /// What it shows, for those who don't see it.
    pub desc: String,
}

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// From 0, or from below.
    Linear,
    /// By powers of ten; what is not above 0 has no place.
    Log,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What is measured, with its unit.
    pub title: String,
    /// How.
    pub scale: Scale,
    /// Writes a tick's value.
    pub write: fn(f64) -> String,
    /// From where to where; `None` leaves it to the data.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// One whose ends the data tell.
    pub fn new(title: &str, scale: Scale, write: fn(f64) -> String) -> Axis {
        Axis {
            title: title.into(),
            scale,
            write,
            range: None,
        }
    }
}
