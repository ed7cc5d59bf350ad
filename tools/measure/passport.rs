//! The travel document that is measured: an LDS of 40 kB, by the shipped profiles, and the country
//! that signs it.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use cert::request::{Request, RequestInfo};
use cert::{Hash, PublicKey, SignatureAlgorithm};
use document::{
    Application, CHIP_PORTRAIT_LIMITS, FINGERPRINT_LIMITS, Image, ImageLimits, Kind, Prepared,
    Record,
};
use hsm::Signer;
use jiff::Timestamp;
use jiff::civil::date;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use pki::country::{CountryAuthority, CountryProfile, MessageSigner};
use profile::{
    Applied, ChipProfile, DocumentChip, DocumentLds, DocumentProfile, KeyedFiles, Shelf,
};
use serde_json::json;

use crate::chips::shelf;
use crate::soft_key::SoftKey;

/// The bytes of each fingerprint.
const FINGERPRINT: usize = 10_000;

/// What a passport of 40 kB is full of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// A portrait and two fingerprints.
    Fingers,
    /// A large portrait, which every border can read.
    Face,
}

impl Filled {
    /// Returns the bytes of the portrait.
    const fn portrait(self) -> usize {
        match self {
            Self::Fingers => 16_000,
            Self::Face => 36_000,
        }
    }

    /// Returns what the document profile says otherwise than the shipped one.
    const fn otherwise(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Fingers => &[],
            Self::Face => &[
                ("portrait_bytes = 20000", "portrait_bytes = 40000"),
                ("fingerprints_from = 12", "fingerprints_from = 200"),
                ("terminal = true", "terminal = false"),
            ],
        }
    }
}

const SAMPLE: &[u8] = include_bytes!("../../tests/samples/applications/18-fingerprints.json");
const CHAINS: &str = include_str!("../../tests/vectors/icao9303-11/chip_cv_chains.json");
const CSCA: &str = include_str!("../../certs/country/csca.toml");
const DS: &str = include_str!("../../certs/country/ds.toml");

/// When it is signed.
const AT: &str = "2026-03-02T08:00:00Z";

/// The application for one passport, and how it is made.
pub(crate) struct Passport {
    application: Application,
    trust_point: Vec<u8>,
    /// Without anything prepared.
    pub(crate) record: Record,
    pub(crate) document: DocumentProfile,
    lds: DocumentLds,
    chip: ChipProfile,
}

impl Passport {
    pub(crate) fn new(filled: Filled) -> Result<Self, Box<dyn Error>> {
        let today = date(2026, 3, 2);
        let mut application = Application::parse(SAMPLE, today)
            .map_err(|faults| format!("the sample has {} faults", faults.len()))?;
        application.portrait = padded(
            &application.portrait,
            [0xFF, 0xFE],
            filled.portrait(),
            CHIP_PORTRAIT_LIMITS,
        )?;
        for finger in &mut application.fingerprints {
            finger.image = padded(&finger.image, [0xFF, 0xA8], FINGERPRINT, FINGERPRINT_LIMITS)?;
        }
        let chains: serde_json::Value = serde_json::from_str(CHAINS)?;
        let trust_point = chains["chains"][0]["cvca"].as_str();
        let holder = application.holder.clone();
        let mut record: Record = serde_json::from_value(json!({
            "number": "XA0000001", "kind": "passport",
            "issued": today, "expires": date(2036, 3, 1),
            "holder": holder, "certificates": false,
        }))?;
        record.kind = Kind::Passport;
        let mut documents = shelf("documents")?;
        change(&mut documents, "passport", "passport", filled.otherwise())?;
        let document = DocumentProfile::load(&documents, "passport")?;
        let wanted = document.chips.first();
        let lds = wanted.and_then(|chip| chip.lds.clone());
        Ok(Self {
            application,
            trust_point: hex::decode(trust_point.ok_or("no certificate of a CVCA")?)?,
            record,
            lds: lds.ok_or("the passport has no files")?,
            document,
            chip: ChipProfile::load(&shelf("chips")?, "icao-lds")?,
        })
    }

    /// Returns what the document profile says of the chip.
    pub(crate) fn wanted(&self) -> Result<DocumentChip, Box<dyn Error>> {
        let wanted = self.document.chips.first();
        Ok(wanted.ok_or("the passport has no chip")?.clone())
    }

    /// Returns what data preparation makes before the chip's keys are known.
    pub(crate) fn prepare(&self) -> Result<BTreeMap<String, Prepared>, Box<dyn Error>> {
        let mut random = [0; 16];
        openssl::rand::rand_bytes(&mut random)?;
        let applied = Applied {
            portrait: &self.application.portrait,
            fingerprints: &self.application.fingerprints,
            signature: self.application.signature.as_ref(),
            trust_point: Some(&self.trust_point),
            random: &random,
        };
        let mut prepared = self.lds.prepare(&self.record, &applied)?;
        // Nobody proves rights to a chip without fingerprints: it trusts nobody.
        let nobody = || Prepared::new(Vec::new());
        let point = prepared.entry("trust_point".to_owned());
        point.or_insert_with(nobody);
        Ok(prepared)
    }

    /// Returns what waits for the chip's keys, of a record with everything else.
    pub(crate) fn with_keys(
        &self,
        record: &Record,
        keys: &Keys,
    ) -> Result<KeyedFiles, Box<dyn Error>> {
        Ok(self.lds.with_keys(&self.chip, record, keys)?)
    }

    /// Makes the files of one document, EF.SOD among them.
    pub(crate) fn make(
        &self,
        keys: &Keys,
        signer: &MessageSigner,
    ) -> Result<Files, Box<dyn Error>> {
        let mut record = self.record.clone();
        record.prepared = self.prepare()?;
        let keyed = self.with_keys(&record, keys)?;
        let sod = signer.sign_document(&keyed.security_object, &keyed.document_type, at()?)?;
        Ok(Files {
            prepared: record.prepared,
            keyed: keyed.files,
            sod,
        })
    }
}

/// The chip's public keys, `SubjectPublicKeyInfo` in DER, by the chip profile's names.
pub(crate) type Keys = BTreeMap<String, Vec<u8>>;

/// The files of one document.
pub(crate) struct Files {
    prepared: BTreeMap<String, Prepared>,
    keyed: BTreeMap<String, Vec<u8>>,
    pub(crate) sod: Vec<u8>,
}

impl Files {
    /// Returns the bytes of all of them.
    pub(crate) fn length(&self) -> usize {
        let prepared = self.prepared.values().map(|file| file.as_slice().len());
        let keyed = self.keyed.values().map(Vec::len);
        prepared.chain(keyed).sum::<usize>() + self.sod.len()
    }

    /// Returns all that is hashed: the data groups.
    pub(crate) fn groups(&self) -> Vec<u8> {
        let prepared = self.prepared.iter();
        let prepared = prepared.map(|(name, file)| (name, file.as_slice()));
        let keyed = self.keyed.iter().map(|(name, file)| (name, &file[..]));
        let all = prepared.chain(keyed);
        let groups = all.filter(|(name, _)| name.starts_with("dg"));
        groups.flat_map(|(_, file)| file).copied().collect()
    }
}

/// Returns keys as a chip would make them.
pub(crate) fn keys() -> Result<Keys, Box<dyn Error>> {
    let curves = [
        ("active", Nid::X9_62_PRIME256V1),
        ("chip", Nid::BRAINPOOL_P256R1),
        ("mapped", Nid::BRAINPOOL_P256R1),
    ];
    let mut keys = Keys::new();
    for (name, curve) in curves {
        let key = EcKey::generate(&*EcGroup::from_curve_name(curve)?)?;
        let spki = PKey::from_ec_key(key)?.public_key_to_der()?;
        keys.insert(name.to_owned(), spki);
    }
    Ok(keys)
}

/// Returns when documents are signed.
pub(crate) fn at() -> Result<Timestamp, Box<dyn Error>> {
    Ok(AT.parse()?)
}

/// Returns a document signer of a new country with this key, on P-256.
pub(crate) fn signer(key: Arc<dyn Signer>) -> Result<MessageSigner, Box<dyn Error>> {
    let csca = CountryProfile::parse(CSCA)?;
    let root = Arc::new(SoftKey::p384()?);
    let authority = CountryAuthority::create(&csca, root.clone(), root, at()?)?;
    let ds = CountryProfile::parse(DS)?;
    let public = PublicKey::from_spki_der(key.public_key_spki_der())?;
    let algorithm = SignatureAlgorithm::Ecdsa(Hash::Sha256);
    let info = RequestInfo::for_key(&ds.subject()?, &public, algorithm)?;
    let signature = key.sign(info.to_be_signed())?;
    let request = Request::parse_and_verify(&info.assemble(&signature)?)?;
    let certificate = authority.issue(&ds, &request, at()?)?;
    let anchors = vec![authority.certificate().clone()];
    Ok(MessageSigner::new(certificate, anchors, Vec::new(), key)?)
}

/// Puts a profile on the shelf that says some things otherwise than one that is there.
pub(crate) fn change(
    shelf: &mut Shelf,
    from: &str,
    to: &str,
    otherwise: &[(&str, &str)],
) -> Result<(), Box<dyn Error>> {
    let mut text = shelf.text(from).ok_or("no such profile")?.to_owned();
    for (old, new) in otherwise {
        if !text.contains(old) {
            return Err(format!("profile {from} does not say {old:?}").into());
        }
        text = text.replace(old, new);
    }
    shelf.put(to, text);
    Ok(())
}

/// Returns an image brought to this length by a comment behind its first marker.
fn padded(
    image: &Image,
    comment: [u8; 2],
    length: usize,
    limits: ImageLimits,
) -> Result<Image, Box<dyn Error>> {
    let (start, rest) = image.bytes().split_at(2);
    let missing = length.checked_sub(image.bytes().len() + 4);
    let missing = missing.ok_or("the sample's image is too long")?;
    let said = u16::try_from(missing + 2)?.to_be_bytes();
    let bytes = [start, &comment, &said, &vec![0x20; missing], rest].concat();
    Ok(Image::recognise(bytes, limits)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_forty_thousand_bytes_and_is_signed() {
        for filled in [Filled::Fingers, Filled::Face] {
            let passport = Passport::new(filled).unwrap();
            let key = Arc::new(SoftKey::p256().unwrap());
            let signer = signer(key).unwrap();
            let files = passport.make(&keys().unwrap(), &signer).unwrap();
            let length = files.length();
            assert!((38_000..42_000).contains(&length), "{filled:?}: {length}");
            let sod = cert::cms::SignedData::parse_ef_sod(&files.sod).unwrap();
            assert_eq!(sod.verify(&[]).unwrap().len(), 1);
        }
    }
}
