//! What is done to a chip.

use crate::named::named;

named! {
    /// What a lease is for, and the stages of a chip profile.
    "purpose" enum Purpose {
        /// A blank becomes a document.
        Personalization = "personalization",
        /// A document that is made already gets other PINs.
        NewPins = "new-pins",
    }
}

impl Default for Purpose {
    /// What a lease was for before there was another purpose.
    fn default() -> Self {
        Self::Personalization
    }
}
