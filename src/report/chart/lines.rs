//! Lines over one quantity: sweeps, and cumulative distributions.

use anyhow::Result;
use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{self, Area, Key, NARROW, Sample, drawn, font, marker, stroke, thick, wide};
use super::palette::{Fill, GRID, RULE, SOFT, TEXT};
use super::ruler::Ruler;
use super::{About, Axis};

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// Its colour and its marker.
    pub fill: Fill,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
    /// Whether it is dashed and without markers, as what was predicted is.
    pub dashed: bool,
    /// Whether it keeps its height until the next point, as a cumulative distribution does.
    pub steps: bool,
}

/// A place on the horizontal axis that has a name: where two lines cross.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Where.
    pub at: f64,
    /// Its name.
    pub name: String,
}

/// Draws lines in `width` pixels.
///
/// # Errors
/// If the library fails.
pub fn lines(
    about: &About,
    x: &Axis,
    y: &Axis,
    lines: &[Line],
    marks: &[Mark],
    width: u32,
) -> Result<String> {
    let key = Key::new(keys(lines));
    let above = key.height(width) + 32 + if marks.is_empty() { 0 } else { 18 };
    let plot = if width < NARROW { 230 } else { 300 };
    drawn(about, (width, above + plot + 48), |area| {
        key.draw(area, 0, width)?;
        canvas::text(
            area,
            (0, (key.height(width) + 12) as i32),
            HPos::Left,
            SOFT,
            false,
            &y.title,
        )?;
        let points = || lines.iter().flat_map(|l| &l.points);
        let rulers = (
            Ruler::of(x, points().map(|p| p.0).chain(marks.iter().map(|m| m.at))),
            Ruler::of(y, points().map(|p| p.1)),
        );
        let mut chart = plane(area, x, y, rulers, above)?;
        for mark in marks {
            cross(area, &chart, mark)?;
        }
        for line in lines {
            one(area, &mut chart, line)?;
        }
        Ok(())
    })
}

/// Each line's sample; those dashed are what was predicted of the others, and share one.
fn keys(lines: &[Line]) -> Vec<(String, Sample)> {
    let sample = |name: String, fill: Fill, dashed| (name, Sample::Line(shape(fill), fill, dashed));
    let solid = lines.iter().filter(|l| !l.dashed);
    let mut keys: Vec<_> = solid.map(|l| sample(l.name.clone(), l.fill, false)).collect();
    let dashed = lines.iter().any(|l| l.dashed);
    keys.extend(dashed.then(|| sample("predicted".into(), Fill::Baseline, true)));
    keys
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Ruler, Ruler>>;

pub fn shape(fill: Fill) -> usize {
    match fill {
        Fill::Technique(n) | Fill::Label(n) => n,
        Fill::Baseline => 6,
    }
}

/// The axes and their grid.
fn plane<'a, 'b>(
    area: &'a Area<'b>,
    x: &Axis,
    y: &Axis,
    (across, up): (Ruler, Ruler),
    above: u32,
) -> Result<Chart<'a, 'b>> {
    use plotters::coord::ranged1d::Ranged;
    let (width, _) = area.dim_in_pixel();
    let longest = up.key_points(6).into_iter().map(|v| wide(&(y.write)(v))).max();
    let mut chart = ChartBuilder::on(area)
        .margin_top(above)
        .margin_right(14)
        .x_label_area_size(46)
        .y_label_area_size(longest.unwrap_or(0) + 10)
        .build_cartesian_2d(across, up)?;
    chart
        .configure_mesh()
        .x_labels((width / 90).max(3) as usize)
        .y_labels(6)
        .x_label_formatter(&|v| (x.write)(*v))
        .y_label_formatter(&|v| (y.write)(*v))
        .x_desc(x.title.clone())
        .label_style(font(SOFT))
        .axis_desc_style(font(SOFT).pos(Pos::new(HPos::Center, VPos::Center)))
        .axis_style(RULE.rgb())
        .bold_line_style(GRID.rgb())
        .max_light_lines(0)
        .draw()?;
    Ok(chart)
}

fn one(area: &Area, chart: &mut Chart, line: &Line) -> Result<()> {
    let place = |p: &(f64, f64)| chart.backend_coord(p);
    let visible: Vec<&(f64, f64)> = line
        .points
        .iter()
        .filter(|(x, y)| chart.x_range_has(*x) && chart.y_range_has(*y))
        .collect();
    let mut path: Vec<(i32, i32)> = Vec::new();
    for point in &visible {
        let (x, y) = place(point);
        if let Some((_, before)) = path.last().copied().filter(|_| line.steps) {
            path.push((x, before));
        }
        path.push((x, y));
    }
    path.dedup();
    stroke(area, &path, thick(line.fill.ink(), 2), line.dashed)?;
    if !line.dashed && visible.len() <= 40 {
        for point in visible {
            marker(area, place(point), shape(line.fill), line.fill.ink())?;
        }
    }
    Ok(())
}

fn cross(area: &Area, chart: &Chart, mark: &Mark) -> Result<()> {
    let range = chart.plotting_area().get_y_range();
    let (x, bottom) = chart.backend_coord(&(mark.at, range.start));
    let (_, top) = chart.backend_coord(&(mark.at, range.end));
    stroke(area, &[(x, bottom), (x, top)], thick(RULE, 1), true)?;
    let (width, _) = area.dim_in_pixel();
    let half = wide(&mark.name) as i32 / 2;
    let centre = x.clamp(half, (width as i32 - half).max(half));
    canvas::text(area, (centre, top - 9), HPos::Center, TEXT, false, &mark.name)
}

/// Whether a coordinate has a place.
trait Has {
    fn x_range_has(&self, x: f64) -> bool;
    fn y_range_has(&self, y: f64) -> bool;
}

impl Has for Chart<'_, '_> {
    fn x_range_has(&self, x: f64) -> bool {
        self.as_coord_spec().x_spec().has(x)
    }
    fn y_range_has(&self, y: f64) -> bool {
        self.as_coord_spec().y_spec().has(y)
    }
}
