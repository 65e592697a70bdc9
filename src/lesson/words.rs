//! A lesson's texts: in English, in Korean or in both, with figures of the last run in place of `{jq
//! expression}`. `{{` and `}}` stand for braces.

use crate::lang::t;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::expression::{Expression, Results};

/// A text as it is written in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "`en` and `ko`")]
pub(super) struct Written {
    en: Option<Spanned<String>>,
    ko: Option<Spanned<String>>,
}

/// A text in the languages it was written in.
#[derive(Clone, Debug)]
pub struct Words {
    en: Option<Template>,
    ko: Option<Template>,
}

type Template = Vec<Piece>;

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Value(Expression),
}

impl Written {
    /// Reads the expressions in it.
    ///
    /// # Errors
    /// What is wrong, and where in the file.
    pub(super) fn read(self, all: Range<usize>) -> Result<Words, (Range<usize>, String)> {
        let template = |text: Option<Spanned<String>>| {
            text.map(|t| parse(t.get_ref()).map_err(|e| (t.span(), e)))
                .transpose()
        };
        let words = Words {
            en: template(self.en)?,
            ko: template(self.ko)?,
        };
        match words.en.is_some() || words.ko.is_some() {
            true => Ok(words),
            false => Err((all, t!("it has neither `en` nor `ko`"))),
        }
    }
}

impl Words {
    /// The text in a language, or in the other one if it has only that.
    ///
    /// # Errors
    /// If a figure has no value.
    pub fn say(
        &self,
        korean: bool,
        results: Option<&Results>,
        figure: impl Fn(&serde_json::Value) -> String,
    ) -> Result<String, String> {
        let (first, second) = match korean {
            true => (&self.ko, &self.en),
            false => (&self.en, &self.ko),
        };
        let pieces = first.as_ref().or(second.as_ref()).into_iter().flatten();
        pieces
            .map(|piece| match (piece, results) {
                (Piece::Text(text), _) => Ok(text.clone()),
                (Piece::Value(expression), Some(results)) => match expression.value(results) {
                    Ok(value) => Ok(figure(&value)),
                    Err(fault) => Err(format!("{{{}}}: {fault}", expression.text())),
                },
                (Piece::Value(expression), None) => Err(format!("{} before any run", expression.text())),
            })
            .collect()
    }

    /// How many minutes it takes to read it aloud, without figures: in English, or in Korean if it has only that.
    pub fn minutes(&self) -> f64 {
        let (text, a_minute) = match (&self.en, &self.ko) {
            (Some(english), _) => (english, 850.0),
            (None, Some(korean)) => (korean, 400.0),
            (None, None) => return 0.0,
        };
        let letters = text.iter().map(|piece| match piece {
            Piece::Text(text) => text.chars().count(),
            Piece::Value(_) => 0,
        });
        letters.sum::<usize>() as f64 / a_minute
    }

    /// The expressions of each language that it was written in.
    pub fn expressions(&self) -> Vec<Vec<&Expression>> {
        [&self.en, &self.ko].into_iter().flatten().map(values).collect()
    }

    /// Whether it was written in both languages.
    pub fn in_both(&self) -> bool {
        self.en.is_some() && self.ko.is_some()
    }
}

fn values(template: &Template) -> Vec<&Expression> {
    let values = template.iter().filter_map(|piece| match piece {
        Piece::Value(expression) => Some(expression),
        Piece::Text(_) => None,
    });
    values.collect()
}

fn parse(text: &str) -> Result<Template, String> {
    if text.trim().is_empty() {
        return Err(t!("it is empty"));
    }
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        plain += before;
        let doubled = ["{{", "}}"].into_iter().find(|d| from.starts_with(d));
        if let Some(doubled) = doubled {
            plain += &doubled[1..];
            rest = &from[2..];
            continue;
        }
        if from.starts_with('}') {
            return Err(t!("a `}` without its `{`; write `}}` for a brace"));
        }
        let (inside, behind) = from[1..]
            .split_once('}')
            .ok_or_else(|| t!("a `{` without its `}`; write `{{` for a brace"))?;
        pieces.push(Piece::Text(std::mem::take(&mut plain)));
        pieces.push(Piece::Value(Expression::parse(inside)?));
        rest = behind;
    }
    pieces.push(Piece::Text(plain + rest));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(en: &str) -> Result<Words, String> {
        Ok(Words {
            en: Some(parse(en)?),
            ko: None,
        })
    }

    fn said(en: &str) -> Result<String, String> {
        let results = Results::read(br#"{ "n": 7, "x": null }"#, None)?;
        words(en)?.say(true, Some(&results), |v| format!("<{v}>"))
    }

    #[test]
    fn figures_stand_where_braces_do() {
        assert_eq!(said("{.n} of {.n * 2}.").unwrap(), "<7> of <14>.");
        assert_eq!(said("{{\"read\":{.n}}}").unwrap(), "{\"read\":<7>}");
        assert_eq!(said("none").unwrap(), "none");
    }

    #[test]
    fn what_cannot_be_said_is_an_error() {
        for (text, error) in [
            ("", "empty"),
            ("a { b", "without its `}`"),
            ("a } b", "without its `{`"),
            ("{.n +}", "expected"),
            ("{.m}", "no key"),
            ("{.x}", "is null"),
        ] {
            assert!(said(text).unwrap_err().contains(error), "{text}");
        }
        assert!(
            words("{.n}")
                .unwrap()
                .say(false, None, |v| v.to_string())
                .is_err()
        );
    }
}
