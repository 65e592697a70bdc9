//! How often and with how many bytes the client repeated its state to the server.

use crate::explain::{Knowledge, Unit};
use crate::lang::t;

/// The totals of one kind of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The kind.
    pub what: Knowledge,
    /// How often.
    pub times: u64,
    /// Its bytes in all.
    pub bytes: u64,
}

/// The totals of all kinds of state.
pub fn told(units: &[Vec<Unit>]) -> Vec<Told> {
    let all: Vec<_> = units.iter().flatten().flat_map(|u| &u.told).collect();
    let of = |what| {
        let these = all.iter().filter(|t| t.what == what);
        Told {
            what,
            times: these.clone().count() as u64,
            bytes: these.map(|t| t.bytes).sum(),
        }
    };
    [Knowledge::Cursor, Knowledge::Identity, Knowledge::Head]
        .map(of)
        .into_iter()
        .filter(|told| told.times > 0)
        .collect()
}

/// A paragraph about these totals.
pub fn sentence(units: &[Vec<Unit>]) -> String {
    let told = told(units);
    let cursor = told
        .iter()
        .find(|t| t.what == Knowledge::Cursor)
        .map_or(0, |t| t.times);
    let said: Vec<String> = told.iter().map(say).collect();
    let told = t!("State: the server was told %{said}.", said = join(&said));
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
    format!("{told} {meaning}")
}

/// The name of a kind of state.
pub fn name(what: Knowledge) -> String {
    match what {
        Knowledge::Cursor => t!("how far the client has read (its cursor)"),
        Knowledge::Identity => t!("who the client is (cookie)"),
        Knowledge::Head => t!("all else that a request's head says"),
    }
}

fn say(told: &Told) -> String {
    let times = match told.times {
        1 => t!("once"),
        2 => t!("twice"),
        n => t!("%{n} times", n = n),
    };
    t!(
        "%{times} %{what}, %{bytes} bytes",
        times = times,
        what = name(told.what),
        bytes = told.bytes
    )
}

fn join(said: &[String]) -> String {
    match said {
        [] => t!("nothing"),
        [one] => one.clone(),
        [first @ .., last] => t!("%{items}; and %{last}", items = first.join("; "), last = last),
    }
}
