//! The cursor: how far a client has read a log. And the notices that a server sends when a cursor does not
//! fit its log.
//!
//! ```text
//! 5          mail 5 was the last one seen, of the log that answers
//! 5.k3f9     of the log whose epoch is k3f9
//! 5.         of the log that answers; the client asks for its epoch
//! ```
//!
//! A log gets its epoch when it is created. A server that comes back with an empty log numbers its mails
//! from 1 again: only the epoch distinguishes its mail 5 from the old log's.

use std::fmt;
use std::str::FromStr;

use anyhow::Context;
use rand::rngs::SysRng;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The name of a log: four characters of a-z and 0-9.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Epoch([u8; Epoch::LENGTH]);

impl Epoch {
    /// How many characters an epoch has.
    pub const LENGTH: usize = 4;

    const CHARACTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

    /// An epoch that nobody can guess.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn random() -> anyhow::Result<Epoch> {
        let rng = ChaCha8Rng::try_from_rng(&mut SysRng).context("the system has no random numbers")?;
        Ok(Epoch::draw(rng))
    }

    fn draw(mut rng: ChaCha8Rng) -> Epoch {
        Epoch(std::array::from_fn(|_| {
            Epoch::CHARACTERS[rng.random_range(0..Epoch::CHARACTERS.len())]
        }))
    }

    /// The epoch of a run's logs, which is the same whenever the run is repeated.
    pub fn of_seed(seed: u64) -> Epoch {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // Streams from 1 on belong to clients.
        rng.set_stream(u64::MAX);
        Epoch::draw(rng)
    }

    /// The epoch of a log that this text identifies, for every server that reads that log.
    pub(super) fn of_text(text: &str) -> Epoch {
        Epoch::draw(ChaCha8Rng::from_seed(Sha256::digest(text).into()))
    }

    /// The epoch as a number.
    pub(super) fn to_bits(self) -> u32 {
        u32::from_be_bytes(self.0)
    }

    /// The reverse of [`Epoch::to_bits`].
    pub(super) fn from_bits(bits: u32) -> Epoch {
        Epoch(bits.to_be_bytes())
    }

    fn as_str(&self) -> &str {
        // It is ASCII, whether it was read or drawn.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A name that nobody else has: twelve characters of a-z and 0-9.
///
/// # Errors
/// If the system has no random numbers.
pub fn random_name() -> anyhow::Result<String> {
    let parts = [Epoch::random()?, Epoch::random()?, Epoch::random()?];
    Ok(parts.map(|part| part.to_string()).concat())
}

/// The error for a text of the wrong form: what it is not, and the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotOne(&'static str, String);

impl fmt::Display for NotOne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A stranger's text is not repeated at full length.
        let said: String = self.1.chars().take(40).collect();
        let NotOne(what, _) = self;
        write!(f, "{said:?} is not {what}")
    }
}

impl std::error::Error for NotOne {}

impl FromStr for Epoch {
    type Err = NotOne;

    fn from_str(text: &str) -> Result<Epoch, NotOne> {
        let bytes = <[u8; Epoch::LENGTH]>::try_from(text.as_bytes()).ok();
        let bytes = bytes.filter(|bytes| bytes.iter().all(|b| Epoch::CHARACTERS.contains(b)));
        let wrong = || NotOne("an epoch: allowed are 4 characters of a-z and 0-9", text.into());
        bytes.map(Epoch).ok_or_else(wrong)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Epoch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Epoch, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// The log that a cursor belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Log {
    /// The log that answers (`5`).
    #[default]
    Any,
    /// The log that answers, and the client asks for its epoch (`5.`).
    Asked,
    /// The log with this epoch (`5.k3f9`).
    Named(Epoch),
}

/// How far a client has read a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the last mail seen.
    pub number: u64,
    /// The log.
    pub log: Log,
}

impl Cursor {
    /// The cursor of a client that has seen no mail and knows no log.
    pub const FIRST: Cursor = Cursor {
        number: 0,
        log: Log::Asked,
    };

    /// A cursor in the log with this epoch.
    pub fn of(number: u64, epoch: Epoch) -> Cursor {
        let log = Log::Named(epoch);
        Cursor { number, log }
    }

    /// The log's epoch, if the cursor names it.
    pub fn epoch(&self) -> Option<Epoch> {
        match self.log {
            Log::Named(epoch) => Some(epoch),
            Log::Any | Log::Asked => None,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        match self.log {
            Log::Any => write!(f, "{number}"),
            Log::Asked => write!(f, "{number}."),
            Log::Named(epoch) => write!(f, "{number}.{epoch}"),
        }
    }
}

impl FromStr for Cursor {
    type Err = NotOne;

    fn from_str(text: &str) -> Result<Cursor, NotOne> {
        let (number, log) = match text.split_once('.') {
            None => (text, Some(Log::Any)),
            Some((number, "")) => (number, Some(Log::Asked)),
            Some((number, epoch)) => (number, epoch.parse().ok().map(Log::Named)),
        };
        // `parse` would accept a sign.
        let number = number
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| number.parse().ok());
        let cursor = number
            .flatten()
            .zip(log)
            .map(|(number, log)| Cursor { number, log });
        cursor.ok_or_else(|| {
            NotOne(
                "a cursor: allowed is N or N.EPOCH, the number of the last mail seen and the 4 characters \
                 a-z and 0-9 that name its log",
                text.into(),
            )
        })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a text, or a number alone: JSON may hold either.
impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cursor, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Cursor;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a cursor, N or N.EPOCH")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Cursor, E> {
                let log = Log::Any;
                Ok(Cursor { number, log })
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Cursor, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What a server says about the log itself: `{"gap":3}`, `{"reset":"k3f9"}`, `{"epoch":"k3f9"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notice {
    /// This many mails after the cursor are no longer kept.
    Gap(u64),
    /// The cursor does not fit this log, which follows from its beginning.
    Reset(Epoch),
    /// The log's epoch, for a client that asked.
    Epoch(Epoch),
}

impl Notice {
    /// As JSON.
    pub fn json(&self) -> String {
        match self {
            Notice::Gap(missed) => format!(r#"{{"gap":{missed}}}"#),
            Notice::Reset(epoch) => format!(r#"{{"reset":"{epoch}"}}"#),
            Notice::Epoch(epoch) => format!(r#"{{"epoch":"{epoch}"}}"#),
        }
    }

    /// The notice's name, for messages that carry one.
    pub fn name(&self) -> &'static str {
        match self {
            Notice::Gap(_) => "gap",
            Notice::Reset(_) => "reset",
            Notice::Epoch(_) => "epoch",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch() -> Epoch {
        "k3f9".parse().unwrap()
    }

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        for (text, number, log) in [
            ("0", 0, Log::Any),
            ("5", 5, Log::Any),
            ("0.", 0, Log::Asked),
            ("12.k3f9", 12, Log::Named(epoch())),
            ("18446744073709551615.k3f9", u64::MAX, Log::Named(epoch())),
        ] {
            let cursor = Cursor { number, log };
            assert_eq!((text.parse(), cursor.to_string()), (Ok(cursor), text.to_owned()));
            let json = serde_json::to_string(&cursor).unwrap();
            assert_eq!(serde_json::from_str::<Cursor>(&json).unwrap(), cursor);
        }
        assert_eq!("007.k3f9".parse(), Ok(Cursor::of(7, epoch())));
        assert_eq!(serde_json::from_str::<Cursor>("7").unwrap().number, 7);
    }

    #[test]
    fn what_is_no_cursor_is_refused_with_what_is() {
        for text in [
            "",
            ".",
            ".k3f9",
            "x",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1.5",
            "1.k3f",
            "1.k3f99",
            "1.K3F9",
            "1.k3f9.",
            "1.k3é",
            "18446744073709551616",
            "1,k3f9",
            "0x1",
        ] {
            let said = text.parse::<Cursor>().unwrap_err().to_string();
            assert!(
                said.contains(&format!("{text:?}")) && said.contains("N.EPOCH"),
                "{said}"
            );
        }
        let long = "9".repeat(10_000).parse::<Cursor>().unwrap_err().to_string();
        assert!(long.len() < 300);
        for json in ["-1", "1.5", "null", "true", "[]", r#"{"number":1}"#, r#""1.""" "#] {
            assert!(serde_json::from_str::<Cursor>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_notice_is_read_as_it_is_written() {
        for (notice, json) in [
            (Notice::Gap(3), r#"{"gap":3}"#),
            (Notice::Reset(epoch()), r#"{"reset":"k3f9"}"#),
            (Notice::Epoch(epoch()), r#"{"epoch":"k3f9"}"#),
        ] {
            assert_eq!(notice.json(), json);
            assert_eq!(serde_json::to_string(&notice).unwrap(), json);
            assert_eq!(serde_json::from_str::<Notice>(json).unwrap(), notice);
            assert!(json.starts_with(&format!(r#"{{"{}":"#, notice.name())));
        }
        for json in [
            r#"{"id":1}"#,
            r#"{"reset":"K3F9"}"#,
            r#"{"gap":-1}"#,
            r#"{"gap":1,"id":2}"#,
        ] {
            assert!(serde_json::from_str::<Notice>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_seed_has_its_epoch() {
        assert_eq!(Epoch::of_seed(1), Epoch::of_seed(1));
        assert_ne!(Epoch::of_seed(1), Epoch::of_seed(2));
        let four = [(); 4].map(|()| Epoch::random().unwrap());
        assert!(four.iter().any(|epoch| *epoch != four[0]));
    }
}
