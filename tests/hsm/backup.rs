//! Backups: sealed, opened, refused; and the proof that a token has the keys of a manifest.

use card::cipher::{Key, KeyAlgorithm};
use proptest::prelude::*;

use super::{Backup, BackupError, BackupFile, is_path, pack, unpack};
use crate::keys::MasterKeySize;
use crate::record::Proof;
use crate::signer::Curve;
use crate::test_support::{token, with_private_tokens};
use crate::zone::KeyRole;

fn file(path: &str, content: &[u8]) -> BackupFile {
    BackupFile {
        path: path.into(),
        content: content.to_vec().into(),
    }
}

#[test]
fn a_backup_opens_for_its_key_alone() {
    with_private_tokens("backup::tests::a_backup_opens_for_its_key_alone", || {
        let token = token("backup");
        let key = Key::new(&[0x77; 32]).unwrap();
        token.import_master_key("backup", &key).unwrap();
        token.generate_signing_key("ca", Curve::P384).unwrap();
        token.generate_ed25519("log").unwrap();
        token.generate_envelope_key("envelope").unwrap();
        token
            .generate_master_key("short", MasterKeySize::Aes128)
            .unwrap();
        let files = [file("a/token.object", b"secret content"), file("a/b", b"")];
        let time = "2026-11-22T12:00:00Z";
        let backup = Backup::seal(&token, "backup", time.into(), &files).unwrap();
        let bytes = backup.to_bytes();
        assert!(!bytes.windows(6).any(|part| part == b"secret"));
        let read = Backup::parse(&bytes).unwrap();
        assert_eq!(read.manifest(), backup.manifest());
        assert!(read.open(&key).is_ok_and(|opened| opened == files));

        let other = Key::new(&[0x78; 32]).unwrap();
        assert!(matches!(
            read.open(&other),
            Err(BackupError::OtherKey { .. })
        ));
        for at in [40, bytes.len() - 40, bytes.len() - 1] {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            let opened = Backup::parse(&altered).and_then(|backup| backup.open(&key));
            assert!(opened.is_err(), "{at}");
        }
        let short = Backup::seal(&token, "short", time.into(), &files);
        assert!(matches!(short, Err(BackupError::BackupKey { .. })));

        // Two backups of the same have nothing in common.
        let again = Backup::seal(&token, "backup", time.into(), &files).unwrap();
        assert_ne!(again.sealed, backup.sealed);

        for record in &read.manifest().keys {
            assert_eq!(
                token.prove(record).unwrap(),
                Proof::Proved,
                "{}",
                record.label
            );
        }
        assert_eq!(read.manifest().keys.len(), 5);
        for (label, proof) in [("short", Proof::Missing), ("ca", Proof::Missing)] {
            token.destroy_key(label).unwrap();
            let record = read.manifest().keys.iter().find(|r| r.label == label);
            assert_eq!(token.prove(record.unwrap()).unwrap(), proof);
        }
        token
            .import_key(KeyRole::Master, "short", &other, KeyAlgorithm::Aes)
            .unwrap();
        token.generate_signing_key("ca", Curve::P384).unwrap();
        for label in ["short", "ca"] {
            let record = read.manifest().keys.iter().find(|r| r.label == label);
            assert_eq!(token.prove(record.unwrap()).unwrap(), Proof::Differs);
        }
    });
}

#[test]
fn no_file_leaves_its_folder() {
    for path in [
        "../x", "/x", "x/../y", "..", ".", "", "a//b", "a/", "a\\b", "ā", "a b",
    ] {
        assert!(!is_path(path), "{path}");
        assert!(pack(&[file(path, b"")]).is_err());
    }
    assert!(is_path("1b4c-77/token.object"));
    assert!(!is_path(&"a/".repeat(9)));
    let twice = pack(&[file("a", b"1"), file("a", b"2")]).unwrap();
    assert!(unpack(&twice).is_err());
}

proptest! {
    #[test]
    fn files_survive_and_other_bytes_are_refused(
        names in prop::collection::btree_set("[a-z0-9][a-z0-9.]{0,8}(/[a-z0-9-]{1,9})?", 0..6),
        content in prop::collection::vec(any::<u8>(), 0..100), cut in 1..50_usize,
    ) {
        let files: Vec<_> = names.iter().map(|name| file(name, &content)).collect();
        let archive = pack(&files).unwrap();
        prop_assert!(unpack(&archive).is_ok_and(|read| read == files));
        if let Some(shorter) = archive.len().checked_sub(cut) {
            let read = unpack(&archive[..shorter]);
            prop_assert!(read.is_err() || read.is_ok_and(|read| read.len() < files.len()));
        }
    }

    #[test]
    fn any_bytes_are_a_backup_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = unpack(&bytes);
        prop_assert!(Backup::parse(&bytes).is_err());
    }
}
