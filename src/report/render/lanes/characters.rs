//! Lanes made of characters. The first row shows the arrivals; each lane below shows when a request or a
//! stream was open and when mail was delivered. A long time is split into strips, like lines of text, until
//! single polls can be distinguished.

use unicode_width::UnicodeWidthStr;

use crate::lang::t;
use crate::report::lanes::{Lane, Lanes, Span, Wait, Window};
use crate::report::prose::{clip, pad, wrap};

/// The most strips, because more would not be read.
const STRIPS: usize = 3;
/// The marks of an arrival and of a delivery.
const ARRIVED: char = '▼';
const DELIVERED: char = '●';
/// A request that waits for a free connection.
const QUEUED: char = '░';

/// Draws lanes in `width` columns.
pub fn draw(lanes: &Lanes, width: usize) -> String {
    let Some(window) = &lanes.window else {
        return wrap(
            &t!("timeline: no mail arrived while events were recorded."),
            width,
            2,
        );
    };
    let names = lanes
        .lanes
        .iter()
        .map(|l| l.name.width())
        .chain(["seconds".len()]);
    let first = names.max().unwrap_or(0).min(width / 3) + 1;
    let room = width.saturating_sub(first).max(10);
    let strips = strips(lanes, window, room);
    let mut out = wrap(&caption(lanes), width, 2);
    for strip in 0..strips {
        let ruler = Ruler::part(window, strip, strips, room);
        out.push('\n');
        line(&mut out, "seconds", first, &ruler.axis());
        line(
            &mut out,
            "mail",
            first,
            &ruler.row(&[], &[], &lanes.arrivals, ARRIVED),
        );
        for lane in &lanes.lanes {
            line(&mut out, &lane.name, first, &ruler.lane(lane));
        }
    }
    out
}

/// The rows of a run that goes on: arrivals, and one lane up to the present.
pub fn rows(lane: &Lane, arrivals: &[f64], window: &Window, now: f64, cells: usize) -> [String; 2] {
    let ruler = Ruler::part(window, 0, 1, cells);
    let past = ruler.cell(now).map_or(cells, |cell| cell + 1);
    let rows = [ruler.row(&[], &[], arrivals, ARRIVED), ruler.lane(lane)];
    rows.map(|row| row.chars().take(past).collect())
}

fn line(out: &mut String, name: &str, first: usize, row: &str) {
    let name = pad(&clip(name, first - 1), first);
    out.push_str(format!("{name}{row}").trim_end());
    out.push('\n');
}

fn caption(lanes: &Lanes) -> String {
    let signs = t!(
        "▼ mail arrives, ├ a request or stream opens, ─ is open, ┤ closes, · an empty answer, ● mail is delivered (a \
         digit: so many at once, + more than 9)."
    );
    let failed = lanes.has_failed();
    let queued = lanes.has_queued();
    [signs]
        .into_iter()
        .chain(queued.then(|| t!("░ a request waits for a free connection.")))
        .chain(failed.then(|| t!("✗ an error is answered, or nothing.")))
        .chain(lanes.left_out.iter().cloned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The smallest number of strips in which arrivals, and requests, have separate cells.
fn strips(lanes: &Lanes, window: &Window, room: usize) -> usize {
    let crowded = |strips: usize| {
        let ruler = Ruler::part(window, 0, 1, room * strips);
        let shared = |mut times: Vec<f64>| {
            times.dedup();
            let mut cells: Vec<usize> = times.iter().filter_map(|t| ruler.cell(*t)).collect();
            let all = cells.len();
            cells.dedup();
            cells.len() < all
        };
        let requests = |lane: &Lane| {
            let spans = lane.spans.iter().filter(|s| s.empty || s.failed);
            spans.map(|s| s.from).collect()
        };
        shared(lanes.arrivals.clone()) || lanes.lanes.iter().any(|lane| shared(requests(lane)))
    };
    (1..STRIPS).find(|n| !crowded(*n)).unwrap_or(STRIPS)
}

/// The time axis of one strip.
struct Ruler {
    start: f64,
    /// Microseconds per column.
    cell: f64,
    cells: usize,
}

impl Ruler {
    /// The ruler of one of `of` strips with `cells` cells each.
    fn part(window: &Window, strip: usize, of: usize, cells: usize) -> Ruler {
        let cell = (window.end - window.start) / (of * cells) as f64;
        Ruler {
            start: window.start + (strip * cells) as f64 * cell,
            cell,
            cells,
        }
    }

    fn end(&self) -> f64 {
        self.start + self.cell * self.cells as f64
    }

    /// The column of an instant, if it is on this strip.
    fn cell(&self, t: f64) -> Option<usize> {
        let cell = ((t - self.start) / self.cell).floor();
        (cell >= 0.0 && cell < self.cells as f64).then_some(cell as usize)
    }

    /// The axis: a bar at each round instant, followed by its time.
    fn axis(&self) -> String {
        // A tick every ten columns or more, at multiples of 1, 2 or 5 times a power of ten.
        let least = self.cell * 10.0;
        let power = 10f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|m| m * power)
            .find(|s| *s >= least)
            .unwrap_or(least);
        let decimals = (6.0 - step.log10().floor()).clamp(0.0, 6.0) as usize;
        let mut row = String::new();
        // Adding 0 turns -0, to which a small negative start rounds, into 0.
        let mut n = (self.start / step).ceil() + 0.0;
        while n * step < self.end() {
            let text = format!("|{:.decimals$}", n * step / 1e6);
            if let Some(cell) = self.cell(n * step).filter(|cell| cell + text.len() <= self.cells) {
                row = pad(&row, cell) + &text;
            }
            n += 1.0;
        }
        row
    }

    fn lane(&self, lane: &Lane) -> String {
        let times: Vec<f64> = lane.deliveries.iter().map(|d| d.at).collect();
        self.row(&lane.spans, &lane.queued, &times, DELIVERED)
    }

    fn row(&self, spans: &[Span], queued: &[Wait], marks: &[f64], mark: char) -> String {
        let mut row = vec![' '; self.cells];
        for span in spans {
            self.line(&mut row, (span.from, span.to), '─');
        }
        for wait in queued {
            self.line(&mut row, (wait.from, wait.to), QUEUED);
        }
        for (cell, marks) in self.counted(marks).into_iter().enumerate() {
            match marks {
                0 => {}
                1 => row[cell] = mark,
                n => {
                    row[cell] = u32::try_from(n)
                        .ok()
                        .and_then(|n| char::from_digit(n, 10))
                        .unwrap_or('+')
                }
            }
        }
        for span in spans {
            self.ends(&mut row, span);
        }
        row.into_iter().collect()
    }

    fn line(&self, row: &mut [char], (from, to): (f64, Option<f64>), with: char) {
        let to = to.unwrap_or(f64::INFINITY);
        if to < self.start || from >= self.end() {
            return;
        }
        let from = self.cell(from.max(self.start)).unwrap_or(0);
        let to = self.cell(to).unwrap_or(self.cells - 1);
        row[from..=to].fill(with);
    }

    fn counted(&self, marks: &[f64]) -> Vec<usize> {
        let mut cells = vec![0; self.cells];
        marks
            .iter()
            .filter_map(|t| self.cell(*t))
            .for_each(|cell| cells[cell] += 1);
        cells
    }

    /// Draws the ends of a span unless there is a mark already. In that case the start moves by one column,
    /// so that a request directly after a delivery is still visible as a new one.
    fn ends(&self, row: &mut [char], span: &Span) {
        let (from, to) = (self.cell(span.from), span.to.and_then(|t| self.cell(t)));
        if let Some(to) = to.filter(|to| row[*to] == '─' || row[*to] == '├') {
            row[to] = if span.failed {
                '✗'
            } else if span.empty {
                '·'
            } else if Some(to) == from {
                '─'
            } else {
                '┤'
            };
        }
        if let Some(from) = from.filter(|from| Some(*from) != to) {
            let free = (from..self.cells).take(2).find(|cell| row[*cell] == '─');
            if let Some(cell) = free.filter(|cell| Some(*cell) != to) {
                row[cell] = '├';
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Event, EventKind, Report};
    use crate::report::chart::Fill;
    use crate::report::fixture;
    use crate::report::views::run::lanes;

    fn draw(report: &Report, width: usize) -> String {
        super::draw(&lanes::of(report), width)
    }

    fn row(ruler: &Ruler, events: &[Event]) -> String {
        let lane = lanes::lane("x".into(), Fill::Baseline, events.iter(), |_| None);
        ruler.lane(&lane)
    }

    fn event(ms: f64, kind: EventKind) -> Event {
        Event {
            t_us: ms * 1e3,
            client: Some(0),
            kind,
            mail: None,
        }
    }

    /// One column is 1 ms.
    fn drawn(events: &[Event], cells: usize) -> String {
        let ruler = Ruler {
            start: 0.0,
            cell: 1e3,
            cells,
        };
        row(&ruler, events)
    }

    #[test]
    fn polls_are_dots_and_deliveries_discs() {
        use EventKind::*;
        let events = [
            event(1.1, Requested),
            event(1.3, Answered),
            event(4.1, Requested),
            event(4.3, Answered),
            event(4.4, Delivered),
            event(7.1, Requested),
            event(7.3, Answered),
            event(7.4, Delivered),
            event(7.4, Delivered),
        ];
        assert_eq!(drawn(&events, 10), " ·  ●  2  ");
    }

    #[test]
    fn a_held_request_is_a_line_and_each_one_is_seen_to_begin() {
        use EventKind::*;
        let events = [
            event(0.5, Requested),
            event(5.1, Answered),
            event(5.2, Delivered),
            event(5.3, Requested),
            event(9.5, Answered),
            event(9.9, Requested),
        ];
        assert_eq!(
            drawn(&events, 12),
            "├────●├──·├─",
            "the second was answered empty, the third is still open"
        );
    }

    #[test]
    fn a_failed_answer_is_not_an_empty_one() {
        use EventKind::*;
        let events = [
            event(0.5, Requested),
            event(3.1, Failed),
            event(4.5, Requested),
            event(7.1, Answered),
            event(8.5, Requested),
            event(8.6, Failed),
            event(10.5, Failed),
        ];
        assert_eq!(drawn(&events, 12), "├──✗├──·✗ ✗ ");
    }

    #[test]
    fn a_request_in_the_queue_begins_when_it_leaves_it() {
        use EventKind::*;
        let events = [
            event(0.5, Requested),
            event(0.5, Queued),
            event(4.5, Dequeued),
            event(7.5, Answered),
            event(7.6, Delivered),
            event(9.5, Queued),
        ];
        assert_eq!(drawn(&events, 12), "░░░░░├─● ░░░");
        assert_eq!(drawn(&[event(1.5, Queued), event(4.5, Closed)], 8), " ░░░░   ");
    }

    #[test]
    fn a_stream_is_one_line() {
        use EventKind::*;
        let events = [
            event(0.5, Opened),
            event(3.0, Delivered),
            event(6.0, Delivered),
            event(8.5, Closed),
        ];
        assert_eq!(drawn(&events, 10), "├──●──●─┤ ");
        let ruler = Ruler {
            start: 4e3,
            cell: 1e3,
            cells: 3,
        };
        assert_eq!(row(&ruler, &events), "──●", "a strip in the middle");
        let ruler = Ruler {
            start: 9e3,
            cell: 1e3,
            cells: 3,
        };
        assert_eq!(row(&ruler, &events), "   ", "a strip after its end");
    }

    #[test]
    fn the_axis_has_round_times_where_they_belong() {
        let ruler = Ruler {
            start: -30e3,
            cell: 10e3,
            cells: 40,
        };
        let axis = ruler.axis();
        for (text, at) in [("|0.0", 3), ("|0.1", 13), ("|0.2", 23), ("|0.3", 33)] {
            assert_eq!(axis.find(text), Some(at), "{axis}");
        }
        let fine = Ruler {
            start: 0.0,
            cell: 7.0,
            cells: 40,
        }
        .axis();
        assert!(fine.contains("|0.0001") && fine.contains("|0.0002"), "{fine}");
    }

    /// The text without its line breaks.
    fn flat(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// How many mails the lanes with this name show.
    fn marks(text: &str, name: &str, mark: char) -> u32 {
        let rows = text.lines().filter_map(|l| l.strip_prefix(name));
        rows.flat_map(str::chars)
            .filter_map(|c| if c == mark { Some(1) } else { c.to_digit(10) })
            .sum()
    }

    #[test]
    fn every_mail_of_a_short_run_is_on_every_lane() {
        let report = fixture::with_events();
        for width in [40, 60, 80, 120, 200] {
            let text = draw(&report, width);
            assert_eq!(marks(&text, "mail ", '▼'), 20, "{text}");
            for name in ["poll ", "long-poll ", "sse ", "ws "] {
                assert_eq!(marks(&text, name, '●'), 20, "{name} at {width}\n{text}");
            }
        }
    }

    #[test]
    fn a_long_run_shows_its_beginning_and_says_so() {
        let mut report = fixture::with_events();
        for outcome in &mut report.results {
            outcome.mails.sent = 500;
            let more = (21..=500).map(|n| Event {
                client: None,
                mail: Some(n),
                ..event(20_000.0 + n as f64 * 100.0, EventKind::Arrived)
            });
            outcome.events.extend(more);
        }
        let text = draw(&report, 80);
        assert!(flat(&text).contains("Shown: the first 20 of 500 mails"), "{text}");
        assert!(!text.contains("|10"), "what comes at 20 s is not shown\n{text}");
        assert_eq!(marks(&text, "mail ", '▼'), 20);
        // The timeline does not wait for a poll that never delivered mail 20.
        report.results[0]
            .events
            .iter_mut()
            .filter(|e| e.kind == EventKind::Delivered)
            .for_each(|e| e.t_us *= 9.0);
        assert!(!draw(&report, 80).contains("|20"));
    }

    #[test]
    fn of_several_seeds_the_first_is_shown_and_counted() {
        let mut report = fixture::with_events();
        for outcome in &mut report.results {
            outcome.repeats = vec![outcome.clone(); 3];
            outcome.mails.sent *= 3;
        }
        let text = flat(&draw(&report, 80));
        assert!(
            text.contains("Shown: the first seed.") && !text.contains("of 60"),
            "{text}"
        );
        assert!(!flat(&draw(&fixture::with_events(), 80)).contains("seed"));
    }

    #[test]
    fn several_clients_of_one_technique_have_lanes_of_their_own() {
        let mut report = fixture::only(&fixture::with_events(), "ws");
        report.scenario.clients = 3;
        let events = &mut report.results[0].events;
        let second = events.iter().filter(|e| e.client.is_some());
        let second: Vec<Event> = second
            .map(|e| Event {
                client: Some(1),
                ..e.clone()
            })
            .collect();
        events.extend(second);
        events.sort_by(|a, b| a.t_us.total_cmp(&b.t_us));
        let text = draw(&report, 80);
        assert!(
            text.contains("\nws 1    ├") && text.contains("\nws 2    ├") && text.contains("\nws 3\n"),
            "{text}"
        );
        assert!(!text.contains("Shown"), "{text}");
        report.scenario.clients = 100;
        assert!(flat(&draw(&report, 80)).contains("Shown: 4 of 100 clients"));
    }

    #[test]
    fn nothing_recorded_is_said() {
        assert!(draw(&fixture::typical(), 80).contains("no mail arrived"));
        assert!(draw(&fixture::of(&[]), 80).contains("no mail arrived"));
    }
}
