//! Hosts and origins, in the one form in which they are compared: names in lower case and without the final
//! dot of a fully qualified one, addresses by value, and the default ports of `http` and `https` written
//! out (RFC 9110, sections 4.2 and 7.2; RFC 6454, sections 4 to 6).

use crate::lang::t;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An IP address: no name server decides what it means.
    Address(IpAddr),
    /// A name: a name server decides what it means.
    Name(String),
}

impl Host {
    /// Reads a host as written in a URL; `None` if it is not one. An IPv4 address must have all four numbers.
    fn read(text: &str) -> Option<Host> {
        if let Some(inside) = text.strip_prefix('[') {
            let address = inside.strip_suffix(']')?;
            // The zone of a link-local address matters only on its own machine.
            let (address, _zone) = address.split_once('%').unwrap_or((address, ""));
            return Some(Host::Address(address.parse::<Ipv6Addr>().ok()?.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return Some(Host::Address(address.into()));
        }
        let is_label = |label: &str| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        let is_name = name.split('.').all(is_label);
        is_name.then(|| Host::Name(name.to_ascii_lowercase()))
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Host, String> {
        Host::read(text).ok_or_else(|| t!("allowed is a host's name without a port, like mail.example"))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

/// The value of `Host` or `:authority`: a host, and a port unless it is the scheme's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    pub host: Host,
    pub port: Option<u16>,
}

impl Authority {
    /// Reads `HOST` or `HOST:PORT`; `None` if it is neither.
    pub fn read(text: &str) -> Option<Authority> {
        let after_address = text.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match text[after_address..].find(':') {
            Some(at) => (&text[..after_address + at], &text[after_address + at + 1..]),
            None => (text, ""),
        };
        let port = match port {
            "" => None,
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        let host = Host::read(host)?;
        Some(Authority { host, port })
    }
}

/// The origin of a page: the value of `Origin`, unless that is `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOrigin {
    scheme: String,
    host: Host,
    port: Option<u16>,
}

impl PageOrigin {
    /// Reads `SCHEME://HOST` or `SCHEME://HOST:PORT`; `None` if it is neither.
    pub fn read(text: &str) -> Option<PageOrigin> {
        let (scheme, authority) = text.split_once("://")?;
        let mut letters = scheme.bytes();
        let is_scheme = letters.next().is_some_and(|b| b.is_ascii_alphabetic())
            && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let scheme = scheme.to_ascii_lowercase();
        let Authority { host, port } = Authority::read(authority).filter(|_| is_scheme)?;
        let port = port.or(own_port(&scheme));
        Some(PageOrigin { scheme, host, port })
    }

    /// The origin of the page at a URL.
    pub fn of_url(url: &str) -> Option<PageOrigin> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        PageOrigin::read(&format!("{scheme}://{authority}"))
    }

    /// Whether the page is from the server that a request names. The request does not say which scheme its
    /// client used: a server that does not encrypt may be behind a proxy that does, and one that `encrypts`
    /// is `https` only. If `Host` has no port, it means the scheme's default.
    pub fn is_of(&self, server: &Authority, encrypts: bool) -> bool {
        let scheme = match self.scheme.as_str() {
            "https" => true,
            "http" => !encrypts,
            _ => false,
        };
        scheme && self.host == server.host && self.port == server.port.or(own_port(&self.scheme))
    }
}

impl fmt::Display for PageOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port.filter(|_| self.port != own_port(&self.scheme)) {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

fn own_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Which pages of other origins may use a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// All pages: `*`.
    All,
    /// Pages without an origin of their own, such as files: `null`.
    Null,
    /// Pages of one origin.
    Of(PageOrigin),
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Allowed, String> {
        match text {
            "*" => Ok(Allowed::All),
            "null" => Ok(Allowed::Null),
            origin => PageOrigin::read(origin).map(Allowed::Of).ok_or_else(|| {
                t!("allowed is SCHEME://HOST[:PORT] without a path, like http://localhost:3000, or null, or *")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_in_every_form_that_means_the_same() {
        for text in [
            "LocalHost",
            "localhost.",
            "localhost:8000",
            "localhost:",
            "localhost.:1",
        ] {
            let read = Authority::read(text).unwrap();
            assert_eq!(read.host, Host::Name("localhost".into()), "{text}");
        }
        for (text, port) in [
            ("[::1]", None),
            ("[0:0::1]:80", Some(80)),
            ("[::1%25lo]:1", Some(1)),
        ] {
            let host = Host::Address(IpAddr::from(Ipv6Addr::LOCALHOST));
            assert_eq!(Authority::read(text), Some(Authority { host, port }), "{text}");
        }
        for text in ["127.0.0.1", "127.0.0.1.", "127.0.0.1:8000"] {
            let host = Authority::read(text).unwrap().host;
            assert_eq!(host, Host::Address(IpAddr::from(Ipv4Addr::LOCALHOST)), "{text}");
        }
        for text in [
            "",
            ".",
            ":80",
            "localhost..",
            "a..b",
            "localhost:x",
            "localhost:65536",
            "localhost:+1",
            "a@localhost",
            "localhost/",
            "local host",
            "[::1",
            "[localhost]",
            "::1",
            "[::1]x",
            "[::1]x:1",
            "ö",
            "localhost,evil.example",
            "a:1:2",
        ] {
            assert_eq!(Authority::read(text), None, "{text}");
        }
    }

    #[test]
    fn an_origin_is_the_servers_if_scheme_host_and_port_are() {
        let cases = [
            // (Origin, Host, whether it is the server's own origin without TLS, and with TLS)
            ("http://127.0.0.1:8000", "127.0.0.1:8000", true, false),
            ("https://127.0.0.1:8000", "127.0.0.1:8000", true, true),
            ("http://localhost", "localhost", true, false),
            ("http://localhost:80", "localhost", true, false),
            ("http://localhost", "localhost:80", true, false),
            ("https://localhost", "localhost", true, true),
            ("https://localhost", "localhost:443", true, true),
            ("https://localhost", "localhost:80", false, false),
            ("http://localhost", "localhost:443", false, false),
            ("HTTP://LOCALHOST.", "localhost", true, false),
            ("http://[::1]:1", "[0::1]:1", true, false),
            ("http://127.0.0.1:8000", "localhost:8000", false, false),
            ("http://127.0.0.1:8000", "127.0.0.1:8001", false, false),
            ("http://127.0.0.1:8000", "127.0.0.1", false, false),
            ("http://localhost.evil.example", "localhost", false, false),
            ("ws://localhost", "localhost", false, false),
            ("file://localhost", "localhost", false, false),
        ];
        for (origin, host, plain, encrypted) in cases {
            let (page, server) = (PageOrigin::read(origin).unwrap(), Authority::read(host).unwrap());
            let own = [false, true].map(|encrypts| page.is_of(&server, encrypts));
            assert_eq!(own, [plain, encrypted], "{origin} at {host}");
        }
    }

    #[test]
    fn what_is_no_origin_is_none() {
        for text in [
            "",
            "/",
            "null",
            "test",
            "localhost",
            "http://",
            "http:///",
            "http://localhost/",
            "http://a b",
            "http://a, http://b",
            "1a://b",
            "://b",
            "http://a@b",
            "http://a?",
        ] {
            assert_eq!(PageOrigin::read(text), None, "{text}");
        }
        let of = |url| PageOrigin::of_url(url).map(|origin| origin.to_string());
        assert_eq!(
            of("https://a.example/b?c://d").as_deref(),
            Some("https://a.example")
        );
        assert_eq!(of("http://A.example:80?x").as_deref(), Some("http://a.example"));
        assert_eq!(of("http://a.example@b.example/"), None);
        assert_eq!(of("about:blank"), None);
    }

    #[test]
    fn whom_to_allow_is_named_or_refused_with_what_is_allowed() {
        let one = "HTTP://Localhost:3000".parse::<Allowed>().unwrap();
        assert_eq!(one, "http://localhost:3000".parse().unwrap());
        assert_eq!("*".parse(), Ok(Allowed::All));
        assert_eq!("null".parse(), Ok(Allowed::Null));
        for text in ["localhost:3000", "http://localhost:3000/", "http://*", "NULL", ""] {
            let said = text.parse::<Allowed>().unwrap_err();
            assert!(said.contains("http://localhost:3000"), "{text}: {said}");
        }
        for text in ["mail.example:80", "http://mail.example", "*", "", "*.example"] {
            assert!(
                text.parse::<Host>().unwrap_err().contains("mail.example"),
                "{text}"
            );
        }
    }
}
