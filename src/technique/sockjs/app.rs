//! What the sessions are for: mail, or whatever comes, sent back.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::super::list::{Gap, Reply};
use super::super::service::{BATCH, Service};
use super::super::talk::Said;
use super::After;
use super::server::GO_AWAY;
use super::session::{Closed, Session, line};
use crate::mail::{Batch, Posted};

/// How long a client may take to say what it has seen. One that says nothing has seen nothing.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// The form of a mail that is a frame which brings it alone.
enum Framed {}

/// Mail, from the client's cursor on.
pub fn mail(service: Service, mut session: Session) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let patience = FIRST_WORD + service.scenario.link.patience();
        let mut cursor = 0;
        match tokio::time::timeout(patience, session.recv()).await {
            Ok(None) => return,
            Ok(Some(text)) => hear(&service, &text, &mut cursor),
            Err(_) => {}
        }
        let mut watch = service.mailbox.watch();
        loop {
            let batch = service.mailbox.read(cursor, BATCH);
            if send(&session, &batch, &mut cursor).await.is_err() {
                return;
            }
            tokio::select! {
                () = watch.beyond(cursor) => {}
                said = session.recv() => match said {
                    None => return,
                    Some(text) => hear(&service, &text, &mut cursor),
                },
            }
        }
    })
}

fn hear(service: &Service, text: &str, cursor: &mut u64) {
    if serde_json::from_str::<Reply>(text).is_ok() {
        service.replied();
    } else if let Ok(said) = serde_json::from_str::<Said>(text) {
        service.told(said);
    } else if let Ok(After { after }) = serde_json::from_str(text) {
        *cursor = after;
    }
}

async fn send(session: &Session, batch: &Batch, cursor: &mut u64) -> Result<(), Closed> {
    if batch.gap > 0 {
        session.send(Gap::json(batch.gap).into()).await?;
        *cursor += batch.gap;
    }
    for posted in &batch.mails {
        session.send_as(|framed| form(posted, framed)).await?;
        *cursor = posted.number;
    }
    Ok(())
}

fn form(posted: &Posted, framed: bool) -> Bytes {
    if framed {
        posted.form::<Framed>(|p| line(&p.mail.text()))
    } else {
        posted.text()
    }
}

/// Sends back what comes.
pub fn echo(_service: Service, mut session: Session) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        while let Some(text) = session.recv().await {
            if session.send(text.into()).await.is_err() {
                return;
            }
        }
    })
}

/// Ends the session as soon as it has begun.
pub fn close(_service: Service, session: Session) -> BoxFuture<'static, ()> {
    Box::pin(async move { session.close(GO_AWAY.0, GO_AWAY.1) })
}
