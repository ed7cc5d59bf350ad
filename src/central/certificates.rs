//! Certificates: on hold from their issue, active from the hand-over, revoked with a reason; and
//! the list that shows it.

use api::{Actor, CertifyRequest};
use audit::Control;
use document::life_cycle::{CertificateEvent, CertificateState, LifeCycle, RevocationReason};
use jiff::SignedDuration;
use pki::CrlEntry;
use sha2::{Digest, Sha256};
use sqlx::Row;

use crate::audit_log::Deed;
use crate::blanks::{BookedChip, chip_serial};
use crate::central::Central;
use crate::database::{Write, moment, parsed, stored};
use crate::documents::Document;
use crate::error::{CentralError, Result, advance};
use crate::lease::Held;
use crate::possession::prove_possession;

/// How long a revocation list may be relied on.
const CRL_TERM: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Central {
    /// Returns the certificate of the embedded authority, DER.
    pub fn authority_certificate(&self) -> &[u8] {
        self.authority_ref().der()
    }

    /// Issues a certificate, on hold.
    pub(crate) async fn certify_key(
        &self,
        actor: &Actor,
        request: &CertifyRequest,
    ) -> Result<Vec<u8>> {
        let deed = Deed::new(
            "certificate.issued",
            Control::CRYPTOGRAPHY,
            "lease",
            request.lease,
        );
        let result = self.try_certify(actor, &deed, request).await;
        self.settle(actor, &deed, result).await
    }

    async fn try_certify(
        &self,
        actor: &Actor,
        deed: &Deed,
        request: &CertifyRequest,
    ) -> Result<Vec<u8>> {
        let mut tx = self.write().await?;
        let held = self.held(&mut tx, actor, request.lease).await?;
        let chip = held.chip(&mut tx, &chip_serial(&request.chip)?).await?;
        let document = Document::load(&mut tx, &held.document).await?;
        self.check_key(&chip, &document, request)?;
        let proved = prove_possession(self.chip(&chip.product)?, &request.key, &request.request)?;
        if document.subjects.get(&request.key).map(Vec::as_slice) != Some(proved.subject().as_der())
        {
            return Err(CentralError::refused(
                "the certification request names another subject than was prepared",
            ));
        }
        let public_key = proved.public_key().to_spki_der();
        let public_key = public_key.map_err(|error| {
            CentralError::refused(format!("the public key is not accepted: {error}"))
        })?;
        let public_key = Sha256::digest(&public_key).to_vec();
        if let Some(der) = issued_before(&mut tx, &held, &chip, request, &public_key).await? {
            tx.commit().await?;
            return Ok(der);
        }

        let profile_digest = self.authority_ref().profile_digest(&request.profile)?;
        let state = advance(CertificateState::INITIAL, CertificateEvent::Issue)?;
        let (authority, profile, record, now) = (
            self.authority(),
            request.profile.clone(),
            document.record.clone(),
            self.now(),
        );
        let certificate = self
            .blocking(move || authority.issue(&profile, &proved, &record, now))
            .await??;
        let (serial, validity) = (certificate.serial_hex(), certificate.validity());
        sqlx::query(
            "INSERT INTO certificate (serial, document, number, lease, chip, key_name, profile, public_key, der, state, not_before, not_after, changed)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&serial)
        .bind(&document.id)
        .bind(document.number().to_string())
        .bind(held.id.to_string())
        .bind(&chip.serial)
        .bind(&request.key)
        .bind(&request.profile)
        .bind(public_key)
        .bind(certificate.as_der())
        .bind(state.to_string())
        .bind(stored(validity.not_before))
        .bind(stored(validity.not_after))
        .bind(stored(validity.not_before))
        .execute(&mut *tx)
        .await?;
        let deed = deed
            .clone()
            .with("document", document.number())
            .with("chip", &chip.serial)
            .with("certificate", &serial)
            .with("key", &request.key)
            .with("profile", &request.profile)
            .with("profile-digest", hex::encode(profile_digest));
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(certificate.as_der().to_vec())
    }

    /// Demands that the document gets this key on this chip, by the holder's age, and under this
    /// profile.
    fn check_key(
        &self,
        chip: &BookedChip,
        document: &Document,
        request: &CertifyRequest,
    ) -> Result<()> {
        let profile = self.document_profile(document.record.kind)?;
        let plan = self.plan(profile, &chip.product, &document.record)?;
        if plan
            .keys
            .iter()
            .any(|(key, profile)| *key == request.key && *profile == request.profile)
        {
            Ok(())
        } else {
            Err(CentralError::refused(
                "this document has no certificate of this profile for this key",
            ))
        }
    }

    /// Activates the certificates of a document that is handed over.
    pub(crate) async fn activate_certificates(
        &self,
        tx: &mut Write,
        actor: &Actor,
        document: &Document,
    ) -> Result<()> {
        self.move_certificates(
            tx,
            actor,
            document,
            CertificateEvent::Activate,
            "certificate.activated",
        )
        .await
    }

    /// Revokes the certificates of a document whose card will not be handed over. A card that was
    /// spoiled is replaced: hence `superseded` (*RFC 5280 §5.3.1*).
    pub(crate) async fn revoke_certificates(
        &self,
        tx: &mut Write,
        actor: &Actor,
        document: &Document,
    ) -> Result<()> {
        let event = CertificateEvent::Revoke(RevocationReason::Superseded);
        self.move_certificates(tx, actor, document, event, "certificate.revoked")
            .await
    }

    /// Moves on every certificate of the document that is not revoked yet.
    async fn move_certificates(
        &self,
        tx: &mut Write,
        actor: &Actor,
        document: &Document,
        event: CertificateEvent,
        action: &'static str,
    ) -> Result<()> {
        let rows =
            sqlx::query("SELECT serial, state FROM certificate WHERE document = ? ORDER BY serial")
                .bind(&document.id)
                .fetch_all(&mut **tx)
                .await?;
        for row in &rows {
            let (serial, state): (&str, CertificateState) = (
                row.get("serial"),
                parsed("a certificate's state", row.get("state"))?,
            );
            // Those of an earlier blank ended with it.
            if state.is_final() {
                continue;
            }
            let next = advance(state, event)?;
            sqlx::query("UPDATE certificate SET state = ?, changed = ? WHERE serial = ?")
                .bind(next.to_string())
                .bind(stored(self.now()))
                .bind(serial)
                .execute(&mut **tx)
                .await?;
            let deed = Deed::new(action, Control::CRYPTOGRAPHY, "certificate", serial)
                .with("document", document.number())
                .with("state", next);
            self.record(tx, Some(actor), &deed).await?;
        }
        Ok(())
    }

    /// Makes a new revocation list, DER: every certificate that is on hold or revoked, and not
    /// expired. Lists are numbered without gaps, and kept.
    ///
    /// # Errors
    /// The authority's and the database's failures.
    pub async fn crl(&self) -> Result<Vec<u8>> {
        let mut tx = self.write().await?;
        let now = self.now();
        let rows = sqlx::query(
            "SELECT serial, state, changed FROM certificate WHERE not_after >= ? ORDER BY serial",
        )
        .bind(stored(now))
        .fetch_all(&mut *tx)
        .await?;
        let mut entries = Vec::new();
        for row in &rows {
            let reason = match parsed("a certificate's state", row.get("state"))? {
                CertificateState::IssuedOnHold => pki::RevocationReason::CertificateHold,
                CertificateState::Revoked(reason) => listed(reason),
                CertificateState::Requested
                | CertificateState::Abandoned
                | CertificateState::Active => continue,
            };
            let serial = hex::decode(row.get::<&str, _>("serial"))
                .map_err(|_| CentralError::damaged("a certificate's serial number"))?;
            entries.push(CrlEntry {
                serial,
                since: moment(row.get("changed"))?,
                reason,
            });
        }
        let number: i64 = sqlx::query_scalar("SELECT coalesce(max(number), 0) + 1 FROM crl")
            .fetch_one(&mut *tx)
            .await?;
        let (authority, count) = (self.authority(), entries.len());
        let der = self
            .blocking(move || authority.crl(&entries, now, now + CRL_TERM, number.unsigned_abs()))
            .await??;
        sqlx::query("INSERT INTO crl (number, issued, der) VALUES (?, ?, ?)")
            .bind(number)
            .bind(stored(now))
            .bind(&der)
            .execute(&mut *tx)
            .await?;
        let deed = Deed::new("crl.issued", Control::CRYPTOGRAPHY, "crl", number)
            .with("certificates", count);
        self.record(&mut tx, None, &deed).await?;
        tx.commit().await?;
        Ok(der)
    }
}

/// Returns the certificate that was issued for the same key before; refuses a key that is
/// another's, and another key in the place of one that was certified.
async fn issued_before(
    tx: &mut Write,
    held: &Held,
    chip: &BookedChip,
    request: &CertifyRequest,
    public_key: &[u8],
) -> Result<Option<Vec<u8>>> {
    let rows = sqlx::query("SELECT lease, chip, key_name, public_key, der FROM certificate WHERE public_key = ? OR (lease = ? AND chip = ? AND key_name = ?)")
        .bind(public_key)
        .bind(held.id.to_string())
        .bind(&chip.serial)
        .bind(&request.key)
        .fetch_all(&mut **tx)
        .await?;
    let mut found = None;
    for row in &rows {
        let same_place = row.get::<&str, _>("lease") == held.id.to_string()
            && row.get::<&str, _>("chip") == chip.serial
            && row.get::<&str, _>("key_name") == request.key;
        let same_key = row.get::<&[u8], _>("public_key") == public_key;
        match (same_place, same_key) {
            (true, true) => found = Some(row.get("der")),
            (_, true) => {
                return Err(CentralError::refused(
                    "this public key was certified before, for another document or another key",
                ));
            }
            _ => {
                return Err(CentralError::refused(
                    "another key was certified in this place already; report the blank as spoiled",
                ));
            }
        }
    }
    Ok(found)
}

fn listed(reason: RevocationReason) -> pki::RevocationReason {
    match reason {
        RevocationReason::KeyCompromise => pki::RevocationReason::KeyCompromise,
        RevocationReason::AffiliationChanged => pki::RevocationReason::AffiliationChanged,
        RevocationReason::Superseded => pki::RevocationReason::Superseded,
        RevocationReason::CessationOfOperation => pki::RevocationReason::CessationOfOperation,
        RevocationReason::PrivilegeWithdrawn => pki::RevocationReason::PrivilegeWithdrawn,
    }
}
