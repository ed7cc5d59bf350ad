//! Leases: one document, for one slot, for a while.

use std::collections::BTreeMap;

use document::{Environment, OfficeCode, Purpose, Record};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::hex::Hex;
use serde_with::serde_as;
use uuid::Uuid;

use crate::{JournalLine, Secret};

/// The identity of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseId(pub Uuid);

impl std::fmt::Display for LeaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a slot can make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRequest {
    /// What the station is for: a document of the other environment never gets into its hands.
    pub environment: Environment,
    /// The slot's name at the station.
    pub slot: String,
    /// The chip profiles of the blanks that are loaded there: one for each chip of a blank.
    pub products: Vec<String>,
    /// What the blanks are, where their chips do not say it: the document profiles' name for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub article: Option<String>,
    /// The office that the station stands in, where that office makes its own documents: it gets those
    /// and no others. None: the centre's station, for all other offices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office: Option<OfficeCode>,
    /// The serial numbers of all chips of the blank that lies there, where they were read already:
    /// a document that gets its number from the blank is prepared for this one, and the lease binds
    /// it. Empty: the blank is not known yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chips: Vec<String>,
    /// The identities of the documents of which it may be one, at most [`MOST_AMONG`]: those of a
    /// batch. Empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub among: Vec<Uuid>,
    /// The lease that the slot goes on with, and no other one: its station was interrupted, or asks on.
    /// None: the slot has no document in work, so that a lease which somebody on an earlier shift was
    /// given there, and never got, is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<LeaseId>,
    /// What prints the faces there; none where they are printed by another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printer: Option<PrintsWith>,
}

/// The card printer of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrintsWith {
    /// Its profile, as the station has it: in production one that is released.
    pub profile: ProfilePin,
    /// The document profiles of which it prints every face. The lease pins a document profile with its
    /// layouts, so that both sides speak of the same faces.
    pub documents: Vec<String>,
}

/// The most documents that a request for a lease may name.
pub const MOST_AMONG: usize = 64;

/// A profile, pinned by the SHA-256 of its text: the station refuses to run another.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfilePin {
    /// Its name.
    pub name: String,
    /// Its digest.
    #[serde_as(as = "Hex")]
    pub digest: [u8; 32],
}

/// A document to make, or to give new PINs.
#[serde_as]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lease {
    /// The lease.
    pub id: LeaseId,
    /// The document's identity at the store, which stays when it gets another number.
    #[serde(default)]
    pub identity: Uuid,
    /// What is to be done: to make the document, or to give the finished one new PINs.
    #[serde(default)]
    pub purpose: Purpose,
    /// What the document is for.
    pub environment: Environment,
    /// The document as it was prepared.
    pub record: Record,
    /// The chip profiles it is made with: one for each chip of the blank; for new PINs, that of the chip
    /// which has them.
    pub chips: Vec<ProfilePin>,
    /// The document profile it is made with.
    pub document: ProfilePin,
    /// The subject of each key's certificate: a DER Name, by the key's name.
    #[serde_as(as = "BTreeMap<_, Hex>")]
    pub subjects: BTreeMap<String, Vec<u8>>,
    /// The pictures for its faces, where the slot has a printer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pictures: Option<FacePictures>,
    /// What another station wrote down of it, where it was begun there and its card was moved here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<BegunElsewhere>,
    /// The sealed stages of which the centre has the chips' answers, where the slot goes on with what was
    /// begun: they were done, whatever the journal lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmed: Vec<ConfirmedStage>,
    /// When the lease ends unless it is reported before.
    pub expires: Timestamp,
}

/// A sealed stage whose answers were found to be the chip's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmedStage {
    /// The chip's serial number in hexadecimal.
    pub chip: String,
    /// The stage's name in the chip's plan.
    pub stage: String,
}

/// What is known of a document that was begun at another station.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BegunElsewhere {
    /// The station that had it last.
    pub station: String,
    /// The journal as far as the centre has it: the last lines may be missing, but for those that
    /// announce what may not be done twice.
    pub journal: Vec<JournalLine>,
}

/// The pictures that are printed on a document, as the application has them: judged when it was
/// received.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FacePictures {
    /// The portrait.
    pub portrait: Secret,
    /// The signature, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Secret>,
}
