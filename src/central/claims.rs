//! Which chips a document is put on: the books know them, and that they are of one blank, before
//! anything that lasts is done to any of them.

use std::collections::{BTreeMap, BTreeSet};

use api::{Actor, ClaimRequest};
use audit::Control;
use document::life_cycle::BlankEvent;

use crate::blanks::{Blank, BookedChip, blank_serial, chip_serial};
use crate::central::Central;
use crate::contention::retried;
use crate::database::Write;
use crate::documents::Document;
use crate::error::{CentralError, Result};
use crate::lease::Held;
use crate::scribe::Deed;
use crate::stock::MAX_CHIPS;

impl Central {
    /// Takes note of a chip and of those beside it: the first claim of a lease binds their blank,
    /// later ones must be of it.
    pub(crate) async fn claim_chip(&self, actor: &Actor, request: &ClaimRequest) -> Result<()> {
        let deed = Deed::new("chip.claimed", Control::MEDIA, "lease", request.lease);
        let result = retried!(self.try_claim(actor, request));
        self.settle(actor, &deed, result).await
    }

    async fn try_claim(&self, actor: &Actor, request: &ClaimRequest) -> Result<()> {
        let mut tx = self.write().await?;
        let mut held = self.held(&mut tx, actor, request.lease).await?;
        let serial = chip_serial(&request.chip)?;
        let at_slot = at_slot(&serial, &request.beside)?;
        let label = request.printed.as_deref().map(blank_serial).transpose()?;
        let label = label.as_deref();
        if let Some(bound) = held.blank.clone() {
            check_label(label, &bound)?;
            held.chip(&mut tx, &serial).await?;
            for beside in &at_slot {
                let chip = BookedChip::find(&mut tx, beside).await?;
                if chip.is_none_or(|chip| chip.blank != bound) {
                    return Err(CentralError::NotOneBlank {
                        reason: format!(
                            "chip {beside} is not of blank {bound}, which is bound to this lease"
                        ),
                    });
                }
            }
        } else {
            let found = one_blank(&mut tx, &at_slot).await?;
            let mut blank = match found {
                Ok(blank) => blank,
                Err(strays) => {
                    let reason = strays.to_string();
                    self.put_strays_aside(&mut tx, actor, &held.id.to_string(), &strays)
                        .await?;
                    tx.commit().await?;
                    return Err(CentralError::NotOneBlank { reason });
                }
            };
            check_label(label, &blank.serial)?;
            check_whole_blank(&mut tx, &blank, &held, &at_slot).await?;
            let document = Document::load(&mut tx, &held.document).await?;
            blank.check_fits(self.document_profile(document.kind)?)?;
            self.bind(&mut tx, actor, &mut held, &mut blank, &serial)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Puts the blanks aside whose chips lie at one slot and are no pair: neither is what the books
    /// say. What is in another account is another lease's, or a document: it stays there, and
    /// somebody must look into it.
    pub(crate) async fn put_strays_aside(
        &self,
        tx: &mut Write,
        actor: &Actor,
        lease: &str,
        strays: &Strays,
    ) -> Result<()> {
        for (serial, chips) in &strays.blanks {
            let mut blank = Blank::load(tx, serial).await?;
            if !blank.state.is_idle() {
                continue;
            }
            let found = strays.to_string();
            let movement = self.movement(actor).because(&found);
            blank.apply(tx, BlankEvent::Spoil, &movement).await?;
            let deed = Deed::new("blank.crossed", Control::MEDIA, "blank", serial)
                .with("lease", lease)
                .with("chips", chips.join(", "))
                .with("found", strays);
            self.record(tx, Some(actor), &deed).await?;
        }
        Ok(())
    }

    /// Binds a blank to a lease: one that is in stock, or loaded in the lease's slot.
    pub(crate) async fn bind(
        &self,
        tx: &mut Write,
        actor: &Actor,
        held: &mut Held,
        blank: &mut Blank,
        chip: &str,
    ) -> Result<()> {
        let movement = self.movement(actor).under(held.id).of(&held.document);
        blank
            .issue(tx, (&held.station, &held.slot), movement)
            .await?;
        held.bind(tx, &blank.serial).await?;
        let deed = Deed::new("blank.issued", Control::MEDIA, "blank", &blank.serial)
            .with("lease", held.id)
            .with("document", &held.number)
            .with("chip", chip);
        self.record(tx, Some(actor), &deed).await
    }
}

/// Finds the blank that all chips at a slot are of.
///
/// # Errors
/// [`CentralError::Refused`] where none of them is in the books.
pub(crate) async fn one_blank(
    tx: &mut Write,
    at_slot: &BTreeSet<String>,
) -> Result<std::result::Result<Blank, Strays>> {
    let mut strays = Strays::default();
    for one in at_slot {
        match BookedChip::find(tx, one).await? {
            Some(chip) => {
                let of = strays.blanks.entry(chip.blank).or_default();
                of.push(one.clone());
            }
            None => strays.unknown.push(one.clone()),
        }
    }
    let mut blanks = strays.blanks.keys();
    match (blanks.next().cloned(), blanks.next()) {
        (None, _) => Err(CentralError::refused(format!(
            "chip {} is of no delivery in the books; set the blank aside, and ask the stock-keeper",
            strays.unknown.join(", ")
        ))),
        (Some(blank), None) if strays.unknown.is_empty() => Blank::load(tx, &blank).await.map(Ok),
        _ => Ok(Err(strays)),
    }
}

/// Demands that a lease is for such blanks, and that no chip of this one is missing at the slot.
pub(crate) async fn check_whole_blank(
    tx: &mut Write,
    blank: &Blank,
    held: &Held,
    at_slot: &BTreeSet<String>,
) -> Result<()> {
    let chips = blank.chips(tx).await?;
    let products: Vec<_> = chips.iter().map(|chip| &*chip.product).collect();
    if !held.takes(products.iter().copied()) {
        return Err(CentralError::refused(format!(
            "blank {} is made of {} in the books, the lease is for {}; set the blank aside, and ask the stock-keeper",
            blank.serial,
            products.join(", "),
            held.products()
        )));
    }
    if chips.len() != at_slot.len() {
        return Err(CentralError::refused(format!(
            "blank {} has {} chips in the books, and {} were read; identify each of them before any is claimed",
            blank.serial,
            chips.len(),
            at_slot.len()
        )));
    }
    Ok(())
}

/// Demands that what is printed on a blank, where it was read, is the serial number that the books have
/// for its chips. What a scanner reads may be another blank's label: nothing is put aside for it.
fn check_label(label: Option<&str>, blank: &str) -> Result<()> {
    match label.filter(|label| *label != blank) {
        None => Ok(()),
        Some(label) => Err(CentralError::NotOneBlank {
            reason: format!(
                "{label} is printed on it, and its chips are of blank {blank}; read its label again"
            ),
        }),
    }
}

/// Chips that lie at one slot and are not those of one blank.
#[derive(Default)]
pub(crate) struct Strays {
    /// Those that are in the books, by their blanks.
    blanks: BTreeMap<String, Vec<String>>,
    /// Those of no delivery.
    unknown: Vec<String>,
}

impl std::fmt::Display for Strays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let booked = self.blanks.iter();
        let booked = booked.map(|(blank, chips)| format!("{} of blank {blank}", chips.join(", ")));
        let unknown = (!self.unknown.is_empty())
            .then(|| format!("{} of no delivery in the books", self.unknown.join(", ")));
        let all: Vec<_> = booked.chain(unknown).collect();
        f.write_str(&all.join("; "))
    }
}

/// Returns the serial numbers of all chips at the slot, each in its one spelling.
pub(crate) fn at_slot(serial: &str, beside: &[String]) -> Result<BTreeSet<String>> {
    if beside.len() >= MAX_CHIPS {
        return Err(CentralError::invalid(format!(
            "a blank has 1 to {MAX_CHIPS} chips"
        )));
    }
    let mut chips = BTreeSet::from([serial.to_owned()]);
    for one in beside {
        if !chips.insert(chip_serial(one)?) {
            return Err(CentralError::invalid(
                "one chip is named twice; two readers of the slot reach the same chip",
            ));
        }
    }
    Ok(chips)
}
