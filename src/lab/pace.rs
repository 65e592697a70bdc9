//! Ends connections to clients that read an answer too slowly: a client that takes a few bytes now and then
//! makes progress, and would hold the answer for ever.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::Instant;

use crate::tap::{self, Tap, Tapped};

/// How many bytes a client has to read in the time that a server waits for it. On a slow link,
/// `Link::patience` adds time for as many.
pub const LEAST: usize = 16 * 1024;

/// A stream whose writes fail if they have waited for `within` in total and fewer than [`LEAST`] bytes were
/// written in between.
pub type Paced<S> = Tapped<S, Pace>;

/// Measures how fast a client takes what is written.
#[derive(Debug)]
pub struct Pace {
    within: Duration,
    /// Since when the current write waits.
    since: Option<Instant>,
    /// How long writes have waited, and how many bytes were written, since the last check.
    waited: Duration,
    went: usize,
}

/// Watches how fast a stream's client takes what is written.
pub fn paced<S>(stream: S, within: Duration) -> Paced<S> {
    let tap = Pace {
        within,
        since: None,
        waited: Duration::ZERO,
        went: 0,
    };
    Tapped { stream, tap }
}

impl Pace {
    fn judge(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let Poll::Ready(Ok(bytes)) = written else {
            if written.is_pending() {
                self.since.get_or_insert_with(Instant::now);
            }
            return written;
        };
        self.went += bytes;
        self.waited += self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        if self.waited >= self.within {
            if self.went < LEAST {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            (self.waited, self.went) = (Duration::ZERO, 0);
        }
        written
    }
}

impl<S> Tap<S> for Pace {
    fn write(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>
    where
        S: AsyncWrite,
    {
        self.judge(tap::write(stream, cx, bufs))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const WITHIN: Duration = Duration::from_secs(30);

    /// Writes to a client that reads `each` bytes every five seconds; returns how long the writes
    /// succeeded, ten minutes at most, and the last result.
    async fn served(each: usize) -> (Duration, io::Result<()>) {
        let (server, mut client) = duplex(1_000);
        let begun = Instant::now();
        let reading = tokio::spawn(async move {
            let mut taken = vec![0; each];
            while client.read_exact(&mut taken).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        });
        let mut paced = paced(server, WITHIN);
        let mut written = Ok(());
        while written.is_ok() && begun.elapsed() < 20 * WITHIN {
            written = paced.write_all(&[0; 100_000]).await;
        }
        reading.abort();
        (begun.elapsed(), written)
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_too_slowly_is_cut_off_and_who_reads_steadily_is_not() {
        for each in [1, 100, 2_000] {
            let (time, written) = served(each).await;
            assert_eq!(written.unwrap_err().kind(), ErrorKind::TimedOut, "{each}");
            assert!(time < 3 * WITHIN, "{each}: {time:?}");
        }
        for each in [4_000, 20_000] {
            let (_, written) = served(each).await;
            assert!(written.is_ok(), "{each}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_with_little_to_say_is_not_slow() {
        let (server, mut client) = duplex(1_000);
        let mut paced = paced(server, WITHIN);
        for _ in 0..100 {
            paced.write_all(b"mail").await.unwrap();
            tokio::time::sleep(WITHIN).await;
            client.read_exact(&mut [0; 4]).await.unwrap();
        }
    }
}
