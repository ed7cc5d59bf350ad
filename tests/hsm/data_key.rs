use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key};

use super::{DATA_KEY_LENGTH, WRAPPED_DATA_KEY_LENGTH};
use crate::config::TokenConfig;
use crate::error::HsmError;
use crate::keys::MasterKeySize;
use crate::secret::Secret;
use crate::test_support::{PIN, token, with_private_tokens};
use crate::token::Token;
use crate::zone::KeyRole;

const KEY: [u8; DATA_KEY_LENGTH] = [0x5A; DATA_KEY_LENGTH];

#[test]
fn only_the_same_key_and_context_unwrap() {
    with_private_tokens(
        "data_key::tests::only_the_same_key_and_context_unwrap",
        || {
            let token = token("data");
            token.generate_wrapping_key("first").unwrap();
            token.generate_wrapping_key("second").unwrap();
            assert_eq!(token.key_attributes("first").unwrap().fault(), None);
            let wrapped = token.wrap_data_key("first", &KEY, b"for A").unwrap();
            assert_eq!(wrapped.len(), WRAPPED_DATA_KEY_LENGTH);
            let again = token.wrap_data_key("first", &KEY, b"for A").unwrap();
            assert_ne!(
                wrapped, again,
                "each has an initialization vector of its own"
            );
            let opened = token.unwrap_data_key("first", &wrapped, b"for A").unwrap();
            assert_eq!(*opened, KEY);

            let refused = |label: &str, wrapped: &[u8], context: &[u8]| {
                let opened = token.unwrap_data_key(label, wrapped, context);
                assert!(
                    matches!(opened, Err(HsmError::DataKey { .. })),
                    "{opened:?}"
                );
            };
            refused("first", &wrapped, b"for B");
            refused("second", &wrapped, b"for A");
            for place in 0..wrapped.len() {
                let mut altered = wrapped.clone();
                altered[place] ^= 1;
                refused("first", &altered, b"for A");
            }
            refused("first", &wrapped[1..], b"for A");
            refused("first", b"", b"for A");
            // The token is as it was.
            token.unwrap_data_key("first", &wrapped, b"for A").unwrap();
            token.destroy_key("first").unwrap();
            assert!(matches!(
                token.unwrap_data_key("first", &wrapped, b"for A"),
                Err(HsmError::KeyNotFound { .. })
            ));
        },
    );
}

/// The host's own AES-GCM under a key that both know.
#[test]
fn what_the_token_wraps_others_unwrap() {
    with_private_tokens(
        "data_key::tests::what_the_token_wraps_others_unwrap",
        || {
            let token = token("judge");
            let value = [0x24; 32];
            let template: Vec<_> = {
                use cryptoki::object::Attribute;
                let mut template = crate::keys::master_key_template("known");
                for attribute in &mut template {
                    if let Attribute::Decrypt(decrypt) = attribute {
                        *decrypt = true;
                    }
                }
                template
            };
            token.import_value("known", template, &value).unwrap();
            let wrapped = token.wrap_data_key("known", &KEY, b"context").unwrap();
            let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(value));
            let iv: [u8; 12] = wrapped[..12].try_into().unwrap();
            let sealed = Payload {
                msg: &wrapped[12..],
                aad: b"context",
            };
            assert_eq!(cipher.decrypt(&iv.into(), sealed).unwrap(), KEY);
        },
    );
}

/// *SP 800-38B, appendix D.3*: AES-256, examples of 0, 16, 40 and 64 bytes.
#[test]
fn a_keyed_digest_is_an_aes_cmac() {
    with_private_tokens("data_key::tests::a_keyed_digest_is_an_aes_cmac", || {
        let token = token("digest");
        let key = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
        let key = card::cipher::Key::new(&hex::decode(key).unwrap()).unwrap();
        token
            .import_key(
                KeyRole::Master,
                "index",
                &key,
                card::cipher::KeyAlgorithm::Aes,
            )
            .unwrap();
        let message = hex::decode(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        )
        .unwrap();
        let expected = [
            (0, "028962f61b7bf89efc6b551f4667d983"),
            (16, "28a7023f452e8f82bd4bf28d8c37c35c"),
            (40, "aaf3d8f1de5640c232f5b169b9c911e6"),
            (64, "e1992190549f6ed5696a2c056c315410"),
        ];
        for (length, mac) in expected {
            let digest = token.keyed_digest("index", &message[..length]).unwrap();
            assert_eq!(hex::encode(digest), mac);
        }
    });
}

#[test]
fn other_keys_wrap_nothing() {
    with_private_tokens("data_key::tests::other_keys_wrap_nothing", || {
        let first = token("small");
        first
            .generate_master_key("small", MasterKeySize::Aes128)
            .unwrap();
        assert!(matches!(
            first.wrap_data_key("small", &KEY, b""),
            Err(HsmError::KeyUnsuited { .. })
        ));
        drop(first);
        let text = include_str!("../../hsm-config/softhsm2.toml");
        let without = text.replace("data_keys = \"aes-gcm\"", "");
        let config = TokenConfig::parse(&without).unwrap();
        let token = Token::open(&config, "small", Secret::new(PIN)).unwrap();
        assert!(matches!(
            token.generate_wrapping_key("none"),
            Err(HsmError::NotConfigured { .. })
        ));
    });
}
