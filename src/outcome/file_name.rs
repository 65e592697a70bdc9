//! A file name that the user gave. It need not be UTF-8; output and JSON replace what is not.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A file's name as the system has it, or a word that stands for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(OsString);

impl FileName {
    /// The name for display: bytes that are not UTF-8 are replaced by U+FFFD.
    pub fn lossy(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

impl AsRef<OsStr> for FileName {
    fn as_ref(&self) -> &OsStr {
        &self.0
    }
}

impl AsRef<Path> for FileName {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl From<OsString> for FileName {
    fn from(name: OsString) -> FileName {
        FileName(name)
    }
}

impl From<FileName> for OsString {
    fn from(name: FileName) -> OsString {
        name.0
    }
}

impl From<&str> for FileName {
    fn from(name: &str) -> FileName {
        FileName(name.into())
    }
}

impl Serialize for FileName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.to_string_lossy().serialize(to)
    }
}

impl<'de> Deserialize<'de> for FileName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<FileName, D::Error> {
        Ok(FileName(String::deserialize(from)?.into()))
    }
}
