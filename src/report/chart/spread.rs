//! The distribution of a quantity: one row each, every quantile a stroke, the mean a disc. On a shared axis,
//! usually logarithmic, rows that differ by a factor of thousands can be compared.

use super::axis::{About, Axis};
use super::canvas::{Canvas, Key, NARROW, Sample, Side, drawn, wide};
use super::grid::Grid;
use super::palette::{Fill, PAGE, SOFT, TEXT};
use super::ruler::Ruler;

/// One row.
#[derive(Clone, Debug)]
pub struct Spread {
    /// Its name.
    pub name: String,
    /// Its colour.
    pub fill: Fill,
    /// Quantiles at even ranks, in ascending order.
    pub quantiles: Vec<f64>,
    /// The mean.
    pub mean: f64,
    /// The predicted mean.
    pub predicted: Option<f64>,
    /// The text after it.
    pub note: String,
    /// The text where there is little room.
    pub brief: String,
}

const ROW: i32 = 26;

/// Draws rows in `width` pixels.
pub fn spread(about: &About, axis: &Axis, rows: &[Spread], width: u32) -> String {
    let predicted = rows.iter().any(|r| r.predicted.is_some());
    let key = Key::new(
        [("mean".into(), Sample::Disc)]
            .into_iter()
            .chain(predicted.then(|| ("predicted mean".into(), Sample::Stroke))),
    );
    let layout = Layout::of(rows, key.height(width), width);
    let values = rows.iter().flat_map(|r| {
        let ends = [r.quantiles.first(), r.quantiles.last(), Some(&r.mean)];
        ends.into_iter()
            .flatten()
            .copied()
            .chain(r.predicted)
            .collect::<Vec<_>>()
    });
    let ruler = Ruler::of(axis, values);
    drawn(about, (width, layout.bottom(rows.len()) as u32 + 46), |canvas| {
        key.draw(canvas);
        let grid = Grid {
            across: (layout.left, layout.right),
            down: (layout.first, layout.bottom(rows.len())),
            ticks: ruler.ticks(((layout.right - layout.left) / 70).max(2) as usize),
        };
        grid.draw(canvas, &ruler, &axis.title, axis.write);
        for (i, row) in rows.iter().enumerate() {
            one(canvas, row, (&ruler, axis.write), &layout, layout.top(i));
        }
    })
}

struct Layout {
    stacked: bool,
    left: i32,
    right: i32,
    first: i32,
    pitch: i32,
}

impl Layout {
    fn of(rows: &[Spread], above: u32, width: u32) -> Layout {
        let widest = |of: fn(&Spread) -> &str| rows.iter().map(|r| wide(of(r))).max().unwrap_or(0) as i32;
        let stacked = width < NARROW;
        let notes = if stacked { 8 } else { widest(|r| &r.note) + 16 };
        Layout {
            stacked,
            left: if stacked { 8 } else { widest(|r| &r.name) + 14 },
            right: width as i32 - notes,
            first: above as i32,
            pitch: ROW + if stacked { 30 } else { 16 },
        }
    }

    fn top(&self, row: usize) -> i32 {
        self.first + 8 + row as i32 * self.pitch + if self.stacked { 22 } else { 0 }
    }

    fn bottom(&self, rows: usize) -> i32 {
        self.first + 8 + rows as i32 * self.pitch
    }
}

fn one(
    canvas: &mut Canvas,
    row: &Spread,
    (ruler, write): (&Ruler, fn(f64) -> String),
    layout: &Layout,
    top: i32,
) {
    let (bottom, middle) = (top + ROW, top + ROW / 2);
    let x = |value: f64| ruler.at(value, (layout.left, layout.right));
    if layout.stacked {
        canvas.bold((0, top - 10), Side::Left, TEXT, &row.name);
        canvas.text((canvas.width(), top - 10), Side::Right, SOFT, &row.brief);
    } else {
        canvas.text((layout.left - 12, middle), Side::Right, TEXT, &row.name);
        canvas.text((layout.right + 12, middle), Side::Left, SOFT, &row.note);
    }
    let ink = row.fill.ink();
    // Where latencies are frequent, strokes overlap and look darker.
    let alpha = if row.quantiles.len() > 40 { 0.28 } else { 0.55 };
    let seen = row.quantiles.iter().filter(|q| ruler.has(**q));
    for quantile in seen {
        let x = x(*quantile);
        canvas.surface([(x - 1, top), (x + 1, bottom)], ink, alpha);
    }
    if let Some(predicted) = row.predicted.filter(|p| ruler.has(*p)) {
        let x = x(predicted);
        canvas.named(
            &format!("{}: predicted mean {}", row.name, write(predicted)),
            |canvas| {
                canvas.across(x, (top - 5, bottom + 5));
            },
        );
    }
    if ruler.has(row.mean) {
        let at = (x(row.mean), middle);
        canvas.named(&format!("{}: mean {}", row.name, write(row.mean)), |canvas| {
            canvas.disc(at, 7, PAGE);
            canvas.disc(at, 5, ink);
        });
    }
}
