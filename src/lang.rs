//! The reader's language. The English text itself is the key, with values as named placeholders:
//! `t!("polling made %{n} requests", n = 12)`; `locales/*.ko.toml` has the Korean for it, and a text that
//! is not there stays English. A text in a table that is looked up only when it is drawn is marked in the
//! table: `text!("…")`, then `t!(row.text)`. The tables in `src/explain/*.toml` have both languages.
//!
//! A Korean particle depends on the end of the word before it, which may be a figure or a name: translations
//! contain `(은/는)`, `(이/가)`, `(을/를)`, `(과/와)`, `(으로/로)` and the like, see `lang/particle.rs`.

mod particle;
mod spoken;

use std::borrow::Cow;

use clap::ValueEnum;

pub use spoken::Text;

/// A language of the program's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// English
    En,
    /// Korean
    Ko,
}

impl Language {
    /// The language of the locale's variables: the first one that is set decides, as in POSIX (Base
    /// Definitions, 8.2). A language that is not known here, or a locale that is not UTF-8, is English.
    pub fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Language {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set);
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        // language[_territory][.codeset][@modifier]
        let (name, codeset) = locale.split_once('.').unwrap_or((&locale, "utf-8"));
        let codeset = codeset.split('@').next().unwrap_or_default();
        match name.split(['_', '-', '@']).next() {
            Some("ko") if matches!(codeset, "utf-8" | "utf8") => Language::Ko,
            _ => Language::En,
        }
    }

    /// Makes it the language of the whole process.
    pub fn activate(self) {
        rust_i18n::set_locale(self.tag());
    }

    /// The language of the process.
    pub fn spoken() -> Language {
        match &*rust_i18n::locale() {
            "ko" => Language::Ko,
            _ => Language::En,
        }
    }

    /// Its tag (RFC 5646), with which a page is marked.
    pub fn tag(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Ko => "ko",
        }
    }
}

/// A text in the reader's language: `t!("text with %{name}", name = value)`, or `t!(text)` for one that was
/// marked with `text!`. Returns a `String`.
macro_rules! t {
    ($($text:tt)+) => {
        $crate::lang::settle(rust_i18n::t!($($text)+))
    };
}

/// Marks a text that is looked up when it is drawn; it does not change the text.
macro_rules! text {
    ($text:expr) => {
        $text
    };
}

/// A [`Text`] with values in it: `phrase!("%{name} says %{purpose}.", name = …, purpose = …)`.
macro_rules! phrase {
    ($key:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::lang::Text::with($key, vec![$((stringify!($name), $crate::lang::Text::from($value))),*])
    };
}

pub(crate) use {phrase, t, text};

/// Gives each particle in a text the form that suits the word before it.
#[doc(hidden)]
pub fn settle(text: Cow<'_, str>) -> String {
    match Language::spoken() {
        Language::Ko => particle::settle(&text),
        Language::En => text.into_owned(),
    }
}

/// Items joined with commas and an "and": `a`, `a and b`, `a, b and c`.
pub fn list<S: AsRef<str>>(items: &[S]) -> String {
    let joined = |items: &[S]| items.iter().map(S::as_ref).collect::<Vec<_>>().join(", ");
    match items {
        [] => String::new(),
        [one] => one.as_ref().into(),
        [one, two] => t!("%{one} and %{two}", one = one.as_ref(), two = two.as_ref()),
        [first @ .., last] => t!(
            "%{items} and %{last}",
            items = joined(first),
            last = last.as_ref()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let of = |set: &[(&str, &str)]| {
            let set: Vec<(String, String)> = set.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            Language::of_locale(|name| set.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()))
        };
        assert_eq!(of(&[]), Language::En);
        for ko in [
            "ko_KR.UTF-8",
            "ko",
            "ko_KR",
            "ko_KR.utf8",
            "ko-KR",
            "ko_KR.UTF-8@dict",
            "KO_kr.utf-8",
        ] {
            assert_eq!(of(&[("LANG", ko)]), Language::Ko, "{ko}");
        }
        for other in [
            "C",
            "POSIX",
            "C.UTF-8",
            "en_US.UTF-8",
            "kok_IN.UTF-8",
            "ja_JP.UTF-8",
            "ko_KR.eucKR",
            "한국어",
        ] {
            assert_eq!(of(&[("LANG", other)]), Language::En, "{other}");
        }
        assert_eq!(of(&[("LC_ALL", "C"), ("LANG", "ko_KR.UTF-8")]), Language::En);
        assert_eq!(
            of(&[("LC_ALL", ""), ("LC_MESSAGES", "ko_KR.UTF-8"), ("LANG", "C")]),
            Language::Ko
        );
        assert_eq!(of(&[("LC_CTYPE", "ko_KR.UTF-8")]), Language::En);
    }

    #[test]
    fn lists_have_an_and() {
        assert_eq!(list::<&str>(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b"]), "a and b");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
