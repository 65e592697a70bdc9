//! The formats: the values of `--format`.

use clap::ValueEnum;

/// A way to draw a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For reading in a terminal
    #[default]
    #[value(alias = "text")]
    Table,
    /// Everything that was measured and predicted
    Json,
    /// One row per technique, or per part of a conversation, for a spreadsheet
    Csv,
    /// For a report or a README
    Markdown,
    /// One page for a browser, with charts
    Html,
}

impl Format {
    /// The value of `--format`.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map(|v| v.get_name().into()).unwrap_or_default()
    }

    /// Whether programs read it, which expect their fields even without a result.
    pub fn is_for_programs(self) -> bool {
        matches!(self, Format::Json | Format::Csv)
    }

    /// Whether its charts are separate files, so that it has them only if it is written to a file.
    pub fn has_charts_beside(self) -> bool {
        self == Format::Markdown
    }
}
