//! How far a quantity spreads: one row each, every quantile a stroke, the mean a disc. On a shared
//! axis, mostly a logarithmic one, rows that are thousands of times apart can be compared.

use anyhow::Result;
use plotters::coord::ranged1d::Ranged;
use plotters::element::{Circle, Rectangle};
use plotters::style::Color;
use plotters::style::text_anchor::HPos;

use super::canvas::{Area, Key, NARROW, Sample, drawn, stroke, text, thick, wide};
use super::palette::{Fill, GRID, PAGE, SOFT, TEXT};
use super::ruler::Ruler;
use super::{About, Axis};

/// One row.
#[derive(Clone, Debug)]
pub struct Spread {
    /// Whose.
    pub name: String,
    /// Its colour.
    pub fill: Fill,
    /// Ascending, evenly ranked.
    pub quantiles: Vec<f64>,
    /// The mean.
    pub mean: f64,
    /// What was predicted of the mean.
    pub predicted: Option<f64>,
    /// What is written behind it.
    pub note: String,
}

const ROW: i32 = 26;

/// Draws rows in `width` pixels.
///
/// # Errors
/// If the library fails.
pub fn spread(about: &About, axis: &Axis, rows: &[Spread], width: u32) -> Result<String> {
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
    drawn(about, (width, layout.bottom(rows.len()) as u32 + 46), |area| {
        key.draw(area, 0, width)?;
        grid(area, axis, &ruler, &layout, rows.len())?;
        for (i, row) in rows.iter().enumerate() {
            one(area, row, &ruler, &layout, layout.top(i))?;
        }
        Ok(())
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

fn grid(area: &Area, axis: &Axis, ruler: &Ruler, layout: &Layout, rows: usize) -> Result<()> {
    let (left, right, bottom) = (layout.left, layout.right, layout.bottom(rows));
    for tick in ruler.key_points(((right - left) / 70).max(2) as usize) {
        let x = ruler.map(&tick, (left, right));
        stroke(area, &[(x, layout.first), (x, bottom)], thick(GRID, 1), false)?;
        text(
            area,
            (x, bottom + 12),
            HPos::Center,
            SOFT,
            false,
            &(axis.write)(tick),
        )?;
    }
    text(
        area,
        ((left + right) / 2, bottom + 34),
        HPos::Center,
        SOFT,
        false,
        &axis.title,
    )
}

fn one(area: &Area, row: &Spread, ruler: &Ruler, layout: &Layout, top: i32) -> Result<()> {
    let (bottom, middle) = (top + ROW, top + ROW / 2);
    let x = |value: f64| ruler.map(&value, (layout.left, layout.right));
    if layout.stacked {
        text(area, (0, top - 10), HPos::Left, TEXT, true, &row.name)?;
        let (width, _) = area.dim_in_pixel();
        text(
            area,
            (width as i32, top - 10),
            HPos::Right,
            SOFT,
            false,
            &row.note,
        )?;
    } else {
        text(
            area,
            (layout.left - 12, middle),
            HPos::Right,
            TEXT,
            false,
            &row.name,
        )?;
        text(
            area,
            (layout.right + 12, middle),
            HPos::Left,
            SOFT,
            false,
            &row.note,
        )?;
    }
    let ink = row.fill.ink();
    // Strokes lie over each other where latencies crowd: the more, the darker.
    let alpha = if row.quantiles.len() > 40 { 0.28 } else { 0.55 };
    let seen = row.quantiles.iter().filter(|q| ruler.has(**q));
    for quantile in seen {
        let x = x(*quantile);
        area.draw(&Rectangle::new(
            [(x - 1, top), (x + 1, bottom)],
            ink.rgb().mix(alpha).filled(),
        ))?;
    }
    if let Some(predicted) = row.predicted.filter(|p| ruler.has(*p)) {
        let x = x(predicted);
        stroke(area, &[(x, top - 5), (x, bottom + 5)], thick(PAGE, 5), false)?;
        stroke(area, &[(x, top - 5), (x, bottom + 5)], thick(TEXT, 2), false)?;
    }
    if ruler.has(row.mean) {
        let at = (x(row.mean), middle);
        area.draw(&Circle::new(at, 7, PAGE.rgb().filled()))?;
        area.draw(&Circle::new(at, 5, ink.rgb().filled()))?;
    }
    Ok(())
}
