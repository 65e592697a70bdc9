//! Measured figures relative to predicted ones: a row for each figure with a mark at its ratio, on a
//! logarithmic axis with "as predicted" in the middle, so that half and double are equally far from it.

use super::axis::{About, Axis, Scale};
use super::canvas::{Canvas, NARROW, Side, drawn, wide};
use super::grid::Grid;
use super::palette::{Fill, GRID, RULE, SOFT, TEXT};
use super::ruler::Ruler;

/// One technique's figures.
#[derive(Clone, Debug)]
pub struct Ratios {
    /// The technique's name.
    pub name: String,
    /// Its colour and marker.
    pub fill: Fill,
    /// Its figures.
    pub figures: Vec<Ratio>,
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Ratio {
    /// Measured divided by predicted; `None` if that is not a number.
    pub ratio: Option<f64>,
    /// The text after it.
    pub note: String,
}

/// The largest ratio that is still called near the prediction.
const NEAR: f64 = 1.1;

const ROW: i32 = 22;
const APART: i32 = 14;

/// Draws ratios in `width` pixels.
pub fn ratios(about: &About, groups: &[Ratios], width: u32) -> String {
    let layout = Layout::of(groups, width);
    let ruler = ruler(groups);
    drawn(about, (width, layout.bottom as u32 + 46), |canvas| {
        background(canvas, &ruler, &layout);
        let mut y = layout.first;
        for group in groups {
            one(canvas, group, &ruler, &layout, y);
            y += layout.height(group);
        }
    })
}

/// An axis from the reciprocal of the greatest deviation to that deviation, at least from half to double.
fn ruler(groups: &[Ratios]) -> Ruler {
    let ratios = groups.iter().flat_map(|g| &g.figures).filter_map(|f| f.ratio);
    let usable = ratios.filter(|r| r.is_finite() && *r > 0.0);
    let far = usable.map(|r| r.max(1.0 / r)).fold(2.0, f64::max) * 1.1;
    let axis = Axis {
        title: String::new(),
        scale: Scale::Log,
        write,
        range: Some((1.0 / far, far)),
    };
    Ruler::of(&axis, std::iter::empty())
}

fn write(ratio: f64) -> String {
    if (ratio - 1.0).abs() < 1e-9 {
        "as predicted".into()
    } else {
        format!("×{ratio}")
    }
}

struct Layout {
    stacked: bool,
    left: i32,
    right: i32,
    first: i32,
    bottom: i32,
}

impl Layout {
    fn of(groups: &[Ratios], width: u32) -> Layout {
        let stacked = width < NARROW;
        let names = groups.iter().map(|g| wide(&g.name)).max().unwrap_or(0) as i32;
        let notes = groups.iter().flat_map(|g| &g.figures).map(|f| wide(&f.note));
        let notes = notes.max().unwrap_or(0) as i32;
        let mut layout = Layout {
            stacked,
            left: if stacked { 8 } else { names + 20 },
            right: width as i32 - if stacked { 8 } else { notes + 16 },
            first: 8,
            bottom: 0,
        };
        let heights = groups.iter().map(|g| layout.height(g));
        layout.bottom = layout.first + heights.sum::<i32>();
        layout
    }

    /// The height of a group; if stacked, its name and every note have their own lines.
    fn height(&self, group: &Ratios) -> i32 {
        let lines = group.figures.len() as i32;
        APART
            + if self.stacked {
                ROW * (1 + 2 * lines)
            } else {
                ROW * lines
            }
    }
}

fn background(canvas: &mut Canvas, ruler: &Ruler, layout: &Layout) {
    let grid = Grid {
        across: (layout.left, layout.right),
        down: (layout.first - 4, layout.bottom),
        ticks: ruler.ticks(if layout.stacked { 5 } else { 7 }),
    };
    let [from, middle, to] = [1.0 / NEAR, 1.0, NEAR].map(|ratio| ruler.at(ratio, grid.across));
    let (top, bottom) = grid.down;
    canvas.surface([(from, top), (to, bottom)], GRID, 1.0);
    grid.draw(canvas, ruler, "measured ÷ predicted; the band is ±10 %", write);
    canvas.line(&[(middle, top), (middle, bottom)], RULE, 1, false);
}

fn one(canvas: &mut Canvas, group: &Ratios, ruler: &Ruler, layout: &Layout, top: i32) {
    let mut y = top + ROW / 2;
    if layout.stacked {
        canvas.bold((0, y), Side::Left, TEXT, &group.name);
        y += ROW;
    } else {
        let middle = top + ROW * group.figures.len() as i32 / 2;
        canvas.text((layout.left - 16, middle), Side::Right, TEXT, &group.name);
    }
    for figure in &group.figures {
        if layout.stacked {
            canvas.text((0, y), Side::Left, SOFT, &figure.note);
            y += ROW - 4;
        } else {
            canvas.text((layout.right + 14, y), Side::Left, SOFT, &figure.note);
        }
        if let Some(ratio) = figure.ratio.filter(|r| ruler.has(*r)) {
            let (middle, at) = (
                ruler.at(1.0, (layout.left, layout.right)),
                ruler.at(ratio, (layout.left, layout.right)),
            );
            canvas.line(&[(middle, y), (at, y)], group.fill.ink(), 2, false);
            canvas.marker((at, y), group.fill);
        }
        y += ROW + if layout.stacked { 4 } else { 0 };
    }
}
