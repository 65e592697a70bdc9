//! The consequences of a URL's scheme: the default port, the protocol, and whether it is encrypted.

use super::bytes::mark;
use crate::lang::{Text, phrase};
use crate::outcome::inspection::Url;

/// A supported scheme, by its name.
pub fn named(name: &str) -> Option<&'static str> {
    const ALL: [&str; 5] = ["http", "https", "ws", "wss", "tcp"];
    ALL.into_iter().find(|scheme| *scheme == name)
}

/// The URL with its port marked, because it differs in every run.
pub fn url(url: &Url) -> String {
    let port = mark(&url.authority.port().to_string(), true);
    format!("{}://{}:{port}{}", url.scheme, url.authority.ip(), url.target)
}

/// Sentences about the consequences of its scheme.
pub fn decides(url: &Url) -> Vec<Text> {
    let (port, what, source, korean) = match url.scheme {
        "http" => (
            80,
            "HTTP over TCP",
            "RFC 9110, section 4.2.1",
            "RFC 9110, 4.2.1절",
        ),
        "https" => (
            443,
            "HTTP over TLS over TCP",
            "RFC 9110, section 4.2.2",
            "RFC 9110, 4.2.2절",
        ),
        "ws" => (80, "a WebSocket over TCP", "RFC 6455, section 3", "RFC 6455, 3절"),
        "wss" => (
            443,
            "a WebSocket over TLS over TCP",
            "RFC 6455, section 3",
            "RFC 6455, 3절",
        ),
        _ => {
            return vec!["No scheme: this is bare TCP, which the others are read against.".into()];
        }
    };
    let sealed = if port == 443 {
        "encrypted: whoever listens sees addresses, times and sizes, and nothing else"
    } else {
        "not encrypted: whoever listens can read along, as you can below"
    };
    let mut said = vec![
        phrase!(
            "The scheme %{scheme} says: %{what} (%{source}); %{sealed}.",
            scheme = url.scheme.to_string(),
            what = what,
            source = Text::both(source, korean),
            sealed = sealed
        ),
        phrase!(
            "Its port is %{port}; a server that listens on another, as this one does, has it named in the URL.",
            port = port.to_string()
        ),
    ];
    said.push(match url.scheme {
        "ws" | "wss" => {
            let http = if url.scheme == "ws" { "http" } else { "https" };
            phrase!(
                "The same server and port speak HTTP: a WebSocket begins as an HTTP request (section 1.7), so \
                 %{scheme} and %{http} share a port.",
                scheme = url.scheme.to_string(),
                http = http.to_string()
            )
        }
        "https" => "A WebSocket to the same port would say wss instead of https.".into(),
        _ => "A WebSocket to the same port would say ws instead of http.".into(),
    });
    said
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    #[test]
    fn a_scheme_decides_port_protocol_and_encryption() {
        for (scheme, port, sealed) in [
            ("http", "80", false),
            ("ws", "80", false),
            ("https", "443", true),
            ("wss", "443", true),
        ] {
            let said = decides(&Url {
                scheme,
                authority: SocketAddr::from((Ipv4Addr::LOCALHOST, 4000)),
                target: "/".into(),
            });
            let said = said.iter().map(Text::to_string).collect::<Vec<_>>().join(" ");
            assert!(said.contains(&format!("Its port is {port};")), "{scheme}: {said}");
            assert_eq!(said.contains("; encrypted"), sealed, "{scheme}: {said}");
            assert_eq!(said.contains("; not encrypted"), !sealed, "{scheme}: {said}");
        }
    }
}
