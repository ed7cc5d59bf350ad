//! Stock: deliveries of blanks, each blank in exactly one account from then on.

use std::collections::BTreeSet;

use api::Actor;
use audit::Control;
use document::life_cycle::{BlankEvent, BlankState, LifeCycle};
use document::{Act, DeliveredBlank, DeliveredChip, Delivery};
use profile::is_article;

use crate::accounts::authorise;
use crate::blanks::{Blank, blank_serial, chip_serial};
use crate::central::Central;
use crate::database::{Connection, stored};
use crate::error::{CentralError, Result};
use crate::scribe::Deed;

/// The most chips that one blank has.
pub(crate) const MAX_CHIPS: usize = DeliveredBlank::MAX_CHIPS;

/// Checks what can be checked of a delivery without the books.
fn check(delivery: &Delivery) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._:/-".contains(c);
    if !(1..=64).contains(&delivery.reference.len()) || !delivery.reference.chars().all(allowed) {
        return Err(CentralError::invalid(
            "a delivery's reference has 1 to 64 ASCII letters, digits and . _ : / -",
        ));
    }
    if !(1..=Delivery::MAX_BLANKS).contains(&delivery.blanks.len()) {
        return Err(CentralError::invalid(format!(
            "a delivery lists 1 to {} blanks",
            Delivery::MAX_BLANKS
        )));
    }
    for blank in &delivery.blanks {
        let serial = blank_serial(&blank.serial)?;
        if blank.chips.len() > MAX_CHIPS {
            return Err(CentralError::invalid(format!(
                "blank {serial} has {} chips; a blank has at most {MAX_CHIPS}",
                blank.chips.len()
            )));
        }
        match &blank.article {
            Some(article) if !is_article(article) => {
                return Err(CentralError::invalid(format!(
                    "the article of blank {serial} is not 1 to 64 of a-z, 0-9 and -"
                )));
            }
            None if blank.chips.is_empty() => {
                return Err(CentralError::invalid(format!(
                    "blank {serial} has neither chips nor an article: nothing says what it is"
                )));
            }
            _ => {}
        }
        if products(blank).len() != blank.chips.len() {
            return Err(CentralError::invalid(format!(
                "blank {serial} has two chips of one product: no station could tell them apart"
            )));
        }
    }
    Ok(())
}

fn products(blank: &DeliveredBlank) -> BTreeSet<&str> {
    let products = blank.chips.iter().map(|chip| chip.product.as_str());
    products.collect()
}

impl Central {
    /// Books a delivery: all of its blanks, or none. Returns how many there are.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a stock-keeper; [`CentralError::Conflict`]
    /// for a delivery, a blank or a chip that is in the books already;
    /// [`CentralError::NotFound`] for an unknown product; [`CentralError::Invalid`] for a
    /// malformed list.
    pub async fn receive_blanks(&self, actor: &Actor, delivery: &Delivery) -> Result<usize> {
        let deed = Deed::new(
            "blanks.received",
            Control::MEDIA,
            "delivery",
            &delivery.reference,
        );
        let result = self.try_receive(actor, &deed, delivery).await;
        self.settle(actor, &deed, result).await
    }

    async fn try_receive(&self, actor: &Actor, deed: &Deed, delivery: &Delivery) -> Result<usize> {
        check(delivery)?;
        let all: BTreeSet<_> = delivery.blanks.iter().flat_map(products).collect();
        for chip in delivery.blanks.iter().flat_map(|blank| &blank.chips) {
            self.check_version(chip)?;
        }
        for article in delivery
            .blanks
            .iter()
            .filter_map(|blank| blank.article.as_ref())
        {
            let mut known = self.document_profiles().iter();
            if !known.any(|profile| profile.article.as_ref() == Some(article)) {
                return Err(CentralError::NotFound {
                    what: "document profile of blanks of this article".to_owned(),
                });
            }
        }
        let mut tx = self.write().await?;
        let keeper = authorise(&mut tx, actor, Act::ReceiveBlanks).await?;
        let known: i64 = sqlx::query_scalar("SELECT count(*) FROM delivery WHERE reference = $1")
            .bind(&delivery.reference)
            .fetch_one(&mut *tx)
            .await?;
        if known > 0 {
            return Err(CentralError::conflict(
                "a delivery of this reference is in the books already",
            ));
        }
        let count = i64::try_from(delivery.blanks.len())
            .map_err(|_| CentralError::invalid("too many blanks"))?;
        sqlx::query(
            "INSERT INTO delivery (reference, blanks, received_by, received) VALUES ($1, $2, $3, $4)",
        )
        .bind(&delivery.reference)
        .bind(count)
        .bind(keeper.id)
        .bind(stored(self.now()))
        .execute(&mut *tx)
        .await?;
        for blank in &delivery.blanks {
            self.check_number(&mut tx, blank).await?;
            book(&mut tx, &delivery.reference, blank).await?;
        }
        let all: Vec<_> = all.into_iter().collect();
        let deed = deed
            .clone()
            .with("products", all.join(", "))
            .with("blanks", count);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(delivery.blanks.len())
    }

    /// Demands that the version of the keys on a chip is one that its profile opens a channel with.
    fn check_version(&self, delivered: &DeliveredChip) -> Result<()> {
        let chip = self.chip(&delivered.product)?;
        let mut sets = chip.channel.keys.values();
        match delivered.key_version {
            Some(version) if !sets.any(|set| set.version == version) => {
                Err(CentralError::refused(format!(
                    "a chip holds keys of version {version:02X}, and chip profile \"{}\" knows no such version; the delivery is for another profile",
                    chip.name
                )))
            }
            _ => Ok(()),
        }
    }

    /// Demands that a number that a blank came with can be no other document's: it is of this
    /// environment, and of no series that numbers are allotted from.
    async fn check_number(&self, tx: &mut Connection, blank: &DeliveredBlank) -> Result<()> {
        let Some(number) = blank.number else {
            return Ok(());
        };
        if !self.environment().owns(number.prefix()) {
            return Err(CentralError::refused(format!(
                "number {number} is not of a {} series; series XA to XZ are for test, all others for production",
                self.environment()
            )));
        }
        let prefix: String = number.prefix().map(char::from).iter().collect();
        let allotting: i64 = sqlx::query_scalar("SELECT count(*) FROM series WHERE prefix = $1")
            .bind(&prefix)
            .fetch_one(tx)
            .await?;
        match allotting {
            0 => Ok(()),
            _ => Err(CentralError::refused(format!(
                "number {number} is of series {prefix}, from which numbers are allotted; numbered blanks have series of their own"
            ))),
        }
    }

    /// Counts blanks that a station gave back untouched into the store again, by the serial
    /// numbers that are printed on them: all of them, or none. Returns how many there are.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a stock-keeper; [`CentralError::Conflict`]
    /// for a blank in another state; [`CentralError::NotFound`].
    pub async fn restock(&self, actor: &Actor, serials: &[String]) -> Result<usize> {
        let deed = Deed::new("blank.restocked", Control::MEDIA, "stock", "store")
            .with("blanks", serials.len());
        let result = self.try_restock(actor, serials).await;
        self.settle(actor, &deed, result).await
    }

    async fn try_restock(&self, actor: &Actor, serials: &[String]) -> Result<usize> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::CountBlanks).await?;
        for serial in serials {
            let mut blank = Blank::load(&mut tx, &blank_serial(serial)?).await?;
            blank.apply(&mut tx, BlankEvent::Restock).await?;
            let deed = Deed::new("blank.restocked", Control::MEDIA, "blank", &blank.serial);
            self.record(&mut tx, Some(actor), &deed).await?;
        }
        tx.commit().await?;
        Ok(serials.len())
    }
}

/// Writes a blank and its chips into the books.
async fn book(tx: &mut Connection, delivery: &str, blank: &DeliveredBlank) -> Result<()> {
    let serial = blank_serial(&blank.serial)?;
    if let Some(number) = blank.number {
        let known: i64 = sqlx::query_scalar("SELECT count(*) FROM blank WHERE own_number = $1")
            .bind(number.to_string())
            .fetch_one(&mut *tx)
            .await?;
        if known > 0 {
            return Err(CentralError::conflict(format!(
                "a blank with number {number} is in the books already"
            )));
        }
    }
    let done = sqlx::query(
        "INSERT INTO blank (serial, delivery, state, article, own_number) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (serial) DO NOTHING",
    )
    .bind(&serial)
    .bind(delivery)
    .bind(BlankState::INITIAL.name())
    .bind(&blank.article)
    .bind(blank.number.map(|number| number.to_string()))
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() != 1 {
        return Err(CentralError::conflict(format!(
            "blank {serial} is in the books already"
        )));
    }
    for (position, chip) in (0_i64..).zip(&blank.chips) {
        let chip_serial = chip_serial(&chip.serial)?;
        let done = sqlx::query("INSERT INTO chip (serial, blank, product, position, key_version) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING")
            .bind(&chip_serial)
            .bind(&serial)
            .bind(&chip.product)
            .bind(position)
            .bind(chip.key_version.map(i64::from))
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() != 1 {
            return Err(CentralError::conflict(format!(
                "chip {chip_serial} is in the books already"
            )));
        }
    }
    Ok(())
}
