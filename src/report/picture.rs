//! A chart that can be drawn at any width, and its texts.

use super::chart::About;

/// A chart that can be drawn at any width, and its texts.
pub struct Picture {
    /// Part of a file name and of ids.
    pub name: &'static str,
    /// Its title.
    pub title: String,
    /// What to look at.
    pub look: String,
    /// Why it looks like that; empty if no reason is given.
    pub why: String,
    /// Why its figures are not to be believed as they stand.
    pub warnings: Vec<String>,
    /// A description for readers who cannot see it.
    pub desc: String,
    draw: Box<Draw>,
}

type Draw = dyn Fn(&About, u32) -> String;

impl Picture {
    /// A picture without a reason.
    pub fn new(
        name: &'static str,
        title: String,
        look: String,
        desc: String,
        draw: impl Fn(&About, u32) -> String + 'static,
    ) -> Picture {
        Picture {
            name,
            title,
            look,
            why: String::new(),
            warnings: Vec::new(),
            desc,
            draw: Box::new(draw),
        }
    }

    /// Adds a reason.
    pub fn because(self, why: String) -> Picture {
        Picture { why, ..self }
    }

    /// Adds warnings about its figures.
    pub fn warned(self, warnings: Vec<String>) -> Picture {
        Picture { warnings, ..self }
    }

    /// The chart, for a page on which `id` is unique.
    pub fn svg(&self, id: &str, width: u32) -> String {
        let about = About {
            id: id.into(),
            title: self.title.clone(),
            desc: self.desc.clone(),
        };
        (self.draw)(&about, width)
    }
}
