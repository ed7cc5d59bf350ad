//! Whether a document's files agree: with themselves, with EF.COM and with the security object.

use thiserror::Error;

use super::atr_info::AtrInfo;
use super::card_security::CardSecurity;
use super::com::EfCom;
use super::data_group::DataGroup;
use super::dg1::Dg1;
use super::dg11::Dg11;
use super::dg12::Dg12;
use super::dg15::Dg15;
use super::dg16::Dg16;
use super::directory::Directory;
use super::displayed::{Displayed, DisplayedKind};
use super::document::Lds;
use super::error::{LdsError, within_bound};
use super::file::{File, Group};
use super::remark::Remark;
use super::security_infos::{CardAccess, Dg14};
use super::security_object::LdsSecurityObject;
use super::sod::EfSod;
use super::version::{LdsVersion, UnicodeVersion};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A deviation without consequence.
    Note,
    /// Something could not be judged, because it was not read.
    Open,
    /// Something is wrong: made so, damaged or altered.
    Fault,
}

/// One thing that does not agree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Finding {
    /// A file deviates, and reads.
    #[error("{file}: {remark}")]
    Deviation {
        /// The file.
        file: File,
        /// How.
        remark: Remark,
    },
    /// A file does not read.
    #[error(transparent)]
    Malformed(#[from] LdsError),
    /// EF.COM or EF.SOD was not read.
    #[error("{0} is not there")]
    NoFile(File),
    /// A data group that EF.COM or the security object names was not read.
    #[error("{0} is not there, though it is named")]
    NotPresent(Group),
    /// EF.COM names a data group that the security object does not.
    #[error("EF.COM lists {0}, and no hash of it is signed")]
    ListedNotSigned(Group),
    /// The security object names a data group that EF.COM does not.
    #[error("the hash of {0} is signed, and EF.COM does not list it")]
    SignedNotListed(Group),
    /// A data group is there of which neither knows.
    #[error("{0} is there, and EF.COM does not list it")]
    PresentNotListed(Group),
    /// A data group is there that nobody vouches for.
    #[error("{0} is there, and no hash of it is signed")]
    PresentNotSigned(Group),
    /// The security object lacks a data group that every document has.
    #[error("no hash of {0} is signed, though every document has it")]
    MandatoryNotSigned(Group),
    /// A data group is not what was signed.
    #[error("{0} has another hash than the signed one")]
    HashDiffers(Group),
    /// EF.COM and the security object name different versions of the LDS.
    #[error("EF.COM says LDS {listed}, {}", match signed {
        Some(signed) => format!("and LDS {signed} is signed"),
        None => "and none is signed".to_owned(),
    })]
    LdsVersionDiffers {
        /// What EF.COM says.
        listed: LdsVersion,
        /// What is signed; none in a security object of version 0.
        signed: Option<LdsVersion>,
    },
    /// EF.COM and the security object name different versions of Unicode.
    #[error("EF.COM says Unicode {listed}, and Unicode {signed} is signed")]
    UnicodeVersionDiffers {
        /// What EF.COM says.
        listed: UnicodeVersion,
        /// What is signed.
        signed: UnicodeVersion,
    },
}

impl Finding {
    /// Returns how much it weighs.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Deviation { .. } => Severity::Note,
            Self::NoFile(_) | Self::NotPresent(_) => Severity::Open,
            // Nothing of the document refers to it, so that it proves nothing and refutes nothing:
            // the reference data set has one. Where EF.COM lists it, that is the fault.
            Self::PresentNotListed(group) | Self::PresentNotSigned(group)
                if !group.is_mandatory() =>
            {
                Severity::Open
            }
            _ => Severity::Fault,
        }
    }
}

/// Reads a file as what it is and returns how it deviates. Of DG2 to DG4, EF.SOD and
/// EF.CardSecurity only the outer object is read, of EF.CVCA only its length: their contents are
/// others' matter.
///
/// # Errors
/// [`LdsError`].
pub fn deviations(file: File, bytes: &[u8]) -> Result<Vec<Remark>, LdsError> {
    let whole = |read: Result<(), LdsError>| read.map(|()| Vec::new());
    match file {
        File::Com => EfCom::parse(bytes).map(|read| read.remarks),
        File::Dg(Group::Dg1) => Dg1::parse(bytes).map(|read| read.remarks),
        File::Dg(Group::Dg5) => {
            Displayed::parse(DisplayedKind::Portrait, bytes).map(|read| read.remarks)
        }
        File::Dg(Group::Dg7) => {
            Displayed::parse(DisplayedKind::Signature, bytes).map(|read| read.remarks)
        }
        File::Dg(Group::Dg11) => Dg11::parse(bytes).map(|read| read.remarks),
        File::Dg(Group::Dg12) => Dg12::parse(bytes).map(|read| read.remarks),
        File::Dg(Group::Dg14) => whole(Dg14::parse(bytes).map(drop)),
        File::Dg(Group::Dg15) => whole(Dg15::parse(bytes).map(drop)),
        File::Dg(Group::Dg16) => Dg16::parse(bytes).map(|read| read.remarks),
        File::Dg(group) => whole(DataGroup::parse_as(group, bytes).map(drop)),
        File::Sod => whole(EfSod::parse(bytes).map(drop)),
        File::Cvca => whole(within_bound(file, bytes)),
        File::CardAccess => whole(CardAccess::parse(bytes).map(drop)),
        File::CardSecurity => whole(CardSecurity::parse(bytes).map(drop)),
        File::AtrInfo => whole(AtrInfo::parse(bytes).map(drop)),
        File::Dir => Directory::parse(bytes).map(|read| read.remarks),
    }
}

impl Lds {
    /// Compares files, EF.COM and the security object, and returns all that does not agree, not
    /// only the first.
    ///
    /// `signed` is the security object of EF.SOD, whose signature somebody else has judged; without
    /// it nothing is compared with hashes, and it is the caller's to say why there is none.
    /// Data groups that were not read (DG3 wants an authorized terminal) are
    /// [`Severity::Open`].
    #[must_use]
    pub fn check(&self, signed: Option<&LdsSecurityObject>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for file in [File::Com, File::Sod] {
            if self.get(file).is_none() {
                findings.push(Finding::NoFile(file));
            }
        }
        for (file, bytes) in self.files() {
            match deviations(file, bytes) {
                Ok(remarks) => findings.extend(
                    remarks
                        .into_iter()
                        .map(|remark| Finding::Deviation { file, remark }),
                ),
                Err(error) => findings.push(Finding::Malformed(error)),
            }
        }
        let com = self.get(File::Com).map(EfCom::parse);
        let com = com.and_then(Result::ok).map(|read| read.content);
        for group in Group::ALL {
            findings.extend(self.check_group(group, com.as_ref(), signed));
        }
        if let (Some(com), Some(signed)) = (&com, signed) {
            findings.extend(check_versions(com, signed));
        }
        findings
    }

    fn check_group(
        &self,
        group: Group,
        com: Option<&EfCom>,
        signed: Option<&LdsSecurityObject>,
    ) -> Vec<Finding> {
        let file = self.get(group);
        let present = file.is_some();
        let listed = com.map(|com| com.groups.contains(&group));
        let hash = signed.map(|signed| signed.hash_of(group).is_some());
        let mut findings = Vec::new();
        match (listed, hash) {
            (Some(true), Some(false)) => findings.push(Finding::ListedNotSigned(group)),
            (Some(false), Some(true)) => findings.push(Finding::SignedNotListed(group)),
            (Some(false), _) if present => findings.push(Finding::PresentNotListed(group)),
            _ => {}
        }
        match hash {
            Some(false) if present => findings.push(Finding::PresentNotSigned(group)),
            Some(false) if group.is_mandatory() => {
                findings.push(Finding::MandatoryNotSigned(group));
            }
            _ => {}
        }
        if !present && (listed == Some(true) || hash == Some(true)) {
            findings.push(Finding::NotPresent(group));
        }
        let vouched = signed.zip(file);
        if vouched.and_then(|(signed, file)| signed.vouches_for(group, file)) == Some(false) {
            findings.push(Finding::HashDiffers(group));
        }
        findings
    }
}

/// Compares the versions: from LDS 1.8 on they are signed, before that they are not.
fn check_versions(com: &EfCom, signed: &LdsSecurityObject) -> Vec<Finding> {
    let mut findings = Vec::new();
    let versions = signed.versions();
    let lds = versions.map(|(lds, _)| lds);
    let agree = match lds {
        Some(lds) => lds == com.lds_version,
        None => !com.lds_version.is_signed(),
    };
    if !agree {
        findings.push(Finding::LdsVersionDiffers {
            listed: com.lds_version,
            signed: lds,
        });
    }
    if let Some((_, unicode)) = versions
        && unicode != com.unicode_version
    {
        findings.push(Finding::UnicodeVersionDiffers {
            listed: com.unicode_version,
            signed: unicode,
        });
    }
    findings
}
