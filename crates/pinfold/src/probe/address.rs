//! Where somebody is to listen: a host and a port, and the addresses that they come to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    host: String,
    port: u16,
}

impl Address {
    pub(super) fn new(host: impl Into<String>, port: u16) -> Address {
        let host = host.into();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned);
        Address { host: bare.unwrap_or(host), port }
    }

    /// `HOST:PORT`, or `HOST` where there is a port by default; an IPv6 address stands in brackets.
    pub(super) fn parse(text: &str, default: Option<u16>) -> Result<Address, String> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or("has no ] after its IPv6 address")?;
                if host.parse::<Ipv6Addr>().is_err() {
                    return Err("has no IPv6 address in its brackets".to_owned());
                }
                match rest {
                    "" => (host, None),
                    rest => {
                        (host, Some(rest.strip_prefix(':').ok_or("has something other than :PORT after ]")?))
                    }
                }
            }
            None => match text.rsplit_once(':') {
                Some((host, _)) if host.contains(':') => {
                    return Err("has more than one colon: an IPv6 address stands in brackets".to_owned());
                }
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err("names no host".to_owned());
        }
        if host.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '/')) {
            return Err("names a host that cannot be one".to_owned());
        }
        let port = match port {
            Some("") => return Err("names no port".to_owned()),
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(format!("has '{port}' for a port, and ports are 1 to 65535")),
                Ok(port) => port,
            },
            None => default.ok_or("names no port")?,
        };
        Ok(Address::new(host, port))
    }

    /// What it comes to now. Addresses and `localhost` are known; every other name is asked for, and that blocks.
    pub(super) fn resolve(&self) -> Result<Vec<SocketAddr>, String> {
        if let Ok(literal) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(literal, self.port)]);
        }
        let name = self.host.trim_end_matches('.');
        // RFC 6761, 6.3.
        if name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost") {
            let both = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
            return Ok(both.map(|address| SocketAddr::new(address, self.port)).to_vec());
        }
        match (self.host.as_str(), self.port).to_socket_addrs() {
            Ok(found) => Ok(found.collect()),
            Err(_) => Err(format!("the name {} has no address", self.host)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_read_and_what_is_none_is_refused() {
        let good = [
            ("db:5432", None, "db:5432"),
            ("[::1]:80", None, "[::1]:80"),
            ("10.0.0.1:1", None, "10.0.0.1:1"),
            ("web", Some(80), "web:80"),
            ("[::1]", Some(80), "[::1]:80"),
        ];
        for (text, default, shown) in good {
            assert_eq!(
                Address::parse(text, default).map(|address| address.to_string()),
                Ok(shown.to_owned())
            );
        }
        let bad = [
            "", "db", ":80", "db:", "db:0", "db:65536", "db:http", "::1:80", "[::1:80", "[::1]80", "[x]:80",
            "a b:1",
        ];
        for text in bad {
            assert!(Address::parse(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_and_localhost_are_known() {
        let ports = |text: &str| Address::parse(text, Some(7)).and_then(|address| address.resolve());
        let one = |text: &str| vec![text.parse::<SocketAddr>().expect("an address")];
        assert_eq!(ports("127.0.0.2"), Ok(one("127.0.0.2:7")));
        assert_eq!(ports("[::1]:9"), Ok(one("[::1]:9")));
        assert_eq!(ports("LocalHost").map(|found| found.len()), Ok(2));
        assert_eq!(ports("db.localhost.").map(|found| found.len()), Ok(2));
    }
}
