//! Horizontal bars, whole or in segments, with predictions as vertical strokes.

use super::axis::{About, Axis};
use super::canvas::{Canvas, Key, NARROW, Sample, Side, drawn, wide};
use super::grid::Grid;
use super::palette::{Fill, RULE, TEXT};
use super::ruler::Ruler;

/// One bar.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its segments from left to right; the bar is their sum.
    pub segments: Vec<Segment>,
    /// The predicted sum.
    pub predicted: Option<f64>,
    /// The text after it.
    pub note: String,
    /// Whether a group of bars begins here.
    pub apart: bool,
}

/// A part of a bar.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its size.
    pub value: f64,
    /// Its colour.
    pub fill: Fill,
}

const BAR: u32 = 20;

/// Draws bars in `width` pixels; `key` names the fills.
pub fn bars(about: &About, axis: &Axis, key: &[(String, Fill)], rows: &[Row], width: u32) -> String {
    let stroke = rows.iter().any(|r| r.predicted.is_some());
    let key = Key::new(
        key.iter()
            .map(|(name, fill)| (name.clone(), Sample::Surface(*fill)))
            .chain(stroke.then(|| ("predicted".into(), Sample::Stroke))),
    );
    let layout = Layout::of(rows, key.height(width), width);
    let values = rows.iter().flat_map(|r| [sum(r), r.predicted.unwrap_or(0.0)]);
    let ruler = Ruler::of(axis, values);
    drawn(about, (width, layout.height()), |canvas| {
        key.draw(canvas);
        let (left, top, bottom) = (layout.left, layout.first, layout.bottom());
        let grid = Grid {
            across: (left, layout.right),
            down: (top, bottom),
            ticks: ruler.ticks(((layout.right - left) / 80).max(2) as usize),
        };
        grid.draw(canvas, &ruler, &axis.title, axis.write);
        canvas.line(&[(left, top), (left, bottom)], RULE, 1, false);
        for (row, top) in rows.iter().zip(&layout.tops) {
            bar(canvas, row, &ruler, &layout, *top);
        }
    })
}

fn sum(row: &Row) -> f64 {
    row.segments.iter().map(|s| s.value).sum()
}

/// The positions of all elements.
struct Layout {
    /// Whether names are above their bars.
    stacked: bool,
    left: i32,
    right: i32,
    first: i32,
    /// The upper edge of each bar.
    tops: Vec<i32>,
}

impl Layout {
    fn of(rows: &[Row], above: u32, width: u32) -> Layout {
        let widest = |of: fn(&Row) -> &str| rows.iter().map(|r| wide(of(r))).max().unwrap_or(0);
        let stacked = width < NARROW;
        let pitch = BAR + if stacked { 28 } else { 12 };
        let mut y = above + 8;
        let mut tops = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            y += if row.apart && i > 0 { 16 } else { 0 };
            tops.push((y + if stacked { 20 } else { 0 }) as i32);
            y += pitch;
        }
        Layout {
            stacked,
            left: if stacked {
                8
            } else {
                (widest(|r| &r.name) + 14) as i32
            },
            right: width as i32 - (widest(|r| &r.note) + 12).max(20) as i32,
            first: above as i32,
            tops,
        }
    }

    fn bottom(&self) -> i32 {
        self.tops.last().map_or(self.first, |top| top + BAR as i32 + 8)
    }

    fn height(&self) -> u32 {
        self.bottom() as u32 + 46
    }
}

fn bar(canvas: &mut Canvas, row: &Row, ruler: &Ruler, layout: &Layout, top: i32) {
    let (bottom, middle) = (top + BAR as i32, top + BAR as i32 / 2);
    let name = if layout.stacked {
        (0, top - 10)
    } else {
        (layout.left - 10, middle)
    };
    let side = if layout.stacked { Side::Left } else { Side::Right };
    canvas.text(name, side, TEXT, &row.name);
    let x = |value: f64| ruler.at(value, (layout.left, layout.right));
    let mut so_far = 0.0;
    for segment in row.segments.iter().filter(|s| s.value > 0.0) {
        let from = x(so_far);
        so_far += segment.value;
        let to = x(so_far).max(from + 1);
        // A gap of one pixel separates the segments.
        let gap = i32::from(to - from > 3);
        let shape = [(from, top), (to - gap, bottom)];
        canvas.surface(shape, segment.fill.ink(), 1.0);
    }
    let mut end = x(so_far);
    if let Some(predicted) = row.predicted.filter(|p| ruler.has(*p)) {
        let x = x(predicted);
        canvas.across(x, (top - 4, bottom + 4));
        end = end.max(x);
    }
    canvas.text((end + 8, middle), Side::Left, TEXT, &row.note)
}
