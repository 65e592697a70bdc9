//! What a URL's scheme decides: the port if none is named, the protocol, and whether it is encrypted.

use super::bytes::mark;
use crate::outcome::inspection::Url;

/// The URL with its port marked: it is whichever was free.
pub fn url(url: &Url) -> String {
    let port = mark(&url.authority.port().to_string(), true);
    format!("{}://{}:{port}{}", url.scheme, url.authority.ip(), url.target)
}

/// What its scheme says, one sentence a line.
pub fn decides(url: &Url) -> Vec<String> {
    let (port, what, source) = match url.scheme {
        "http" => (80, "HTTP over TCP", "RFC 9110, section 4.2.1"),
        "https" => (443, "HTTP over TLS over TCP", "RFC 9110, section 4.2.2"),
        "ws" => (80, "a WebSocket over TCP", "RFC 6455, section 3"),
        "wss" => (443, "a WebSocket over TLS over TCP", "RFC 6455, section 3"),
        _ => {
            return vec![
                "No scheme: this is bare TCP, which the others are read against. Nothing here is encrypted."
                    .into(),
            ];
        }
    };
    let sealed = if url.scheme.ends_with('s') && url.scheme != "ws" {
        "encrypted: whoever listens sees addresses, times and sizes, and nothing else"
    } else {
        "not encrypted: whoever listens can read along, as you can below"
    };
    let mut said = vec![
        format!("The scheme {} says: {what} ({source}); {sealed}.", url.scheme),
        format!(
            "Its port is {port}; a server that listens on another, as this one does, has it named in the URL."
        ),
    ];
    match url.scheme {
        "ws" | "wss" => said.push(
            "The same server and port speak HTTP: a WebSocket begins as an HTTP request (section 1.7), so ws and \
             http share a port."
                .into(),
        ),
        _ => said.push("A WebSocket to the same port would say ws instead of http, wss instead of https.".into()),
    }
    said
}
