//! Who may do what.

use thiserror::Error;

use crate::named::named;

named! {
    /// What a person is there for. One person may have several roles, as far as
    /// [`compatible`] allows.
    "role" enum Role {
        /// Enters applications and hands documents over at an office.
        Clerk = "clerk",
        /// Approves or refuses what others entered.
        Approver = "approver",
        /// Personalizes blanks at a station.
        Operator = "operator",
        /// Judges finished documents.
        Quality = "quality",
        /// Receives, issues, counts and destroys blanks.
        StockKeeper = "stock-keeper",
        /// Prints and sends PIN envelopes.
        EnvelopeClerk = "envelope-clerk",
        /// Keeps keys, profiles and the right to revoke.
        SecurityOfficer = "security-officer",
        /// Keeps people, stations and series; sees no holder.
        Administrator = "administrator",
        /// Reads the log and the reports; changes nothing.
        Auditor = "auditor",
    }
}

named! {
    /// Something that a person does and that a right is needed for.
    "act" enum Act {
        /// Enter or import an application.
        EnterApplication = "enter-application",
        /// See an application with its holder.
        ViewApplication = "view-application",
        /// Approve an application that another person entered.
        ApproveApplication = "approve-application",
        /// Refuse an application.
        RefuseApplication = "refuse-application",
        /// Withdraw an application at the holder's wish.
        WithdrawApplication = "withdraw-application",
        /// Take a lease, personalize a blank and report its end.
        PersonalizeDocument = "personalize-document",
        /// Give a document that is made already a new PIN set.
        RenewPins = "renew-pins",
        /// See documents and their states, without the holder's data.
        ViewDocument = "view-document",
        /// Pass or fail a finished document.
        JudgeDocument = "judge-document",
        /// Let a failed document pass, with a recorded concession.
        ConcedeDocument = "concede-document",
        /// Hand a document to its holder, which activates the certificates.
        HandOverDocument = "hand-over-document",
        /// Pack finished documents for an office, seal the parcel and send it.
        PackParcel = "pack-parcel",
        /// Open a parcel at its office and count it.
        ReceiveParcel = "receive-parcel",
        /// Report that a document on its way to its holder is damaged or missing, or its parcel.
        ReportMishap = "report-mishap",
        /// Take a document out of use for a time.
        SuspendDocument = "suspend-document",
        /// Bring a suspended document into use again.
        ResumeDocument = "resume-document",
        /// Note that a document is lost or stolen.
        ReportDocumentLost = "report-document-lost",
        /// Take a document back that is out of use, or that nobody came for.
        TakeBackDocument = "take-back-document",
        /// Destroy a document that came back, with a witness.
        DestroyDocument = "destroy-document",
        /// End the lease of a station that will never report.
        GiveUpLease = "give-up-lease",
        /// Take a lease from its station, so that another goes on with its card.
        MoveLease = "move-lease",
        /// Cancel a document that nobody holds.
        CancelDocument = "cancel-document",
        /// Revoke a handed-over document.
        RevokeDocument = "revoke-document",
        /// Say what became of a certificate that its authority cannot be asked about.
        ClearCertificate = "clear-certificate",
        /// Publish for the embedded authority: lists, its responder, its endpoint.
        ServeAuthority = "serve-authority",
        /// Book a delivery of blanks.
        ReceiveBlanks = "receive-blanks",
        /// Move blanks between places, and between stock and stations.
        MoveBlanks = "move-blanks",
        /// Count blanks and close the books of a day.
        CountBlanks = "count-blanks",
        /// Report a blank missing.
        ReportBlankMissing = "report-blank-missing",
        /// Destroy spoiled blanks, with a witness.
        DestroyBlanks = "destroy-blanks",
        /// Receive ribbons of printers, and move them between places.
        KeepRibbons = "keep-ribbons",
        /// Put a ribbon into a printer, and take it out.
        ChangeRibbon = "change-ribbon",
        /// Report a ribbon missing, with a witness.
        ReportRibbonMissing = "report-ribbon-missing",
        /// Destroy used ribbons, with a witness.
        DestroyRibbons = "destroy-ribbons",
        /// Open an incident, and explain one.
        ReportIncident = "report-incident",
        /// Agree with an incident's explanation, which closes it.
        CloseIncident = "close-incident",
        /// Print a PIN envelope.
        PrintEnvelope = "print-envelope",
        /// Send or give out a PIN envelope.
        DispatchEnvelope = "dispatch-envelope",
        /// Generate, rotate or destroy keys.
        ManageKeys = "manage-keys",
        /// Open or close a series of document numbers.
        ManageSeries = "manage-series",
        /// Admit or remove people and change their roles.
        ManagePeople = "manage-people",
        /// Add places: offices and stores.
        ManagePlaces = "manage-places",
        /// Admit or remove stations and printers.
        ManageStations = "manage-stations",
        /// Let a station in that an administrator asked for, or one that was suspended.
        ConfirmStation = "confirm-station",
        /// See the stations, and suspend one at once.
        WatchStations = "watch-stations",
        /// Add or remove sources of applications and propose their keys.
        ManageSources = "manage-sources",
        /// Admit the key of a source that another person proposed.
        AdmitSourceKey = "admit-source-key",
        /// Read, search and export the audit log.
        ReadAuditLog = "read-audit-log",
        /// Make a copy of the store that it can be restored from.
        BackUpStore = "back-up-store",
        /// Begin and end what follows a restoration of the store.
        ReconcileStore = "reconcile-store",
        /// See reports of stock, quality and volume.
        ViewReports = "view-reports",
    }
}

/// Tells whether a role carries the right to an act.
///
/// Whether the person may do it *here and now* is more: see [`four_eyes`] and the
/// guards of the [life cycles](crate::life_cycle).
#[must_use]
pub const fn may(role: Role, act: Act) -> bool {
    use Role::{
        Administrator, Approver, Auditor, Clerk, EnvelopeClerk, Operator, Quality, SecurityOfficer,
        StockKeeper,
    };
    match act {
        Act::EnterApplication
        | Act::WithdrawApplication
        | Act::HandOverDocument
        | Act::ReceiveParcel
        | Act::ResumeDocument
        | Act::TakeBackDocument => {
            matches!(role, Clerk)
        }
        Act::ViewApplication => matches!(role, Clerk | Approver | Quality),
        Act::ApproveApplication | Act::RefuseApplication => matches!(role, Approver),
        Act::PersonalizeDocument | Act::RenewPins => matches!(role, Operator),
        Act::ViewDocument => !matches!(role, Administrator),
        // Who judged a card has it in hand. A stock-keeper may be an envelope clerk as well, and
        // must not have both card and PINs.
        Act::JudgeDocument | Act::PackParcel => matches!(role, Quality),
        Act::ReportMishap => matches!(role, Quality | Clerk | SecurityOfficer),
        Act::GiveUpLease
        | Act::MoveLease
        | Act::ConcedeDocument
        | Act::AdmitSourceKey
        | Act::ManageKeys
        | Act::ClearCertificate
        | Act::ConfirmStation
        | Act::ReconcileStore
        | Act::ServeAuthority => {
            matches!(role, SecurityOfficer)
        }
        Act::CancelDocument => matches!(role, Approver | SecurityOfficer),
        Act::RevokeDocument | Act::SuspendDocument | Act::ReportDocumentLost => {
            matches!(role, Clerk | SecurityOfficer)
        }
        // What is destroyed is out of use: its PINs open nothing.
        Act::ReceiveBlanks
        | Act::MoveBlanks
        | Act::CountBlanks
        | Act::DestroyBlanks
        | Act::DestroyDocument
        | Act::KeepRibbons
        | Act::DestroyRibbons => {
            matches!(role, StockKeeper)
        }
        // Whoever stands at the printer changes its ribbon.
        Act::ChangeRibbon => matches!(role, Operator | StockKeeper),
        Act::ReportBlankMissing | Act::ReportRibbonMissing => {
            matches!(role, Operator | Quality | StockKeeper)
        }
        Act::ReportIncident => !matches!(role, Administrator | Auditor),
        Act::CloseIncident => matches!(role, SecurityOfficer),
        Act::PrintEnvelope | Act::DispatchEnvelope => matches!(role, EnvelopeClerk),
        Act::ManageSeries
        | Act::ManagePeople
        | Act::ManagePlaces
        | Act::ManageStations
        | Act::ManageSources
        | Act::BackUpStore => {
            matches!(role, Administrator)
        }
        Act::WatchStations => matches!(role, Administrator | SecurityOfficer),
        Act::ReadAuditLog => matches!(role, Auditor | SecurityOfficer),
        Act::ViewReports => {
            matches!(
                role,
                Auditor | SecurityOfficer | Administrator | Quality | StockKeeper
            )
        }
    }
}

/// Tells whether one person may hold both roles (segregation of duties,
/// *ISO/IEC 27001:2022 A.5.3*).
///
/// - Who reads the log must not have written it: an auditor is nothing else.
/// - Who gives rights must not use them: an administrator is nothing else.
/// - Who has the card must not have its PINs: an envelope clerk neither
///   personalizes nor judges nor hands over.
/// - Who uses blanks must not count them.
/// - Who makes a document must not judge it.
/// - Who approves must not personalize.
#[must_use]
pub const fn compatible(one: Role, other: Role) -> bool {
    one as u8 == other as u8 || !(conflict(one, other) || conflict(other, one))
}

const fn conflict(one: Role, other: Role) -> bool {
    use Role::{
        Administrator, Approver, Auditor, Clerk, EnvelopeClerk, Operator, Quality, StockKeeper,
    };
    matches!(
        (one, other),
        (Auditor | Administrator, _)
            | (EnvelopeClerk, Operator | Quality | Clerk)
            | (StockKeeper | Quality | Approver, Operator)
    )
}

/// Tells whether who has a role must show a second factor beside the password: who gives rights,
/// keeps keys, lets documents be made, or holds PINs (*ISO/IEC 27001:2022 A.8.5*).
#[must_use]
pub const fn needs_second_factor(role: Role) -> bool {
    matches!(
        role,
        Role::SecurityOfficer | Role::Administrator | Role::Approver | Role::EnvelopeClerk
    )
}

/// Why two persons are not two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FourEyesError {
    /// The same person entered and approves.
    #[error("nobody approves what they entered; another person must approve it")]
    SamePerson,
    /// One of the two is not named.
    #[error("both the person who entered and the person who approves must be known")]
    Unknown,
}

/// Demands that a second person approves: nobody approves what they entered.
///
/// Persons are account names; case and outer spaces do not make another person.
///
/// # Errors
///
/// [`FourEyesError`] when they are the same, or one of them is blank.
pub fn four_eyes(entered_by: &str, approver: &str) -> Result<(), FourEyesError> {
    let entered_by = entered_by.trim().to_lowercase();
    let approver = approver.trim().to_lowercase();
    if entered_by.is_empty() || approver.is_empty() {
        return Err(FourEyesError::Unknown);
    }
    if entered_by == approver {
        return Err(FourEyesError::SamePerson);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_is_somebodys_and_every_role_has_one() {
        for &act in Act::ALL {
            assert!(
                Role::ALL.iter().any(|&role| may(role, act)),
                "{act} is nobody's"
            );
        }
        for &role in Role::ALL {
            assert!(
                Act::ALL.iter().any(|&act| may(role, act)),
                "{role} may do nothing"
            );
        }
    }

    #[test]
    fn auditor_changes_nothing_and_administrator_sees_no_holder() {
        let rights = |role| Act::ALL.iter().copied().filter(move |&act| may(role, act));
        let auditor: Vec<_> = rights(Role::Auditor).collect();
        assert_eq!(
            auditor,
            [Act::ViewDocument, Act::ReadAuditLog, Act::ViewReports]
        );
        assert!(!may(Role::Administrator, Act::ViewApplication));
        assert!(!may(Role::Administrator, Act::ReadAuditLog));
    }

    #[test]
    fn no_compatible_pair_has_both_card_and_pins() {
        for &one in Role::ALL {
            for &other in Role::ALL {
                let both = |act| may(one, act) || may(other, act);
                if one != other && compatible(one, other) {
                    assert!(
                        !(both(Act::PrintEnvelope)
                            && (both(Act::PersonalizeDocument)
                                || both(Act::RenewPins)
                                || both(Act::PackParcel)
                                || both(Act::ReceiveParcel)
                                || both(Act::HandOverDocument))),
                        "{one} and {other}"
                    );
                    assert!(!(both(Act::PersonalizeDocument) && both(Act::JudgeDocument)));
                    assert!(!(both(Act::PersonalizeDocument) && both(Act::CountBlanks)));
                    assert!(!(both(Act::ManagePeople) && both(Act::ApproveApplication)));
                }
            }
        }
    }

    #[test]
    fn compatibility_is_symmetric_and_a_role_bears_itself() {
        for &one in Role::ALL {
            assert!(compatible(one, one));
            for &other in Role::ALL {
                assert_eq!(compatible(one, other), compatible(other, one));
            }
        }
        assert!(compatible(Role::Clerk, Role::Approver));
    }

    #[test]
    fn nobody_approves_what_they_entered() {
        assert_eq!(four_eyes("anna", "berta"), Ok(()));
        assert_eq!(four_eyes("anna", "anna"), Err(FourEyesError::SamePerson));
        assert_eq!(four_eyes("anna", " Anna "), Err(FourEyesError::SamePerson));
        assert_eq!(
            four_eyes("Ēvalds", "ēvalds"),
            Err(FourEyesError::SamePerson)
        );
        assert_eq!(four_eyes("", "berta"), Err(FourEyesError::Unknown));
        assert_eq!(four_eyes("anna", "  "), Err(FourEyesError::Unknown));
    }
}
