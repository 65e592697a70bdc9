//! The report's table over all students.

use super::room::{LANES, Room};
use crate::technique::Technique;
use crate::wire::Tally;

/// A technique over all students.
#[derive(Clone, Debug)]
pub struct Sum {
    /// The technique.
    pub technique: &'static Technique,
    /// Students whose pages used it.
    pub students: u64,
    /// Mails that the server sent.
    pub delivered: u64,
    /// The mean delay that pages reported, milliseconds.
    pub wait_ms: Option<f64>,
    /// Requests.
    pub requests: u64,
    /// Those that brought no mail.
    pub empty: u64,
    /// Bytes that were no payload, for each mail.
    pub overhead_per_mail: Option<f64>,
    /// Requests that are open now.
    pub held: Option<u64>,
}

impl Room {
    /// The report's table over all students: one row for each technique.
    pub fn sums(&self) -> Vec<Sum> {
        let students = self.students();
        let receipts: Vec<_> = students.iter().map(|student| student.receipts()).collect();
        let sum = |(lane, technique): (usize, &&'static Technique)| {
            let mut tally = Tally::default();
            students.iter().for_each(|s| tally += s.lanes[lane].tally());
            let (mut mails, mut delay) = (0, 0.0);
            for received in receipts.iter().map(|r| &r[lane]) {
                mails += received.mails;
                delay += received.delay_ms;
            }
            let all = tally.up.total() + tally.down.total();
            let overhead = all - tally.up.payload - tally.down.payload;
            let held = self.served().and_then(|served| {
                let (_, traffic) = served.traffic.iter().find(|(name, _)| *name == technique.name)?;
                Some(traffic.counts().1)
            });
            let per = |sum: f64, n: u64| (n > 0).then(|| sum / n as f64);
            Sum {
                technique,
                students: students
                    .iter()
                    .filter(|s| s.lanes[lane].connections() > 0)
                    .count() as u64,
                delivered: tally.mails,
                wait_ms: per(delay, mails),
                requests: tally.requests,
                empty: tally.empty,
                overhead_per_mail: per(overhead as f64, tally.mails),
                held,
            }
        };
        LANES.iter().enumerate().map(sum).collect()
    }
}
