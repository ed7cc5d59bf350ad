//! What every simulation begins with: a store with documents that wait and blanks in stock, and the
//! stations that are let in there. Made once, and copied for each.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use central::Central;
use document::Role;
use jiff::Timestamp;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::{X509NameBuilder, X509ReqBuilder};
use station::Catalogue;

use crate::Failure;
use crate::installation::{Installation, actor};
use crate::recipe::Recipe;
use crate::world::World;

/// How many stations there are, and how many slots each has.
pub(super) const STATIONS: usize = 3;
pub(super) const SLOTS: usize = 2;
/// How many documents are to be made, and the blanks for them.
pub(super) const DOCUMENTS: u32 = 6;
const BLANKS: u8 = 40;
/// Who works at stations: two, so that a shift may be handed over.
pub(super) const OPERATORS: [&str; 2] = ["operator", "relief"];

/// What is copied for each simulation.
pub(super) struct Setting {
    pub(super) world: World,
    pub(super) catalogue: Catalogue,
    /// The certificate of each station.
    pub(super) certificates: Vec<Arc<[u8]>>,
    /// When it begins.
    pub(super) begin: Timestamp,
}

/// Returns the name of a station by its place.
pub(super) fn named(station: usize) -> String {
    format!("station-{}", station + 1)
}

/// Returns the reader of a slot by its place: each slot has one.
pub(super) fn reader(slot: usize) -> String {
    format!("reader {}", slot + 1)
}

impl Setting {
    pub(super) async fn found(
        installation: &Installation,
        recipe: Recipe,
    ) -> Result<Self, Failure> {
        let world = World::planned(recipe, BLANKS)?;
        let store = world.store();
        world.fill(installation, &store, DOCUMENTS).await?;
        let (outside, clock) = (installation.authority(), Arc::new(central::SystemClock));
        let central = installation
            .central_by(&recipe, &store, outside, clock)
            .await?;
        let administrator = actor("administrator");
        central
            .add_account(&administrator, "relief", &[Role::Operator])
            .await?;
        let mut certificates = Vec::new();
        for station in 0..STATIONS {
            certificates.push(enrolled(&central, &named(station)).await?);
        }
        central.sequence().await?;
        central.close().await;
        Ok(Self {
            catalogue: Catalogue::new(recipe.chip_shelf()?, recipe.document_shelf()?),
            world,
            certificates,
            begin: Timestamp::now(),
        })
    }

    /// Copies it into a folder. Returns the store's file, and the folder of each station.
    pub(super) fn copy(&self, folder: &Path) -> Result<(PathBuf, Vec<PathBuf>), Failure> {
        let store = folder.join("central.db");
        fs::copy(self.world.store(), &store)?;
        let mut stations = Vec::new();
        for station in 0..STATIONS {
            let own = folder.join(named(station));
            fs::create_dir(&own)?;
            fs::copy(self.measured(), own.join("readers.json"))?;
            stations.push(own);
        }
        Ok((store, stations))
    }

    fn measured(&self) -> PathBuf {
        self.world.store().with_file_name("readers.json")
    }

    /// Measures readers and chips, as a station does once: no simulation is about that.
    pub(super) fn measure(&self) -> Result<(), Failure> {
        let each = |_: &str| (0..SLOTS).map(reader).collect();
        self.world.measure_by(&self.measured(), &each)
    }
}

/// Lets a station in. Returns its certificate.
async fn enrolled(central: &Central, name: &str) -> Result<Arc<[u8]>, Failure> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
    let mut subject = X509NameBuilder::new()?;
    subject.append_entry_by_text("CN", name)?;
    let mut request = X509ReqBuilder::new()?;
    request.set_version(0)?;
    request.set_subject_name(&subject.build())?;
    request.set_pubkey(&key)?;
    request.sign(&key, MessageDigest::sha256())?;
    let request = request.build().to_der()?;
    let asked = central
        .ask_station(&actor("administrator"), name, None, &request)
        .await?;
    let given = central
        .confirm_station(&actor("officer"), name, &asked)
        .await?;
    Ok(Arc::from(given.certificate))
}
