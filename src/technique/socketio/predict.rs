//! What it is predicted to cost: a handshake by polling, then either a WebSocket for the rest or polls to
//! the end, and in between what [`theory`](crate::theory) says of mail that comes while it still polls.

use http::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue};

use super::super::bill::{Bill, Foreseen};
use super::super::blocked;
use super::super::client::LEAD;
use super::super::heads::Length;
use super::super::list::{self, Reply};
use super::super::service::{MAX_BODY, Tuning};
use super::super::talk::{self, Said};
use super::super::{Setting, fields, ws};
use super::client::{self, connect, disconnect, poll_fields, post_fields, read, say, target};
use super::{TEXT, engine};
use crate::outcome::{Block, Closer, Frames, Prediction};
use crate::theory::{self, Carried, Exchange, Session};
use crate::wire::engineio::{Open, PROBE, Packet};

/// As long as every session's id.
const SID: &str = "0123456789abcdef";

/// What the server says to a POST.
const OK: u64 = 2;

/// One that ends a poll, or is a ping or pong.
const BARE: u64 = 1;

/// A mail, as it crosses.
#[derive(Clone, Copy)]
struct Shape {
    /// Bytes of the packet that is text, and of the attachment, where that goes apart.
    text: u64,
    attachment: Option<u64>,
    /// What of all that the sender made.
    payload: f64,
    /// Bytes of the event before it that names the log.
    notice: Option<u64>,
}

impl Shape {
    fn of(setting: &Setting, bill: &Bill, number: u64) -> Shape {
        let mail = &setting.plan.mails[number as usize - 1].mail;
        let ack = match setting.scenario.reply {
            true => theory::decimal_digits(number),
            false => 0,
        };
        let apart = setting.scenario.frames == Frames::Binary && !mail.attachment.is_empty();
        let mails = bill.mails(number - 1, number);
        let (before, inside, behind) = match apart {
            false => (r#"42["mail","#, mails.text as u64, "]"),
            true => (
                r#"451-["mail","#,
                mail.json.len() as u64,
                r#",{"_placeholder":true,"num":0}]"#,
            ),
        };
        Shape {
            text: before.len() as u64 + ack + inside + behind.len() as u64,
            attachment: apart.then_some(mail.attachment.len() as u64),
            payload: mails.payload,
            notice: (number == 1).then(|| r#"42["epoch",]"#.len() as u64 + setting.notice() as u64),
        }
    }

    /// Its packets in a body, with what separates them.
    fn polled(&self) -> u64 {
        let base64 = |n| "\u{1e}b".len() as u64 + theory::base64_len(n);
        self.text + self.attachment.map_or(0, base64) + self.polled_notice()
    }

    fn polled_notice(&self) -> u64 {
        self.notice.map_or(0, |n| n + 1)
    }

    fn pushed_notice(&self) -> u64 {
        self.notice.map_or(0, |n| theory::frame_header(n, false) + n)
    }

    /// Its messages' frames.
    fn pushed(&self) -> u64 {
        let frame = |n| theory::frame_header(n, false) + n;
        frame(self.text) + self.attachment.map_or(0, frame) + self.pushed_notice()
    }
}

/// Everything that is charged for.
struct Costs<'a> {
    setting: &'a Setting<'a>,
    bill: Bill,
    shapes: Vec<Shape>,
    get: HeaderMap,
    post: HeaderMap,
    answer: HeaderMap,
    polling: String,
    upgrades: bool,
}

/// What it is predicted to cost all clients.
pub fn predict(setting: &Setting) -> Prediction {
    let bill = Bill::new(setting);
    let numbers = 1..=setting.plan.mails.len() as u64;
    let text = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(TEXT))]);
    let mut costs = Costs {
        setting,
        shapes: numbers.map(|n| Shape::of(setting, &bill, n)).collect(),
        bill,
        get: poll_fields(setting.headers, setting.origin),
        post: post_fields(setting.headers, setting.origin),
        answer: fields::response(setting.headers, text, |name| *name != CONTENT_TYPE),
        polling: target("polling", SID),
        upgrades: !setting.scenario.blocks(Block::Websocket),
    };
    costs.bill.empty = Some(0.0);
    costs.begin();
    costs.try_websocket();
    let carried = costs.act();
    costs.charge_mail(&carried);
    costs.charge_talk();
    costs.charge_pings(&carried);
    costs.end();
    let foreseen = match setting.scenario.link.path().only_delays() {
        true => Foreseen::calculated("exact for this schedule", carried.acted.latency),
        false => Foreseen::acted(&carried.acted),
    };
    costs.bill.predict(foreseen)
}

impl Costs<'_> {
    /// A GET, and an answer of so many bytes, all of which but the payload and framing are control.
    fn charge_get(&mut self, target: &str, body: u64, times: f64) {
        let bill = &mut self.bill;
        let up = bill
            .heads
            .request("GET", target, &self.get, self.setting.origin, None);
        let down = bill.heads.response(200, "OK", &self.answer, Length::Known(body));
        bill.up.head += times * up;
        bill.seal_up(times, up);
        bill.down.head += times * down;
        bill.seal_down(times, down + body as f64);
        bill.requests += times;
    }

    /// The same for a poll that brings no mail.
    fn charge_empty(&mut self, target: &str, body: u64, times: f64) {
        self.charge_get(target, body, times);
        self.bill.down.control += times * body as f64;
        self.bill.empty = self.bill.empty.map(|empty| empty + times);
    }

    /// A POST of so many bytes; returns what of it is head, with its answer's.
    fn charge_post(&mut self, body: u64, times: f64) -> f64 {
        let bill = &mut self.bill;
        let up = bill
            .heads
            .request("POST", &self.polling, &self.post, self.setting.origin, Some(body));
        let down = bill.heads.response(200, "OK", &self.answer, Length::Known(OK));
        bill.up.head += times * up;
        bill.seal_up(times, up + body as f64);
        bill.down.head += times * down;
        bill.down.control += times * OK as f64;
        bill.seal_down(times, down + OK as f64);
        bill.requests += times;
        times * (up + down)
    }

    /// The session, and its namespace, but for the poll that brings it.
    fn begin(&mut self) {
        self.charge_empty(&target("polling", ""), open(self.setting).len() as u64, 1.0);
        let connect = connect(self.setting.cursor(0)).len() as u64;
        self.charge_post(connect, 1.0);
        self.bill.up.control += connect as f64;
    }

    /// The attempt at a WebSocket, up to the `5`.
    fn try_websocket(&mut self) {
        let setting = self.setting;
        self.bill.connections += 1.0;
        self.bill.requests += 1.0;
        let [request, response] = handshake(self);
        self.bill.up.head += request;
        self.bill.seal_up(1.0, request);
        if !self.upgrades {
            return blocked::charge_refusal(&mut self.bill, setting);
        }
        self.bill.down.head += response;
        self.bill.seal_down(1.0, response);
        for text in [Packet::Ping(PROBE), Packet::Upgrade] {
            self.control_up(text.text().len() as u64, 1.0);
        }
        self.control_down(Packet::Pong(PROBE).text().len() as u64, 1.0);
    }

    /// Messages of a WebSocket that carry nothing.
    fn control_up(&mut self, length: u64, times: f64) {
        let frame = (theory::frame_header(length, true) + length) as f64;
        self.bill.up.control += times * frame;
        self.bill.seal_up(times, frame);
    }

    fn control_down(&mut self, length: u64, times: f64) {
        let frame = (theory::frame_header(length, false) + length) as f64;
        self.bill.down.control += times * frame;
        self.bill.seal_down(times, frame);
    }

    /// Bytes of a poll's answer with these mails.
    fn body(&self, after: u64, upto: u64) -> u64 {
        let mails = &self.shapes[after as usize..upto as usize];
        let all: u64 = mails.iter().map(Shape::polled).sum();
        all + (upto - after).saturating_sub(1)
    }

    /// Which of some mails that wait share an answer: as many as the library puts into one, and behind the
    /// one for which it was held as many again.
    fn share(&self, after: u64, upto: u64, held: bool) -> u64 {
        let from = if held { after + 1 } else { after };
        let most = upto.min(from + engine::CAPACITY as u64);
        let mut last = most.min(from + 1);
        while last < most
            && self.body(from, last) + 1 + self.shapes[last as usize].polled() <= MAX_BODY as u64
        {
            last += 1;
        }
        last
    }

    /// Acts it out.
    fn act(&mut self) -> Carried {
        let setting = self.setting;
        let sealed = |len: f64| len as usize + setting.tls_framing(len as u64) as usize;
        let get = self
            .bill
            .heads
            .request("GET", &self.polling, &self.get, setting.origin, None);
        let handshake = handshake(self).map(sealed);
        // A head depends on the length of its body by the digits alone.
        let head = |body: u64| {
            let heads = &mut Bill::new(setting).heads;
            heads.response(200, "OK", &self.answer, Length::Known(body))
        };
        let heads: Vec<f64> = (0..8).map(|digits| head(10_u64.pow(digits))).collect();
        let answer = |after, upto| {
            let body = self.body(after, upto).max(BARE);
            sealed(heads[theory::decimal_digits(body) as usize - 1] + body as f64)
        };
        let due = setting.due();
        setting.trial(&due).engine_io(&Session {
            lead: LEAD.as_secs_f64(),
            interval: setting.scenario.heartbeat().as_secs_f64(),
            upgrades: self.upgrades,
            request: sealed(get),
            answer: &answer,
            share: &|after, upto, held| self.share(after, upto, held),
            handshake,
            message: &|number| sealed(self.shapes[number as usize - 1].pushed() as f64),
        })
    }

    /// What polls brought, and what messages did.
    fn charge_mail(&mut self, carried: &Carried) {
        let polling = self.polling.clone();
        let namespace = Packet::Message(&format!(r#"0{{"sid":"{SID}"}}"#)).text().len() as u64;
        let mut pushed = vec![1.0; self.shapes.len()];
        for Exchange { after, upto, weight } in carried.first.iter().copied() {
            match self.body(after, upto) {
                0 => self.charge_empty(&polling, namespace, weight),
                mails => {
                    self.charge_polled(after, upto, namespace + 1 + mails, weight);
                    self.bill.down.control += weight * (namespace + 1) as f64;
                }
            }
            let polled = &mut pushed[after as usize..upto as usize];
            polled.iter_mut().for_each(|p| *p -= weight);
        }
        for Exchange { after, upto, weight } in carried.acted.exchanges.iter().copied() {
            match self.body(after, upto) {
                0 => self.charge_empty(&polling, BARE, weight),
                mails => self.charge_polled(after, upto, mails, weight),
            }
            let polled = &mut pushed[after as usize..upto as usize];
            polled.iter_mut().for_each(|p| *p -= weight);
        }
        for (shape, weight) in self.shapes.clone().into_iter().zip(&pushed) {
            let frames = shape.pushed() as f64;
            let notice = shape.pushed_notice() as f64;
            self.bill.down.control += weight * notice;
            self.bill.down.framing += weight * (frames - shape.payload - notice);
            self.bill.down.payload += weight * shape.payload;
            self.bill.seal_down(*weight, frames);
        }
        if self.setting.scenario.reply {
            for (number, weight) in (1..).zip(pushed) {
                self.charge_ack(number, weight);
            }
        }
    }

    /// A poll with mail, and the acknowledgements that are posted for it.
    fn charge_polled(&mut self, after: u64, upto: u64, body: u64, weight: f64) {
        let polling = self.polling.clone();
        self.charge_get(&polling, body, weight);
        let payload = self.bill.mails(after, upto).payload;
        self.bill.down.payload += weight * payload;
        let notices = &self.shapes[after as usize..upto as usize];
        let notice: u64 = notices.iter().map(Shape::polled_notice).sum();
        self.bill.down.control += weight * notice as f64;
        self.bill.down.framing += weight * ((self.body(after, upto) - notice) as f64 - payload);
        if !self.setting.scenario.reply {
            return;
        }
        let acks: u64 = (after + 1..=upto).map(|n| read(n, n).len() as u64 + 1).sum();
        let said: u64 = (after + 1..=upto).map(|n| Reply::json(n).len() as u64).sum();
        self.charge_post(acks - 1, weight);
        self.bill.up.payload += weight * said as f64;
        self.bill.up.framing += weight * (acks - 1 - said) as f64;
    }

    /// An acknowledgement in a message.
    fn charge_ack(&mut self, number: u64, weight: f64) {
        let text = read(number, number).len() as u64;
        let frame = (theory::frame_header(text, true) + text) as f64;
        let said = Reply::json(number).len() as f64;
        self.bill.up.payload += weight * said;
        self.bill.up.framing += weight * (frame - said);
        self.bill.seal_up(weight, frame);
    }

    /// What clients say of their own accord: each an event, in a message or in a POST.
    fn charge_talk(&mut self) {
        let setting = self.setting;
        let event = |length: f64| {
            let said = Said { client: 0, say: 1 };
            length + (say(said).len() - said.json().len()) as f64
        };
        if self.upgrades {
            self.bill.charge_messages(setting, |length| {
                let text = event(length);
                text + theory::frame_header(text as u64, true) as f64
            });
            return;
        }
        if setting.scenario.talk_per_s.is_none() {
            return;
        }
        let mut sizes = [0; 2];
        for (length, weight) in talk::lengths(setting) {
            let body = event(length as f64);
            let heads = self.charge_post(body as u64, weight);
            self.bill.up.payload += weight * length as f64;
            self.bill.up.framing += weight * (body - length as f64);
            self.bill.said += heads + weight * (body - length as f64);
            let sealed = |len: f64| len as usize + setting.tls_framing(len as u64) as usize;
            sizes = [sealed(heads / weight / 2.0 + body), sealed(heads / weight / 2.0)];
        }
        let due = setting.due();
        let says = |client: u64| talk::seconds(setting, client);
        let spoken = setting
            .trial(&due)
            .post(&says, &|_, _| list::occupied(setting), sizes);
        self.bill.talk = Some(spoken.acted.latency);
    }

    /// Pings, and their answers.
    fn charge_pings(&mut self, carried: &Carried) {
        if self.upgrades {
            self.control_down(BARE, carried.pings);
            self.control_up(BARE, carried.pings);
            return;
        }
        // Those that came with mail have a separator; the others were polls of their own.
        let with_mail = carried.pings - carried.polled_pings;
        self.bill.down.control += with_mail * (BARE + 1) as f64;
        self.charge_post(BARE, carried.pings);
        self.bill.up.control += carried.pings * BARE as f64;
    }

    /// The goodbyes, and the connections that end.
    fn end(&mut self) {
        let setting = self.setting;
        let close = (theory::frame_header(2, true) + 2) as f64;
        let leave = disconnect().len() as u64;
        let left = (theory::frame_header(leave, true) + leave) as f64;
        match (self.upgrades, setting.scenario.closer) {
            (true, Closer::Client) => {
                self.bill.up.control += left + close;
                self.bill.seal_up(1.0, left + close);
                self.control_down(2, 1.0);
            }
            (true, Closer::Server) => {
                self.control_down(leave, 1.0);
                self.bill.up.control += close;
                self.bill.seal_up(1.0, close);
                self.control_down(2, 1.0);
            }
            (false, Closer::Client) => {
                let body = leave + 1 + BARE;
                self.charge_post(body, 1.0);
                self.bill.up.control += body as f64;
            }
            (false, Closer::Server) => {
                // What the poll that is held ends with, instead of a noop: the connection ends, too.
                self.bill.down.control += (leave + 1) as f64;
                if !self.answer.contains_key(CONNECTION) {
                    self.bill.down.head += theory::head_len("", [("connection", "close")]) as f64 - 4.0;
                }
            }
        }
        // What is posted while a poll is held, or a goodbye is said, needs a connection of its own.
        let posts = !self.upgrades && self.posts();
        let others = 1.0 + f64::from(u8::from(posts));
        self.bill.connections += f64::from(u8::from(posts));
        match (self.upgrades, setting.scenario.closer) {
            (true, _) | (false, Closer::Client) => self.bill.say_goodbye(others, others),
            // Who is left says nothing more.
            (false, Closer::Server) => self.bill.say_goodbye(0.0, others),
        }
        if self.upgrades {
            self.bill.say_goodbye(0.0, 1.0);
        }
    }

    fn posts(&self) -> bool {
        let scenario = self.setting.scenario;
        scenario.speaks() || scenario.closer == Closer::Client
    }
}

/// What the server says first.
fn open(setting: &Setting) -> String {
    let tuning = Tuning::default();
    let open = Open {
        sid: SID.into(),
        upgrades: vec!["websocket".into()],
        ping_interval: setting.scenario.heartbeat().as_millis() as u64,
        ping_timeout: tuning.ping_timeout.as_millis() as u64,
        max_payload: tuning.max_payload() as u64,
    };
    let json = serde_json::to_string(&open).unwrap_or_default();
    Packet::Open(&json).text()
}

/// Bytes of the request for a WebSocket, and of the answer that accepts it.
fn handshake(costs: &mut Costs) -> [f64; 2] {
    let setting = costs.setting;
    // The key is random, but not its length; a request that cannot be built is not sent either.
    let Ok(request) = client::upgrade(setting.origin, setting.headers, SID) else {
        return [0.0; 2];
    };
    let line = format!("GET {} HTTP/1.1", target("websocket", SID));
    let asked = theory::head_len(&line, request.headers()) as f64;
    let accepted = ws::handshake::accepted(request.headers());
    let fields = fields::response(setting.headers, accepted, |name| *name != CONTENT_TYPE);
    let head = costs
        .bill
        .heads
        .response(101, "Switching Protocols", &fields, Length::None);
    [asked, head]
}
