//! One progress bar per technique on stderr; none where stderr is not a terminal.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::lab::Progress;
use crate::technique::Technique;
use crate::terminal;

/// Where bars are drawn, if anywhere. They have no colour.
pub fn target() -> ProgressDrawTarget {
    match terminal::redraws(&std::io::stderr()) {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    }
}

/// The bars of a comparison.
#[derive(Debug)]
pub struct Bars {
    all: MultiProgress,
    bars: Vec<(&'static str, ProgressBar)>,
}

impl Bars {
    /// Draws an empty bar for each technique.
    pub fn new(techniques: &[&'static Technique]) -> Bars {
        let all = MultiProgress::with_draw_target(target());
        let width = techniques.iter().map(|t| t.name.len()).max().unwrap_or(0);
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} mails {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bars = techniques.iter().map(|t| {
            let bar = all.add(ProgressBar::no_length()).with_style(style.clone());
            bar.set_prefix(format!("{:width$}", t.name));
            (t.name, bar)
        });
        Bars {
            bars: bars.collect(),
            all,
        }
    }

    /// Moves a technique's bar.
    pub fn show(&self, progress: Progress) {
        let Some((_, bar)) = self.bars.iter().find(|(name, _)| *name == progress.technique) else {
            return;
        };
        bar.set_length(progress.expected);
        bar.set_position(progress.delivered);
        bar.set_message(format!(
            "{:>6} requests {:>9} B",
            progress.requests, progress.bytes
        ));
        if progress.done {
            bar.abandon();
        }
    }

    /// Removes the bars, so that only the result stays.
    pub fn clear(&self) {
        // It fails only if stderr is closed, and then nothing is on it.
        let _ = self.all.clear();
    }
}
