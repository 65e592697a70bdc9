//! The server's Socket.IO application: mail as events in the namespace `/`, and with `--echo` the events that
//! conformance suites expect, there and in `/custom`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engineioxide::handler::EngineIoHandler;
use engineioxide::service::EngineIoService;
use engineioxide::{DisconnectReason, Socket, Str};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use serde_json::value::RawValue;
use socketioxide::ack::AckStream;
use socketioxide::extract::{AckSender, HttpExtension, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::{SendError, SocketError, SocketIo};

use super::super::list::Reply;
use super::super::routes::Routes;
use super::super::service::{BATCH, FIRST_BATCH, Service};
use super::super::talk::ClientMessage;
use super::arguments::{Argument, Arguments};
use super::engine::{self, Engine, Flow};
use super::front::Front;
use super::names::{ENGINE, PATH, ROOM};
use super::routes;
use crate::mail::{Cursor, LogEntry, NotOne, Position};
use crate::outcome::Frames;

/// How long the server waits for an event's acknowledgement.
const ACKNOWLEDGING: Duration = Duration::from_secs(600);

/// The most acknowledgements that one client may owe; further events ask for none.
const MAX_UNACKNOWLEDGED: usize = 1_024;

/// The routes: Socket.IO at [`PATH`], and with `--echo` plain Engine.IO at [`ENGINE`].
pub fn serve(service: Service) -> Routes {
    let routes = routes::routes(PATH, Front::new(socket_io(&service), true, service.clone()));
    if !service.tuning.echo {
        return routes;
    }
    let config = engine::config(ENGINE, service.tuning.max_payload());
    let echo = EngineIoService::with_config(Arc::new(Echo), config);
    let front = Front::new(Engine::new(ENGINE, echo), false, service);
    routes.merge(routes::routes(ENGINE, front))
}

fn socket_io(service: &Service) -> Engine {
    let config = engine::config(PATH, service.tuning.max_payload());
    let interval = service.tuning.ping_interval;
    let interval = interval.unwrap_or_else(|| service.scenario.heartbeat());
    let (library, io) = SocketIo::builder()
        .req_path(PATH)
        .ping_interval(config.ping_interval)
        .ping_timeout(config.ping_timeout)
        .max_payload(config.max_payload)
        .max_buffer_size(config.max_buffer_size)
        .ack_timeout(ACKNOWLEDGING)
        // A client that asks for no namespace gets three times as long as one that answers no ping.
        .connect_timeout(3 * (interval + service.tuning.ping_timeout))
        .build_svc();
    let (echo, mail) = (service.tuning.echo, service.clone());
    let main = async move |io: SocketIo,
                           socket: SocketRef,
                           HttpExtension(flow): HttpExtension<Arc<Flow>>,
                           TryData(auth): TryData<Argument>| {
        let auth = auth.unwrap_or_default();
        if echo {
            echo_back(&socket, &auth);
        }
        // An invalid cursor was refused before.
        let cursor = cursor(&auth).and_then(Result::ok);
        // A conformance suite that wants echoes wants no mail.
        if cursor.is_some() || !echo {
            let position = Position::of(Some(cursor.unwrap_or_default()), &mail.mailbox);
            let limit = match position.after() < mail.mailbox.newest() {
                true => FIRST_BATCH,
                false => usize::MAX,
            };
            let task = MailTask {
                position,
                limit,
                service: mail,
                socket,
                flow,
                budget: 0,
                unacknowledged: 0,
                acks: FuturesUnordered::new(),
            };
            task.run(io).await;
        }
    };
    let check =
        async move |TryData(auth): TryData<Argument>| cursor(&auth.unwrap_or_default()).transpose().map(drop);
    io.ns("/", main.with(check));
    if echo {
        let custom = async |socket: SocketRef, TryData(auth): TryData<Argument>| {
            echo_back(&socket, &auth.unwrap_or_default());
        };
        io.ns("/custom", custom);
    }
    Engine::new(PATH, library)
}

/// The client's cursor, if it sends one: `{"at":"7.k3f9"}`, or `{"after":7}`.
fn cursor(auth: &Argument) -> Option<Result<Cursor, NotOne>> {
    match auth.at("at").or(auth.at("after"))? {
        Argument::Text(cursor) => Some(cursor.parse()),
        Argument::Unsigned(number) => Some(number.to_string().parse()),
        other => Some(format!("{other:?}").parse()),
    }
}

/// Answers the events of conformance suites. A client that reads nothing is disconnected.
fn echo_back(socket: &SocketRef, auth: &Argument) {
    let full = |sent: Result<(), SendError>, socket: SocketRef| {
        if sent.is_err() {
            // It fails if the client is gone already.
            let _ = socket.disconnect();
        }
    };
    full(socket.emit("auth", auth), socket.clone());
    socket.on(
        "message",
        async move |socket: SocketRef, TryData(said): TryData<Arguments>| {
            if let Ok(said) = said {
                full(socket.emit("message-back", &said), socket);
            }
        },
    );
    socket.on(
        "message-with-ack",
        async |TryData(said): TryData<Arguments>, ack: AckSender| {
            if let Ok(said) = said {
                // It fails only if nobody waits for it any more.
                let _ = ack.send(&said);
            }
        },
    );
}

/// Plain Engine.IO that sends each message back.
#[derive(Debug)]
struct Echo;

impl EngineIoHandler for Echo {
    type Data = ();

    fn on_connect(self: Arc<Self>, _: Arc<Socket<()>>) {}

    fn on_disconnect(&self, _: Arc<Socket<()>>, _: DisconnectReason) {}

    fn on_message(self: &Arc<Self>, said: Str, socket: Arc<Socket<()>>) {
        if socket.emit(said).is_err() {
            socket.close(DisconnectReason::TransportError);
        }
    }

    fn on_binary(self: &Arc<Self>, said: Bytes, socket: Arc<Socket<()>>) {
        if socket.emit_binary(said).is_err() {
            socket.close(DisconnectReason::TransportError);
        }
    }
}

/// Delivers mail to one client.
struct MailTask {
    service: Service,
    socket: SocketRef,
    flow: Arc<Flow>,
    position: Position,
    /// Bytes given to the session since its queue was last empty.
    budget: usize,
    /// The most bytes in the queue, while the client catches up.
    limit: usize,
    /// The number of missing acknowledgements.
    unacknowledged: usize,
    acks: FuturesUnordered<AckStream<Reply>>,
}

/// The client is gone.
struct Gone;

impl MailTask {
    async fn run(mut self, io: SocketIo) {
        let gone = self.flow.fill();
        let left = gone.clone();
        self.socket.on_disconnect(async move || left.cancel());
        self.socket.join(ROOM);
        self.listen();
        let shutdown = self.service.shutdown.clone();
        tokio::select! {
            biased;
            () = gone.cancelled() => {}
            // The first task to see the shutdown disconnects the whole room.
            () = shutdown.cancelled() => drop(io.within(ROOM).disconnect().await),
            // It ends only when the client is gone.
            _ = self.deliver() => {}
        }
    }

    /// Handles the events of the client's application.
    fn listen(&self) {
        let service = self.service.clone();
        self.socket
            .on("read", async move |TryData(reply): TryData<Reply>| {
                if reply.is_ok() {
                    service.replied();
                }
            });
        let service = self.service.clone();
        self.socket
            .on("say", async move |TryData(message): TryData<ClientMessage>| {
                if let Ok(message) = message {
                    service.record_message(message);
                }
            });
    }

    async fn deliver(&mut self) -> Result<(), Gone> {
        let mut watch = self.service.mailbox.watch();
        loop {
            let batch = self.position.next(&self.service.mailbox, BATCH);
            for notice in &batch.notices {
                self.emit(0, |socket| socket.emit(notice.name(), notice)).await?;
            }
            for entry in &batch.mails {
                self.send(entry).await?;
            }
            tokio::select! {
                biased;
                Some(read) = self.acks.next() => self.acknowledged(read.is_ok()),
                () = watch.beyond(self.position.after()) => {}
            }
        }
    }

    fn acknowledged(&mut self, read: bool) {
        if read {
            self.unacknowledged -= 1;
            self.service.replied();
        }
    }

    async fn send(&mut self, entry: &LogEntry) -> Result<(), Gone> {
        let binary = self.service.scenario.frames == Frames::Binary;
        let attachment = Some(&entry.mail.attachment).filter(|a| binary && !a.is_empty());
        let text = match attachment {
            Some(_) => entry.mail.json.clone(),
            None => entry.text(),
        };
        // A mail's text is JSON already.
        let Ok(mail) = serde_json::from_slice::<&RawValue>(&text) else {
            return Ok(());
        };
        let asks = self.service.scenario.reply && self.unacknowledged < MAX_UNACKNOWLEDGED;
        let ask = |socket: &SocketRef| match (attachment, asks) {
            (None, false) => socket.emit("mail", mail).map(|()| None),
            (None, true) => socket.emit_with_ack("mail", mail).map(Some),
            (Some(bytes), false) => socket.emit("mail", &(mail, bytes)).map(|()| None),
            (Some(bytes), true) => socket.emit_with_ack("mail", &(mail, bytes)).map(Some),
        };
        let length = text.len() + attachment.map_or(0, Bytes::len);
        if let Some(ack) = self.emit(length, ask).await? {
            self.unacknowledged += 1;
            self.acks.push(ack);
        }
        Ok(())
    }

    /// Gives the session an event of `length` bytes when it has room: a client that reads nothing costs no
    /// more memory than one poll can carry.
    async fn emit<T>(
        &mut self,
        length: usize,
        emit: impl Fn(&SocketRef) -> Result<T, SendError>,
    ) -> Result<T, Gone> {
        loop {
            let limit = self.service.tuning.max_payload().min(self.limit);
            if self.budget == 0 {
                // A signal from before concerns earlier events, so it is discarded.
                let _ = self.flow.room().now_or_never();
            }
            let fits = self.budget == 0 || self.budget + length <= limit;
            match if fits { emit(&self.socket) } else { Err(FULL) } {
                Ok(emitted) => {
                    self.budget += length;
                    return Ok(emitted);
                }
                Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                    self.flow.room().await;
                    self.budget = 0;
                    self.limit = self.limit.saturating_mul(2);
                }
                Err(_) => return Err(Gone),
            }
        }
    }
}

const FULL: SendError = SendError::Socket(SocketError::InternalChannelFull);
