//! What carries STOMP: a WebSocket, or a session of SockJS.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::sockjs::{self};
use super::super::ws;
use super::fault::Fault;
use super::session::Outgoing;

/// What carries the frames of a session.
pub trait Channel: Sized {
    /// Whether it carries bytes that are not text.
    const BINARY: bool;

    /// Whether [`Channel::hear`] waits on the very same things each time.
    const STEADY: bool;

    /// What the client says next, perhaps nothing; `None` when it has left. Cancelled, it loses nothing.
    async fn hear(&mut self) -> Result<Option<Bytes>, Error>;

    /// Waits until there is room for something to write. Cancelled, it loses nothing.
    async fn room(&mut self) -> Result<(), End>;

    /// Takes something to write, for which there was room.
    fn put(&mut self, outgoing: Outgoing) -> Result<(), End>;

    /// Writes what was taken. Cancelled, it loses nothing.
    async fn flush(&mut self) -> Result<(), End>;

    /// Ends it; `error` goes before.
    async fn end(self, end: End, error: Option<Outgoing>);
}

/// How a session ends.
#[derive(Debug)]
pub enum End {
    /// The client left.
    Left,
    /// It said that it will.
    Leaving,
    /// It is gone, or was not heard for too long.
    Gone,
    /// What carries the frames was broken.
    Broken(Error),
    /// The session was.
    Fault(Fault),
    /// The server ends.
    Shutdown,
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        End::Broken(error)
    }
}

/// A WebSocket that carries a session.
pub struct Socket {
    pub socket: ws::Socket,
    pub closing: Duration,
}

impl Channel for Socket {
    const BINARY: bool = true;
    const STEADY: bool = true;

    async fn hear(&mut self) -> Result<Option<Bytes>, Error> {
        Ok(match self.socket.next().await.transpose()? {
            Some(Message::Text(text)) => Some(text.into()),
            Some(Message::Binary(bytes)) => Some(bytes),
            Some(Message::Close(_)) | None => None,
            // tungstenite answers a ping itself.
            Some(_) => Some(Bytes::new()),
        })
    }

    async fn room(&mut self) -> Result<(), End> {
        Ok(poll_fn(|cx| self.socket.poll_ready_unpin(cx)).await?)
    }

    fn put(&mut self, outgoing: Outgoing) -> Result<(), End> {
        let (bytes, is_text) = outgoing.into_bytes();
        let data = if is_text { Data::Text } else { Data::Binary };
        let frame = Frame::message(bytes, OpCode::Data(data), true);
        Ok(self.socket.start_send_unpin(Message::Frame(frame))?)
    }

    async fn flush(&mut self) -> Result<(), End> {
        Ok(self.socket.flush().await?)
    }

    async fn end(mut self, end: End, error: Option<Outgoing>) {
        if let Some(error) = error
            && (self.room().await.is_err() || self.put(error).is_err())
        {
            return;
        }
        let told = match end {
            End::Gone => false,
            End::Left => self.socket.flush().await.is_ok(),
            End::Broken(e) => ws::fail(&mut self.socket, &e).await,
            End::Leaving => self.wait().await || self.close(CloseCode::Normal).await,
            End::Shutdown => self.close(CloseCode::Away).await,
            End::Fault(Fault { is_limit: true, .. }) => self.close(CloseCode::Size).await,
            End::Fault(_) => self.close(CloseCode::Protocol).await,
        };
        if told {
            let _ = tokio::time::timeout(self.closing, ws::drain(&mut self.socket)).await;
        }
    }
}

impl Socket {
    /// Starts the closing handshake and waits for its other half.
    async fn close(&mut self, code: CloseCode) -> bool {
        self.socket.send(ws::close_frame(code)).await.is_ok() && {
            self.wait().await;
            true
        }
    }

    /// Waits for the client to close; what it says before is not heard any more.
    async fn wait(&mut self) -> bool {
        let closed = async { while let Some(Ok(_)) = self.socket.next().await {} };
        tokio::time::timeout(self.closing, closed).await.is_ok()
    }
}

/// A SockJS session that carries one of STOMP.
pub struct OverSockJs {
    pub session: sockjs::Session,
    pub closing: Duration,
}

impl Channel for OverSockJs {
    const BINARY: bool = false;
    const STEADY: bool = false;

    async fn hear(&mut self) -> Result<Option<Bytes>, Error> {
        Ok(self.session.recv().await.map(Bytes::from))
    }

    async fn room(&mut self) -> Result<(), End> {
        self.session.room().await;
        Ok(())
    }

    fn put(&mut self, outgoing: Outgoing) -> Result<(), End> {
        let (bytes, is_text) = outgoing.into_bytes();
        if !is_text {
            return Err(End::Fault(Fault::not_text()));
        }
        self.session.put(bytes).map_err(|_| End::Gone)
    }

    async fn flush(&mut self) -> Result<(), End> {
        Ok(())
    }

    async fn end(mut self, end: End, error: Option<Outgoing>) {
        if let Some(error) = error {
            let _ = self.room().await;
            let _ = self.put(error);
        }
        match end {
            End::Leaving => {
                let left = async { while self.session.recv().await.is_some() {} };
                let _ = tokio::time::timeout(self.closing, left).await;
            }
            End::Fault(Fault { is_limit: true, .. }) => self.session.close(1009, "too much"),
            End::Fault(_) => self.session.close(1002, "protocol error"),
            End::Gone => self.session.close(1002, "no heart-beat"),
            End::Left | End::Broken(_) | End::Shutdown => {}
        }
    }
}
