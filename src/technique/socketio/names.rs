//! The names that both halves use.

use std::time::Duration;

/// Where Socket.IO is spoken.
pub const PATH: &str = "/socket.io/";

/// Where Engine.IO alone is, with `--echo`.
pub const ENGINE: &str = "/engine.io/";

/// The room of those who read the mailbox.
pub const ROOM: &str = "inbox";

/// What a mail's packet has besides the mail: `42["mail",` and `]`.
pub const ENVELOPE: usize = 11;

/// What bodies are.
pub const TEXT: &str = "text/plain; charset=UTF-8";

/// How long clients that were told goodbye may take to leave.
pub const LEAVING: Duration = Duration::from_secs(1);
