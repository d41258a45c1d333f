//! Where a request comes from.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use hyper::HeaderMap;
use tokio::sync::watch;

use crate::tls::ClientCertificate;

/// What the server knows about the connection that a request came on. [`serve`](crate::serve) puts it, in an
/// [`Arc`](std::sync::Arc), into the extensions of each request.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The other end of the socket.
    pub peer: SocketAddr,
    /// Whether it is encrypted.
    pub is_encrypted: bool,
    /// The certificate that the client presented when it began, if it did.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// Turns true when the hub shuts down, so that what would not end by itself ends.
    pub closing: watch::Receiver<bool>,
}

/// Whom failed logins on a connection are counted for: an address, or a network of them.
#[must_use]
pub fn counted_for(connection: Option<&Connection>, headers: &HeaderMap, trusted: &[IpAddr]) -> String {
    let socket = connection.map(|connection| connection.peer.ip());
    let peer = counted_address(socket, headers, trusted);
    peer.map_or_else(|| "local".to_owned(), |peer| holder(peer).to_string())
}

/// The address that failed logins are counted for.
///
/// It is the socket's, unless the socket's is a proxy that the operator named: then it is the nearest address in
/// `X-Forwarded-For` that is not such a proxy. Whatever stands before that was written by the client and means nothing.
pub(crate) fn counted_address(
    socket: Option<IpAddr>,
    headers: &HeaderMap,
    trusted: &[IpAddr],
) -> Option<IpAddr> {
    let socket = socket.map(|address| address.to_canonical())?;
    if !trusted.contains(&socket) {
        return Some(socket);
    }
    let mut hops: Vec<&str> = Vec::new();
    for value in headers.get_all("x-forwarded-for") {
        hops.extend(value.to_str().unwrap_or_default().split(',').map(str::trim));
    }
    let mut nearest = socket;
    for hop in hops.into_iter().rev() {
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        nearest = address.to_canonical();
        if !trusted.contains(&nearest) {
            break;
        }
    }
    Some(nearest)
}

/// Whom an address is counted for. Whoever has one IPv6 address has a /64 of them (RFC 6177 §2).
pub(crate) fn holder(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_addresses_count_only_from_trusted_proxies() {
        let cases = [
            // socket, X-Forwarded-For, trusted proxies, counted
            ("192.0.2.1", &["198.51.100.7"][..], &[][..], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.7"], &["10.0.0.1"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], &["10.0.0.1"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7"], &["10.0.0.1"], "198.51.100.7"),
            (
                "10.0.0.1",
                &["203.0.113.9", "198.51.100.7, 10.0.0.2"],
                &["10.0.0.1", "10.0.0.2"],
                "198.51.100.7",
            ),
            ("10.0.0.1", &[], &["10.0.0.1"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7, nonsense"], &["10.0.0.1"], "10.0.0.1"),
        ];
        for (socket, forwarded, trusted, counted) in cases {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            let trusted: Vec<IpAddr> = trusted.iter().map(|text| text.parse().unwrap()).collect();
            let got = counted_address(Some(socket.parse().unwrap()), &headers, &trusted);
            assert_eq!(got, Some(counted.parse().unwrap()), "{socket} {forwarded:?}");
        }
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let cases = [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::"),
        ];
        for (address, want) in cases {
            assert_eq!(holder(address.parse().unwrap()), want.parse::<IpAddr>().unwrap(), "{address}");
        }
    }
}
