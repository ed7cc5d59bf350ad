//! What a certificate states of itself as a qualified one (*RFC 3739 §3.2.6*, *ETSI EN 319 412-5*).

use der::asn1::{Any, Ia5StringRef, ObjectIdentifier, PrintableStringRef};
use der::{Decode, Sequence};
use x509_cert::ext::Extension;

use crate::certificate::CertificateError;

/// `id-pe-qcStatements` (*RFC 3739 §3.2.6*).
pub const QC_STATEMENTS: ObjectIdentifier = oid("1.3.6.1.5.5.7.1.3");

/// `id-qcs-pkixQCSyntax-v2` (*RFC 3739 §3.2.6.1*): who gave the subject's identifier.
pub const QC_SYNTAX: ObjectIdentifier = oid("1.3.6.1.5.5.7.11.2");
/// `id-etsi-qcs-QcCompliance` (*EN 319 412-5 §4.2.1*).
pub const QC_COMPLIANCE: ObjectIdentifier = oid("0.4.0.1862.1.1");
/// `id-etsi-qcs-QcRetentionPeriod` (*§4.3.3*).
pub const QC_RETENTION: ObjectIdentifier = oid("0.4.0.1862.1.3");
/// `id-etsi-qcs-QcSSCD` (*§4.2.2*).
pub const QC_SECURE_DEVICE: ObjectIdentifier = oid("0.4.0.1862.1.4");
/// `id-etsi-qcs-QcPDS` (*§4.3.4*).
pub const QC_DISCLOSURE: ObjectIdentifier = oid("0.4.0.1862.1.5");
/// `id-etsi-qcs-QcType` (*§4.2.3*).
pub const QC_TYPE: ObjectIdentifier = oid("0.4.0.1862.1.6");
/// `id-etsi-qcs-QcCClegislation` (*§4.2.4*).
pub const QC_LEGISLATION: ObjectIdentifier = oid("0.4.0.1862.1.7");
/// `id-etsi-qct-esign` (*§4.2.3*): for electronic signatures, a natural person's.
pub const QC_TYPE_SIGNATURE: ObjectIdentifier = oid("0.4.0.1862.1.6.1");
/// `id-etsi-qcs-SemanticsId-Natural` (*EN 319 412-1 §5.1*).
pub const SEMANTICS_NATURAL: ObjectIdentifier = oid("0.4.0.194121.1.1");

/// The most statements that are read of a certificate.
const MAX_STATEMENTS: usize = 32;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// Where the provider discloses what relying parties and holders must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisclosureStatement {
    /// The address.
    pub url: String,
    /// The language, in two letters of *ISO 639-1*.
    pub language: String,
}

/// The statements of a certificate. What is absent is not stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QcStatements {
    /// `QcCompliance`: it is a qualified certificate.
    pub compliance: bool,
    /// `QcSSCD`: its private key is in a qualified signature creation device.
    pub secure_device: bool,
    /// `QcType`: what it is qualified for.
    pub types: Vec<ObjectIdentifier>,
    /// `QcCClegislation`: the countries under whose law it is qualified; none means the Union's.
    pub legislation: Vec<String>,
    /// `QcRetentionPeriod`: how many years after its end its records are kept.
    pub retention_years: Option<u32>,
    /// `QcPDS`.
    pub disclosure: Vec<DisclosureStatement>,
    /// `pkixQCSyntax-v2`, the identifier of what the subject's identifier means.
    pub semantics: Option<ObjectIdentifier>,
    /// Statements that are not read here.
    pub others: Vec<ObjectIdentifier>,
}

#[derive(Sequence)]
struct Statement {
    id: ObjectIdentifier,
    #[asn1(optional = "true")]
    info: Option<Any>,
}

#[derive(Sequence)]
struct SemanticsInformation {
    #[asn1(optional = "true")]
    semantics: Option<ObjectIdentifier>,
    /// The authorities that registered the names: read over.
    #[asn1(optional = "true")]
    authorities: Option<Any>,
}

#[derive(Sequence)]
struct PdsLocation<'a> {
    url: Ia5StringRef<'a>,
    language: PrintableStringRef<'a>,
}

impl QcStatements {
    pub(crate) fn read(extension: &Extension) -> Result<Self, CertificateError> {
        let malformed = || CertificateError::Extension { oid: QC_STATEMENTS };
        Self::from_der(extension.extn_value.as_bytes())
            .ok()
            .flatten()
            .ok_or_else(malformed)
    }

    /// Reads the statements; nothing where a rule of theirs is broken.
    fn from_der(der: &[u8]) -> der::Result<Option<Self>> {
        let statements = Vec::<Statement>::from_der(der)?;
        let mut read = Self::default();
        if statements.is_empty() || statements.len() > MAX_STATEMENTS {
            return Ok(None);
        }
        for (place, statement) in statements.iter().enumerate() {
            let mut earlier = statements.iter().take(place);
            if earlier.any(|earlier| earlier.id == statement.id) {
                return Ok(None);
            }
            match (statement.id, &statement.info) {
                (QC_COMPLIANCE, None) => read.compliance = true,
                (QC_SECURE_DEVICE, None) => read.secure_device = true,
                (QC_TYPE, Some(info)) => read.types = info.decode_as()?,
                (QC_LEGISLATION, Some(info)) => {
                    let countries: Vec<Any> = info.decode_as()?;
                    for country in &countries {
                        let country = country.decode_as::<PrintableStringRef<'_>>()?;
                        read.legislation.push(country.as_str().to_owned());
                    }
                }
                (QC_RETENTION, Some(info)) => read.retention_years = Some(info.decode_as()?),
                (QC_DISCLOSURE, Some(info)) => {
                    let locations: Vec<Any> = info.decode_as()?;
                    for location in &locations {
                        let location = location.decode_as::<PdsLocation<'_>>()?;
                        read.disclosure.push(DisclosureStatement {
                            url: location.url.as_str().to_owned(),
                            language: location.language.as_str().to_owned(),
                        });
                    }
                }
                (QC_SYNTAX, Some(info)) => {
                    read.semantics = info.decode_as::<SemanticsInformation>()?.semantics;
                }
                // RFC 3739 §3.2.6.1: it may stand for the syntax alone.
                (QC_SYNTAX, None) => {}
                (
                    QC_COMPLIANCE | QC_SECURE_DEVICE | QC_TYPE | QC_LEGISLATION | QC_RETENTION
                    | QC_DISCLOSURE,
                    _,
                ) => return Ok(None),
                (other, _) => read.others.push(other),
            }
        }
        Ok(Some(read))
    }
}

#[cfg(test)]
mod tests {
    use super::{DisclosureStatement, QC_TYPE_SIGNATURE, QcStatements, SEMANTICS_NATURAL};
    use crate::certificate::Certificate;
    use crate::testing::{Folder, issue, openssl, reissue};

    /// All that is read here, as openssl encodes it; and one statement that is not read.
    const STATEMENTS: &str = "1.3.6.1.5.5.7.1.3=ASN1:SEQUENCE:statements\n\
        [statements]\n\
        a=SEQUENCE:compliance\nb=SEQUENCE:device\nc=SEQUENCE:type\nd=SEQUENCE:semantics\n\
        e=SEQUENCE:disclosure\nf=SEQUENCE:retention\ng=SEQUENCE:law\nh=SEQUENCE:other\n\
        [compliance]\nid=OID:0.4.0.1862.1.1\n\
        [device]\nid=OID:0.4.0.1862.1.4\n\
        [type]\nid=OID:0.4.0.1862.1.6\ninfo=SEQUENCE:types\n\
        [types]\na=OID:0.4.0.1862.1.6.1\n\
        [semantics]\nid=OID:1.3.6.1.5.5.7.11.2\ninfo=SEQUENCE:natural\n\
        [natural]\na=OID:0.4.0.194121.1.1\n\
        [disclosure]\nid=OID:0.4.0.1862.1.5\ninfo=SEQUENCE:locations\n\
        [locations]\na=SEQUENCE:english\nb=SEQUENCE:latvian\n\
        [english]\nurl=IA5STRING:https\\://a.example/en\nlanguage=PRINTABLESTRING:en\n\
        [latvian]\nurl=IA5STRING:https\\://a.example/lv\nlanguage=PRINTABLESTRING:lv\n\
        [retention]\nid=OID:0.4.0.1862.1.3\ninfo=INTEGER:10\n\
        [law]\nid=OID:0.4.0.1862.1.7\ninfo=SEQUENCE:countries\n\
        [countries]\na=PRINTABLESTRING:CH\n\
        [other]\nid=OID:1.2.3.4\n";

    fn read(statements: &str) -> Result<Option<QcStatements>, ()> {
        let folder = Folder::new();
        issue(
            &folder,
            "Root",
            None,
            "P-256",
            "subjectKeyIdentifier=hash\n",
        );
        folder.write("extensions", statements.as_bytes());
        openssl(
            &folder,
            &[
                "req", "-new", "-key", "Root.key", "-subj", "/CN=L", "-out", "q",
            ],
        );
        openssl(
            &folder,
            &[
                "x509",
                "-req",
                "-in",
                "q",
                "-CA",
                "Root.pem",
                "-CAkey",
                "Root.key",
                "-CAcreateserial",
                "-extfile",
                "extensions",
                "-outform",
                "DER",
                "-out",
                "l",
            ],
        );
        match Certificate::parse(&folder.read("l")) {
            Ok(certificate) => Ok(certificate.extensions().qc_statements.clone()),
            Err(_) => Err(()),
        }
    }

    #[test]
    fn openssl_s_statements_are_read() {
        let read = read(STATEMENTS).unwrap().unwrap();
        let located = |language: &str| DisclosureStatement {
            url: format!("https://a.example/{language}"),
            language: language.to_owned(),
        };
        let expected = QcStatements {
            compliance: true,
            secure_device: true,
            types: vec![QC_TYPE_SIGNATURE],
            legislation: vec!["CH".to_owned()],
            retention_years: Some(10),
            disclosure: vec![located("en"), located("lv")],
            semantics: Some(SEMANTICS_NATURAL),
            others: vec!["1.2.3.4".parse().unwrap()],
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn broken_statements_are_refused() {
        assert_eq!(read("subjectKeyIdentifier=hash\n"), Ok(None));
        for (from, to) in [
            ("h=SEQUENCE:other", "h=SEQUENCE:device"),
            (
                "[compliance]\nid=OID:0.4.0.1862.1.1",
                "[compliance]\nid=OID:0.4.0.1862.1.1\nx=NULL",
            ),
            ("\ninfo=SEQUENCE:types", ""),
            ("INTEGER:10", "UTF8:10"),
            ("INTEGER:10", "INTEGER:-1"),
            ("PRINTABLESTRING:CH", "UTF8:CH"),
            (
                "IA5STRING:https\\://a.example/en",
                "UTF8:https\\://a.example/en",
            ),
        ] {
            let altered = STATEMENTS.replace(from, to);
            assert_ne!(altered, STATEMENTS, "{from}");
            assert_eq!(read(&altered), Err(()), "{to}");
        }
        assert_eq!(read("1.3.6.1.5.5.7.1.3=DER:3000\n"), Err(()));
    }

    #[test]
    fn a_critical_statement_that_is_not_understood_is_a_critical_extension() {
        let folder = Folder::new();
        issue(
            &folder,
            "Root",
            None,
            "P-256",
            "subjectKeyIdentifier=hash\n",
        );
        let critical = STATEMENTS.replace("=ASN1", "=critical,ASN1");
        let with = reissue(&folder, "Root", "Root.key", None, &critical);
        assert_eq!(with.extensions().unknown_critical, [super::QC_STATEMENTS]);
        let without = critical.replace("h=SEQUENCE:other\n", "");
        let without = reissue(&folder, "Root", "Root.key", None, &without);
        assert!(without.extensions().unknown_critical.is_empty());
    }
}
