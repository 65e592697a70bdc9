//! The applications of SockJS sessions: mail, echo, and one that closes at once.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::super::list::Reply;
use super::super::service::{BATCH, Service};
use super::super::talk::ClientMessage;
use super::names::heard_cursor;
use super::server::GO_AWAY;
use super::session::{Closed, Session, line};
use crate::mail::{Batch, Cursor, LogEntry, NotOne, Position};

/// How long a client may take to send its cursor. A client that sends none gets all mail.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// The form of a mail as a SockJS frame of its own.
enum Framed {}

/// Delivers mail from the client's cursor on.
pub fn mail(service: Service, mut session: Session) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let patience = FIRST_WORD + service.scenario.link.patience();
        let log = service.mailbox.clone();
        let mut position = Position::of(Some(Cursor::default()), &log);
        match tokio::time::timeout(patience, session.recv()).await {
            Ok(None) => return,
            Ok(Some(text)) => {
                if hear(&service, &text, &mut position).is_err() {
                    return session.close(NO_CURSOR.0, NO_CURSOR.1);
                }
            }
            Err(_) => {}
        }
        let mut watch = service.mailbox.watch();
        if position.after() < log.newest() {
            session.catches_up();
        }
        loop {
            let batch = position.next(&log, BATCH);
            if send(&session, &batch).await.is_err() {
                return;
            }
            tokio::select! {
                biased;
                said = session.recv() => match said {
                    None => return,
                    Some(text) => {
                        if hear(&service, &text, &mut position).is_err() {
                            return session.close(NO_CURSOR.0, NO_CURSOR.1);
                        }
                    }
                },
                () = watch.beyond(position.after()) => {}
            }
        }
    })
}

/// How a session with an invalid cursor is closed: a code from the range for applications.
const NO_CURSOR: (u16, &str) = (4400, "not a cursor: allowed is after=N or after=N.EPOCH");

fn hear(service: &Service, text: &str, position: &mut Position) -> Result<(), NotOne> {
    if serde_json::from_str::<Reply>(text).is_ok() {
        service.replied();
    } else if let Ok(message) = serde_json::from_str::<ClientMessage>(text) {
        service.record_message(message);
    } else if let Some(cursor) = heard_cursor(text) {
        let asked = Position::of(Some(cursor?), &service.mailbox);
        // One that comes late, as from a tab that waits for a connection, must not bring the same mail again.
        if asked.is_reset() || asked.after() >= position.after() {
            *position = asked;
        }
    }
    Ok(())
}

async fn send(session: &Session, batch: &Batch) -> Result<(), Closed> {
    for notice in &batch.notices {
        session.send(notice.json().into()).await?;
    }
    for entry in &batch.mails {
        session.send_as(|framed| form(entry, framed)).await?;
    }
    Ok(())
}

fn form(entry: &LogEntry, framed: bool) -> Bytes {
    if framed {
        entry.form::<Framed>(|p| line(&p.mail.text()))
    } else {
        entry.text()
    }
}

/// Sends every message back.
pub fn echo(_service: Service, mut session: Session) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        while let Some(message) = session.recv_any().await {
            if session.send_any(message).await.is_err() {
                return;
            }
        }
    })
}

/// Ends the session as soon as it has begun.
pub fn close(_service: Service, session: Session) -> BoxFuture<'static, ()> {
    Box::pin(async move { session.close(GO_AWAY.0, GO_AWAY.1) })
}
