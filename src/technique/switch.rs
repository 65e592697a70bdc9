//! A connection that goes on in another protocol after its answer: 101 on HTTP/1.1 (RFC 9110, section 7.8), an extended
//! CONNECT on HTTP/2 (RFC 8441).

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Extensions, Method};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio_io_timeout::TimeoutWriter;

use super::service::Service;
use super::stream::Stream;
use super::ws::UNANSWERED;

type Speak = Box<dyn FnOnce(Stream) -> BoxFuture<'static, ()> + Send>;

/// What is attached to a request until its answer, and what follows from it, has ended.
#[derive(Clone)]
pub struct Attached(Vec<Arc<dyn Send + Sync>>);

impl Attached {
    /// Attaches something more.
    pub fn to(request: &mut Extensions, what: Arc<dyn Send + Sync>) {
        let all = request.get_or_insert_with(|| Attached(Vec::with_capacity(1)));
        all.0.push(what);
    }
}

/// The protocol to speak after an answer on HTTP/1: the server starts it when it has sent the answer.
#[derive(Clone)]
pub struct Switch(Arc<Mutex<Option<Speak>>>);

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Switch")
    }
}

impl Switch {
    /// Speaks on the connection.
    pub fn speak(self, stream: Stream) -> Option<BoxFuture<'static, ()>> {
        let speak = self.0.lock().take()?;
        Some(speak(stream))
    }
}

/// Limits how long a stream of an HTTP/2 connection waits for the client's window (RFC 9113, section 5.2): no
/// longer than for the answer to a ping.
fn impatient(io: TokioIo<Upgraded>, service: &Service) -> Pin<Box<TimeoutWriter<TokioIo<Upgraded>>>> {
    let scenario = &service.scenario;
    let mut io = TimeoutWriter::new(io);
    io.set_timeout(Some(scenario.heartbeat() * UNANSWERED + scenario.link.patience()));
    Box::pin(io)
}

/// Has `speak` run on the connection of a request, after this answer to it.
pub fn switch<F>(
    service: &Service,
    request: &mut Request,
    answer: &mut Response,
    speak: impl FnOnce(Stream) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let upgraded = (request.method() == Method::CONNECT).then(|| hyper::upgrade::on(&mut *request));
    // What the server attached to the request must live as long as the connection.
    let attached = request.extensions_mut().remove::<Attached>();
    // Not an async block: that would have room for two of these futures.
    let speak = move |io| speak(io).map(move |()| drop(attached));
    match upgraded {
        Some(upgraded) => {
            let service = service.clone();
            tokio::spawn(async move {
                // It fails only if the client left during the handshake.
                if let Ok(upgraded) = upgraded.await {
                    speak(Box::new(impatient(TokioIo::new(upgraded), &service))).await;
                }
            });
        }
        None => {
            let speak: Speak = Box::new(|io| Box::pin(speak(io)));
            answer
                .extensions_mut()
                .insert(Switch(Arc::new(Mutex::new(Some(speak)))));
        }
    }
}
