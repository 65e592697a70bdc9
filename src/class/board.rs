//! What the board shows: everybody's figures together.

use serde_json::{Value, json};

use super::room::{LANES, Room};
use super::student::{Received, SHOWN, Student};
use super::sums::Sum;
use crate::lang::Text;
use crate::wire::Tally;

/// The most written mails that are shown.
const MAILS: usize = 20;

/// Everything that the board shows; how to join only with the teacher's key. `qr` is the QR code of the first address, as SVG.
pub fn state(room: &Room, leads: bool, qr: Option<&str>) -> Value {
    let urls = room
        .served()
        .filter(|_| leads)
        .map_or(&[][..], |served| &served.urls);
    let now = room.now_ms();
    let students = room.students();
    let shown_from = now - SHOWN.as_secs_f64() * 1e3;
    let arrivals = room.mails.arrivals(0);
    let recent = arrivals.partition_point(|(_, at)| *at < shown_from);
    let receipts: Vec<Vec<Received>> = students.iter().map(|s| s.receipts()).collect();
    let written = room.mails.written(0);
    let mut total = Tally::default();
    students.iter().for_each(|s| total += s.total());
    let question = room.lead.question().map(|question| {
        let mut shown = json!(question);
        shown["votes"] = json!(question.counted());
        shown["voters"] = json!(question.votes.len());
        shown
    });
    json!({
        "now_ms": now,
        "urls": urls,
        "qr": qr,
        "code": room.code().filter(|_| leads),
        "here": room.here(),
        "joined": room.joined(),
        "max_students": room.places(),
        "table": table(room),
        "students": students
            .iter()
            .zip(&receipts)
            .map(|(student, receipts)| shown(student, receipts, shown_from))
            .collect::<Vec<_>>(),
        "arrivals": arrivals[recent..],
        "mails": written[written.len().saturating_sub(MAILS)..]
            .iter()
            .map(|m| json!({ "id": m.id, "by": m.by, "text": m.shown(), "hidden": m.hidden }))
            .collect::<Vec<_>>(),
        "requests_per_s": room.requests_per_s(),
        "connections": room.served().map_or(0, |served| served.ledger.open()),
        "bytes": { "up": total.up.total(), "down": total.down.total() },
        "outage": room.outage.last(now),
        "jitter": room.jitter(),
        "lesson": room.lead.shown(),
        "question": question,
        "hint": room.hint().map(|hint| hint.in_both()),
    })
}

/// The report's table over all students.
fn table(room: &Room) -> Vec<Value> {
    let row = |sum: Sum| {
        json!({
            "technique": sum.technique.name,
            "title": Text::from(sum.technique.title).in_both(),
            "students": sum.students,
            "delivered": sum.delivered,
            "wait_ms": sum.wait_ms,
            "requests": sum.requests,
            "empty": sum.empty,
            "overhead_per_mail": sum.overhead_per_mail,
            "held": sum.held,
        })
    };
    room.sums().into_iter().map(row).collect()
}

fn shown(student: &Student, receipts: &[Received], from: f64) -> Value {
    let lanes: serde_json::Map<String, Value> = LANES
        .iter()
        .zip(receipts)
        .map(|(technique, received)| {
            let recent: Vec<_> = received.recent.iter().filter(|(_, at)| *at >= from).collect();
            let lane =
                json!({ "newest": received.newest, "delivered": received.mails, "deliveries": recent });
            (technique.name.into(), lane)
        })
        .collect();
    json!({
        "number": student.number,
        "colour": student.colour(),
        "here": student.is_here(crate::clock::now()),
        "lost": student.conditions.is_lost(),
        "away": !student.conditions.away().is_zero(),
        "blocked": student.is_blocked(),
        "simulated": student.simulated,
        "lanes": lanes,
    })
}
