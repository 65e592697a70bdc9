//! The sentence for techniques with the same overhead.

use super::figures::{SAME, SAME_MS, extremes, latency, millis, names, overhead, range, requests, timed};
use crate::lang::t;
use crate::outcome::Outcome;
use crate::report::notes::{Things, counted};
use crate::report::numbers::figure;

pub fn slow(results: &[&Outcome]) -> String {
    let Some((quick, late)) = extremes(results, latency) else {
        return String::new();
    };
    let same = match same(results, &[overhead]) {
        true => t!("is the same within 10 %"),
        false => t!("differs by no more than chance"),
    };
    t!(
        "Overhead %{same} with %{names}, but mail waited %{long} on average with %{late} and %{short} with %{quick}.",
        same = same,
        names = names(results),
        long = millis(latency(late)),
        late = late.technique,
        short = millis(latency(quick)),
        quick = quick.technique
    )
}

pub fn busy(results: &[&Outcome]) -> String {
    let Some((few, many)) = extremes(results, requests) else {
        return String::new();
    };
    let same = match same(results, &[overhead]) {
        true => t!("is the same within 10 %"),
        false => t!("differs by no more than chance"),
    };
    t!(
        "%{many} needed %{requests} where %{few} needed %{n}, yet overhead %{same}%{close}.",
        many = many.technique,
        requests = counted(requests(many), Things::Requests),
        few = few.technique,
        n = figure(requests(few)),
        same = same,
        close = closeness(results)
    )
}

pub fn alike(results: &[&Outcome]) -> String {
    let same = match same(results, &[requests, overhead]) {
        true => t!("are the same within 10 %"),
        false => t!("differ by no more than chance"),
    };
    t!(
        "Nothing sets %{names} apart here: requests and overhead %{same}%{close}; turn one knob, such as --rate or \
         --size, and look again.",
        names = names(results),
        same = same,
        close = closeness(results)
    )
}

/// Whether figures are the same, or differ only by chance.
fn same(results: &[&Outcome], figures: &[fn(&Outcome) -> f64]) -> bool {
    figures.iter().all(|of| {
        let (low, high) = range(results, *of);
        high <= low * SAME
    })
}

/// How close the latencies are, if they can be compared.
fn closeness(results: &[&Outcome]) -> String {
    if !timed(results) {
        return String::new();
    }
    let (low, high) = range(results, latency);
    if high <= low * SAME {
        t!(", and so is latency")
    } else if high - low <= SAME_MS {
        t!(", and latency within a millisecond")
    } else {
        t!(", and latency differs by no more than chance")
    }
}
