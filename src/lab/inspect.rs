//! A short conversation: an ordinary run, with everything that crosses recorded and explained.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::gate::Gate;
use super::run::Run;
use super::{Lab, Recordings};
use crate::explain;
use crate::link::{Layer, Recorded, What};
use crate::mail::Cursor;
use crate::outcome::inspection::{Inspected, Inspection, Url};
use crate::outcome::{Arrivals, Labelled, Outcome, Scenario};
use crate::technique::{self, Serve, Technique};
use crate::wire::transcript::{Crossed, Happened, Transcript};
use crate::wire::{Decoder, Lengths};

/// The scenario that a conversation starts from: two mails far enough apart for something to happen in
/// between, and all other waits short enough to be seen.
pub fn scenario() -> Scenario {
    Scenario {
        mails: 2,
        arrivals: Arrivals::Steady,
        rate_per_s: 2.0,
        poll_interval_ms: 400.0,
        hold_ms: 300.0,
        heartbeat_ms: 300.0,
        ..Scenario::default()
    }
}

/// Runs the conversation, and explains it part by part.
///
/// # Errors
/// If it cannot be run, if mail is lost, or if the recording is not complete.
pub fn inspect(mut lab: Lab, technique: &'static Technique) -> anyhow::Result<Inspection> {
    let recordings = Recordings::default();
    lab.recordings = Some(recordings.clone());
    let mut outcome = Run::new(&lab, technique, Duration::ZERO).go(&Gate::new(1), &|_| {})?;
    if lab.cursor != Cursor::FIRST {
        // The client's cursor asks for a reset.
        outcome.mails.reset = 0;
    }
    ensure!(
        Outcome::clean(&outcome) || lab.interrupt.is_cancelled(),
        "mail was lost or came twice: this is no conversation to learn from"
    );
    let recording = recordings.of(technique.name);
    ensure!(recording.dropped() == 0, "more crossed than can be kept");
    let inspection = taken_apart(&lab.scenario, technique, &recording.connections())?;
    let [up, down] = inspection.labels().map(Labelled::from);
    ensure!(
        up == outcome.bytes.up && down == outcome.bytes.down,
        "the recording says {up:?} and {down:?}, the meter {:?}",
        outcome.bytes
    );
    Ok(inspection)
}

/// Splits a recording into parts that can be explained.
///
/// # Errors
/// If nothing was recorded.
pub fn taken_apart(
    scenario: &Scenario,
    technique: &Technique,
    connections: &[Recorded],
) -> anyhow::Result<Inspection> {
    let first = connections.first().context("nobody connected")?;
    let connections: Vec<Inspected> = connections
        .iter()
        .map(|c| take_apart(c, first.opened, decoder(technique), scenario.tls))
        .collect();
    let asked = connections.iter().find_map(|c| explain::target(&c.transcript));
    let url = Url {
        scheme: (technique.scheme)(scenario),
        authority: first.server,
        target: asked.unwrap_or_default(),
    };
    Ok(Inspection {
        technique: technique.name.into(),
        argv: Vec::new(),
        scenario: scenario.clone(),
        url,
        connections,
        partial: false,
    })
}

fn decoder(technique: &Technique) -> Decoder {
    match technique.serve {
        Serve::Http(_) => Decoder::http(technique::answers),
        Serve::Raw(_) => Decoder::Lengths(Lengths::default()),
    }
}

fn take_apart(recorded: &Recorded, epoch: Instant, decoder: Decoder, encrypted: bool) -> Inspected {
    let since = |at: Instant| at.saturating_duration_since(epoch).as_secs_f64() * 1e6;
    let crossed: Vec<Crossed> = recorded
        .crossings
        .iter()
        .map(|crossing| Crossed {
            at_us: since(crossing.at),
            sealed: encrypted && crossing.layer == Layer::Socket,
            direction: crossing.direction,
            what: match &crossing.what {
                What::Bytes(bytes) => Happened::Bytes(bytes),
                What::End => Happened::End,
                What::Reset => Happened::Reset,
            },
        })
        .collect();
    Inspected {
        client: recorded.client,
        opened_us: since(recorded.opened),
        closed_us: recorded.closed.map(since),
        transcript: Transcript::read(decoder, &crossed),
    }
}
