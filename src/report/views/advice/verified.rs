//! What a verification showed, in sentences.

use super::words::spoken_span;
use crate::lang::{list, t};
use crate::outcome::advice::{Checked, Verification};
use crate::report::notes;
use crate::report::numbers::figure;
use crate::terminal::printable;

/// The result of the verification, as sentences.
pub fn verified(v: &Verification) -> Vec<String> {
    let s = &v.scenario;
    let ran = t!(
        "Run was the nearest case that fits this machine (%{scaled}): %{mails} mails at %{rate} to %{clients} clients, \
         polling every %{interval}.",
        scaled = scaled(v),
        mails = figure(s.mails as f64),
        rate = notes::rate(s.rate_per_s),
        clients = s.clients,
        interval = spoken_span(s.poll_interval_ms)
    );
    let off: Vec<String> = v
        .checks
        .iter()
        .filter(|c| !c.holds())
        .map(|c| {
            format!(
                "{} ({})",
                printable(&c.technique),
                c.off().map(checked).collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    let held = match off.as_slice() {
        [] => t!("All predictions for it are within 10 % of what was measured, or within 2 ms for a delay."),
        off => t!(
            "These predictions are off by more than 10 %, and by more than 2 ms if it is a delay: %{names}.",
            names = list(off)
        ),
    };
    vec![ran, held]
}

fn checked(figure: Checked) -> String {
    match figure {
        Checked::Requests => t!("requests"),
        Checked::Traffic => t!("traffic"),
        Checked::Connections => t!("connections"),
        Checked::Delay => t!("mean delay"),
        Checked::TalkDelay => t!("mean delay of what clients say"),
    }
}

/// How the case was scaled for the verification.
fn scaled(v: &Verification) -> String {
    let s = &v.scaled;
    let factor = |f: f64| match f {
        f if f >= 1.0 => figure((f * 100.0).round() / 100.0),
        f => format!("1/{}", figure((1.0 / f).round())),
    };
    let differs = |f: &f64| (f - 1.0).abs() > 1e-3;
    let some = |f: f64| Some(f).filter(differs).map(factor);
    let parts = [
        (s.clients != v.scenario.clients as u64).then(|| {
            t!(
                "%{n} clients instead of %{asked}",
                n = v.scenario.clients,
                asked = figure(s.clients as f64)
            )
        }),
        some(s.faster).map(|n| t!("time runs %{n} times as fast", n = n)),
        some(s.mail).map(|n| t!("mail comes %{n} times as often as that makes it", n = n)),
        s.talk
            .and_then(some)
            .map(|n| t!("clients talk %{n} times as often as that makes them", n = n)),
        some(s.hold).map(|n| t!("long polls are held %{n} times as long as that makes it", n = n)),
        some(s.heartbeat).map(|n| t!("heartbeats wait %{n} times as long as that makes them", n = n)),
        some(s.keep_alive).map(|n| {
            t!(
                "idle connections are kept %{n} times as long as that makes it",
                n = n
            )
        }),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => t!("just as it is"),
        false => parts.join("; "),
    }
}
