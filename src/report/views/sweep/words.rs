//! The sentences about a sweep.

use super::tables::reached;
use crate::lang::{list, t, text};
use crate::outcome::sweep::{Bracket, Crossover, CutFrom, Measure, Row, Stop, Sweep, Unit};
use crate::outcome::{Envelope, Outcome, Report};
use crate::report::notes::{self, duration, rate};
use crate::report::numbers::{figure, percent, speed};
use crate::report::views::run::headline::name;
use crate::terminal::printable;

/// The swept setting, and the fixed ones.
pub fn scenario(sweep: &Sweep) -> String {
    let knob = &sweep.knob;
    let settings: Vec<&str> = knob.stops.iter().map(|s| s.text.as_str()).collect();
    let settings = printable(&settings.join(", "));
    let mut text = match knob.stops.first() {
        None => format!("--{}: {settings}", knob.name),
        Some(first) => t!(
            "--%{knob}: %{settings}. At the first: %{scenario}",
            knob = knob.name,
            settings = settings,
            scenario = notes::scenario_of(&report(sweep, first), sweep.techniques().into_iter())
        ),
    };
    if sweep.isolated {
        text += &format!("; {}", t!("each server in a process of its own"));
    }
    text
}

/// The runs of one setting as a report.
pub fn report(sweep: &Sweep, stop: &Stop) -> Report {
    Report {
        envelope: Envelope {
            partial: false,
            ..sweep.envelope.clone()
        },
        simulated: false,
        environment: sweep.environment.clone(),
        scenario: stop.scenario.clone(),
        results: sweep.at(stop).filter_map(Row::outcome).cloned().collect(),
        absent: sweep.absent.clone(),
        remote: None,
        server_clock: None,
    }
}

/// The legend of the tables.
pub fn legend(sweep: &Sweep) -> String {
    let measured = sweep.results.iter().any(|r| r.outcome().is_some());
    let parts = [
        measured.then(|| t!("predicted: what the protocol costs by itself, in a simulated run.")),
        (!measured).then(|| t!("Nothing was measured: all figures are of simulated runs.")),
        Some(t!(
            "overhead: every byte but payload; what opens and ends a connection is shared out over the mails."
        )),
        sweep.isolated.then(|| {
            t!(
                "processor time and memory are those of the server's process alone; what the kernel keeps for its \
                 sockets is not in it."
            )
        }),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The crossovers, as sentences.
pub fn crossovers(sweep: &Sweep) -> Vec<String> {
    if sweep.crossovers.is_empty() {
        let reached: Vec<&Stop> = reached(sweep).collect();
        let (Some(first), Some(last)) = (reached.first(), reached.last()) else {
            return Vec::new();
        };
        if reached.len() == 1 {
            return vec![t!(
                "Only --%{knob} %{at} was reached, and nothing to compare it with.",
                knob = sweep.knob.name,
                at = first.text
            )];
        }
        return vec![t!(
            "No technique overtakes another between --%{knob} %{from} and %{to}.",
            knob = sweep.knob.name,
            from = first.text,
            to = last.text
        )];
    }
    sweep.crossovers.iter().map(|c| sentence(sweep, c)).collect()
}

/// From where on a proxy cuts what a technique keeps open, as sentences.
pub fn cuts(sweep: &Sweep) -> Vec<String> {
    let written = |at: f64| written(sweep.knob.unit, at);
    let sentence = |cut: &CutFrom| {
        t!(
            "Up to --%{knob} %{below} the connection of %{technique} stays open; from %{from} on, a proxy cuts it (predicted).",
            knob = sweep.knob.name,
            below = written(cut.below),
            technique = printable(&cut.technique),
            from = written(cut.from)
        )
    };
    sweep.cuts.iter().map(sentence).collect()
}

/// The first crossover in a visitor's words, if it is one of bytes over the rate of mail.
pub fn headline(sweep: &Sweep) -> Option<String> {
    let of_bytes = |c: &&Crossover| c.figure == Measure::OverheadBytesPerDelivery;
    let crossover = sweep.crossovers.iter().find(of_bytes)?;
    let at = crossover
        .measured
        .map(|bracket| bracket.at)
        .or(crossover.predicted)?;
    if sweep.knob.unit != Unit::PerSecond || at < 1.0 {
        return None;
    }
    // How long mail waits beyond it, at the next setting.
    let stop = sweep.knob.stops.iter().find(|stop| stop.at >= at)?;
    let wait = |technique: &str| {
        let row = sweep.at(stop).find(|row| row.technique() == technique)?;
        let measured = row.outcome().and_then(|o| Some(o.latency_us.as_ref()?.mean));
        let mean = measured.or_else(|| Measure::LatencyUs.predicted(row.predicted()))?;
        Some(duration((mean / 1e3).round()))
    };
    Some(t!(
        "From about %{at} mails a second on, each mail costs fewer bytes of overhead with %{above} than with %{below}; it \
         waits %{longer} instead of %{shorter}.",
        at = figure(two_digits(at)),
        above = name(&crossover.above),
        below = name(&crossover.below),
        longer = wait(&crossover.above)?,
        shorter = wait(&crossover.below)?
    ))
}

/// A figure to two digits: a crossover is not known better.
fn two_digits(x: f64) -> f64 {
    let unit = 10_f64.powf(x.log10().floor() - 1.0);
    (x / unit).round() * unit
}

/// The crossovers of one figure, as sentences.
pub fn crossovers_of(sweep: &Sweep, figure: Option<Measure>) -> impl Iterator<Item = String> {
    let of_this = sweep.crossovers.iter().filter(move |c| Some(c.figure) == figure);
    of_this.map(|c| sentence(sweep, c))
}

fn sentence(sweep: &Sweep, c: &Crossover) -> String {
    let value = |v: f64| written(sweep.knob.unit, v);
    let measured = sweep.results.iter().any(|r| r.outcome().is_some());
    match (c.measured, c.predicted) {
        (Some(Bracket { from, to, at }), Some(predicted)) => t!(
            "%{claim} (measured between %{from} and %{to}; predicted: %{predicted}).",
            claim = claim(sweep, c, at),
            from = value(from),
            to = value(to),
            predicted = value(predicted)
        ),
        (Some(Bracket { from, to, at }), None) if c.figure == Measure::CpuUsPerDelivery => t!(
            "%{claim} (measured between %{from} and %{to}; a simulated run says nothing of processors).",
            claim = claim(sweep, c, at),
            from = value(from),
            to = value(to)
        ),
        (Some(Bracket { from, to, at }), None) => t!(
            "%{claim} (measured between %{from} and %{to}; it is predicted nowhere there).",
            claim = claim(sweep, c, at),
            from = value(from),
            to = value(to)
        ),
        (None, Some(predicted)) if measured => t!(
            "%{claim}, as predicted; measured, the two are not told apart on both sides of it.",
            claim = claim(sweep, c, predicted)
        ),
        (None, Some(predicted)) => t!("%{claim} (predicted).", claim = claim(sweep, c, predicted)),
        (None, None) => String::new(),
    }
}

/// Which technique is better from which setting on.
fn claim(sweep: &Sweep, c: &Crossover, at: f64) -> String {
    let knob = &sweep.knob.name;
    let at = written(sweep.knob.unit, at);
    let [above, below] = [&c.above, &c.below].map(|name| printable(name));
    let text = match c.figure {
        Measure::OverheadBytesPerDelivery => {
            text!("From --%{knob} %{at} on, %{above} sends fewer bytes of overhead per mail than %{below}")
        }
        Measure::RequestsPerDelivery => {
            text!("From --%{knob} %{at} on, %{above} needs fewer requests per mail than %{below}")
        }
        Measure::LatencyUs => text!("From --%{knob} %{at} on, %{above} delivers sooner than %{below}"),
        Measure::CpuUsPerDelivery => {
            text!(
                "From --%{knob} %{at} on, %{above} costs the server less processor time per mail than %{below}"
            )
        }
    };
    t!(text, knob = knob, at = at, above = above, below = below)
}

/// A value of the swept setting, with about three digits.
pub fn written(unit: Unit, v: f64) -> String {
    match unit {
        Unit::Number => figure(v),
        Unit::Bytes => format!("{} B", figure(v)),
        Unit::PerSecond => rate(v),
        Unit::Milliseconds => duration(v),
        Unit::BitPerSecond if v.is_infinite() => "no limit".into(),
        Unit::BitPerSecond => speed(v),
        Unit::Fraction => percent(figure(v * 100.0)),
    }
}

/// All warnings.
pub fn warnings(sweep: &Sweep) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(first) = sweep.knob.stops.first() {
        lines.extend(notes::absent(&report(sweep, first)));
    }
    lines.extend(grouped(sweep));
    if sweep.envelope.partial {
        let reached = reached(sweep).count();
        lines.push(t!(
            "PARTIAL: interrupted after %{reached} of %{all} settings.",
            reached = reached,
            all = sweep.knob.stops.len()
        ));
    }
    lines
}

/// Groups warnings that differ only in figures, with the worst of them.
fn grouped(sweep: &Sweep) -> Vec<String> {
    let mut groups: Vec<(String, f64, String, Vec<&str>)> = Vec::new();
    for stop in reached(sweep) {
        for warning in notes::warnings(&report(sweep, stop)) {
            let (words, worst) = cause(&warning);
            match groups.iter_mut().find(|(known, ..)| *known == words) {
                Some((_, known, text, settings)) => {
                    if worst > *known {
                        (*known, *text) = (worst, warning);
                    }
                    settings.push(&stop.text);
                }
                None => groups.push((words, worst, warning, vec![&stop.text])),
            }
        }
    }
    let name = &sweep.knob.name;
    groups
        .into_iter()
        .map(|(_, _, warning, settings)| {
            t!(
                "%{alarm} (at --%{knob} %{settings})",
                knob = name,
                settings = list(&settings),
                alarm = warning
            )
        })
        .collect()
}

/// A line's words without its figures, which lines of one cause share, and its first figure, by which the worst
/// of them is known.
fn cause(line: &str) -> (String, f64) {
    let is_figure = |c: char| c.is_ascii_digit() || c == '.';
    let words = line.split(is_figure).filter(|piece| !piece.is_empty()).collect();
    let figures = line.split(|c| !is_figure(c)).find_map(|piece| piece.parse().ok());
    (words, figures.unwrap_or(0.0))
}

/// What a setting came to, on one line.
pub fn came(name: &str, stop: &Stop, rows: &[Row]) -> String {
    let each = rows.iter().filter_map(Row::outcome).map(told);
    let each: Vec<String> = each.collect();
    format!("--{name} {}: {}", stop.text, each.join(" · "))
}

fn told(o: &Outcome) -> String {
    let written = |v: Option<f64>| v.map_or("–".into(), figure);
    let latency = o.latency_us.as_ref().map(|l| l.mean / 1e3);
    format!(
        "{} {} ms, {} B",
        printable(&o.technique),
        written(latency),
        written(o.overhead_bytes_per_delivery)
    )
}
