//! What stops a station or one of its slots.

use std::path::PathBuf;

use document::Environment;
use thiserror::Error;

/// Why a station cannot work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StationError {
    /// The journal cannot be read or written; nothing may be done to a chip without it.
    #[error(
        "the journal failed while {context}; check disk and permissions before any card is touched"
    )]
    Journal {
        /// What was being done.
        context: &'static str,
        /// What happened.
        #[source]
        source: rusqlite::Error,
    },
    /// A finding could not be written into the journal.
    #[error("the journal failed: {reason}; check disk and permissions before any card is touched")]
    Notebook {
        /// What happened.
        reason: String,
    },
    /// Another program works with the journal.
    #[error(
        "another station works with the journal {}; stop it, or give this one a journal of its own",
        path.display()
    )]
    JournalInUse {
        /// The journal's file.
        path: PathBuf,
    },
    /// The lock beside the journal cannot be taken.
    #[error("{} cannot be locked; check disk and permissions", path.display())]
    JournalLock {
        /// The lock's file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// A reader cannot be used.
    #[error(transparent)]
    Reader(#[from] reader::ReaderError),
    /// The centre refused, or could not be reached.
    #[error("the centre")]
    Centre(#[from] api::ApiError),
    /// The centre was restored, and gives no work yet.
    #[error(
        "the centre was restored from a backup and has this station's reports again; it gives work once a security officer has ended the reconciliation there (zimogs central reconcile)"
    )]
    Reconciling,
    /// The centre was set back, and does not know it.
    #[error(
        "the centre acknowledged {acknowledged} reports of this station and has {reports}: its database was set back; a security officer must say so there (zimogs central reconcile begin) before anything is made"
    )]
    Behind {
        /// How many reports it acknowledged.
        acknowledged: u64,
        /// How many it has.
        reports: u64,
    },
    /// The centre is of the other environment.
    #[error(
        "this is a {own} station, and the centre leased a {lease} document; connect it to its own centre, and return the lease"
    )]
    Environment {
        /// What this station is for.
        own: Environment,
        /// What the document is for.
        lease: Environment,
    },
    /// A profile cannot be used.
    #[error(transparent)]
    Profile(#[from] profile::ProfileError),
    /// The centre leases with a profile that this station has in another version.
    #[error(
        "profile \"{name}\" at this station is not the one that the centre released; update the station's profiles"
    )]
    OtherProfile {
        /// The profile.
        name: String,
    },
    /// The slot has no reader for a chip of the document.
    #[error("the slot has no reader for \"{product}\"; set up its readers")]
    NoReader {
        /// The chip profile.
        product: String,
    },
    /// A chip of the blank did not say who it is.
    #[error("the chip in reader \"{reader}\" cannot be identified: {reason}; set the blank aside")]
    Unread {
        /// The reader.
        reader: String,
        /// What happened.
        reason: String,
    },
    /// The slot has no reader at all.
    #[error("slot \"{slot}\" has no reader; set up its readers")]
    EmptySlot {
        /// The slot.
        slot: String,
    },
    /// The slot's printer did not do what it was ordered.
    #[error(transparent)]
    Printer(#[from] print::PrinterError),
    /// The slot has no printer.
    #[error("slot \"{slot}\" has no printer")]
    NoPrinter {
        /// The slot.
        slot: String,
    },
    /// The slot's printer is not taken.
    #[error(transparent)]
    Roster(#[from] print::RosterError),
    /// What is printed on the blank was not read.
    #[error(transparent)]
    Scan(#[from] print::ScanError),
    /// A layout of the station's cannot be used.
    #[error(transparent)]
    Layout(#[from] crate::faces::BadLayout),
    /// A document profile names a layout that the station does not have.
    #[error("no layout is named \"{layout}\"; update the station's profiles")]
    NoLayout {
        /// Its name.
        layout: String,
    },
    /// The renderer ended in the middle.
    #[error(
        "the faces were not rendered: the renderer ended; report it, with the document's number"
    )]
    Rendering,
    /// The card inside the printer is not the one that was identified.
    #[error(
        "the chip in the printer is not the one that was identified before; set the card aside"
    )]
    OtherBlank,
    /// A thread could not be started.
    #[error("slot \"{slot}\" could not be started")]
    Thread {
        /// The slot.
        slot: String,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
}

/// Returns an error with all its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let reason = "blank B-1 is of another article".to_owned();
        let error = StationError::from(api::ApiError::NotOneBlank {
            reason: reason.clone(),
        });
        let said = chain(&error);
        assert_eq!(said.matches(&reason).count(), 1, "{said}");
        assert!(said.starts_with("the centre: "), "{said}");
    }
}
