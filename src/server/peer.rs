//! Who is at the other end of a connection.

use std::net::SocketAddr;
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
