//! The main observation of a run, in one sentence.

use super::super::servers;
use super::alone::alone;
use super::compared::compared;
use super::figures::{latency, millis};
use crate::lang::{list, t, text};
use crate::outcome::{BehindProxies, Outcome, Report, SlowReaders, TabQueue};
use crate::report::notes::{Things, counted, disturbances, faults, named};
use crate::report::numbers::figure;
use crate::technique;

/// Returns the main observation in one sentence. `own` gives a technique's own sentence, used if it ran alone
/// and delivered everything.
pub fn notice(report: &Report, own: impl Fn(&Outcome) -> Option<String>) -> String {
    let results = &report.results;
    if report.cut_short() {
        return interrupted(results);
    }
    if results.is_empty() && !report.absent.is_empty() {
        return t!("What was asked for is not possible here.");
    }
    if results.iter().all(|o| o.mails.expected == 0) {
        return t!("No mail arrived, so there is nothing to compare.");
    }
    if let Some(said) = servers::sentence(report).or_else(|| unfinished(results)) {
        return said;
    }
    if let Some(said) = disturbed(results).or_else(|| held_back(results)) {
        return said;
    }
    if let Some(said) = starved(results).or_else(|| fell_behind(results)) {
        return said;
    }
    // The baseline is a reference, not a choice; it gets a sentence only if it ran alone.
    let mut competing: Vec<&Outcome> = results.iter().filter(|o| !o.is_baseline()).collect();
    if competing.is_empty() {
        competing.extend(results);
    }
    let said = match competing.as_slice() {
        [only] => own(only).unwrap_or_else(|| alone(only)),
        several => compared(report, several),
    };
    // The figures below are sums over the seeds.
    match results.iter().map(Outcome::runs).max() {
        Some(seeds) if seeds > 1 => t!("Over %{seeds} seeds: %{said}", seeds = seeds, said = said),
        _ => said,
    }
}

/// A technique's own sentence.
pub fn own(outcome: &Outcome) -> Option<String> {
    technique::named(&outcome.technique).map(|t| (t.lesson)(outcome))
}

fn interrupted(results: &[Outcome]) -> String {
    let (mut delivered, mut expected) = (0, 0);
    for o in results {
        delivered += o.mails.delivered;
        expected += o.mails.expected;
    }
    t!(
        "The run was interrupted after %{delivered} of %{expected} deliveries: compare nothing yet, run it again.",
        delivered = figure(delivered as f64),
        expected = figure(expected as f64)
    )
}

/// Lost mail is more important than any cost.
fn unfinished(results: &[Outcome]) -> Option<String> {
    let faulty = results.iter().filter(|o| !o.clean());
    let faulty: Vec<String> = faulty
        .map(|o| named(&o.technique, &faults(o).join(", ")))
        .collect();
    let said = match faulty.len() {
        0 => return None,
        1 => text!(
            "%{names} did not do the whole job, so what it cost here is not the price of delivering this mail."
        ),
        _ => text!(
            "%{names} did not do the whole job, so what they cost here is not the price of delivering this mail."
        ),
    };
    Some(t!(said, names = list(&faulty)))
}

/// Failures and reopened connections or requests are part of every figure.
fn disturbed(results: &[Outcome]) -> Option<String> {
    let which = results.iter().filter(|o| !o.undisturbed());
    let which: Vec<String> = which
        .map(|o| named(&o.technique, &disturbances(o).join(", ")))
        .collect();
    let said = match which.len() {
        0 => return None,
        1 => text!(
            "%{names} was disturbed on the way: what it cost here includes that, and is not its price on a connection \
             that holds."
        ),
        _ => text!(
            "%{names} were disturbed on the way: what they cost here includes that, and is not their price on \
             connections that hold."
        ),
    };
    Some(t!(said, names = list(&which)))
}

/// A stream that a proxy collected.
fn collected(o: &Outcome, behind: &BehindProxies) -> String {
    t!(
        "A proxy collected the stream of %{name}: its first mail came after %{first}, and %{each} came at once on \
         average. %{late} of %{mails} came only when the stream ended, and mail waited %{wait} on average.",
        name = o.technique,
        first = millis(behind.first_us.unwrap_or(0.0) / 1e3),
        each = counted(behind.mails_per_clump().unwrap_or(0.0), Things::Mails),
        late = figure(o.mails.held_back.unwrap_or(0) as f64),
        mails = counted(o.mails.delivered as f64, Things::Mails),
        wait = millis(latency(o))
    )
}

/// Tabs that never got one of their browser's few connections.
fn starved(results: &[Outcome]) -> Option<String> {
    let mut limit = 0;
    let each = results.iter().filter_map(|o| {
        let speaks = o.mails.replies.is_some() || o.talk.is_some();
        let is_felt = |tabs: &&TabQueue| tabs.undelivered > 0 || (tabs.unserved > 0 && speaks);
        let tabs = o.tabs.as_ref().filter(is_felt)?;
        limit = tabs.limit?;
        Some(t!(
            "With %{name} all of them were in use to the end: requests that waited for one in vain: %{unserved}, mails \
             that their tabs did not get: %{mails}.",
            name = o.technique,
            unserved = figure(tabs.unserved as f64),
            mails = figure(tabs.undelivered as f64)
        ))
    });
    let said = each.collect::<Vec<_>>().join(" ");
    (!said.is_empty()).then(|| {
        t!(
            "A browser opens at most %{limit} HTTP/1 connections to a host, for all its tabs together. %{said} HTTP/2 \
             needs one connection (--http 2), and WebSockets are counted apart.",
            limit = limit,
            said = said
        )
    })
}

/// What slow clients cost themselves, the server and the others.
fn fell_behind(results: &[Outcome]) -> Option<String> {
    let each = results.iter().filter_map(|o| {
        let slow = o.slow.as_ref().filter(|slow| slow.behind_mails > 0)?;
        let late = t!(
            "With %{name} a slow client was up to %{behind} behind and waited %{wait} on average.",
            name = o.technique,
            behind = counted(slow.behind_mails as f64, Things::Mails),
            wait = millis(slow.latency_us.map_or(0.0, |slow| slow.mean) / 1e3)
        );
        let waiting = slow.waiting_bytes.map(|bytes| {
            t!(
                " At most %{bytes} B waited for all clients at the server.",
                bytes = figure(bytes as f64)
            )
        });
        let others = slow.others_latency_us.map(|others| {
            t!(
                " The others waited %{wait} on average.",
                wait = millis(others.mean / 1e3)
            )
        });
        Some(
            [
                late,
                waiting.unwrap_or_default(),
                gone(slow),
                others.unwrap_or_default(),
            ]
            .concat(),
        )
    });
    let said: Vec<String> = each.collect();
    (!said.is_empty()).then(|| said.join(" "))
}

/// What a queue that was full cost.
fn gone(slow: &SlowReaders) -> String {
    match (slow.dropped, slow.cut_off) {
        (0, 0) => String::new(),
        (0, cut_off) => t!(
            " Clients whose queue was full were cut off and came back with their cursor (times: %{n}).",
            n = figure(cut_off as f64)
        ),
        (dropped, _) => t!(
            " Full queues dropped %{mails}, of which their clients were told as a gap.",
            mails = counted(dropped as f64, Things::Mails)
        ),
    }
}

/// Streams that opened and stayed silent until they ended.
fn held_back(results: &[Outcome]) -> Option<String> {
    let held = results
        .iter()
        .filter(|o| o.mails.held_back.is_some_and(|n| n > 0));
    let said: Vec<String> = held
        .map(|o| {
            if let Some(behind) = &o.behind_proxies {
                return collected(o, behind);
            }
            let silence = o.messages.first_us.unwrap_or(0.0) / 1e3;
            t!(
                "The stream of %{name} opened and stayed silent for %{silence}: something on the way holds an answer \
                 back until it is over. %{late} of %{mails} came only when the stream ended, and mail waited \
                 %{wait} on average.",
                name = o.technique,
                silence = millis(silence),
                late = figure(o.mails.held_back.unwrap_or(0) as f64),
                mails = counted(o.mails.delivered as f64, Things::Mails),
                wait = millis(latency(o))
            )
        })
        .collect();
    (!said.is_empty()).then(|| said.join(" "))
}
