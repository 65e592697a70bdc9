//! A proxy that collects an answer, and passes it on whenever its buffer is full: nginx's `proxy_buffering`.
//!
//! nginx puts an answer's head into the first buffer, so less of the body fits into that one. It takes apart what comes
//! in chunks (HTTP/1.1) and passes each chunk on at once; only an answer without chunks fills its buffers. This is what
//! nginx 1.22 does, and `tests/servers/proxy.rs` compares.

use axum::body::Body;
use bytes::{Buf, Bytes, BytesMut};
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Frame;

use super::passing::{Passing, body};
use crate::outcome::ProxySettings;

/// An answer that is collected.
struct Collected {
    from: Body,
    kept: BytesMut,
    /// How many bytes make the next piece.
    room: usize,
    is_over: bool,
}

/// Collects an answer, if this proxy does it and the answer does not keep it from that.
pub fn apply(passing: &Passing, response: Response<Body>) -> Response<Body> {
    let settings: &ProxySettings = &passing.settings;
    let is_passed = settings.obeys_hint && passing.hinted || passing.in_chunks && !settings.buffers_chunks;
    let Some(size) = settings.buffer_bytes.filter(|_| !is_passed) else {
        return response;
    };
    let room = size.saturating_sub(passing.head_bytes).max(1);
    response.map(|from| {
        let collected = Collected {
            from,
            kept: BytesMut::new(),
            room,
            is_over: false,
        };
        body(collected, move |mut collected| async move {
            while collected.kept.len() < collected.room && !collected.is_over {
                match collected.from.frame().await.transpose()?.map(Frame::into_data) {
                    Some(Ok(data)) => collected.kept.extend_from_slice(&data),
                    // Trailers are the last frame; nginx drops them, too.
                    Some(Err(_)) | None => collected.is_over = true,
                }
            }
            let n = collected.room.min(collected.kept.len());
            let piece: Bytes = collected.kept.copy_to_bytes(n);
            collected.room = size;
            Ok((n > 0).then(|| (Frame::data(piece), collected)))
        })
    })
}
