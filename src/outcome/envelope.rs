//! The fields that the JSON of every result begins with.

use serde::{Deserialize, Serialize};

/// The version of the JSON contract.
pub const SCHEMA: u32 = 1;

/// The fields that the JSON of every result begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The version of mailcall that wrote it.
    pub mailcall: String,
    /// [`SCHEMA`] at the time of writing.
    pub schema: u32,
    /// The command whose result it is; `None` for a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The command line without the program's name; it reproduces the result.
    pub argv: Vec<String>,
    /// True if it was interrupted: the figures cover only what had happened by then.
    #[serde(default)]
    pub partial: bool,
}

impl Envelope {
    /// The envelope of a result of this version.
    pub fn new(command: Option<&str>, argv: Vec<String>, partial: bool) -> Envelope {
        Envelope {
            mailcall: env!("CARGO_PKG_VERSION").into(),
            schema: SCHEMA,
            command: command.map(String::from),
            argv,
            partial,
        }
    }
}
