//! Where the log of a scenario is: `--log`.

use std::fmt;
use std::str::FromStr;

use async_nats::ServerAddr;
use serde::{Deserialize, Serialize};

use crate::lang::t;

/// Where the log is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LogPlace {
    /// In the memory of each server.
    #[default]
    Memory,
    /// In a NATS server that is started for it.
    OwnNats,
    /// In a NATS server that is there.
    Nats(NatsAddress),
}

/// The address of a NATS server. Its texts do not have the password: [`NatsAddress::url`] does.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsAddress {
    url: String,
    shown: String,
    stream: Option<String>,
}

impl NatsAddress {
    /// `nats://HOST:PORT`, with a user and a password or with a token, if they were given.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same without them.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The name of the stream, if it was given.
    pub fn stream(&self) -> Option<&str> {
        self.stream.as_deref()
    }

    /// The address with everything that was given.
    pub fn secret(&self) -> String {
        self.with_stream(&self.url)
    }

    fn with_stream(&self, url: &str) -> String {
        match &self.stream {
            Some(stream) => format!("{url}/{stream}"),
            None => url.into(),
        }
    }
}

impl fmt::Display for NatsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_stream(&self.shown))
    }
}

impl fmt::Debug for NatsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl LogPlace {
    /// Whether it is in memory.
    pub fn is_memory(&self) -> bool {
        *self == LogPlace::Memory
    }

    /// The text that was given, with a password.
    pub fn secret(&self) -> String {
        match self {
            LogPlace::Nats(address) => address.secret(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for LogPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogPlace::Memory => f.write_str("memory"),
            LogPlace::OwnNats => f.write_str("nats"),
            LogPlace::Nats(address) => fmt::Display::fmt(address, f),
        }
    }
}

impl FromStr for LogPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<LogPlace, String> {
        match text {
            "memory" => Ok(LogPlace::Memory),
            "nats" => Ok(LogPlace::OwnNats),
            _ => address(text).map(LogPlace::Nats).ok_or_else(|| {
                t!(
                    "allowed are memory, nats, and nats://HOST:PORT or tls://HOST:PORT, with /STREAM after it for another stream than mailcall: 1 to 64 letters, digits, dashes and underscores"
                )
            }),
        }
    }
}

fn address(text: &str) -> Option<NatsAddress> {
    if !(text.starts_with("nats://") || text.starts_with("tls://")) {
        return None;
    }
    let mut url = text.parse::<ServerAddr>().ok()?.into_inner();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let named = |name: &str| (1..=64).contains(&name.len()) && name.chars().all(fits);
    let stream = match url.path().trim_start_matches('/') {
        "" => None,
        name if named(name) => Some(name.to_owned()),
        _ => return None,
    };
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    if !has_host || url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    url.set_path("");
    let secret = url.to_string();
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(NatsAddress {
        url: secret,
        shown: url.to_string(),
        stream,
    })
}

/// A word of the command line without the user, password or token of an address in it.
pub fn without_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        return word.into();
    };
    // A password may have any character, also in an address that is wrong.
    let shown = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{shown}")
}

impl TryFrom<String> for LogPlace {
    type Error = String;

    fn try_from(text: String) -> Result<LogPlace, String> {
        text.parse()
    }
}

impl From<LogPlace> for String {
    fn from(place: LogPlace) -> String {
        place.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_its_password_is_never_written() {
        for (text, url, stream, shown) in [
            ("nats://a:4222", "nats://a:4222", None, "nats://a:4222"),
            ("nats://a", "nats://a", None, "nats://a"),
            ("nats://[::1]:1/", "nats://[::1]:1", None, "nats://[::1]:1"),
            (
                "nats://a:4222/my-log",
                "nats://a:4222",
                Some("my-log"),
                "nats://a:4222/my-log",
            ),
            (
                "tls://u:s3cret@a:1/x",
                "tls://u:s3cret@a:1",
                Some("x"),
                "tls://a:1/x",
            ),
            ("nats://s3cret@a:1", "nats://s3cret@a:1", None, "nats://a:1"),
        ] {
            let place: LogPlace = text.parse().unwrap();
            let LogPlace::Nats(address) = &place else {
                panic!("{text}")
            };
            assert_eq!((address.url(), address.stream()), (url, stream), "{text}");
            let json = serde_json::to_string(&place).unwrap();
            assert_eq!(json, format!("{shown:?}"), "{text}");
            for written in [place.to_string(), format!("{place:?}"), json] {
                assert!(!written.contains("s3cret"), "{written}");
            }
            assert_eq!(place.secret().parse(), Ok(place.clone()), "{text}");
            assert_eq!(shown.parse::<LogPlace>().unwrap().to_string(), shown);
        }
        for text in ["memory", "nats"] {
            assert_eq!(text.parse::<LogPlace>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_word_is_shown_without_its_password() {
        for (word, shown) in [
            ("--log=nats://u:p@a:1/x", "--log=nats://a:1/x"),
            ("nats://u:p@q/r@a:x", "nats://a:x"),
            ("nats://a:1", "nats://a:1"),
            ("a@b", "a@b"),
            ("--seed", "--seed"),
        ] {
            assert_eq!(without_password(word), shown);
        }
    }

    #[test]
    fn what_is_no_place_is_refused_with_what_is() {
        for text in [
            "",
            "Memory",
            "disk",
            "localhost:4222",
            "http://a",
            "nats://",
            "nats:///x",
            "nats://a:99999",
            "nats://a/x.y",
            "nats://a/x/y",
            "nats://a/x?y=1",
            "nats://a/x#y",
        ] {
            let said = text.parse::<LogPlace>().unwrap_err();
            assert!(said.contains("nats://HOST:PORT"), "{text}: {said}");
        }
        assert!(
            format!("nats://a/{}", "x".repeat(65))
                .parse::<LogPlace>()
                .is_err()
        );
    }
}
