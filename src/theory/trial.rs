//! Where there is no formula: a run acted out over a [`Path`], with the run's own schedule, seed and
//! sizes. It is the same model that the formulas describe, plus what they leave out: bytes that take
//! time, chance, and the connection that is opened first.
//!
//! Every client of a run has luck of its own, drawn from the seed and its connection's number; so a
//! trial says what *this* run should cost, as the formulas do for this schedule. With many clients,
//! as many are acted out as fit a bounded amount of work, spread evenly over them all.

use std::collections::HashMap;

use super::pipe::{Path, Pipe, SEGMENT};
use super::{Exchange, FINISHED, Handshake, Latency, TICKETS};

/// How much is acted out: segments, give or take a client.
const WORK: u64 = 300_000;

/// After so many empty answers in a row, the rest of a silence is taken to be like them.
const STREAK: f64 = 1_000.0;

/// What is acted out.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// When each mail is due, seconds after the start, in order.
    pub due: &'a [f64],
    /// The network.
    pub path: Path,
    /// The run's seed.
    pub seed: u64,
    /// How many clients there are.
    pub clients: usize,
    /// Whether a client that asks opens a connection for each request.
    pub fresh: bool,
    /// TLS handshakes: a client's first, and one that resumes it.
    pub handshakes: Option<[Handshake; 2]>,
}

/// What messages weigh, in bytes.
#[derive(Clone, Copy)]
pub struct Sizes<'a> {
    /// A request with this cursor.
    pub request: &'a dyn Fn(u64) -> usize,
    /// The answer to a request with the first cursor, holding mail up to the second.
    pub answer: &'a dyn Fn(u64, u64) -> usize,
}

/// What a client did before the connection that brings its mail was ready: over by then, but all of it had
/// its share of luck.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before<'a> {
    /// Connections that it had opened before that one.
    pub connections: u64,
    /// Bytes of each write that came on that one: of each answer, if a client asks.
    pub writes: &'a [usize],
}

/// What came out of it, per client.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Acted {
    /// Over all mails of all clients acted out; `max` is the worst of them.
    pub latency: Latency,
    /// What was asked and answered, by a technique that asks.
    pub exchanges: Vec<Exchange>,
    /// How many clients were acted out.
    pub clients: usize,
}

impl Trial<'_> {
    /// Polling every `interval`; `phases` says when each client asks first, in seconds. A client asks
    /// again when the interval is over and the answer is there, whichever is later.
    pub fn poll(&self, interval: f64, phases: &[f64], sizes: &Sizes) -> Acted {
        let mut phases = phases.to_vec();
        // Connections are numbered as they are opened: by the first request.
        phases.sort_by(f64::total_cmp);
        self.act(|number, seen| {
            let mut ask = phases.get(number as usize).copied().unwrap_or_default();
            let mut line = Line::new(self, number);
            let mut silence = Silence::from(ask);
            let mut cursor = 0;
            while let Some(&next) = self.due.get(cursor as usize) {
                if let Some((skipped, until)) = silence.skip(ask, next) {
                    seen.exchange(cursor, cursor, skipped);
                    ask = until;
                }
                let asked = line.ask(ask, (sizes.request)(cursor));
                let upto = self.newest(cursor, asked);
                let answered = line.answer(asked, (sizes.answer)(cursor, upto));
                seen.exchange(cursor, upto, 1.0);
                seen.mails(&self.due[cursor as usize..upto as usize], answered);
                ask = (ask + interval).max(answered);
                silence.goes_on(upto == cursor, ask);
                cursor = upto;
            }
            line.work
        })
    }

    /// Long polling with this `hold`. The first request that is not `before` is held from the start on.
    pub fn long_poll(&self, before: &Before, hold: f64, sizes: &Sizes) -> Acted {
        self.act(|number, seen| {
            let mut line = Line::after(self, number, before.connections);
            line.ask(f64::NEG_INFINITY, (sizes.request)(0));
            for bytes in before.writes {
                line.answer(f64::NEG_INFINITY, *bytes);
                line.ask(f64::NEG_INFINITY, (sizes.request)(0));
            }
            let mut asked = 0.0;
            let mut silence = Silence::from(asked);
            let mut cursor = 0;
            while let Some(&next) = self.due.get(cursor as usize) {
                if let Some((skipped, until)) = silence.skip(asked, next) {
                    seen.exchange(cursor, cursor, skipped);
                    asked = until;
                }
                // Mail that comes just when the hold ends comes too late for it.
                let answer = if next < asked + hold {
                    next.max(asked)
                } else {
                    asked + hold
                };
                let upto = if next < asked + hold {
                    self.newest(cursor, answer)
                } else {
                    cursor
                };
                let answered = line.answer(answer, (sizes.answer)(cursor, upto));
                seen.exchange(cursor, upto, 1.0);
                seen.mails(&self.due[cursor as usize..upto as usize], answered);
                asked = line.ask(answered, (sizes.request)(upto));
                silence.goes_on(upto == cursor, asked);
                cursor = upto;
            }
            line.work
        })
    }

    /// Pushing: `mail(number)` bytes for each. Mails of one instant leave in one write.
    pub fn push(&self, before: &Before, mail: &dyn Fn(u64) -> usize) -> Acted {
        let sizes: Vec<usize> = (1..=self.due.len() as u64).map(mail).collect();
        self.act(|number, seen| {
            let number = number + before.connections * self.clients as u64;
            let mut connection = self.connect_before_start(number);
            if let Some(each) = self.handshakes {
                let down = each[usize::from(before.connections > 0)].down;
                // Long over, but its segments had their share of luck: the server's flight, and tickets.
                connection.down(f64::NEG_INFINITY, down.saturating_sub(TICKETS) as usize);
                connection.down(f64::NEG_INFINITY, TICKETS as usize);
            }
            for bytes in before.writes {
                connection.down(f64::NEG_INFINITY, *bytes);
            }
            let mut sizes = sizes.iter();
            for together in self.due.chunk_by(|a, b| a == b) {
                let sizes: Vec<usize> = sizes.by_ref().take(together.len()).copied().collect();
                connection.work += 1 + (sizes.iter().sum::<usize>() / SEGMENT) as u64;
                let mut ends = ends(&sizes).peekable();
                let mut sent = 0;
                for segment in connection.down.send(together[0], sizes.iter().sum()) {
                    sent += segment.bytes;
                    while ends.next_if(|end| *end <= sent).is_some() {
                        seen.mails(&together[..1], segment.arrives);
                    }
                }
            }
            connection.work
        })
    }

    /// The number of the newest mail at an instant.
    pub(super) fn newest(&self, cursor: u64, now: f64) -> u64 {
        cursor
            + self.due[cursor as usize..]
                .iter()
                .take_while(|a| **a <= now)
                .count() as u64
    }

    fn connect(&self, now: f64, number: u64) -> Connection {
        Connection {
            up: Pipe::up(self.path, now, self.seed, number),
            down: Pipe::down(self.path, now, self.seed, number),
            work: 0,
        }
    }

    /// A connection so old that nothing of its opening is left to wait for.
    pub(super) fn connect_before_start(&self, number: u64) -> Connection {
        self.connect(f64::NEG_INFINITY, number)
    }

    /// Acts out one client, and then as many more as the work it made allows.
    pub(super) fn act(&self, client: impl Fn(u64, &mut Seen) -> u64) -> Acted {
        let mut seen = Seen::default();
        let work = client(0, &mut seen).max(1);
        let most = self.clients.max(1) as u64;
        let clients = (WORK / work).clamp(1, most);
        for i in 1..clients {
            client(i * most / clients, &mut seen);
        }
        seen.sum_up(clients)
    }
}

/// Where each of some messages ends that are sent in one go.
fn ends(sizes: &[usize]) -> impl Iterator<Item = usize> {
    sizes.iter().scan(0, |sum, size| {
        *sum += size;
        Some(*sum)
    })
}

pub(super) struct Connection {
    up: Pipe,
    down: Pipe,
    pub(super) work: u64,
}

impl Connection {
    pub(super) fn up(&mut self, now: f64, bytes: usize) -> f64 {
        self.work += 1 + (bytes / SEGMENT) as u64;
        self.up.deliver(now, bytes)
    }

    fn down(&mut self, now: f64, bytes: usize) -> f64 {
        self.work += 1 + (bytes / SEGMENT) as u64;
        self.down.deliver(now, bytes)
    }
}

/// How one client asks: on one connection that is kept, or on a new one each time.
pub(super) struct Line<'a> {
    trial: &'a Trial<'a>,
    client: u64,
    connection: Option<Connection>,
    opened: u64,
    pub(super) work: u64,
}

impl<'a> Line<'a> {
    pub(super) fn new(trial: &'a Trial, client: u64) -> Line<'a> {
        Line {
            trial,
            client,
            connection: None,
            opened: 0,
            work: 0,
        }
    }

    /// The same for a client that has opened so many connections already.
    pub(super) fn after(trial: &'a Trial, client: u64, opened: u64) -> Line<'a> {
        Line {
            opened,
            ..Line::new(trial, client)
        }
    }

    /// The same on a connection so old that nothing of its opening is left to wait for.
    pub(super) fn open_before_start(trial: &'a Trial, client: u64) -> Line<'a> {
        Line {
            connection: Some(trial.connect_before_start(client)),
            ..Line::new(trial, client)
        }
    }

    /// When a request of so many bytes is there that is sent at `now`.
    pub(super) fn ask(&mut self, now: f64, bytes: usize) -> f64 {
        let mut now = now;
        let mut connection = match self.connection.take().filter(|_| !self.trial.fresh) {
            Some(connection) => connection,
            None => {
                let (connection, ready) = self.open(now);
                now = ready;
                connection
            }
        };
        let asked = connection.up(now, bytes);
        self.work += std::mem::take(&mut connection.work);
        self.connection = Some(connection);
        asked
    }

    pub(super) fn answer(&mut self, now: f64, bytes: usize) -> f64 {
        let Some(connection) = &mut self.connection else {
            return now;
        };
        let answered = connection.down(now, bytes);
        self.work += std::mem::take(&mut connection.work);
        answered
    }

    /// A new connection, and when the client may speak on it: after the server's half of a TLS handshake,
    /// where there is one.
    fn open(&mut self, now: f64) -> (Connection, f64) {
        let number = self.client + self.opened * self.trial.clients as u64;
        let mut connection = self.trial.connect(now, number);
        let handshake = self
            .trial
            .handshakes
            .map(|each| each[usize::from(self.opened > 0)]);
        self.opened += 1;
        let Some(Handshake { up, down }) = handshake else {
            return (connection, now);
        };
        let asked = connection.up(now, up.saturating_sub(FINISHED) as usize);
        let answered = connection.down(asked, down as usize);
        (connection, answered)
    }
}

/// Time in which only empty answers come.
struct Silence {
    since: f64,
    answers: f64,
}

impl Silence {
    fn from(since: f64) -> Silence {
        Silence { since, answers: 0.0 }
    }

    fn goes_on(&mut self, empty: bool, now: f64) {
        if empty {
            self.answers += 1.0;
        } else {
            *self = Silence::from(now);
        }
    }

    /// If the next mail is far off and enough was seen of the silence to go by: how many more empty
    /// answers there will be, but for the last few, and until when.
    fn skip(&mut self, now: f64, next: f64) -> Option<(f64, f64)> {
        if self.answers < STREAK {
            return None;
        }
        let pace = (now - self.since) / self.answers;
        *self = Silence::from(now);
        let skipped = ((next - now) / pace).floor() - 10.0;
        (skipped > 0.0).then_some((skipped, now + skipped * pace))
    }
}

/// What clients saw so far.
#[derive(Default)]
pub(super) struct Seen {
    exchanges: HashMap<(u64, u64), f64>,
    mails: u64,
    sum: f64,
    max: f64,
}

impl Seen {
    pub(super) fn exchange(&mut self, after: u64, upto: u64, times: f64) {
        *self.exchanges.entry((after, upto)).or_default() += times;
    }

    pub(super) fn mails(&mut self, due: &[f64], now: f64) {
        for latency in due.iter().map(|a| now - a) {
            self.mails += 1;
            self.sum += latency;
            self.max = self.max.max(latency);
        }
    }

    fn sum_up(self, clients: u64) -> Acted {
        let mut exchanges: Vec<Exchange> = self
            .exchanges
            .into_iter()
            .map(|((after, upto), times)| Exchange {
                after,
                upto,
                weight: times / clients as f64,
            })
            .collect();
        // Always in the same order, so that sums over them are the same to the last digit.
        exchanges.sort_by_key(|e| (e.after, e.upto));
        Acted {
            latency: Latency {
                mean: self.sum / self.mails.max(1) as f64,
                max: self.max,
            },
            exchanges,
            clients: clients as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulate::{Technique, run};
    use super::super::{long_poll_exchanges, poll_exchanges, poll_latency, poll_opening, push_latency};
    use super::*;

    const NEW: Before = opened(&[]);

    const fn opened(writes: &[usize]) -> Before<'_> {
        Before {
            connections: 0,
            writes,
        }
    }

    const NOTHING: Sizes = Sizes {
        request: &|_| 100,
        answer: &|_, _| 100,
    };

    fn trial(due: &[f64], path: Path) -> Trial<'_> {
        Trial {
            due,
            path,
            seed: 1,
            clients: 1,
            fresh: false,
            handshakes: None,
        }
    }

    fn only(rtt: f64) -> Path {
        Path {
            rtt,
            ..Path::default()
        }
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b.abs().max(1.0)
    }

    /// Gaps on both sides of every interval below, pairs at one instant, a mail at the very start and
    /// one after a silence; even ticks, so that odd phases never tie.
    fn ticks() -> Vec<i64> {
        let gaps = [0, 0, 14, 120, 0, 60, 500, 36, 222, 4, 4, 90, 2_000, 0, 310, 86];
        let mut due: Vec<i64> = gaps
            .iter()
            .scan(0, |at, gap| {
                *at += gap;
                Some(*at)
            })
            .collect();
        let last = due[due.len() - 1];
        due.extend((1..60).map(|k| last + k * k % 17 * 2 + k * 58));
        due.sort_unstable();
        due
    }

    fn seconds(ticks: &[i64]) -> Vec<f64> {
        ticks.iter().map(|t| *t as f64).collect()
    }

    fn count(exchanges: &[Exchange]) -> HashMap<(u64, u64), f64> {
        let mut sum = HashMap::new();
        for e in exchanges {
            *sum.entry((e.after, e.upto)).or_default() += e.weight;
        }
        sum.retain(|_, weight: &mut f64| weight.abs() > 1e-9);
        sum
    }

    fn same(a: &[Exchange], b: &[Exchange]) -> bool {
        let (a, b) = (count(a), count(b));
        a.len() == b.len()
            && a.iter()
                .all(|(kind, w)| b.get(kind).is_some_and(|x| near(*w, *x)))
    }

    #[test]
    fn over_a_link_that_only_delays_long_polling_and_pushing_are_as_their_formulas_say() {
        let due = ticks();
        for (hold, rtt) in [(1_000, 0), (100, 80), (100, 400), (50, 10)] {
            let acted = trial(&seconds(&due), only(rtt as f64)).long_poll(&NEW, hold as f64, &NOTHING);
            let observed = run(&due, Technique::LongPoll { hold }, rtt);
            let exchanges = long_poll_exchanges(&seconds(&due), hold as f64, rtt as f64);
            assert!(same(&acted.exchanges, &exchanges), "H = {hold}, R = {rtt}");
            let sum: i64 = observed.latencies.iter().sum();
            assert!(near(acted.latency.mean, sum as f64 / due.len() as f64));
            assert!(near(
                acted.latency.max,
                *observed.latencies.iter().max().unwrap() as f64
            ));

            let pushed = trial(&seconds(&due), only(rtt as f64)).push(&opened(&[300]), &|_| 400);
            assert!(near(pushed.latency.mean, push_latency(rtt as f64).mean));
            assert!(near(pushed.latency.max, push_latency(rtt as f64).max));
        }
    }

    #[test]
    fn polls_formulas_are_what_acting_out_comes_to_on_average() {
        let due = seconds(&ticks());
        for (interval, rtt) in [(200_i64, 0_i64), (200, 40), (200, 100), (1_000, 300), (60, 20)] {
            let (t, r) = (interval as f64, rtt as f64);
            // Nothing changes between two even ticks, so the odd phases stand for all.
            let phases: Vec<f64> = (0..interval / 2).map(|k| (2 * k + 1) as f64).collect();
            let runs: Vec<Acted> = phases
                .iter()
                .map(|phase| trial(&due, only(r)).poll(t, &[*phase], &NOTHING))
                .collect();
            let opening = poll_opening(&due, t, r).unwrap();
            let n = runs.len() as f64;
            let mean = runs.iter().map(|a| a.latency.mean).sum::<f64>() / n;
            let formula = poll_latency(&due, t, r).mean + opening.latency.mean;
            assert!(near(mean, formula), "T = {t}, R = {r}: {mean}, {formula}");
            // The worst phase is approached, never reached: a tick is missing on either side.
            let worst = runs.iter().map(|a| a.latency.max).fold(0.0, f64::max);
            let formula = poll_latency(&due, t, r).max + opening.latency.max;
            assert!(
                (formula - worst).abs() <= 1.0,
                "T = {t}, R = {r}: {worst}, {formula}"
            );

            let weighted = |a: &Acted| {
                let scale = |e: &Exchange| Exchange {
                    weight: e.weight / n,
                    ..*e
                };
                a.exchanges.iter().map(scale).collect::<Vec<_>>()
            };
            let observed: Vec<Exchange> = runs.iter().flat_map(weighted).collect();
            let mut formula = poll_exchanges(&due, t, r);
            assert!(
                rtt == 0 || !same(&observed, &formula),
                "the opening costs something"
            );
            formula.extend(opening.exchanges);
            assert!(same(&observed, &formula), "T = {t}, R = {r}");
        }
        assert_eq!(poll_opening(&due, 100.0, 51.0), None);
    }

    #[test]
    fn a_poll_slower_than_its_interval_asks_when_it_is_answered() {
        // Asked at 10, there at 160, back at 210; then every round trip: there at 260, 360, 460.
        let acted = trial(&[155.0, 161.0, 400.0], only(100.0)).poll(30.0, &[10.0], &NOTHING);
        let times: Vec<_> = acted
            .exchanges
            .iter()
            .map(|e| (e.after, e.upto, e.weight))
            .collect();
        assert_eq!(times, [(0, 1, 1.0), (1, 2, 1.0), (2, 2, 1.0), (2, 3, 1.0)]);
        assert!(near(acted.latency.mean, (55.0 + 149.0 + 110.0) / 3.0));
        assert!(near(acted.latency.max, 149.0));
    }

    #[test]
    fn bytes_take_their_time() {
        let path = Path {
            bandwidth: Some(8_000.0),
            ..only(0.2)
        };
        // 500 bytes take half a second on the line; the second of a pair waits for the first. Two
        // mails of one instant share segments: 1,448 of 2,000 bytes are the first that arrive.
        let acted = trial(&[1.0, 1.1, 5.0], path).push(&NEW, &|_| 500);
        assert!(near(acted.latency.mean, (0.6 + 1.0 + 0.6) / 3.0), "{acted:?}");
        let acted = trial(&[1.0, 1.0], path).push(&NEW, &|_| 1_000);
        assert!(
            near(acted.latency.mean, (1.448 + 0.1 + 2.0 + 0.1) / 2.0),
            "{acted:?}"
        );
        assert!(near(acted.latency.max, 2.1));
        // A long poll's request takes 0.1 s and its answer 0.1 s besides.
        let acted = trial(&[1.0, 1.05], path).long_poll(&NEW, 60.0, &NOTHING);
        assert!(
            near(acted.latency.mean, (0.2 + (0.4 - 0.05 + 0.2)) / 2.0),
            "{acted:?}"
        );
    }

    #[test]
    fn chance_comes_to_its_expected_value() {
        let due: Vec<f64> = (0..400).map(|k| f64::from(k) * 1e4).collect();
        let path = Path {
            jitter: 0.04,
            loss: 0.1,
            ..only(0.06)
        };
        let many = Trial {
            clients: 250,
            ..trial(&due, path)
        };
        // Half the jitter, and h p / (1 - 2p): the holds h (2^k - 1) of k losses in a row, which come
        // with chance p^k (1 - p).
        let expected = 0.03 + 0.02 + 0.2 * 0.1 / 0.8;
        let acted = many.push(&NEW, &|_| 100);
        assert_eq!(acted.clients, 250);
        assert!((acted.latency.mean / expected - 1.0).abs() < 0.03, "{acted:?}");
        let other = Trial { seed: 2, ..many }.push(&NEW, &|_| 100);
        assert_ne!(acted, other);
        assert_eq!(acted, many.push(&NEW, &|_| 100));
    }

    #[test]
    fn what_is_behind_a_lost_segment_waits_with_it() {
        let path = Path {
            loss: 0.01,
            ..only(0.08)
        };
        let mean = |rate: f64| {
            let due: Vec<f64> = (0..2_000).map(|k| f64::from(k) / rate).collect();
            let crowd = Trial {
                clients: 100,
                ..trial(&due, path)
            };
            crowd.push(&NEW, &|_| 100).latency.mean
        };
        // Rare mail: a hold delays one. At 100/s it delays the 20 that come while it lasts as well, by
        // half of it on average: 11 holds' worth, less what two holds share.
        let (rare, dense) = (mean(0.5) - 0.04, mean(100.0) - 0.04);
        assert!((rare / (0.2 * 0.01 / 0.98) - 1.0).abs() < 0.1, "{rare}");
        assert!((8.0..11.0).contains(&(dense / rare)), "{dense}, {rare}");
    }

    #[test]
    fn a_long_silence_is_summed_up() {
        let due = [0.5, 86_400.0];
        let asked = |acted: &Acted| acted.exchanges.iter().map(|e| e.weight).sum::<f64>();
        let polled = trial(&due, only(0.02)).poll(0.1, &[0.03], &NOTHING);
        assert!((asked(&polled) - 864_001.0).abs() < 3.0, "{}", asked(&polled));
        assert!((0.0..0.15).contains(&(polled.latency.mean)), "{polled:?}");
        let held = trial(&due, only(0.02)).long_poll(&NEW, 0.1, &NOTHING);
        let formula = asked(&Acted {
            exchanges: long_poll_exchanges(&due, 0.1, 0.02),
            ..Acted::default()
        });
        assert!((asked(&held) - formula).abs() < 3.0, "{} {formula}", asked(&held));
    }

    #[test]
    fn work_is_bounded() {
        let due: Vec<f64> = (0..1_000).map(f64::from).collect();
        let path = Path {
            loss: 0.01,
            ..only(0.1)
        };
        let crowd = Trial {
            clients: 100_000,
            ..trial(&due, path)
        };
        let acted = crowd.push(&opened(&[100]), &|_| 10_000);
        assert!((30..=60).contains(&acted.clients), "{}", acted.clients);
    }
}
