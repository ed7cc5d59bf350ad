//! The certificates of stations: who signs them, whose one is, and how a station renews its own.

use std::sync::Arc;

use audit::{Control, Outcome};
use cert::{Certificate, Hash, PublicKey};
use document::life_cycle::StationState;
use document::{Environment, OfficeCode};
use jiff::Timestamp;
use pki::{HostName, StationAuthority, is_named_for_test};
use sqlx::Row;
use thiserror::Error;

use crate::central::Central;
use crate::certificate_profiles::fault;
use crate::contention::retried;
use crate::database::{moment, parsed, stored};
use crate::error::{CentralError, Result};
use crate::scribe::Deed;
use crate::statements::sql;
use crate::stations::{check_unused, key_digest, requested_key, store_certificate, stored_office};

/// A station that showed its certificate and may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownStation {
    /// Its name.
    pub name: String,
    /// The office that it stands in.
    pub office: Option<OfficeCode>,
    /// Until when its certificate holds.
    pub not_after: Timestamp,
    /// When it was heard of last.
    pub seen: Option<Timestamp>,
    /// Whether the certificate is a renewed one that it shows for the first time.
    pub is_new: bool,
    digest: Vec<u8>,
}

/// Why the certificate of a connection opens nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StationRefusal {
    /// It does not read.
    #[error("this is no certificate of a station: {reason}")]
    Unreadable {
        /// Why.
        reason: String,
    },
    /// It is of an authority of another environment.
    #[error("this certificate is of a {theirs} installation, and this is a {ours} one")]
    Environment {
        /// Whose the certificate is.
        theirs: Environment,
        /// Which installation it was shown to.
        ours: Environment,
    },
    /// It is of an authority that is not this installation's.
    #[error(
        "this certificate is of another authority; let the station be enrolled here (zimogs central enroll)"
    )]
    Foreign,
    /// This installation's authority signed it, and it is in no book.
    #[error(
        "this certificate is signed by this installation's authority and is in no book; treat this as an incident"
    )]
    Unbooked,
    /// Its station has another one since.
    #[error("this certificate of station {station} was replaced by another")]
    Superseded {
        /// The station.
        station: String,
    },
    /// It does not hold yet.
    #[error("the certificate of station {station} holds from {from} only; compare the clocks")]
    NotYet {
        /// The station.
        station: String,
        /// From when.
        from: Timestamp,
    },
    /// It holds no longer.
    #[error(
        "the certificate of station {station} expired at {since}; let it be enrolled again (zimogs central enroll)"
    )]
    Expired {
        /// The station.
        station: String,
        /// Since when.
        since: Timestamp,
    },
    /// The station was suspended.
    #[error("station {station} is suspended; a security officer can let it in again")]
    Suspended {
        /// The station.
        station: String,
    },
    /// The station was removed.
    #[error("station {station} is removed for good; enroll it under another name")]
    Removed {
        /// The station.
        station: String,
    },
    /// The books could not be asked.
    #[error(transparent)]
    Store(#[from] CentralError),
}

impl StationRefusal {
    /// Returns the station that the certificate was given to, where this installation gave it.
    pub fn station(&self) -> Option<&str> {
        match self {
            Self::Superseded { station }
            | Self::NotYet { station, .. }
            | Self::Expired { station, .. }
            | Self::Suspended { station }
            | Self::Removed { station } => Some(station),
            _ => None,
        }
    }
}

impl Central {
    /// Returns the authority that certifies this installation's stations. Its certificate is made
    /// when it is needed first.
    ///
    /// # Errors
    /// [`CentralError::Setup`] where the token holds no key for it, or another one than before.
    pub(crate) async fn station_authority(&self) -> Result<Arc<StationAuthority>> {
        self.stations_ca()
            .get_or_try_init(|| async { retried!(self.open_station_authority()) })
            .await
            .cloned()
    }

    async fn open_station_authority(&self) -> Result<Arc<StationAuthority>> {
        let label = self.labels().stations.clone();
        let (token, is_test) = (self.token(), self.environment() == Environment::Test);
        let signer = token.signer(&label).map_err(|error| CentralError::Setup {
            reason: format!(
                "stations cannot be enrolled: {error}; two officers make the key: zimogs hsm generate {label} --kind p384"
            ),
        })?;
        let signer = Arc::new(signer);
        let failed =
            |error: pki::CaError| fault("the station authority does not serve")(error.into());
        let mut tx = self.write().await?;
        let select = sql!("SELECT certificate FROM station_authority");
        let found: Option<Vec<u8>> = sqlx::query_scalar(select).fetch_optional(&mut *tx).await?;
        if let Some(found) = found {
            let certificate = Certificate::parse(&found)
                .map_err(|_| CentralError::damaged("the station authority's certificate"))?;
            let opened = StationAuthority::open(is_test, certificate, signer, token);
            return opened.map(Arc::new).map_err(failed);
        }
        let now = self.now();
        let made = self
            .blocking(move || StationAuthority::create(is_test, signer, token, now))
            .await?
            .map_err(failed)?;
        sqlx::query(sql!(
            "INSERT INTO station_authority (id, certificate, made) VALUES (1, $1, $2)"
        ))
        .bind(made.certificate().as_der())
        .bind(stored(now))
        .execute(&mut *tx)
        .await?;
        let deed = Deed::new(
            "station-authority.made",
            Control::CRYPTOGRAPHY,
            "authority",
            "stations",
        )
        .with("certificate", made.certificate().serial_hex());
        self.record(&mut tx, None, &deed).await?;
        tx.commit().await?;
        Ok(Arc::new(made))
    }

    /// Returns the certificate of the authority that certifies stations, DER.
    ///
    /// # Errors
    /// [`CentralError::Setup`] where the token holds no key for it.
    pub async fn station_authority_certificate(&self) -> Result<Vec<u8>> {
        let authority = self.station_authority().await?;
        Ok(authority.certificate().as_der().to_vec())
    }

    /// Returns the name of that authority, DER: what a server asks its clients' certificates to be
    /// of.
    ///
    /// # Errors
    /// As [`Central::station_authority_certificate`].
    pub async fn station_authority_name(&self) -> Result<Vec<u8>> {
        let authority = self.station_authority().await?;
        Ok(authority.certificate().subject().as_der().to_vec())
    }

    /// Signs the certificate of a pilot's own server, for the key of this request (PKCS#10, DER),
    /// under these names. Returns it in DER.
    ///
    /// # Errors
    /// [`CentralError::Refused`] in production, whose servers have the state's own certificates;
    /// [`CentralError::Invalid`] for a request that cannot be.
    pub async fn pilot_server_certificate(
        &self,
        request: &[u8],
        hosts: Vec<HostName>,
    ) -> Result<Vec<u8>> {
        if self.environment() == Environment::Production {
            return Err(CentralError::refused(
                "a production installation makes no certificate for its own server; name certificate and key under [serve] in installation.toml",
            ));
        }
        let key = requested_key(request)?;
        let authority = self.station_authority().await?;
        let now = self.now();
        let made = self
            .blocking(move || authority.issue_server(&hosts, &key, now))
            .await?
            .map_err(|error| fault("the station authority does not serve")(error.into()))?;
        let deed = Deed::new(
            "server.certified",
            Control::CRYPTOGRAPHY,
            "authority",
            "stations",
        )
        .with("certificate", made.serial_hex());
        retried!(async {
            let mut tx = self.write().await?;
            self.record(&mut tx, None, &deed).await?;
            tx.commit().await?;
            Ok(())
        })?;
        Ok(made.as_der().to_vec())
    }

    /// Signs a station's certificate.
    pub(crate) async fn sign_station(
        &self,
        authority: &Arc<StationAuthority>,
        name: &str,
        key: PublicKey,
    ) -> Result<Certificate> {
        let (authority, name) = (Arc::clone(authority), name.to_owned());
        let (environment, now) = (self.environment(), self.now());
        self.blocking(move || authority.issue(&name, environment.name(), &key, now))
            .await?
            .map_err(|error| fault("the station authority does not serve")(error.into()))
    }

    /// Says whose a certificate is that a client showed and has the private key of, and whether its
    /// station may ask now. The books know every certificate byte for byte, so that no name and no
    /// signature in it is trusted.
    ///
    /// # Errors
    /// [`StationRefusal`], which says precisely what is wrong and what to do.
    pub async fn recognise_station(
        &self,
        certificate: &[u8],
    ) -> Result<KnownStation, StationRefusal> {
        let digest = Hash::Sha256.digest(certificate);
        let row = sqlx::query(sql!("SELECT c.station, c.state AS certificate_state, c.not_before, c.not_after, s.state, s.office, s.seen
             FROM station_certificate c JOIN station s ON s.name = c.station WHERE c.digest = $1"))
        .bind(&digest)
        .fetch_optional(&mut *self.read().await?)
        .await
        .map_err(CentralError::from)?;
        let Some(row) = row else {
            return Err(self.stranger(certificate).await);
        };
        let station: String = row.get("station");
        match parsed("a station's state", row.get("state"))? {
            StationState::Enrolled => {}
            StationState::Suspended => return Err(StationRefusal::Suspended { station }),
            StationState::Removed => return Err(StationRefusal::Removed { station }),
            StationState::Requested => {
                return Err(CentralError::damaged("a station with a certificate").into());
            }
        }
        let certificate_state: &str = row.get("certificate_state");
        if certificate_state == "superseded" {
            return Err(StationRefusal::Superseded { station });
        }
        let (from, until) = (
            moment(row.get("not_before"))?,
            moment(row.get("not_after"))?,
        );
        let now = self.now();
        if now < from {
            return Err(StationRefusal::NotYet { station, from });
        }
        if now > until {
            let since = until;
            return Err(StationRefusal::Expired { station, since });
        }
        let seen = row.get::<Option<i64>, _>("seen");
        Ok(KnownStation {
            name: station,
            office: stored_office(row.get("office"))?,
            not_after: until,
            seen: seen.map(moment).transpose()?,
            is_new: certificate_state == "next",
            digest,
        })
    }

    /// Says why a certificate is in no book.
    async fn stranger(&self, certificate: &[u8]) -> StationRefusal {
        let read = match Certificate::parse(certificate) {
            Ok(read) => read,
            Err(error) => {
                let reason = error.to_string();
                return StationRefusal::Unreadable { reason };
            }
        };
        let authority = match self.station_authority().await {
            Ok(authority) => authority,
            Err(error) => return error.into(),
        };
        let own = authority.certificate();
        if read.verify_signature(own.public_key()).is_ok() {
            return StationRefusal::Unbooked;
        }
        let theirs = match is_named_for_test(read.issuer()) {
            true => Environment::Test,
            false => Environment::Production,
        };
        let ours = self.environment();
        // That a name says nothing of a test does not make it a production's.
        match (theirs, ours) {
            (Environment::Test, Environment::Production) => {
                StationRefusal::Environment { theirs, ours }
            }
            _ => StationRefusal::Foreign,
        }
    }

    /// Notes that a station is heard of. A renewed certificate that it shows for the first time
    /// takes the place of the one before.
    ///
    /// # Errors
    /// The database's failures.
    pub async fn station_seen(&self, station: &KnownStation) -> Result<()> {
        retried!(self.try_seen(station))
    }

    async fn try_seen(&self, station: &KnownStation) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(sql!("UPDATE station SET seen = $1 WHERE name = $2"))
            .bind(stored(self.now()))
            .bind(&station.name)
            .execute(&mut *tx)
            .await?;
        if station.is_new {
            sqlx::query(sql!("UPDATE station_certificate SET state = 'superseded' WHERE station = $1 AND state = 'current'"))
            .bind(&station.name)
            .execute(&mut *tx)
            .await?;
            let taken = sqlx::query(sql!("UPDATE station_certificate SET state = 'current' WHERE digest = $1 AND state = 'next'"))
            .bind(&station.digest)
            .execute(&mut *tx)
            .await?;
            // Another connection of the station's was first, or it was let in anew meanwhile.
            if taken.rows_affected() == 0 {
                return Ok(());
            }
            let deed = Deed::new(
                "station.renewed-in-use",
                Control::AUTHENTICATION,
                "station",
                &station.name,
            );
            self.record(&mut tx, None, &deed).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Writes down that a station of this installation was turned away.
    ///
    /// # Errors
    /// The database's failures.
    pub async fn station_turned_away(&self, station: &str, refusal: &StationRefusal) -> Result<()> {
        let deed = Deed::new(
            "station.turned-away",
            Control::AUTHENTICATION,
            "station",
            station,
        );
        let cause = refusal.to_string();
        retried!(async {
            let mut tx = self.write().await?;
            self.scribe()
                .write(&mut tx, None, &deed, Outcome::Refused, Some(&cause))
                .await?;
            tx.commit().await?;
            Ok(())
        })
    }

    /// Gives a station another certificate, for the new key of this request (PKCS#10, DER): the one
    /// before holds until the station shows the new one. Repeated for the same key, it gives the
    /// same certificate; for another key, that one takes its place.
    ///
    /// # Errors
    /// [`CentralError::Invalid`] for a request that cannot be; [`CentralError::Refused`] for a key
    /// that had a certificate before.
    pub async fn renew_station(&self, station: &KnownStation, request: &[u8]) -> Result<Vec<u8>> {
        let deed = Deed::new(
            "station.renewed",
            Control::ACCESS_RIGHTS,
            "station",
            &station.name,
        );
        let result = retried!(self.try_renew(station, &deed, request));
        self.settle(None, &deed, result).await
    }

    async fn try_renew(
        &self,
        station: &KnownStation,
        deed: &Deed,
        request: &[u8],
    ) -> Result<Vec<u8>> {
        let key = requested_key(request)?;
        let digest = key_digest(&key)?;
        let authority = self.station_authority().await?;
        let mut tx = self.write().await?;
        let waiting: Option<Vec<u8>> = sqlx::query_scalar(sql!("SELECT der FROM station_certificate WHERE station = $1 AND key_digest = $2 AND state = 'next'"))
        .bind(&station.name)
        .bind(&digest)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(der) = waiting {
            return Ok(der);
        }
        check_unused(&mut tx, &digest).await?;
        // What was recognised may have changed since.
        let state: Option<String> =
            sqlx::query_scalar(sql!("SELECT state FROM station WHERE name = $1"))
                .bind(&station.name)
                .fetch_optional(&mut *tx)
                .await?;
        if state.as_deref() != Some(StationState::Enrolled.name()) {
            return Err(CentralError::refused("this station is not enrolled"));
        }
        let certificate = self.sign_station(&authority, &station.name, key).await?;
        sqlx::query(sql!("UPDATE station_certificate SET state = 'superseded' WHERE station = $1 AND state = 'next'"))
        .bind(&station.name)
        .execute(&mut *tx)
        .await?;
        store_certificate(&mut tx, &station.name, &digest, &certificate, "next").await?;
        let deed = deed
            .clone()
            .with("key", hex::encode(&digest))
            .with("certificate", certificate.serial_hex());
        self.record(&mut tx, None, &deed).await?;
        tx.commit().await?;
        Ok(certificate.as_der().to_vec())
    }
}
