//! The baseline: the same mail on a bare TCP connection, each prefixed with its length. No technique can cost
//! less, so every other figure can be read as a multiple of this one.
//!
//! ```text
//! client                              server
//!   | cursor (8 bytes)                  |
//!   |---------------------------------->|
//!   |            length (4) {"id":1,…}  |  <- mail 1 arrives
//!   |<----------------------------------|
//!   | length (4) {"read":1}             |
//!   |---------------------------------->|
//! ```
//!
//! An attachment follows its mail as a separate message of raw bytes.

use anyhow::Context;
use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use super::blocked;
use super::client::Client;
use super::contract::{self, Demand, Serve, Technique};
use super::list::{self, Reply};
use super::sequence::Step;
use super::service::{BATCH, MAX_BODY, Service};
use super::stream::Stream;
use super::talk::{ClientMessage, MessageQueue};
use crate::lang::{t, text};
use crate::mail::{LogEntry, Notice, Received};
use crate::outcome::{BASELINE, EventKind, Outcome};
use crate::theory::{Delivery, Liveness};
use crate::wire::GAP;

/// Not in the registry: `--baseline` adds it to a table.
pub const TECHNIQUE: Technique = Technique {
    name: BASELINE,
    title: text!("Bare TCP"),
    about: text!("Bare TCP, each mail behind its length: the least anything can cost"),
    merit: "",
    sequence: &[
        Step::Up("SYN"),
        Step::Mail,
        Step::Down(text!("mail")),
        Step::Mail,
        Step::Down(text!("mail")),
    ],
    examples: "",
    scheme: |_| BASELINE,
    demand: Demand::Port,
    holds: true,
    streams: true,
    usual: true,
    layered: None,
    held_back: contract::never,
    cannot: blocked::raw,
    flags: &[],
    answers: None,
    serve: Serve::Raw(|service, stream| Box::pin(serve(service, stream))),
    client: |client| Box::pin(run(client)),
    formula: |scenario, _| contract::pushed(scenario),
    delivers: |_| Delivery::Duplex,
    liveness: Liveness::Written(None),
    lesson,
};

async fn serve(service: Service, stream: Stream) {
    // The ledger records how a connection ended; an error here is caused by the client.
    let _ = session(&service, stream).await;
}

/// The form of a mail that [`message`] makes.
enum Prefixed {}

async fn session(service: &Service, stream: Stream) -> std::io::Result<()> {
    let (mut from, mut to) = tokio::io::split(stream);
    let mut cursor = from.read_u64().await?;
    let (log, generation) = (&service.mailbox, service.mailbox.generation());
    if cursor > log.newest() && !log.is_shared() {
        // The cursor has no epoch: server and clients belong to one run.
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut watch = service.mailbox.watch();
    let mut share = service.share();
    let replies = hear(service, from);
    tokio::pin!(replies);
    loop {
        let read = service.mailbox.read(cursor, BATCH);
        if read.generation != generation {
            // This protocol has no reset.
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        if !read.mails.is_empty() {
            let mut out = BytesMut::new();
            if read.gap > 0 {
                out.put_u32(GAP);
                out.put_u64(read.gap);
            }
            for entry in &read.mails {
                out.put_slice(&entry.form::<Prefixed>(message));
                cursor = entry.number;
            }
            share.hold(read.mails.iter().map(|entry| entry.mail.text_len()));
            to.write_all(&out).await?;
            share.set(0, 0);
            continue;
        }
        tokio::select! {
            biased;
            () = service.shutdown.cancelled() => break,
            heard = &mut replies => return heard,
            () = watch.beyond(cursor) => {}
        }
    }
    to.shutdown().await?;
    replies.await
}

/// Counts replies until the client sends no more.
async fn hear(service: &Service, from: impl AsyncRead + Unpin) -> std::io::Result<()> {
    let mut from = BufReader::with_capacity(512, from);
    let mut text = Vec::new();
    while let Ok(length) = from.read_u32().await {
        if length as usize > MAX_BODY {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        text.resize(length as usize, 0);
        from.read_exact(&mut text).await?;
        if serde_json::from_slice::<Reply>(&text).is_ok() {
            service.replied();
        } else if let Ok(message) = serde_json::from_slice::<ClientMessage>(&text) {
            service.record_message(message);
        }
    }
    Ok(())
}

fn message(entry: &LogEntry) -> Bytes {
    let mail = &entry.mail;
    let mut out = BytesMut::with_capacity(8 + mail.json.len() + mail.attachment.len());
    for part in [&mail.json, &mail.attachment]
        .into_iter()
        .filter(|p| !p.is_empty())
    {
        out.put_u32(part.len() as u32);
        out.put_slice(part);
    }
    out.freeze()
}

async fn run(mut client: Client) -> anyhow::Result<()> {
    let mut messages = std::mem::take(&mut client.messages);
    loop {
        if let Err(e) = follow(&client, &mut messages).await {
            client.inbox.trouble(&e);
        }
        client.inbox.happened(EventKind::Closed);
        if !client.wait_to_reconnect(list::RETRY).await {
            return Ok(());
        }
    }
}

async fn follow(client: &Client, messages: &mut MessageQueue) -> anyhow::Result<()> {
    let mut stream = client.dial().await?;
    stream.write_u64(client.inbox.cursor().number).await?;
    client.opened();
    let (from, mut to) = tokio::io::split(stream);
    let mut from = BufReader::new(from);
    loop {
        tokio::select! {
            biased;
            () = client.should_close() => break,
            // Only waits for data, so cancellation loses nothing.
            ready = from.fill_buf() => { ready?; }
            message = messages.next_if_any() => {
                send(&mut to, &message.json()).await?;
                continue;
            }
        }
        let length = from.read_u32().await?;
        if length == GAP {
            client.inbox.take(Notice::Gap(from.read_u64().await?));
            continue;
        }
        let mail = receive(client, &mut from, length).await?;
        if client.inbox.deliver(&mail) && client.scenario.reply {
            send(&mut to, &Reply::json(mail.id)).await?;
        }
    }
    Ok(to.shutdown().await?)
}

async fn send(to: &mut (impl AsyncWrite + Unpin), json: &str) -> std::io::Result<()> {
    let mut out = BytesMut::with_capacity(4 + json.len());
    out.put_u32(json.len() as u32);
    out.put_slice(json.as_bytes());
    to.write_all(&out).await
}

async fn receive(
    client: &Client,
    from: &mut (impl AsyncRead + Unpin),
    length: u32,
) -> anyhow::Result<Received> {
    let json = message_of(from, length).await?;
    let mail = Received::from_text(&json).context("the message is not a mail")?;
    if client.scenario.attach == 0 {
        return Ok(mail);
    }
    let length = from.read_u32().await?;
    Ok(Received {
        attachment: message_of(from, length).await?,
        ..mail
    })
}

async fn message_of(from: &mut (impl AsyncRead + Unpin), length: u32) -> std::io::Result<Vec<u8>> {
    let mut message = Vec::new();
    from.take(length.into()).read_to_end(&mut message).await?;
    if message.len() < length as usize {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(message)
}

fn lesson(outcome: &Outcome) -> String {
    t!(
        "%{mails} mails, 4 bytes of length before each message and 8 of cursor before the first: what is above \
         this, in any other row, is the price of that technique.",
        mails = outcome.mails.delivered
    )
}
