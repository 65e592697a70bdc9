//! Server-sent events: "give me what is after N and whatever comes after it, on this one response,
//! for ever" (WHATWG HTML, section 9.2).
//!
//! ```text
//! client                              server
//!   | GET /sse?after=0.                 |
//!   |---------------------------------->|
//!   |   200, text/event-stream, chunked |
//!   |<----------------------------------|
//!   |            retry: 200             |
//!   |            id: 1.k3f9             |  <- mail 1 arrives
//!   |            data: {"id":1,…}       |
//!   |<----------------------------------|
//!   |            : heartbeat            |  <- after a silence
//!   |<----------------------------------|
//!   x  connection lost                  x
//!   | GET /sse?after=0.                 |
//!   | Last-Event-ID: 1.k3f9             |
//!   |---------------------------------->|
//! ```
//!
//! `id:` is written by `event` and `notice`, read by `EventSource::interpret`, and comes back as `Last-Event-ID`.
//! The stream runs one way: a reply needs its own request, and its own connection. A server whose log differs
//! from that of the last id sends `event: reset` first, and then its own log from the beginning.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::header::{ACCEPT, HeaderMap, HeaderValue};

use super::client::Client;
use super::contract::{self, Demand, Serve, Technique};
use super::event_source::{Closed, EventSource, LAST_EVENT_ID, Message};
use super::headers::Headers;
use super::headers::Purpose;
use super::http::Http;
use super::list::{self, After};
use super::origin::Origin;
use super::routes::Routes;
use super::sequence::Step;
use super::service::Service;
use super::source::Source;
use super::streaming::{Format, SHORT_CHUNK, Streams};
use super::{blocked, fields, flags};
use crate::lang::{t, text};
use crate::mail::{Cursor, Epoch, LogEntry, Notice, Received};
use crate::outcome::Outcome;
use crate::theory::{Delivery, Liveness};
use crate::wire::Answer;

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "sse",
    title: text!("Server-sent events"),
    about: text!("Ask once: one response that never ends, every mail an event on it"),
    merit: text!(
        "Plain HTTP: one response that stays open, and a browser takes it up again by itself where it was cut."
    ),
    sequence: &[
        Step::Up("GET"),
        Step::Mail,
        Step::Down("data: …"),
        Step::Mail,
        Step::Down("data: …"),
    ],
    examples: "Examples:\n  mailcall sse --timeline\n  mailcall sse --heartbeat 200ms\n  \
             mailcall sse --attach 100000",
    scheme: contract::http_scheme,
    demand: Demand::Stream,
    holds: true,
    streams: true,
    usual: true,
    layered: None,
    held_back: blocked::streaming,
    cannot: contract::anywhere,
    flags: &[
        &flags::HEARTBEAT,
        &flags::CLOSER,
        &flags::BLOCK,
        &flags::SLOW_POLICY,
    ],
    answers: Some((PATH, Answer::Events)),
    serve: Serve::Http(serve),
    client: |client| Box::pin(run(client)),
    formula: |scenario, _| contract::pushed(scenario).filter(|_| !blocked::streaming(scenario)),
    delivers: |_| Delivery::Streamed,
    liveness: Liveness::Written(Some(FORMAT.heartbeat.len() + SHORT_CHUNK)),
    lesson,
};

const PATH: &str = "/sse";

/// The time that the server tells the client to wait before it reconnects, unless the scenario says it.
const RETRY: Duration = Duration::from_millis(200);

/// The format of the stream.
const FORMAT: Format = Format {
    content_type: "text/event-stream",
    start: |scenario| Some(format!("retry: {}\n\n", scenario.retry.first(RETRY).as_millis()).into()),
    heartbeat: b": heartbeat\n\n",
    notice,
    mail: event,
};

fn serve(service: Service) -> Routes {
    Routes::new().route(PATH, get(stream).with_state(Streams::new(service, &FORMAT)))
}

async fn stream(
    State(streams): State<Streams>,
    Query(After { after }): Query<After>,
    request: HeaderMap,
) -> Response {
    // The last id that a reconnecting EventSource saw is newer than the cursor in its URL. It sends back any
    // id that it received (WHATWG HTML, section 9.2.4): one that is no cursor comes from none of our logs.
    let cursor = match request.get(LAST_EVENT_ID) {
        None => Some(after),
        Some(id) => id.to_str().ok().and_then(|id| id.parse().ok()),
    };
    let source = Source::of(&streams.service, cursor);
    streams.response(source)
}

fn request_fields(profile: &Headers, origin: &Origin) -> HeaderMap {
    let accept = (ACCEPT, HeaderValue::from_static("text/event-stream"));
    fields::request(profile, Purpose::EventSource, origin, [accept])
}

/// The id of a gap moves the client's cursor past the missing mail, that of a reset to the beginning of this
/// log. The epoch needs no event: every id contains it.
fn notice(notice: Notice, after: u64, epoch: Epoch) -> Option<Bytes> {
    let (number, data) = match notice {
        Notice::Gap(missed) => (after + missed, missed.to_string()),
        Notice::Reset(epoch) => (0, epoch.to_string()),
        Notice::Epoch(_) => return None,
    };
    let id = Cursor::of(number, epoch);
    Some(format!("event: {}\nid: {id}\ndata: {data}\n\n", notice.name()).into())
}

/// A mail's event, encoded once for all clients.
fn event(entry: &LogEntry, epoch: Epoch) -> Bytes {
    enum Event {}
    entry.form::<Event>(|entry| {
        let mut out = format!("id: {}\ndata: ", Cursor::of(entry.number, epoch)).into_bytes();
        out.extend_from_slice(&entry.mail.text());
        out.extend_from_slice(b"\n\n");
        out.into()
    })
}

async fn run(mut client: Client) -> anyhow::Result<()> {
    let messages = std::mem::take(&mut client.messages);
    let http = Http::new(&client, Delivery::Streamed)?;
    let (replies, queued) = tokio::sync::mpsc::unbounded_channel();
    tokio::try_join!(
        listen(&client, &http, replies),
        list::replies(&client, &http, queued),
        list::talk(&client, &http, messages)
    )?;
    Ok(())
}

/// Keeps an `EventSource` until the run is over, and starts a new one when it fails.
async fn listen(client: &Client, http: &Http, replies: list::ReplyQueue) -> anyhow::Result<()> {
    client.inbox.has_event_sources();
    let mut after = client.inbox.joined();
    loop {
        let source = EventSource::new(
            client,
            http,
            client.headers.target(PATH, after),
            request_fields(&client.headers, &client.origin),
            client.reconnect.first(RETRY),
        );
        match source.run(|message| take(client, &replies, &message)).await {
            Closed::Over => return Ok(()),
            Closed::Useless(why) => {
                client.inbox.event_source_ended(&why);
                return client.failed(why);
            }
            Closed::Failed(why) => {
                client.inbox.trouble(&why);
                if !client.wait_to_reconnect(RETRY).await {
                    return Ok(());
                }
                // A new one sends no Last-Event-ID, so its URL contains the cursor.
                client.inbox.event_source_restarted(&why);
                after = client.inbox.cursor();
            }
        }
    }
}

/// The application's event handlers: one for mail, one for each notice. Events without data and of other
/// types are ignored.
fn take(client: &Client, replies: &list::ReplyQueue, message: &Message) {
    if message.data.is_empty() {
        return;
    }
    let handled = match message.kind.as_str() {
        "message" => mail(client, replies, message),
        "gap" => noticed(client, &message.data, Notice::Gap).context("a gap is not a number"),
        "reset" => noticed(client, &message.data, Notice::Reset).context("a reset names no log"),
        _ => Ok(()),
    };
    // As in a browser, the stream goes on if a handler fails.
    if let Err(e) = handled {
        client.inbox.trouble(&e);
    }
}

fn mail(client: &Client, replies: &list::ReplyQueue, message: &Message) -> anyhow::Result<()> {
    let mail = Received::from_text(message.data.as_bytes()).context("an event is no mail")?;
    client.inbox.identified(&message.last_event_id);
    if client.inbox.deliver(&mail) {
        list::queue_replies(client, replies, &[mail.id]);
    }
    Ok(())
}

fn noticed<T: FromStr>(client: &Client, data: &str, made: fn(T) -> Notice) -> Result<(), T::Err> {
    client.inbox.take(made(data.trim().parse()?));
    Ok(())
}

fn lesson(outcome: &Outcome) -> String {
    let per_mail = outcome.bytes.down.framing as f64 / outcome.carried().max(1) as f64;
    let streams = outcome.requests.total.saturating_sub(list::posts(outcome));
    let requests = match streams {
        1 => t!("1 request"),
        streams => t!("%{n} requests", n = streams),
    };
    if streams > outcome.connections.peak {
        // The requests include the messages of a visit's clients, whose number is unknown.
        return t!(
            "%{requests} for %{mails} mails; on the stream each mail takes %{framing} bytes of framing.",
            requests = requests,
            mails = outcome.mails.delivered,
            framing = format!("{per_mail:.0}")
        );
    }
    let reply = match list::posts(outcome) {
        1.. => t!("; what the client had to say needed a request of its own each time"),
        0 => String::new(),
    };
    t!(
        "%{requests} brought %{mails} mails: headers were paid once, after that %{framing} bytes of framing per \
         mail%{reply}.",
        requests = requests,
        mails = outcome.mails.delivered,
        framing = format!("{per_mail:.0}"),
        reply = reply
    )
}

#[cfg(test)]
mod tests {
    use super::super::client::testing;
    use super::super::streaming;
    use super::*;

    fn message(kind: &str, data: &str) -> Message {
        Message {
            kind: kind.into(),
            data: data.into(),
            last_event_id: String::new(),
        }
    }

    #[test]
    fn a_profile_does_not_send_again_what_a_stream_has() {
        let captured = "GET / HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\nX-Accel-Buffering: yes\r\n\
                        Cache-Control: private\r\nContent-Type: text/html\r\nServer: x\r\n\r\n";
        let fields = streaming::response_fields(&Headers::parse(captured.as_bytes()).unwrap(), &FORMAT);
        let all = |name: &str| -> Vec<&str> {
            let values = fields.get_all(name).iter();
            values.map(|value| value.to_str().unwrap()).collect()
        };
        assert_eq!(all("x-accel-buffering"), ["no"]);
        assert_eq!(all("cache-control"), ["no-cache, no-transform"]);
        assert_eq!(
            (all("content-type"), all("server")),
            (vec!["text/event-stream"], vec!["x"])
        );
    }

    #[test]
    fn what_says_nothing_to_the_application_is_ignored() {
        let client = testing::client(Origin::plain("127.0.0.1:1"), 5);
        let (replies, _queued) = tokio::sync::mpsc::unbounded_channel();
        for (kind, data) in [
            ("news", "{\"id\":1}"),
            ("message", ""),
            ("gap", ""),
            ("Message", "x"),
        ] {
            take(&client, &replies, &message(kind, data));
        }
        assert_eq!((client.inbox.troubles(), client.inbox.cursor().number), (0, 0));
        take(&client, &replies, &message("gap", "2"));
        assert_eq!((client.inbox.troubles(), client.inbox.cursor().number), (0, 2));
        // A malformed event of a known type is recorded as trouble, and nothing more.
        take(&client, &replies, &message("message", "{}"));
        take(&client, &replies, &message("gap", "many"));
        assert_eq!((client.inbox.troubles(), client.inbox.cursor().number), (2, 2));
    }
}
