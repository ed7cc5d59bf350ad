//! How many connections each address has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The connections of each address, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doors(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection that was let in; it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Inside {
    doors: Doors,
    address: IpAddr,
}

impl Doors {
    /// Lets a connection in, unless its address has as many as it may have.
    pub(crate) fn enter(&self, address: IpAddr, most: usize) -> Option<Inside> {
        let address = share(address);
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = doors.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Inside {
            doors: self.clone(),
            address,
        })
    }
}

/// Returns whose share of the connections an address uses. An IPv4 client is the same one on a
/// socket for both; one of IPv6 has a network of 64 bits to itself (*RFC 6177*).
fn share(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        v4 => v4,
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut doors = self.doors.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = doors.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                doors.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_share_and_nobody_elses() {
        let (doors, one) = (Doors::default(), IpAddr::from([127, 0, 0, 1]));
        let first = doors.enter(one, 2).unwrap();
        let mapped = "::ffff:127.0.0.1".parse().unwrap();
        let _second = doors.enter(mapped, 2).unwrap();
        assert!(doors.enter(one, 2).is_none());
        assert!(doors.enter(IpAddr::from([127, 0, 0, 2]), 2).is_some());
        // One network of IPv6 is one client, however many addresses it uses.
        let of_net = |text: &str| doors.enter(text.parse().unwrap(), 2);
        let (_one, _two) = (
            of_net("2001:db8::1").unwrap(),
            of_net("2001:db8::2").unwrap(),
        );
        assert!(of_net("2001:db8::ffff:3").is_none());
        assert!(of_net("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(doors.enter(one, 2).is_some());
    }
}
