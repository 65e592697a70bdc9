//! The best of a column, and the others' multiples of its figure.

use super::noise::Noise;
use crate::outcome::{Outcome, Report};

/// Whether two outcomes differ by more than noise.
pub type Significance = fn(&Noise, &Outcome, &Outcome) -> bool;

/// How a number compares with the others of its column.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Standing {
    /// Whether no other is better, or none by more than noise.
    pub best: bool,
    /// The multiple of the baseline's figure, or without a baseline of the best.
    pub times: Option<f64>,
    /// How much it is above that figure.
    pub more: Option<f64>,
}

/// Compares a column's figures. A technique that lost mail did less work and cannot win; nor can any in an
/// interrupted run. The baseline does not compete: if it has the figure, the others are compared with it.
pub fn compare_all(report: &Report, values: &[Option<f64>], significance: Significance) -> Vec<Standing> {
    let noise = Noise::of(report);
    let results = &report.results;
    let differ = |i: usize, j: usize| significance(&noise, &results[i], &results[j]);
    let entered = |(o, v): (&Outcome, &Option<f64>)| v.filter(|_| o.clean() && !report.cut_short());
    let mut compared: Vec<Option<f64>> = results.iter().zip(values).map(entered).collect();
    let baseline = results.iter().position(Outcome::is_baseline);
    let least = baseline.and_then(|at| Some((at, compared[at].take().filter(|v| *v > 0.0)?)));
    let mut marks = marks(&compared, differ);
    if let Some((at, least)) = least {
        for (i, value) in compared.iter().enumerate() {
            let other = value.filter(|_| differ(i, at));
            (marks[i].times, marks[i].more) = (other.map(|v| v / least), other.map(|v| v - least));
        }
    }
    marks
}

/// Two numbers are called equal within this ratio.
const EQUAL: f64 = 1.02;

/// Marks the smallest value, and the others' multiples of it. A value that is not significantly larger shares
/// the first place, unless it is not significantly smaller than the others either: then its place is unknown.
/// Nothing is marked if no value is larger.
fn marks(values: &[Option<f64>], differ: impl Fn(usize, usize) -> bool) -> Vec<Standing> {
    let known = || values.iter().enumerate().filter_map(|(i, v)| Some((i, (*v)?)));
    let Some((first, best)) = known().min_by(|a, b| a.1.total_cmp(&b.1)) else {
        return vec![Standing::default(); values.len()];
    };
    let tied = |(i, v): (usize, f64)| v <= best * EQUAL || !differ(i, first);
    let behind: Vec<usize> = known().filter(|k| !tied(*k)).map(|(i, _)| i).collect();
    let mut marks = vec![Standing::default(); values.len()];
    for (i, value) in known() {
        let ahead = || i == first || behind.iter().all(|other| differ(i, *other));
        if behind.contains(&i) {
            marks[i].times = (best > 0.0).then(|| value / best);
            marks[i].more = Some(value - best);
        } else {
            marks[i].best = !behind.is_empty() && ahead();
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEST: Standing = Standing {
        best: true,
        times: None,
        more: None,
    };

    fn times_of(ratio: f64) -> Standing {
        Standing {
            times: Some(ratio),
            ..Standing::default()
        }
    }

    /// The marks without the differences.
    fn marks(values: &[Option<f64>], differ: impl Fn(usize, usize) -> bool) -> Vec<Standing> {
        let marks = super::marks(values, differ).into_iter();
        marks.map(|mark| Standing { more: None, ..mark }).collect()
    }

    #[test]
    fn the_others_are_so_much_above_the_best() {
        let marks = super::marks(&[Some(117.0), Some(0.0)], |_, _| true);
        assert_eq!(
            (marks[0].more, marks[0].times, marks[1].more),
            (Some(117.0), None, None)
        );
    }

    #[test]
    fn the_best_is_marked_and_how_many_times_worse_the_others_are() {
        let un = Standing::default;
        let marks = |values: &[Option<f64>]| marks(values, |_, _| true);
        assert_eq!(
            marks(&[Some(84.0), Some(1.0), None]),
            [times_of(84.0), BEST, un()]
        );
        assert_eq!(
            marks(&[Some(62.0), Some(1.0), Some(1.0)]),
            [times_of(62.0), BEST, BEST],
            "a tie"
        );
        assert_eq!(
            marks(&[Some(101.0), Some(300.0), Some(100.0)]),
            [BEST, times_of(3.0), BEST],
            "a near tie"
        );
        assert_eq!(
            marks(&[Some(100.0), Some(101.9)]),
            [un(), un()],
            "too close to call"
        );
        assert_eq!(marks(&[Some(5.0)]), [un()], "nobody to compare with");
        assert_eq!(marks(&[Some(5.0), None]), [un(), un()]);
        assert_eq!(
            marks(&[Some(0.0), Some(3.0)]),
            [BEST, un()],
            "nothing is a multiple of 0"
        );
        assert_eq!(marks(&[]), []);
    }

    #[test]
    fn what_cannot_be_told_apart_is_not_marked_against_each_other() {
        let values = [Some(1.0), Some(2.0), Some(4.0)];
        let with =
            |unknown: &[(usize, usize)]| marks(&values, |i, j| !unknown.contains(&(i.min(j), i.max(j))));
        assert_eq!(with(&[]), [BEST, times_of(2.0), times_of(4.0)]);
        assert_eq!(
            with(&[(0, 1)]),
            [BEST, BEST, times_of(4.0)],
            "two that are equal and one behind both"
        );
        assert_eq!(with(&[(0, 1), (0, 2), (1, 2)]), [Standing::default(); 3]);
        assert_eq!(
            with(&[(0, 1), (1, 2)]),
            [BEST, Standing::default(), times_of(4.0)],
            "the middle one's place is unknown"
        );
        assert_eq!(
            with(&[(0, 1), (0, 2)]),
            [Standing::default(); 3],
            "the smallest beats nobody"
        );
    }
}
