//! The sentence under the table: what a class should notice in *these* numbers. Every claim in it is
//! checked against the result first, so a run that WebSocket loses, or in which nothing differs, gets
//! a sentence that says so.

use super::figures::{self, figure, mean_ms};
use super::noise::Noise;
use super::notes::{Things, counted, disturbances, faults, named};
use crate::lang::{list, t, text};
use crate::outcome::{Outcome, Report};
use crate::technique;

/// Says in one sentence what to notice. `own` is a technique's own sentence, asked for where it stands
/// alone and delivered everything.
pub fn notice(report: &Report, own: impl Fn(&Outcome) -> Option<String>) -> String {
    let results = &report.results;
    if report.cut_short() {
        return interrupted(results);
    }
    if results.iter().all(|o| o.mails.expected == 0) {
        return t!("No mail arrived, so there is nothing to compare.");
    }
    if let Some(said) = unfinished(results) {
        return said;
    }
    if let Some(said) = disturbed(results).or_else(|| held_back(results)) {
        return said;
    }
    // The baseline is a measure, not a choice; alone it may speak.
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

/// What protocols on top of another cost beside that one, and what for; `None` unless both were run.
pub fn layers(report: &Report) -> Option<String> {
    let buys = |name: &str| technique::named(name)?.layered;
    let whole = || report.results.iter().filter(|o| o.clean() && o.undisturbed());
    let talks = |o: &&Outcome| o.messages.up.is_some() && !o.is_baseline() && buys(&o.technique).is_none();
    let below = whole().find(talks)?;
    let each = whole().filter_map(|o| {
        let bought = t!(buys(&o.technique)?);
        let more = overhead(o) - overhead(below);
        Some(match more >= 0.0 {
            true => t!(
                "%{name} takes %{bytes} more, for %{bought}",
                name = o.technique,
                bytes = bytes(more),
                bought = bought
            ),
            false => t!(
                "%{name} takes %{bytes} less, and has %{bought}",
                name = o.technique,
                bytes = bytes(-more),
                bought = bought
            ),
        })
    });
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| {
        t!(
            "What the layers cost and buy, beside %{name} and its %{bytes} of overhead a mail: %{each}.",
            name = below.technique,
            bytes = bytes(overhead(below)),
            each = each.join("; ")
        )
    })
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

/// Lost mail outweighs any price.
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

/// What broke off or failed on the way, and was opened or asked again, is in every figure.
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

/// Streams that opened and stayed silent until they ended.
fn held_back(results: &[Outcome]) -> Option<String> {
    let held = results
        .iter()
        .filter(|o| o.mails.held_back.is_some_and(|n| n > 0));
    let said: Vec<String> = held
        .map(|o| {
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

/// What a technique tells about itself when it brings no sentence of its own.
fn alone(o: &Outcome) -> String {
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

fn compared(report: &Report, results: &[&Outcome]) -> String {
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

/// A photo as text needs base64, a third more; that is only worth the sentence where it dominates.
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

/// Talking back: a message on the open connection, or a request for each reply.
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

/// Who talks and listens on one connection, and what the others pay for a message.
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

/// In what the techniques differ enough to speak of it.
struct Differences {
    latency: bool,
    requests: bool,
    overhead: bool,
}

/// Within this factor two figures are called the same.
const SAME: f64 = 1.1;
/// Latencies closer than this are not told apart, whatever their ratio: on one machine that is the
/// scheduler's doing, not the protocol's.
const SAME_MS: f64 = 1.0;

fn differences(results: &[&Outcome], noise: &Noise) -> Differences {
    let differ = |of: fn(&Outcome) -> f64, figure| {
        extremes(results, of)
            .is_some_and(|(low, high)| of(high) > of(low) * SAME && noise.apart(high, low, figure))
    };
    Differences {
        latency: timed(results)
            && extremes(results, latency).is_some_and(|(quick, late)| slower(late, quick, noise)),
        requests: differ(requests, figures::requests),
        overhead: differ(overhead, figures::overhead),
    }
}

/// Whether all latencies exist and may be believed.
fn timed(results: &[&Outcome]) -> bool {
    results.iter().all(|o| o.latency_us.is_some() && !o.trust.starved)
}

fn slower(o: &Outcome, than: &Outcome, noise: &Noise) -> bool {
    let (ms, less) = (latency(o), latency(than));
    ms > less * SAME && ms - less > SAME_MS && noise.late(o, than)
}

/// Overhead differs: either one technique is both cheap and quick, or there is a choice to make.
fn prices(results: &[&Outcome], noise: &Noise, latency_differs: bool) -> String {
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
    if dearer && slower(cheapest, quick, noise) && noise.apart(quick, cheapest, figures::overhead) {
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

/// `best` costs least and is not slower than anybody: told against whoever fares worst.
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

/// Why a stream is dear: what opened it is most of its overhead, and few mails came to share that.
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

/// The label that makes most of the difference.
fn main_part(best: &Outcome, worst: &Outcome) -> Option<String> {
    let difference = |l: Label| label(worst, l) - label(best, l);
    let labels = [
        (Label::Head, "head"),
        (Label::Framing, "framing"),
        (Label::Control, "control"),
        (Label::Tls, "tls"),
    ];
    let (part, name) = labels
        .into_iter()
        .max_by(|a, b| difference(a.0).total_cmp(&difference(b.0)))?;
    let most = difference(part) > 0.5 * (overhead(worst) - overhead(best));
    most.then(|| {
        t!(
            "%{label} is %{more} against %{less}",
            label = name,
            more = bytes(label(worst, part)),
            less = bytes(label(best, part))
        )
    })
}

fn slow(results: &[&Outcome]) -> String {
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

fn busy(results: &[&Outcome]) -> String {
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

fn alike(results: &[&Outcome]) -> String {
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

/// What was not told apart is the same, or its difference may be chance.
fn same(results: &[&Outcome], figures: &[fn(&Outcome) -> f64]) -> bool {
    figures.iter().all(|of| {
        let (low, high) = range(results, *of);
        high <= low * SAME
    })
}

/// How near the latencies are, where that can be said.
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

/// A tenth of all requests in vain is worth a word.
fn wasteful(o: &Outcome) -> bool {
    o.requests
        .empty
        .is_some_and(|empty| empty > 0 && empty * 10 >= o.requests.total)
}

/// Whether requests were few beside the mail.
fn spread_thin(o: &Outcome) -> bool {
    o.requests.total * 5 <= o.mails.delivered
}

/// Mean latency in ms; [`timed`] has checked that there is one.
fn latency(o: &Outcome) -> f64 {
    mean_ms(o).unwrap_or(0.0)
}

fn requests(o: &Outcome) -> f64 {
    o.requests.total as f64
}

fn overhead(o: &Outcome) -> f64 {
    o.overhead_bytes_per_delivery.unwrap_or(0.0)
}

#[derive(Clone, Copy)]
enum Label {
    Head,
    Framing,
    Control,
    Tls,
    Payload,
}

/// Bytes of one label a mail, both directions.
fn label(o: &Outcome, label: Label) -> f64 {
    let (up, down) = (&o.bytes.up, &o.bytes.down);
    let sum = match label {
        Label::Head => up.head + down.head,
        Label::Framing => up.framing + down.framing,
        Label::Control => up.control + down.control,
        Label::Tls => up.tls + down.tls,
        Label::Payload => up.payload + down.payload,
    };
    sum as f64 / o.carried().max(1) as f64
}

fn range(results: &[&Outcome], of: fn(&Outcome) -> f64) -> (f64, f64) {
    let values = || results.iter().map(|o| of(o));
    (
        values().fold(f64::INFINITY, f64::min),
        values().fold(0.0, f64::max),
    )
}

/// Those with the least and the most of it.
fn extremes<'a>(results: &[&'a Outcome], of: fn(&Outcome) -> f64) -> Option<(&'a Outcome, &'a Outcome)> {
    let most = results.iter().copied().max_by(|a, b| of(a).total_cmp(&of(b)))?;
    Some((least(results, of)?, most))
}

fn least<'a>(results: &[&'a Outcome], of: fn(&Outcome) -> f64) -> Option<&'a Outcome> {
    results.iter().copied().min_by(|a, b| of(a).total_cmp(&of(b)))
}

fn millis(ms: f64) -> String {
    format!("{} ms", figure(ms))
}

fn bytes(n: f64) -> String {
    format!("{} B", figure(n))
}

fn percent(part: f64, of: f64) -> String {
    let exact = if of > 0.0 { part / of * 100.0 } else { 0.0 };
    // All or nothing is said only where it is so.
    let rounded = if exact > 0.0 && exact < 100.0 {
        exact.round().clamp(1.0, 99.0)
    } else {
        exact.round()
    };
    format!("{rounded} %")
}

fn names(of: &[&Outcome]) -> String {
    list(&of.iter().map(|o| o.technique.clone()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, LONG_POLL, POLL, Plain, SSE, WS};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn said(report: &Report) -> String {
        notice(report, |_| None)
    }

    fn says(report: &Report, parts: &[&str]) {
        let text = said(report);
        println!("{text}");
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in: {text}");
        }
    }

    #[test]
    fn typical_waste_and_waiting() {
        says(
            &fixture::typical(),
            &[
                "poll made 62 requests and 43 of them (69 %) brought nothing",
                "waited 104 ms",
                "ws made 1,",
                "22.5 B",
                "619 B",
            ],
        );
    }

    #[test]
    fn a_websocket_can_lose() {
        let cheaper = [
            "ws is quicker",
            "poll is cheaper",
            "4.02 B of overhead a mail",
            "ws 8.19 B",
            "because 20 answers brought its 2,000 mails",
        ];
        says(&fixture::ws_loses(), &cheaper);
        says(
            &fixture::one_mail(),
            &[
                "long-poll costs 422 B of overhead a mail, ws 656 B (1.55 times as much)",
                "opening ws's connection takes 640 B of head, for only 1 mail",
            ],
        );
        let framed = Plain {
            head: 100,
            framing: 900,
            ..fixture::WS_ONCE
        };
        let text = said(&fixture::of(&[
            Plain {
                head: 420,
                framing: 2,
                ..fixture::WS_ONCE
            },
            Plain { name: "b", ..framed },
        ]));
        assert!(!text.contains("opening"), "framing is what costs here: {text}");
    }

    #[test]
    fn what_was_disturbed_has_no_price_to_tell() {
        let mut report = fixture::of(&[SSE, WS]);
        report.results[0].connections.reconnects = Some(5);
        says(&report, &["sse (reconnected 5 times) was disturbed on the way"]);
        report.results[1].requests.failed = Some(1);
        says(
            &report,
            &["sse (reconnected 5 times) and ws (1 failed answer) were disturbed"],
        );
        let alone = fixture::only(&report, "sse");
        assert_eq!(notice(&alone, |_| Some("Paid once.".into())), said(&alone));
        // A transport that was refused is one of its attempts, and its own sentence tells it.
        let mut fell_back = fixture::only(&fixture::of(&[SSE]), "sse");
        fell_back.results[0].requests.failed = Some(1);
        fell_back.results[0].attempts = vec![crate::outcome::Attempt {
            client: 0,
            transport: "websocket".into(),
            t_us: 0.0,
            took_us: 1.0,
            failed: Some("403".into()),
        }];
        assert_eq!(notice(&fell_back, |_| Some("Fell back.".into())), "Fell back.");
    }

    #[test]
    fn bytes_are_shared_out_over_the_mails_they_carried() {
        let mut report = fixture::of(&[SSE]);
        let before = label(&report.results[0], Label::Payload);
        report.results[0].mails.carried = Some(2 * report.results[0].mails.delivered);
        assert_eq!(label(&report.results[0], Label::Payload), before / 2.0);
    }

    #[test]
    fn nothing_differs() {
        says(
            &fixture::alike(),
            &[
                "Nothing sets sse and sse-too apart",
                "same within 10 %",
                "and so is latency",
            ],
        );
        let mut apart = fixture::alike();
        apart.results[1].latency_us.as_mut().unwrap().mean = 600.0;
        says(&apart, &["Nothing sets", "latency within a millisecond"]);
        apart.results[0].trust.starved = true;
        assert!(
            !said(&apart).contains("latency"),
            "a starved machine's latency is not spoken of"
        );
    }

    #[test]
    fn one_dimension_alone() {
        let slow = fixture::of(&[
            SSE,
            Plain {
                name: "late",
                mean_ms: 90.0,
                ..SSE
            },
        ]);
        says(
            &slow,
            &[
                "same within 10 % with sse and late, but mail waited 90 ms on average with late",
                "0.131 ms with sse",
            ],
        );
        let busy = fixture::of(&[
            LONG_POLL,
            Plain {
                requests: 40,
                name: "other",
                ..LONG_POLL
            },
        ]);
        says(
            &busy,
            &[
                "other needed 40 requests where long-poll needed 21",
                "overhead is the same within 10 %",
            ],
        );
        let pushed = fixture::of(&[SSE, WS]);
        says(
            &pushed,
            &[
                "ws costs 22.5 B of overhead a mail, sse 42.4 B (1.88 times as much)",
                "of which framing is 26.4 B against 4 B",
            ],
        );
        let late = fixture::of(&[
            Plain {
                empty: Some(1),
                ..POLL
            },
            WS,
        ]);
        says(
            &late,
            &[
                "ws costs 22.5 B of overhead a mail, poll 619 B (27.5 times as much)",
                "mail waits 0.085 ms with ws, 104 ms with poll",
            ],
        );
    }

    #[test]
    fn lost_mail_outweighs_prices() {
        says(
            &fixture::lost(),
            &["sse (2 lost) and ws (1 out of order, 1 never answered) did not do the whole job"],
        );
        let alone = fixture::only(&fixture::lost(), "sse");
        says(&alone, &["sse (2 lost)", "what it cost here"]);
        assert_eq!(notice(&alone, |_| Some("All is well.".into())), said(&alone));
    }

    #[test]
    fn attachments_pay_base64() {
        says(
            &fixture::attachments(),
            &[
                "poll and sse carry the attachment as base64",
                "33 % on top",
                "ws sends it as it is, with 14 B of framing",
            ],
        );
        let mut text = fixture::attachments();
        text.results.pop();
        says(&text, &["All of them carry the attachment as base64"]);
        let mut small = fixture::typical();
        small.scenario.attach = 10;
        assert!(
            !said(&small).contains("base64"),
            "ten bytes' base64 does not dominate"
        );
    }

    #[test]
    fn replies_cost_requests() {
        says(
            &fixture::replies(),
            &[
                "ws said its 20 replies on the connection it had, with 1 request in all",
                "sse (21 requests) needed a request for each reply",
            ],
        );
        let mut silent = fixture::replies();
        silent.scenario.reply = false;
        assert!(!said(&silent).contains("Talking"));
    }

    #[test]
    fn alone_and_with_its_own_words() {
        let all = fixture::typical();
        let of = |name| fixture::only(&all, name);
        says(
            &of("poll"),
            &[
                "62 requests for 20 mails: 43 of the requests (69 %) brought nothing",
                "waited 104 ms",
            ],
        );
        says(
            &of("long-poll"),
            &[
                "21 requests for 20 mails, hardly one in vain",
                "242 B for every mail",
            ],
        );
        says(
            &of("ws"),
            &[
                "1 request for 20 mails: what stays open is paid for once",
                "22.5 B",
            ],
        );
        says(
            &fixture::only(&fixture::one_mail(), "ws"),
            &["1 request for only 1 mail", "98 %"],
        );
        assert_eq!(
            notice(&of("ws"), |o| Some(format!("I am {}.", o.technique))),
            "I am ws."
        );
        assert_ne!(notice(&all, |_| Some("mine".into())), "mine");
    }

    #[test]
    fn the_baseline_is_no_competitor() {
        let with = |mut plain: Vec<Plain>| {
            plain.insert(1, fixture::TCP);
            fixture::of(&plain)
        };
        let all = with(vec![POLL, LONG_POLL, SSE, WS]);
        assert_eq!(said(&all), said(&fixture::typical()));
        assert_eq!(said(&with(vec![SSE, WS])), said(&fixture::of(&[SSE, WS])));
        let ws = with(vec![WS]);
        assert_eq!(said(&ws), said(&fixture::of(&[WS])));
        assert_eq!(
            notice(&ws, |o| Some(format!("I am {}.", o.technique))),
            "I am ws."
        );
        says(
            &fixture::of(&[fixture::TCP]),
            &["tcp made 0 requests for 20 mails"],
        );
        let mut lost = all.clone();
        lost.results[1].mails.lost = 1;
        says(&lost, &["tcp (1 lost) did not do the whole job"]);
    }

    #[test]
    fn sums_over_seeds_are_told_as_such() {
        says(
            &fixture::five_seeds(),
            &[
                "Over 5 seeds: poll made 310 requests and 215 of them (69 %) brought nothing",
                "ws made 5,",
            ],
        );
        let mut interrupted = fixture::five_seeds();
        interrupted.envelope.partial = true;
        assert_eq!(
            said(&interrupted),
            said(&fixture::five_seeds()),
            "whole seeds are whole runs"
        );
    }

    #[test]
    fn chance_is_not_told_as_a_difference() {
        let late = |ms: f64, requests: u64, framing: u64| Plain {
            name: "late",
            mean_ms: ms,
            requests,
            framing,
            ..SSE
        };
        let seeds = |chance: [(f64, u64, u64); 5]| {
            let each =
                chance.map(|(ms, n, framing)| vec![Plain { mean_ms: 10.0, ..SSE }, late(ms, n, framing)]);
            fixture::repeated(&each)
        };
        let steady = [(15.0, 1, 527); 5];
        says(
            &seeds(steady),
            &["mail waited 15 ms on average with late and 10 ms with sse"],
        );
        let mut wild = steady;
        wild[0] = (55.0, 9, 3_000);
        wild[1] = (9.0, 1, 500);
        says(
            &seeds(wild),
            &[
                "Nothing sets sse and late apart",
                "differ by no more than chance, and latency differs by no more than chance",
            ],
        );
        // One run: 100 and 112 ms of twenty mails each may be the same technique.
        let mut few = fixture::of(&[
            Plain {
                mean_ms: 100.0,
                ..SSE
            },
            late(112.0, 1, 527),
        ]);
        says(&few, &["Nothing sets", "latency differs by no more than chance"]);
        for o in &mut few.results {
            o.latency_us.as_mut().unwrap().count = 20_000;
        }
        says(&few, &["mail waited 112 ms"]);
    }

    #[test]
    fn interrupted_or_empty() {
        let mut half = fixture::typical();
        half.envelope.partial = true;
        half.results[0].mails.delivered = 7;
        says(&half, &["interrupted after 67 of 80 deliveries"]);
        says(&fixture::empty(), &["No mail arrived"]);
        says(&fixture::of(&[]), &["No mail arrived"]);
    }

    #[test]
    fn every_situation_has_its_own_sentence() {
        let typical = fixture::typical();
        let reports = [
            typical.clone(),
            fixture::ws_loses(),
            fixture::one_mail(),
            fixture::alike(),
            fixture::lost(),
            fixture::attachments(),
            fixture::replies(),
            fixture::empty(),
            fixture::only(&typical, "poll"),
            fixture::only(&typical, "long-poll"),
            fixture::only(&typical, "sse"),
        ];
        let different: BTreeSet<String> = reports.iter().map(said).collect();
        assert_eq!(different.len(), reports.len());
    }

    prop_compose! {
        fn any_plain(name: &'static str)(
            mails in 0..50u64, mean_ms in 0.0..500.0, requests in 0..200u64, empty in prop::option::of(0..200u64),
            up in prop::option::of(0..50u64), head in 0..20_000u64, framing in 0..20_000u64, control in 0..500u64,
        ) -> Plain {
            let payload = mails * 300;
            let empty = empty.map(|e| e.min(requests));
            Plain { name, mails, mean_ms, requests, empty, messages: (up, up), head, framing, control, payload }
        }
    }

    proptest! {
        /// Whatever the figures: one sentence, all numbers real, nobody called cheaper or quicker who is not.
        #[test]
        fn never_claims_what_is_not_so(a in any_plain("aa"), b in any_plain("bb"), c in any_plain("cc"), attach in 0..60_000usize) {
            let mut report = fixture::of(&[a, b, c]);
            report.scenario.attach = attach;
            let text = said(&report);
            prop_assert!(text.ends_with('.') && !text.contains("NaN") && !text.contains("inf") && !text.contains('–'), "{}", text);
            let of = |name: &str| report.results.iter().find(|o| o.technique == name).unwrap();
            let before = |what: &str| text.find(what).map(|i| of(&text[i - 2..i]));
            if let (Some(quick), Some(cheap)) = (before(" is quicker"), before(" is cheaper")) {
                prop_assert!(latency(quick) < latency(cheap) && overhead(cheap) < overhead(quick), "{}", text);
            }
            if text.contains("Nothing sets") {
                let all: Vec<&Outcome> = report.results.iter().collect();
                let (low, high) = range(&all, overhead);
                prop_assert!(high <= low * SAME, "{}", text);
            }
            if let Some(worst) = before(" made ").filter(|_| text.contains("instead of")) {
                prop_assert!(report.results.iter().all(|o| overhead(o) <= overhead(worst) || o.requests.total < worst.requests.total || latency(o) < latency(worst)), "{}", text);
            }
        }
    }

    #[test]
    fn talking_is_told_where_one_connection_does_for_both_ways() {
        let said = |report: &Report| notice(report, |_| None);
        assert_eq!(
            said(&fixture::talking()),
            "Both ways at once: ws said its 40 messages on its one connection, at 6 B of overhead each; sse (2 \
             connections) needed a request for every one, at up to 205 B, 34 times as much."
        );
        let mut encrypted = fixture::talking();
        encrypted.results[0].bytes.down.tls = 9;
        assert!(said(&encrypted).ends_with("34 times as much. Neither has what TLS adds."));
        let mut several = fixture::talking();
        several.results[1].talk.as_mut().unwrap().connections_per_client = 3.0;
        assert!(!said(&several).contains("one connection"));
        // Who framed no message, or paid no less, is not praised for it.
        for spoil in [
            (|o| o.messages.up = Some(0)) as fn(&mut Outcome),
            |o| o.talk.as_mut().unwrap().overhead_bytes_per_message.up = Some(300.0),
            |o| o.talk = None,
        ] {
            let mut report = fixture::talking();
            spoil(&mut report.results[1]);
            assert!(!said(&report).contains("Both ways"), "{}", said(&report));
        }
    }

    #[test]
    fn a_message_lost_or_heard_twice_is_no_whole_job() {
        let mut report = fixture::talking();
        let talk = report.results[0].talk.as_mut().unwrap();
        (talk.heard, talk.lost, talk.duplicated) = (38, 2, 1);
        assert!(!report.results[0].clean() && report.results[1].clean());
        let said = notice(&report, |_| None);
        assert!(said.contains("2 of the client's messages never heard"), "{said}");
        assert!(said.contains("1 of the client's messages heard twice"), "{said}");
    }
}
