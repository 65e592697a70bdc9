//! What a mail's sender adds to its text.

use serde::{Deserialize, Serialize};

/// What a sender adds to a mail's text: STOMP's topic and headers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The index of the mail's topic in the scenario's list.
    pub topic: usize,
    /// Headers that every reader gets.
    pub headers: Vec<(String, String)>,
}

impl Note {
    /// The bytes that it takes in memory.
    pub(super) fn size(&self) -> usize {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| size_of::<(String, String)>() + name.len() + value.len());
        size_of::<Note>() + headers.sum::<usize>()
    }
}
