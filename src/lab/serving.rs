//! Serves HTTP on a connection, in the version that its client begins with.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_io_timeout::TimeoutWriter;
use tower::ServiceExt;

use super::http1::{About, Common, serve_http1};
use super::opening::{self, Opened};
use super::pace::Paced;
use super::streams::{Held, Streams};
use super::trailers::trailers;
use crate::link::Connection;
use crate::technique::Attached;

/// The most bytes that wait to be sent in one HTTP/2 stream: with hyper's limit of 400 kB, they could be 80
/// MB in one connection.
const SEND_BUFFER: usize = 64 * 1024;

/// How long a client that never sent a request may take to close its connection.
const FAREWELL: Duration = Duration::from_secs(1);

/// The most requests that one HTTP/2 connection may have open; RFC 9113, section 6.5.2, recommends 100 at least.
const MAX_STREAMS: u32 = 200;

/// A connection whose client may neither stop reading nor read too slowly.
pub(super) type Guarded = Pin<Box<TimeoutWriter<Paced<Connection>>>>;

/// Serves HTTP on one connection until it ends, in the version that the client begins with.
pub(super) async fn serve_http(
    opened: Pin<Box<impl Future<Output = Option<Guarded>>>>,
    about: About,
    common: Arc<Common>,
) {
    let Some(stream) = opened.await else {
        return;
    };
    // A client that sends nothing, or not enough, is not waited for.
    let look = Box::pin(opening::look(stream, common.limits.head_timeout));
    let Ok((is_http2, stream)) = look.await else {
        return;
    };
    if is_http2 {
        // In a box: a task is as large as the largest future it may wait for.
        Box::pin(serve_http2(stream, common)).await;
    } else {
        serve_http1(stream, about, common).await;
    }
}

/// Ends the connection when it has had no request for as long as an HTTP/1 connection may be idle.
async fn serve_http2(stream: Opened<Guarded>, common: Arc<Common>) {
    let Common {
        router,
        connects,
        limits,
        shutdown,
    } = &*common;
    let streams = Streams::default();
    let counted = streams.clone();
    let router = router.clone();
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        let open = counted.open();
        Attached::to(request.extensions_mut(), open.clone());
        let answer = router.clone().oneshot(request);
        async move {
            answer.await.map(|mut response| {
                if response.status() == StatusCode::NO_CONTENT {
                    // RFC 9110, section 8.6, forbids it; over HTTP/1 hyper removes it.
                    response.headers_mut().remove(CONTENT_LENGTH);
                }
                response.map(|body| Held::new(body, open))
            })
        }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    if *connects {
        builder.enable_connect_protocol();
    }
    let connection = builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(limits.head_bytes as u32)
        .max_send_buf_size(SEND_BUFFER)
        .serve_connection(TokioIo::new(trailers(stream)), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
        // The client may read its socket, but it does not take the answers.
        () = streams.stalled_for(limits.stall) => return,
        () = streams.idle_for(limits.head_timeout) => {
            connection.as_mut().graceful_shutdown();
            // Bytes on their way wait for the client's window, which may never open. A preface alone is
            // half a request, and gets less time.
            let farewell = if streams.none_yet() { FAREWELL.min(limits.stall) } else { limits.stall };
            let _ = tokio::time::timeout(farewell, connection).await;
            return;
        }
    }
    let _ = connection.await;
}
