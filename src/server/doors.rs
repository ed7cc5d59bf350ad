//! How many connections each address has.

use std::collections::HashMap;
use std::net::IpAddr;
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
        // An IPv4 client is the same one on a socket for both.
        let address = address.to_canonical();
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
        drop(first);
        assert!(doors.enter(one, 2).is_some());
    }
}
