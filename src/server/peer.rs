//! Who is at the other end of a connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The other end of a connection: an extension of each request on it.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The certificate that it showed, DER. It has that certificate's private key; whose it is, is
    /// not judged yet.
    pub certificate: Option<Arc<[u8]>>,
}

/// Names where a request comes from, for counting: the address, of IPv6 one /64.
pub(crate) fn source_of(peer: Option<&Peer>) -> String {
    match peer.map(|peer| peer.address.ip()) {
        None => "unknown".to_owned(),
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        },
    }
}
