//! One check with its verdict.

use std::fmt;

use crate::lds::{File, Group};

/// What came of a check, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It is as it must be.
    Passed,
    /// It could not be judged: something that it takes is not there.
    Unknown,
    /// Something is wrong.
    Failed,
}

impl Verdict {
    /// Returns the name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is checked; reports list checks in this order. The names are for programs as well: they
/// are never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CheckName {
    /// The chip was opened as it offers, and nothing better was withheld.
    Access,
    /// The session with the chip held to the end.
    Session,
    /// The chip took the terminal for one with rights.
    TerminalAuthentication,
    /// The file reads as what it is.
    File(File),
    /// EF.COM, EF.SOD and the files that are there name the same data groups and versions.
    FileList,
    /// EF.SOD is signed by the certificate in it (*ICAO 9303-11 §5.1*).
    SodSignature,
    /// The document signer's certificate leads to a trusted country signing certificate.
    SignerChain,
    /// All certificates of that path hold at the time of judging.
    SignerValidity,
    /// The signer's key signed within the time in which it was to sign.
    SignerKeyUse,
    /// The signer may sign documents of this type (*ICAO 9303-12 §7.1.1.6*).
    SignerDocumentType,
    /// The signer is of the state that the machine readable zone names as the issuer.
    SignerState,
    /// The signer is not revoked.
    SignerRevocation,
    /// The data group has the hash that EF.SOD holds.
    Hash(Group),
    /// EF.CardSecurity is signed by a trusted signer.
    CardSecurity,
    /// What EF.CardAccess says stands in DG14 or EF.CardSecurity, signed.
    CardAccess,
    /// The machine readable zone in DG1 is right: form, dates, check digits.
    Mrz,
    /// The document has not expired.
    Expiry,
    /// DG2 holds a portrait that can be shown.
    Portrait,
    /// DG14 reads, and so do the keys of chip authentication in it.
    ChipAuthenticationKey,
    /// DG15 holds a key with which active authentication can be run.
    ActiveAuthenticationKey,
    /// The chip proved the key in EF.CardSecurity while it was opened.
    ChipAuthenticationMapping,
    /// The chip proved the key in DG14.
    ChipAuthentication,
    /// The chip proved the key in DG15.
    ActiveAuthentication,
    /// The chip is the one that the issuer made: it proved a key that a trusted signer vouches for.
    ChipGenuine,
    /// DG1 is the machine readable zone that is printed, as far as that is known.
    PrintedZone,
    /// Every file is what was written, byte for byte.
    ReadBack,
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::File(file) => return write!(f, "file-{}", suffix(*file)),
            Self::Hash(group) => return write!(f, "hash-dg{}", group.number()),
            Self::Access => "access",
            Self::Session => "session",
            Self::TerminalAuthentication => "terminal-authentication",
            Self::FileList => "file-list",
            Self::SodSignature => "sod-signature",
            Self::SignerChain => "signer-chain",
            Self::SignerValidity => "signer-validity",
            Self::SignerKeyUse => "signer-key-use",
            Self::SignerDocumentType => "signer-document-type",
            Self::SignerState => "signer-state",
            Self::SignerRevocation => "signer-revocation",
            Self::CardSecurity => "card-security",
            Self::CardAccess => "card-access",
            Self::Mrz => "mrz",
            Self::Expiry => "expiry",
            Self::Portrait => "portrait",
            Self::ChipAuthenticationKey => "chip-authentication-key",
            Self::ActiveAuthenticationKey => "active-authentication-key",
            Self::ChipAuthenticationMapping => "chip-authentication-mapping",
            Self::ChipAuthentication => "chip-authentication",
            Self::ActiveAuthentication => "active-authentication",
            Self::ChipGenuine => "chip-genuine",
            Self::PrintedZone => "printed-mrz",
            Self::ReadBack => "read-back",
        })
    }
}

fn suffix(file: File) -> String {
    match file {
        File::Com => "com".into(),
        File::Dg(group) => format!("dg{}", group.number()),
        File::Sod => "sod".into(),
        File::Cvca => "cvca".into(),
        File::CardAccess => "card-access".into(),
        File::CardSecurity => "card-security".into(),
        File::AtrInfo => "atr-info".into(),
        File::Dir => "dir".into(),
    }
}

/// One check with what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub name: CheckName,
    /// What came of it.
    pub verdict: Verdict,
    /// Why, for a person; nothing of what the document says about its holder.
    pub reason: String,
    /// What deviates or is weak without being wrong.
    pub remarks: Vec<String>,
}

impl Check {
    pub(super) fn new(name: CheckName, verdict: Verdict, reason: impl Into<String>) -> Self {
        Self {
            name,
            verdict,
            reason: reason.into(),
            remarks: Vec::new(),
        }
    }

    pub(super) fn passed(name: CheckName, reason: impl Into<String>) -> Self {
        Self::new(name, Verdict::Passed, reason)
    }

    pub(super) fn unknown(name: CheckName, reason: impl Into<String>) -> Self {
        Self::new(name, Verdict::Unknown, reason)
    }

    pub(super) fn failed(name: CheckName, reason: impl Into<String>) -> Self {
        Self::new(name, Verdict::Failed, reason)
    }

    pub(super) fn remarked(mut self, remarks: impl IntoIterator<Item = String>) -> Self {
        self.remarks.extend(remarks);
        self
    }
}

/// Returns an error with all its causes on one line.
pub(super) fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // An error that is transparent to its cause would say it twice.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
