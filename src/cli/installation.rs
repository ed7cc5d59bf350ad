//! An installation in one folder: token, central store, station journal. For the demo, a pilot
//! or a test; an office keeps these apart.
//!
//! ```text
//! FOLDER/installation.toml   what it is for
//!        token/              SoftHSM2, and the PIN that opens it (this user only), where
//!                            installation.toml names no other token
//!        central.db          the central store, where it is not on a PostgreSQL server
//!        station/journal.db  the station's memory
//!        authority.der       the embedded authority's certificate
//!        calendar.toml       which days the office works, in place of the shipped list
//!        plan.toml           how many documents it means to issue, in place of the shipped example
//!        audit.key           the public key of the audit log
//!        releasers.txt       who may release profiles; production needs it
//!        releases/           releases of profiles: chips/NAME.release, documents/NAME.release,
//!                            certificates/NAME.release
//!        travel/             its own country signing CA, document signer and CVCA, where
//!                            installation.toml names no others
//!        serve/              a pilot server's own key and certificate, and the authority of stations
//!        keys.toml           where `zimogs card personalize --keys` finds the token
//! ```

mod founding;

pub(crate) use founding::{Asked, books_are_others};

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use central::{Central, CertificateShelf, Duty, KeyLabels, SystemClock};
use document::{Calendar, Environment, OfficeCode};
use hsm::{EnvelopeKey, Secret, SoftHsmFolder, Token, TokenConfig};
use report::Plan;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::cli::authorities::{self, Connection};
use crate::cli::database;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;
use crate::cli::hsm::TokenPlace;
use crate::cli::paces::Paces;
use crate::cli::releases;
use crate::cli::retention::Retention;
use crate::cli::shipped::{self, Profiles};
use crate::cli::travel;

/// The file that says what an installation is.
pub(crate) const SETTINGS: &str = "installation.toml";
/// The label of the installation's token.
pub(crate) const TOKEN: &str = "zimogs";
/// The certificate profile of the embedded authority.
const AUTHORITY: &str = "pilot-ca";

/// Sixteen slots open a channel each second and more; a station does not need what is beyond.
const CHANNELS_A_MINUTE: usize = 2_400;

/// An installation's folder.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    folder: PathBuf,
    settings: Settings,
}

/// What `installation.toml` says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    format: u32,
    environment: Environment,
    series: String,
    origin: String,
    /// The file that describes its token, as `zimogs hsm --help` shows it; none: SoftHSM2 in the
    /// folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<PathBuf>,
    /// The certificate profile of its own authority; none: the pilot's.
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<String>,
    /// The offices whose own stations make their documents.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    own_stations: BTreeSet<OfficeCode>,
    /// Master keys beside the usual ones, or in their place: key set, or `CHIP/SET` = label in the
    /// token.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    masters: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Envelopes::is_silent")]
    envelopes: Envelopes,
    /// Certification authorities outside, by the names that certificate profiles have for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    authorities: BTreeMap<String, Connection>,
    /// The store's server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serve: Option<Served>,
    /// Who watches the store's server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    telemetry: Option<Telemetry>,
    /// What travel documents need, where any are made.
    travel: Option<travel::Part>,
    /// Where the books are; none: a SQLite file in the folder.
    database: Option<database::Part>,
    /// Which backups are kept; none: every one.
    backups: Option<Retention>,
}

/// Who watches the store's server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Telemetry {
    /// The address at which Prometheus reads `/metrics`, over plain HTTP: this machine, or a network
    /// of the collector's own.
    pub(crate) metrics: Option<SocketAddr>,
    /// The collector that traces go to, by OTLP over HTTP: `http://HOST:PORT`.
    pub(crate) otlp: Option<String>,
}

/// Where the store is served, and by which certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Served {
    /// The address and port; by default this machine alone.
    pub(crate) listen: Option<SocketAddr>,
    /// The file of the server's certificate and of those between it and its authority, PEM.
    pub(crate) certificate: Option<PathBuf>,
    /// The file of its key, PEM, which nobody else may read.
    pub(crate) key: Option<PathBuf>,
    /// How often the server does what it does by itself, in seconds, by the duty's name: for
    /// example `erase = 86400`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) every: BTreeMap<String, u32>,
    /// How fast clients may ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pace: Option<Paces>,
}

/// What an installation is given when it is made, beside what every one has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extras {
    #[serde(default)]
    envelopes: Envelopes,
    #[serde(default)]
    authorities: BTreeMap<String, Connection>,
    travel: Option<travel::Part>,
    database: Option<database::Part>,
}

impl Extras {
    /// Reads a file; the paths in it are seen from its folder.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let fault =
            |reason: String| Failure::new(Kind::Usage, format!("{}: {reason}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
        let mut extras: Self =
            toml::from_str(&text).map_err(|error| fault(error.to_string().trim_end().into()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let folder = std::path::absolute(folder).map_err(|error| fault(error.to_string()))?;
        if let Some(key) = &mut extras.envelopes.key {
            *key = folder.join(&*key);
        }
        for connection in extras.authorities.values_mut() {
            connection.seen_from(&folder);
        }
        if let Some(travel) = &mut extras.travel {
            travel.seen_from(&folder);
        }
        if let Some(database) = &mut extras.database {
            database.seen_from(&folder);
        }
        Ok(extras)
    }
}

/// Where PIN envelopes go.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelopes {
    /// The printer that seals, `tcp://HOST` or `tcp://HOST:PORT`.
    printer: Option<String>,
    /// The file of the printer's own public key (P-384, PEM): then nobody here opens an envelope.
    key: Option<PathBuf>,
}

impl Envelopes {
    fn is_silent(&self) -> bool {
        self.printer.is_none() && self.key.is_none()
    }
}

/// Starts this program again with the same arguments so that it finds the tokens of a folder,
/// unless it does already.
pub(crate) fn enter(softhsm: &SoftHsmFolder) -> Result<(), Failure> {
    if softhsm.is_named_by(std::env::var_os(SoftHsmFolder::VARIABLE).as_deref()) {
        return Ok(());
    }
    let program = std::env::current_exe().or_fail(Kind::Failed)?;
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1));
    softhsm.apply(&mut command);
    // It comes back only when it failed.
    Err(Failure::of(Kind::Failed, &command.exec()))
}

impl Installation {
    /// Returns where its books are.
    pub(crate) fn database(&self) -> Result<central::DatabaseSource, Failure> {
        database::source(self.settings.database.as_ref(), &self.folder)
    }

    /// Opens an installation that is there.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("installation.toml");
        let text = fs::read_to_string(&path).map_err(|_| {
            Failure::new(
                Kind::Usage,
                format!(
                    "{} is no installation: it has no installation.toml",
                    folder.display()
                ),
            )
            .with_hint("zimogs central init --data FOLDER founds one")
        })?;
        let settings = Self::settings(&text).or_fail(Kind::Usage)?;
        let folder = folder.canonicalize().or_fail(Kind::Failed)?;
        Ok(Self { folder, settings })
    }

    /// Reads what the settings of an installation say.
    pub(crate) fn parse(text: &str) -> Result<impl Sized + use<>, toml::de::Error> {
        Self::settings(text)
    }

    fn settings(text: &str) -> Result<Settings, toml::de::Error> {
        toml::from_str(text)
    }

    /// Returns what the installation is for.
    pub(crate) fn environment(&self) -> Environment {
        self.settings.environment
    }

    /// Returns what is said of its server.
    pub(crate) fn served(&self) -> Option<&Served> {
        self.settings.serve.as_ref()
    }

    /// Returns who watches its server.
    pub(crate) fn telemetry(&self) -> Option<&Telemetry> {
        self.settings.telemetry.as_ref()
    }

    /// Returns which backups are kept.
    pub(crate) fn retention(&self) -> Retention {
        self.settings.backups.unwrap_or_default()
    }

    /// Returns its name among installations, which its log has too.
    pub(crate) fn origin(&self) -> &str {
        &self.settings.origin
    }

    /// Returns the folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns where its token is, if that is a token of its own file.
    fn foreign_token(&self) -> Result<Option<TokenPlace>, Failure> {
        let Some(file) = &self.settings.token else {
            return Ok(None);
        };
        let place = TokenPlace::read(&self.folder.join(file))?;
        let secret = [place.pin_file.as_ref(), place.tokens.as_ref()];
        for path in secret.into_iter().flatten() {
            // A name that leads nowhere yet is judged as it is written.
            let path = path.canonicalize().unwrap_or_else(|_| path.clone());
            if path.starts_with(&self.folder) {
                let fault = format!("{} lies in the installation's folder", path.display());
                let hint = "keep it elsewhere: a backup would take it along";
                return Err(Failure::new(Kind::Refused, fault).with_hint(hint));
            }
        }
        Ok(Some(place))
    }

    /// Returns where its token is, with its officers and the protocol of its keys.
    pub(crate) fn token_place(&self) -> Result<TokenPlace, Failure> {
        let (officers, protocol) = (
            self.folder.join("officers.txt"),
            self.folder.join("key-protocol"),
        );
        if let Some(mut place) = self.foreign_token()? {
            place.officers.get_or_insert(officers);
            place.protocol.get_or_insert(protocol);
            return Ok(place);
        }
        Ok(TokenPlace {
            config: TokenConfig::parse(shipped::SOFTHSM2).or_fail(Kind::Failed)?,
            label: TOKEN.to_owned(),
            pin_file: Some(self.own_pin()),
            tokens: Some(self.folder.join("token")),
            officers: Some(officers),
            protocol: Some(protocol),
        })
    }

    /// Returns the folder of the tokens of SoftHSM2 that its own is among; none where the token is of
    /// another kind, or where SoftHSM2 finds it by its environment.
    fn softhsm(&self) -> Result<Option<SoftHsmFolder>, Failure> {
        let tokens = match self.foreign_token()? {
            Some(place) => place.tokens,
            None => Some(self.folder.join("token")),
        };
        let prepared = tokens.map(|tokens| SoftHsmFolder::prepare(&tokens));
        prepared.transpose().or_fail(Kind::Failed)
    }

    /// Lets a program that is about to be started find this installation's token.
    pub(crate) fn apply(&self, command: &mut Command) -> Result<(), Failure> {
        if let Some(folder) = self.softhsm()? {
            folder.apply(command);
        }
        Ok(())
    }

    /// Starts this program again with the same arguments so that it finds this installation's
    /// token, unless it does already: a process cannot safely change its own environment.
    pub(crate) fn enter(&self) -> Result<(), Failure> {
        self.softhsm()?.map_or(Ok(()), |folder| enter(&folder))
    }

    /// Returns what nobody else may reach: the folders and files of its token.
    pub(crate) fn token_secrets(&self) -> Result<Vec<PathBuf>, Failure> {
        let place = self.token_place()?;
        Ok(place.pin_file.into_iter().chain(place.tokens).collect())
    }

    /// Returns the file of the PIN that opens its own token.
    fn own_pin(&self) -> PathBuf {
        self.folder.join("token").join("pin")
    }

    /// Opens the token of an installation that was made before.
    pub(crate) fn token(&self) -> Result<Token, Failure> {
        if let Some(place) = self.foreign_token()? {
            return place.open();
        }
        let config = TokenConfig::parse(shipped::SOFTHSM2).or_fail(Kind::Failed)?;
        let pin = Zeroizing::new(fs::read_to_string(self.own_pin()).or_fail(Kind::Failed)?);
        let turn = self.turn()?;
        let token = Token::open(&config, TOKEN, Secret::new(pin.as_str())).or_fail(Kind::Device);
        drop(turn);
        token
    }

    /// Waits for its own token: SoftHSM2 writes at every login, and fails where two programs log in
    /// at once. The turn ends when the file is dropped.
    fn turn(&self) -> Result<fs::File, Failure> {
        let turn =
            fs::File::create(self.folder.join("token").join("lock")).or_fail(Kind::Failed)?;
        turn.lock().or_fail(Kind::Failed)?;
        Ok(turn)
    }

    /// Opens the central store, which was founded.
    pub(crate) async fn central(
        &self,
        token: Token,
        profiles: &Profiles,
    ) -> Result<Central, Failure> {
        // Before a test makes the authorities of travel documents that it has not.
        central::be_founded(&self.database()?).await?;
        Ok(Central::open(self.config(token, profiles)?).await?)
    }

    /// Returns what the central store is opened with.
    fn config(&self, token: Token, profiles: &Profiles) -> Result<central::Config, Failure> {
        let mut certificates = CertificateShelf::default();
        for name in profiles.certificates.names() {
            certificates.put(name, profiles.certificates.text(name).unwrap_or_default());
        }
        let mut released = profiles.releases.clone();
        releases::lay_over(&mut released, &self.folder.join(releases::FOLDER))?;
        let list = self.folder.join("releasers.txt");
        // A list that is there and cannot be read is no list that is missing.
        if fs::symlink_metadata(&list).is_ok() {
            released.set_releasers(releases::releasers(&list)?);
        }
        let authorities = authorities::connect(
            &self.settings.authorities,
            self.settings.environment,
            &self.folder,
            &token,
        )?;
        let token = Arc::new(token);
        let travel = self.settings.travel.as_ref();
        let travel =
            travel.map(|travel| travel.open(&token, &self.folder, self.settings.environment));
        Ok(central::Config {
            database: self.database()?,
            environment: self.settings.environment,
            token,
            keys: self.labels(),
            chips: profiles.chips.clone(),
            documents: profiles.documents.clone(),
            releases: released,
            certificates,
            authority: self.authority().into(),
            authorities,
            travel: travel.transpose()?.unwrap_or_default(),
            envelope_printer: self.envelope_key()?,
            channels_a_minute: CHANNELS_A_MINUTE,
            series: self.settings.series.clone(),
            calendar: self.calendar()?,
            own_stations: self.settings.own_stations.clone(),
            origin: self.settings.origin.clone(),
            station: "central".into(),
            clock: Arc::new(SystemClock),
        })
    }

    /// Returns the certificate profile of its own authority.
    fn authority(&self) -> &str {
        self.settings.authority.as_deref().unwrap_or(AUTHORITY)
    }

    /// Demands that the profile of its own authority is among these.
    pub(crate) fn be_profiled(&self, profiles: &Profiles) -> Result<(), Failure> {
        let name = self.authority();
        if profiles.certificates.text(name).is_some() {
            return Ok(());
        }
        let names: Vec<_> = profiles.certificates.names().collect();
        let fault = format!("there is no certificate profile \"{name}\" for its authority");
        Err(Failure::new(Kind::Usage, fault).with_hint(format!("one of {}", names.join(", "))))
    }

    /// Returns the labels of the chip makers' master keys.
    pub(crate) fn transport_labels(&self) -> impl Iterator<Item = String> {
        let sets = self.labels().masters.into_iter();
        sets.filter(|(set, _)| set.rsplit('/').next() == Some("transport"))
            .map(|(_, label)| label)
    }

    /// Returns which days the office works: by its own list, or the shipped one.
    pub(crate) fn calendar(&self) -> Result<Calendar, Failure> {
        self.listed("calendar.toml", shipped::CALENDAR)
    }

    /// Returns how often the server does what it does by itself, where that is not as usual.
    pub(crate) fn periods(&self) -> Result<BTreeMap<Duty, Duration>, Failure> {
        let named = self.served().map(|served| served.every.iter());
        let mut periods = BTreeMap::new();
        for (name, &seconds) in named.into_iter().flatten() {
            let duty = Duty::ALL.iter().find(|duty| duty.name() == name);
            match duty {
                Some(&duty) if seconds > 0 => {
                    periods.insert(duty, Duration::from_secs(seconds.into()));
                }
                _ => {
                    let names: Vec<_> = Duty::ALL.iter().map(|duty| duty.name()).collect();
                    let fault = format!(
                        "[serve.every] in installation.toml names {name}; it takes seconds, at least 1, for {}",
                        names.join(", ")
                    );
                    return Err(Failure::new(Kind::Usage, fault));
                }
            }
        }
        Ok(periods)
    }

    /// Returns how many documents the office means to issue: by its own plan, or the shipped example.
    pub(crate) fn plan(&self) -> Result<Plan, Failure> {
        self.listed("plan.toml", shipped::PLAN)
    }

    /// Reads a list that an office may have of its own.
    fn listed<T: DeserializeOwned>(&self, name: &str, shipped: &str) -> Result<T, Failure> {
        let path = self.folder.join(name);
        // A list that is there and cannot be read is no list that is missing.
        match fs::symlink_metadata(&path) {
            Ok(_) => files::toml(&path),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                toml::from_str(shipped).or_fail(Kind::Failed)
            }
            Err(error) => Err(Failure::of(Kind::Usage, &error)),
        }
    }

    /// Returns the address of the envelope printer.
    pub(crate) fn printer(&self) -> Result<Option<print::Address>, Failure> {
        let address = self.settings.envelopes.printer.as_deref();
        address.map(str::parse).transpose().or_fail(Kind::Usage)
    }

    /// Returns the envelope printer's own public key.
    fn envelope_key(&self) -> Result<Option<EnvelopeKey>, Failure> {
        let Some(file) = &self.settings.envelopes.key else {
            return Ok(None);
        };
        let path = self.folder.join(file);
        let fault = |reason: String| {
            let fault = format!("the envelope printer's key {}: {reason}", path.display());
            Failure::new(Kind::Usage, fault)
                .with_hint("a P-384 public key in PEM: pkcs11-tool --read-object --type pubkey gives it in DER, openssl ec -pubin -inform DER makes it PEM")
        };
        let text = fs::read(&path).map_err(|error| fault(error.to_string()))?;
        let (label, der) =
            pem_rfc7468::decode_vec(&text).map_err(|error| fault(error.to_string()))?;
        if label != "PUBLIC KEY" {
            return Err(fault(format!("it is a {label}")));
        }
        EnvelopeKey::from_spki_der(&der)
            .map(Some)
            .map_err(|error| fault(error.to_string()))
    }

    pub(crate) fn labels(&self) -> KeyLabels {
        let mut labels = KeyLabels::default();
        labels.masters.extend(self.settings.masters.clone());
        labels
    }

    /// Returns a `keys.toml` for a desk on this installation's token.
    pub(crate) fn desk(&self) -> String {
        format!("out = \"desk\"\n\n[token]\nlabel = \"{TOKEN}\"\npin_file = \"token/pin\"\n")
    }

    /// Returns the file of the station's journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.join("station").join("journal.db")
    }
}
