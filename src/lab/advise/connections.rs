//! How many connections a client holds, and how often it opens one, if the server closes connections that
//! are idle for `--keep-alive`.
//!
//! | | the connection that brings mail | the connection for the client's messages |
//! | --- | --- | --- |
//! | HTTP/1.0 | one for each request | one for each request |
//! | HTTP/1.1, polling | kept between two polls, or not | the same; another one while a poll is on its way |
//! | HTTP/1.1, long polling and event streams | never idle | another one, kept until the next message, or not |
//! | HTTP/2 | as for 1.1 | the same |
//! | WebSocket | never idle | the same |

use super::sums::Sums;
use crate::link::tls::{CLOSE_NOTIFY, Handshake};
use crate::outcome::{HttpVersion, Scenario};
use crate::technique::Technique;
use crate::theory::{Delivery, Kept, Use};

/// The connections of one client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connections {
    /// Connections open on average.
    pub held: f64,
    /// How often a poll, or a message on the polls' connection, opens that connection, per second.
    pub reopened_per_s: f64,
    /// How often a message opens a connection of its own, per second; not counted in HTTP/1.0.
    pub aside_per_s: f64,
    /// The share of messages that have to wait for a connection.
    pub opening_messages: f64,
}

impl Connections {
    /// The connections of a client that uses the technique in the scenario.
    pub fn of(technique: &Technique, scenario: &Scenario) -> Connections {
        let delivery = (technique.delivers)(scenario);
        let talk = scenario.talk_per_s.unwrap_or(0.0);
        match (scenario.http, delivery) {
            (_, Delivery::Duplex) => Connections::waiting(),
            (HttpVersion::Http10, _) => Connections {
                held: f64::from(u8::from(delivery != Delivery::Polled)),
                opening_messages: 1.0,
                ..Connections::default()
            },
            (HttpVersion::Http2, Delivery::Polled) => Connections::polled(scenario, talk, 0.0),
            (HttpVersion::Http2, _) => Connections::waiting(),
            (HttpVersion::Http11, Delivery::Polled) => {
                let on_its_way = (scenario.link.rtt_ms / scenario.poll_interval_ms).min(1.0);
                Connections::polled(scenario, talk, on_its_way)
            }
            (HttpVersion::Http11, _) => {
                let replies = if scenario.reply { scenario.rate_per_s } else { 0.0 };
                Connections::waiting().and_aside(scenario, talk + replies, 1.0)
            }
        }
    }

    /// One connection that is never idle.
    fn waiting() -> Connections {
        Connections {
            held: 1.0,
            ..Connections::default()
        }
    }

    /// One connection for polls and messages, except for the share `met` of messages, which meet a poll on
    /// its way.
    fn polled(scenario: &Scenario, talk: f64, met: f64) -> Connections {
        let kept = kept(scenario, scenario.poll_interval_ms / 1e3, talk * (1.0 - met));
        let shared = Connections {
            held: kept.open,
            reopened_per_s: kept.opened_per_s,
            opening_messages: (1.0 - met) * kept.opening_messages,
            ..Connections::default()
        };
        shared.and_aside(scenario, talk * met, met)
    }

    /// Adds a connection for `rate` messages per second, which are this share of all messages.
    fn and_aside(self, scenario: &Scenario, rate: f64, share: f64) -> Connections {
        if rate == 0.0 {
            return self;
        }
        let kept = kept(scenario, f64::INFINITY, rate);
        Connections {
            held: self.held + kept.open,
            aside_per_s: kept.opened_per_s,
            opening_messages: self.opening_messages + share * kept.opening_messages,
            ..self
        }
    }

    /// How often a client opens a connection, per second, if it sends this many requests per second.
    pub fn opened_per_s(&self, scenario: &Scenario, requests_per_s: f64) -> f64 {
        match scenario.http {
            HttpVersion::Http10 => requests_per_s,
            HttpVersion::Http11 | HttpVersion::Http2 => self.reopened_per_s + self.aside_per_s,
        }
    }
}

fn kept(scenario: &Scenario, interval: f64, rate: f64) -> Kept {
    let keep_alive = scenario.keep_alive_ms.map_or(f64::INFINITY, |ms| ms / 1e3);
    Use { interval, rate }.kept(keep_alive)
}

/// Whether each poll opens a connection.
pub fn polls_open(scenario: &Scenario, interval: f64) -> bool {
    scenario.http == HttpVersion::Http10 || scenario.keep_alive_ms.is_some_and(|ms| interval * 1e3 >= ms)
}

/// The cost of a connection that is opened for a message in HTTP/1.1: its handshake, and the alerts with
/// which both sides close it (RFC 8446, section 6.1).
pub fn aside(handshakes: Option<[Handshake; 2]>) -> Sums {
    let Some([_, again]) = handshakes else {
        return Sums::default();
    };
    Sums::overhead(
        (again.up + CLOSE_NOTIFY) as f64,
        (again.down + CLOSE_NOTIFY) as f64,
    )
}
