//! A proxy that compresses (RFC 1952) and does not flush its compressor: an event waits in there until enough has come
//! after it. With zlib that is some 16,000 symbols, which is hundreds of events.
//!
//! A proxy must not do it to an answer with `Cache-Control: no-transform` (RFC 9111, section 5.2.2.6). nginx does it all
//! the same if its `gzip_types` name the answer's type, and so does this one.

use axum::body::Body;
use bytes::{Buf, Bytes, BytesMut};
use flate2::{Compress, Compression, FlushCompress};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Frame;

use super::passing::{Passing, body, cut};

/// nginx's `gzip_comp_level`.
const LEVEL: u32 = 1;

/// The largest window, as a power of 2: nginx's for an answer of unknown length.
const WINDOW: u8 = 15;

/// What a compressor may write at once.
const OUTPUT: usize = 4_096;

struct Compressed {
    from: Body,
    compressor: Compress,
    ready: BytesMut,
    is_over: bool,
}

/// Compresses an answer, if this proxy does it and the client accepts that.
pub fn apply(passing: &Passing, mut response: Response<Body>) -> Response<Body> {
    let is_coded = response.headers().contains_key(CONTENT_ENCODING);
    let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
    if passing.settings.compress.is_none() || !passing.accepts_gzip || is_coded || is_part {
        return response;
    }
    let piece = passing.settings.buffer_bytes.unwrap_or(1);
    response.headers_mut().remove(CONTENT_LENGTH);
    response
        .headers_mut()
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.map(|from| {
        let compressed = Compressed {
            from,
            compressor: Compress::new_gzip(Compression::new(LEVEL), WINDOW),
            ready: BytesMut::new(),
            is_over: false,
        };
        body(compressed, move |mut c| async move {
            while c.ready.len() < piece && !c.is_over {
                match c.from.frame().await.transpose()?.map(Frame::into_data) {
                    Some(Ok(data)) => c.compress(&data, FlushCompress::None)?,
                    Some(Err(_)) | None => {
                        c.is_over = true;
                        c.compress(&[], FlushCompress::Finish)?;
                    }
                }
            }
            // Whole pieces, and at the end what is left.
            let n = if c.is_over {
                c.ready.len()
            } else {
                c.ready.len() - c.ready.len() % piece
            };
            let piece: Bytes = c.ready.copy_to_bytes(n);
            Ok((n > 0).then(|| (Frame::data(piece), c)))
        })
    })
}

impl Compressed {
    /// Compresses bytes, or with none of them ends the stream.
    fn compress(&mut self, mut data: &[u8], flush: FlushCompress) -> Result<(), axum::Error> {
        let mut output = [0; OUTPUT];
        loop {
            let (read, wrote) = (self.compressor.total_in(), self.compressor.total_out());
            self.compressor
                .compress(data, &mut output, flush)
                .map_err(|_| cut("the compressor failed"))?;
            let read = (self.compressor.total_in() - read) as usize;
            let wrote = (self.compressor.total_out() - wrote) as usize;
            data = &data[read..];
            self.ready.extend_from_slice(&output[..wrote]);
            if data.is_empty() && wrote < OUTPUT {
                return Ok(());
            }
        }
    }
}
