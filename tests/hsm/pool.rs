//! Sessions and tokens that are lost in the middle, and what comes after.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};

use crate::error::HsmError;
use crate::keys::MasterKeySize;
use crate::module;
use crate::signer::{Curve, Signer};
use crate::test_support::{config, token, with_private_tokens};
use crate::token::Token;

/// The module of this process, as another part of the program would use it.
fn other_hand() -> Pkcs11 {
    module::load(&config()).unwrap().1
}

/// Starts the module anew, as after a restart of an HSM's client: every session is gone, with it
/// the login and the key handles.
fn restart() {
    let module = other_hand();
    module.clone().finalize().unwrap();
    let flags = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    module.initialize(flags).unwrap();
}

/// Ends the login of every session to the token.
fn log_out(token: &Token) {
    let module = other_hand();
    let slots = module.get_slots_with_initialized_token().unwrap();
    let is_ours = |slot: &cryptoki::slot::Slot| {
        module.get_token_info(*slot).unwrap().serial_number() == token.info().serial
    };
    let slot = slots.into_iter().find(is_ours).unwrap();
    // Another one may have ended it before.
    let _ = module.open_rw_session(slot).unwrap().logout();
}

fn tokens_folder() -> PathBuf {
    let configuration = std::env::var_os("SOFTHSM2_CONF").unwrap();
    Path::new(&configuration).with_file_name("tokens")
}

#[test]
fn sessions_that_are_closed_are_opened_again() {
    with_private_tokens(
        "pool::tests::sessions_that_are_closed_are_opened_again",
        || {
            let token = token("closed");
            token.generate_signing_key("ca", Curve::P384).unwrap();
            token
                .generate_master_key("master", MasterKeySize::Aes128)
                .unwrap();
            let (signer, kcv) = (token.signer("ca").unwrap(), token.kcv("master").unwrap());
            for _ in 0..3 {
                restart();
                signer.sign(b"after").unwrap();
                restart();
                assert_eq!(token.kcv("master").unwrap(), kcv);
                restart();
                token.diversify("master", &[3; 10]).unwrap();
                restart();
                assert_eq!(token.random(16).unwrap().len(), 16);
                restart();
                assert_eq!(token.keys().unwrap().len(), 2);
            }
            restart();
            token
                .generate_master_key("another", MasterKeySize::Aes128)
                .unwrap();
            assert_eq!(token.keys().unwrap().len(), 3);
        },
    );
}

#[test]
fn no_handle_of_before_is_used_after_a_restart() {
    with_private_tokens(
        "pool::tests::no_handle_of_before_is_used_after_a_restart",
        || {
            let token = token("handles");
            let labels = ["a", "b", "c", "d", "e", "f"];
            let kcvs = labels.map(|label| {
                token
                    .generate_master_key(label, MasterKeySize::Aes128)
                    .unwrap();
                token.kcv(label).unwrap()
            });
            // Handles are numbered anew by every start, in the order in which keys are looked for.
            for turn in 0..labels.len() {
                restart();
                if turn % 2 == 0 {
                    // The session that is lost goes with a refusal: none is left to notice.
                    assert!(token.kcv("no such key").is_err());
                    restart();
                }
                for at in (0..labels.len()).map(|at| (at + turn) % labels.len()) {
                    assert_eq!(token.kcv(labels[at]).unwrap(), kcvs[at]);
                }
            }
        },
    );
}

#[test]
fn threads_survive_the_loss_of_their_login() {
    with_private_tokens(
        "pool::tests::threads_survive_the_loss_of_their_login",
        || {
            let token = token("threads");
            token.generate_signing_key("ca", Curve::P256).unwrap();
            let signer = token.signer("ca").unwrap();
            let (signed, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        for _ in 0..40 {
                            match signer.sign(b"message") {
                                Ok(_) => signed.fetch_add(1, Ordering::Relaxed),
                                // Lost twice in one call: said, not hidden.
                                Err(HsmError::Device { .. }) => {
                                    refused.fetch_add(1, Ordering::Relaxed)
                                }
                                Err(error) => panic!("{error}"),
                            };
                        }
                    });
                }
                for _ in 0..20 {
                    log_out(&token);
                    std::thread::yield_now();
                }
            });
            assert_eq!(signed.into_inner() + refused.into_inner(), 8 * 40);
            signer.sign(b"afterwards").unwrap();
        },
    );
}

#[test]
fn a_token_that_is_gone_is_told_and_comes_back() {
    with_private_tokens(
        "pool::tests::a_token_that_is_gone_is_told_and_comes_back",
        || {
            let token = token("gone");
            token.generate_signing_key("ca", Curve::P384).unwrap();
            token
                .generate_master_key("master", MasterKeySize::Aes128)
                .unwrap();
            let signer = token.signer("ca").unwrap();
            let (before, keys) = (token.kcv("master").unwrap(), token.keys().unwrap());
            let (here, away) = (tokens_folder(), tokens_folder().with_file_name("away"));
            std::fs::rename(&here, &away).unwrap();
            // SoftHSM2 keeps what it has read; the next start finds nothing.
            other_hand().finalize().unwrap();
            let refused = [
                token
                    .generate_master_key("new", MasterKeySize::Aes128)
                    .unwrap_err(),
                token.kcv("master").unwrap_err(),
                signer.sign(b"in between").unwrap_err(),
            ];
            for error in refused {
                assert!(
                    matches!(error, HsmError::ModuleUnusable { .. }),
                    "{error:?}"
                );
            }
            std::fs::rename(&away, &here).unwrap();
            signer.sign(b"after").unwrap();
            assert_eq!(token.kcv("master").unwrap(), before);
            assert_eq!(token.keys().unwrap(), keys);
            token
                .generate_master_key("new", MasterKeySize::Aes128)
                .unwrap();
        },
    );
}
