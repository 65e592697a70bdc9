//! Lines of JSON on one response: "give me what is after N and whatever comes after it", read with `fetch` as
//! a stream. Services that answer a prompt word by word do the same (ndjson-spec 1.0; WHATWG Fetch, section
//! 2.2.4, on reading a body while it arrives).
//!
//! ```text
//! client                                  server
//!   | GET /ndjson?after=0.                  |
//!   |-------------------------------------->|
//!   |   200, application/x-ndjson, chunked  |
//!   |   {"epoch":"k3f9"}                    |  the log's name, for a client that does not know it
//!   |<--------------------------------------|
//!   |   {"id":1,…}                          |  <- mail 1 arrives
//!   |<--------------------------------------|
//!   |   (an empty line)                     |  <- after a silence
//!   |<--------------------------------------|
//!   x  connection lost                      x
//!   | GET /ndjson?after=1.k3f9              |  the client itself remembers, waits, and asks again
//!   |-------------------------------------->|
//! ```
//!
//! Compared with server-sent events a mail takes fewer bytes (no `id:` and `data:`), and any program that
//! reads lines can be the client. The application has to do what `EventSource` does by itself: reconnect, and
//! send its cursor.

use std::io;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap};
use http_body_util::BodyExt;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::io::StreamReader;

use super::client::Client;
use super::contract::{self, Demand, Serve, Technique};
use super::headers::Purpose;
use super::http::{Http, Request};
use super::limit::{MAX_MESSAGE, TooLarge};
use super::list::{self, After};
use super::routes::Routes;
use super::sequence::Step;
use super::service::Service;
use super::source::Source;
use super::streaming::{Format, SHORT_CHUNK, Streams};
use super::{blocked, fields, flags};
use crate::clock;
use crate::lang::{t, text};
use crate::mail::{Epoch, LogEntry};
use crate::outcome::{EventKind, Outcome};
use crate::theory::{Delivery, Liveness};
use crate::wire::{Answer, is_media_type};

/// The registry's entry.
pub const TECHNIQUE: Technique = Technique {
    name: "ndjson",
    title: text!("Fetch streaming"),
    about: text!("Ask once: one response that never ends, every mail a line of JSON, read with fetch"),
    merit: text!(
        "Plain HTTP that any program reads line by line; after a cut the application itself has to ask again."
    ),
    sequence: &[
        Step::Up("GET"),
        Step::Mail,
        Step::Down("{…}\\n"),
        Step::Mail,
        Step::Down("{…}\\n"),
    ],
    examples: "Examples:\n  mailcall ndjson --timeline\n  mailcall compare sse ndjson\n  \
             mailcall ndjson --heartbeat 200ms",
    scheme: contract::http_scheme,
    demand: Demand::Stream,
    holds: true,
    streams: true,
    usual: false,
    layered: None,
    held_back: blocked::streaming,
    cannot: contract::anywhere,
    flags: &[&flags::HEARTBEAT, &flags::CLOSER, &flags::BLOCK],
    answers: Some((PATH, Answer::Lines)),
    serve: Serve::Http(serve),
    client: |client| Box::pin(run(client)),
    formula: |scenario, _| contract::pushed(scenario).filter(|_| !blocked::streaming(scenario)),
    delivers: |_| Delivery::Streamed,
    liveness: Liveness::Written(Some(FORMAT.heartbeat.len() + SHORT_CHUNK)),
    lesson,
};

const PATH: &str = "/ndjson";

const MEDIA_TYPE: &str = "application/x-ndjson";

/// About how long the client waits before it asks again. No server sets it, unlike `retry` in an event stream.
const RETRY: Duration = Duration::from_millis(200);

/// The format of the stream.
const FORMAT: Format = Format {
    content_type: MEDIA_TYPE,
    start: |_| None,
    heartbeat: b"\n",
    notice: |notice, _, _| Some(format!("{}\n", notice.json()).into()),
    mail: line,
};

fn serve(service: Service) -> Routes {
    Routes::new().route(PATH, get(stream).with_state(Streams::new(service, &FORMAT)))
}

async fn stream(State(streams): State<Streams>, Query(After { after }): Query<After>) -> Response {
    let source = Source::log(&streams.service, Some(after));
    streams.response(source)
}

/// A mail's line, encoded once for all clients.
fn line(entry: &LogEntry, _: Epoch) -> Bytes {
    enum Line {}
    entry.form::<Line>(|entry| [&entry.mail.text()[..], b"\n"].concat().into())
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

/// Keeps a stream open until the run is over, and asks for another when one has ended.
async fn listen(client: &Client, http: &Http, replies: list::ReplyQueue) -> anyhow::Result<()> {
    loop {
        let ended = tokio::select! {
            biased;
            () = client.should_close() => Ok(()),
            ended = follow(client, http, &replies) => ended,
        };
        client.inbox.happened(EventKind::Closed);
        if let Err(e) = ended {
            client.failed(e)?;
        }
        if client.inbox.complete() {
            // All mail has arrived: another stream would only wait for the end of the run.
            client.stop.cancelled().await;
            return Ok(());
        }
        if !client.wait_to_reconnect(RETRY).await {
            return Ok(());
        }
    }
}

/// One stream, from its request to its end.
async fn follow(client: &Client, http: &Http, replies: &list::ReplyQueue) -> anyhow::Result<()> {
    let asked = clock::now();
    let target = client.headers.target(PATH, client.inbox.cursor());
    let fields = fields::request(&client.headers, Purpose::Fetch, &client.origin, []);
    let response = http.send(client, Request::get(target, fields)).await;
    let failed = |_: &anyhow::Error| client.inbox.happened(EventKind::Failed);
    let response = response.inspect_err(failed)?;
    acceptable(response.status(), response.headers()).inspect_err(failed)?;
    client.inbox.asked(asked, true);
    client.opened();
    let body = response.into_body().into_data_stream().map_err(io::Error::other);
    let codec = LinesCodec::new_with_max_length(MAX_MESSAGE);
    let mut lines = FramedRead::new(StreamReader::new(body), codec);
    while let Some(line) = lines.next().await {
        let line = line.map_err(|e| match e {
            LinesCodecError::MaxLineLengthExceeded => anyhow::Error::from(TooLarge("a line")),
            LinesCodecError::Io(e) => anyhow::Error::from(e).context("the stream broke"),
        })?;
        // A line that the application cannot read does not end the stream.
        if let Err(e) = take(client, replies, &line) {
            client.inbox.trouble(&e);
        }
    }
    Ok(())
}

/// Checks that an answer is a stream of lines that can be read.
fn acceptable(status: StatusCode, answered: &HeaderMap) -> anyhow::Result<()> {
    if status != StatusCode::OK {
        bail!("{PATH} answered {status}");
    }
    match answered.get(CONTENT_TYPE) {
        Some(kind) if is_media_type(kind, MEDIA_TYPE) => fields::uncompressed(PATH, answered),
        Some(kind) => bail!("{PATH} answered with Content-Type {kind:?}, not {MEDIA_TYPE}"),
        None => bail!("{PATH} answered without Content-Type, not with {MEDIA_TYPE}"),
    }
}

/// Takes a line: a mail, a notice about the log, or an empty line as heartbeat.
fn take(client: &Client, replies: &list::ReplyQueue, line: &str) -> anyhow::Result<()> {
    if line.trim().is_empty() {
        return Ok(());
    }
    let new = client.inbox.take_text(line.as_bytes());
    list::queue_replies(client, replies, new.context("a line is no mail")?.as_slice());
    Ok(())
}

fn lesson(outcome: &Outcome) -> String {
    let per_mail = outcome.bytes.down.framing as f64 / outcome.carried().max(1) as f64;
    let streams = outcome.requests.total.saturating_sub(list::posts(outcome));
    let requests = match streams {
        1 => t!("1 request"),
        streams => t!("%{n} requests", n = streams),
    };
    t!(
        "%{requests} brought %{mails} mails, each a line of JSON with %{framing} bytes of framing: fewer than an \
         event has, but reconnecting is left to the application.",
        requests = requests,
        mails = outcome.mails.delivered,
        framing = format!("{per_mail:.0}")
    )
}

#[cfg(test)]
mod tests {
    use super::super::client::testing;
    use super::super::origin::Origin;
    use super::*;

    #[test]
    fn a_line_is_a_mail_a_notice_or_nothing() {
        let client = testing::client(Origin::plain("127.0.0.1:1"), 5);
        let (replies, _queued) = tokio::sync::mpsc::unbounded_channel();
        for nothing in ["", "\r", "  "] {
            take(&client, &replies, nothing).unwrap();
        }
        assert_eq!(client.inbox.cursor().number, 0);
        take(&client, &replies, r#"{"gap":2}"#).unwrap();
        assert_eq!(client.inbox.cursor().number, 2);
        for wrong in ["{", r#"{"gap":"#, "[]", r#"{"gap":-1}"#, "text"] {
            assert!(take(&client, &replies, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_lines_of_json_are_acceptable() {
        let answered = |kind: &[&'static str]| -> HeaderMap {
            kind.iter()
                .map(|kind| (CONTENT_TYPE, kind.parse().unwrap()))
                .collect()
        };
        for kind in ["application/x-ndjson", "Application/X-NDJSON; charset=utf-8"] {
            acceptable(StatusCode::OK, &answered(&[kind])).unwrap();
        }
        for (status, kinds) in [
            (StatusCode::OK, &["text/html"][..]),
            (StatusCode::OK, &[]),
            (StatusCode::NOT_FOUND, &["application/x-ndjson"]),
            (StatusCode::NO_CONTENT, &["application/x-ndjson"]),
        ] {
            assert!(
                acceptable(status, &answered(kinds)).is_err(),
                "{status} {kinds:?}"
            );
        }
    }
}
