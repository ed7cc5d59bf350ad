//! Documents prepared in a second by one core, from an application to a signed EF.SOD, beside what
//! no preparation can do without: one hash over the same bytes and one signature.

use std::error::Error;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use cert::{Curve, EcdsaSignature, PublicKey};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use hsm::{Secret, Signer, SoftHsmFolder, Token, TokenConfig};
use openssl::hash::{MessageDigest, hash};
use pki::country::MessageSigner;

use crate::passport::{Files, Filled, Keys, Passport, keys, signer};
use crate::soft_key::SoftKey;
use crate::{Measured, Row, Wanted, in_turns, memory};

const RATE: &str = "lds documents prepared a second and core, soft key";
const WORK: &str = "lds time to prepare a document, soft key";
const TOKEN_RATE: &str = "lds documents prepared a second and core, SoftHSM2";
const TOKEN_WORK: &str = "lds time to prepare a document, SoftHSM2";
const MEMORY: &str = "lds memory to prepare a thousand documents";

/// Documents in one turn.
const DOCUMENTS: u32 = if cfg!(test) { 2 } else { 200 };

/// Documents for the memory.
const MANY: u32 = if cfg!(test) { 10 } else { 1_000 };

const LABEL: &str = "ds-1";

/// What is signed where nothing but a signature is measured: as long as a hash.
const MESSAGE: &[u8] = &[0x5A; 32];

/// Returns the names of the rows.
pub(crate) fn names() -> Vec<String> {
    [RATE, WORK, TOKEN_RATE, TOKEN_WORK, MEMORY]
        .map(str::to_owned)
        .into()
}

/// Measures.
pub(crate) fn rows(wanted: Wanted<'_>) -> Measured {
    let mut rows = Vec::new();
    if wanted.has(RATE) || wanted.has(WORK) {
        let Seconds { ours, least, work } = by_soft_key()?;
        rows.extend(limited([RATE, WORK], ours, least, work));
    }
    if wanted.has(TOKEN_RATE) || wanted.has(TOKEN_WORK) {
        let Seconds { ours, least, work } = in_token()?;
        rows.extend(limited([TOKEN_RATE, TOKEN_WORK], ours, least, work));
    }
    if wanted.has(MEMORY) {
        let row = memory::row(MEMORY, "--documents-memory")?;
        rows.push(row.beside("the files of one document"));
    }
    Ok(rows)
}

/// What one document takes.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Seconds {
    /// From an application to EF.SOD.
    ours: f64,
    /// One hash over all data groups and one signature, both by openssl.
    least: f64,
    /// The same with the signature made where the key is, and proved before anybody sees it.
    work: f64,
}

fn limited([rate, work]: [&str; 2], ours: f64, least: f64, needed: f64) -> [Row; 2] {
    [
        Row::new(rate, 1.0 / ours, "documents", 1.0 / least)
            .beside("one SHA-256 pass over the data groups and one P-256 signature, by openssl"),
        Row::new(work, ours * 1e6, "µs", needed * 1e6)
            .beside("that pass, one bare signature of this key, and the proof of it"),
    ]
}

fn by_soft_key() -> Result<Seconds, Box<dyn Error>> {
    let key = Arc::new(SoftKey::p256()?);
    let bare = Arc::clone(&key);
    measure(key, &mut || {
        black_box(bare.sign(MESSAGE)?);
        Ok(())
    })
}

/// Measures in a process of its own: SoftHSM2 learns its folder when it starts.
fn in_token() -> Result<Seconds, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let tokens = SoftHsmFolder::prepare(folder.path())?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--documents-in-token");
    let output = tokens.apply(&mut command).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Measures with a key in SoftHSM2, which has a folder here, and returns the figures in JSON.
pub(crate) fn measure_in_token() -> Result<String, Box<dyn Error>> {
    let config = TokenConfig::parse(include_str!("../../hsm-config/softhsm2.toml"))?;
    let pin = Secret::new("user-739184620518");
    let token = Token::initialize(&config, "measured", &Secret::new("so-739184620518"), pin)?;
    token.generate_signing_key(LABEL, hsm::Curve::P256)?;
    let module = Pkcs11::new(&token.info().module)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Pkcs11Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(error.into()),
    }
    let slots = module.get_slots_with_initialized_token()?;
    // The login is the token's: the open token keeps it.
    let session = module.open_rw_session(*slots.first().ok_or("no token")?)?;
    let template = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Label(LABEL.into()),
    ];
    let private = *session.find_objects(&template)?.first().ok_or("no key")?;
    let seconds = measure(Arc::new(token.signer(LABEL)?), &mut || {
        black_box(session.sign(&Mechanism::Ecdsa, private, MESSAGE)?);
        Ok(())
    })?;
    Ok(serde_json::to_string(&seconds)?)
}

/// Does something for each document of a turn, and returns the seconds for one.
fn each(act: &mut dyn FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let started = Instant::now();
    for _ in 0..DOCUMENTS {
        act()?;
    }
    Ok(started.elapsed().as_secs_f64() / f64::from(DOCUMENTS))
}

/// Measures with a signer's key; `sign` makes one signature of it with nothing around.
fn measure(
    key: Arc<dyn Signer>,
    sign: &mut dyn FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<Seconds, Box<dyn Error>> {
    let bench = Bench::new(Arc::clone(&key))?;
    let groups = bench.make()?.groups();
    let soft = SoftKey::p256()?;
    let public = PublicKey::from_spki_der(key.public_key_spki_der())?;
    let signature = EcdsaSignature::from_der(Curve::P256, &key.sign(MESSAGE)?)?;
    let [ours, hashed, signed, signed_there, proved] = in_turns([
        &mut || {
            each(&mut || {
                black_box(bench.make()?);
                Ok(())
            })
        },
        &mut || {
            each(&mut || {
                black_box(hash(MessageDigest::sha256(), &groups)?);
                Ok(())
            })
        },
        &mut || {
            each(&mut || {
                black_box(soft.sign(MESSAGE)?);
                Ok(())
            })
        },
        &mut || each(sign),
        &mut || {
            each(&mut || {
                public.verify_message(Curve::P256.hash(), MESSAGE, &signature)?;
                Ok(())
            })
        },
    ])?;
    Ok(Seconds {
        ours,
        least: hashed + signed,
        work: hashed + signed_there + proved,
    })
}

/// A passport, and who signs it.
struct Bench {
    passport: Passport,
    keys: Keys,
    signer: MessageSigner,
}

impl Bench {
    fn new(key: Arc<dyn Signer>) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            passport: Passport::new(Filled::Fingers)?,
            keys: keys()?,
            signer: signer(key)?,
        })
    }

    fn make(&self) -> Result<Files, Box<dyn Error>> {
        self.passport.make(&self.keys, &self.signer)
    }
}

/// Returns how much memory the preparation of many documents took, one after another, and how long
/// one is; both in MB.
pub(crate) fn many_memory() -> Result<(f64, f64), Box<dyn Error>> {
    let bench = Bench::new(Arc::new(SoftKey::p256()?))?;
    let (length, taken) = memory::taken(|| {
        let mut length = 0;
        for _ in 0..MANY {
            length = bench.make()?.length();
        }
        Ok(length)
    })?;
    Ok((taken, length as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_names() {
        let rows = rows(Wanted(Some("soft key"))).unwrap();
        let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, [RATE, WORK]);
        assert!(rows.iter().all(|row| row.value > 0.0));
    }

    #[test]
    fn a_token_signs_documents() {
        hsm::test_support::with_private_tokens("documents::tests::a_token_signs_documents", || {
            let seconds: Seconds = serde_json::from_str(&measure_in_token().unwrap()).unwrap();
            assert!(seconds.ours > 0.0 && seconds.least > 0.0, "{seconds:?}");
        });
    }

    #[test]
    fn the_length_of_a_document_is_told() {
        let (_, length) = many_memory().unwrap();
        assert!((0.038..0.042).contains(&length), "{length}");
    }
}
