//! A document as one page for a browser: it loads nothing from elsewhere, opens from disk and prints. It is
//! light or dark as the reader prefers (`prefers-color-scheme`, CSS Media Queries 5, section 12.5), and
//! usable with the keyboard alone, a screen reader, and without colour. A page shows the warnings first, then
//! the text, the charts, and the tables.
//!
//! Every chart is included twice, for wide and for narrow screens; the style sheet shows one.

use anyhow::Result;
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::chart;
use super::super::doc::{Block, Card, Doc, Mark, Narrow, Note, Table};
use super::super::picture::Picture;
use super::super::prose::words;
use super::lanes::svg::Drawn;
use crate::lang::{t, text};
use crate::terminal;

/// The widths in pixels that charts are drawn for.
const WIDE: u32 = 880;
const NARROW: u32 = 328;

/// The explanation of the mark of the best in a row.
const BEST: &str = text!("least: no other has less beyond noise.");

#[derive(Template)]
#[template(path = "doc.html")]
struct Page<'a> {
    doc: &'a Doc,
    /// The document, then its parts.
    articles: Vec<Article<'a>>,
    /// The terms in the tables, and their meanings.
    glossary: &'a [(&'static str, String)],
    /// The events as CSV in base64, where there are any.
    events: Option<String>,
    said: Said,
    /// CSS rules that make charts dark.
    dark: String,
    /// The techniques' colours as CSS variables.
    inks: String,
}

/// A document on the page.
struct Article<'a> {
    n: usize,
    /// The level of its headline; headings within it are one level below.
    level: u8,
    name: Option<&'a str>,
    doc: &'a Doc,
    /// The headline's words, and whether each must stay on one line: a number with its unit, or a name.
    headline: Vec<(String, bool)>,
    plates: Vec<Plate<'a>>,
}

/// A chart with its words.
enum Plate<'a> {
    Figure(Figure),
    Lanes(Box<Drawn>, Option<&'a Table>),
}

/// A chart in both sizes.
struct Figure {
    id: String,
    title: String,
    look: String,
    why: String,
    warnings: Vec<String>,
    wide: String,
    narrow: String,
}

/// The texts of the page itself, in the reader's language.
struct Said {
    language: String,
    skip: String,
    look: String,
    why: String,
    copy: String,
    copied: String,
    selected: String,
    warnings: String,
    zoom_in: String,
    zoom_out: String,
    earlier: String,
    later: String,
    all: String,
    /// The visible part of the timeline: FROM and TO are replaced by times.
    span: String,
    /// The function of keys there.
    keys: String,
    words: String,
    events: String,
}

/// Draws the page, with `events` as CSV to download.
///
/// # Errors
/// If a template cannot be filled in.
pub fn draw(doc: &Doc, events: Option<&str>) -> Result<String> {
    let alone = usize::from(doc.parts.is_empty());
    let first = Article::of(doc, alone, None);
    let parts = (1..).zip(&doc.parts);
    let parts = parts.map(|(n, part)| Article::of(&part.doc, n, Some(&part.name)));
    let all = [doc].into_iter().chain(doc.parts.iter().map(|part| &part.doc));
    let mut glossaries = all.flat_map(|doc| &doc.blocks).filter_map(|block| match block {
        Block::Glossary(words) => Some(words.as_slice()),
        _ => None,
    });
    let page = Page {
        doc,
        articles: [first].into_iter().chain(parts).collect(),
        glossary: glossaries.next().unwrap_or_default(),
        events: events.map(|csv| STANDARD.encode(csv)),
        said: Said::new(),
        dark: chart::dark(),
        inks: chart::variables(),
    };
    Ok(terminal::plain(&page.render()?) + "\n")
}

impl<'a> Article<'a> {
    fn of(doc: &'a Doc, n: usize, name: Option<&'a str>) -> Article<'a> {
        let plate = |block: &'a Block| match block {
            Block::Chart(picture) => Some(Plate::Figure(Figure::of(picture, n))),
            Block::Lanes(lanes) => {
                let drawn = Drawn::of(lanes, n)?;
                Some(Plate::Lanes(Box::new(drawn), lanes.waits.as_ref()))
            }
            _ => None,
        };
        let whole = |word: String| {
            let stays = word.contains([' ', '-']);
            (word, stays)
        };
        Article {
            n,
            level: if name.is_some() { 2 } else { 1 },
            name,
            doc,
            headline: words(&doc.headline).into_iter().map(whole).collect(),
            plates: doc.blocks.iter().filter_map(plate).collect(),
        }
    }

    /// The level of the headings within it.
    fn below(&self) -> u8 {
        self.level + 1
    }

    /// Whether a text differs from the headline.
    fn is_news(&self, text: &str) -> bool {
        text != self.doc.headline
    }

    fn is_any_news(&self, lines: &[String]) -> bool {
        lines.iter().any(|line| self.is_news(line))
    }

    /// The warnings, and what is absent.
    fn warnings(&self) -> Vec<&'a str> {
        let warning = |block: &'a Block| match block {
            Block::Warning(text) | Block::Absent(text) => Some(text.as_str()),
            _ => None,
        };
        self.doc.blocks.iter().filter_map(warning).collect()
    }

    /// A card's diagram; `place` is the card's place on the page.
    fn diagram(&self, card: &Card, place: impl std::fmt::Display) -> Option<String> {
        card.diagram(&format!("r{}-sketch-{place}", self.n))
    }

    /// The tables that compare documents, or all others.
    fn tables(&self, compares: bool) -> Vec<&'a Table> {
        let is_wanted = |table: &&Table| matches!(table.narrow, Narrow::Turn) == compares;
        self.doc.tables().filter(is_wanted).collect()
    }

    fn legend(&self, notes: &[Note]) -> String {
        self.doc.legend(notes, BEST, &self.doc.columns())
    }
}

impl Figure {
    fn of(picture: &Picture, n: usize) -> Figure {
        let id = format!("r{n}-{}", picture.name);
        Figure {
            title: picture.title.clone(),
            look: picture.look.clone(),
            why: picture.why.clone(),
            warnings: picture.warnings.clone(),
            wide: picture.svg(&format!("{id}-wide"), WIDE),
            narrow: picture.svg(&format!("{id}-narrow"), NARROW),
            id,
        }
    }
}

impl Said {
    fn new() -> Said {
        Said {
            language: rust_i18n::locale().to_string(),
            skip: t!("Skip to the results"),
            look: t!("Look"),
            why: t!("Why"),
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
            events: t!("Download the events as CSV (as --format csv --events writes them)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Report;
    use crate::report::fixture;
    use crate::report::format::Format;
    use crate::report::view::View;
    use crate::report::views::saved::{Saved, Several};

    fn page(report: &Report) -> String {
        draw(&report.doc(), None).unwrap()
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
            .push(crate::outcome::Warning::LateArrivals { ms: 3.2 });
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
            "<span>websocket</span>",
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
            ("x.json".to_string(), Saved::Run(Box::new(report)))
        };
        let both = Several::new(vec![run(0.0), run(100.0)], Format::Html).unwrap();
        let both = draw(&both.doc(), None).unwrap();
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
