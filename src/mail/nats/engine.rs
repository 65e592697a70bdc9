//! The connection to a NATS server, and the stream there.

use std::future::ready;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_nats::jetstream::stream::{self, Info, LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use percent_encoding::percent_decode_str;
use tokio::sync::watch;

use super::place::Place;
use crate::lang::t;
use crate::mail::Epoch;
use crate::outcome::Scenario;

/// How long the server may take to answer a request, or to acknowledge a mail.
const ANSWER: Duration = Duration::from_secs(5);

/// How long a connection may take to open.
const CONNECTING: Duration = Duration::from_secs(5);

/// How often an idle connection is checked. After three checks without an answer it is given up.
const PING: Duration = Duration::from_secs(2);

/// The shortest and the longest time between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// Bytes that a mail's message needs in addition to the mail: its headers.
const HEADERS: usize = 16 * 1024;

/// Whether there is a connection, and how often one was made again.
#[derive(Clone, Copy, Debug)]
struct Link {
    up: bool,
    again: u64,
}

/// A connection to a NATS server, which connects again by itself, and the stream there.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) place: Place,
    pub(super) client: Client,
    pub(super) jetstream: Context,
    link: watch::Receiver<Link>,
    keep: usize,
    keep_bytes: u64,
}

impl Engine {
    /// Connects to the server.
    ///
    /// # Errors
    /// If it does not answer, refuses the password, or cannot take mail as long as the scenario's.
    pub(super) async fn connect(place: &Place, scenario: &Scenario) -> anyhow::Result<Engine> {
        let (sender, link) = watch::channel(Link { up: true, again: 0 });
        let client = options(place)?
            .event_callback(move |event| {
                sender.send_if_modified(|link| follow(link, &event));
                ready(())
            })
            .connect(&place.url)
            .await
            .with_context(|| t!("no connection to the log at %{place}", place = place.shown))?;
        let longest = client.max_payload();
        let needed = scenario.size + scenario.attach + HEADERS;
        if needed > longest {
            bail!(t!(
                "the NATS server takes messages of at most %{longest} bytes (its max_payload); a mail with its attachment needs %{needed}",
                longest = longest,
                needed = needed
            ));
        }
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(ANSWER);
        Ok(Engine {
            place: place.clone(),
            client,
            jetstream,
            link,
            keep: scenario.keep,
            keep_bytes: scenario.keep_bytes,
        })
    }

    /// The stream and its state; it is made if there is none.
    ///
    /// # Errors
    /// If the server does not answer, has no JetStream, or has a stream of this name with other settings.
    pub(super) async fn stream(&self) -> anyhow::Result<(Stream, Info)> {
        let settings = self.settings();
        let stream = self.jetstream.get_or_create_stream(&settings).await;
        let stream = stream.with_context(|| t!("no stream for the log at %{place}", place = self.place))?;
        let info = stream.cached_info().clone();
        self.check(&info.config, &settings)?;
        Ok((stream, info))
    }

    fn settings(&self) -> stream::Config {
        stream::Config {
            name: self.place.stream.clone(),
            subjects: vec![format!("{}.>", self.place.stream)],
            max_messages: i64::try_from(self.keep.max(1)).unwrap_or(i64::MAX),
            max_bytes: i64::try_from(self.keep_bytes).unwrap_or(i64::MAX),
            discard: stream::DiscardPolicy::Old,
            retention: stream::RetentionPolicy::Limits,
            storage: stream::StorageType::File,
            duplicate_window: DUPLICATES,
            ..stream::Config::default()
        }
    }

    /// Two servers with different limits would change the stream in turn, so a stream with other limits is refused.
    fn check(&self, is: &stream::Config, wanted: &stream::Config) -> anyhow::Result<()> {
        let limits = |config: &stream::Config| (config.max_messages, config.max_bytes);
        if limits(is) != limits(wanted) {
            bail!(t!(
                "the stream at %{place} keeps %{mails} mails in %{bytes} bytes: give --keep %{mails} --keep-bytes %{bytes}, or another name of a stream",
                place = self.place,
                mails = is.max_messages,
                bytes = is.max_bytes
            ));
        }
        if is.discard != wanted.discard || is.retention != wanted.retention || is.subjects != wanted.subjects
        {
            bail!(t!(
                "the stream at %{place} was not made for a mailbox: give another name of a stream",
                place = self.place
            ));
        }
        Ok(())
    }

    /// The epoch of the stream, the same for everybody who reads it.
    pub(super) fn epoch(&self, info: &Info) -> Epoch {
        let created = info.created.unix_timestamp_nanos();
        Epoch::of_text(&format!("{} {created}", self.place.stream))
    }

    /// The number of the last mail that a window does not have when it begins with this stream.
    pub(super) fn before(&self, info: &Info) -> u64 {
        let (first, last) = (info.state.first_sequence, info.state.last_sequence);
        let kept = last.saturating_sub(self.keep.max(1) as u64);
        kept.max(first.saturating_sub(1))
    }

    /// The `Nats-Msg-Id` of the newest message of a subject; `None` if there is none.
    pub(super) async fn last_id(&self, subject: &str) -> anyhow::Result<Option<String>> {
        let (stream, _) = self.stream().await?;
        match stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => {
                let id = message.headers.get(async_nats::header::NATS_MESSAGE_ID);
                Ok(id.map(|id| id.as_str().to_owned()))
            }
            Err(e) if e.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Whether there is a connection.
    pub(super) fn is_connected(&self) -> bool {
        self.link.borrow().up
    }

    /// How often it was connected again.
    pub(super) fn connections(&self) -> u64 {
        self.link.borrow().again
    }

    /// Ends when it was connected again since `before`.
    pub(super) async fn connected_since(&self, before: u64) {
        // The client lives as long as this, and the client has the sender.
        let _ = self.link.clone().wait_for(|link| link.again > before).await;
    }

    /// Waits for a connection, and after failed attempts a little longer: for a server that answers and refuses there
    /// is no other sign that it will not.
    pub(super) async fn pause(&self, failed: u32) {
        let _ = self.link.clone().wait_for(|link| link.up).await;
        if failed > 0 {
            tokio::time::sleep(between(failed)).await;
        }
    }
}

/// How long the server remembers a message's id. It has no other use than in the moments after a lost acknowledgement:
/// the schedule's mail is looked up in the stream itself, however long it was cut off.
const DUPLICATES: Duration = Duration::from_secs(120);

fn between(failed: u32) -> Duration {
    let [least, most] = PAUSES;
    least.saturating_mul(1 << failed.min(10)).min(most)
}

fn follow(link: &mut Link, event: &Event) -> bool {
    match event {
        Event::Connected if !link.up => {
            *link = Link {
                up: true,
                again: link.again + 1,
            };
        }
        Event::Disconnected | Event::Closed if link.up => link.up = false,
        _ => return false,
    }
    true
}

fn options(place: &Place) -> anyhow::Result<ConnectOptions> {
    let options = ConnectOptions::new()
        .name("mailcall")
        .connection_timeout(CONNECTING)
        .request_timeout(Some(ANSWER))
        .ping_interval(PING)
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| between(u32::try_from(attempts).unwrap_or(u32::MAX)));
    // The client does not read them from the address.
    let address: ServerAddr = place.url.parse().context("not an address of a NATS server")?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Ok(match (address.username(), address.password()) {
        (None, _) => options,
        (Some(token), None) => options.token(decoded(token)),
        (Some(user), Some(password)) => options.user_and_password(decoded(user), decoded(password)),
    })
}
