//! What is wrong with a command line, in the reader's language. clap's own wording is English; here the same is
//! said from an error's kind and context, for every kind that this command line can have.

use clap::Error;
use clap::builder::{StyledStr, Styles};
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::lang::{Language, t};
use crate::outcome;

/// The error with the value that it repeats, but not with a password in it.
pub fn without_password(mut refused: Error) -> Error {
    if let Some(ContextValue::String(value)) = refused.get(ContextKind::InvalidValue) {
        let shown = outcome::without_password(value);
        refused.insert(ContextKind::InvalidValue, ContextValue::String(shown));
    }
    refused
}

/// An error, or the help that was asked for.
pub fn spoken(refused: &Error) -> StyledStr {
    match (Language::spoken(), refused.use_stderr()) {
        (Language::Ko, true) => explained(refused),
        _ => refused.render(),
    }
}

/// The first paragraph without what it begins with: the error as a part of another.
pub fn in_short(refused: &Error) -> String {
    let said = match Language::spoken() {
        Language::En => refused.to_string(),
        Language::Ko => spoken(refused).to_string(),
    };
    let start = format!("{}: ", t!("error"));
    said.trim_start_matches(&*start).trim_end().to_owned()
}

fn explained(refused: &Error) -> StyledStr {
    let styles = Styles::styled();
    let (error, valid) = (styles.get_error(), styles.get_valid());
    let mut said = format!("{error}{}:{error:#} {}", t!("error"), what(refused));
    let tips = tips(refused);
    if !tips.is_empty() {
        said.push('\n');
    }
    for tip in tips {
        said += &format!("\n  {valid}{}:{valid:#} {tip}", t!("tip"));
    }
    if let Some(ContextValue::StyledStr(usage)) = refused.get(ContextKind::Usage) {
        let usage = usage.ansi().to_string().replacen("Usage", &t!("Usage"), 1);
        said += &format!("\n\n{usage}");
    }
    said += &format!("\n\n{}\n", t!("For more information, try '--help'."));
    said.into()
}

/// What is wrong.
fn what(refused: &Error) -> String {
    let arg = || named(refused, ContextKind::InvalidArg);
    let value = || named(refused, ContextKind::InvalidValue);
    let subcommand = || named(refused, ContextKind::InvalidSubcommand);
    match refused.kind() {
        ErrorKind::ArgumentConflict => conflict(refused),
        ErrorKind::NoEquals => t!(
            "equal sign is needed when assigning values to %{arg}",
            arg = arg()
        ),
        ErrorKind::InvalidValue => invalid(refused) + &bracketed(refused, ContextKind::ValidValue),
        ErrorKind::ValueValidation => match std::error::Error::source(refused) {
            Some(why) => format!("{}: {why}", invalid(refused)),
            None => invalid(refused),
        },
        ErrorKind::InvalidSubcommand => t!("unrecognized subcommand %{name}", name = subcommand()),
        ErrorKind::MissingRequiredArgument => {
            t!("the following required arguments were not provided:")
                + &lines(refused, ContextKind::InvalidArg)
        }
        ErrorKind::MissingSubcommand => t!(
            "%{name} requires a subcommand but one was not provided",
            name = subcommand()
        ),
        ErrorKind::InvalidUtf8 => t!("invalid UTF-8 was detected in one or more arguments"),
        ErrorKind::TooManyValues => t!(
            "unexpected value %{value} for %{arg} found; no more were expected",
            value = value(),
            arg = arg()
        ),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            t!("%{arg} has another number of values than it needs", arg = arg())
        }
        ErrorKind::UnknownArgument => t!("unexpected argument %{arg} found", arg = arg()),
        _ => refused
            .to_string()
            .trim_start_matches("error: ")
            .trim_end()
            .to_owned(),
    }
}

fn invalid(refused: &Error) -> String {
    let arg = named(refused, ContextKind::InvalidArg);
    match refused.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) if !value.is_empty() => t!(
            "invalid value %{value} for %{arg}",
            value = named(refused, ContextKind::InvalidValue),
            arg = arg
        ),
        _ => t!("a value is required for %{arg} but none was supplied", arg = arg),
    }
}

fn conflict(refused: &Error) -> String {
    let arg = match refused.get(ContextKind::InvalidArg) {
        Some(_) => named(refused, ContextKind::InvalidArg),
        None => named(refused, ContextKind::InvalidSubcommand),
    };
    match refused.get(ContextKind::PriorArg) {
        same if same == refused.get(ContextKind::InvalidArg) => {
            t!("the argument %{arg} cannot be used multiple times", arg = arg)
        }
        Some(ContextValue::Strings(_)) => {
            t!("the argument %{arg} cannot be used with:", arg = arg) + &lines(refused, ContextKind::PriorArg)
        }
        Some(ContextValue::String(_)) => t!(
            "the argument %{arg} cannot be used with %{other}",
            arg = arg,
            other = named(refused, ContextKind::PriorArg)
        ),
        _ => t!(
            "the argument %{arg} cannot be used with one of the others",
            arg = arg
        ),
    }
}

/// What clap proposes instead. What it has only as an English sentence is left out.
fn tips(refused: &Error) -> Vec<String> {
    let similar = |kind, say: fn(&str) -> String| {
        let names = match refused.get(kind)? {
            ContextValue::String(name) => vec![name.clone()],
            ContextValue::Strings(names) => names.clone(),
            _ => return None,
        };
        let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        Some(say(&names.join(", ")))
    };
    let tips = [
        similar(ContextKind::SuggestedSubcommand, |names| {
            t!("a similar subcommand exists: %{names}", names = names)
        }),
        similar(ContextKind::SuggestedArg, |names| {
            t!("a similar argument exists: %{names}", names = names)
        }),
        similar(ContextKind::SuggestedValue, |names| {
            t!("a similar value exists: %{names}", names = names)
        }),
    ];
    tips.into_iter().flatten().collect()
}

/// A name or a value in quotation marks. It has no colour, so that a particle after it fits.
fn named(refused: &Error, kind: ContextKind) -> String {
    match refused.get(kind) {
        Some(ContextValue::String(name)) => format!("'{name}'"),
        _ => String::new(),
    }
}

/// Names, each in a line of its own.
fn lines(refused: &Error, kind: ContextKind) -> String {
    match refused.get(kind) {
        Some(ContextValue::Strings(names)) => names.iter().map(|name| format!("\n  {name}")).collect(),
        _ => String::new(),
    }
}

fn bracketed(refused: &Error, kind: ContextKind) -> String {
    match refused.get(kind) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => {
            format!("\n  [{}: {}]", t!("possible values"), values.join(", "))
        }
        _ => String::new(),
    }
}
