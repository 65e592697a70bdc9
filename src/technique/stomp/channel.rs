//! The transport of STOMP: a WebSocket, or a SockJS session.

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

/// The transport of a session's frames.
pub trait Channel: Sized {
    /// Whether it can carry bytes that are not UTF-8.
    const BINARY: bool;

    /// Whether [`Channel::hear`] waits on exactly the same things each time.
    const STEADY: bool;

    /// The client's next bytes, possibly none; `None` when it has left. Cancellation loses nothing.
    async fn hear(&mut self) -> Result<Option<Bytes>, Error>;

    /// Waits until there is room to write. Cancellation loses nothing.
    async fn room(&mut self) -> Result<(), End>;

    /// Queues something to write, after `room` has returned.
    fn put(&mut self, outgoing: Outgoing) -> Result<(), End>;

    /// Writes what was queued. Cancellation loses nothing.
    async fn flush(&mut self) -> Result<(), End>;

    /// Ends the session, after sending `error` if there is one.
    async fn end(self, end: End, error: Option<Outgoing>);
}

/// How a session ends.
#[derive(Debug)]
pub enum End {
    /// The client left.
    Left,
    /// The client has sent DISCONNECT.
    Leaving,
    /// The client is gone, or was silent for too long.
    Gone,
    /// The transport failed.
    Broken(Error),
    /// The client broke STOMP's rules.
    Fault(Fault),
    /// The server stops.
    Shutdown,
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        End::Broken(error)
    }
}

/// A WebSocket as transport.
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
    /// Starts the closing handshake and waits for the client's close frame.
    async fn close(&mut self, code: CloseCode) -> bool {
        self.socket.send(ws::close_frame(code)).await.is_ok() && {
            self.wait().await;
            true
        }
    }

    /// Waits until the client closes; what it sends before is ignored.
    async fn wait(&mut self) -> bool {
        let closed = async { while let Some(Ok(_)) = self.socket.next().await {} };
        tokio::time::timeout(self.closing, closed).await.is_ok()
    }
}

/// A SockJS session as transport.
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
