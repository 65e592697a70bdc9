//! Which of a visited server's mails came, and when they were due.

use std::time::{Duration, Instant};

use super::super::collect::{self};
use super::super::isolate::from_nanos;
use super::super::standalone::Schedule;
use super::reading::{self, Offset, Reading};
use super::schedule::{Arrived, MAX_MAILS};
use crate::mail::Plan;
use crate::outcome::{Event, EventKind, ServerClock, Warning};
use crate::technique::Record;

/// The mail of a visit.
pub struct Count {
    pub sent: u64,
    pub delivered: u64,
    /// The numbers of mails from outside, in order; `None` if the server did not name them all.
    pub outside: Option<Vec<u64>>,
    /// When the server's mail is due, from the start of its schedule.
    pub planned: Vec<Duration>,
    /// The server's clock, when it was asked before and after.
    readings: Vec<Reading>,
    /// When all clients were ready: mail that was due before had to wait for that.
    pub ready: Instant,
}

impl Count {
    pub fn of(
        arrived: &Arrived,
        later: Option<(Schedule, Reading)>,
        records: &[Record],
        interrupted: bool,
        ready: Instant,
    ) -> Count {
        let passed = records.iter().map(|r| r.passed).max().unwrap_or(0);
        // A server can say nothing about a log that it no longer has.
        let later = later.filter(|(later, _)| later.epoch == arrived.schedule.epoch);
        let (later, last) = later.unzip();
        let sent = match &later {
            // Mail that was on its way at the interrupt is not lost.
            _ if interrupted => passed,
            Some(later) => later.newest.min(arrived.last()).saturating_sub(arrived.after),
            // The server is gone, and with it the mail that clients waited for.
            None => arrived.awaited.unwrap_or(passed),
        };
        Count {
            sent,
            delivered: records.iter().map(|r| r.delivered).sum(),
            outside: later.and_then(|later| {
                let came = later.newest.checked_sub(arrived.after)?;
                let planned = later.planned.checked_sub(arrived.schedule.planned)?;
                (planned + later.outside.len() as u64 == came).then_some(later.outside)
            }),
            planned: Plan::instants(&arrived.schedule.scenario),
            readings: [arrived.reading].into_iter().chain(last).collect(),
            ready,
        }
    }

    /// When a mail was due; `None` if that is not known, or if it was never due.
    pub fn due(&self, arrived: &Arrived, number: u64) -> Option<Instant> {
        match arrived.undated() {
            Some(_) => None,
            None => self.roughly_due(arrived, number),
        }
    }

    /// The same of a mail of which it may not be certain: where the clocks are compared, it is wrong by what that
    /// comparison is, which is the same for all mails.
    pub fn roughly_due(&self, arrived: &Arrived, number: u64) -> Option<Instant> {
        let start_ns = arrived.schedule.start_ns;
        let due = self.planned(arrived, number)?;
        if arrived.reading.is_ours() {
            return Some(from_nanos(start_ns) + due);
        }
        // By our clock, the schedule may have started before this machine did: only the difference is computed.
        let since_ns = arrived.reading.server_ns as f64 - start_ns as f64;
        let corrected_ns = since_ns - self.offset().ns + arrived.reading.offset().ns;
        let due_ns = due.as_nanos() as f64 - corrected_ns;
        let at = arrived.reading.at;
        match due_ns < 0.0 {
            true => at.checked_sub(Duration::from_nanos(-due_ns as u64)),
            false => at.checked_add(Duration::from_nanos(due_ns as u64)),
        }
    }

    /// How far the server's clock is ahead of ours.
    fn offset(&self) -> Offset {
        // There is a first reading at least.
        reading::offset(&self.readings).unwrap_or(Offset {
            ns: 0.0,
            uncertainty_ns: 0.0,
        })
    }

    /// What is known of the server's clock.
    pub fn server_clock(&self, arrived: &Arrived, ended: Instant) -> ServerClock {
        let same = arrived.reading.is_ours();
        let known = if same { None } else { Some(self.offset()) };
        let first = arrived.reading;
        let joined_us = (first.server_ns as f64 - arrived.schedule.start_ns as f64) / 1e3;
        ServerClock {
            same,
            offset_us: known.map_or(0.0, |offset| offset.ns / 1e3),
            uncertainty_us: known.map_or(0.0, |offset| offset.uncertainty_ns / 1e3),
            joined_us,
            left_us: joined_us + ended.saturating_duration_since(first.at).as_secs_f64() * 1e6,
        }
    }

    /// When a mail was due by the schedule, from its start.
    pub fn planned(&self, arrived: &Arrived, number: u64) -> Option<Duration> {
        let before = self.outside.as_ref()?.binary_search(&number).err()? as u64;
        let index = arrived.schedule.planned + (number - arrived.after - 1) - before;
        self.planned.get(usize::try_from(index).ok()?).copied()
    }

    /// Computes the latencies, now that it is known when mail was due.
    pub fn date(&self, arrived: &Arrived, record: &mut Record) {
        let dated = std::mem::take(&mut record.undated);
        record.latencies_us = dated
            .into_iter()
            .filter_map(|(number, at)| {
                let waited = at.saturating_duration_since(self.due(arrived, number)?);
                Some(waited.as_secs_f64() * 1e6)
            })
            .collect();
    }

    pub fn arrivals(&self, arrived: &Arrived) -> Vec<Event> {
        let numbers = (1..=self.sent.min(collect::SHOWN_MAILS as u64)).map(|n| arrived.after + n);
        numbers
            .filter_map(|number| {
                let due = self.due(arrived, number)?;
                let since = |a: Instant, b: Instant| a.saturating_duration_since(b).as_secs_f64();
                Some(Event {
                    t_us: (since(due, arrived.at) - since(arrived.at, due)) * 1e6,
                    client: None,
                    kind: EventKind::Arrived,
                    mail: Some(number),
                })
            })
            .collect()
    }

    pub fn warnings(&self, arrived: &Arrived) -> Vec<Warning> {
        let why = match (arrived.undated(), &self.outside) {
            (Some(why), _) => Some(why),
            (None, None) => Some(Warning::OutsideUnknown),
            (None, Some(_)) => None,
        };
        let last = arrived.after + self.sent;
        let mails = self.outside.iter().flatten().filter(|n| **n <= last).count() as u64;
        let unplanned = (mails > 0 && why.is_none()).then_some(Warning::FromOutside { mails });
        let numbers = (1..=self.sent.min(MAX_MAILS)).map(|n| arrived.after + n);
        let early = numbers.map_while(|number| {
            self.due(arrived, number)
                .map_or(Some(0), |due| (due < self.ready).then_some(1))
        });
        let mails = early.sum::<u64>();
        let early = (mails > 0).then_some(Warning::DueEarly { mails });
        let dated = arrived.undated().is_none() && !arrived.reading.is_ours();
        let compared = dated.then(|| Warning::ComparedClock {
            ms: self.offset().uncertainty_ns / 1e6,
        });
        [why, unplanned, early, compared].into_iter().flatten().collect()
    }
}
