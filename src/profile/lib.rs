//! Firmware profiles: a new chip is a file.
//!
//! ```text
//! chips/NAME.toml ──► ChipProfile ─┐
//!                                  ├─► Plan ──► stages ──► steps ──► commands
//! documents/NAME.toml ► DocumentProfile ┘                     ▲
//!                                                   Variables ┘ (the record, and what the
//!                                                                chip and the centre give)
//! ```
//!
//! A [`Release`] says that two people signed a profile as it is: production runs nothing else.
//!
//! Loading proves a profile: every fault has a file, a line, a column and a hint.

mod chip;
mod chip_file;
mod chip_load;
mod command;
mod command_template;
mod derived;
mod document;
mod document_face;
mod document_lds;
mod document_pin;
mod error;
mod explain;
mod function;
mod guarded;
mod held_keys;
mod issuer_channel;
mod pin_values;
mod placed;
mod plan;
mod position;
mod record;
mod release;
mod release_error;
mod release_shelf;
mod release_text;
mod releasers;
mod schema;
mod sort;
mod source;
mod specimen;
mod status_pattern;
mod take;
mod template;
mod value;
mod vocabulary;

pub use crate::chip::{
    AtrPattern, ChipProfile, Detail, Expectation, Identify, Interface, KeyRules, Object, PinBefore,
    PinRules, RsaPadding, SignatureForm, Timing,
};
pub use crate::command::{MAX_CONTENT, Rendered, Renderer, Taken, content};
pub use crate::command_template::CommandTemplate;
pub use crate::derived::{set_certificate, set_public_key};
pub use crate::document::{DocumentChip, DocumentKey, DocumentProfile, NumberSource, is_article};
pub use crate::document_face::DocumentFace;
pub use crate::document_lds::{
    Applied, DocumentLds, KeyedData, KeyedError, KeyedFiles, LdsChip, LdsMapped, LdsPace,
    PreparationError, prepared_file,
};
pub use crate::document_pin::{DocumentPin, PinKind};
pub use crate::error::{ProfileError, RenderError, Warning};
pub use crate::explain::{
    ExplainedCommand, ExplainedPin, ExplainedStage, ExplainedStep, Explanation, Figures, Piece,
};
pub use crate::function::{Function, Kind};
pub use crate::guarded::Presentation;
pub use crate::issuer_channel::{
    Challenge, ChannelProfile, Cipher, KeySet, KeySource, Protection, Protocol,
};
pub use crate::pin_values::PinValues;
pub use crate::plan::{Plan, Stage, Step};
pub use crate::position::Position;
pub use crate::record::variables;
pub use crate::release::{Release, SIGNATURES_NEEDED};
pub use crate::release_error::ReleaseError;
pub use crate::release_shelf::ReleaseShelf;
pub use crate::release_text::{ProfileKind, Released, text_digest};
pub use crate::releasers::{Releasers, ReleasersError, ReleasersFault};
pub use crate::schema::{chip_schema, document_schema};
pub use crate::source::{Place, Shelf};
pub use crate::specimen::{SPECIMEN, prepare_specimen};
pub use crate::status_pattern::StatusPattern;
pub use crate::take::Take;
pub use crate::template::{Template, TemplateFault};
pub use crate::value::{Nested, Scope, Value, Variables};
pub use crate::vocabulary::{Dialect, Effect, ObjectKind, Verb};

#[cfg(test)]
mod malformed;
#[cfg(test)]
mod reached;

// What is proved with chips by name stands apart: no file here names one.
#[cfg(test)]
#[path = "../../tests/profile/guide.rs"]
mod guide;
#[cfg(test)]
#[path = "../../tests/profile/rendering.rs"]
mod rendering;
#[cfg(test)]
#[path = "../../tests/profile/shipped.rs"]
mod shipped;
