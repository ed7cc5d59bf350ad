//! What is kept of a request on its way: enough to know it again, and whether it may be sent.

use hsm::{HsmError, RandomSource};

use crate::authority::Exchange;

pub(super) const PROTOCOL: &str = "EST";

/// What exchanges of this connector's begin with, and the version of their form.
const MARK: &[u8; 4] = b"EST1";

/// A random name, of a run of the program or of a request.
pub(super) type Name = [u8; 16];

/// Draws a name.
pub(super) fn name(random: &dyn RandomSource) -> Result<Name, HsmError> {
    let mut name = Name::default();
    random.fill(&mut name)?;
    Ok(name)
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Enroll,
    Renew,
}

impl Operation {
    /// Returns the last part of the address (*RFC 7030 §3.2.2*).
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Enroll => "simpleenroll",
            Self::Renew => "simplereenroll",
        }
    }
}

/// An exchange, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EstExchange {
    pub(super) operation: Operation,
    /// The run of the program that prepared it.
    pub(super) run: Name,
    /// Its own name.
    pub(super) name: Name,
    /// SHA-256 of the PKCS#10 request.
    pub(super) digest: [u8; 32],
}

impl EstExchange {
    pub(super) fn encode(&self) -> Exchange {
        let operation = match self.operation {
            Operation::Enroll => 0,
            Operation::Renew => 1,
        };
        let parts = [&MARK[..], &[operation], &self.run, &self.name, &self.digest];
        Exchange::from_bytes(parts.concat())
    }

    pub(super) fn decode(exchange: &Exchange) -> Option<Self> {
        let rest = exchange.as_bytes().strip_prefix(MARK)?;
        let (&[operation], rest) = rest.split_first_chunk()?;
        let (run, rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_first_chunk()?;
        Some(Self {
            operation: match operation {
                0 => Operation::Enroll,
                1 => Operation::Renew,
                _ => return None,
            },
            run: *run,
            name: *name,
            digest: rest.try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EstExchange, Operation};
    use crate::authority::Exchange;

    proptest! {
        #[test]
        fn exchanges_round_trip(
            renews in any::<bool>(),
            run in any::<[u8; 16]>(),
            name in any::<[u8; 16]>(),
            digest in any::<[u8; 32]>(),
        ) {
            let operation = if renews { Operation::Renew } else { Operation::Enroll };
            let exchange = EstExchange { operation, run, name, digest };
            prop_assert_eq!(EstExchange::decode(&exchange.encode()), Some(exchange));
            let mut longer = exchange.encode().as_bytes().to_vec();
            longer.push(0);
            prop_assert_eq!(EstExchange::decode(&Exchange::from_bytes(longer)), None);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = EstExchange::decode(&Exchange::from_bytes(bytes));
        }
    }
}
