//! How fast the clients of the store's server may ask, as `installation.toml` says it.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use server::{Limits, Pace};

/// `pace` in `[serve]`: what is not named is as usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paces {
    /// Of one session of a person.
    session: Option<Told>,
    /// Of one address without a session.
    address: Option<Told>,
    /// Of one station.
    station: Option<Told>,
}

/// So many requests at once, and then so many each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    burst: NonZeroU32,
    each_second: NonZeroU32,
}

impl Paces {
    /// Returns the server's limits with these paces.
    pub(crate) fn limits(self) -> Limits {
        let mut limits = Limits::default();
        let paces = [
            (&mut limits.people.session, self.session),
            (&mut limits.people.address, self.address),
            (&mut limits.station, self.station),
        ];
        for (pace, told) in paces {
            if let Some(told) = told {
                *pace = Pace {
                    burst: told.burst.get().into(),
                    each_second: told.each_second.get().into(),
                };
            }
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_another_and_the_rest_as_usual() {
        let usual = Limits::default();
        assert_eq!(Paces::default().limits(), usual);
        let told = "station = { burst = 7, each_second = 2 }";
        let limits = toml::from_str::<Paces>(told).unwrap().limits();
        assert_eq!(
            (limits.station.burst, limits.station.each_second),
            (7.0, 2.0)
        );
        assert_eq!(limits.people, usual.people);
        for wrong in [
            "station = { burst = 0, each_second = 2 }",
            "station = { burst = 1 }",
            "stations = { burst = 1, each_second = 1 }",
        ] {
            assert!(toml::from_str::<Paces>(wrong).is_err(), "{wrong}");
        }
    }
}
