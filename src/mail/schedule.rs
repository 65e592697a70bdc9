//! When letters arrive and what they hold, whether they are read from a file or made up.

use std::time::Duration;

use super::Letter;
use crate::outcome::Oddity;

/// When letters arrive and what they hold, before they are numbered.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// Offset from the start, and either a real letter or the size of one to make up.
    pub letters: Vec<(Duration, Content)>,
    /// What was odd about the file that they were read from.
    pub oddities: Vec<Oddity>,
}

/// What an arrival brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A real letter.
    Letter(Letter),
    /// A mail made up to this size of JSON text.
    Size(usize),
}

impl Schedule {
    /// Sorts arrivals, keeps the order of those at one instant, and counts offsets from the earliest.
    pub(super) fn sorted<T>(
        mut arrivals: Vec<(T, Content)>,
        order: impl Fn(&T, &T) -> std::cmp::Ordering,
        since: impl Fn(&T, &T) -> Duration,
    ) -> Option<Schedule> {
        arrivals.sort_by(|a, b| order(&a.0, &b.0));
        let offsets: Vec<_> = arrivals.iter().map(|(at, _)| since(at, &arrivals[0].0)).collect();
        let contents = arrivals.into_iter().map(|(_, content)| content);
        (!offsets.is_empty()).then(|| Schedule {
            letters: offsets.into_iter().zip(contents).collect(),
            oddities: Vec::new(),
        })
    }

    /// The same arrivals, `speed` times faster.
    pub(super) fn faster(mut self, speed: f64) -> Schedule {
        for (due, _) in &mut self.letters {
            *due = due.div_f64(speed);
        }
        self
    }
}
