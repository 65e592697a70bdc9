//! The grid of a horizontal axis: a line and a value for each tick, and the axis title below.

use super::canvas::{Canvas, Side};
use super::palette::{GRID, SOFT};
use super::ruler::Ruler;

/// The grid's position in pixels, and its ticks.
pub struct Grid {
    /// Left and right edge.
    pub across: (i32, i32),
    /// Top and bottom edge.
    pub down: (i32, i32),
    /// Values on the axis.
    pub ticks: Vec<f64>,
}

impl Grid {
    /// Draws the grid.
    pub fn draw(&self, canvas: &mut Canvas, ruler: &Ruler, title: &str, write: fn(f64) -> String) {
        let ((left, right), (top, bottom)) = (self.across, self.down);
        for tick in &self.ticks {
            let x = ruler.at(*tick, self.across);
            canvas.line(&[(x, top), (x, bottom)], GRID, 1, false);
            canvas.text((x, bottom + 12), Side::Center, SOFT, &write(*tick));
        }
        canvas.text(((left + right) / 2, bottom + 34), Side::Center, SOFT, title);
    }
}
