//! Decodes an answer that something on the way has compressed with gzip (RFC 1952), piece by piece.

use bytes::{Bytes, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};
use futures_util::stream::try_unfold;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt;

/// What gzip may write at once.
const OUTPUT: usize = 16 * 1024;

/// The largest window, as a power of 2 (RFC 1950, section 2.2).
const WINDOW: u8 = 15;

/// The answer with its body decoded, if that is in gzip.
pub fn decoded(mut answer: http::Response<reqwest::Body>) -> http::Response<reqwest::Body> {
    let coding = answer.headers().get(CONTENT_ENCODING);
    if !coding.is_some_and(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"gzip")) {
        return answer;
    }
    answer.headers_mut().remove(CONTENT_ENCODING);
    answer.headers_mut().remove(CONTENT_LENGTH);
    answer.map(|body| {
        let state = (body, Decompress::new_gzip(WINDOW));
        reqwest::Body::wrap_stream(try_unfold(state, |(mut body, mut gzip)| async move {
            while let Some(frame) = body.frame().await.transpose()? {
                if let Ok(data) = frame.into_data() {
                    let piece = decode(&mut gzip, &data)?;
                    if !piece.is_empty() {
                        return Ok(Some((piece, (body, gzip))));
                    }
                }
            }
            anyhow::Ok(None)
        }))
    })
}

fn decode(gzip: &mut Decompress, mut data: &[u8]) -> anyhow::Result<Bytes> {
    let (mut decoded, mut output) = (BytesMut::new(), vec![0; OUTPUT]);
    loop {
        let (read, wrote) = (gzip.total_in(), gzip.total_out());
        let status = gzip.decompress(data, &mut output, FlushDecompress::None)?;
        data = &data[(gzip.total_in() - read) as usize..];
        let wrote = (gzip.total_out() - wrote) as usize;
        decoded.extend_from_slice(&output[..wrote]);
        if status == Status::StreamEnd || data.is_empty() && wrote < OUTPUT || status == Status::BufError {
            return Ok(decoded.freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};
    use http::HeaderValue;

    use super::*;

    #[tokio::test]
    async fn a_body_is_decoded_wherever_it_is_cut() {
        let text = "id: 1\ndata: mail\n\n".repeat(3_000);
        let (mut coded, mut gzip) = (vec![0; 1 << 16], Compress::new_gzip(Compression::fast(), WINDOW));
        gzip.compress(text.as_bytes(), &mut coded, FlushCompress::Finish)
            .unwrap();
        coded.truncate(gzip.total_out() as usize);
        for size in [1, 7, coded.len()] {
            let pieces: Vec<_> = coded
                .chunks(size)
                .map(|c| anyhow::Ok(Bytes::copy_from_slice(c)))
                .collect();
            let mut answer =
                http::Response::new(reqwest::Body::wrap_stream(futures_util::stream::iter(pieces)));
            answer
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            let answer = decoded(answer);
            assert!(answer.headers().is_empty());
            let whole = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(whole == text.as_bytes(), "in pieces of {size}");
        }
        // What is no gzip is an error, not an endless wait.
        let mut answer = http::Response::new(reqwest::Body::from("mail"));
        answer
            .headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static("GZIP"));
        assert!(decoded(answer).into_body().collect().await.is_err());
    }
}
