//! The result of `sweep`: every technique at every setting of one knob, and where one overtakes another.
//! `lab` makes it, `report` draws it, and its JSON is of the same family as a run's.

use serde::{Deserialize, Serialize};

use super::noise;
use super::{Absent, BehindProxies, Envelope, Environment, Outcome, Prediction, Scenario};

/// Everything one `mailcall sweep` prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sweep {
    /// The fields that every result begins with.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The machine that the figures belong to; `None` if all of them are of simulated runs.
    pub environment: Option<Environment>,
    /// The scenario at the first setting.
    pub scenario: Scenario,
    /// The knob and its settings.
    pub knob: Turned,
    /// Whether each server had a process of its own.
    pub isolated: bool,
    /// One row per setting and technique, in that order.
    pub results: Vec<Row>,
    /// Techniques that were asked for and cannot exist in this scenario.
    #[serde(default)]
    pub absent: Vec<Absent>,
    /// Where one technique overtakes another.
    pub crossovers: Vec<Crossover>,
    /// From where on a proxy cuts what a technique keeps open.
    #[serde(default)]
    pub cuts: Vec<CutFrom>,
}

/// The setting from which on a proxy on the way cuts the connections of a technique.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutFrom {
    /// The technique.
    pub technique: String,
    /// The highest setting, in the knob's unit, at which nothing is cut as far as it is known.
    pub below: f64,
    /// The lowest setting at which something is cut as far as it is known. Between the two lies the limit.
    pub from: f64,
}

impl Sweep {
    /// The rows at a setting.
    pub fn at(&self, stop: &Stop) -> impl Iterator<Item = &Row> {
        let at = stop.at;
        self.results.iter().filter(move |row| row.at == at)
    }

    /// Names of techniques, in order.
    pub fn techniques(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for row in &self.results {
            if !names.contains(&row.technique()) {
                names.push(row.technique());
            }
        }
        names
    }
}

/// The knob of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turned {
    /// The flag without its dashes.
    pub name: String,
    /// The unit of its values.
    pub unit: Unit,
    /// The scale on which it is drawn and interpolated.
    pub scale: Scale,
    /// The settings, ascending.
    pub stops: Vec<Stop>,
}

/// A setting of the knob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// As it was written on the command line.
    pub text: String,
    /// As a number, in the knob's unit.
    pub at: f64,
    /// The scenario at this setting.
    pub scenario: Scenario,
}

/// The unit of a knob's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A count.
    Number,
    /// A size.
    Bytes,
    /// A rate.
    PerSecond,
    /// A time.
    Milliseconds,
    /// A speed.
    BitPerSecond,
    /// A share of 1.
    Fraction,
}

/// The scale of a knob's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Equal steps add the same.
    Linear,
    /// Equal steps multiply by the same.
    Logarithmic,
}

impl Scale {
    /// Logarithmic if a linear scale would crowd the values at one end, otherwise linear.
    pub fn fitting(values: impl Iterator<Item = f64> + Clone) -> Scale {
        const WIDE: f64 = 8.0;
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(0.0, f64::max);
        match least > 0.0 && most >= WIDE * least {
            true => Scale::Logarithmic,
            false => Scale::Linear,
        }
    }

    /// The value `share` of the way from one value to another.
    pub fn between(self, from: f64, to: f64, share: f64) -> f64 {
        match self {
            Scale::Linear => from + (to - from) * share,
            Scale::Logarithmic => from * (to / from).powf(share),
        }
    }
}

/// One technique at one setting: a run's result, or, if nothing was run, only the prediction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The setting, as [`Stop::at`].
    pub at: f64,
    /// What is known about the technique.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What is known about a technique at a setting.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Figures {
    /// It was run.
    Measured(Box<Outcome>),
    /// It was only predicted.
    Predicted(Box<PredictedRow>),
}

/// A prediction without a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedRow {
    /// The technique's name.
    pub technique: String,
    /// How many mails would be expected, summed over clients.
    pub expected: u64,
    /// What is predicted.
    pub predicted: Prediction,
}

impl Row {
    /// The technique's name.
    pub fn technique(&self) -> &str {
        match &self.figures {
            Figures::Measured(o) => &o.technique,
            Figures::Predicted(f) => &f.technique,
        }
    }

    /// The run's outcome, if there was a run.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.figures {
            Figures::Measured(o) => Some(o),
            Figures::Predicted(_) => None,
        }
    }

    /// How often a proxy cut something: as measured, or else as predicted. `None` without a proxy.
    pub fn cuts(&self) -> Option<u64> {
        let behind = match &self.figures {
            Figures::Measured(o) => o.behind_proxies.as_ref(),
            Figures::Predicted(f) => f.predicted.behind_proxies.as_ref(),
        };
        behind.map(BehindProxies::cuts)
    }

    /// The prediction, and the number of deliveries that it is for.
    pub fn predicted(&self) -> (&Prediction, u64) {
        match &self.figures {
            Figures::Measured(o) => (&o.predicted, o.mails.expected),
            Figures::Predicted(f) => (&f.predicted, f.expected),
        }
    }
}

/// A figure by which techniques overtake each other; less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Bytes other than payload, per delivered mail.
    OverheadBytesPerDelivery,
    /// HTTP requests, per delivered mail.
    RequestsPerDelivery,
    /// Mean latency, microseconds.
    LatencyUs,
    /// The server's processor time, microseconds per delivered mail.
    CpuUsPerDelivery,
}

impl Measure {
    /// All figures.
    pub const ALL: [Measure; 4] = [
        Measure::OverheadBytesPerDelivery,
        Measure::RequestsPerDelivery,
        Measure::LatencyUs,
        Measure::CpuUsPerDelivery,
    ];

    /// The figure as measured.
    pub fn of(self, o: &Outcome) -> Option<f64> {
        self.figure()(o)
    }

    /// The figure as predicted, for this many deliveries; processor time is not predicted.
    pub fn predicted(self, (p, expected): (&Prediction, u64)) -> Option<f64> {
        let mails = p.mails(expected);
        let each = |n: f64| (mails > 0).then(|| n / mails as f64);
        match self {
            _ if !p.was_made() => None,
            Measure::OverheadBytesPerDelivery => each(p.overhead_bytes),
            Measure::RequestsPerDelivery => each(p.requests.total),
            Measure::LatencyUs => Some(p.latency_us.mean),
            Measure::CpuUsPerDelivery => None,
        }
    }

    fn figure(self) -> noise::Figure {
        match self {
            Measure::OverheadBytesPerDelivery => |o| o.overhead_bytes_per_delivery,
            Measure::RequestsPerDelivery => {
                |o| (o.carried() > 0).then(|| o.requests.total as f64 / o.carried() as f64)
            }
            Measure::LatencyUs => |o| Some(o.latency_us.as_ref()?.mean),
            Measure::CpuUsPerDelivery => |o| o.server.as_ref()?.cpu_us_per_delivery,
        }
    }

    /// Whether two techniques differ in this figure by more than noise.
    pub fn differs(self, a: &Outcome, b: &Outcome) -> bool {
        match self {
            Measure::LatencyUs => noise::late(a, b),
            Measure::CpuUsPerDelivery => noise::worked(a, b, self.figure()),
            Measure::OverheadBytesPerDelivery | Measure::RequestsPerDelivery => {
                noise::counted(a, b, self.figure())
            }
        }
    }
}

/// Where one technique overtakes another: one has less of a figure below this point, the other above it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crossover {
    /// The figure.
    pub figure: Measure,
    /// The technique that has less below.
    pub below: String,
    /// The technique that has less above.
    pub above: String,
    /// Where it was measured; `None` if the measurements don't show it, or nothing was measured.
    pub measured: Option<Bracket>,
    /// Where it is predicted; `None` if no prediction here shows it.
    pub predicted: Option<f64>,
}

/// The settings between which it was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bracket {
    /// The last setting before it, as [`Stop::at`].
    pub from: f64,
    /// The first setting after it.
    pub to: f64,
    /// The point between them, interpolated on the knob's scale.
    pub at: f64,
}

/// Predicts a technique at a setting that need not be one of the sweep's.
pub type Predict<'a> = &'a dyn Fn(f64, &str) -> Option<PredictedRow>;

/// Where techniques overtake each other: where the rows show it beyond noise, and where the prediction
/// shows it, also between the settings. The baseline takes no part.
pub fn crossovers(rows: &[Row], turned: &Turned, whole: bool, predict: Predict) -> Vec<Crossover> {
    let mut names: Vec<&str> = Vec::new();
    for row in rows.iter().filter(|r| r.technique() != super::BASELINE) {
        if !names.contains(&row.technique()) {
            names.push(row.technique());
        }
    }
    let mut found = Vec::new();
    for figure in Measure::ALL {
        for (i, a) in names.iter().enumerate() {
            for b in &names[i + 1..] {
                let pair = Pair {
                    rows,
                    turned,
                    whole,
                    figure,
                    names: [a, b],
                };
                found.extend(pair.crossovers(predict));
            }
        }
    }
    found
}

/// Two techniques, compared by one figure.
struct Pair<'a> {
    rows: &'a [Row],
    turned: &'a Turned,
    whole: bool,
    figure: Measure,
    names: [&'a str; 2],
}

/// The figure of both techniques at a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    at: f64,
    figures: [f64; 2],
}

impl Point {
    /// Above 0 if the first technique has more. It is the logarithm of the ratio, because figures span
    /// decades; if one is 0, it is the difference.
    fn lead(&self) -> f64 {
        let [a, b] = self.figures;
        if a > 0.0 && b > 0.0 { (a / b).ln() } else { a - b }
    }
}

/// A change of the technique that has less.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Crossing {
    /// Whether the second technique has less above it.
    rises: bool,
    bracket: Bracket,
    /// The first technique's lead at both ends.
    leads: [f64; 2],
}

impl Pair<'_> {
    fn crossovers(&self, predict: Predict) -> Vec<Crossover> {
        let measured = crossings(&self.measured(), self.turned.scale);
        let mut predicted: Vec<Crossing> = crossings(&self.predicted(), self.turned.scale)
            .into_iter()
            .map(|c| self.refine(c, predict))
            .collect();
        let named = |c: &Crossing, measured, predicted| {
            let [a, b] = self.names;
            let (below, above) = if c.rises { (a, b) } else { (b, a) };
            Crossover {
                figure: self.figure,
                below: below.into(),
                above: above.into(),
                measured,
                predicted,
            }
        };
        let mut found: Vec<Crossover> = Vec::new();
        for crossing in measured {
            let same = predicted.iter().position(|p| p.rises == crossing.rises);
            let predicted = same.map(|at| predicted.remove(at).bracket.at);
            found.push(named(&crossing, Some(crossing.bracket), predicted));
        }
        found.extend(predicted.iter().map(|p| named(p, None, Some(p.bracket.at))));
        found
    }

    fn rows_at(&self, at: f64) -> [Option<&Row>; 2] {
        self.names.map(|name| {
            let mut rows = self.rows.iter();
            rows.find(|r| r.at == at && r.technique() == name)
        })
    }

    /// The settings at which the two differ by more than noise. A technique that lost mail did less work,
    /// so it is left out.
    fn measured(&self) -> Vec<Point> {
        let at = |stop: &Stop| {
            let [a, b] = self
                .rows_at(stop.at)
                .map(|row| row?.outcome().filter(|o| o.clean()));
            let (a, b) = (a?, b?);
            self.figure.differs(a, b).then_some(Point {
                at: stop.at,
                figures: [self.figure.of(a)?, self.figure.of(b)?],
            })
        };
        self.turned.stops.iter().filter_map(at).collect()
    }

    fn predicted(&self) -> Vec<Point> {
        let at = |stop: &Stop| {
            let [a, b] = self
                .rows_at(stop.at)
                .map(|row| self.figure.predicted(row?.predicted()));
            self.point_if_different(stop.at, a?, b?)
        };
        self.turned.stops.iter().filter_map(at).collect()
    }

    fn point_if_different(&self, at: f64, a: f64, b: f64) -> Option<Point> {
        (a.max(b) > a.min(b) * noise::EQUAL).then_some(Point { at, figures: [a, b] })
    }

    /// Predicts inside the bracket, each time where a straight line between the ends crosses 0, until the
    /// ends are within a third of a percent. An end that stays counts half, so that the other comes near,
    /// too (the Illinois rule: M. Dowell and P. Jarratt, "A modified regula falsi method", BIT 11, 1971).
    fn refine(&self, crossing: Crossing, predict: Predict) -> Crossing {
        const ASKED: usize = 12;
        let scale = self.turned.scale;
        let Bracket {
            mut from,
            mut to,
            mut at,
        } = crossing.bracket;
        let [mut below, mut above] = crossing.leads;
        for _ in 0..ASKED {
            at = if self.whole {
                at.round().max(from + 1.0).min(to - 1.0)
            } else {
                at
            };
            if at <= from || at >= to || to - from < from / 300.0 {
                break;
            }
            let figures = self.names.map(|name| {
                let row = predict(at, name)?;
                self.figure.predicted((&row.predicted, row.expected))
            });
            let [Some(a), Some(b)] = figures else {
                return crossing;
            };
            let lead = Point { at, figures: [a, b] }.lead();
            if lead == 0.0 {
                break;
            }
            match (lead > 0.0) == crossing.rises {
                true => (to, above, below) = (at, lead, below / 2.0),
                false => (from, below, above) = (at, lead, above / 2.0),
            }
            at = scale.between(from, to, below / (below - above));
        }
        Crossing {
            bracket: Bracket {
                // For whole numbers, the first one on the far side; there is nothing between.
                at: match self.whole {
                    true if to - from <= 1.0 => to,
                    true => at.round(),
                    false => at,
                },
                ..crossing.bracket
            },
            ..crossing
        }
    }
}

/// Where the lead changes sign between two neighbouring points, by a straight line between them.
fn crossings(points: &[Point], scale: Scale) -> Vec<Crossing> {
    let change = |pair: &[Point]| {
        let [below, above] = [pair[0].lead(), pair[1].lead()];
        (below * above < 0.0).then(|| Crossing {
            rises: above > 0.0,
            bracket: Bracket {
                from: pair[0].at,
                to: pair[1].at,
                at: scale.between(pair[0].at, pair[1].at, below / (below - above)),
            },
            leads: [below, above],
        })
    };
    points.windows(2).filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{PredictedLatency, PredictedRequests};

    fn turned(values: &[f64]) -> Turned {
        let stop = |at: &f64| Stop {
            text: at.to_string(),
            at: *at,
            scenario: Scenario::default(),
        };
        Turned {
            name: "rate".into(),
            unit: Unit::PerSecond,
            scale: Scale::fitting(values.iter().copied()),
            stops: values.iter().map(stop).collect(),
        }
    }

    fn predicted_row(technique: &str, overhead: f64) -> PredictedRow {
        PredictedRow {
            technique: technique.into(),
            expected: 10,
            predicted: Prediction {
                method: "made up".into(),
                latency_us: PredictedLatency { mean: 5.0, max: 5.0 },
                requests: PredictedRequests {
                    total: 10.0,
                    empty: None,
                },
                overhead_bytes: 10.0 * overhead,
                ..Prediction::default()
            },
        }
    }

    /// Rows that are only predicted, with one function per technique.
    fn swept(values: &[f64], laws: [fn(f64) -> f64; 2], whole: bool) -> Vec<Crossover> {
        let law = |at: f64, name: &str| predicted_row(name, laws[usize::from(name == "b")](at));
        let rows: Vec<Row> = values
            .iter()
            .flat_map(|at| {
                ["a", "b"].map(|name| Row {
                    at: *at,
                    figures: Figures::Predicted(law(*at, name).into()),
                })
            })
            .collect();
        crossovers(&rows, &turned(values), whole, &|at, name| Some(law(at, name)))
    }

    #[test]
    fn the_prediction_is_asked_where_between_the_settings_it_is() {
        // 200 / x falls below 4 at 50.
        let found = swept(&[1.0, 10.0, 100.0, 1_000.0], [|x| 200.0 / x, |_| 4.0], false);
        assert_eq!(found.len(), 1, "{found:?}");
        let crossover = &found[0];
        assert_eq!((crossover.below.as_str(), crossover.above.as_str()), ("b", "a"));
        assert_eq!(crossover.figure, Measure::OverheadBytesPerDelivery);
        assert_eq!(crossover.measured, None);
        let at = crossover.predicted.unwrap();
        assert!((at / 50.0 - 1.0).abs() < 0.005, "{at}");
        let whole = swept(&[1.0, 100.0], [|x| 200.0 / x, |_| 4.0], true);
        assert_eq!(whole[0].predicted, Some(50.0));
    }

    #[test]
    fn there_and_back_are_two() {
        let dip = |x: f64| if (20.0..200.0).contains(&x) { 1.0 } else { 9.0 };
        let found = swept(&[10.0, 100.0, 1_000.0], [dip, |_| 4.0], false);
        let ways: Vec<_> = found
            .iter()
            .map(|c| (c.below.as_str(), c.above.as_str()))
            .collect();
        assert_eq!(ways, [("b", "a"), ("a", "b")]);
    }

    #[test]
    fn who_is_always_ahead_or_equal_overtakes_nobody() {
        assert_eq!(swept(&[1.0, 10.0], [|_| 5.0, |_| 4.0], false), []);
        assert_eq!(swept(&[1.0, 10.0], [|_| 4.0, |_| 4.0], false), []);
        // Less by a percent, then more by a percent: that counts as equal.
        let hair = |x: f64| if x < 5.0 { 3.96 } else { 4.04 };
        assert_eq!(swept(&[1.0, 10.0], [hair, |_| 4.0], false), []);
    }

    #[test]
    fn a_crossing_is_interpolated_on_the_knobs_scale() {
        let point = |at, a, b| Point { at, figures: [a, b] };
        let points = [point(10.0, 1.0, 4.0), point(1_000.0, 4.0, 1.0)];
        let logarithmic = crossings(&points, Scale::Logarithmic);
        assert!(
            (logarithmic[0].bracket.at - 100.0).abs() < 1e-9,
            "{logarithmic:?}"
        );
        assert!(logarithmic[0].rises);
        let linear = crossings(&points, Scale::Linear);
        assert!((linear[0].bracket.at - 505.0).abs() < 1e-9, "{linear:?}");
        // A figure of 0 has no ratio.
        let zero = crossings(&[point(0.0, 0.0, 1.0), point(4.0, 3.0, 0.0)], Scale::Linear);
        assert_eq!(zero[0].bracket.at, 1.0);
    }

    #[test]
    fn the_scale_follows_the_range() {
        let scale = |values: &[f64]| Scale::fitting(values.iter().copied());
        assert_eq!(scale(&[1.0, 10.0]), Scale::Logarithmic);
        assert_eq!(scale(&[100.0, 200.0, 400.0]), Scale::Linear);
        assert_eq!(scale(&[0.0, 10.0, 100.0]), Scale::Linear, "0 has no logarithm");
    }

    #[test]
    fn rows_are_read_back_as_what_they_were() {
        let row = Row {
            at: 2.5,
            figures: Figures::Predicted(predicted_row("poll", 3.0).into()),
        };
        let json = serde_json::to_string(&row).unwrap();
        let back: Row = serde_json::from_str(&json).unwrap();
        assert_eq!((back.at, back.technique()), (2.5, "poll"));
        assert_eq!(back.predicted(), row.predicted());
        assert!(back.outcome().is_none());
    }
}
