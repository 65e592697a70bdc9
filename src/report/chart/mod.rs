//! Charts as SVG text (SVG 1.1, W3C): data in, text out. They are accessible: a `<title>` and a `<desc>` are
//! for screen readers (SVG Accessibility API Mappings 1.0), names, shapes and dashes for readers who cannot
//! distinguish the colours, and [`dark`] is for dark pages.
//!
//! A chart is drawn for the width at which it is shown, because a text scaled with a chart is too small on a
//! phone: a page contains each chart twice.

mod axis;
mod bars;
mod canvas;
mod grid;
mod lines;
mod palette;
mod ratios;
mod ruler;
mod sequence;
mod spread;
#[cfg(test)]
mod tests;

pub use axis::{About, Axis, Scale};
pub use bars::{Row, Segment, bars};
pub use canvas::{file, sample};
pub use lines::{Line, Mark, lines};
pub use palette::{Fill, PAGE, SHOWN, SOFT, TEXT, dark, variable, variables};
pub use ratios::{Ratio, Ratios, ratios};
pub use sequence::{Crossing, sequence};
pub use spread::{Spread, spread};
