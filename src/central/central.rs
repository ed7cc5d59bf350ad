//! The store as a whole: what it is made of, and how it opens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use audit::{CheckpointSigner, Control, VerifierKey};
use document::{Calendar, Environment, Kind, OfficeCode, Purpose, Record, Series};
use hsm::{EnvelopeKey, Token};
use jiff::Timestamp;
use jiff::civil::Date;
use pki::{CertificateProfile, Confirmations, ServingCa, StationAuthority};
use profile::{ChipProfile, DocumentChip, DocumentProfile, Plan, ReleaseShelf};
use sqlx::Row;
use tokio::sync::{Mutex, OnceCell};

use crate::audit_log::LogKey;
use crate::authorities::Authorities;
use crate::authority::IssuingAuthority;
use crate::certificate_profiles::CertificateProfiles;
use crate::config::{Config, KeyLabels};
use crate::confirmations::StoredConfirmations;
use crate::contention::retried;
use crate::database::{Connection, Database, Write, stored};
use crate::environment::{
    bind_token, check_certificates, check_masters, check_meant, check_travel,
};
use crate::error::{CentralError, Result};
use crate::form::be_founded;
use crate::keys::KeyService;
use crate::means::check_means;
use crate::people::Passwords;
use crate::profiles::{check_keys, load_chips, load_documents};
use crate::protection::Protection;
use crate::rate::Rate;
use crate::register::StoredRegister;
use crate::releases::{self, Candidates};
use crate::scribe::Deed;
use crate::scribe::Scribe;
use crate::sealed_stages::SealedSessions;
use crate::sealing::EnvelopeKeys;
use crate::second_persons::Presence;
use crate::series;
use crate::statements::sql;
use crate::travel::TravelSigners;
use crate::turns::Turns;

/// The issuance store. Clones are the same store.
///
/// Each method that acts takes who acts, judges the right to it, and leaves an entry in the audit
/// log in the same transaction; what is refused leaves nothing but the entry of the refusal.
///
/// As it opens, no second person is there, and what takes one is refused: see
/// [`Central::on_own_machine`] and [`Central::confirmed_by`].
#[derive(Clone)]
pub struct Central {
    inner: Arc<Inner>,
    presence: Presence,
}

struct Inner {
    database: Database,
    environment: Environment,
    keys: KeyService,
    labels: KeyLabels,
    token: Arc<Token>,
    protection: Protection,
    envelope_keys: EnvelopeKeys,
    log_key: Arc<LogKey>,
    authorities: Authorities,
    travel: TravelSigners,
    certificate_profiles: CertificateProfiles,
    /// The names of those that two people released.
    released: BTreeSet<String>,
    /// By which the profiles of stations' printers are judged.
    releases: ReleaseShelf,
    chips: BTreeMap<String, Arc<ChipProfile>>,
    documents: Vec<DocumentProfile>,
    scribe: Arc<Scribe>,
    calendar: Calendar,
    /// The offices that have stations of their own.
    own_stations: BTreeSet<OfficeCode>,
    sealed: SealedSessions,
    turns: Turns,
    rate: Rate,
    passwords: Passwords,
    /// Held while a revocation list is made.
    listing: Mutex<()>,
    /// Opened when it is needed: not every installation has stations elsewhere.
    stations_ca: OnceCell<Arc<StationAuthority>>,
}

impl Central {
    /// Opens a store that was founded: proves every profile, finds every key, brings the database to
    /// this program's form.
    ///
    /// # Errors
    /// [`CentralError::Unfounded`] where nobody founded it, and then nothing is changed;
    /// [`CentralError::Setup`] where keys or profiles are missing, where the database belongs to
    /// another environment or another audit key, and in production where a master key is a
    /// published one; [`CentralError::Release`] where a profile is not released as it is; the
    /// profile's, the token's and the database's failures.
    pub async fn open(config: Config) -> Result<Self> {
        be_founded(&config.database).await?;
        Self::establish(config).await
    }

    /// Opens a store as [`Central::open`] does, and founds it where nobody did: the database gets
    /// its form, and is bound to what the installation is.
    ///
    /// # Errors
    /// As [`Central::open`], but for [`CentralError::Unfounded`].
    pub async fn establish(config: Config) -> Result<Self> {
        check_masters(&config.keys, &config.token, config.environment)?;
        let mut loaded = load_chips(&config)?;
        let (documents, plans) = load_documents(&config, &mut loaded)?;
        let mut chips = loaded.sound;
        for (chip, error) in loaded.unsound {
            tracing::warn!(chip, %error, "this chip profile is not sound and left out");
        }
        let own = EnvelopeKey::from_spki_der(&config.token.public_key(&config.keys.envelope)?)?;
        let envelope_keys = EnvelopeKeys {
            printer: config
                .envelope_printer
                .clone()
                .unwrap_or_else(|| own.clone()),
            own,
        };
        let log_key = LogKey::new(&config.origin, config.token.signer(&config.keys.audit)?)?;
        let series =
            Series::new(config.environment, &config.series, 1, 9_999_999).map_err(|error| {
                CentralError::Setup {
                    reason: error.to_string(),
                }
            })?;
        let database = Database::open(&config.database).await?;

        let found = bound(&mut *database.read().await?).await?;
        if let Some(found) = &found {
            found.check(&config, log_key.key())?;
        }
        let known = |chip: &ChipProfile| {
            check_keys(chip, config.environment).map_err(|reason| CentralError::Setup { reason })
        };
        let wanted = documents.iter().flat_map(|document| &document.chips);
        let mut wanted = wanted.flat_map(|chip| &chip.products);
        wanted.try_for_each(|product| chips.get(product).map_or(Ok(()), |chip| known(chip)))?;
        let candidates = Candidates {
            chips: &mut chips,
            documents: &documents,
            certificates: &config.certificates,
            authority: &config.authority,
        };
        let released = releases::admit(config.environment, &config.releases, candidates)?;
        // What no document takes and nobody released is gone by now.
        chips.values().try_for_each(|chip| known(chip))?;
        let authority = match &found {
            Some(found) => IssuingAuthority::restore(
                Arc::clone(&config.token),
                &config.keys.authority,
                &config.certificates,
                &config.authority,
                &found.authority,
            )?,
            None => IssuingAuthority::create(
                Arc::clone(&config.token),
                &config.keys.authority,
                &config.certificates,
                &config.authority,
                config.clock.now(),
            )?,
        };
        let keys = KeyService::new(Arc::clone(&config.token), config.keys.clone());
        let scribe = Arc::new(Scribe {
            clock: config.clock,
            station: config.station,
        });
        let (ca, certificate_profiles) = authority.into_parts();
        let used: Vec<String> = plans
            .iter()
            .flat_map(|plan| plan.keys.iter().map(|(_, profile)| profile.clone()))
            .collect();
        check_certificates(
            &certificate_profiles,
            &config.authority,
            &used,
            config.environment,
        )?;
        check_travel(&config.travel, config.environment)?;
        bind_token(&config.token, config.environment)?;
        let protection = Protection {
            token: Arc::clone(&config.token),
            index: config.keys.index.clone(),
            seen: Arc::default(),
        };
        let register = StoredRegister {
            database: database.clone(),
            scribe: Arc::clone(&scribe),
            protection: protection.clone(),
        };
        let travel = TravelSigners::open(&config.token, config.travel)?;
        let random = Arc::clone(&config.token);
        let embedded = ServingCa::new(ca, Arc::new(register), random);
        let authorities = Authorities::new(embedded, config.authorities)?;
        for plan in &plans {
            check_means(plan, &certificate_profiles, &keys)?;
            for (_, certificate) in &plan.keys {
                authorities.check(certificate_profiles.get(certificate)?)?;
            }
        }
        let inner = Inner {
            protection,
            database,
            environment: config.environment,
            keys,
            labels: config.keys,
            token: config.token,
            envelope_keys,
            log_key: Arc::new(log_key),
            authorities,
            travel,
            certificate_profiles,
            released,
            releases: config.releases,
            chips,
            documents,
            scribe,
            calendar: config.calendar,
            own_stations: config.own_stations,
            sealed: SealedSessions::default(),
            turns: Turns::default(),
            rate: Rate::new(config.channels_a_minute),
            passwords: Passwords::new()?,
            listing: Mutex::default(),
            stations_ca: OnceCell::new(),
        };
        let central = Self {
            inner: Arc::new(inner),
            presence: Presence::Nobody,
        };
        if found.is_none() {
            retried!(central.found_installation(series))?;
        }
        central.begin_restoration().await?;
        central.ready_protection().await?;
        retried!(central.place_queued())?;
        Ok(central)
    }

    async fn found_installation(&self, series: Series) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(sql!("INSERT INTO installation (id, environment, audit_key, authority, founded) VALUES (1, $1, $2, $3, $4)"))
            .bind(self.inner.environment.name())
            .bind(self.audit_key().to_string())
            .bind(self.authority_certificate())
            .bind(stored(self.now()))
            .execute(&mut *tx)
            .await?;
        // Kinds that get series of their own later have this one closed, or used up, before.
        series::insert(&mut tx, stored(self.now()), &series, Kind::ALL, 1, None).await?;
        let deed = Deed::new(
            "installation.founded",
            Control::RECORDS,
            "installation",
            "central",
        )
        .with("environment", self.inner.environment)
        .with("series", series.prefix());
        self.record(&mut tx, None, &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Closes the database after what runs has ended. Other clones then fail.
    pub async fn close(&self) {
        self.inner.database.close().await;
    }

    /// Returns what the installation is for.
    pub fn environment(&self) -> Environment {
        self.inner.environment
    }

    /// Returns the releases that count here.
    pub(crate) fn releases(&self) -> &ReleaseShelf {
        &self.inner.releases
    }

    /// Returns the same store, where a second person is there in another way, or is not.
    pub(crate) fn beside(&self, presence: Presence) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            presence,
        }
    }

    /// Returns whether the second person of an act is there.
    pub(crate) fn presence(&self) -> &Presence {
        &self.presence
    }

    pub(crate) async fn write(&self) -> Result<Write> {
        self.inner.database.write().await
    }

    /// Begins the transaction of the audit sequencer.
    pub(crate) async fn sequencer(&self) -> Result<Write> {
        self.inner.database.sequencer().await
    }

    /// Returns what makes a query over what waits pass over what others are just taking.
    pub(crate) fn skip_locked(&self) -> &'static str {
        self.inner.database.skip_locked()
    }

    pub(crate) async fn read(&self) -> Result<Write> {
        self.inner.database.read().await
    }

    pub(crate) fn database(&self) -> &Database {
        &self.inner.database
    }

    /// Returns what time it is by the store's clock.
    pub fn now(&self) -> Timestamp {
        self.inner.scribe.clock.now()
    }

    /// Returns which days the office works.
    pub fn calendar(&self) -> &Calendar {
        &self.inner.calendar
    }

    /// Returns the offices that have stations of their own.
    pub(crate) fn own_stations(&self) -> &BTreeSet<OfficeCode> {
        &self.inner.own_stations
    }

    /// Returns the present day in UTC.
    pub(crate) fn today(&self) -> Date {
        self.now().to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    pub(crate) fn scribe(&self) -> &Scribe {
        &self.inner.scribe
    }

    pub(crate) fn token(&self) -> Arc<Token> {
        Arc::clone(&self.inner.token)
    }

    pub(crate) fn protection(&self) -> &Protection {
        &self.inner.protection
    }

    pub(crate) fn keys(&self) -> &KeyService {
        &self.inner.keys
    }

    pub(crate) fn labels(&self) -> &KeyLabels {
        &self.inner.labels
    }

    pub(crate) fn envelope_keys(&self) -> &EnvelopeKeys {
        &self.inner.envelope_keys
    }

    pub(crate) fn log_key(&self) -> Arc<LogKey> {
        Arc::clone(&self.inner.log_key)
    }

    pub(crate) fn log_key_ref(&self) -> &LogKey {
        &self.inner.log_key
    }

    pub(crate) fn authorities(&self) -> &Authorities {
        &self.inner.authorities
    }

    pub(crate) fn travel(&self) -> &TravelSigners {
        &self.inner.travel
    }

    pub(crate) fn certificate_profiles(&self) -> &CertificateProfiles {
        &self.inner.certificate_profiles
    }

    pub(crate) fn rate(&self) -> &Rate {
        &self.inner.rate
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.inner.passwords
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.inner.turns
    }

    pub(crate) fn listing(&self) -> &Mutex<()> {
        &self.inner.listing
    }

    pub(crate) fn stations_ca(&self) -> &OnceCell<Arc<StationAuthority>> {
        &self.inner.stations_ca
    }

    /// Returns the embedded authority, for what it serves beside this store: its lists, its
    /// responder, its other registration authorities.
    pub fn embedded_authority(&self) -> &Arc<ServingCa> {
        self.inner.authorities.embedded()
    }

    /// Returns where its CMP endpoint keeps which certificates wait for their requester's word.
    pub fn cmp_confirmations(&self) -> Arc<dyn Confirmations> {
        Arc::new(StoredConfirmations {
            database: self.inner.database.clone(),
        })
    }

    /// Returns the certificate profile of this name, to issue by it.
    ///
    /// # Errors
    /// [`CentralError::Unfit`] where there is none; [`CentralError::Refused`] in production for one
    /// that is not released.
    pub fn certificate_profile(&self, name: &str) -> Result<Arc<CertificateProfile>> {
        let profile = self.inner.certificate_profiles.get(name)?;
        if self.environment() == Environment::Production && !self.inner.released.contains(name) {
            return Err(CentralError::refused(format!(
                "certificate profile \"{name}\" is not released; two people sign it: zimogs profile sign {name} --kind certificate"
            )));
        }
        check_meant(profile, self.environment())?;
        Ok(Arc::clone(profile))
    }

    /// Returns its certificate, DER.
    pub fn authority_certificate(&self) -> &[u8] {
        self.embedded_authority().certificate().as_der()
    }

    pub(crate) fn sealed(&self) -> &SealedSessions {
        &self.inner.sealed
    }

    /// Runs what blocks (the token's work) beside the async threads.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| CentralError::Ending)
    }

    /// Returns the profile of a chip product.
    pub(crate) fn chip(&self, product: &str) -> Result<&Arc<ChipProfile>> {
        let chip = self.inner.chips.get(product);
        chip.ok_or_else(|| CentralError::NotFound {
            what: "chip profile of this name".to_owned(),
        })
    }

    /// Returns the document profiles.
    pub(crate) fn document_profiles(&self) -> &[DocumentProfile] {
        &self.inner.documents
    }

    /// Returns the profile that serves a kind of document.
    pub(crate) fn document_profile(&self, kind: Kind) -> Result<&DocumentProfile> {
        let profile = self
            .inner
            .documents
            .iter()
            .find(|profile| profile.kinds.contains(&kind));
        profile.ok_or_else(|| {
            CentralError::refused(format!(
                "no document profile serves {kind}; add one to the installation"
            ))
        })
    }

    /// Returns the plan by which a document is made on this product.
    pub(crate) fn plan(
        &self,
        profile: &DocumentProfile,
        product: &str,
        record: &Record,
    ) -> Result<Plan> {
        self.plan_for(Purpose::Personalization, profile, product, record)
    }

    /// Returns the plan that a station runs for a document on this product, under a lease for this
    /// purpose.
    pub(crate) fn plan_for(
        &self,
        purpose: Purpose,
        profile: &DocumentProfile,
        product: &str,
        record: &Record,
    ) -> Result<Plan> {
        let wanted = wanted(profile, product).ok_or_else(|| {
            CentralError::refused(format!(
                "document profile \"{}\" does not take \"{product}\"",
                profile.name
            ))
        })?;
        Ok(Plan::of(
            purpose,
            Arc::clone(self.chip(product)?),
            &profile.name,
            wanted,
            record,
        )?)
    }
}

/// Returns what a document's profile wants on a product.
pub(crate) fn wanted<'a>(profile: &'a DocumentProfile, product: &str) -> Option<&'a DocumentChip> {
    profile
        .chips
        .iter()
        .find(|chip| chip.products.iter().any(|known| known == product))
}

/// What the installation is bound to.
struct Bound {
    environment: String,
    audit_key: String,
    authority: Vec<u8>,
}

impl Bound {
    fn check(&self, config: &Config, key: &VerifierKey) -> Result<()> {
        let reason = if self.environment != config.environment.name() {
            format!(
                "the database belongs to a {} installation, this is a {} one; open its own database",
                self.environment, config.environment
            )
        } else if self.audit_key != key.to_string() {
            "its audit log was begun under another key or name; open it with the token and origin it was founded with".to_owned()
        } else {
            return Ok(());
        };
        Err(CentralError::Setup { reason })
    }
}

async fn bound(tx: &mut Connection) -> Result<Option<Bound>> {
    let row = sqlx::query(sql!(
        "SELECT environment, audit_key, authority FROM installation"
    ))
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| Bound {
        environment: row.get("environment"),
        audit_key: row.get("audit_key"),
        authority: row.get("authority"),
    }))
}
