//! Values along an axis, linear or by powers of ten, with round ticks.

use super::axis::{Axis, Scale};

/// An axis whose range is known.
#[derive(Clone, Debug)]
pub struct Ruler {
    from: f64,
    to: f64,
    scale: Scale,
}

impl Ruler {
    /// The ruler of an axis, with room for `values` unless the axis has a range.
    pub fn of(axis: &Axis, values: impl Iterator<Item = f64>) -> Ruler {
        let scale = axis.scale;
        let (from, to) = axis.range.unwrap_or_else(|| extent(scale, values));
        Ruler { from, to, scale }
    }

    /// Whether the axis can show a value.
    pub fn has(&self, value: f64) -> bool {
        value.is_finite() && (self.scale == Scale::Linear || value > 0.0)
    }

    /// The pixel of a value on an axis between two pixels.
    pub fn at(&self, value: f64, (from, to): (i32, i32)) -> i32 {
        // Limited, because the pixel of a value far outside could overflow.
        let share = self.share(value).clamp(-1.0, 2.0);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn share(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Log => (value / self.from).ln() / (self.to / self.from).ln(),
        }
    }

    /// At most `most` ticks, at numbers as round as possible.
    pub fn ticks(&self, most: usize) -> Vec<f64> {
        if self.scale == Scale::Linear {
            return linear(self.from, self.to, most);
        }
        let decades = self.from.log10().floor() as i32..=self.to.log10().ceil() as i32;
        let within = |v: &f64| *v >= self.from * (1.0 - 1e-9) && *v <= self.to * (1.0 + 1e-9);
        let at = |steps: &[f64], every: usize| -> Vec<f64> {
            let powers = decades.clone().filter(|p| p.rem_euclid(every as i32) == 0);
            powers
                .flat_map(|p| steps.iter().map(move |s| times_ten(*s, p)))
                .filter(within)
                .collect()
        };
        let fine = [at(&[1.0, 2.0, 5.0], 1), at(&[1.0, 3.0], 1)];
        let coarse = (1..).map(|every| at(&[1.0], every));
        let ticks = fine
            .into_iter()
            .chain(coarse)
            .find(|ticks| ticks.len() <= most.max(1));
        match ticks {
            Some(ticks) if ticks.len() > 1 => ticks,
            _ => linear(self.from, self.to, most),
        }
    }
}

/// `v` × 10^`power`. Negative powers divide: 3 / 10 is the number nearest to 0.3, 3 * 0.1 is not.
fn times_ten(v: f64, power: i32) -> f64 {
    match power {
        p if p < 0 => v / 10f64.powi(-p),
        p => v * 10f64.powi(p),
    }
}

/// A range with room for all values, and a little more.
fn extent(scale: Scale, values: impl Iterator<Item = f64>) -> (f64, f64) {
    let usable = values.filter(|v| v.is_finite() && (scale == Scale::Linear || *v > 0.0));
    let (low, high) = usable.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    });
    match scale {
        _ if low > high => (if scale == Scale::Log { 0.1 } else { 0.0 }, 1.0),
        Scale::Linear => {
            let (low, high) = (low.min(0.0), high.max(0.0));
            (
                low,
                if high > low {
                    high + (high - low) * 0.04
                } else {
                    low + 1.0
                },
            )
        }
        Scale::Log => {
            let room = (high / low).powf(0.04).max(1.1);
            // Neither end may become 0 or infinity, which have no logarithm.
            ((low / room).max(f64::MIN_POSITIVE), (high * room).min(f64::MAX))
        }
    }
}

/// Ticks at a step of 1, 2 or 5 times a power of ten.
fn linear(from: f64, to: f64, most: usize) -> Vec<f64> {
    let least = (to - from) / most.max(1) as f64;
    let power = 10f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|m| m * power);
    let step = steps
        .into_iter()
        .find(|s| *s >= least * (1.0 - 1e-9))
        .unwrap_or(least);
    let first = (from / step - 1e-9).ceil() as i64;
    let last = (to / step + 1e-9).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Scale, values: &[f64]) -> Ruler {
        let axis = Axis {
            title: String::new(),
            scale,
            write: |v| v.to_string(),
            range: None,
        };
        Ruler::of(&axis, values.iter().copied())
    }

    #[test]
    fn ticks_are_round_and_not_too_many() {
        let ticks = axis(Scale::Linear, &[3.0, 104.0]).ticks(6);
        assert_eq!(ticks, [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        let decades = axis(Scale::Log, &[0.05, 200.0]).ticks(5);
        assert_eq!(decades, [0.1, 1.0, 10.0, 100.0]);
        assert_eq!(
            axis(Scale::Log, &[10.0, 99.0]).ticks(6),
            [10.0, 20.0, 50.0, 100.0]
        );
        let narrow = axis(Scale::Log, &[61.0, 69.0]).ticks(5);
        assert!((2..=5).contains(&narrow.len()), "{narrow:?}");
        for most in 1..12 {
            for values in [
                &[1e-3, 1e9][..],
                &[0.5, 0.6],
                &[7.0],
                &[],
                &[5e-324, f64::MAX],
                &[f64::MAX],
            ] {
                for scale in [Scale::Linear, Scale::Log] {
                    assert!(
                        axis(scale, values).ticks(most).len() <= most + 1,
                        "{values:?} {most}"
                    );
                }
            }
        }
    }

    #[test]
    fn values_lie_where_they_should() {
        let log = axis(Scale::Log, &[1.0, 100.0]);
        assert_eq!(log.at(10.0, (0, 1_000)), 500);
        assert!(log.has(1e-9) && !log.has(0.0) && !log.has(f64::NAN));
        let linear = axis(Scale::Linear, &[100.0]);
        assert_eq!(linear.at(0.0, (10, 210)), 10);
        assert_eq!(linear.at(1e300, (0, 100)), 200, "far outside is outside");
    }
}
