//! The log of a run or of a server: chosen here, opened by the server.

use super::Lab;
use super::own_nats::OwnNats;
use crate::mail::{self, LogAt, Place};
use crate::outcome::{LogPlace, NatsAddress};
use crate::technique::Technique;

/// The name of the stream of a server that runs until it is stopped, where none is given.
const STREAM: &str = "mailcall";

/// The log of one run or server. Dropping it deletes the stream of a run.
#[derive(Debug)]
pub struct OpenLog {
    place: LogAt,
    /// A run's stream is deleted at its end, if the NATS server does not end with it.
    is_passing: bool,
    /// Runs as long as the log is needed.
    _own_nats: OwnNats,
}

impl OpenLog {
    /// Where it is: what each server of the run opens. If several servers do, only one of them may publish the run's
    /// mail.
    pub fn place(&self) -> &LogAt {
        &self.place
    }
}

impl Drop for OpenLog {
    fn drop(&mut self) {
        if let (true, LogAt::Nats(place)) = (self.is_passing, &self.place) {
            // If the server is gone, the stream stays: its name says what it was for.
            let _ = mail::remove(place);
        }
    }
}

impl Lab {
    /// Chooses the log of a run of this technique: a stream of its own, with a name that no other run has. A simulated
    /// run has its log in memory, because it does not simulate a NATS server.
    ///
    /// # Errors
    /// If a NATS server of our own cannot be started.
    pub fn open_log(&self, technique: &Technique) -> anyhow::Result<OpenLog> {
        let named = |given: Option<&str>| {
            let base = given.unwrap_or(STREAM);
            Ok(format!("{base}-{}-{}", technique.name, mail::random_name()?))
        };
        self.choose_log(named, true)
    }

    /// Chooses the log of a server that runs until it is stopped. A stream in a NATS server that was there stays there.
    ///
    /// # Errors
    /// If a NATS server of our own cannot be started.
    pub fn open_lasting_log(&self) -> anyhow::Result<OpenLog> {
        self.choose_log(|given| Ok(given.unwrap_or(STREAM).into()), false)
    }

    fn choose_log(
        &self,
        stream: impl FnOnce(Option<&str>) -> anyhow::Result<String>,
        is_passing: bool,
    ) -> anyhow::Result<OpenLog> {
        let (place, is_passing) = match &self.scenario.log {
            _ if self.simulated.is_some() => (LogAt::Memory, false),
            LogPlace::Memory => (LogAt::Memory, false),
            LogPlace::OwnNats => {
                let url = self.own_nats.url()?;
                let place = Place {
                    shown: url.clone(),
                    url,
                    stream: stream(None)?,
                };
                (LogAt::Nats(place), false)
            }
            LogPlace::Nats(address) => (LogAt::Nats(place(address, stream(address.stream())?)), is_passing),
        };
        Ok(OpenLog {
            place,
            is_passing,
            _own_nats: self.own_nats.clone(),
        })
    }
}

fn place(address: &NatsAddress, stream: String) -> Place {
    Place {
        url: address.url().into(),
        shown: address.shown().into(),
        stream,
    }
}
