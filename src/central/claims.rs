//! Which chip a document is put on: the books know it before anything that lasts is done to it.

use api::{Actor, ClaimRequest};
use audit::Control;
use document::life_cycle::BlankEvent;

use crate::blanks::{Blank, BookedChip, chip_serial};
use crate::central::Central;
use crate::database::Write;
use crate::error::{CentralError, Result};
use crate::lease::Held;
use crate::scribe::Deed;

impl Central {
    /// Takes note of a chip: the first one of a lease binds its blank, later ones must be of it.
    pub(crate) async fn claim_chip(&self, actor: &Actor, request: &ClaimRequest) -> Result<()> {
        let deed = Deed::new("chip.claimed", Control::MEDIA, "lease", request.lease);
        let result = self.try_claim(actor, request).await;
        self.settle(actor, &deed, result).await
    }

    async fn try_claim(&self, actor: &Actor, request: &ClaimRequest) -> Result<()> {
        let mut tx = self.write().await?;
        let mut held = self.held(&mut tx, actor, request.lease).await?;
        let serial = chip_serial(&request.chip)?;
        let chip = held.candidate(&mut tx, &serial).await?;
        if held.blank.is_none() {
            self.bind(&mut tx, actor, &mut held, &chip).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Binds the blank of a lease's first chip to it: one that is in stock.
    async fn bind(
        &self,
        tx: &mut Write,
        actor: &Actor,
        held: &mut Held,
        chip: &BookedChip,
    ) -> Result<()> {
        let mut blank = Blank::load(tx, &chip.blank).await?;
        if let Err(CentralError::Conflict { .. }) = blank.apply(tx, BlankEvent::Issue).await {
            return Err(CentralError::refused(format!(
                "blank {} is {} in the books, not in stock; set it aside, and ask the stock-keeper",
                blank.serial, blank.state
            )));
        }
        held.bind(tx, &blank.serial).await?;
        let deed = Deed::new("blank.issued", Control::MEDIA, "blank", &blank.serial)
            .with("lease", held.id)
            .with("document", &held.number)
            .with("chip", &chip.serial);
        self.record(tx, Some(actor), &deed).await
    }
}
