//! How late mail can be in a case, and what clients say: by the bounds of `theory`, with the sizes that the
//! techniques' messages have.

use super::connections::{Connections, polls_open};
use super::stretches::{Instants, Sums};
use crate::outcome::Scenario;
use crate::outcome::advice::Delay;
use crate::technique::Technique;
use crate::theory::{self, Bounded, Mail, Opened};

/// A technique's mail on its way, if polling asks so often, in seconds.
pub fn mail(technique: &Technique, scenario: &Scenario, instants: &Instants, interval: f64) -> Mail {
    let (one, further) = instants.exchange(technique);
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
        opened: if opens {
            instants.opened()
        } else {
            Opened::default()
        },
    }
}

/// What clients say on its way, `each` message costing so much.
pub fn message(
    technique: &Technique,
    scenario: &Scenario,
    instants: &Instants,
    connections: &Connections,
    each: Sums,
) -> Option<theory::Message> {
    let apart = (technique.delivers)(scenario).speaks_apart();
    Some(theory::Message {
        path: scenario.link.path(),
        rate: scenario.talk_per_s?,
        bytes: each.up,
        answer: apart.then_some(each.down),
        opened: instants.opened(),
        opening: connections.opening_messages,
    })
}

/// As the result has it, with a mean in seconds.
pub fn delay(mean: f64, bounded: &Bounded) -> Delay {
    let finite = |seconds: f64| Some(seconds * 1e3).filter(|ms| ms.is_finite());
    Delay {
        mean: finite(mean).filter(|_| bounded.worst.is_finite()),
        worst: finite(bounded.worst),
        later_share: bounded.later,
        beyond_share: bounded.beyond,
    }
}
