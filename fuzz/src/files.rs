//! The files that users hand over.

use mailcall::cli::redraw;
use mailcall::lesson::Lesson;
use mailcall::mail::Schedule;
use mailcall::mail::replay::{parse_csv, parse_mbox};
use mailcall::outcome::prices::Prices;
use mailcall::technique::headers::Headers;

/// Any bytes as the file of a captured exchange.
pub fn headers(data: &[u8]) {
    let _ = Headers::parse(data);
}

/// Any bytes as a replayed mailbox.
pub fn mbox(data: &[u8]) {
    replays(parse_mbox(data));
}

/// Any bytes as a table of arrivals.
pub fn csv(data: &[u8]) {
    replays(parse_csv(data));
}

/// What is accepted must hold arrivals.
fn replays<E>(schedule: Result<Schedule, E>) {
    if let Ok(schedule) = schedule {
        assert!(!schedule.letters.is_empty());
    }
}

/// Any text as a lesson.
pub fn lesson(data: &[u8]) {
    let _ = Lesson::parse("fuzz", super::text(data));
}

/// Any text as a price file.
pub fn prices(data: &[u8]) {
    let _ = Prices::parse(super::text(data));
}

/// Any text as a saved result, which is drawn if it is one.
pub fn report(data: &[u8]) {
    let _ = redraw(super::text(data));
}
