//! What is kept of people, for what, and for how long.
//!
//! The terms are the store's; `docs/data-protection.md` has the table, and a test keeps it equal to
//! this.

use crate::life_cycle::{ApplicationState, DocumentState, LifeCycle};
use crate::named::named;

named! {
    /// A class of data with a purpose and a term of its own.
    "data class" enum DataClass {
        /// What an application says of its holder, without images.
        Identity = "identity",
        /// Portrait, fingerprints and signature, and the files of a travel chip, which hold them.
        Biometrics = "biometrics",
        /// What stands on and in a document: its record, its certificates and their subjects.
        Record = "record",
        /// A package of a register that was refused, as it came.
        RefusedPackage = "refused-package",
        /// Reports and journals of stations: serial numbers, digests, moments.
        Evidence = "evidence",
        /// The audit log: pseudonymous references alone.
        Log = "log",
    }
}

/// The most days from a document's date of issue to the last readable copy of its holder's
/// biometrics (*Regulation (EU) 2019/1157, article 10(3)*, and *2025/1208* in its place).
pub const BIOMETRICS_LIMIT: u16 = 90;

/// The most days between two runs of the erasure, which is meant to run daily.
pub const ERASURE_DAYS: u16 = 2;

/// How many days a wrapping key waits before it is used, for a backup of the token to be made.
pub const KEY_WAITS_DAYS: u16 = 1;

impl DataClass {
    /// Those that are encrypted, and erased with their keys.
    pub const SEALED: &'static [Self] = &[
        Self::Identity,
        Self::Biometrics,
        Self::Record,
        Self::RefusedPackage,
    ];

    /// Returns how many days the data is kept after [what ended its purpose](Self::ends); none
    /// where it is kept for good.
    #[must_use]
    pub const fn days(self) -> Option<u16> {
        match self {
            // A complaint about a refusal or a document.
            Self::Identity | Self::Record => Some(90),
            // From the day of issue, where nobody collected it; at once where anybody did.
            Self::Biometrics => Some(60),
            Self::RefusedPackage => Some(180),
            Self::Evidence | Self::Log => None,
        }
    }

    /// Returns what ends its purpose.
    #[must_use]
    pub const fn ends(self) -> &'static str {
        match self {
            Self::Identity => "the application ended: handed over, refused or withdrawn",
            Self::Biometrics => {
                "the day of issue; none once the document was handed over or given up, or the application refused or withdrawn"
            }
            Self::Record => {
                "the document is out of use for good: expired, revoked, lost, returned, cancelled"
            }
            Self::RefusedPackage => "it came in",
            Self::Evidence | Self::Log => "nothing",
        }
    }

    /// Returns for how many days one wrapping key is in use.
    #[must_use]
    pub const fn key_days(self) -> u16 {
        match self {
            Self::Biometrics => 7,
            _ => 30,
        }
    }

    /// Returns for how many days a wrapping key is kept after its use: so old a backup can be
    /// restored with this class in it, and no older one.
    #[must_use]
    pub const fn backup_days(self) -> u16 {
        match self {
            Self::Biometrics => 14,
            _ => 35,
        }
    }

    /// Returns the most days from the erasure in the store to that in every copy: the wrapping key
    /// of the moment was just taken into use, and each run of the erasure comes as late as it may.
    #[must_use]
    pub const fn days_to_last_copy(self) -> u16 {
        self.key_days() + ERASURE_DAYS + self.backup_days() + ERASURE_DAYS
    }
}

/// Tells whether a document is out of use for good: its holder's data serves nothing more that is
/// done with it.
#[must_use]
pub fn document_is_over(state: DocumentState) -> bool {
    let in_use = matches!(state, DocumentState::HandedOver | DocumentState::Suspended);
    !in_use && !state.is_before_hand_over()
}

/// Tells whether nothing more happens to an application.
#[must_use]
pub fn application_is_over(state: ApplicationState) -> bool {
    let events = ApplicationState::events();
    events.iter().all(|&event| state.step(event).is_none())
}

/// Returns the table of classes and terms, as the documentation has it.
#[must_use]
pub fn retention_table() -> String {
    let mut table = String::from(
        "| class | kept until | and days | a wrapping key is used for | and kept for | last copy after |\n| --- | --- | ---: | ---: | ---: | ---: |\n",
    );
    for &class in DataClass::ALL {
        let days = |days: u16| format!("{days} days");
        let sealed = DataClass::SEALED.contains(&class);
        let of_key = |number: u16| if sealed { days(number) } else { "-".into() };
        table.push_str(&format!(
            "| `{class}` | {} | {} | {} | {} | {} |\n",
            class.ends(),
            class
                .days()
                .map_or_else(|| "for good".into(), |days| days.to_string()),
            of_key(class.key_days()),
            of_key(class.backup_days()),
            of_key(class.days_to_last_copy()),
        ));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_copy_of_biometrics_outlives_the_law() {
        let class = DataClass::Biometrics;
        let erased = class.days().unwrap() + ERASURE_DAYS;
        assert!(erased + class.days_to_last_copy() <= BIOMETRICS_LIMIT);
    }

    #[test]
    fn a_document_is_over_when_nobody_may_use_it_again() {
        use DocumentState as State;
        for &state in State::ALL {
            let used = |next: State| matches!(next, State::HandedOver | State::Suspended);
            let leads_to_use = used(state)
                || State::events()
                    .iter()
                    .filter_map(|&event| state.step(event))
                    .any(|(next, _)| used(next) || next.is_before_hand_over());
            assert_eq!(!document_is_over(state), leads_to_use, "{state}");
        }
    }

    #[test]
    fn an_application_is_over_when_it_was_decided_for_good() {
        use ApplicationState as State;
        for (state, over) in [
            (State::Received, false),
            (State::Approved, false),
            (State::InProduction, false),
            (State::Completed, true),
            (State::Refused, true),
            (State::Withdrawn, true),
        ] {
            assert_eq!(application_is_over(state), over, "{state}");
        }
    }

    #[test]
    fn the_documentation_has_the_table() {
        let text = include_str!("../../docs/data-protection.md");
        assert!(
            text.contains(&retention_table()),
            "put this into docs/data-protection.md:\n{}",
            retention_table()
        );
    }
}
