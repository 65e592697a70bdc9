//! Adds up what a technique is predicted to cost one client.

use super::heads::Heads;
use super::{Setting, talk};
use crate::outcome::{
    Closer, HttpVersion, Labelled, PredictedLatency, PredictedRequests, PredictedTalk, Prediction, Traffic,
};
use crate::theory::{self, Acted, Before, Handshake, Latency, hpack};

/// The running total for one client.
#[derive(Debug)]
pub struct Bill {
    /// Bytes from client to server, without their total.
    pub up: Labelled<f64>,
    /// Bytes from server to client, without their total.
    pub down: Labelled<f64>,
    /// HTTP requests.
    pub requests: f64,
    /// Those answered without mail, where there is such a thing.
    pub empty: Option<f64>,
    /// Connections, as far as it matters how many there are: each costs a TLS handshake.
    pub connections: f64,
    /// Of all this, overhead of what the client said of its own accord, its answers included, less TLS's.
    pub said: f64,
    /// How late that is heard, in seconds, if it talks at all.
    pub talk: Option<Latency>,
    /// What heads weigh.
    pub heads: Heads,
    handshakes: Option<[Handshake; 2]>,
    clients: f64,
    sums: Vec<Mails>,
}

/// Some mails' bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mails {
    /// As text transports carry them.
    pub text: f64,
    /// As their senders made them.
    pub payload: f64,
}

/// Who ends an HTTP/2 connection (RFC 9113, section 6.8). The client always says that it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client.
    Client,
    /// The server, and open streams with it.
    Streams,
}

impl Ending {
    /// Of a connection on which a stream stays open until one side ends it.
    pub fn of_stream(closer: Closer) -> Ending {
        match closer {
            Closer::Client => Ending::Client,
            Closer::Server => Ending::Streams,
        }
    }
}

/// What reqwest and hyper set when they open an HTTP/2 connection.
const CLIENT_SETTINGS: u64 = 4;
const SERVER_SETTINGS: u64 = 5;

/// In how many writes they open the connection, the client's GOAWAY included.
const UP_WRITES: f64 = 4.0;
const DOWN_WRITES: f64 = 2.0;

/// What an attachment adds to the JSON besides its base64: `,"attachment":""`.
pub const ATTACHMENT_KEY: u64 = 16;

/// What is said of latency, and how it was come by.
#[derive(Clone, Debug)]
pub struct Foreseen {
    /// `closed form` or `simulation`, and of what.
    pub method: String,
    /// In seconds.
    pub latency: Latency,
}

impl Foreseen {
    /// By a formula.
    pub fn calculated(how: &str, latency: Latency) -> Foreseen {
        Foreseen {
            method: format!("closed form, {how}"),
            latency,
        }
    }

    /// By acting the run out.
    pub fn acted(out: &Acted) -> Foreseen {
        let plural = if out.clients == 1 { "" } else { "s" };
        Foreseen {
            method: format!("simulation of {} client{plural} of this run", out.clients),
            latency: out.latency,
        }
    }

    /// Of mail that is pushed, `mail(number)` bytes for each, on a connection that the client opened after so
    /// many others and on which so many bytes were written before, write by write.
    pub fn pushed(
        setting: &Setting,
        connections: u64,
        writes: &[f64],
        mail: impl Fn(u64) -> f64,
    ) -> Foreseen {
        let path = setting.scenario.link.path();
        if path.only_delays() {
            return Foreseen::calculated("exact for this schedule", theory::push_latency(path.rtt));
        }
        let due = setting.due();
        let trial = setting.trial(&due);
        let sealed = |len: f64| len as usize + setting.tls_framing(len as u64) as usize;
        let writes: Vec<usize> = writes.iter().map(|bytes| sealed(*bytes)).collect();
        let before = Before {
            connections,
            writes: &writes,
        };
        Foreseen::acted(&trial.push(&before, &|number| sealed(mail(number))))
    }
}

impl Bill {
    /// An empty bill for the setting's mail.
    pub fn new(setting: &Setting) -> Bill {
        let mut sum = Mails::default();
        let mut sums = vec![sum];
        for planned in &setting.plan.mails {
            let (json, attached) = (
                planned.mail.json.len() as u64,
                planned.mail.attachment.len() as u64,
            );
            let encoded = if attached > 0 {
                ATTACHMENT_KEY + theory::base64_len(attached)
            } else {
                0
            };
            sum.text += (json + encoded) as f64;
            sum.payload += (json + attached) as f64;
            sums.push(sum);
        }
        Bill {
            up: Labelled::default(),
            down: Labelled::default(),
            requests: 0.0,
            empty: None,
            connections: 1.0,
            said: 0.0,
            talk: None,
            heads: Heads::new(setting.scenario.http),
            handshakes: setting.handshakes,
            clients: setting.scenario.clients as f64,
            sums,
        }
    }

    /// Charges what opening and ending an HTTP/2 connection costs (RFC 9113, sections 3.4, 6.5 and 6.9).
    pub fn open_http2(&mut self, setting: &Setting, ending: Ending) {
        if setting.scenario.http != HttpVersion::Http2 {
            return;
        }
        let window = hpack::WINDOW_UPDATE + hpack::SETTINGS_ACK;
        self.up.control += (hpack::PREFACE + hpack::settings(CLIENT_SETTINGS) + window) as f64;
        self.down.control += (hpack::settings(SERVER_SETTINGS) + window) as f64;
        self.up.control += hpack::GOAWAY as f64;
        self.seal_up(UP_WRITES, 1.0);
        self.seal_down(DOWN_WRITES, 1.0);
        match ending {
            Ending::Client => {}
            Ending::Streams => {
                // It says that it will, asks whether that was heard, and then does.
                self.up.control += hpack::PING as f64;
                self.down.control += (hpack::GOAWAY + hpack::PING + hpack::GOAWAY) as f64;
                self.seal_up(1.0, 1.0);
                self.seal_down(1.0, 1.0);
            }
        }
    }

    /// Charges what HTTP/2 puts round so many bytes of content that are at hand at once; HTTP/1 has
    /// lengths and chunks for that.
    pub fn in_frames(setting: &Setting, len: f64) -> f64 {
        match setting.scenario.http {
            HttpVersion::Http2 => hpack::data_framing(len as u64) as f64,
            HttpVersion::Http10 | HttpVersion::Http11 => 0.0,
        }
    }

    /// Charges what TLS adds to messages of so many bytes that the client writes, each at once.
    pub fn seal_up(&mut self, messages: f64, len: f64) {
        if self.handshakes.is_some() {
            self.up.tls += messages * theory::tls_framing(len as u64) as f64;
        }
    }

    /// The same for the server.
    pub fn seal_down(&mut self, messages: f64, len: f64) {
        if self.handshakes.is_some() {
            self.down.tls += messages * theory::tls_framing(len as u64) as f64;
        }
    }

    /// Charges the alerts by which so many directions were ended, up and down.
    pub fn say_goodbye(&mut self, up: f64, down: f64) {
        if self.handshakes.is_some() {
            self.up.tls += up * theory::CLOSE_NOTIFY as f64;
            self.down.tls += down * theory::CLOSE_NOTIFY as f64;
        }
    }

    /// The mails numbered above `after`, up to and with `upto`.
    pub fn mails(&self, after: u64, upto: u64) -> Mails {
        let (from, to) = (self.sums[after as usize], self.sums[upto as usize]);
        Mails {
            text: to.text - from.text,
            payload: to.payload - from.payload,
        }
    }

    /// Charges what a client says of its own accord on a connection that is open for it, if the scenario
    /// has it talk: in messages that weigh `framed` with so many bytes inside.
    pub fn charge_messages(&mut self, setting: &Setting, framed: impl Fn(f64) -> f64) {
        if setting.scenario.talk_per_s.is_none() {
            return;
        }
        let mut size = 0.0;
        for (length, weight) in talk::lengths(setting) {
            let length = length as f64;
            size = framed(length);
            self.up.framing += weight * (size - length);
            self.up.payload += weight * length;
            self.said += weight * (size - length);
            self.seal_up(weight, size);
        }
        self.talk = Some(talk::pushed(setting, size));
    }

    /// The prediction for all clients.
    pub fn predict(mut self, Foreseen { method, latency }: Foreseen) -> Prediction {
        if let Some([first, again]) = self.handshakes {
            let resumed = (self.connections - 1.0).max(0.0);
            self.up.tls += first.up as f64 + resumed * again.up as f64;
            self.down.tls += first.down as f64 + resumed * again.down as f64;
        }
        let n = self.clients;
        let scale = |l: Labelled<f64>| {
            let sum = l.head + l.framing + l.control + l.payload + l.tls;
            Labelled {
                head: n * l.head,
                framing: n * l.framing,
                control: n * l.control,
                payload: n * l.payload,
                tls: n * l.tls,
                total: n * sum,
            }
        };
        let bytes = Traffic {
            up: scale(self.up),
            down: scale(self.down),
        };
        Prediction {
            method,
            latency_us: PredictedLatency {
                mean: latency.mean * 1e6,
                max: latency.max * 1e6,
            },
            requests: PredictedRequests {
                total: n * self.requests,
                empty: self.empty.map(|e| n * e),
            },
            talk: self.talk.map(|latency| PredictedTalk {
                latency_us: PredictedLatency {
                    mean: latency.mean * 1e6,
                    max: latency.max * 1e6,
                },
                overhead_bytes: n * self.said,
                connections_per_client: self.connections,
            }),
            overhead_bytes: bytes.up.total + bytes.down.total - bytes.up.payload - bytes.down.payload,
            bytes,
        }
    }
}
