//! Opens and ends the sessions of an Engine.IO server, checks the packets of their clients, and passes these
//! packets to the library. Both transports use it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::super::service::Service;
use super::engine::{Engine, Flow};
use super::names::LEAVING;
use super::session::{Broken, Over, Session};
use crate::wire::engineio::{Open, Packet, SEPARATOR};
use crate::wire::socketio;

/// The most sessions besides those of the expected clients. A session whose client disappears is pinged once
/// before it is removed.
const MORE_SESSIONS: usize = 20_000;

/// Keeps the sessions of clients, and passes their packets to those of the library.
#[derive(Debug)]
pub struct Front {
    /// The library that keeps the sessions.
    pub engine: Engine,
    /// Whether messages are Socket.IO packets.
    pub socket_io: bool,
    /// The service that it belongs to.
    pub service: Service,
    /// The most sessions at the same time.
    pub max_sessions: usize,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
}

impl Front {
    /// A front for `engine`.
    pub fn new(engine: Engine, socket_io: bool, service: Service) -> Front {
        Front {
            engine,
            socket_io,
            max_sessions: service.scenario.clients + MORE_SESSIONS,
            service,
            sessions: Mutex::default(),
        }
    }

    fn ping_interval(&self) -> Duration {
        let tuned = self.service.tuning.ping_interval;
        tuned.unwrap_or_else(|| self.service.scenario.heartbeat())
    }

    /// The session with this id, if it is open.
    pub fn session(&self, sid: &str) -> Option<Arc<Session>> {
        self.sessions.lock().get(sid).cloned()
    }

    /// Opens a session, if there is room; also returns the open packet for its client.
    pub async fn open(self: &Arc<Self>, upgrades: &[&str]) -> Option<(Arc<Session>, String)> {
        if self.sessions.lock().len() >= self.max_sessions {
            return None;
        }
        let flow = Arc::new(Flow::default());
        let (uri, sid) = self.engine.open(flow.clone()).await?;
        let open = Open {
            sid: sid.clone(),
            upgrades: upgrades.iter().map(|u| u.to_string()).collect(),
            ping_interval: self.ping_interval().as_millis() as u64,
            ping_timeout: self.service.tuning.ping_timeout.as_millis() as u64,
            max_payload: self.service.tuning.max_payload() as u64,
        };
        let session = Arc::new(Session::new(sid.clone(), uri, flow));
        self.sessions.lock().insert(sid, session.clone());
        tokio::spawn(watch(self.clone(), session.clone()));
        let json = serde_json::to_string(&open).ok()?;
        Some((session, Packet::Open(&json).text()))
    }

    /// Ends a session, in the library too.
    pub fn close(self: &Arc<Self>, session: &Session, over: Over) {
        if !session.end(over) {
            return;
        }
        self.sessions.lock().remove(&session.sid);
        let (front, uri) = (self.clone(), session.uri.clone());
        tokio::spawn(async move {
            let goodbye = Packet::Close.text();
            front.engine.give(&uri, goodbye.into()).await;
        });
    }

    /// Checks a client's packet against the protocol; returns whether it is the last one.
    ///
    /// # Errors
    /// If the client may not send this packet, or not at this time.
    pub fn admit(&self, session: &Session, packet: &Packet) -> Result<bool, Broken> {
        match packet {
            Packet::Close => return Ok(true),
            Packet::Pong(_) => session.ponged(),
            Packet::Message(text) if self.socket_io => session.admit(text)?,
            Packet::Binary(_) if self.socket_io => session.admit_attachment()?,
            Packet::Message(_) | Packet::Binary(_) | Packet::Upgrade | Packet::Noop => {}
            // Only servers send ping and open.
            Packet::Ping(_) | Packet::Open(_) => return Err(Broken),
        }
        Ok(false)
    }

    /// Appends a client's packet to `ours`, if it is for the library.
    pub fn pass_on(&self, packet: &Packet, ours: &mut String) {
        if !matches!(packet, Packet::Message(_) | Packet::Binary(_)) {
            return;
        }
        if !ours.is_empty() {
            ours.push(SEPARATOR);
        }
        match packet {
            Packet::Message(text) if self.socket_io => {
                Packet::Message(&socketio::with_plain_name(text)).write(ours);
            }
            packet => packet.write(ours),
        }
    }
}

/// Pings until the client stops answering, the session ends, or the server stops.
async fn watch(front: Arc<Front>, session: Arc<Session>) {
    let beating = session.beat(front.ping_interval(), front.service.tuning.ping_timeout);
    let over = tokio::select! {
        biased;
        () = session.ended.cancelled() => return,
        () = front.service.shutdown.cancelled() => {
            if front.socket_io {
                // Its namespaces are disconnected first.
                let leaving = LEAVING + front.service.scenario.link.patience();
                let _ = tokio::time::timeout(leaving, session.ended.cancelled()).await;
            }
            Over::Closed
        }
        () = beating => Over::Lost,
    };
    front.close(&session, over);
}

/// Splits the library's answer into packets.
pub fn records(packets: &[u8]) -> impl Iterator<Item = &[u8]> {
    packets.split(|b| *b == SEPARATOR as u8).filter(|p| !p.is_empty())
}

/// Whether a packet is for the client. The library's pings and noops are not.
pub fn is_for_client(packet: &[u8]) -> bool {
    !matches!(packet.first(), Some(b'2' | b'6'))
}
