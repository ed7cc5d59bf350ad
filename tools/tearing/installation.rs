//! What all cases share: one token with every key, and the authorities whose keys are in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use api::Actor;
use card::gp::Key;
use central::{Central, Clock, Config, DatabaseSource, KeyLabels, SystemClock, TravelConfig};
use cert::request::{Request, RequestInfo};
use cert::{Certificate, PublicKey};
use document::{Environment, Role};
use hsm::{Curve, HsmError, Secret, Signer, Token, TokenConfig, TokenSigner};
use jiff::{SignedDuration, Timestamp};
use pki::country::{CountryAuthority, CountryProfile, DocumentSigners, SignerEntry};
use pki::{CertificateAuthority, CertificateProfile, EmbeddedCa};

use crate::Failure;
use crate::authority::Outside;
use crate::recipe::{Recipe, text};

/// The chip maker's key.
pub(crate) const MAKER: [u8; 16] = *b"maker's transpor";
/// The token's label.
const LABEL: &str = "tearing";
/// The PINs of a token that is thrown away.
const OFFICER: &str = "officer-204968137";
const PIN: &str = "user-739184620518";
/// How many documents the one signer signs.
const MOST: u64 = 1_000_000;
/// So many channels as no case has.
const CHANNELS_A_MINUTE: usize = 1_000_000;
const CHAINS: &str = "tests/vectors/icao9303-11/chip_cv_chains.json";

/// Who acts.
const PEOPLE: [(&str, Role); 7] = [
    ("clerk", Role::Clerk),
    ("approver", Role::Approver),
    ("operator", Role::Operator),
    ("officer", Role::SecurityOfficer),
    ("keeper", Role::StockKeeper),
    ("envelopes", Role::EnvelopeClerk),
    ("auditor", Role::Auditor),
];

pub(crate) fn actor(person: &str) -> Actor {
    Actor {
        station: "desk-1".into(),
        person: person.into(),
    }
}

/// The station with its operator.
pub(crate) fn operator() -> Actor {
    operator_at("station-1")
}

/// The operator at a station.
pub(crate) fn operator_at(station: &str) -> Actor {
    Actor {
        station: station.into(),
        person: "operator".into(),
    }
}

/// The token of this process, and what was made with its keys.
pub(crate) struct Installation {
    token: Arc<Token>,
    travel: TravelConfig,
    outside: Arc<EmbeddedCa>,
}

impl Installation {
    /// Makes a token in the folder of SoftHSM2 that the environment names, with all keys.
    pub(crate) fn found() -> Result<Self, Failure> {
        let config = TokenConfig::parse(&text("hsm-config/softhsm2.toml")?)?;
        let (officer, pin) = (Secret::new(OFFICER), Secret::new(PIN));
        let token = Arc::new(Token::initialize(&config, LABEL, &officer, pin)?);
        token.import_master_key("transport-master", &Key::new(&MAKER)?)?;
        KeyLabels::default().generate_missing(&token)?;
        let begin = Timestamp::now() - SignedDuration::from_hours(24);
        Ok(Self {
            travel: travel(&token, begin)?,
            outside: outside(&token, signer(&token, "outside", Curve::P384)?, begin)?,
            token,
        })
    }

    /// Makes the token, or opens the one that another process made: with no signers of travel
    /// documents.
    pub(crate) fn shared() -> Result<Self, Failure> {
        let config = TokenConfig::parse(&text("hsm-config/softhsm2.toml")?)?;
        let token = match Token::open(&config, LABEL, Secret::new(PIN)) {
            Ok(token) => Arc::new(token),
            Err(HsmError::TokenNotFound { .. }) => {
                let (officer, pin) = (Secret::new(OFFICER), Secret::new(PIN));
                let token = Arc::new(Token::initialize(&config, LABEL, &officer, pin)?);
                token.import_master_key("transport-master", &Key::new(&MAKER)?)?;
                KeyLabels::default().generate_missing(&token)?;
                token.generate_signing_key("outside", Curve::P384)?;
                token
            }
            Err(error) => return Err(error.into()),
        };
        let signer = Arc::new(token.signer("outside")?);
        Ok(Self {
            travel: TravelConfig::default(),
            outside: outside(&token, signer, Timestamp::now())?,
            token,
        })
    }

    /// Returns the authority outside, as it is before a case.
    pub(crate) fn authority(&self) -> Arc<Outside> {
        let random = Arc::clone(&self.token) as Arc<dyn hsm::RandomSource>;
        Arc::new(Outside::new(Arc::clone(&self.outside), random))
    }

    /// Opens the store in a file, founding it where there is none.
    pub(crate) async fn central(
        &self,
        recipe: &Recipe,
        file: &Path,
        outside: Arc<Outside>,
    ) -> Result<Central, Failure> {
        let clock = Arc::new(SystemClock);
        self.central_by(recipe, file, outside, clock).await
    }

    /// As [`Installation::central`], by another clock than the machine's.
    pub(crate) async fn central_by(
        &self,
        recipe: &Recipe,
        file: &Path,
        outside: Arc<Outside>,
        clock: Arc<dyn Clock>,
    ) -> Result<Central, Failure> {
        let outside = outside as Arc<dyn CertificateAuthority>;
        let config = Config {
            database: DatabaseSource::Sqlite(file.to_owned()),
            environment: Environment::Test,
            token: Arc::clone(&self.token),
            keys: KeyLabels::default(),
            chips: recipe.chip_shelf()?,
            documents: recipe.document_shelf()?,
            releases: profile::ReleaseShelf::default(),
            certificates: recipe.certificate_shelf()?,
            authority: "pilot-ca".into(),
            authorities: BTreeMap::from([("outside".into(), outside)]),
            travel: self.travel.clone(),
            envelope_printer: None,
            channels_a_minute: CHANNELS_A_MINUTE,
            series: "XA".into(),
            calendar: document::Calendar::default(),
            own_stations: Default::default(),
            origin: "tearing.example/central".into(),
            station: "central".into(),
            clock,
        };
        Ok(Central::establish(config).await?.on_own_machine())
    }
}

/// Makes the accounts of a new store.
pub(crate) async fn people(central: &Central) -> Result<(), Failure> {
    let administrator = actor("administrator");
    central.found(&administrator).await?;
    for (name, role) in PEOPLE {
        central.add_account(&administrator, name, &[role]).await?;
    }
    Ok(())
}

fn signer(token: &Token, label: &str, curve: Curve) -> Result<Arc<TokenSigner>, Failure> {
    token.generate_signing_key(label, curve)?;
    Ok(Arc::new(token.signer(label)?))
}

fn outside(
    token: &Arc<Token>,
    signer: Arc<TokenSigner>,
    begin: Timestamp,
) -> Result<Arc<EmbeddedCa>, Failure> {
    let profile = text("certs/pilot-ca.toml")?.replace("PILOT", "OUTSIDE");
    let profile = CertificateProfile::parse(&profile)?;
    let random = Arc::clone(token) as Arc<dyn hsm::RandomSource>;
    Ok(Arc::new(EmbeddedCa::create(
        &profile, signer, random, begin,
    )?))
}

/// Makes a country signing CA with one document signer in a token, and takes a CVCA of the vectors.
///
/// # Errors
/// The token's; where a profile or a vector is not there.
pub fn travel(token: &Arc<Token>, begin: Timestamp) -> Result<TravelConfig, Failure> {
    let profile = |name: &str| -> Result<_, Failure> {
        let text = text(format!("certs/country/{name}.toml"))?;
        Ok(CountryProfile::parse(&text)?)
    };
    let (root, key) = (
        signer(token, "csca", Curve::P384)?,
        signer(token, "ds-1", Curve::P256)?,
    );
    let random = Arc::clone(token) as Arc<dyn hsm::RandomSource>;
    let csca = CountryAuthority::create(&profile("csca")?, root, random, begin)?;
    let public = PublicKey::from_spki_der(key.public_key_spki_der())?;
    let subject = profile("ds")?.subject()?;
    let algorithm = pki::country::signature_algorithm(&*key)?;
    let info = RequestInfo::for_key(&subject, &public, algorithm)?;
    let signature = key.sign(info.to_be_signed())?;
    let request = Request::parse_and_verify(&info.assemble(&signature)?)?;
    let ds = csca.issue(&profile("ds")?, &request, begin)?;
    let period = ds.extensions().private_key_usage.unwrap_or_default();
    let validity = ds.validity();
    let mut signers = DocumentSigners::default();
    signers.add(SignerEntry {
        label: "ds-1".into(),
        serial: ds.serial_hex(),
        from: period.not_before.unwrap_or(validity.not_before),
        until: period.not_after.unwrap_or(validity.not_after),
        most: MOST,
        used: 0,
        document_types: profile("ds")?.document_types().to_vec(),
    })?;
    let chains: serde_json::Value = serde_json::from_str(&text(CHAINS)?)?;
    let trusted = chains
        .pointer("/chains/0/cvca")
        .and_then(|hex| hex.as_str());
    let anchor = Certificate::parse(csca.certificate().as_der())?;
    Ok(TravelConfig {
        signers,
        certificates: vec![ds],
        anchors: vec![anchor],
        links: Vec::new(),
        trust_point: trusted.map(hex::decode).transpose()?,
    })
}
