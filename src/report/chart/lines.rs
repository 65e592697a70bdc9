//! Line charts over one quantity: sweeps, and cumulative distributions.

use super::axis::{About, Axis};
use super::canvas::{Canvas, Key, NARROW, Point, Sample, Side, drawn, wide};
use super::grid::Grid;
use super::palette::{Fill, GRID, RULE, SOFT, TEXT};
use super::ruler::Ruler;

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Its colour and its marker.
    pub fill: Fill,
    /// Its points from left to right.
    pub points: Vec<(f64, f64)>,
    /// Whether it is dashed and without markers, like a prediction.
    pub dashed: bool,
    /// Whether it is a step function, like a cumulative distribution.
    pub steps: bool,
}

/// A named position on the horizontal axis, where two lines cross.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The position.
    pub at: f64,
    /// Its name.
    pub name: String,
}

/// Draws lines in `width` pixels.
pub fn lines(about: &About, x: &Axis, y: &Axis, lines: &[Line], marks: &[Mark], width: u32) -> String {
    let key = Key::new(keys(lines));
    let above = key.height(width) + 32 + if marks.is_empty() { 0 } else { 18 };
    let plot = if width < NARROW { 230 } else { 300 };
    let points = || lines.iter().flat_map(|l| &l.points);
    let plane = Plane::of(
        Ruler::of(x, points().map(|p| p.0).chain(marks.iter().map(|m| m.at))),
        Ruler::of(y, points().map(|p| p.1)),
        y.write,
        (width as i32, above as i32, (above + plot) as i32),
    );
    drawn(about, (width, above + plot + 48), |canvas| {
        key.draw(canvas);
        let title = (0, (key.height(width) + 12) as i32);
        canvas.text(title, Side::Left, SOFT, &y.title);
        plane.grid(canvas, x, y);
        for mark in marks {
            cross(canvas, &plane, mark);
        }
        for line in lines {
            one(canvas, &plane, line, [x, y]);
        }
    })
}

/// The key's entry of each line; all dashed lines are predictions of the others and share one entry.
fn keys(lines: &[Line]) -> Vec<(String, Sample)> {
    let sample = |name: String, fill: Fill, dashed| (name, Sample::Line(fill, dashed));
    let solid = lines.iter().filter(|l| !l.dashed);
    let mut keys: Vec<_> = solid.map(|l| sample(l.name.clone(), l.fill, false)).collect();
    let dashed = lines.iter().any(|l| l.dashed);
    keys.extend(dashed.then(|| sample("predicted".into(), Fill::Baseline, true)));
    keys
}

/// Two axes and their positions.
struct Plane {
    across: Ruler,
    up: Ruler,
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

/// The approximate number of vertical ticks.
const UP: usize = 6;

impl Plane {
    fn of(
        across: Ruler,
        up: Ruler,
        write: fn(f64) -> String,
        (width, top, bottom): (i32, i32, i32),
    ) -> Plane {
        let longest = up.ticks(UP).into_iter().map(|v| wide(&write(v))).max();
        Plane {
            left: longest.unwrap_or(0) as i32 + 14,
            right: width - 14,
            across,
            up,
            top,
            bottom,
        }
    }

    /// The pixel position of a point, if the axes can show it.
    fn place(&self, (x, y): (f64, f64)) -> Option<Point> {
        let place = || {
            (
                self.across.at(x, (self.left, self.right)),
                self.up.at(y, (self.bottom, self.top)),
            )
        };
        (self.across.has(x) && self.up.has(y)).then(place)
    }

    fn grid(&self, canvas: &mut Canvas, x: &Axis, y: &Axis) {
        let (left, right, bottom) = (self.left, self.right, self.bottom);
        let grid = Grid {
            across: (left, right),
            down: (self.top, bottom),
            ticks: self.across.ticks((canvas.width() / 90).max(3) as usize),
        };
        grid.draw(canvas, &self.across, &x.title, x.write);
        for tick in self.up.ticks(UP) {
            let at = self.up.at(tick, (bottom, self.top));
            canvas.line(&[(left, at), (right, at)], GRID, 1, false);
            canvas.text((left - 8, at), Side::Right, SOFT, &(y.write)(tick));
        }
        let axes = [(left, self.top), (left, bottom), (right, bottom)];
        canvas.line(&axes, RULE, 1, false);
    }
}

fn one(canvas: &mut Canvas, plane: &Plane, line: &Line, [x, y]: [&Axis; 2]) {
    let placed = line.points.iter().filter_map(|p| Some((*p, plane.place(*p)?)));
    let (points, places): (Vec<(f64, f64)>, Vec<Point>) = placed.unzip();
    let mut path: Vec<Point> = Vec::new();
    for (x, y) in &places {
        if let Some((_, before)) = path.last().copied().filter(|_| line.steps) {
            path.push((*x, before));
        }
        path.push((*x, *y));
    }
    path.dedup();
    canvas.line(&path, line.fill.ink(), 2, line.dashed);
    if !line.dashed && places.len() <= 40 {
        for ((across, up), place) in points.into_iter().zip(places) {
            let name = format!("{}: {}, {}", line.name, (x.write)(across), (y.write)(up));
            canvas.named(&name, |canvas| canvas.marker(place, line.fill));
        }
    }
}

fn cross(canvas: &mut Canvas, plane: &Plane, mark: &Mark) {
    let x = plane.across.at(mark.at, (plane.left, plane.right));
    canvas.line(&[(x, plane.bottom), (x, plane.top)], RULE, 1, true);
    canvas.text((x, plane.top - 9), Side::Center, TEXT, &mark.name);
}
