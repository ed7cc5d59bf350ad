//! A card's keys from a master key and what the card tells of itself.
//!
//! ```text
//!   KDF3         CMAC(master, i ‖ 000000 k 00 ‖ diversification(10))       AES, i = 1, 2, …
//!   EMV CPS 1.1  3DES(master, D[4..10] F0 k ‖ D[4..10] 0F k)              two-key triple DES
//!   VISA2        3DES(master, D[0..2] D[4..8] F0 k ‖ D[0..2] D[4..8] 0F k)
//!   none         the master key itself
//! ```
//!
//! k is 1 for ENC, 2 for MAC, 3 for DEK. D are the ten key diversification bytes that a card
//! answers to INITIALIZE UPDATE.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::kdf::counter_mode;
use super::keys::StaticKeys;
use crate::cipher::{CipherError, Key, TripleDes};

/// The number k of a key that serves alone, a chip's transport or management key: no number
/// of ENC, MAC or DEK, so that one master key may serve both without making the same key
/// twice.
pub const SINGLE_KEY: u8 = 0x10;

/// Most bytes of the context of a single key.
pub const MAX_CONTEXT: usize = 32;

/// Says why no key was derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DiversifyError {
    /// The master key's length is none of the method's.
    #[error("master key does not suit diversification \"{method}\"")]
    Master {
        /// The method.
        method: Diversification,
        /// What is wrong with the key.
        source: CipherError,
    },
    /// The context has no length that is served.
    #[error("context of {0} bytes; 1 to 32 are possible")]
    Context(usize),
    /// The method makes the three keys of a security domain only.
    #[error(
        "diversification \"{0}\" makes the three keys of a security domain, no single key; \"kdf3\" and \"none\" do"
    )]
    NoSingleKey(Diversification),
    /// No method has this name.
    #[error("no diversification has this name; kdf3, emv, visa2 and none are known")]
    Unknown,
}

/// How a card's keys come from a master key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Diversification {
    /// "kdf3": *NIST SP 800-108* in counter mode over AES-CMAC, as card makers agree on it.
    /// Keys as long as the master key.
    Kdf3,
    /// "emv": *EMV Card Personalization Specification 1.1*. Triple DES keys of 16 bytes.
    EmvCps11,
    /// "visa2": the method of Visa's card managers. Triple DES keys of 16 bytes.
    Visa2,
    /// "none": every card has the master key itself, as cards come from a maker.
    None,
}

impl Diversification {
    /// Every method.
    pub const ALL: [Self; 4] = [Self::Kdf3, Self::EmvCps11, Self::Visa2, Self::None];

    /// Returns the method's name: `kdf3`, `emv`, `visa2`, `none`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kdf3 => "kdf3",
            Self::EmvCps11 => "emv",
            Self::Visa2 => "visa2",
            Self::None => "none",
        }
    }

    /// Returns the method with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// Returns the two blocks whose triple DES encryption under the master key is key number
    /// `k` of a card; `None` for a method that does not work so. For whoever encrypts them in
    /// a token.
    pub const fn des_blocks(self, k: u8, diversification: &[u8; 10]) -> Option<[u8; 16]> {
        let [a, b, _, _, e, f, g, h, i, j] = *diversification;
        let [q, r, s, t, u, v] = match self {
            Self::EmvCps11 => [e, f, g, h, i, j],
            Self::Visa2 => [a, b, e, f, g, h],
            Self::Kdf3 | Self::None => return None,
        };
        Some([q, r, s, t, u, v, 0xF0, k, q, r, s, t, u, v, 0x0F, k])
    }

    /// Derives a card's three static keys from one master key.
    ///
    /// # Errors
    /// [`DiversifyError::Master`] where the method encrypts with triple DES and the master
    /// key has 32 bytes.
    pub fn keys(
        self,
        master: &Key,
        diversification: &[u8; 10],
    ) -> Result<StaticKeys, DiversifyError> {
        Ok(StaticKeys {
            enc: self.key(master, 1, diversification)?,
            mac: self.key(master, 2, diversification)?,
            dek: self.key(master, 3, diversification)?,
        })
    }

    fn key(self, master: &Key, k: u8, diversification: &[u8; 10]) -> Result<Key, DiversifyError> {
        match (self, self.des_blocks(k, diversification)) {
            (Self::None, _) => Ok(master.clone()),
            (_, None) => Ok(kdf3(master, k, diversification)),
            (_, Some(blocks)) => {
                let cipher = TripleDes::new(master).map_err(|source| DiversifyError::Master {
                    method: self,
                    source,
                })?;
                Ok(Key::double(|out| {
                    out.copy_from_slice(&blocks);
                    cipher.ecb_encrypt(out);
                }))
            }
        }
    }
}

impl fmt::Display for Diversification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Diversification {
    type Err = DiversifyError;

    fn from_str(name: &str) -> Result<Self, DiversifyError> {
        Self::named(name).ok_or(DiversifyError::Unknown)
    }
}

/// Returns what AES-CMAC is computed over for block `counter`, from 1, of key number `k`:
/// counter ‖ `000000` k `00` ‖ context. For whoever computes it in a token.
pub fn kdf3_input(counter: u8, k: u8, context: &[u8]) -> Vec<u8> {
    [&[counter, 0, 0, 0, k, 0], context].concat()
}

fn kdf3(master: &Key, k: u8, context: &[u8]) -> Key {
    // The counter stands first: the rest is the fixed input.
    let input = kdf3_input(0, k, context);
    let fixed = input.get(1..).unwrap_or_default();
    master.sibling(|out| counter_mode(master, &[], fixed, out))
}

/// Derives the one key of a chip that is opened by challenge and response from a master key
/// and a context of 1 to 32 bytes that only this chip has, its serial number for instance.
/// KDF3 with k = [`SINGLE_KEY`], as long as the master key: 16 or 24 bytes serve triple DES
/// as well. "none" gives the master key.
///
/// # Errors
/// [`DiversifyError::NoSingleKey`] for the other methods, [`DiversifyError::Context`].
pub fn diversify_one(
    method: Diversification,
    master: &Key,
    context: &[u8],
) -> Result<Key, DiversifyError> {
    match method {
        Diversification::None => Ok(master.clone()),
        Diversification::Kdf3 if (1..=MAX_CONTEXT).contains(&context.len()) => {
            Ok(kdf3(master, SINGLE_KEY, context))
        }
        Diversification::Kdf3 => Err(DiversifyError::Context(context.len())),
        Diversification::EmvCps11 | Diversification::Visa2 => {
            Err(DiversifyError::NoSingleKey(method))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::{KeyAlgorithm, kcv};
    use crate::gp::testing::{hex, key, vectors};
    use serde_json::Value;

    fn row_key(keys: StaticKeys, row: &Value) -> Key {
        match row["key_index"].as_u64().unwrap() {
            1 => keys.enc,
            2 => keys.mac,
            3 => keys.dek,
            other => panic!("key index {other}"),
        }
    }

    #[test]
    fn published_card_keys_come_out() {
        for (file, count, check, algorithm) in [
            ("kdf3.json", 10, "kcv_aes", KeyAlgorithm::Aes),
            ("emv_visa2.json", 6, "kcv_3des", KeyAlgorithm::TripleDes),
        ] {
            let file = vectors(file);
            let rows = file["vectors"].as_array().unwrap();
            assert_eq!(rows.len(), count);
            for row in rows {
                let method = match row["scheme"].as_str().unwrap() {
                    "EMV CPS 1.1" => Diversification::EmvCps11,
                    "VISA2" => Diversification::Visa2,
                    _ => Diversification::Kdf3,
                };
                let master = key(&row["master"]);
                let kdd = hex(&row["KDD"]).try_into().unwrap();
                let derived = row_key(method.keys(&master, &kdd).unwrap(), row);
                assert_eq!(derived, key(&row["derived"]), "{row}");
                assert_eq!(kcv(&derived, algorithm).unwrap()[..], hex(&row[check]));
            }
        }
    }

    #[test]
    fn none_gives_the_master_key_and_des_refuses_long_ones() {
        let master = Key::new(&[7; 32]).unwrap();
        let keys = Diversification::None.keys(&master, &[1; 10]).unwrap();
        assert!(keys.enc == master && keys.mac == master && keys.dek == master);
        for method in [Diversification::EmvCps11, Diversification::Visa2] {
            assert!(matches!(
                method.keys(&master, &[1; 10]),
                Err(DiversifyError::Master { .. })
            ));
            let triple = Key::new(&[7; 24]).unwrap();
            let keys = method.keys(&triple, &[1; 10]).unwrap();
            assert_eq!(keys.enc.as_bytes().len(), 16);
        }
    }

    #[test]
    fn single_keys_are_of_their_own() {
        let master = Key::new(&[9; 24]).unwrap();
        let one = diversify_one(Diversification::Kdf3, &master, &[1; 10]).unwrap();
        let set = Diversification::Kdf3.keys(&master, &[1; 10]).unwrap();
        assert_eq!(one.as_bytes().len(), 24);
        assert!(one != set.enc && one != set.mac && one != set.dek);
        // SP 800-108 over CMAC, by the function that the SP 800-108 vectors prove.
        let mut expected = [0; 24];
        let fixed = [&[0, 0, 0, 0x10, 0][..], &[1; 10]].concat();
        counter_mode(&master, &[], &fixed, &mut expected);
        assert_eq!(one.as_bytes(), expected);
        for length in [0, 33, 1000] {
            assert_eq!(
                diversify_one(Diversification::Kdf3, &master, &vec![0; length]),
                Err(DiversifyError::Context(length))
            );
        }
        for length in [1, 32] {
            assert!(diversify_one(Diversification::Kdf3, &master, &vec![0; length]).is_ok());
        }
        assert_eq!(
            diversify_one(Diversification::None, &master, &[]),
            Ok(master.clone())
        );
        assert_eq!(
            diversify_one(Diversification::Visa2, &master, &[1]),
            Err(DiversifyError::NoSingleKey(Diversification::Visa2))
        );
    }

    #[test]
    fn names_go_both_ways() {
        for method in Diversification::ALL {
            assert_eq!(Diversification::named(method.name()), Some(method));
            assert_eq!(method.to_string().parse(), Ok(method));
        }
        assert_eq!(Diversification::named("KDF3"), None);
        assert_eq!(
            "visa".parse::<Diversification>(),
            Err(DiversifyError::Unknown)
        );
    }
}
