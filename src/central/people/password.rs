//! Passwords: which are taken, and how they are kept (*NIST SP 800-63B-4 §3.1.1*).

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::error::{CentralError, Result};
use crate::people::token::random;

/// *RFC 9106 §4*, second recommended option: 64 MiB, three passes, four lanes.
const MEMORY_KIB: u32 = 1 << 16;
const PASSES: u32 = 3;
const LANES: u32 = 4;
const SALT: usize = 16;
const TAG: usize = 32;

/// The fewest characters of a password that is not alone: a second factor stands beside it.
const SHORTEST_BESIDE_FACTOR: usize = 10;

/// The fewest characters of one that is alone.
const SHORTEST_ALONE: usize = 15;

/// The most bytes; nobody types more, and each costs work.
const LONGEST: usize = 256;

/// How many passwords are hashed at once: each takes 64 MiB.
const AT_ONCE: usize = 2;

/// How many callers may wait for their turn before more are sent away.
const WAITING: usize = 64;

/// What attackers try first, in lower case, one a line; sorted.
const COMMONEST: &str = include_str!("commonest.txt");

/// Hashes passwords, a few at once.
pub(crate) struct Passwords {
    turns: Semaphore,
    waiting: Semaphore,
    /// A hash of nothing that anybody has: judged where there is no account, so that the time
    /// does not tell.
    decoy: String,
}

impl Passwords {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            turns: Semaphore::new(AT_ONCE),
            waiting: Semaphore::new(WAITING),
            decoy: hash(&random::<32>()?[..])?,
        })
    }

    /// Returns the PHC string of a password.
    pub(crate) async fn hash(&self, password: Zeroizing<String>) -> Result<String> {
        self.in_turn(move || hash(password.as_bytes())).await?
    }

    /// Tells whether this is the password of this PHC string; without one the answer is no, and
    /// takes as long.
    pub(crate) async fn verify(
        &self,
        password: Zeroizing<String>,
        known: Option<String>,
    ) -> Result<bool> {
        let there = known.is_some();
        let known = known.unwrap_or_else(|| self.decoy.clone());
        let fits = self.in_turn(move || verify(password.as_bytes(), &known));
        Ok(fits.await?? && there)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(CentralError::TooSoon { seconds: 5 });
        };
        let Ok(_turn) = self.turns.acquire().await else {
            return Err(CentralError::Ending);
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| CentralError::Ending)
    }
}

fn hash(password: &[u8]) -> Result<String> {
    let fault = |_| CentralError::damaged("the parameters of passwords");
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(TAG))
        .map_err(|_| CentralError::damaged("the parameters of passwords"))?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt = random::<SALT>()?;
    let hashed: PasswordHash = argon
        .hash_password_with_salt(password, &salt[..])
        .map_err(fault)?;
    Ok(hashed.to_string())
}

fn verify(password: &[u8], known: &str) -> Result<bool> {
    let known = PasswordHash::new(known).map_err(|_| CentralError::damaged("a password"))?;
    // The string's own parameters count: those of today may be others.
    Ok(Argon2::default().verify_password(password, &known).is_ok())
}

/// Returns a password as it is hashed: two ways to type one character are one.
pub(crate) fn normalized(password: &str) -> Option<Zeroizing<String>> {
    (password.len() <= LONGEST).then(|| Zeroizing::new(password.nfc().collect()))
}

/// Judges a password that a person chose, and returns it as it is hashed.
///
/// # Errors
/// [`CentralError::Invalid`], which does not repeat it.
pub(crate) fn chosen(password: &str, account: &str, alone: bool) -> Result<Zeroizing<String>> {
    let shortest = if alone {
        SHORTEST_ALONE
    } else {
        SHORTEST_BESIDE_FACTOR
    };
    let Some(password) = normalized(password) else {
        return Err(CentralError::invalid(format!(
            "a password has at most {LONGEST} bytes"
        )));
    };
    if password.chars().count() < shortest {
        return Err(CentralError::invalid(format!(
            "the password is too short: take at least {shortest} characters, a few words say"
        )));
    }
    if password.chars().any(char::is_control) {
        return Err(CentralError::invalid(
            "the password holds a character that no keyboard types",
        ));
    }
    let lower = Zeroizing::new(password.to_lowercase());
    let bare = Zeroizing::new(lower.replace([' ', '-', '_', '.'], ""));
    let common = |text: &str| COMMONEST.lines().any(|one| one == text);
    let guessable = common(&lower)
        || common(&bare)
        || repeats(&bare)
        || counts(&bare)
        || (account.len() >= 4 && bare.replace(account, "").chars().count() < shortest / 2)
        || bare.replace("zimogs", "").chars().count() < shortest / 2;
    if guessable {
        return Err(CentralError::invalid(
            "the password is one of those that are tried first; take a few words that nobody puts together",
        ));
    }
    Ok(password)
}

/// Tells whether a text is a short piece over and over.
fn repeats(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    (1..=4.min(characters.len() / 2)).any(|period| {
        characters
            .iter()
            .zip(characters.iter().skip(period))
            .all(|(one, other)| one == other)
    })
}

/// Tells whether a text counts up or down by one.
fn counts(text: &str) -> bool {
    let steps = |wanted: i64| {
        text.chars()
            .zip(text.chars().skip(1))
            .all(|(one, next)| i64::from(u32::from(next)) - i64::from(u32::from(one)) == wanted)
    };
    steps(1) || steps(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// *RFC 9106 §5.3*: the reference's own vector for Argon2id.
    #[test]
    fn the_vector_of_the_rfc() {
        let params = argon2::ParamsBuilder::new()
            .m_cost(32)
            .t_cost(3)
            .p_cost(4)
            .data(argon2::AssociatedData::new(&[4; 12]).unwrap())
            .output_len(32)
            .build()
            .unwrap();
        let argon = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params);
        let mut tag = [0; 32];
        argon
            .unwrap()
            .hash_password_into(&[1; 32], &[2; 16], &mut tag)
            .unwrap();
        assert_eq!(
            hex::encode(tag),
            "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
        );
    }

    #[test]
    fn a_password_is_kept_as_recommended_and_known_again() {
        let kept = hash("ābols uz galda stāv".as_bytes()).unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=65536,t=3,p=4$"),
            "{kept}"
        );
        assert!(verify("ābols uz galda stāv".as_bytes(), &kept).unwrap());
        assert!(!verify("ābols uz galda stāv.".as_bytes(), &kept).unwrap());
        assert_ne!(kept, hash("ābols uz galda stāv".as_bytes()).unwrap());
    }

    #[test]
    fn two_ways_to_type_a_character_are_one() {
        assert_eq!(normalized("a\u{304}bols"), normalized("ābols"));
    }

    #[test]
    fn the_list_is_sorted_and_lower_case() {
        let lines: Vec<_> = COMMONEST.lines().collect();
        assert!(
            lines
                .iter()
                .all(|line| *line == line.to_lowercase() && !line.is_empty())
        );
        assert!(lines.len() > 100);
    }

    #[test]
    fn what_is_guessed_first_is_not_taken() {
        for weak in [
            "short",
            "password1234",
            "Password 1234",
            "qwertyuiopasdfghjkl",
            "aaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabc",
            "abcdefghijklmnopqrs",
            "berta.berta.berta",
            "zimogszimogszimogs",
            "a password\u{7} with a bell",
        ] {
            assert!(chosen(weak, "berta", false).is_err(), "{weak}");
        }
        assert!(chosen(&"ā".repeat(300), "berta", false).is_err());
        assert!(chosen("zilonis pie loga", "berta", true).is_ok());
        assert!(chosen("zils zirgs7", "berta", false).is_ok());
        assert!(
            chosen("zils zirgs7", "berta", true).is_err(),
            "alone, it is too short"
        );
    }
}
