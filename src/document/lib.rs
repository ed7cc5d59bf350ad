//! What is issued: kinds of document, their holders and numbers, how long they
//! are valid, the states they pass through, and who may do what.
//!
//! Everything here is pure. Nothing reads a clock, a file or a random source:
//! the day is always a parameter.
//!
//! ```text
//!  JSON, format 1
//!       | Application::parse  (lists every fault)
//!       v
//!  Application ---- Holder ---- PersonalCode, Surname, GivenNames, Nationality
//!       |             |
//!       |             +-------- age_on(day), common_name()
//!       |
//!       +-- Kind, birth date, day of issue --> Validity
//!       +-- Priority, Calendar, day of application --> the day it is due
//!       +-- Series::allot() -----------------> DocumentNumber
//!       |                        (or the number of a numbered blank)
//!       +-- Record, mrz::Conventions ---------> Mrz
//!       +-- life_cycle: Application, Document, Blank, Certificate, Lease
//!
//!  JSON, format 1 -- Package::parse --> new, replacing and withdrawn applications of a register
//!  JSON Lines -- Delivery::parse --> blanks with their chips, articles and numbers
//!  JSON Lines, CSV -- Delivery::parse --> blanks with their chips, articles and numbers
//! ```
//!
//! Wire names are in kebab-case (`id-card`, `in-production`, `stock-keeper`).
//! Every closed set has `ALL`, `name()`, `Display`, `FromStr` and serde.

mod named;

mod application;
mod calendar;
mod common_name;
mod delivery;
mod fingerprint;
mod holder;
mod image;
mod kind;
pub mod life_cycle;
pub mod mrz;
mod name;
mod nationality;
mod number;
mod number_format;
mod personal_code;
mod purpose;
mod record;
mod retention;
mod role;
mod series;
mod transliteration;
mod validity;

pub use application::{
    Action, Application, CodeError, Entry, Fault, FaultCode, MAX_APPLICATION_BYTES, MAX_FAULTS,
    MAX_PACKAGE_BYTES, MAX_PACKAGE_ENTRIES, OfficeCode, Package, PackageCause, PackageCauseError,
    PackageVerb, Priority, Reference, Source, SourceName, SourceNameError,
};
pub use calendar::{Calendar, CalendarError, MAX_LISTED_DAYS, easter_sunday};
pub use common_name::{COMMON_NAME_LIMIT, common_name};
pub use delivery::{DeliveredBlank, DeliveredChip, Delivery, DeliveryError, LineFault};
pub use fingerprint::{FingerPosition, Fingerprint, MAX_FINGERPRINTS};
pub use holder::{BirthPlace, Holder, Sex};
pub use image::{
    CHIP_PORTRAIT_LIMITS, FINGERPRINT_LIMITS, Image, ImageError, ImageLimits, MediaType,
    PORTRAIT_LIMITS, SIGNATURE_LIMITS,
};
pub use kind::Kind;
pub use life_cycle::LifeCycle;
pub use mrz::Mrz;
pub use name::{GIVEN_NAMES_LIMIT, GivenNames, NameError, SURNAME_LIMIT, Surname, is_name_letter};
pub use named::UnknownName;
pub use nationality::{Nationality, NationalityError};
pub use number::{DocumentNumber, NumberError};
pub use number_format::{NumberFormat, WrongNumberFormat};
pub use personal_code::{PersonalCode, PersonalCodeError};
pub use purpose::Purpose;
pub use record::{Prepared, Record};
pub use retention::{
    BIOMETRICS_LIMIT, DataClass, ERASURE_DAYS, KEY_WAITS_DAYS, application_is_over,
    document_is_over, retention_table,
};
pub use role::{Act, FourEyesError, Role, compatible, four_eyes, may, needs_second_factor};
pub use series::{Environment, Exhausted, Series, SeriesError};
pub use transliteration::{ChoiceError, Language, Transliteration, transliterate};
pub use validity::{
    CERTIFICATE_AGE, CERTIFICATE_YEARS, Validity, ValidityError, age_on, anniversary,
};
