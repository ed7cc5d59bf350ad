//! What can be wrong with a profile, or with using it.

use std::fmt;

use thiserror::Error;

use crate::source::Place;

/// A profile that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProfileError {
    /// Something in a file is wrong; the place is where it was written, also when it was
    /// inherited.
    #[error("{place}: {fault} ({hint})")]
    Invalid {
        /// File, line and column.
        place: Place,
        /// What is wrong.
        fault: String,
        /// What to do about it.
        hint: String,
    },
    /// There is no profile of that name.
    #[error("no profile is named \"{name}\"; known are: {}", known.join(", "))]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A document profile and a chip profile do not fit together.
    #[error(
        "document profile \"{document}\" does not fit chip profile \"{chip}\": {fault} ({hint})"
    )]
    Mismatch {
        /// The document profile's name.
        document: String,
        /// The chip profile's name.
        chip: String,
        /// What one needs and the other lacks.
        fault: String,
        /// What to do about it.
        hint: String,
    },
}

/// Returns a hint for a name that is not known: the one that was probably meant, or all.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.collect();
    let close = known
        .iter()
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|(distance, other)| *distance <= 1 + other.len() / 4)
        .min();
    match (close, known.is_empty()) {
        (Some((_, other)), _) => format!("did you mean \"{other}\"?"),
        (None, true) => "there is none yet: write one".to_owned(),
        (None, false) => format!("known are {}", known.join(", ")),
    }
}

/// Something in a profile that is hardly meant so, though nothing fails of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// File, line and column.
    pub place: Place,
    /// What is odd.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.what, self.hint)
    }
}

/// A template that cannot be turned into bytes now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RenderError {
    /// A variable has no value yet.
    #[error("variable \"{name}\" has no value")]
    Unset {
        /// The variable.
        name: String,
    },
    /// A variable is of another kind than the template needs.
    #[error("variable \"{name}\" is {found}, but {needed} is needed here")]
    Kind {
        /// The variable.
        name: String,
        /// What it is.
        found: &'static str,
        /// What was needed.
        needed: &'static str,
    },
    /// A function cannot take this value.
    #[error("{function}: {fault}")]
    Function {
        /// The function.
        function: &'static str,
        /// Why not.
        fault: String,
    },
    /// The rendered header is not four bytes long.
    #[error("a command header is four bytes, this one is {length}")]
    Header {
        /// How long it came out.
        length: usize,
    },
    /// The content is longer than its file.
    #[error("the content has {length} bytes, its file only {size}")]
    TooLarge {
        /// How long it is.
        length: usize,
        /// The file's size.
        size: usize,
    },
    /// No command is for a part of the content.
    #[error("no command is for the part of the content that begins at byte {offset}")]
    NoCommand {
        /// Where the part begins.
        offset: usize,
    },
    /// The data does not fit the chip's limits.
    #[error("the data is {length} bytes, the chip takes {limit} in one command")]
    TooLong {
        /// How long it came out.
        length: usize,
        /// The limit.
        limit: usize,
    },
}
