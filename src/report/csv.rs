//! Rows for a spreadsheet (RFC 4180).

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::terminal::printable;

/// The rows of a spreadsheet, before they are written.
#[derive(Default)]
pub struct Records {
    /// The columns: paths into the JSON of each row.
    pub paths: Vec<&'static str>,
    /// The rows as JSON.
    pub rows: Vec<Value>,
}

impl Records {
    /// A row for each result, with these columns: paths into its JSON.
    ///
    /// # Errors
    /// If a result cannot be serialised as JSON.
    pub fn of(paths: &'static str, results: &[impl Serialize]) -> Result<Records> {
        let rows: Result<_, _> = results.iter().map(serde_json::to_value).collect();
        Ok(Records {
            paths: paths.split_whitespace().collect(),
            rows: rows?,
        })
    }
}

/// Writes rows as CSV.
///
/// # Errors
/// If the CSV library fails.
pub fn written(records: &Records) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(records.paths.iter().map(|path| path.replace('.', "_")))?;
    for row in &records.rows {
        writer.write_record(records.paths.iter().map(|path| field(at(row, path))))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn at<'a>(row: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(row, |value, key| &value[key])
}

fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}
