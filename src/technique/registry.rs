//! The list of all techniques. A new one is a file, its module in `mod.rs`, and its entry here.

use super::contract::Technique;
use super::{long_poll, ndjson, poll, socketio, sockjs, sse, stomp, tcp, ws};
use crate::wire::Answer;

/// Every technique, in the order tables show them.
pub const ALL: &[&Technique] = &[
    &poll::TECHNIQUE,
    &long_poll::TECHNIQUE,
    &sse::TECHNIQUE,
    &ndjson::TECHNIQUE,
    &ws::TECHNIQUE, // … and its entry here
    &stomp::TECHNIQUE,
    &sockjs::TECHNIQUE,
    &socketio::TECHNIQUE,
];

/// What the answer to a GET of this target holds, according to the technique at its path. The `Content-Type`
/// is not enough, because a profile may have replaced it.
pub fn answers(target: &[u8]) -> Option<Answer> {
    let path = target.split(|b| *b == b'?').next().unwrap_or_default();
    let mut known = ALL.iter().filter_map(|t| t.answers);
    known
        .find(|(route, _)| route.as_bytes() == path)
        .map(|(_, answer)| answer)
}

/// Finds a technique or the baseline by its name.
pub fn named(name: &str) -> Option<&'static Technique> {
    ALL.iter()
        .copied()
        .chain([&tcp::TECHNIQUE])
        .find(|t| t.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Over, Scenario};

    #[test]
    fn schemes() {
        let of = |name: &str, tls, over| {
            let scenario = Scenario {
                tls,
                over,
                ..Scenario::default()
            };
            (named(name).unwrap().scheme)(&scenario)
        };
        let plain = |name, tls| of(name, tls, Over::Ws);
        assert_eq!([plain("ws", false), plain("ws", true)], ["ws", "wss"]);
        assert_eq!([plain("sse", false), plain("poll", true)], ["http", "https"]);
        assert_eq!([plain("tcp", false), plain("stomp", false)], ["tcp", "ws"]);
        assert_eq!(of("stomp", true, Over::Sockjs), "https");
    }
}
