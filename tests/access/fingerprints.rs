//! Fingerprints behind terminal authentication: the EAC PKI's certificates, our terminal, and the
//! chip that somebody else wrote with openssl.

use card::{Channel, Command, Status};
use cert::cvc::{Chat, HolderReference, Right, Role};
use jiff::ToSpan;
use jiff::civil::Date;

use crate::border::{Issuer, Kind, START};
use crate::inspection::{Door, FINGERPRINTS, GENERIC, Inspection, MAPPED, SHORT, inspect, open};
use crate::issuer::{CAN, Issued, NUMBER, issue_guarded, mrz};
use crate::{
    ChipAuthenticationChoice, EphemeralKey, FileName, LDS1, PaceChoice, Password, Secured,
    SecurityInfos, SystemRandom, TerminalAuthenticationError as E, TerminalBinding,
    TerminalVersion, authenticate_chip, read_file, read_trust_points, select_application,
    select_master_file,
};

fn after(days: i64) -> Date {
    START.checked_add(days.days()).unwrap()
}

/// A border on P-256 with a chip that trusts it.
fn border() -> (Issuer, Issuer, Issued) {
    let cvca = Issuer::cvca(Kind::P256, "LVCVCA", START);
    let verifier = cvca.verifier("LVDVLV00001", START);
    let chip = issue_guarded(GENERIC, cvca.certificate());
    (cvca, verifier, chip)
}

/// Demands that the chip refused this holder's certificate.
#[track_caller]
fn refused(result: Result<(), E>, whose: &str) {
    match result {
        Err(E::Certificate { holder, status }) => {
            assert_eq!(holder.to_string(), whose);
            assert_eq!(status, Status::AUTHENTICATION_FAILED);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn fingerprints_want_chip_and_terminal_authentication() {
    for kind in [Kind::P256, Kind::P384, Kind::Brainpool256, Kind::Rsa] {
        let cvca = Issuer::cvca(kind, "LVCVCA", START);
        let verifier = cvca.verifier("LVDVLV00001", START);
        let terminal = verifier.terminal("LVIS00001", FINGERPRINTS, START);
        let mut chip = issue_guarded(GENERIC, cvca.certificate());
        let extended = chip.limits;
        for (limits, door) in [
            (extended, Door::Pace),
            (SHORT, Door::Pace),
            (extended, Door::Basic),
            (SHORT, Door::Basic),
        ] {
            // An RSA signature does not fit into a short command, and comes in no chain.
            if matches!(kind, Kind::Rsa) && !limits.extended {
                continue;
            }
            chip.limits = limits;
            let mut inspection = open(&mut chip, door);
            inspection.reads_nothing();
            inspection.authenticate_chip();
            assert_eq!(inspection.trusted, ["LVCVCA00001".parse().unwrap()]);
            inspection.reads_nothing();
            let proved = inspection.prove(&terminal);
            proved.unwrap_or_else(|error| panic!("{kind:?}, {door:?}: {error}"));
            inspection.reads();
            // Begun anew, and nothing is left of it after a reset either.
            inspection.authenticate_chip();
            inspection.reads_nothing();
            inspection.prove(&terminal).unwrap();
            inspection.reads();
        }
        inspect(&mut chip).reads_nothing();
    }
}

#[test]
fn who_is_not_entitled_reads_nothing() {
    let (_cvca, verifier, mut chip) = border();
    let good = verifier.terminal("LVIS00001", FINGERPRINTS, START);

    // Certificates for irises, and for nothing: accepted, and worth no fingerprints.
    for (name, rights) in [("LVIRIS00001", &[Right::ReadIris][..]), ("LVNIL00001", &[])] {
        let other = verifier.terminal(name, rights, START);
        let mut inspection = inspect(&mut chip);
        inspection.prove(&other).unwrap();
        inspection.reads_nothing();
        // Another terminal's proof counts for itself.
        inspection.prove(&good).unwrap();
        inspection.reads();
        // And an attempt with another key ends what was proved.
        let failed = inspection.prove_with(&good, &*other.key).unwrap_err();
        assert!(matches!(failed, E::Refused(Status::AUTHENTICATION_FAILED)));
        inspection.reads_nothing();
    }

    // A state that the chip does not know, and one that says that it is this one.
    let foreign = Issuer::cvca(Kind::P256, "EECVCA", START);
    let foreign = foreign.verifier("EEDVEE00001", START);
    let foreign = foreign.terminal("EEIS00001", FINGERPRINTS, START);
    let mut inspection = inspect(&mut chip);
    let no_path = inspection.prove(&foreign).unwrap_err();
    assert!(matches!(no_path, E::NoPath { .. }), "{no_path}");
    let pretender = Issuer::cvca(Kind::P256, "LVCVCA", START);
    let pretender = pretender.verifier("LVDVLV00001", START);
    let pretender = pretender.terminal("LVIS00001", FINGERPRINTS, START);
    refused(inspection.prove(&pretender), "LVDVLV00001");
    inspection.reads_nothing();
    inspection.prove(&good).unwrap();
    inspection.reads();
}

#[test]
fn a_chip_learns_the_day_from_its_own_state() {
    let (cvca, verifier, mut chip) = border();
    let first = verifier.terminal("LVIS00001", FINGERPRINTS, START);
    let last_day = verifier.terminal("LVIS00002", FINGERPRINTS, after(28));
    let later = verifier.terminal("LVIS00003", FINGERPRINTS, after(29));
    // A foreign verifier's terminals teach nothing; and the verifiers themselves do.
    let foreign = cvca.verifier("EEDVEE00001", START);
    let far = foreign.terminal("EEIS00001", FINGERPRINTS, after(50));
    for terminal in [&far, &first, &last_day, &first] {
        let mut inspection = inspect(&mut chip);
        inspection.prove(terminal).unwrap();
        inspection.reads();
    }
    inspect(&mut chip).prove(&later).unwrap();
    let mut inspection = inspect(&mut chip);
    refused(inspection.prove(&first), "LVIS00001");
    inspection.reads_nothing();
    inspection.prove(&later).unwrap();
    inspection.reads();

    let (cvca, verifier, mut chip) = border();
    let first = verifier.terminal("LVIS00001", FINGERPRINTS, START);
    let foreign = cvca.verifier("EEDVEE00001", after(40));
    let far = foreign.terminal("EEIS00001", FINGERPRINTS, after(40));
    inspect(&mut chip).prove(&far).unwrap();
    refused(inspect(&mut chip).prove(&first), "LVIS00001");
}

#[test]
fn trust_moves_on_by_links() {
    let (first, old_verifier, mut chip) = border();
    let old = old_verifier.terminal("LVIS00001", FINGERPRINTS, START);
    // The next key is on another curve; the one after it comes when the first has expired.
    let (second, link) = first.renewed(Kind::P384, after(10));
    let new = second.verifier("LVDVLV00002", after(10));
    let new = new.terminal("LVIS00002", FINGERPRINTS, after(10));
    let without = inspect(&mut chip).prove(&new).unwrap_err();
    assert!(matches!(without, E::NoPath { .. }), "{without}");
    let new = new.with(&[&link]);
    let mut inspection = inspect(&mut chip);
    inspection.prove(&new).unwrap();
    inspection.reads();
    let names = |names: &[&str]| -> Vec<HolderReference> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    };
    // From now on both: the link is not sent again, and the first still has terminals.
    for terminal in [&new, &old] {
        let mut inspection = inspect(&mut chip);
        assert_eq!(inspection.trusted, names(&["LVCVCA00002", "LVCVCA00001"]));
        inspection.prove(terminal).unwrap();
        inspection.reads();
    }
    let (third, next_link) = second.renewed(Kind::P256, after(735));
    let third = third.verifier("LVDVLV00003", after(735));
    let newest = third.terminal("LVIS00003", FINGERPRINTS, after(735));
    let newest = newest.with(&[&link, &next_link]);
    // A chip that was in a drawer meanwhile goes two steps at once.
    let mut drawer = issue_guarded(GENERIC, first.certificate());
    for chip in [&mut chip, &mut drawer] {
        let mut inspection = inspect(chip);
        inspection.prove(&newest).unwrap();
        inspection.reads();
        let mut inspection = inspect(chip);
        assert_eq!(inspection.trusted, names(&["LVCVCA00003", "LVCVCA00002"]));
        let gone = inspection.prove(&old).unwrap_err();
        assert!(matches!(gone, E::NoPath { .. }), "{gone}");
        refused(inspection.prove(&new), "LVDVLV00002");
        inspection.reads_nothing();
        inspection.prove(&newest).unwrap();
        inspection.reads();
    }
}

#[test]
fn what_an_expired_trust_point_certified_is_over() {
    let (first, _, mut chip) = border();
    // Issued while the first key held; the chip learns a later day by the second.
    let late = first.verifier("LVDVLV00002", after(646));
    let late = late.terminal("LVIS00001", FINGERPRINTS, after(702));
    let (second, link) = first.renewed(Kind::P256, after(700));
    let mut inspection = inspect(&mut chip);
    inspection.prove(&late).unwrap();
    let verifier = second.verifier("LVDVLV00003", after(731));
    let terminal = verifier.terminal("LVIS00002", FINGERPRINTS, after(731));
    inspection.prove(&terminal.with(&[&link])).unwrap();
    inspection.reads();
    let mut inspection = inspect(&mut chip);
    assert_eq!(inspection.trusted.len(), 2);
    refused(inspection.prove(&late), "LVDVLV00002");
}

#[test]
fn chip_authentication_mapping_stands_for_chip_authentication() {
    let cvca = Issuer::cvca(Kind::P256, "LVCVCA", START);
    let verifier = cvca.verifier("LVDVLV00001", START);
    let terminal = verifier.terminal("LVIS00001", FINGERPRINTS, START);
    let mut chip = issue_guarded(MAPPED, cvca.certificate());
    let access = chip.card_access();
    let choice = PaceChoice::best(&access).unwrap();
    let outcome = chip.pace(&choice, &Password::mrz(mrz(NUMBER))).unwrap();
    let limits = chip.limits;
    let mut session = Secured::new(&mut chip.channel, outcome.messaging, limits);
    let inside = session.limits();
    let file = read_file(&mut session, &inside, FileName::Identifier(0x011D), 4096).unwrap();
    let signed = SecurityInfos::parse(&file).unwrap();
    let mut keys = signed.chip_authentication_keys();
    let key = keys.find(|key| key.key_id == Some(13)).unwrap();
    let proof = outcome.chip_key.unwrap();
    proof.verify(&key.key().unwrap()).unwrap();
    select_application(&mut session, &inside, &LDS1).unwrap();
    let trusted = read_trust_points(&mut session, &inside, &signed).unwrap();
    let mut inspection = Inspection {
        session,
        trusted,
        binding: TerminalBinding {
            chip: outcome.chip_id,
            key: outcome.terminal_key,
            version: TerminalVersion::One,
        },
    };
    inspection.reads_nothing();
    inspection.prove(&terminal).unwrap();
    inspection.reads();
}

#[test]
fn version_two_announces_what_chip_authentication_then_uses() {
    let (_cvca, verifier, mut chip) = border();
    let terminal = verifier.terminal("LVIS00001", FINGERPRINTS, START);
    // What is said at PACE is the most that is got.
    for (said, readable) in [(FINGERPRINTS, true), (&[Right::ReadIris][..], false)] {
        let access = chip.card_access();
        let choice = PaceChoice::best(&access).unwrap();
        let chat = Chat::inspection(Role::Terminal, said).to_der();
        let can = Password::can(CAN).unwrap();
        let outcome = chip.pace_as(&choice, &can, Some(&chat)).unwrap();
        let trusted = outcome.trust_points();
        assert_eq!(trusted, ["LVCVCA00001".parse().unwrap()]);
        let limits = chip.limits;
        let mut session = Secured::new(&mut chip.channel, outcome.messaging, limits);
        let inside = session.limits();
        select_master_file(&mut session, &inside).unwrap();
        let file = read_file(&mut session, &inside, FileName::Short(0x1D), 4096).unwrap();
        let signed = SecurityInfos::parse(&file).unwrap();
        let choice = ChipAuthenticationChoice::best(&signed, 2).unwrap();
        let group = choice.key().parameters();
        let [key, other] =
            [(); 2].map(|()| EphemeralKey::generate(group, &mut SystemRandom).unwrap());
        let mut inspection = Inspection {
            session,
            trusted,
            binding: TerminalBinding {
                chip: outcome.chip_id,
                key: key.compressed().to_vec(),
                version: TerminalVersion::Two {
                    auxiliary: Vec::new(),
                },
            },
        };
        inspection.prove(&terminal).unwrap();
        let session = &mut inspection.session;
        let probe = Command::new(0, 0xA4, 0x00, 0x0C);
        // Another key than the announced one is refused, the chip proves itself by its token.
        let error = authenticate_chip(session, &choice, &other, &probe).unwrap_err();
        assert!(error.to_string().contains("6300"), "{error}");
        assert!(
            authenticate_chip(session, &choice, &key, &probe)
                .unwrap()
                .is_none()
        );
        let inside = session.limits();
        select_application(session, &inside, &LDS1).unwrap();
        match readable {
            true => inspection.reads(),
            false => inspection.reads_nothing(),
        }
    }
}

#[test]
fn a_session_s_end_is_the_end_of_its_rights() {
    let (_cvca, verifier, mut chip) = border();
    let terminal = verifier.terminal("LVIS00001", FINGERPRINTS, START);
    let mut inspection = inspect(&mut chip);
    inspection.prove(&terminal).unwrap();
    inspection.reads();
    // The key of an earlier session proves nothing in the next.
    let earlier = inspection.binding.clone();
    drop(inspection);
    chip.channel.reset().unwrap();
    let mut inspection = inspect(&mut chip);
    inspection.reads_nothing();
    for stale in [
        TerminalBinding {
            chip: inspection.binding.chip.clone(),
            ..earlier.clone()
        },
        TerminalBinding {
            key: inspection.binding.key.clone(),
            ..earlier
        },
    ] {
        let right = std::mem::replace(&mut inspection.binding, stale);
        let refused = inspection.prove(&terminal).unwrap_err();
        assert!(matches!(refused, E::Refused(Status::AUTHENTICATION_FAILED)));
        inspection.reads_nothing();
        inspection.binding = right;
    }
    inspection.prove(&terminal).unwrap();
    inspection.reads();
}
