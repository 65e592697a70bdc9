//! What a run over SockJS will cost, attempts that fail included.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, SEC_WEBSOCKET_KEY};

use super::super::bill::{ATTACHMENT_KEY, Bill, Ending, Foreseen};
use super::super::headers::Purpose;
use super::super::heads::{Heads, Length};
use super::super::list::Reply;
use super::super::service::Tuning;
use super::super::ws::handshake;
use super::super::{Setting, blocked, fields, talk};
use super::client::{connect_fields, info_request};
use super::inside::{Inside, Message, Turn};
use super::receive::receiving_fields;
use super::server::{GO_AWAY, Options, TEXT, info, info_fields, response_fields, session_fields};
use super::{PREFIX, say_cursor};
use crate::mail::Planned;
use crate::outcome::{Block, Closer, HttpVersion, Prediction, Scenario};
use crate::theory::{self, Before, Delivery, Exchange, Way, hpack};
use crate::wire::sockjs::{Endpoint, Frame, Wrapping, quote};

/// Over what a session gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    WebSocket,
    Streaming,
    Polling,
}

impl Over {
    fn of(scenario: &Scenario) -> Over {
        let upgrades = scenario.http != HttpVersion::Http10 && !scenario.blocks(Block::Websocket);
        match (upgrades, scenario.blocks(Block::Streaming)) {
            (true, _) => Over::WebSocket,
            (false, false) => Over::Streaming,
            (false, true) => Over::Polling,
        }
    }
}

/// How mail comes over what gets through.
pub fn delivers(scenario: &Scenario) -> Delivery {
    match Over::of(scenario) {
        Over::WebSocket => Delivery::Duplex,
        Over::Streaming => Delivery::Streamed,
        Over::Polling => Delivery::LongPolled,
    }
}

/// A session's path: they are all as long, in HPACK's code, too.
const SESSION: &str = "333/33333333";

pub fn predict(setting: &Setting) -> Prediction {
    let reply = |number| Message::of(&Reply::json(number));
    let say = |said: talk::Said| Message::of(&said.json());
    let inside = Inside {
        prefix: PREFIX,
        opening: vec![Turn::silent(Message::of(&say_cursor(setting.cursor(0))))],
        closing: Vec::new(),
        mails: setting.plan.mails.iter().map(quoted).collect(),
        // Its JSON has four quotes.
        notice: (setting.notice() + 2 + 4) as f64,
        publishes: Vec::new(),
        beats: None,
        reply: &reply,
        say: &say,
    };
    predict_session(setting, &inside)
}

/// What a run costs in which clients say that in their sessions.
pub fn predict_session(setting: &Setting, inside: &Inside) -> Prediction {
    let over = Over::of(setting.scenario);
    let mut costs = Costs::new(setting, inside);
    let info = costs.info();
    let is_old = setting.scenario.http == HttpVersion::Http10;
    if over != Over::WebSocket && !is_old {
        costs.refused_upgrade();
    }
    if over == Over::Polling {
        costs.stream_held_back();
    }
    let foreseen = match over {
        Over::WebSocket => costs.websocket(info),
        Over::Streaming => costs.streaming(info),
        Over::Polling => costs.polling(),
    };
    costs
        .bill
        .open_http2(setting, Ending::of_stream(setting.scenario.closer));
    costs.bill.predict(foreseen)
}

/// Whether what clients say in their sessions has requests of its own.
pub fn posts(scenario: &Scenario) -> bool {
    Over::of(scenario) != Over::WebSocket
}

/// The bill, and what it is made from.
struct Costs<'a> {
    bill: Bill,
    setting: &'a Setting<'a>,
    options: Options,
    inside: &'a Inside<'a>,
    /// The fields of a request that receives.
    asked: HeaderMap,
}

impl<'a> Costs<'a> {
    fn new(setting: &'a Setting, inside: &'a Inside) -> Costs<'a> {
        let mut asked = fields::request(setting.headers, Purpose::Post, setting.origin, []);
        asked.insert(CONTENT_LENGTH, 0.into());
        Costs {
            bill: Bill::new(setting),
            setting,
            options: Options::new(setting.scenario, &Tuning::default()),
            inside,
            asked,
        }
    }

    fn http(&self) -> HttpVersion {
        self.setting.scenario.http
    }

    fn url(&self, endpoint: &str) -> String {
        format!("{}/{SESSION}/{endpoint}", self.inside.prefix)
    }

    fn framed(&self, len: f64) -> f64 {
        len + Bill::in_frames(self.setting, len)
    }

    /// Another connection was opened, and is ended by the client; in HTTP/1.0 each request has one, and
    /// the server ends it behind its answer. In HTTP/2 there is one for all.
    fn connection(&mut self, client_ends: f64) {
        match self.http() {
            HttpVersion::Http11 => {
                self.bill.connections += 1.0;
                self.bill.say_goodbye(client_ends, 1.0);
            }
            HttpVersion::Http10 | HttpVersion::Http2 => {}
        }
    }

    /// Whether a connection on which nothing happens is ended by the client, or before that by the server.
    fn client_ends_idle(&self) -> f64 {
        f64::from(u8::from(self.setting.scenario.closer == Closer::Client))
    }

    /// Charges so many requests that are alike; returns the bytes of their heads.
    fn request(&mut self, asked: Asked, weight: f64) -> f64 {
        let Asked {
            method,
            target,
            fields,
            body,
        } = asked;
        let heads = &mut self.bill.heads;
        let head = often(weight, || {
            heads.bare_request(method, target, fields, self.setting.origin, None)
        });
        self.bill.up.head += head;
        self.bill.seal_up(weight, head / weight + body);
        self.bill.requests += weight;
        if self.http() == HttpVersion::Http10 {
            self.bill.connections += weight;
            self.bill.say_goodbye(0.0, weight);
        }
        head
    }

    /// Charges so many heads of answers that are alike; returns their bytes.
    fn answered(&mut self, ours: HeaderMap, answer: (u16, &str), length: Length, weight: f64) -> f64 {
        let fields = response_fields(self.setting.headers, ours);
        let heads = &mut self.bill.heads;
        let head = often(weight, || heads.response(answer.0, answer.1, &fields, length));
        self.bill.down.head += head;
        head
    }

    /// Returns what its answer weighs.
    fn info(&mut self) -> f64 {
        // The first connection is in the bill from the start; in HTTP/1.0, each comes with its request.
        if self.http() == HttpVersion::Http10 {
            self.bill.connections = 0.0;
        }
        let asked = info_request(self.setting.headers, self.setting.origin);
        let target = format!("{}/info", self.inside.prefix);
        self.request(Asked::get(&target, &asked), 1.0);
        let length = info(&self.options, 0).len() as u64;
        let head = self.answered(info_fields(), OK, Length::Known(length), 1.0);
        let body = self.framed(length as f64);
        self.bill.down.control += body;
        self.bill.seal_down(1.0, head + body);
        head + body
    }

    /// Charges the request for a WebSocket.
    fn ask_for_upgrade(&mut self) {
        let target = self.url("websocket");
        let (headers, origin) = (self.setting.headers, self.setting.origin);
        self.bill.requests += 1.0;
        let head = if self.http() == HttpVersion::Http2 {
            let asked = connect_fields(headers, origin);
            let heads = &mut self.bill.heads;
            heads.bare_request("CONNECT", &target, &asked, origin, Some("websocket"))
        } else {
            // The key is random, but not its length; a request that cannot be built is not sent either.
            let request = handshake::request(origin, headers, &target, None);
            let line = format!("GET {target} HTTP/1.1");
            request.map_or(0.0, |request| theory::head_len(&line, request.headers()) as f64)
        };
        self.bill.up.head += head;
        self.bill.seal_up(1.0, head);
    }

    fn refused_upgrade(&mut self) {
        self.ask_for_upgrade();
        blocked::charge_refusal(&mut self.bill, self.setting);
        match self.http() {
            // The server has answered and does not want to hear more.
            HttpVersion::Http2 => {
                self.bill.down.control += hpack::RST_STREAM as f64;
                self.bill.seal_down(1.0, hpack::RST_STREAM as f64);
            }
            // Broken off: nobody says goodbye.
            _ => self.bill.connections += 1.0,
        }
    }

    /// A stream of an HTTP/2 connection is given up before its end, the connection is not.
    fn give_up_stream(&mut self) {
        self.bill.up.control += hpack::RST_STREAM as f64;
        self.bill.seal_up(1.0, hpack::RST_STREAM as f64);
    }

    fn ask_for_stream(&mut self) {
        let (target, asked) = (self.url("xhr_streaming"), self.asked.clone());
        self.request(Asked::post(&target, &asked, 0.0), 1.0);
    }

    /// Bytes of a stream's head.
    fn stream_begins(&mut self) -> f64 {
        let ours = receiving_fields(&self.options, &self.asked, Endpoint::XhrStreaming);
        self.answered(ours, OK, Length::Open, 1.0)
    }

    /// Only its head came; the rest is where the client never saw it.
    fn stream_held_back(&mut self) {
        self.ask_for_stream();
        let head = self.stream_begins();
        self.bill.seal_down(1.0, head);
        match self.http() {
            HttpVersion::Http2 => self.give_up_stream(),
            HttpVersion::Http11 => {
                // It ends with the connection; what comes next needs another.
                self.bill.connections += 1.0;
                self.bill.say_goodbye(1.0, 0.0);
            }
            // It is the client who ends it, not the server behind its answer.
            HttpVersion::Http10 => self.bill.say_goodbye(1.0, -1.0),
        }
    }

    fn websocket(&mut self, info: f64) -> Foreseen {
        self.ask_for_upgrade();
        let setting = self.setting;
        let ours = match self.http() {
            HttpVersion::Http2 => HeaderMap::new(),
            _ => handshake::accepted(&HeaderMap::from_iter([(SEC_WEBSOCKET_KEY, KEY)])),
        };
        let answer = match self.http() {
            HttpVersion::Http2 => OK,
            _ => (101, "Switching Protocols"),
        };
        let head = self.answered(ours, answer, Length::None, 1.0);
        self.bill.seal_down(1.0, head);
        if self.http() == HttpVersion::Http2 {
            // Each side ends its half of the stream with a frame that holds nothing.
            self.bill.up.framing += hpack::FRAME as f64;
            self.bill.down.framing += hpack::FRAME as f64;
            self.bill.seal_up(1.0, hpack::FRAME as f64);
            self.bill.say_goodbye(1.0, 1.0);
        } else {
            // The one on which it asked is of no use any more.
            self.bill.say_goodbye(1.0, 1.0);
            self.connection(0.0);
        }
        let down = |content: f64| self.framed(content + theory::frame_header(content as u64, false) as f64);
        let up = |content: f64| self.framed(content + theory::frame_header(content as u64, true) as f64);
        let inside = self.inside;
        let frame = |quoted: &f64| {
            let content = quoted + BRACKETS;
            content + theory::frame_header(content as u64, false) as f64
        };
        let mut mails: Vec<f64> = inside.mails.iter().map(frame).collect();
        let said = |message: &Message| up(message.quoted + LISTED);
        let (open, close) = (down(1.0), [up(2.0), down(2.0)]);
        let last = match setting.scenario.closer {
            Closer::Client => 0.0,
            Closer::Server => down(go_away().len() as f64),
        };
        let ends: &[Turn] = match setting.scenario.closer {
            Closer::Client => &inside.closing,
            Closer::Server => &[],
        };
        let turns = inside.opening.iter().chain(ends);
        let controls: Vec<_> = turns
            .map(|turn| {
                (
                    said(&turn.said),
                    turn.answered.map(|quoted| down(quoted + BRACKETS)),
                )
            })
            .collect();
        let beat = match &inside.beats {
            None => [(self.beats(), open), (0.0, 0.0)],
            Some(own) => {
                let quoted = own.beat.quoted;
                [(own.down, down(quoted + BRACKETS)), (own.up, up(quoted + LISTED))]
            }
        };
        let replies = (1..=mails.len() as u64).map(|number| (inside.reply)(number));
        let replies = replies.filter(|_| setting.scenario.reply);
        let published = inside.publishes.iter().map(|(_, message)| *message);
        let spoken: Vec<_> = replies.chain(published).map(|m| (said(&m), m.payload)).collect();
        let mut writes = vec![info, head, open];
        let bill = &mut self.bill;
        bill.down.control += open + close[1] + last;
        bill.seal_down(2.0, open);
        bill.seal_down(1.0, last);
        bill.up.control += close[0];
        bill.seal_up(1.0, close[0]);
        for (said, answered) in controls {
            bill.up.control += said;
            bill.seal_up(1.0, said);
            bill.down.control += answered.unwrap_or(0.0);
            writes.extend(answered);
            bill.seal_down(f64::from(u8::from(answered.is_some())), answered.unwrap_or(0.0));
        }
        bill.down.control += beat[0].0 * beat[0].1;
        bill.seal_down(beat[0].0, beat[0].1);
        bill.up.control += beat[1].0 * beat[1].1;
        bill.seal_up(beat[1].0, beat[1].1);
        self.charge_notice(&mut mails, frame(&inside.notice));
        self.push(&mails, |written| Bill::in_frames(setting, written));
        for (whole, payload) in spoken {
            self.bill.up.framing += whole - payload;
            self.bill.up.payload += payload;
            self.bill.seal_up(1.0, whole);
        }
        let framed = |len: f64| Bill::in_frames(setting, len) + len;
        self.bill.charge_messages(setting, |json| {
            let content = json + inside.round_what_is_said() + LISTED;
            framed(content + theory::frame_header(content as u64, true) as f64)
        });
        let (connections, writes) = match setting.scenario.http {
            HttpVersion::Http2 => (0, &writes[..]),
            HttpVersion::Http10 | HttpVersion::Http11 => (1, &writes[1..]),
        };
        Foreseen::pushed(setting, connections, writes, |number| {
            self.framed(mails[number as usize - 1])
        })
    }

    /// How many of SockJS's own heartbeats there are.
    fn beats(&self) -> f64 {
        let every = self.setting.scenario.heartbeat().as_secs_f64();
        theory::heartbeats(&self.setting.due(), every, 0.0) as f64
    }

    /// Adds what the notice before the first mail weighs to that mail, with which it leaves, as control.
    fn charge_notice(&mut self, mails: &mut [f64], notice: f64) {
        if let Some(first) = mails.first_mut().filter(|_| self.inside.notice > 0.0) {
            *first += notice;
            self.bill.down.control += notice;
            self.bill.down.framing -= notice;
        }
    }

    /// Charges mails that are pushed. Those of one instant leave in one write, which has something `round` it.
    fn push(&mut self, mails: &[f64], round: impl Fn(f64) -> f64) {
        let due = self.setting.due();
        let mut after = 0;
        for together in due.chunk_by(|a, b| a == b) {
            let upto = after + together.len();
            let written: f64 = mails[after..upto].iter().sum();
            let written = written + round(written);
            let payload = self.bill.mails(after as u64, upto as u64).payload;
            self.bill.down.framing += written - payload;
            self.bill.down.payload += payload;
            self.bill.seal_down(1.0, written);
            after = upto;
        }
    }

    fn streaming(&mut self, info: f64) -> Foreseen {
        let setting = self.setting;
        self.ask_for_stream();
        let head = self.stream_begins();
        let prelude = self.piece(Wrapping::Line.prelude().len() as f64);
        let (open, beat) = (self.piece(2.0), self.piece(2.0));
        let opening = head + prelude + open;
        self.bill.down.control += prelude + open;
        self.bill.seal_down(1.0, opening);
        let inside = self.inside;
        let mut left = self.options.response_limit as f64 - 2.0;
        for turn in &inside.opening {
            left -= self.turn(turn, Costs::answer_on_stream);
        }
        self.connection(self.client_ends_idle());
        let due = setting.due();
        let (beats, beat) = match &inside.beats {
            None => (self.beats(), beat),
            Some(own) => (own.down, self.piece(own.beat.quoted + BRACKETS + 1.0)),
        };
        self.bill.down.control += beats * beat;
        self.bill.seal_down(beats, beat);
        let piece = |quoted: &f64| self.piece(quoted + BRACKETS + 1.0);
        let mut mails: Vec<f64> = inside.mails.iter().map(piece).collect();
        let notice = piece(&inside.notice);
        self.charge_notice(&mut mails, notice);
        if inside.notice > 0.0 {
            left -= inside.notice + BRACKETS + 1.0;
        }
        self.push(&mails, |_| 0.0);
        for quoted in inside.mails.iter().copied() {
            left -= quoted + BRACKETS + 1.0;
            if left <= 0.0 {
                self.end_of_stream();
                self.ask_for_stream();
                let head = self.stream_begins();
                self.bill.down.control += prelude;
                self.bill.seal_down(1.0, head + prelude);
                left = self.options.response_limit as f64;
            }
        }
        if setting.scenario.closer == Closer::Client {
            for turn in &inside.closing {
                self.turn(turn, Costs::answer_on_stream);
            }
        }
        match setting.scenario.closer {
            Closer::Client => match self.http() {
                HttpVersion::Http2 => {
                    self.give_up_stream();
                    self.bill.say_goodbye(1.0, 1.0);
                }
                HttpVersion::Http11 => self.bill.say_goodbye(1.0, 0.0),
                HttpVersion::Http10 => self.bill.say_goodbye(1.0, -1.0),
            },
            Closer::Server => {
                let close = self.piece(go_away().len() as f64 + 1.0);
                self.bill.down.control += close;
                let last = self.end_of_stream();
                match self.http() {
                    HttpVersion::Http2 => {
                        self.bill.seal_down(1.0, close);
                        self.bill.seal_down(1.0, last);
                    }
                    HttpVersion::Http10 | HttpVersion::Http11 => self.bill.seal_down(1.0, close + last),
                }
                match self.http() {
                    // It says so behind each of its answers.
                    HttpVersion::Http10 => {}
                    HttpVersion::Http11 => self.bill.say_goodbye(0.0, 1.0),
                    HttpVersion::Http2 => self.bill.say_goodbye(1.0, 1.0),
                }
            }
        }
        self.charge_said(&pushed(&due, setting));
        let (connections, writes) = match self.http() {
            HttpVersion::Http10 => (1, &[opening][..]),
            HttpVersion::Http11 | HttpVersion::Http2 => (0, &[info, opening][..]),
        };
        Foreseen::pushed(setting, connections, writes, |number| mails[number as usize - 1])
    }

    /// Charges the end of an answer that had no length; it leaves with what is before it.
    fn end_of_stream(&mut self) -> f64 {
        let last = match self.http() {
            HttpVersion::Http10 => 0.0,
            HttpVersion::Http11 => theory::LAST_CHUNK as f64,
            HttpVersion::Http2 => hpack::FRAME as f64,
        };
        self.bill.down.framing += last;
        last
    }

    /// A piece of an answer that has no length.
    fn piece(&self, len: f64) -> f64 {
        len + match self.http() {
            HttpVersion::Http10 => 0.0,
            HttpVersion::Http11 => theory::chunk_framing(len as u64) as f64,
            HttpVersion::Http2 => hpack::data_framing(len as u64) as f64,
        }
    }

    fn polling(&mut self) -> Foreseen {
        let setting = self.setting;
        self.poll(1.0, 1.0);
        let inside = self.inside;
        let mut empty = 1.0;
        for turn in &inside.opening {
            self.turn(turn, Costs::answer_to_poll);
            empty += f64::from(u8::from(turn.answered.is_some()));
        }
        self.connection(self.client_ends_idle());
        let due = setting.due();
        let hold = setting.scenario.heartbeat().as_secs_f64();
        let rtt = setting.scenario.link.path().rtt;
        let (foreseen, exchanges) = if inside.mails.is_empty() {
            let beats = inside.beats.as_ref().map_or(0.0, |own| own.down);
            let silence = Exchange {
                after: 0,
                upto: 0,
                weight: beats,
            };
            (
                Foreseen::calculated("", theory::Latency::default()),
                vec![silence],
            )
        } else if setting.has_formula() {
            let latency = theory::long_poll_latency(&due, hold, rtt);
            let exchanges = theory::long_poll_exchanges(&due, hold, rtt);
            (
                Foreseen::calculated("exact for this schedule", latency),
                exchanges,
            )
        } else {
            let out = self.act(&due, hold);
            (Foreseen::acted(&out), out.exchanges)
        };
        for exchange in exchanges.iter().filter(|e| e.weight > 0.0) {
            empty += self.exchange(exchange);
        }
        if setting.scenario.closer == Closer::Client {
            for turn in &inside.closing {
                self.turn(turn, Costs::answer_to_poll);
                empty += f64::from(u8::from(turn.answered.is_some()));
            }
        }
        if setting.scenario.closer == Closer::Server {
            self.poll(go_away().len() as f64, 1.0);
            if self.http() == HttpVersion::Http11 {
                // A server that shuts down says so where it answers.
                self.bill.down.head += CONNECTION_CLOSE;
            }
            empty += 1.0;
        }
        self.bill.empty = Some(empty);
        let seconds = setting.seconds(hold);
        let fields = response_fields(setting.headers, self.poll_fields());
        self.bill.down.head += seconds * self.bill.heads.another_second(200, &fields);
        match self.http() {
            HttpVersion::Http10 => {}
            HttpVersion::Http11 => self.bill.say_goodbye(self.client_ends_idle(), 1.0),
            HttpVersion::Http2 => self.bill.say_goodbye(1.0, 1.0),
        }
        self.charge_said(&answered(&exchanges, &due, setting));
        foreseen
    }

    /// Bytes of the frame that brings the mails above `after`, up to and with `upto`, line end included.
    fn brings(&self, after: u64, upto: u64) -> f64 {
        let quoted: f64 = self.inside.mails[after as usize..upto as usize].iter().sum();
        quoted + BRACKETS + (upto - after - 1) as f64 + 1.0 + self.notice(after)
    }

    /// Bytes of the notice before the mails above `after`, with its comma.
    fn notice(&self, after: u64) -> f64 {
        match after {
            0 if self.inside.notice > 0.0 => self.inside.notice + 1.0,
            _ => 0.0,
        }
    }

    /// Charges what was asked and answered alike; says how often it brought nothing.
    fn exchange(&mut self, exchange: &Exchange) -> f64 {
        let Exchange { after, upto, weight } = *exchange;
        if exchange.is_empty() {
            let own = self.inside.beats.as_ref();
            self.poll(own.map_or(1.0, |own| own.beat.quoted + BRACKETS), weight);
            return weight;
        }
        let body = self.poll(self.brings(after, upto) - 1.0, weight);
        let payload = self.bill.mails(after, upto).payload;
        // The comma and the string's quotes are framing.
        let notice = (self.notice(after) - 3.0).max(0.0);
        self.bill.down.control -= weight * (body - notice);
        self.bill.down.framing += weight * (body - payload - notice);
        self.bill.down.payload += weight * payload;
        0.0
    }

    /// Charges so many polls that are answered with a frame of so many bytes, as if it brought nothing;
    /// returns what the body of each answer weighs.
    fn poll(&mut self, frame: f64, weight: f64) -> f64 {
        let (target, asked) = (self.url("xhr"), self.asked.clone());
        self.request(Asked::post(&target, &asked, 0.0), weight);
        let length = Length::Known(frame as u64 + 1);
        let head = self.answered(self.poll_fields(), OK, length, weight);
        let body = self.framed(frame + 1.0);
        self.bill.down.control += weight * body;
        self.bill.seal_down(weight, head / weight + body);
        body
    }

    fn poll_fields(&self) -> HeaderMap {
        receiving_fields(&self.options, &self.asked, Endpoint::Xhr)
    }

    fn act(&self, due: &[f64], hold: f64) -> theory::Acted {
        let setting = self.setting;
        let target = self.url("xhr");
        let fields = response_fields(setting.headers, self.poll_fields());
        // Each message but the first finds what can be remembered remembered.
        let mut heads = Heads::new(self.http());
        let mut ask = || heads.bare_request("POST", &target, &self.asked, setting.origin, None);
        ask();
        let request = ask();
        let mut full = || heads.response(200, "OK", &fields, Length::Known(300));
        full();
        let head = full();
        let sealed = |len: f64| len as usize + setting.tls_framing(len as u64) as usize;
        let before = Before {
            // In HTTP/1, one for what there is and the stream that is given up, one for the WebSocket.
            connections: if self.http() == HttpVersion::Http2 { 0 } else { 2 },
            writes: &[sealed(head + self.framed(2.0))],
        };
        setting.trial(due).long_poll(
            &before,
            hold,
            &theory::Sizes {
                request: &|_| sealed(request),
                answer: &|after, upto| match upto == after {
                    true => sealed(head + self.framed(2.0)),
                    false => sealed(head + self.framed(self.brings(after, upto))),
                },
            },
        )
    }

    /// Charges something that the client says of the session itself, and what is answered; returns how much
    /// of a stream that takes.
    fn turn(&mut self, turn: &Turn, answer: fn(&mut Self, f64) -> f64) -> f64 {
        self.post_control(&turn.said, 1.0);
        turn.answered.map_or(0.0, |quoted| answer(self, quoted))
    }

    fn answer_on_stream(&mut self, quoted: f64) -> f64 {
        let line = quoted + BRACKETS + 1.0;
        let piece = self.piece(line);
        self.bill.down.control += piece;
        self.bill.seal_down(1.0, piece);
        line
    }

    fn answer_to_poll(&mut self, quoted: f64) -> f64 {
        self.poll(quoted + BRACKETS, 1.0);
        0.0
    }

    /// Charges so many requests that say something of the session itself.
    fn post_control(&mut self, message: &Message, weight: f64) {
        let said = Said::of(std::iter::once(Message {
            payload: 0.0,
            ..*message
        }));
        self.post(&said, weight);
        let body = self.framed(said.listed());
        self.bill.up.framing -= weight * body;
        self.bill.up.control += weight * body;
    }

    /// Charges so many requests that say as much; returns what of it is overhead.
    fn post(&mut self, said: &Said, weight: f64) -> f64 {
        let text = (CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let mut asked = fields::request(self.setting.headers, Purpose::Post, self.setting.origin, [text]);
        asked.insert(CONTENT_LENGTH, (said.listed() as u64).into());
        let body = self.framed(said.listed());
        let target = self.url("xhr_send");
        let up = self.request(Asked::post(&target, &asked, body), weight);
        if self.http() == HttpVersion::Http2 {
            // Head and body leave one after the other.
            self.bill.seal_up(weight, body);
        }
        let framing = body - said.payload as f64;
        self.bill.up.payload += weight * said.payload as f64;
        self.bill.up.framing += weight * framing;
        let ours = session_fields(&self.options, &asked, TEXT);
        let down = self.answered(ours, (204, "No Content"), Length::None, weight);
        self.bill.seal_down(weight, down / weight);
        up + down + weight * framing
    }

    /// Charges replies, each said when its mail was `read`, and what the client says of its own accord.
    fn charge_said(&mut self, read: &[f64]) {
        let setting = self.setting;
        let rtt = setting.scenario.link.path().rtt;
        let inside = self.inside;
        if let Some(own) = inside.beats.as_ref().filter(|own| own.up > 0.0) {
            self.post_control(&own.beat, own.up);
        }
        if setting.scenario.reply {
            for batch in batches(read, rtt) {
                let said = Said::of(batch.map(|n| (inside.reply)(n as u64 + 1)));
                self.post(&said, 1.0);
            }
        }
        let due: Vec<f64> = inside.publishes.iter().map(|(due, _)| *due).collect();
        for batch in batches(&due, rtt) {
            let said = Said::of(inside.publishes[batch].iter().map(|(_, message)| *message));
            self.post(&said, 1.0);
        }
        if setting.scenario.talk_per_s.is_none() {
            return;
        }
        let mut talk: BTreeMap<Said, f64> = BTreeMap::new();
        let each = 1.0 / setting.scenario.clients as f64;
        for (due, client) in talk::schedules(setting.scenario, setting.plan.span())
            .iter()
            .zip(0..)
        {
            let due: Vec<f64> = due.iter().map(Duration::as_secs_f64).collect();
            for batch in batches(&due, rtt) {
                let said = |n| {
                    (inside.say)(talk::Said {
                        client,
                        say: n as u64 + 1,
                    })
                };
                *talk.entry(Said::of(batch.map(said))).or_default() += each;
            }
        }
        let mut size = 0.0;
        for (said, weight) in talk {
            self.bill.said += self.post(&said, weight);
            size = 200.0 + said.listed();
        }
        let due = setting.due();
        let says = |client: u64| talk::seconds(setting, client);
        let way = |_: u64, _: f64| match setting.scenario.http {
            HttpVersion::Http10 => Way::Another,
            HttpVersion::Http11 | HttpVersion::Http2 => Way::Idle,
        };
        let sealed = size as usize + setting.tls_framing(size as u64) as usize;
        let spoken = setting.trial(&due).post(&says, &way, [sealed; 2]);
        self.bill.talk = Some(spoken.acted.latency);
    }
}

/// A request about to be charged.
struct Asked<'a> {
    method: &'a str,
    target: &'a str,
    fields: &'a HeaderMap,
    /// What its body weighs.
    body: f64,
}

impl<'a> Asked<'a> {
    fn get(target: &'a str, fields: &'a HeaderMap) -> Asked<'a> {
        Asked {
            method: "GET",
            target,
            fields,
            body: 0.0,
        }
    }

    fn post(target: &'a str, fields: &'a HeaderMap, body: f64) -> Asked<'a> {
        Asked {
            method: "POST",
            target,
            fields,
            body,
        }
    }
}

const OK: (u16, &str) = (200, "OK");

/// A key as any other.
const KEY: HeaderValue = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");

/// `connection: close` and its line end.
const CONNECTION_CLOSE: f64 = 19.0;

/// What a frame of one message has round its string: `a[` and `]`.
const BRACKETS: f64 = 3.0;

/// What a list of one message has round its string: `[` and `]`.
const LISTED: f64 = 2.0;

/// Messages that leave in one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    messages: usize,
    /// Bytes of them as JSON strings.
    quoted: usize,
    payload: usize,
}

impl Said {
    fn of(messages: impl Iterator<Item = Message>) -> Said {
        messages.fold(Said::default(), |said, message| Said {
            messages: said.messages + 1,
            quoted: said.quoted + message.quoted as usize,
            payload: said.payload + message.payload as usize,
        })
    }

    /// Bytes of the list of them: brackets and commas.
    fn listed(&self) -> f64 {
        (2 + self.quoted + (self.messages - 1)) as f64
    }
}

/// Which of the messages that are said at these instants leave together: one at once, if nothing is on its
/// way; what is said before its answer is back leaves with the next.
fn batches(said: &[f64], rtt: f64) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let (mut next, mut free) = (0, f64::NEG_INFINITY);
    while next < said.len() {
        let first = next;
        let at = said[first].max(free);
        next += match said[first] > free {
            true => 1,
            false => said[first..].iter().take_while(|t| **t <= free).count(),
        };
        free = at + rtt;
        batches.push(first..next);
    }
    batches
}

/// When mails of this schedule are read that are pushed.
fn pushed(due: &[f64], setting: &Setting) -> Vec<f64> {
    let transit = setting.scenario.link.path().rtt / 2.0;
    due.iter().map(|due| due + transit).collect()
}

/// The same for mails that come in answers.
fn answered(exchanges: &[Exchange], due: &[f64], setting: &Setting) -> Vec<f64> {
    let rtt = setting.scenario.link.path().rtt;
    let mut asked = f64::NEG_INFINITY;
    let mut read = Vec::with_capacity(due.len());
    for exchange in exchanges.iter().filter(|e| !e.is_empty()) {
        let range = exchange.after as usize..exchange.upto as usize;
        let at = due[range.start].max(asked);
        asked = at + rtt;
        read.extend(range.map(|_| at + rtt / 2.0));
    }
    read
}

/// Bytes of a mail as a JSON string. An attachment's key has four quotes; its base64 has none.
pub fn quoted(planned: &Planned) -> f64 {
    let mail = &planned.mail;
    let text = quote(&String::from_utf8_lossy(&mail.json)).len() as u64;
    let attached = match mail.attachment.len() as u64 {
        0 => 0,
        n => ATTACHMENT_KEY + 4 + theory::base64_len(n),
    };
    (text + attached) as f64
}

fn go_away() -> String {
    let (code, reason) = GO_AWAY;
    let reason = reason.into();
    Frame::Close { code, reason }.text()
}

/// What `weight` messages weigh of which only the first is news to the other side.
fn often(weight: f64, mut weigh: impl FnMut() -> f64) -> f64 {
    let first = weigh();
    match weight == 1.0 {
        true => first,
        false => first + (weight - 1.0) * weigh(),
    }
}
