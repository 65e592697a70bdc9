//! The lines that people copy into nginx's configuration when a stream stalls behind it, and what each changes of what
//! a proxy does. `tests/servers/proxy.rs` applies each to nginx, too.

use crate::outcome::{HttpVersion, ProxySettings};

/// A line, and what it changes.
#[derive(Debug)]
pub struct Remedy {
    /// The line, without its semicolon.
    pub line: &'static str,
    /// What it changes.
    pub apply: fn(&mut ProxySettings),
}

/// All of them, in the order in which they are usually listed. The last is the server's own.
pub const REMEDIES: &[Remedy] = &[
    Remedy {
        line: "proxy_buffering off",
        apply: |settings| settings.buffer_bytes = None,
    },
    Remedy {
        // There is no cache unless a `proxy_cache` names one.
        line: "proxy_cache off",
        apply: |_| {},
    },
    Remedy {
        line: "proxy_http_version 1.1",
        apply: |settings| settings.upstream = HttpVersion::Http11,
    },
    Remedy {
        // Only with a `keepalive` in an upstream block does nginx keep connections to the server.
        line: "proxy_set_header Connection ''",
        apply: |_| {},
    },
    Remedy {
        line: "chunked_transfer_encoding on",
        apply: |settings| settings.chunked = true,
    },
    Remedy {
        line: "chunked_transfer_encoding off",
        apply: |settings| settings.chunked = false,
    },
    Remedy {
        line: "proxy_read_timeout 1h",
        apply: |settings| settings.idle_ms = Some(3_600e3),
    },
    Remedy {
        line: HINT,
        apply: |settings| settings.obeys_hint = true,
    },
];

/// The remedy that is no line of nginx's, but a field of the server's answer.
pub const HINT: &str = "X-Accel-Buffering: no";
