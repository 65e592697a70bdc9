//! The reader's language. The English text itself is the key, with values as named placeholders:
//! `t!("polling made %{n} requests", n = 12)`; `locales/*.ko.toml` has the Korean for it, and a text that
//! is not there stays English. A text in a table that is looked up only when it is drawn is marked in the
//! table: `text!("…")`, then `t!(row.text)`. The tables in `src/explain/*.toml` have both languages.
//!
//! A Korean particle depends on the end of the word before it, which may be a figure or a name: translations
//! contain `(은/는)`, `(이/가)`, `(을/를)`, `(과/와)`, `(으로/로)` and the like, see `lang/particle.rs`.

mod language;
mod particle;
mod spoken;

use std::borrow::Cow;

pub use language::Language;
pub use spoken::{Both, Text};

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

/// Gives each particle in a Korean text its form, whatever the reader's language.
pub fn particles(text: &str) -> String {
    particle::settle(text)
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
    fn lists_have_an_and() {
        assert_eq!(list::<&str>(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b"]), "a and b");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
