//! Where a server listens, and whose requests it answers: the flags that `serve` and `class` share.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use anyhow::{Context, bail};
use clap::Args;

use crate::lab::access::{Access, Allowed, Host};
use crate::lang::t;
use crate::technique::quantities::count;

/// The flags.
#[derive(Debug, Args)]
pub struct ListenArgs {
    /// Where to listen: an address, with a port or without. Anything but the loopback is open to others
    #[arg(
        long,
        value_name = "ADDRESS",
        help_heading = "Server",
        default_value = "127.0.0.1",
        value_parser = place
    )]
    listen: Place,
    /// The port; 0 takes a free one [default: that of --listen, or 0]
    #[arg(long, value_name = "N", help_heading = "Server", value_parser = count(0, 65_535))]
    port: Option<u64>,
    /// A name by which clients may call this server, besides IP addresses and localhost; repeatable
    #[arg(long, value_name = "NAME", help_heading = "Server")]
    allow_host: Vec<Host>,
    /// Whose web pages may use it besides its own: SCHEME://HOST[:PORT], null (pages from a file) or * (all);
    /// repeatable
    #[arg(long, value_name = "ORIGIN", help_heading = "Server")]
    allow_origin: Vec<Allowed>,
}

impl ListenArgs {
    /// The whole address.
    ///
    /// # Errors
    /// If the two flags name different ports.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        self.listen.with(self.port)
    }

    /// Whose requests are answered.
    pub fn access(&self, encrypts: bool) -> Access {
        Access::new(self.allow_host.clone(), self.allow_origin.clone(), encrypts)
    }

    /// What a certificate has to name in addition to the loopback.
    ///
    /// # Errors
    /// If the addresses of this machine are not known.
    pub fn names(&self, listen: SocketAddr) -> anyhow::Result<Vec<String>> {
        let addresses = reachable(listen)?
            .into_iter()
            .map(|address| address.ip().to_string());
        let names = self.allow_host.iter().filter_map(|host| match host {
            Host::Name(name) => Some(name.clone()),
            Host::Address(_) => None,
        });
        Ok(addresses.chain(names).collect())
    }
}

/// What `--listen` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    ip: IpAddr,
    port: Option<u16>,
}

impl Place {
    /// The whole address, with the port from `--port` if `--listen` has none.
    fn with(self, port: Option<u64>) -> anyhow::Result<SocketAddr> {
        let port = port.map(|port| port as u16);
        let both = self.port.zip(port).filter(|(one, other)| one != other);
        if let Some((one, other)) = both {
            bail!(t!(
                "--listen names port %{one} and --port names %{other}: leave one of them out",
                one = one,
                other = other
            ));
        }
        Ok((self.ip, self.port.or(port).unwrap_or(0)).into())
    }
}

/// Parses `127.0.0.1:8000`, `[::1]:0`, `localhost:8000`, and the same without a port; of a name's addresses, the
/// first is taken. No name but localhost may come without a port, so that none is looked up by mistake.
fn place(text: &str) -> Result<Place, String> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if let Ok(ip) = bare.unwrap_or(text).parse() {
        return Ok(Place { ip, port: None });
    }
    let has_port = text.contains(':');
    let found = match has_port {
        true => text.to_socket_addrs().ok(),
        false if text == "localhost" => (text, 0).to_socket_addrs().ok(),
        false => None,
    };
    let first = found.and_then(|mut all| all.next());
    first
        .map(|address| Place {
            ip: address.ip(),
            port: has_port.then_some(address.port()),
        })
        .ok_or_else(|| t!("it is no address of this machine; allowed is ADDRESS:PORT or ADDRESS, like 127.0.0.1:8000, [::1]:0, localhost or 0.0.0.0"))
}

/// The addresses at which others find a server: the one it listens on, or, if that stands for all of this
/// machine, each address except the loopback. Link-local IPv6 addresses are left out, because no URL can
/// name them (RFC 6874). A machine without another address has the loopback.
pub fn reachable(listen: SocketAddr) -> anyhow::Result<Vec<SocketAddr>> {
    if !listen.ip().is_unspecified() {
        return Ok(vec![listen]);
    }
    // An IPv6 socket takes IPv4, too, except on Windows (RFC 3493, section 5.3).
    let takes = |ip: &IpAddr| ip.is_ipv6() == listen.is_ipv6() || (listen.is_ipv6() && !cfg!(windows));
    let in_a_url = |ip: &IpAddr| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let interfaces = if_addrs::get_if_addrs().context(t!("cannot list the addresses of this machine"))?;
    let ips = interfaces.iter().map(if_addrs::Interface::ip);
    let others = ips.filter(|ip| takes(ip) && in_a_url(ip) && !ip.is_loopback());
    let mut all: Vec<SocketAddr> = others.map(|ip| (ip, listen.port()).into()).collect();
    if all.is_empty() {
        let loopback: IpAddr = match listen.is_ipv6() {
            true => Ipv6Addr::LOCALHOST.into(),
            false => Ipv4Addr::LOCALHOST.into(),
        };
        all.push((loopback, listen.port()).into());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_and_a_port_from_either_flag() {
        for (listen, port, whole) in [
            ("127.0.0.1", None, "127.0.0.1:0"),
            ("127.0.0.1:8000", None, "127.0.0.1:8000"),
            ("127.0.0.1", Some(8000), "127.0.0.1:8000"),
            ("0.0.0.0:8000", Some(8000), "0.0.0.0:8000"),
            ("::", Some(80), "[::]:80"),
            ("[::1]", None, "[::1]:0"),
            ("[::1]:81", None, "[::1]:81"),
        ] {
            let address = place(listen).unwrap().with(port).unwrap();
            assert_eq!(address.to_string(), whole, "{listen} {port:?}");
        }
        let two = place("127.0.0.1:8000").unwrap().with(Some(9000));
        let why = two.unwrap_err().to_string();
        assert!(why.contains("port 8000 and --port names 9000"), "{why}");
        for bad in ["nowhere", "127.0.0.1:", "127.0.0.1:65536", "", "[::1"] {
            let why = place(bad).unwrap_err();
            assert!(why.contains("allowed is ADDRESS:PORT or ADDRESS"), "{bad}: {why}");
        }
    }

    #[test]
    fn others_are_told_addresses_that_they_can_use() {
        let own: SocketAddr = "192.0.2.7:80".parse().unwrap();
        assert_eq!(reachable(own).unwrap(), [own]);
        for all in ["0.0.0.0:80", "[::]:80"] {
            let all: SocketAddr = all.parse().unwrap();
            let found = reachable(all).unwrap();
            assert!(!found.is_empty());
            for address in &found {
                assert!(
                    !address.ip().is_unspecified() && address.port() == 80,
                    "{address}"
                );
                assert!(address.is_ipv4() || all.is_ipv6(), "{address}");
                assert!(!address.ip().is_loopback() || found.len() == 1, "{found:?}");
            }
        }
    }
}
