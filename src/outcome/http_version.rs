//! The versions of HTTP.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A version of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum HttpVersion {
    /// A connection for each request (RFC 1945).
    #[serde(rename = "1.0")]
    #[value(name = "1.0")]
    Http10,
    /// Connections that are kept (RFC 9112).
    #[default]
    #[serde(rename = "1.1")]
    #[value(name = "1.1")]
    Http11,
    /// Many streams on one connection, headers compressed (RFC 9113).
    #[serde(rename = "2")]
    #[value(name = "2")]
    Http2,
}

impl fmt::Display for HttpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HttpVersion::Http10 => "1.0",
            HttpVersion::Http11 => "1.1",
            HttpVersion::Http2 => "2",
        })
    }
}
