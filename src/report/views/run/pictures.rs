//! The charts of a report, each with what to look at and why: HTML and Markdown show the same ones. All are
//! drawn from the JSON contract, so a saved run has the same charts.

use super::colour::fill;
use super::lanes;
use crate::lang::t;
use crate::outcome::{Concern, Labelled, Outcome, Report};
use crate::report::chart::{self, Axis, Fill, Line, Ratio, Ratios, Row, SHOWN, Scale, Segment, Spread};
use crate::report::lanes::Lane;
use crate::report::notes;
use crate::report::numbers::{figure, percent, waited};
use crate::report::picture::Picture;
use crate::terminal::printable;
use crate::wire::Label;

/// All charts of a report, in reading order.
pub fn of(report: &Report) -> Vec<Picture> {
    let of = |concern, pictures: Vec<Option<Picture>>| {
        let warnings = notes::warnings_about(report, concern);
        // The first of several charts about the same figures has the warnings.
        let mut warnings = Some(warnings);
        let pictures = pictures.into_iter().flatten();
        pictures.map(move |picture| picture.warned(warnings.take().unwrap_or_default()))
    };
    let waits = vec![latency(report), over_time(report), distribution(report)];
    of(Concern::Waits, waits)
        .chain(of(Concern::Bytes, vec![bytes(report)]))
        .chain(model(report))
        .collect()
}

/// Milliseconds along an axis.
fn ms(v: f64) -> String {
    match v {
        v if v >= 1_000.0 => format!("{} s", figure(v / 1e3)),
        v if v < 1.0 && v > 0.0 => format!("{} µs", figure(v * 1e3)),
        v => format!("{} ms", figure(v)),
    }
}

/// The axis of how long mail waited.
pub fn wait() -> Axis {
    Axis::new(&t!("from arrival to the client, logarithmic"), Scale::Log, ms)
}

fn latency(report: &Report) -> Option<Picture> {
    let rows: Vec<Spread> = report
        .results
        .iter()
        .filter_map(|o| spread_of(report, o))
        .collect();
    let said: Vec<String> = rows.iter().map(|r| format!("{}: {}", r.name, r.note)).collect();
    let few = report
        .results
        .iter()
        .all(|o| o.latency_quantiles_us.len() as u64 == counted(o));
    let strokes = match few {
        true => t!("Each thin stroke is one delivery, the disc is their mean."),
        false => t!("Each thin stroke stands for a hundredth of the deliveries, the disc is their mean."),
    };
    let axis = wait();
    (!rows.is_empty()).then(|| {
 Picture::new("latency", t!("How long mail waited"), [
            strokes,
            t!(
                "Mind the axis: from one line to the next time grows by a factor, so that what takes a hundred \
                 times as long still fits on the page."
            ),
        ]
        .join(" "), said.join("; "), move |about, width| chart::spread(about, &axis, &rows, width)).because(why_it_waits(report))
})
}

fn counted(o: &Outcome) -> u64 {
    o.latency_us.as_ref().map_or(0, |l| l.count)
}

/// The distribution of latencies. Older files have no quantiles, so their percentiles are used.
fn spread_of(report: &Report, o: &Outcome) -> Option<Spread> {
    let l = o.latency_us.as_ref()?;
    let known = match o.latency_quantiles_us.as_slice() {
        [] => &[l.min, l.p50, l.p90, l.p99, l.max],
        known => known,
    };
    let modelled = o.predicted.was_made() && !report.cut_short();
    Some(Spread {
        name: printable(&o.technique),
        fill: fill(report, o),
        quantiles: known.iter().map(|us| us / 1e3).collect(),
        mean: l.mean / 1e3,
        predicted: modelled
            .then_some(o.predicted.latency_us.mean / 1e3)
            .filter(|ms| *ms > 0.0),
        note: [
            Some(format!("mean {}", waited(l.mean / 1e3))),
            l.p95.map(|p95| format!("p95 {}", waited(p95 / 1e3))),
            Some(format!("worst {}", waited(l.max / 1e3))),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", "),
        brief: format!("worst {}", waited(l.max / 1e3)),
    })
}

fn why_it_waits(report: &Report) -> String {
    let s = &report.scenario;
    let mut said = Vec::new();
    if report.results.iter().any(|o| notes::polled(report, o)) {
        said.push(t!(
            "A poll finds mail only when it asks: whatever arrives waits for the rest of the interval of \
             %{interval}, half of it on average.",
            interval = notes::duration(s.poll_interval_ms)
        ));
    }
    if report.results.iter().any(|o| !notes::polled(report, o)) {
        said.push(match s.link.rtt_ms {
            rtt if rtt > 0.0 => t!(
                "Who is already waiting when mail arrives is told at once: what is left is the way through the \
                 network, half of the round trip of %{rtt}.",
                rtt = notes::duration(rtt)
            ),
            _ => t!(
                "Who is already waiting when mail arrives is told at once: what is left is the way through this \
                 machine."
            ),
        });
    }
    said.join(" ")
}

/// How long each mail waited, by when it arrived.
fn over_time(report: &Report) -> Option<Picture> {
    let lines: Vec<Line> = lanes::each(report)
        .filter_map(|(o, lane)| waits(report, o, &lane))
        .collect();
    let said: Vec<String> = lines
        .iter()
        .map(|line| {
            let longest = line.points.iter().map(|(_, ms)| *ms).fold(0.0, f64::max);
            t!(
                "%{name}: at most %{wait}",
                name = line.name,
                wait = waited(longest)
            )
        })
        .collect();
    let across = Axis::new(&t!("when the mail arrived"), Scale::Linear, |s| {
        format!("{} s", figure(s))
    });
    let up = wait();
    (!lines.is_empty()).then(|| {
        let look = t!(
            "Each mark is one mail: how far to the right says when it arrived, how high says how long it waited for its \
             first client."
        );
        let why = t!(
            "A push waits the same each time. A poll's wait falls to nothing and begins again, as mail arrives later or \
             earlier in the interval. One mark far above the others is a pause of the machine."
        );
        Picture::new("over-time", t!("How long each mail waited"), look, said.join("; "), move |about, width| {
            chart::lines(about, &across, &up, &lines, &[], width)
        })
        .because(why)
    })
}

/// The waits of one client's mails; `None` if fewer than two are known.
fn waits(report: &Report, o: &Outcome, lane: &Lane) -> Option<Line> {
    let points = lane.deliveries.iter().filter_map(|d| {
        let due = d.due?;
        Some((due / 1e6, (d.at - due) / 1e3)).filter(|(_, ms)| *ms > 0.0)
    });
    let points: Vec<(f64, f64)> = points.collect();
    (points.len() > 1).then(|| Line {
        name: printable(&o.technique),
        fill: fill(report, o),
        points,
        dashed: false,
        steps: false,
    })
}

fn distribution(report: &Report) -> Option<Picture> {
    let lines: Vec<Line> = report
        .results
        .iter()
        .filter_map(|o| cumulative(report, o))
        .collect();
    let said: Vec<String> = report.results.iter().filter_map(percentiles).collect();
    let across = wait();
    let up = Axis {
        range: Some((0.0, 1.0)),
        ..Axis::new(&t!("mail delivered by then"), Scale::Linear, |share| {
            percent(format_args!("{:.0}", share * 100.0))
        })
    };
    (!lines.is_empty()).then(|| {
 Picture::new("distribution", t!("How much of the mail had come"), t!(
            "Choose a time on the axis and go up: the line's height is the share of mail that had come by then. \
             Upright lines wait alike, slanted ones leave it to luck."
        ), said.join("; "), move |about, width| chart::lines(about, &across, &up, &lines, &[], width)).because(t!(
            "A mean hides who waits longest. Users remember the worst wait, not the average one: read the \
              right end of each line."
        ))
})
}

/// The cumulative distribution of latencies: the share of deliveries that took no longer.
fn cumulative(report: &Report, o: &Outcome) -> Option<Line> {
    let known = &o.latency_quantiles_us;
    let first = (known.first()? / 1e3, 0.0);
    let n = known.len() as f64;
    let points = known
        .iter()
        .zip(1..)
        .map(|(us, rank)| (us / 1e3, f64::from(rank) / n));
    Some(Line {
        name: printable(&o.technique),
        fill: fill(report, o),
        points: [first].into_iter().chain(points).collect(),
        dashed: false,
        steps: true,
    })
}

fn percentiles(o: &Outcome) -> Option<String> {
    let l = o.latency_us.as_ref()?;
    Some(t!(
        "%{name}: half within %{half}, nine tenths within %{most}",
        name = printable(&o.technique),
        half = waited(l.p50 / 1e3),
        most = waited(l.p90 / 1e3)
    ))
}

fn bytes(report: &Report) -> Option<Picture> {
    let rows: Vec<Row> = report.results.iter().flat_map(|o| both_ways(report, o)).collect();
    let tls = report.results.iter().any(|o| o.bytes.both(Label::Tls) > 0);
    let key = SHOWN.into_iter().filter(|label| tls || *label != Label::Tls);
    let key: Vec<(String, Fill)> = key
        .map(|label| (label.name().to_string(), Fill::Label(label)))
        .collect();
    let said: Vec<String> = rows.iter().map(|r| format!("{}: {}", r.name, r.note)).collect();
    let axis = Axis::new(&t!("bytes for each delivered mail"), Scale::Linear, figure);
    (!rows.is_empty()).then(|| {
 Picture::new("bytes", t!("Where the bytes went"), t!(
            "Grey is the mail itself; every colour is what was paid to bring it. ↑ goes to the server, ↓ to the \
               client. The upright stroke is what was predicted for the whole bar."
        ), said.join("; "), move |about, width| chart::bars(about, &axis, &key, &rows, width)).because(t!(
            "A request and its answer carry heads whether or not there is mail: who asks often pays often. A \
              stream pays for its opening once, and then a few bytes of framing for each mail, so its share \
              shrinks the more mail comes."
        ))
})
}

fn both_ways(report: &Report, o: &Outcome) -> Vec<Row> {
    let (mails, expected) = (o.carried() as f64, o.predicted_mails() as f64);
    if mails == 0.0 {
        return Vec::new();
    }
    let modelled = o.predicted.was_made() && !report.cut_short() && expected > 0.0;
    let sides = [
        ("↑", &o.bytes.up, &o.predicted.bytes.up, true),
        ("↓", &o.bytes.down, &o.predicted.bytes.down, false),
    ];
    let row = |(arrow, measured, predicted, apart): (&str, &Labelled<u64>, &Labelled<f64>, bool)| Row {
        name: format!("{} {arrow}", printable(&o.technique)),
        segments: SHOWN
            .map(|label| Segment {
                value: measured[label] as f64 / mails,
                fill: Fill::Label(label),
            })
            .into(),
        predicted: modelled.then(|| predicted.total / expected),
        note: format!("{} B", figure(measured.total as f64 / mails)),
        apart,
    };
    sides.map(row).into()
}

fn model(report: &Report) -> Option<Picture> {
    let made = report
        .results
        .iter()
        .filter(|o| o.predicted.was_made() && o.carried() > 0);
    let groups: Vec<Ratios> = made
        .filter(|_| !report.cut_short())
        .map(|o| against(report, o))
        .collect();
    let said = groups
        .iter()
        .flat_map(|g| g.figures.iter().map(move |f| format!("{}: {}", g.name, f.note)));
    let desc = said.collect::<Vec<_>>().join("; ");
    let unforeseen = match groups.iter().flat_map(|g| &g.figures).any(|f| f.ratio.is_none()) {
        true => {
            t!(
                "Without a mark is what takes no time in a simulated run: it has the network's, not the machine's."
            )
        }
        false => String::new(),
    };
    (!groups.is_empty()).then(|| {
 Picture::new("model", t!("Measured against predicted"), [
            t!(
                "A mark on the middle line was measured as predicted; to the right there was more of it, to the \
                 left less. What lies in the band is within a tenth."
            ),
            unforeseen,
        ]
        .join(" "), desc, move |about, width| chart::ratios(about, &groups, width)).because(t!(
            "The predictions come from the same run in simulated time over a simulated network: they are what the \
             protocol costs by itself. Where both agree, the machine adds nothing; where they part, something else \
             is at work: the machine, its scheduler, or chance in a short run."
        ))
})
}

fn against(report: &Report, o: &Outcome) -> Ratios {
    let runs = o.runs() as f64;
    let p = &o.predicted;
    let latency = o.latency_us.as_ref().map(|l| l.mean / 1e3);
    let (carried, expected) = (o.carried() as f64, o.predicted_mails().max(1) as f64);
    let figures = [
        latency.map(|ms| compared("latency", " ms", ms, p.latency_us.mean / 1e3)),
        (o.requests.total > 0).then(|| {
            compared(
                "requests",
                "",
                o.requests.total as f64 / runs,
                p.requests.total / runs,
            )
        }),
        Some(compared(
            "overhead",
            " B",
            o.overhead_bytes as f64 / carried,
            p.overhead_bytes / expected,
        )),
    ];
    Ratios {
        name: printable(&o.technique),
        fill: fill(report, o),
        figures: figures.into_iter().flatten().collect(),
    }
}

/// Below this latency, in milliseconds, the machine's own time dominates, which no formula predicts.
const FORESEEN_MS: f64 = 0.5;

fn compared(what: &str, unit: &str, measured: f64, predicted: f64) -> Ratio {
    let foreseeable = predicted > 0.0 && (unit != " ms" || predicted >= FORESEEN_MS);
    Ratio {
        ratio: foreseeable.then(|| measured / predicted),
        note: format!(
            "{what}: {}{unit} for {}{unit}",
            figure(measured),
            figure(predicted)
        ),
    }
}
