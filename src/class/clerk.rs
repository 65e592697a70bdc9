//! Notes when mail arrives, and how many requests there are.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::room::Room;
use crate::lab::role::Role;
use crate::lang::phrase;

/// How often requests are counted.
const TICK: Duration = Duration::from_millis(250);

/// How long a class that others can reach waits for its first student before the board says what may be wrong.
const LONELY: Duration = Duration::from_secs(60);

/// Starts the clerk of a room; `reachable` says that students can come from other machines, and so many of them are
/// `robots`.
///
/// # Errors
/// If its thread cannot be started.
pub fn start(
    room: Arc<Room>,
    reachable: bool,
    robots: u32,
    stop: CancellationToken,
) -> anyhow::Result<Role<()>> {
    Role::start("clerk", || {
        Ok(async move {
            let mut watch = room.mails.post().mailbox().watch();
            let mut known = 0;
            let mut tick = tokio::time::interval(TICK);
            loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = watch.beyond(known) => {
                        known = room.mails.post().mailbox().newest();
                        room.mails.arrived(known, room.now_ms());
                    }
                    _ = tick.tick() => {
                        room.sample();
                        let is_lonely = room.joined() == robots && room.now_ms() > LONELY.as_secs_f64() * 1e3;
                        room.set_hint((reachable && is_lonely).then(|| phrase!(
                            "Nobody has joined yet. Many school networks keep devices apart (client isolation): then no \
                             phone can reach this machine. Use a phone's hotspot for this machine and all phones; the \
                             class needs no internet."
                        )));
                    }
                }
            }
        })
    })
}
