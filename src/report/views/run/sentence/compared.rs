//! The sentence for several techniques.

use super::super::noise::Noise;
use super::super::tables;
use super::alike::{alike, busy, slow};
use super::figures::{
    SAME, bytes, extremes, label, latency, least, names, overhead, percent, requests, slower, timed,
};
use super::prices::prices;
use crate::lang::{list, t, text};
use crate::outcome::{Outcome, Report};
use crate::report::notes::{Things, counted, named};
use crate::report::numbers::figure;
use crate::wire::Label;

pub fn compared(report: &Report, results: &[&Outcome]) -> String {
    let noise = Noise::of(report);
    attachments(report, results)
        .or_else(|| replies(report, results))
        .or_else(|| both_ways(results))
        .unwrap_or_else(|| match differences(results, &noise) {
            Differences {
                overhead: true,
                latency,
                ..
            } => prices(results, &noise, latency),
            Differences { latency: true, .. } => slow(results),
            Differences { requests: true, .. } => busy(results),
            _ => alike(results),
        })
}

/// A photo as text needs base64, a third more; mentioned only where it dominates.
fn attachments(report: &Report, results: &[&Outcome]) -> Option<String> {
    let photo = report.scenario.attach as f64;
    let framing = |o: &Outcome| label(o, Label::Framing);
    let encodes = |o: &&Outcome| photo > 0.0 && framing(o) > 0.3 * photo && framing(o) > 0.5 * overhead(o);
    let (encoded, raw): (Vec<&Outcome>, Vec<&Outcome>) = results.iter().copied().partition(encodes);
    let cost = |of: &[&Outcome]| of.iter().map(|o| framing(o)).fold(0.0, f64::max);
    let share = percent(cost(&encoded), label(encoded.first()?, Label::Payload));
    let price = match encoded.len() {
        1 => text!("as base64, which makes framing %{bytes} a mail, %{share} on top of the mail"),
        _ => text!("as base64, which makes framing up to %{bytes} a mail, %{share} on top of the mail"),
    };
    let price = t!(price, bytes = bytes(cost(&encoded)), share = share);
    match raw.as_slice() {
        [] => Some(t!(
            "All of them carry the attachment %{price} itself.",
            price = price
        )),
        raw if cost(raw) < 0.05 * photo => {
            let carry = match encoded.len() {
                1 => text!("%{names} carries the attachment %{price} itself"),
                _ => text!("%{names} carry the attachment %{price} itself"),
            };
            let send = match raw.len() {
                1 => text!("%{names} sends it as it is, with %{bytes} of framing"),
                _ => text!("%{names} send it as it is, with %{bytes} of framing"),
            };
            Some(t!(
                "%{some}; %{others}.",
                some = t!(carry, names = names(&encoded), price = price),
                others = t!(send, names = names(raw), bytes = bytes(cost(raw)))
            ))
        }
        _ => None,
    }
}

/// Replies: a message on the open connection, or a request for each.
fn replies(report: &Report, results: &[&Outcome]) -> Option<String> {
    let replies = |o: &Outcome| o.mails.replies.unwrap_or(0);
    let talks = |o: &&Outcome| o.messages.up.is_some_and(|up| up > 0 && up >= replies(o));
    let (talking, posting): (Vec<&Outcome>, Vec<&Outcome>) = results.iter().copied().partition(talks);
    let (talker, _) = (talking.first()?, posting.first()?);
    let posts = posting
        .iter()
        .all(|o| o.requests.total >= replies(o) && o.messages.up.unwrap_or(0) == 0);
    (report.scenario.reply && posts && talker.requests.total < replies(talker)).then(|| {
        let made = |o: &&Outcome| named(&o.technique, &counted(requests(o), Things::Requests));
        t!(
            "Talking back: %{name} said its %{replies} on the connection it had, with %{requests} in all; %{others} \
             needed a request for each reply.",
            name = talker.technique,
            replies = counted(replies(talker) as f64, Things::Replies),
            requests = counted(requests(talker), Things::Requests),
            others = list(&posting.iter().map(made).collect::<Vec<_>>())
        )
    })
}

/// Which techniques send and receive on one connection, and what the others pay for a message.
fn both_ways(results: &[&Outcome]) -> Option<String> {
    fn price(o: &Outcome) -> f64 {
        let each = o.talk.as_ref().and_then(|t| t.overhead_bytes_per_message.up);
        each.unwrap_or(0.0)
    }
    let said = |o: &Outcome| o.talk.as_ref().map_or(0, |t| t.heard);
    let connections = |o: &Outcome| o.talk.as_ref().map_or(0.0, |t| t.connections_per_client);
    let talks = |o: &&Outcome| o.messages.up.is_some_and(|up| up > 0);
    let (talking, posting): (Vec<&Outcome>, Vec<&Outcome>) = results.iter().copied().partition(talks);
    let talker = least(&talking, price)?;
    let (_, dearest) = extremes(&posting, price)?;
    let posts = posting.iter().all(|o| said(o) > 0 && o.requests.total >= said(o));
    let holds = posts && said(talker) > talker.requests.total && price(dearest) > SAME * price(talker);
    holds.then(|| {
        let on = if connections(talker) == 1.0 { t!(" on its one connection") } else { String::new() };
        let opened = |o: &&Outcome| match connections(o) {
            1.0 => named(&o.technique, &t!("1 connection a client")),
            n => named(&o.technique, &t!("%{n} connections", n = figure(n))),
        };
        let said_it = t!(
            "Both ways at once: %{name} said its %{messages}%{on}, at %{price} of overhead each; %{others} needed a \
             request for every one, at up to %{dearest}, %{times} times as much.",
            name = talker.technique,
            messages = counted(said(talker) as f64, Things::Messages),
            on = on,
            price = bytes(price(talker)),
            others = list(&posting.iter().map(opened).collect::<Vec<_>>()),
            dearest = bytes(price(dearest)),
            times = figure((price(dearest) / price(talker)).round())
        );
        match results.iter().any(|o| o.bytes.down.tls > 0) {
            true => said_it + &t!(" Neither has what TLS adds."),
            false => said_it,
        }
    })
}

/// The figures in which the techniques differ enough to be mentioned.
struct Differences {
    latency: bool,
    requests: bool,
    overhead: bool,
}

fn differences(results: &[&Outcome], noise: &Noise) -> Differences {
    let differ = |of: fn(&Outcome) -> f64, figure| {
        extremes(results, of)
            .is_some_and(|(low, high)| of(high) > of(low) * SAME && noise.differs(high, low, figure))
    };
    Differences {
        latency: timed(results)
            && extremes(results, latency).is_some_and(|(quick, late)| slower(late, quick, noise)),
        requests: differ(requests, tables::requests),
        overhead: differ(overhead, tables::overhead),
    }
}
