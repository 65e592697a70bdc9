//! How late mail and clients' messages can be in a case, by the bounds of `theory` and the sizes of each
//! technique's messages.

use super::connections::{Connections, polls_open};
use super::stretches::Least;
use super::sums::Sums;
use crate::outcome::Scenario;
use crate::outcome::advice::Delay;
use crate::technique::Technique;
use crate::theory::{self, Bounded, Mail, Opened};

/// A technique's mail as `theory` describes it; `interval` is polling's, in seconds.
pub fn mail(
    technique: &Technique,
    scenario: &Scenario,
    least: &Least,
    opened: Opened,
    interval: f64,
) -> Mail {
    let Least { one, further, .. } = least;
    let delivery = (technique.delivers)(scenario);
    let opens = match delivery {
        theory::Delivery::Polled => polls_open(scenario, interval),
        _ => scenario.http == crate::outcome::HttpVersion::Http10,
    };
    Mail {
        delivery,
        path: scenario.link.path(),
        rate: scenario.rate_per_s,
        interval,
        hold: scenario.hold_ms / 1e3,
        request: one.up,
        answer: (one.down - further.down).max(0.0),
        mail: further.down,
        opened: if opens { opened } else { Opened::default() },
    }
}

/// Clients' messages as `theory` describes them; one message costs `each`.
pub fn message(
    technique: &Technique,
    scenario: &Scenario,
    opened: Opened,
    connections: &Connections,
    each: Sums,
) -> Option<theory::Message> {
    let apart = (technique.delivers)(scenario).speaks_apart();
    Some(theory::Message {
        path: scenario.link.path(),
        rate: scenario.talk_per_s?,
        bytes: each.up,
        answer: apart.then_some(each.down),
        opened,
        opening: connections.opening_messages,
    })
}

/// The delay as the result states it, from a mean in seconds.
pub fn delay(mean: f64, bounded: &Bounded) -> Delay {
    let finite = |seconds: f64| Some(seconds * 1e3).filter(|ms| ms.is_finite());
    Delay {
        // A simulation rounds to nanoseconds, so its mean may be a little above the bound.
        mean: finite(mean.min(bounded.worst)).filter(|_| bounded.worst.is_finite()),
        worst: finite(bounded.worst),
        later_share: bounded.later,
        beyond_share: bounded.beyond,
    }
}
