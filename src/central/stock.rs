//! Deliveries: blanks come in by their list, counted by two persons, each in exactly one account
//! from then on.

use std::collections::BTreeSet;

use api::Actor;
use audit::Control;
use document::life_cycle::{BlankEvent, BlankState, IncidentKind, LifeCycle};
use document::{Act, DeliveredBlank, DeliveredChip, Delivery, DocumentNumber, OfficeCode};
use profile::{NumberSource, is_article};
use sqlx::Row;

use crate::accounts::{authorise, second_person};
use crate::blanks::{Blank, blank_serial, chip_serial};
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write, stored};
use crate::error::{CentralError, Result};
use crate::places::check_place;
use crate::quarantine::carries_unknown;
use crate::scribe::Deed;
use crate::statements::sql;

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

/// Returns what a blank is in the accounts: its article, or the products of its chips in the order
/// of their places.
fn item(blank: &DeliveredBlank) -> String {
    let products = blank.chips.iter().map(|chip| chip.product.as_str());
    let products: Vec<_> = products.collect();
    blank.article.clone().unwrap_or_else(|| products.join("+"))
}

fn products(blank: &DeliveredBlank) -> BTreeSet<&str> {
    let products = blank.chips.iter().map(|chip| chip.product.as_str());
    products.collect()
}

/// How a delivery came in: where, before whom, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The place that it came to.
    pub place: OfficeCode,
    /// The account of the second person, who counted too.
    pub witness: String,
    /// How many blanks the two counted.
    pub counted: usize,
    /// The check value of its transport key (AES, three bytes), where the maker told it.
    pub transport_kcv: Option<[u8; 3]>,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many blanks its list has: all are in the books.
    pub blanks: usize,
    /// The incident that is open, where another number was counted. Its blanks are set apart until
    /// the delivery is [accepted](Central::accept_delivery).
    pub incident: Option<i64>,
}

impl Central {
    /// Books a delivery, received by two persons: all of its blanks, or none. They are in stock
    /// where as many were counted as the list announces; else an incident is open, and they are set
    /// apart at their place.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a stock-keeper, where the witness is the same
    /// person, and for a transport key that is not the token's; [`CentralError::Conflict`] for a
    /// delivery, a blank or a chip that is in the books already; [`CentralError::NotFound`] for an
    /// unknown product, place or witness; [`CentralError::Invalid`] for a malformed list.
    pub async fn receive_blanks(
        &self,
        actor: &Actor,
        delivery: &Delivery,
        receipt: &Receipt,
    ) -> Result<Received> {
        let deed = Deed::new(
            "blanks.received",
            Control::MEDIA,
            "delivery",
            &delivery.reference,
        );
        let result = retried!(self.try_receive(actor, &deed, delivery, receipt));
        self.settle(actor, &deed, result).await
    }

    async fn try_receive(
        &self,
        actor: &Actor,
        deed: &Deed,
        delivery: &Delivery,
        receipt: &Receipt,
    ) -> Result<Received> {
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
        self.check_transport_key(delivery, receipt).await?;
        let mut tx = self.write().await?;
        let keeper = authorise(&mut tx, actor, Act::ReceiveBlanks).await?;
        let witness = second_person(&mut tx, self.presence(), &keeper, &receipt.witness).await?;
        let place = receipt.place.as_str();
        check_place(&mut tx, place).await?;
        let known: i64 =
            sqlx::query_scalar(sql!("SELECT count(*) FROM delivery WHERE reference = $1"))
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
        let counted = i64::try_from(receipt.counted)
            .map_err(|_| CentralError::invalid("nobody counts so many blanks"))?;
        let agrees = counted == count;
        sqlx::query(sql!("INSERT INTO delivery (reference, blanks, received_by, received, place, counted, witness, transport_kcv, accepted)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"))
        .bind(&delivery.reference)
        .bind(count)
        .bind(&keeper.id)
        .bind(stored(self.now()))
        .bind(place)
        .bind(counted)
        .bind(&witness.id)
        .bind(receipt.transport_kcv.map(hex::encode_upper))
        .bind(agrees.then(|| stored(self.now())))
        .execute(&mut *tx)
        .await?;
        let movement = self.movement(actor).before(&witness);
        for listed in &delivery.blanks {
            self.check_number(&mut tx, listed).await?;
            let mut blank = book(&mut tx, &delivery.reference, place, listed).await?;
            Blank::begin(&mut tx, &blank.serial, place, &movement).await?;
            if agrees {
                blank.apply(&mut tx, BlankEvent::Accept, &movement).await?;
            }
            self.spoil_if_touched(&mut tx, actor, &mut blank).await?;
        }
        let all: Vec<_> = all.into_iter().collect();
        let deed = deed
            .clone()
            .with("products", all.join(", "))
            .with("blanks", count)
            .with("counted", counted)
            .with("place", place)
            .with("witness", &witness.id);
        self.record(&mut tx, Some(actor), &deed).await?;
        let incident = match agrees {
            true => None,
            false => {
                let subject = format!("delivery/{}", delivery.reference);
                let text = format!("{count} blanks are announced, and {counted} were counted");
                let kind = IncidentKind::DeliveryDiffers;
                let number = self.open_incident(&mut tx, actor, kind, &subject, &text);
                Some(number.await?)
            }
        };
        tx.commit().await?;
        Ok(Received {
            blanks: delivery.blanks.len(),
            incident,
        })
    }

    /// Puts the rest of a delivery into stock whose count differed at first: as many as are still
    /// set apart, once the others were booked for what they are. Returns how many there are.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a stock-keeper, where the witness is the same
    /// person, and where another number was counted than is left in the books;
    /// [`CentralError::Conflict`] for a delivery that was accepted; [`CentralError::NotFound`].
    pub async fn accept_delivery(
        &self,
        actor: &Actor,
        reference: &str,
        witness: &str,
        counted: usize,
    ) -> Result<usize> {
        let deed = Deed::new("delivery.accepted", Control::MEDIA, "delivery", reference);
        let result = retried!(self.try_accept(actor, &deed, reference, witness, counted));
        self.settle(actor, &deed, result).await
    }

    async fn try_accept(
        &self,
        actor: &Actor,
        deed: &Deed,
        reference: &str,
        witness: &str,
        counted: usize,
    ) -> Result<usize> {
        let mut tx = self.write().await?;
        let keeper = authorise(&mut tx, actor, Act::ReceiveBlanks).await?;
        let witness = second_person(&mut tx, self.presence(), &keeper, witness).await?;
        let row = sqlx::query(sql!("SELECT accepted FROM delivery WHERE reference = $1"))
            .bind(reference)
            .fetch_optional(&mut *tx)
            .await?;
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: "delivery of this reference".to_owned(),
        })?;
        if row.get::<Option<i64>, _>("accepted").is_some() {
            return Err(CentralError::conflict("this delivery was accepted before"));
        }
        let left: Vec<String> = sqlx::query_scalar(sql!(
            "SELECT serial FROM blank WHERE delivery = $1 AND state = $2 ORDER BY serial"
        ))
        .bind(reference)
        .bind(BlankState::Received.name())
        .fetch_all(&mut *tx)
        .await?;
        if left.len() != counted {
            return Err(CentralError::refused(format!(
                "{counted} blanks were counted, and the books have {} of this delivery; book what is missing or spoiled first, and set apart what no list has",
                left.len()
            )));
        }
        let movement = self.movement(actor).before(&witness);
        for serial in &left {
            let mut blank = Blank::load(&mut tx, serial).await?;
            blank.apply(&mut tx, BlankEvent::Accept, &movement).await?;
        }
        sqlx::query(sql!(
            "UPDATE delivery SET accepted = $1 WHERE reference = $2"
        ))
        .bind(stored(self.now()))
        .bind(reference)
        .execute(&mut *tx)
        .await?;
        let deed = deed
            .clone()
            .with("blanks", counted)
            .with("witness", &witness.id);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(left.len())
    }

    /// Spoils a blank whose delivery is booked a second time after a restoration, where a station
    /// touched it meanwhile under a lease that the store does not know.
    async fn spoil_if_touched(
        &self,
        tx: &mut Write,
        actor: &Actor,
        blank: &mut Blank,
    ) -> Result<()> {
        if !carries_unknown(tx, &blank.serial).await? {
            return Ok(());
        }
        let cause = "it was touched under a lease which the restored store does not know";
        let movement = self.movement(actor).because(cause);
        blank.apply(tx, BlankEvent::Spoil, &movement).await?;
        let deed =
            Deed::new("blank.spoiled", Control::MEDIA, "blank", &blank.serial).with("cause", cause);
        self.record(tx, Some(actor), &deed).await
    }

    /// Demands that the transport key of a delivery is the one in the token, where the maker told
    /// its check value: else every blank of it would fail at its first command.
    async fn check_transport_key(&self, delivery: &Delivery, receipt: &Receipt) -> Result<()> {
        let Some(told) = receipt.transport_kcv else {
            return Ok(());
        };
        let mut masters = BTreeSet::new();
        for delivered in delivery.blanks.iter().flat_map(|blank| &blank.chips) {
            let chip = self.chip(&delivered.product)?;
            for (name, set) in &chip.channel.keys {
                if delivered.key_version == Some(set.version) {
                    masters.insert(self.labels().master_of(&chip.name, name)?.to_owned());
                }
            }
        }
        if masters.is_empty() {
            return Err(CentralError::invalid(
                "the check value of a transport key says nothing where the list says no key version",
            ));
        }
        for master in masters {
            let (token, label) = (self.token(), master.clone());
            let own = self.blocking(move || token.kcv(&label)).await??;
            if own != told {
                return Err(CentralError::refused(format!(
                    "the transport key of this delivery is not the one that the token has as \"{master}\"; import the delivery's key first"
                )));
            }
        }
        Ok(())
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

    /// Demands that a number is one of a kind that can be made of its blank, where any can.
    fn check_number_format(&self, blank: &DeliveredBlank, number: DocumentNumber) -> Result<()> {
        let products = blank.chips.iter().map(|chip| chip.product.clone());
        let products: Vec<String> = products.collect();
        let profiles = self.document_profiles().iter().filter(|profile| {
            profile.number == NumberSource::Blank
                && profile.article == blank.article
                && profile.made_of(&products).is_some()
        });
        let kinds = profiles.flat_map(|profile| &profile.kinds);
        let judged: Vec<_> = kinds.map(|kind| number.check_for(*kind)).collect();
        match judged.first() {
            Some(Err(wrong)) if judged.iter().all(Result::is_err) => Err((*wrong).into()),
            _ => Ok(()),
        }
    }

    /// Demands that a number that a blank came with can be no other document's, and a document's: it is
    /// of this environment, of no series that numbers are allotted from, and has the format of a kind
    /// that the blank is for.
    async fn check_number(&self, tx: &mut Connection, blank: &DeliveredBlank) -> Result<()> {
        let Some(number) = blank.number else {
            return Ok(());
        };
        self.check_number_format(blank, number)?;
        if !self.environment().owns(number.prefix()) {
            return Err(CentralError::refused(format!(
                "number {number} is not of a {} series; series XA to XZ are for test, all others for production",
                self.environment()
            )));
        }
        let prefix: String = number.prefix().map(char::from).iter().collect();
        let allotting: i64 =
            sqlx::query_scalar(sql!("SELECT count(*) FROM series WHERE prefix = $1"))
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
}

/// Writes a blank and its chips into the books.
async fn book(
    tx: &mut Connection,
    delivery: &str,
    place: &str,
    blank: &DeliveredBlank,
) -> Result<Blank> {
    let serial = blank_serial(&blank.serial)?;
    if let Some(number) = blank.number {
        let known: i64 =
            sqlx::query_scalar(sql!("SELECT count(*) FROM blank WHERE own_number = $1"))
                .bind(number.to_string())
                .fetch_one(&mut *tx)
                .await?;
        if known > 0 {
            return Err(CentralError::conflict(format!(
                "a blank with number {number} is in the books already"
            )));
        }
    }
    let done = sqlx::query(sql!("INSERT INTO blank (serial, delivery, state, article, own_number, item, place) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (serial) DO NOTHING"))
    .bind(&serial)
    .bind(delivery)
    .bind(BlankState::INITIAL.name())
    .bind(&blank.article)
    .bind(blank.number.map(|number| number.to_string()))
    .bind(item(blank))
    .bind(place)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() != 1 {
        return Err(CentralError::conflict(format!(
            "blank {serial} is in the books already"
        )));
    }
    for (position, chip) in (0_i64..).zip(&blank.chips) {
        let chip_serial = chip_serial(&chip.serial)?;
        let done = sqlx::query(sql!("INSERT INTO chip (serial, blank, product, position, key_version) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"))
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
    Blank::load(tx, &serial).await
}
