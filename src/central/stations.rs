//! Stations in the books: asked for by one person, let in by another, stopped by either.
//!
//! ```text
//!   administrator: ask_station ──► requested ── confirm ──► enrolled ◄─► suspended ──► removed
//!                                     security officer: names the key's digest, read at the station
//! ```

use api::Actor;
use audit::Control;
use cert::request::Request;
use cert::{Hash, PublicKey};
use document::life_cycle::{LifeCycle, StationEvent, StationState};
use document::{Act, OfficeCode, four_eyes};
use jiff::Timestamp;
use sqlx::Row;

use crate::accounts::{Person, authorise, check_name, name_of};
use crate::applications::check_cause;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, DbRow, moment, parsed, stored};
use crate::error::{CentralError, Result, admits, advance};
use crate::expected::tag_of;
use crate::scribe::Deed;
use crate::statements::sql;

/// What a station is given when it is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StationCredential {
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// The certificate of the authority that signed it, DER.
    pub authority: Vec<u8>,
}

/// A station as the books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StationLine {
    /// Its name.
    pub name: String,
    /// The office that it stands in.
    pub office: Option<OfficeCode>,
    /// Its state.
    pub state: StationState,
    /// The SHA-256 of the key that waits for a certificate, in hexadecimal.
    pub waiting_key: Option<String>,
    /// The office that it moves to with that key.
    pub waiting_office: Option<OfficeCode>,
    /// The serial number of its certificate, in hexadecimal.
    pub serial: Option<String>,
    /// Until when that holds.
    pub not_after: Option<Timestamp>,
    /// When it was heard of last, to a minute.
    pub seen: Option<Timestamp>,
}

const COLUMNS: &str =
    "SELECT s.name, s.office, s.state, s.key_digest, s.asked_office, s.seen, c.serial, c.not_after
     FROM station s LEFT JOIN station_certificate c ON c.station = s.name AND c.state = 'current'";

impl StationLine {
    /// Returns the tag of what is shown of it, but for when it was heard of.
    #[must_use]
    pub fn tag(&self) -> String {
        let Self {
            name,
            office,
            state,
            waiting_key,
            waiting_office,
            serial,
            not_after,
            seen: _,
        } = self;
        let certificate = (serial, not_after);
        let waiting = (waiting_key, waiting_office);
        tag_of(&format!(
            "{name}\n{office:?}\n{state:?}\n{waiting:?}\n{certificate:?}"
        ))
    }

    /// Finds the one of this name.
    pub(crate) async fn find(tx: &mut Connection, name: &str) -> Result<Option<Self>> {
        let row = sqlx::query(sql!(COLUMNS, " WHERE s.name = $1"))
            .bind(name)
            .fetch_optional(tx)
            .await?;
        row.as_ref().map(Self::read).transpose()
    }

    fn read(row: &DbRow) -> Result<Self> {
        let at = |column| row.get::<Option<i64>, _>(column).map(moment).transpose();
        Ok(Self {
            name: row.get("name"),
            office: stored_office(row.get("office"))?,
            state: parsed("a station's state", row.get("state"))?,
            waiting_key: row.get::<Option<Vec<u8>>, _>("key_digest").map(hex::encode),
            waiting_office: stored_office(row.get("asked_office"))?,
            serial: row.get("serial"),
            not_after: at("not_after")?,
            seen: at("seen")?,
        })
    }
}

/// A station as it is stored.
struct Stored {
    state: StationState,
    asked_by: String,
    changed_by: String,
    request: Option<Vec<u8>>,
    key_digest: Option<Vec<u8>>,
}

impl Stored {
    async fn find(tx: &mut Connection, name: &str) -> Result<Option<Self>> {
        let row = sqlx::query(sql!(
            "SELECT state, asked_by, changed_by, request, key_digest FROM station WHERE name = $1"
        ))
        .bind(name)
        .fetch_optional(tx)
        .await?;
        let read = row.map(|row| {
            Ok(Self {
                state: parsed("a station's state", row.get("state"))?,
                asked_by: row.get("asked_by"),
                changed_by: row.get("changed_by"),
                request: row.get("request"),
                key_digest: row.get("key_digest"),
            })
        });
        read.transpose()
    }

    async fn load(tx: &mut Connection, name: &str) -> Result<Self> {
        let found = Self::find(tx, name).await?;
        found.ok_or_else(|| CentralError::NotFound {
            what: "station of this name".to_owned(),
        })
    }
}

impl Central {
    /// Asks that a station be let in, by the certification request (PKCS#10, DER) that it made;
    /// or that one which is in gets another certificate, for another key. Returns the SHA-256 of
    /// its key in hexadecimal, which whoever confirms compares with what the station shows. What
    /// was asked for before and not confirmed is forgotten.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator, and for a key that had a
    /// certificate before; [`CentralError::Conflict`] for a station that is suspended or removed;
    /// [`CentralError::Invalid`] for a name, office or request that cannot be.
    pub async fn ask_station(
        &self,
        actor: &Actor,
        name: &str,
        office: Option<&str>,
        request: &[u8],
    ) -> Result<String> {
        let deed = Deed::new("station.asked", Control::ACCESS_RIGHTS, "station", name);
        let result = retried!(self.try_ask_station(actor, &deed, name, office, request));
        self.settle(actor, &deed, result).await
    }

    async fn try_ask_station(
        &self,
        actor: &Actor,
        deed: &Deed,
        name: &str,
        office: Option<&str>,
        request: &[u8],
    ) -> Result<String> {
        check_name("a station", name)?;
        let office = office.map(OfficeCode::parse).transpose();
        let office = office.map_err(|error| CentralError::invalid(error.to_string()))?;
        let digest = key_digest(&requested_key(request)?)?;
        let mut tx = self.write().await?;
        let administrator = authorise(&mut tx, actor, Act::ManageStations).await?;
        check_unused(&mut tx, &digest).await?;
        match Stored::find(&mut tx, name).await? {
            Some(found) => {
                admits(found.state, StationEvent::Confirm)?;
            }
            None => self.book(&mut tx, name, &administrator).await?,
        }
        sqlx::query(sql!("UPDATE station SET asked_office = $1, request = $2, key_digest = $3, asked_by = $4, asked = $5 WHERE name = $6"))
        .bind(office.as_ref().map(ToString::to_string))
        .bind(request)
        .bind(&digest)
        .bind(&administrator.id)
        .bind(stored(self.now()))
        .bind(name)
        .execute(&mut *tx)
        .await?;
        let digest = hex::encode(digest);
        let deed = deed.clone().with("key", &digest);
        let deed = match office {
            Some(office) => deed.with("office", office),
            None => deed,
        };
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(digest)
    }

    async fn book(&self, tx: &mut Connection, name: &str, by: &Person) -> Result<()> {
        sqlx::query(sql!("INSERT INTO station (name, state, asked_by, asked, changed_by, changed) VALUES ($1, $2, $3, $4, $5, $6)"))
        .bind(name)
        .bind(StationState::INITIAL.name())
        .bind(&by.id)
        .bind(stored(self.now()))
        .bind(&by.id)
        .bind(stored(self.now()))
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Lets a station in that another person asked for: signs the certificate for the key whose
    /// SHA-256, in hexadecimal, is named here as it was read at the station itself. Its earlier
    /// certificates count no longer. Repeated for the same key, it gives the same certificate.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a security officer and another person than who
    /// asked, and for a key that is not the one asked for; [`CentralError::Conflict`] where nothing
    /// was asked for; [`CentralError::NotFound`]; [`CentralError::Setup`] where the token holds no
    /// key of the station authority's.
    pub async fn confirm_station(
        &self,
        actor: &Actor,
        name: &str,
        key: &str,
    ) -> Result<StationCredential> {
        let deed = Deed::new("station.enrolled", Control::ACCESS_RIGHTS, "station", name);
        let result = retried!(self.try_confirm_station(actor, &deed, name, key));
        self.settle(actor, &deed, result).await
    }

    async fn try_confirm_station(
        &self,
        actor: &Actor,
        deed: &Deed,
        name: &str,
        key: &str,
    ) -> Result<StationCredential> {
        let key: String = key
            .chars()
            .filter(|c| !c.is_whitespace() && *c != ':')
            .collect();
        let named = hex::decode(key).map_err(|_| {
            CentralError::invalid("name the key by its SHA-256, 64 hexadecimal digits")
        })?;
        let authority = self.station_authority().await?;
        let mut tx = self.write().await?;
        let officer = authorise(&mut tx, actor, Act::ConfirmStation).await?;
        let found = Stored::load(&mut tx, name).await?;
        let state = advance(found.state, StationEvent::Confirm)?;
        let (Some(request), Some(digest)) = (found.request, found.key_digest) else {
            return given_before(&mut tx, &authority, name, &named).await;
        };
        let asked_by = name_of(&mut tx, &found.asked_by).await?;
        four_eyes(&asked_by, &officer.name)
            .map_err(|error| CentralError::refused(error.to_string()))?;
        if digest != named {
            return Err(CentralError::refused(
                "the key that was asked for is another than the one you name; compare it at the station, and have it asked for again",
            ));
        }
        check_unused(&mut tx, &digest).await?;
        let certificate = self
            .sign_station(&authority, name, requested_key(&request)?)
            .await?;
        sqlx::query(sql!(
            "UPDATE station_certificate SET state = 'superseded' WHERE station = $1"
        ))
        .bind(name)
        .execute(&mut *tx)
        .await?;
        store_certificate(&mut tx, name, &digest, &certificate, "current").await?;
        sqlx::query(sql!("UPDATE station SET state = $1, office = coalesce(asked_office, office), request = NULL, key_digest = NULL, asked_office = NULL, changed_by = $2, changed = $3 WHERE name = $4"))
        .bind(state.name())
        .bind(&officer.id)
        .bind(stored(self.now()))
        .bind(name)
        .execute(&mut *tx)
        .await?;
        let deed = deed
            .clone()
            .with("key", hex::encode(&digest))
            .with("certificate", certificate.serial_hex());
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(StationCredential {
            certificate: certificate.as_der().to_vec(),
            authority: authority.certificate().as_der().to_vec(),
        })
    }

    /// Stops a station at once, on open connections too.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator or a security officer;
    /// [`CentralError::Conflict`] for a station that is not in; [`CentralError::NotFound`];
    /// [`CentralError::Invalid`] without a cause.
    pub async fn suspend_station(&self, actor: &Actor, name: &str, cause: &str) -> Result<()> {
        self.change_station(actor, name, StationEvent::Suspend, cause)
            .await
    }

    /// Lets a station in again that another person suspended.
    ///
    /// # Errors
    /// As for [`Central::suspend_station`]; the actor is a security officer.
    pub async fn resume_station(&self, actor: &Actor, name: &str, cause: &str) -> Result<()> {
        self.change_station(actor, name, StationEvent::Resume, cause)
            .await
    }

    /// Removes a station for good. What it had under a lease is accounted for as of any other that
    /// is not heard of again.
    ///
    /// # Errors
    /// As for [`Central::suspend_station`]; the actor is an administrator.
    pub async fn remove_station(&self, actor: &Actor, name: &str, cause: &str) -> Result<()> {
        self.change_station(actor, name, StationEvent::Remove, cause)
            .await
    }

    async fn change_station(
        &self,
        actor: &Actor,
        name: &str,
        event: StationEvent,
        cause: &str,
    ) -> Result<()> {
        let action = match event {
            StationEvent::Confirm => "station.enrolled",
            StationEvent::Suspend => "station.suspended",
            StationEvent::Resume => "station.resumed",
            StationEvent::Remove => "station.removed",
        };
        let deed = Deed::new(action, Control::ACCESS_RIGHTS, "station", name).with("cause", cause);
        let result = retried!(self.try_change_station(actor, &deed, name, event, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_change_station(
        &self,
        actor: &Actor,
        deed: &Deed,
        name: &str,
        event: StationEvent,
        cause: &str,
    ) -> Result<()> {
        check_cause(cause)?;
        let act = match event {
            StationEvent::Suspend => Act::WatchStations,
            StationEvent::Remove => Act::ManageStations,
            StationEvent::Resume | StationEvent::Confirm => Act::ConfirmStation,
        };
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, act).await?;
        let found = Stored::load(&mut tx, name).await?;
        let state = advance(found.state, event)?;
        if event == StationEvent::Resume {
            let by = name_of(&mut tx, &found.changed_by).await?;
            four_eyes(&by, &person.name).map_err(|_| {
                CentralError::refused("nobody lets in again what they suspended themselves")
            })?;
        }
        sqlx::query(sql!("UPDATE station SET state = $1, request = NULL, key_digest = NULL, asked_office = NULL, changed_by = $2, changed = $3 WHERE name = $4"))
        .bind(state.name())
        .bind(&person.id)
        .bind(stored(self.now()))
        .bind(name)
        .execute(&mut *tx)
        .await?;
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Returns every station, by name.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator or a security officer.
    pub async fn stations(&self, actor: &Actor) -> Result<Vec<StationLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::WatchStations).await?;
        let rows = sqlx::query(sql!(COLUMNS, " ORDER BY s.name"))
            .fetch_all(&mut *tx)
            .await?;
        rows.iter().map(StationLine::read).collect()
    }
}

/// Reads the office of a station.
pub(crate) fn stored_office(stored: Option<&str>) -> Result<Option<OfficeCode>> {
    let office = stored.map(OfficeCode::parse).transpose();
    office.map_err(|_| CentralError::damaged("a station's office"))
}

/// Returns the certificate that this key was given at an earlier confirmation whose answer was lost.
async fn given_before(
    tx: &mut Connection,
    authority: &pki::StationAuthority,
    name: &str,
    key: &[u8],
) -> Result<StationCredential> {
    let der: Option<Vec<u8>> = sqlx::query_scalar(sql!("SELECT der FROM station_certificate WHERE station = $1 AND key_digest = $2 AND state = 'current'"))
    .bind(name)
    .bind(key)
    .fetch_optional(tx)
    .await?;
    match der {
        Some(certificate) => Ok(StationCredential {
            certificate,
            authority: authority.certificate().as_der().to_vec(),
        }),
        None => Err(CentralError::conflict(
            "nothing was asked for this station; an administrator asks first",
        )),
    }
}

/// Returns the key of a certification request whose sender has its private key; only kinds that
/// open a TLS 1.3 channel.
pub(crate) fn requested_key(request: &[u8]) -> Result<PublicKey> {
    use cert::{Curve, KeyAlgorithm};
    let request = Request::parse_and_verify(request)
        .map_err(|error| CentralError::invalid(error.to_string()))?;
    let key = request.public_key();
    match key.algorithm() {
        Some(KeyAlgorithm::Ec(Curve::P256 | Curve::P384)) => Ok(key.clone()),
        _ => Err(CentralError::invalid(
            "a station's key is on P-256 or P-384",
        )),
    }
}

/// Returns the SHA-256 of a key as certificates have it.
pub(crate) fn key_digest(key: &PublicKey) -> Result<Vec<u8>> {
    let der = key
        .to_spki_der()
        .map_err(|error| CentralError::invalid(error.to_string()))?;
    Ok(Hash::Sha256.digest(&der))
}

/// Demands that a key had no certificate yet.
pub(crate) async fn check_unused(tx: &mut Connection, digest: &[u8]) -> Result<()> {
    let used: i64 = sqlx::query_scalar(sql!(
        "SELECT count(*) FROM station_certificate WHERE key_digest = $1"
    ))
    .bind(digest)
    .fetch_one(tx)
    .await?;
    match used {
        0 => Ok(()),
        _ => Err(CentralError::refused(
            "this key had a certificate before; make a new one",
        )),
    }
}

/// Books a station's certificate.
pub(crate) async fn store_certificate(
    tx: &mut Connection,
    station: &str,
    key_digest: &[u8],
    certificate: &cert::Certificate,
    state: &str,
) -> Result<()> {
    let validity = certificate.validity();
    sqlx::query(sql!("INSERT INTO station_certificate (digest, station, serial, key_digest, der, state, not_before, not_after)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"))
    .bind(Hash::Sha256.digest(certificate.as_der()))
    .bind(station)
    .bind(certificate.serial_hex())
    .bind(key_digest)
    .bind(certificate.as_der())
    .bind(state)
    .bind(stored(validity.not_before))
    .bind(stored(validity.not_after))
    .execute(tx)
    .await?;
    Ok(())
}
