//! The flow of mail through topics: a picture under the table of a technique with topics, showing publishers,
//! topics and subscribers.

use unicode_width::UnicodeWidthStr;

use crate::lang::t;
use crate::outcome::{Outcome, Report, Scenario};
use crate::report::doc::Drawing;
use crate::report::notes::count;
use crate::technique::{self, Technique};
use crate::terminal::printable;

/// The most publishers, topics or subscribers shown one by one; the others are summed up.
const SHOWN: usize = 6;

/// The picture, if one technique ran and has topics.
pub fn of(report: &Report) -> Option<Drawing> {
    let [outcome] = &report.results[..] else {
        return None;
    };
    let has = technique::named(&outcome.technique).is_some_and(Technique::has_topics)
        && outcome.repeats.is_empty()
        && report.remote.is_none();
    let stages = has.then(|| stages(&report.scenario, outcome))?;
    let title = t!("SENDs, topics and MESSAGEs:");
    Some(Drawing::new(move |width| {
        let wide = side_by_side(&stages);
        let drawn = match wide.lines().all(|line| line.width() <= width) {
            true => wide,
            false => one_below_another(&stages, width),
        };
        format!("{title}\n{drawn}")
    }))
}

/// From left to right: publishers, topics, subscribers; each with its number of mails.
fn stages(scenario: &Scenario, outcome: &Outcome) -> [Vec<String>; 3] {
    let sent = outcome.mails.sent;
    let dealt = |among: usize| shares(sent, among);
    let publishers = match scenario.publishers {
        0 => vec![t!("the server itself: %{n}", n = count(sent))],
        n => listed(&dealt(n), |i| t!("publisher %{i}", i = i + 1)),
    };
    let topics = listed(&dealt(scenario.topics.len()), |i| {
        format!("/topic/{}", printable(&scenario.topics[i]))
    });
    let subscribers = match outcome.mails.delivered == sent * scenario.clients as u64 {
        true => listed(&vec![sent; scenario.clients], |i| {
            t!("subscriber %{i}", i = i + 1)
        }),
        false => vec![t!(
            "subscribers, %{n} of them: %{delivered}",
            n = count(scenario.clients as u64),
            delivered = count(outcome.mails.delivered)
        )],
    };
    [publishers, topics, subscribers]
}

/// How many of the mails each gets, in turn.
fn shares(mails: u64, among: usize) -> Vec<u64> {
    let among = among.max(1) as u64;
    (0..among)
        .map(|i| mails / among + u64::from(i < mails % among))
        .collect()
}

/// A line for each, or for the first ones and for all others together.
fn listed(mails: &[u64], name: impl Fn(usize) -> String) -> Vec<String> {
    let shown = if mails.len() > SHOWN {
        SHOWN - 1
    } else {
        mails.len()
    };
    let line = |(i, mails): (usize, &u64)| format!("{}: {}", name(i), count(*mails));
    let mut lines: Vec<String> = mails[..shown].iter().enumerate().map(line).collect();
    let rest = &mails[shown..];
    if !rest.is_empty() {
        lines.push(t!(
            "%{n} others: %{sum}",
            n = count(rest.len() as u64),
            sum = count(rest.iter().sum())
        ));
    }
    lines
}

/// The stages side by side: each begins where the one before ends.
fn side_by_side(stages: &[Vec<String>]) -> String {
    let (mut out, mut joint) = (String::new(), 0);
    for (i, stage) in stages.iter().enumerate() {
        let widest = stage.iter().map(|line| line.width()).max().unwrap_or(0);
        let arrow = if i == 0 { "" } else { "+--> " };
        let is_last = i + 1 == stages.len();
        for line in stage {
            out.extend(std::iter::repeat_n(' ', joint));
            out += &format!("{arrow}{line}");
            if !is_last {
                out.push(' ');
                out.extend(std::iter::repeat_n('-', widest - line.width() + 2));
                out.push('+');
            }
            out.push('\n');
        }
        joint += arrow.len() + widest + 3;
    }
    out
}

/// The stages below each other, each indented further; what does not fit is cut.
fn one_below_another(stages: &[Vec<String>], width: usize) -> String {
    let mut out = String::new();
    for (i, stage) in stages.iter().enumerate() {
        for line in stage {
            let mut whole = match i {
                0 => line.clone(),
                _ => format!("{}+-> {line}", "    ".repeat(i - 1)),
            };
            while whole.width() > width && whole.pop().is_some() {}
            out += &whole;
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn draw(report: &Report, width: usize) -> Option<String> {
        Some(of(report)?.draw(width))
    }

    fn report(publishers: usize, topics: &[&str], clients: usize) -> Report {
        let mut report = fixture::only(&fixture::typical(), "ws");
        report.results[0].technique = "stomp".into();
        report.scenario.publishers = publishers;
        report.scenario.topics = topics.iter().map(|t| (*t).to_string()).collect();
        report.scenario.clients = clients;
        let mails = &mut report.results[0].mails;
        mails.sent = 21;
        mails.delivered = 21 * clients as u64;
        report
    }

    #[test]
    fn publishers_topics_and_subscribers_stand_side_by_side() {
        let drawn = draw(&report(2, &["inbox", "promotions"], 3), 80).unwrap();
        let expected = "\
SENDs, topics and MESSAGEs:
publisher 1: 11 --+
publisher 2: 10 --+
                  +--> /topic/inbox: 11 -------+
                  +--> /topic/promotions: 10 --+
                                               +--> subscriber 1: 21
                                               +--> subscriber 2: 21
                                               +--> subscriber 3: 21
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn or_below_one_another_where_it_is_narrow() {
        let drawn = draw(&report(0, &["inbox"], 1_000), 30).unwrap();
        let expected = "\
SENDs, topics and MESSAGEs:
the server itself: 21
+-> /topic/inbox: 21
    +-> subscriber 1: 21
    +-> subscriber 2: 21
    +-> subscriber 3: 21
    +-> subscriber 4: 21
    +-> subscriber 5: 21
    +-> 995 others: 20,895
";
        assert_eq!(drawn, expected);
        let long = report(
            7,
            &["a-topic-with-a-name-that-is-much-too-long-for-anything"; 7],
            2,
        );
        for width in 8..100 {
            let drawn = draw(&long, width).unwrap();
            let pictured = drawn.lines().skip(1);
            assert!(pictured.clone().all(|line| line.width() <= width), "{drawn}");
            assert_eq!(pictured.count(), 6 + 6 + 2);
        }
    }

    #[test]
    fn what_was_not_delivered_is_not_drawn_as_if_it_was() {
        let mut lossy = report(1, &["inbox"], 2);
        lossy.results[0].mails.delivered = 41;
        let drawn = draw(&lossy, 80).unwrap();
        assert!(drawn.contains("subscribers, 2 of them: 41"), "{drawn}");
        assert_eq!(draw(&fixture::typical(), 80), None);
        assert_eq!(draw(&fixture::only(&fixture::typical(), "ws"), 80), None);
    }
}
