//! The client half: subscribes to every topic, receives mail, replies, and disconnects. Or it publishes.

use std::time::Duration;

use anyhow::{Context, bail};

use super::super::client::Client;
use super::super::list;
use super::super::publish::Outbox;
use super::super::talk::MessageQueue;
use super::super::{sockjs, ws};
use super::agreed::{PATH, SOCKJS_PATH, frames_of};
use super::connection::{Connection, is_farewell, why};
use super::frames;
use crate::mail::{Notice, Received};
use crate::outcome::{EventKind, Over};
use crate::wire::stomp::{Command, Frame, RESET};

/// How long a client waits for the opening.
const OPENING: Duration = Duration::from_secs(10);

/// The client half: stays connected until the run is over.
pub async fn run(mut client: Client) -> anyhow::Result<()> {
    let mut messages = std::mem::take(&mut client.messages);
    let mut outbox = client.outbox.take();
    loop {
        let opened = tokio::select! {
            biased;
            () = client.stop.cancelled() => return Ok(()),
            opened = tokio::time::timeout(OPENING + client.scenario.link.patience(), connect(&client)) => opened,
        };
        match opened.context("the server did not let us in").flatten() {
            Ok(connection) => {
                client.opened();
                let ended = match &mut outbox {
                    Some(outbox) => publish(&client, connection, outbox).await,
                    None => subscribe(&client, connection, &mut messages).await,
                };
                if let Err(e) = ended {
                    client.failed(e)?;
                }
                client.inbox.happened(EventKind::Closed);
            }
            Err(e) => client.refused(e)?,
        }
        if !client.wait_to_reconnect(list::RETRY).await {
            return Ok(());
        }
    }
}

async fn connect(client: &Client) -> anyhow::Result<Connection> {
    let carrier = match client.scenario.over {
        Over::Ws => {
            let opening = ws::Opening {
                target: PATH,
                subprotocols: frames::SUBPROTOCOLS,
            };
            ws::open(client, &opening).await?.into()
        }
        Over::Sockjs => sockjs::connect(client, SOCKJS_PATH).await?.into(),
    };
    let connect = Connection::greeting(client.origin.host(), client.scenario.heartbeat());
    Connection::open(carrier, &connect, client.scenario.link.patience()).await
}

/// Runs a subscriber from CONNECTED to the end. Messages on a connection that breaks may be lost.
async fn subscribe(
    client: &Client,
    mut connection: Connection,
    messages: &mut MessageQueue,
) -> anyhow::Result<()> {
    // All in one message: if the broker sent mail between the subscriptions, mail of different topics would
    // arrive out of order.
    let after = client.inbox.cursor();
    let topics = client.scenario.topics.iter().enumerate();
    let all: Vec<Frame> = topics
        .map(|(i, name)| frames::subscribe(i, name, after))
        .collect();
    connection.send_all(&all).await?;
    loop {
        tokio::select! {
            biased;
            () = client.should_close() => return leave(client, connection).await,
            heard = connection.next() => match heard? {
                None => return Ok(()),
                Some(frame) => take(client, &mut connection, &frame).await?,
            },
            message = messages.next_if_any() => connection.send(&frames::say(message)).await?,
        }
    }
}

/// Sends each mail when it is due, to its topic.
async fn publish(client: &Client, mut connection: Connection, outbox: &mut Outbox) -> anyhow::Result<()> {
    outbox.mark_open();
    loop {
        tokio::select! {
            biased;
            () = client.should_close() => return leave(client, connection).await,
            heard = connection.next() => match heard? {
                None => return Ok(()),
                Some(frame) => check(&frame)?,
            },
            (number, mail) = outbox.next() => {
                let topics = &client.scenario.topics;
                let topic = &topics[((number - 1) % topics.len() as u64) as usize];
                connection.send(&frames::send_mail(topic, &mail, frames_of(&client.scenario))).await?;
            }
        }
    }
}

fn check(frame: &Frame) -> anyhow::Result<()> {
    match frame.command {
        Command::Error => bail!("the server said ERROR: {}", why(frame)),
        _ => Ok(()),
    }
}

async fn take(client: &Client, connection: &mut Connection, frame: &Frame) -> anyhow::Result<()> {
    match hear(client, connection, frame).await? {
        Some(id) if client.scenario.reply => connection.send(&frames::reply(id)).await,
        _ => Ok(()),
    }
}

/// Handles a frame, or closes because of it; returns the number of a mail that is new.
async fn hear(client: &Client, connection: &mut Connection, frame: &Frame) -> anyhow::Result<Option<u64>> {
    check(frame)?;
    match receive(client, frame) {
        Ok(id) => Ok(id),
        Err(e) => Err(connection.refuse(e.context(ws::NO_MAIL)).await),
    }
}

/// Handles a frame; returns the number of a mail that is new.
fn receive(client: &Client, frame: &Frame) -> anyhow::Result<Option<u64>> {
    if frame.command != Command::Message {
        return Ok(None);
    }
    if let Some(epoch) = frame.header(RESET) {
        client.inbox.take(Notice::Reset(epoch.parse()?));
        return Ok(None);
    }
    client
        .inbox
        .identified(frame.header("message-id").unwrap_or_default());
    let mail = match frames::is_binary(frame) {
        true => Received::from_binary(&frame.body)?,
        false => match serde_json::from_slice(&frame.body) {
            Ok(notice) => {
                client.inbox.take(notice);
                return Ok(None);
            }
            Err(_) => Received::from_text(&frame.body)?,
        },
    };
    Ok(client.inbox.deliver(&mail).then_some(mail.id))
}

/// Sends DISCONNECT, waits for its receipt, and closes.
async fn leave(client: &Client, mut connection: Connection) -> anyhow::Result<()> {
    let goodbye = async {
        connection.say_goodbye().await?;
        while let Some(frame) = connection.next().await? {
            if is_farewell(&frame) {
                break;
            }
            hear(client, &mut connection, &frame).await?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(ws::CLOSING + client.scenario.link.patience(), goodbye)
        .await
        .context("DISCONNECT has no receipt")??;
    connection.close().await
}
