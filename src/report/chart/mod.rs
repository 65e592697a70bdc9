//! Charts as SVG text (SVG 1.1, W3C): data in, text out. Everyone can read them: a `<title>` and a `<desc>` are
//! for those who hear a chart (SVG Accessibility API Mappings 1.0), names, shapes and dashes beside each colour
//! for those who don't see it, and [`dark`] for those who read at night.
//!
//! A chart has the width it will be seen at, because text that is scaled with a chart is too small on
//! a telephone: whoever writes a page draws it twice.

mod axis;
mod bars;
mod canvas;
mod grid;
mod lines;
mod palette;
mod ratios;
mod ruler;
mod spread;
#[cfg(test)]
mod tests;

pub use axis::{About, Axis, Scale};
pub use bars::{Row, Segment, bars};
pub use canvas::{file, sample};
pub use lines::{Line, Mark, lines};
pub use palette::{Fill, PAGE, SHOWN, SOFT, TEXT, dark, variable, variables};
pub use ratios::{Ratio, Ratios, ratios};
pub use spread::{Spread, spread};
