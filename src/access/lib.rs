//! How a travel document lets itself be read: the terminal's side of access control,
//! authentication and secure messaging.
//!
//! ```text
//!   MrzInformation ─► BasicAccess ─┐
//!   MRZ, CAN, PIN ──► Pace ────────┴► SecureMessaging ─► Secured<Channel> ─► files
//!                                                           ▲      │
//!                                       ChipAuthentication ─┘ ◄────┤ keys anew
//!                                       ActiveAuthentication ◄─────┤
//!                                       TerminalAuthentication ◄───┘ DG3 after it
//!   Dialogue   each protocol: commands out, responses in; converse() drives it over a channel
//! ```
//!
//! The chip is an adversary until it has proved otherwise, and so is whoever stands between.
//! Failures end a session and wipe its keys. Passwords, keys and what is read never reach an
//! error or a log.

mod active_authentication;
mod basic_access;
mod chip_authentication;
mod crypto_error;
mod dialogue;
mod domain_parameters;
mod files;
mod group;
mod mrz_information;
mod pace;
mod public_key_object;
mod random;
mod secure_messaging;
mod secured;
pub mod security_infos;
mod session_keys;
mod terminal_authentication;
#[cfg(test)]
mod testing;

pub use active_authentication::{
    ActiveAuthentication, ActiveAuthenticationError, ActiveAuthenticationKey,
    ActiveAuthenticationKeyError, SignedChallenge, verify_signed_challenge,
};
pub use basic_access::{BasicAccess, BasicAccessError};
pub use chip_authentication::{
    ChipAuthentication, ChipAuthenticationChoice, ChipAuthenticationChoiceError,
    ChipAuthenticationError, EphemeralKey, NewSession, authenticate_chip,
};
pub use crypto_error::CryptoError;
pub use dialogue::{Dialogue, Turn, converse};
pub use domain_parameters::{AgreementKey, DomainParameters, DomainParametersError};
pub use files::{
    FileError, FileName, LDS1, read_file, read_start, select_application, select_file,
    select_master_file,
};
pub use mrz_information::{MrzInformation, MrzInformationError};
pub use pace::{
    MappedChipKey, MappedChipKeyError, Pace, PaceChoice, PaceChoiceError, PaceError, PaceOutcome,
    PaceStep, Password, PasswordError,
};
pub use random::{Random, SystemRandom};
pub use secure_messaging::{SecureMessaging, SecureMessagingError};
pub use secured::{Secured, SecuredError, session_fault};
pub use security_infos::{SecurityInfo, SecurityInfos, SecurityInfosError};
pub use session_keys::{Cipher, SessionKeys};
pub use terminal_authentication::{
    MAX_TERMINAL_CERTIFICATES, TerminalAuthentication, TerminalAuthenticationError,
    TerminalBinding, TerminalCertificates, TerminalCertificatesError, TerminalKey, TerminalVersion,
    TrustPointsError, read_trust_points,
};

// What is proved on virtual chips stands apart.
#[cfg(test)]
#[path = "../../tests/access/border.rs"]
mod border;
#[cfg(test)]
#[path = "../../tests/access/fingerprints.rs"]
mod fingerprints;
#[cfg(test)]
#[path = "../../tests/access/foreign_chains.rs"]
mod foreign_chains;
#[cfg(test)]
#[path = "../../tests/access/inspection.rs"]
mod inspection;
#[cfg(test)]
#[path = "../../tests/access/issuer.rs"]
mod issuer;
#[cfg(test)]
#[path = "../../tests/access/mrtd_applet.rs"]
mod mrtd_applet;
#[cfg(test)]
#[path = "../../tests/access/travel_chip.rs"]
mod travel_chip;
