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
//! Loading proves a profile: every fault has a file, a line, a column and a hint.

mod chip;
mod chip_file;
mod chip_load;
mod command;
mod document;
mod error;
mod plan;
mod record;
mod source;
mod template;
mod value;
mod vocabulary;

pub use crate::chip::{
    ChannelProfile, ChipProfile, CommandTemplate, Curve, Detail, Diversification, Expectation,
    Identify, Interface, KeySet, Object, PinRules, TakePath,
};
pub use crate::command::{Position, Rendered, Renderer, Taken, file_content, pin_field};
pub use crate::document::{DocumentChip, DocumentKey, DocumentProfile};
pub use crate::error::{ProfileError, RenderError};
pub use crate::plan::{Plan, Stage, Step};
pub use crate::record::variables;
pub use crate::source::{Place, Shelf};
pub use crate::template::{Function, Template, TemplateFault};
pub use crate::value::{Nested, Scope, Value, Variables};
pub use crate::vocabulary::{Dialect, ObjectKind, Verb};

#[cfg(test)]
mod shipped;
