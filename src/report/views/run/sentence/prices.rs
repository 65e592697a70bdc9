//! The sentence for techniques with different overhead.

use super::super::noise::Noise;
use super::super::tables;
use super::alike::slow;
use super::alone::alone;
use super::figures::{
    SAME, bytes, label, latency, least, millis, overhead, percent, requests, slower, wasteful,
};
use crate::lang::t;
use crate::outcome::Outcome;
use crate::report::chart::SHOWN;
use crate::report::notes::{Things, counted};
use crate::report::numbers::figure;
use crate::wire::Label;

/// Overhead differs: either one technique is both cheapest and fastest, or there is a choice to make.
pub fn prices(results: &[&Outcome], noise: &Noise, latency_differs: bool) -> String {
    let (Some(cheapest), Some(fastest)) = (least(results, overhead), least(results, latency)) else {
        return String::new();
    };
    if !latency_differs {
        return won(cheapest, results, |_| false);
    }
    let quick: Vec<&Outcome> = results
        .iter()
        .copied()
        .filter(|o| !slower(o, fastest, noise))
        .collect();
    let quick = least(&quick, overhead).unwrap_or(cheapest);
    let dearer = overhead(quick) > SAME * overhead(cheapest);
    if dearer && slower(cheapest, quick, noise) && noise.differs(quick, cheapest, tables::overhead) {
        trade_off(quick, cheapest)
    } else {
        won(quick, results, |o| slower(o, quick, noise))
    }
}

fn trade_off(quick: &Outcome, cheap: &Outcome) -> String {
    let answers = cheap
        .requests
        .empty
        .map(|empty| cheap.requests.total.saturating_sub(empty));
    let shared = answers.filter(|n| *n > 0 && n * 2 <= cheap.mails.delivered);
    let because = match shared {
        Some(n) => t!(
            " because %{answers} brought its %{mails}",
            answers = counted(n as f64, Things::Answers),
            mails = counted(cheap.mails.delivered as f64, Things::Mails)
        ),
        None => opening(quick).map_or(String::new(), |why| t!(" because %{why}", why = why)),
    };
    t!(
        "Here you choose: %{quick} is quicker (%{soon} on average, %{cheap} waits %{late}), but %{cheap} is cheaper \
         (%{low} of overhead a mail, %{quick} %{high})%{because}.",
        quick = quick.technique,
        cheap = cheap.technique,
        soon = millis(latency(quick)),
        late = millis(latency(cheap)),
        low = bytes(overhead(cheap)),
        high = bytes(overhead(quick)),
        because = because
    )
}

/// The sentence if `best` costs least and no other is faster; compares it with the most expensive one.
fn won(best: &Outcome, results: &[&Outcome], late: impl Fn(&Outcome) -> bool) -> String {
    let price = |o: &Outcome| {
        let waiting = if late(o) {
            latency(o) / latency(best).max(1e-9)
        } else {
            1.0
        };
        overhead(o) / overhead(best).max(1e-9) * waiting
    };
    let others = results.iter().copied().filter(|o| o.technique != best.technique);
    let Some(worst) = others.max_by(|a, b| price(a).total_cmp(&price(b))) else {
        return alone(best);
    };
    match worst.requests.empty {
        _ if overhead(worst) <= SAME * overhead(best) => slow(&[best, worst]),
        Some(empty) if wasteful(worst) => wasted(best, worst, empty, late(worst)),
        _ => dearer(best, worst, late(worst)),
    }
}

fn wasted(best: &Outcome, worst: &Outcome, empty: u64, late: bool) -> String {
    let told = |text: String| if late { text } else { String::new() };
    let (short, long) = (millis(latency(best)), millis(latency(worst)));
    t!(
        "%{worst} made %{requests} and %{empty} of them (%{share}) brought nothing%{yet}; %{best} made %{few}%{soon} \
         and spent %{low} of overhead on each mail, not %{high}.",
        worst = worst.technique,
        requests = counted(requests(worst), Things::Requests),
        empty = figure(empty as f64),
        share = percent(empty as f64, worst.requests.total as f64),
        yet = told(t!(", yet its mail waited %{ms} on average", ms = long)),
        best = best.technique,
        few = figure(requests(best)),
        soon = told(t!(", delivered after %{ms}", ms = short)),
        low = bytes(overhead(best)),
        high = bytes(overhead(worst))
    )
}

fn dearer(best: &Outcome, worst: &Outcome, late: bool) -> String {
    let (low, high) = (overhead(best), overhead(worst));
    let ratio = if low > 0.0 {
        t!(" (%{n} times as much)", n = figure(high / low))
    } else {
        String::new()
    };
    let why = match opening(worst) {
        Some(why) => t!(", because %{why}", why = why),
        None => main_part(best, worst).map_or(String::new(), |part| t!(", of which %{part}", part = part)),
    };
    let waiting = match late {
        true => t!(
            "; mail waits %{short} with %{best}, %{long} with %{worst}",
            short = millis(latency(best)),
            best = best.technique,
            long = millis(latency(worst)),
            worst = worst.technique
        ),
        false => String::new(),
    };
    t!(
        "%{best} costs %{low} of overhead a mail, %{worst} %{high}%{ratio}%{why}%{waiting}.",
        best = best.technique,
        low = bytes(low),
        worst = worst.technique,
        high = bytes(high),
        ratio = ratio,
        why = why,
        waiting = waiting
    )
}

/// Why a stream is expensive: its opening is most of its overhead, and only few mails share it.
fn opening(o: &Outcome) -> Option<String> {
    let opens = o.requests.empty.is_none() && o.requests.total == o.connections.opened;
    let head = label(o, Label::Head);
    let each = o.carried() as f64 / o.connections.opened.max(1) as f64;
    (opens && head > 0.5 * overhead(o) && each <= 5.0).then(|| {
        t!(
            "opening %{name}'s connection takes %{head} of head, for only %{mails} to share",
            name = o.technique,
            head = bytes(head * each),
            mails = counted(each, Things::Mails)
        )
    })
}

/// The label that causes most of the difference.
fn main_part(best: &Outcome, worst: &Outcome) -> Option<String> {
    let difference = |l: Label| label(worst, l) - label(best, l);
    let labels = SHOWN.into_iter().filter(|label| *label != Label::Payload);
    let part = labels.max_by(|a, b| difference(*a).total_cmp(&difference(*b)))?;
    let most = difference(part) > 0.5 * (overhead(worst) - overhead(best));
    most.then(|| {
        t!(
            "%{label} is %{more} against %{less}",
            label = part.name(),
            more = bytes(label(worst, part)),
            less = bytes(label(best, part))
        )
    })
}
