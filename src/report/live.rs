//! The timeline of a run that goes on: its newest part, up to the present.

use super::chart::Fill;
use super::lanes::Window;
use super::render::lanes::characters;
use super::views::run::lanes;
use crate::outcome::{Event, EventKind};

/// The arrivals and the lane of one client in `cells` columns, from its `events` in order of time.
///
/// Until a run has lasted for `width_us` microseconds, the rows grow; then they move on.
pub fn rows(events: &[Event], now_us: f64, width_us: f64, cells: usize) -> [String; 2] {
    let end = now_us.max(width_us);
    // The last instant is within the last column, not on its edge.
    let window = Window {
        start: end - width_us,
        end: end + width_us * 1e-3,
    };
    let (arrived, seen): (Vec<&Event>, Vec<&Event>) =
        events.iter().partition(|e| e.kind == EventKind::Arrived);
    let arrivals: Vec<f64> = arrived.iter().map(|e| e.t_us).collect();
    let lane = lanes::lane(String::new(), Fill::Baseline, seen.into_iter(), |_| None);
    characters::rows(&lane, &arrivals, &window, now_us, cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(ms: f64, kind: EventKind) -> Event {
        Event {
            t_us: ms * 1e3,
            client: Some(0),
            kind,
            mail: None,
        }
    }

    /// One column is 1 ms.
    fn drawn(events: &[Event], now: f64) -> [String; 2] {
        rows(events, now * 1e3, 10e3, 10)
    }

    #[test]
    fn rows_grow_until_they_move() {
        use EventKind::*;
        let events = [
            event(0.0, Opened),
            event(2.5, Arrived),
            event(3.5, Delivered),
            event(7.5, Arrived),
            event(8.5, Delivered),
        ];
        assert_eq!(drawn(&events[..1], 1.5), ["  ", "├─"]);
        assert_eq!(drawn(&events[..3], 5.5), ["  ▼   ", "├──●──"]);
        // From 5 to 15 ms.
        assert_eq!(drawn(&events, 15.0), ["  ▼       ", "───●──────"]);
    }

    #[test]
    fn an_empty_answer_is_a_dot() {
        use EventKind::*;
        let events = [event(1.5, Requested), event(1.6, Answered), event(4.5, Requested)];
        assert_eq!(drawn(&events, 6.5)[1], " ·  ├──");
    }
}
