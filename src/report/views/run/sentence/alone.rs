//! The sentence for a technique that ran alone.

use super::super::tables::mean_ms;
use super::figures::{bytes, label, millis, overhead, percent, requests, spread_thin, wasteful};
use crate::lang::t;
use crate::outcome::Outcome;
use crate::report::notes::{Things, counted};
use crate::report::numbers::figure;
use crate::wire::Label;

/// The sentence of a technique that has none of its own.
pub fn alone(o: &Outcome) -> String {
    let waited = mean_ms(o).map_or(String::new(), |ms| {
        t!(", and mail waited %{ms} on average", ms = millis(ms))
    });
    let name = &o.technique;
    let mails = counted(o.mails.delivered as f64, Things::Mails);
    let requests = counted(requests(o), Things::Requests);
    let overhead = overhead(o);
    match o.requests.empty {
        Some(empty) if wasteful(o) => t!(
            "%{name} made %{requests} for %{mails}: %{empty} of the requests (%{share}) brought nothing%{waited}.",
            name = name,
            requests = requests,
            mails = mails,
            empty = figure(empty as f64),
            share = percent(empty as f64, o.requests.total as f64),
            waited = waited
        ),
        Some(_) => t!(
            "%{name} made %{requests} for %{mails}, hardly one in vain%{waited}; but each carried its head, which \
             comes to %{head} for every mail.",
            name = name,
            requests = requests,
            mails = mails,
            waited = waited,
            head = bytes(label(o, Label::Head))
        ),
        None if spread_thin(o) => t!(
            "%{name} made %{requests} for %{mails}: what stays open is paid for once and leaves %{overhead} of \
             overhead a mail%{waited}.",
            name = name,
            requests = requests,
            mails = mails,
            overhead = bytes(overhead),
            waited = waited
        ),
        None => t!(
            "%{name} made %{requests} for only %{mails}: heads make %{share} of its %{overhead} of overhead a \
             mail%{waited}.",
            name = name,
            requests = requests,
            mails = mails,
            share = percent(label(o, Label::Head), overhead),
            overhead = bytes(overhead),
            waited = waited
        ),
    }
}
