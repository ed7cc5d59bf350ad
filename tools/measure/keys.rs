//! What a key in SoftHSM2 does in a second, beside the same calls made bare through PKCS#11.

use std::error::Error;
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use hsm::{
    Curve, MasterKeySize, PinPolicy, PinSet, Secret, Signer, SoftHsmFolder, Token, TokenConfig,
    TokenSigner,
};

use crate::{Measured, Row, Wanted, in_turns};

const LABEL: &str = "measured";
/// Threads of the second half of the rows: one session each.
const THREADS: u32 = 8;
/// What one thread does in one turn.
const CALLS: u32 = if cfg!(test) { 4 } else { 400 };
/// Random bytes that one PIN is drawn from.
const DRAWN: usize = 32;

/// One kind of work: ours, and the least that PKCS#11 can take for it.
#[derive(Clone, Copy)]
enum Work {
    Sign,
    Derive,
    Pins,
}

/// Which row, how many a second, how many bare.
type Figure = (usize, f64, f64);

const ROWS: [(&str, Work, u32); 6] = [
    ("hsm p-384 signatures a second", Work::Sign, 1),
    ("hsm card key sets derived a second", Work::Derive, 1),
    ("hsm pin sets drawn a second", Work::Pins, 1),
    (
        "hsm p-384 signatures a second, 8 threads",
        Work::Sign,
        THREADS,
    ),
    (
        "hsm card key sets derived a second, 8 threads",
        Work::Derive,
        THREADS,
    ),
    (
        "hsm pin sets drawn a second, 8 threads",
        Work::Pins,
        THREADS,
    ),
];

/// Returns the names of the rows.
pub(crate) fn names() -> Vec<String> {
    ROWS.iter().map(|(name, ..)| (*name).to_owned()).collect()
}

/// Measures in a process of its own: SoftHSM2 learns its folder when it starts.
pub(crate) fn rows(wanted: Wanted<'_>) -> Measured {
    let folder = tempfile::tempdir()?;
    let tokens = SoftHsmFolder::prepare(folder.path())?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--keys", wanted.0.unwrap_or_default()]);
    let output = tokens.apply(&mut command).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let measured: Vec<Figure> = serde_json::from_slice(&output.stdout)?;
    let row = |(at, value, limit): Figure| {
        let (name, ..) = ROWS.get(at).ok_or("a row that is none")?;
        Ok(Row::new(name, value, "a second", limit))
    };
    measured.into_iter().map(row).collect()
}

/// Measures the wanted rows here.
pub(crate) fn measure(wanted: Wanted<'_>) -> Result<Vec<Figure>, Box<dyn Error>> {
    let bench = Bench::new()?;
    let mut measured = Vec::new();
    for (at, (name, work, threads)) in ROWS.into_iter().enumerate() {
        if !wanted.has(name) {
            continue;
        }
        let [ours, bare] = in_turns([&mut || seconds(threads, |_| bench.ours(work)), &mut || {
            let sessions = (0..threads).map(|_| bench.session());
            let sessions: Vec<_> = sessions.collect::<Result<_, _>>()?;
            seconds_of(sessions, |session| bench.bare(work, session))
        }])?;
        measured.push((at, 1.0 / ours, 1.0 / bare));
    }
    Ok(measured)
}

/// Returns what one piece of work takes, when so many threads do it.
fn seconds(
    threads: u32,
    work: impl Fn(&()) -> Result<(), Box<dyn Error>> + Sync,
) -> Result<f64, Box<dyn Error>> {
    seconds_of(vec![(); threads as usize], work)
}

fn seconds_of<T: Send>(
    held: Vec<T>,
    work: impl Fn(&T) -> Result<(), Box<dyn Error>> + Sync,
) -> Result<f64, Box<dyn Error>> {
    let done = f64::from(CALLS) * held.len() as f64;
    let started = Instant::now();
    let ended: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = held
            .into_iter()
            .map(|held| {
                scope.spawn(move || {
                    (0..CALLS).try_for_each(|_| work(&held).map_err(|error| error.to_string()))
                })
            })
            .collect();
        let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .map(|ended| ended.unwrap_or_else(|_| Err("a thread panicked".to_owned())))
            .collect()
    });
    let taken = started.elapsed().as_secs_f64();
    ended.into_iter().collect::<Result<(), _>>()?;
    Ok(taken / done)
}

/// The token, and the bare way to it.
struct Bench {
    token: Token,
    signer: TokenSigner,
    policies: Vec<(String, PinPolicy)>,
    module: Pkcs11,
    slot: Slot,
    private: ObjectHandle,
    master: ObjectHandle,
}

impl Bench {
    fn new() -> Result<Self, Box<dyn Error>> {
        let config = TokenConfig::parse(include_str!("../../hsm-config/softhsm2.toml"))?;
        let pin = || Secret::new("user-739184620518");
        let token = Token::initialize(&config, LABEL, &Secret::new("so-739184620518"), pin())?;
        token.generate_signing_key("ca", Curve::P384)?;
        token.generate_master_key("master", MasterKeySize::Aes128)?;
        let module = Pkcs11::new(&token.info().module)?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Pkcs11Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(error.into()),
        }
        let slots = module.get_slots_with_initialized_token()?;
        let slot = *slots.first().ok_or("no token")?;
        // The login is the token's: the open token keeps it.
        let session = module.open_rw_session(slot)?;
        let find = |class, label: &str| -> Result<ObjectHandle, Box<dyn Error>> {
            let template = [Attribute::Class(class), Attribute::Label(label.into())];
            let found = session.find_objects(&template)?;
            Ok(*found.first().ok_or("no key")?)
        };
        let digits = |name: &str, digits| Ok((name.to_owned(), PinPolicy::digits(digits)?));
        let policies: Result<_, Box<dyn Error>> = [("pin1", 4), ("pin2", 6), ("puk", 8)]
            .into_iter()
            .map(|(name, length)| digits(name, length))
            .collect();
        Ok(Self {
            signer: token.signer("ca")?,
            private: find(ObjectClass::PRIVATE_KEY, "ca")?,
            master: find(ObjectClass::SECRET_KEY, "master")?,
            policies: policies?,
            token,
            module,
            slot,
        })
    }

    fn session(&self) -> Result<Session, Pkcs11Error> {
        self.module.open_rw_session(self.slot)
    }

    fn ours(&self, work: Work) -> Result<(), Box<dyn Error>> {
        match work {
            Work::Sign => {
                black_box(self.signer.sign(&[0x5A; 64])?);
            }
            Work::Derive => {
                black_box(self.token.diversify("master", &[0x5A; 10])?);
            }
            Work::Pins => {
                black_box(PinSet::generate(&self.token, &self.policies)?);
            }
        }
        Ok(())
    }

    fn bare(&self, work: Work, session: &Session) -> Result<(), Box<dyn Error>> {
        match work {
            Work::Sign => {
                black_box(session.sign(&Mechanism::Ecdsa, self.private, &[0x5A; 48])?);
            }
            // Three keys of one block each.
            Work::Derive => {
                for _ in 0..3 {
                    let block = session.sign(&Mechanism::AesCMac, self.master, &[0x5A; 26])?;
                    black_box(block);
                }
            }
            Work::Pins => {
                for _ in 0..self.policies.len() {
                    black_box(session.generate_random_vec(DRAWN as u32)?);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{ROWS, measure};
    use crate::Wanted;

    #[test]
    fn every_row_is_measured() {
        hsm::test_support::with_private_tokens("keys::tests::every_row_is_measured", || {
            let measured = measure(Wanted(None)).unwrap();
            assert_eq!(measured.len(), ROWS.len());
            assert!(
                measured
                    .iter()
                    .all(|(_, value, limit)| *value > 1.0 && *limit > 1.0)
            );
        });
    }
}
