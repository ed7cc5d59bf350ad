//! The terminal proves itself: Terminal Authentication, and what the chip learns from
//! certificates.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Padding;
use openssl::sha::sha256;
use openssl::sign::{RsaPssSaltlen, Signer};

use super::authority::{CVCA, DOMESTIC, FOREIGN, Party, Say, TERMINAL, say};
use super::border::{AES, Border, NID, guarded, pace};
use super::reader::{Reader, Tunnel, at, decode, encode, group, object, pair, times, x};
use crate::vectors::{Row, load, unhex};

#[test]
fn fingerprints_want_chip_and_terminal_authentication() {
    let border = Border::new(DOMESTIC, 0x01);
    let (desk, public) = guarded(&border.trusted);
    let mut reader = pace(desk);
    reader.enter();
    reader.reads_fingerprints(0x6982);
    reader.authenticate_chip(&public);
    reader.reads_fingerprints(0x6982);
    assert_eq!(reader.inspect(&border), 0x9000);
    reader.reads_fingerprints(0x9000);
    // Its certificate gives no right to irises.
    reader.expect("00A4020C", "0104", 0x9000);
    reader.expect("00B00000", "", 0x6700);
    assert_eq!(reader.send("00B00000", &[], Some(4)).1, 0x6982);
    // Chip authentication anew begins the inspection anew.
    reader.authenticate_chip(&public);
    reader.reads_fingerprints(0x6982);
    // A reset forgets everything.
    let mut desk = reader.desk;
    crate::applet::Applet::reset(&mut desk.chip);
    let mut reader = pace(desk);
    reader.enter();
    reader.reads_fingerprints(0x6982);
}

#[test]
fn behind_basic_access_control_the_number_is_the_identifier() {
    let border = Border::new(DOMESTIC, TERMINAL);
    let (desk, public) = guarded(&border.trusted);
    let mut reader = Reader::bac(desk);
    reader.authenticate_chip(&public);
    assert_eq!(reader.inspect(&border), 0x9000);
    reader.reads_fingerprints(0x9000);
    assert_eq!(reader.read("0104", 20), [0x76; 20]);
}

/// Takes `7F4E ‖ 5F37` out of a certificate.
fn inside(row: &Row, name: &str) -> Vec<u8> {
    at(&row.bytes(name), &[0x7F21])
}

/// Signs as the terminal of a chain does.
fn signed(row: &Row, message: &[u8]) -> Vec<u8> {
    let key = PKey::private_key_from_pkcs8(&row.bytes("terminal_private")).unwrap();
    let scheme = row.text("scheme");
    if scheme.starts_with("RSA") {
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        if scheme.starts_with("RSA_PSS") {
            signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
            signer
                .set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)
                .unwrap();
        }
        return signer.sign_oneshot_to_vec(message).unwrap();
    }
    let (hash, width) = match scheme {
        "ECDSA_SHA_384" => (openssl::sha::sha384(message).to_vec(), 48),
        _ => (sha256(message).to_vec(), 32),
    };
    let key = key.ec_key().unwrap();
    let signature = openssl::ecdsa::EcdsaSig::sign(&hash, &key).unwrap();
    let [r, s] = [signature.r(), signature.s()].map(|n| n.to_vec_padded(width).unwrap());
    [r, s].concat()
}

#[test]
fn chains_of_another_program_are_believed() {
    let chains = load("icao9303-11/chip_cv_chains.json").rows("chains");
    assert_eq!(chains.len(), 4);
    for row in chains {
        let scheme = row.text("scheme");
        let (desk, public) = guarded(&inside(&row, "cvca"));
        let mut reader = pace(desk);
        reader.enter();
        reader.authenticate_chip(&public);
        let status = reader.bring("LVCVCA00001", &inside(&row, "verifier"));
        assert_eq!(status, 0x9000, "{scheme}");
        let status = reader.bring("LVDVLV00001", &inside(&row, "terminal"));
        assert_eq!(status, 0x9000, "{scheme}");
        let status = reader.prove("LVISLV00001", &|message| signed(&row, message));
        assert_eq!(status, 0x9000, "{scheme}");
        reader.reads_fingerprints(0x9000);
        // A link certificate makes a trust point, which outlasts the power.
        let status = reader.bring("LVCVCA00001", &inside(&row, "link"));
        assert_eq!(status, 0x9000, "{scheme}");
        let mut reader = pace(reader.desk.woken());
        reader.enter();
        let named = "420B 4C564356434130303030 32 420B 4C564356434130303030 31";
        let mut expected = unhex(named);
        expected.resize(36, 0);
        assert_eq!(reader.read("011C", 36), expected, "{scheme}");
    }
}

#[test]
fn a_terminal_that_is_not_entitled_is_refused() {
    let border = Border::new(DOMESTIC, TERMINAL);
    let Border {
        cvca,
        verifier,
        terminal,
        ..
    } = &border;
    let stranger = Party::new("LVCVCA00001");
    let unknown = Party::new("LVDVLV00009");
    let mut flipped = border.for_verifier.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let other_kind = Say {
        kind: 2,
        ..say(DOMESTIC, "260201", "260801")
    };
    let with_parameters = Say {
        parameters: true,
        ..say(DOMESTIC, "260201", "260801")
    };
    let of_verifier = say(DOMESTIC, "260201", "260801");
    let of_terminal = say(TERMINAL, "260301", "260401");
    for (authority, certificate, status) in [
        // Nobody's, a wrong signature, another's name.
        ("LVCVCA00009", border.for_verifier.clone(), 0x6A88),
        ("LVCVCA00001", flipped, 0x6300),
        (
            "LVCVCA00001",
            stranger.certify(verifier, &of_verifier),
            0x6300,
        ),
        (
            "LVCVCA00001",
            unknown.certify(verifier, &of_verifier),
            0x6300,
        ),
        // A terminal directly below the trust point.
        ("LVCVCA00001", cvca.certify(terminal, &of_terminal), 0x6300),
        // Expired, of an authentication terminal, on a curve of its own, no certificate.
        (
            "LVCVCA00001",
            cvca.certify(verifier, &say(DOMESTIC, "250101", "251231")),
            0x6300,
        ),
        ("LVCVCA00001", cvca.certify(verifier, &other_kind), 0x6A80),
        (
            "LVCVCA00001",
            cvca.certify(verifier, &with_parameters),
            0x6A80,
        ),
        (
            "LVCVCA00001",
            cvca.certify(verifier, &say(DOMESTIC, "261301", "270101")),
            0x6A80,
        ),
        (
            "LVCVCA00001",
            cvca.certify(verifier, &say(DOMESTIC, "270101", "260101")),
            0x6A80,
        ),
        ("LVCVCA00001", border.for_verifier[..100].to_vec(), 0x6A80),
        ("LVCVCA00001", vec![], 0x6A80),
    ] {
        let (desk, public) = guarded(&border.trusted);
        let mut reader = pace(desk);
        reader.enter();
        reader.authenticate_chip(&public);
        assert_eq!(reader.bring(authority, &certificate), status);
        // Nothing was learned of it.
        assert_eq!(reader.bring("LVDVLV00001", &border.for_terminal), 0x6A88);
        assert_eq!(reader.inspect(&border), 0x9000);
    }
    let (desk, public) = guarded(&border.trusted);
    let mut reader = pace(desk);
    reader.enter();
    // Certificates may come first, the proof only behind chip authentication.
    assert_eq!(reader.bring("LVCVCA00001", &border.for_verifier), 0x9000);
    assert_eq!(reader.bring("LVDVLV00001", &border.for_terminal), 0x9000);
    let proof = |message: &[u8]| terminal.sign(message);
    assert_eq!(reader.prove("LVISLV00001", &proof), 0x6985);
    reader.authenticate_chip(&public);
    assert_eq!(reader.prove("LVDVLV00001", &proof), 0x6A88);
    // A wrong signature, no signature, no challenge.
    assert_eq!(
        reader.prove("LVISLV00001", &|message| verifier.sign(message)),
        0x6300
    );
    assert_eq!(reader.prove("LVISLV00001", &|_| vec![1; 63]), 0x6300);
    reader.expect(
        "002281A4",
        &hex::encode(object("83", b"LVISLV00001")),
        0x9000,
    );
    reader.expect("00820000", &"00".repeat(64), 0x6985);
    reader.reads_fingerprints(0x6982);
    // PSO without MSE, of another kind.
    let (_, status) = reader.send("002A00BE", &border.for_verifier, None);
    assert_eq!(status, 0x6985);
    assert_eq!(reader.send("002A00AE", &[1], None).1, 0x6A86);
    assert_eq!(reader.prove("LVISLV00001", &proof), 0x9000);
    reader.reads_fingerprints(0x9000);
    // What was proved ends with a failed attempt.
    assert_eq!(reader.prove("LVISLV00001", &|_| vec![1; 64]), 0x6300);
    reader.reads_fingerprints(0x6982);
    // A verifier signs no link, no verifier below itself.
    let link = verifier.certify(terminal, &say(CVCA, "260301", "260401"));
    let below = verifier.certify(terminal, &of_verifier);
    for certificate in [link, below] {
        let status = reader.bring("LVDVLV00001", &certificate);
        assert!([0x6300, 0x6A80].contains(&status), "{status:04X}");
    }
}

#[test]
fn the_day_comes_from_domestic_certificates_only() {
    for (role, later) in [(DOMESTIC, 0x6300), (FOREIGN, 0x9000)] {
        let border = Border::new(role, TERMINAL);
        let Border {
            verifier, terminal, ..
        } = &border;
        let (desk, public) = guarded(&border.trusted);
        let mut reader = pace(desk);
        reader.enter();
        reader.authenticate_chip(&public);
        assert_eq!(reader.bring("LVCVCA00001", &border.for_verifier), 0x9000);
        let future = verifier.certify(terminal, &say(TERMINAL, "260701", "260801"));
        assert_eq!(reader.bring("LVDVLV00001", &future), 0x9000);
        // A certificate of March is over in July, as far as the chip knows, also tomorrow.
        let mut reader = pace(reader.desk.woken());
        reader.enter();
        reader.authenticate_chip(&public);
        assert_eq!(reader.bring("LVCVCA00001", &border.for_verifier), 0x9000);
        assert_eq!(reader.bring("LVDVLV00001", &border.for_terminal), later);
    }
}

#[test]
fn trust_moves_on_by_links_also_late_ones() {
    let border = Border::new(DOMESTIC, TERMINAL);
    let Border { cvca, verifier, .. } = &border;
    let [second, third] = ["LVCVCA00002", "LVCVCA00003"].map(Party::new);
    let first_link = cvca.certify(&second, &say(CVCA, "281201", "311201"));
    let second_link = second.certify(&third, &say(CVCA, "311101", "341101"));
    let (desk, _) = guarded(&border.trusted);
    let mut reader = pace(desk);
    assert_eq!(reader.bring("LVCVCA00002", &second_link), 0x6A88);
    assert_eq!(reader.bring("LVCVCA00001", &border.trusted), 0x6300);
    assert_eq!(reader.bring("LVCVCA00001", &first_link), 0x9000);
    // Again, and another key under the same name: what is known stays.
    let pretender = Party::new("LVCVCA00002");
    let other = cvca.certify(&pretender, &say(CVCA, "281201", "311201"));
    assert_eq!(reader.bring("LVCVCA00001", &first_link), 0x9000);
    assert_eq!(reader.bring("LVCVCA00001", &other), 0x9000);
    let own = say(CVCA, "311101", "341101");
    let status = reader.bring("LVCVCA00002", &pretender.certify(&third, &own));
    assert_eq!(status, 0x6300);
    assert_eq!(reader.bring("LVCVCA00002", &second_link), 0x9000);
    // The first is forgotten, the second expired in time for nothing but a link.
    assert_eq!(reader.bring("LVCVCA00001", &first_link), 0x6A88);
    let late = second.certify(verifier, &say(DOMESTIC, "311101", "311130"));
    assert_eq!(reader.bring("LVCVCA00002", &late), 0x9000);
    let in_2032 = third.certify(verifier, &say(DOMESTIC, "320101", "320301"));
    assert_eq!(reader.bring("LVCVCA00003", &in_2032), 0x9000);
    let too_late = second.certify(verifier, &say(DOMESTIC, "311201", "320501"));
    assert_eq!(reader.bring("LVCVCA00002", &too_late), 0x6300);
    assert_eq!(reader.bring("LVCVCA00002", &second_link), 0x9000);
    // Without the parameters of its curve a link is none.
    let bare = Say {
        parameters: false,
        ..say(CVCA, "331201", "361201")
    };
    assert_eq!(
        reader.bring("LVCVCA00003", &third.certify(cvca, &bare)),
        0x6A80
    );
}

#[test]
fn a_certificate_may_come_in_pieces() {
    let border = Border::new(DOMESTIC, TERMINAL);
    let (desk, _) = guarded(&border.trusted);
    let mut reader = pace(desk);
    let choose = object("83", b"LVCVCA00001");
    reader.send("002281B6", &choose, None);
    let (first, second) = border.for_verifier.split_at(100);
    assert_eq!(reader.send("102A00BE", first, None), (vec![], 0x9000));
    assert_eq!(reader.send("002A00BE", second, None).1, 0x9000);
    // A stranger in the chain, which is forgotten then; a chain of what has none.
    reader.send("002281B6", &choose, None);
    assert_eq!(reader.send("102A00BE", first, None).1, 0x9000);
    assert_eq!(reader.send("00B08100", &[], Some(4)).1, 0x6883);
    assert_eq!(reader.send("002A00BE", second, None).1, 0x6A80);
    assert_eq!(reader.send("10D60000", &[1], None).1, 0x6884);
    // A chain without end.
    let long = vec![0; 1500];
    assert_eq!(reader.send("102A00BE", &long, None).1, 0x9000);
    assert_eq!(reader.send("102A00BE", &long, None).1, 0x6700);
}

#[test]
fn version_two_of_both_protocols() {
    let border = Border::new(DOMESTIC, TERMINAL);
    let Border { terminal, .. } = &border;
    for honest in [true, false] {
        let (desk, public) = guarded(&border.trusted);
        let mut reader = pace(desk);
        reader.enter();
        assert_eq!(reader.bring("LVCVCA00001", &border.for_verifier), 0x9000);
        assert_eq!(reader.bring("LVDVLV00001", &border.for_terminal), 0x9000);
        let group = group(NID);
        let (private, own) = pair(&group);
        let own = encode(&group, &own);
        let claim = [
            object("80", &unhex("04007F00070202020203")),
            object("83", terminal.reference.as_bytes()),
            object("91", &x(&own)),
        ];
        assert_eq!(reader.send("002281A4", &claim.concat(), None).1, 0x9000);
        let (challenge, _) = reader.send("00840000", &[], Some(8));
        let message = [&reader.chip[..], &challenge, &x(&own)].concat();
        let (_, status) = reader.send("00820000", &terminal.sign(&message), None);
        assert_eq!(status, 0x9000);
        // Not entitled before the chip proved itself to that very key.
        reader.reads_fingerprints(0x6982);
        reader.expect("002241A4", &format!("800A{AES}840102"), 0x9000);
        let sent = if honest {
            own
        } else {
            encode(&group, &pair(&group).1)
        };
        let content = object("7C", &object("80", &sent));
        let (answer, status) = reader.send("00860000", &content, Some(0));
        if !honest {
            assert_eq!(status, 0x6300);
            continue;
        }
        assert_eq!(status, 0x9000);
        let shared = times(&group, &decode(&group, &public), &private);
        let nonce = at(&answer, &[0x7C, 0x81]);
        let secret = [x(&encode(&group, &shared)), nonce].concat();
        reader.tunnel = Tunnel::new(2, &secret);
        let token = [object("06", &unhex(AES)), object("86", &sent)].concat();
        let token = super::reader::mac(2, &reader.tunnel.mac, &object("7F49", &token));
        assert_eq!(at(&answer, &[0x7C, 0x82]), token);
        reader.reads_fingerprints(0x9000);
    }
}
