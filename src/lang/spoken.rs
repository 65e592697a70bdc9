//! A text that is made in one place and drawn in another: in English for programs, in their own language
//! for people.

use std::borrow::Cow;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::language::Language;
use super::particle;

/// A text that reads as English; [`Text::spoken`] returns it in the reader's language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    english: Cow<'static, str>,
    /// Its Korean; `None` if it is the same in every language: a name, bytes, a figure.
    korean: Option<Korean>,
    values: Vec<(&'static str, Text)>,
}

/// A text in every language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Both {
    /// English.
    pub en: String,
    /// Korean.
    pub ko: String,
}

impl Both {
    /// The text in the reader's language.
    pub fn spoken(&self) -> &str {
        match Language::spoken() {
            Language::En => &self.en,
            Language::Ko => &self.ko,
        }
    }
}

/// Where a text's Korean is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Korean {
    /// In `locales/`, under this key.
    At(&'static str),
    /// This text, which stands beside the English in a table.
    Is(&'static str),
}

impl Text {
    /// A text that a table has in both languages.
    pub fn both(english: &'static str, korean: &'static str) -> Text {
        Text {
            english: english.into(),
            korean: Some(Korean::Is(korean)),
            values: Vec::new(),
        }
    }

    /// A text with values in it; `phrase!` makes it.
    pub fn with(key: &'static str, values: Vec<(&'static str, Text)>) -> Text {
        let english = filled(key, &values, |value| value.to_string());
        Text {
            english: english.into(),
            korean: Some(Korean::At(key)),
            values,
        }
    }

    /// The text in the reader's language.
    pub fn spoken(&self) -> String {
        self.in_language(Language::spoken())
    }

    /// The text in a language.
    pub fn in_language(&self, language: Language) -> String {
        match self.korean {
            Some(korean) if language == Language::Ko => {
                let template = match korean {
                    Korean::At(key) => rust_i18n::t!(key, locale = "ko"),
                    Korean::Is(text) => text.into(),
                };
                let say = |value: &Text| value.in_language(language);
                particle::settle(&filled(&template, &self.values, say))
            }
            _ => self.to_string(),
        }
    }

    /// The text in every language, for a page whose readers differ.
    pub fn in_both(&self) -> Both {
        Both {
            en: self.in_language(Language::En),
            ko: self.in_language(Language::Ko),
        }
    }
}

fn filled(template: &str, values: &[(&'static str, Text)], say: impl Fn(&Text) -> String) -> String {
    let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    let values: Vec<String> = values.iter().map(|(_, value)| say(value)).collect();
    rust_i18n::replace_patterns(template, &names, &values)
}

/// A text in the source is looked up.
impl From<&'static str> for Text {
    fn from(text: &'static str) -> Text {
        Text {
            english: text.into(),
            korean: (!text.is_empty()).then_some(Korean::At(text)),
            values: Vec::new(),
        }
    }
}

/// A text made at run time stays as it is.
impl From<String> for Text {
    fn from(text: String) -> Text {
        Text {
            english: text.into(),
            ..Text::default()
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.english
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.english == *other
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.english)
    }
}

#[cfg(test)]
mod tests {
    use crate::lang::phrase;

    use super::*;

    #[test]
    fn it_reads_as_english_whatever_is_in_it() {
        let inner = phrase!("%{one} and %{two}", one = "a", two = 7.to_string());
        let text = phrase!("%{one} and %{two}", one = inner, two = String::from("%{one}"));
        assert_eq!(&*text, "a and 7 and %{one}");
        assert_eq!(text.spoken(), "a and 7 and %{one}");
        assert!(text.starts_with("a and"));
        assert_eq!(Text::default().spoken(), "");
    }
}
