//! A qualified authority is played by openssl; its certificates are judged by pkilint and by us.

use cert::request::Request;
use cert::{Certificate, PathError};

use super::{Misissued, judge};
use crate::authority::CertificateOrder;
use crate::missing;
use crate::profile::CertificateProfile;
use crate::testing::{
    ALIEN_AUTHENTICATION, ALIEN_SIGNATURE, Folder, QUALIFIED_AUTHENTICATION, QUALIFIED_SIGNATURE,
    holder, order, profile, request, request_der, time,
};

/// Anybody's root, as openssl makes it.
const AUTHORITY: &str = "[req]\ndistinguished_name=name\nx509_extensions=own\nprompt=no\n\
    string_mask=utf8only\n\
    [name]\nC=LV\nO=Example Trust Provider\norganizationIdentifier=NTRLV-00000000000\n\
    CN=Example Qualified CA\n\
    [own]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n\
    subjectKeyIdentifier=hash\n";

/// What a qualified authority writes, in openssl's words.
const COMMON: &str = "basicConstraints=critical,CA:FALSE\n\
    subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n\
    crlDistributionPoints=URI:http://pki.example.org/q.crl\n\
    authorityInfoAccess=OCSP;URI:http://ocsp.example.org,caIssuers;URI:http://pki.example.org/q.cer\n";
const LOGS_IN: &str = "keyUsage=critical,digitalSignature\n\
    extendedKeyUsage=clientAuth,emailProtection\n\
    certificatePolicies=0.4.0.2042.1.2,@own\n";
const SIGNS: &str = "keyUsage=critical,nonRepudiation\n\
    extendedKeyUsage=emailProtection,1.3.6.1.5.5.7.3.36\n\
    certificatePolicies=0.4.0.194112.1.2,@own\n\
    1.3.6.1.5.5.7.1.3=ASN1:SEQUENCE:statements\n";
const SECTIONS: &str = "[own]\npolicyIdentifier=POLICY\nCPS.1=https://pki.example.org/repository\n\
    [statements]\n\
    a=SEQUENCE:compliance\nb=SEQUENCE:device\nc=SEQUENCE:type\nd=SEQUENCE:semantics\n\
    e=SEQUENCE:disclosure\n\
    [compliance]\nid=OID:0.4.0.1862.1.1\n\
    [device]\nid=OID:0.4.0.1862.1.4\n\
    [type]\nid=OID:0.4.0.1862.1.6\ninfo=SEQUENCE:types\n\
    [types]\na=OID:0.4.0.1862.1.6.1\n\
    [semantics]\nid=OID:1.3.6.1.5.5.7.11.2\ninfo=SEQUENCE:natural\n\
    [natural]\na=OID:0.4.0.194121.1.1\n\
    [disclosure]\nid=OID:0.4.0.1862.1.5\ninfo=SEQUENCE:locations\n\
    [locations]\na=SEQUENCE:english\nb=SEQUENCE:latvian\n\
    [english]\nurl=IA5STRING:https\\://pki.example.org/pds_en.pdf\nlanguage=PRINTABLESTRING:en\n\
    [latvian]\nurl=IA5STRING:https\\://pki.example.org/pds_lv.pdf\nlanguage=PRINTABLESTRING:lv\n\
    [limit]\nid=OID:0.4.0.1862.1.2\ninfo=SEQUENCE:amount\n\
    [amount]\na=PRINTABLESTRING:EUR\nb=INTEGER:1\nc=INTEGER:3\n\
    [law]\nid=OID:0.4.0.1862.1.7\ninfo=SEQUENCE:countries\n\
    [countries]\na=PRINTABLESTRING:CH\n\
    [retention]\nid=OID:0.4.0.1862.1.3\ninfo=INTEGER:10\n";

/// A qualified authority of openssl's.
struct Qualified {
    folder: Folder,
    certificate: Certificate,
}

impl Qualified {
    fn new() -> Self {
        let folder = Folder::new();
        folder.write("ca.cnf", AUTHORITY.as_bytes());
        folder.openssl(&[
            "req",
            "-x509",
            "-config",
            "ca.cnf",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-384",
            "-nodes",
            "-keyout",
            "ca.key",
            "-sha384",
            "-days",
            "3650",
            "-out",
            "ca.pem",
        ]);
        folder.openssl(&["x509", "-in", "ca.pem", "-outform", "DER", "-out", "ca.der"]);
        let certificate = Certificate::parse(&folder.read("ca.der")).unwrap();
        Self {
            folder,
            certificate,
        }
    }

    /// Issues for a request what `extensions` say.
    fn issue(&self, request: &[u8], extensions: &str) -> Certificate {
        self.folder.write("request", request);
        self.folder.write("leaf.cnf", extensions.as_bytes());
        self.folder.openssl(&[
            "x509",
            "-req",
            "-inform",
            "DER",
            "-in",
            "request",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-set_serial",
            "0x4f000000000000000000000000000001",
            "-days",
            "1000",
            "-sha384",
            "-extfile",
            "leaf.cnf",
            "-outform",
            "DER",
            "-out",
            "leaf.der",
        ]);
        Certificate::parse(&self.folder.read("leaf.der")).unwrap()
    }

    fn judge(&self, order: &CertificateOrder, certificate: &Certificate) -> Result<(), Misissued> {
        let at = certificate.validity().not_before;
        judge(
            order,
            certificate,
            std::slice::from_ref(&self.certificate),
            at,
        )
    }
}

fn extensions(kind: &str, policy: &str) -> String {
    [COMMON, kind, &SECTIONS.replace("POLICY", policy)].concat()
}

fn ordered(profile: &CertificateProfile, request: &Request) -> CertificateOrder {
    CertificateOrder {
        not_after: time("2036-03-01T23:59:59Z"),
        ..order(profile, request, &holder())
    }
}

#[test]
fn what_a_qualified_authority_issues_by_the_profile_is_accepted() {
    let authority = Qualified::new();
    let ((request, _), der) = (request(5), request_der(5));
    for (text, kind, policy) in [
        (QUALIFIED_AUTHENTICATION, LOGS_IN, "1.3.6.1.4.1.32473.1.2.1"),
        (QUALIFIED_SIGNATURE, SIGNS, "1.3.6.1.4.1.32473.1.2.2"),
        (ALIEN_AUTHENTICATION, LOGS_IN, "1.3.6.1.4.1.32473.1.3.1"),
        (ALIEN_SIGNATURE, SIGNS, "1.3.6.1.4.1.32473.1.3.2"),
    ] {
        let order = ordered(&profile(text), &request);
        let issued = authority.issue(&der, &extensions(kind, policy));
        assert_eq!(authority.judge(&order, &issued), Ok(()), "{policy}");
        // A citizen's is no alien's.
        let other = authority.issue(&der, &extensions(kind, "1.3.6.1.4.1.32473.1.9"));
        assert!(authority.judge(&order, &other).is_err());
    }
}

#[test]
fn every_field_that_is_not_the_profiles_is_named() {
    let authority = Qualified::new();
    let ((request, _), der) = (request(5), request_der(5));
    let good = extensions(SIGNS, "1.3.6.1.4.1.32473.1.2.2");
    let order = ordered(&profile(QUALIFIED_SIGNATURE), &request);
    for (from, to, expected) in [
        (
            "nonRepudiation",
            "nonRepudiation,digitalSignature",
            "keyUsage",
        ),
        (
            "nonRepudiation",
            "nonRepudiation,keyEncipherment",
            "keyUsage",
        ),
        (
            "emailProtection,",
            "clientAuth,emailProtection,",
            "extendedKeyUsage",
        ),
        (",1.3.6.1.5.5.7.3.36", "", "extendedKeyUsage"),
        ("CA:FALSE", "CA:TRUE", "basicConstraints"),
        (
            "0.4.0.194112.1.2",
            "0.4.0.194112.1.0",
            "certificatePolicies",
        ),
        (
            "0.4.0.194112.1.2",
            "0.4.0.194112.1.2,0.4.0.194112.1.0",
            "certificatePolicies",
        ),
        (
            "0.4.0.194112.1.2",
            "0.4.0.194112.1.2,2.5.29.32.0",
            "certificatePolicies",
        ),
        (
            "org/repository",
            "org/elsewhere",
            "certificatePolicies: a qualifier",
        ),
        (
            "1.3.6.1.5.5.7.1.3=ASN1:SEQUENCE:statements\n",
            "",
            "qcStatements: QcCompliance",
        ),
        ("a=SEQUENCE:compliance\n", "", "qcStatements: QcCompliance"),
        ("b=SEQUENCE:device\n", "", "qcStatements: QcSSCD"),
        ("c=SEQUENCE:type\n", "", "qcStatements: QcType"),
        (
            "0.4.0.1862.1.6.1",
            "0.4.0.1862.1.6.2",
            "qcStatements: QcType",
        ),
        (
            "d=SEQUENCE:semantics\n",
            "",
            "qcStatements: pkixQCSyntax-v2",
        ),
        (
            "0.4.0.194121.1.1",
            "0.4.0.194121.1.2",
            "qcStatements: pkixQCSyntax-v2",
        ),
        ("e=SEQUENCE:disclosure\n", "", "qcStatements: QcPDS"),
        ("pds_lv", "pds_en", "qcStatements: QcPDS"),
        (
            "a=SEQUENCE:comp",
            "f=SEQUENCE:law\na=SEQUENCE:comp",
            "qcStatements: QcCClegislation",
        ),
        (
            "a=SEQUENCE:comp",
            "f=SEQUENCE:retention\na=SEQUENCE:comp",
            "qcStatements: QcRetentionPeriod",
        ),
        (
            "a=SEQUENCE:comp",
            "f=SEQUENCE:limit\na=SEQUENCE:comp",
            "qcStatements: a statement beside those",
        ),
        (
            ",caIssuers;URI:http://pki.example.org/q.cer",
            "",
            "authorityInfoAccess or cRLDistributionPoints",
        ),
        // Names by which a directory would log somebody else in, and what one operating system
        // takes for an account and for purposes.
        (
            "subjectKeyIdentifier",
            "subjectAltName=otherName:1.3.6.1.4.1.311.20.2.3;UTF8:admin@example.org\n\
             subjectKeyIdentifier",
            "subjectAltName",
        ),
        (
            "subjectKeyIdentifier",
            "1.3.6.1.4.1.311.25.2=ASN1:SEQUENCE:types\nsubjectKeyIdentifier",
            "an extension beside those",
        ),
        (
            "subjectKeyIdentifier",
            "1.3.6.1.4.1.311.21.10=ASN1:SEQUENCE:types\nsubjectKeyIdentifier",
            "an extension beside those",
        ),
        (
            "subjectKeyIdentifier",
            "noCheck=ignored\nsubjectKeyIdentifier",
            "an extension beside those",
        ),
    ] {
        let altered = good.replace(from, to);
        assert_ne!(altered, good, "{from}");
        let issued = authority.issue(&der, &altered);
        match authority.judge(&order, &issued) {
            Err(Misissued::Profile { field, .. }) => assert_eq!(field, expected, "{to}"),
            other => panic!("{to}: {other:?}"),
        }
    }
    // A log-in certificate that states anything is another kind of certificate.
    let order = ordered(&profile(QUALIFIED_AUTHENTICATION), &request);
    let stated = extensions(LOGS_IN, "1.3.6.1.4.1.32473.1.2.1").replace(
        "certificatePolicies",
        "1.3.6.1.5.5.7.1.3=ASN1:SEQUENCE:statements\ncertificatePolicies",
    );
    assert!(matches!(
        authority.judge(&order, &authority.issue(&der, &stated)),
        Err(Misissued::Profile {
            field: "qcStatements: QcCompliance",
            ..
        })
    ));
}

#[test]
fn another_key_subject_issuer_or_term_is_named() {
    let authority = Qualified::new();
    let ((request, _), der) = (request(5), request_der(5));
    let good = extensions(SIGNS, "1.3.6.1.4.1.32473.1.2.2");
    let order = ordered(&profile(QUALIFIED_SIGNATURE), &request);
    let issued = authority.issue(&der, &good);
    let other = request_der(6);
    let for_another = authority.issue(&other, &good);
    assert!(matches!(
        authority.judge(&order, &for_another),
        Err(Misissued::Key { .. })
    ));
    let another = crate::Holder::new("LV", "CITA", "ANNA", "121282-88882", "XA0000001");
    let another = CertificateOrder {
        subject: order.profile.subject(Some(&another)).unwrap(),
        ..order.clone()
    };
    assert!(matches!(
        authority.judge(&another, &issued),
        Err(Misissued::Subject { .. })
    ));
    let short = CertificateOrder {
        not_after: issued.validity().not_before,
        ..order.clone()
    };
    assert!(matches!(
        authority.judge(&short, &issued),
        Err(Misissued::Outlasts { .. })
    ));
    assert!(matches!(
        Qualified::new().judge(&order, &issued),
        Err(Misissued::Path(_))
    ));
    // Critical, and not understood: nobody may rely on it.
    let constrained = good.replace(
        "subjectKeyIdentifier",
        "nameConstraints=critical,permitted;email:a.example\nsubjectKeyIdentifier",
    );
    assert!(matches!(
        authority.judge(&order, &authority.issue(&der, &constrained)),
        Err(Misissued::Path(PathError::UnknownCritical { .. }))
    ));
    // Looked at days later it is taken; one that holds since long before, is not.
    let from = issued.validity().not_before;
    let looked = |days: i64| {
        let at = from + jiff::SignedDuration::from_hours(24 * days);
        judge(
            &order,
            &issued,
            std::slice::from_ref(&authority.certificate),
            at,
        )
    };
    assert_eq!(looked(31), Ok(()));
    assert!(matches!(looked(32), Err(Misissued::Backdated { .. })));
    // What says more of the issuer is the issuer's.
    let more = good.replace(
        "subjectKeyIdentifier",
        "issuerAltName=email:ca@a.example\n2.5.29.46=ASN1:NULL\nsubjectKeyIdentifier",
    );
    let said = authority.judge(&order, &authority.issue(&der, &more));
    assert_eq!(said, Ok(()));
}

/// Runs where `ZIMOGS_PKILINT` names the folder of pkilint's programs.
#[test]
fn pkilint_finds_the_qualified_profiles_sound() {
    let Ok(programs) = std::env::var("ZIMOGS_PKILINT") else {
        missing::program("pkilint; ZIMOGS_PKILINT names the folder of its programs");
        return;
    };
    let authority = Qualified::new();
    let der = request_der(5);
    let lint = |program: &str, kind: &[&str], file: &str| {
        let arguments = [&["lint"], kind, &["-s", "WARNING", file]].concat();
        let (clean, said) = authority
            .folder
            .run(&format!("{programs}/{program}"), &arguments);
        assert!(clean, "{arguments:?}: {said}");
    };
    lint("lint_pkix_cert", &[], "ca.der");
    for (kind, etsi, policy) in [
        (
            LOGS_IN,
            "NCP-NATURAL-PERSON-CERTIFICATE",
            "1.3.6.1.4.1.32473.1.2.1",
        ),
        (
            SIGNS,
            "QCP-N-QSCD-EIDAS-FINAL-CERTIFICATE",
            "1.3.6.1.4.1.32473.1.2.2",
        ),
        (
            LOGS_IN,
            "NCP-NATURAL-PERSON-CERTIFICATE",
            "1.3.6.1.4.1.32473.1.3.1",
        ),
        (
            SIGNS,
            "QCP-N-QSCD-EIDAS-FINAL-CERTIFICATE",
            "1.3.6.1.4.1.32473.1.3.2",
        ),
    ] {
        authority.issue(&der, &extensions(kind, policy));
        lint("lint_pkix_cert", &[], "leaf.der");
        lint("lint_etsi_cert", &["-t", etsi], "leaf.der");
    }
}
