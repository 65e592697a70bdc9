//! Reads the tables of explanations: `src/explain/*.toml`, one per protocol, English and Korean side by side.
//!
//! The Rust file of a protocol has a struct with a field for each single row, and [`Rows`] for rows that are
//! looked up by a key, such as header fields by their name. So a missing or superfluous row is an error when
//! the table is read, and a test reads all of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::unit::Explained;
use crate::lang::Text;
use crate::wire::transcript::Piece;

/// An explanation in both languages: what something is, why it is there, and which specification defines it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Row {
    /// Its name in the specification, if the row's key is not the name.
    #[serde(default)]
    name: String,
    /// The name in Korean, if it contains words.
    name_ko: Option<String>,
    en: String,
    ko: String,
    why: Option<Why>,
    /// The specification; empty for a row that is only a detail of another.
    #[serde(default)]
    pub source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    en: String,
    ko: String,
}

impl Row {
    /// The name.
    pub fn name(&'static self) -> Text {
        Text::both(&self.name, self.name_ko.as_deref().unwrap_or(&self.name))
    }

    /// The explanation of what it is.
    pub fn what(&'static self) -> Text {
        Text::both(&self.en, &self.ko)
    }

    /// The reason why it is there; may be empty.
    pub fn why(&'static self) -> Text {
        match &self.why {
            Some(why) => Text::both(&why.en, &why.ko),
            None => Text::default(),
        }
    }

    /// A piece with this row's explanation.
    pub fn part(&'static self, piece: &Piece) -> Explained {
        Explained::new(piece, self.what(), &self.source).because(self.why())
    }
}

impl From<&'static Row> for Text {
    fn from(row: &'static Row) -> Text {
        row.what()
    }
}

/// Rows that are looked up by a key.
pub type Keyed = BTreeMap<String, Row>;

/// Rows that are looked up by a key, with one for all other keys.
#[derive(Debug, Deserialize)]
pub struct Rows {
    /// The row for other keys.
    pub other: Row,
    #[serde(flatten)]
    rows: Keyed,
}

impl Rows {
    /// The row of a key, or the row for other keys.
    pub fn of(&self, key: &str) -> &Row {
        self.rows.get(key).unwrap_or(&self.other)
    }
}

/// Reads a table included in the source.
pub fn read<T: DeserializeOwned>(text: &str) -> T {
    // A test reads every table.
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: [&str; 11] = [
        include_str!("engineio.toml"),
        include_str!("fields.toml"),
        include_str!("http1.toml"),
        include_str!("http2.toml"),
        include_str!("mail.toml"),
        include_str!("sockjs.toml"),
        include_str!("ndjson.toml"),
        include_str!("sse.toml"),
        include_str!("stomp.toml"),
        include_str!("tls.toml"),
        include_str!("websocket.toml"),
    ];

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Any {
        Row(Box<Row>),
        Rows(Keyed),
    }

    fn check(key: &str, row: &Row) {
        let is_korean = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
        let why = row.why.iter().flat_map(|why| [(&why.en, &why.ko)]);
        for (en, ko) in why.chain([(&row.en, &row.ko)]) {
            assert!(!en.trim().is_empty() && en.is_ascii(), "{key}: {en}");
            assert!(is_korean(ko) || !en.contains(' ') && en == ko, "{key}: {ko}");
        }
        let source = &row.source;
        let named = source.contains("section") || ["", "none", "mailcall's own form"].contains(&&**source);
        assert!(named, "{key}: {source}");
    }

    #[test]
    fn every_row_has_both_languages_and_a_source() {
        let mut rows = 0;
        for text in TABLES {
            let table: BTreeMap<String, Any> = toml::from_str(text).unwrap();
            for (key, any) in &table {
                match any {
                    Any::Row(row) => check(key, row),
                    Any::Rows(all) => all.iter().for_each(|(key, row)| check(key, row)),
                }
                rows += if let Any::Rows(all) = any { all.len() } else { 1 };
            }
        }
        assert!(rows > 200, "only {rows} rows");
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let read = toml::from_str::<Row>;
        assert!(read("en = 'a'\nko = 'b'").is_ok());
        for text in [
            "en = 'a'",
            "ko = 'b'",
            "en = 'a'\nko = 'b'\nwhy.en = 'c'",
            "en = 'a'\nko = 'b'\nwhat = 'c'",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
