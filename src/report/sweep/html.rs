//! A sweep as one page for a browser, in the dress of a run's.

use anyhow::Result;
use askama::Template;

use super::super::chart::{self, Fill};
use super::super::html::{Figure, figure};
use super::super::markdown::{command, place};
use super::{Sheet, pictures, sheets, words};
use crate::lang::{t, text};
use crate::outcome::BASELINE;
use crate::outcome::sweep::Sweep;

#[derive(Template)]
#[template(path = "sweep.html")]
struct Page {
    headline: String,
    scenario: String,
    alarms: Vec<String>,
    command: String,
    crossovers: Vec<String>,
    figures: Vec<Figure>,
    knob: String,
    sheets: Vec<Sheet>,
    legend: String,
    place: String,
    said: Said,
    /// Each technique's marker, to stand before its name.
    samples: Vec<String>,
    /// Rules that turn charts dark.
    dark: String,
    /// The techniques' colours as CSS variables.
    inks: String,
}

/// The words of the page itself, in the reader's language.
struct Said {
    language: String,
    brand: String,
    skip: String,
    look: String,
    who: String,
    copy: String,
    copied: String,
    selected: String,
    warnings: String,
}

/// Draws the page.
///
/// # Errors
/// If a chart cannot be drawn.
pub fn draw(sweep: &Sweep) -> Result<String> {
    let crossovers = words::crossovers(sweep);
    let figures: Result<Vec<Figure>> = pictures::of(sweep).iter().map(|p| figure(p, 1)).collect();
    let samples = sweep.techniques().into_iter().enumerate().map(|(n, name)| {
        chart::sample(match name {
            BASELINE => Fill::Baseline,
            _ => Fill::Technique(n),
        })
    });
    let page = Page {
        headline: crossovers.first().cloned().unwrap_or_default(),
        scenario: words::scenario(sweep),
        alarms: words::alarms(sweep),
        command: command(&sweep.argv),
        crossovers,
        figures: figures?,
        knob: sweep.knob.name.clone(),
        sheets: sheets(sweep),
        legend: words::legend(sweep, text!("least: no other has less beyond noise.")),
        place: measured_on(sweep),
        said: Said {
            language: rust_i18n::locale().to_string(),
            brand: t!("one knob, turned"),
            skip: t!("Skip to the results"),
            look: t!("Look"),
            who: t!("Who overtakes whom"),
            copy: t!("Copy"),
            copied: t!("Copied"),
            selected: t!("Selected"),
            warnings: t!("Warnings"),
        },
        samples: samples.collect::<Result<_>>()?,
        dark: chart::dark(),
        inks: chart::variables(),
    };
    Ok(page.render()? + "\n")
}

/// Where, if anything was.
fn measured_on(sweep: &Sweep) -> String {
    let run = sweep.results.iter().any(|r| r.outcome().is_some());
    let first = sweep.knob.stops.first().filter(|_| run);
    let place = first.map(|stop| place(&words::report(sweep, stop)));
    place.unwrap_or_default().trim_end_matches(" by:").into()
}
