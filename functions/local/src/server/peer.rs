//! Whose a request is, where proxies stand in front of the vault and say so.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use http::HeaderMap;
use ipnet::IpNet;

/// What came before RFC 7239's `Forwarded`, and what proxies write: each adds the address that it was called from at the end.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// A network, or a single address, of proxies that are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TrustedProxy(IpNet);

impl FromStr for TrustedProxy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let single = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse()
            .or_else(|_| single())
            .map(Self)
            .map_err(|_| "not a network such as 10.0.0.0/8 or fd00::/8")
    }
}

/// The proxies that are believed about who called them; by default none.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrustedProxies(Arc<[TrustedProxy]>);

impl FromIterator<TrustedProxy> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = TrustedProxy>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

impl TrustedProxies {
    /// The address that the request comes from: the last one named that is no trusted proxy's. What stands before it, anybody may have
    /// written. Where the peer is not trusted, or names nobody, it is the peer.
    pub(super) fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trust(peer) {
            return peer;
        }
        let lines = headers.get_all(FORWARDED_FOR).iter();
        // A line that is no text is one that names nobody.
        let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or_default()).collect();
        let named = lines.iter().rev().flat_map(|line| line.rsplit(',')).map(address);
        let mut strangers = named.skip_while(|named| named.is_some_and(|ip| self.trust(ip)));
        strangers.next().flatten().unwrap_or(peer)
    }

    fn trust(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.0.contains(&ip))
    }
}

/// An address as proxies write it: some with a port, which for IPv6 takes brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let ip = text.parse().ok().or_else(|| text.parse().ok().map(|with_port: SocketAddr| with_port.ip()));
    ip.or_else(in_brackets).map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn caller(trusted: &[&str], peer: &str, lines: &[&[u8]]) -> String {
        let trusted: TrustedProxies =
            trusted.iter().map(|text| text.parse::<TrustedProxy>().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line).unwrap());
        }
        trusted.caller(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_peer_that_is_not_trusted_is_the_caller_whatever_it_says() {
        assert_eq!(caller(&[], "127.0.0.1", &[b"203.0.113.7"]), "127.0.0.1");
        assert_eq!(caller(&["10.0.0.0/8"], "192.0.2.1", &[b"203.0.113.7"]), "192.0.2.1");
        assert_eq!(caller(&["::/0"], "192.0.2.1", &[b"203.0.113.7"]), "192.0.2.1");
    }

    #[test]
    fn a_trusted_peers_last_word_counts_and_not_what_the_caller_wrote_before() {
        let here = ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"];
        for (lines, expected) in [
            (&[b"203.0.113.7".as_slice()] as &[&[u8]], "203.0.113.7"),
            (&[b"198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            (&[b"198.51.100.1", b"203.0.113.7"], "203.0.113.7"),
            (&[b"198.51.100.1,203.0.113.7 ,10.1.2.3,\tfd00::1"], "203.0.113.7"),
            (&[b"198.51.100.1, 203.0.113.7", b"10.1.2.3"], "203.0.113.7"),
            (&[b"garbage, 203.0.113.7:4711"], "203.0.113.7"),
            (&[b"[2001:db8::7]:4711"], "2001:db8::7"),
            (&[b"[2001:db8::7]"], "2001:db8::7"),
            (&[b"::ffff:203.0.113.7"], "203.0.113.7"),
            (&[b"203.0.113.7, ::ffff:10.1.2.3"], "203.0.113.7"),
        ] {
            assert_eq!(caller(&here, "127.0.0.1", lines), expected, "{lines:?}");
            assert_eq!(caller(&here, "::ffff:10.9.9.9", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_nobody_and_nothing_before_it_counts() {
        for lines in [
            &[] as &[&[u8]],
            &[b""],
            &[b"10.1.2.3, 127.0.0.1"],
            &[b"203.0.113.7,"],
            &[b"203.0.113.7, unknown"],
            &[b"203.0.113.7, _hidden, 10.1.2.3"],
            &[b"203.0.113.7, 999.1.1.1"],
            &[b"203.0.113.7, 192.0.2.1:99999"],
            &[b"203.0.113.7, 192.0.2.1:"],
            &[b"203.0.113.7, [192.0.2.1]"],
            &[b"203.0.113.7, fe80::1%eth0"],
            &[b"203.0.113.7", b"\xff"],
        ] {
            assert_eq!(caller(&["10.0.0.0/8", "127.0.0.1"], "127.0.0.1", lines), "127.0.0.1", "{lines:?}");
        }
    }

    #[test]
    fn networks_are_well_formed() {
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "proxy.example", "10.0.0.0/8,::1"] {
            wrong.parse::<TrustedProxy>().unwrap_err();
        }
    }
}
