//! What a run costs: the frames are written, and weighed.

use super::super::bill::{ATTACHMENT_KEY, Bill, Foreseen, Mails};
use super::super::sockjs::inside::{Beats, Inside, Message, Turn};
use super::super::{Setting, sockjs, talk, ws};
use super::{PATH, SOCKJS_PATH, frames, frames_of};
use crate::mail::{Mail, Plan, Planned};
use crate::outcome::{Closer, Frames, HttpVersion, Labelled, Over, Prediction, Scenario, Traffic};
use crate::theory::{self, Latency, Trial, Way};
use crate::wire::stomp::{Frame, Version};

const VERSION: Version = Version::V1_2;

pub fn predict(setting: &Setting) -> Prediction {
    match setting.scenario.over {
        Over::Ws => over_websocket(setting),
        Over::Sockjs => over_sockjs(setting),
    }
}

fn over_websocket(setting: &Setting) -> Prediction {
    let lines = Lines::new(setting);
    let mut bill = Bill::new(setting);
    lines.charge_opening(&mut bill);
    let subscribes = setting.scenario.topics.iter().enumerate();
    let subscribes: u64 = subscribes
        .map(|(i, name)| len(&frames::subscribe(i, name, setting.cursor(0))))
        .sum();
    lines.control_up(&mut bill, 1.0, subscribes);
    let opening = [bill.down.head, bill.down.control];
    let sizes = lines.charge_mail(&mut bill);
    bill.charge_messages(setting, |length| lines.up(to_application(length as u64)));
    lines.charge_heart_beats(&mut bill);
    lines.charge_closing(&mut bill);
    let foreseen = Foreseen::pushed(setting, 0, &opening, |number| sizes[number as usize - 1]);
    match setting.scenario.publishers {
        0 => bill.predict(foreseen),
        publishers => {
            let sent = Published::new(setting, publishers);
            let foreseen = sent.before(foreseen);
            sent.added_to(bill.predict(foreseen))
        }
    }
}

fn len(frame: &Frame) -> u64 {
    frame.to_bytes(VERSION).len() as u64
}

/// A SEND to the application, with so many bytes of JSON in it.
fn to_application(json: u64) -> u64 {
    let empty = len(&frames::to_application("say", String::new()));
    empty - 1 + theory::decimal_digits(json) + json
}

/// What frames weigh on the wire, with all that carries them.
struct Lines<'a> {
    setting: &'a Setting<'a>,
    /// A MESSAGE of each topic, but for its number, its length and its body.
    messages: Vec<u64>,
    /// A SEND of each, but for its length and its body.
    sends: Vec<u64>,
}

impl<'a> Lines<'a> {
    fn new(setting: &'a Setting<'a>) -> Lines<'a> {
        let topics = &setting.scenario.topics;
        let frames = &frames_of(setting.scenario);
        let empty = Mail {
            json: Default::default(),
            attachment: Default::default(),
        };
        // A binary mail has its length before it, which the body's own has a digit for.
        let inside = match frames {
            Frames::Text => 1,
            Frames::Binary => 1 + LENGTH as u64,
        };
        let message = |(i, topic): (usize, &String)| {
            let id = frames::subscription(i);
            len(&frames::mail(
                Some(&id),
                (setting.cursor(1), topic),
                false,
                &[],
                (&empty, *frames),
            )) - 1
                - inside
        };
        let send = |topic: &String| len(&frames::send_mail(topic, &empty, *frames)) - inside;
        Lines {
            setting,
            messages: topics.iter().enumerate().map(message).collect(),
            sends: topics.iter().map(send).collect(),
        }
    }

    /// Bytes of a client's message.
    fn up(&self, len: u64) -> f64 {
        let len = (theory::frame_header(len, true) + len) as f64;
        len + Bill::in_frames(self.setting, len)
    }

    /// Bytes of the server's.
    fn down(&self, len: u64) -> f64 {
        let len = (theory::frame_header(len, false) + len) as f64;
        len + Bill::in_frames(self.setting, len)
    }

    fn control_up(&self, bill: &mut Bill, times: f64, len: u64) {
        bill.up.control += times * self.up(len);
        bill.seal_up(times, self.up(len));
    }

    fn control_down(&self, bill: &mut Bill, times: f64, len: u64) {
        bill.down.control += times * self.down(len);
        bill.seal_down(times, self.down(len));
    }

    /// From the request to CONNECTED.
    fn charge_opening(&self, bill: &mut Bill) {
        let opening = ws::Opening {
            target: PATH,
            subprotocols: frames::SUBPROTOCOLS,
        };
        ws::charge_handshake(bill, self.setting, &opening, VERSION.subprotocol());
        bill.seal_up(1.0, bill.up.head);
        bill.seal_down(1.0, bill.down.head);
        let heartbeat = self.setting.scenario.heartbeat();
        let connect = frames::connect(self.setting.origin.host(), heartbeat);
        self.control_up(bill, 1.0, len(&connect));
        let least = frames::least_heart_beat(heartbeat);
        self.control_down(bill, 1.0, len(&frames::connected(VERSION, 0, least)));
    }

    /// From DISCONNECT, which a server does not wait for that closes itself.
    fn charge_closing(&self, bill: &mut Bill) {
        if self.setting.scenario.closer == Closer::Client {
            self.control_up(bill, 1.0, len(&frames::disconnect()));
            self.control_down(bill, 1.0, len(&frames::receipt(frames::FAREWELL)));
        }
        // A close frame's body is its two-byte code, either way and from whichever side.
        self.control_up(bill, 1.0, 2);
        self.control_down(bill, 1.0, 2);
        bill.say_goodbye(0.0, 1.0);
    }

    /// Mail and what is replied to it; says what each mail weighs on the wire.
    fn charge_mail(&self, bill: &mut Bill) -> Vec<f64> {
        let mut sizes = Vec::with_capacity(self.setting.plan.mails.len());
        for number in 1..=self.setting.plan.mails.len() as u64 {
            let mail = bill.mails(number - 1, number);
            let message = self.of_topic(&self.messages, number) + theory::decimal_digits(number);
            let size = self.down(message + self.body(&mail));
            bill.down.framing += size - mail.payload;
            bill.down.payload += mail.payload;
            bill.seal_down(1.0, size);
            sizes.push(size);
            if self.setting.scenario.reply {
                let reply = frames::reply(number);
                let (payload, said) = (reply.body.len() as f64, self.up(len(&reply)));
                bill.up.framing += said - payload;
                bill.up.payload += payload;
                bill.seal_up(1.0, said);
            }
        }
        sizes
    }

    fn of_topic(&self, lengths: &[u64], number: u64) -> u64 {
        lengths[((number - 1) % lengths.len() as u64) as usize]
    }

    /// A body that holds a mail, and the digits that tell its length.
    fn body(&self, mail: &Mails) -> u64 {
        let inside = match frames_of(self.setting.scenario) {
            Frames::Binary => LENGTH + mail.payload,
            Frames::Text => mail.text,
        };
        inside as u64 + theory::decimal_digits(inside as u64)
    }

    fn charge_heart_beats(&self, bill: &mut Bill) {
        let (down, up) = heart_beats(self.setting);
        self.control_down(bill, down, 1);
        self.control_up(bill, up, 1);
    }
}

/// How many heart-beats the server sends, and how many a client: the one writes mail, the other what it has
/// to say, and each is silent in between.
fn heart_beats(setting: &Setting) -> (f64, f64) {
    let every = setting.scenario.heartbeat().as_secs_f64();
    let due = setting.due();
    let last = due.last().copied();
    let of = |client: u64| {
        let mut said = talk::seconds(setting, client);
        if setting.scenario.reply {
            said.extend(&due);
        }
        said.extend(last);
        said.sort_by(f64::total_cmp);
        theory::heartbeats(&said, every, 0.0) as f64
    };
    let up = match setting.scenario.talk_per_s {
        None => of(0),
        Some(_) => {
            let clients = setting.scenario.clients as u64;
            (0..clients).map(of).sum::<f64>() / clients as f64
        }
    };
    (theory::heartbeats(&due, every, 0.0) as f64, up)
}

/// The length before the JSON of a binary mail.
const LENGTH: f64 = 4.0;

/// What those cost who publish.
struct Published {
    bytes: Traffic<f64>,
    requests: f64,
    /// How long a mail is under way to the broker.
    latency: Latency,
}

impl Published {
    fn new(setting: &Setting, publishers: usize) -> Published {
        let one = Scenario {
            clients: 1,
            talk_per_s: None,
            ..setting.scenario.clone()
        };
        let one = Setting {
            scenario: &one,
            ..*setting
        };
        let lines = Lines::new(&one);
        let mut each = Bill::new(&one);
        lines.charge_opening(&mut each);
        lines.charge_closing(&mut each);
        let each = each.predict(Foreseen::calculated("", Latency::default()));
        let all = (0..publishers).map(|_| each.bytes.clone());
        let mut sends = Bill::new(&one);
        let largest = lines.charge_sends(&mut sends);
        lines.charge_publishers_heart_beats(&mut sends, publishers);
        let sends = Traffic {
            up: summed(sends.up),
            down: summed(sends.down),
        };
        Published {
            bytes: all.fold(sends, |sum, each| sum + each),
            requests: each.requests.total * publishers as f64,
            latency: publishing(setting, publishers, largest),
        }
    }

    /// A mail is published before it is pushed.
    fn before(&self, mut pushed: Foreseen) -> Foreseen {
        pushed.latency.mean += self.latency.mean;
        pushed.latency.max += self.latency.max;
        pushed
    }

    fn added_to(self, mut prediction: Prediction) -> Prediction {
        let (up, down) = (&self.bytes.up, &self.bytes.down);
        prediction.overhead_bytes += up.total - up.payload + down.total - down.payload;
        prediction.requests.total += self.requests;
        prediction.bytes = prediction.bytes + self.bytes;
        prediction
    }
}

impl Lines<'_> {
    /// Every mail once, on its way to the broker; says what the largest weighs.
    fn charge_sends(&self, bill: &mut Bill) -> f64 {
        let mut largest = 0.0_f64;
        for number in 1..=self.setting.plan.mails.len() as u64 {
            let mail = bill.mails(number - 1, number);
            let sent = self.up(self.of_topic(&self.sends, number) + self.body(&mail));
            bill.up.framing += sent - mail.payload;
            bill.up.payload += mail.payload;
            bill.seal_up(1.0, sent);
            largest = largest.max(sent);
        }
        largest
    }

    /// Each sends its own mail, and is sent none.
    fn charge_publishers_heart_beats(&self, bill: &mut Bill, publishers: usize) {
        let every = self.setting.scenario.heartbeat().as_secs_f64();
        let due = self.setting.due();
        let Some(last) = due.last().copied() else { return };
        for publisher in 0..publishers {
            let mut sent: Vec<f64> = due.iter().skip(publisher).step_by(publishers).copied().collect();
            sent.push(last);
            self.control_up(bill, theory::heartbeats(&sent, every, 0.0) as f64, 1);
            self.control_down(bill, theory::heartbeats(&[last], every, 0.0) as f64, 1);
        }
    }
}

fn summed(mut bytes: Labelled<f64>) -> Labelled<f64> {
    bytes.total = bytes.head + bytes.framing + bytes.control + bytes.payload + bytes.tls;
    bytes
}

/// From due to the broker, for mails of `size` bytes at most.
fn publishing(setting: &Setting, publishers: usize, size: f64) -> Latency {
    let path = setting.scenario.link.path();
    if path.only_delays() {
        return theory::push_latency(path.rtt);
    }
    let due = setting.due();
    let of = |publisher: u64| {
        due.iter()
            .skip(publisher as usize)
            .step_by(publishers)
            .copied()
            .collect()
    };
    let trial = Trial {
        clients: publishers,
        ..setting.trial(&due)
    };
    let size = size as usize + setting.tls_framing(size as u64) as usize;
    trial.say(&of, size).latency
}

// ---- over SockJS: the same frames as JSON strings ------------------------------------------------

fn over_sockjs(setting: &Setting) -> Prediction {
    let (down, up) = heart_beats(setting);
    let topics = &setting.scenario.topics;
    let subscribes = topics
        .iter()
        .enumerate()
        .map(|(i, name)| text(&frames::subscribe(i, name, setting.cursor(0))));
    let reply = |number| {
        let frame = frames::reply(number);
        Message::with(&text(&frame), frame.body.len())
    };
    let say = |said: talk::Said| Message::with(&text(&frames::say(said)), said.json().len());
    let mut inside = session(setting, &reply, &say);
    inside
        .opening
        .push(Turn::silent(control(&subscribes.collect::<String>())));
    let messages: Vec<f64> = topics
        .iter()
        .enumerate()
        .map(|(i, topic)| empty_message(setting, i, topic))
        .collect();
    let message = |(number, planned): (u64, &Planned)| {
        let fixed = messages[((number - 1) % messages.len() as u64) as usize];
        fixed + theory::decimal_digits(number) as f64 + body(planned)
    };
    inside.mails = (1..).zip(&setting.plan.mails).map(message).collect();
    inside.beats = Some(Beats {
        beat: control("\n"),
        down,
        up,
    });
    let prediction = sockjs::predict_session(setting, &inside);
    match setting.scenario.publishers {
        0 => prediction,
        publishers => published_over_sockjs(setting, publishers, prediction),
    }
}

/// What every session has: CONNECT, and DISCONNECT.
fn session<'a>(
    setting: &Setting,
    reply: &'a dyn Fn(u64) -> Message,
    say: &'a dyn Fn(talk::Said) -> Message,
) -> Inside<'a> {
    let heartbeat = setting.scenario.heartbeat();
    let connect = frames::connect(setting.origin.host(), heartbeat);
    let connected = frames::connected(VERSION, 0, frames::least_heart_beat(heartbeat));
    let turn = |said: &Frame, answered: &Frame| Turn {
        said: control(&text(said)),
        answered: Some(control(&text(answered)).quoted),
    };
    Inside {
        prefix: SOCKJS_PATH,
        opening: vec![turn(&connect, &connected)],
        closing: vec![turn(&frames::disconnect(), &frames::receipt(frames::FAREWELL))],
        mails: Vec::new(),
        // Every id names the log.
        notice: 0.0,
        publishes: Vec::new(),
        beats: None,
        reply,
        say,
    }
}

/// A frame that is UTF-8, as those of the lab are that SockJS carries.
fn text(frame: &Frame) -> String {
    String::from_utf8_lossy(&frame.to_bytes(VERSION)).into_owned()
}

fn control(text: &str) -> Message {
    Message::with(text, 0)
}

const NO_MAIL: Mail = Mail {
    json: bytes::Bytes::new(),
    attachment: bytes::Bytes::new(),
};

/// A MESSAGE as a JSON string, but for its number, its length and its body.
fn empty_message(setting: &Setting, place: usize, topic: &str) -> f64 {
    let id = frames::subscription(place);
    let frame = frames::mail(
        Some(&id),
        (setting.cursor(1), topic),
        false,
        &[],
        (&NO_MAIL, Frames::Text),
    );
    control(&text(&frame)).quoted - 2.0
}

/// What a mail adds to that: itself, without its own quotes, and the digits of its length.
fn body(planned: &Planned) -> f64 {
    let attached = match planned.mail.attachment.len() as u64 {
        0 => 0,
        n => ATTACHMENT_KEY + theory::base64_len(n),
    };
    let length = planned.mail.json.len() as u64 + attached;
    sockjs::quoted(planned) - 2.0 + theory::decimal_digits(length) as f64
}

/// Adds what those cost who publish: each has mail of its own to send.
fn published_over_sockjs(setting: &Setting, publishers: usize, mut all: Prediction) -> Prediction {
    let one = Scenario {
        clients: 1,
        talk_per_s: None,
        reply: false,
        ..setting.scenario.clone()
    };
    let no_reply = |_| control("");
    let no_say = |_: talk::Said| control("");
    let sends: Vec<f64> = setting
        .scenario
        .topics
        .iter()
        .map(|topic| control(&text(&frames::send_mail(topic, &NO_MAIL, Frames::Text))).quoted - 1.0)
        .collect();
    let every = setting.scenario.heartbeat().as_secs_f64();
    let due = setting.due();
    let last = due.last().copied().unwrap_or(0.0);
    for publisher in 0..publishers {
        let mine = || (0..setting.plan.mails.len()).skip(publisher).step_by(publishers);
        let plan = Plan {
            mails: mine().map(|i| setting.plan.mails[i].clone()).collect(),
            ..Plan::default()
        };
        let own = Setting {
            scenario: &one,
            plan: &plan,
            ..*setting
        };
        let mut inside = session(&own, &no_reply, &no_say);
        let send = |i: usize| {
            let planned = &setting.plan.mails[i];
            let payload = (planned.mail.json.len() + planned.mail.attachment.len()) as f64;
            let quoted = sends[i % sends.len()] + body(planned);
            (due[i], Message { quoted, payload })
        };
        inside.publishes = mine().map(send).collect();
        let mut sent: Vec<f64> = mine().map(|i| due[i]).collect();
        sent.push(last);
        inside.beats = Some(Beats {
            beat: control("\n"),
            down: theory::heartbeats(&[last], every, 0.0) as f64,
            up: theory::heartbeats(&sent, every, 0.0) as f64,
        });
        all = sum(all, sockjs::predict_session(&own, &inside));
    }
    let latency = publishing_over_sockjs(setting, publishers);
    all.latency_us.mean += latency.mean * 1e6;
    all.latency_us.max += latency.max * 1e6;
    all
}

fn sum(mut all: Prediction, more: Prediction) -> Prediction {
    all.overhead_bytes += more.overhead_bytes;
    all.requests.total += more.requests.total;
    all.requests.empty = all
        .requests
        .empty
        .map(|empty| empty + more.requests.empty.unwrap_or(0.0));
    all.bytes = all.bytes + more.bytes;
    all
}

/// From due to the broker: on a WebSocket at once, else as a request, one after the other.
fn publishing_over_sockjs(setting: &Setting, publishers: usize) -> Latency {
    let largest = setting.plan.mails.iter().map(body).fold(0.0, f64::max) + 300.0;
    if !sockjs::posts(setting.scenario) {
        return publishing(setting, publishers, largest);
    }
    let due = setting.due();
    let of = |publisher: u64| {
        due.iter()
            .skip(publisher as usize)
            .step_by(publishers)
            .copied()
            .collect()
    };
    let way = |_: u64, _: f64| match setting.scenario.http {
        HttpVersion::Http10 => Way::Another,
        HttpVersion::Http11 | HttpVersion::Http2 => Way::Idle,
    };
    let trial = Trial {
        clients: publishers,
        ..setting.trial(&due)
    };
    let size = largest as usize + setting.tls_framing(largest as u64) as usize;
    trial.post(&of, &way, [size, 200]).acted.latency
}
