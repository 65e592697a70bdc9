//! A report as one page for a browser: nothing is loaded from elsewhere, it opens from disk and prints.
//! Light or dark as the reader has it (`prefers-color-scheme`, CSS Media Queries 5, section 12.5), usable
//! with the keyboard alone, aloud, and without colour. What it says it takes from the JSON contract, so a
//! saved run is drawn as a live one is.
//!
//! Every chart is there twice, for wide and for narrow screens; the style sheet shows one.

mod lanes;
mod view;

use anyhow::Result;
use askama::Template;

use super::runs::{self, Grid, Run};
use super::{Style, chart};
use crate::lang::t;
use crate::outcome::Report;
use view::{Heading, View};

pub use lanes::Lanes;
pub use view::{Figure, Plain, attempts, figure, seeds};

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    title: String,
    /// What is above everything, where there are several runs.
    compared: Option<Compared>,
    views: Vec<View>,
    /// Rules that turn charts dark.
    dark: String,
    /// The techniques' colours as CSS variables.
    inks: String,
    said: Said,
}

/// Several runs side by side.
struct Compared {
    headline: String,
    names: Vec<(usize, String, String)>,
    grids: Vec<Grid>,
    figures: Vec<Figure>,
}

/// What the page itself says.
struct Said {
    language: String,
    brand: String,
    skip: String,
    look: String,
    why: String,
    times: String,
    copy: String,
    copied: String,
    selected: String,
    warnings: String,
    zoom_in: String,
    zoom_out: String,
    earlier: String,
    later: String,
    all: String,
    /// What is seen of the timeline: FROM and TO stand for times.
    span: String,
    /// What keys do there.
    keys: String,
    words: String,
    /// The words of the tables, and what they mean.
    glossary: Vec<(&'static str, String)>,
}

impl Said {
    fn new() -> Said {
        Said {
            language: rust_i18n::locale().to_string(),
            brand: t!("what it costs to tell a client that mail has come"),
            skip: t!("Skip to the results"),
            look: t!("Look"),
            why: t!("Why"),
            times: t!("Behind a figure: how many times the first run's it is."),
            copy: t!("Copy"),
            copied: t!("Copied"),
            selected: t!("Selected"),
            warnings: t!("Warnings"),
            zoom_in: t!("Zoom in"),
            zoom_out: t!("Zoom out"),
            earlier: t!("Earlier"),
            later: t!("Later"),
            all: t!("All"),
            span: t!("FROM to TO"),
            keys: t!("Timeline: plus and minus zoom, arrows move, 0 shows all"),
            words: t!("The words"),
            glossary: glossary(),
        }
    }
}

fn glossary() -> Vec<(&'static str, String)> {
    vec![
        (
            "payload",
            t!("the mail as its sender made it, and what the client's application says in return"),
        ),
        (
            "head",
            t!("request lines, status lines, header fields; in HTTP/2 HEADERS frames, whole"),
        ),
        (
            "framing",
            t!("every other byte round a message: chunk sizes, event field names, frame headers, masks"),
        ),
        (
            "control",
            t!("what carries no message: pings, comments, close frames, settings, acknowledgements"),
        ),
        ("tls", t!("what encryption adds: handshake, records, tickets")),
        ("overhead", t!("every byte but payload")),
        (
            "latency",
            t!("from the instant a mail was due until the client's application holds it"),
        ),
        ("empty", t!("a request that was answered without mail")),
        (
            "failed",
            t!("a request that was answered with an error (a status of 400 or above), or not to the end"),
        ),
        (
            "reconnects",
            t!("how often clients had to open again what they keep open"),
        ),
        (
            "lost",
            t!("a mail that the client's cursor has passed without it"),
        ),
        (
            "undelivered",
            t!("a mail that the client's cursor had not reached when the run ended"),
        ),
    ]
}

/// Draws one run.
pub fn draw(report: &Report, _: &Style) -> Result<String> {
    let view = View::of(report, 1, Heading::Page)?;
    write(Page {
        title: view.sentence.clone(),
        compared: None,
        views: vec![view],
        dark: chart::dark(),
        inks: chart::variables(),
        said: Said::new(),
    })
}

/// Draws several runs: what they have in common first, then each.
pub fn draw_runs(all: &[Run], _: &Style) -> Result<String> {
    let names = runs::names(all);
    let view =
        |(n, (run, name)): (usize, (&Run, &String))| View::of(&run.report, n, Heading::Run(name.clone()));
    let views: Result<Vec<View>> = (1..).zip(all.iter().zip(&names)).map(view).collect();
    let headline = t!(
        "%{n} runs side by side: %{names}",
        n = all.len(),
        names = names.join(", ")
    );
    let drawn = runs::pictures(all);
    let figures: Result<Vec<Figure>> = drawn.iter().map(|p| figure(p, 0)).collect();
    write(Page {
        title: headline.clone(),
        compared: Some(Compared {
            headline,
            names: (1..)
                .zip(all.iter().zip(names))
                .map(|(n, (run, name))| (n, name, super::printable(&run.file)))
                .collect(),
            grids: runs::grids(all),
            figures: figures?,
        }),
        views: views?,
        dark: chart::dark(),
        inks: chart::variables(),
        said: Said::new(),
    })
}

fn write(page: Page) -> Result<String> {
    Ok(page.render()? + "\n")
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn page(report: &Report) -> String {
        draw(report, &Style::default()).unwrap()
    }

    fn every() -> Vec<Report> {
        vec![
            fixture::with_events(),
            fixture::lost(),
            fixture::empty(),
            fixture::replies(),
            fixture::talking(),
            fixture::five_seeds(),
            fixture::attachments(),
            fixture::of(&[]),
        ]
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for report in every() {
            let page = page(&report);
            let elsewhere = [
                "src=",
                "@import",
                "url(",
                "<link",
                "fetch(",
                "XMLHttpRequest",
                "import(",
            ];
            for way in elsewhere {
                assert!(!page.contains(way), "{way}");
            }
            let addresses = page.matches("http").count() - page.matches("http://www.w3.org/2000/svg").count();
            let said = page.matches("HTTP").count();
            assert!(addresses <= said, "an address besides the SVG name space");
        }
    }

    #[test]
    fn has_every_chart_twice_and_an_id_for_each() {
        let page = page(&fixture::with_events());
        for name in ["latency", "distribution", "bytes", "model"] {
            for size in ["wide", "narrow"] {
                assert_eq!(
                    page.matches(&format!("id=\"r1-{name}-{size}-t\"")).count(),
                    1,
                    "{name} {size}"
                );
            }
        }
        let ids = || {
            page.split(" id=\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
        };
        let mut unique: Vec<&str> = ids().collect();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), ids().count());
        for attribute in ["aria-labelledby=\"", "aria-describedby=\"", "href=\"#"] {
            for reference in page
                .split(attribute)
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
            {
                assert!(unique.contains(&reference), "{reference}");
            }
        }
    }

    #[test]
    fn what_a_file_says_is_not_markup() {
        let mut report = fixture::with_events();
        report.results[0].technique = "<script>alert(1)</script>".into();
        report.envelope.argv = vec!["compare".into(), "--replay".into(), "</code><b>".into()];
        report.environment.as_mut().unwrap().cpu = Some("<img>".into());
        let page = page(&report);
        assert_eq!(page.matches("<script>").count(), 1, "ours");
        assert!(!page.contains("</code><b>") && !page.contains("<img>"));
    }

    #[test]
    fn says_what_must_not_be_overlooked() {
        let mut report = fixture::lost();
        report.results[0]
            .trust
            .warnings
            .push("arrivals were up to 3.2 ms late".into());
        report.absent.push(crate::outcome::Absent {
            technique: "ws".into(),
            why: "nothing to upgrade".into(),
        });
        report.results[1].attempts.push(crate::outcome::Attempt {
            client: 0,
            transport: "websocket".into(),
            t_us: 0.0,
            took_us: 1_200.0,
            failed: Some("403".into()),
        });
        let page = page(&report);
        for said in [
            "sse: delivered 18 of 20: 2 lost",
            "arrivals were up to 3.2 ms late",
            "nothing to upgrade",
            "<td>websocket</td>",
            "403",
            "mailcall compare",
        ] {
            assert!(page.contains(said), "{said}");
        }
    }

    #[test]
    fn several_seeds_and_several_runs() {
        let seeds = page(&fixture::five_seeds());
        assert!(seeds.contains("±4.8") && seeds.contains("Seed by seed"));
        let run = |rtt: f64| {
            let mut report = fixture::with_events();
            report.scenario.link.rtt_ms = rtt;
            Run {
                file: "x.json".into(),
                report,
            }
        };
        let both = draw_runs(&[run(0.0), run(100.0)], &Style::default()).unwrap();
        for part in [
            "--rtt 0ms",
            "--rtt 100ms",
            "id=\"r1-latency-wide-t\"",
            "id=\"r2-latency-wide-t\"",
        ] {
            assert!(both.contains(part), "{part}");
        }
        assert_eq!(both.matches("<h1").count(), 1);
    }
}
