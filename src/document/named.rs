//! Closed sets of named values: one declaration gives the enum, its wire names,
//! and the ways to print and read them.

use thiserror::Error;

/// A text that is not a name of the set that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown {what}; expected one of: {expected}")]
pub struct UnknownName {
    /// What was to be read, for example `document kind`.
    pub what: &'static str,
    /// The names that are known, separated by commas.
    pub expected: String,
}

/// Declares a fieldless enum whose values have one wire name each.
macro_rules! named {
    (
        $(#[$meta:meta])*
        $what:literal enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $text:literal ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $( $(#[$variant_meta])* #[serde(rename = $text)] $variant, )+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[ $( Self::$variant ),+ ];

            /// Returns the wire name, in kebab-case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $text ),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::named::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $( $text => Ok(Self::$variant), )+
                    _ => Err($crate::named::UnknownName {
                        what: $what,
                        expected: [ $( $text ),+ ].join(", "),
                    }),
                }
            }
        }
    };
}

pub(crate) use named;

#[cfg(test)]
#[expect(
    unreachable_pub,
    reason = "the macro declares public sets; this one stays here"
)]
mod tests {
    named! {
        /// A set for this test only.
        "colour" enum Colour { DarkRed = "dark-red", Blue = "blue" }
    }

    #[test]
    fn names_are_the_wire_form_in_every_direction() {
        for &colour in Colour::ALL {
            assert_eq!(colour.to_string().parse::<Colour>().unwrap(), colour);
            let json = serde_json::to_string(&colour).unwrap();
            assert_eq!(json, format!("\"{}\"", colour.name()));
            assert_eq!(serde_json::from_str::<Colour>(&json).unwrap(), colour);
        }
        assert_eq!(Colour::ALL.len(), 2);
    }

    #[test]
    fn unknown_name_lists_what_is_known_and_never_what_was_sent() {
        let error = "dark red".parse::<Colour>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown colour; expected one of: dark-red, blue"
        );
    }
}
