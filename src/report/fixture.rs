//! Handmade reports for the formats' tests, with figures like those of real runs.

use crate::outcome::*;
use crate::wire::{Label, Labels};

/// One technique's figures in short form; bytes are the sums of both directions.
#[derive(Clone, Debug)]
pub struct Plain {
    pub name: &'static str,
    pub mails: u64,
    pub mean_ms: f64,
    pub requests: u64,
    pub empty: Option<u64>,
    pub messages: (Option<u64>, Option<u64>),
    pub head: u64,
    pub framing: u64,
    pub control: u64,
    pub payload: u64,
}

impl Plain {
    pub fn outcome(&self) -> Outcome {
        let bytes = Traffic {
            up: self.side(2, 5),
            down: self.side(3, 5),
        };
        let overhead_bytes = self.head + self.framing + self.control;
        Outcome {
            state: StateBytes::default(),
            technique: self.name.into(),
            mails: Delivery {
                sent: self.mails,
                expected: self.mails,
                delivered: self.mails,
                ..Delivery::default()
            },
            talk: None,
            latency_us: Some(self.latency()),
            latency_quantiles_us: self.quantiles(),
            latency_histogram: Default::default(),
            requests: Requests {
                total: self.requests,
                empty: self.empty,
                failed: None,
            },
            messages: Messages {
                down: self.messages.0,
                up: self.messages.1,
                first_us: None,
            },
            connections: Connections {
                opened: 1,
                peak: 1,
                reconnects: None,
                each: Vec::new(),
            },
            tabs: None,
            slow: None,
            segments: Segments {
                down: Some(self.requests + self.mails),
                up: Some(self.requests + self.mails),
            },
            server: None,
            bytes,
            overhead_bytes,
            overhead_bytes_per_delivery: (self.mails > 0).then(|| overhead_bytes as f64 / self.mails as f64),
            predicted: self.prediction(overhead_bytes),
            trust: Trust::default(),
            events: Vec::new(),
            attempts: Vec::new(),
            event_sources: None,
            events_truncated: false,
            behind_proxies: None,
            balanced: None,
            per_run: None,
            repeats: Vec::new(),
            samples_us: Vec::new(),
        }
    }

    /// One direction's share of the bytes, `part` of `of`; the larger share (down) gets the remainder.
    fn side(&self, part: u64, of: u64) -> Labelled<u64> {
        let share = |n: u64| {
            if part * 2 < of {
                n * part / of
            } else {
                n - n * (of - part) / of
            }
        };
        let (head, framing, control) = (share(self.head), share(self.framing), share(self.control));
        let payload = if part * 2 < of { 0 } else { self.payload };
        let labels = Labels {
            head,
            framing,
            control,
            payload,
            tls: 0,
        };
        labels.into()
    }

    /// Evenly spread from 5 % to 190 % of the mean.
    fn quantiles(&self) -> Vec<f64> {
        let last = self.mails.saturating_sub(1).max(1) as f64;
        let mails = 0..self.mails.min(101);
        mails
            .map(|n| self.mean_ms * 1e3 * (0.05 + 1.85 * n as f64 / last))
            .collect()
    }

    fn latency(&self) -> Latency {
        let us = self.mean_ms * 1e3;
        Latency {
            count: self.mails,
            min: us * 0.05,
            mean: us,
            p50: us * 0.98,
            p90: us * 1.7,
            p95: Some(us * 1.8),
            p99: us * 1.9,
            max: us * 1.9,
            stdev: us * 0.6,
        }
    }

    fn prediction(&self, overhead: u64) -> Prediction {
        let bytes = Traffic {
            up: self.side(2, 5),
            down: self.side(3, 5),
        };
        let near = |l: Labelled<u64>| {
            let less = |label| if label == Label::Head { 0.99 } else { 1.0 };
            Labelled {
                labels: Labels::of(|label| l[label] as f64 * less(label)),
                total: l.total as f64 - l.head as f64 * 0.01,
            }
        };
        Prediction {
            method: "simulated".into(),
            latency_us: PredictedLatency {
                mean: self.mean_ms * 970.0,
                max: self.mean_ms * 2_000.0,
            },
            behind_proxies: None,
            formula_us: None,
            talk: None,
            tabs: None,
            slow: None,
            requests: PredictedRequests {
                total: self.requests as f64,
                empty: self.empty.map(|e| e as f64 + 0.4),
            },
            bytes: Traffic {
                up: near(bytes.up),
                down: near(bytes.down),
            },
            overhead_bytes: overhead as f64 - self.head as f64 * 0.01,
        }
    }
}

pub const POLL: Plain = Plain {
    name: "poll",
    mails: 20,
    mean_ms: 104.2,
    requests: 62,
    empty: Some(43),
    messages: (None, None),
    head: 12_310,
    framing: 61,
    control: 0,
    payload: 6_000,
};
pub const LONG_POLL: Plain = Plain {
    name: "long-poll",
    mean_ms: 0.412,
    requests: 21,
    empty: Some(0),
    head: 4_830,
    framing: 42,
    ..POLL
};
pub const SSE: Plain = Plain {
    name: "sse",
    mean_ms: 0.131,
    requests: 1,
    empty: None,
    messages: (Some(20), None),
    head: 301,
    framing: 527,
    control: 19,
    ..POLL
};
pub const WS: Plain = Plain {
    name: "ws",
    mean_ms: 0.085,
    requests: 1,
    messages: (Some(20), Some(0)),
    head: 358,
    framing: 80,
    control: 12,
    ..SSE
};

/// The baseline: 4 bytes around each mail and 8 at the start.
pub const TCP: Plain = Plain {
    name: BASELINE,
    mean_ms: 0.081,
    requests: 0,
    messages: (Some(20), Some(0)),
    head: 0,
    framing: 80,
    control: 8,
    ..WS
};

/// A WebSocket that delivers a single mail.
pub const WS_ONCE: Plain = Plain {
    mails: 1,
    messages: (Some(1), Some(0)),
    head: 640,
    framing: 4,
    payload: 300,
    ..WS
};

pub fn of(plain: &[Plain]) -> Report {
    Report {
        envelope: Envelope::new(None, vec!["compare".into()], false),
        simulated: false,
        environment: Some(Environment {
            os: "linux".into(),
            cpu: Some("Example CPU".into()),
            cores: 2,
            ..Environment::default()
        }),
        scenario: Scenario {
            mails: plain.first().map_or(0, |p| p.mails),
            ..Scenario::default()
        },
        results: plain.iter().map(Plain::outcome).collect(),
        absent: Vec::new(),
        remote: None,
        server_clock: None,
    }
}

/// A report like that of `mailcall compare`.
pub fn typical() -> Report {
    of(&[POLL, LONG_POLL, SSE, WS])
}

/// The same techniques with several seeds, pooled like the lab does in all that a report uses.
pub fn repeated(seeds: &[Vec<Plain>]) -> Report {
    let mut report = of(&seeds[0]);
    report.scenario.repeat = seeds.len() as u32;
    for (i, pooled) in report.results.iter_mut().enumerate() {
        let each: Vec<Outcome> = seeds.iter().map(|seed| seed[i].outcome()).collect();
        let n = each.len() as f64;
        let sum = |of: fn(&Outcome) -> u64| each.iter().map(of).sum::<u64>();
        let mean = |of: fn(&Outcome) -> f64| each.iter().map(of).sum::<f64>() / n;
        pooled.mails = Delivery {
            sent: sum(|o| o.mails.sent),
            expected: sum(|o| o.mails.expected),
            delivered: sum(|o| o.mails.delivered),
            ..Delivery::default()
        };
        pooled.requests.total = sum(|o| o.requests.total);
        pooled.requests.empty = pooled
            .requests
            .empty
            .map(|_| sum(|o| o.requests.empty.unwrap_or(0)));
        pooled.connections.opened = sum(|o| o.connections.opened);
        pooled.overhead_bytes = sum(|o| o.overhead_bytes);
        pooled.overhead_bytes_per_delivery =
            Some(pooled.overhead_bytes as f64 / pooled.mails.delivered as f64);
        pooled.bytes = each.iter().fold(Traffic::default(), |sum, o| sum + o.bytes);
        pooled.predicted.requests.total *= n;
        pooled.predicted.overhead_bytes *= n;
        let latency = pooled.latency_us.as_mut().unwrap();
        latency.count = pooled.mails.delivered;
        latency.mean = mean(|o| o.latency_us.as_ref().unwrap().mean);
        pooled.per_run = PerRun::of(&each);
        pooled.repeats = each;
    }
    report
}

/// A report like that of `mailcall compare --baseline --repeat 5`.
pub fn five_seeds() -> Report {
    let seed = |i: usize| {
        let scatter = [0.97, 1.02, 1.0, 1.05, 0.96][i];
        // A seed affects all techniques alike; the remaining difference between ws and sse is chance.
        let chance = [0.012, -0.009, 0.004, -0.011, 0.003][i];
        let late = |plain: Plain, ms: f64| Plain {
            mean_ms: ms * scatter,
            ..plain
        };
        vec![
            late(TCP, 0.081),
            Plain {
                requests: 60 + i as u64,
                ..late(POLL, 104.2)
            },
            late(LONG_POLL, 0.412),
            late(SSE, 0.088 + chance),
            late(WS, 0.087),
        ]
    };
    repeated(&(0..5).map(seed).collect::<Vec<_>>())
}

/// One technique of a report.
pub fn only(report: &Report, name: &str) -> Report {
    let mut report = report.clone();
    report.results.retain(|o| o.technique == name);
    report
}

/// Mail arrives so fast that one poll carries many; a WebSocket needs a frame for each.
pub fn ws_loses() -> Report {
    let mut report = of(&[
        Plain {
            mails: 2_000,
            mean_ms: 51.0,
            requests: 20,
            empty: Some(0),
            head: 4_000,
            framing: 4_040,
            payload: 600_000,
            ..POLL
        },
        Plain {
            mails: 2_000,
            mean_ms: 0.09,
            messages: (Some(2_000), Some(0)),
            framing: 16_000,
            payload: 600_000,
            ..WS
        },
    ]);
    report.scenario.rate_per_s = 1_000.0;
    report
}

/// A single mail: too few to make up for a WebSocket's handshake.
pub fn one_mail() -> Report {
    of(&[
        Plain {
            mails: 1,
            requests: 2,
            head: 420,
            framing: 2,
            payload: 300,
            ..LONG_POLL
        },
        WS_ONCE,
    ])
}

/// Two techniques with the same costs.
pub fn alike() -> Report {
    of(&[
        SSE,
        Plain {
            name: "sse-too",
            mean_ms: 0.14,
            framing: 540,
            ..SSE
        },
    ])
}

/// SSE loses two mails, WebSocket reorders one and drops a reply.
pub fn lost() -> Report {
    let mut report = of(&[POLL, LONG_POLL, SSE, WS]);
    report.results[2].mails.delivered = 18;
    report.results[2].mails.lost = 2;
    report.results[3].mails.reordered = 1;
    report.results[3].mails.replies = Some(19);
    report
}

/// Nothing arrived and nothing was measured.
pub fn empty() -> Report {
    let mut report = of(&[Plain {
        mails: 0,
        payload: 0,
        ..SSE
    }]);
    report.results[0].latency_us = None;
    report.results[0].latency_quantiles_us = Vec::new();
    report
}

/// A photo with every mail; only a binary frame carries it unencoded.
pub fn attachments() -> Report {
    let mut report = of(&[
        Plain {
            framing: 400_400,
            payload: 1_206_000,
            ..POLL
        },
        Plain {
            framing: 400_900,
            payload: 1_206_000,
            ..SSE
        },
        Plain {
            framing: 280,
            payload: 1_206_000,
            ..WS
        },
    ]);
    report.scenario.attach = 60_000;
    report.scenario.frames = Frames::Binary;
    report
}

/// Every mail gets a reply.
pub fn replies() -> Report {
    let mut report = of(&[
        Plain {
            requests: 21,
            head: 5_400,
            control: 19,
            ..SSE
        },
        Plain {
            messages: (Some(20), Some(20)),
            framing: 200,
            ..WS
        },
    ]);
    report.scenario.reply = true;
    report.results.iter_mut().for_each(|o| o.mails.replies = Some(20));
    report
}

/// Every client sends messages: 40 in all, which SSE has to post.
pub fn talking() -> Report {
    let mut report = of(&[
        Plain {
            requests: 41,
            head: 8_501,
            control: 19,
            ..SSE
        },
        Plain {
            messages: (Some(20), Some(40)),
            framing: 320,
            ..WS
        },
    ]);
    report.scenario.talk_per_s = Some(4.0);
    for (o, (each, connections)) in report.results.iter_mut().zip([(205, 2.0), (6, 1.0)]) {
        let latency_us = o.latency_us.clone();
        let overhead = 40 * each;
        o.talk = Some(Talk {
            sent: 40,
            heard: 40,
            latency_us: latency_us.map(|l| Latency { count: 40, ..l }),
            overhead_bytes: overhead,
            overhead_bytes_per_message: EachWay {
                up: Some(each as f64),
                down: Some((o.overhead_bytes - overhead) as f64 / 20.0),
            },
            connections_per_client: connections,
            ..Talk::default()
        });
        o.predicted.talk = Some(PredictedTalk {
            latency_us: o.predicted.latency_us,
            overhead_bytes: overhead as f64,
            connections_per_client: connections,
        });
    }
    report
}

/// `typical` with a timeline: polls every 200 ms, and mail at a few instants.
pub fn with_events() -> Report {
    let mut report = typical();
    let due: Vec<f64> = (0..20)
        .map(|i| 300e3 + f64::from(i * i * 7 % 40) * 60e3 + f64::from(i) * 400e3)
        .collect();
    for outcome in &mut report.results {
        outcome.events = match outcome.technique.as_str() {
            "poll" => asking(&due, true),
            "long-poll" => asking(&due, false),
            _ => streaming(&due),
        };
    }
    report
}

fn event(t_us: f64, kind: EventKind, mail: Option<u64>) -> Event {
    let client = (kind != EventKind::Arrived).then_some(0);
    Event {
        t_us,
        client,
        kind,
        mail,
    }
}

fn in_order(mut events: Vec<Event>, due: &[f64]) -> Vec<Event> {
    events.extend(
        due.iter()
            .zip(1..)
            .map(|(t, n)| event(*t, EventKind::Arrived, Some(n))),
    );
    events.sort_by(|a, b| a.t_us.total_cmp(&b.t_us));
    events
}

fn asking(due: &[f64], at_once: bool) -> Vec<Event> {
    let mut events = Vec::new();
    let mut left: Vec<(f64, u64)> = due.iter().copied().zip(1..).collect();
    left.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut now: f64 = -40e3;
    while let Some((next, _)) = left.first().copied() {
        let answer = if at_once {
            now + 300.0
        } else {
            now.max(next) + 400.0
        };
        events.push(event(now, EventKind::Requested, None));
        events.push(event(answer, EventKind::Answered, None));
        while let Some((_, n)) = left.first().copied().filter(|(t, _)| *t <= answer) {
            events.push(event(answer + 20.0, EventKind::Delivered, Some(n)));
            left.remove(0);
        }
        now = if at_once { now + 200e3 } else { answer + 100.0 };
    }
    in_order(events, due)
}

fn streaming(due: &[f64]) -> Vec<Event> {
    let mut events = vec![event(-30e3, EventKind::Opened, None)];
    events.extend(
        due.iter()
            .zip(1..)
            .map(|(t, n)| event(t + 90.0, EventKind::Delivered, Some(n))),
    );
    let last = due.iter().copied().fold(0.0, f64::max);
    events.push(event(last + 20e3, EventKind::Closed, None));
    in_order(events, due)
}
