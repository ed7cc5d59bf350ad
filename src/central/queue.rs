//! The queue: which document a slot makes next, and how long it may take.

use api::{
    Actor, FacePictures, Lease, LeaseId, LeaseRequest, MOST_AMONG, PrintsWith, ProfilePin, Secret,
};
use audit::Control;
use document::life_cycle::{DocumentEvent, LeaseEvent, LeaseState, LifeCycle};
use document::{Act, Environment, Purpose};
use jiff::SignedDuration;
use profile::{DocumentProfile, NumberSource, Released};
use uuid::Uuid;

use crate::accounts::authorise;
use crate::blanks::{Blank, chip_serial};
use crate::central::Central;
use crate::claims::{Strays, at_slot, one_blank};
use crate::contention::retried;
use crate::database::{Connection, Write};
use crate::documents::Document;
use crate::error::{CentralError, Result};
use crate::lease::{Held, LeasedChip};
use crate::scribe::Deed;
use crate::stock::MAX_CHIPS;
use crate::told_lines::forget_ended;
use crate::turn::{Turn, first_in_queue};

/// How long a lease lasts after the last that was heard of it.
pub(crate) const TERM: SignedDuration = SignedDuration::from_mins(10);

impl Central {
    /// Leases the most urgent document that the slot can make.
    pub(crate) async fn lease_document(
        &self,
        actor: &Actor,
        request: &LeaseRequest,
    ) -> Result<Option<Lease>> {
        let deed = Deed::new("document.leased", Control::MEDIA, "station", &actor.station);
        // Apart, so that those who lease at once do not read what the others write.
        retried!(self.expire_overdue())?;
        let result = retried!(self.try_lease(actor, &deed, request));
        self.settle(actor, &deed, result).await
    }

    async fn try_lease(
        &self,
        actor: &Actor,
        deed: &Deed,
        request: &LeaseRequest,
    ) -> Result<Option<Lease>> {
        let slot = &request.slot;
        if !(1..=128).contains(&slot.len()) || slot.chars().any(char::is_control) {
            return Err(CentralError::invalid(
                "a slot's name has 1 to 128 bytes on one line",
            ));
        }
        if request.among.len() > MOST_AMONG {
            return Err(CentralError::invalid(format!(
                "a request for a lease names at most {MOST_AMONG} documents"
            )));
        }
        if request.environment != self.environment() {
            return Err(CentralError::refused(format!(
                "this is a {} store and the station is a {} one; connect it to its own store",
                self.environment(),
                request.environment
            )));
        }
        self.check_products(&request.products)?;
        if let Some(printer) = &request.printer {
            self.check_printer(printer)?;
        }
        let mut tx = self.write().await?;
        let operator = authorise(&mut tx, actor, Act::PersonalizeDocument).await?;
        self.check_reconciled(&mut tx, &actor.station).await?;
        if let Some(mut held) = Held::of_slot(&mut tx, &actor.station, slot).await? {
            let is_for = held.takes(request.products.iter().map(String::as_str));
            let is_own = held.operator == operator.id;
            if is_own && is_for {
                let document = Document::load(&mut tx, &held.document).await?;
                let pictures = self.pictures(&mut tx, request, &document).await?;
                let lease = self.given(&mut tx, &held, document).await?;
                let confirmed = self.confirmed_stages(&mut tx, &held).await?;
                tx.commit().await?;
                return Ok(Some(Lease {
                    pictures,
                    confirmed,
                    ..lease
                }));
            }
            // Who was on shift before never got its answer: the slot has no lease that it goes on with.
            let is_unheard = !is_own && request.again.is_none();
            if !is_unheard || !self.give_back_unbegun(&mut tx, actor, &mut held).await? {
                return Err(CentralError::conflict(format!(
                    "lease {} for {}, given to person/{}, is open in this slot; report it first",
                    held.id,
                    held.products(),
                    held.operator
                )));
            }
        }
        if let Some(again) = request.again {
            // It is over, or taken from this station, which is to be said then; no other one is begun for
            // a card that has this one on it.
            if let Err(error @ CentralError::Moved { .. }) = Held::load(&mut tx, actor, again).await
            {
                return Err(error);
            }
            return Ok(None);
        }
        if request.printer.is_none() {
            let by = (actor, &operator);
            if let Some(held) = self.take_over(&mut tx, by, request).await? {
                let document = Document::load(&mut tx, &held.document).await?;
                let lease = self.given(&mut tx, &held, document).await?;
                let confirmed = self.confirmed_stages(&mut tx, &held).await?;
                tx.commit().await?;
                return Ok(Some(Lease { confirmed, ..lease }));
            }
            if request.chips.is_empty()
                && self.awaits_card(&mut tx, &actor.station, request).await?
            {
                return Err(CentralError::ChipsWanted);
            }
        }
        let at_hand = match self.blank_at_hand(&mut tx, &actor.station, request).await? {
            Ok(at_hand) => at_hand,
            Err(strays) => {
                let reason = strays.to_string();
                self.put_strays_aside(&mut tx, actor, "none", &strays)
                    .await?;
                tx.commit().await?;
                return Err(CentralError::NotOneBlank { reason });
            }
        };
        let Some((id, profile)) = self
            .next_document(&mut tx, request, at_hand.as_ref())
            .await?
        else {
            tx.commit().await?;
            return Ok(None);
        };
        let numbered = at_hand.filter(|_| profile.number == NumberSource::Blank);
        let mut document = match &numbered {
            Some(blank) => {
                self.prepare_on(&mut tx, actor, &id, (blank, "allotted"))
                    .await?
            }
            None => Document::load(&mut tx, &id).await?,
        };
        let chips = profile
            .made_of(&request.products)
            .ok_or_else(|| CentralError::damaged("a document under another kind's profile"))?;
        let record = self.open_record(&mut tx, &document).await?;
        self.check_signer(&mut tx, profile, &record).await?;
        let mut leased = Vec::new();
        for product in chips {
            leased.push(LeasedChip {
                product: product.to_owned(),
                digest: self.chip(product)?.digest.to_vec(),
            });
        }
        document
            .apply(&mut tx, DocumentEvent::Lease, self.happens())
            .await?;
        let mut held = Held {
            id: LeaseId(Uuid::new_v4()),
            purpose: Purpose::Personalization,
            document: document.id.clone(),
            number: document.number().to_string(),
            station: actor.station.clone(),
            slot: slot.clone(),
            operator: operator.id,
            chips: leased,
            document_digest: profile.digest.to_vec(),
            blank: None,
            state: LeaseState::INITIAL,
            expires: self.now() + TERM,
            is_printed: request.printer.is_some(),
        };
        held.store(&mut tx, self.now()).await?;
        let deed = deed
            .clone()
            .with("document", &held.number)
            .with("lease", held.id)
            .with("products", held.products());
        let deed = match &request.printer {
            Some(PrintsWith { profile, .. }) => deed
                .with("printer-profile", &profile.name)
                .with("printer-profile-digest", hex::encode(profile.digest)),
            None => deed,
        };
        self.record(&mut tx, Some(actor), &deed).await?;
        if let Some(mut blank) = numbered {
            // The number is the blank's: the document is made of this one, or of another under
            // another number.
            let chip = request.chips.first().map_or("", String::as_str);
            self.bind(&mut tx, actor, &mut held, &mut blank, chip)
                .await?;
        }
        let pictures = self.pictures(&mut tx, request, &document).await?;
        let lease = self.given(&mut tx, &held, document).await?;
        tx.commit().await?;
        Ok(Some(Lease { pictures, ..lease }))
    }

    /// Demands that the profile of a slot's printer may run here ([`crate::releases`]).
    fn check_printer(&self, printer: &PrintsWith) -> Result<()> {
        let ProfilePin { name, digest } = &printer.profile;
        // Its name goes into the log.
        let about = Released::printer(name, digest);
        let about = about.map_err(|error| CentralError::invalid(error.to_string()))?;
        match self.releases().judge(&about) {
            Err(error)
                if self.environment() == Environment::Production || error.is_alteration() =>
            {
                Err(CentralError::refused(format!(
                    "the slot's printer: {error}"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Returns the pictures that a slot with a printer prints; none for any other.
    async fn pictures(
        &self,
        tx: &mut Connection,
        request: &LeaseRequest,
        document: &Document,
    ) -> Result<Option<FacePictures>> {
        if request.printer.is_none() {
            return Ok(None);
        }
        let application = self
            .as_of(tx, &document.application, document.issued)
            .await?;
        let signature = application.signature.as_ref();
        Ok(Some(FacePictures {
            portrait: Secret::new(application.portrait.bytes()),
            signature: signature.map(|picture| Secret::new(picture.bytes())),
        }))
    }

    /// Finds the blank whose chips a slot has read already, if it has.
    async fn blank_at_hand(
        &self,
        tx: &mut Write,
        station: &str,
        request: &LeaseRequest,
    ) -> Result<std::result::Result<Option<Blank>, Strays>> {
        let Some((first, beside)) = request.chips.split_first() else {
            return Ok(Ok(None));
        };
        let at_slot = at_slot(&chip_serial(first)?, beside)?;
        let blank = match one_blank(tx, &at_slot).await? {
            Ok(blank) => blank,
            Err(strays) => return Ok(Err(strays)),
        };
        let chips = blank.chips(tx).await?;
        if chips.len() != at_slot.len() {
            return Err(CentralError::refused(format!(
                "blank {} has {} chips in the books, and {} were read; identify each of them",
                blank.serial,
                chips.len(),
                at_slot.len()
            )));
        }
        let products: Vec<_> = chips.iter().map(|chip| &chip.product).collect();
        let is_loaded = |product: &&String| request.products.contains(product);
        if products.len() != request.products.len() || !products.iter().all(is_loaded) {
            return Err(CentralError::refused(format!(
                "blank {} is made of other chips in the books than the slot is loaded with; set the blank aside, and ask the stock-keeper",
                blank.serial
            )));
        }
        if blank.article != request.article {
            return Err(CentralError::refused(format!(
                "blank {} is of another article than the slot is loaded with; set the blank aside, and ask the stock-keeper",
                blank.serial
            )));
        }
        blank.check_available(station, &request.slot)?;
        Ok(Ok(Some(blank)))
    }

    /// Demands that a slot's products can be the chips of one blank.
    fn check_products(&self, products: &[String]) -> Result<()> {
        if !(1..=MAX_CHIPS).contains(&products.len()) {
            return Err(CentralError::invalid(format!(
                "a slot takes blanks of 1 to {MAX_CHIPS} chips"
            )));
        }
        for (place, product) in products.iter().enumerate() {
            self.chip(product)?;
            if products.iter().take(place).any(|other| other == product) {
                return Err(CentralError::invalid(
                    "a slot names one of its products twice; the chips of a blank differ in product",
                ));
            }
        }
        Ok(())
    }

    /// Returns a lease as its station gets it.
    pub(crate) async fn given(
        &self,
        tx: &mut Connection,
        held: &Held,
        document: Document,
    ) -> Result<Lease> {
        let pin = |name: &str, digest: &[u8]| {
            let digest = digest
                .try_into()
                .map_err(|_| CentralError::damaged("a lease's profile digest"))?;
            Ok::<_, CentralError>(ProfilePin {
                name: name.to_owned(),
                digest,
            })
        };
        let identity = Uuid::parse_str(&document.id)
            .map_err(|_| CentralError::damaged("a document's identity"))?;
        Ok(Lease {
            id: held.id,
            identity,
            purpose: held.purpose,
            environment: self.environment(),
            chips: held
                .chips
                .iter()
                .map(|chip| pin(&chip.product, &chip.digest))
                .collect::<Result<_>>()?,
            document: pin(&document.profile, &held.document_digest)?,
            record: self.open_record(tx, &document).await?,
            subjects: self.open_subjects(tx, &document).await?,
            pictures: None,
            begun: self.begun_elsewhere(tx, held).await?,
            confirmed: Vec::new(),
            expires: held.expires,
        })
    }

    /// Returns the document whose turn it is ([`first_in_queue`]), of those that can be made of the
    /// slot's blanks and printed there, by a station of this place, and of the one that lies there where
    /// it is known.
    async fn next_document(
        &self,
        tx: &mut Connection,
        request: &LeaseRequest,
        at_hand: Option<&Blank>,
    ) -> Result<Option<(String, &DocumentProfile)>> {
        let number = at_hand.and_then(|blank| blank.own_number);
        let is_served = |profile: &&DocumentProfile| {
            let is_numbered = (profile.number == NumberSource::Blank) == number.is_some();
            let is_fit = profile.made_of(&request.products).is_some();
            let is_printed = request.printer.as_ref().is_none_or(|printer| {
                let mut documents = printer.documents.iter();
                documents.any(|name| *name == profile.name)
            });
            is_fit && is_numbered && is_printed && profile.article == request.article
        };
        let place = self.place_of_station(request.office.as_ref())?;
        let mut first: Option<(Turn, &DocumentProfile)> = None;
        for profile in self.document_profiles().iter().filter(is_served) {
            let at = (&*profile.name, place);
            let turn = first_in_queue(tx, at, &request.among, self.skip_locked()).await?;
            if let Some(turn) = turn
                && first.as_ref().is_none_or(|(other, _)| turn < *other)
            {
                first = Some((turn, profile));
            }
        }
        Ok(first.map(|(turn, profile)| (turn.id, profile)))
    }

    /// Ends the leases whose time has passed, where there are any. Returns how many.
    pub(crate) async fn expire_overdue(&self) -> Result<u64> {
        if Held::overdue(&mut *self.read().await?, self.now())
            .await?
            .is_empty()
        {
            return Ok(0);
        }
        let mut tx = self.write().await?;
        let expired = self.expire_leases(&mut tx).await?;
        tx.commit().await?;
        Ok(expired)
    }

    /// Ends the leases whose time has passed. Returns how many ended.
    pub(crate) async fn expire_leases(&self, tx: &mut Write) -> Result<u64> {
        let overdue = Held::overdue(tx, self.now()).await?;
        let expired = overdue.len() as u64;
        for mut held in overdue {
            self.expire_lease(tx, &mut held).await?;
        }
        Ok(expired)
    }

    /// Returns the lease that a document is bound by, which is ended first if its time has passed: what
    /// others hold is not looked at, and so nobody who is given work meanwhile is in the way.
    pub(crate) async fn lease_of(&self, tx: &mut Write, document: &str) -> Result<Option<Held>> {
        match Held::of_document(tx, document).await? {
            Some(mut held) if held.is_overdue(self.now()) => {
                self.expire_lease(tx, &mut held).await?;
                Held::of_document(tx, document).await
            }
            found => Ok(found),
        }
    }

    /// Ends a lease whose time has passed. One that no blank was bound to goes back to the queue:
    /// nothing was written anywhere; so does one whose blank gave it its number, where its station was
    /// never heard of under it. Any other with a blank stays bound, since only the station's report says
    /// what became of it: else there might be two live documents. One for new PINs is ended by what the
    /// chip confirmed: its document is live either way.
    async fn expire_lease(&self, tx: &mut Write, held: &mut Held) -> Result<()> {
        let mut deed = Deed::new("lease.expired", Control::MONITORING, "lease", held.id)
            .with("document", &held.number)
            .with("station", &held.station);
        held.apply(tx, LeaseEvent::Expire).await?;
        if held.purpose == Purpose::NewPins {
            self.conclude_new_pins(tx, None, held).await?;
        }
        let makes = held.purpose == Purpose::Personalization;
        let bound = held.blank.is_some() && !(makes && self.is_unbegun(tx, held).await?);
        if !bound {
            let blank = self.free(tx, None, held).await?;
            forget_ended(tx, held).await?;
            if let Some(blank) = blank {
                deed = deed.with("blank", blank);
            }
        }
        self.record(tx, None, &deed.with("blank-bound", bound))
            .await
    }

    /// Loads an open lease of this station, and renews it: it was heard of. Only who took it goes
    /// on with it: that person is the maker of the document.
    pub(crate) async fn held(&self, tx: &mut Write, actor: &Actor, id: LeaseId) -> Result<Held> {
        let found = Held::load(tx, actor, id).await;
        let act = found.as_ref().map(Held::act);
        let operator = authorise(tx, actor, act.unwrap_or(Act::PersonalizeDocument)).await?;
        let mut held = found?;
        if held.operator != operator.id {
            return Err(CentralError::refused(
                "this lease was given to another person, who makes this document; report how it ended",
            ));
        }
        if held.is_overdue(self.now()) {
            return Err(CentralError::conflict(
                "the lease has expired; report how it ended",
            ));
        }
        held.apply(tx, LeaseEvent::Renew).await?;
        let document = Document::load(tx, &held.document).await?;
        self.check_pinned(&held, &document)?;
        held.extend(tx, self.now() + TERM).await?;
        Ok(held)
    }

    /// Demands that the profiles are those that the lease pinned.
    pub(crate) fn check_pinned(&self, held: &Held, document: &Document) -> Result<()> {
        let profile = self.document_profile(document.kind)?;
        let mut is_same = profile.name == document.profile;
        is_same &= profile.digest[..] == held.document_digest[..];
        for leased in &held.chips {
            is_same &= self.chip(&leased.product)?.digest[..] == leased.digest[..];
        }
        match is_same {
            true => Ok(()),
            false => Err(CentralError::conflict(
                "a profile of this document changed since the lease was given; report how it ended",
            )),
        }
    }
}
