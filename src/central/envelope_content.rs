//! What becomes of a PIN envelope with its chip and its document: ready, kept for its PUKs, void.

use std::collections::BTreeSet;

use api::Actor;
use audit::Control;
use document::DocumentNumber;
use document::life_cycle::{EnvelopeEvent, EnvelopeState};
use hsm::EnvelopeKey;
use profile::ObjectKind;
use sqlx::Row;

use crate::blanks::BookedChip;
use crate::central::Central;
use crate::database::{Connection, DbRow, Write};
use crate::documents::Document;
use crate::envelopes::{COLUMNS, CONTROL, Envelope, context};
use crate::error::{CentralError, Result};
use crate::lease::Held;
use crate::scribe::Deed;
use crate::statements::sql;

impl Central {
    /// Makes the envelope of a chip whose PINs are all set ready for printing; of what was kept to
    /// set them, the PUKs stay.
    pub(crate) async fn confirm_envelope(
        &self,
        tx: &mut Write,
        held: &Held,
        chip: &BookedChip,
    ) -> Result<()> {
        let row = sqlx::query(sql!("SELECT serial, chip, number, state, sealed, kept FROM envelope WHERE lease = $1 AND chip = $2 AND state = 'sealed'"))
        .bind(held.id.to_string())
        .bind(&chip.serial)
        .fetch_optional(&mut **tx)
        .await?;
        // The envelope stands with the first of the stages that set PINs.
        let row = row.ok_or_else(|| CentralError::damaged("PINs without their envelope"))?;
        let mut envelope = Envelope::read(&row)?;
        let number = held
            .number
            .parse()
            .map_err(|_| CentralError::damaged("a document's number"))?;
        let kept: Option<Vec<u8>> = row.get("kept");
        let puks = match kept {
            Some(kept) => self.puks(chip, kept, context(number)).await?,
            None => None,
        };
        envelope
            .apply(tx, EnvelopeEvent::Confirm, self.now())
            .await?;
        sqlx::query(sql!("UPDATE envelope SET kept = $1 WHERE serial = $2"))
            .bind(puks)
            .bind(&envelope.serial)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Returns the PUKs of what was kept, sealed again; nothing where there are none.
    async fn puks(
        &self,
        chip: &BookedChip,
        kept: Vec<u8>,
        context: Vec<u8>,
    ) -> Result<Option<Vec<u8>>> {
        let profile = self.chip(&chip.product)?;
        let names: BTreeSet<&str> = profile
            .objects(ObjectKind::Pin)
            .filter_map(|pin| profile.pin_rules(&pin.name)?.puk.as_deref())
            .collect();
        let all = self.opened(kept, context.clone()).await?;
        let puks = all.only(|name| names.contains(name));
        if puks.iter().next().is_none() {
            return Ok(None);
        }
        let content = puks
            .encode()
            .map_err(|error| CentralError::refused(error.to_string()))?;
        let own: &EnvelopeKey = &self.envelope_keys().own;
        Ok(Some(own.seal(&content, &context)?))
    }

    /// Deletes the PUK of a document that is handed over: from then on its holder alone has it.
    pub(crate) async fn delete_puk(
        &self,
        tx: &mut Write,
        actor: &Actor,
        document: &Document,
    ) -> Result<()> {
        let deleted = sqlx::query(sql!(
            "UPDATE envelope SET kept = NULL WHERE document = $1 AND kept IS NOT NULL"
        ))
        .bind(&document.id)
        .execute(&mut **tx)
        .await?;
        if deleted.rows_affected() > 0 {
            let number = document.number();
            let deed = Deed::new("puk.deleted", Control::DELETION, "document", number);
            self.record(tx, Some(actor), &deed).await?;
        }
        Ok(())
    }

    /// Demands that a document that has PINs has an envelope with them, or had: its holder could not
    /// use it.
    pub(crate) async fn check_envelope(
        &self,
        tx: &mut Connection,
        document: &Document,
    ) -> Result<()> {
        let row = sqlx::query(sql!("SELECT count(*) AS whole, count(CASE WHEN state NOT IN ('void', 'destroyed') THEN 1 END) AS alive FROM envelope WHERE number = $1"))
        .bind(document.number().to_string())
        .fetch_one(tx)
        .await?;
        match (row.get::<i64, _>("whole"), row.get::<i64, _>("alive")) {
            (1.., 0) => Err(CentralError::conflict(
                "its PIN envelope was destroyed, and nobody has its PINs: give the document new PINs first",
            )),
            _ => Ok(()),
        }
    }

    /// Takes the PINs of a number whose blank was given up out of the world: those that are not on
    /// paper are destroyed, the others are void and wait for a person.
    pub(crate) async fn annul_envelopes(
        &self,
        tx: &mut Write,
        actor: &Actor,
        number: DocumentNumber,
    ) -> Result<()> {
        let rows = sqlx::query(sql!(
            COLUMNS,
            " WHERE number = $1 AND state NOT IN ('void', 'destroyed')"
        ))
        .bind(number.to_string())
        .fetch_all(&mut **tx)
        .await?;
        self.annul(tx, Some(actor), &rows, "the blank was given up")
            .await?;
        // Of paper that was destroyed before, the PUK was kept.
        sqlx::query(sql!("UPDATE envelope SET kept = NULL WHERE number = $1"))
            .bind(number.to_string())
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Takes the PINs that a chip had before a lease for new ones out of the world: its letters open
    /// nothing any more, wherever they are.
    pub(crate) async fn annul_envelopes_before(
        &self,
        tx: &mut Write,
        actor: &Actor,
        held: &Held,
    ) -> Result<()> {
        let rows = sqlx::query(sql!(
            COLUMNS,
            " WHERE document = $1 AND lease <> $2 AND state NOT IN ('void', 'destroyed')"
        ))
        .bind(&held.document)
        .bind(held.id.to_string())
        .fetch_all(&mut **tx)
        .await?;
        self.annul(tx, Some(actor), &rows, "the chip has new PINs")
            .await?;
        sqlx::query(sql!(
            "UPDATE envelope SET kept = NULL WHERE document = $1 AND lease <> $2"
        ))
        .bind(&held.document)
        .bind(held.id.to_string())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Takes the letters of a document that ended out of the world, as far as its holder has them
    /// not: nobody is to send or deliver them any more.
    pub(crate) async fn annul_undelivered(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        document: &Document,
    ) -> Result<()> {
        let rows = sqlx::query(sql!(
            COLUMNS,
            " WHERE document = $1 AND state NOT IN ('delivered', 'void', 'destroyed')"
        ))
        .bind(&document.id)
        .fetch_all(&mut **tx)
        .await?;
        self.annul(tx, actor, &rows, "the document ended").await
    }

    /// Destroys the PINs of a lease that no chip confirmed.
    pub(crate) async fn annul_unconfirmed(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        held: &Held,
    ) -> Result<()> {
        let rows = sqlx::query(sql!(COLUMNS, " WHERE lease = $1 AND state = 'sealed'"))
            .bind(held.id.to_string())
            .fetch_all(&mut **tx)
            .await?;
        self.annul(tx, actor, &rows, "the chip did not confirm them")
            .await
    }

    async fn annul(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        rows: &[DbRow],
        cause: &str,
    ) -> Result<()> {
        for row in rows {
            let mut envelope = Envelope::read(row)?;
            envelope.apply(tx, EnvelopeEvent::Annul, self.now()).await?;
            let deed = match envelope.state {
                EnvelopeState::Destroyed => envelope.deed("envelope.destroyed", Control::DELETION),
                _ => envelope.deed("envelope.void", CONTROL),
            };
            self.record(tx, actor, &deed.with("cause", cause)).await?;
        }
        Ok(())
    }
}
