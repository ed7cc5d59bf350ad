//! The installation whose store grows: its token and people, and the true lives that copies are made
//! of, in every stage of life.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use api::{Actor, Centre};
use central::{
    CENTRAL_STORE, Central, CertificateShelf, Config, DatabaseSource, DeliveredBlank,
    DeliveredChip, Delivery, DeskEnd, KeyLabels, Receipt, SystemClock, TravelConfig,
};
use document::{Calendar, DocumentNumber, Environment, OfficeCode, Role};
use hsm::{Secret, Token, TokenConfig};
use jiff::{SignedDuration, Timestamp};
use profile::{ReleaseShelf, Shelf};
use serde_json::Value;
use vcard::Chip;

use super::station::{DOCUMENT, MAKER, PRODUCT, Station, blank};

/// An eID of somebody without a state, whom nobody looks for.
const EID: &str = include_str!("../../../tests/samples/applications/10-alien-stateless.json");

/// An eID of the person who is looked for, and their personal code.
const LOOKED_FOR: &str = include_str!("../../../tests/samples/applications/09-alien.json");
pub(super) const CODE: &str = "090394-16400";

/// A document without a chip.
const CHIPLESS: &str = include_str!("../../../tests/samples/applications/27-repressed-person.json");

/// The station that makes the true lives; others have its name and one of their own.
pub(super) const STATION: &str = "station-1";

/// The offices: two get parcels, the third makes its own documents.
const OFFICES: [&str; 2] = ["RIGA-1", "LIEPAJA-1"];
const OWN_STATION: &str = "DAUGAVPILS-1";

/// How many true lives are lived to the holder, of whom one loses the document, and how many
/// documents are made at a desk.
const HANDED_OVER: u32 = if cfg!(test) { 4 } else { 52 };
const AT_DESK: u32 = if cfg!(test) { 1 } else { 4 };

/// Documents that are made and no further: one is judged, one in a parcel, one at its office.
const ON_THE_WAY: u32 = 3;

/// Documents that wait: in the queue of either sort of office.
const QUEUED: u32 = 2;

/// Documents of one set of true lives.
pub(super) const SET: u32 = HANDED_OVER + ON_THE_WAY + AT_DESK + QUEUED;

/// Its token.
const CONFIG: &str = include_str!("../../../hsm-config/softhsm2.toml");
const PIN: &str = "user-739184620518";

type Done<T> = Result<T, Box<dyn Error>>;

/// What is made in an installation beside documents without a chip.
pub(crate) struct Goods {
    /// The document profile.
    pub(crate) document: &'static str,
    /// The application of each.
    sample: &'static str,
    /// The chips of its blanks, each with the class whose time it takes.
    pub(crate) chips: &'static [(&'static str, &'static str)],
    /// Whether document signers are wanted.
    travels: bool,
}

/// The eID, of one chip.
pub(crate) const EID_CARD: Goods = Goods {
    document: DOCUMENT,
    sample: EID,
    chips: &[(PRODUCT, "j3r180")],
    travels: false,
};

/// The identity card, of a travel chip and an eID chip.
pub(crate) const ID_CARD: Goods = Goods {
    document: "id-card",
    sample: include_str!("../../../tests/samples/applications/18-fingerprints.json"),
    chips: &[("icao-lds", "j3r180-contactless"), (PRODUCT, "j3r180")],
    travels: true,
};

/// As [`ID_CARD`], with chips that make RSA keys sooner and write slower.
pub(crate) const ID_CARD_OF_SECORA: Goods = Goods {
    chips: &[
        ("icao-lds", "secora-id-x-contactless"),
        (PRODUCT, "secora-id-x"),
    ],
    ..ID_CARD
};

/// An installation.
pub(crate) struct House {
    database: DatabaseSource,
    goods: &'static Goods,
    travel: TravelConfig,
    token: Arc<Token>,
    applications: u32,
    /// Where each application was entered.
    offices: BTreeMap<String, &'static str>,
}

impl House {
    /// Founds an installation, with its people.
    pub(crate) async fn found(
        database: DatabaseSource,
        label: &str,
        goods: &'static Goods,
    ) -> Done<(Self, Central)> {
        let config = TokenConfig::parse(CONFIG)?;
        let officer = Secret::new("so-739184620518");
        let token = Token::initialize(&config, label, &officer, Secret::new(PIN))?;
        token.import_master_key("transport-master", &card::gp::Key::new(&MAKER)?)?;
        KeyLabels::default().generate_missing(&token)?;
        let token = Arc::new(token);
        let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
        let travel = match goods.travels {
            true => tearing::travel(&token, yesterday).map_err(|error| error.to_string())?,
            false => TravelConfig::default(),
        };
        let house = Self {
            database,
            goods,
            travel,
            token,
            applications: 0,
            offices: BTreeMap::new(),
        };
        let central = house.open().await?;
        let administrator = actor("administrator");
        central.found(&administrator).await?;
        for (name, role) in [
            ("clerk", Role::Clerk),
            ("approver", Role::Approver),
            ("operator", Role::Operator),
            ("quality", Role::Quality),
            ("keeper", Role::StockKeeper),
            ("envelopes", Role::EnvelopeClerk),
            ("officer", Role::SecurityOfficer),
            ("auditor", Role::Auditor),
        ] {
            central.add_account(&administrator, name, &[role]).await?;
        }
        Ok((house, central))
    }

    /// Finds an installation that another process founded, and made so many applications in.
    pub(super) fn found_by_another(
        database: DatabaseSource,
        label: &str,
        applications: u32,
    ) -> Done<Self> {
        let config = TokenConfig::parse(CONFIG)?;
        Ok(Self {
            database,
            goods: &EID_CARD,
            travel: TravelConfig::default(),
            token: Arc::new(Token::open(&config, label, Secret::new(PIN))?),
            applications,
            offices: BTreeMap::new(),
        })
    }

    /// Returns how many applications were made.
    pub(super) fn applications(&self) -> u32 {
        self.applications
    }

    /// Opens its store.
    pub(super) async fn open(&self) -> Done<Central> {
        let mut documents = Shelf::default();
        let mut chips = Shelf::default();
        let mut certificates = CertificateShelf::default();
        for name in [self.goods.document, "repressed-person"] {
            documents.put(name, shipped("documents", name)?);
        }
        for (product, _) in self.goods.chips {
            chips.put(*product, shipped("chips", product)?);
        }
        for (name, text) in [
            ("pilot-ca", include_str!("../../../certs/pilot-ca.toml")),
            (
                "eid-authentication",
                include_str!("../../../certs/eid-authentication.toml"),
            ),
            (
                "eid-signature",
                include_str!("../../../certs/eid-signature.toml"),
            ),
        ] {
            certificates.put(name, text);
        }
        let opened = Central::establish(Config {
            database: self.database.clone(),
            environment: Environment::Test,
            token: Arc::clone(&self.token),
            keys: KeyLabels::default(),
            chips,
            documents,
            releases: ReleaseShelf::default(),
            certificates,
            authority: "pilot-ca".into(),
            authorities: BTreeMap::new(),
            travel: self.travel.clone(),
            envelope_printer: None,
            channels_a_minute: 1_000_000,
            series: "XA".into(),
            calendar: Calendar::default(),
            own_stations: [OfficeCode::parse(OWN_STATION)?].into(),
            origin: "measured.example/central".into(),
            station: "central".into(),
            clock: Arc::new(SystemClock),
        });
        // Whoever is named beside an actor is here.
        Ok(opened.await?.on_own_machine())
    }

    /// Imports an application and approves it. Returns its reference.
    pub(super) async fn apply(
        &mut self,
        central: &Central,
        sample: &str,
        office: &'static str,
    ) -> Done<String> {
        let reference = self.import(central, sample, office).await?;
        central.approve(&actor("approver"), &reference).await?;
        Ok(reference)
    }

    async fn import(
        &mut self,
        central: &Central,
        sample: &str,
        office: &'static str,
    ) -> Done<String> {
        self.applications += 1;
        let mut application: Value = serde_json::from_str(sample)?;
        let reference = format!("APP-2027-{:06}", self.applications);
        application["reference"] = reference.as_str().into();
        application["office"] = office.into();
        // Every tenth is urgent.
        let is_urgent = self.applications.is_multiple_of(10);
        application["priority"] = if is_urgent { "urgent" } else { "normal" }.into();
        let bytes = application.to_string();
        central.import(&actor("clerk"), bytes.as_bytes()).await?;
        self.offices.insert(reference.clone(), office);
        Ok(reference)
    }

    /// Prepares so many documents for the centre's stations, and books a blank for each. The first is
    /// for the person who is looked for, where that is wanted. Returns the chips of each.
    pub(crate) async fn prepare(
        &mut self,
        central: &Central,
        count: u32,
        is_looked_for: bool,
    ) -> Done<Vec<Vec<Chip>>> {
        let mut laid = Vec::new();
        let mut blanks = Vec::new();
        for (at, office) in (0..count).zip(OFFICES.into_iter().cycle()) {
            let (mut chips, mut named, mut name) = (Vec::new(), Vec::new(), String::new());
            for (product, _) in self.goods.chips {
                let (chip, serial) = blank(product)?;
                name = format!("B-{serial}");
                named.push(DeliveredChip::new(*product, serial));
                chips.push(chip);
            }
            blanks.push(DeliveredBlank::of_chips(name, named));
            laid.push(chips);
            let is_first = is_looked_for && at == 0;
            let sample = if is_first {
                LOOKED_FOR
            } else {
                self.goods.sample
            };
            self.apply(central, sample, office).await?;
        }
        let reference = format!("D-{}", self.applications);
        deliver(central, reference, blanks).await?;
        Ok(laid)
    }

    /// Lives the true lives that copies are made of.
    pub(super) async fn live(&mut self, central: &Central) -> Done<()> {
        let (clerk, quality) = (actor("clerk"), actor("quality"));
        let mut station = Station::new(STATION, 0)?;
        let mut made: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let laid = self.prepare(central, HANDED_OVER + ON_THE_WAY, false);
        for chip in laid.await?.into_iter().flatten() {
            let lease = central.lease(&station.actor, &Station::request()).await?;
            let lease = lease.ok_or("the queue is empty")?;
            let report = station.make(central, &lease, chip).await?;
            central.report(&station.actor, &report).await?;
            let number = lease.record.number.to_string();
            central.pass_quality(&quality, &number).await?;
            let pins = central.print_envelope(&actor("envelopes"), &number).await?;
            let pins = pins.serial;
            central.envelope_printed(&actor("envelopes"), &pins).await?;
            let document = central.document(&actor("auditor"), &number).await?.0;
            let office = self.offices.get(&document.application);
            let office = office.ok_or("an application that nobody entered")?;
            made.entry(office).or_default().push(number);
        }
        // One stays where it was made, one is on its way, one waits at its office.
        let mut all: Vec<_> = made.values_mut().collect();
        let first = all.first_mut().ok_or("no office gets anything")?;
        first.pop().ok_or("nothing was made")?;
        let under_way = vec![first.pop().ok_or("nothing was made")?];
        let (&to, _) = made.first_key_value().ok_or("no office gets anything")?;
        send(central, to, &under_way).await?;
        let mut arrived = Vec::new();
        for (office, numbers) in made {
            let parcel = send(central, office, &numbers).await?;
            central.receive_parcel(&clerk, &parcel, &numbers).await?;
            arrived.extend(numbers);
        }
        arrived.pop();
        for number in &arrived {
            central.hand_over(&clerk, number).await?;
        }
        let lost = arrived.first().ok_or("nobody has a document")?;
        let why = "its holder wrote that it is lost";
        central.report_lost(&clerk, lost, why).await?;
        self.at_desk(central).await?;
        for office in [OFFICES[0], OWN_STATION] {
            self.apply(central, EID, office).await?;
        }
        // And one that waits for its approval.
        self.import(central, EID, OFFICES[0]).await?;
        central.sequence().await?;
        Ok(())
    }

    /// Makes the documents without a chip.
    async fn at_desk(&mut self, central: &Central) -> Done<()> {
        let mut blanks = Vec::new();
        for at in 1..=AT_DESK {
            blanks.push(DeliveredBlank {
                serial: format!("P-{at}"),
                article: Some("repressed-person".into()),
                number: Some(DocumentNumber::parse(&format!("XR{at:07}"))?),
                chips: Vec::new(),
            });
        }
        deliver(central, "D-DESK".into(), blanks).await?;
        for at in 1..=AT_DESK {
            let reference = self.apply(central, CHIPLESS, OFFICES[0]).await?;
            let (operator, blank) = (actor("operator"), format!("P-{at}"));
            let made = DeskEnd::Made;
            let made = central.produce(&operator, &reference, &blank, &made);
            let number = made.await?.to_string();
            central.pass_quality(&actor("quality"), &number).await?;
            central.hand_over(&actor("clerk"), &number).await?;
        }
        Ok(())
    }
}

/// Packs documents, and sends them to their office. Returns the parcel.
async fn send(central: &Central, office: &str, numbers: &[String]) -> Done<String> {
    let quality = actor("quality");
    let parcel = central.open_parcel(&quality, office).await?;
    for number in numbers {
        central.pack(&quality, &parcel, number).await?;
    }
    central.seal_parcel(&quality, &parcel, numbers).await?;
    let way = format!("RR-{parcel}");
    central.send_parcel(&quality, &parcel, &way).await?;
    Ok(parcel)
}

async fn deliver(central: &Central, reference: String, blanks: Vec<DeliveredBlank>) -> Done<()> {
    let receipt = Receipt {
        place: OfficeCode::parse(CENTRAL_STORE)?,
        witness: "quality".into(),
        counted: blanks.len(),
        transport_kcv: None,
    };
    let delivery = Delivery { reference, blanks };
    let keeper = actor("keeper");
    central.receive_blanks(&keeper, &delivery, &receipt).await?;
    Ok(())
}

/// Somebody at a desk.
pub(super) fn actor(person: &str) -> Actor {
    Actor {
        station: "desk-1".into(),
        person: person.into(),
    }
}

/// Returns a shipped profile.
fn shipped(kind: &str, name: &str) -> Done<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../firmware-profiles");
    let file = folder.join(kind).join(format!("{name}.toml"));
    Ok(fs::read_to_string(file)?)
}
