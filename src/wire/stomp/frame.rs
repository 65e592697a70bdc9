//! Frames, and how they are written.

use bytes::Bytes;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 1.0, the version of a client that names none.
    V1_0,
    /// 1.1: adds escapes, heart-beats and NACK; every subscription has an id.
    V1_1,
    /// 1.2: adds the escape `\r` and CR LF; a message to acknowledge has its own id.
    V1_2,
}

impl Version {
    /// All versions, the newest first.
    pub const ALL: [Version; 3] = [Version::V1_2, Version::V1_1, Version::V1_0];

    /// Its name in `accept-version` and `version`.
    pub fn name(self) -> &'static str {
        match self {
            Version::V1_0 => "1.0",
            Version::V1_1 => "1.1",
            Version::V1_2 => "1.2",
        }
    }

    /// Its name as a WebSocket subprotocol (registered with IANA).
    pub fn subprotocol(self) -> &'static str {
        match self {
            Version::V1_0 => "v10.stomp",
            Version::V1_1 => "v11.stomp",
            Version::V1_2 => "v12.stomp",
        }
    }

    /// The newest supported version in a comma-separated list.
    pub fn best_of(list: &str) -> Option<Version> {
        let offered = |v: &Version| list.split(',').any(|name| name.trim() == v.name());
        Version::ALL.into_iter().find(offered)
    }
}

/// The command of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are the specification's own words")]
pub enum Command {
    Connect,
    Stomp,
    Connected,
    Send,
    Subscribe,
    Unsubscribe,
    Ack,
    Nack,
    Begin,
    Commit,
    Abort,
    Disconnect,
    Message,
    Receipt,
    Error,
}

impl Command {
    /// All commands.
    pub const ALL: [Command; 15] = [
        Command::Connect,
        Command::Stomp,
        Command::Connected,
        Command::Send,
        Command::Subscribe,
        Command::Unsubscribe,
        Command::Ack,
        Command::Nack,
        Command::Begin,
        Command::Commit,
        Command::Abort,
        Command::Disconnect,
        Command::Message,
        Command::Receipt,
        Command::Error,
    ];

    /// Its name in a frame.
    pub fn name(self) -> &'static str {
        match self {
            Command::Connect => "CONNECT",
            Command::Stomp => "STOMP",
            Command::Connected => "CONNECTED",
            Command::Send => "SEND",
            Command::Subscribe => "SUBSCRIBE",
            Command::Unsubscribe => "UNSUBSCRIBE",
            Command::Ack => "ACK",
            Command::Nack => "NACK",
            Command::Begin => "BEGIN",
            Command::Commit => "COMMIT",
            Command::Abort => "ABORT",
            Command::Disconnect => "DISCONNECT",
            Command::Message => "MESSAGE",
            Command::Receipt => "RECEIPT",
            Command::Error => "ERROR",
        }
    }

    /// Reads the name; case matters.
    pub fn named(name: &[u8]) -> Option<Command> {
        Command::ALL.into_iter().find(|c| c.name().as_bytes() == name)
    }

    /// Whether frames with this command may have a body.
    pub fn has_body(self) -> bool {
        matches!(self, Command::Send | Command::Message | Command::Error)
    }

    /// Whether its headers use escapes in `version`.
    pub(super) fn escapes(self, version: Version) -> bool {
        let opens = matches!(self, Command::Connect | Command::Stomp | Command::Connected);
        version > Version::V1_0 && !opens
    }
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The command.
    pub command: Command,
    /// The headers in order, unescaped. If a name is repeated, the first one counts.
    pub headers: Vec<(String, String)>,
    /// The body; empty if there is none.
    pub body: Bytes,
}

impl Frame {
    /// A frame without headers and body.
    pub fn new(command: Command) -> Frame {
        Frame {
            command,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Adds a header.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Frame {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a body with its length and its media type `kind`.
    pub fn containing(self, kind: &str, body: impl Into<Bytes>) -> Frame {
        let body = body.into();
        let frame = self
            .with("content-type", kind)
            .with("content-length", body.len().to_string());
        Frame { body, ..frame }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Encodes the frame. Lines end with LF alone, which every version can read.
    ///
    /// Version 1.0 cannot write a line end or, in a name, a colon; such characters are left out.
    pub fn to_bytes(&self, version: Version) -> Bytes {
        let mut out = Vec::with_capacity(self.body.len() + 64 * (self.headers.len() + 1));
        out.extend_from_slice(self.command.name().as_bytes());
        out.push(b'\n');
        let escapes = self.command.escapes(version);
        for (name, value) in &self.headers {
            write_text(name, escapes.then_some(version), true, &mut out);
            out.push(b':');
            write_text(value, escapes.then_some(version), false, &mut out);
            out.push(b'\n');
        }
        out.push(b'\n');
        out.extend_from_slice(&self.body);
        out.push(0);
        out.into()
    }
}

/// The bytes of a heart-beat.
pub const HEART_BEAT: &[u8] = b"\n";

/// Writes a name or a value, with the escapes of `version`, if it has any. A value may contain an unescaped
/// colon: the first colon in the line ends the name.
fn write_text(text: &str, version: Option<Version>, is_name: bool, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        let escaped = match (byte, version) {
            (b'\\', Some(_)) => b'\\',
            (b'\n', Some(_)) => b'n',
            (b':', Some(_)) => b'c',
            (b'\r', Some(Version::V1_2)) => b'r',
            (b'\n' | b'\0', _) => continue,
            (b':', None) if is_name => continue,
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', escaped]);
    }
}

/// The destination prefix for messages to the server's application, as in Spring.
pub const APPLICATION: &str = "/app/";

/// The header of a MESSAGE which reports that the cursor is of another log, and names the log that follows.
pub const RESET: &str = "reset";

/// The header of a SUBSCRIBE with the client's cursor: our own, as the protocol allows.
pub const AFTER: &str = "after";
