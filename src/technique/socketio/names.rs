//! The names that both halves use.

use std::time::Duration;

/// The path of Socket.IO.
pub const PATH: &str = "/socket.io/";

/// The path of plain Engine.IO, with `--echo`.
pub const ENGINE: &str = "/engine.io/";

/// The room of all clients that read the mailbox.
pub const ROOM: &str = "inbox";

/// Bytes of a mail's packet in addition to the mail: `42["mail",` and `]`.
pub const ENVELOPE: usize = 11;

/// The media type of bodies.
pub const TEXT: &str = "text/plain; charset=UTF-8";

/// How long clients may take to leave after they were disconnected.
pub const LEAVING: Duration = Duration::from_secs(1);
