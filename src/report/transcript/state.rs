//! How often and with how many bytes the client repeated its state to the server.

use crate::explain::{Knowledge, Unit};
use crate::lang::t;

/// The totals of one kind of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateTotal {
    /// The kind.
    pub what: Knowledge,
    /// How often.
    pub times: u64,
    /// Its bytes in all.
    pub bytes: u64,
}

/// The totals of all kinds of state.
pub fn totals(units: &[Vec<Unit>]) -> Vec<StateTotal> {
    let all: Vec<_> = units.iter().flatten().flat_map(|u| &u.state).collect();
    let of = |what| {
        let these = all.iter().filter(|t| t.what == what);
        StateTotal {
            what,
            times: these.clone().count() as u64,
            bytes: these.map(|t| t.bytes).sum(),
        }
    };
    [Knowledge::Cursor, Knowledge::Identity, Knowledge::Head]
        .map(of)
        .into_iter()
        .filter(|total| total.times > 0)
        .collect()
}

/// A paragraph about these totals.
pub fn sentence(units: &[Vec<Unit>]) -> String {
    let totals = totals(units);
    let cursor = totals
        .iter()
        .find(|t| t.what == Knowledge::Cursor)
        .map_or(0, |t| t.times);
    let items: Vec<String> = totals.iter().map(in_words).collect();
    let state = t!("State: the server was told %{said}.", said = join(&items));
    let meaning = if cursor > 1 {
        t!(
            "Between two requests it remembers neither, so each must say it again. That is what \
         stateless means (RFC 9110, section 3.3): it is paid in bytes, and buys that any server can answer any \
         request, and that a crash loses nothing."
        )
    } else if cursor == 1 {
        t!(
            "From then on it remembers, for as long as the connection lives, how far this client has read: stateful. \
         What follows carries no more than the mail and its framing; the price is that the next message must come \
         from this very server, and that a connection which breaks has to say it anew."
        )
    } else {
        t!("No client said how far it had read.")
    };
    format!("{state} {meaning}")
}

/// The name of a kind of state.
pub fn name(what: Knowledge) -> String {
    match what {
        Knowledge::Cursor => t!("how far the client has read (its cursor)"),
        Knowledge::Identity => t!("who the client is (cookie)"),
        Knowledge::Head => t!("all else that a request's head says"),
    }
}

fn in_words(total: &StateTotal) -> String {
    let times = match total.times {
        1 => t!("once"),
        2 => t!("twice"),
        n => t!("%{n} times", n = n),
    };
    t!(
        "%{times} %{what}, %{bytes} bytes",
        times = times,
        what = name(total.what),
        bytes = total.bytes
    )
}

fn join(items: &[String]) -> String {
    match items {
        [] => t!("nothing"),
        [one] => one.clone(),
        [first @ .., last] => t!("%{items}; and %{last}", items = first.join("; "), last = last),
    }
}
