//! `--timeline`: what happened when, as lanes. The first lane has the arrivals; below it each
//! technique shows when its requests or its stream were open and when mail reached the application.
//! A long span is broken into strips, as music is into staves, until single polls can be told apart.

use unicode_width::UnicodeWidthStr;

use super::prose::{clip, pad};
use super::{printable, wrap};
use crate::lang::t;
use crate::outcome::{Event, EventKind, Outcome, Report};

/// So many mails at least can be shown one by one; a longer run shows its beginning.
const MAILS: usize = 20;
/// More strips than this are no longer read.
const STRIPS: usize = 3;
/// Lanes of one technique that runs alone with several clients.
const CLIENTS: usize = 4;

/// Draws the lanes in `width` columns.
pub fn draw(report: &Report, width: usize) -> String {
    let Some(window) = Window::of(report) else {
        return wrap(
            &t!("timeline: no mail arrived while events were recorded."),
            width,
            2,
        );
    };
    let lanes = lanes(report);
    let names = lanes.iter().map(|l| l.name.width()).chain(["seconds".len()]);
    let first = names.max().unwrap_or(0).min(width / 3) + 1;
    let room = width.saturating_sub(first).max(10);
    let strips = strips(&lanes, &window, room);
    let mut out = wrap(&caption(report, &window), width, 2);
    for strip in 0..strips {
        let ruler = window.part(strip, strips, room);
        out.push('\n');
        line(&mut out, "seconds", first, &ruler.axis());
        for lane in &lanes {
            line(&mut out, &lane.name, first, &ruler.row(lane));
        }
    }
    out
}

fn line(out: &mut String, name: &str, first: usize, row: &str) {
    let name = pad(&clip(name, first - 1), first);
    out.push_str(format!("{name}{row}").trim_end());
    out.push('\n');
}

fn caption(report: &Report, window: &Window) -> String {
    let signs = t!(
        "▼ mail arrives, ├ a request or stream opens, ─ is open, ┤ closes, · an empty answer, ● mail is delivered (a \
         digit: so many at once, + more than 9)."
    );
    let mut events = report.results.iter().flat_map(|o| &o.events);
    let failed = events.any(|e| e.kind == EventKind::Failed);
    [signs]
        .into_iter()
        .chain(failed.then(|| t!("✗ an error is answered, or nothing.")))
        .chain(left_out(report, window.mails))
        .collect::<Vec<_>>()
        .join(" ")
}

/// What of the run is not shown, each in a sentence.
pub fn left_out(report: &Report, mails: usize) -> Vec<String> {
    let all = report
        .results
        .iter()
        .map(|o| o.repeats.first().unwrap_or(o).mails.sent as usize)
        .max()
        .unwrap_or(0);
    let mut parts = Vec::new();
    if mails < all {
        parts.push(t!("Shown: the first %{n} of %{all} mails.", n = mails, all = all));
    }
    if report.results.iter().any(|o| o.runs() > 1) {
        parts.push(t!("Shown: the first seed."));
    }
    let clients = report.scenario.clients;
    let shown = shown_clients(report);
    if shown < clients {
        parts.push(t!("Shown: %{n} of %{all} clients.", n = shown, all = clients));
    }
    parts
}

fn shown_clients(report: &Report) -> usize {
    if report.results.len() == 1 {
        report.scenario.clients.min(CLIENTS)
    } else {
        1
    }
}

/// The span of time that is shown, microseconds.
pub struct Window {
    pub start: f64,
    pub end: f64,
    /// How many mails arrive in it.
    pub mails: usize,
}

impl Window {
    pub fn of(report: &Report) -> Option<Window> {
        let arrivals = arrivals(report);
        let first = *arrivals.first()?;
        // A few mails more than fit comfortably are better shown than cut off.
        let end = match arrivals.get(MAILS - 1).filter(|_| arrivals.len() > MAILS * 5 / 4) {
            Some(last) => delivered_by(report, MAILS as u64, *last, (last - first) / 4.0),
            None => ends(report, |o| o.events.last()).fold(first, f64::max),
        };
        let opened = ends(report, |o| o.events.first()).fold(first, f64::min);
        // Getting ready can take longer than the mail: a glimpse of it is enough.
        let start = opened.max(first.min(0.0) - 0.05 * (end - first));
        let end = end.max(start + 1e3);
        let mails = arrivals.iter().filter(|t| **t <= end).count();
        // The last instant shall lie within the last column, not on its edge.
        Some(Window {
            start,
            end: end + (end - start) * 1e-3,
            mails,
        })
    }

    fn part(&self, strip: usize, of: usize, cells: usize) -> Ruler {
        let cell = (self.end - self.start) / (of * cells) as f64;
        Ruler {
            start: self.start + (strip * cells) as f64 * cell,
            cell,
            cells,
        }
    }
}

/// The instants of one event of each outcome.
fn ends<'a>(report: &'a Report, which: fn(&Outcome) -> Option<&Event>) -> impl Iterator<Item = f64> + 'a {
    report.results.iter().filter_map(which).map(|e| e.t_us)
}

/// When every technique had delivered the mails up to `number`; a straggler is waited for only so long.
fn delivered_by(report: &Report, number: u64, arrived: f64, patience: f64) -> f64 {
    let events = report.results.iter().flat_map(|o| &o.events);
    let delivered = events.filter(|e| e.kind == EventKind::Delivered && e.mail.is_some_and(|n| n <= number));
    delivered
        .map(|e| e.t_us)
        .fold(arrived, f64::max)
        .min(arrived + patience)
}

/// When mail arrived. All techniques have the same schedule: any one tells it.
fn arrivals(report: &Report) -> Vec<f64> {
    let of = |o: &Outcome| {
        let arrived = o.events.iter().filter(|e| e.kind == EventKind::Arrived);
        arrived.map(|e| e.t_us).collect::<Vec<_>>()
    };
    report
        .results
        .iter()
        .map(of)
        .max_by_key(Vec::len)
        .unwrap_or_default()
}

/// One line: marks at instants, on spans of time.
#[derive(Default)]
pub struct Lane {
    pub name: String,
    pub spans: Vec<Span>,
    /// Arrivals or deliveries.
    pub marks: Vec<f64>,
    /// Which mail each mark is of, where that is known.
    pub mails: Vec<Option<u64>>,
    /// At which place of the report its technique stands; `None` for the arrivals.
    pub outcome: Option<usize>,
    mark: char,
}

/// Something open from here to there.
pub struct Span {
    pub from: f64,
    /// `None`: still open when the recording ended.
    pub to: Option<f64>,
    /// Closed without having brought mail, where that can be said.
    pub empty: bool,
    /// Answered with an error, or not at all.
    pub failed: bool,
}

/// The arrivals, and below them what each technique did.
pub fn lanes(report: &Report) -> Vec<Lane> {
    let marks = arrivals(report);
    let mut lanes = vec![Lane {
        name: "mail".into(),
        marks,
        mark: '▼',
        ..Lane::default()
    }];
    for (place, outcome) in report.results.iter().enumerate() {
        let clients = shown_clients(report);
        lanes.extend((0..clients).map(|client| {
            let name = printable(&outcome.technique);
            let name = if clients > 1 {
                format!("{name} {}", client + 1)
            } else {
                name
            };
            let events = outcome.events.iter().filter(|e| e.client == Some(client));
            Lane {
                outcome: Some(place),
                ..lane(name, events)
            }
        }));
    }
    lanes
}

fn lane<'a>(name: String, events: impl Iterator<Item = &'a Event>) -> Lane {
    let mut lane = Lane {
        name,
        mark: '●',
        ..Lane::default()
    };
    // Mail is decoded just after its answer is complete, so it is the next request that tells whether
    // an answer was empty.
    let mut brought = true;
    for event in events {
        match event.kind {
            EventKind::Requested | EventKind::Opened => {
                settle(&mut lane.spans, brought);
                brought = event.kind == EventKind::Opened;
                lane.spans.push(Span {
                    from: event.t_us,
                    to: None,
                    empty: false,
                    failed: false,
                });
            }
            EventKind::Answered | EventKind::Closed => {
                if let Some(open) = lane.spans.last_mut().filter(|s| s.to.is_none()) {
                    open.to = Some(event.t_us);
                }
            }
            EventKind::Failed => {
                let at = event.t_us;
                match lane.spans.last_mut().filter(|s| s.to.is_none()) {
                    Some(open) => (open.to, open.failed) = (Some(at), true),
                    None => {
                        settle(&mut lane.spans, brought);
                        lane.spans.push(Span {
                            from: at,
                            to: Some(at),
                            empty: false,
                            failed: true,
                        });
                    }
                }
            }
            EventKind::Delivered => {
                brought = true;
                lane.marks.push(event.t_us);
                lane.mails.push(event.mail);
            }
            EventKind::Arrived => {}
        }
    }
    settle(&mut lane.spans, brought);
    lane
}

fn settle(spans: &mut [Span], brought: bool) {
    if let Some(last) = spans.last_mut() {
        last.empty = !brought && !last.failed && last.to.is_some();
    }
}

/// As few strips as keep arrivals, and requests, in cells of their own.
fn strips(lanes: &[Lane], window: &Window, room: usize) -> usize {
    let crowded = |strips: usize| {
        let ruler = window.part(0, 1, room * strips);
        let shared = |times: &mut dyn Iterator<Item = f64>| {
            let mut times: Vec<f64> = times.collect();
            times.dedup();
            let mut cells: Vec<usize> = times.iter().filter_map(|t| ruler.cell(*t)).collect();
            let all = cells.len();
            cells.dedup();
            cells.len() < all
        };
        lanes.iter().any(|lane| {
            let requests = lane.spans.iter().filter(|s| s.empty || s.failed).map(|s| s.from);
            shared(&mut requests.into_iter()) || lane.mark == '▼' && shared(&mut lane.marks.iter().copied())
        })
    };
    (1..STRIPS).find(|n| !crowded(*n)).unwrap_or(STRIPS)
}

/// Time along one strip.
struct Ruler {
    start: f64,
    /// Microseconds that a column stands for.
    cell: f64,
    cells: usize,
}

impl Ruler {
    fn end(&self) -> f64 {
        self.start + self.cell * self.cells as f64
    }

    /// The column of an instant, if it is on this strip.
    fn cell(&self, t: f64) -> Option<usize> {
        let cell = ((t - self.start) / self.cell).floor();
        (cell >= 0.0 && cell < self.cells as f64).then_some(cell as usize)
    }

    /// A bar at each round instant, its time behind it.
    fn axis(&self) -> String {
        // A tick every ten columns or more, at a step of 1, 2 or 5 times a power of ten.
        let least = self.cell * 10.0;
        let power = 10f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|m| m * power)
            .find(|s| *s >= least)
            .unwrap_or(least);
        let decimals = (6.0 - step.log10().floor()).clamp(0.0, 6.0) as usize;
        let mut row = String::new();
        // Adding 0 turns the -0 that a start just before it rounds to into 0.
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

    fn row(&self, lane: &Lane) -> String {
        let mut row = vec![' '; self.cells];
        for span in &lane.spans {
            self.line(&mut row, span);
        }
        for (cell, marks) in self.counted(&lane.marks).into_iter().enumerate() {
            match marks {
                0 => {}
                1 => row[cell] = lane.mark,
                n => {
                    row[cell] = u32::try_from(n)
                        .ok()
                        .and_then(|n| char::from_digit(n, 10))
                        .unwrap_or('+')
                }
            }
        }
        for span in &lane.spans {
            self.ends(&mut row, span);
        }
        row.into_iter().collect()
    }

    fn line(&self, row: &mut [char], span: &Span) {
        let to = span.to.unwrap_or(f64::INFINITY);
        if to < self.start || span.from >= self.end() {
            return;
        }
        let from = self.cell(span.from.max(self.start)).unwrap_or(0);
        let to = self.cell(to).unwrap_or(self.cells - 1);
        row[from..=to].fill('─');
    }

    fn counted(&self, marks: &[f64]) -> Vec<usize> {
        let mut cells = vec![0; self.cells];
        marks
            .iter()
            .filter_map(|t| self.cell(*t))
            .for_each(|cell| cells[cell] += 1);
        cells
    }

    /// Where a span begins and ends, unless a mark is there already: then a begin moves on by one
    /// column, so that a request that follows upon a delivery is still seen to be a new one.
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
    use super::super::fixture;
    use super::*;

    fn event(ms: f64, kind: EventKind) -> Event {
        Event {
            t_us: ms * 1e3,
            client: Some(0),
            kind,
            mail: None,
        }
    }

    /// 1 column is 1 ms.
    fn drawn(events: &[Event], cells: usize) -> String {
        let ruler = Ruler {
            start: 0.0,
            cell: 1e3,
            cells,
        };
        ruler.row(&lane("x".into(), events.iter()))
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
        assert_eq!(
            ruler.row(&lane("x".into(), events.iter())),
            "──●",
            "a strip in the middle"
        );
        let ruler = Ruler {
            start: 9e3,
            cell: 1e3,
            cells: 3,
        };
        assert_eq!(
            ruler.row(&lane("x".into(), events.iter())),
            "   ",
            "a strip after its end"
        );
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

    /// The text as if its lines had not been broken.
    fn flat(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// How many mails the lanes of that name show.
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
        // A poll that never brought mail 20 is not waited for.
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
