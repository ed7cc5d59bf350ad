//! A border set up and used; and every way in which an issuer says no.

use std::process::Command;
use std::sync::Arc;

use cert::cvc::{
    ChainError, Chat, CvCertificate, CvRequest, Holder, HolderReference, Right, Role, Strength,
    verify_chain,
};
use hsm::{HsmError, SignatureAlgorithm, Signer};
use jiff::ToSpan;
use jiff::civil::{Date, date};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};

use super::{
    CvAuthority, CvFolder, CvFolderError, CvGrant, CvIssueError, CvKey, CvTerm, CvTerminalError,
    CvTrustError, CvVoucher, TermError, accepts_own,
};
use crate::missing;

const DAY: Date = date(2026, 3, 2);

/// A key in memory.
struct Soft {
    key: PKey<Private>,
    spki: Vec<u8>,
    digest: MessageDigest,
    lies: bool,
}

impl Signer for Soft {
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::EcdsaP256Sha256
    }

    fn public_key_spki_der(&self) -> &[u8] {
        &self.spki
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, HsmError> {
        let message = if self.lies { b"another" } else { message };
        let mut signer = openssl::sign::Signer::new(self.digest, &self.key).unwrap();
        Ok(signer.sign_oneshot_to_vec(message).unwrap())
    }
}

fn soft(curve: Nid, digest: MessageDigest) -> Soft {
    let group = EcGroup::from_curve_name(curve).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let spki = key.public_key_to_der().unwrap();
    Soft {
        key,
        spki,
        digest,
        lies: false,
    }
}

fn key() -> CvKey {
    CvKey::new(Arc::new(soft(
        Nid::X9_62_PRIME256V1,
        MessageDigest::sha256(),
    )))
    .unwrap()
}

fn reference(text: &str) -> HolderReference {
    text.parse().unwrap()
}

fn days(count: u16) -> CvTerm {
    CvTerm::days(DAY, count).unwrap()
}

fn grant(role: Role, rights: &[Right], term: CvTerm, voucher: CvVoucher) -> CvGrant {
    CvGrant {
        chat: Chat::inspection(role, rights),
        term,
        voucher,
    }
}

/// A CVCA with its folder.
struct House {
    _folder: tempfile::TempDir,
    register: CvFolder,
    root: Holder,
    authority: CvAuthority,
}

fn house() -> House {
    house_on(DAY)
}

fn house_on(day: Date) -> House {
    let folder = tempfile::tempdir().unwrap();
    let register = CvFolder::open(folder.path()).unwrap();
    let own = key();
    let certificate = CvAuthority::create(
        &own,
        &reference("LVCVCA00001"),
        &Right::ALL,
        CvTerm::days(day, 730).unwrap(),
    )
    .unwrap();
    register.keep_own(&certificate).unwrap();
    let root = Holder::of_root(certificate, Strength::Current).unwrap();
    let authority = CvAuthority::new(root.clone(), own).unwrap();
    House {
        _folder: folder,
        register,
        root,
        authority,
    }
}

fn request(key: &CvKey, holder: &str) -> CvRequest {
    key.request(&reference(holder), Some(&reference("LVCVCA00001")))
        .unwrap()
}

fn dv_grant(voucher: CvVoucher) -> CvGrant {
    dv_grant_on(DAY, voucher)
}

fn dv_grant_on(day: Date, voucher: CvVoucher) -> CvGrant {
    grant(
        Role::DomesticVerifier,
        &[Right::ReadFingerprints],
        CvTerm::days(day, 60).unwrap(),
        voucher,
    )
}

#[test]
fn a_border_is_set_up_and_renewed() {
    // OpenPACE judges as of now.
    let today = jiff::Zoned::now().date();
    let days = |count| CvTerm::days(today, count).unwrap();
    let house = house_on(today);
    let (first, next) = (key(), key());
    let asked = request(&first, "LVDVLV00001");
    let verifier = house
        .authority
        .issue(
            &asked,
            &dv_grant_on(today, CvVoucher::Person),
            &house.register,
        )
        .unwrap();
    assert!(accepts_own(&asked, &verifier));
    assert!(first.is_certified_by(&verifier) && !next.is_certified_by(&verifier));

    // Its next key is asked for by the first.
    let asked = first
        .vouch(&request(&next, "LVDVLV00002"), &reference("LVDVLV00001"))
        .unwrap();
    let second = house
        .authority
        .issue(
            &asked,
            &dv_grant_on(today, CvVoucher::EarlierKey),
            &house.register,
        )
        .unwrap();
    assert_eq!(house.register.issued().unwrap(), [verifier.clone(), second]);

    // It certifies a terminal.
    let folder = tempfile::tempdir().unwrap();
    let terminals = CvFolder::open(folder.path()).unwrap();
    let holder = house.root.accepts(verifier.clone(), today).unwrap();
    let authority = CvAuthority::new(holder, first).unwrap();
    let own = key();
    let asked = own
        .request(&reference("LVIS00001"), Some(&reference("LVDVLV00001")))
        .unwrap();
    let rights = [Right::ReadFingerprints];
    let terminal = grant(Role::Terminal, &rights, days(20), CvVoucher::Person);
    let terminal = authority.issue(&asked, &terminal, &terminals).unwrap();
    let last = verify_chain(&house.root, &[verifier.clone(), terminal.clone()], today).unwrap();
    assert_eq!(last.authorization().rights(), rights);
    assert_eq!(last.key(), own.public());

    // The CVCA's next key: chips that know the first accept it by its link.
    let next = key();
    let renewal = house
        .authority
        .renew(&next, &Right::ALL, days(900))
        .unwrap();
    assert_eq!(renewal.root.holder(), &reference("LVCVCA00002"));
    assert!(renewal.link.is_link());
    let linked = house.root.accepts(renewal.link, today).unwrap();
    assert_eq!(linked.key(), next.public());
    let root = Holder::of_root(renewal.root, Strength::Current).unwrap();
    assert_eq!(root.key(), linked.key());
    openpace_verifies(&[house.root.certificate().clone(), verifier, terminal]);
}

/// Has OpenPACE verify each certificate under those before it.
fn openpace_verifies(chain: &[CvCertificate]) {
    let folder = tempfile::tempdir().unwrap();
    for certificate in chain {
        let name = certificate.holder().to_string();
        std::fs::write(folder.path().join(&name), certificate.as_der()).unwrap();
        let output = Command::new("cvc-print")
            .current_dir(folder.path())
            .args([format!("--cvc={name}"), "--cvc-dir=.".to_owned()])
            .output();
        let Ok(output) = output else {
            return missing::program("OpenPACE (cvc-print)");
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("certificate verified"), "{name}: {said}");
    }
}

#[test]
fn a_token_s_key_issues_for_every_curve_it_has() {
    hsm::test_support::with_private_tokens(
        "cv::tests::a_token_s_key_issues_for_every_curve_it_has",
        || {
            let token = hsm::test_support::token("cv");
            for (label, curve) in [
                ("LVA00001", hsm::Curve::P256),
                ("LVB00001", hsm::Curve::P384),
                ("LVC00001", hsm::Curve::BrainpoolP256r1),
                ("LVD00001", hsm::Curve::BrainpoolP384r1),
            ] {
                token.generate_signing_key(label, curve).unwrap();
                let key = CvKey::new(Arc::new(token.signer(label).unwrap())).unwrap();
                let root = CvAuthority::create(&key, &reference(label), &[], days(365)).unwrap();
                openpace_verifies(&[root]);
            }
        },
    );
}

#[test]
fn any_curve_of_a_signer_serves_with_its_hash() {
    for (curve, digest) in [
        (Nid::BRAINPOOL_P256R1, MessageDigest::sha256()),
        (Nid::BRAINPOOL_P384R1, MessageDigest::sha384()),
        (Nid::BRAINPOOL_P512R1, MessageDigest::sha512()),
    ] {
        let key = CvKey::new(Arc::new(soft(curve, digest)));
        // openssl names the curve in the key: as hsm does.
        let root = CvAuthority::create(&key.unwrap(), &reference("LVX00001"), &[], days(365));
        Holder::of_root(root.unwrap(), Strength::Current).unwrap();
    }
    // A signer whose hash is not its curve's is found out before anything is given out.
    let odd = CvKey::new(Arc::new(soft(Nid::SECP384R1, MessageDigest::sha256()))).unwrap();
    assert!(CvAuthority::create(&odd, &reference("LVX00001"), &[], days(365)).is_err());
    let mut liar = soft(Nid::X9_62_PRIME256V1, MessageDigest::sha256());
    liar.lies = true;
    let liar = CvKey::new(Arc::new(liar)).unwrap();
    assert!(matches!(
        liar.sign(b"message"),
        Err(super::CvKeyError::Signature { .. })
    ));
}

#[test]
fn requests_are_refused_for_what_they_are() {
    let house = house();
    let own = key();
    let person = || dv_grant(CvVoucher::Person);
    let issue = |request: &CvRequest, grant: &CvGrant| {
        house
            .authority
            .issue(request, grant, &house.register)
            .unwrap_err()
    };
    // Somebody else's key.
    let honest = request(&own, "LVDVLV00001");
    let mut stolen = honest.as_der().to_vec();
    let last = stolen.len() - 1;
    stolen[last] ^= 1;
    let stolen = CvRequest::parse(&stolen).unwrap();
    assert!(matches!(
        issue(&stolen, &person()),
        CvIssueError::Possession(_)
    ));
    // Nobody vouches; an unknown key does; another holder's does; with a false signature.
    let unvouched = dv_grant(CvVoucher::EarlierKey);
    assert!(matches!(
        issue(&honest, &unvouched),
        CvIssueError::NotVouched { .. }
    ));
    let unknown = own.vouch(&honest, &reference("LVDVLV00000")).unwrap();
    assert!(matches!(
        issue(&unknown, &person()),
        CvIssueError::Voucher { .. }
    ));
    house
        .authority
        .issue(&honest, &person(), &house.register)
        .unwrap();
    let next = key();
    let other = own
        .vouch(&request(&next, "LVOTHER00001"), &reference("LVDVLV00001"))
        .unwrap();
    assert!(matches!(
        issue(&other, &unvouched),
        CvIssueError::Voucher { .. }
    ));
    let forged = next
        .vouch(&request(&next, "LVDVLV00002"), &reference("LVDVLV00001"))
        .unwrap();
    assert!(matches!(
        issue(&forged, &unvouched),
        CvIssueError::FalseVoucher { .. }
    ));
    assert!(matches!(
        issue(&forged, &person()),
        CvIssueError::FalseVoucher { .. }
    ));
    // References and keys come once, numbers only go up.
    let again = request(&next, "LVDVLV00001");
    assert!(matches!(
        issue(&again, &person()),
        CvIssueError::Reused { .. }
    ));
    let same_key = request(&own, "LVDVLV00002");
    assert!(matches!(
        issue(&same_key, &person()),
        CvIssueError::ReusedKey { .. }
    ));
    let back = request(&next, "LVDVLV00000");
    assert!(matches!(
        issue(&back, &person()),
        CvIssueError::NotNext { .. }
    ));
    // To somebody else; of another kind.
    let elsewhere = next.request(&reference("LVDVLV00002"), Some(&reference("EECVCA00001")));
    assert!(matches!(
        issue(&elsewhere.unwrap(), &person()),
        CvIssueError::Addressed { .. }
    ));
    let p384 = CvKey::new(Arc::new(soft(Nid::SECP384R1, MessageDigest::sha384()))).unwrap();
    let kind = request(&p384, "LVDVLV00002");
    assert!(matches!(
        issue(&kind, &person()),
        CvIssueError::KeyKind { .. }
    ));
    assert_eq!(house.register.issued().unwrap().len(), 1);
}

#[test]
fn grants_stay_within_the_issuer_s() {
    let folder = tempfile::tempdir().unwrap();
    let register = CvFolder::open(folder.path()).unwrap();
    let own = key();
    let fingerprints = [Right::ReadFingerprints];
    let root =
        CvAuthority::create(&own, &reference("LVCVCA00001"), &fingerprints, days(184)).unwrap();
    let holder = Holder::of_root(root, Strength::Current).unwrap();
    let authority = CvAuthority::new(holder.clone(), own.clone()).unwrap();
    assert!(matches!(
        CvAuthority::new(holder, key()),
        Err(CvIssueError::OtherKey { .. })
    ));
    let asked = request(&key(), "LVDVLV00001");
    let foreign = request(&key(), "EEDVLV00001");
    let refused = |request: &CvRequest, role, rights: &[Right], term| {
        let grant = grant(role, rights, term, CvVoucher::Person);
        authority.issue(request, &grant, &register).unwrap_err()
    };
    use CvIssueError as E;
    let (dv, abroad) = (Role::DomesticVerifier, Role::ForeignVerifier);
    assert!(matches!(
        refused(&asked, dv, &Right::ALL, days(60)),
        E::Rights { .. }
    ));
    assert!(matches!(
        refused(&asked, Role::Terminal, &[], days(20)),
        E::Role { .. }
    ));
    assert!(matches!(
        refused(&asked, Role::Cvca, &[], days(200)),
        E::Role { .. }
    ));
    assert!(matches!(
        refused(&asked, abroad, &[], days(60)),
        E::Country { same: true, .. }
    ));
    assert!(matches!(
        refused(&foreign, dv, &[], days(60)),
        E::Country { same: false, .. }
    ));
    for length in [0, 13, 93] {
        let refused = refused(&asked, dv, &[], days(length));
        assert!(
            matches!(refused, E::Term(TermError::Length { .. })),
            "{length}"
        );
    }
    let late = CvTerm::days(date(2026, 8, 1), 60).unwrap();
    assert!(matches!(
        refused(&asked, dv, &[], late),
        E::Term(TermError::Outlives { .. })
    ));
    let after = CvTerm::days(date(2026, 10, 1), 60).unwrap();
    assert!(matches!(refused(&asked, dv, &[], after), E::Own(_)));
    assert!(register.issued().unwrap().is_empty());
}

#[test]
fn a_foreign_verifier_is_vouched_for_by_its_own_country() {
    let house = house();
    let (theirs, dv) = (key(), key());
    let cvca = reference("EECVCA00007");
    let root = CvAuthority::create(&theirs, &cvca, &[], days(400)).unwrap();
    let root = Holder::of_root(root, Strength::Current).unwrap();
    let asked = theirs.vouch(&request(&dv, "EEDVLV00001"), &cvca).unwrap();
    let voucher = CvVoucher::Authority(Box::new(root));
    let given = grant(Role::ForeignVerifier, &[], days(60), voucher.clone());
    let certificate = house
        .authority
        .issue(&asked, &given, &house.register)
        .unwrap();
    assert_eq!(certificate.role(), Role::ForeignVerifier);
    // It does not vouch for another country's.
    let asked = theirs
        .vouch(&request(&key(), "LTDVLV00001"), &cvca)
        .unwrap();
    let refused = house
        .authority
        .issue(&asked, &given, &house.register)
        .unwrap_err();
    assert!(matches!(refused, CvIssueError::Voucher { .. }));
}

#[test]
fn terms_are_those_of_the_profile() {
    let from = date(2026, 1, 31);
    let to = |span: jiff::Span| CvTerm {
        from,
        to: from.checked_add(span).unwrap(),
    };
    for (role, least, most) in [
        (Role::Cvca, 6.months(), 3.years()),
        (Role::DomesticVerifier, 2.weeks(), 3.months()),
        (Role::ForeignVerifier, 2.weeks(), 3.months()),
        (Role::Terminal, 1.day(), 1.month()),
    ] {
        to(least).check(role).unwrap();
        to(most).check(role).unwrap();
        let (short, long) = (
            to(least).to.yesterday().unwrap(),
            to(most).to.tomorrow().unwrap(),
        );
        assert!(CvTerm { from, to: short }.check(role).is_err(), "{role:?}");
        assert!(CvTerm { from, to: long }.check(role).is_err(), "{role:?}");
    }
}

#[test]
fn a_folder_keeps_what_it_has() {
    let house = house();
    let own = key();
    let certificate = house
        .authority
        .issue(
            &request(&own, "LVDVLV00001"),
            &dv_grant(CvVoucher::Person),
            &house.register,
        )
        .unwrap();
    let again = house.register.enter(&certificate).unwrap_err();
    assert!(matches!(again, CvFolderError::There { .. }));
    let path = house.register.keep_chain(&certificate).unwrap();
    assert!(path.ends_with("chain/LVDVLV00001.by.LVCVCA00001.cvcert"));
    assert_eq!(house.register.chain().unwrap(), [certificate]);
    // What was renamed or cut is noticed.
    let renamed = path.with_file_name("LVDVLV00002.by.LVCVCA00001.cvcert");
    std::fs::rename(&path, &renamed).unwrap();
    assert!(matches!(
        house.register.chain(),
        Err(CvFolderError::Misplaced { .. })
    ));
    let bytes = std::fs::read(&renamed).unwrap();
    std::fs::write(&renamed, &bytes[1..]).unwrap();
    assert!(matches!(
        house.register.chain(),
        Err(CvFolderError::Damaged { .. })
    ));
    std::fs::write(&renamed, vec![0; 9000]).unwrap();
    assert!(matches!(
        house.register.chain(),
        Err(CvFolderError::File { .. })
    ));
    let foreign = request(&own, "LV\u{e4}/0000001");
    let path = house.register.keep_request(&foreign).unwrap();
    assert!(path.ends_with("requests/LV%E4%2F0000001.cvreq"));
    assert_eq!(house.register.requests().unwrap(), [foreign]);
}

#[test]
fn a_folder_judges_by_what_it_trusts() {
    let house = house();
    let own = key();
    let first = house
        .authority
        .issue(
            &request(&own, "LVDVLV00001"),
            &dv_grant(CvVoucher::Person),
            &house.register,
        )
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = CvFolder::open(folder.path()).unwrap();
    let no_path = |certificate: &CvCertificate| {
        let refused = folder.judge(certificate, DAY).unwrap_err();
        assert!(matches!(refused, CvTrustError::NoPath { .. }), "{refused}");
    };
    no_path(&first);
    let root = house.root.certificate();
    no_path(root);
    folder.keep_trusted(root).unwrap();
    assert_eq!(folder.judge(&first, DAY).unwrap().key(), own.public());
    folder.judge(root, DAY).unwrap();
    let late = folder.judge(&first, first.expiration().tomorrow().unwrap());
    assert!(matches!(
        late,
        Err(CvTrustError::Chain(ChainError::Expired { .. }))
    ));

    let next = key();
    let renewal = house
        .authority
        .renew(&next, &Right::ALL, days(900))
        .unwrap();
    let second = Holder::of_root(renewal.root, Strength::Current).unwrap();
    let second = CvAuthority::new(second, next).unwrap();
    let asked = key().request(&reference("LVDVLV00002"), None).unwrap();
    let certificate = second
        .issue(&asked, &dv_grant(CvVoucher::Person), &house.register)
        .unwrap();
    no_path(&certificate);
    folder.keep_chain(&renewal.link).unwrap();
    folder.judge(&certificate, DAY).unwrap();
}

#[test]
fn a_terminal_shows_its_latest_certificate_that_holds() {
    let house = house();
    let folder = tempfile::tempdir().unwrap();
    let terminal = CvFolder::open(folder.path()).unwrap();
    let nothing = |day| terminal.terminal(day).unwrap_err();
    assert!(matches!(nothing(DAY), CvTerminalError::None));

    let own = key();
    let asked = request(&own, "LVDVLV00001");
    let given = dv_grant(CvVoucher::Person);
    let verifier = house
        .authority
        .issue(&asked, &given, &house.register)
        .unwrap();
    let holder = house.root.accepts(verifier.clone(), DAY).unwrap();
    let issuer = CvAuthority::new(holder, own).unwrap();
    let certified = |name: &str, from: Date| {
        let term = CvTerm::days(from, 20).unwrap();
        let rights = [Right::ReadFingerprints];
        let asked = key().request(&reference(name), None).unwrap();
        let grant = grant(Role::Terminal, &rights, term, CvVoucher::Person);
        let certificate = issuer.issue(&asked, &grant, &house.register).unwrap();
        terminal.keep_own(&certificate).unwrap();
        certificate
    };
    let first = certified("LVIS00001", DAY);
    // Nobody is trusted, or the verifier is not there.
    let no_path = |day| {
        matches!(
            nothing(day),
            CvTerminalError::Trust(CvTrustError::NoPath { .. })
        )
    };
    assert!(no_path(DAY));
    terminal.keep_trusted(house.root.certificate()).unwrap();
    assert!(no_path(DAY));
    terminal.keep_chain(&verifier).unwrap();

    // The next is there, and not yet effective; then both hold, then neither.
    let change = DAY.checked_add(10.days()).unwrap();
    let second = certified("LVIS00002", change);
    for (day, shown) in [
        (DAY, &first),
        (change.yesterday().unwrap(), &first),
        (change, &second),
        (second.expiration(), &second),
    ] {
        let found = terminal.terminal(day).unwrap();
        assert_eq!(found.holder.certificate(), shown, "{day}");
        assert!(found.holder.authorization().allows(Right::ReadFingerprints));
        assert_eq!(found.above, std::slice::from_ref(&verifier));
    }
    let over = nothing(second.expiration().tomorrow().unwrap());
    assert!(matches!(
        over,
        CvTerminalError::Trust(CvTrustError::Chain(ChainError::Expired { .. }))
    ));

    // Links are shown, other verifiers are not.
    let renewal = house.authority.renew(&key(), &Right::ALL, days(900));
    let link = renewal.unwrap().link;
    terminal.keep_chain(&link).unwrap();
    let other = request(&key(), "LVDVLV00002");
    let other = house.authority.issue(&other, &given, &house.register);
    terminal.keep_chain(&other.unwrap()).unwrap();
    let mut above = terminal.terminal(change).unwrap().above;
    above.sort_by_key(|above| above.holder().clone());
    assert_eq!(above, [link, verifier]);
}
