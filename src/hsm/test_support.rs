//! A throw-away SoftHSM2 token for tests.
//!
//! SoftHSM2 takes its folder from the environment of the process, so each test runs its body in a
//! process of its own: the test binary again, for that one test.

#![allow(
    clippy::unwrap_used,
    reason = "test code, also where it serves another crate's tests"
)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Secret, SoftHsmFolder, Token, TokenConfig};

const CHILD: &str = "ZIMOGS_TEST_TOKEN_FOLDER";

/// The PIN of every token that [`token`] makes.
pub const PIN: &str = "user-739184620518";

/// Runs `body` in a process whose SoftHSM2 folder is private and empty.
///
/// `test` is the test's full name (`module::tests::name`, without the crate's), as the test runner
/// takes it.
///
/// # Panics
/// Where the body fails, or where no test has that name.
pub fn with_private_tokens(test: &str, body: impl FnOnce()) {
    with_private_tokens_in(test, || vec![Environment::new()], body);
}

/// What a process finds in its environment beside what this one has.
pub type Environment = Vec<(&'static str, OsString)>;

/// As [`with_private_tokens`], once in each of these environments, one after the other.
///
/// # Panics
/// As [`with_private_tokens`].
pub fn with_private_tokens_in(
    test: &str,
    environments: impl FnOnce() -> Vec<Environment>,
    body: impl FnOnce(),
) {
    if let Some(folder) = std::env::var_os(CHILD) {
        std::fs::write(Path::new(&folder).join("ran"), b"").unwrap();
        body();
        return;
    }
    for environment in environments() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = SoftHsmFolder::prepare(folder.path()).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([test, "--exact", "--nocapture"])
            .envs(environment.clone())
            .env(CHILD, folder.path());
        let output = tokens.apply(&mut command).output().unwrap();
        assert!(
            output.status.success(),
            "{environment:?}\n{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            folder.path().join("ran").exists(),
            "no test is named {test}"
        );
    }
}

/// Returns the folder of this test alone; only within [`with_private_tokens`].
///
/// # Panics
/// Outside of it.
pub fn folder() -> PathBuf {
    std::env::var_os(CHILD).unwrap().into()
}

/// Returns the configuration that ships for SoftHSM2.
///
/// # Panics
/// Where it does not load.
pub fn config() -> TokenConfig {
    TokenConfig::parse(include_str!("../../hsm-config/softhsm2.toml")).unwrap()
}

/// Returns a new token with this label; only within [`with_private_tokens`].
///
/// # Panics
/// Where SoftHSM2 is not installed, or outside a private folder.
pub fn token(label: &str) -> Token {
    assert!(std::env::var_os(CHILD).is_some());
    let officer = Secret::new("officer-204968137");
    Token::initialize(&config(), label, &officer, Secret::new(PIN)).unwrap()
}
