//! The languages of the output, and the one that the process uses.

use clap::ValueEnum;

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
}
