//! Whether a token serves: looked at from the module up, each finding with what to do about it.

use std::path::PathBuf;

use cryptoki::context::Pkcs11;
use cryptoki::slot::Slot;

use crate::config::TokenConfig;
use crate::error::HsmError;
use crate::module;
use crate::secret::Secret;
use crate::token::{Token, find_token, needed_mechanisms};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Passed,
    /// It serves, and somebody should look.
    Warning,
    /// It does not serve.
    Failed,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do where it is not as it should be.
    pub remedy: Option<&'static str>,
}

/// The findings so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn passed(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, Verdict::Passed, found.into(), None);
    }

    fn warning(&mut self, check: &'static str, found: impl Into<String>, remedy: &'static str) {
        self.add(check, Verdict::Warning, found.into(), Some(remedy));
    }

    fn failed(&mut self, check: &'static str, error: &HsmError, remedy: &'static str) {
        let mut found = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            found = format!("{found}: {cause}");
            source = cause.source();
        }
        self.add(check, Verdict::Failed, found, Some(remedy));
    }

    fn add(
        &mut self,
        check: &'static str,
        verdict: Verdict,
        found: String,
        remedy: Option<&'static str>,
    ) {
        self.0.push(Finding {
            check,
            verdict,
            found,
            remedy,
        });
    }
}

/// Looks at everything that a token needs to serve, and stops where nothing more can be seen. The
/// PIN is tried once, and only where its token says that this is not the last try.
pub fn examine(config: &TokenConfig, label: &str, pin: Option<Secret>) -> Vec<Finding> {
    let mut findings = Findings::default();
    if let Some((module, slot)) = find(config, label, &mut findings) {
        mechanisms(config, &module, slot, &mut findings);
        let may_try = pin_state(&module, slot, &mut findings);
        match pin {
            Some(pin) if may_try => inside(config, label, pin, &mut findings),
            Some(_) => {}
            None => findings.warning(
                "login",
                "no PIN was given: nothing inside was looked at",
                "name a PIN file",
            ),
        }
    }
    findings.0
}

fn find(config: &TokenConfig, label: &str, findings: &mut Findings) -> Option<(Pkcs11, Slot)> {
    let (path, module): (PathBuf, Pkcs11) = match module::load(config) {
        Ok(loaded) => loaded,
        Err(error) => {
            let remedy = "install the maker's PKCS#11 library, or put its path into the file of the token kind";
            findings.failed("module", &error, remedy);
            return None;
        }
    };
    match module.get_library_info() {
        Ok(info) => findings.passed(
            "module",
            format!(
                "{}: {} {}, PKCS#11 {}",
                path.display(),
                info.library_description(),
                info.library_version(),
                info.cryptoki_version()
            ),
        ),
        Err(_) => findings.warning(
            "module",
            format!("{} does not describe itself", path.display()),
            "ask its maker whether it is the right one",
        ),
    }
    match find_token(&module, path, label) {
        Ok((slot, info)) => {
            findings.passed(
                "token",
                format!(
                    "\"{}\", serial number {}, {} {}",
                    info.label, info.serial, info.manufacturer, info.model
                ),
            );
            Some((module, slot))
        }
        Err(error) => {
            let remedy = "is the network there, is the client registered, does SOFTHSM2_CONF name the right folder? zimogs hsm init makes a new token";
            findings.failed("token", &error, remedy);
            None
        }
    }
}

fn mechanisms(config: &TokenConfig, module: &Pkcs11, slot: Slot, findings: &mut Findings) {
    let offered = match module.get_mechanism_list(slot) {
        Ok(offered) => offered,
        Err(source) => {
            let error = HsmError::Device {
                operation: "list its mechanisms",
                source,
            };
            findings.failed("mechanisms", &error, "restart the HSM's client");
            return;
        }
    };
    for (mechanism, purpose) in needed_mechanisms(config) {
        let found = format!("{mechanism} for {purpose}");
        if offered.contains(&mechanism) {
            findings.passed("mechanism", found);
        } else {
            let remedy = "choose another mechanism or \"none\" for this purpose in the file of the token kind, or have it enabled in the HSM";
            findings.add(
                "mechanism",
                Verdict::Failed,
                format!("no {found}"),
                Some(remedy),
            );
        }
    }
}

/// Looks at what the token says of PINs; returns whether one may be tried.
fn pin_state(module: &Pkcs11, slot: Slot, findings: &mut Findings) -> bool {
    let info = match module.get_token_info(slot) {
        Ok(info) => info,
        Err(source) => {
            let error = HsmError::Device {
                operation: "describe itself",
                source,
            };
            findings.failed("PIN", &error, "restart the HSM's client");
            return false;
        }
    };
    if !info.rng() {
        findings.warning(
            "random source",
            "the token says that it has none",
            "keys and PINs come from it: ask its maker",
        );
    }
    match info.utc_time() {
        Some(time) => findings.passed(
            "clock",
            format!(
                "the token has {}; the host's counts",
                time.as_iso8601_string()
            ),
        ),
        None => findings.passed("clock", "the token has none; the host's counts"),
    }
    let refused = if !info.user_pin_initialized() {
        Some((
            "the user has no PIN yet",
            "its security officer sets one: zimogs hsm init",
        ))
    } else if info.user_pin_locked() {
        Some((
            "the user's PIN is locked",
            "its security officer sets a new one",
        ))
    } else if info.user_pin_final_try() {
        Some((
            "one wrong PIN more and it is locked; it was not tried",
            "make sure that the PIN is right, then log in once with the maker's tool",
        ))
    } else {
        None
    };
    match refused {
        Some((found, remedy)) => {
            findings.add("PIN", Verdict::Failed, found.to_owned(), Some(remedy));
            false
        }
        None => {
            if info.user_pin_count_low() {
                findings.warning(
                    "PIN",
                    "a wrong PIN was tried since the last login",
                    "find out who tried it",
                );
            }
            true
        }
    }
}

fn inside(config: &TokenConfig, label: &str, pin: Secret, findings: &mut Findings) {
    let token = match Token::open(config, label, pin) {
        Ok(token) => token,
        Err(error) => {
            let remedy = "is it the right PIN file? It is not tried again: a token locks";
            findings.failed("login", &error, remedy);
            return;
        }
    };
    findings.passed("login", "the PIN is right");
    random(&token, findings);
    sessions(&token, findings);
    keys(&token, findings);
}

fn random(token: &Token, findings: &mut Findings) {
    match (token.random(32), token.random(32)) {
        (Ok(one), Ok(other)) if one == other => {
            findings.failed(
                "random source",
                &HsmError::RandomSourceStuck,
                "take the token out of service",
            );
        }
        (Ok(_), Ok(_)) => findings.passed("random source", "two draws of 32 bytes differ"),
        (Err(error), _) | (_, Err(error)) => {
            findings.failed("random source", &error, "keys and PINs come from it");
        }
    }
}

/// Uses as many sessions at once as are configured.
fn sessions(token: &Token, findings: &mut Findings) {
    let max = token.config().sessions().max;
    let barrier = std::sync::Barrier::new(max);
    let errors: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..max)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    token.random(8).err()
                })
            })
            .collect();
        let ended = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended.filter_map(Result::ok).flatten().collect()
    });
    match errors.first() {
        None => findings.passed("sessions", format!("{max} threads were served at once")),
        Some(error) => {
            let remedy =
                "lower sessions.max in the file of the token kind, or raise the HSM's limit";
            findings.failed("sessions", error, remedy);
        }
    }
}

fn keys(token: &Token, findings: &mut Findings) {
    let keys = match token.keys() {
        Ok(keys) => keys,
        Err(error) => {
            findings.failed("keys", &error, "restart the HSM's client");
            return;
        }
    };
    let mut sound = 0_usize;
    for (at, key) in keys.iter().enumerate() {
        let label = &key.label;
        if keys[..at].iter().any(|other| other.label == *label) {
            findings.add(
                "key",
                Verdict::Failed,
                format!("several keys are labelled \"{label}\": none of them can be used"),
                Some("rename or remove one with the maker's tool"),
            );
        }
        match key.attributes.fault() {
            None => sound += 1,
            // A transport key is meant to be so; a key pair never is.
            Some(fault) if key.kind.is_secret() => findings.warning(
                "key",
                format!("\"{label}\" can leave the token ({fault})"),
                "right for a transport key; anything else must be made anew",
            ),
            Some(fault) => findings.add(
                "key",
                Verdict::Failed,
                format!("\"{label}\" can leave the token ({fault})"),
                Some("make a new key, and let nothing trust this one"),
            ),
        }
    }
    findings.passed(
        "keys",
        format!(
            "{} keys, {sound} of them cannot leave the token",
            keys.len()
        ),
    );
}

#[cfg(test)]
mod tests {
    use card::cipher::{Key, KeyAlgorithm};

    use super::{Verdict, examine};
    use crate::config::TokenConfig;
    use crate::secret::Secret;
    use crate::signer::Curve;
    use crate::test_support::{PIN, config, token, with_private_tokens};

    fn verdicts(findings: &[super::Finding], check: &str) -> Vec<Verdict> {
        let those = findings.iter().filter(|finding| finding.check == check);
        those.map(|finding| finding.verdict).collect()
    }

    #[test]
    fn every_floor_is_looked_at() {
        with_private_tokens("examine::tests::every_floor_is_looked_at", || {
            let token = token("looked at");
            token.generate_signing_key("ca", Curve::P384).unwrap();
            let pin = || Some(Secret::new(PIN));
            let sound = examine(&config(), "looked at", pin());
            assert!(
                sound.iter().all(|f| f.verdict == Verdict::Passed),
                "{sound:?}"
            );
            assert!(verdicts(&sound, "mechanism").len() >= 8);

            let key = Key::new(&[1; 16]).unwrap();
            token
                .import_transport_key("maker", &key, KeyAlgorithm::Aes)
                .unwrap();
            let found = examine(&config(), "looked at", pin());
            assert_eq!(verdicts(&found, "key"), [Verdict::Warning]);

            let found = examine(&config(), "elsewhere", pin());
            assert_eq!(verdicts(&found, "token"), [Verdict::Failed]);
            let found = examine(&config(), "looked at", Some(Secret::new("wrong pin")));
            assert_eq!(verdicts(&found, "login"), [Verdict::Failed]);
            let found = examine(&config(), "looked at", None);
            assert_eq!(verdicts(&found, "login"), [Verdict::Warning]);
            assert!(!format!("{found:?}").contains(PIN));
        });
    }

    #[test]
    fn a_missing_module_is_the_only_finding() {
        let text = include_str!("../../hsm-config/softhsm2.toml");
        let absent = text.replace("/lib", "/no-lib").replace("/opt", "/no-opt");
        let found = examine(&TokenConfig::parse(&absent).unwrap(), "x", None);
        assert_eq!(found.len(), 1);
        assert_eq!(verdicts(&found, "module"), [Verdict::Failed]);
    }
}
