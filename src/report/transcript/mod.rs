//! Drawing an [`Inspection`]: every byte that crossed, and what it is. One file per format; what they
//! share lies beside them: `bytes` (how bytes are written), `scheme` (what a URL decides) and `state`
//! (what the server had to be told, and how often).

mod bytes;
mod html;
mod json;
mod scheme;
mod state;
mod text;
mod view;

use anyhow::{Result, ensure};

use super::format::Format;
use super::style::Style;
use crate::explain::{self, Unit};
use crate::outcome::inspection::Inspection;
use crate::wire::{Direction, Label, Labels};

/// What goes on top of any style.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extent {
    /// Show every byte of a long part, too.
    pub whole: bool,
}

/// Draws an inspection; the text ends in a newline.
///
/// # Errors
/// If it does not account for every byte: then nothing in it may be believed.
pub fn render(format: Format, inspection: &Inspection, style: &Style, extent: Extent) -> Result<String> {
    ensure!(
        inspection.is_complete(),
        "the transcript does not account for every byte that crossed"
    );
    let units: Vec<Vec<Unit>> = inspection
        .connections
        .iter()
        .map(|connection| explain::units(&connection.transcript))
        .collect();
    ensure!(
        units.iter().flatten().map(Unit::len).sum::<u64>() == inspection.raw().iter().sum::<u64>(),
        "the explanations do not account for every byte that crossed"
    );
    match format {
        Format::Table => Ok(text::draw(inspection, &units, style, extent)),
        Format::Json => super::json::json_of(&json::document(inspection, &units)),
        Format::Csv => super::csv::written(&view::records(&serde_json::to_value(json::document(
            inspection, &units,
        ))?)),
        Format::Markdown => Ok(super::render::markdown::draw(
            &view::doc(inspection, &units, extent),
            None,
        )),
        Format::Html => html::draw(inspection, &units, extent),
    }
}

/// The labels that have bytes, as one says it: `head 85 + payload 300`.
fn sum(labels: &Labels) -> String {
    let each: Vec<String> = labels
        .each()
        .map(|(label, n)| format!("{} {n}", name(label)))
        .collect();
    each.join(" + ")
}

fn name(label: Label) -> &'static str {
    match label {
        Label::Head => "head",
        Label::Framing => "framing",
        Label::Control => "control",
        Label::Payload => "payload",
        Label::Tls => "tls",
    }
}

/// Bytes by label up to here, up and down.
#[derive(Clone, Copy, Debug, Default)]
struct Running([Labels; 2]);

impl Running {
    fn add(&mut self, unit: &Unit) {
        self.0[unit.direction as usize] += unit.labels();
    }

    /// `up 85 = head 85; down 0`
    fn say(&self) -> String {
        let side = |name: &str, labels: &Labels| match labels.each().count() {
            0 => format!("{name} 0"),
            _ => format!("{name} {} = {}", labels.total(), sum(labels)),
        };
        format!("{}; {}", side("up", &self.0[0]), side("down", &self.0[1]))
    }
}

fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "→",
        Direction::Down => "←",
    }
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}
