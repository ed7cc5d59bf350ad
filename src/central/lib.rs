//! The issuance store: where applications become documents, and where every key, blank, PIN and
//! certificate is accounted for.
//!
//! ```text
//!   import ─► approve ─► prepared, queued ─► lease ┐
//!                                                  │ channel, put key, certificate, PINs
//!   office ◄─ parcel ◄─ quality ◄─ personalized ◄─ report ┘  (`api::Centre`, for stations)
//!     └─► hand over ─► in use ◄─► suspended ─► lost, revoked, expired ─► taken back, destroyed
//!
//!   each arrow: one transaction ── guard, change, audit entry ──► sequence() ─► tree, checkpoint
//! ```
//!
//! On SQLite one node; on PostgreSQL several instances beside one database. What a transition is, and who may make it, is `document`'s; how the log is
//! built is `audit`'s; the keys stay in `hsm`'s token. Rights are judged inside the transaction,
//! refusals leave an entry too, and no entry, error or log line holds a holder's data.

mod accounts;
mod application_parts;
mod applications;
mod audit_export;
mod audit_log;
mod authorities;
mod authority;
mod backup;
mod blanks;
mod blind_index;
mod books;
mod cells;
mod central;
mod centre;
mod certificate_contents;
mod certificate_profiles;
mod certificate_rows;
mod certificates;
mod channels;
mod claims;
mod concession;
mod config;
mod confirmations;
mod contention;
mod data_keys;
mod database;
mod day_close;
mod desk;
mod dispatch;
mod documents;
mod drop_files;
mod drop_folder;
mod duties;
mod encrypting;
mod endings;
mod envelope_content;
mod envelope_print;
mod envelopes;
mod environment;
mod erasure;
mod error;
mod expected;
mod figures;
mod following;
mod form;
mod gauges;
mod hand_over;
mod handling;
mod happenings;
mod history;
mod imported_key;
mod in_use;
mod incidents;
mod incoming;
mod key_grants;
mod keys;
mod lds;
mod lease;
mod lease_moves;
mod looks;
mod many_rows;
mod means;
mod mishaps;
#[cfg(test)]
#[path = "../../tests/missing/missing.rs"]
mod missing;
mod movements;
mod new_pins;
mod number_account;
mod overview;
mod package_entries;
mod packages;
mod pages;
mod parcels;
mod people;
mod personal;
mod places;
mod possession;
mod posted_packages;
mod postgres;
mod preparation;
mod profiles;
mod proofs;
mod protection;
mod quarantine;
mod queue;
mod rate;
mod readiness;
mod reconciliation;
mod refused_packages;
mod register;
mod register_reports;
mod register_signer;
mod releases;
mod repeated;
mod reports;
mod restoration;
mod revocation_list;
mod rewrapping;
mod ribbon_acts;
mod ribbon_cards;
mod ribbon_check;
mod ribbons;
mod said;
mod same_thread;
#[cfg(test)]
#[path = "../../tests/central/scenarios/mod.rs"]
mod scenarios;
mod scribe;
mod sealable;
mod sealed_commands;
mod sealed_stages;
mod sealing;
mod second_persons;
mod series;
mod series_acts;
mod source_keys;
mod sources;
mod sqlite;
mod standing;
mod statements;
mod station_acts;
mod station_certificates;
mod station_order;
mod stations;
mod stock;
mod stock_check;
mod told_lines;
mod transaction;
mod travel;
mod turn;
mod turns;
mod unbegun;
mod waiting;
mod wrapping_keys;
mod wrapping_keys_compared;

pub use accounts::{Account, check_account_name};
pub use audit_export::AuditExport;
pub use audit_log::AuditHealth;
pub use authority::IssuingAuthority;
pub use backup::{Copied, JudgedLog, judge_copy, judge_database};
pub use blind_index::{FoundApplication, PersonQuery};
pub use books::{AuditPart, AuditProgress, BooksAudit, Invariant};
pub use central::Central;
pub use certificate_profiles::{CertificateProfiles, CertificateShelf};
pub use config::{Clock, Config, KeyLabels, StoreKey, SystemClock};
pub use database::DatabaseSource;
pub use day_close::{CountDifference, CountEnd, Counted, PlaceDays, StockCount};
pub use desk::DeskEnd;
pub use dispatch::CountedIn;
pub use document::{DeliveredBlank, DeliveredChip, Delivery};
pub use drop_folder::{DROP_DONE_DAYS, DropPass, DroppedPackage};
pub use duties::{Duty, Neglected};
pub use envelope_print::{PrintJob, PrintedPin};
pub use envelopes::EnvelopeLine;
pub use erasure::{Erased, Overdue};
pub use error::CentralError;
pub use expected::{Expected, Thing};
pub use following::{Followed, Moved};
pub use form::{DatabaseForm, be_founded, database_form};
pub use gauges::{Gauges, PoolUse, Queued};
pub use handling::Handling;
pub use history::{History, HistoryLine};
pub use in_use::COLLECTION_MONTHS;
pub use incidents::IncidentLine;
pub use keys::{KeyService, Opened, Proof, PutKeys};
pub use looks::Look;
pub use means::check_means;
pub use mishaps::LeaseLine;
pub use number_account::{NumberCheck, NumbersOf};
pub use overview::{BlankLine, CertificateLine, DocumentLine, NumberAccount};
pub use pages::{
    ApplicationContent, ApplicationLine, BlankEntry, DocumentEntry, LoggedEntry, LoggedProof,
};
pub use parcels::{ParcelContent, ParcelLine};
pub use people::{
    AccountDetails, Enrolled, Enrolment, EnrolmentCode, FactorProof, NewFactor, SecondFactor,
    Session, SessionLine, SessionToken, SignedIn, TotpAlgorithm, TotpSecret, Visit,
};
pub use places::{CENTRAL_STORE, Place};
pub use possession::prove_possession;
pub use posted_packages::MAX_REQUEST;
pub use postgres::PostgresAddress;
pub use readiness::Readiness;
pub use reconciliation::{QuarantinedReport, Reconciliation, ReconcilingStation};
pub use repeated::Repeated;
pub use restoration::mark_restored;
pub use rewrapping::Rewrapping;
pub use ribbon_acts::RibbonHandling;
pub use ribbon_check::{CountedRibbons, RibbonAccount, RibbonDifference};
pub use ribbons::RibbonLine;
pub use sealable::{completes_pins, prove_all};
pub use sealing::{EnvelopeKeys, SealOrder, SealedStage};
pub use second_persons::{Asked, Awaited, Confirmed};
pub use series_acts::{NewSeries, SeriesLine};
pub use source_keys::SourceKey;
pub use sources::{NewSource, Source};
pub use standing::{Issued, Swept, Unsettled};
pub use station_certificates::{KnownStation, StationRefusal};
pub use stations::{StationCredential, StationLine};
pub use stock::{Receipt, Received};
pub use stock_check::{DeliveryAccount, StockAccount, StockCheck};
pub use travel::{Chosen, TravelConfig, TravelSigners};
pub use wrapping_keys::Turned;
pub use wrapping_keys_compared::WrappingKeyDifferences;
