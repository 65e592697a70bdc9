//! Drawing results. A [`View`] makes a document (`doc`) of a result, which `render` draws as text, Markdown
//! or HTML, and rows, which `csv` writes. JSON is the result itself. So every command has every format;
//! nothing here measures or decides anything about a run, and a saved result can be drawn again.
//!
//! The views are in `views`, one file or folder per command. What they share is beside them: `notes` (the
//! scenario, the delivery sheet and the warnings in sentences), `numbers` (formats of numbers), `picture` and
//! `chart` (charts as SVG), `lanes` (timelines; `live` draws them while a run
//! goes on). `pcap` is separate: it writes the recording of a run.

mod chart;
mod csv;
mod doc;
mod draw;
#[cfg(test)]
pub(crate) mod fixture;
mod format;
mod json;
mod lanes;
pub mod live;
mod notes;
mod numbers;
mod output;
pub mod pcap;
mod picture;
mod prose;
mod render;
mod source;
mod style;
mod table;
pub mod transcript;
mod view;
mod views;

pub use draw::{draw, publish};
pub use format::Format;
pub use json::json_of;
pub use notes::oddities;
pub use numbers::figure;
pub use output::{check_output, deliver, deliver_with, is_file};
pub use prose::wrap;
pub use style::{MIN_WIDTH, Style};
pub use view::View;
pub use views::run::sentence::notice;
pub use views::saved::{Saved, Several};
pub use views::sweep::came;

pub use crate::terminal::printable;
