//! Drawing results. A result says of itself what there is to read: a [`View`] makes a document (`doc`) of
//! it, which `render` draws as text, Markdown or HTML, and rows, which `csv` writes. JSON is the result
//! itself. So every command has every format; nothing here measures or decides anything about a run, and
//! what was saved can be drawn again.
//!
//! Runs are drawn from a [`Report`](crate::outcome::Report) by one file per format. What those share lies
//! beside them: `figures` (the columns, how a number is written, who is best), `noise` (what differs at
//! all), `notes` (the scenario, the delivery sheet and the warnings in words), `sentence` (what to notice)
//! and `timeline` (lanes); `chart` draws as SVG. `pcap` is of another kind: it writes what was recorded of
//! a run.

mod cascade;
mod chart;
mod csv;
mod doc;
mod draw;
mod figures;
#[cfg(test)]
pub(crate) mod fixture;
mod format;
mod html;
mod json;
mod markdown;
mod noise;
mod notes;
mod output;
pub mod pcap;
mod pictures;
mod prose;
mod render;
mod runs;
mod sentence;
mod source;
mod style;
mod table;
mod timeline;
mod topics;
pub mod transcript;
mod view;
mod views;

pub use draw::{draw, publish, publish_runs, render, render_runs};
pub use figures::figure;
pub use format::Format;
pub use json::json_of;
pub use notes::oddities;
pub use output::{check_output, deliver, deliver_with, is_file};
pub use prose::wrap;
pub use runs::Run;
pub use sentence::notice;
pub use style::{MIN_WIDTH, Style};
pub use view::View;
pub use views::sweep::came;

pub use crate::terminal::printable;
