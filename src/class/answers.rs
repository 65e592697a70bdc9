//! The answers to a student's page: its figures, its last exchange, the open question.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::lead::Vote;
use super::room::{LANES, Room};
use super::student::Student;
use crate::clock;
use crate::explain::{self, Unit, hex};
use crate::lang::{Text, phrase};
use crate::link::Account;
use crate::wire::{Direction, Tally};

/// What a page says when it asks for its figures.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The newest mail whose arrival the page knows.
    since: u64,
    /// What each lane has received since the last call: the mail's number, and its delay in milliseconds.
    deliveries: Map<String, Value>,
}

/// The most deliveries of one lane in one call.
const MOST: usize = 2_000;

/// The most arrivals in one answer.
const ARRIVALS: usize = 500;

/// What a student does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
pub enum Act {
    /// A switch.
    Switch {
        /// Which one.
        switch: Switch,
        /// Whether it is on.
        on: bool,
    },
    /// A vote.
    Vote {
        /// The vote.
        vote: Ballot,
    },
    /// A mail.
    Mail {
        /// Its text.
        mail: String,
    },
}

/// A student's switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// Nothing arrives, and neither side learns of it.
    Lost,
    /// 200 ms away.
    Away,
    /// WebSocket is refused.
    Blocked,
}

/// A vote as a page sends it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ballot {
    question: u32,
    choice: Option<usize>,
    value: Option<f64>,
}

impl Ballot {
    /// The question, and the vote; `None` if it is both or neither.
    pub fn read(self) -> Option<(u32, Vote)> {
        let vote = match (self.choice, self.value) {
            (Some(n), None) => Vote::Choice(n),
            (None, Some(x)) => Vote::Value(x),
            _ => return None,
        };
        Some((self.question, vote))
    }
}

/// Takes what a page has received into account. What cannot be true is left out: mail that never arrived, delays
/// below 0 or from before it arrived.
pub fn note(room: &Room, student: &Student, report: &Report) {
    for (name, deliveries) in &report.deliveries {
        let Some(lane) = LANES.iter().position(|technique| technique.name == name) else {
            continue;
        };
        let deliveries = deliveries.as_array().map_or(&[][..], Vec::as_slice);
        for delivery in deliveries.iter().take(MOST) {
            let Some((id, delay)) = delivery[0].as_u64().zip(delivery[1].as_f64()) else {
                continue;
            };
            // The estimate of the page's clock may be off by some milliseconds.
            if let Some(arrived) = room.mails.arrival(id)
                && (-1_000.0..=room.now_ms() - arrived + 1_000.0).contains(&delay)
            {
                let delay = (delay.max(0.0) * 10.0).round() / 10.0;
                student.received(lane, id, delay, ((arrived + delay) * 10.0).round() / 10.0);
            }
        }
    }
}

/// The student's figures and everything that has changed for the page.
pub fn state(room: &Room, student: &Student, report: &Report) -> Value {
    let mut arrivals = room.mails.arrivals(report.since);
    let old = arrivals.len().saturating_sub(ARRIVALS);
    arrivals.drain(..old);
    let mut written = room.mails.written(report.since);
    written.retain(|mail| !mail.hidden);
    let mails: Vec<_> = written
        .iter()
        .map(|mail| json!({ "id": mail.id, "by": mail.by, "text": mail.text }))
        .collect();
    let lanes: Map<String, Value> = LANES
        .iter()
        .zip(&student.lanes)
        .map(|(technique, account)| (technique.name.into(), lane(account)))
        .collect();
    let shown = room.lead.shown();
    json!({
        "now_ms": room.ms(clock::now()),
        "here": room.here(),
        "lanes": lanes,
        "page": traffic(&student.page.tally()),
        "switches": {
            "lost": student.conditions.is_lost(),
            "away": !student.conditions.away().is_zero(),
            "blocked": student.is_blocked(),
        },
        "arrivals": arrivals,
        "mails": mails,
        "hidden": room.mails.hidden(),
        "jitter": room.jitter(),
        "lesson": shown.map(|s| json!({ "title": s.title, "step": s.step, "steps": s.steps, "say": s.say })),
        "question": question(room, student),
    })
}

fn question(room: &Room, student: &Student) -> Option<Value> {
    let question = room.lead.question()?;
    let mut shown = json!(question);
    shown["vote"] = match question.votes.get(&student.token) {
        Some(Vote::Choice(n)) => json!(n),
        Some(Vote::Value(x)) => json!(x),
        None => Value::Null,
    };
    Some(shown)
}

fn lane(account: &Account) -> Value {
    let tally = account.tally();
    let mut shown = traffic(&tally);
    shown["requests"] = json!(tally.requests);
    shown["empty"] = json!(tally.empty);
    shown["mails"] = json!(tally.mails);
    shown["opened"] = json!(account.connections());
    shown
}

/// Bytes by label.
fn traffic(tally: &Tally) -> Value {
    json!({ "up": tally.up, "down": tally.down })
}

/// The last exchange of a lane, explained byte by byte; `None` if there was none.
pub fn exchange(student: &Student, lane: &str) -> Option<Value> {
    let lane = LANES.iter().position(|technique| technique.name == lane)?;
    let exchange = student.lanes[lane].exchange()?;
    let left_out = exchange.left_out;
    let heads = exchange.heads();
    let units = explain::units(&exchange.transcript());
    let (heads, rest) = units.split_at(heads.min(units.len()));
    let gaps = [Direction::Up, Direction::Down].map(|direction| {
        let bytes = left_out[direction as usize];
        (bytes > 0).then(|| {
            json!({
                "direction": way(direction),
                "title": phrase!("earlier bytes").in_both(),
                "size": bytes,
                "left_out": bytes,
                "parts": [],
            })
        })
    });
    let units = heads.iter().map(unit);
    let units = units
        .chain(gaps.into_iter().flatten())
        .chain(rest.iter().map(unit));
    Some(json!({ "units": units.collect::<Vec<_>>() }))
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}

fn unit(unit: &Unit) -> Value {
    json!({
        "direction": way(unit.direction),
        "title": unit.title.in_both(),
        "size": unit.len(),
        "left_out": 0,
        "parts": unit.parts.iter().map(part).collect::<Vec<_>>(),
    })
}

fn part(part: &explain::Explained) -> Value {
    let labels: Map<String, Value> = part
        .labels
        .each()
        .map(|(label, n)| (label.name().into(), n.into()))
        .collect();
    let mut shown = json!(Shown {
        size: part.bytes.len(),
        labels,
        what: &part.what,
        why: &part.why,
        source: &part.source,
    });
    let printable = |text: &&str| {
        !text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\r' | '\n' | '\t'))
    };
    match std::str::from_utf8(&part.bytes).ok().filter(printable) {
        Some(text) => shown["text"] = json!(text),
        None => shown["hex"] = json!(hex(&part.bytes)),
    }
    shown
}

/// A part without its bytes.
#[derive(Serialize)]
struct Shown<'a> {
    size: usize,
    labels: Map<String, Value>,
    #[serde(serialize_with = "in_both")]
    what: &'a Text,
    #[serde(serialize_with = "in_both_if_any")]
    why: &'a Text,
    source: &'a str,
}

fn in_both<S: serde::Serializer>(text: &Text, serializer: S) -> Result<S::Ok, S::Error> {
    text.in_both().serialize(serializer)
}

fn in_both_if_any<S: serde::Serializer>(text: &Text, serializer: S) -> Result<S::Ok, S::Error> {
    (!text.is_empty()).then(|| text.in_both()).serialize(serializer)
}
