//! Reasons for which certificates are revoked, as `rr` has them (*RFC 9810 §5.3.9*,
//! *RFC 5280 §5.3.1*).

use const_oid::AssociatedOid;
use der::Decode;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::CrlReason;

use crate::authority::Status;
use crate::crl::RevocationReason;
use crate::extensions::extension;

const REASONS: [(RevocationReason, CrlReason); 6] = [
    (RevocationReason::KeyCompromise, CrlReason::KeyCompromise),
    (
        RevocationReason::AffiliationChanged,
        CrlReason::AffiliationChanged,
    ),
    (RevocationReason::Superseded, CrlReason::Superseded),
    (
        RevocationReason::CessationOfOperation,
        CrlReason::CessationOfOperation,
    ),
    (
        RevocationReason::CertificateHold,
        CrlReason::CertificateHold,
    ),
    (
        RevocationReason::PrivilegeWithdrawn,
        CrlReason::PrivilegeWithdrawn,
    ),
];

/// Returns the `reasonCode` that moves a certificate there.
pub(crate) fn reason_code(status: Status) -> der::Result<Extension> {
    let reason = match status {
        Status::OnHold => CrlReason::CertificateHold,
        Status::Good => CrlReason::RemoveFromCRL,
        Status::Revoked(reason) => {
            let mut known = REASONS.iter().filter(|(ours, _)| *ours == reason);
            known
                .next()
                .map_or(CrlReason::Unspecified, |(_, code)| *code)
        }
    };
    extension(&reason, false)
}

/// Returns where these entry details move a certificate; nothing where they do not read or the
/// reason is not one for a holder's certificate.
///
/// Without a reason, and for `unspecified`, it is `cessationOfOperation`: the one that accuses
/// nobody.
pub(crate) fn wanted_status(details: Option<&[Extension]>) -> Option<Status> {
    let mut details = details.unwrap_or_default().iter();
    let Some(reason) = details.find(|extension| extension.extn_id == CrlReason::OID) else {
        return Some(Status::Revoked(RevocationReason::CessationOfOperation));
    };
    match CrlReason::from_der(reason.extn_value.as_bytes()).ok()? {
        CrlReason::Unspecified => Some(Status::Revoked(RevocationReason::CessationOfOperation)),
        CrlReason::CertificateHold => Some(Status::OnHold),
        CrlReason::RemoveFromCRL => Some(Status::Good),
        code => REASONS
            .iter()
            .find(|(_, known)| *known == code)
            .map(|(reason, _)| Status::Revoked(*reason)),
    }
}
