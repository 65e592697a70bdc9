//! From the command line to the exit code.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::ValueEnum;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::failure::Failure;
use super::output::words;
use super::tell::complain;
use super::{commands, help, interrupt, refused};
use crate::lab::descriptors;
use crate::lang::{self, Language, t};
use crate::technique::flags::Flag;
use crate::technique::{self, Technique};
use crate::{report, terminal};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // First of all, because help may go to a file that must not grow, too.
    let listening = descriptors::ensure_some().and_then(|()| interrupt::listen());
    let words = signed(std::env::args_os());
    // Before the words are understood, because what is wrong with them is said in that language, too.
    language(&words).activate();
    let matches = match help::built(commands::whole()).try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(e) => return explain(&refused::without_password(e)),
    };
    match listening
        .map_err(Failure::Run)
        .and_then(|()| commands::dispatch(&matches))
    {
        Ok(code) => code,
        Err(Failure::Usage(e)) => {
            complain(&e);
            ExitCode::from(2)
        }
        Err(Failure::Run(e)) => {
            complain(&e);
            ExitCode::FAILURE
        }
    }
}

/// Joins each flag with a number below zero after it, `--rate -1/s` to `--rate=-1/s`: then that is a value,
/// which the flag refuses with its own message, and not an unknown flag.
fn signed(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let starts = |word: &OsString, digit: bool| {
        let mut bytes = word.as_encoded_bytes().iter();
        let second = bytes
            .next()
            .zip(bytes.next())
            .filter(|(first, _)| **first == b'-');
        second.is_some_and(|(_, second)| match digit {
            true => second.is_ascii_digit() || *second == b'.',
            false => *second == b'-',
        })
    };
    let mut joined: Vec<OsString> = Vec::new();
    let mut flags = true;
    for word in words {
        flags &= word != "--";
        match joined.last_mut() {
            Some(flag)
                if flags
                    && starts(&word, true)
                    && starts(flag, false)
                    && !flag.as_encoded_bytes().contains(&b'=') =>
            {
                flag.push("=");
                flag.push(word);
            }
            _ => joined.push(word),
        }
    }
    joined
}

/// Which technique an unknown flag belongs to, and why this technique does not have it.
fn of_another(refused: &clap::Error, words: &[String]) -> Option<String> {
    let Some(ContextValue::String(given)) = refused.get(ContextKind::InvalidArg) else {
        return None;
    };
    let named = |t: &&&Technique| words.iter().any(|word| word == t.name);
    let technique = technique::ALL.iter().find(named)?;
    let is_given = |flag: &&&Flag| {
        (flag.arg)()
            .get_long()
            .is_some_and(|long| given == &format!("--{long}"))
    };
    let flag_of = |t: &&&Technique| t.flags.iter().find(is_given).copied();
    if refused.kind() != ErrorKind::UnknownArgument || flag_of(&technique).is_some() {
        return None;
    }
    let owners: Vec<String> = technique::ALL
        .iter()
        .filter(|t| flag_of(t).is_some())
        .map(|t| t.name.into())
        .collect();
    let flag = technique::ALL.iter().find_map(|t| flag_of(&t))?;
    Some(t!(
        "`%{flag}` belongs to %{owners}; %{technique} has no %{lacking}",
        flag = given,
        owners = lang::list(&owners),
        technique = technique.name,
        lacking = t!(flag.lacking)
    ))
}

/// Prints help, or what is wrong with the command line.
fn explain(refused: &clap::Error) -> ExitCode {
    if let Some(why) = of_another(refused, &words()) {
        tell!("{}: {why}", t!("error"));
        return ExitCode::from(2);
    }
    let styled = refused::spoken(refused);
    let to_stderr = refused.use_stderr();
    let colour = match to_stderr {
        true => terminal::colour(&std::io::stderr()),
        false => terminal::colour(&std::io::stdout()),
    };
    // Help has no text from outside; an error may repeat what was typed, and with it an escape sequence.
    let foreign = words().iter().any(|word| word.contains(char::is_control));
    let text = match colour && !foreign {
        true => styled.ansi().to_string(),
        false => terminal::plain(&styled.to_string()),
    };
    match to_stderr {
        true => {
            let _ = write!(std::io::stderr(), "{text}");
            ExitCode::from(2)
        }
        false => match report::deliver(&text, None) {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                complain(&e);
                ExitCode::FAILURE
            }
        },
    }
}

/// The language that was asked for, or the locale's.
fn language(words: &[OsString]) -> Language {
    asked(words).unwrap_or_else(|| Language::of_locale(|name| std::env::var(name).ok()))
}

/// The value of `--lang`, wherever it stands.
fn asked(words: &[OsString]) -> Option<Language> {
    let mut words = words.iter().take_while(|word| *word != "--");
    let mut value = None;
    while let (None, Some(word)) = (value, words.next()) {
        value = match word.to_str() {
            Some("--lang") => words.next().and_then(|next| next.to_str()),
            Some(word) => word.strip_prefix("--lang="),
            None => None,
        };
    }
    Language::from_str(value?, false).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_found_before_the_words_are_understood() {
        for (words, language) in [
            ("mailcall --lang ko poll", Some(Language::Ko)),
            ("mailcall poll --rate x --lang=ko", Some(Language::Ko)),
            ("mailcall --lang en --help", Some(Language::En)),
            ("mailcall poll --langue ko", None),
            ("mailcall demo -- --lang ko", None),
            ("mailcall --lang", None),
            ("mailcall --lang de", None),
        ] {
            let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
            assert_eq!(asked(&words), language, "{words:?}");
        }
    }
}
