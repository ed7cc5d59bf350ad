//! Dispatch: finished documents are packed for their office, sealed, sent, and counted in there by
//! somebody else.

use std::collections::BTreeSet;

use api::Actor;
use audit::Control;
use document::life_cycle::{
    CertificateState, DocumentEvent, IncidentKind, LifeCycle, ParcelEvent, ParcelState,
};
use document::{Act, DocumentNumber, OfficeCode};

use crate::accounts::{Person, authorise};
use crate::applications::{self, check_cause};
use crate::central::Central;
use crate::certificate_rows::Ordered;
use crate::contention::retried;
use crate::database::{Connection, Write, stored};
use crate::documents::Document;
use crate::envelopes::check_way;
use crate::error::{CentralError, Result};
use crate::in_use::witnessed;
use crate::parcels::{self, Difference, Parcel, ParcelContent, ParcelLine, next_serial};
use crate::scribe::Deed;
use crate::statements::sql;

/// The most documents of a parcel.
const MAX_CONTENT: usize = 1_000;

const CONTROL: Control = Control::MEDIA;

/// What was found when a parcel was counted in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedIn {
    /// The numbers of the documents that are at the office now.
    pub arrived: Vec<String>,
    /// In the books and not in the parcel: they are awaited still.
    pub missing: Vec<String>,
    /// In the parcel and not in the books: set them aside.
    pub surplus: Vec<String>,
    /// The incident that a difference opened.
    pub incident: Option<i64>,
}

impl Central {
    /// Books that a station stands in an office, or in none any more. From the first one on, a
    /// document is handed over where it was made only by its own office.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator; [`CentralError::Invalid`] for
    /// an office that has no such code, or a station of no such name.
    pub async fn place_station(
        &self,
        actor: &Actor,
        station: &str,
        office: Option<&str>,
    ) -> Result<()> {
        let deed = Deed::new(
            "station.placed",
            Control::ACCESS_CONTROL,
            "station",
            station,
        );
        let result = retried!(self.try_place(actor, &deed, station, office));
        self.settle(actor, &deed, result).await
    }

    async fn try_place(
        &self,
        actor: &Actor,
        deed: &Deed,
        station: &str,
        office: Option<&str>,
    ) -> Result<()> {
        let office = office.map(read_office).transpose()?;
        crate::accounts::check_name("a station", station)?;
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::ManageStations).await?;
        match &office {
            Some(office) => {
                sqlx::query(sql!(
                    "INSERT INTO station_office (station, office) VALUES ($1, $2)
                     ON CONFLICT (station) DO UPDATE SET office = excluded.office"
                ))
                .bind(station)
                .bind(office.as_str())
                .execute(&mut *tx)
                .await?
            }
            None => {
                sqlx::query(sql!("DELETE FROM station_office WHERE station = $1"))
                    .bind(station)
                    .execute(&mut *tx)
                    .await?
            }
        };
        let office = office.as_ref().map_or("none", OfficeCode::as_str);
        let deed = deed.clone().with("office", office);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Opens an empty parcel for an office. Returns its serial number.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it; [`CentralError::Invalid`] for an office
    /// that has no such code.
    pub async fn open_parcel(&self, actor: &Actor, office: &str) -> Result<String> {
        let deed = Deed::new("parcel.opened", CONTROL, "parcel", "new");
        let result = retried!(self.try_open_parcel(actor, &deed, office));
        self.settle(actor, &deed, result).await
    }

    async fn try_open_parcel(&self, actor: &Actor, deed: &Deed, office: &str) -> Result<String> {
        let office = read_office(office)?;
        let mut tx = self.write().await?;
        let packer = authorise(&mut tx, actor, Act::PackParcel).await?;
        let serial = next_serial(&mut tx).await?;
        sqlx::query(sql!("INSERT INTO parcel (serial, office, state, opened_by, opened) VALUES ($1, $2, $3, $4, $5)"))
        .bind(&serial)
        .bind(office.as_str())
        .bind(ParcelState::INITIAL.name())
        .bind(&packer.id)
        .bind(stored(self.now()))
        .execute(&mut *tx)
        .await?;
        let deed = deed.clone().about(&serial).with("office", &office);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(serial)
    }

    /// Puts a document that quality has passed into an open parcel for its office.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it, and for a document of another office;
    /// [`CentralError::Conflict`] for a parcel that is not open, and a document that is not to be
    /// sent; [`CentralError::NotFound`].
    pub async fn pack(&self, actor: &Actor, parcel: &str, number: &str) -> Result<()> {
        let deed = Deed::new("parcel.packed", CONTROL, "document", number);
        let result = retried!(self.try_pack(actor, &deed, parcel, number));
        self.settle(actor, &deed, result).await
    }

    async fn try_pack(&self, actor: &Actor, deed: &Deed, parcel: &str, number: &str) -> Result<()> {
        let mut tx = self.write().await?;
        let packer = authorise(&mut tx, actor, Act::PackParcel).await?;
        let mut parcel = Parcel::load(&mut tx, parcel).await?;
        parcel.apply(&mut tx, ParcelEvent::Add).await?;
        let mut document = Document::numbered(&mut tx, number).await?;
        document
            .apply(&mut tx, DocumentEvent::Pack, self.happens().by(&packer))
            .await?;
        let office = applications::office(&mut tx, &document.application).await?;
        if office.as_str() != parcel.office {
            return Err(CentralError::refused(format!(
                "the document's office is {office}, and parcel {} goes to {}; take another parcel",
                parcel.serial, parcel.office
            )));
        }
        self.check_not_in_work(&mut tx, &document).await?;
        check_on_hold(&mut tx, &document).await?;
        if parcel.content(&mut tx).await?.len() >= MAX_CONTENT {
            return Err(CentralError::conflict(format!(
                "a parcel has at most {MAX_CONTENT} documents; open another one"
            )));
        }
        // It may have been missed in this parcel before, and put into it again.
        sqlx::query(sql!("INSERT INTO parcel_document (parcel, document, number, packed_by, state) VALUES ($1, $2, $3, $4, 'packed')
             ON CONFLICT (parcel, number) DO UPDATE SET packed_by = excluded.packed_by, state = excluded.state"))
        .bind(&parcel.serial)
        .bind(&document.id)
        .bind(document.number().to_string())
        .bind(&packer.id)
        .execute(&mut *tx)
        .await?;
        parcel.touched(&mut tx, &packer).await?;
        let deed = deed
            .clone()
            .about(document.number())
            .with("parcel", &parcel.serial);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes a document out of an open parcel again.
    ///
    /// # Errors
    /// As [`Central::pack`].
    pub async fn unpack(&self, actor: &Actor, parcel: &str, number: &str) -> Result<()> {
        let deed = Deed::new("parcel.unpacked", CONTROL, "document", number);
        let result = retried!(self.try_unpack(actor, &deed, parcel, number));
        self.settle(actor, &deed, result).await
    }

    async fn try_unpack(
        &self,
        actor: &Actor,
        deed: &Deed,
        parcel: &str,
        number: &str,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let packer = authorise(&mut tx, actor, Act::PackParcel).await?;
        let mut parcel = Parcel::load(&mut tx, parcel).await?;
        parcel.apply(&mut tx, ParcelEvent::Remove).await?;
        let mut document = Document::numbered(&mut tx, number).await?;
        let number = document.number().to_string();
        let removed = sqlx::query(sql!(
            "DELETE FROM parcel_document WHERE parcel = $1 AND number = $2 AND state = 'packed'"
        ))
        .bind(&parcel.serial)
        .bind(&number)
        .execute(&mut *tx)
        .await?;
        if removed.rows_affected() != 1 {
            return Err(CentralError::conflict("the document is not in this parcel"));
        }
        document
            .apply(&mut tx, DocumentEvent::Unpack, self.happens().by(&packer))
            .await?;
        parcel.touched(&mut tx, &packer).await?;
        let deed = deed.clone().about(number).with("parcel", &parcel.serial);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Closes a parcel whose documents were counted: `counted` are their numbers, as they were read
    /// from them. Returns how many there are.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it; [`CentralError::Conflict`] where the count
    /// is not what the books have in it, with each difference, and for an empty or closed parcel;
    /// [`CentralError::NotFound`]; [`CentralError::Invalid`] for what is no number.
    pub async fn seal_parcel(
        &self,
        actor: &Actor,
        parcel: &str,
        counted: &[String],
    ) -> Result<usize> {
        let deed = Deed::new("parcel.sealed", CONTROL, "parcel", parcel);
        let result = retried!(self.try_seal_parcel(actor, &deed, parcel, counted));
        self.settle(actor, &deed, result).await
    }

    async fn try_seal_parcel(
        &self,
        actor: &Actor,
        deed: &Deed,
        parcel: &str,
        counted: &[String],
    ) -> Result<usize> {
        let counted = read_numbers(counted)?;
        let mut tx = self.write().await?;
        let packer = authorise(&mut tx, actor, Act::PackParcel).await?;
        let mut parcel = Parcel::load(&mut tx, parcel).await?;
        parcel.apply(&mut tx, ParcelEvent::Seal).await?;
        let content = parcel.content(&mut tx).await?;
        if content.is_empty() {
            return Err(CentralError::conflict(
                "the parcel is empty; pack documents into it, or discard it",
            ));
        }
        let difference = Difference::of(&content, &counted);
        if !difference.is_none() {
            return Err(CentralError::conflict(format!(
                "the count is not what the books have in the parcel: {difference}; count again, pack or unpack"
            )));
        }
        parcel.touched(&mut tx, &packer).await?;
        let many = i64::try_from(content.len()).unwrap_or(i64::MAX);
        sqlx::query(sql!(
            "UPDATE parcel SET sealed_by = $1, sealed = $2, counted = $3 WHERE serial = $4"
        ))
        .bind(&packer.id)
        .bind(stored(self.now()))
        .bind(many)
        .bind(&parcel.serial)
        .execute(&mut *tx)
        .await?;
        let deed = deed
            .clone()
            .about(&parcel.serial)
            .with("documents", content.len());
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(content.len())
    }

    /// Opens a sealed parcel again before it leaves, before a witness.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it, and for one's own witness;
    /// [`CentralError::Conflict`] for a parcel that is not sealed; [`CentralError::NotFound`];
    /// [`CentralError::Invalid`] without a cause.
    pub async fn reopen_parcel(
        &self,
        actor: &Actor,
        parcel: &str,
        witness: &str,
        cause: &str,
    ) -> Result<()> {
        let deed = Deed::new("parcel.reopened", CONTROL, "parcel", parcel);
        let result = retried!(async {
            check_cause(cause)?;
            let mut tx = self.write().await?;
            let packer = authorise(&mut tx, actor, Act::PackParcel).await?;
            let witness = witnessed(&mut tx, self.presence(), &packer, witness).await?;
            let mut parcel = Parcel::load(&mut tx, parcel).await?;
            parcel.apply(&mut tx, ParcelEvent::Reopen).await?;
            parcel.touched(&mut tx, &packer).await?;
            let deed = deed
                .clone()
                .about(&parcel.serial)
                .with("witness", &witness.id)
                .with("cause", cause);
            self.record(&mut tx, Some(actor), &deed).await?;
            tx.commit().await?;
            Ok(())
        });
        self.settle(actor, &deed, result).await
    }

    /// Gives an empty parcel up.
    ///
    /// # Errors
    /// As [`Central::pack`]; [`CentralError::Conflict`] while anything is in it;
    /// [`CentralError::Invalid`] without a cause.
    pub async fn discard_parcel(&self, actor: &Actor, parcel: &str, cause: &str) -> Result<()> {
        let deed = Deed::new("parcel.discarded", CONTROL, "parcel", parcel);
        let result = retried!(async {
            check_cause(cause)?;
            let mut tx = self.write().await?;
            authorise(&mut tx, actor, Act::PackParcel).await?;
            let mut parcel = Parcel::load(&mut tx, parcel).await?;
            parcel.apply(&mut tx, ParcelEvent::Discard).await?;
            if !parcel.content(&mut tx).await?.is_empty() {
                return Err(CentralError::conflict(
                    "documents are in the parcel; unpack them first",
                ));
            }
            let deed = deed.clone().about(&parcel.serial).with("cause", cause);
            self.record(&mut tx, Some(actor), &deed).await?;
            tx.commit().await?;
            Ok(())
        });
        self.settle(actor, &deed, result).await
    }

    /// Notes that a sealed parcel left, and how: a consignment's number, say. No PIN envelope of a
    /// document in it goes the same way.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it, and where PINs of a document in it went
    /// this way; [`CentralError::Conflict`] for a parcel that is not sealed;
    /// [`CentralError::NotFound`]; [`CentralError::Invalid`] for what is no way.
    pub async fn send_parcel(&self, actor: &Actor, parcel: &str, way: &str) -> Result<()> {
        let deed = Deed::new("parcel.sent", CONTROL, "parcel", parcel);
        let result = retried!(async {
            check_way(way)?;
            let mut tx = self.write().await?;
            let sender = authorise(&mut tx, actor, Act::PackParcel).await?;
            let mut parcel = Parcel::load(&mut tx, parcel).await?;
            parcel.apply(&mut tx, ParcelEvent::Send).await?;
            parcel.check_no_envelope(&mut tx, way).await?;
            parcel.touched(&mut tx, &sender).await?;
            sqlx::query(sql!(
                "UPDATE parcel SET way = $1, sent_by = $2, sent = $3 WHERE serial = $4"
            ))
            .bind(way)
            .bind(&sender.id)
            .bind(stored(self.now()))
            .bind(&parcel.serial)
            .execute(&mut *tx)
            .await?;
            let deed = deed
                .clone()
                .about(&parcel.serial)
                .with("office", &parcel.office)
                .with("way", way);
            self.record(&mut tx, Some(actor), &deed).await?;
            tx.commit().await?;
            Ok(())
        });
        self.settle(actor, &deed, result).await
    }

    /// Counts a parcel in at its office: `counted` are the numbers of the documents that were found
    /// in it. What was found is at the office; a difference opens an incident, and what is missing
    /// stays dispatched until it turns up or is given up.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a clerk who neither packed nor sealed nor sent
    /// it; [`CentralError::Conflict`] for a parcel that is not under way;
    /// [`CentralError::NotFound`]; [`CentralError::Invalid`] for what is no number.
    pub async fn receive_parcel(
        &self,
        actor: &Actor,
        parcel: &str,
        counted: &[String],
    ) -> Result<CountedIn> {
        let deed = Deed::new("parcel.received", Control::SEGREGATION, "parcel", parcel);
        let result = retried!(self.try_receive_parcel(actor, &deed, parcel, counted));
        self.settle(actor, &deed, result).await
    }

    async fn try_receive_parcel(
        &self,
        actor: &Actor,
        deed: &Deed,
        parcel: &str,
        counted: &[String],
    ) -> Result<CountedIn> {
        let counted = read_numbers(counted)?;
        let mut tx = self.write().await?;
        let clerk = authorise(&mut tx, actor, Act::ReceiveParcel).await?;
        let mut parcel = Parcel::load(&mut tx, parcel).await?;
        parcel.apply(&mut tx, ParcelEvent::Receive).await?;
        parcel.check_counted_by_another(&mut tx, &clerk).await?;
        let content = parcel.content(&mut tx).await?;
        let difference = Difference::of(&content, &counted);
        let mut arrived = Vec::new();
        for packed in content {
            if difference.missing.contains(&packed.number) {
                parcel.note(&mut tx, &packed.number, "missing").await?;
                continue;
            }
            let mut document = Document::load(&mut tx, &packed.document).await?;
            self.arrived(&mut tx, actor, &clerk, &parcel, &mut document)
                .await?;
            arrived.push(packed.number);
        }
        sqlx::query(sql!(
            "UPDATE parcel SET received_by = $1, received = $2 WHERE serial = $3"
        ))
        .bind(&clerk.id)
        .bind(stored(self.now()))
        .bind(&parcel.serial)
        .execute(&mut *tx)
        .await?;
        let mut deed = deed
            .clone()
            .about(&parcel.serial)
            .with("arrived", arrived.len());
        let mut incident = None;
        if !difference.is_none() {
            let subject = format!("parcel/{}", parcel.serial);
            let number = self
                .open_incident(
                    &mut tx,
                    actor,
                    IncidentKind::ParcelDiffers,
                    &subject,
                    &difference.to_string(),
                )
                .await?;
            deed = deed
                .with("missing", difference.missing.len())
                .with("surplus", difference.surplus.len())
                .with("incident", number);
            incident = Some(number);
        }
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(CountedIn {
            arrived,
            missing: difference.missing.into_iter().collect(),
            surplus: difference.surplus.into_iter().collect(),
            incident,
        })
    }

    /// Notes that a document was found after its parcel was counted in without it.
    ///
    /// # Errors
    /// As [`Central::receive_parcel`]; [`CentralError::Conflict`] for a document that was not missed.
    pub async fn arrive_late(&self, actor: &Actor, number: &str) -> Result<()> {
        let deed = Deed::new("document.arrived", CONTROL, "document", number);
        let result = retried!(async {
            let mut tx = self.write().await?;
            let clerk = authorise(&mut tx, actor, Act::ReceiveParcel).await?;
            let mut document = Document::numbered(&mut tx, number).await?;
            let parcel = Parcel::of_document(&mut tx, &document.id).await?;
            let parcel = parcel
                .filter(|parcel| parcel.state == ParcelState::Received)
                .ok_or_else(|| {
                    CentralError::conflict(
                        "the document was missed in no parcel; count the parcel that it is in",
                    )
                })?;
            parcel.check_counted_by_another(&mut tx, &clerk).await?;
            self.arrived(&mut tx, actor, &clerk, &parcel, &mut document)
                .await?;
            tx.commit().await?;
            Ok(())
        });
        self.settle(actor, &deed, result).await
    }

    async fn arrived(
        &self,
        tx: &mut Write,
        actor: &Actor,
        clerk: &Person,
        parcel: &Parcel,
        document: &mut Document,
    ) -> Result<()> {
        document
            .apply(tx, DocumentEvent::Arrive, self.happens().by(clerk))
            .await?;
        let number = document.number().to_string();
        parcel.note(tx, &number, "arrived").await?;
        let deed = Deed::new("document.arrived", CONTROL, "document", &number)
            .with("parcel", &parcel.serial)
            .with("office", &parcel.office);
        self.record(tx, Some(actor), &deed).await
    }

    /// Returns up to `limit` parcels whose serial numbers come after `after`, in their order: of all,
    /// or of those that did not arrive yet.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to see documents.
    pub async fn parcels_after(
        &self,
        actor: &Actor,
        all: bool,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ParcelLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewDocument).await?;
        parcels::page(&mut tx, all, after, limit).await
    }

    /// Returns what was counted into a sealed parcel that a place sends, for the list that goes with it:
    /// numbers and kinds, and nobody's name.
    ///
    /// # Errors
    /// As [`Central::parcels_after`]; [`CentralError::NotFound`]; [`CentralError::Conflict`] for a parcel
    /// that is open, lost or given up.
    pub async fn parcel_content(
        &self,
        actor: &Actor,
        serial: &str,
        from: &OfficeCode,
    ) -> Result<ParcelContent> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewDocument).await?;
        ParcelContent::load(&mut tx, serial, from).await
    }
}

fn read_office(office: &str) -> Result<OfficeCode> {
    OfficeCode::parse(office).map_err(|error| CentralError::invalid(error.to_string()))
}

/// Reads numbers that were counted, each in its one spelling.
fn read_numbers(numbers: &[String]) -> Result<BTreeSet<String>> {
    if numbers.len() > MAX_CONTENT {
        return Err(CentralError::invalid(format!(
            "a parcel has at most {MAX_CONTENT} documents"
        )));
    }
    let mut read = BTreeSet::new();
    for number in numbers {
        let number = DocumentNumber::parse(number)
            .map_err(|error| CentralError::invalid(error.to_string()))?;
        if !read.insert(number.to_string()) {
            return Err(CentralError::invalid(format!(
                "document {number} was counted twice; count again"
            )));
        }
    }
    Ok(read)
}

/// Demands that no certificate of a document is in use yet, and that its chip proved each.
async fn check_on_hold(tx: &mut Connection, document: &Document) -> Result<()> {
    for ordered in Ordered::live(tx, &document.id).await? {
        if ordered.state != CertificateState::Ready {
            return Err(CentralError::conflict(format!(
                "the certificate of key \"{}\" is {}, not ready and on hold",
                ordered.key, ordered.state
            )));
        }
    }
    Ok(())
}
