//! The charts of a sweep: one for each figure, with a line per technique, and dashed predictions.

use super::tables::{SPECS, Spec, fill, reached, value};
use super::words;
use crate::lang::t;
use crate::outcome::sweep::{Row, Scale, Sweep, Unit};
use crate::report::chart::{self, Axis, Line, Mark};
use crate::report::numbers::figure;
use crate::report::picture::Picture;
use crate::terminal::printable;

/// The most marks that can be named before their names overlap.
const MARKS: usize = 4;

/// All charts of a sweep that show something.
pub fn of(sweep: &Sweep) -> Vec<Picture> {
    SPECS.iter().filter_map(|spec| picture(sweep, spec)).collect()
}

fn picture(sweep: &Sweep, spec: &Spec) -> Option<Picture> {
    let lines = lines(sweep, spec);
    let values = || lines.iter().flat_map(|l| &l.points).map(|p| p.1);
    values().next()?;
    let (x, y) = (across(sweep), up(spec, values()));
    let marks = marks(sweep, spec);
    let crossovers: Vec<String> = words::crossovers_of(sweep, spec.measure).collect();
    let desc = t!(
        "%{title}, %{unit}, over --%{knob}. %{crossovers}",
        title = spec.title(),
        unit = t!(spec.unit),
        knob = sweep.knob.name,
        crossovers = crossovers.join(" ")
    );
    let look = match (spec.measure, marks.is_empty()) {
        (None, _) => String::new(),
        (Some(_), true) => t!("The lower, the better: no line crosses another beyond noise."),
        (Some(_), false) => {
            t!("The lower, the better. Where lines cross, another technique is the better one from there on.")
        }
    };
    Some(Picture::new(
        spec.name,
        spec.title(),
        look,
        desc,
        move |about, width| chart::lines(about, &x, &y, &lines, &marks, width),
    ))
}

/// The lines of the measured figures, and dashed lines of the predictions.
fn lines(sweep: &Sweep, spec: &Spec) -> Vec<Line> {
    let mut lines = Vec::new();
    for (n, name) in sweep.techniques().into_iter().enumerate() {
        let fill = fill(n, name);
        let line = |of: &dyn Fn(&Row) -> Option<f64>, name: &str, dashed: bool| {
            let rows = sweep.results.iter().filter(|r| r.technique() == name);
            let points = rows.filter_map(|r| Some((r.at, of(r)? / spec.per)));
            Line {
                points: points.filter(|p| p.0.is_finite()).collect(),
                name: printable(name),
                fill,
                dashed,
                steps: false,
            }
        };
        let measured = line(&|r| value(r.outcome()?, spec), name, false);
        let predicted = line(&|r| spec.measure?.predicted(r.predicted()), name, true);
        let nothing_run = measured.points.is_empty();
        lines.extend([measured].into_iter().filter(|l| !l.points.is_empty()));
        lines.extend(
            [predicted]
                .into_iter()
                .filter(|l| !l.points.is_empty())
                .map(|l| Line {
                    // Without measurements the prediction is drawn like a measurement, with markers.
                    dashed: !nothing_run,
                    ..l
                }),
        );
    }
    lines
}

fn across(sweep: &Sweep) -> Axis {
    let knob = &sweep.knob;
    let write: fn(f64) -> String = match knob.unit {
        Unit::Number => |v| words::written(Unit::Number, v),
        Unit::Bytes => |v| words::written(Unit::Bytes, v),
        Unit::PerSecond => |v| words::written(Unit::PerSecond, v),
        Unit::Milliseconds => |v| words::written(Unit::Milliseconds, v),
        Unit::BitPerSecond => |v| words::written(Unit::BitPerSecond, v),
        Unit::Fraction => |v| words::written(Unit::Fraction, v),
    };
    Axis {
        title: format!("--{}", knob.name),
        scale: match knob.scale {
            Scale::Linear => chart::Scale::Linear,
            Scale::Logarithmic => chart::Scale::Log,
        },
        write,
        range: reached(sweep)
            .map(|s| s.at)
            .filter(|at| at.is_finite())
            .fold(None, |range: Option<(f64, f64)>, at| {
                let (least, most) = range.unwrap_or((at, at));
                Some((least.min(at), most.max(at)))
            })
            .filter(|(least, most)| least < most),
    }
}

/// The vertical axis: logarithmic if figures differ by powers of ten; then values of 0 are not shown.
fn up(spec: &Spec, values: impl Iterator<Item = f64>) -> Axis {
    let above: Vec<f64> = values.filter(|v| *v > 0.0).collect();
    let scale = match Scale::fitting(above.iter().copied()) {
        Scale::Logarithmic => chart::Scale::Log,
        Scale::Linear => chart::Scale::Linear,
    };
    let how = match scale {
        chart::Scale::Log => t!(", logarithmic"),
        chart::Scale::Linear => String::new(),
    };
    Axis {
        title: format!("{}, {}{how}", spec.title(), t!(spec.unit)),
        scale,
        write: figure,
        range: None,
    }
}

/// The crossovers: as measured, or as predicted if nothing was run.
fn marks(sweep: &Sweep, spec: &Spec) -> Vec<Mark> {
    let run = sweep.results.iter().any(|r| r.outcome().is_some());
    let of_this = sweep.crossovers.iter().filter(|c| Some(c.figure) == spec.measure);
    let places = of_this.filter_map(|c| match run {
        true => Some(c.measured?.at),
        false => c.predicted,
    });
    let mark = |at: f64| Mark {
        at,
        name: words::written(sweep.knob.unit, at),
    };
    places.take(MARKS).map(mark).collect()
}
