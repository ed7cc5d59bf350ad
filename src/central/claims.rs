//! Which chips a document is put on: the books know them, and that they are of one blank, before
//! anything that lasts is done to any of them.

use std::collections::{BTreeMap, BTreeSet};

use api::{Actor, ClaimRequest};
use audit::Control;
use document::life_cycle::BlankEvent;

use crate::blanks::{Blank, BookedChip, chip_serial};
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write};
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
        let printed = request.printed.as_deref();
        if let Some(bound) = held.blank.clone() {
            if let Some(printed) = printed.filter(|printed| *printed != bound) {
                return Err(CentralError::NotOneBlank {
                    reason: format!(
                        "{printed} is printed on the blank, and {bound} is bound to this lease"
                    ),
                });
            }
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
            let found = match (found, printed) {
                (Ok(blank), Some(printed)) if blank.serial != printed => {
                    Err(Strays::mislabelled(&mut tx, &blank, at_slot.iter(), printed).await?)
                }
                (found, _) => found,
            };
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

/// Chips that lie at one slot and are not those of one blank.
#[derive(Default)]
pub(crate) struct Strays {
    /// Those that are in the books, by their blanks.
    blanks: BTreeMap<String, Vec<String>>,
    /// Those of no delivery.
    unknown: Vec<String>,
    /// What is printed on them, where that is another blank's serial number.
    printed: Option<String>,
}

impl Strays {
    /// Returns the chips of one blank on which another serial number is printed: neither of the two is
    /// what the books say.
    async fn mislabelled(
        tx: &mut Connection,
        blank: &Blank,
        chips: impl Iterator<Item = &String>,
        printed: &str,
    ) -> Result<Self> {
        let mut strays = Self {
            printed: Some(printed.to_owned()),
            ..Self::default()
        };
        strays
            .blanks
            .insert(blank.serial.clone(), chips.cloned().collect());
        match Blank::load(tx, printed).await {
            Ok(other) => drop(strays.blanks.insert(other.serial, Vec::new())),
            Err(CentralError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(strays)
    }
}

impl std::fmt::Display for Strays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let booked = self.blanks.iter().filter(|(_, chips)| !chips.is_empty());
        let booked = booked.map(|(blank, chips)| format!("{} of blank {blank}", chips.join(", ")));
        let unknown = (!self.unknown.is_empty())
            .then(|| format!("{} of no delivery in the books", self.unknown.join(", ")));
        let printed = self.printed.iter();
        let printed = printed.map(|printed| format!("{printed} is printed on it"));
        let all: Vec<_> = booked.chain(unknown).chain(printed).collect();
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
