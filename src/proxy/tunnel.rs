//! What an upgrade opens: bytes go both ways, and the proxy no longer looks at them. It may cut a tunnel after a while,
//! or one that is silent.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::counts::Counts;
use crate::outcome::ProxySettings;

/// The most bytes that are moved at once.
const PIECE: usize = 16 * 1024;

/// Moves bytes both ways until both sides have ended, one fails, or the proxy cuts it.
pub async fn tunnel(
    client: impl AsyncRead + AsyncWrite,
    server: impl AsyncRead + AsyncWrite,
    settings: &ProxySettings,
    counts: Arc<Counts>,
) {
    let last = Mutex::new(Instant::now());
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = tokio::io::split(server);
    let both = async {
        tokio::try_join!(
            carry(from_client, to_server, &last),
            carry(from_server, to_client, &last)
        )
    };
    let too_long = async {
        match settings.longest_tunnel() {
            Some(longest) => tokio::time::sleep(longest).await,
            None => std::future::pending().await,
        }
    };
    let idle = async {
        let Some(idle) = settings.idle() else {
            return std::future::pending().await;
        };
        loop {
            let end = *last.lock() + idle;
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    };
    tokio::select! {
        biased;
        _ = both => {}
        () = too_long => counts.too_long.add(1),
        () = idle => counts.idle.add(1),
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    last: &Mutex<Instant>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let n = from.read(&mut piece).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        *last.lock() = Instant::now();
        to.write_all(&piece[..n]).await?;
        to.flush().await?;
    }
}
