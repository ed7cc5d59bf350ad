//! What a schema of ISO/IEC 39794 is made of: automatic context tags, implicit unless the
//! field is a choice.

/// One field of a sequence, or one alternative of a choice.
pub(super) struct Field {
    /// The context tag's number.
    pub(super) number: u8,
    /// The schema's name.
    pub(super) name: &'static str,
    /// Whether it must be there.
    pub(super) mandatory: bool,
    /// What stands in it.
    pub(super) kind: Kind,
}

impl Field {
    /// Returns the field's tag, as one byte.
    pub(super) const fn tag(&self) -> u32 {
        let class = if self.kind.is_constructed() {
            0xA0
        } else {
            0x80
        };
        class | self.number as u32
    }
}

/// The fields of a sequence.
pub(super) struct Sequence {
    /// In ascending order of their tags.
    pub(super) fields: &'static [Field],
    /// Whether later editions may add fields behind the last.
    pub(super) extensible: bool,
}

/// What stands in a field.
pub(super) enum Kind {
    /// INTEGER between these bounds.
    Integer(i64, i64),
    /// ENUMERATED, its codes as ranges.
    Enumerated(Codes),
    /// The choice of `code [0]` or `extensionBlock [1] { fallback [0], … }`, by which later
    /// editions add codes and say which known one is meant; empty where there is none.
    Code(Codes),
    /// BOOLEAN.
    Boolean,
    /// OCTET STRING, or text that nothing here reads.
    Octets,
    /// SEQUENCE.
    Sequence(&'static Sequence),
    /// SEQUENCE OF elements under this universal tag, and how many there may be.
    List(u8, &'static Kind, usize, usize),
    /// CHOICE, in an explicit tag.
    Choice(&'static [Field]),
}

impl Kind {
    /// Says whether the encoding is constructed.
    pub(super) const fn is_constructed(&self) -> bool {
        !matches!(
            self,
            Self::Integer(..) | Self::Enumerated(_) | Self::Boolean | Self::Octets
        )
    }
}

/// Ranges of codes, each with its ends.
pub(super) type Codes = &'static [(i64, i64)];

/// Declares a field that must be there.
pub(super) const fn must(number: u8, name: &'static str, kind: Kind) -> Field {
    Field {
        number,
        name,
        mandatory: true,
        kind,
    }
}

/// Declares a field that may be there.
pub(super) const fn may(number: u8, name: &'static str, kind: Kind) -> Field {
    Field {
        number,
        name,
        mandatory: false,
        kind,
    }
}

/// Declares a sequence that later editions may extend.
pub(super) const fn open(fields: &'static [Field]) -> Sequence {
    Sequence {
        fields,
        extensible: true,
    }
}

/// Declares a sequence that stays as it is.
pub(super) const fn closed(fields: &'static [Field]) -> Sequence {
    Sequence {
        fields,
        extensible: false,
    }
}

/// Declares a list of any length up to [`MOST_ELEMENTS`] of sequences.
pub(super) const fn list(of: &'static Kind) -> Kind {
    Kind::List(0x30, of, 0, MOST_ELEMENTS)
}

/// Most elements of a list: more than a face has landmarks.
const MOST_ELEMENTS: usize = 256;

/// The number of an unbounded integer that fits eight bytes.
pub(super) const MAX: i64 = i64::MAX;
