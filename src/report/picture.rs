//! A chart that can be drawn at any width, and the words that go with it.

use super::chart::About;

/// A chart that can be drawn at any width, and the words that go with it.
pub struct Picture {
    /// Part of a file's name and of ids.
    pub name: &'static str,
    /// What it is called.
    pub title: String,
    /// What to look at.
    pub look: String,
    /// Why it looks like that; empty if that is not told.
    pub why: String,
    /// What it shows, for those who don't see it.
    pub desc: String,
    draw: Box<Draw>,
}

type Draw = dyn Fn(&About, u32) -> String;

impl Picture {
    /// One that needs no reason.
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
            desc,
            draw: Box::new(draw),
        }
    }

    /// The same with a reason.
    pub fn because(self, why: String) -> Picture {
        Picture { why, ..self }
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
