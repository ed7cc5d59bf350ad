//! What the house keeps for itself: log, releases, keys.

pub(crate) fn audit_entry(bytes: &[u8]) {
    if let Ok(entry) = audit::Entry::decode(bytes) {
        assert!(
            entry.encode().is_ok_and(|again| again == bytes),
            "there is one spelling of an entry"
        );
    }
}

pub(crate) fn checkpoint(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = audit::SignedNote::parse(bytes);
    let _ = audit::Checkpoint::parse(text);
    let _ = text.parse::<audit::VerifierKey>();
}

pub(crate) fn profile_release(bytes: &[u8]) {
    if let Ok(release) = profile::Release::parse(bytes) {
        assert_eq!(
            release.to_string().as_bytes(),
            bytes,
            "there is one spelling of a release"
        );
        assert!(release.verify(&profile::Releasers::default()).is_err());
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(releasers) = profile::Releasers::parse(text) {
        let keys = releasers.keys().iter().map(|key| format!("{key}\n"));
        let again = profile::Releasers::parse(&keys.collect::<String>());
        assert!(
            again.is_ok_and(|again| again == releasers),
            "a list of releasers survives its text"
        );
    }
}

/// What people type and what lies on disks: shares, components, protocol entries, backups.
pub(crate) fn key_ceremony(bytes: &[u8]) {
    if let Ok(entry) = hsm::SignedEntry::parse(bytes) {
        assert_eq!(
            entry.to_string().as_bytes(),
            bytes,
            "there is one spelling of an entry"
        );
        assert!(entry.verify(&[]).is_err());
    }
    if let Ok(backup) = hsm::Backup::parse(bytes) {
        assert_eq!(backup.to_bytes(), bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = hsm::parse_component(text);
    let _ = hsm::KeyBlock::parse(text);
    let mut shares = Vec::new();
    for line in text.lines().take(20) {
        if let Ok(share) = hsm::KeyShare::parse(line) {
            let again = hsm::KeyShare::parse(&share.text());
            assert!(
                again.is_ok_and(|again| again == share),
                "a share survives its text"
            );
            shares.push(share);
        }
    }
    let _ = hsm::join_key(&shares);
}
