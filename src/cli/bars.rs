//! What a run shows on stderr while it goes on: for each technique a lane that grows, and its counts. Nothing where
//! stderr is not a terminal.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::tell;
use crate::lab::{Progress, Recent};
use crate::lang::t;
use crate::outcome::Scenario;
use crate::report::live;
use crate::technique::Technique;
use crate::terminal;

/// The fewest columns that a lane takes. With less room some counts are left out, or else the lanes.
const NARROWEST: usize = 30;
/// About how many mails the lanes show at a time, as a finished timeline does.
const MAILS: f64 = 20.0;

/// Where bars are drawn, if anywhere. They have no colour.
pub fn target() -> ProgressDrawTarget {
    match terminal::redraws(&std::io::stderr()) {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    }
}

/// How much of a run the lanes show at a time; `None` where nobody sees them.
pub fn recent(scenario: &Scenario) -> Option<Duration> {
    let shown = Duration::from_secs_f64((MAILS / scenario.rate_per_s.max(1e-3)).clamp(2.0, 60.0));
    (!target().is_hidden()).then_some(shown)
}

/// The lanes or bars of a comparison.
#[derive(Debug)]
pub struct Bars {
    all: MultiProgress,
    /// What the signs mean, and when mail arrived; none without lanes.
    arrivals: Option<[ProgressBar; 2]>,
    recent: Duration,
    /// Columns of the longest name.
    first: usize,
    bars: Vec<(&'static str, ProgressBar)>,
}

impl Bars {
    /// Draws an empty bar for each technique.
    pub fn new(techniques: &[&'static Technique]) -> Bars {
        Bars::with_lanes(techniques, None)
    }

    /// Draws an empty lane for each technique, which will show the last `recent` of a run.
    pub fn with_lanes(techniques: &[&'static Technique], recent: Option<Duration>) -> Bars {
        let all = MultiProgress::with_draw_target(target());
        let names = techniques.iter().map(|t| t.name.len()).chain(["mail".len()]);
        let first = names.max().unwrap_or(0);
        let template = match recent {
            Some(_) => "{prefix} {wide_msg}",
            None => "{prefix} {wide_bar} {pos}/{len} mails {msg}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = |name: &str| {
            let bar = all.add(ProgressBar::no_length()).with_style(style.clone());
            bar.set_prefix(format!("{name:first$}"));
            bar
        };
        Bars {
            arrivals: recent
                .filter(|_| !techniques.is_empty())
                .map(|_| ["", "mail"].map(bar)),
            recent: recent.unwrap_or_default(),
            first,
            bars: techniques.iter().map(|t| (t.name, bar(t.name))).collect(),
            all,
        }
    }

    /// Shows a technique's progress.
    pub fn show(&self, progress: Progress) {
        let Some((_, bar)) = self.bars.iter().find(|(name, _)| *name == progress.technique) else {
            return;
        };
        let requests = format!("{:>6} requests", progress.requests);
        let counts = format!("{requests} {:>9} B", progress.bytes);
        match &self.arrivals {
            Some(arrivals) => {
                let mails = format!("{:>5}/{}", progress.delivered, progress.expected);
                let all = [
                    format!("{mails} mails {counts}"),
                    format!("{mails} mails {requests}"),
                    mails,
                ];
                self.draw(arrivals, bar, progress.recent.as_ref(), &all);
            }
            None => {
                bar.set_length(progress.expected);
                bar.set_position(progress.delivered);
                bar.set_message(counts);
            }
        }
        if progress.done {
            bar.abandon();
        }
    }

    /// Draws a lane beside the first of `counts` that leaves room for it.
    fn draw(
        &self,
        arrivals: &[ProgressBar; 2],
        bar: &ProgressBar,
        recent: Option<&Recent>,
        counts: &[String],
    ) {
        let width = tell::stderr_width().unwrap_or(0);
        let cells = |counts: &str| width.saturating_sub(self.first + counts.len() + 3);
        let fitting = counts.iter().find(|counts| cells(counts) >= NARROWEST);
        let (Some(recent), Some(counts)) = (recent, fitting) else {
            bar.set_message(counts[0].clone());
            return;
        };
        let cells = cells(counts);
        let [signs, mail] = arrivals;
        let width_us = self.recent.as_secs_f64() * 1e6;
        let [arrived, lane] = live::rows(&recent.events, recent.now_us, width_us, cells);
        signs.set_message(t!("▼ mail arrives  ● is delivered  ─ open  · empty answer"));
        mail.set_message(arrived);
        let gap = cells.saturating_sub(lane.chars().count());
        bar.set_message(format!("{lane}{:gap$}  {counts}", ""));
    }

    /// Removes the bars, so that only the result stays.
    pub fn clear(&self) {
        // It fails only if stderr is closed, and then nothing is on it.
        let _ = self.all.clear();
        // A bar that is dropped would draw all of them again.
        self.all.set_draw_target(ProgressDrawTarget::hidden());
    }
}
