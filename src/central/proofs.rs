//! Proof that a certificate is on its chip: the chip signs the centre's own challenge under it.

use api::{Actor, ProveRequest};
use audit::Control;
use document::life_cycle::{CertificateEvent, CertificateState};

use crate::blanks::{BookedChip, chip_serial};
use crate::central::Central;
use crate::certificate_rows::Ordered;
use crate::contention::retried;
use crate::database::Connection;
use crate::error::{CentralError, Result, advance};
use crate::lease::Held;
use crate::scribe::Deed;

impl Central {
    /// Takes a chip's signature under its certificate.
    pub(crate) async fn prove_key(&self, actor: &Actor, request: &ProveRequest) -> Result<()> {
        let deed = Deed::new(
            "certificate.proved",
            Control::CRYPTOGRAPHY,
            "lease",
            request.lease,
        );
        let result = retried!(self.try_prove(actor, &deed, request));
        self.settle(actor, &deed, result).await
    }

    async fn try_prove(&self, actor: &Actor, deed: &Deed, request: &ProveRequest) -> Result<()> {
        let mut tx = self.write().await?;
        let held = self.held(&mut tx, actor, request.lease).await?;
        held.check_personalizes()?;
        let chip = held.chip(&mut tx, &chip_serial(&request.chip)?).await?;
        let ordered = Ordered::of_key(&mut tx, &held, &chip, &request.key).await?;
        let none = || CentralError::NotFound {
            what: "certificate for this key under this lease".into(),
        };
        let mut ordered = ordered
            .filter(|ordered| ordered.issued.is_some())
            .ok_or_else(none)?;
        let key = self.order_key(&mut tx, &ordered).await?;
        let certificate = ordered.certificate(&key)?.ok_or_else(none)?;
        let rules = self.chip(&chip.product)?.key_rules(&request.key);
        let signs = rules.is_some_and(|rules| {
            let key = certificate.public_key();
            rules.verifies(key, &ordered.challenge, &request.signature)
        });
        if !signs {
            return Err(CentralError::refused(format!(
                "the chip does not sign under the certificate of key \"{}\"; report the blank as spoiled",
                request.key
            )));
        }
        if ordered.state == CertificateState::Ready {
            // Repeated after a lost answer.
            return Ok(());
        }
        ordered.state = advance(ordered.state, CertificateEvent::Prove)?;
        ordered.store_state(&mut tx, self.now()).await?;
        let deed = deed
            .clone()
            .with("document", &ordered.number)
            .with("chip", &chip.serial)
            .with("certificate", ordered.serial())
            .with("key", &request.key);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Demands that every certificate that a chip gets is on it, and that its key signed under it.
    pub(crate) async fn check_proved(
        &self,
        tx: &mut Connection,
        held: &Held,
        chip: &BookedChip,
        keys: &[(String, String)],
    ) -> Result<()> {
        for (key, _) in keys {
            let ordered = Ordered::of_key(tx, held, chip, key).await?;
            if ordered.is_none_or(|ordered| ordered.state != CertificateState::Ready) {
                return Err(CentralError::refused(format!(
                    "key \"{key}\" of chip {} has not signed under a certificate that was issued under this lease",
                    chip.serial
                )));
            }
        }
        Ok(())
    }
}
