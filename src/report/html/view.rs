//! One run as the page shows it.

use anyhow::Result;

use super::lanes::Lanes;
use crate::lang::t;
use crate::outcome::{Attempt, EventKind, Outcome, Report};
use crate::report::chart;
use crate::report::figures::{self, Sheet, figure as number, mean_ms, overhead, times};
use crate::report::pictures::{self, Picture, fill, waited};
use crate::report::prose::words;
use crate::report::source::{command, place};
use crate::report::{notes, printable, sentence};

/// At what place of the page a run is.
pub enum Heading {
    /// It is all there is.
    Page,
    /// Among others, under this name.
    Run(String),
}

/// A run.
pub struct View {
    pub n: usize,
    /// The level of its own heading.
    pub level: u8,
    pub name: Option<String>,
    pub sentence: String,
    /// The sentence's words, and whether one must stay on a line: a number and its unit, a name.
    pub headline: Vec<(String, bool)>,
    /// What protocols on top cost and buy.
    pub layers: Option<String>,
    pub scenario: String,
    pub place: String,
    pub command: String,
    pub alarms: Vec<String>,
    pub absent: Vec<String>,
    pub cards: Vec<Card>,
    pub figures: Vec<Figure>,
    pub lanes: Option<Lanes>,
    pub waits: Option<Plain>,
    pub tables: Vec<Table>,
    pub legend: String,
    pub attempts: Option<Plain>,
    pub seeds: Option<Plain>,
}

/// What is most asked of a technique.
pub struct Card {
    pub name: String,
    pub ink: String,
    pub sample: String,
    pub facts: Vec<Fact>,
}

/// A figure, what it is of, and what was predicted of it.
pub struct Fact {
    pub value: String,
    pub unit: &'static str,
    pub of: String,
}

/// A chart with its words.
pub struct Figure {
    pub id: String,
    pub title: String,
    pub look: String,
    pub why: String,
    pub wide: String,
    pub narrow: String,
}

/// A table of measurements, predictions below them.
pub struct Table {
    pub caption: String,
    pub heads: Vec<(&'static str, &'static str)>,
    pub rows: Vec<Measured>,
}

/// A technique's row.
pub struct Measured {
    pub name: String,
    pub ink: String,
    pub cells: Vec<Cell>,
    pub predicted: Option<Vec<String>>,
}

/// A number and what stands behind it.
pub struct Cell {
    pub number: String,
    pub give: String,
    pub times: String,
    pub best: bool,
}

/// A table of texts.
pub struct Plain {
    pub caption: String,
    pub heads: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// The pixels a chart is drawn for.
const WIDE: u32 = 880;
const NARROW: u32 = 328;

/// Both sizes of a chart.
pub fn figure(picture: &Picture, run: usize) -> Result<Figure> {
    let id = format!("r{run}-{}", picture.name);
    Ok(Figure {
        title: picture.title.clone(),
        look: picture.look.clone(),
        why: picture.why.clone(),
        wide: picture.svg(&format!("{id}-wide"), WIDE)?,
        narrow: picture.svg(&format!("{id}-narrow"), NARROW)?,
        id,
    })
}

impl View {
    pub fn of(report: &Report, n: usize, heading: Heading) -> Result<View> {
        let cost = figures::cost(report);
        let sheets = [
            Some(figures::cost(report)),
            figures::talk(report),
            Some(figures::bytes(report)),
        ];
        let drawn: Result<Vec<Figure>> = pictures::of(report).iter().map(|p| figure(p, n)).collect();
        let cards: Result<Vec<Card>> = report.results.iter().map(|o| card(report, o)).collect();
        let (level, name) = match heading {
            Heading::Page => (1, None),
            Heading::Run(name) => (2, Some(name)),
        };
        let sentence = printable(&sentence::notice(report, sentence::own));
        let whole = |word: String| {
            let stays = word.contains([' ', '-']);
            (word, stays)
        };
        Ok(View {
            n,
            headline: words(&sentence).into_iter().map(whole).collect(),
            layers: sentence::layers(report).map(|l| printable(&l)),
            level,
            name,
            sentence,
            scenario: notes::scenario(report),
            place: place(report),
            command: command(&report.envelope.argv),
            alarms: notes::alarms(report),
            absent: notes::absent(report).iter().map(|a| printable(a)).collect(),
            cards: cards?,
            figures: drawn?,
            lanes: Lanes::of(report, n),
            waits: waits(report),
            tables: sheets
                .iter()
                .flatten()
                .map(|sheet| table(report, sheet))
                .collect(),
            legend: notes::legend(report, &cost, &["p99", "state"]),
            attempts: attempts(report),
            seeds: seeds(report),
        })
    }

    /// The level of the headings within it.
    pub fn below(&self) -> u8 {
        self.level + 1
    }
}

fn ink(report: &Report, outcome: &Outcome) -> String {
    chart::variable(fill(report, outcome))
}

fn card(report: &Report, o: &Outcome) -> Result<Card> {
    let runs = o.runs() as f64;
    let modelled = |v: Option<f64>| {
        v.filter(|_| o.predicted.was_made() && !report.cut_short())
            .map(number)
    };
    let p = &o.predicted;
    let expected = o.mails.expected.max(1) as f64;
    let fact = |of: String, unit, value: Option<f64>, predicted| Fact {
        value: value.map_or("–".into(), number),
        unit: if value.is_some() { unit } else { "" },
        of: match modelled(predicted) {
            Some(n) => t!("%{what}, %{n} predicted", what = of, n = n),
            None => of,
        },
    };
    let ms = Some(p.latency_us.mean / 1e3).filter(|ms| *ms > 0.0);
    let each = o.requests.total as f64 / runs;
    let requests = if each == 1.0 {
        t!("request")
    } else {
        t!("requests")
    };
    Ok(Card {
        name: printable(&o.technique),
        ink: ink(report, o),
        sample: chart::sample(fill(report, o))?,
        facts: vec![
            fact(t!("mean wait"), "ms", mean_ms(o), ms),
            fact(requests, "", Some(each), Some(p.requests.total / runs)),
            fact(
                t!("overhead a mail"),
                "B",
                overhead(o),
                Some(p.overhead_bytes / expected),
            ),
        ],
    })
}

fn table(report: &Report, sheet: &Sheet) -> Table {
    let cell = |c: &figures::Cell| Cell {
        number: c.number.clone(),
        give: c.give.clone(),
        times: c.mark.times.map_or(String::new(), times),
        best: c.mark.best,
    };
    let row = |(i, o): (usize, &Outcome)| Measured {
        name: sheet.names[i].clone(),
        ink: ink(report, o),
        cells: sheet.columns.iter().map(|c| cell(&c.measured[i])).collect(),
        predicted: sheet
            .predicted
            .then(|| sheet.columns.iter().map(|c| c.predicted[i].clone()).collect()),
    };
    Table {
        caption: if sheet.title.is_empty() {
            t!("What each technique cost")
        } else {
            sheet.title.into()
        },
        heads: sheet.columns.iter().map(|c| (c.title, c.unit)).collect(),
        rows: report.results.iter().enumerate().map(row).collect(),
    }
}

/// So many mails are listed one by one.
const LISTED: u64 = 20;

/// When each of the first mails arrived, and how long the first client of each technique waited for it.
fn waits(report: &Report) -> Option<Plain> {
    let at = |o: &Outcome, kind: EventKind, mail: u64| {
        let of = |e: &&crate::outcome::Event| {
            e.kind == kind && e.mail == Some(mail) && e.client.is_none_or(|c| c == 0)
        };
        o.events.iter().find(of).map(|e| e.t_us)
    };
    let arrived = |mail: u64| {
        report
            .results
            .iter()
            .find_map(|o| at(o, EventKind::Arrived, mail))
    };
    let row = |mail: u64| {
        let due = arrived(mail)?;
        let waited_for = |o: &Outcome| match at(o, EventKind::Delivered, mail) {
            Some(t) => waited((t - due) / 1e3),
            None => "–".into(),
        };
        let start = [mail.to_string(), format!("{:.3} s", due / 1e6)];
        Some(
            start
                .into_iter()
                .chain(report.results.iter().map(waited_for))
                .collect(),
        )
    };
    let rows: Vec<Vec<String>> = (1..=LISTED).map_while(row).collect();
    let names = report.results.iter().map(|o| printable(&o.technique));
    (!rows.is_empty()).then(|| Plain {
        caption: t!(
            "The first %{n} mails, one by one: how long each waited",
            n = rows.len()
        ),
        heads: ["mail".into(), "arrived at".into()]
            .into_iter()
            .chain(names)
            .collect(),
        rows,
    })
}

/// What the first clients tried before they found a transport that worked.
pub fn attempts(report: &Report) -> Option<Plain> {
    let row = |o: &Outcome, a: &Attempt| {
        let result = a
            .failed
            .as_ref()
            .map_or("works".into(), |why| format!("failed: {}", printable(why)));
        vec![
            printable(&o.technique),
            (a.client + 1).to_string(),
            printable(&a.transport),
            waited(a.t_us / 1e3),
            waited(a.took_us / 1e3),
            result,
        ]
    };
    let rows: Vec<Vec<String>> = report
        .results
        .iter()
        .flat_map(|o| o.attempts.iter().map(move |a| row(o, a)))
        .collect();
    let heads = [
        "technique",
        "client",
        "transport",
        "began after",
        "took",
        "result",
    ];
    (!rows.is_empty()).then(|| Plain {
        caption: t!("Which transports were tried"),
        heads: heads.map(String::from).into(),
        rows,
    })
}

/// A row for each seed and technique, where there are several seeds.
pub fn seeds(report: &Report) -> Option<Plain> {
    let row = |o: &Outcome, i: usize, one: &Outcome| {
        let text = |v: Option<f64>| v.map_or("–".into(), number);
        vec![
            printable(&o.technique),
            report.scenario.seed.wrapping_add(i as u64).to_string(),
            text(mean_ms(one)),
            one.requests.total.to_string(),
            text(overhead(one)),
        ]
    };
    let all = report
        .results
        .iter()
        .flat_map(|o| o.repeats.iter().enumerate().map(move |(i, one)| row(o, i, one)));
    let rows: Vec<Vec<String>> = all.collect();
    let heads = [
        "technique",
        "seed",
        "mean latency, ms",
        "requests",
        "overhead, B per mail",
    ];
    (!rows.is_empty()).then(|| Plain {
        caption: t!("Seed by seed"),
        heads: heads.map(String::from).into(),
        rows,
    })
}
