//! Who signed the document, and whether that is believed (*ICAO 9303-11 §5.1, 9303-12 §6, §7*).

use cert::cms::{CmsVerifyError, SignedData, VerifiedSigner};
use cert::{
    AttributeType, Certificate, CountryPathError, CountryQuestion, CountryRole, CountryVerifier,
    Hash, PathError, Revocation, SignatureError,
};
use document::mrz::Mrz;
use jiff::{SignedDuration, Timestamp};

use super::check::{Check, CheckName, Verdict, reason};
use super::judge::Sod;
use super::states;
use super::trust::Trust;
use crate::lds::{Dg1, Group, Lds};

/// How far the clocks of signer and inspector may differ.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

/// The checks of the signer, in their order.
const OF_SIGNER: [CheckName; 6] = [
    CheckName::SignerChain,
    CheckName::SignerValidity,
    CheckName::SignerKeyUse,
    CheckName::SignerDocumentType,
    CheckName::SignerState,
    CheckName::SignerRevocation,
];

/// Judges EF.SOD's signature and its signer.
pub(super) fn judge(lds: &Lds, sod: &Sod, trust: &Trust, at: Timestamp) -> Vec<Check> {
    let name = CheckName::SodSignature;
    let (message, object) = match sod {
        Sod::Missing => {
            let check = Check::unknown(name, "EF.SOD is not there: nothing is signed");
            return unjudged(check, "there is no EF.SOD");
        }
        Sod::Malformed(why) => {
            return unjudged(Check::failed(name, why.clone()), "EF.SOD does not read");
        }
        Sod::Read { message, object } => (message, object),
    };
    let object = match object {
        Ok(object) => object,
        Err(error) => {
            return unjudged(Check::failed(name, reason(error)), "EF.SOD does not read");
        }
    };
    let signer = match verified(message, trust) {
        Ok(signer) => signer,
        Err((verdict, why)) => {
            let check = Check::new(name, verdict, why);
            return unjudged(check, "no certificate is known to have signed EF.SOD");
        }
    };
    let mut remarks: Vec<_> = object.remarks.iter().map(ToString::to_string).collect();
    remarks.extend(weakness(message));
    let algorithm = signer.info.signature_algorithm();
    let told = format!("{algorithm} by {}", named(signer.certificate));
    let mut checks = vec![Check::passed(name, told).remarked(remarks)];
    let zone = lds.get(Group::Dg1).and_then(|file| Dg1::parse(file).ok());
    let question = Asked {
        signer: signer.certificate,
        signed_at: signer.info.signing_time(),
        zone: zone.as_ref().map(|read| &read.content.mrz),
        trust,
        at,
    };
    checks.extend([
        question.validity(),
        question.chain(),
        question.key_use(),
        question.document_type(),
        question.state(),
        question.revocation(),
    ]);
    checks
}

fn unjudged(signature: Check, why: &str) -> Vec<Check> {
    let others = OF_SIGNER.map(|name| Check::unknown(name, why));
    std::iter::once(signature).chain(others).collect()
}

/// Verifies a message's signatures and returns the first signer; else what that means.
pub(super) fn verified<'a>(
    message: &'a SignedData,
    trust: &'a Trust,
) -> Result<VerifiedSigner<'a>, (Verdict, String)> {
    let signers = message
        .verify_allowing_sha1(trust.signers())
        .map_err(|error| {
            let verdict = match &error {
                CmsVerifyError::CertificateMissing { .. }
                | CmsVerifyError::UnknownDigest { .. }
                | CmsVerifyError::Signature {
                    source: SignatureError::Unsupported | SignatureError::WeakKey { .. },
                    ..
                } => Verdict::Unknown,
                _ => Verdict::Failed,
            };
            (verdict, reason(&error))
        })?;
    let first = signers.into_iter().next();
    // A message without signers does not read.
    first.ok_or((Verdict::Failed, "nobody signed it".to_owned()))
}

/// Returns what is weak about a message's signature.
pub(super) fn weakness(message: &SignedData) -> Option<String> {
    let is_old = message.signers().iter().any(|signer| {
        [signer.digest(), signer.signature_algorithm().hash()].contains(&Some(Hash::Sha1))
    });
    is_old.then(|| "signed with SHA-1, of which collisions are known".to_owned())
}

/// Returns a certificate as reports name it.
fn named(certificate: &Certificate) -> String {
    format!(
        "certificate {} ({})",
        certificate.serial_hex(),
        certificate.subject()
    )
}

/// What is asked of one signer.
pub(super) struct Asked<'a> {
    pub(super) signer: &'a Certificate,
    pub(super) signed_at: Option<Timestamp>,
    pub(super) zone: Option<&'a Mrz>,
    pub(super) trust: &'a Trust,
    pub(super) at: Timestamp,
}

impl Asked<'_> {
    fn is_trusted_itself(&self) -> bool {
        self.trust.signers().contains(self.signer)
    }

    fn question(&self, at: Timestamp) -> CountryQuestion<'static> {
        CountryQuestion {
            role: CountryRole::DocumentSigner,
            at,
            signed_at: None,
            document_type: None,
        }
    }

    fn verify(&self, at: Timestamp) -> Result<Vec<&Certificate>, CountryPathError> {
        let verifier = CountryVerifier {
            anchors: self.trust.anchors(),
            links: self.trust.links(),
            lists: &[],
        };
        let path = verifier.verify(self.signer, &self.question(at))?;
        Ok(path.certificates)
    }

    /// Returns a time at which the path is judged apart from its validity now: when the document
    /// was signed, as far as that is known.
    fn then(&self) -> Timestamp {
        let validity = self.signer.validity();
        self.signed_at
            .filter(|at| validity.contains(*at))
            .unwrap_or(validity.not_before)
    }

    /// Judges the path, as of now or else of the signing: that it has expired is said by
    /// [`Asked::validity`].
    pub(super) fn chain(&self) -> Check {
        let name = CheckName::SignerChain;
        let found = match self.verify(self.at) {
            Err(error) if is_of_time(&error) => self.verify(self.then()),
            found => found,
        };
        let error = match found {
            Ok(path) => {
                let anchor = path.last().copied().unwrap_or(self.signer);
                let over = match path.len() {
                    0..=2 => "",
                    _ => ", by way of link certificates",
                };
                return Check::passed(name, format!("under {}{over}", named(anchor)));
            }
            Err(error) => error,
        };
        if self.is_trusted_itself() && is_of_issuer(&error) {
            let told = format!("{} is trusted by itself", named(self.signer));
            let remark = "no country signing certificate was asked".to_owned();
            return Check::passed(name, told).remarked([remark]);
        }
        match error {
            CountryPathError::Path(PathError::IssuerUnknown { issuer, .. }) => {
                Check::unknown(name, self.issuer_unknown(&issuer.to_string()))
            }
            CountryPathError::Path(PathError::Signature {
                source: SignatureError::Unsupported | SignatureError::WeakKey { .. },
                ..
            }) => Check::unknown(name, reason(&error)),
            _ => Check::failed(name, reason(&error)),
        }
    }

    fn issuer_unknown(&self, issuer: &str) -> String {
        let all = || self.trust.anchors().iter().chain(self.trust.links());
        let country = self.signer.issuer().get(AttributeType::Country);
        let is_of_country = |ca: &Certificate| {
            let own = ca.subject().get(AttributeType::Country);
            own.zip(country)
                .is_some_and(|(own, its)| own.eq_ignore_ascii_case(its))
        };
        let detail = if all().next().is_none() {
            "no certificate of a country signing CA was given"
        } else if all().any(|ca| ca.subject().is_same_as(self.signer.issuer())) {
            "one of that name is trusted and has another key, and none leads from it to this one"
        } else if all().any(is_of_country) {
            "others of that country are trusted"
        } else {
            "none of that country is trusted"
        };
        format!("the signer's issuer ({issuer}) is not among those trusted: {detail}")
    }

    pub(super) fn validity(&self) -> Check {
        let name = CheckName::SignerValidity;
        match self.verify(self.at) {
            Err(error) if is_of_time(&error) => return Check::failed(name, reason(&error)),
            _ => {}
        }
        let validity = self.signer.validity();
        // What keeps a path from being found may stand before its validity.
        if self.at < validity.not_before {
            return Check::failed(
                name,
                format!(
                    "the signer's certificate holds from {} only",
                    validity.not_before
                ),
            );
        }
        if !validity.contains(self.at) {
            return Check::failed(
                name,
                format!("the signer's certificate expired at {}", validity.not_after),
            );
        }
        Check::passed(
            name,
            format!(
                "the signer's certificate holds until {}",
                validity.not_after
            ),
        )
    }

    fn key_use(&self) -> Check {
        let name = CheckName::SignerKeyUse;
        let Some(signed_at) = self.signed_at else {
            let remark = "the signed message does not say when it was signed".to_owned();
            return Check::passed(name, "there is no time to compare").remarked([remark]);
        };
        if signed_at.duration_since(self.at) > CLOCKS {
            return Check::failed(
                name,
                format!("signed at {signed_at}, after the time of judging"),
            );
        }
        let verifier = CountryVerifier {
            anchors: &[],
            links: &[],
            lists: &[],
        };
        let question = CountryQuestion {
            signed_at: Some(signed_at),
            ..self.question(self.then())
        };
        match verifier.verify(self.signer, &question) {
            Err(error @ CountryPathError::KeyUse { .. }) => Check::failed(name, reason(&error)),
            _ => Check::passed(
                name,
                format!("signed at {signed_at}, when the key was in use"),
            ),
        }
    }

    fn document_type(&self) -> Check {
        let name = CheckName::SignerDocumentType;
        let Some(zone) = self.zone else {
            return Check::unknown(name, "EF.DG1 is not there or does not read");
        };
        if self.signer.extensions().document_types.is_none() {
            let remark = "the signer's certificate names no document types".to_owned();
            return Check::passed(name, "the signer may sign any").remarked([remark]);
        }
        let verifier = CountryVerifier {
            anchors: &[],
            links: &[],
            lists: &[],
        };
        let question = CountryQuestion {
            document_type: Some(zone.document_code()),
            ..self.question(self.then())
        };
        match verifier.verify(self.signer, &question) {
            Err(error @ CountryPathError::DocumentType { .. }) => {
                Check::failed(name, reason(&error))
            }
            _ => Check::passed(name, "the signer may sign documents of this type"),
        }
    }

    /// Compares the state in the machine readable zone with the signer's (*ICAO 9303-12 §7.1.1*).
    fn state(&self) -> Check {
        let name = CheckName::SignerState;
        let Some(zone) = self.zone else {
            return Check::unknown(name, "EF.DG1 is not there or does not read");
        };
        let Some(country) = self.signer.subject().get(AttributeType::Country) else {
            return Check::failed(name, "the signer's certificate names no country");
        };
        let country = country.to_ascii_uppercase();
        // Both were read by others, and are short and without control characters: a zone has
        // letters only, and a name is escaped when it is shown.
        let issuer = zone.issuer();
        match states::two_letters(issuer) {
            None => Check::unknown(
                name,
                format!("the issuing state {issuer} is not known here by two letters"),
            ),
            Some(all) if all.contains(&country.as_str()) => {
                Check::passed(name, format!("document and signer are of {issuer}"))
            }
            Some(_) => Check::failed(
                name,
                format!(
                    "the document is of {issuer}, its signer is not: {}",
                    named(self.signer)
                ),
            ),
        }
    }

    fn revocation(&self) -> Check {
        let name = CheckName::SignerRevocation;
        let lists = self.trust.revocation(self.at);
        let verify = |lists: &[cert::RevocationList]| {
            let verifier = CountryVerifier {
                anchors: self.trust.anchors(),
                links: self.trust.links(),
                lists,
            };
            let ask = |at| {
                verifier
                    .verify(self.signer, &self.question(at))
                    .map(|path| path.revocation)
            };
            match ask(self.at) {
                Err(error) if is_of_time(&error) => ask(self.then()),
                found => found,
            }
        };
        let current = verify(&lists.current);
        let outdated = verify(&lists.outdated);
        for found in [&current, &outdated] {
            if let Err(error @ CountryPathError::Revoked { .. }) = found {
                return Check::failed(name, reason(error)).remarked(lists.faults);
            }
        }
        match (current, outdated) {
            (Ok(Revocation::Good { this_update }), _) => {
                Check::passed(name, format!("not on the revocation list of {this_update}"))
            }
            (_, Ok(Revocation::Good { this_update })) => Check::unknown(
                name,
                format!("not on the revocation list of {this_update}, which was to be replaced"),
            ),
            (Ok(Revocation::Unknown), _) => Check::unknown(
                name,
                "no revocation list of the signer's authority was given",
            ),
            (Err(_), _) => Check::unknown(name, "the signer's authority is not known"),
        }
        .remarked(lists.faults)
    }
}

/// Says whether only the time of asking is wrong.
fn is_of_time(error: &CountryPathError) -> bool {
    matches!(
        error,
        CountryPathError::Path(PathError::Expired { .. } | PathError::NotYetValid { .. })
    )
}

fn is_of_issuer(error: &CountryPathError) -> bool {
    matches!(
        error,
        CountryPathError::Path(PathError::IssuerUnknown { .. })
    )
}
