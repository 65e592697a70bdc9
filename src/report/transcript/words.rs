//! What the formats of a transcript share: their extent, and texts.

use crate::explain::Unit;
use crate::lang::t;
use crate::wire::{Direction, Labels};

/// Options in addition to any style.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extent {
    /// Whether to show every byte of a long part.
    pub whole: bool,
}

/// The labels that have bytes, as text: `head 85 + payload 300`.
pub fn sum(labels: &Labels) -> String {
    let each: Vec<String> = labels
        .each()
        .map(|(label, n)| format!("{} {n}", label.name()))
        .collect();
    each.join(" + ")
}

/// Bytes by label up to here, up and down.
#[derive(Clone, Copy, Debug, Default)]
pub struct Running(pub [Labels; 2]);

impl Running {
    pub fn add(&mut self, unit: &Unit) {
        self.0[unit.direction as usize] += unit.labels();
    }

    /// The text `up 85 = head 85; down 0`.
    pub fn say(&self) -> String {
        let side = |name: &str, labels: &Labels| match labels.each().count() {
            0 => format!("{name} 0"),
            _ => format!("{name} {} = {}", labels.total(), sum(labels)),
        };
        format!("{}; {}", side("up", &self.0[0]), side("down", &self.0[1]))
    }
}

/// Where a specification says something: its name, and the number or the heading of the section.
pub fn cited(source: &str) -> String {
    let Some((work, part)) = source.split_once("section ") else {
        return t!(source);
    };
    match part.ends_with(|last: char| last.is_ascii_digit()) {
        true => t!("%{work}section %{number}", work = work, number = part),
        false => t!("%{work}section %{heading}", work = work, heading = part),
    }
}

pub fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "→",
        Direction::Down => "←",
    }
}

pub fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}
